"""Categories of a column, each as a column of its own that is 1 where a row has the category.

Categories are whole numbers or texts, in order; models keep them as texts. A missing value, and a
category that was not in training, is 0 in all of a column's new columns.
Shapes: n rows, k features, K features after encoding.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from federatedml import component, instances
from federatedml.data import naming, parsing
from federatedml.data.frame import Frame, FrameSchema, Matrix
from federatedml.errors import BadData, BadModel
from federatedml.maths import columnwise
from federatedml.maths.scaling_columns import blocks
from federatedml.params import NonNegativeInt, Params

LOG = logging.getLogger(__name__)

MAX_CATEGORIES = 1024
"""Of one column; of more, the column is a number or an id far more often. Source: FATE 1.x."""

MAX_WHOLE = 2.0**53
"""Whole numbers above it are not told apart."""

MAX_DENSE = 1 << 27
"""Cells: above 1 GB the result is csr where that is smaller, whatever the input was."""

Categories = list[int] | list[str]
Codes = NDArray[np.int32]


class ColumnParam(Params, frozen=True, kw_only=True):
    """transform_col_indexes -1: all columns; together with transform_col_names their union."""

    transform_col_indexes: Literal[-1] | list[NonNegativeInt] | None = -1
    transform_col_names: list[str] | None = None
    need_run: bool = True


class OneHotMeta(msgspec.Struct, rename="camel", kw_only=True):
    transform_col_names: list[str] = []
    header: list[str] = []
    need_run: bool = True


class ColumnMap(msgspec.Struct, rename="camel", kw_only=True):
    """values: the categories as texts; transformed_headers: their columns."""

    values: list[str]
    transformed_headers: list[str]


class OneHotParam(msgspec.Struct, rename="camel", kw_only=True):
    col_map: dict[str, ColumnMap] = {}
    result_header: list[str] = []


class EncodingModel(component.Model, kw_only=True):
    """What both encoders keep, under names of their own."""

    meta_name: ClassVar[str] = "OneHotMeta"
    param_name: ClassVar[str] = "OneHotParam"

    meta: OneHotMeta
    param: OneHotParam


@dataclass(frozen=True)
class _Encoded:
    """One encoded column. codes: (n,) which of the new columns is 1, -1 for none. start: the
    number of the first of them in the result."""

    codes: Codes
    start: int


def categories(data: Frame, at: Sequence[int], name: str) -> dict[int, Categories]:
    """The sorted categories of each of these columns.

    None for a column without a value. Raises BadData for fractions, and for too many categories.
    Cost: a hashing of every value, some 10 ns each.
    """
    words, found = instances.texts(data), dict[int, Categories]()
    for j in (j for j in at if j in words):
        found[j] = sorted(pc.unique(parsing.one(words[j])).drop_null().to_pylist())
    numbers = [j for j in at if j not in words]
    fractional = []
    for j, values in zip(numbers, columnwise.filled(data.x, numbers), strict=True):
        distinct = pc.unique(_column(values)).drop_null().to_numpy()
        if not ((distinct == np.floor(distinct)) & (np.abs(distinct) < MAX_WHOLE)).all():
            fractional.append(j)
            continue
        found[j] = np.sort(distinct).astype(np.int64).tolist()
    if fractional:
        raise BadData(
            f"{name}: {naming.named(data.schema, fractional, name)} has values that are no whole "
            "numbers; categories are whole numbers or texts: bin the column first, or leave it out "
            "of transform_col_indexes"
        )
    refuse_many(data.schema, found, name)
    return found


def refuse_many(schema: FrameSchema, found: Mapping[int, Sequence[Any]], name: str) -> None:
    """Raises BadData for columns with more than MAX_CATEGORIES categories."""
    if many := [j for j, values in found.items() if len(values) > MAX_CATEGORIES]:
        raise BadData(
            f"{name}: more than {MAX_CATEGORIES} categories in "
            f"{naming.named(schema, many, name)}; bin the column first, or leave it out of "
            "transform_col_indexes"
        )


def refuse_empty(schema: FrameSchema, found: Mapping[int, Sequence[Any]], name: str) -> None:
    """Raises BadData for columns without any category."""
    if empty := [j for j, values in found.items() if not values]:
        raise BadData(
            f"{name}: all values are missing in {naming.named(schema, empty, name)}; fill them "
            "(FeatureImputation), or leave the column out of transform_col_indexes"
        )


def mapped(
    schema: FrameSchema, found: Mapping[int, Categories], name: str
) -> tuple[OneHotMeta, OneHotParam]:
    """The two halves of a model. Raises BadData if two columns of the result would share a name."""
    header, col_map, result = schema.header, dict[str, ColumnMap](), list[str]()
    sources = list[int]()
    for j, column in enumerate(header):
        if j in found:
            values = [str(value) for value in found[j]]
            new = [f"{column}_{value}" for value in values]
            col_map[column] = ColumnMap(values=values, transformed_headers=new)
        else:
            new = [column]
        result += new
        sources += [j] * len(new)
    counts = Counter(result)
    if twins := sorted({j for j, new in zip(sources, result, strict=True) if counts[new] > 1}):
        raise BadData(
            f"{name}: encoding would give new columns of {naming.named(schema, twins, name)} names "
            "that are taken; rename columns upstream"
        )
    meta = OneHotMeta(transform_col_names=[header[j] for j in sorted(found)], header=list(header))
    return meta, OneHotParam(col_map=col_map, result_header=result)


def encoded(data: Frame, model: EncodingModel, name: str) -> Frame:
    """The columns that the model knows, the encoded ones replaced by their new columns.

    csr stays csr; a dense table stays dense up to MAX_DENSE cells, and if half full. Values that
    were not in training are counted in the log, and so are missing ones. Raises BadModel.
    Cost: a look-up of every value, some 20 ns each.
    """
    places = instances.places(data.schema, model.meta.header, name)
    words, coded = instances.texts(data), list[_Encoded]()
    maps = [model.param.col_map.get(column) for column in model.meta.header]
    starts = np.cumsum([0, *(len(m.values) if m else 1 for m in maps)])
    numbers = [j for j, m in zip(places, maps, strict=True) if m and j not in words]
    columns = columnwise.filled(data.x, numbers)
    for j, m, start in zip(places, maps, starts[:-1].tolist(), strict=True):
        if m is None:
            continue
        column = _column(parsing.one(words[j]) if j in words else next(columns))
        known = _value_set(m.values, column, data.schema, j, name)
        codes = pc.index_in(column, value_set=known)
        _log_zeros(data.schema.header[j], column, codes, name)
        coded.append(_Encoded(pc.fill_null(codes, -1).to_numpy(), start))
    kept = [i for i, m in enumerate(maps) if m is None]
    old, new = [places[i] for i in kept], starts[kept].tolist()
    x = _joined(data.x, old, new, coded, int(starts[-1]))
    return replace(
        data,
        x=x,
        schema=_schema(data.schema, places, model),
        texts=_kept_texts(data, {data.schema.header[j] for j in old if j in words}),
    )


def _column(values: Any) -> pa.Array:
    """nan becomes null; there is one zero."""
    if isinstance(values, np.ndarray):
        return pa.array(values + 0.0, pa.float64(), from_pandas=True)
    return values


def _value_set(
    values: Sequence[str], column: pa.Array, schema: FrameSchema, j: int, name: str
) -> pa.Array:
    """The categories as values of the column's type. Raises BadModel where they are none."""
    if not pa.types.is_floating(column.type):
        return pa.array(values, column.type)
    if column.null_count == len(column):
        return pa.array([], pa.float64())
    try:
        return pa.array([float(value) for value in values], pa.float64())
    except ValueError:
        raise BadModel(
            f"{name}: {naming.named(schema, [j], name)} was text in training and holds numbers "
            "now; set data_type or exclusive_data_type as in training"
        ) from None


