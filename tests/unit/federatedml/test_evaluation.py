"""Evaluation: names, types and metas of what it reports, and what it refuses."""

import numpy as np
import pyarrow as pa
import pytest
from sklearn import metrics as sk

from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.evaluation import EvaluateParam, Evaluation
from federatedml.data.frame import Frame, FrameSchema, Predictions, Values
from federatedml.data.predicting import predictions, staged, united
from federatedml.errors import BadData, BadParameters
from federatedml.params import parse, shown
from federation import ARBITER, GUEST, HOST, Party


def evaluated(given, role=GUEST, **params):
    me = Party(role, "1")
    ctx = Ctx(me, [me], None)
    ctx.name = "evaluation_0"
    component = Evaluation(parse(EvaluateParam, params, "Evaluation#evaluation_0"))
    named = [NamedData(name.split(".")[0], "data", data) for name, data in given]
    outputs = component.fit(ctx, Inputs({"data": named}))
    assert (outputs.data, outputs.model) == ([], None)
    return ctx.report


def frame(label, n=None):
    n = len(label) if label is not None else n
    ids = pa.array([str(i) for i in range(n)])
    return Frame(ids, np.zeros((n, 1)), FrameSchema(header=["x0"]), label=label)


def binary(n=569, seed=0, classes=(0, 1), stage="train"):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.6).astype(int)
    label = pa.array([classes[i] for i in y]) if isinstance(classes[0], str) else None
    label = np.array(classes)[y] if label is None else label
    scores = 1 / (1 + np.exp(-rng.normal(2 * y - 1, 1.0)))
    return staged(predictions(frame(label), scores, classes), stage)


BINARY_NAMES = [
    "lr_0", "lr_0_ks_fpr", "lr_0_ks_tpr", "lr_0_lift", "lr_0_gain", "lr_0_accuracy",
    "lr_0_precision", "lr_0_recall", "lr_0_roc", "lr_0_confusion_mat", "lr_0_f1_score",
    "lr_0_quantile_pr",
]  # fmt: skip


def test_two_classes_report_fates_metrics_in_fates_order_with_fates_types_and_metas():
    report = evaluated([("lr_0", binary())])
    assert [name for _, name in report.metrics] == BINARY_NAMES
    assert {stage for stage, _ in report.metrics} == {"train"}
    metas = {name: (kind, len(points), {k: len(v) if isinstance(v, list) else v
                                        for k, v in meta.items()})
             for (_, name), (kind, points, meta) in report.metrics.items()}  # fmt: skip
    assert metas["lr_0"] == ("EVALUATION_SUMMARY", 2, {})
    ks = {"curve_name": "lr_0_fpr", "pair_type": "lr_0", "thresholds": 100}
    assert metas["lr_0_ks_fpr"] == ("KS_EVALUATION", 101, ks)
    assert metas["lr_0_lift"] == ("LIFT_EVALUATION", 101, {"curve_name": "lr_0", "thresholds": 101})
    roc = {"unit_name": "fpr", "ordinate_name": "tpr", "curve_name": "lr_0", "thresholds": 101}
    assert metas["lr_0_roc"] == ("ROC_EVALUATION", 101, roc)
    kind, n_points, meta = metas["lr_0_precision"]
    assert kind == "PRECISION_BINARY_EVALUATION"
    assert meta == {
        "ordinate_name": "Precision", "curve_name": "lr_0", "pair_type": "lr_0",
        "thresholds": n_points,
    }  # fmt: skip
    confusion = {"tp": 100, "tn": 100, "fp": 100, "fn": 100, "thresholds": 100}
    assert metas["lr_0_confusion_mat"] == ("CONFUSION_MAT", 0, confusion)
    assert metas["lr_0_f1_score"] == ("F1_SCORE", 0, {"f1_scores": 100, "thresholds": 100})
    quantiles = {"p_scores": 21, "r_scores": 21, "thresholds": 21}
    assert metas["lr_0_quantile_pr"] == ("QUANTILE_PR", 0, quantiles)


