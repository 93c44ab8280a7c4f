"""Validation, early stopping and checkpoints between epochs, at guest, host and arbiter."""

import msgspec
import numpy as np
import pyarrow as pa
import pytest

from federatedml.callbacks import Callbacks
from federatedml.component import Ctx, Model, Trainer
from federatedml.data.frame import Frame, FrameSchema
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadParameters
from federatedml.hetero_glm_params import HeteroLinRParams, HeteroLRParams, HeteroPoissonParams
from federatedml.hetero_sshe_params import HeteroSSHELRParams
from federatedml.homo_lr_params import HomoLRParams
from federatedml.params import Params, parse
from federatedml.params_shared import CallbackParam
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, H, A = Party(GUEST, "1"), Party(HOST, "2"), Party(ARBITER, "3")
LABELS = np.array([0, 0, 0, 1, 1, 1])
QUALITY = (1, 4, 2, 2, 6, 6)
"""How many of the six validation rows the model of each epoch ranks rightly."""


class Remembered(Model):
    meta: dict = msgspec.field(default_factory=dict)
    param: dict = msgspec.field(default_factory=dict)


class Foreseen(Trainer[Params]):
    """Predicts as well as its model's "right" says, on validation and train rows alike."""

    def predict_guest(self, ctx, model, data):
        right = np.arange(6) < model.param["right"]
        return predictions(data, np.where(right, LABELS, 1 - LABELS) * 0.9 + 0.05, [0, 1])

    def predict_host(self, ctx, model, data):
        return None


def frame():
    ids = pa.array([str(i) for i in range(6)])
    return Frame(ids, np.zeros((6, 1)), FrameSchema(), label=LABELS)


def trained(params, *, validate=True, qualities=QUALITY, predict=None, prefix=""):
    """Per party: epochs run, the best (epoch, model), and the report."""

    def work(ctx):
        has_rows = ctx.role != ARBITER
        callbacks = Callbacks(
            params, Foreseen(Params()), ctx, frame() if has_rows else None,
            frame() if has_rows and validate else None, prefix=prefix, predict=predict,
        )  # fmt: skip
        model = Remembered(param={})
        for epoch, right in enumerate(qualities):
            model.param["right"] = right  # in place, as trainers may
            if callbacks.after_epoch(epoch, model):
                break
        return epoch + 1, callbacks.best(), ctx.report

    return run({G: work, H: work, A: work}, Ctx, timeout_s=20)


STOPPING = CallbackParam(
    callbacks=["EarlyStopping"], validation_freqs=1, early_stopping_rounds=2, metrics=["auc"]
)


def test_all_parties_stop_together_and_take_back_their_best_model():
    results, transcript = trained(STOPPING)
    for epochs, best, _ in results.values():
        assert epochs == 4
        assert (best[0], best[1].param) == (1, {"right": 4})
    assert {s.message for s in transcript} == {"callbacks.stale"}
    assert [s.value for s in transcript if s.dst == H] == [[0], [0], [1], [2]]


def test_without_a_stop_the_best_model_is_still_known():
    results, _ = trained(STOPPING, qualities=(1, 4, 2))
    assert [(epochs, best[0]) for epochs, best, _ in results.values()] == [(3, 1)] * 3


def test_without_early_stopping_nothing_is_sent_and_every_epoch_runs():
    params = CallbackParam(callbacks=["PerformanceEvaluate"], validation_freqs=1)
    results, transcript = trained(params)
    assert [(epochs, best) for epochs, best, _ in results.values()] == [(6, None)] * 3
    assert transcript == []


def test_the_guest_reports_train_and_validate_metrics_of_each_validation():
    params = CallbackParam(callbacks=["PerformanceEvaluate"], validation_freqs=2)
    results, _ = trained(params)
    report = results[G][2]
    names = [f"iteration_{n}{end}" for n in (1, 3, 5) for end in ("", "_ks_fpr", "_ks_tpr")]
    assert sorted(report.metrics) == sorted((s, n) for s in ("train", "validate") for n in names)
    kind, points, _ = report.metrics["train", "iteration_1"]
    assert (kind, [name for name, _ in points]) == ("EVALUATION_SUMMARY", ["auc", "ks"])
    kind, points, meta = report.metrics["validate", "iteration_3_ks_fpr"]
    assert (kind, len(points), len(meta["thresholds"])) == ("KS_EVALUATION", 101, 100)
    assert (meta["curve_name"], meta["pair_type"]) == ("iteration_3_fpr", "iteration_3")
    history = report.told["validation_metrics"]
    assert {stage: list(kept) for stage, kept in history.items()} == {
        "train": ["auc", "ks"], "validate": ["auc", "ks"],
    }  # fmt: skip
    assert len(history["train"]["auc"]) == 3
    assert (results[H][2].metrics, results[A][2].told) == ({}, {})


