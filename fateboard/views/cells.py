"""Members of metrics and models, whatever was sent: safe reading, and rows of tables.

Models are proto3 JSON: int64 as text, NaN and infinities as text, map keys as text. Other parties
may send anything; what does not fit reads as empty, never as an exception.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from fateboard.blocks import Column, Flag, Format, Item, Label, Shown, Table, Text, msg

NUMERIC: frozenset[Format] = frozenset({"number", "integer", "percent", "bar", "time", "duration"})
TOTAL = msg("data.total")
"""Heads the row of a table that sums the others."""
MAX_INTEGER = 2**53
"""Browsers hold integers up to here exactly; larger ones are sent as floats."""

_SPECIAL: dict[str, float] = {
    "nan": math.nan,
    "infinity": math.inf,
    "inf": math.inf,
    "+inf": math.inf,
    "-infinity": -math.inf,
    "-inf": -math.inf,
}
_LONGEST_NUMBER = 40


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def text(value: Any) -> str:
    """The value as text that can be encoded; "" of none. Lists and the like as JSON."""
    if value is None:
        return ""
    if not isinstance(value, str):
        value = json.dumps(value, ensure_ascii=False, default=str)
    return str(value).encode("utf-8", "replace").decode()


def names(value: Any) -> list[str]:
    return [text(item) for item in sequence(value)]


def real(value: Any) -> float | None:
    """The number, which may be nan or infinite; None if there is none."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, str):
        word = value.strip()
        if word.lower() in _SPECIAL:
            return _SPECIAL[word.lower()]
        if not word or len(word) > _LONGEST_NUMBER or "_" in word:
            return None
    elif not isinstance(value, (int, float)):
        return None
    try:
        return float(value)
    except ValueError:
        return None
    except OverflowError:
        return math.inf if int(value) > 0 else -math.inf


def finite(value: Any) -> float | None:
    """The number, None if there is none or it is not finite."""
    found = real(value)
    return found if found is not None and math.isfinite(found) else None


def whole(value: Any) -> int | None:
    found = finite(value)
    return round(found) if found is not None and abs(found) <= MAX_INTEGER else None


def numbers(value: Any) -> list[float | None]:
    return [finite(item) for item in sequence(value)]


@dataclass(frozen=True)
class Marked:
    """A cell with a flag. party: whose value it is, of flag other_party."""

    value: Any
    flag: Literal["other_party", "removed", "best", "differs"]
    party: str = ""
    """Encodable text, see ``text``."""


_Flagged = Literal["nan", "infinite", "minus_infinite", "other_party", "removed", "best", "differs"]


def cell(value: Any, format: Format = "text") -> tuple[Shown, _Flagged | None]:
    """What a table shows, and why it is empty where it is. A text stays one in a text column."""
    if isinstance(value, Text):
        return value, None
    if value is None or (isinstance(value, bool) and format not in NUMERIC):
        return value, None
    if isinstance(value, str) and format not in NUMERIC:
        return text(value), None
    number = real(value)
    if number is None:
        return text(value), None
    if math.isnan(number):
        return None, "nan"
    if math.isinf(number):
        return None, "infinite" if number > 0 else "minus_infinite"
    if number.is_integer() and abs(number) <= MAX_INTEGER and not isinstance(value, float):
        return int(number), None
    return number, None


def tabulate(
    id: str,
    columns: list[Column],
    rows: Iterable[Sequence[Any]],
    *,
    footer: Iterable[Sequence[Any]] = (),
    title: Label = "",
    help: Label = "",
    export_name: str = "",
    page_size: int = 20,
) -> Table:
    """A table of raw values: numbers are read by their columns' formats, flagged where they are
    not finite. Rows that are not as wide as the columns are an error of ours."""
    flags: list[Flag] = []
    shown: list[list[Shown]] = []
    formats = [column.format for column in columns]
    for i, row in enumerate(rows):
        cells: list[Shown] = []
        for j, (format, value) in enumerate(zip(formats, row, strict=True)):
            marked = value if isinstance(value, Marked) else None
            got, flag = cell(marked.value if marked else value, format)
            cells.append(got)
            if marked:
                flags.append(Flag(row=i, column=j, flag=marked.flag, party=marked.party))
            elif flag:
                flags.append(Flag(row=i, column=j, flag=flag))
        shown.append(cells)
    last = [[cell(v, f)[0] for f, v in zip(formats, row, strict=True)] for row in footer]
    return Table(
        id=id,
        columns=columns,
        rows=shown,
        footer=last,
        flags=flags,
        title=title,
        help=help,
        export_name=export_name,
        page_size=page_size,
    )


def item(label: Label, value: Any, format: Format = "text", help: Label = "") -> Item:
    """A line of a block of lines, of a raw value."""
    return Item(label=label, value=cell(value, format)[0], format=format, help=help)


def natural(name: str) -> list[tuple[int, int, str]]:
    """Sorts x2 before x10."""
    return [
        (0, int(part[:_LONGEST_NUMBER]), part) if part[0] in "0123456789" else (1, 0, part)
        for part in re.split("([0-9]+)", name)
        if part
    ]
