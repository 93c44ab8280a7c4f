"""Values in the place of missing ones, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from federatedml.maths import columnwise

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Method = Literal["min", "max", "mean", "designated"]
Statistic = Literal["min", "max", "mean", "median", "mode"]


def replacements(
    x: Floats, missing: Mask, method: Method | None, designated: float | Sequence[float] = 0.0
) -> Floats:
    """What to put where a value is missing. method None: 0.

    x: (n, k); missing: (n, k), entries that count as missing and do not enter the statistics.
    designated: one value, or k of them. A column with no value at all gets 0.
    Returns (k,).
    Source: FATE 1.x behaviour, docs/compat/data.md.

    >>> import numpy as np
    >>> x = np.array([[1.0, 7.0], [np.nan, 9.0], [3.0, np.nan]])
    >>> replacements(x, np.isnan(x), "mean").tolist()
    [2.0, 8.0]
    """
    k = x.shape[1]
    if method is None:
        return np.zeros(k)
    if method == "designated":
        values = np.asarray(designated, np.float64)
        if values.ndim and len(values) != k:
            raise ValueError(f"{len(values)} designated values for {k} columns; give one, or {k}")
        return np.full(k, values)
    there = (~missing).sum(axis=0)
    if method == "mean":
        found = np.where(missing, 0.0, x).sum(axis=0) / np.maximum(there, 1)
    elif method == "min":
        found = np.where(missing, np.inf, x).min(axis=0, initial=np.inf)
    else:
        found = np.where(missing, -np.inf, x).max(axis=0, initial=-np.inf)
    found[there == 0] = 0.0
    return np.asarray(found, np.float64)


def filled(x: Floats, missing: Mask, values: Floats) -> Floats:
    """x with ``values`` (k,) where it is missing; a new array. x, missing: (n, k)."""
    return np.where(missing, values, x)


def ratios(missing: Mask) -> Floats:
    """(k,) share of missing entries of each column; 0 without rows. missing: (n, k)."""
    return np.asarray(missing.sum(axis=0) / max(len(missing), 1), np.float64)


def typical(values: Floats, n_zeros: int, statistic: Statistic) -> float:
    """One number that stands for a column; of equally frequent modes the least.

    values: (m,) without nan. n_zeros: so many zeros more; there must be one value. Cost: a pass, or
    for median and mode a sorting.

    >>> typical(np.array([4.0, 1.0]), 1, "median")
    1.0
    """
    n = len(values) + n_zeros
    if statistic == "mean":
        return float(values.sum() / n)
    if statistic == "median":
        ascending = np.sort(values)
        middle = [columnwise.at_rank(ascending, n_zeros, at) for at in ((n - 1) // 2, n // 2)]
        return middle[0] if middle[0] == middle[1] else middle[0] / 2 + middle[1] / 2
    if statistic == "mode":
        found, counts = columnwise.counted(values, n_zeros)
        return float(found[counts.argmax()])
    there = np.append(values, 0.0) if n_zeros else values
    return float(there.min() if statistic == "min" else there.max())
