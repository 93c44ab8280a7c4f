"""``JK/logs``: lines, search, whole files."""

from __future__ import annotations

import contextlib
import itertools

from flask import Blueprint, Response, request

from fateboard import asked, downloads, guard, logs
from fateboard.board import answer, board
from fateboard.errors import Refused
from fateboard.jobs import check_here
from fateboard.names import is_name
from fateboard.pollers import JobPoller
from fateboard.shapes import JobKey

blueprint = Blueprint(
    "logs", __name__, url_prefix="/api/v1/jobs/<name:job>/<name:role>/<name:party>"
)

LARGEST = 1 << 31


@blueprint.get("/logs/<name:kind>")
def lines(job: str, role: str, party: str, kind: str) -> Response:
    begin = asked.number("begin", -50, -logs.MOST_LINES, LARGEST)
    end = asked.optional_number("end", 0, LARGEST)
    body, known = _wanted(job, role, party, kind), 0
    follower = board().hub.poller(f"job:{job}/{role}/{party}")
    if isinstance(follower, JobPoller) and "attempt" not in body:  # an earlier one does not grow
        which = (kind, str(body["component_name"]))
        if begin != -1:  # who asks for the last line alone wants to know how many there are
            follower.follow(*which)
        known = follower.totals.get(which, 0)
    return answer(logs.lines(board().flow, body, begin, end, known))


@blueprint.get("/logs/<name:kind>/attempts")
def attempts(job: str, role: str, party: str, kind: str) -> Response:
    return answer(logs.attempts(board().flow, _wanted(job, role, party, kind)))


@blueprint.get("/logs/<name:kind>/find")
def find(job: str, role: str, party: str, kind: str) -> Response:
    direction = request.args.get("direction", "next")
    if direction not in ("next", "previous"):
        raise Refused(400, "log_direction")
    query = {
        "text": request.args.get("text", ""),
        "regex": request.args.get("regex", "0") == "1",
        "level": request.args.get("level", ""),
        "from": asked.number("from", 0, 0, LARGEST),
        "direction": direction,
    }
    return answer(logs.find(board().flow, _wanted(job, role, party, kind), query))


@blueprint.get("/logs/<name:kind>/raw")
def raw(job: str, role: str, party: str, kind: str) -> Response:
    """As plain text, so that the browser's own search works; never as a page."""
    with contextlib.ExitStack() as begun:
        begun.enter_context(downloads.place())
        pieces = logs.raw(board().flow, _wanted(job, role, party, kind))
        first = next(pieces, b"")
        held = begun.pop_all()
    content = itertools.chain([first], pieces)
    response = Response(content, content_type="text/plain; charset=utf-8")
    response.call_on_close(held.close)
    return response


@blueprint.get("/logs.tar.gz")
def archive(job: str, role: str, party: str) -> Response:
    key = JobKey(job_id=job, role=role, party_id=party)
    check_here(board().flow, key)
    body = {"job_id": job}
    guard.check_all_jobs()
    guard.record("downloaded", f"{job} logs")
    return downloads.passed_through(board().flow, "job/log/download", body, f"{job}_logs.tar.gz")


def _wanted(job: str, role: str, party: str, kind: str) -> dict[str, object]:
    """Raises Refused: 404 for a job that is not here."""
    key = JobKey(job_id=job, role=role, party_id=party)
    component = request.args.get("component", "")
    if component and not is_name(component):
        raise Refused(400, "log_component", kind=kind)
    attempt = asked.optional_number("attempt", 0, LARGEST)
    body = logs.wanted(key, kind, component, attempt)
    check_here(board().flow, key)
    return body
