"""Tables of one kind stacked, their columns matched by name."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from scipy import sparse

from federatedml.data import anonymous
from federatedml.data.frame import (
    Data,
    Frame,
    FrameSchema,
    Matrix,
    Predictions,
    RawSchema,
    RawTable,
    Values,
)
from federatedml.data.predicting import stacked as stacked_columns
from federatedml.data.predicting import united
from federatedml.errors import BadData
from federation import Party


def stacked(
    tables: Sequence[Data], names: Sequence[str], me: Party, *, allow_missing: bool, component: str
) -> Any:
    """All rows of all tables, in their order; columns stand as in the first table that has them.

    names: of the tables, for errors. allow_missing: a table may lack columns of others, which are
    then missing in its rows: nan, empty in a table as uploaded, and 0, not stored, if it is sparse.
    The result is sparse if the first table is.
    Raises BadData for tables of several kinds, other names of id, label or weight, a label of
    another type, and other columns where these may not be missing.
    """
    for table, name in zip(tables[1:], names[1:], strict=True):
        if type(table) is not type(tables[0]):
            raise BadData(
                f"{component}: {name} is another kind of table than {names[0]}; unite tables as "
                "uploaded, or instances, or predictions, not a mixture"
            )
    where = _Where(list(names), component, allow_missing)
    if isinstance(tables[0], Frame):
        return _frames([t for t in tables if isinstance(t, Frame)], where, me)
    if isinstance(tables[0], RawTable):
        return _raw([t for t in tables if isinstance(t, RawTable)], where)
    if isinstance(tables[0], Predictions):
        return _predictions([t for t in tables if isinstance(t, Predictions)], where)
    values = [t for t in tables if isinstance(t, Values)]
    where.same([list(v.columns.schema) for v in values], "columns")
    where.same([v.content for v in values], "kind of content")
    columns = pa.concat_tables([v.columns for v in values])
    return replace(values[0], key=stacked_columns([v.key for v in values]), columns=columns)


class _Where(msgspec.Struct, frozen=True):
    """names: of the tables that are stacked."""

    names: list[str]
    component: str
    allow_missing: bool

    def same(self, found: Sequence[Any], what: str) -> None:
        """Raises BadData naming the first table that is unlike the first."""
        for value, name in zip(found, self.names, strict=True):
            if value != found[0]:
                raise BadData(
                    f"{self.component}: {name} and {self.names[0]} differ in {what}; tables to "
                    "unite must agree in it"
                )

    def header(self, headers: Sequence[Sequence[str]]) -> list[str]:
        """All columns. Raises BadData for two of one name, or a table that lacks some."""
        whole = list(dict.fromkeys(column for header in headers for column in header))
        for header, name in zip(headers, self.names, strict=True):
            if len(set(header)) < len(header):
                raise BadData(f"{self.component}: {name} has columns of one name; rename them")
            lacking = len(whole) - len(header)
            if lacking and not self.allow_missing:
                raise BadData(
                    f"{self.component}: {name} lacks {lacking} of the {len(whole)} columns of all "
                    "tables; with allow_missing they are missing in its rows"
                )
        return whole


def _frames(frames: list[Frame], where: _Where, me: Party) -> Frame:
    where.same([f.schema.sid_name for f in frames], "the name of the id")
    where.same([f.schema.label_name for f in frames], "the name of the label")
    where.same([f.schema.match_id_name for f in frames], "the name of the match id")
    for part, column in (("labels", "label"), ("weights", "weight"), ("match ids", "match_ids")):
        where.same([getattr(f, column) is None for f in frames], f"whether rows have {part}")
    where.same([isinstance(f.label, pa.Array) for f in frames], "the type of the label")
    header = where.header([f.schema.header for f in frames])
    is_sparse = sparse.issparse(frames[0].x)
    schema = msgspec.structs.replace(
        frames[0].schema, header=header, anonymous_header=_anonymous(frames[0].schema, header, me)
    )
    return Frame(
        ids=stacked_columns([f.ids for f in frames]),
        x=stacked_columns([_spread(f.x, f.schema.header, header, is_sparse) for f in frames]),
        schema=schema,
        label=stacked_columns([f.label for f in frames]),
        weight=stacked_columns([f.weight for f in frames]),
        match_ids=stacked_columns([f.match_ids for f in frames]),
        texts=_texts(frames, header, where),
    )


def _spread(x: Matrix, own: Sequence[str], header: Sequence[str], is_sparse: bool) -> Matrix:
    """The columns of ``header``; what a table lacks is nan, or not stored."""
    if list(own) != list(header):
        at = np.array([header.index(name) for name in own], dtype=np.int64)
        if sparse.issparse(x):
            cells = x.data.copy(), at[x.indices], x.indptr
            moved = sparse.csr_matrix(cells, (x.shape[0], len(header)))
            moved.sort_indices()  # in place, so not in the values of the input
            x = moved
        else:
            wide = np.full((x.shape[0], len(header)), np.nan)
            wide[:, at] = x
            x = wide
    if is_sparse:
        return x if sparse.issparse(x) else sparse.csr_matrix(x)
    return np.asarray(x.toarray()) if sparse.issparse(x) else x


def _anonymous(first: FrameSchema, header: Sequence[str], me: Party) -> list[str]:
    """Names for others: the first table's columns keep theirs, further ones get unused numbers."""
    kept = list(first.anonymous_header)
    if not kept:
        return []
    fresh = (anonymous.anonymous_name(me, i) for i in range(len(header) + len(kept)))
    unused = [name for name in fresh if name not in set(kept)]
    return kept + unused[: len(header) - len(kept)]


