"""Decision trees in flat arrays: growing one level by level, and predicting many rows at once.

Shapes: n rows, k features, m nodes, c outputs. Node 0 is the root; children are numbered as they
are made, breadth first, a left child directly before its sibling.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.maths import splits
from federatedml.maths.glm import Floats
from federatedml.maths.histograms import Rows, histograms
from federatedml.maths.quantiles import Codes, Cuts
from federatedml.maths.splits import Rules, Splits

LEAF = -1
"""The feature of a node without children."""


@dataclass(frozen=True)
class Tree:
    """feature (m,): LEAF or the feature asked. threshold (m,): a value <= it goes left; cut (m,):
    the same as a bin number.
    left, right (m,): children. missing_left (m,): where missing values go. weight (m, c):
    of leaves; zero elsewhere. count (m,): rows that the tree was grown on."""

    feature: NDArray[np.int32]
    threshold: Floats
    cut: NDArray[np.int32]
    left: NDArray[np.int32]
    right: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    weight: Floats
    count: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.feature)


@dataclass
class Growing:
    """A tree while it grows: lists by node, each node a leaf until it is divided."""

    n_outputs: int
    feature: list[int] = field(default_factory=list)
    threshold: list[float] = field(default_factory=list)
    cut: list[int] = field(default_factory=list)
    left: list[int] = field(default_factory=list)
    right: list[int] = field(default_factory=list)
    missing_left: list[bool] = field(default_factory=list)
    weight: list[Floats] = field(default_factory=list)
    count: list[int] = field(default_factory=list)

    def add(self, count: int, weight: Floats) -> int:
        """A new leaf's number."""
        self.feature.append(LEAF)
        self.threshold.append(0.0)
        self.cut.append(0)
        self.left.append(LEAF)
        self.right.append(LEAF)
        self.missing_left.append(False)
        self.weight.append(weight)
        self.count.append(count)
        return len(self.feature) - 1

    def divide(
        self, node: int, feature: int, cut: int, threshold: float, *, missing_left: bool
    ) -> None:
        """Make a leaf ask a question; the two leaves added next are its children."""
        self.feature[node], self.cut[node], self.threshold[node] = feature, cut, threshold
        self.missing_left[node] = missing_left
        self.left[node], self.right[node] = len(self.feature), len(self.feature) + 1

    def finished(self) -> Tree:
        leaf = np.array(self.feature) == LEAF
        weight = np.array(self.weight).reshape(-1, self.n_outputs)
        return Tree(
            np.array(self.feature, dtype=np.int32),
            np.array(self.threshold),
            np.array(self.cut, dtype=np.int32),
            np.array(self.left, dtype=np.int32),
            np.array(self.right, dtype=np.int32),
            np.array(self.missing_left, dtype=bool),
            np.where(leaf[:, None], weight, 0.0),
            np.array(self.count, dtype=np.int64),
        )


def grow(
    codes: Codes,
    cuts: Cuts,
    stats: Floats,
    rules: Rules,
    max_depth: int,
    *,
    rows: Rows | None = None,
    cores: int = 1,
) -> tuple[Tree, NDArray[np.int32]]:
    """One tree on all features at once, and the leaf (n,) of each row (-1 where not in rows).

    codes: (k, n). stats: (n, 2c) first, then second derivatives. rows: those to grow on.
    Cost: about 2 ns a row, feature and level, half of that below the root: of two siblings only
    the smaller one is summed, the other one is the parent minus it.
    """
    n, n_outputs = codes.shape[1], stats.shape[1] // 2
    chosen = np.arange(n, dtype=np.int64) if rows is None else rows
    n_cuts = np.array([len(upper) for upper in cuts.upper], dtype=np.int64)
    at = np.full(n, -1, dtype=np.int32)
    at[chosen] = 0
    tree = Growing(n_outputs)
    tree.add(len(chosen), splits.leaf_weights(stats[chosen].sum(axis=0)[None], rules)[0])
    level = Level(
        [0], *histograms(codes, cuts.n_bins, chosen, at[chosen], 1, stats[chosen], cores=cores)
    )
    for depth in range(max_depth):
        found = splits.best_splits(level.sums, level.counts, n_cuts, rules)
        split = np.flatnonzero(np.isfinite(found.gain))
        if not len(split):
            break
        parents = level.of(split)
        _divided(tree, cuts, parents, found.of(split), rules)
        moved(codes, cuts.n_bins, tree, at, parents.nodes)
        if depth + 1 < max_depth:
            level = next_level(codes, cuts.n_bins, tree, at, parents, stats, cores)
    return tree.finished(), at


@dataclass(frozen=True)
class Level:
    """Nodes of one depth and their histograms: sums (p, k, b + 1, s), counts (p, k, b + 1)."""

    nodes: list[int]
    sums: Floats
    counts: NDArray[np.int64]

    def of(self, which: NDArray[np.int64]) -> Level:
        """Some of the nodes."""
        return Level([self.nodes[i] for i in which.tolist()], self.sums[which], self.counts[which])


