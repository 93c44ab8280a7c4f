"""``/v1/resource``: cores as FATE books them, and which jobs hold how many."""

from __future__ import annotations

from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, site
from fateflow.scheduler import control
from fateflow.store import queries
from fateflow.store.database import now_ms
from fateflow.wire.rows import date

blueprint = Blueprint("resource", __name__, url_prefix="/v1/resource")

_STARTED_MS = now_ms()


@blueprint.post("/query")
def query() -> Response:
    cores = site().settings.listed_cores
    holding = queries.jobs(site().database, {"resource_in_use": True})
    now = now_ms()
    return answer(
        {
            "use_resource_job": [
                {
                    "job_id": row.job_id,
                    "role": row.role,
                    "party_id": row.party_id,
                    "core": row.cores,
                    "memory": row.memory,
                }
                for row in holding
            ],
            "computing_engine_resource": {
                "f_cores": cores,
                "f_remaining_cores": cores - sum(row.cores for row in holding),
                "f_engine_name": "STANDALONE",
                "f_engine_type": "computing",
                "f_engine_entrance": "fate_on_standalone",
                "f_engine_config": {"cores_per_node": cores, "nodes": 1},
                "f_memory": 0,
                "f_remaining_memory": 0,
                "f_nodes": 1,
                "f_create_time": _STARTED_MS,
                "f_create_date": date(_STARTED_MS),
                "f_update_time": now,
                "f_update_date": date(now),
            },
        }
    )


@blueprint.post("/return")
def give_back() -> Response:
    """Free the cores that a job still holds here; whether it held any."""
    return answer(control.return_resource(site(), body(asked.OfJob).job_id))
