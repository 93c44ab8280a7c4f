"""Files: a job's DSL and configuration as its party may have them, and what fateflow packs."""

from __future__ import annotations

import contextlib
import copy
import threading
from collections.abc import Iterator
from typing import Any

import msgspec
from flask import Response

from fateboard.errors import Refused
from fateboard.flow_client import Flow
from fateboard.jobs import mapping

PIECE = 1 << 16
MOST_AT_ONCE = 16
"""Each holds a thread, and most a connection to fateflow, for as long as its reader takes."""
_PLACES = threading.BoundedSemaphore(MOST_AT_ONCE)
_HOST_HIDES = (
    ("initiator",),
    ("role", "guest"),
    ("role", "arbiter"),
    ("component_parameters", "role", "guest"),
    ("role_parameters", "guest"),
)


def conf_for(role: str, conf: dict[str, Any]) -> dict[str, Any]:
    """What FATE-Board lets a party download: a host not the guest's part, an arbiter nothing.
    Raises Refused (403)."""
    if role == "arbiter":
        raise Refused(403, "conf_of_arbiter")
    shown = copy.deepcopy(conf)
    if role == "host":
        for *folders, last in _HOST_HIDES:
            place: Any = shown
            for folder in folders:
                place = mapping(place).get(folder)
            if isinstance(place, dict):
                place.pop(last, None)
    return shown


def attached(content: bytes, name: str, kind: str = "application/json") -> Response:
    response = Response(content, content_type=kind)
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    return response


def as_json(value: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(value), indent=2)


@contextlib.contextmanager
def place() -> Iterator[None]:
    """One of the places for what is sent piece by piece. Raises Refused when all are taken."""
    if not _PLACES.acquire(blocking=False):
        raise Refused(503, "downloads_taken", retry_after_s=30.0, most=MOST_AT_ONCE)
    try:
        yield
    finally:
        _PLACES.release()


def passed_through(flow: Flow, path: str, body: dict[str, Any], name: str) -> Response:
    """A file of fateflow, never held as a whole. Its failures show before the first byte."""
    with contextlib.ExitStack() as begun:
        begun.enter_context(place())
        source = begun.enter_context(flow.stream(path, body))
        held = begun.pop_all()
    response = Response(source.iter_bytes(PIECE), content_type="application/gzip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.call_on_close(held.close)
    return response
