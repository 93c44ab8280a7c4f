"""The runner's order of stages, on a two-party trainer small enough to read."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from federatedml import runner
from federatedml.component import Component, Ctx, Inputs, Model, NamedData, Outputs, Trainer
from federatedml.data.frame import Frame, FrameSchema, Predictions, RawSchema, RawTable
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadModel
from federatedml.params import Params
from federatedml.params_shared import CvParam
from federation import ARBITER, GUEST, HOST, Message, Party
from federation.transport.inproc import run

G, H, A = Party(GUEST, "1"), Party(HOST, "2"), Party(ARBITER, "3")


class SumParams(Params, frozen=True):
    cv_param: CvParam = CvParam()
    need_run: bool = True


class Wire:
    score = Message[np.ndarray]({HOST}, {GUEST}, kind="plain", reveals="row sums")


class SumModel(Model):
    meta: dict = msgspec.field(default_factory=dict)
    param: dict = msgspec.field(default_factory=dict)


class RowSums(Trainer[SumParams]):
    """Predicts "1" where the sum of all parties' features is above its mean on train rows."""

    def fit_guest(self, ctx, train, validate, start):
        total = train.x.sum(axis=1) + ctx.get(Wire.score)
        rounds = start.param["rounds"] + 1 if start else 1
        return SumModel(param={"mean": float(total.mean()), "rounds": rounds})

    def fit_host(self, ctx, train, validate, start):
        ctx.remote(Wire.score, train.x.sum(axis=1))
        return SumModel(param={"rounds": start.param["rounds"] + 1 if start else 1})

    def fit_arbiter(self, ctx, train, validate, start):
        assert train is None
        return SumModel(param={"arbiter": True})

    def predict_guest(self, ctx, model, data):
        above = data.x.sum(axis=1) + ctx.get(Wire.score) - model.param["mean"]
        return predictions(data, 1 / (1 + np.exp(-above)), [0, 1])

    def predict_host(self, ctx, model, data):
        ctx.remote(Wire.score, data.x.sum(axis=1))


class Doubler(Component[SumParams]):
    def fit(self, ctx, inputs):
        return Outputs([inputs.one("data")], SumModel(param={"fitted": True}))

    def transform(self, ctx, inputs):
        found = inputs.one("data")
        return Outputs([Frame(found.ids, found.x * 2, found.schema)])


def frame(n=6, seed=0):
    rng = np.random.default_rng(seed)
    ids = pa.array([str(i) for i in range(n)])
    return Frame(ids, rng.normal(size=(n, 2)), FrameSchema(), label=np.arange(n) % 2)


def named(data, component="dt_0"):
    return [NamedData(component, "data", data)]


def both(inputs, params=None, *, arbiter=None, component=RowSums):
    """Outputs of guest and host (and arbiter), each given the inputs of its role."""

    def party(role):
        def work(ctx):
            ctx.name = "sums_0"
            return runner.run(component(params or SumParams()), ctx, inputs[role])

        return work

    parties = {G: party(GUEST), H: party(HOST)}
    if ARBITER in inputs:
        parties[A] = party(ARBITER)
    results, transcript = run(parties, Ctx, timeout_s=20)
    return results, transcript


def test_training_fits_then_predicts_train_and_validate_rows():
    given = {"train_data": named(frame(6)), "validate_data": named(frame(4, 1))}
    alone = {"train_data": [], "validate_data": []}
    results, transcript = both({GUEST: Inputs(given), HOST: Inputs(given), ARBITER: Inputs(alone)})
    (said,), model = results[G].data, results[G].model
    assert isinstance(said, Predictions)
    assert said.stage.to_pylist() == ["train"] * 6 + ["validate"] * 4
    assert said.label.tolist() == [0, 1, 0, 1, 0, 1, 0, 1, 0, 1]
    assert model.param["rounds"] == 1
    assert results[H].data == [None]
    assert (results[A].data, results[A].model.param) == ([None], {"arbiter": True})
    assert len(transcript) == 3


def test_eval_data_beside_train_data_is_validation():
    given = Inputs({"train_data": named(frame(6)), "eval_data": named(frame(2))})
    results, _ = both({GUEST: given, HOST: given})
    assert set(results[G].data[0].stage.to_pylist()) == {"train", "validate"}


@pytest.mark.parametrize("kind", ["test_data", "eval_data", "data"])
def test_a_model_and_other_data_predict(kind):
    trained, _ = both({r: Inputs({"train_data": named(frame())}) for r in (GUEST, HOST)})
    later = {r: Inputs({kind: named(frame(3))}, model=trained[p].model)
             for r, p in ((GUEST, G), (HOST, H))}  # fmt: skip
    results, transcript = both(later)
    assert results[G].data[0].stage.to_pylist() == ["predict"] * 3
    assert results[G].model is trained[G].model
    assert len(transcript) == 1


def test_a_model_and_train_data_go_on_training():
    warm = Inputs({"train_data": named(frame())}, model=SumModel(param={"rounds": 4}))
    results, _ = both({GUEST: warm, HOST: warm})
    assert (results[G].model.param["rounds"], results[H].model.param["rounds"]) == (5, 5)


