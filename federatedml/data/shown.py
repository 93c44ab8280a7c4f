"""Data as users see it: header, rows of cells, CSV lines, in the forms that FATE's clients parse.

header: sid, match id, label, weight, then features; predictions end in the five columns label,
predict_result, predict_score, predict_detail, type. A cell of ``predict_detail`` is
``"{'0': 0.1, '1': 0.9}"`` with the outer double quotes and single quotes inside.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from federatedml.data.frame import Data, Frame, Matrix, Predictions, RawTable, Values

_BLOCK_CELLS = 1 << 21
_MATCH_ID = "match_id"
_WHOLE = r"^-?[0-9]+$"


def header(data: Data) -> list[str]:
    """Names of the cells of a row."""
    if isinstance(data, RawTable):
        names = data.schema.header.split(data.schema.delimiter) if data.schema.header else []
        return [data.schema.sid or "id", *names]
    if isinstance(data, Values):
        return [data.sid_name, *data.columns.column_names]
    if isinstance(data, Predictions):
        match = [data.match_id_name or _MATCH_ID] if data.match_ids is not None else []
        names = ["label", "predict_result", "predict_score", "predict_detail", "type"]
        return [data.sid_name, *match, *names]
    schema = data.schema
    return [
        schema.sid_name,
        *([schema.match_id_name or _MATCH_ID] if data.match_ids is not None else []),
        *([schema.label_name or "label"] if data.label is not None else []),
        *([schema.weight_name or "weight"] if data.weight is not None else []),
        *schema.header,
    ]


def rows(data: Data) -> list[list[Any]]:
    """All rows as JSON values: only for the first few of a table. Missing numbers are null."""
    if isinstance(data, RawTable) and data.schema.wide:
        value = data.columns.column(0).to_pylist()
        cells = [text.split(data.schema.delimiter) for text in value]
        return [[key, *rest] for key, rest in zip(data.key.to_pylist(), cells, strict=True)]
    if isinstance(data, (RawTable, Values)):
        columns = [data.key.to_pylist(), *(c.to_pylist() for c in data.columns.columns)]
        return [_jsonable(row) for row in zip(*columns, strict=True)]
    if isinstance(data, Predictions):
        columns = [c for c in (data.ids, data.match_ids) if c is not None]
        label = data.label if data.label is not None else [None] * data.n_rows
        columns += [label, data.result, data.score, _details(data), data.stage]
        return [_jsonable(row) for row in zip(*map(_listed, columns), strict=True)]
    parts = (data.ids, data.match_ids, data.label, data.weight)
    columns = [_listed(c) for c in parts if c is not None]
    columns += [_listed(c) for c in _feature_columns(data)]
    return [_jsonable(row) for row in zip(*columns, strict=True)]


def block_rows(data: Data) -> int:
    """How many rows to turn into text at a time, so that a block stays within some 100 MB."""
    return max(1, _BLOCK_CELLS // len(header(data)))


def csv_lines(data: Data, delimiter: str) -> bytes:
    """All rows as text, a line each, cells joined by the delimiter without quoting.

    Cost: some 200 ns a number; the whole text in memory.
    """
    if data.n_rows == 0:
        return b""
    if isinstance(data, (RawTable, Values)):
        columns = [data.key, *(_one(c) for c in data.columns.columns)]
    elif isinstance(data, Predictions):
        columns = [c for c in (data.ids, data.match_ids) if c is not None]
        label = data.label if data.label is not None else pa.array([""] * data.n_rows)
        columns += [label, data.result, data.score, _detail_texts(data), data.stage]
    else:
        parts = (data.ids, data.match_ids, data.label, data.weight)
        columns = [*(c for c in parts if c is not None), *_feature_columns(data)]
    lines = _joined([texts(column) for column in columns], delimiter)
    return _joined_down(lines)


def _feature_columns(frame: Frame) -> list[Any]:
    """(n,) per feature in header order; text features come from ``texts``."""
    dense = _dense(frame.x)
    named = set(frame.texts.column_names) if frame.texts is not None else set()
    return [
        _one(frame.texts.column(name)) if name in named else dense[:, i]  # type: ignore[union-attr]
        for i, name in enumerate(frame.schema.header)
    ]


def _dense(x: Matrix) -> NDArray[np.float64]:
    return x.toarray() if sparse.issparse(x) else np.asarray(x)


def _details(data: Predictions) -> list[str]:
    names = [str(c) for c in data.classes]
    listed = data.detail.tolist()
    return ['"' + str(dict(zip(names, row, strict=True))) + '"' for row in listed]


def _detail_texts(data: Predictions) -> pa.Array:
    parts: list[Any] = ['"{']
    for i, name in enumerate(data.classes):
        parts += [f"{', ' if i else ''}'{name}': ", texts(data.detail[:, i])]
    return pc.binary_join_element_wise(*parts, '}"', "")


def texts(column: Any) -> pa.Array:
    """A column as text: floats always with a point or exponent, as Python writes them."""
    array = column if isinstance(column, pa.Array) else pa.array(np.ascontiguousarray(column))
    if pa.types.is_string(array.type):
        return pc.fill_null(array, "") if array.null_count else array
    if pa.types.is_list(array.type):  # of clusters, a few rows
        return pa.array([str(cell) for cell in array.to_pylist()], pa.string())
    texts = pc.cast(array, pa.string())
    if pa.types.is_floating(array.type):
        whole = pc.match_substring_regex(texts, _WHOLE)
        if pc.any(whole).as_py():
            texts = pc.if_else(whole, pc.binary_join_element_wise(texts, ".0", ""), texts)
    return pc.fill_null(texts, "") if texts.null_count else texts


def _joined(columns: list[pa.Array], delimiter: str) -> pa.Array:
    return pc.binary_join_element_wise(*columns, delimiter) if len(columns) > 1 else columns[0]


def _joined_down(lines: pa.Array) -> bytes:
    """One text, a newline after each line, without a Python object per line."""
    ended = pc.binary_join_element_wise(lines, "\n", "")
    _, offsets, values = ended.buffers()
    width = np.dtype(np.int64 if pa.types.is_large_string(ended.type) else np.int32)
    bounds = np.frombuffer(offsets, width)[ended.offset : ended.offset + len(ended) + 1]
    return values.slice(int(bounds[0]), int(bounds[-1] - bounds[0])).to_pybytes()  # type: ignore[no-any-return]


def _one(column: pa.ChunkedArray) -> pa.Array:
    return column.chunk(0) if column.num_chunks == 1 else pa.concat_arrays(column.chunks)


def _listed(column: Any) -> list[Any]:
    if isinstance(column, list):
        return column
    return column.to_pylist() if isinstance(column, pa.Array) else column.tolist()  # type: ignore[no-any-return]


def _jsonable(row: Any) -> list[Any]:
    return [None if cell != cell else cell for cell in row]  # noqa: PLR0124 (nan is not JSON)
