"""Curves of an evaluation: ROC, K-S, lift, gain, precision and recall, accuracy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fateboard.blocks import (
    Axis,
    Block,
    Curve,
    Label,
    Mark,
    Option,
    Path,
    Series,
    Tab,
    Tabs,
    choice,
    msg,
)
from fateboard.views.cells import finite, numbers, text
from fateboard.views.context import Context, Group, Metric
from fateboard.views.curves import Point, points, thin
from fateboard.views.datasets import dataset, namespaces, part

_PRECISION = ("PRECISION_BINARY_EVALUATION", "PRECISION_MULTI_EVALUATION")
_RECALL = ("RECALL_BINARY_EVALUATION", "RECALL_MULTI_EVALUATION")
_MULTI = ("PRECISION_MULTI_EVALUATION", "RECALL_MULTI_EVALUATION")
_MOST_ROUNDS = 6
"""Beyond, curves of training rounds are looked at one round at a time."""

Drawn = Callable[[str, list[Metric]], Curve]


def curves(context: Context, path: Path) -> list[Block]:
    """A tab per kind of curve, in it one per data set."""
    rounds = sorted({_place(metric)[2] for metric in context.metrics} - {-1})
    if len(rounds) <= _MOST_ROUNDS:
        return _tabs("performance", context.metrics)
    ended = [metric for metric in context.metrics if _place(metric)[2] < 0]

    def of(id: str) -> list[Block]:
        one = [metric for metric in context.metrics if _place(metric)[2] == int(id)]
        return _tabs("performance_by_round", one)

    options = [Option(id=str(at), label=str(at)) for at in rounds]
    by_round = choice(
        "round", msg("axis.iteration"), options, of, path,
        selected=str(rounds[-1]), title=msg("performance.rounds"),
    )  # fmt: skip
    return [*_tabs("performance", ended), by_round]


def _tabs(id: str, metrics: list[Metric]) -> list[Block]:
    items = []
    for name, label, types, draw in _KINDS:
        found = [metric for metric in metrics if metric.type in types]
        blocks = [
            (namespace, draw(f"{id}.{name}.{namespace}", _of(found, namespace)))
            for namespace in namespaces(found)
        ]
        if len(blocks) == 1:
            items.append(Tab(id=name, label=label, blocks=[blocks[0][1]]))
        elif blocks:
            parts = [Tab(id=id, label=part(id), blocks=[curve]) for id, curve in blocks]
            items.append(Tab(id=name, label=label, blocks=[Tabs(id=f"{id}.{name}", items=parts)]))
    return [Tabs(id=id, items=items, title=msg("performance.title"))] if items else []


def _of(metrics: list[Metric], namespace: str) -> list[Metric]:
    """Rounds in their order; fateflow lists them by name, the tenth before the second."""
    found = [metric for metric in metrics if metric.namespace == namespace]
    rank = {name: n for n, name in enumerate(dict.fromkeys(_series_of(one) for one in found))}
    return sorted(found, key=lambda metric: (rank[_series_of(metric)], _place(metric)[2]))


def _series_of(metric: Metric) -> str:
    """The name of its data set, whatever the round."""
    return dataset(metric.namespace, text(_pair(metric))).name


def _pair(metric: Metric) -> Any:
    return metric.meta.get("pair_type") or metric.meta.get("curve_name") or metric.name


def _place(metric: Metric) -> tuple[Label, str, int]:
    """The name shown, the pair that a curve belongs to, and the round."""
    one = dataset(metric.namespace, text(_pair(metric)))
    return one.alone, text(_pair(metric)), one.round


def _simple(x: Label, y: Label, export_name: str, diagonal: bool = False) -> Drawn:
    def draw(id: str, metrics: list[Metric]) -> Curve:
        return Curve(
            id=id,
            x=Axis(label=x),
            y=Axis(label=y),
            series=[
                line(
                    metric.name,
                    _place(metric)[0],
                    points(metric),
                    _thresholds(metric),
                    area=len(metrics) == 1,
                )
                for metric in metrics
            ],
            diagonal=diagonal,
            export_name=export_name,
        )

    return draw


def line(
    id: str,
    label: Label,
    found: list[Point],
    thresholds: list[float | None],
    *,
    group: str = "",
    group_label: Label = "",
    area: bool = False,
) -> Series:
    """A series, thinned, with a threshold for each point where there is one for each."""
    kept = thin(found)
    beside = [thresholds[index] for index in kept] if len(thresholds) == len(found) else []
    return Series(
        id=id,
        label=label,
        points=[found[index] for index in kept],
        group=group,
        group_label=group_label,
        thresholds=beside,
        area=area,
    )


def _thresholds(metric: Metric) -> list[float | None]:
    """For the points that have a number to stand at; none where the lengths disagree."""
    values = numbers(metric.meta.get("thresholds"))
    if len(values) != len(metric.data):
        return []
    return [
        value for value, (x, _) in zip(values, metric.data, strict=True) if finite(x) is not None
    ]


def _ks(id: str, metrics: list[Metric]) -> Curve:
    """True and false positive rates, and where they are farthest apart."""
    pairs: dict[str, dict[str, Metric]] = {}
    for metric in metrics:
        rate = "fpr" if metric.name.endswith("fpr") else "tpr"
        pairs.setdefault(_place(metric)[1], {})[rate] = metric
    series, marks = [], []
    for pair, rates in pairs.items():
        shown = _place(next(iter(rates.values())))[0]
        labels = {"tpr": msg("ks.tpr", name=shown), "fpr": msg("ks.fpr", name=shown)}
        for rate, metric in sorted(rates.items(), reverse=True):
            series.append(
                line(
                    metric.name, labels[rate], points(metric), _thresholds(metric),
                    group=pair, group_label=shown,
                )
            )  # fmt: skip
        gap = _gap(rates)
        if gap is not None:
            label = msg("ks.gap", name=shown, value=f"{gap[1]:.4g}")
            marks.append(Mark(x=gap[0], label=label, series=pair))
    return Curve(
        id=id,
        x=Axis(label=msg("axis.cut"), percent=True),
        y=Axis(label=msg("axis.rate")),
        series=series,
        marks=marks,
        export_name="ks",
    )


def _gap(rates: dict[str, Metric]) -> Point | None:
    """Where the two rates are farthest apart, and how far."""
    if len(rates) < 2:
        return None
    false = dict(points(rates["fpr"]))
    gaps = []
    for x, rate in points(rates["tpr"]):
        other = false.get(x)
        if rate is not None and other is not None:
            gaps.append((rate - other, -x))
    if not gaps:
        return None
    size, at = max(gaps)
    return -at, size


def _precision_recall(id: str, metrics: list[Metric]) -> Curve:
    multi = [metric for metric in metrics if metric.type in _MULTI]
    return _by_class(id, multi) if multi else _by_cut(id, metrics)


def _by_class(id: str, metrics: list[Metric]) -> Curve:
    series = []
    for metric in metrics:
        shown, pair, _ = _place(metric)
        of_precision = metric.type in _PRECISION
        label = (
            msg("series.precision", name=shown)
            if of_precision
            else msg("series.recall", name=shown)
        )
        series.append(line(metric.name, label, points(metric), [], group=pair, group_label=shown))
    return Curve(
        id=id,
        x=Axis(label=msg("axis.class"), integer=True),
        y=Axis(label=msg("axis.precision_recall")),
        series=series,
        export_name="precision_recall",
    )


def _by_cut(id: str, metrics: list[Metric]) -> Curve:
    """Precision over recall, joined where both were cut; the best precision of each recall."""
    recalls = {_place(metric)[1]: metric for metric in metrics if metric.type in _RECALL}
    series = []
    for metric in metrics:
        shown, pair, _ = _place(metric)
        recall = recalls.get(pair)
        if metric.type not in _PRECISION or recall is None:
            continue
        by_cut = dict(points(recall))
        thresholds = _thresholds(metric)
        best: dict[float, tuple[float, float | None]] = {}
        for index, (cut, precision) in enumerate(points(metric)):
            at = by_cut.get(cut)
            if at is None or precision is None:
                continue
            threshold = thresholds[index] if thresholds else None
            if at not in best or best[at][0] < precision:
                best[at] = (precision, threshold)
        joined = sorted(best.items())
        series.append(
            line(
                metric.name,
                shown,
                [(at, precision) for at, (precision, _) in joined],
                [threshold for _, (_, threshold) in joined] if thresholds else [],
            )
        )
    return Curve(
        id=id,
        x=Axis(label=msg("score.recall")),
        y=Axis(label=msg("score.precision")),
        series=series,
        export_name="precision_recall",
    )


_KINDS: list[tuple[str, Label, tuple[str, ...], Drawn]] = [
    ("roc", msg("roc.title"), ("ROC_EVALUATION",),
     _simple(msg("axis.fpr"), msg("axis.tpr"), "roc", diagonal=True)),
    ("ks", msg("ks.title"), ("KS_EVALUATION",), _ks),
    ("lift", msg("lift.title"), ("LIFT_EVALUATION",),
     _simple(msg("axis.cut"), msg("lift.title"), "lift")),
    ("gain", msg("gain.title"), ("GAIN_EVALUATION",),
     _simple(msg("axis.cut"), msg("gain.title"), "gain")),
    ("precision_recall", msg("precision_recall.title"), _PRECISION + _RECALL, _precision_recall),
    ("accuracy", msg("score.accuracy"), ("ACCURACY_EVALUATION",),
     _simple(msg("axis.cut"), msg("score.accuracy"), "accuracy")),
]  # fmt: skip

GROUPS: list[Group] = [
    (frozenset(kind for _, _, types, _ in _KINDS for kind in types), curves),
]
