"""Columns limited, shifted and divided: standard scores and min-max, dense or sparse.

Missing values are nan; they count for nothing and stay what they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.maths.columnwise import known
from federatedml.maths.glm import Floats, Matrix

BLOCK_CELLS = 1 << 17
"""Cells of a dense matrix that are worked on at a time: 1 MB, which stays in the cache."""

NOTHING = 1e-6
"""A range or deviation below it divides by 1. Source: FATE 1.x."""


@dataclass(frozen=True)
class Spread:
    """Of one column: least and greatest value, mean and population standard deviation."""

    low: float
    high: float
    mean: float
    std: float


def spread(values: Floats, n_zeros: int, lower: float, upper: float) -> Spread | None:
    """Of a column whose values beyond the limits count as the limits; None if it has no value.

    values: (m,), nan is missing. n_zeros: so many zeros more. Cost: some passes over the values.
    """
    there = known(values)
    n = len(there) + n_zeros
    if not n:
        return None
    zero = float(np.clip(0.0, lower, upper))
    there = there if np.isinf(lower) and np.isinf(upper) else np.clip(there, lower, upper)
    low = float(there.min(initial=zero if n_zeros else np.inf))
    high = float(there.max(initial=zero if n_zeros else -np.inf))
    if low == high:  # the mean's rounding would make a deviation out of nothing
        return Spread(low, high, low, 0.0)
    with np.errstate(over="ignore", invalid="ignore"):  # told by numbers that are not finite
        mean = float((there.sum() + n_zeros * zero) / n)
        squares = float(np.square(there - mean).sum() + n_zeros * (zero - mean) ** 2)
    return Spread(low, high, mean, float(np.sqrt(squares / n)))


@dataclass(frozen=True)
class Scaling:
    """x -> (x limited to lower..upper, less shift) / divisor, for each of k columns: (k,) each.

    A column that stays as it is has the limits -inf and inf, shift 0 and divisor 1.
    """

    lower: Floats
    upper: Floats
    shift: Floats
    divisor: Floats

    def of(self, x: Matrix) -> Matrix:
        """A new matrix (n, k). A csr matrix stays one unless most of its columns, which hold zeros,
        get another value for a zero. Cost: one copy and a pass."""
        if not sparse.issparse(x):
            return self._dense(np.asarray(x, dtype=np.float64))
        zeros = self._values(np.zeros(len(self.shift)), slice(None))
        filled = np.flatnonzero(zeros)
        if 2 * len(filled) > len(zeros):
            return self._dense(x.toarray())
        found = sparse.csr_matrix(
            (self._values(x.data, x.indices), x.indices, x.indptr), shape=x.shape
        )
        if not len(filled):
            return found
        rest = np.flatnonzero(zeros == 0.0)
        dense = self._values(x[:, filled].toarray(), filled)
        parts: list[sparse.csr_matrix] = [found[:, rest], sparse.csr_matrix(dense)]
        joined = sparse.csr_matrix(sparse.hstack(parts))
        return joined[:, np.argsort(np.concatenate((rest, filled)))]

    def beyond(self, x: Matrix, low: Floats, high: Floats) -> Floats:
        """(k,) how many values lie below low or above high, (k,) each. Zeros of csr count not."""
        k = x.shape[1]
        if sparse.issparse(x):
            out = (x.data < low[x.indices]) | (x.data > high[x.indices])
            return np.bincount(x.indices[out], minlength=k).astype(np.float64)
        total = np.zeros(k)
        for rows in blocks(x.shape[0], k):
            part = x[rows]
            total += ((part < low) | (part > high)).sum(axis=0)
        return total

    def _dense(self, x: Floats) -> Floats:
        found = np.empty(x.shape)
        for rows in blocks(*x.shape):
            found[rows] = self._values(x[rows], slice(None))
        return found

    def _values(self, values: Floats, at: slice | NDArray[Any]) -> Floats:
        """values: of the columns ``at``, entry by entry or in the last axis."""
        limited = np.clip(values, self.lower[at], self.upper[at])
        return np.asarray((limited - self.shift[at]) / self.divisor[at])


def unscaled(k: int) -> Scaling:
    """All k columns stay as they are."""
    return Scaling(np.full(k, -np.inf), np.full(k, np.inf), np.zeros(k), np.ones(k))


def blocks(n: int, k: int) -> list[slice]:
    """Rows to work on at a time."""
    step = max(1, BLOCK_CELLS // max(k, 1))
    return [slice(at, at + step) for at in range(0, n, step)]
