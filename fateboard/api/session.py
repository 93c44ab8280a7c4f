"""``/api/v1/session``: sign in, who am I, sign out."""

from __future__ import annotations

from flask import Blueprint, Response

from fateboard.board import answer
from fateboard.shapes import Session

blueprint = Blueprint("session", __name__, url_prefix="/api/v1")


@blueprint.get("/session")
def who() -> Response:
    return answer(Session(user="local", access="admin", local=True))
