"""How far a column has moved: the population stability index of two tables, bin by bin.

Bins are cut at the quantiles of the expected table; missing values are a bin of their own. With e
and a the shares of rows that a bin has in the expected and in the actual table,
    psi = (a - e) ln(a / e)
and the index of a column is the sum over its bins. (protocols/psi.py is about sets of ids.)
Source: Siddiqi 2006, Credit Risk Scorecards, ch. 9 (system stability report).
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np

from federatedml.crypto.threads import each
from federatedml.maths import sketch
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.sketch import Sketch
from federatedml.maths.statistics import blocks, folded

NOTHING = 1e-6
"""The share of an empty bin: a logarithm needs one. Source: FATE 1.x."""

DIGITS = 6
"""Of a bound in the text of an interval. Source: FATE 1.x."""


@dataclass(frozen=True)
class Ranked:
    """Values of a column in order, and how many rows have none."""

    ranks: Sketch
    n_missing: int


@dataclass(frozen=True)
class Shift:
    """points: (b,) upper ends of the bins, the last one open. expected, actual: (b + 1,) shares of
    rows, the last of missing values. psi: (b + 1,) of each bin."""

    points: Floats
    expected: Floats
    actual: Floats
    psi: Floats

    @property
    def total(self) -> float:
        return float(self.psi.sum())


def shifts(
    expected: tuple[Matrix, Sequence[int]],
    actual: tuple[Matrix, Sequence[int]],
    n_bins: int,
    *,
    missing: Collection[float] = (),
    error: float = 1e-4,
    cores: int = 1,
) -> list[Shift | None]:
    """Of each pair of columns; None if all expected values are missing.

    expected, actual: a matrix, dense or csr, and the numbers of its columns, in the same order.
    missing: values besides nan that count as missing. error: of shares, in tables too long to be
    sorted whole (``statistics.EXACT_ROWS``); otherwise they are exact.
    Cost: sorts every column of both.
    """
    parts = blocks([expected[0], actual[0]], len(expected[1]), cores)

    def of_part(values: Floats, n_zeros: int, room: int) -> Ranked:
        return _ranked(values, n_zeros, room, missing)

    def work(block: slice) -> list[Shift | None]:
        sides = [
            folded(x, at[block], of_part, _merged, error=error) for x, at in (expected, actual)
        ]
        return [_shift(before, after, n_bins) for before, after in zip(*sides, strict=True)]

    return list(chain.from_iterable(each(work, parts, cores)))


def index(expected: Floats, actual: Floats) -> Floats:
    """psi of each bin, from its shares of both tables.

    >>> index(np.array([0.5, 0.5]), np.array([0.5, 0.5])).tolist()
    [0.0, 0.0]
    """
    e, a = (np.where(share == 0.0, NOTHING, share) for share in (expected, actual))
    return np.asarray((a - e) * np.log(a / e))


def intervals(name: str, points: Floats) -> list[str]:
    """Texts of the bins of a column, the last that of missing values.

    >>> intervals("age", np.array([30.0, 50.0, 90.0]))
    ['age<=30.0', '30.0<age<=50.0', '50.0<age', 'missing']
    """
    bounds = [str(round(float(point), DIGITS)) for point in points[:-1]]
    starts = ["", *(f"{bound}<" for bound in bounds)]
    ends = [*(f"<={bound}" for bound in bounds), ""]
    return [*(f"{a}{name}{b}" for a, b in zip(starts, ends, strict=True)), "missing"]


def _ranked(values: Floats, n_zeros: int, room: int, missing: Collection[float]) -> Ranked:
    ascending = np.sort(values)  # nan last
    known = ascending[: len(ascending) - int(np.isnan(ascending).sum())]
    n_rows, zeros = len(values) + n_zeros, n_zeros
    if missing:
        known = known[~np.isin(known, list(missing))]
        zeros = 0 if 0.0 in missing else n_zeros
    return Ranked(sketch.of(known, zeros, room), n_rows - len(known) - zeros)


def _merged(one: Ranked, other: Ranked) -> Ranked:
    return Ranked(sketch.merged(one.ranks, other.ranks), one.n_missing + other.n_missing)


def _shift(expected: Ranked, actual: Ranked, n_bins: int) -> Shift | None:
    if not expected.ranks.n:
        return None
    cuts = [i / n_bins for i in range(1, n_bins + 1)]
    points = np.unique(sketch.quantiles(expected.ranks, cuts))
    before, after = _shares(expected, points), _shares(actual, points)
    return Shift(points, before, after, index(before, after))


def _shares(of: Ranked, points: Floats) -> Floats:
    """(b + 1,) of the rows in each bin, the last of missing values."""
    n = of.ranks.n
    counts = np.diff(sketch.up_to(of.ranks, points[:-1]), prepend=0, append=n)
    return np.append(counts, of.n_missing) / (n + of.n_missing)
