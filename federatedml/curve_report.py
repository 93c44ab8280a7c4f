"""Curves and tables of an evaluation as the metrics that FATE's clients draw.

Names, types, metas and numbers of points: docs/compat/evaluation.md.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from federatedml.component import Report
from federatedml.maths import curves
from federatedml.maths.curves import Curve, Psi, Ranking

INFINITE = -9999999
"""What FATE shows for a value that is infinite."""


def shown(value: float) -> float:
    """Six digits, and a number that JSON has."""
    return round(float(value), 6) if np.isfinite(value) else INFINITE


def listed(values: Any) -> list[float]:
    """An array as shown numbers."""
    array = np.asarray(values, dtype=np.float64)
    kept = np.where(np.isfinite(array), np.round(array, 6), INFINITE)
    return kept.tolist()  # type: ignore[no-any-return]


def points(curve: Curve) -> list[tuple[float, float]]:
    """A curve as (x, y) pairs, infinite values as FATE shows them."""
    return list(zip(listed(curve.x), listed(curve.y), strict=True))


def ks(report: Report, stage: str, key: str, fpr: Curve, tpr: Curve) -> None:
    for rate, curve in (("fpr", fpr), ("tpr", tpr)):
        report.metric(
            stage,
            f"{key}_ks_{rate}",
            "KS_EVALUATION",
            points(curve),
            curve_name=f"{key}_{rate}",
            pair_type=key,
            thresholds=listed(curve.thresholds),
        )


def binary(report: Report, stage: str, key: str, ranking: Ranking, names: Sequence[str]) -> None:
    """Every curve and table of two classes that is among the names, but KS and PSI."""
    for name in names:
        if name in ("lift", "gain", "accuracy"):
            curve = {"lift": curves.lift, "gain": curves.gain, "accuracy": curves.accuracy}[name]
            _curve(report, stage, key, name, curve(ranking))
        elif name == "precision":
            precision, recall = curves.precision_recall(ranking)
            _pair(report, stage, key, "Precision", precision)
            _pair(report, stage, key, "Recall", recall)
        elif name == "roc":
            _roc(report, stage, key, curves.roc(ranking))
        elif name in ("confusion_mat", "f1_score", "quantile_pr"):
            _table(report, stage, key, name, ranking)


def _curve(report: Report, stage: str, key: str, name: str, curve: Curve) -> None:
    report.metric(
        stage,
        f"{key}_{name}",
        f"{name.upper()}_EVALUATION",
        points(curve),
        curve_name=key,
        thresholds=listed(curve.thresholds),
    )


def _pair(report: Report, stage: str, key: str, ordinate: str, curve: Curve) -> None:
    report.metric(
        stage,
        f"{key}_{ordinate.lower()}",
        f"{ordinate.upper()}_BINARY_EVALUATION",
        points(curve),
        ordinate_name=ordinate,
        curve_name=key,
        pair_type=key,
        thresholds=listed(curve.thresholds),
    )


def _roc(report: Report, stage: str, key: str, curve: Curve) -> None:
    report.metric(
        stage,
        f"{key}_roc",
        "ROC_EVALUATION",
        points(curve),
        unit_name="fpr",
        ordinate_name="tpr",
        curve_name=key,
        thresholds=listed(curve.thresholds),
    )


def _table(report: Report, stage: str, key: str, name: str, ranking: Ranking) -> None:
    metas: dict[str, Any]
    if name == "confusion_mat":
        counts = ranking.at(curves.cuts())
        metas = {k: getattr(counts, k).tolist() for k in ("tp", "tn", "fp", "fn")}
        metas["thresholds"] = listed(curves.cuts())
    elif name == "f1_score":
        scores, thresholds = curves.f1(ranking)
        metas = {"f1_scores": listed(scores), "thresholds": listed(thresholds)}
    else:
        precision, recall, thresholds = curves.quantile_pr(ranking)
        metas = {
            "p_scores": [[0.0, value] for value in listed(precision)],
            "r_scores": [[0.0, value] for value in listed(recall)],
            "thresholds": listed(thresholds),
        }
    report.metric(stage, f"{key}_{name}", name.upper(), **metas)


def per_class(report: Report, stage: str, key: str, name: str, values: Any) -> None:
    """Precision or recall of each of several classes."""
    report.metric(
        stage,
        f"{key}_{name}",
        f"{name.upper()}_MULTI_EVALUATION",
        list(enumerate(listed(values))),
        ordinate_name=name.capitalize(),
        curve_name=key,
        pair_type=key,
    )


def psi(report: Report, key: str, found: Psi) -> None:
    """Population stability; shown beside the validation rows' metrics, as FATE does."""
    report.metric(
        "validate",
        f"{key}_psi",
        "PSI",
        psi_scores=listed(found.scores),
        total_psi=shown(found.total),
        expected_interval=listed(found.expected),
        expected_percentage=listed(found.expected_share),
        actual_interval=listed(found.actual),
        actual_percentage=listed(found.actual_share),
        intervals=_intervals(found),
        train_pos_perc=listed(found.expected_positive),
        validate_pos_perc=listed(found.actual_positive),
    )


def _intervals(found: Psi) -> list[str]:
    edges = [f"{edge:.3g}" if abs(edge) >= 1000 else str(round(edge, 3)) for edge in found.bounds]
    inner = [f"[{a}, {b})" for a, b in itertools.pairwise(edges)]
    return [*inner[:-1], inner[-1][:-1] + "]"]
