"""Files: a job's DSL and configuration as its party may have them, and what fateflow packs."""

from __future__ import annotations

import contextlib
import copy
from typing import Any

import msgspec
from flask import Response

from fateboard.errors import Refused
from fateboard.flow_client import Flow
from fateboard.jobs import mapping

PIECE = 1 << 16
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


def passed_through(flow: Flow, path: str, body: dict[str, Any], name: str) -> Response:
    """A file of fateflow, never held as a whole. Its failures show before the first byte."""
    held = contextlib.ExitStack()
    source = held.enter_context(flow.stream(path, body))
    response = Response(source.iter_bytes(PIECE), content_type="application/gzip")
    response.headers["Content-Disposition"] = f'attachment; filename="{name}"'
    response.call_on_close(held.close)
    return response
