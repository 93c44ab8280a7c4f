"""How each kind of data lies in an Arrow table, and comes back without a copy.

The file describes itself: what must be known beyond the columns (names, classes, delimiter) is
JSON in the Arrow schema's metadata under ``distaff``. Columns:

    raw          key, then the text columns under their own names (or "value")
    instances    id, match_id?, label?, weight?, x or (x_columns, x_values), "text.<name>"...
    predictions  id, match_id?, label?, weight?, result, score, detail, stage
    values       key, then the columns under their own names

Dense features are one column of lists of k doubles, so that the file's bytes *are* the matrix;
csr features are two columns of lists.
"""

from __future__ import annotations

from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from federatedml.data.frame import (
    Data,
    Floats,
    Frame,
    FrameSchema,
    Matrix,
    Predictions,
    RawSchema,
    RawTable,
    Values,
)
from federatedml.errors import BadData

METADATA = b"distaff"


class _Raw(RawSchema, frozen=True, kw_only=True, tag="raw", tag_field="kind"):
    pass


class _Instances(msgspec.Struct, frozen=True, kw_only=True, tag="instances", tag_field="kind"):
    """n_features is kept because a matrix of no columns has no column."""

    schema: FrameSchema
    n_features: int = 0


class _Predictions(msgspec.Struct, frozen=True, kw_only=True, tag="predictions", tag_field="kind"):
    classes: list[Any]
    sid_name: str = "id"
    match_id_name: str | None = None


class _Values(msgspec.Struct, frozen=True, kw_only=True, tag="values", tag_field="kind"):
    sid_name: str = "id"
    content: str = ""


_Kept = _Raw | _Instances | _Predictions | _Values


def raw_metadata(schema: RawSchema) -> dict[bytes, bytes]:
    """Arrow metadata of a raw table, for whoever streams one to storage."""
    return _metadata(_Raw(**msgspec.structs.asdict(schema)))


def kind(data: Data) -> str:
    """What ``TableMeta.kind`` says of it."""
    names = {RawTable: "raw", Frame: "instances", Predictions: "predictions", Values: "values"}
    return names[type(data)]


def to_arrow(data: Data) -> pa.Table:
    """All of it as one Arrow table; feature and detail matrices are not copied if C-ordered."""
    if isinstance(data, RawTable):
        return _with_key("key", data.key, data.columns, raw_metadata(data.schema))
    if isinstance(data, Values):
        kept = _Values(sid_name=data.sid_name, content=data.content)
        return _with_key("key", data.key, data.columns, _metadata(kept))
    if isinstance(data, Frame):
        return _frame_table(data)
    return _predictions_table(data)


def from_arrow(table: pa.Table) -> Data:
    """The data that lies in it. Raises BadData for a table of no known layout."""
    kept = _kept(table.schema)
    if isinstance(kept, _Raw):
        schema = RawSchema(**msgspec.structs.asdict(kept))
        return RawTable(_one(table.column(0)), table.remove_column(0), schema)
    if isinstance(kept, _Values):
        return Values(_one(table.column(0)), table.remove_column(0), kept.sid_name, kept.content)
    if isinstance(kept, _Instances):
        return _frame(table, kept)
    return _predictions(table, kept)


def schema_shown(data: Data) -> dict[str, Any]:
    """The schema that users see of the table (``table/table_info``), in FATE's words."""
    if isinstance(data, RawTable):
        return raw_schema_shown(data.schema)
    if isinstance(data, Predictions):
        header = ["label", "predict_result", "predict_score", "predict_detail", "type"]
        shown = {"header": header, "sid": data.sid_name, "content_type": "predict_result"}
        return shown | ({"match_id_name": data.match_id_name} if data.match_id_name else {})
    if isinstance(data, Values):
        shown = {"header": list(data.columns.column_names), "sid": data.sid_name}
        return shown | ({"content_type": data.content} if data.content else {})
    schema = data.schema
    shown = {
        "header": schema.header,
        "anonymous_header": schema.anonymous_header,
        "sid": schema.sid_name,
    }
    optional = {
        "label_name": schema.label_name,
        "anonymous_label": schema.anonymous_label,
        "match_id_name": schema.match_id_name,
    }
    return shown | {name: value for name, value in optional.items() if value is not None}


def raw_schema_shown(schema: RawSchema) -> dict[str, Any]:
    """An uploaded table's schema as FATE shows it: header, meta, sid."""
    return {"header": schema.header, "meta": schema.meta, "sid": schema.sid}


def _metadata(kept: _Kept) -> dict[bytes, bytes]:
    return {METADATA: msgspec.json.encode(kept)}


def _with_key(
    name: str, key: pa.Array, columns: pa.Table, metadata: dict[bytes, bytes]
) -> pa.Table:
    return columns.add_column(0, name, key).replace_schema_metadata(metadata)


