"""FATE-Board's REST: ``/user``, ``/job`` and ``/v1``, as its page and its users' scripts call it.

Always HTTP 200 with ``{code, msg, data}``; accounts, access and limits are the board's own.
"""

from __future__ import annotations

import contextlib
from typing import Any

import msgspec
from flask import Blueprint, Response, g, request
from werkzeug.exceptions import HTTPException

from fateboard import asked, downloads, facade, guard, rsa_login
from fateboard.api.jobs import LONGEST_NOTES
from fateboard.api.session import SignIn, begin, with_cookie
from fateboard.board import answer, board, words
from fateboard.errors import Refused
from fateboard.flow_client import FlowRefused
from fateboard.guard import needs
from fateboard.jobs import check_here, integer, listed, mapping, row_of, rows_of
from fateboard.names import is_name
from fateboard.shapes import JobKey

blueprint = Blueprint("facade", __name__)

LARGEST_PAGE = 1_000
_KEYS = rsa_login.LoginKeys()


class OfJob(msgspec.Struct, frozen=True, kw_only=True):
    """FATE-Board's page sends texts; scripts send party ids as numbers, too."""

    job_id: str | int
    role: str
    party_id: str | int

    @property
    def key(self) -> JobKey:
        """Raises Refused: 404 for a job that a share link does not show."""
        key = JobKey(job_id=str(self.job_id), role=self.role, party_id=str(self.party_id))
        _check_names(key.job_id, key.role, key.party_id)
        guard.check_job(key)
        return key

    @property
    def body(self) -> dict[str, str]:
        """The same for fateflow."""
        return msgspec.structs.asdict(self.key)


class OfComponent(OfJob, frozen=True, kw_only=True):
    component_name: str

    @property
    def body(self) -> dict[str, str]:
        _check_names(self.component_name)
        return {**super().body, "component_name": self.component_name}


@blueprint.errorhandler(Refused)
def _refused(error: Refused) -> Response:
    said = words(f"fault.{error.code}", error.args_shown)
    return _answer(None, code=facade.code_of(error), msg=facade.message_of(error, said))


@blueprint.errorhandler(HTTPException)
def _malformed(error: HTTPException) -> Response:
    return _answer(None, code=facade.SYSTEM, msg=error.name)


@blueprint.post("/user/getKey")
@needs("open")
def key() -> Response:
    return _answer(_KEYS.public())


@blueprint.post("/user/login")
@needs("open")
def login() -> Response:
    """``password``: encrypted under the key of ``/user/getKey``, RSA PKCS#1 v1.5, base64."""
    given = asked.body(SignIn)
    if guard.is_local():
        return _answer(True)
    try:
        token = begin(given.username, _KEYS.opened(given.password))
    except Refused as error:
        if error.code != "wrong_password":
            raise
        return _answer(False)
    return with_cookie(_answer(True), token)


@blueprint.post("/user/logout")
@needs("open")
def logout() -> Response:
    token = request.cookies.get(guard.cookie(), "")
    if g.session and token:
        guard.record("signed out")
        board().sessions.end(token)
    response = _answer(True)
    response.delete_cookie(guard.cookie(), path="/", httponly=True, samesite="Lax")
    return response


@blueprint.get("/job/query/status")
def running() -> Response:
    guard.check_all_jobs()
    wanted = {"status": ["waiting", "running"], "limit": 0, "detail": False}
    rows = listed(board().flow.shared("job/list/job", wanted).data, "jobs")
    return _answer([facade.job(row) for row in rows])


@blueprint.get("/job/query/<job>/<role>/<party>")
def one(job: str, role: str, party: str) -> Response:
    wanted = OfJob(job_id=job, role=role, party_id=party)
    at = wanted.key
    row = row_of(rows_of(board().flow, at.job_id), at)
    return _answer({"job": facade.job(row), "dataset": _data_view(wanted.body)})


