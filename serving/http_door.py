"""FATE-Serving's REST: ``/federation/<version>/inference`` and ``batchInference``, and ``/unary``.

The status is 200 whatever the outcome, as FATE-Serving's clients expect; the code is in the body.
This door is plain ASGI: it is the hot path.
"""

from __future__ import annotations

import asyncio
import hmac
import time
import uuid
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

import orjson

from serving import fate_json
from serving.access_log import AccessLog
from serving.calls import Answer, Call
from serving.codes import Code, ServingFault
from serving.inference import Inference
from serving.limits import Limits, overloaded
from serving.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/federation/"
SINGLE, BATCH = "inference", "batchInference"
_JSON = [(b"content-type", b"application/json")]


class FateDoor:
    """The two calls of FATE-Serving over HTTP."""

    def __init__(
        self, settings: Settings, inference: Inference, limits: Limits, access: AccessLog
    ) -> None:
        self.settings, self.inference = settings, inference
        self.limits, self.access = limits, access
        self.stopping = False
        self._overload = orjson.dumps(
            fate_json.fault_answer(overloaded("too many requests are being answered"))
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises nothing: every outcome is an answer."""
        started = time.perf_counter()
        name = scope["path"].rpartition("/")[2]
        if self.limits.full:
            self.limits.refused += 1
            self.inference.measures.refused.inc()
            await _send(send, self._overload, [*_JSON, (b"retry-after", b"1")])
            return
        case_id = _header(scope, b"caseid")
        told: dict[str, Any]
        call: Call | None = None
        try:
            self._admit(scope, name)
            body = await read_body(receive, self.settings.most_bytes)
            flat = fate_json.flattened(body, case_id or uuid.uuid4().hex)
            call, answer = await self._answered(flat, name)
            told = (
                fate_json.single_answer(answer)
                if name == SINGLE
                else fate_json.batch_answer(answer)
            )
        except ServingFault as fault:
            told = fate_json.fault_answer(fault)
            answer = Answer(rows=[], code=fault.code, message=str(fault))
        self.access.wrote(name, call, answer, case_id, time.perf_counter() - started)
        await _send(send, orjson.dumps(told), _JSON)

    async def _answered(self, flat: dict[str, Any], name: str) -> tuple[Call, Answer]:
        clock = asyncio.get_running_loop().time()
        if name == SINGLE:
            call = fate_json.single(flat, clock + self.settings.inference_ms / 1000)
        else:
            deadline = clock + self.settings.batch_ms / 1000
            call = fate_json.batch(flat, deadline, self.settings.most_rows)
        with self.limits.one():
            return call, await self.inference.answer(call, name)

    def _admit(self, scope: Scope, name: str) -> None:
        if name not in (SINGLE, BATCH):
            raise ServingFault(Code.NO_SERVICE, "SERVICE_NOT_FOUND")
        if scope["method"] not in ("GET", "POST"):
            raise ServingFault(Code.BAD_PARAMETER, "send the request by POST")
        if self.stopping:
            raise ServingFault(Code.STOPPING, "this serving is shutting down")
        check_key(scope, self.settings.key)


def check_key(scope: Scope, key: str) -> None:
    """Raises ServingFault (129) unless the client sent the key, where one is set."""
    if not key:
        return
    given = _header(scope, b"authorization").removeprefix("Bearer ")
    if not hmac.compare_digest(given.encode(), key.encode()):
        raise ServingFault(
            Code.AUTHENTICATION, "send the serving's key as `Authorization: Bearer ...`"
        )


async def read_body(receive: Receive, most: int) -> bytes:
    """The whole body. Raises ServingFault (100) if it is larger than allowed."""
    parts, size = [], 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ServingFault(Code.BAD_PARAMETER, "the client went away")
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise ServingFault(
                Code.BAD_PARAMETER, f"the request is over {most} bytes; send several smaller ones"
            )
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


async def _send(send: Send, body: bytes, headers: list[tuple[bytes, bytes]]) -> None:
    length = (b"content-length", str(len(body)).encode())
    await send({"type": "http.response.start", "status": 200, "headers": [*headers, length]})
    await send({"type": "http.response.body", "body": body})


def _header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""
