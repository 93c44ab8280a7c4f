"""Components that take, join and split rows."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from typing import Any

from fateboard.blocks import Block, Column, Item, KeyValues, Label, Path, msg
from fateboard.views.cells import TOTAL, item, mapping, natural, sequence, tabulate, text, whole
from fateboard.views.context import Context, Metric, Page

PARTS = {
    "train": msg("data.part_train"),
    "validate": msg("data.part_validate"),
    "test": msg("data.part_test"),
}


def union(context: Context, _path: Path) -> list[Block]:
    """Rows of each table and of all; the total stays last."""
    columns = [
        Column(id="name", label=msg("data.table_name")),
        Column(id="count", label=msg("data.rows"), format="integer"),
    ]
    blocks: list[Block] = []
    for n, metric in enumerate(context.of_type("UNION")):
        rows = [[text(key), value] for key, value in metric.data]
        total = [[TOTAL, row[1]] for row in rows if row[0] == "Total"]
        rows = [row for row in rows if row[0] != "Total"]
        blocks.append(tabulate(f"union_{n}", columns, rows, footer=total, export_name="union"))
    return blocks


def sample(context: Context, _path: Path) -> list[Block]:
    """How many rows were taken; of a stratified sample by label, beside those there were."""
    blocks: list[Block] = []
    for n, metric in enumerate(context.of_type("SAMPLE_TEXT")):
        items = [Item(label=msg("data.method"), value=metric.name)]
        items += [_count(key, value) for key, value in metric.data]
        blocks.append(KeyValues(id=f"taken_{n}", items=items, export_name="sample_detail"))
    tables = context.of_type("SAMPLE_TABLE")
    after = [metric for metric in tables if metric.namespace != "original_count"]
    for n, metric in enumerate(after):
        blocks.append(_by_label(f"layers_{n}", metric, tables))
    return blocks


def _count(key: Any, value: Any) -> Item:
    label: Label = msg("data.rows_taken") if key == "count" else text(key)
    return item(label, value, "integer")


def _by_label(id: str, metric: Metric, tables: list[Metric]) -> Block:
    columns = [
        Column(id="label", label=msg("data.label")),
        Column(id="original", label=msg("data.original_count"), format="integer"),
        Column(id="sample", label=msg("data.sample_count"), format="integer"),
        Column(id="ratio", label=msg("data.sample_ratio"), format="percent"),
    ]
    was = [m for m in tables if m.namespace == "original_count" and m.name == metric.name]
    before = {text(key): whole(value) for m in was for key, value in m.data}
    counts = [(text(key), before.get(text(key)), whole(value)) for key, value in metric.data]
    rows = [[label, old, new, _share(new, old)] for label, old, new in counts]
    old, new = (_sum(count[c] for count in counts) for c in (1, 2))
    footer = [[TOTAL, old, new, _share(new, old)]]
    title = msg("data.sampled", method=metric.name)
    table = tabulate(id, columns, rows, footer=footer, title=title, export_name="sample_detail")
    table.facets.append("label")
    return table


def _sum(counts: Iterable[Any]) -> int | None:
    known = [count for count in counts if isinstance(count, int)]
    return sum(known) if known else None


def _share(part: int | None, of: int | None) -> float | None:
    return part / of if part is not None and of else None


def split(context: Context, _path: Path) -> list[Block]:
    """Rows of each part; by layer where the split was stratified and this party has labels."""
    blocks: list[Block] = []
    for n, metric in enumerate(context.of_type("DATA_SPLIT")):
        counts = mapping(metric.meta.get("data_split_count_info"))
        ratios = mapping(metric.meta.get("data_split_ratio_info"))
        layers = mapping(metric.meta.get("data_split_label_info"))
        if layers:
            blocks.append(_layers(f"layers_{n}", layers, counts))
        if counts or ratios:
            blocks.append(_parts(f"parts_{n}", counts, ratios))
    return blocks


def _parts(id: str, counts: dict[str, Any], ratios: dict[str, Any]) -> Block:
    columns = [
        Column(id="part", label=msg("data.part")),
        Column(id="count", label=msg("data.rows"), format="integer"),
        Column(id="ratio", label=msg("data.share"), format="percent"),
    ]
    rows = [[said, counts.get(part), ratios.get(part)] for part, said in PARTS.items()]
    total = [TOTAL, counts.get("original"), 1.0 if counts.get("original") else None]
    return tabulate(
        id,
        columns,
        rows,
        footer=[total],
        title=msg("data.parts"),
        export_name="data_split_detail",
    )


def _layers(id: str, layers: dict[str, Any], counts: dict[str, Any]) -> Block:
    columns = [
        Column(id="layer", label=msg("data.layer"), frozen=True),
        Column(id="original", label=msg("data.original_count"), format="integer"),
        *(Column(id=part, label=said, format="integer") for part, said in PARTS.items()),
    ]
    by_part = [mapping(layers.get(part)) for part in ("original", *PARTS)]
    rows = [
        [name, *(of.get(key) for of in by_part)] for key, name in _layer_names(layers, by_part[0])
    ]
    total = [TOTAL, *(counts.get(part) for part in ("original", *PARTS))]
    return tabulate(
        id,
        columns,
        rows,
        footer=[total],
        title=msg("data.layers"),
        export_name="data_split_detail",
    )


def _layer_names(layers: dict[str, Any], original: dict[str, Any]) -> list[tuple[str, str]]:
    """(key in the counts, what it is called): a label, or an interval between split points."""
    if layers.get("continuous_label") is not True:
        known = [text(name) for name in sequence(layers.get("label_names"))]
        known = [name for name in known if name in original]
        known += sorted(set(original) - set(known), key=natural)
        return [(name, text(name)) for name in known]
    points = [text(point) for point in sequence(layers.get("split_points"))]
    if not points:
        return [(name, text(name)) for name in sorted(original, key=natural)]
    named = ["(-inf, " + points[0] + "]"]
    named += [f"({a}, {b}]" for a, b in itertools.pairwise(points)]
    named.append(f"({points[-1]}, +inf)")
    return [(str(i), name) for i, name in enumerate(named)]


PAGES: dict[str, Page] = {
    "Union": Page(builders=[union], metrics=frozenset({"UNION"}), needs=frozenset()),
    "FederatedSample": Page(
        builders=[sample], metrics=frozenset({"SAMPLE_TEXT", "SAMPLE_TABLE"}), needs=frozenset()
    ),
    "HeteroDataSplit": Page(builders=[split], metrics=frozenset({"DATA_SPLIT"}), needs=frozenset()),
    "HomoDataSplit": Page(builders=[split], metrics=frozenset({"DATA_SPLIT"}), needs=frozenset()),
}
