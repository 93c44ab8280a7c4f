"""Rows of named fields, as svmlight (``fid:value``) and tags (``tag`` or ``tag:value``).

A row is ``[match ids] [label] field field ...``. All rows are split at once into one flat array
of tokens with the bounds of the rows; nothing here loops over rows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from federatedml.data.frame import Floats, RawTable
from federatedml.data.parsing import NotANumber, first_unparsable, floats, one
from federatedml.errors import BadData

Ints = NDArray[np.int64]

MAX_FEATURES = 1 << 20
"""Of an svmlight table: a feature number above it is a mistake far more often than a feature."""

_FID_DELIMITER = ":"


@dataclass(frozen=True)
class Tokens:
    """flat: all tokens of all rows. rows: (t,) row of each; places: (t,) its place in the row."""

    flat: pa.Array
    rows: Ints
    places: Ints
    n_rows: int

    def at(self, place: int, what: str) -> pa.Array:
        """(n,) the token at this place of each row. Raises BadData for a row that is shorter."""
        found = np.flatnonzero(self.places == place)
        if len(found) < self.n_rows:
            short = np.setdiff1d(np.arange(self.n_rows), self.rows[found])
            raise BadData(f"row {int(short[0]) + 1} has no {what} (field {place + 1} after the id)")
        return self.flat.take(pa.array(found))

    def after(self, place: int) -> Tokens:
        """Without the tokens before this place, and without empty ones."""
        full = pc.not_equal(self.flat, pa.scalar("", self.flat.type))
        kept = np.flatnonzero((self.places >= place) & full.to_numpy(zero_copy_only=False))
        places = self.places[kept]
        return Tokens(self.flat.take(pa.array(kept)), self.rows[kept], places, self.n_rows)


def tokens(raw: RawTable, delimiter: str) -> Tokens:
    """The fields of every row. A row of an empty text has one empty field."""
    if raw.schema.wide or raw.columns.num_columns == 1:
        return split(one(raw.columns.column(0).cast(pa.large_string())), delimiter)
    n, width = raw.n_rows, raw.columns.num_columns
    stacked = pa.concat_arrays([one(c.cast(pa.large_string())) for c in raw.columns.columns])
    places = np.tile(np.arange(width, dtype=np.int64), n)
    rows = np.repeat(np.arange(n, dtype=np.int64), width)
    return Tokens(stacked.take(pa.array(places * n + rows)), rows, places, n)


def split(texts: pa.Array, delimiter: str) -> Tokens:
    """Each text at every delimiter."""
    lists = pc.split_pattern(texts, delimiter)
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False).astype(np.int64)
    starts = np.cumsum(counts) - counts
    rows = np.repeat(np.arange(len(texts), dtype=np.int64), counts)
    return Tokens(lists.flatten(), rows, np.arange(len(rows)) - starts[rows], len(texts))


def svmlight(fields: Tokens, n_features: int | None) -> sparse.csr_matrix:
    """(n, k) of fields ``fid:value``; k is the largest fid + 1, or ``n_features`` (further fids
    are left out). Of a repeated fid the last counts. Raises BadData with the row."""
    fids, texts = _pairs(fields, _FID_DELIMITER, "fid:value")
    try:
        columns = np.asarray(pc.cast(fids, pa.int64()))
    except pa.ArrowInvalid:
        at = first_unparsable(fids, pa.int64())
        raise BadData(f"row {_row(fields, at)}: a feature number is not a whole number") from None
    if len(columns) and columns.min() < 0:
        raise BadData(f"row {_row(fields, int(columns.argmin()))}: a feature number is negative")
    values = _values(fields, texts)
    if n_features is None:
        n_features = int(columns.max()) + 1 if len(columns) else 0
        if n_features > MAX_FEATURES:
            row = _row(fields, int(columns.argmax()))
            raise BadData(f"row {row}: a feature number above {MAX_FEATURES - 1}, the largest one")
    inside = columns < n_features
    return _csr(fields.rows[inside], columns[inside], values[inside], (fields.n_rows, n_features))


def tagged(
    fields: Tokens, delimiter: str | None, header: list[str] | None
) -> tuple[sparse.csr_matrix, list[str]]:
    """(n, k) of tags, valued 1, or of fields tag + ``delimiter`` + value; and the k tags.

    header: the tags wanted, others are left out; None: all there are, sorted.
    Raises BadData with the row.
    """
    tags, values = fields.flat, np.ones(len(fields.flat))
    if delimiter is not None:
        tags, texts = _pairs(fields, delimiter, f"tag{delimiter}value")
        values = _values(fields, texts)
    known = pa.array(header, tags.type) if header is not None else pc.unique(tags).sort()
    columns = pc.index_in(tags, value_set=known)
    inside = pc.is_valid(columns).to_numpy(zero_copy_only=False)
    at = pc.fill_null(columns, 0).to_numpy().astype(np.int64)[inside]
    shape = fields.n_rows, len(known)
    return _csr(fields.rows[inside], at, values[inside], shape), known.to_pylist()


def have_delimiter(texts: pa.Array, delimiter: str) -> bool:
    """Whether every text has the delimiter in it."""
    return bool(pc.all(pc.match_substring(texts, delimiter)).as_py())


def _pairs(fields: Tokens, delimiter: str, form: str) -> tuple[pa.Array, pa.Array]:
    lists = pc.split_pattern(fields.flat, delimiter)
    counts = pc.list_value_length(lists).to_numpy(zero_copy_only=False)
    wrong = np.flatnonzero(counts != 2)
    if len(wrong):
        raise BadData(f"row {_row(fields, int(wrong[0]))}: a field is not of the form {form}")
    flat = lists.flatten()
    even = np.arange(len(counts), dtype=np.int64) * 2
    return flat.take(pa.array(even)), flat.take(pa.array(even + 1))


def _values(fields: Tokens, texts: pa.Array) -> Floats:
    try:
        return floats(texts)
    except NotANumber as error:
        raise BadData(
            f"row {_row(fields, error.at)}: the value of a field is not a number"
        ) from None


def _row(fields: Tokens, token: int) -> int:
    return int(fields.rows[token]) + 1


def _csr(rows: Ints, columns: Ints, values: Floats, shape: tuple[int, int]) -> sparse.csr_matrix:
    """Sorted within rows; of entries at one place the last."""
    code = rows * max(shape[1], 1) + columns
    order = np.argsort(code, kind="stable")
    code = code[order]
    last = np.append(code[1:] != code[:-1], True)[: len(code)]
    picked = order[last]
    bounds = np.concatenate([[0], np.cumsum(np.bincount(rows[picked], minlength=shape[0]))])
    kind: Any = np.int32 if len(picked) < 1 << 31 else np.int64
    parts: Any = values[picked], columns[picked].astype(kind), bounds.astype(kind)
    return sparse.csr_matrix(parts, shape=shape)
