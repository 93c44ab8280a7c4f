"""Features cut at their quantiles into numbered bins, feature by feature in contiguous memory.

A value x belongs to the first bin whose upper cut is >= x, so "x <= cut" reads off the bin number.
Source: Ke et al. 2017 (LightGBM), section 2.1; bins and "<=" are FATE 1.x's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.maths.glm import Floats, Matrix

Codes = NDArray[np.uint8] | NDArray[np.uint16]

SAMPLE = 200_000
"""Rows that cuts are taken from; of more rows an evenly spread sample."""

MAX_BINS = 65_535


@dataclass(frozen=True)
class Cuts:
    """upper: of every feature the (b,) ascending upper cuts of its bins, b <= n_bins.

    The bin number n_bins stands for a missing value, at every feature.
    """

    upper: list[Floats]
    n_bins: int

    @property
    def dtype(self) -> type[np.unsignedinteger[Any]]:
        return np.uint8 if self.n_bins < 256 else np.uint16


def cut_points(x: Matrix, n_bins: int, *, zero_as_missing: bool = False) -> Cuts:
    """At most n_bins cuts a feature: the i/n_bins quantiles of its values, each a value itself.

    x: (n, k) dense or csr; nan is missing and counts for nothing. A feature with fewer distinct
    values gets a bin for each. Raises ValueError unless 1 <= n_bins <= MAX_BINS.
    Cost: sorting min(n, SAMPLE) values a feature.
    """
    if not 1 <= n_bins <= MAX_BINS:
        raise ValueError(f"bin_num is {n_bins}; 1 to {MAX_BINS} are possible")
    step = -(-x.shape[0] // SAMPLE) if x.shape[0] > SAMPLE else 1
    part = x[::step]
    columns = (_column(part, j, zero_as_missing) for j in range(x.shape[1]))
    return Cuts([_quantiles(column, n_bins) for column in columns], n_bins)


def _quantiles(values: Floats, n_bins: int) -> Floats:
    known = np.sort(values[~np.isnan(values)])
    if not len(known):
        return np.array([0.0])
    distinct: Floats = known[np.append(True, known[1:] != known[:-1])]
    if len(distinct) <= n_bins:
        return distinct
    ranks = np.ceil(np.arange(1, n_bins + 1) * (len(known) / n_bins)).astype(np.int64) - 1
    return np.unique(known[np.clip(ranks, 0, len(known) - 1)])


def _column(x: Matrix, j: int, zero_as_missing: bool) -> Floats:
    column = x[:, [j]].toarray().ravel() if sparse.issparse(x) else np.asarray(x[:, j])
    column = np.asarray(column, dtype=np.float64)
    return np.where(column == 0.0, np.nan, column) if zero_as_missing else column


def binned(x: Matrix, cuts: Cuts, *, zero_as_missing: bool = False) -> Codes:
    """(k, n) bin numbers, one row of memory a feature; values above the last cut are in its bin.

    x: (n, k). Raises ValueError for another number of features.
    """
    if x.shape[1] != len(cuts.upper):
        raise ValueError(f"{x.shape[1]} features where the cuts know {len(cuts.upper)}")
    found: Codes = np.empty((x.shape[1], x.shape[0]), dtype=cuts.dtype)
    for j, upper in enumerate(cuts.upper):
        column = _column(x, j, zero_as_missing)
        codes = np.minimum(np.searchsorted(upper, column, side="left"), len(upper) - 1)
        found[j] = np.where(np.isnan(column), cuts.n_bins, codes)
    return found
