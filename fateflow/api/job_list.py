"""``/v1/job/list``, tasks, data views and reports: what boards and people look through."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, given, shown_host, site
from fateflow.errors import ArgumentError, DownloadError, FlowError
from fateflow.store import job_lists, queries
from fateflow.wire import rows

blueprint = Blueprint("job_list", __name__, url_prefix="/v1/job")

ROLES = ("guest", "host", "arbiter", "local")
STATES = ("success", "running", "waiting", "failed", "canceled", "timeout")
_ORDERS = ("job_id", "task_version", "create_time", "start_time", "end_time", "elapsed")


@blueprint.post("/list/job")
def list_jobs() -> Response:
    """A page of jobs, newest first; ids, notes and partners match when they contain the text.

    Ours: ``q`` (in id, name or notes), ``module``, ``from`` and ``to`` (creation, ms), several
    ``party_id``, ``metric`` (of the last evaluation, also to order by), ``facets``, and
    ``detail`` false, for rows with ``modules`` in place of the configurations.
    """
    found = given()
    wanted = _wanted(found)
    heavy = found.get("detail") is not False
    metric = str(found.get("metric") or "")
    page = _page(found, "create_time", (*_ORDERS, "status", "metric"), descending=True)
    database = site().database
    listed, count = job_lists.page(database, wanted, page, heavy=heavy, metric=metric)
    shown = [rows.listed_job(row, heavy=heavy) for row in listed]
    if not heavy:
        modules = job_lists.modules(database, listed)
        for row, told in zip(listed, shown, strict=True):
            told["modules"] = modules.get((row.job_id, row.role, row.party_id), [])
    data: dict[str, Any] = {"jobs": shown, "count": count}
    if metric or found.get("facets"):
        of_jobs = job_lists.metrics(database, wanted)
        for row, told in zip(listed, shown, strict=True) if metric else ():
            told["metric"] = of_jobs.get((row.job_id, row.role, row.party_id), {}).get(metric)
        data["metrics"] = sorted({name for of_job in of_jobs.values() for name in of_job})
    if found.get("facets"):
        data["facets"] = job_lists.facets(database, wanted)
    return answer(data)


def _wanted(found: dict[str, Any]) -> job_lists.Wanted:
    equal = {"role": _words(found, "role", ROLES), "status": _words(found, "status", STATES)}
    if "waiting" in equal["status"]:
        equal["status"].append("ready")
    if isinstance(found.get("party_id"), list):
        equal["party_id"] = _texts(found, "party_id")
    contained = ("job_id", "description", "partner", "party_id")
    like = {
        name: str(found[name])
        for name in contained
        if found.get(name) not in (None, "") and name not in equal
    }
    return job_lists.Wanted(
        equal={name: values for name, values in equal.items() if values},
        like=like,
        text=str(found.get("q") or ""),
        modules=_texts(found, "module"),
        since=_time(found, "from"),
        until=_time(found, "to"),
    )


@blueprint.post("/list/task")
def list_tasks() -> Response:
    found = given()
    names = ("job_id", "role", "party_id", "component_name", "status")
    equal = {name: found.get(name) for name in names}
    page = _page(found, "create_time", _ORDERS, descending=False)
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


def _texts(found: dict[str, Any], name: str) -> list[str]:
    """One or several values."""
    value = found.get(name)
    values = value if isinstance(value, list) else [value]
    return [str(one) for one in values if one not in (None, "")]


def _words(found: dict[str, Any], name: str, allowed: tuple[str, ...]) -> list[str]:
    """One or several of ``allowed``; FATE answers HTTP 400 for others."""
    words = _texts(found, name)
    if any(word not in allowed for word in words):
        raise DownloadError(
            f"Invalid parameter '{name}'. Allowed: {', '.join(allowed)}.", status=400
        )
    return words


def _time(found: dict[str, Any], name: str) -> int | None:
    """Milliseconds since 1970."""
    if found.get(name) in (None, ""):
        return None
    return asked.number(found, name, 0, most=1 << 62)


def _page(
    found: dict[str, Any], default: str, orders: tuple[str, ...], *, descending: bool
) -> queries.Page:
    order_by, order = found.get("order_by"), found.get("order")
    if order_by and order_by not in orders:
        raise DownloadError(
            f"Invalid parameter 'order_by'. Allowed: {', '.join(orders)}.", status=400
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
