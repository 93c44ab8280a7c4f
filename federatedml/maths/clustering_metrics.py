"""How well clusters fit true labels, and how well they are apart.

Definitions are scikit-learn's, on the contingency matrix; tests hold each against it.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def contingency(y: Ints, p: Ints, n_true: int, n_predicted: int) -> Ints:
    """(n_true, n_predicted) numbers of rows. y, p: (n,) true and predicted class numbers."""
    flat = np.bincount(y * n_predicted + p, minlength=n_true * n_predicted)
    return flat.reshape(n_true, n_predicted).astype(np.int64)


def _pairs(table: Ints) -> tuple[float, float, float, float]:
    """Pairs of rows together in both, in truth, in prediction; and all pairs."""

    def chosen(counts: Ints) -> float:
        exact = counts.astype(np.float64)
        return float(np.sum(exact * (exact - 1)) / 2)

    n = float(table.sum())
    return chosen(table), chosen(table.sum(axis=1)), chosen(table.sum(axis=0)), n * (n - 1) / 2


def adjusted_rand_score(table: Ints) -> float:
    """Share of pairs that truth and prediction agree on, corrected for chance; 1 is perfect.

    table: (r, c) contingency.
    """
    both, in_truth, in_prediction, every = _pairs(table)
    if in_truth == in_prediction == both:
        return 1.0
    chance = in_truth * in_prediction / every
    return (both - chance) / ((in_truth + in_prediction) / 2 - chance)


def fowlkes_mallows_score(table: Ints) -> float:
    """Geometric mean of precision and recall over pairs. table: (r, c) contingency."""
    both, in_truth, in_prediction, _ = _pairs(table)
    if both == 0:
        return 0.0
    return float(np.sqrt(both / in_truth) * np.sqrt(both / in_prediction))


def jaccard_similarity_score(y: Ints, p: Ints, n_classes: int) -> float:
    """Intersection over union per class, averaged by the number of true rows of a class.

    y, p: (n,) class numbers in one numbering: a cluster counts as the class of its own number.
    """
    both = np.bincount(y[y == p], minlength=n_classes)
    true = np.bincount(y, minlength=n_classes)
    union = true + np.bincount(p, minlength=n_classes) - both
    return float(np.sum(true * (both / np.maximum(union, 1))) / len(y))


def davies_bouldin_index(spread: Floats, squared_distance: Floats) -> float:
    """Mean over clusters of the worst (s_i + s_j) / d_ij; smaller is better.

    spread: (k,) mean distance of a cluster's rows to its centroid; k >= 2.
    squared_distance: (k, k) between centroids.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = (spread[:, None] + spread[None, :]) / np.sqrt(squared_distance)
    np.fill_diagonal(ratio, -np.inf)
    return float(np.mean(ratio.max(axis=1)))


def nearest(squared_distance: Floats) -> Ints:
    """(k,) for each cluster the number of the nearest other one; 0 if there is only one."""
    apart = squared_distance.astype(np.float64, copy=True)
    np.fill_diagonal(apart, np.inf)
    found: Ints = apart.argmin(axis=1)
    return found
