"""A component's page as files: a zip with a CSV for each block that has an export name.

Built from the page with every option shown (``blocks.EveryOption``). A file of several sections
has one for each choice, after a line that says which. Numbers are whole, not as the page rounds
them; shares are fractions of 1. Spreadsheets run what looks like a formula, so such text gets an
apostrophe.
"""

from __future__ import annotations

import base64
import csv
import io
import math
import re
import sys
import zipfile
from array import array
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from typing import Any

import msgspec

from fateboard.blocks import (
    Block,
    ByAxis,
    Choice,
    Combo,
    Confusion,
    Curve,
    EveryOption,
    HeatMap,
    KeyValues,
    Label,
    Shown,
    Table,
    Tabs,
    Text,
)

MAX_OPTIONS = 10_000
"""A report holds so many options of choices; what is left out is said in ``left_out.csv``."""

Say = Callable[[Text], str]
Row = list[Any]

_NUMBER = re.compile(r"[+-]?(\d+(\.\d*)?|\.\d+)([eE][+-]?\d+)?")
_FORMULA = re.compile(r"\s*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_WITHIN = re.compile(r"([;\t\r\n])(?=\s*[=+\-@\uff1d\uff0b\uff0d\uff20])")
"""Where the rest of a text would be a cell of its own to a spreadsheet that separates by ``;``."""
_LONGEST_NAME = 100
_FLAGGED = {"nan": "NaN", "infinite": "Infinity", "minus_infinite": "-Infinity"}


class Part(msgspec.Struct, frozen=True):
    """What one block puts into the file ``name``. crumbs: the choices that lead to it."""

    name: str
    crumbs: list[str]
    rows: list[Row]


def every_option() -> EveryOption:
    """The path to build the page of a report with."""
    return EveryOption(MAX_OPTIONS)


def archive(
    blocks: list[Block],
    path: EveryOption,
    names: Collection[str],
    say: Say,
    renamed: Mapping[str, str] | None = None,
) -> bytes:
    """The zip. path: that the blocks were built with. names: of the files that are wanted, curves
    with or without ``_detail``; all if there are none. renamed: variables under another name. A
    page without tables gives a zip without files."""
    rename = _renaming(renamed or {})
    files: dict[str, list[Part]] = {}
    for found in _parts(blocks, [], say):
        part = Part(found.name, rename(found.crumbs), [rename(row) for row in found.rows])
        if not names or part.name in names or part.name.removesuffix("_detail") in names:
            files.setdefault(file_name(part.name), []).append(part)
    if path.left_out:
        files["left_out"] = [Part("left_out", [], [[say(Text("report.left_out"))]])]
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as zipped:
        for name, parts in files.items():
            entry = zipfile.ZipInfo(f"{name}.csv")
            entry.compress_type = zipfile.ZIP_DEFLATED
            entry.external_attr = 0o644 << 16
            zipped.writestr(entry, as_csv(parts))
    return packed.getvalue()


def _renaming(renamed: Mapping[str, str]) -> Callable[[Row], Row]:
    """Other names in a row's text, wherever one stands alone: ``x0``, ``1 < x0 <= 2``."""
    longest_first = sorted(map(re.escape, filter(None, renamed)), key=len, reverse=True)
    if not longest_first:
        return lambda row: row
    word = re.compile(rf"(?<!\S)({'|'.join(longest_first)})(?!\S)")
    return lambda row: [
        word.sub(lambda m: renamed[m[1]], cell) if isinstance(cell, str) else cell for cell in row
    ]


def file_name(text: str) -> str:
    """The text without what a path or a shell could misread."""
    return re.sub(r"[^\w.-]|^\.", "_", text)[:_LONGEST_NAME] or "_"


def as_csv(parts: list[Part]) -> bytes:
    """A mark of byte order first, by which spreadsheets know that it is UTF-8."""
    out = io.StringIO(newline="")
    writer = csv.writer(out, lineterminator="\r\n")
    for i, part in enumerate(parts):
        if i:
            writer.writerow([])
        if len(parts) > 1 and part.crumbs:
            writer.writerow([defused(crumb) for crumb in part.crumbs])
        writer.writerows([defused(value) for value in row] for row in part.rows)
    return b"\xef\xbb\xbf" + out.getvalue().encode("utf-8", "replace")


def defused(value: Any) -> Any:
    """A cell that no spreadsheet takes for a formula."""
    if type(value) is float:  # nearly all cells of a large report
        return value
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        return value
    value = value.replace("\0", "")
    if _NUMBER.fullmatch(value):
        return value
    begins = _FORMULA.match(value)
    head = begins[0] if begins else ""
    rest = _WITHIN.sub(r"\1'", value[len(head) :])
    return f"'{head}{rest}" if begins else rest


def _parts(blocks: Iterable[Block], crumbs: list[str], say: Say) -> Iterator[Part]:
    for block in blocks:
        if isinstance(block, Tabs):
            title = _said(block.title, say)
            for tab in block.items:
                label = _said(tab.label, say)
                crumb = f"{title}: {label}" if title else label
                yield from _parts(tab.blocks, [*crumbs, crumb], say)
        elif isinstance(block, Choice):
            yield from _parts(block.blocks, crumbs, say)
        else:
            name = getattr(block, "export_name", "")
            rows = _rows(block, say) if name else []
            if rows:
                name = f"{name}_detail" if isinstance(block, Curve) else name
                yield Part(name, _titled(block, crumbs, say), rows)


def _titled(block: Block, crumbs: list[str], say: Say) -> list[str]:
    title = _said(block.title, say)
    return [*crumbs, title] if title else crumbs


def _said(label: Label, say: Say) -> str:
    return say(label) if isinstance(label, Text) else label


def _rows(block: Block, say: Say) -> list[Row]:
    """The lines of a block, its header first; none of a block that has no numbers."""
    if isinstance(block, KeyValues):
        return [[_said(i.label, say), _value(i.value, say)] for i in block.items]
    if isinstance(block, Table):
        return _table(block, say)
    if isinstance(block, ByAxis):
        return _by_axis(block, say)
    if isinstance(block, Confusion):
        return _confusion(block, say)
    if isinstance(block, Curve):
        return _curve(block, say)
    if isinstance(block, Combo):
        header = [_said(block.x, say), *(_said(s.label, say) for s in block.series)]
        values = [_padded(s.values, len(block.categories)) for s in block.series]
        return [header, *([c, *row] for c, *row in zip(block.categories, *values, strict=True))]
    if isinstance(block, HeatMap):
        return _heat_map(block)
    return []


def _value(value: Any, say: Say) -> Any:
    return say(value) if isinstance(value, Text) else value


def _values(row: Sequence[Shown], say: Say) -> Row:
    return [_value(cell, say) for cell in row]


def _table(block: Table, say: Say) -> list[Row]:
    rows = [_values(row, say) for row in block.rows]
    for flag in block.flags:
        if flag.flag in _FLAGGED:
            rows[flag.row][flag.column] = _FLAGGED[flag.flag]
    return [
        [_said(column.label, say) for column in block.columns],
        *rows,
        *(_values(row, say) for row in block.footer),
    ]


def _by_axis(block: ByAxis, say: Say) -> list[Row]:
    """Every position of the axis: its value first, then the row."""
    rows: list[Row] = [[_said(block.axis, say), *(_said(c.label, say) for c in block.columns)]]
    for at, position in enumerate(block.positions):
        for i, row in enumerate(block.rows):
            cells: Row = [position]
            for j, column in enumerate(block.columns):
                along = block.cells.get(column.id)
                if along is None:
                    cells.append(_value(row[j], say) if j < len(row) else None)
                else:
                    cells.append(_padded(along[i], at + 1)[at] if i < len(along) else None)
            rows.append(cells)
    return rows


def _confusion(block: Confusion, say: Say) -> list[Row]:
    rows: list[Row] = [["model", "dataset", "threshold", "tp", "fp", "tn", "fn", "f1"]]
    n = len(block.thresholds)
    for model in block.models:
        named = [_said(model.label, say), _said(model.dataset, say)]
        counts = (model.tp, model.fp, model.tn, model.fn, model.f1)
        columns = [_padded(values, n) for values in counts]
        for at, threshold in enumerate(block.thresholds):
            rows.append([*named, threshold, *(c[at] for c in columns)])
    return rows


def _curve(block: Curve, say: Say) -> list[Row]:
    """A line for each point; its threshold where the curve has them."""
    with_thresholds = any(series.thresholds for series in block.series)
    header: Row = ["", _said(block.x.label, say), _said(block.y.label, say)]
    rows: list[Row] = [[*header, "threshold"] if with_thresholds else header]
    for series in block.series:
        label = " ".join(filter(None, (series.group, _said(series.label, say), series.party)))
        for i, point in enumerate(series.points):
            row: Row = [label, *point]
            if with_thresholds:
                row.append(series.thresholds[i] if i < len(series.thresholds) else None)
            rows.append(row)
    return rows


def _heat_map(block: HeatMap) -> list[Row]:
    values = array("f", base64.b64decode(block.values))
    if sys.byteorder == "big":
        values.byteswap()
    width = len(block.columns)
    rows: list[Row] = [["", *(entry.label for entry in block.columns)]]
    for i, entry in enumerate(block.rows):
        cells = values[i * width : (i + 1) * width]
        rows.append([entry.label, *(None if math.isnan(v) else round(v, 6) for v in cells)])
    return rows


def _padded(values: list[Any], n: int) -> list[Any]:
    return (values + [None] * n)[:n]
