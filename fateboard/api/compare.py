"""``/api/v1/compare``: jobs side by side."""

from __future__ import annotations

from flask import Blueprint, Response

from fateboard import asked, guard
from fateboard.board import answer, board
from fateboard.compare import comparison
from fateboard.errors import Refused
from fateboard.names import is_name
from fateboard.shapes import JobKey

blueprint = Blueprint("compare", __name__, url_prefix="/api/v1")


@blueprint.get("/compare")
def compare() -> Response:
    """``jobs=job:role:party,...``"""
    guard.check_all_jobs()
    keys = list(dict.fromkeys(_key(word) for word in asked.words("jobs")))
    return answer(comparison(board().flow, keys))


def _key(word: str) -> JobKey:
    """Raises Refused (400)."""
    parts = word.split(":")
    if len(parts) != 3 or not all(map(is_name, parts)):
        raise Refused(400, "compare_job", job=word[:200])
    return JobKey(job_id=parts[0], role=parts[1], party_id=parts[2])
