"""Components through which data comes in and goes out, and those that compare ids."""

from __future__ import annotations

from typing import Any

from fateboard.blocks import Block, Column, Item, KeyValues, Label, Paragraph, Path, msg
from fateboard.views.cells import finite, item, mapping, natural, tabulate, text
from fateboard.views.context import Context, Metric, Page

_LABELS: dict[str, Label] = {
    "namespace": msg("data.namespace"),
    "table_name": msg("data.table_name"),
    "count": msg("data.rows"),
    "partitions": msg("data.partitions"),
    "partition": msg("data.partitions"),
    "storage_engine": msg("data.storage"),
    "file_count": msg("data.file_count"),
    "file_path": msg("data.file_path"),
    "input_match_id_count": msg("data.ids_before"),
    "intersect_count": msg("data.ids_common"),
    "intersect_rate": msg("data.ids_common_share"),
    "unmatched_count": msg("data.ids_unmatched"),
    "unmatched_rate": msg("data.ids_unmatched_share"),
    "intersect_sample_id_count": msg("data.sample_ids_common"),
    "intersect_method": msg("data.intersect_method"),
    "join_method": msg("data.join_method"),
    "Coverage": msg("data.coverage"),
    "Block number": msg("data.block_number"),
}
_READER_LINES = (
    "file_path", "file_count", "namespace", "table_name", "count", "partitions", "storage_engine",
)  # fmt: skip
_HIDDEN = {"name", "metric_type", "curve_name"}


def reader(context: Context, _path: Path) -> list[Block]:
    """The table that was read, and a sample of each of its columns."""
    blocks: list[Block] = []
    for metric in context.of_type("data_info"):
        lines = [line(key, metric.meta[key]) for key in _READER_LINES if metric.meta.get(key)]
        blocks.append(KeyValues(id="table", items=lines, export_name="data_info"))
        blocks += _samples(metric.meta)
    return blocks


def _samples(meta: dict[str, Any]) -> list[Block]:
    """variable, then anonymous name and attribute where there are any, then samples."""
    info = mapping(meta.get("table_info"))
    if not info:
        return []
    anonymous, attributes = mapping(meta.get("anonymous_info")), mapping(meta.get("attribute_info"))
    columns = [Column(id="variable", label=msg("data.variable"), frozen=True)]
    if anonymous:
        columns.append(Column(id="anonym", label=msg("data.anonym")))
    if attributes:
        columns.append(Column(id="attribute", label=msg("data.attribute")))
    columns.append(Column(id="samples", label=msg("data.samples"), sortable=False))
    rows = []
    for name in sorted(info, key=natural):
        row = [name]
        row += [text(anonymous.get(name))] if anonymous else []
        row += [text(attributes.get(name))] if attributes else []
        rows.append([*row, text(info[name])])
    return [
        tabulate("columns", columns, rows, title=msg("data.columns"), export_name="samples"),
    ]


def lines(context: Context, _path: Path) -> list[Block]:
    """Each metric's pairs and its meta, as lines."""
    blocks: list[Block] = []
    for n, metric in enumerate(context.metrics):
        items = [line(pair[0], pair[1]) for pair in metric.data]
        items += _meta_lines(metric)
        if items:
            blocks.append(KeyValues(id=f"lines_{n}", items=items, export_name="data_access"))
    return blocks


def intersection(context: Context, _path: Path) -> list[Block]:
    """Counts and rates of the ids, how they were compared, and what a cache was made with."""
    blocks: list[Block] = []
    for n, metric in enumerate(context.of_type("INTERSECTION")):
        cache = metric.name.endswith("cache_meta")
        items = [line(pair[0], pair[1]) for pair in metric.data] + _meta_lines(metric)
        if not items:
            continue
        name = "intersection_cache" if cache else "intersection"
        title = msg("data.intersect_cache") if cache else ""
        blocks.append(KeyValues(id=f"{name}_{n}", items=items, title=title, export_name=name))
        if metric.meta.get("join_method") == "left_join":
            blocks.append(Paragraph(id=f"left_join_{n}", text=msg("data.left_join")))
        if not cache and metric.data and "intersect_count" not in _keys(metric):
            blocks.append(_untold(metric, n))
    return blocks


def _untold(metric: Metric, n: int) -> Block:
    """A party that is not told what is common sees that this is so, not an empty page."""
    if "Coverage" in _keys(metric) or "input_match_id_count" not in _keys(metric):
        return Paragraph(id=f"method_{n}", text=msg("data.sir"))
    return Paragraph(id=f"untold_{n}", text=msg("data.intersect_untold"))


def _keys(metric: Metric) -> set[str]:
    return {text(pair[0]) for pair in metric.data}


def _meta_lines(metric: Metric) -> list[Item]:
    return [
        line(key, value)
        for key, value in metric.meta.items()
        if key not in _HIDDEN and value not in (None, "", {}, [])
    ]


_JOINS = {"inner_join": msg("data.inner_join"), "left_join": msg("data.left_join_name")}


def line(key: Any, value: Any) -> Item:
    """A line of a metric. Rates are shown as percent; a rate below 0 was not told."""
    name = text(key)
    label = _LABELS.get(name, name)
    number = finite(value)
    if name == "join_method" and text(value) in _JOINS:
        return Item(label=label, value=_JOINS[text(value)])
    if isinstance(value, str) or number is None:
        return item(label, value if isinstance(value, bool) else text(value))
    if "rate" in name and number < 0:
        return Item(label=label, value=None, format="percent")
    if "rate" in name or name == "Coverage":
        return item(label, number, "percent")
    return item(label, value, "integer" if number.is_integer() else "number")


def verifiable_sum(context: Context, _path: Path) -> list[Block]:
    """How many parties summed how many rows; the sums themselves are the component's data."""
    names = {"parties": msg("data.parties"), "rows": msg("data.rows")}
    items = [item(names[k], context.summary[k], "integer") for k in names if k in context.summary]
    if not items:
        return []
    return [
        KeyValues(id="sum", items=items, export_name="verifiable_sum"),
        Paragraph(id="where", text=msg("data.sum_is_data")),
    ]


PAGES: dict[str, Page] = {
    "Reader": Page(builders=[reader], metrics=frozenset({"data_info"}), needs=frozenset()),
    "Upload": Page(builders=[lines], metrics=frozenset({"UPLOAD"}), needs=frozenset()),
    "Download": Page(builders=[lines], metrics=frozenset({"DOWNLOAD"}), needs=frozenset()),
    "Writer": Page(builders=[lines], metrics=frozenset({"WRITER", ""}), needs=frozenset()),
    "Intersection": Page(
        builders=[intersection], metrics=frozenset({"INTERSECTION"}), needs=frozenset()
    ),
    "SecureInformationRetrieval": Page(
        builders=[intersection], metrics=frozenset({"INTERSECTION"}), needs=frozenset()
    ),
    "FeldmanVerifiableSum": Page(builders=[verifiable_sum], needs=frozenset({"summary"})),
}
