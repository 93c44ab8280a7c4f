"""ColumnExpand: columns of one value each, put to a table as uploaded, before DataTransform.

Parties: guest, host, each for itself. Maths: none.
Round: none; nothing leaves a party. Others later see the columns as ``<role>_<party>_exp_<i>``.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/small_components.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar, Literal

import msgspec
import pyarrow as pa

from federatedml import component
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data.frame import RawTable
from federatedml.errors import BadData, BadModel
from federatedml.params import Params
from federatedml.runner import KINDS

Value = int | float | str


class ColumnExpandParam(Params, frozen=True, kw_only=True):
    """fill_value: one for all columns of append_header, or one for each."""

    append_header: str | list[str] | None = None
    method: Literal["manual"] = "manual"
    fill_value: Value | list[Value] = 1e-8
    need_run: bool = True

    def __post_init__(self) -> None:
        names = self.names
        if len(set(names)) < len(names):
            raise ValueError("append_header names a column twice")
        if not all(name.strip() for name in names):
            raise ValueError("append_header: a column needs a name")
        if isinstance(self.fill_value, list) and len(self.fill_value) not in (1, len(names)):
            raise ValueError(
                f"fill_value has {len(self.fill_value)} values for {len(names)} columns of "
                "append_header; give one value, or one a column"
            )

    @property
    def names(self) -> list[str]:
        given = self.append_header
        return [given] if isinstance(given, str) else list(given or ())

    @property
    def values(self) -> list[str]:
        """(k,) as text, one a column."""
        given = self.fill_value if isinstance(self.fill_value, list) else [self.fill_value]
        return [str(v) for v in (given * len(self.names) if len(given) == 1 else given)]


class ColumnExpandMeta(msgspec.Struct, rename="camel", kw_only=True):
    append_header: list[str] = msgspec.field(default_factory=list)
    method: str = "manual"
    fill_value: list[str] = msgspec.field(default_factory=list)
    need_run: bool = True


class ColumnExpandFitted(msgspec.Struct, rename="camel", kw_only=True):
    """header: of the whole table, the new columns last."""

    header: list[str] = msgspec.field(default_factory=list)


class ColumnExpandModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "ColumnExpandMeta"
    param_name: ClassVar[str] = "ColumnExpandParam"

    meta: ColumnExpandMeta
    param: ColumnExpandFitted


@register("ColumnExpand")
class ColumnExpand(Component[ColumnExpandParam]):
    Params = ColumnExpandParam
    Model = ColumnExpandModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for what is no table of named columns, or has one of these already."""
        params, raw = self.params, _raw(ctx, inputs)
        there = set(raw.columns.column_names) & set(params.names)
        if there:
            raise BadData(
                f"{ctx.name}: the table has {len(there)} of the {len(params.names)} columns of "
                "append_header already; give other names"
            )
        expanded = _expanded(ctx, raw, params.names, params.values)
        meta = ColumnExpandMeta(
            append_header=params.names, method=params.method, fill_value=params.values
        )
        param = ColumnExpandFitted(header=list(expanded.columns.column_names))
        return Outputs(data=[expanded], model=ColumnExpandModel(meta=meta, param=param))

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """The columns of the model, of those that the table does not have itself."""
        model, raw = inputs.model, _raw(ctx, inputs)
        if not isinstance(model, ColumnExpandModel):
            raise BadModel(f"{ctx.name}: the model is none of ColumnExpand")
        own = set(raw.columns.column_names)
        pairs = zip(model.meta.append_header, model.meta.fill_value, strict=True)
        lacking = {name: value for name, value in pairs if name not in own}
        return Outputs(data=[_expanded(ctx, raw, list(lacking), list(lacking.values()))])


def _raw(ctx: Ctx, inputs: Inputs) -> RawTable:
    data = inputs.one(*KINDS)
    if not isinstance(data, RawTable):
        raise BadData(
            f"{ctx.name}: takes a table as uploaded; put it between Reader and DataTransform"
        )
    return data


def _expanded(ctx: Ctx, raw: RawTable, names: Sequence[str], values: Sequence[str]) -> RawTable:
    """The table with these columns last. Raises BadData for one without named columns."""
    if not names:
        return raw
    if raw.schema.wide or not raw.schema.header:
        raise BadData(
            f"{ctx.name}: the table's rows have no named columns (sparse, tags, or uploaded "
            "without a header); there is nothing to put a column to"
        )
    delimiter, columns = raw.schema.delimiter, raw.columns
    if any(delimiter in text for text in (*names, *values)):
        raise BadData(f"{ctx.name}: append_header and fill_value must not hold the delimiter")
    for name, value in zip(names, values, strict=True):
        columns = columns.append_column(name, pa.repeat(pa.scalar(value, pa.string()), raw.n_rows))
    schema = msgspec.structs.replace(
        raw.schema,
        header=delimiter.join((raw.schema.header, *names)),
        expanded=[*raw.schema.expanded, *names],
    )
    return replace(raw, columns=columns, schema=schema)
