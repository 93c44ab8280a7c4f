"""Each scheme through the one interface, processor time per number; beside plain NumPy.

Prediction before writing: what a scheme costs is products of big integers, 0.5 us modulo 1024
bits and four times that for twice the bits. Encrypting takes 17 to 35 of them, adding one, an
entry of a matrix of 24 fractional bits about five (the bucket method), decrypting a power with
half a key's bits as exponent. Paillier computes modulo n^2, OU modulo n: Paillier should be three
to four times as slow. The lattice scheme does a product per entry with machine words, below 10 ns
of it once transforms are amortised, and CKKS adds arrays.

`python -m benchmarks.cipher_kernels ROWS COLUMNS` measures one shape.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from federatedml.crypto import scheme

KEY_BITS = (1024, 2048, 3072)
SHAPE = (400, 8)
WIDE = (20_000, 50)
"""For the schemes that are quick enough, beside the shape that all of them take."""
REPEATS = 3


def best(work: Callable[[], Any]) -> tuple[float, Any]:
    """Seconds of the processor for the quickest repetition, and a result."""
    least = float("inf")
    for _ in range(REPEATS):
        start = time.process_time()
        result = work()
        least = min(least, time.process_time() - start)
    return least, result


def measure(name: str, key_bits: int, shape: tuple[int, int]) -> dict[str, float]:
    """Seconds per number; of a product, per entry of the matrix."""
    n, k = shape
    rng = np.random.default_rng(1)
    u, x = rng.normal(size=n), rng.normal(size=shape)
    cipher, owner = scheme.open_scheme(name, key_bits, outputs=k)
    owner.encrypt(u[:1])  # tables of a new key are made once
    found = {}
    taken, c = best(lambda: owner.encrypt(u))
    found["encrypt"] = taken / n
    if "add" in cipher.can:
        taken, c = best(lambda: cipher.add(c, c))
        found["add"] = taken / n
    if "matvec" in cipher.can:
        taken, c = best(lambda: cipher.matvec(x, c))
        found["product"] = taken / (n * k)
    taken, opened = best(lambda: owner.decrypt(c))
    found["decrypt"] = taken / len(opened)
    return found


def plain(shape: tuple[int, int]) -> dict[str, float]:
    """The same of NumPy: a copy stands for encryption and decryption."""
    n, k = shape
    rng = np.random.default_rng(1)
    u, x = rng.normal(size=n), rng.normal(size=shape)
    times = 100  # one of them is too short for the clock

    def repeated(work: Callable[[], Any]) -> float:
        return best(lambda: [work() for _ in range(times)])[0] / times

    copied = repeated(u.copy) / n
    added = repeated(lambda: u + u) / n
    product = repeated(lambda: x.T @ u) / (n * k)
    return {"encrypt": copied, "add": added, "product": product, "decrypt": copied}


def table(shape: tuple[int, int], names: list[tuple[str, int]]) -> None:
    """Microseconds per number, per entry for products, and how many times NumPy's that is."""
    n, k = shape
    twin = plain(shape)
    print(f"{n:,} rows, {k} columns; processor microseconds each, and times NumPy")
    print(f"{'scheme':>14}" + "".join(f"{step:>24}" for step in twin))
    for name, key_bits in names:
        found = measure(name, key_bits, shape)
        cells = [_cell(found.get(step), each) for step, each in twin.items()]
        print(f"{name:>9} {key_bits or '':>4}" + "".join(cells), flush=True)
    print(f"{'NumPy':>14}" + "".join(_cell(each, each) for each in twin.values()))


def _cell(each: float | None, twin: float) -> str:
    return f"{'-':>24}" if each is None else f"{each * 1e6:>12.4f} {each / twin:>10,.0f}x"


def main(shape: tuple[int, int] | None = None) -> None:
    big = [(name, bits) for bits in KEY_BITS for name in ("OU", "Paillier")]
    quick = [("Lattice", 0), ("CKKS", 0)]
    if shape is not None:
        table(shape, big + quick)
        return
    table(SHAPE, big + quick)
    print()
    table(WIDE, quick)


if __name__ == "__main__":
    main((int(sys.argv[1]), int(sys.argv[2])) if sys.argv[1:] else None)
