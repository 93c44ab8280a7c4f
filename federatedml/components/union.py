"""Union: several tables one below the other, each id once.

Parties: guest, host, each for itself. Maths: of rows with one id the first is kept, or, with
``keep_duplicate``, all, under ids that say which table they come from.
Round: none; nothing leaves a party. Parties whose tables have the same ids in the same order get
such a table again.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/small_components.md.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Component, Ctx, Inputs, NamedData, Outputs, register
from federatedml.data import merging
from federatedml.data.frame import Data, Frame, RawTable, Values
from federatedml.errors import BadData
from federatedml.params import Params
from federatedml.runner import KINDS


class UnionParam(Params, frozen=True, kw_only=True):
    """allow_missing: a table may lack columns of another; they are missing in its rows.
    keep_duplicate: keep rows whose id is in several tables; all ids then end in their table's
    name."""

    need_run: bool = True
    allow_missing: bool = False
    keep_duplicate: bool = False


@register("Union")
class Union(Component[UnionParam]):
    Params = UnionParam

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for less than two tables, and for tables that do not go together."""
        given = [one for kind in KINDS for one in inputs.data.get(kind, ())]
        if not given:
            return Outputs(data=[None])
        if len(given) < 2:
            raise BadData(f"{ctx.name}: takes two tables or more as data, got {len(given)}")
        keys = _keys(given)
        tables = [one.data for one in given]
        if self.params.keep_duplicate:
            tables = [_suffixed(t, f"_{key}") for t, key in zip(tables, keys, strict=True)]
        whole = merging.stacked(
            tables, keys, ctx.me, allow_missing=self.params.allow_missing, component=ctx.name
        )
        first = first_of_each(_ids(whole))
        united = whole if len(first) == whole.n_rows else _taken(whole, first)
        counts = {key: table.n_rows for key, table in zip(keys, tables, strict=True)}
        counts["Total"] = united.n_rows
        ctx.report.metric("train", "union", "UNION", list(counts.items()))
        ctx.report.summary(counts)
        return Outputs(data=[united])


def first_of_each(ids: pa.Array) -> NDArray[np.int64]:
    """(m,) rising numbers of the rows whose id was in no row before."""
    if not len(ids):
        return np.empty(0, dtype=np.int64)
    # A dictionary numbers ids in the order in which they first come.
    codes = ids.dictionary_encode().indices.to_numpy().astype(np.int64)
    highest = np.maximum.accumulate(codes)
    is_new = np.ones(len(codes), dtype=np.bool_)
    is_new[1:] = highest[1:] > highest[:-1]
    return np.flatnonzero(is_new)


def _keys(given: Sequence[NamedData]) -> list[str]:
    """FATE's names of the inputs: component.output.i, where i counts equal ones."""
    seen: Counter[str] = Counter()
    names = []
    for one in given:
        names.append(f"{one.key}.{seen[one.key]}")
        seen[one.key] += 1
    return names


def _ids(data: Data) -> pa.Array:
    return data.key if isinstance(data, (RawTable, Values)) else data.ids


def _suffixed(data: Data, suffix: str) -> Data:
    if isinstance(data, (RawTable, Values)):
        named = pc.binary_join_element_wise(data.key.cast(pa.string()), suffix, "")
        return replace(data, key=named)
    return replace(data, ids=pc.binary_join_element_wise(data.ids, suffix, ""))


def _taken(data: Data, rows: NDArray[np.int64]) -> Data:
    if isinstance(data, Frame):
        return data.take(rows)
    index = pa.array(rows)
    if isinstance(data, (RawTable, Values)):
        return replace(data, key=data.key.take(index), columns=data.columns.take(index))
    columns = ("ids", "result", "score", "detail", "stage", "label", "weight", "match_ids")
    return replace(data, **{name: _picked(getattr(data, name), rows, index) for name in columns})


def _picked(column: Any, rows: NDArray[np.int64], index: pa.Array) -> Any:
    if column is None:
        return None
    return column.take(index) if isinstance(column, pa.Array) else column[rows]
