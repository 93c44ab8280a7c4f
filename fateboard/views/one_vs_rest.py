"""Scores of each class against all others."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import Axis, Block, Column, Combo, ComboSeries, Option, Path, choice, msg
from fateboard.views.cells import finite, tabulate, text
from fateboard.views.context import Context, Group, Metric
from fateboard.views.datasets import dataset, part
from fateboard.views.scores import label

_NOT_SCORES = ("name", "metric_type")

Row = tuple[str, str, dict[str, Any]]
"""Namespace, class, scores by name."""


def one_vs_rest(context: Context, path: Path) -> list[Block]:
    by_model: dict[str, list[Row]] = {}
    for metric in context.metrics:
        by_model.setdefault(_model(metric), []).extend(_rows(metric))
    options = [Option(id=model, label=dataset("", model).model) for model in by_model]

    def of(model: str) -> list[Block]:
        return _blocks(by_model[model])

    return [choice("ovr", msg("scores.model"), options, of, path, title=msg("ovr.title"))]


GROUPS: list[Group] = [(frozenset({"ovr"}), one_vs_rest)]


def _model(metric: Metric) -> str:
    name = text(metric.meta.get("name") or metric.name)
    return dataset(metric.namespace, name).name or name


def _rows(metric: Metric) -> list[Row]:
    return [
        (metric.namespace, key, {text(name): value for name, value in scores.items()})
        for key, scores in metric.meta.items()
        if key not in _NOT_SCORES and isinstance(scores, dict)
    ]


def _blocks(rows: list[Row]) -> list[Block]:
    names = list(dict.fromkeys(name for _, _, scores in rows for name in scores))
    columns = [
        Column(id="class", label=msg("ovr.class"), frozen=True),
        Column(id="dataset", label=msg("scores.dataset")),
        *(Column(id=f"score.{name}", label=label(name), format="number") for name in names),
    ]
    table = tabulate(
        "ovr.scores",
        columns,
        [
            [key, part(namespace), *(scores.get(n) for n in names)]
            for namespace, key, scores in rows
        ],
        export_name="OneVsRestEvaluation",
    )
    classes = list(dict.fromkeys(key for _, key, _ in rows))
    namespaces = list(dict.fromkeys(namespace for namespace, _, _ in rows))
    values = {
        (namespace, key, name): finite(value)
        for namespace, key, scores in rows
        for name, value in scores.items()
    }
    chart = Combo(
        id="ovr.chart",
        categories=classes,
        axes=[Axis(label=msg("ovr.score"))],
        series=[
            ComboSeries(
                label=msg("ovr.series", score=name, dataset=part(namespace)),
                type="bar",
                values=[values.get((namespace, key, name)) for key in classes],
            )
            for namespace in namespaces
            for name in names
        ],
        x=msg("ovr.class"),
        export_name="one_vs_rest",
    )
    return [msgspec.structs.replace(table, facets=["dataset"]), chart]
