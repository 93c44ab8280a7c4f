"""The HTTP server's own limits: slow and endless headers, too many connections.

uvicorn waits for a request's head as long as it takes and keeps all of it; here one that takes
long or grows long ends its connection.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

HEAD_S = 10.0
"""From a connection's start, or a request's first byte, to the end of its headers."""

LARGEST_HEAD = 512 << 10
"""Bytes that may come before the headers end; a body may begin in the same read."""

MOST_CONNECTIONS = 2000


class Protocol(HttpToolsProtocol):
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


def server(app: Any, host: str, port: int, backlog: int) -> Server:
    return Server(
        uvicorn.Config(
            app,
            host=host,
            port=port,
            http=Protocol,
            ws="none",
            log_config=None,
            access_log=False,
            lifespan="off",
            backlog=backlog,
            server_header=False,
            timeout_graceful_shutdown=5,
        )
    )
