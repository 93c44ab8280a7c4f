"""Text columns to numbers. Errors name the column and the row, never the value.

Rows are counted from 1 in the order of the table.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.data.formats import WHOLE_TYPES
from federatedml.data.frame import Floats
from federatedml.errors import BadData

MISSING_WORDS = ("", "none", "null", "na", "None", "nan", "NULL", "NA", "NaN", "N/A")
"""Texts that stand for no number, whatever else is declared missing."""

Texts: TypeAlias = Any
"""pa.Array or pa.ChunkedArray of texts."""


class NotANumber(ValueError):
    """The text at index ``at`` is neither a number nor a word for missing."""

    def __init__(self, at: int) -> None:
        super().__init__(f"text {at} is not a number")
        self.at = at


def numbers(texts: Texts, name: str, words: Iterable[str] = MISSING_WORDS) -> Floats:
    """(n,) floats; missing is nan. words: texts that mean missing.

    name: of the column, as all parties may read it.
    Raises BadData at the first text that is neither a number nor such a word.
    """
    try:
        return floats(texts, words)
    except NotANumber as error:
        raise BadData(
            f"{name}, row {error.at + 1}: not a number; declare the text as missing "
            "(missing_impute) or the column as text (data_type or exclusive_data_type str)"
        ) from None


def floats(texts: Texts, words: Iterable[str] = MISSING_WORDS) -> Floats:
    """As ``numbers``, raising NotANumber.

    Cost: some 50 ns a text; a column that holds words for missing is read twice.
    """
    try:
        return _array(pc.cast(texts, pa.float64()))
    except pa.ArrowInvalid:
        pass
    trimmed = pc.replace_substring_regex(pc.utf8_trim_whitespace(texts), r"^\+", "")
    known = pc.is_in(trimmed, value_set=pa.array(sorted(words), trimmed.type))
    cleaned = pc.if_else(known, pa.scalar(None, trimmed.type), trimmed)
    try:
        return _array(pc.cast(cleaned, pa.float64()))
    except pa.ArrowInvalid:
        raise NotANumber(first_unparsable(cleaned, pa.float64())) from None


def whole(values: Floats, name: str, kind: str) -> Floats:
    """The same values, proven to be whole numbers or missing. Raises BadData with the row."""
    with np.errstate(invalid="ignore"):  # infinite ones are none either
        wrong = np.flatnonzero((values - np.floor(values) != 0.0) & ~np.isnan(values))
    if len(wrong):
        raise BadData(
            f"{name}, row {int(wrong[0]) + 1}: not a whole number, but its type is {kind}; use "
            "float64"
        )
    return values


def labels(texts: Texts, name: str, kind: str) -> NDArray[Any] | pa.Array:
    """(n,) labels: int64, float64, or the texts themselves, by FATE's ``label_type``.

    Raises BadData at the first row whose label is missing or of another type.
    """
    if kind == "str":
        return one(texts)
    try:
        values = floats(texts)
    except NotANumber as error:
        raise BadData(
            f"label column {name!r}, row {error.at + 1}: not a number, but label_type is {kind}; "
            "for labels that are text set label_type: str"
        ) from None
    missing = np.flatnonzero(np.isnan(values))
    if len(missing):
        row = int(missing[0]) + 1
        raise BadData(f"label column {name!r}, row {row}: no label; every row needs one")
    if kind not in WHOLE_TYPES:
        return values
    return whole(values, f"label column {name!r}", kind).astype(np.int64)


def first_unparsable(texts: Texts, kind: pa.DataType) -> int:
    """Index of the first text that cannot be cast; there must be one. Cost: two castings."""
    start, stop = 0, len(texts)
    while stop - start > 1:
        middle = (start + stop) // 2
        try:
            pc.cast(texts.slice(start, middle - start), kind)
        except pa.ArrowInvalid:
            stop = middle
        else:
            start = middle
    return start


def one(column: Texts) -> pa.Array:
    """A column as one array."""
    if not isinstance(column, pa.ChunkedArray):
        return column
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)


def _array(column: Texts) -> Floats:
    return np.asarray(one(column).to_numpy(zero_copy_only=False), np.float64)
