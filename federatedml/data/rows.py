"""Choosing, padding and renaming rows, whatever the kind of data."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from federatedml.data.frame import Frame, RawTable

Rows = NDArray[np.int64]


def ids(data: Frame | RawTable) -> pa.Array:
    """The (n,) sample ids."""
    return data.key if isinstance(data, RawTable) else data.ids


def picked(data: Frame | RawTable, rows: Rows) -> Any:
    """These rows, in this order; the very same object if these are all rows in order."""
    if len(rows) == data.n_rows and np.array_equal(rows, np.arange(len(rows))):
        return data
    if isinstance(data, RawTable):
        index = pa.array(rows)
        return replace(data, key=data.key.take(index), columns=data.columns.take(index))
    return data.take(rows)


def renamed(data: Frame | RawTable, names: pa.Array) -> Any:
    """The same rows under other sample ids. names: (n,) text."""
    return replace(data, key=names) if isinstance(data, RawTable) else replace(data, ids=names)


def keys_only(data: Frame | RawTable) -> Any:
    """The sample ids (and match ids) alone: no features, no label, no weight."""
    if isinstance(data, RawTable):
        bare = msgspec.structs.replace(data.schema, header="", wide=False, meta={})
        return replace(data, columns=data.columns.select([]), schema=bare)
    schema = msgspec.structs.replace(
        data.schema,
        header=[],
        anonymous_header=[],
        label_name=None,
        anonymous_label=None,
        weight_name=None,
    )
    bare_x = np.empty((data.n_rows, 0))
    return replace(data, x=bare_x, schema=schema, label=None, weight=None, texts=None)


def padded(frame: Frame, rows: Rows) -> Frame:
    """These rows, where -1 stands for a row of which this party knows nothing.

    Its features, label and weight are missing (nan; an integer label column becomes float), and
    so are its ids, which the caller sets.
    """
    if not (rows < 0).any():
        return frame.take(rows)
    unknown = pa.array(np.where(rows < 0, 0, rows), mask=rows < 0)
    return replace(
        frame,
        ids=frame.ids.take(unknown),
        x=_padded_matrix(frame.x, rows),
        label=_padded_column(frame.label, rows, unknown),
        weight=_padded_column(frame.weight, rows, unknown),
        match_ids=_padded_column(frame.match_ids, rows, unknown),
        texts=_padded_column(frame.texts, rows, unknown),
    )


def _padded_matrix(x: Any, rows: Rows) -> Any:
    blank = np.full((1, x.shape[1]), np.nan)
    if sparse.issparse(x):
        both: list[Any] = [x, sparse.csr_matrix(blank)]
        stacked: Any = sparse.vstack(both)
        return sparse.csr_matrix(stacked)[rows]
    return np.vstack((x, blank))[rows]


def _padded_column(column: Any, rows: Rows, unknown: pa.Array) -> Any:
    if column is None:
        return None
    if isinstance(column, (pa.Array, pa.Table)):
        return column.take(unknown)
    return np.append(column.astype(np.float64), np.nan)[rows]
