"""Pearson correlations of columns, and how far each is a combination of the others.

A column of unit length is (x - mean) / |x - mean|: of two of them the inner product is their
correlation, whichever table each is in. Constant columns have none: what is told of them is nan.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.maths.glm import Floats, Matrix

BLOCK = 1 << 14
"""Rows that are in memory as a dense matrix of their own."""

NO_EIGENVALUE = 1e-8
"""What an eigenvalue of a correlation matrix must exceed in order not to count as zero. Source:
FATE 1.x."""


@dataclass(frozen=True, eq=False)
class Columns:
    """Some columns of a matrix (n, k), and what makes them of unit length.

    mean, length: (k,), length |x - mean|, 0 for a constant column. products: (k, k) of the columns
    less their means.
    """

    x: Matrix
    mean: Floats
    length: Floats
    products: Floats

    @property
    def varies(self) -> NDArray[np.bool_]:
        """(k,) which columns are not constant."""
        found: NDArray[np.bool_] = self.length > 0
        return found

    def unit(self, first: int, last: int, at: Sequence[int]) -> Floats:
        """Rows [first, last) of columns ``at``, which vary, of unit length; (rows, len(at))."""
        part = dense(self.x[first:last])[:, at]
        found: Floats = (part - self.mean[at]) / self.length[at]
        return found


def dense(x: Matrix) -> Floats:
    return x.toarray() if sparse.issparse(x) else np.asarray(x)


def blocks(x: Matrix) -> Iterator[Floats]:
    """A matrix (n, k) as dense parts (up to BLOCK, k)."""
    for first in range(0, x.shape[0], BLOCK):
        yield dense(x[first : first + BLOCK])


def measured(x: Matrix) -> Columns:
    """Of a finite matrix (n, k), n >= 1. Cost: two passes, and n k^2 multiplications."""
    n, k = x.shape
    low, high, mean = np.full(k, np.inf), np.full(k, -np.inf), np.zeros(k)
    for part in blocks(x):
        low, high = np.minimum(low, part.min(axis=0)), np.maximum(high, part.max(axis=0))
        mean += part.mean(axis=0) * (len(part) / n)
    rest, products = np.zeros(k), np.zeros((k, k))
    for part in blocks(x):
        centred = part - mean
        rest += centred.sum(axis=0)
        products += centred.T @ centred
    products -= np.outer(rest, rest) / n
    # Rounding alone may make a constant column's length something.
    length = np.where(high > low, np.sqrt(np.maximum(np.diag(products), 0.0)), 0.0)
    return Columns(x, mean + rest / n, length, products)


def correlations(columns: Columns) -> Floats:
    """(k, k) of the columns with each other; nan in the rows and columns of constant ones."""
    length = np.where(columns.varies, columns.length, np.nan)
    found = columns.products / np.outer(length, length)
    np.fill_diagonal(found, np.where(columns.varies, 1.0, np.nan))
    clipped: Floats = np.clip(found, -1.0, 1.0)
    return clipped


def variance_inflation(correlation: Floats) -> Floats:
    """(k,) the variance inflation factor of each column, by a correlation matrix (k, k).

    It is det'(C without the column) / det'(C), where det' is the product of the eigenvalues that
    are not zero: for columns that are independent 1 / (1 - R^2), as everywhere. A column that is a
    combination of others has 1 - h instead, below 1, with h its share in the space of all columns:
    FATE's rule, in closed form. nan for constant columns.
    Cost: one decomposition, instead of one for each column.
    """
    found = np.full(len(correlation), np.nan)
    varies = ~np.isnan(np.diag(correlation))
    if not varies.any():
        return found
    values, vectors = np.linalg.eigh(correlation[np.ix_(varies, varies)])
    weights, zero = vectors**2, values <= NO_EIGENVALUE
    inverse = (weights[:, ~zero] / values[~zero]).sum(axis=1)
    share = weights[:, zero].sum(axis=1)
    # Without its column, det(C - t) has the root share / inverse nearest to zero.
    found[varies] = np.where(share > NO_EIGENVALUE * inverse, share, inverse)
    return found
