"""Scores predictions and tells the job's owner: metrics under the names FATE shows.

Names are built from a data key ``D``: the component that predicted ("hetero_lr_0"), or the
moment of a validation ("iteration_3"). The namespace is the stage of the rows: train, validate
or predict. Which metrics there are, with names, types and metas: docs/compat/evaluation.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml import curve_report
from federatedml.component import Report
from federatedml.data.frame import Predictions
from federatedml.errors import BadData
from federatedml.maths import curves, metrics
from federatedml.maths.curves import Ranking

LOG = logging.getLogger(__name__)

Floats = NDArray[np.float64]

BINARY = (
    "auc", "ks", "lift", "gain", "accuracy", "precision", "recall", "roc", "confusion_mat",
    "psi", "f1_score", "quantile_pr",
)  # fmt: skip
MULTI = ("accuracy", "precision", "recall")
REGRESSION = (
    "explained_variance", "mean_absolute_error", "mean_squared_error", "median_absolute_error",
    "r2_score", "root_mean_squared_error",
)  # fmt: skip
CLUSTERING = (
    "jaccard_similarity_score", "fowlkes_mallows_score", "adjusted_rand_score",
    "davies_bouldin_index", "distance_measure", "contingency_matrix",
)  # fmt: skip

DEFAULT: dict[str, tuple[str, ...]] = {
    "binary": BINARY,
    "multi": MULTI,
    "regression": REGRESSION,
    "clustering": CLUSTERING,
}
ALLOWED = {**DEFAULT, "regression": (*REGRESSION, "mean_squared_log_error")}

BRIEF: dict[str, tuple[str, ...]] = {
    "binary": ("auc", "ks"),
    "multi": MULTI,
    "regression": ("root_mean_squared_error", "mean_absolute_error"),
}
"""What is computed between epochs if the configuration names no metrics."""

WATCHABLE = {
    "auc": 1.0, "ks": 1.0, "accuracy": 1.0, "precision": 1.0, "recall": 1.0,
    "explained_variance": 1.0, "r2_score": 1.0, "mean_absolute_error": -1.0,
    "mean_squared_error": -1.0, "mean_squared_log_error": -1.0, "median_absolute_error": -1.0,
    "root_mean_squared_error": -1.0,
}  # fmt: skip
"""Metrics of one value, and whether more (1) or less (-1) is better."""

_ALIASES = {
    "l1": "mean_absolute_error", "mae": "mean_absolute_error",
    "regression_l1": "mean_absolute_error", "l2": "mean_squared_error",
    "mse": "mean_squared_error", "regression_l2": "mean_squared_error",
    "regression": "mean_squared_error", "l2_root": "root_mean_squared_error",
    "rmse": "root_mean_squared_error", "msle": "mean_squared_log_error", "r2": "r2_score",
    "acc": "accuracy", "median_ae": "median_absolute_error", "dbi": "davies_bouldin_index",
    "fmi": "fowlkes_mallows_score", "ri": "adjusted_rand_score",
    "jaccard": "jaccard_similarity_score",
}  # fmt: skip

SUMMARY_TYPE = "EVALUATION_SUMMARY"


def canonical(metric: str) -> str:
    """The name under which a metric is shown: lower case, aliases resolved."""
    return _ALIASES.get(metric.lower(), metric.lower())


def wanted(metrics_given: Sequence[str], allowed: Sequence[str]) -> list[str]:
    """Metrics in the order of ``allowed``: precision brings recall along, and the reverse."""
    asked = {canonical(metric) for metric in metrics_given}
    if asked & {"precision", "recall"}:
        asked |= {"precision", "recall"}
    return [metric for metric in allowed if metric in asked]


def score_briefly(
    report: Report, of: Predictions, key: str, metrics_given: Sequence[str] = ()
) -> dict[str, float]:
    """Score predictions of one stage during training: single values, and the curves of KS.

    The kind of metrics follows from the predictions' classes. Returns values unrounded.
    """
    kind = kind_of(of)
    names = wanted(metrics_given, ALLOWED[kind]) or list(BRIEF[kind])
    names = [name for name in names if name in WATCHABLE]
    stage = str(of.stage[0].as_py()) if of.n_rows else "train"
    return score(report, {stage: of}, key, kind, names).get(stage, {})


def kind_of(of: Predictions) -> str:
    """binary, multi or regression."""
    if of.detail.shape[1] == 1:
        return "regression"
    return "binary" if of.detail.shape[1] == 2 else "multi"


def by_stage(of: Predictions) -> dict[str, Predictions]:
    """The predictions split by stage, in the order of their first rows."""
    stages = of.stage.combine_chunks() if isinstance(of.stage, pa.ChunkedArray) else of.stage
    found = [str(stage) for stage in pc.unique(stages).to_pylist()]
    if len(found) == 1:
        return {found[0]: of}
    rows = {s: np.flatnonzero(np.asarray(pc.equal(stages, pa.scalar(s)))) for s in found}
    return {stage: picked(of, at) for stage, at in rows.items()}


def picked(of: Predictions, rows: NDArray[np.int64]) -> Predictions:
    """These rows' predictions: what scoring needs of them."""

    def taken(column: Any) -> Any:
        if column is None or isinstance(column, np.ndarray):
            return None if column is None else column[rows]
        return column.take(pa.array(rows))

    return Predictions(
        ids=taken(of.ids),
        result=taken(of.result),
        score=of.score[rows],
        detail=of.detail[rows],
        classes=of.classes,
        stage=taken(of.stage),
        label=taken(of.label),
    )


