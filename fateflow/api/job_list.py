"""``/v1/job/list``, tasks, data views and reports: what boards and people look through."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, given, shown_host, site
from fateflow.errors import ArgumentError, DownloadError, FlowError
from fateflow.store import queries
from fateflow.wire import rows

blueprint = Blueprint("job_list", __name__, url_prefix="/v1/job")

ROLES = ("guest", "host", "arbiter", "local")
STATES = ("success", "running", "waiting", "failed", "canceled", "timeout")
_ORDERS = ("job_id", "task_version", "create_time", "start_time", "end_time", "elapsed")


@blueprint.post("/list/job")
def list_jobs() -> Response:
    """A page of jobs, newest first; ids, notes and partners match when they contain the text."""
    found = given()
    equal = {"role": _words(found, "role", ROLES), "status": _words(found, "status", STATES)}
    if equal["status"] and "waiting" in equal["status"]:
        equal["status"].append("ready")
    contained = ("job_id", "description", "partner", "party_id")
    like = {name: str(found[name]) for name in contained if found.get(name) not in (None, "")}
    page = _page(found, "create_time", descending=True)
    listed, count = queries.job_page(site().database, equal, like, page)
    return answer({"jobs": [rows.listed_job(row) for row in listed], "count": count})


@blueprint.post("/list/task")
def list_tasks() -> Response:
    found = given()
    names = ("job_id", "role", "party_id", "component_name", "status")
    equal = {name: found.get(name) for name in names}
    page = _page(found, "create_time", descending=False)
    listed, count = queries.task_page(site().database, equal, page)
    return answer({"tasks": [_task(row) for row in listed], "count": count})


@blueprint.post("/task/query")
def query_tasks() -> Response:
    found = [rows.prefixed(_task(row)) for row in queries.tasks(site().database, given())]
    if not found:
        raise FlowError("find task failed", retcode=101)
    return answer(found)


@blueprint.post("/data/view/query")
def query_data_views() -> Response:
    views = queries.output_tables(site().database, given())
    if not views:
        raise FlowError("find data view failed", retcode=101)
    return answer([rows.prefixed(rows.data_view(row)) for row in views])


@blueprint.post("/report")
def report() -> Response:
    """When each component ran, and how it ended."""
    row = asked.job(site(), body(asked.OfJob))
    where = {"job_id": row.job_id, "role": row.role, "party_id": row.party_id}
    tasks = queries.tasks(site().database, where)
    names = ("component_name", "start_time", "end_time", "elapsed", "status")
    return answer([{**{n: getattr(t, n) for n in names}, "index": i} for i, t in enumerate(tasks)])


def _task(row: Any) -> dict[str, Any]:
    return rows.task(row, shown_host(), site().settings.port)


def _words(found: dict[str, Any], name: str, allowed: tuple[str, ...]) -> list[str] | None:
    """One or several of ``allowed``; FATE answers HTTP 400 for others."""
    value = found.get(name)
    if not value:
        return None
    words = value if isinstance(value, list) else [value]
    if any(word not in allowed for word in words):
        raise DownloadError(
            f"Invalid parameter '{name}'. Allowed: {', '.join(allowed)}.", status=400
        )
    return [str(word) for word in words]


def _page(found: dict[str, Any], default: str, *, descending: bool) -> queries.Page:
    order_by, order = found.get("order_by"), found.get("order")
    if order_by and order_by not in _ORDERS:
        raise DownloadError(
            f"Invalid parameter 'order_by'. Allowed: {', '.join(_ORDERS)}.", status=400
        )
    if order and order not in ("asc", "desc"):
        raise DownloadError("Invalid parameter 'order'. Allowed: asc, desc.", status=400)
    if order_by == "task_version" and default == "create_time" and descending:
        raise ArgumentError("jobs have no task_version to order by")
    return queries.Page(
        limit=asked.number(found, "limit", 0),
        number=asked.number(found, "page", 1, least=1),
        order_by=order_by or default,
        descending=order == "desc" if order_by else descending,
    )
