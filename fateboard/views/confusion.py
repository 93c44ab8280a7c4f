"""Counts of right and wrong predictions by threshold."""

from __future__ import annotations

from fateboard.blocks import (
    Block,
    Confusion,
    ConfusionModel,
    Path,
    msg,
)
from fateboard.views.cells import numbers
from fateboard.views.context import Context, Group, Metric
from fateboard.views.datasets import dataset


def confusion(context: Context, _path: Path) -> list[Block]:
    """All models over the thresholds of the one that has most, 0.5 selected."""
    f1 = {
        (metric.namespace, metric.name.removesuffix("_f1_score")): metric
        for metric in context.of_type("F1_SCORE")
    }
    found = context.of_type("CONFUSION_MAT")
    thresholds = max((_thresholds(metric) for metric in found), key=len, default=[])
    if not thresholds:
        return []
    models = []
    for metric in found:
        name = metric.name.removesuffix("_confusion_mat")
        one = dataset(metric.namespace, name)
        scored = f1.get((metric.namespace, name))
        models.append(
            ConfusionModel(
                label=one.model if one.round < 0 else one.alone,
                dataset=one.part,
                tp=_at(metric, "tp", thresholds),
                tn=_at(metric, "tn", thresholds),
                fp=_at(metric, "fp", thresholds),
                fn=_at(metric, "fn", thresholds),
                f1=_at(scored, "f1_scores", thresholds) if scored else [None] * len(thresholds),
            )
        )
    nearest = min(range(len(thresholds)), key=lambda at: abs(thresholds[at] - 0.5))
    return [
        Confusion(
            id="confusion",
            thresholds=thresholds,
            selected=nearest,
            models=models,
            title=msg("confusion.title"),
            help=msg("confusion.help"),
            export_name="confusion_matrix",
        )
    ]


GROUPS: list[Group] = [(frozenset({"CONFUSION_MAT", "F1_SCORE"}), confusion)]


def _thresholds(metric: Metric) -> list[float]:
    found = {
        round(value, 6) for value in numbers(metric.meta.get("thresholds")) if value is not None
    }
    return sorted(found)


def _at(metric: Metric, member: str, thresholds: list[float]) -> list[float | None]:
    """A list of the metric's meta in the order of these thresholds."""
    values = {
        round(threshold, 6): value
        for threshold, value in zip(
            numbers(metric.meta.get("thresholds")), numbers(metric.meta.get(member)), strict=False
        )
        if threshold is not None
    }
    return [values.get(threshold) for threshold in thresholds]