def score(
    report: Report,
    sets: Mapping[str, Predictions],
    key: str,
    kind: str,
    names: Sequence[str],
    pos_label: Any = None,
) -> dict[str, dict[str, float]]:
    """Score the predictions of each stage and report; returns stage -> metric -> value.

    kind: binary, multi or regression. pos_label: see ``truth``. Metrics that the labels do not
    allow (one class only) are left out with a warning. Raises BadData for predictions without
    labels, with scores that are no numbers, or of another kind.
    """
    summaries: dict[str, dict[str, float]] = {}
    rankings: dict[str, Ranking] = {}
    for stage, of in sets.items():
        _require(of, key, kind)
        if kind == "regression":
            values = _regression(of, names, key)
            tell_summary(report, stage, key, values)
        elif kind == "multi":
            values = _several(report, of, stage, key, names)
        else:
            rankings[stage] = Ranking(*truth(of, key, pos_label))
            values = _two(report, rankings[stage], stage, key, names)
        summaries[stage] = values
    if "psi" in names and {"train", "validate"} <= set(rankings):
        curve_report.psi(report, key, curves.psi(rankings["train"], rankings["validate"]))
    return summaries


def one_against_rest(report: Report, of: Predictions, stage: str, key: str) -> None:
    """AUC and KS of each class against all others, from the rows of this stage alone."""
    for at, name in enumerate(of.classes):
        ranking = Ranking(_is_class(of.label, name), of.detail[:, at])
        if not ranking.has_both_classes:
            LOG.warning("%s of %s: a class is missing or alone, left out", stage, key)
            continue
        found = {"auc": curves.auc(ranking), "ks": curves.ks(ranking)[0]}
        # FATE shows the data key, not the metric's name, as the name in this meta.
        metas: dict[str, Any] = {"name": key}
        metas[str(name)] = {metric: curve_report.shown(v) for metric, v in found.items()}
        report.metric(stage, f"{key}_class_{name}_ovr", "ovr", **metas)


def tell_summary(
    report: Report, stage: str, key: str, values: Mapping[str, float], kind: str = SUMMARY_TYPE
) -> None:
    """Report single values, rounded as FATE shows them."""
    if values:
        points = [(name, curve_report.shown(value)) for name, value in sorted(values.items())]
        report.metric(stage, key, kind, points)


def _require(of: Predictions, key: str, kind: str) -> None:
    if of.label is None:
        raise BadData(f"{key}: these predictions have no labels to be evaluated against")
    if of.n_rows == 0:
        raise BadData(f"{key}: there are no rows to evaluate")
    if not np.isfinite(of.score).all():
        raise BadData(f"{key}: some scores are missing or infinite")
    if kind == "binary" and of.detail.shape[1] > 2:
        raise BadData(
            f"{key}: eval_type binary takes predictions of 2 classes, these have "
            f"{of.detail.shape[1]}; use eval_type multi"
        )


