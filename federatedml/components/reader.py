"""Reader: a stored table enters the job, without a copy of its rows.

Parties: guest, host, local. Maths: none.
Round: none; nothing leaves a party. The sample values in its metric stay in this party's record.
Trusts: nobody.
Source: FATE 1.x behaviour, docs/compat/data.md.
"""

from __future__ import annotations

from typing import Any

from eggroll.storage import StoredTable
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import stored
from federatedml.errors import BadData
from federatedml.params import Params
from federation import GUEST, HOST, LOCAL

_SAMPLED_ROWS = 100
_SAMPLES = 5
_NAMES = frozenset({"name", "namespace", "job_id", "component_name", "data_name"})


class ReaderParam(Params, frozen=True, kw_only=True):
    """table: ``{name, namespace}``, or ``{job_id, component_name, data_name}`` for an output of
    an earlier job, which fateflow turns into the former."""

    table: dict[str, Any]

    def __post_init__(self) -> None:
        given = {name for name, value in self.table.items() if value not in (None, "")}
        if unknown := given - _NAMES:
            raise ValueError(f"table: unknown {min(unknown)!r}; there are {sorted(_NAMES)}")
        if not {"name", "namespace"} <= given and not {"job_id", "component_name"} <= given:
            raise ValueError("table: give name and namespace, or job_id and component_name")


@register("Reader")
class Reader(Component[ReaderParam]):
    Params = ReaderParam
    ROLES = frozenset({GUEST, HOST, LOCAL})

    def fit(self, ctx: Ctx, _inputs: Inputs) -> Outputs:
        """Raises eggroll's TableNotFound; BadData for an empty table."""
        namespace, name = self.params.table.get("namespace"), self.params.table.get("name")
        if not namespace or not name:
            raise BadData(f"{ctx.name}: the earlier job has no such output at this party")
        table = ctx.tables.open(str(namespace), str(name))
        if table.count == 0:
            raise BadData(f"{ctx.name}: the table {namespace}.{name} has no rows")
        ctx.report.table_read(str(namespace), str(name))
        ctx.report.metric("reader_namespace", "reader_name", "data_info", (), **_about(table))
        return Outputs(data=[table])


def _about(table: StoredTable) -> dict[str, Any]:
    meta = table.meta
    return {
        "name": "reader",
        "table_name": meta.name,
        "namespace": meta.namespace,
        "table_info": samples(table),
        "anonymous_info": {},
        "attribute_info": {},
        "partitions": meta.partitions,
        "storage_engine": "STANDALONE",
        "count": meta.count,
    }


def samples(table: StoredTable) -> dict[str, str]:
    """Up to five different values of each column but the id, from the first rows."""
    shown = stored.preview(table, _SAMPLED_ROWS)
    columns = zip(*(row[1:] for row in shown["rows"]), strict=False)
    return {
        name: ",".join(list(dict.fromkeys(map(str, column)))[:_SAMPLES])
        for name, column in zip(shown["header"][1:], columns, strict=False)
    }
