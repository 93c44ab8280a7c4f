"""Single numbers that say how well predictions fit: regression and several classes.

Definitions are scikit-learn's; tests hold each against it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


def explained_variance(y: Floats, p: Floats) -> float:
    """1 - Var(y - p) / Var(y). y, p: (n,) truth and prediction."""
    return _share_explained(float(np.var(y - p)), float(np.var(y)))


def r2_score(y: Floats, p: Floats) -> float:
    """1 - sum of squared errors over the sum of squares around the mean."""
    return _share_explained(float(np.mean((y - p) ** 2)), float(np.var(y)))


def _share_explained(error: float, total: float) -> float:
    """1 for no error at all, 0 for an error where there was nothing to explain."""
    if total == 0:
        return 1.0 if error == 0 else 0.0
    return 1.0 - error / total


def mean_absolute_error(y: Floats, p: Floats) -> float:
    """mean |y - p|; y, p: (n,)."""
    return float(np.mean(np.abs(y - p)))


def mean_squared_error(y: Floats, p: Floats) -> float:
    """mean (y - p)^2; y, p: (n,)."""
    return float(np.mean((y - p) ** 2))


def root_mean_squared_error(y: Floats, p: Floats) -> float:
    """The root of mean (y - p)^2; y, p: (n,)."""
    return float(np.sqrt(mean_squared_error(y, p)))


def median_absolute_error(y: Floats, p: Floats) -> float:
    """median |y - p|; y, p: (n,)."""
    return float(np.median(np.abs(y - p)))


def mean_squared_log_error(y: Floats, p: Floats) -> float:
    """Mean of (ln(1 + y) - ln(1 + p))^2. Raises ValueError for values of -1 and below."""
    if min(float(y.min()), float(p.min())) <= -1:
        raise ValueError("mean_squared_log_error needs values above -1")
    return float(np.mean((np.log1p(y) - np.log1p(p)) ** 2))


REGRESSION: dict[str, Callable[[Floats, Floats], float]] = {
    "explained_variance": explained_variance,
    "mean_absolute_error": mean_absolute_error,
    "mean_squared_error": mean_squared_error,
    "mean_squared_log_error": mean_squared_log_error,
    "median_absolute_error": median_absolute_error,
    "r2_score": r2_score,
    "root_mean_squared_error": root_mean_squared_error,
}


@dataclass(frozen=True)
class PerClass:
    """accuracy of all rows; precision and recall (c,) of each class, 0 where undefined."""

    accuracy: float
    precision: Floats
    recall: Floats


def per_class(y: Ints, p: Ints, n_classes: int) -> PerClass:
    """Scores of several classes. y, p: (n,) true and predicted class, 0 ... n_classes - 1."""
    right = np.bincount(y[y == p], minlength=n_classes)
    true = np.bincount(y, minlength=n_classes)
    said = np.bincount(p, minlength=n_classes)
    return PerClass(
        accuracy=float(right.sum() / len(y)),
        precision=right / np.maximum(said, 1),
        recall=right / np.maximum(true, 1),
    )
