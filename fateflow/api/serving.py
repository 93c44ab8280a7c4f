"""``/v1/serving``: this site's online inference, for operators and the board. Our own.

The serving's management asks for a token that only this site's user can read; fateflow has it.
"""

from __future__ import annotations

import http.client
from typing import Any

import msgspec
from flask import Blueprint, Response

from fateflow.api.envelope import answer, given, site
from fateflow.errors import ArgumentError, FlowError
from fateflow.settings import Settings

blueprint = Blueprint("serving", __name__, url_prefix="/v1/serving")

MANAGED = ("bind", "rollback", "unbind", "unload", "rate")
CALLS = ("inference", "batchInference")
LIMIT_S, STATUS_S = 30.0, 3.0


@blueprint.post("/status")
def status() -> Response:
    """Models, services with their traffic, parties; ``{"running": false}`` without a serving."""
    settings = site().settings
    if not settings.serving:
        return answer({"running": False})
    told = _asked(settings, "GET", "/v1/serving/status", None)
    return answer({"running": True, "url": settings.serving_url, **told})


@blueprint.post("/<what>")
def manage(what: str) -> Response:
    if what not in MANAGED:
        raise ArgumentError(f"no such order: {what[:40]}; one of {', '.join(MANAGED)}")
    return answer(_asked(_running(), "POST", f"/v1/serving/{what}", given()))


@blueprint.post("/try/<call>")
def try_out(call: str) -> Response:
    """A request as a client would send it; the serving's whole answer is the data."""
    if call not in CALLS:
        raise ArgumentError(f"no such call: {call[:40]}; one of {', '.join(CALLS)}")
    return answer(_asked(_running(), "POST", f"/federation/v1/{call}", given()))


def _running() -> Settings:
    settings = site().settings
    if not settings.serving:
        raise FlowError("this site runs no serving; start it with `distaff up --serving`")
    return settings


def _asked(settings: Settings, method: str, path: str, body: Any) -> dict[str, Any]:
    """The serving's answer. Raises FlowError with its words."""
    token = settings.root / "serving" / "admin.token"
    headers = {"content-type": "application/json"}
    if token.is_file():
        headers["authorization"] = f"Bearer {token.read_text().strip()}"
    connection = http.client.HTTPConnection(
        settings.reachable_host,
        settings.serving_port,
        timeout=STATUS_S if method == "GET" else LIMIT_S,
    )
    try:
        connection.request(method, path, msgspec.json.encode(body), headers)
        reply = connection.getresponse()
        status, content = reply.status, reply.read()
        told = msgspec.json.decode(content, type=dict[str, Any])
    except (OSError, http.client.HTTPException, msgspec.DecodeError) as error:
        raise FlowError(
            f"the serving at {settings.serving_url} does not answer ({type(error).__name__}); "
            "see `distaff status`"
        ) from None
    finally:
        connection.close()
    if status >= 400:
        raise FlowError(str(told.get("error", f"HTTP {status}")))
    return told
