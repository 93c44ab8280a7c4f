"""``/v1/worker``: a worker of this machine says that it has written events."""

from __future__ import annotations

import hmac

from flask import Blueprint, Response, request

from fateflow.api.envelope import answer, site
from fateflow.errors import NotThere, RetCode
from fateflow.scheduler import events
from fateflow.store import tasks

blueprint = Blueprint("worker", __name__, url_prefix="/v1/worker")


class NotItsToken(NotThere):
    """The same answer whether the task is unknown or the token wrong."""

    retcode = RetCode.AUTHENTICATION_ERROR

    def __init__(self) -> None:
        super().__init__("no such task with this token")


@blueprint.post("/<job_id>/<component>/<int(max=2147483647):version>/<role>/<party_id>")
def nudge(job_id: str, component: str, version: int, role: str, party_id: str) -> Response:
    """Read what the task wrote since the last time. The request has no body: what happened
    stands in the task's own file."""
    key = (job_id, component, version, role, party_id)
    with site().database.read() as session:
        row = tasks.one(session, key)
    given = request.headers.get("X-Task-Token", "")
    if row is None or not row.task_token or not _same(row.task_token, given):
        raise NotItsToken
    events.intake(site(), key)
    return answer()


def _same(left: str, right: str) -> bool:
    return hmac.compare_digest(left.encode(), right.encode())
