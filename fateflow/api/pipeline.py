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
    """From the configuration: role to party id to reader to ``namespace.name``."""
    configured = row.runtime_conf.get("component_parameters", {})
    found: dict[str, dict[str, dict[str, str]]] = {}
    for role, ids in row.roles.items():
        for index, party_id in enumerate(ids):
            layers = [configured.get("common", {})]
            for key, value in configured.get("role", {}).get(role, {}).items():
                if key == "all" or str(index) in key.split("|"):
                    layers.append(value)
            tables = {
                name: f"{table['namespace']}.{table['name']}"
                for layer in layers
                for name, parameters in layer.items()
                if isinstance(parameters, dict)
                and isinstance(table := parameters.get("table"), dict)
                and {"name", "namespace"} <= table.keys()
            }
            if tables:
                found.setdefault(role, {})[str(party_id)] = tables
    return found
