"""Cross-validation of a two-party trainer equals the folds made by hand on pooled data."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import KFold

from federatedml import runner
from federatedml.component import Ctx, Inputs, Model, NamedData, Trainer
from federatedml.cross_validation import folds
from federatedml.data.frame import Frame, FrameSchema, Predictions, Values
from federatedml.data.predicting import predictions, stacked
from federatedml.errors import BadData
from federatedml.params import Params
from federatedml.params_shared import CallbackParam, CvParam
from federation import ARBITER, GUEST, HOST, Message, Party
from federation.transport.inproc import run

G, H, A = Party(GUEST, "1"), Party(HOST, "2"), Party(ARBITER, "3")
N = 53


class LeastSquaresParams(Params, frozen=True):
    cv_param: CvParam = CvParam(need_cv=True)
    callback_param: CallbackParam = CallbackParam()


class Wire:
    rows = Message[np.ndarray]({HOST}, {GUEST}, kind="plain", reveals="all (a test)")


class Weights(Model):
    meta: dict = msgspec.field(default_factory=dict)
    param: dict = msgspec.field(default_factory=dict)


class LeastSquares(Trainer[LeastSquaresParams]):
    """The guest learns on everybody's columns: no privacy, but two parties."""

    def fit_guest(self, ctx, train, validate, start):
        x = np.column_stack([train.x, ctx.get(Wire.rows)])
        ctx.report.metric("train", "loss", "LOSS", [(0, 0.5)], curve_name="loss", unit_name="iters")
        ctx.report.checkpoint(0, "step_name", Weights())
        ctx.report.summary({"n_rows": train.n_rows})
        return Weights(param={"w": np.linalg.lstsq(x, train.label, rcond=None)[0].tolist()})

    def fit_host(self, ctx, train, validate, start):
        ctx.remote(Wire.rows, train.x)
        return Weights()

    def fit_arbiter(self, ctx, train, validate, start):
        ctx.report.metric("train", "loss", "LOSS", [(0, 0.5)], curve_name="loss")
        return Weights()

    def predict_guest(self, ctx, model, data):
        x = np.column_stack([data.x, ctx.get(Wire.rows)])
        return predictions(data, x @ np.array(model.param["w"]), [0, 1])

    def predict_host(self, ctx, model, data):
        ctx.remote(Wire.rows, data.x)


def pooled(n=N):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(n, 4))
    return x, (x @ [1.0, -1, 0.5, 2] + rng.normal(size=n) > 0).astype(np.int64)


def cross_validated(n=N, **cv):
    x, y = pooled(n)
    ids = pa.array([f"r{i}" for i in range(n)])
    schema = FrameSchema(sid_name="sid")
    rows = {
        GUEST: Frame(ids, x[:, :2], schema, label=y),
        HOST: Frame(ids, x[:, 2:], schema),
    }
    params = LeastSquaresParams(cv_param=CvParam(need_cv=True, **cv))

    def work(ctx):
        ctx.name = "ls_0"
        given = rows.get(ctx.role)
        named = [NamedData("intersection_0", "data", given)] if given else []
        before = ctx.report
        outputs = runner.run(LeastSquares(params), ctx, Inputs({"train_data": named}))
        assert ctx.report is before
        return outputs, ctx.report

    return run({G: work, H: work, A: work}, Ctx, timeout_s=30)


@pytest.mark.parametrize("cv", [{}, {"n_splits": 3, "shuffle": False}, {"random_seed": 7}])
def test_folds_are_scikit_learns(cv):
    params = CvParam(**cv)
    seed = params.random_seed if params.shuffle else None
    twin = KFold(params.n_splits, shuffle=params.shuffle, random_state=seed)
    expected = [test.tolist() for _, test in twin.split(np.zeros(N))]
    assert [rows.tolist() for rows in folds(N, params)] == expected


def test_every_fold_equals_training_on_pooled_rows():
    results, transcript = cross_validated(n_splits=4)
    (x, y), (outputs, report) = pooled(), results[G]
    history = outputs.data[0]
    assert isinstance(history, Predictions)
    assert (outputs.model, history.n_rows) == (None, 4 * N)
    scores = dict(zip(history.ids.to_pylist(), history.score, strict=True))
    for fold, (train, test) in enumerate(KFold(4, shuffle=True, random_state=1).split(x)):
        w = np.linalg.lstsq(x[train], y[train], rcond=None)[0]
        for stage, rows in (("train", train), ("validate", test)):
            for row in rows:
                assert scores[f"r{row}#fold{fold}#{stage}"] == pytest.approx(x[row] @ w)
            expected = roc_auc_score(y[rows], x[rows] @ w)
            assert report.told[f"fold_{fold}"][stage]["auc"] == pytest.approx(expected)
            points = dict(report.metrics[stage, f"{stage}_fold_{fold}"][1])
            assert points["auc"] == pytest.approx(expected, abs=1e-6)
    sent = [s for s in transcript if s.message == "cross_validation.validate_rows"]
    assert [(s.src, s.dst) for s in sent] == [(G, H)] * 4


