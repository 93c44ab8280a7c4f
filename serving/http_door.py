"""FATE-Serving's REST: ``/federation/<version>/inference`` and ``batchInference``, and ``/unary``.

The status is 200 whatever the outcome, as FATE-Serving's clients expect; the code is in the body.
This door is plain ASGI: it is the hot path.
"""

from __future__ import annotations

import asyncio
import hmac
import logging
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
from serving.limits import Limits
from serving.settings import Settings

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

PREFIX = "/federation/"
_SLASHES = 3
"""Of a path ``/federation/<version>/<call>``."""
SINGLE, BATCH = "inference", "batchInference"
_CALLS = (f"/{SINGLE}", f"/{BATCH}")
BODY_S = 20.0
"""From the end of the headers to the end of the body."""

_log = logging.getLogger(__name__)


class FateDoor:
    """The two calls of FATE-Serving over HTTP."""

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        limits: Limits,
        access: AccessLog,
        also: Callable[[], str],
    ) -> None:
        """also: the admin's token, which does for the key."""
        self.settings, self.inference = settings, inference
        self.limits, self.access = limits, access
        self.stopping, self.starting = False, True
        self._also = also
        self._overload = orjson.dumps(fate_json.fault_answer(limits.fault()))

    def refusal(self, scope: Scope) -> tuple[int, bytes] | None:
        """See ``http_server.Door``."""
        if not self.limits.full or not scope["path"].endswith(_CALLS):
            return None
        self.limits.refused += 1
        return 200, self._overload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Raises nothing: every outcome is an answer."""
        started = time.perf_counter()
        name = scope["path"].rpartition("/")[2]
        case_id = header(scope, b"caseid")
        told: dict[str, Any]
        call: Call | None = None
        try:
            self._admit(scope, name)
            body = await read_body(receive, self.settings.most_bytes, self.limits)
            call = self._read(fate_json.flattened(body, case_id or uuid.uuid4().hex), name)
            call.size = len(body)
            with self.limits.one():
                answer = await self.inference.answer(call, name)
            told = (
                fate_json.single_answer(answer)
                if name == SINGLE
                else fate_json.batch_answer(answer)
            )
            content = orjson.dumps(told)
        except Gone:
            return
        except Exception as error:  # noqa: BLE001 (any failure is an answer)
            fault = error if isinstance(error, ServingFault) else unforeseen(error)
            content = orjson.dumps(fate_json.fault_answer(fault))
            answer = Answer(rows=[], code=fault.code, message=str(fault))
        self.access.wrote(name, call, answer, case_id, time.perf_counter() - started)
        await send_json(send, content)

    def _read(self, flat: dict[str, Any], name: str) -> Call:
        clock = asyncio.get_running_loop().time()
        if name == SINGLE:
            return fate_json.single(flat, clock + self.settings.inference_ms / 1000)
        deadline = clock + self.settings.batch_ms / 1000
        return fate_json.batch(flat, deadline, self.settings.most_rows)

    def _admit(self, scope: Scope, name: str) -> None:
        admit_call(scope, name)
        if self.stopping:
            raise ServingFault(Code.STOPPING, "this serving is shutting down")
        if self.starting:
            raise ServingFault(Code.STOPPING, "this serving is starting: its models are restored")
        if self.settings.key:
            check_key(header(scope, b"authorization"), self.settings.key, self._also)


def admit_call(scope: Scope, name: str) -> None:
    """Raises ServingFault (122, 100) for what is none of the two calls."""
    if name not in (SINGLE, BATCH) or scope["path"].count("/") != _SLASHES:
        raise ServingFault(Code.NO_SERVICE, "SERVICE_NOT_FOUND")
    if scope["method"] not in ("GET", "POST"):
        raise ServingFault(Code.BAD_PARAMETER, "send the request by POST")


class Gone(Exception):
    """The client went away before its request was complete: there is nobody to answer."""


def check_key(header: str, key: str, also: Callable[[], str] = str) -> None:
    """Raises ServingFault (129) unless the client sent the key, where one is set, or what ``also``
    gives."""
    if not key:
        return
    given = header.removeprefix("Bearer ").encode()
    if hmac.compare_digest(given, key.encode()):
        return
    other = also()
    if not other or not hmac.compare_digest(given, other.encode()):
        raise ServingFault(
            Code.AUTHENTICATION, "send the serving's key as `Authorization: Bearer ...`"
        )


async def read_body(receive: Receive, most: int, limits: Limits) -> bytes:
    """The whole body. Raises Gone, ServingFault: 100 if it is larger than allowed or does not
    come, 124 if too much is being received altogether."""
    try:
        async with asyncio.timeout(BODY_S):
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body"):
                return _within(bytes(message.get("body", b"")), most)
            with limits.read() as came:
                return await _rest(message, receive, most, came)
    except TimeoutError:
        raise ServingFault(
            Code.BAD_PARAMETER, f"the request's body did not come within {BODY_S:g} s"
        ) from None


async def _rest(
    message: MutableMapping[str, Any], receive: Receive, most: int, came: Callable[[int], None]
) -> bytes:
    body = bytearray()
    while True:
        if message["type"] == "http.disconnect":
            raise Gone
        part = message.get("body", b"")
        came(len(part))
        body += part
        if len(body) > most or not message.get("more_body"):
            return _within(bytes(body), most)
        message = await receive()


def _within(body: bytes, most: int) -> bytes:
    if len(body) > most:
        raise ServingFault(
            Code.BAD_PARAMETER, f"the request is over {most} bytes; send several smaller ones"
        )
    return body


def unforeseen(error: Exception) -> ServingFault:
    _log.error("a request failed", exc_info=error)
    return ServingFault(Code.SYSTEM, f"internal error: {type(error).__name__}")


async def send_json(
    send: Send, body: bytes, status: int = 200, kind: bytes = b"application/json"
) -> None:
    headers = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def header(scope: Scope, name: bytes) -> str:
    for key, value in scope["headers"]:
        if key == name:
            return bytes(value).decode("latin-1")
    return ""