def test_points_are_rounded_and_the_summary_is_not():
    data = binary()
    report = evaluated([("lr_0", data)], metrics=["AUC", "ks"])
    auc = sk.roc_auc_score(data.label, data.score)
    _, points, _ = report.metrics["train", "lr_0"]
    assert points == [("auc", round(auc, 6)), ("ks", round(points[1][1], 6))]
    assert report.told["lr_0"]["train"]["auc"] == pytest.approx(auc, abs=1e-14)
    assert report.told["lr_0"]["train"]["auc"] != points[0][1]


def test_each_component_and_stage_has_its_own_key_and_psi_comes_with_validation():
    both = united([binary(stage="train"), binary(200, seed=1, stage="validate")])
    report = evaluated([("lr_0", both), ("sbt_0", binary(seed=2))])
    assert set(report.told) == {"lr_0", "sbt_0"}
    assert set(report.told["lr_0"]) == {"train", "validate"}
    kind, points, meta = report.metrics["validate", "lr_0_psi"]
    assert (kind, points) == ("PSI", [])
    assert set(meta) == {
        "psi_scores", "total_psi", "expected_interval", "expected_percentage", "actual_interval",
        "actual_percentage", "intervals", "train_pos_perc", "validate_pos_perc",
    }  # fmt: skip
    assert ("validate", "sbt_0_psi") not in report.metrics
    assert meta["intervals"][0].endswith(")")
    assert meta["intervals"][-1].endswith("]")


def test_precision_brings_recall_along():
    report = evaluated([("lr_0", binary())], metrics=["precision"])
    assert [name for _, name in report.metrics] == ["lr_0_precision", "lr_0_recall"]


@pytest.mark.parametrize("classes", [("no", "yes"), (1, 2), (-1, 1), (0.0, 1.0)])
def test_a_positive_label_of_any_type_is_found(classes):
    expected = evaluated([("lr_0", binary())]).told["lr_0"]["train"]
    data = binary(classes=classes)
    report = evaluated([("lr_0", data)], pos_label=classes[1])
    assert report.told["lr_0"]["train"] == expected


def test_the_first_class_as_positive_is_scored_by_its_own_probability():
    expected = evaluated([("lr_0", binary())]).told["lr_0"]["train"]["auc"]
    report = evaluated([("lr_0", binary(classes=("a", "b")))], pos_label="a")
    assert report.told["lr_0"]["train"]["auc"] == pytest.approx(expected)


def test_text_labels_are_evaluated_without_naming_the_positive_one():
    expected = evaluated([("lr_0", binary())]).told
    assert evaluated([("lr_0", binary(classes=("no", "yes")))]).told == expected


def test_a_positive_label_that_is_no_class_is_refused_without_showing_labels():
    with pytest.raises(BadData, match="lr_0: pos_label is none of the 2 classes") as refused:
        evaluated([("lr_0", binary(classes=("no", "yes")))], pos_label="yse")
    assert "yes" not in str(refused.value)


@pytest.mark.parametrize(
    ("label", "there"),
    [(0, {"accuracy", "confusion_mat"}), (1, {"lift", "gain", "precision", "f1_score"})],
)
def test_rows_of_one_class_lose_the_metrics_that_need_two(label, there, caplog):
    rows = predictions(frame(np.full(50, label)), np.linspace(0, 1, 50), [0, 1])
    report = evaluated([("lr_0", staged(rows, "train"))])
    names = {name.removeprefix("lr_0_") for _, name in report.metrics}
    assert there <= names
    assert not {"ks_fpr", "roc", "lr_0"} & names
    assert "one class only" in caplog.text


def test_weights_of_rows_do_not_count_as_in_fate():
    data = binary()
    weighted = Predictions(**{**vars(data), "weight": np.linspace(0, 9, data.n_rows)})
    assert evaluated([("lr_0", weighted)]).told == evaluated([("lr_0", data)]).told


