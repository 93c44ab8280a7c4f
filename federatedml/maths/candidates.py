"""All ways in which one party's features can cut rows in two, and which of them cuts a node best.

Shapes: n rows, k features, m candidates, p nodes, c outputs. A candidate sends a row to the left
if the row's bin of its feature is at most its cut, or is the bin of missing values and the
candidate sends those left. Candidates stand in the order in which ties are broken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federatedml.maths import splits
from federatedml.maths.glm import Floats
from federatedml.maths.quantiles import Codes, Cuts
from federatedml.maths.splits import Rules

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Candidates:
    """feature, cut (m,): a row goes left if its bin of the feature is <= cut. missing_left (m,):
    whether rows without a value go left too."""

    feature: NDArray[np.int32]
    cut: NDArray[np.int32]
    missing_left: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.feature)

    def take(self, order: NDArray[np.int64]) -> Candidates:
        """These, in this order."""
        return Candidates(self.feature[order], self.cut[order], self.missing_left[order])


def candidates(
    codes: Codes, cuts: Cuts, *, use_missing: bool, features: NDArray[np.int64] | None = None
) -> Candidates:
    """Those that divide the rows at all, ordered by direction of missing values, feature, cut.

    codes: (k, n) of ``quantiles.binned``. use_missing: whether missing values may go left; else
    they go right. features: those that may be asked; None: all.
    Cost: a pass over the codes.
    """
    found: list[tuple[int, int, int]] = []
    for j in range(len(codes)) if features is None else features.tolist():
        held = np.bincount(codes[j], minlength=cuts.n_bins + 1)
        bins = np.flatnonzero(held[:-1]).tolist()
        if not held[-1]:
            bins = bins[:-1]  # above the last one there is no row
        found += [(0, j, b) for b in bins]
        if use_missing and held[-1]:
            found += [(1, j, b) for b in bins[:-1]]
    found.sort()
    table = np.array(found, dtype=np.int32).reshape(-1, 3)
    return Candidates(table[:, 1].copy(), table[:, 2].copy(), table[:, 0] == 1)


def goes_left(
    codes: Codes, n_bins: int, of: Candidates, which: int, rows: NDArray[np.int64]
) -> NDArray[np.bool_]:
    """(len(rows),) whether a candidate sends these rows to the left."""
    code = codes[of.feature[which]][rows]
    left = code <= of.cut[which]
    return np.asarray(left | (code == n_bins) if of.missing_left[which] else left)


@dataclass(frozen=True)
class Best:
    """The best candidate of each node. gain (p,): -inf where none is allowed. left (p, 2c): sums
    of its left side. ties: of each node all candidates with that gain, ascending."""

    gain: Floats
    left: Floats
    ties: list[NDArray[np.int64]]


def best(left: Floats, total: Floats, rules: Rules, counts: Counts | None, n_total: Counts) -> Best:
    """The best of m candidates at each of p nodes.

    left: (p, m, 2c) sums of the left sides. total: (p, 2c); n_total: (p,) rows of the nodes.
    counts: (p, m) rows of the left sides; None where a side of one row is enough: an empty side
    has sums of zero, and so no gain.
    """
    p, m = left.shape[:2]
    if not m:
        none = [np.empty(0, dtype=np.int64) for _ in range(p)]
        return Best(np.full(p, -np.inf), np.zeros((p, left.shape[2])), none)
    n_all = n_total[:, None]
    n_left = np.broadcast_to(n_all > 1, (p, m)).astype(np.int64) if counts is None else counts
    whole = splits.score(total[:, None], rules)
    gain = splits.gains(left, n_left, total[:, None], n_all, whole, rules)
    top = gain.max(axis=1)
    at = gain.argmax(axis=1)
    ties = [np.flatnonzero(gain[i] == top[i]) if np.isfinite(top[i]) else at[:0] for i in range(p)]
    return Best(top, left[np.arange(p), at], ties)