def truth(of: Predictions, key: str, pos_label: Any = None) -> tuple[NDArray[np.int64], Floats]:
    """(n,) 1 for rows of the positive class, else 0; and (n,) their scores of that class.

    pos_label: the positive class, as number or text; None, or FATE's default 1 where no class is
    called 1, is the second class. Predictions without classes (a regression) score pos_label.
    Raises BadData if it is no class of the predictions.
    """
    if of.detail.shape[1] == 1:
        return _is_class(of.label, 1 if pos_label is None else pos_label), of.score
    at = 1
    if pos_label is not None:
        same = [i for i, name in enumerate(of.classes) if _is_same(name, pos_label)]
        if not same and not _is_same(pos_label, 1):
            raise BadData(
                f"{key}: pos_label is none of the {len(of.classes)} classes of the predictions"
            )
        at = same[0] if same else 1
    return _is_class(of.label, of.classes[at]), of.score if at == 1 else of.detail[:, at]


def _is_class(label: Any, name: Any) -> NDArray[np.int64]:
    """(n,) 1 where the label is this class, else 0."""
    if isinstance(label, (pa.Array, pa.ChunkedArray)):
        same = np.asarray(pc.fill_null(pc.equal(label, pa.scalar(str(name))), False))
    else:
        same = np.asarray(label) == (float(name) if _is_number(name) else None)
    return np.asarray(same, dtype=np.int64)


def _is_same(one: Any, other: Any) -> bool:
    """Whether two class names are equal, 1, 1.0 and "1" being one."""
    if _is_number(one) and _is_number(other):
        return float(one) == float(other)
    return str(one) == str(other)


def _is_number(name: Any) -> bool:
    try:
        float(name)
    except (TypeError, ValueError):
        return False
    return True


def codes(*columns: Any) -> tuple[list[Any], list[NDArray[np.int64]]]:
    """All values of several columns, sorted, and each column as (n,) places among them."""
    arrays = [
        c.to_numpy(zero_copy_only=False) if isinstance(c, pa.Array)
        else c.to_numpy() if isinstance(c, pa.ChunkedArray)
        else np.asarray(c)
        for c in columns
    ]  # fmt: skip
    if any(a.dtype.kind in "OUS" for a in arrays):
        arrays = [a.astype(str) for a in arrays]
    names, places = np.unique(np.concatenate(arrays), return_inverse=True)
    ends = np.cumsum([len(a) for a in arrays])[:-1]
    return names.tolist(), [p.astype(np.int64) for p in np.split(places.ravel(), ends)]


def _two(
    report: Report, ranking: Ranking, stage: str, key: str, names: Sequence[str]
) -> dict[str, float]:
    values: dict[str, float] = {}
    asked = set(names)
    if not ranking.has_both_classes:
        lost = sorted(asked & {"auc", "ks", "roc"}) or sorted(asked)
        LOG.warning("%s of %s: rows of one class only, left out: %s", stage, key, ", ".join(lost))
        asked -= {"auc", "ks", "roc"}
        if ranking.n_positive == 0:
            asked &= {"accuracy", "confusion_mat"}
    if "auc" in asked:
        values["auc"] = curves.auc(ranking)
    if "ks" in asked:
        values["ks"], fpr, tpr = curves.ks(ranking)
    tell_summary(report, stage, key, values)
    if "ks" in asked:
        curve_report.ks(report, stage, key, fpr, tpr)
    curve_report.binary(report, stage, key, ranking, [name for name in names if name in asked])
    return values


def _several(
    report: Report, of: Predictions, stage: str, key: str, names: Sequence[str]
) -> dict[str, float]:
    classes, (y, p) = codes(of.label, of.result)
    found = metrics.per_class(y, p, len(classes))
    values = {
        "accuracy": found.accuracy,
        "precision": float(found.precision.mean()),
        "recall": float(found.recall.mean()),
    }
    values = {name: values[name] for name in names}
    tell_summary(report, stage, key, values)
    for name, by_class in (("precision", found.precision), ("recall", found.recall)):
        if name in names:
            curve_report.per_class(report, stage, key, name, by_class)
    return values


def _regression(of: Predictions, names: Sequence[str], key: str) -> dict[str, float]:
    if isinstance(of.label, (pa.Array, pa.ChunkedArray)):
        raise BadData(f"{key}: eval_type regression needs labels that are numbers")
    y, p = np.asarray(of.label, dtype=np.float64), of.score
    values: dict[str, float] = {}
    for name in names:
        try:
            values[name] = metrics.REGRESSION[name](y, p)
        except ValueError as error:
            LOG.warning("%s: left out: %s", key, error)
    return {name: value for name, value in values.items() if not math.isnan(value)}
