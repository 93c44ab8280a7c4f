"""Secure sums of 3 clients and an arbiter, four processes over the site's gateway.

Prediction before writing: a client of n numbers adds 3 pads at 4 GB/s, so 10 million numbers
(80 MB) cost it 0.06 s of pads, as much again to round them into the ring; the arbiter takes 3 pads
off. Moving 240 MB through the gateway's files costs more than both: about 2 s on two cores, most
of it copies. The plain twin sends the same numbers in the clear and adds them up.
"""

from __future__ import annotations

import json
import resource
import sys
import tempfile
import time
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks._parties import TOKEN, told
from federatedml.crypto import double_mask, masking
from federatedml.protocols import secure_aggregation
from federatedml.protocols.roll_call import SecureAggregationParam, terms
from federatedml.protocols.secure_aggregation import Client, Server
from federation import ARBITER, GUEST, HOST, Context, Message, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [
    Party(GUEST, "9999"),
    Party(HOST, "10000"),
    Party(HOST, "10001"),
    Party(ARBITER, "10000"),
]
SIZES = [100, 100_000, 10_000_000]
ROUNDS = 5


class Wire:
    plain = Message[NDArray[np.float64]](
        {GUEST, HOST}, {ARBITER}, kind="plain", reveals="the sender's numbers"
    )
    seen = Message[bool]({ARBITER}, {GUEST, HOST}, kind="plain", reveals="that a sum is made")


def secure_round(side: Client | Server, numbers: NDArray[np.float64]) -> None:
    if isinstance(side, Client):
        side.submit(numbers)
    else:
        side.collect()


def plain_round(ctx: Context, numbers: NDArray[np.float64]) -> None:
    if ctx.role == ARBITER:
        sum(ctx.gather(Wire.plain).values())
        ctx.remote(Wire.seen, True)
    else:
        ctx.remote(Wire.plain, numbers)
        ctx.get(Wire.seen)


def party(at: int, n: int, how: str, job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints seconds of each round as JSON.

    how: "secure", "plain", or "lost": secure, and the last host is over after the first round.
    """
    me, seconds = PARTIES[at], []
    numbers = np.random.default_rng(at).normal(size=n)
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Context(me, PARTIES, transport, job_id=job, component="bench_0")
        print("ready", flush=True)
        sys.stdin.readline()
        agreed = terms(ctx, SecureAggregationParam(), "bench_0")
        side = Server(ctx, agreed) if me.role == ARBITER else Client(ctx, agreed)
        busy = time.process_time()
        for _ in range(1 if how == "lost" and at == 2 else ROUNDS):
            start = time.perf_counter()
            if how == "plain":
                plain_round(ctx, numbers)
            else:
                secure_round(side, numbers)
            seconds.append(time.perf_counter() - start)
    cpu = (time.process_time() - busy) / len(seconds)
    rss = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    print(json.dumps({"seconds": seconds, "cpu": cpu, "rss": rss}))


def kernels() -> None:
    """What one client and the arbiter compute, without moving anything."""
    words = np.zeros(10_000_000, dtype=np.uint64)
    start = time.perf_counter()
    masking.add_pad(words, bytes(32))
    pad = time.perf_counter() - start
    start = time.perf_counter()
    masking.to_ring(np.ones(len(words)), 3)
    ring = time.perf_counter() - start
    speed, rounded = 8 * len(words) / pad / 1e9, len(words) / ring / 1e6
    print(f"pad {speed:.1f} GB/s; into the ring {rounded:.0f} M/s")
    for n in (3, 10, 100):
        start = time.perf_counter()
        book = double_mask.draw(secure_aggregation.ROUNDS)
        double_mask.public(book)
        double_mask.shares(book, n, n // 2 + 1)
        took = 1e3 * (time.perf_counter() - start)
        print(f"a book of {book.rounds} rounds for {n} clients: {took:.1f} ms")


def main() -> None:
    kernels()
    print(
        "{:8} {:>11} {:>12} {:>12} {:>13} {:>12}".format(
            "how", "numbers", "first sum s", "later sums s", "CPU s a sum", "RSS a party"
        )
    )
    with (
        tempfile.TemporaryDirectory(prefix="sa", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for n in SIZES:
            for how in ("plain", "secure", "lost"):
                found = told(
                    control,
                    gateway.options.socket,
                    "benchmarks.secure_aggregation",
                    f"bench-{how}-{n}",
                    PARTIES,
                    [str(n), how],
                    [str(i) for i in range(len(PARTIES))],
                )
                arbiter = found[-1]["seconds"]
                later = arbiter[2:] if how == "lost" else arbiter[1:]
                cpu, rss = sum(f["cpu"] for f in found), max(f["rss"] for f in found) / 2**20
                shown = f"{arbiter[0]:12.3f} {np.median(later):12.3f} {cpu:13.3f}"
                print(f"{how:8} {n:11,} {shown} {rss:8,.0f} MiB", flush=True)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        party(int(sys.argv[2]), int(sys.argv[3]), *sys.argv[4:])
    else:
        main()
