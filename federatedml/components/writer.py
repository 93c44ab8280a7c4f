"""Writer: a stored table, or a component's output, under another name.

Parties: local. Maths: none. The rows are linked, not copied.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour, docs/compat/data.md.
"""

from __future__ import annotations

from typing import Annotated, Any

import msgspec

from eggroll.errors import TableExists
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.errors import BadData
from federatedml.params import Params
from federation import LOCAL

_OURS = ("", "STANDALONE", "EGGROLL", "LMDB")


class WriterParam(Params, frozen=True, kw_only=True):
    """The table is ``namespace``, ``name``, which fateflow also fills in for an output named by
    job_id, component_name, role and party_id. It is kept as output_namespace, output_name."""

    namespace: str = ""
    name: str = ""
    storage_engine: str = ""
    address: dict[str, Any] | None = None
    output_namespace: str = ""
    output_name: str = ""
    job_id: str | None = None
    component_name: str | None = None
    role: str | None = None
    party_id: str | int | None = None
    partition: Annotated[int, msgspec.Meta(ge=1, le=1023)] | None = None
    destroy: bool = False

    def __post_init__(self) -> None:
        if self.storage_engine.upper() not in _OURS:
            raise ValueError(
                f"storage_engine {self.storage_engine!r} is not there; leave it out to keep the "
                "table here, or use a download job to get a file"
            )
        named = bool(self.namespace and self.name)
        if not named and not (self.job_id and self.component_name):
            raise ValueError("give namespace and name, or job_id and component_name")


@register("Writer")
class Writer(Component[WriterParam]):
    Params = WriterParam
    ROLES = frozenset({LOCAL})

    def fit(self, ctx: Ctx, _inputs: Inputs) -> Outputs:
        """Raises eggroll's TableNotFound or TableExists; BadData if no target is named."""
        params = self.params
        address = params.address or {}
        namespace = params.output_namespace or str(address.get("namespace", ""))
        name = params.output_name or str(address.get("name", ""))
        if not (params.namespace and params.name):
            raise BadData(f"{ctx.name}: the earlier job has no such output at this party")
        if not (namespace and name):
            raise BadData(f"{ctx.name}: say where to: output_namespace and output_name")
        if ctx.tables.exists(namespace, name) and not params.destroy:
            raise TableExists(namespace, name)
        table = ctx.tables.link(ctx.tables.open(params.namespace, params.name), namespace, name)
        ctx.report.table_read(params.namespace, params.name)
        ctx.report.table_stored(table, {"origin": "writer"})
        ctx.report.metric(
            "writer",
            "writer",
            "WRITER",
            [("count", table.count)],
            table_name=name,
            namespace=namespace,
        )
        return Outputs(data=[table])
