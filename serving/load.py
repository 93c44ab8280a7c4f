"""Open-loop load: requests at a constant rate whatever the answers, timed from when each was due.

``python -m serving.load URL FILE [--rate 300] [--seconds 10]`` sends the JSON of FILE (a request a
line; they take turns) to this machine and prints latencies and codes. Waiting for an answer never
delays the next request, so a stall is counted in full (no coordinated omission).
"""

from __future__ import annotations

import argparse
import asyncio
import ipaddress
import json
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, cast
from urllib.parse import urlsplit

import msgspec
import orjson
import uvloop

from serving.codes import Code

CONNECTIONS = 64
"""Open together unless told otherwise. For more than a server takes on, give more than that: a
request that waits here for a connection is never refused there."""


WARM_UP_RATE = 300.0


class Outcome(msgspec.Struct):
    """latencies_s: of all answered requests, by due time. codes: return codes, or the error's name
    of requests without an answer. refused_s: of answers of 124 (too much load), from sending."""

    latencies_s: list[float]
    refused_s: list[float]
    codes: dict[str, int]
    seconds: float
    answers: list[dict[str, Any]]

    def quantile(self, q: float) -> float:
        return quantile(self.latencies_s, q)

    def told(self) -> str:
        p = {q: 1000 * self.quantile(q) for q in (0.5, 0.9, 0.99, 0.999)}
        rate = len(self.latencies_s) / self.seconds
        return (
            f"{rate:7.0f}/s  p50 {p[0.5]:6.2f}  p90 {p[0.9]:6.2f}  p99 {p[0.99]:6.2f}  "
            f"p99.9 {p[0.999]:6.2f} ms  codes {dict(sorted(self.codes.items()))}"
        )


def quantile(values: list[float], q: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, math.floor(q * len(ordered)))] if ordered else math.nan


class Connection(asyncio.Protocol):
    """One keep-alive connection, made anew when it breaks; a request at a time."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.host, self.port = host, port
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
            "content-length: "
        ).encode()
        self._transport: asyncio.Transport | None = None
        self._answer: asyncio.Future[bytes] | None = None
        self._came = bytearray()

    async def open(self) -> None:
        """Raises OSError."""
        if self._transport is None:
            loop = asyncio.get_running_loop()
            await loop.create_connection(lambda: self, self.host, self.port)

    async def ask(self, body: bytes) -> bytes:
        """The answer's body. Raises OSError."""
        await self.open()
        assert self._transport is not None
        self._answer = asyncio.get_running_loop().create_future()
        self._transport.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
        try:
            return await self._answer
        except BaseException:
            self.close()
            raise

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)
        self._came.clear()

    def data_received(self, data: bytes) -> None:
        self._came += data
        end = self._came.find(b"\r\n\r\n")
        if end < 0 or self._answer is None or self._answer.done():
            return
        at = self._came[:end].lower().index(b"content-length:") + 15
        length = int(self._came[at:].split(b"\r\n", 1)[0])
        if len(self._came) >= end + 4 + length:
            self._answer.set_result(bytes(self._came[end + 4 : end + 4 + length]))
            del self._came[: end + 4 + length]

    def connection_lost(self, exc: Exception | None) -> None:
        self._transport = None
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("closed before the answer"))

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()
            self._transport = None


async def run(
    url: str,
    bodies: Sequence[bytes],
    rate: float,
    seconds: float,
    *,
    connections: int = CONNECTIONS,
    keep_answers: bool = False,
    code_of: Callable[[dict[str, Any]], object] = lambda told: told.get("retcode", "none"),
) -> Outcome:
    """Send ``rate`` requests a second for some seconds.

    Raises ValueError for an address that is not this machine's, OSError if nobody listens there.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host}: load is made on this machine alone")
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    made = [Connection(host, port, parts.path) for _ in range(connections)]
    for connection in made:
        await connection.open()  # one by one: connecting is not what is measured
        free.put_nowait(connection)
    outcome = Outcome([], [], {}, seconds, [])
    codes: Counter[str] = Counter()

    async def one(due: float, body: bytes) -> None:
        connection = await free.get()
        sent = time.perf_counter()
        try:
            told = orjson.loads(await connection.ask(body))
            answered, code = time.perf_counter(), str(code_of(told))
            outcome.latencies_s.append(answered - due)
            if code == str(Code.OVERLOAD.value):
                outcome.refused_s.append(answered - sent)
            codes[code] += 1
            if keep_answers:
                outcome.answers.append(told)
        except (OSError, ValueError) as error:
            codes[type(error).__name__] += 1
        finally:
            free.put_nowait(connection)

    started, tasks = time.perf_counter(), []
    for i in range(int(rate * seconds)):
        due = started + i / rate
        wait = due - time.perf_counter()
        if wait > 0:
            await asyncio.sleep(wait)
        tasks.append(asyncio.ensure_future(one(due, bodies[i % len(bodies)])))
    await asyncio.gather(*tasks)
    outcome.seconds = time.perf_counter() - started
    outcome.codes = dict(codes)
    for connection in made:
        connection.close()
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving.load", description=__doc__)
    parser.add_argument("url")
    parser.add_argument("file", type=Path)
    parser.add_argument("--rate", type=float, default=300)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--warm-up", type=float, default=2)
    parser.add_argument("--connections", type=int, default=CONNECTIONS)
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    bodies = [line for line in given.file.read_bytes().splitlines() if line.strip()]

    async def both() -> Outcome:
        # First at a rate that anything sustains: what is measured begins from a quiet server.
        await run(given.url, bodies, min(given.rate, WARM_UP_RATE), given.warm_up)
        options = {"connections": given.connections}
        return await run(given.url, bodies, given.rate, given.seconds, **options)

    outcome = uvloop.run(both())
    if given.json:
        figures = {f"p{100 * q:g}_ms": 1000 * outcome.quantile(q) for q in (0.5, 0.9, 0.99, 0.999)}
        if outcome.refused_s:
            slow = {q: 1000 * quantile(outcome.refused_s, q) for q in (0.5, 0.99)}
            figures |= {f"refused_p{100 * q:g}_ms": took for q, took in slow.items()}
        answered = len(outcome.latencies_s)
        rate = answered / outcome.seconds
        print(json.dumps({**figures, "rate": rate, "codes": outcome.codes}))  # noqa: T201
    else:
        print(outcome.told())  # noqa: T201


if __name__ == "__main__":
    main()