def _log_zeros(header: str, column: pa.Array, codes: pa.Array, name: str) -> None:
    if missing := column.null_count:
        LOG.info("%s: %d values of %r are missing: 0 in all its columns", name, missing, header)
    if unknown := codes.null_count - missing:
        LOG.warning(
            "%s: %d values of %r were not in training: 0 in all its columns", name, unknown, header
        )


def _joined(
    x: Matrix, old: Sequence[int], new: Sequence[int], coded: Sequence[_Encoded], width: int
) -> Matrix:
    """(n, K). old: columns of x that stay, new: where they go."""
    n = x.shape[0]
    is_sparse = 2 * (len(old) + len(coded)) < width
    if sparse.issparse(x) or (is_sparse and n * width > MAX_DENSE):
        return _joined_sparse(x, old, new, coded, width)
    found = np.zeros((n, width))
    for part in blocks(n, width) if len(old) else ():
        found[part, new] = x[part, old]
    flat, first = found.reshape(-1), np.arange(n, dtype=np.int64) * width
    for one in coded:
        rows = np.flatnonzero(one.codes >= 0)
        flat[first[rows] + (one.start + one.codes[rows])] = 1.0
    return found


def _joined_sparse(
    x: Matrix, old: Sequence[int], new: Sequence[int], coded: Sequence[_Encoded], width: int
) -> sparse.csr_matrix:
    n = x.shape[0]
    parts = [_ones(coded, n, width)] if coded else []
    if len(old):
        kept = sparse.csr_matrix(x[:, list(old)])
        moved = np.asarray(new)[kept.indices]
        parts.append(sparse.csr_matrix((kept.data, moved, kept.indptr), (n, width)))
    found = parts[0] if parts else sparse.csr_matrix((n, width))
    for part in parts[1:]:
        found = sparse.csr_matrix(found + part)
    return found


def _ones(coded: Sequence[_Encoded], n: int, width: int) -> sparse.csr_matrix:
    """(n, K) with a 1 for each code; row by row in pieces that stay in the cache."""
    starts = np.array([one.start for one in coded], dtype=np.int32)
    total = sum(int(np.count_nonzero(one.codes >= 0)) for one in coded)
    kind = np.int32 if total < 1 << 31 else np.int64
    indices, bounds = np.empty(total, dtype=kind), np.zeros(n + 1, dtype=kind)
    done = 0
    for rows in blocks(n, len(coded)):
        codes = np.stack([one.codes[rows] for one in coded], axis=1)
        there = codes >= 0
        found = (codes + starts)[there]
        indices[done : done + len(found)] = found
        bounds[1:][rows] = done + np.cumsum(there.sum(axis=1))
        done += len(found)
    parts: Any = np.ones(total), indices, bounds
    return sparse.csr_matrix(parts, shape=(n, width))


def _schema(schema: FrameSchema, places: Sequence[int], model: EncodingModel) -> FrameSchema:
    """New columns are known to others by the old one's anonymous name and a number."""
    names, anonymous = schema.anonymous_header, list[str]()
    for j, column in zip(places, model.meta.header, strict=True):
        m = model.param.col_map.get(column)
        if names:
            anonymous += [f"{names[j]}_{i}" for i in range(len(m.values))] if m else [names[j]]
    header = list(model.param.result_header)
    return msgspec.structs.replace(schema, header=header, anonymous_header=anonymous)


def _kept_texts(data: Frame, names: set[str]) -> pa.Table | None:
    if data.texts is None or not names:
        return None
    return data.texts.select([name for name in data.texts.column_names if name in names])
