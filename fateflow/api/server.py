"""``/v1/server`` and ``/v1/info``: this server, its settings and what belongs to it."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from fateflow.api.envelope import answer, shown_host, site
from fateflow.api.versions import FATE
from fateflow.store.database import now_ms

blueprint = Blueprint("server", __name__, url_prefix="/v1")

_STARTED_MS = now_ms()
_JOB_DEFAULTS = {
    "total_cores_overweight_percent": 1,
    "task_parallelism": 1,
    "task_cores": 4,
    "job_timeout": 259_200,
    "auto_retries": 0,
    "auto_retry_delay": 1,
    "federated_status_collect_type": "PUSH",
    "output_data_summary_count_limit": 100,
    "max_cores_percent_per_job": 1,
}


@blueprint.post("/server/fateflow/info")
def instances() -> Response:
    settings = site().settings
    name = f"flow-{shown_host()}-{settings.port}"
    return answer(
        {
            name: {
                "instance_id": name,
                "timestamp": _STARTED_MS,
                "version": FATE,
                "host": shown_host(),
                "grpc_port": settings.gateway_port,
                "http_port": settings.port,
            }
        }
    )


@blueprint.post("/server/get", endpoint="registry")
@blueprint.post("/server/service/get", endpoint="services")
def services() -> Response:
    return answer(_registry())


@blueprint.post("/server/reload")
def reload() -> Response:
    """What is in force; settings are read when the server starts."""
    return answer({"job_default_config": _JOB_DEFAULTS, "server_registry": _registry()})


@blueprint.post("/server/config/job/default")
def job_defaults() -> Response:
    return answer(_JOB_DEFAULTS)


@blueprint.route("/info/common", methods=["GET", "POST"])
def common() -> Response:
    settings = site().settings
    return answer(
        {
            "version": FATE,
            "host": shown_host(),
            "http_port": settings.port,
            "grpc_port": settings.gateway_port,
            "party_id": settings.party,
            "serving": settings.serving,
        }
    )


@blueprint.route("/info/fateboard", methods=["GET", "POST"])
def board() -> Response:
    settings = site().settings
    return answer({"host": shown_host(), "port": settings.board_port})


@blueprint.route("/info/eggroll", methods=["GET", "POST"])
def eggroll() -> Response:
    """The table engine is part of the workers: it is there if this server is."""
    return answer()


def _registry() -> dict[str, Any]:
    settings = site().settings
    return {
        "FATEBOARD": {"host": shown_host(), "port": settings.board_port},
        "FATE_ON_STANDALONE": {"standalone": {"cores_per_node": settings.listed_cores, "nodes": 1}},
        "SERVINGS": [f"{shown_host()}:{settings.serving_port}"],
    }
