"""Columns of a matrix one after the other, each in contiguous memory; zeros of csr are counted.

A column is told as its values and the number of zeros beside them, so that a sparse one costs what
it holds.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.maths.glm import Floats, Matrix

BLOCK = 16
"""Dense columns that are turned at a time: two cache lines of a row."""


def columns(x: Matrix, at: Sequence[int]) -> Iterator[tuple[Floats, int]]:
    """For each column in ``at``: its (m,) values, nan among them, and how many zeros more it has.

    x: (n, k) dense, then m = n, or csr, then the values that are stored.
    Cost: one pass over a dense matrix for every BLOCK columns; one turning of a sparse one.
    """
    if sparse.issparse(x):
        by_column = sparse.csc_matrix(x[:, list(at)])
        bounds, data = by_column.indptr, np.asarray(by_column.data, dtype=np.float64)
        for j in range(len(at)):
            part = data[bounds[j] : bounds[j + 1]]
            yield part, x.shape[0] - len(part)
        return
    dense = np.asarray(x)
    for start in range(0, len(at), BLOCK):
        block = np.ascontiguousarray(dense[:, list(at[start : start + BLOCK])].T)
        for column in block:
            yield column, 0


def known(values: Floats) -> Floats:
    """The values that are not missing."""
    missing = np.isnan(values)
    return values[~missing] if missing.any() else values


def at_rank(ascending: Floats, n_zeros: int, rank: int) -> float:
    """The value of this rank (0 is the least) among sorted values and ``n_zeros`` zeros more.

    >>> at_rank(np.array([-3.0, 5.0]), 2, 2)
    0.0
    """
    n_negative = int(np.searchsorted(ascending, 0.0))
    if n_negative <= rank < n_negative + n_zeros:
        return 0.0
    return float(ascending[rank if rank < n_negative else rank - n_zeros])


def quantile(values: Floats, n_zeros: int, share: float) -> float:
    """The least value that at least this share of all values do not exceed; nan if there are none.

    values: without nan. share: 0 to 1; 0 gives the least value. Numpy's "inverted_cdf". Cost: a
    few passes, or with zeros beside the values a sorting.
    """
    n = len(values) + n_zeros
    if not n:
        return float("nan")
    rank = min(max(int(np.ceil(share * n)) - 1, 0), n - 1)
    if not n_zeros:
        return float(np.partition(values, rank)[rank])
    return at_rank(np.sort(values), n_zeros, rank)


def counted(values: Floats, n_zeros: int) -> tuple[Floats, NDArray[np.int64]]:
    """The distinct values, ascending, and how often each occurs. values: without nan."""
    found, counts = np.unique(values, return_counts=True)
    if not n_zeros:
        return found, counts
    where = int(np.searchsorted(found, 0.0))
    if where < len(found) and found[where] == 0.0:
        counts[where] += n_zeros
        return found, counts
    return np.insert(found, where, 0.0), np.insert(counts, where, n_zeros)


def filled(x: Matrix, at: Sequence[int]) -> Iterator[Floats]:
    """For each column in ``at`` all its n values, zeros of csr among them. Cost: as ``columns``."""
    if not sparse.issparse(x):
        for values, _ in columns(x, at):
            yield values
        return
    by_column = sparse.csc_matrix(x[:, list(at)])
    bounds = by_column.indptr
    for j in range(len(at)):
        column = np.zeros(x.shape[0])
        inside = slice(bounds[j], bounds[j + 1])
        column[by_column.indices[inside]] = by_column.data[inside]
        yield column
