"""Arithmetic on shares: what a product, a comparison and an entry of a matrix product cost.

Prediction before writing, for one core a party: a product of 128 bits by transfers is 256 of
them at 100 ns and 8 KiB each way, 26 us; a comparison 253 bit triples at 150 ns and 4 KiB, 40 us;
with a dealer both 1 us. A matrix product's entry takes 6 digits at 15 ns, 100 ns an inner product
step, beside 1 ns for numpy.
Outcome, both parties as threads of one process on two cores shared with eight other builds: see
docs/security/spdz.md, where the numbers are kept.

The plain twin of each is the same operation in numpy.
`python -m benchmarks spdz`
"""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np

from federatedml.component import Ctx
from federatedml.protocols import spdz, spdz_compare, spdz_private, spdz_triples
from federation import ARBITER, GUEST, HOST, Party
from federation.transport import inproc

GUEST_, HOST_, JUDGE = Party(GUEST, "9999"), Party(HOST, "10000"), Party(ARBITER, "11000")
REPEATS = 3

Program = Callable[[spdz.Session], Callable[[], object]]


def seconds(make: Program, dealer: bool) -> tuple[float, float]:
    """Best time of a step at the guest, and the bytes that all parties sent for it."""

    def run(ctx: Ctx) -> float:
        with spdz.Session(ctx, dealer=ctx.arbiter) as session:
            step, times = make(session), []
            for _ in range(REPEATS + 1):
                began = time.perf_counter()
                step()
                times.append(time.perf_counter() - began)
            return min(times[1:])

    parties = {GUEST_: run, HOST_: run} | ({JUDGE: spdz_triples.deal} if dealer else {})
    found, transcript = inproc.run(parties, Ctx, timeout_s=300)
    sent = sum(size(s.value) for s in transcript)
    return found[GUEST_], sent / (REPEATS + 1)


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


def main() -> None:
    rows = [
        ("product", products, (100,), 100),
        ("product", products, (20_000,), 20_000),
        ("comparison", comparisons, (100,), 100),
        ("comparison", comparisons, (20_000,), 20_000),
        ("inner product", matrices, (1, 30, 1), 30),
        ("inner product", matrices, (1, 1000, 1), 1000),
        ("inner product", matrices, (1, 100_000, 1), 100_000),
        ("matrix product", matrices, (30, 100, 30), 90_000),
        ("matrix product", matrices, (20, 5_000, 20), 2_000_000),
    ]
    print(f"{'':16}{'size':>18}{'dealer ns':>12}{'bytes':>8}{'alone ns':>12}{'bytes':>8}")
    for name, program, shape, n in rows:
        line = f"{name:16}{'x'.join(map(str, shape)):>18}"
        for dealer in (True, False):
            best, sent = seconds(program(*shape), dealer)
            line += f"{best / n * 1e9:12.0f}{sent / n:8.0f}"
        print(line, flush=True)
    for n, k in ((1000, 30), (100_000, 30)):
        best, sent = seconds(private(n, k), dealer=False)
        line = f"{'private matrix':16}{f'{n}x{k}':>18}{'':20}"
        print(f"{line}{best / n / k * 1e9:12.0f}{sent / n / k:8.1f}")
    x = np.random.default_rng(1).normal(size=(1000, 1000))
    began = time.perf_counter()
    _ = x * x
    print(f"numpy product {(time.perf_counter() - began) / x.size * 1e9:.1f} ns")
