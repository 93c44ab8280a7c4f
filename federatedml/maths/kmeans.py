"""Clusters of rows around centroids (Lloyd's algorithm), for a party that has some of the columns.

Squared distances add up over columns, so parties that each have some of them can compute their
parts apart; assigning rows needs the sum, moving centroids does not.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.maths import clustering_metrics
from federatedml.maths.glm import Floats, Matrix

Ints = NDArray[np.int64]


class Points:
    """n rows of f columns, dense or csr, kept centred so that distances lose no digits to a
    common offset (csr rows stay as they are). Memory: one copy of a dense matrix."""

    def __init__(self, x: Matrix) -> None:
        self._x: Any = x
        self._shift = np.zeros(x.shape[1])
        if isinstance(x, np.ndarray):
            if len(x):
                self._shift = x.mean(axis=0)
            self._x = x - self._shift
            self._norms = np.einsum("ij,ij->i", self._x, self._x)
        else:
            self._norms = np.asarray(x.multiply(x).sum(axis=1)).ravel()

    @property
    def n_rows(self) -> int:
        return len(self._norms)

    def rows(self, which: Ints) -> Floats:
        """(k, f) some of the rows."""
        return _array(self._x[which]) + self._shift

    def squared_distances(self, centroids: Floats) -> Floats:
        """(n, k) to each of (k, f) centroids. Cost: one matrix product."""
        c = centroids - self._shift
        found = np.asarray(self._x @ c.T) * -2.0
        found += self._norms[:, None]
        found += np.square(c).sum(axis=1)
        return np.maximum(found, 0.0, out=found)

    def moved(self, assigned: Ints, before: Floats) -> Floats:
        """(k, f) the mean of each cluster's rows; an empty cluster stays where it was.

        assigned: (n,) cluster numbers. before: (k, f) the centroids so far.
        """
        k = len(before)
        counts = np.bincount(assigned, minlength=k)
        one_hot: Any = sparse.csr_matrix(
            (np.ones(len(assigned)), (assigned, np.arange(len(assigned)))),
            shape=(k, len(assigned)),
        )
        sums = _array(one_hot @ self._x)
        means = sums / np.maximum(counts, 1)[:, None] + self._shift
        return np.where(counts[:, None] > 0, means, before)


def _array(found: Any) -> Floats:
    """A dense array of a dense or sparse one."""
    return found if isinstance(found, np.ndarray) else found.toarray()  # type: ignore[no-any-return]


def between(centroids: Floats) -> Floats:
    """(k (k - 1) / 2,) squared distances of every two centroids: 0-1, 0-2, ..., 1-2, ..."""
    i, j = np.triu_indices(len(centroids), 1)
    squared: Floats = np.square(centroids[i] - centroids[j]).sum(axis=1)
    return squared


def square(pairs: Floats, k: int) -> Floats:
    """(k, k) squared distances of centroids from those of every two."""
    apart = np.zeros((k, k))
    apart[np.triu_indices(k, 1)] = pairs
    return apart + apart.T


def counts(assigned: Ints, k: int) -> Ints:
    """(k,) rows of each cluster."""
    return np.bincount(assigned, minlength=k).astype(np.int64)


def spread(distance: Floats, assigned: Ints, k: int) -> Floats:
    """(k,) mean distance of a cluster's rows to its centroid, 0 for an empty cluster.

    distance: (n,) squared, of each row to its own cluster's centroid.
    """
    sums = np.bincount(assigned, np.sqrt(distance), minlength=k)
    mean: Floats = sums / np.maximum(np.bincount(assigned, minlength=k), 1)
    return mean


def radius(distance: Floats, assigned: Ints, k: int) -> Floats:
    """(k,) greatest squared distance of a cluster's rows to its centroid, 0 if it is empty."""
    furthest = np.zeros(k)
    np.maximum.at(furthest, assigned, distance)
    return furthest


def davies_bouldin(distance: Floats, assigned: Ints, apart: Floats) -> float:
    """The Davies-Bouldin index of the clusters that have rows; nan for fewer than two.

    distance: (n,) squared, to the own centroid. apart: (k, k) squared, between centroids.
    """
    k = len(apart)
    there = np.flatnonzero(counts(assigned, k))
    if len(there) < 2:
        return float("nan")
    of = spread(distance, assigned, k)[there]
    return clustering_metrics.davies_bouldin_index(of, apart[np.ix_(there, there)])
