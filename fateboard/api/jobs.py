"""``/api/v1/jobs``: the list, and one job."""

from __future__ import annotations

from flask import Blueprint, Response, request

from fateboard.board import answer, board
from fateboard.job_detail import detail
from fateboard.jobs import integer, listed, shown
from fateboard.shapes import JobKey, JobPage

blueprint = Blueprint("jobs", __name__, url_prefix="/api/v1/jobs")


@blueprint.get("")
def page() -> Response:
    size = min(200, int(request.args.get("size", 20)))
    number = int(request.args.get("page", 1))
    data = board().flow.shared("job/list/job", {"limit": size, "page": number}).data
    rows = [shown(row) for row in listed(data, "jobs")]
    total = integer(data.get("count")) or 0
    return answer(JobPage(total=total, page=number, size=size, jobs=rows, facets={}, metrics=[]))


@blueprint.get("/<name:job>/<name:role>/<name:party>")
def one(job: str, role: str, party: str) -> Response:
    return answer(detail(board().flow, JobKey(job_id=job, role=role, party_id=party)))
