"""All measures of DataStatistics and PSI of a table of 1,000,000 x 100, sorted and sketched.

Prediction before writing: sorting a column of a million takes 25 ms and its moments 25 ms, turning
it from rows 15 ms, so 100 columns take 6.5 s on one core and half of it on two. Memory: the table
(0.8 GB), and for each core eight columns (64 MB) and a few copies of one.

`python -m benchmarks.statistics ROWS COLUMNS CORES` measures one shape.
"""

from __future__ import annotations

import resource
import sys
import time

import numpy as np
from scipy import sparse

from federatedml.maths import psi, sketch, statistics

NAMES = [*statistics.SUMMARY, "5%", "95%"]


def described(rows: int, columns: int, cores: int) -> None:
    x = np.random.default_rng(1).normal(size=(rows, columns))
    at = range(columns)
    started = time.perf_counter()
    statistics.measured(x, at, NAMES, cores=cores)
    _tell(f"{rows:,} x {columns}, {len(NAMES)} measures, {cores} cores", started, rows * columns)
    started = time.perf_counter()
    psi.shifts((x, at), (x[: rows // 2], at), 20, cores=cores)
    _tell(f"PSI of {rows:,} and {rows // 2:,} x {columns}", started, rows * columns * 3 // 2)


def thin(rows: int, columns: int, density: float) -> None:
    """A csr table: zeros are counted, not sorted."""
    rng = np.random.default_rng(2)
    x = sparse.csr_matrix(sparse.random(rows, columns, density, format="csr", random_state=rng))
    started = time.perf_counter()
    statistics.measured(x, range(columns), NAMES, cores=2)
    _tell(f"csr {rows:,} x {columns}, {x.nnz:,} entries", started, x.nnz)


def sketched(rows: int, parts: int, error: float) -> None:
    """One column in parts, as a table too long to sort would be."""
    x = np.random.default_rng(3).normal(size=rows)
    started = time.perf_counter()
    whole = sketch.of(np.empty(0), 0, sketch.room(error))
    for part in np.array_split(x, parts):
        whole = sketch.merged(whole, sketch.of(np.sort(part), 0, whole.room))
    shares = np.arange(1, 100) / 100
    found = sketch.quantiles(whole, shares.tolist())
    kept = sum(map(len, whole.levels))
    _tell(f"sketch of {rows:,} in {parts} parts, error {error:g}", started, rows)
    off = np.abs(np.searchsorted(np.sort(x), found, side="right") / rows - shares).max()
    print(f"    {kept * 8 / 1e6:.1f} MB; ranks off by {off:.1e}, surely {whole.slack / rows:.1e}")


def _tell(what: str, started: float, values: int) -> None:
    cost = time.perf_counter() - started
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e6
    print(f"  {what}: {cost:.2f} s, {cost / values * 1e9:.0f} ns a value, peak {peak:.2f} GB")


def main() -> None:
    described(1_000_000, 100, 2)
    thin(1_000_000, 100, 0.05)
    sketched(20_000_000, 20, 1e-4)
    sketched(1_000_000, 1000, 1e-3)


if __name__ == "__main__":
    if sys.argv[3:]:
        described(*(int(number) for number in sys.argv[1:4]))
    else:
        main()