def test_an_arbiter_that_is_told_no_kinds_of_data_goes_by_the_job_type():
    def arbiter(job_type):
        ctx = Ctx(A, [A], None)
        ctx.job = {"job_type": job_type}
        return runner.run(RowSums(SumParams()), ctx, Inputs(model=SumModel(param={"old": True})))

    assert arbiter("train").model.param == {"arbiter": True}
    assert arbiter("predict").model.param == {"old": True}


def test_a_component_that_need_not_run_passes_its_data_on():
    ctx, data = Ctx(G, [G, H], None), frame()
    outputs = runner.run(RowSums(SumParams(need_run=False)), ctx, Inputs({"data": named(data)}))
    assert outputs.data == [data]


def test_plain_components_fit_without_a_model_and_transform_with_one():
    ctx, data = Ctx(G, [G], None), frame()
    fitted = runner.run(Doubler(SumParams()), ctx, Inputs({"data": named(data)}))
    assert fitted.model.param == {"fitted": True}
    applied = runner.run(Doubler(SumParams()), ctx, Inputs({"data": named(data)}, fitted.model))
    assert np.array_equal(applied.data[0].x, data.x * 2)
    assert applied.model is fitted.model


MODEL = SumModel()
CV = SumParams(cv_param=CvParam(need_cv=True))


@pytest.mark.parametrize(
    ("kinds", "model", "params", "error", "problem"),
    [
        (
            ["eval_data", "validate_data"],
            None,
            None,
            BadData,
            "eval_data and validate_data may not",
        ),
        (["eval_data", "test_data"], MODEL, None, BadData, "eval_data and test_data may not"),
        (["train_data", "data"], None, None, BadData, "train_data and data may not"),
        (["train_data", "test_data"], MODEL, None, BadData, "train_data and test_data may not"),
        (["data", "test_data"], MODEL, None, BadData, "data and test_data may not"),
        (["validate_data"], None, None, BadData, "validate_data needs train_data"),
        (["test_data"], None, None, BadModel, "test_data needs a model input"),
        (["train_data", "validate_data"], None, CV, BadData, "cross-validation takes train_data"),
        (["train_data"], MODEL, CV, BadModel, "cross-validation starts from no model"),
        (["train"], None, None, BadData, "unknown data input train; there are: data, train_data"),
    ],
)
def test_kinds_of_data_that_do_not_go_together_are_refused(kinds, model, params, error, problem):
    ctx = Ctx(G, [G, H], None)
    ctx.name = "sums_0"
    inputs = Inputs({kind: named(frame()) for kind in kinds}, model)
    with pytest.raises(error, match=f"sums_0: {problem}"):
        runner.run(RowSums(params or SumParams()), ctx, inputs)


def test_a_trainer_takes_one_table_of_instances():
    ctx = Ctx(G, [G, H], None)
    raw = RawTable(pa.array(["a"]), pa.table({"x0": ["1"]}), RawSchema(header="x0"))
    for given, problem in (
        (named(frame()) * 2, "takes one table, got 2"),
        (named(raw), "must be instances, as DataTransform gives them"),
        ([], "train_data is empty"),
        (None, "needs a data input of kind train_data"),
    ):
        inputs = Inputs({"train_data": given} if given is not None else {})
        for params in (SumParams(), CV):
            with pytest.raises(BadData, match=problem):
                runner.run(RowSums(params), ctx, inputs)


def test_regression_two_and_more_classes_become_predictions():
    rows = frame(3)
    said = predictions(rows, np.array([0.2, 0.5, 0.7]), [0, 1])
    assert said.result.tolist() == [0, 0, 1]
    assert said.detail.tolist() == [[0.8, 0.2], [0.5, 0.5], [pytest.approx(0.3), 0.7]]
    assert predictions(rows, np.array([0.2, 0.5, 0.7]), [0, 1], 0.1).result.tolist() == [1, 1, 1]
    many = predictions(rows, np.array([[0.1, 0.7, 0.2], [0.5, 0.3, 0.2], [0, 0, 1]]), [3, 5, 7])
    assert (many.result.tolist(), many.score.tolist()) == ([5, 3, 7], [0.7, 0.5, 1.0])
    number = predictions(rows, np.array([1.5, 2.5, -3.0]))
    assert (number.classes, number.result.tolist()) == (["label"], [1.5, 2.5, -3.0])
    words = predictions(rows, np.array([0.2, 0.5, 0.7]), ["no", "yes"])
    assert words.result.to_pylist() == ["no", "no", "yes"]


def test_a_model_made_by_the_runner_survives_as_json():
    results, _ = both({r: Inputs({"train_data": named(frame())}) for r in (GUEST, HOST)})
    model = results[G].model
    assert msgspec.convert(msgspec.to_builtins(model), SumModel) == model


class Forgetful(RowSums):
    """Its arbiter keeps no model."""

    def fit_arbiter(self, ctx, train, validate, start):
        return None


def test_an_arbiter_without_a_model_takes_no_part_in_a_prediction():
    for kinds in ({"test_data": []}, {"eval_data": []}, {}):
        ctx = Ctx(A, [G, H, A], None)
        ctx.job = {"job_type": "predict"}
        outputs = runner.run(Forgetful(SumParams()), ctx, Inputs(kinds))
        assert outputs == Outputs(data=[None])