def _texts(frames: Sequence[Frame], header: Sequence[str], where: _Where) -> pa.Table | None:
    """Text features of all tables; empty where a table lacks the column."""
    named = [set(f.texts.column_names) if f.texts is not None else set() for f in frames]
    all_texts = set().union(*named)
    for frame, own, name in zip(frames, named, where.names, strict=True):
        if wrong := all_texts & set(frame.schema.header) - own:
            raise BadData(
                f"{where.component}: {len(wrong)} columns of {name} are numbers and elsewhere texts"
            )
    if not all_texts:
        return None
    columns = [name for name in header if name in all_texts]
    parts = [
        {
            name: f.texts.column(name)
            if f.texts is not None and name in own
            else pa.nulls(f.n_rows, pa.string())
            for name in columns
        }
        for f, own in zip(frames, named, strict=True)
    ]
    return pa.concat_tables([pa.table(part) for part in parts])


def _raw(tables: list[RawTable], where: _Where) -> RawTable:
    def said(schema: RawSchema) -> RawSchema:
        return msgspec.structs.replace(schema, header="", expanded=[])

    where.same([said(t.schema) for t in tables], "the format of the upload")
    where.same([bool(t.schema.header) for t in tables], "whether columns have names")
    header = where.header([t.columns.column_names for t in tables])
    delimiter, named = tables[0].schema.delimiter, bool(tables[0].schema.header)
    added = {name for table in tables for name in table.schema.expanded}
    schema = msgspec.structs.replace(
        tables[0].schema,
        header=delimiter.join(header) if named else "",
        expanded=[name for name in header if name in added],
    )
    parts = []
    for table in tables:
        own = set(table.columns.column_names)
        columns = {
            name: table.columns.column(name)
            if name in own
            else pa.repeat(pa.scalar("", pa.string()), table.n_rows)
            for name in header
        }
        parts.append(pa.table(columns))
    return RawTable(stacked_columns([t.key for t in tables]), pa.concat_tables(parts), schema)


def _predictions(tables: list[Predictions], where: _Where) -> Predictions:
    where.same([t.classes for t in tables], "the classes of the predictions")
    where.same([isinstance(t.result, pa.Array) for t in tables], "the type of the label")
    for part, column in (("labels", "label"), ("weights", "weight"), ("match ids", "match_ids")):
        where.same([getattr(t, column) is None for t in tables], f"whether rows have {part}")
    return united(tables)