def test_several_classes_report_a_point_per_class():
    rng = np.random.default_rng(0)
    y = rng.integers(0, 4, 300)
    probabilities = rng.dirichlet(np.ones(4), 300) + 0.5 * np.eye(4)[y]
    data = staged(predictions(frame(y), probabilities, [0, 1, 2, 3]), "train")
    report = evaluated([("lr_0", data)], eval_type="multi", unfold_multi_result=True)
    found = report.told["lr_0"]["train"]
    assert found["accuracy"] == pytest.approx(sk.accuracy_score(y, data.result))
    assert found["recall"] == pytest.approx(sk.recall_score(y, data.result, average="macro"))
    kind, points, meta = report.metrics["train", "lr_0_precision"]
    assert kind == "PRECISION_MULTI_EVALUATION"
    assert meta == {"ordinate_name": "Precision", "curve_name": "lr_0", "pair_type": "lr_0"}
    assert [x for x, _ in points] == [0, 1, 2, 3]
    kind, points, meta = report.metrics["train", "lr_0_class_2_ovr"]
    auc = sk.roc_auc_score(y == 2, probabilities[:, 2])
    assert (kind, points) == ("ovr", [])
    assert meta["2"]["auc"] == pytest.approx(auc, abs=1e-6)


def test_unfolded_classes_count_only_the_rows_of_their_stage():
    rng = np.random.default_rng(0)
    parts = []
    for stage, n in (("train", 90), ("validate", 30)):
        y = np.arange(n) % 3
        scores = rng.dirichlet(np.ones(3), n)
        parts.append(staged(predictions(frame(y), scores, [0, 1, 2]), stage))
    report = evaluated([("lr_0", united(parts))], eval_type="multi", unfold_multi_result=True)
    for part, stage in zip(parts, ("train", "validate"), strict=True):
        auc = sk.roc_auc_score(part.label == 1, part.detail[:, 1])
        meta = report.metrics[stage, "lr_0_class_1_ovr"][2]
        assert meta["1"]["auc"] == pytest.approx(auc, abs=1e-6)


def test_a_regression_reports_six_numbers_and_a_seventh_on_request():
    y = np.linspace(1, 5, 60)
    data = staged(predictions(frame(y), y + 0.1), "predict")
    report = evaluated([("linr_0", data)], eval_type="regression")
    _, points, _ = report.metrics["predict", "linr_0"]
    assert [name for name, _ in points] == [
        "explained_variance", "mean_absolute_error", "mean_squared_error",
        "median_absolute_error", "r2_score", "root_mean_squared_error",
    ]  # fmt: skip
    report = evaluated([("linr_0", data)], eval_type="regression", metrics=["MSLE", "rmse"])
    assert set(report.told["linr_0"]["predict"]) == {
        "mean_squared_log_error", "root_mean_squared_error",
    }  # fmt: skip


def clusters(label):
    n = 60
    columns = {
        "label": pa.array(label, pa.int64()) if label is not None else pa.nulls(n, pa.int64()),
        "predicted_label": pa.array([i % 4 for i in range(n)]),
        "type": pa.array(["train"] * n),
    }
    keys = pa.array([str(i) for i in range(n)])
    return Values(keys, pa.table(columns), content="cluster_result")


def test_clusters_are_compared_with_the_labels_where_there_are_labels():
    label = [i % 3 for i in range(60)]
    report = evaluated([("kmeans_0", clusters(label))], eval_type="clustering")
    kind, points, _ = report.metrics["train", "kmeans_0"]
    assert kind == "CLUSTERING_EVALUATION_SUMMARY"
    assert [name for name, _ in points] == [
        "adjusted_rand_score", "fowlkes_mallows_score", "jaccard_similarity_score",
    ]  # fmt: skip
    kind, _, meta = report.metrics["train", "kmeans_0_contingency_matrix"]
    assert kind == "CONTINGENCY_MATRIX"
    assert (meta["true_labels"], meta["predicted_labels"]) == ([0, 1, 2], [0, 1, 2, 3])
    assert sum(map(sum, meta["result_table"])) == 60
    silent = evaluated([("kmeans_0", clusters(None))], HOST, eval_type="clustering")
    assert (silent.metrics, silent.told) == ({}, {})


