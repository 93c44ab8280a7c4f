"""Values in the place of missing ones, column by column."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

Method = Literal["min", "max", "mean", "designated"]


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
