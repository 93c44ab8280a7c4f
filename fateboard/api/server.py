"""``/api/v1/server``, ``/api/v1/messages`` and ``/healthz``."""

from __future__ import annotations

from importlib.metadata import version

from flask import Blueprint, Response

from fateboard import messages
from fateboard.board import answer, board, words
from fateboard.errors import Refused
from fateboard.guard import needs
from fateboard.jobs import mapping, text
from fateboard.shapes import ServerInfo

blueprint = Blueprint("server", __name__)


@blueprint.get("/api/v1/messages/<name:language>")
@needs("file")
def catalogue(language: str) -> Response:
    """Read from the files, so that a changed catalogue shows without a restart."""
    if language not in messages.LANGUAGES:
        raise Refused(404, "no_page")
    return answer(messages.catalogues()[language])


@blueprint.get("/api/v1/server")
def server() -> Response:
    return answer(_info())


@blueprint.get("/healthz")
@needs("open")
def health() -> Response:
    return answer({"version": version("distaff"), "flow_up": board().flow.answers()})


def _info() -> ServerInfo:
    flow, problem, common = board().flow, "", {}
    try:
        common = mapping(flow.shared("info/common").data)
    except Refused as error:
        problem = words(f"fault.{error.code}", error.args_shown)
    return ServerInfo(
        board_version=version("distaff"),
        flow_url=flow.url,
        flow_up=not problem,
        flow_version=text(common.get("version")),
        problem=problem,
        party_id=text(common.get("party_id")),
        serving=common.get("serving") is True,
    )
