"""``/v1/job``: start, stop, change and follow jobs."""

from __future__ import annotations

import re
import threading
import time
from typing import Any

import msgspec
from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, attachment, body, given, shown_host, site
from fateflow.api.table import dropped
from fateflow.domain import ids
from fateflow.errors import ArgumentError, DownloadError, FlowError, NotThere
from fateflow.scheduler import control, models
from fateflow.scheduler import submit as submitting
from fateflow.store import queries
from fateflow.store.orm import JobRow
from fateflow.wire import progress, rows

blueprint = Blueprint("job", __name__, url_prefix="/v1/job")

LONGEST_POLL_S = 30.0
_SLOTS = threading.BoundedSemaphore(40)
"""Waiting requests hold a thread of the server each; some threads must stay free for the rest."""
_COMPONENT = re.compile(r"[A-Za-z0-9_-]+")


@blueprint.post("/submit")
def submit() -> Response:
    """Start a job. Both pairs of names that FATE's clients use are taken."""
    found = given()
    dsl = found.get("job_dsl", found.get("dsl")) or {}
    conf = found.get("job_runtime_conf", found.get("runtime_conf"))
    if conf is None:
        raise ArgumentError("required argument are missing: job_runtime_conf;")
    for name, value in (("job_dsl", dsl), ("job_runtime_conf", conf)):
        if not isinstance(value, dict):
            raise ArgumentError(f"{name} must be a JSON object, got {type(value).__name__}")
    data = submitting.submit(site(), dsl, conf)
    return answer(data, job_id=data["job_id"], retmsg=submitting.warning(conf) or "success")


@blueprint.post("/query")
def query() -> Response:
    filters = given()
    if filters.get("status") == "waiting":
        filters["status"] = ["waiting", "ready"]
    found = [rows.prefixed(rows.job(row)) for row in queries.jobs(site().database, filters)]
    return answer(found, retmsg="success" if found else "no job could be found")


@blueprint.post("/stop")
def stop() -> Response:
    """End a job at all its parties; one that has ended stays as it is."""
    found = given()
    job_id = _known(found)
    control.stop(site(), job_id, str(found.get("stop_status") or "canceled"))
    return answer(retmsg="stop job on this party success; stop job on all party success")


@blueprint.post("/rerun")
def rerun() -> Response:
    """Run again what did not succeed, from the named components on if there are any."""
    found = given()
    job_id = _known(found)
    named = found.get("component_name") or []
    components = [named] if isinstance(named, str) else list(named)
    wanted = [str(name) for name in components if name != "pipeline"]
    control.rerun(site(), job_id, wanted, bool(found.get("force")))
    return answer(retmsg="rerun job success")


@blueprint.post("/config")
def config() -> Response:
    row = _found(body(asked.OfJob))
    common = row.runtime_conf.get("job_parameters", {}).get("common", {})
    return answer(
        {
            "job_id": row.job_id,
            "dsl": row.dsl,
            "runtime_conf": row.runtime_conf,
            "train_runtime_conf": row.train_runtime_conf,
            "model_info": {k: common.get(k) for k in ("model_id", "model_version")},
        }
    )


class Notes(asked.OfJob, frozen=True, kw_only=True):
    notes: str


@blueprint.post("/update")
def update() -> Response:
    wanted = body(Notes)
    row = _found(wanted)
    control.update_notes(site(), row.job_id, wanted.notes, wanted.role, wanted.party_id)
    return answer()


@blueprint.post("/parameter/update")
def update_parameters() -> Response:
    """Change parameters of what has not run yet, for a rerun."""
    found = given()
    job_id = _known(found)
    data = control.update_parameters(
        site(), job_id, found.get("job_parameters") or {}, found.get("component_parameters") or {}
    )
    return answer(data)


@blueprint.post("/clean/queue")
def clean_queue() -> Response:
    """Cancel every waiting job: job id to retcode. FATE's client sends no body at all."""
    return answer(control.clean_queue(site()))