def _divided(tree: Growing, cuts: Cuts, parents: Level, found: Splits, rules: Rules) -> None:
    """Give two children to every parent."""
    total = parents.sums[:, 0].sum(axis=1)
    n_total = parents.counts[:, 0].sum(axis=1)
    left, right = (splits.leaf_weights(sides, rules) for sides in (found.left, total - found.left))
    for i, node in enumerate(parents.nodes):
        feature, cut = int(found.feature[i]), int(found.bin[i])
        threshold = float(cuts.upper[feature][cut])
        tree.divide(node, feature, cut, threshold, missing_left=bool(found.missing_left[i]))
        n_left = int(found.left_count[i])
        tree.add(n_left, left[i])
        tree.add(int(n_total[i]) - n_left, right[i])


def moved(
    codes: Codes, n_bins: int, tree: Growing, at: NDArray[np.int32], parents: list[int]
) -> None:
    """Move the rows of divided nodes to their children, in place. Cost: a pass over the rows."""
    asked = np.full(len(tree.feature), LEAF, dtype=np.int64)
    asked[parents] = [tree.feature[node] for node in parents]
    rows = np.flatnonzero(at >= 0)
    rows = rows[asked[at[rows]] != LEAF]
    node = at[rows]
    code = codes[asked[node], rows]
    goes_left = np.where(
        code == n_bins,
        np.array(tree.missing_left)[node],
        code <= np.array(tree.cut)[node],
    )
    at[rows] = np.where(goes_left, np.array(tree.left)[node], np.array(tree.right)[node])


def smaller(tree: Growing, parents: list[int]) -> tuple[list[int], NDArray[np.bool_]]:
    """Of each pair of children the one with fewer rows, and (p,) whether it is the left one."""
    n_left = np.array([tree.count[tree.left[node]] for node in parents])
    is_left = 2 * n_left <= np.array([tree.count[node] for node in parents])
    found = [tree.left[node] + (not left) for node, left in zip(parents, is_left, strict=True)]
    return found, is_left


def siblings(parents: Any, small: Any, is_left: NDArray[np.bool_]) -> Any:
    """(2p, ...) of both children from their parents' sums and those of one child each; left first.

    parents, small: (p, ...). is_left: (p,) whether ``small`` is the left one.
    """
    first = is_left.reshape(-1, *[1] * (small.ndim - 1))
    big = parents - small
    both = np.stack([np.where(first, small, big), np.where(first, big, small)], axis=1)
    return both.reshape(2 * len(small), *small.shape[1:])


def summed(
    codes: Codes, n_bins: int, at: NDArray[np.int32], nodes: list[int], stats: Floats, cores: int
) -> tuple[Floats, NDArray[np.int64]]:
    """Histograms of these nodes. at: (n,) the node of each row, below 0 where it does not count."""
    place = np.full(max(int(at.max(initial=0)), *nodes) + 2, -1, dtype=np.int32)
    place[nodes] = np.arange(len(nodes))  # and the last one is for rows below 0
    rows = np.flatnonzero(place[at] >= 0)
    return histograms(codes, n_bins, rows, place[at[rows]], len(nodes), stats[rows], cores=cores)


def next_level(
    codes: Codes,
    n_bins: int,
    tree: Growing,
    at: NDArray[np.int32],
    parents: Level,
    stats: Floats,
    cores: int,
) -> Level:
    """Both children of every parent: the smaller one is summed, its sibling is the difference.

    at: (n,) the node of each row, below 0 where it does not count.
    """
    less, is_left = smaller(tree, parents.nodes)
    small, few = summed(codes, n_bins, at, less, stats, cores)
    order = [child for node in parents.nodes for child in (tree.left[node], tree.right[node])]
    return Level(
        order, siblings(parents.sums, small, is_left), siblings(parents.counts, few, is_left)
    )


_NUMBERS, _INTS, _FLAGS = (
    types.Array(t, 1, "C", readonly=True) for t in (types.float64, types.int32, types.boolean)
)
_ROWS = types.Array(types.float64, 2, "A", readonly=True)


@compiled(types.void(_ROWS, _INTS, _NUMBERS, _INTS, _INTS, _FLAGS, types.int32[::1]))
def _leaves(
    x: Any, feature: Any, threshold: Any, left: Any, right: Any, missing_left: Any, out: Any
) -> None:
    for i in range(x.shape[0]):
        node = 0
        while feature[node] >= 0:
            value = x[i, feature[node]]
            goes_left = missing_left[node] if np.isnan(value) else value <= threshold[node]
            node = left[node] if goes_left else right[node]
        out[i] = node


def leaves(tree: Tree, x: Floats) -> NDArray[np.int32]:
    """(n,) the leaf of each row. x: (n, k) dense, nan for missing values."""
    out = np.empty(len(x), dtype=np.int32)
    _leaves(x, tree.feature, tree.threshold, tree.left, tree.right, tree.missing_left, out)
    return out


def predicted(tree: Tree, x: Floats) -> Floats:
    """(n, c) the leaf weights of the rows."""
    return np.asarray(tree.weight[leaves(tree, x)])