def test_the_arbiter_says_how_far_apart_its_clusters_are():
    columns = pa.table({
        "cluster_sample_count": [353, 96, 120],
        "cluster_inner_dist": [3.0, 4.0, 5.0],
        "cluster_radius": [76.5, 293.25, 278.75],
        "inter_cluster_dist": [[25.0, 16.0], [25.0, 36.0], [16.0, 36.0]],
        "type": ["train"] * 3,
    })  # fmt: skip
    table = Values(pa.array(["0", "1", "2"]), columns, sid_name="cluster_index")
    report = evaluated([("kmeans_0", table)], ARBITER, eval_type="clustering")
    worst = [max(7 / 5, 8 / 4), max(7 / 5, 9 / 6), max(8 / 4, 9 / 6)]
    found = report.told["kmeans_0"]["train"]["davies_bouldin_index"]
    assert found == pytest.approx(sum(worst) / 3)
    kind, points, meta = report.metrics["train", "kmeans_0_distance_measure"]
    assert (kind, points) == ("DISTANCE_MEASURE", [])
    assert meta == {
        "cluster_index": [0, 1, 2], "radius": [76.5, 293.25, 278.75], "nearest_idx": [2, 0, 0],
    }  # fmt: skip


def test_clusters_without_rows_do_not_count_in_the_arbiters_index():
    columns = pa.table({
        "cluster_sample_count": [3, 0, 2],
        "cluster_inner_dist": [3.0, 0.0, 5.0],
        "cluster_radius": [9.0, 0.0, 30.0],
        "inter_cluster_dist": [[25.0, 16.0], [25.0, 36.0], [16.0, 36.0]],
        "type": ["predict"] * 3,
    })  # fmt: skip

    def index(table):
        named = Values(pa.array(range(len(table))), table, sid_name="cluster_index")
        report = evaluated([("kmeans_0", named)], ARBITER, eval_type="clustering")
        return report.told.get("kmeans_0", {}).get("predict", {}).get("davies_bouldin_index")

    assert index(columns) == pytest.approx(8 / 4)
    assert index(columns.set_column(0, "cluster_sample_count", [[3, 0, 0]])) is None


def test_parties_without_predictions_or_labels_have_nothing_to_do():
    for role in (HOST, ARBITER):
        assert evaluated([], role).metrics == {}
    unlabelled = predictions(frame(None, 9), np.linspace(0, 1, 9), [0, 1])
    assert evaluated([("lr_0", unlabelled)], GUEST).metrics == {}


def test_a_history_of_folds_is_refused():
    data = binary()
    ids = pa.array([f"{i}#fold0#train" for i in range(data.n_rows)])
    with pytest.raises(BadData, match=r"lr_0\.data is the history of a cross-validation"):
        evaluated([("lr_0", Predictions(**{**vars(data), "ids": ids}))])


def test_data_that_is_no_prediction_is_refused():
    with pytest.raises(BadData, match=r"dt_0\.data holds no predictions"):
        evaluated([("dt_0", frame(np.arange(3)))])


def test_scores_that_are_no_numbers_are_refused():
    data = predictions(frame(np.array([0, 1])), np.array([0.5, np.nan]), [0, 1])
    with pytest.raises(BadData, match="missing or infinite"):
        evaluated([("lr_0", data)])


def test_four_classes_are_not_evaluated_as_two():
    data = predictions(frame(np.arange(4)), np.eye(4), [0, 1, 2, 3])
    with pytest.raises(BadData, match="use eval_type multi"):
        evaluated([("lr_0", data)])


@pytest.mark.parametrize(
    ("params", "problem"),
    [
        ({"metrics": ["auk"]}, "'auk' is no metric of eval_type binary; there are: auc, ks"),
        ({"eval_type": "multi", "metrics": ["auc"]}, "there are: accuracy, precision, recall"),
        ({"eval_type": "ranking"}, "eval_type"),
        ({"poslabel": 1}, "did you mean `pos_label`"),
    ],
)
def test_wrong_parameters_say_what_is_allowed(params, problem):
    with pytest.raises(BadParameters, match=problem):
        parse(EvaluateParam, params, "Evaluation#evaluation_0")


def test_parameters_are_shown_with_every_metric_that_there_is():
    given = shown(parse(EvaluateParam, {}, "Evaluation#evaluation_0"))
    assert given["metrics"] is None
    assert given["allowed_metrics"] == given["default_metrics"]
    assert set(given["allowed_metrics"]) == {"binary", "multi", "regression", "clustering"}
    assert given["allowed_metrics"]["multi"] == ["accuracy", "precision", "recall"]
