"""What shows a metric that no builder knows, and whatever a builder could not show."""

from __future__ import annotations

import json
from typing import Any

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Curve,
    KeyValues,
    Paragraph,
    Path,
    Raw,
    Series,
    msg,
)
from fateboard.views.cells import finite, item, tabulate, text
from fateboard.views.context import Context, Metric
from fateboard.views.curves import points, thin

_LONGEST_RAW = 200_000


def unknown(context: Context, _path: Path) -> list[Block]:
    """Any metric: numeric pairs as a curve, others as a table, its meta as a list."""
    blocks: list[Block] = []
    for metric in context.metrics:
        blocks += _one(metric)
    return blocks


def _one(metric: Metric) -> list[Block]:
    name = f"{metric.namespace}/{metric.name}"
    blocks: list[Block] = []
    if is_curve(metric):
        blocks.append(_curve(name, metric))
    elif metric.data:
        columns = [
            Column(id="name", label=msg("metric.name")),
            Column(id="value", label=msg("metric.value"), format="number"),
        ]
        blocks.append(tabulate(name, columns, metric.data, title=name, export_name=name))
    facts = {key: value for key, value in metric.meta.items() if key not in ("name", "metric_type")}
    flat = {key: value for key, value in facts.items() if not isinstance(value, list | dict)}
    if flat:
        items = [item(text(key), value) for key, value in flat.items()]
        id = f"{name}.meta"
        blocks.append(KeyValues(id=id, items=items, title=name, export_name=id))
    nested = {key: value for key, value in facts.items() if key not in flat}
    if nested:
        blocks.append(Raw(id=f"{name}.json", content=written(nested), title=name))
    if not blocks:
        blocks.append(Paragraph(id=name, text=msg("metric.empty", name=name)))
    return blocks


def is_curve(metric: Metric) -> bool:
    """Whether a metric is two or more pairs of numbers."""
    return len(metric.data) >= 2 and all(
        finite(x) is not None and finite(y) is not None for x, y in metric.data
    )


def _curve(name: str, metric: Metric) -> Curve:
    line = points(metric)
    unit, ordinate = (metric.meta.get(key) for key in ("unit_name", "ordinate_name"))
    return Curve(
        id=name,
        x=Axis(label=text(unit) if unit else ""),
        y=Axis(label=text(ordinate) if ordinate else text(metric.name)),
        series=[
            Series(id=name, label=text(metric.name), points=[line[index] for index in thin(line)])
        ],
        title=name,
        live=[name],
        export_name=name,
    )


def raw(context: Context) -> Raw:
    """What a builder could not show, as it came."""
    content = {"metrics": msgspec.to_builtins(context.metrics), "model": context.model}
    return Raw(id="raw", content=written(content), title=msg("view.raw"))


def written(value: Any) -> str:
    """As JSON to look at, cut where it gets too long for a page."""
    found = text(json.dumps(value, ensure_ascii=False, indent=1, default=str))
    return found if len(found) <= _LONGEST_RAW else f"{found[:_LONGEST_RAW]}..."
