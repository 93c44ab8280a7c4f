"""The HTTP server's own limits: slow and endless headers, too many connections, too many requests.

uvicorn waits for a request's head as long as it takes and keeps all of it; here one that takes
long or grows long ends its connection. A request that there is no room for gets its refusal as soon
as its head has been read: no task is made for it and its body is dropped, so that a flood of them
takes little from those that are answered.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any, Protocol

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from serving.limits import Limits

HEAD_S = 10.0
"""From a connection's start, or a request's first byte, to the end of its headers."""

LARGEST_HEAD = 512 << 10
"""Bytes that may come before the headers end; a body may begin in the same read."""

MOST_CONNECTIONS = 2000


class Door(Protocol):
    """An ASGI application that says at once for whom it has no room."""

    limits: Limits

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None: ...

    def refusal(self, scope: Any) -> tuple[int, bytes] | None:
        """Status and JSON for a request that is not taken."""


class Connection(HttpToolsProtocol):
    """One connection."""

    _waiting: asyncio.TimerHandle | None = None
    _in_head, _head_bytes = True, 0

    def connection_made(self, transport: Any) -> None:
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
            return
        self._wait()

    def data_received(self, data: bytes) -> None:
        if self._in_head:
            self._head_bytes += len(data)
            if self._head_bytes > LARGEST_HEAD:
                self.transport.abort()
                return
        super().data_received(data)

    def on_message_begin(self) -> None:
        self._wait()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._in_head, self._head_bytes = False, 0
        self._stop_waiting()
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        self._in_head = True
        super().on_message_complete()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        door: Any = self.config.app
        refusal = door.refusal(cycle.scope)
        if refusal is None:
            door.limits.coming += 1
            super()._start_asgi_task(cycle, _counted(app, door.limits))
            return
        cycle.response_started = cycle.response_complete = True  # what still comes of it is dropped
        self.transport.write(_refused(*refusal, keep=cycle.keep_alive))
        if not cycle.keep_alive:
            self.transport.close()
        if self.pipeline:  # thousands of them refused within each other would end the stack
            self.loop.call_soon(cycle.on_response)
        else:
            cycle.on_response()

    def _wait(self) -> None:
        self._stop_waiting()
        self._waiting = self.loop.call_later(HEAD_S, self.transport.abort)

    def _stop_waiting(self) -> None:
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None


class Server(uvicorn.Server):
    """uvicorn's, but signals stay with whoever runs the loop: there is a lame-duck time first."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield

    def stop(self) -> None:
        self.should_exit = True


def _counted(app: Any, limits: Limits) -> Any:
    async def begun(scope: Any, receive: Any, send: Any) -> None:
        limits.coming -= 1
        await app(scope, receive, send)

    return begun


def _refused(status: int, body: bytes, *, keep: bool) -> bytes:
    end = "" if keep else "connection: close\r\n"
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"retry-after: 1\r\ncontent-length: {len(body)}\r\n{end}\r\n"
    )
    return head.encode() + body


def server(app: Door, host: str, port: int, backlog: int) -> Server:
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Connection,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            proxy_headers=False,
            backlog=backlog,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