class Page(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    """``f_description``: in the notes; ``partner``: the id of another party."""

    job_id: str | int = ""
    party_id: str | int = ""
    page_num: int = 1
    page_size: int = 10
    role: list[str] | None = None
    status: list[str] | None = None
    order_field: str | None = None
    order_rule: str | None = None
    f_description: str | None = None
    partner: str | int | None = None


@blueprint.post("/job/query/page/new")
def page() -> Response:
    guard.check_all_jobs()
    given = asked.body(Page)
    number, size = max(1, given.page_num), min(max(1, given.page_size), LARGEST_PAGE)
    wanted = {
        "job_id": str(given.job_id or ""),
        "party_id": str(given.party_id or ""),
        "description": given.f_description or "",
        "partner": str(given.partner or ""),
        "role": given.role or [],
        "status": _statuses(given.status or []),
        "detail": False,
        "page": number,
        "limit": size,
    }
    if given.order_field:
        if given.order_field not in facade.ORDERS or given.order_rule not in ("asc", "desc", None):
            raise Refused(400, "order_field", allowed=", ".join(facade.ORDERS))
        wanted["order_by"] = given.order_field.removeprefix("f_")
        wanted["order"] = given.order_rule or "asc"
    data = board().flow.shared("job/list/job", wanted).data
    rows = [
        {"job": facade.job(row), "dataset": _data_view_or_none(row)} for row in listed(data, "jobs")
    ]
    total = integer(mapping(data).get("count")) or 0
    return _answer(facade.page(rows, total, number, size))


@blueprint.post("/job/query/fields")
def fields() -> Response:
    return _answer({"status": list(facade.STATUSES), "role": list(facade.ROLES)})


class Notes(OfJob, frozen=True, kw_only=True):
    notes: str = ""


@blueprint.put("/job/update")
@needs("operator")
def update() -> Response:
    """Any text: FATE-Board refuses commas, dots and signs."""
    given = asked.body(Notes)
    if len(given.notes) > LONGEST_NOTES:
        raise Refused(400, "notes_length", most=LONGEST_NOTES)
    check_here(board().flow, given.key)
    board().flow.data("job/update", {**given.body, "notes": given.notes})
    board().flow.forget()
    guard.record("changed notes", "/".join(given.body.values()))
    return _answer(None)


class Order(msgspec.Struct, frozen=True):
    job_id: str | int
    component_name: str = "pipeline"


@blueprint.post("/job/v1/pipeline/job/stop")
@needs("operator")
def stop() -> Response:
    job_id = _job_id(asked.body(Order))
    board().flow.data("job/stop", {"job_id": job_id})
    board().flow.forget()
    guard.record("canceled", job_id)
    return _answer(None)


@blueprint.post("/job/v1/rerun")
@needs("operator")
def rerun() -> Response:
    """The whole job, or from a component on."""
    given = asked.body(Order)
    job_id = _job_id(given)
    _check_names(given.component_name)
    body = {"job_id": job_id, "component_name": given.component_name}
    try:
        board().flow.data("job/rerun", body)
    except FlowRefused as error:
        return _answer(None, code=facade.NOT_RERUN, msg=error.retmsg)
    board().flow.forget()
    guard.record("ran again", f"{job_id} {given.component_name}")
    return _answer(None)


@blueprint.post("/job/tracking/job/data_view")
def data_view() -> Response:
    return _answer(_data_view(asked.body(OfJob).body))


@blueprint.post("/job/componentCommand")
def component_command() -> Response:
    at = asked.body(OfComponent).body
    return _answer(facade.command(at["job_id"], at["role"], at["party_id"], at["component_name"]))


class Download(msgspec.Struct, frozen=True, rename="camel"):
    job_id: str | int
    role: str
    party_id: str | int
    type: str = ""


@blueprint.post("/job/download")
def download() -> Response:
    """The DSL, or the configuration as far as the party may have it."""
    given = asked.body(Download)
    key = OfJob(job_id=given.job_id, role=given.role, party_id=given.party_id).key
    row = row_of(rows_of(board().flow, key.job_id), key)
    if given.type == "dsl":
        name, content = f"job_dsl_{key.job_id}.json", mapping(row.get("dsl"))
    else:
        name = f"runtime_config_{key.job_id}.json"
        content = downloads.conf_for(key.role, mapping(row.get("runtime_conf")))
    guard.record("downloaded", name)
    return downloads.attached(downloads.as_json(content), name)


@blueprint.post("/v1/tracking/component/metrics")
def metrics() -> Response:
    return _answer(board().flow.data("tracking/component/metrics", asked.body(OfComponent).body))


class OfMetric(OfComponent, frozen=True, kw_only=True):
    metric_namespace: str
    metric_name: str


@blueprint.post("/v1/tracking/component/metric_data")
def metric_data() -> Response:
    given = asked.body(OfMetric)
    named = {"metric_namespace": given.metric_namespace, "metric_name": given.metric_name}
    return _whole("tracking/component/metric_data", {**given.body, **named})


class OfMetrics(OfComponent, frozen=True, kw_only=True):
    metrics: dict[str, list[str]]


@blueprint.post("/v1/tracking/component/metric_data/batch")
def metric_batch() -> Response:
    """All in one call of fateflow; a metric that is missing costs only itself."""
    given = asked.body(OfMetrics)
    everything = board().flow.data("tracking/component/metric/all", given.body)
    return _answer(facade.metrics(everything, given.metrics))


@blueprint.post("/v1/tracking/component/parameters")
def parameters() -> Response:
    """A text of JSON, so that its nulls arrive."""
    found = board().flow.data("tracking/component/parameters", asked.body(OfComponent).body)
    return _answer(msgspec.json.encode(found).decode())


@blueprint.post("/v1/pipeline/dag/dependencies")
def dependencies() -> Response:
    body = asked.body(OfJob).body
    dependency = board().flow.data("pipeline/dag/dependency", body)
    tasks = listed(board().flow.shared("job/list/task", {**body, "limit": 0}).data, "tasks")
    return _answer(facade.graph(dependency, tasks))


@blueprint.post("/v1/tracking/component/output/model")
def output_model() -> Response:
    return _whole("tracking/component/output/model", asked.body(OfComponent).body)


@blueprint.post("/v1/tracking/component/output/data")
def output_data() -> Response:
    return _whole("tracking/component/output/data", asked.body(OfComponent).body)


@blueprint.post("/v1/server/fateflow/info")
def flow_info() -> Response:
    guard.check_all_jobs()
    return _answer(board().flow.data("server/fateflow/info"))


def _answer(data: Any, *, code: int = facade.SUCCESS, msg: str = "success") -> Response:
    return answer({"code": code, "msg": msg, "data": data})


def _whole(path: str, body: dict[str, str]) -> Response:
    return _answer(facade.reply(board().flow.reply(path, body)))


def _data_view(body: dict[str, str]) -> Any:
    return board().flow.shared("tracking/job/data_view", body).data


def _data_view_or_none(row: dict[str, Any]) -> Any:
    """A row whose tables cannot be told must not cost the page."""
    with contextlib.suppress(Refused):
        return _data_view({name: str(row.get(name, "")) for name in ("job_id", "role", "party_id")})
    return None


def _statuses(chosen: list[str]) -> list[str]:
    """Its "failed" holds the jobs that took too long, too."""
    return [*chosen, "timeout"] if "failed" in chosen else chosen


def _job_id(given: Order) -> str:
    """Raises Refused."""
    job_id = str(given.job_id)
    _check_names(job_id)
    guard.check_all_jobs()
    return job_id


def _check_names(*names: str) -> None:
    """Raises Refused, FATE's 10008."""
    if not all(map(is_name, names)):
        raise Refused(400, "illegal_name")
