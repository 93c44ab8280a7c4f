"""Where a node of a tree is best cut in two, from sums of gradients by bin.

Shapes: p nodes, k features, b bins, c outputs. G and H are sums of first and second derivatives
of the loss. Source: Chen and Guestrin 2016 (XGBoost), sections 2.2 and 3.4; the gain has no
factor 1/2 and no gamma, as in FATE 1.x.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

from federatedml.maths.glm import Floats

DECIMALS = 1e10
"""Statistics and gains count down to 1e-10 (FATE 1.x), so that sums in another order agree."""

TIE = 1e-8
"""Gains closer than this are equal."""


@dataclass(frozen=True)
class Rules:
    """l1, l2: regularisation of leaf weights. The rest: what both sides of a split must have."""

    l2: float = 0.1
    l1: float = 0.0
    min_sample_split: int = 2
    min_leaf_node: int = 1
    min_child_weight: float = 0.0
    min_impurity_split: float = 1e-3
    use_missing: bool = False


@dataclass(frozen=True)
class Splits:
    """The best split of each node. gain (p,): -inf where none is allowed. feature, bin (p,):
    rows with a bin number <= bin go left. missing_left (p,): where missing values go.
    left (p, 2c) sums and left_count (p,) of the left side."""

    gain: Floats
    feature: NDArray[np.int64]
    bin: NDArray[np.int64]
    missing_left: NDArray[np.bool_]
    left: Floats
    left_count: NDArray[np.int64]

    def of(self, which: NDArray[np.int64]) -> Splits:
        """Those of some nodes."""
        return Splits(*(getattr(self, f.name)[which] for f in fields(self)))


def shrunk(g: Floats, l1: float) -> Floats:
    """G moved towards zero by l1."""
    return np.sign(g) * np.maximum(np.abs(g) - l1, 0.0) if l1 else g


def leaf_weights(sums: Floats, rules: Rules) -> Floats:
    """(p, c) the best constant of each node: -G / (H + l2). sums: (p, 2c), all G before all H."""
    c = sums.shape[-1] // 2
    g, h = sums[..., :c], sums[..., c:]
    return np.asarray(-shrunk(g, rules.l1) / (h + rules.l2))


def score(sums: Floats, rules: Rules) -> Floats:
    """G^2 / (H + l2), added up over the outputs. sums: (..., 2c)."""
    c = sums.shape[-1] // 2
    g = shrunk(_floored(sums[..., :c]), rules.l1)
    h = _floored(sums[..., c:]) + rules.l2
    with np.errstate(divide="ignore", invalid="ignore"):
        parts = np.where(h > 0.0, g * g / h, 0.0)
    return np.asarray(parts.sum(axis=-1))


def _floored(x: Floats) -> Floats:
    return np.floor(x * DECIMALS) / DECIMALS


def best_splits(
    sums: Floats, counts: NDArray[np.int64], n_cuts: NDArray[np.int64], rules: Rules
) -> Splits:
    """The best split of each node over all features and bins.

    sums: (p, k, b + 1, 2c), counts: (p, k, b + 1), the last bin that of missing values.
    n_cuts: (k,) bins that each feature really has; its last bin is no split unless missing
    values could go right. Of equal gains the first feature and the lowest bin win.
    """
    total, n_total = sums.sum(axis=2)[:, :1], counts.sum(axis=2)[:, :1]
    known, n_known = np.cumsum(sums[:, :, :-1], axis=2), np.cumsum(counts[:, :, :-1], axis=2)
    missing, n_missing = sums[:, :, -1:], counts[:, :, -1:]
    whole = score(total[:, :, None], rules)
    best: list[tuple[Floats, Floats, NDArray[np.int64]]] = []
    for to_left in (False, True) if rules.use_missing else (False,):
        left = known + missing if to_left else known
        n_left = n_known + n_missing if to_left else n_known
        gain = gains(left, n_left, total[:, :, None], n_total[:, :, None], whole, rules)
        cuts = np.arange(gain.shape[2]) < n_cuts[None, :, None]
        best.append((np.where(cuts, gain, -np.inf), left, n_left))
    return _picked(best)


def gains(
    left: Floats,
    n_left: NDArray[np.int64],
    total: Floats,
    n_total: NDArray[np.int64],
    whole: Floats,
    rules: Rules,
) -> Floats:
    """What cutting rows in two gains; -inf where a side has too little. Shapes broadcast.

    left: (..., 2c) and n_left (...) of the left side; total, n_total, whole (the score): of both.
    """
    right, n_right = total - left, n_total - n_left
    gain = _floored(score(left, rules) + score(right, rules) - whole)
    c = left.shape[-1] // 2
    allowed = (n_total >= rules.min_sample_split) & (n_left >= rules.min_leaf_node)
    allowed &= (n_right >= rules.min_leaf_node) & (n_left > 0) & (n_right > 0)
    for side in (left, right):
        allowed &= side[..., c:].sum(axis=-1) >= rules.min_child_weight
    allowed &= gain > rules.min_impurity_split + TIE
    return np.where(allowed, gain, -np.inf)


def _picked(best: list[tuple[Floats, Floats, NDArray[np.int64]]]) -> Splits:
    """Of the candidates per missing direction, the best of each node."""
    p, _, b = best[0][0].shape
    at = np.arange(p)
    flat = [gain.reshape(p, -1) for gain, _, _ in best]
    where = [f.argmax(axis=1) for f in flat]
    top = np.array([f[at, w] for f, w in zip(flat, where, strict=True)])
    which = np.where(top[-1] > top[0] + TIE, len(best) - 1, 0)
    place = np.array(where)[which, at]
    feature, cut = place // b, place % b
    left = np.array([part[at, feature, cut] for _, part, _ in best])[which, at]
    n_left = np.array([part[at, feature, cut] for _, _, part in best])[which, at]
    return Splits(top[which, at], feature, cut, which == 1, left, n_left)
