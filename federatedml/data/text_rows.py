"""Columns of texts as rows of bytes, all of one width, and back: so that each row can be encrypted
by itself, and no length tells rows apart.

A row is a slot for each column: LENGTH bytes, little-endian, with the length of the text in UTF-8,
the text, and zeros up to the column's width.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]

LENGTH = 4

MAX_ROW = 1 << 16
"""Bytes: a longer row is not made."""


class NotTextRows(ValueError):
    """Bytes that hold no texts. The message has numbers of columns and rows, never the bytes."""


class TextTooLong(ValueError):
    def __init__(self, width: int) -> None:
        super().__init__(f"{width} bytes a row where {MAX_ROW} are possible")


def widths(columns: Sequence[pa.Array]) -> list[int]:
    """Bytes of the longest text of each column. Raises TextTooLong."""
    found = [int(pc.max(pc.binary_length(column)).as_py() or 0) for column in columns]
    if (width := row_width(found)) > MAX_ROW:
        raise TextTooLong(width)
    return found


def row_width(of: Sequence[int]) -> int:
    """Bytes of a row whose columns have these widths."""
    return sum(of) + LENGTH * len(of)


def packed(columns: Sequence[pa.Array], of: Sequence[int]) -> Bytes2D:
    """(n, row_width(of)) from columns (n,) of text without nulls, none longer than its width.

    Cost: a pass over the bytes.
    """
    rows = np.zeros((len(columns[0]), row_width(of)), dtype=np.uint8)
    at = 0
    for column, width in zip(columns, of, strict=True):
        lengths = pc.binary_length(column).to_numpy(zero_copy_only=False).astype("<u4")
        rows[:, at : at + LENGTH] = lengths.view(np.uint8).reshape(-1, LENGTH)
        slot = rows[:, at + LENGTH : at + LENGTH + width]
        slot[np.arange(width) < lengths[:, None]] = _bytes(column)
        at += LENGTH + width
    return rows


def unpacked(rows: Bytes2D, of: Sequence[int]) -> list[pa.Array]:
    """The columns back. Raises NotTextRows."""
    if rows.shape[1] != row_width(of):
        raise NotTextRows(f"{rows.shape[1]} bytes a row where {row_width(of)} hold the columns")
    found, at = [], 0
    for number, width in enumerate(of):
        lengths = np.ascontiguousarray(rows[:, at : at + LENGTH]).view("<u4").ravel()
        if lengths.max(initial=0) > width:
            raise NotTextRows(f"column {number} holds texts that are longer than its width")
        slot = rows[:, at + LENGTH : at + LENGTH + width]
        body = slot[np.arange(width) < lengths[:, None]]
        found.append(_texts(body, lengths, number))
        at += LENGTH + width
    return found


def _bytes(column: pa.Array) -> NDArray[np.uint8]:
    """All texts of a column, one after the other."""
    # Of two arrays a new one is made, whose values begin with the first text; a slice's do not.
    whole = pa.concat_arrays([column.cast(pa.large_binary()), pa.array([], pa.large_binary())])
    _, offsets, values = whole.buffers()
    if not len(whole) or values is None:
        return np.empty(0, dtype=np.uint8)
    end = np.frombuffer(offsets, dtype=np.int64, count=len(whole) + 1)[-1]
    return np.frombuffer(values, dtype=np.uint8, count=int(end))


def _texts(body: NDArray[np.uint8], lengths: NDArray[np.uint32], number: int) -> pa.Array:
    offsets = np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))).astype(np.int64)
    buffers = [None, pa.py_buffer(offsets), pa.py_buffer(np.ascontiguousarray(body))]
    column = pa.Array.from_buffers(pa.large_string(), len(lengths), buffers)
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:
        raise NotTextRows(f"column {number} holds bytes that are no text") from None
    return column.cast(pa.string())
