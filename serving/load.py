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
from typing import Any
from urllib.parse import urlsplit

import msgspec
import orjson
import uvloop

CONNECTIONS = 64


class Outcome(msgspec.Struct):
    """latencies_s: of all answered requests, by due time. codes: return codes, or the error's name
    of requests without an answer. slowest_s: also of those."""

    latencies_s: list[float]
    codes: dict[str, int]
    seconds: float
    answers: list[dict[str, Any]]

    def quantile(self, q: float) -> float:
        ordered = sorted(self.latencies_s)
        return ordered[min(len(ordered) - 1, math.floor(q * len(ordered)))] if ordered else math.nan

    def told(self) -> str:
        p = {q: 1000 * self.quantile(q) for q in (0.5, 0.9, 0.99, 0.999)}
        rate = len(self.latencies_s) / self.seconds
        return (
            f"{rate:7.0f}/s  p50 {p[0.5]:6.2f}  p90 {p[0.9]:6.2f}  p99 {p[0.99]:6.2f}  "
            f"p99.9 {p[0.999]:6.2f} ms  codes {dict(sorted(self.codes.items()))}"
        )


class Connection:
    """One keep-alive connection, made anew when it breaks."""

    def __init__(self, host: str, port: int, path: str) -> None:
        self.host, self.port = host, port
        self._head = (
            f"POST {path} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\n"
            "content-length: "
        ).encode()
        self._streams: tuple[asyncio.StreamReader, asyncio.StreamWriter] | None = None

    async def ask(self, body: bytes) -> bytes:
        """The answer's body. Raises OSError, asyncio.IncompleteReadError."""
        if self._streams is not None and self._streams[0].at_eof():
            self.close()  # the server ended it while nothing was asked
        if self._streams is None:
            self._streams = await asyncio.open_connection(self.host, self.port)
        reader, writer = self._streams
        try:
            writer.write(self._head + str(len(body)).encode() + b"\r\n\r\n" + body)
            head = await reader.readuntil(b"\r\n\r\n")
            at = head.lower().index(b"content-length:") + 15
            return await reader.readexactly(int(head[at : head.index(b"\r\n", at)]))
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self._streams is not None:
            self._streams[1].close()
            self._streams = None


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

    Raises ValueError for an address that is not this machine's.
    """
    parts = urlsplit(url)
    host, port = parts.hostname or "127.0.0.1", parts.port or 80
    if host != "localhost" and not ipaddress.ip_address(host).is_loopback:
        raise ValueError(f"{host}: load is made on this machine alone")
    free: asyncio.LifoQueue[Connection] = asyncio.LifoQueue()
    made = [Connection(host, port, parts.path) for _ in range(connections)]
    for connection in made:
        free.put_nowait(connection)
    outcome = Outcome([], {}, seconds, [])
    codes: Counter[str] = Counter()

    async def one(due: float, body: bytes) -> None:
        connection = await free.get()
        try:
            told = orjson.loads(await connection.ask(body))
            outcome.latencies_s.append(time.perf_counter() - due)
            codes[str(code_of(told))] += 1
            if keep_answers:
                outcome.answers.append(told)
        except (OSError, asyncio.IncompleteReadError, ValueError) as error:
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
    parser.add_argument("--json", action="store_true")
    given = parser.parse_args()
    bodies = [line for line in given.file.read_bytes().splitlines() if line.strip()]

    async def both() -> Outcome:
        await run(given.url, bodies, given.rate, given.warm_up)
        return await run(given.url, bodies, given.rate, given.seconds)

    outcome = uvloop.run(both())
    if given.json:
        figures = {f"p{100 * q:g}_ms": 1000 * outcome.quantile(q) for q in (0.5, 0.9, 0.99, 0.999)}
        answered = len(outcome.latencies_s)
        rate = answered / outcome.seconds
        print(json.dumps({**figures, "rate": rate, "codes": outcome.codes}))  # noqa: T201
    else:
        print(outcome.told())  # noqa: T201


if __name__ == "__main__":
    main()
