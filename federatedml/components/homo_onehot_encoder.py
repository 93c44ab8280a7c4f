"""HomoOneHotEncoder: categories of all clients as columns of 0 and 1, the same at every client.

Parties  guest and hosts, the clients: rows of their own, the same columns. The arbiter puts their
         categories together, with need_alignment.
Maths    federatedml.onehot; the columns of a category are in one order at every client.
Round    with need_alignment; else nothing is sent
         (1) guest -> hosts       digests of its column names, and of those to encode
         (2) clients -> arbiter -> clients   their categories, encrypted, and the union of them, by
                                   federatedml.protocols.sealed_union
         Transformation is local: every client has the whole model.
Trusts   everyone to follow the protocol (semi-honest), and no client to collude with the arbiter.
         Clients learn which categories there are; docs/security/homo_onehot.md.
Source   FATE 1.x behaviour and what we do otherwise: docs/compat/onehot.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import ClassVar

import msgspec

from federatedml import homo_side, instances, onehot
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel
from federatedml.onehot import Categories, ColumnParam, EncodingModel, OneHotMeta, OneHotParam
from federatedml.protocols import sealed_union
from federation import GUEST, HOST, Message
from federation.errors import ProtocolViolation


class HomoOneHotParam(ColumnParam, frozen=True, kw_only=True):
    """need_alignment: encode the categories of all clients; else each client's own, so that
    columns may differ. See ``ColumnParam``."""

    need_alignment: bool = True


class Entry(msgspec.Struct, frozen=True, array_like=True):
    """One category of one column, as it is encrypted."""

    column: int
    value: int | str


class Wire:
    """All that leaves a party."""

    header = Message[list[bytes]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="whether the receiver has the guest's column names and encodes the same columns",
    )
    channel = sealed_union.Wire.channel
    secret = sealed_union.Wire.secret
    sealed = sealed_union.Wire.sealed
    union = sealed_union.Wire.union


class HomoOneHotModel(EncodingModel, kw_only=True):
    meta_name: ClassVar[str] = "OHEAlignmentMeta"
    param_name: ClassVar[str] = "OHEAlignmentParam"


@register("HomoOneHotEncoder")
class HomoOneHotEncoder(Component[HomoOneHotParam]):
    Params = HomoOneHotParam
    agrees = ("need_alignment",)
    Model = HomoOneHotModel

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return self._fit(ctx, inputs)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return self._fit(ctx, inputs)

    def fit_arbiter(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (it has no data)
        if self.params.need_alignment:
            ctx.report.summary({"categories": sealed_union.server(ctx)})  # (2)
        return Outputs(model=HomoOneHotModel(meta=OneHotMeta(), param=OneHotParam()))

    def transform_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return _transformed(ctx, inputs)

    def transform_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return _transformed(ctx, inputs)

    def transform_arbiter(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (nothing to do)
        return Outputs()

    def _fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadParameters for columns that are not there, BadData for what is no category and
        where clients' columns differ."""
        data, p = instances.only(ctx, inputs), self.params
        schema = data.schema
        naming.refuse_twins(schema, range(data.n_features), ctx.name)
        at = columns.chosen(schema, p.transform_col_indexes, p.transform_col_names, ctx.name)
        if p.need_alignment:
            _compare_columns(ctx, data, at)
        found = onehot.categories(data, at, ctx.name)
        if p.need_alignment:
            found = _united(ctx, schema, found)
        onehot.refuse_empty(schema, found, ctx.name)
        meta, param = onehot.mapped(schema, found, ctx.name)
        model = HomoOneHotModel(meta=meta, param=param)
        ctx.report.summary(
            {
                "original_dimension": data.n_features,
                "transferred_dimension": len(param.result_header),
            }
        )
        return Outputs(data=[onehot.encoded(data, model, ctx.name)], model=model)


def _transformed(ctx: Ctx, inputs: Inputs) -> Outputs:
    model, data = inputs.model, instances.only(ctx, inputs)
    if not isinstance(model, HomoOneHotModel):
        raise BadModel(f"{ctx.name} needs a model of HomoOneHotEncoder")
    ctx.report.summary({"transferred_dimension": len(model.param.result_header)})
    return Outputs(data=[onehot.encoded(data, model, ctx.name)], model=model)


def _compare_columns(ctx: Ctx, data: Frame, at: Sequence[int]) -> None:
    """Raises BadData unless this host has the guest's columns and encodes the same of them."""
    header = data.schema.header
    mine = [*homo_side.column_digests(data), homo_side.digest([header[j] for j in at])]
    if ctx.role == GUEST:
        ctx.remote(Wire.header, mine)  # (1)
        return
    theirs = ctx.get(Wire.header)  # (1)
    homo_side.check_columns(ctx.name, theirs[:2], mine[:2])
    if theirs != mine:
        raise BadData(
            f"{ctx.name}: transform_col_indexes and transform_col_names mean other columns here "
            "than at the guest; give them in component_parameters.common"
        )


def _united(ctx: Ctx, schema: FrameSchema, own: Mapping[int, Categories]) -> dict[int, Categories]:
    """The categories of all clients. Raises BadData for text at some and numbers at others."""
    entries = [
        msgspec.msgpack.encode(Entry(j, value)) for j, values in own.items() for value in values
    ]
    found: dict[int, set[int | str]] = {j: set() for j in own}
    for body in sealed_union.client(ctx, entries):  # (2)
        try:
            entry = msgspec.msgpack.decode(body, type=Entry)
            found[entry.column].add(entry.value)
        except (msgspec.DecodeError, KeyError):
            who = ", ".join(map(str, ctx.of_role(GUEST, HOST)))
            problem = "no category of a column"
            raise ProtocolViolation(f"one of {who}", Wire.sealed.name, problem) from None
    if mixed := [j for j, values in found.items() if len({type(v) for v in values}) > 1]:
        raise BadData(
            f"{ctx.name}: {naming.named(schema, mixed, ctx.name)} holds text at some parties and "
            "numbers at others; set the same data_type or exclusive_data_type at all of them"
        )
    united = {j: _ascending(values) for j, values in found.items()}
    onehot.refuse_many(schema, united, ctx.name)
    return united


def _ascending(values: set[int | str]) -> Categories:
    """Sorted; all of one type."""
    numbers = [value for value in values if isinstance(value, int)]
    return sorted(numbers) if numbers else sorted(str(value) for value in values)
