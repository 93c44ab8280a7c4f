"""Arithmetic on shares: what a product, a comparison and an entry of a matrix product cost.

Parties are processes that talk through the site's gateway. Prediction before writing, for one
core a party: a product of 128 bits by transfers is 256 of them at 100 ns and 8 KiB in all, 26 us;
a comparison 253 bit triples at 150 ns and 8 KiB, 40 us; with a dealer both 1 us. A step of a
matrix product's inner products takes 6 digits at 15 ns, 100 ns, and 1 ns with a dealer.
Outcome: 28 us, 42 us, 0.2 us and 0.6 us in one process at load 3 (docs/security/spdz.md keeps all
numbers, and those behind the gateway on a busy machine). Steps of matrix products took 4 to 27
times what was predicted: the way back of a ciphertext, 2 ms, is shared by few of them.

The plain twin of each is the same operation in numpy.
`python -m benchmarks spdz`
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np

from benchmarks._parties import TOKEN, told
from federatedml.component import Ctx
from federatedml.protocols import spdz, spdz_compare, spdz_private, spdz_triples
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.embedded import EmbeddedGateway
from federation.transport.gateway import Options
from federation.transport.local import GatewayTransport

PARTIES = [Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "10000")]
REPEATS = 3

Program = Callable[[spdz.Session], Callable[[], object]]


def size(value: object) -> int:
    """Bytes of an array, or of the arrays that a ciphertext is made of."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    return sum(size(part) for part in getattr(value, "__dict__", {}).values())


def shared(session: spdz.Session, *shape: int) -> spdz.Shared:
    x = np.random.default_rng(1).normal(size=shape)
    return session.share(GUEST, x if session.party == 0 else None, shape)


def products(n: int) -> Program:
    def make(s: spdz.Session) -> Callable[[], object]:
        x, y = shared(s, n), shared(s, n)
        return lambda: s.multiply(x, y)

    return make


def comparisons(n: int) -> Program:
    def make(s: spdz.Session) -> Callable[[], object]:
        x = shared(s, n)
        return lambda: spdz_compare.less_than_zero(s, x)

    return make


def matrices(n: int, k: int, c: int) -> Program:
    def make(s: spdz.Session) -> Callable[[], object]:
        x, y = shared(s, n, k), shared(s, k, c)
        return lambda: s.matmul(x, y)

    return make


def private(n: int, k: int) -> Program:
    def make(s: spdz.Session) -> Callable[[], object]:
        x = np.random.default_rng(1).normal(size=(n, k))
        matrix = spdz_private.prepared(s, GUEST, x if s.party == 0 else None, n)
        v = shared(s, k)
        return lambda: spdz_private.product(s, matrix, v)

    return make


def programs() -> list[tuple[str, str, int, Program]]:
    """Name, size, how many operations a step is, and what makes the step."""
    return [
        ("product", "100", 100, products(100)),
        ("product", "20,000", 20_000, products(20_000)),
        ("comparison", "100", 100, comparisons(100)),
        ("comparison", "20,000", 20_000, comparisons(20_000)),
        ("inner product", "30", 30, matrices(1, 30, 1)),
        ("inner product", "1,000", 1000, matrices(1, 1000, 1)),
        ("inner product", "100,000", 100_000, matrices(1, 100_000, 1)),
        ("matrix product", "30 x 100 x 30", 90_000, matrices(30, 100, 30)),
        ("matrix product", "20 x 5,000 x 20", 2_000_000, matrices(20, 5000, 20)),
        ("private matrix", "1,000 x 30", 30_000, private(1000, 30)),
        ("private matrix", "100,000 x 30", 3_000_000, private(100_000, 30)),
    ]


def measured(ctx: Ctx, sent: list[int]) -> list[tuple[float, float]]:
    """Best time of a step and the bytes that this party sent for it, of every program.

    What a dealer sends, as many bytes as the product has, is not counted.
    """
    found = []
    with spdz.Session(ctx, dealer=ctx.arbiter) as session:
        for *_, make in programs():
            step, times = make(session), []
            sent.clear()
            for _ in range(REPEATS + 1):
                began = time.perf_counter()
                step()
                times.append(time.perf_counter() - began)
            found.append((min(times[1:]), sum(sent) / len(times)))
    return found


def party(role: str, job: str, socket_path: str) -> None:
    """One party, in a process of its own; prints what it measured as JSON."""
    sent: list[int] = []
    parties = PARTIES if job.endswith("dealer") else PARTIES[:2]
    me = next(p for p in parties if p.role.value == role)
    with GatewayTransport(socket_path, TOKEN) as transport:
        ctx = Ctx(
            me,
            parties,
            transport,
            job_id=job,
            component="spdz_0",
            recorder=lambda _, value: sent.append(size(value)),
        )
        print("ready", flush=True)
        sys.stdin.readline()
        found = spdz_triples.deal(ctx) if me.role == ARBITER else measured(ctx, sent)
    print(json.dumps(found))


def main() -> None:
    columns = {}
    # A Unix socket's path has to be short.
    with (
        tempfile.TemporaryDirectory(prefix="mpc", dir="/tmp") as home,
        EmbeddedGateway(Options(Path(home), port=0)) as gateway,
        closing(gateway.control()) as control,
    ):
        for job, parties in (("dealer", PARTIES), ("alone", PARTIES[:2])):
            answers = told(
                control, gateway.options.socket, "benchmarks.spdz", f"bench-spdz-{job}", parties, []
            )
            columns[job] = list(zip(answers[0], answers[1], strict=True))
    print(f"{'':16}{'size':>18}{'dealer ns':>12}{'bytes':>8}{'alone ns':>12}{'bytes':>8}")
    for i, (name, shape, n, _) in enumerate(programs()):
        line = f"{name:16}{shape:>18}"
        for job in ("dealer", "alone"):
            (seconds, mine), (_, theirs) = columns[job][i]
            line += f"{seconds / n * 1e9:12.0f}{(mine + theirs) / n:8.1f}"
        print(line)
    x = np.random.default_rng(1).normal(size=(1000, 1000))
    began = time.perf_counter()
    _ = x * x
    print(f"numpy product {(time.perf_counter() - began) / x.size * 1e9:.1f} ns")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--party"]:
        party(*sys.argv[2:])
    else:
        main()
