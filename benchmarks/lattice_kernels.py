"""The lattice scheme on one core: its kernels, whole products by shape, and what compiling costs.

Prediction before writing: a transform of 8,192 coefficients is 53,248 butterflies of 8 vector
operations; at 4 lanes, two operations a cycle and 2.7 GHz 20 us, with cache misses 30. A product
of an entry then costs 3 * (30 us / 8192 + 2 * 0.3 ns) = 13 ns, or 2 ns where the transform is
stored; encryption about 40 ns for each row and prime. The plain twin is numpy's product of the
same matrix, which memory bounds at 8 bytes an entry: about 0.8 ns.

Times are of the thread's processor, the least of several runs: on a shared machine a wall clock
measures the neighbours.

`python -m benchmarks.lattice_kernels ROWS COLUMNS [WORD_BITS]` measures one shape.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from federatedml.crypto import lattice, lattice_pack, lattice_wire, sampling
from federatedml.crypto.ntt import coefficients, tables, values
from federatedml.protocols import sshe_products
from federation import codec

SHAPES = [(569, 20, 64), (100_000, 330, 64), (1_000_000, 100, 64), (30, 100_000, 128)]
IMPORT = "import time; t = time.perf_counter(); import numba; n = time.perf_counter(); \
import federatedml.crypto.lattice_wire; print(n - t, time.perf_counter() - n)"


def seconds(work: Callable[[], Any], runs: int) -> tuple[float, Any]:
    """Processor time of the fastest of several runs, and the last result."""
    best, found = float("inf"), None
    for _ in range(runs):
        start = time.thread_time()
        found = work()
        best = min(best, time.thread_time() - start)
    return best, found


def kernels() -> None:
    """One core, per transform, coefficient or block."""
    for word_bits, norm_bits in ((40, 10.0), (64, 34.0), (128, 34.0)):
        params = lattice.parameters(word_bits, norm_bits=norm_bits)
        n, primes = params.degree, len(params.primes)
        table = tables(params.primes, n)
        many = np.random.default_rng(1).integers(-(2**30), 2**30, (32, primes, n)).astype(float)
        forth, _ = seconds(lambda v=many, t=table: values(v, t), 20)
        back, _ = seconds(lambda v=many, t=table: coefficients(v, t), 20)
        total = np.zeros((2, primes, n))
        shape = (0, 1, n, 0, len(many), 2)
        column = np.zeros((1, 32 * n), dtype=np.int32)
        add, _ = seconds(
            lambda s=shape, c=column, v=many, t=table, total=total: lattice_pack.accumulate(
                c, s, v, v, t, v, total
            ),
            20,
        )
        draw, _ = seconds(lambda p=params: sampling.uniform(bytes(32), 0, p.primes, p.degree), 20)
        each = len(many) * primes
        print(f"  {params.describe()}")
        print(
            f"  transform {forth / each * 1e6:.1f} us, back {back / each * 1e6:.1f} us, "
            f"multiply and add {add / each / n / 2 * 1e9:.2f} ns a coefficient, "
            f"public half {draw / primes / n * 1e9:.1f} ns a residue"
        )


def shape(rows: int, columns: int, word_bits: int) -> None:
    """A whole product, one core; ns are per entry of the matrix."""
    rng = np.random.default_rng(2)
    params = lattice.parameters(word_bits)
    norm_bits = 34.0 if word_bits == 64 else sshe_products.norm_bits(rows, columns)
    cut = lattice.tile(params, rows, columns, norm_bits)
    x = rng.integers(-(2**19), 2**19, (rows, columns)).astype(np.float64)
    u = rng.integers(0, 2**63, (rows, params.words)).astype(np.uint64)
    secret = lattice.keygen(params)
    u = u if params.words == 2 else u.ravel()
    times: dict[str, float] = {}

    def timed(name: str, work: Callable[[], Any], runs: int = 1) -> Any:
        times[name], found = seconds(work, runs)
        return found

    v = u.astype(np.float64)
    timed("numpy", lambda: x.T @ v, 3)
    sealed = timed("encrypt", lambda: secret.encrypt(u, cut), 2)
    raw = timed("pack", lambda: codec.encode(sealed), 2)
    sealed = timed("unpack", lambda: codec.decode(raw), 2)
    ready = timed("prepare", lambda: lattice.prepare(params, cut, x), 2)
    sealed.seeded  # noqa: B018 (drawn once per vector, beside the products)
    pair = [(sealed, ready)]
    product, mask = timed("product", lambda: secret.public.multiply(pair))
    timed("storing", lambda: secret.public.multiply(pair))
    timed("stored", lambda: secret.public.multiply(pair), 3)
    back = timed("pack back", lambda: codec.encode(product), 2)
    opened = timed("open", lambda: secret.open(product), 3)
    if word_bits == 64:
        with np.errstate(over="ignore"):
            assert np.array_equal(opened - mask, x.astype(np.int64).T.astype(np.uint64) @ u)
    entries = rows * columns
    there, home = lattice_wire.wire_bytes(params, cut)
    assert len(raw) < there + 200
    assert len(back) < home + 200
    print(
        f"  {rows:,} x {columns:,}, 2^{word_bits}: {there / 1e6:.2f} MB there, "
        f"{home / 1e6:.2f} MB back"
    )
    print("   ", ", ".join(f"{k} {t * 1e3:,.1f} ms" for k, t in times.items()))
    print("   ", ", ".join(f"{k} {t / entries * 1e9:.2f} ns" for k, t in times.items()), flush=True)


def compiling() -> None:
    """Seconds of the first import on a machine, and of a later one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {**os.environ, "NUMBA_CACHE_DIR": cache}
        for name in ("compiled", "from the cache"):
            told = subprocess.run(
                [sys.executable, "-c", IMPORT],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            ).stdout.split()
            print(f"  {name}: numba {float(told[0]):.2f} s, the scheme {float(told[1]):.2f} s")


def main(shapes: list[tuple[int, int, int]] = SHAPES) -> None:
    print("kernels, one core")
    kernels()
    print("products, one core")
    for rows, columns, word_bits in shapes:
        shape(rows, columns, word_bits)
    print("import")
    compiling()


if __name__ == "__main__":
    if sys.argv[2:]:
        shape(int(sys.argv[1]), int(sys.argv[2]), int((sys.argv[3:] or ["64"])[0]))
    else:
        main()
