"""Kernels of boosted trees on one core: encrypted sums by the lattice, beside plain histograms.

Prediction before writing: a tile of 4,096 rows and candidates takes two transforms of 13 us, or
6 ns for each row and candidate; two primes and halves take four products of a row, candidate and
vector, at seven operations each 1.4 ns. Drawing, switching and sending one result 0.1 ms.
A plain histogram takes 2 ns for each row and feature, of which there is one for 31 candidates.

Times are of the thread's processor, the least of several runs: on a shared machine a wall clock
measures the neighbours, who slow the caches down all the same.

`python -m benchmarks.tree_kernels ROWS CANDIDATES VECTORS` measures one shape.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from benchmarks.lattice_kernels import seconds
from federatedml.crypto import lattice, lattice_sums
from federatedml.crypto.lattice_wire import wire_bytes
from federatedml.maths.candidates import Candidates
from federatedml.maths.histograms import histograms

SHAPES = [(30_000, 310, 2), (30_000, 310, 16), (300_000, 93, 8)]
BINS = 32


def encrypted(rows: int, candidates: int, vectors: int) -> None:
    """One message of a guest and a host's answer; ns are per row and candidate."""
    rng = np.random.default_rng(1)
    codes, of = table(rng, rows, candidates)
    params, cut = lattice_sums.shape(rows, candidates)
    secret = lattice.keygen(params)
    most = (2**lattice_sums.BUDGET_BITS - 1) // rows
    words = rng.integers(-most, most + 1, (vectors, rows))
    cost, sealed = seconds(lambda: [lattice_sums.sealed(secret, w, cut) for w in words], 2)
    there, back = wire_bytes(params, cut)
    print(
        f"  {rows:,} rows x {candidates:,} candidates, {vectors} vectors; tiles of "
        f"{cut.inner_block} x {cut.output_block}; {there / 1e6:.2f} MB there and "
        f"{back / 1e6:.2f} MB back a vector"
    )
    print(f"    seal {cost / vectors * 1e3:.1f} ms a vector")
    columns = lattice_sums.Indicators(params, cut, codes, BINS, of)

    def sums() -> list[Any]:
        return lattice_sums.sums(secret.public, sealed, columns)

    def fresh() -> None:
        columns.reorder(of)
        sums()

    cells = rows * candidates
    first, _ = seconds(sums, 1)
    again, _ = seconds(fresh, 3)
    kept, products = seconds(sums, 3)
    for name, cost in (("first", first), ("reordered", again), ("transforms kept", kept)):
        print(
            f"    {name}: {cost * 1e3:.0f} ms, {cost / cells * 1e9:.1f} ns a row and candidate, "
            f"{cost / cells / vectors * 1e9:.2f} ns a vector"
        )
    cost, _ = seconds(lambda: [lattice_sums.opened(secret, one) for one in products], 3)
    print(f"    open {cost / vectors * 1e3:.1f} ms a vector", flush=True)


def table(rng: np.random.Generator, rows: int, candidates: int) -> tuple[Any, Candidates]:
    """Codes of as many features as have so many candidates."""
    features = -(-candidates // (BINS - 1))
    codes = rng.integers(0, BINS, (features, rows)).astype(np.uint8)
    at = np.arange(candidates, dtype=np.int32)
    return codes, Candidates(at // (BINS - 1), at % (BINS - 1), np.zeros(candidates, dtype=bool))


def plain(rows: int, features: int) -> None:
    """The histogram of one node, here and in LightGBM; ns are per row and feature."""
    rng = np.random.default_rng(2)
    codes, _ = table(rng, rows, features * (BINS - 1))
    stats = rng.normal(size=(rows, 2))
    every, node = np.arange(rows), np.zeros(rows, dtype=np.int32)
    cost, _ = seconds(lambda: histograms(codes, BINS, every, node, 1, stats), 5)
    print(
        f"  {rows:,} rows x {features} features: {cost / rows / features * 1e9:.2f} ns", flush=True
    )
    cost = _lightgbm(codes.T.astype(np.float64), rng.normal(size=rows))
    print(f"    LightGBM, a tree of one split: {cost / rows / features * 1e9:.2f} ns", flush=True)


def _lightgbm(x: Any, y: Any) -> float:
    """Seconds of a round, all steps of it."""
    import lightgbm

    settings = {"num_leaves": 2, "num_threads": 1, "verbose": -1, "objective": "l2"}
    settings |= {"force_col_wise": True, "feature_pre_filter": False}
    data = lightgbm.Dataset(x, y, params=settings).construct()

    def rounds(count: int) -> float:
        return seconds(lambda: lightgbm.train(settings, data, num_boost_round=count), 3)[0]

    return (rounds(30) - rounds(10)) / 20


def main(shapes: list[tuple[int, int, int]] = SHAPES) -> None:
    print("sums by the lattice, one core")
    for rows, candidates, vectors in shapes:
        encrypted(rows, candidates, vectors)
    print("plain histograms, one core")
    plain(300_000, 30)


if __name__ == "__main__":
    if sys.argv[3:]:
        encrypted(*(int(number) for number in sys.argv[1:4]))
    else:
        main()