class Clean(asked.OfJob, frozen=True, kw_only=True):
    component_name: str | None = None


@blueprint.post("/clean")
def clean() -> Response:
    """Delete the output tables of a job, or of one role, party or component of it."""
    wanted = body(Clean)
    row = asked.job(site(), wanted)
    columns = ("role", "party_id", "component_name")
    where = {"job_id": row.job_id, **{c: getattr(wanted, c) for c in columns}}
    gone = [
        {"table_name": table.table_name, "namespace": table.table_namespace}
        for table in queries.output_tables(site().database, where)
        if dropped(table.table_namespace, table.table_name)
    ]
    return answer(gone)


class GenerateDsl(msgspec.Struct, frozen=True, kw_only=True):
    cpn_str: str
    train_dsl: str | dict[str, Any]
    filename: str | None = None


@blueprint.post("/dsl/generate")
def generate_dsl() -> Response:
    """The DSL that predicts with some components of a training. ``cpn_str`` is what a user
    typed: names between any punctuation."""
    wanted = body(GenerateDsl)
    try:
        dsl = models.deduced(wanted.train_dsl, _COMPONENT.findall(wanted.cpn_str))
    except FlowError as error:
        raise DownloadError(str(error)) from None
    if wanted.filename:
        return attachment(msgspec.json.encode(dsl), wanted.filename, "application/json")
    return answer(dsl)


@blueprint.post("/url/get")
def url() -> Response:
    wanted = body(asked.OfJob)
    settings = site().settings
    filters = {"job_id": wanted.job_id, "role": wanted.role, "party_id": wanted.party_id}
    urls = [
        ids.board_url(shown_host(), settings.board_port, row.job_id, row.role, row.party_id)
        for row in queries.jobs(site().database, filters)
    ]
    return answer({"board_url": urls})


class Wait(asked.OfJob, frozen=True, kw_only=True):
    """``since``: the ``stamp`` of an earlier answer; the new answer comes when it differs.
    Without it, the answer comes when anything changes from now on."""

    since: str | None = None
    timeout: float = 20.0


@blueprint.post("/wait")
def wait() -> Response:
    """Progress of a job as soon as there is some, or after ``timeout`` seconds (at most 30; at
    once when too many wait already)."""
    wanted = body(Wait)
    if not _SLOTS.acquire(blocking=False):
        return answer(_progress(wanted))
    try:
        return answer(_changed(wanted))
    finally:
        _SLOTS.release()


def _changed(wanted: Wait) -> dict[str, Any]:
    deadline = time.monotonic() + min(max(wanted.timeout, 0.0), LONGEST_POLL_S)
    database, since = site().database, wanted.since
    while True:
        seen = database.writes
        shown = _progress(wanted)
        since = shown["stamp"] if since is None else since
        left = deadline - time.monotonic()
        if shown["stamp"] != since or shown["ended"] or left <= 0:
            return shown
        database.wait_for_write(seen, left)


@blueprint.post("/progress")
def show_progress() -> Response:
    """Where a job stands: state and percent of each component, and why it waits or failed."""
    return answer(_progress(body(asked.OfJob)))


def _progress(wanted: asked.OfJob) -> dict[str, Any]:
    row = asked.job(site(), wanted)
    return progress.of(row, queries.tasks(site().database, {"job_id": row.job_id}))


def _found(wanted: asked.OfJob) -> JobRow:
    """The job's row, or FATE's refusal of these two calls (101)."""
    try:
        return asked.job(site(), wanted)
    except NotThere:
        raise FlowError("find job failed", retcode=101) from None


def _known(found: dict[str, Any]) -> str:
    job_id = found.get("job_id")
    if not job_id or not queries.jobs(site().database, {"job_id": str(job_id)}):
        raise NotThere("can not found job")
    return str(job_id)
