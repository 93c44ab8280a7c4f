"""``/api/v1/jobs``: the list, and one job."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response, request

from fateboard import asked, downloads, guard, job_list
from fateboard.board import answer, board
from fateboard.disclosure import disclosure
from fateboard.errors import Refused
from fateboard.guard import needs
from fateboard.job_detail import detail
from fateboard.jobs import check_here, mapping, row_of, rows_of
from fateboard.shapes import JobDetail, JobKey

blueprint = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs")

ONE = "/<name:job>/<name:role>/<name:party>"
LONGEST_NOTES = 2_000
LATEST_MS = 1 << 53


@blueprint.get("")
def page() -> Response:
    """A share link lists its one job."""
    if guard.me().job:
        only = job_list.only(board().flow, _key(*guard.me().job.split("/")))
        return answer(only)
    wanted = job_list.Wanted(
        texts={name: request.args.get(name, "") for name in job_list.TEXTS},
        lists={name: asked.words(name) for name in job_list.LISTS},
        since=asked.optional_number("from", 0, LATEST_MS),
        until=asked.optional_number("to", 0, LATEST_MS),
        sort=request.args.get("sort", ""),
        ascending=request.args.get("order", "desc") == "asc",
        page=asked.number("page", 1, 1, 1_000_000),
        size=asked.number("size", 20, 1, job_list.MOST_ROWS),
        metric=request.args.get("metric", "")[:200],
    )
    return answer(job_list.page(board().flow, wanted))


@blueprint.get(ONE)
def one(job: str, role: str, party: str) -> Response:
    return answer(_shown(_key(job, role, party)))


class Notes(msgspec.Struct, frozen=True):
    notes: str


@blueprint.put(f"{ONE}/notes")
@needs("operator")
def notes(job: str, role: str, party: str) -> Response:
    key, given = _here(job, role, party), asked.body(Notes)
    if len(given.notes) > LONGEST_NOTES:
        raise Refused(400, "notes_length", most=LONGEST_NOTES)
    at = {"job_id": job, "role": role, "party_id": party}
    board().flow.data("job/update", {**at, "notes": given.notes})
    guard.record("changed notes", f"{job}/{role}/{party}")
    return _changed(key)


@blueprint.post(f"{ONE}/cancel")
@needs("operator")
def cancel(job: str, role: str, party: str) -> Response:
    key = _here(job, role, party)
    board().flow.data("job/stop", {"job_id": job})
    guard.record("canceled", job)
    return _changed(key)


class Rerun(msgspec.Struct, frozen=True):
    component: str = ""


@blueprint.post(f"{ONE}/rerun")
@needs("operator")
def rerun(job: str, role: str, party: str) -> Response:
    """The whole job, or from a component on."""
    key, given = _here(job, role, party), asked.body(Rerun)
    body = {"job_id": job, "component_name": given.component or "pipeline"}
    board().flow.data("job/rerun", body)
    guard.record("ran again", f"{job} {given.component}".strip())
    return _changed(key)


@blueprint.get(f"{ONE}/dsl")
def dsl(job: str, role: str, party: str) -> Response:
    row = row_of(rows_of(board().flow, job), _key(job, role, party))
    content = downloads.as_json(mapping(row.get("dsl")))
    guard.record("downloaded", f"{job} dsl")
    return downloads.attached(content, f"job_dsl_{job}.json")


@blueprint.get(f"{ONE}/conf")
def conf(job: str, role: str, party: str) -> Response:
    row = row_of(rows_of(board().flow, job), _key(job, role, party))
    shown = downloads.conf_for(role, mapping(row.get("runtime_conf")))
    guard.record("downloaded", f"{job} conf")
    return downloads.attached(downloads.as_json(shown), f"runtime_config_{job}.json")


@blueprint.get(f"{ONE}/disclosure")
def disclosed(job: str, role: str, party: str) -> Response:
    key = _here(job, role, party)
    return answer(disclosure(board().flow, key, request.args.get("component", "")))


def _key(job: str, role: str, party: str) -> JobKey:
    return JobKey(job_id=job, role=role, party_id=party)


def _here(job: str, role: str, party: str) -> JobKey:
    """Raises Refused (404) for a job that is not here."""
    key = _key(job, role, party)
    check_here(board().flow, key)
    return key


def _changed(key: JobKey) -> Response:
    """The job as it is after an action."""
    board().flow.forget()
    board().hub.poke(key.job_id)
    return answer(_shown(key))


def _shown(key: JobKey) -> JobDetail:
    """A share link shows one party's job, and does not name the others' pages."""
    found = detail(board().flow, key)
    return msgspec.structs.replace(found, siblings=[]) if guard.me().job else found
