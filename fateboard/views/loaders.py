"""Components that hand on or score: loaders, scorecard, positive-unlabeled, secure addition."""

from __future__ import annotations

import math

from fateboard.blocks import (
    Axis,
    Block,
    Combo,
    ComboSeries,
    Item,
    KeyValues,
    Paragraph,
    Path,
    msg,
)
from fateboard.views.cells import finite, item, text
from fateboard.views.context import Context, Group, Page, Preview

_BARS = 20
_NOT_FACTS = ("name", "metric_type")
_LOADED = ("component_model_info", "checkpoint_info", "cache_info")
_MODEL = ("model_id", "model_version", "component_name", "model_alias", "step_index", "step_name")
_CACHE = ("job_id", "component_name", "cache_name", "cache_key")


def loaded(context: Context, _path: Path) -> list[Block]:
    """What was loaded, as it was logged or else as it was asked for."""
    logged = context.of_type(*_LOADED)
    blocks: list[Block] = []
    for metric in logged:
        facts = {key: value for key, value in metric.meta.items() if key not in _NOT_FACTS}
        items = [item(key, value) for key, value in facts.items()]
        if items:
            blocks.append(KeyValues(id=f"loaded.{metric.name}", items=items, title=metric.name))
    if blocks:
        return blocks
    asked = _parameters(context, *_MODEL, *_CACHE)
    if not asked:
        return []
    return [KeyValues(id="loaded", items=asked, title=msg("loaded.asked"))]


def _parameters(context: Context, *names: str) -> list[Item]:
    """Those of the component's parameters that are set."""
    found = context.parameters
    return [item(name, found[name]) for name in dict.fromkeys(names) if found.get(name) is not None]


def scorecard(context: Context, _path: Path) -> list[Block]:
    """How scores become points, and how the first rows' points spread."""
    scales = ("method", "offset", "factor", "factor_base", "upper_limit_ratio", "lower_limit_value",
              "upper_limit_value")  # fmt: skip
    blocks: list[Block] = []
    items = _parameters(context, *scales)
    if items:
        blocks.append(KeyValues(id="scale", items=items, title=msg("scorecard.scale")))
    for preview in context.data:
        blocks += _histogram(preview)
    return blocks


def _histogram(preview: Preview) -> list[Block]:
    if "credit_score" not in preview.header:
        return []
    column = preview.header.index("credit_score")
    found = [finite(row[column]) for row in preview.rows if column < len(row)]
    values = [value for value in found if value is not None]
    if not values:
        return []
    low, high = min(values), max(values)
    bars = _BARS if low < high else 1
    width = (high - low) / bars
    if not math.isfinite(width):
        return []
    counts = [0] * bars
    for value in values:
        counts[min(bars - 1, int((value - low) / width)) if width else 0] += 1
    edges = [low + width * at for at in range(bars + 1)]
    return [
        Combo(
            id="credit_score",
            categories=[f"{edges[at]:.6g} - {edges[at + 1]:.6g}" for at in range(bars)],
            axes=[Axis(label=msg("scorecard.rows"), integer=True)],
            series=[ComboSeries(label=msg("scorecard.rows"), type="bar", values=[*counts])],
            x=msg("scorecard.points"),
            title=msg("scorecard.title"),
            help=msg("scorecard.sample", shown=len(values), total=preview.total),
            export_name="credit_score",
        )
    ]


def converted(context: Context, _path: Path) -> list[Block]:
    """How many rows without a label became positive."""
    items = [
        item(msg("positive_unlabeled.converted"), value, "integer")
        for metric in context.of_type("PU_MODEL")
        for _, value in metric.data
    ]
    if not items:
        return []
    items += _parameters(context, "strategy", "threshold")
    return [KeyValues(id="converted", items=items, export_name="positive_unlabeled")]


def added(context: Context, _path: Path) -> list[Block]:
    """The example of secure addition puts out nothing: its result is in the log."""
    items = [item(text(name), value) for name, value in context.summary.items()]
    items += _parameters(context, "data_num", "partition")
    blocks: list[Block] = [KeyValues(id="added", items=items)] if items else []
    return [*blocks, Paragraph(id="where", text=msg("secure_add.in_log"))]


_LOADER = Page(builders=[loaded], metrics=frozenset(_LOADED), needs=frozenset())

PAGES: dict[str, Page] = {
    "ModelLoader": _LOADER,
    "CacheLoader": _LOADER,
    "Scorecard": Page(builders=[scorecard], needs=frozenset({"data"})),
    "PositiveUnlabeled": Page(
        builders=[converted], metrics=frozenset({"PU_MODEL"}), needs=frozenset()
    ),
    "SecureAddExample": Page(builders=[added], needs=frozenset({"summary"})),
}

GROUPS: list[Group] = [
    (frozenset({"PU_MODEL"}), converted),
    (frozenset(_LOADED), loaded),
]
