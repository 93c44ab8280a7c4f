"""Counts of right and wrong predictions by threshold, and stability of the score (PSI)."""

from __future__ import annotations

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Combo,
    ComboSeries,
    Confusion,
    ConfusionModel,
    Option,
    Path,
    choice,
    msg,
)
from fateboard.views.cells import finite, names, numbers, tabulate
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
                label=one.name or f"iteration_{one.round}",
                dataset=one.namespace,
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


def psi(context: Context, path: Path) -> list[Block]:
    """Per model how far the scores of the later data set moved away from the training's."""
    found = {f"{metric.namespace}/{metric.name}": metric for metric in context.metrics}

    def of(id: str) -> list[Block]:
        return _psi(found[id])

    if len(found) == 1:
        return of(next(iter(found)))
    options = [
        Option(id=id, label=dataset("", metric.name.removesuffix("_psi")).name)
        for id, metric in found.items()
    ]
    return [choice("psi", msg("scores.model"), options, of, path, title=msg("stability.title"))]


GROUPS: list[Group] = [
    (frozenset({"CONFUSION_MAT", "F1_SCORE"}), confusion),
    (frozenset({"PSI"}), psi),
]


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


def _psi(metric: Metric) -> list[Block]:
    meta = metric.meta
    intervals = names(meta.get("intervals"))
    count = len(intervals)

    def values(member: str) -> list[float | None]:
        return (numbers(meta.get(member)) + [None] * count)[:count]

    scores, expected, actual = (
        values(member) for member in ("psi_scores", "expected_percentage", "actual_percentage")
    )
    interval = Column(id="interval", label=msg("stability.interval"), sortable=False, frozen=True)
    summary = tabulate(
        "psi.summary",
        [
            interval,
            Column(id="expected", label=msg("stability.expected"), format="percent"),
            Column(id="actual", label=msg("stability.actual"), format="percent"),
            Column(id="psi", label=msg("stability.psi"), format="number"),
        ],
        list(zip(intervals, expected, actual, scores, strict=True)),
        title=msg("stability.summary"),
        help=msg("stability.help"),
        page_size=0,
        footer=[["", None, None, finite(meta.get("total_psi"))]],
        export_name="psi",
    )
    moved = Combo(
        id="psi.chart",
        categories=intervals,
        axes=[
            Axis(label=msg("stability.share"), percent=True),
            Axis(label=msg("stability.psi")),
        ],
        series=[
            ComboSeries(label=msg("stability.expected"), type="bar", values=expected),
            ComboSeries(label=msg("stability.actual"), type="bar", values=actual),
            ComboSeries(label=msg("stability.psi"), type="line", values=scores, axis=1),
        ],
        x=msg("stability.interval"),
        title=msg("stability.title"),
        export_name="psi",
    )
    trained, later = values("train_pos_perc"), values("validate_pos_perc")
    events = tabulate(
        "psi.events",
        [
            interval,
            Column(id="train_count", label=msg("stability.train_count"), format="integer"),
            Column(id="train_share", label=msg("stability.train_share"), format="percent"),
            Column(id="train_events", label=msg("stability.train_events"), format="percent"),
            Column(id="later_count", label=msg("stability.later_count"), format="integer"),
            Column(id="later_share", label=msg("stability.later_share"), format="percent"),
            Column(id="later_events", label=msg("stability.later_events"), format="percent"),
        ],
        list(
            zip(
                intervals,
                values("expected_interval"),
                expected,
                trained,
                values("actual_interval"),
                actual,
                later,
                strict=True,
            )
        ),
        title=msg("stability.distribution"),
        page_size=0,
        export_name="quantile_distribution",
    )
    ratios = Combo(
        id="psi.events_chart",
        categories=intervals,
        axes=[
            Axis(label=msg("stability.share"), percent=True),
            Axis(label=msg("stability.event_ratio"), percent=True),
        ],
        series=[
            ComboSeries(label=msg("stability.train_share"), type="bar", values=expected),
            ComboSeries(label=msg("stability.later_share"), type="bar", values=actual),
            ComboSeries(label=msg("stability.train_events"), type="line", values=trained, axis=1),
            ComboSeries(label=msg("stability.later_events"), type="line", values=later, axis=1),
        ],
        x=msg("stability.interval"),
        title=msg("stability.distribution"),
        export_name="quantile_distribution",
    )
    return [summary, moved, events, ratios]
