"""Features of requests to a matrix: what training's DataTransform reads from a table's cells.

A value is a number, or the text of one as a table would hold it. A feature that a request lacks
is an empty cell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from numbers import Number
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.data.parsing import MISSING_WORDS
from serving.codes import Code
from serving.plans.faults import Problem

Floats = NDArray[np.float64]
Missing = Literal["offline", "error", "threshold"]

N_NAMED = 3
"""Of features at fault so many are named."""

_PLAIN = frozenset((float, int))


class Column(msgspec.Struct, frozen=True, kw_only=True):
    """A feature that a model expects.

    kind: ``number``, ``whole`` (a fraction is an error) or ``text``. absent: the value of a feature
    that a row lacks, None for missing. words: texts that mean missing; outliers: texts that mean
    an outlier. present: the value of any other text, where naming a feature is enough (tags).
    """

    name: str
    kind: Literal["number", "whole", "text"] = "number"
    absent: float | str | None = None
    words: frozenset[str] = frozenset(MISSING_WORDS)
    outliers: frozenset[str] = frozenset()
    present: float | None = None


@dataclass
class Frame:
    """n rows of one party. x (n, k): the plan's columns, nan where a value is missing. texts: of
    text columns, by their number. outlying (n, k): where a text stood that means outlier, or None.
    hits (n,): share of the expected features that a row has. problems: by row. strict: a missing
    value that the model cannot take is an error, as offline."""

    x: Floats
    hits: Floats
    texts: dict[int, list[str]] = field(default_factory=dict)
    outlying: NDArray[np.bool_] | None = None
    problems: dict[int, Problem] = field(default_factory=dict)
    strict: bool = False

    @property
    def n_rows(self) -> int:
        return len(self.x)


class Reader:
    """Reads rows for one plan's columns."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self.columns = tuple(columns)
        self.names = [column.name for column in columns]
        self._absent = [
            math.nan if c.absent is None or c.kind == "text" else float(c.absent) for c in columns
        ]
        self._texts = [j for j, c in enumerate(columns) if c.kind == "text"]
        self._whole = [j for j, c in enumerate(columns) if c.kind == "whole"]
        self._has_outliers = any(c.outliers for c in columns)
        self._is_plain = not self._texts and not self._whole

    def frame(
        self, rows: Sequence[Mapping[str, Any]], missing: Missing, least_hits: float
    ) -> Frame:
        """See ``Plan.parse``."""
        k = len(self.names)
        found = Frame(np.empty((len(rows), k)), np.ones(len(rows)), strict=missing == "error")
        if self._has_outliers:
            found.outlying = np.zeros((len(rows), k), np.bool_)
        for j in self._texts:
            found.texts[j] = [""] * len(rows)
        for i, row in enumerate(rows):
            self._row(found, i, row)
            if missing != "offline":
                self._check_hits(found, i, row, 1.0 if missing == "error" else least_hits)
        return found

    def _row(self, found: Frame, i: int, row: Mapping[str, Any]) -> None:
        if not self.names:
            return
        try:
            values = [row[name] for name in self.names]
        except KeyError:
            there = [name in row for name in self.names]
            found.hits[i] = sum(there) / len(there)
            values = [
                row[name] if has else absent
                for name, has, absent in zip(self.names, there, self._absent, strict=True)
            ]
            if self._texts:
                for j in self._texts:
                    if not there[j]:
                        absent = self.columns[j].absent
                        values[j] = "" if absent is None else str(absent)
        if self._is_plain and _PLAIN.issuperset(map(type, values)):
            try:
                found.x[i] = values
            except OverflowError:
                pass
            else:
                return
        self._each(found, i, values)

    def _each(self, found: Frame, i: int, values: Sequence[Any]) -> None:
        wrong = []
        for j, (column, value) in enumerate(zip(self.columns, values, strict=True)):
            number = math.nan
            if column.kind == "text":
                text = _text(value)
                if text is None:
                    wrong.append(column.name)
                else:
                    found.texts[j][i] = text
            elif isinstance(value, str) and value.strip() in column.outliers:
                assert found.outlying is not None
                found.outlying[i, j] = True
            elif (read := _number(value, column)) is None:
                wrong.append(column.name)
            else:
                number = read
            found.x[i, j] = number
        if wrong:
            found.x[i] = math.nan
            found.problems[i] = Problem(Code.FEATURE, f"no number in {_few(wrong)}")

    def _check_hits(self, found: Frame, i: int, row: Mapping[str, Any], least: float) -> None:
        if i in found.problems or found.hits[i] >= least:
            return
        lacking = [name for name in self.names if name not in row]
        found.problems[i] = Problem(
            Code.FILL_RATE,
            f"{len(lacking)} of {len(self.names)} features are missing: {_few(lacking)}",
        )


def _number(value: Any, column: Column) -> float | None:
    """The number, nan where it is missing, None if it is none."""
    if value is None:
        return math.nan
    if isinstance(value, bool):
        return None
    if isinstance(value, str):
        text = value.strip()
        if text in column.words:
            return math.nan
        if "_" in text:  # Python's, not a table's
            return column.present
    elif isinstance(value, Number):  # numpy's and decimal's too, as adapters read them
        text = value  # type: ignore[assignment]
    else:
        return None
    try:
        number = float(text)
    except (ValueError, OverflowError, TypeError):
        return column.present
    if column.kind == "whole" and not math.isnan(number) and number != math.floor(number):
        return None
    return number


def _text(value: Any) -> str | None:
    """As a table's cell would hold it; a whole number without a fraction."""
    if value is None:
        return ""
    if isinstance(value, bool) or not isinstance(value, (str, Number)):
        return None
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _few(names: Sequence[str]) -> str:
    more = f" and {len(names) - N_NAMED} more" if len(names) > N_NAMED else ""
    return ", ".join(names[:N_NAMED]) + more
