"""``/v1/pipeline`` and ``/v1/tracking/job``: a job as a picture, for the board."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, site
from fateflow.domain import dsl
from fateflow.store import queries
from fateflow.wire import rows

blueprint = Blueprint("pipeline", __name__, url_prefix="/v1")


@blueprint.post("/pipeline/dag/dependency")
def dependency() -> Response:
    """Components in topological order, and which output of which one feeds which input."""
    row = asked.job(site(), body(asked.OfJob))
    dag = dsl.parse(row.dsl)
    tasks = queries.tasks(
        site().database, {"job_id": row.job_id, "role": row.role, "party_id": row.party_id}
    )
    skipped = {t.component_name for t in tasks if _skipped(t)}
    return answer(
        {
            "component_list": list(dag.components),
            "dependencies": dag.dependencies,
            "component_module": {name: node.module for name, node in dag.components.items()},
            "component_need_run": {name: name not in skipped for name in dag.components},
        }
    )


@blueprint.post("/tracking/job/data_view")
def data_view() -> Response:
    """Which tables the readers of each party read, and who takes part."""
    row = asked.job(site(), body(asked.OfJob))
    roles = rows.shown_roles(row.roles)
    others = {
        role: [p for p in ids if (role, str(p)) != (row.role, row.party_id)]
        for role, ids in roles.items()
    }
    return answer(
        {
            "partner": {role: ids for role, ids in others.items() if ids},
            "dataset": _datasets(row),
            "roles": roles,
            "model_summary": {},
        }
    )


def _skipped(task: Any) -> bool:
    shown = task.component_parameters.get("ComponentParam", {})
    return task.status == "pass" or shown.get("need_run") is False


def _datasets(row: Any) -> dict[str, dict[str, dict[str, str]]]:
    """From the configuration: role to party id to reader to table. Who started the job sees the
    tables of all parties, the others their own."""
    components = dsl.parse(row.dsl).components
    readers = [name for name, node in components.items() if node.module.lower() == "reader"]
    found: dict[str, dict[str, dict[str, str]]] = {}
    for role, ids in row.roles.items():
        for index, party_id in enumerate(ids):
            if row.is_initiator or (role, str(party_id)) == (row.role, row.party_id):
                tables = _tables(row.runtime_conf, readers, role, index)
                if tables:
                    found.setdefault(role, {})[str(party_id)] = tables
    return found


def _tables(conf: dict[str, Any], readers: list[str], role: str, index: int) -> dict[str, str]:
    """What each reader reads at one party, of those that are configured for it."""
    configured = conf.get("component_parameters", {})
    layers = [configured.get("common", {})]
    for key, value in configured.get("role", {}).get(role, {}).items():
        if key == "all" or str(index) in key.split("|"):
            layers.append(value)
    named = {
        name: parameters.get("table")
        for layer in layers
        for name, parameters in layer.items()
        if name in readers and isinstance(parameters, dict)
    }
    return {name: _table_name(table) for name, table in named.items()}


def _table_name(table: Any) -> str:
    """FATE's words for a table: its own name, or whose output it is."""
    if isinstance(table, dict):
        if table.get("name") and table.get("namespace"):
            return f"{table['namespace']}.{table['name']}"
        if table.get("job_id") and table.get("component_name"):
            output = table.get("data_name") or "data"
            return f"{table['job_id']}.{table['component_name']}.{output}"
    return "unknown"