def test_validation_in_listed_epochs_and_train_rows_alone():
    params = CallbackParam(callbacks=["PerformanceEvaluate"], validation_freqs=[0, 4])
    results, _ = trained(params, validate=False)
    assert {name for _, name in results[G][2].metrics if "ks" not in name} == {
        "iteration_0", "iteration_4",
    }  # fmt: skip
    assert set(results[G][2].told["validation_metrics"]) == {"train"}


def test_of_several_metrics_the_one_that_stalls_ends_training_unless_only_the_first_counts():
    one = {
        **{n: getattr(STOPPING, n) for n in STOPPING.__struct_fields__},
        "metrics": ["ks", "auc"],
    }
    results, transcript = trained(CallbackParam(**one))
    assert all(len(s.value) == 2 for s in transcript)
    assert results[H][0] == results[G][0]
    _, transcript = trained(CallbackParam(**{**one, "use_first_metric_only": True}))
    assert all(len(s.value) == 1 for s in transcript)


def test_early_stopping_without_validation_rows_is_refused():
    with pytest.raises(BadData, match="early_stopping_rounds needs validate_data"):
        trained(STOPPING, validate=False)


def test_checkpoints_are_kept_every_save_freq_epochs_at_every_party():
    params = CallbackParam(callbacks=["ModelCheckpoint"], save_freq=2)
    results, transcript = trained(params)
    for _, _, report in results.values():
        assert [(step, name) for step, name, _ in report.checkpoints] == [
            (0, "step_name"), (2, "step_name"), (4, "step_name"),
        ]  # fmt: skip
    assert transcript == []


def test_a_submodel_predicts_for_itself_under_its_own_name():
    def predict(ctx, model, data):
        return predictions(data, np.linspace(0, 1, 6), [0, 1]) if ctx.role == GUEST else None

    params = CallbackParam(callbacks=["PerformanceEvaluate"], validation_freqs=1)
    results, _ = trained(params, qualities=(1,), predict=predict, prefix="model_2.")
    _, points, _ = results[G][2].metrics["train", "model_2.iteration_0"]
    assert dict(points)["auc"] == 1.0


def test_no_callbacks_cost_nothing():
    results, transcript = trained(CallbackParam(validation_freqs=1))
    assert (results[G][2].metrics, results[G][1], transcript) == ({}, None, [])


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (
            {"metrics": ["AUC", "foo"]},
            "metrics: 'foo' is no metric of classification; there are: auc, ks, lift",
        ),
        ({"metrics": ["rmse"]}, "metrics: 'rmse' is no metric of classification; there are: auc"),
    ],
)
@pytest.mark.parametrize("component", [HeteroLRParams, HomoLRParams, HeteroSSHELRParams])
def test_metrics_that_a_training_does_not_have_are_refused_at_submit(component, given, told):
    callbacks = {"callbacks": ["EarlyStopping"], **given}
    with pytest.raises(BadParameters) as raised:
        parse(component, {"callback_param": callbacks}, "Some#some_0")
    assert told in str(raised.value)


@pytest.mark.parametrize("component", [HeteroLRParams, HeteroSSHELRParams])
def test_early_stopping_on_curves_and_tables_alone_is_refused_at_submit(component):
    watched = {"validation_freqs": 1, "early_stopping_rounds": 2, "metrics": ["psi", "Lift"]}
    given = {"reveal_every_iter": True} if component is HeteroSSHELRParams else {}
    with pytest.raises(BadParameters) as raised:
        parse(
            component,
            {**given, "callback_param": {"callbacks": ["EarlyStopping"], **watched}},
            "A#a",
        )
    assert "can watch none of psi, Lift; it can watch: auc, ks, accuracy, " in str(raised.value)


def test_the_deprecated_metrics_are_refused_alike():
    with pytest.raises(BadParameters, match="'foo' is no metric of classification; there are: auc"):
        parse(HeteroLRParams, {"metrics": ["foo"]}, "HeteroLR#lr_0")
    with pytest.raises(BadParameters, match="'auc' is no metric of regression; there are: expl"):
        parse(HeteroPoissonParams, {"metrics": ["auc"]}, "HeteroPoisson#poisson_0")


def test_fates_short_forms_and_what_only_evaluation_computes_may_be_named(caplog):
    wanted = {"callbacks": ["EarlyStopping"], "metrics": ["MAE", "l2_root"]}
    parse(HeteroLinRParams, {"callback_param": wanted}, "HeteroLinR#linr_0")
    params = CallbackParam(
        callbacks=["PerformanceEvaluate"], validation_freqs=1, metrics=["auc", "PSI"]
    )
    results, _ = trained(params, qualities=(1,))
    assert list(results[G][2].told["validation_metrics"]["train"]) == ["auc"]
    assert "metrics PSI are not computed between iterations" in caplog.text
