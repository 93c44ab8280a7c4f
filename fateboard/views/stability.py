"""Stability of the score (PSI): how far later data moved away from the training data."""

from __future__ import annotations

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Combo,
    ComboSeries,
    Option,
    Path,
    Tab,
    Tabs,
    choice,
    msg,
)
from fateboard.views.cells import TOTAL, finite, names, numbers, tabulate
from fateboard.views.context import Context, Group, Metric
from fateboard.views.datasets import dataset

Numbers = list[float | None]


class Intervals(msgspec.Struct, frozen=True, kw_only=True):
    """Of one model, by interval of its score: counts and shares of the data it was trained on
    (expected) and of later data (actual), and the share of events in each."""

    names: list[str]
    scores: Numbers
    total: float | None
    expected_counts: Numbers
    expected: Numbers
    expected_events: Numbers
    actual_counts: Numbers
    actual: Numbers
    actual_events: Numbers


def psi(context: Context, path: Path) -> list[Block]:
    """A summary and the distribution of events, for one model at a time."""
    found = {f"{metric.namespace}/{metric.name}": metric for metric in context.metrics}

    def of(id: str) -> list[Block]:
        read = _read(found[id])
        moved = Tab(
            id="scores", label=msg("stability.scores"), blocks=[_moved(read), _summary(read)]
        )
        events = Tab(
            id="events", label=msg("stability.events"), blocks=[_ratios(read), _events(read)]
        )
        title = msg("stability.title") if len(found) == 1 else ""
        return [Tabs(id="psi.parts", items=[moved, events], title=title)]

    if len(found) == 1:
        return of(next(iter(found)))
    options = [
        Option(id=id, label=dataset(metric.namespace, metric.name.removesuffix("_psi")).alone)
        for id, metric in found.items()
    ]
    return [choice("psi", msg("scores.model"), options, of, path, title=msg("stability.title"))]


GROUPS: list[Group] = [(frozenset({"PSI"}), psi)]


def _read(metric: Metric) -> Intervals:
    meta = metric.meta
    intervals = names(meta.get("intervals"))
    count = len(intervals)

    def values(member: str) -> Numbers:
        return (numbers(meta.get(member)) + [None] * count)[:count]

    return Intervals(
        names=intervals,
        scores=values("psi_scores"),
        total=finite(meta.get("total_psi")),
        expected_counts=values("expected_interval"),
        expected=values("expected_percentage"),
        expected_events=values("train_pos_perc"),
        actual_counts=values("actual_interval"),
        actual=values("actual_percentage"),
        actual_events=values("validate_pos_perc"),
    )


def _interval() -> Column:
    return Column(id="interval", label=msg("stability.interval"), sortable=False, frozen=True)


def _summary(read: Intervals) -> Block:
    columns = [
        _interval(),
        Column(id="expected", label=msg("stability.expected"), format="percent"),
        Column(id="actual", label=msg("stability.actual"), format="percent"),
        Column(id="psi", label=msg("stability.psi"), format="number"),
    ]
    return tabulate(
        "psi.summary",
        columns,
        zip(read.names, read.expected, read.actual, read.scores, strict=True),
        help=msg("stability.help"),
        page_size=0,
        footer=[[TOTAL, None, None, read.total]],
        export_name="psi",
    )


def _moved(read: Intervals) -> Block:
    return Combo(
        id="psi.chart",
        categories=read.names,
        axes=[Axis(label=msg("stability.share"), percent=True), Axis(label=msg("stability.psi"))],
        series=[
            ComboSeries(label=msg("stability.expected"), type="bar", values=read.expected),
            ComboSeries(label=msg("stability.actual"), type="bar", values=read.actual),
            ComboSeries(label=msg("stability.psi"), type="line", values=read.scores, axis=1),
        ],
        x=msg("stability.interval"),
        export_name="psi",
    )


def _events(read: Intervals) -> Block:
    columns = [
        _interval(),
        Column(id="train_count", label=msg("stability.train_count"), format="integer"),
        Column(id="train_share", label=msg("stability.train_share"), format="percent"),
        Column(id="train_events", label=msg("stability.train_events"), format="percent"),
        Column(id="later_count", label=msg("stability.later_count"), format="integer"),
        Column(id="later_share", label=msg("stability.later_share"), format="percent"),
        Column(id="later_events", label=msg("stability.later_events"), format="percent"),
    ]
    rows = zip(
        read.names,
        read.expected_counts,
        read.expected,
        read.expected_events,
        read.actual_counts,
        read.actual,
        read.actual_events,
        strict=True,
    )
    return tabulate(
        "psi.events",
        columns,
        rows,
        page_size=0,
        export_name="quantile_distribution",
    )


def _ratios(read: Intervals) -> Block:
    trained, later = read.expected_events, read.actual_events
    return Combo(
        id="psi.events_chart",
        categories=read.names,
        axes=[
            Axis(label=msg("stability.share"), percent=True),
            Axis(label=msg("stability.event_ratio"), percent=True),
        ],
        series=[
            ComboSeries(label=msg("stability.train_share"), type="bar", values=read.expected),
            ComboSeries(label=msg("stability.later_share"), type="bar", values=read.actual),
            ComboSeries(label=msg("stability.train_events"), type="line", values=trained, axis=1),
            ComboSeries(label=msg("stability.later_events"), type="line", values=later, axis=1),
        ],
        x=msg("stability.interval"),
        export_name="quantile_distribution",
    )
