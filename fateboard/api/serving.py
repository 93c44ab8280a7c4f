"""``/api/v1/serving``: this site's online inference, for everyone who may see all jobs; operators
change it and try requests."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from flask import Blueprint, Response

from fateboard import asked, guard, serving
from fateboard.board import answer, board
from fateboard.errors import Refused
from fateboard.guard import needs
from fateboard.jobs import mapping
from fateboard.shapes import ServingAnswer

blueprint = Blueprint("serving", __name__, url_prefix="/api/v1/serving")


@blueprint.get("")
def shown() -> Response:
    guard.check_all_jobs()
    return _now()


@blueprint.post("/bind")
@needs("operator")
def bind() -> Response:
    return _ordered("bind", "bound", serving.Bind)


@blueprint.post("/rollback")
@needs("operator")
def rollback() -> Response:
    return _ordered("rollback", "rolled back", serving.OfService)


@blueprint.post("/unbind")
@needs("operator")
def unbind() -> Response:
    return _ordered("unbind", "unbound", serving.OfService)


@blueprint.post("/unload")
@needs("operator")
def unload() -> Response:
    return _ordered("unload", "unloaded", serving.Unload)


@blueprint.post("/rate")
@needs("operator")
def rate() -> Response:
    return _ordered("rate", "limited", serving.Rate)


@blueprint.post("/try/inference")
@needs("operator")
def try_one() -> Response:
    return _tried("inference")


@blueprint.post("/try/batchInference")
@needs("operator")
def try_batch() -> Response:
    return _tried("batchInference")


def _ordered(what: str, act: str, kind: type[Any]) -> Response:
    """The serving as it is after an order. Raises Refused."""
    order = asked.body(kind)
    serving.check(order)
    board().flow.data(f"serving/{what}", mapping(msgspec.to_builtins(order)))
    guard.record(act, serving.about(order))
    board().flow.forget()
    return _now()


def _tried(call: str) -> Response:
    """The audit log has no feature: only that the serving was asked, and for which service."""
    request = asked.body(dict[str, Any])
    head = mapping(request.get("head"))
    guard.record("tried a request", str(head.get("serviceId", ""))[: serving.LONGEST])
    begun = time.perf_counter()
    told = board().flow.data(f"serving/try/{call}", request)
    elapsed_ms = (time.perf_counter() - begun) * 1000
    if not isinstance(told, dict):
        raise Refused(502, "flow_garbled", url=board().flow.url, path=f"serving/try/{call}")
    return answer(ServingAnswer(answer=told, elapsed_ms=elapsed_ms))


def _now() -> Response:
    return answer(serving.status(board().flow, int(time.time() * 1000)))