def test_what_a_fold_reports_is_told_apart_by_its_number():
    results, _ = cross_validated()
    report = results[G][1]
    assert report.told["fold_num"] == 5
    assert report.told["fold_3"]["n_rows"] == N - 10
    for fold in range(5):
        kind, points, meta = report.metrics["train", f"loss.{fold}"]
        assert (kind, points, meta["curve_name"]) == ("LOSS", [(0, 0.5)], f"loss.{fold}")
        assert ("validate", f"validate_fold_{fold}_ks_fpr") in report.metrics
    assert report.checkpoints == []
    assert set(results[A][1].metrics) == {("train", f"loss.{fold}") for fold in range(5)}


def test_a_party_without_scores_keeps_the_number_of_the_fold_and_the_arbiter_nothing():
    results, _ = cross_validated()
    history = results[H][0].data[0]
    assert isinstance(history, Values)
    assert (history.columns.column_names, history.sid_name) == (["fold_num"], "sid")
    assert history.key[0].as_py().endswith("#fold0#train")
    assert sorted(set(history.columns["fold_num"].to_pylist())) == [0, 1, 2, 3, 4]
    assert results[A][0].data == [None]
    guest = results[G][0].data[0]
    assert sorted(guest.ids.to_pylist()) == sorted(history.key.to_pylist())


def test_the_history_may_be_instances_or_left_out():
    history = cross_validated(history_value_type="instance", n_splits=2)[0][G][0].data[0]
    assert isinstance(history, Frame)
    assert (history.n_rows, history.x.shape) == (2 * N, (2 * N, 2))
    results, _ = cross_validated(output_fold_history=False, n_splits=2)
    assert [results[party][0].data for party in (G, H)] == [[None], [None]]


def test_more_folds_than_rows_are_refused():
    with pytest.raises(BadData, match="5 folds needs as many rows, got 4"):
        cross_validated(4)


class OwnMean(Trainer[LeastSquaresParams]):
    """Horizontal: each party learns from its own rows alone."""

    module = "HomoMean"

    def fit_guest(self, ctx, train, validate, start):
        return Weights(param={"mean": float(train.x.mean())})

    fit_host = fit_guest

    def predict_guest(self, ctx, model, data):
        return predictions(data, data.x[:, 0] - model.param["mean"])

    predict_host = predict_guest


def test_parties_of_a_horizontal_model_split_their_own_rows():
    params = LeastSquaresParams(cv_param=CvParam(need_cv=True, n_splits=3))

    def work(ctx):
        n = 20 if ctx.role == GUEST else 31
        ids = pa.array([f"{ctx.role}{i}" for i in range(n)])
        y = np.arange(n, dtype=np.float64)
        rows = Frame(ids, y[:, None], FrameSchema(), label=y)
        given = Inputs({"train_data": [NamedData("dt_0", "data", rows)]})
        return runner.run(OwnMean(params), ctx, given), ctx.report

    results, transcript = run({G: work, H: work}, Ctx, timeout_s=20)
    assert transcript == []
    for party, n in ((G, 20), (H, 31)):
        outputs, report = results[party]
        assert outputs.data[0].n_rows == 3 * n
        _, points, _ = report.metrics["validate", "validate_fold_2"]
        assert {name for name, _ in points} == {"mean_absolute_error", "root_mean_squared_error"}


def test_instances_of_every_kind_of_column_are_put_below_one_another():
    def rows(first, n):
        names = [str(i) for i in range(first, first + n)]
        return Frame(
            pa.array(names), sparse.csr_matrix(np.eye(n, 3)), FrameSchema(),
            label=pa.array(["no"] * n), weight=np.ones(n), match_ids=pa.array(names),
            texts=pa.table({"town": ["a"] * n}),
        )  # fmt: skip

    parts = [rows(0, 3), rows(3, 2)]
    assert stacked([part.x for part in parts]).toarray().tolist() == [
        *np.eye(3).tolist(), *np.eye(2, 3).tolist(),
    ]  # fmt: skip
    assert stacked([part.label for part in parts]).to_pylist() == ["no"] * 5
    assert stacked([part.texts for part in parts]).num_rows == 5
    assert stacked([parts[0].weight, None]) is None