def _frame_table(frame: Frame) -> pa.Table:
    columns: dict[str, Any] = {"id": frame.ids}
    if frame.match_ids is not None:
        columns["match_id"] = frame.match_ids
    if frame.label is not None:
        columns["label"] = _array(frame.label)
    if frame.weight is not None:
        columns["weight"] = _array(frame.weight)
    columns |= _matrix_columns(frame.x)
    if frame.texts is not None:
        columns |= {f"text.{n}": frame.texts.column(n) for n in frame.texts.column_names}
    kept = _Instances(schema=frame.schema, n_features=frame.n_features)
    return pa.table(columns).replace_schema_metadata(_metadata(kept))


def _predictions_table(data: Predictions) -> pa.Table:
    optional = {"match_id": data.match_ids, "label": data.label, "weight": data.weight}
    columns: dict[str, Any] = {"id": data.ids}
    columns |= {name: _array(column) for name, column in optional.items() if column is not None}
    columns |= {"result": _array(data.result), "score": _array(data.score)}
    columns |= {"detail": _lists(data.detail), "stage": data.stage}
    kept = _Predictions(
        classes=[_builtin(c) for c in data.classes],
        sid_name=data.sid_name,
        match_id_name=data.match_id_name,
    )
    return pa.table(columns).replace_schema_metadata(_metadata(kept))


def _matrix_columns(x: Matrix) -> dict[str, pa.Array]:
    if sparse.issparse(x):
        rows = pa.ListArray if x.indptr.dtype == np.int32 else pa.LargeListArray
        bounds = pa.array(x.indptr)
        return {
            "x_columns": rows.from_arrays(bounds, pa.array(x.indices)),
            "x_values": rows.from_arrays(bounds, pa.array(np.asarray(x.data, np.float64))),
        }
    return {"x": _lists(x)} if x.shape[1] else {}


def _lists(matrix: Floats) -> pa.Array:
    flat = np.ascontiguousarray(matrix, np.float64).reshape(-1)
    return pa.FixedSizeListArray.from_arrays(pa.array(flat), matrix.shape[1])


def _array(column: NDArray[Any] | pa.Array) -> pa.Array:
    return column if isinstance(column, (pa.Array, pa.ChunkedArray)) else pa.array(column)


def _builtin(value: Any) -> Any:
    return value.item() if isinstance(value, np.generic) else value


def _kept(schema: pa.Schema) -> _Kept:
    text = (schema.metadata or {}).get(METADATA)
    if text is None:
        raise BadData("the stored table does not say what kind of data it is; upload it again")
    try:
        return msgspec.json.decode(text, type=_Kept)  # type: ignore[no-any-return]
    except msgspec.ValidationError as error:
        raise BadData(f"the stored table is of an unknown layout: {error}") from None


def _frame(table: pa.Table, kept: _Instances) -> Frame:
    names = set(table.column_names)
    texts = [n for n in table.column_names if n.startswith("text.")]
    return Frame(
        ids=_one(table.column("id")),
        x=_matrix(table, kept.n_features),
        schema=kept.schema,
        label=_values(table.column("label")) if "label" in names else None,
        weight=_values(table.column("weight")) if "weight" in names else None,
        match_ids=_one(table.column("match_id")) if "match_id" in names else None,
        texts=table.select(texts).rename_columns([n[5:] for n in texts]) if texts else None,
    )


def _predictions(table: pa.Table, kept: _Predictions) -> Predictions:
    names = set(table.column_names)
    return Predictions(
        ids=_one(table.column("id")),
        result=_values(table.column("result")),
        score=_values(table.column("score")),
        detail=_dense(table.column("detail"), len(kept.classes)),
        classes=kept.classes,
        stage=_one(table.column("stage")),
        label=_values(table.column("label")) if "label" in names else None,
        weight=_values(table.column("weight")) if "weight" in names else None,
        match_ids=_one(table.column("match_id")) if "match_id" in names else None,
        sid_name=kept.sid_name,
        match_id_name=kept.match_id_name,
    )


def _matrix(table: pa.Table, k: int) -> Matrix:
    if "x_values" in table.column_names:
        columns, values = _one(table.column("x_columns")), _one(table.column("x_values"))
        indptr = columns.offsets.to_numpy()
        inner = slice(int(indptr[0]), int(indptr[-1]))
        data = values.values.to_numpy()[inner], columns.values.to_numpy()[inner]
        return sparse.csr_matrix((*data, indptr - indptr[0]), shape=(len(columns), k), copy=False)
    if "x" not in table.column_names:
        return np.empty((len(table), k))
    return _dense(table.column("x"), k)


def _dense(column: pa.ChunkedArray, k: int) -> Floats:
    flat: Floats = _one(column).flatten().to_numpy()
    return flat.reshape(-1, k)


def _values(column: pa.ChunkedArray) -> NDArray[Any] | pa.Array:
    array = _one(column)
    return array if pa.types.is_string(array.type) else array.to_numpy(zero_copy_only=True)


def _one(column: pa.ChunkedArray) -> pa.Array:
    """The column as one array; no copy if it was stored as one batch, as all but uploads are."""
    if column.num_chunks == 1:
        return column.chunk(0)
    return pa.concat_arrays(column.chunks) if column.num_chunks else pa.array([], column.type)
