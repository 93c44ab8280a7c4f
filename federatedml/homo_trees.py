"""Trees grown level by level from sums over parties with rows of their own. No messages in here.

All trees of a boosting round (one for each class, or a single one) grow side by side, so that a
level of all of them is one sum. Shapes: n rows, k features of which k' are drawn, b bins, c outputs
of a tree, p nodes of a level, m nodes of a tree. Whatever number of parties the sums are made of,
they are those of the pooled rows, exactly: derivatives are rounded to multiples of a power of two.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import summable
from federatedml.crypto.masking import Words
from federatedml.maths import splits, trees
from federatedml.maths.glm import Floats
from federatedml.maths.histograms import histograms
from federatedml.maths.quantiles import Codes
from federatedml.maths.splits import Rules
from federatedml.maths.trees import LEAF, Growing, Tree
from federatedml.protocols.homo_quantiles import Bins
from federation import codec

SUM_BITS = 52
"""Sums of rounded derivatives stay below 2^52 units, and so exact in float64."""

MAX_SCALE_BITS = 100

Counts = NDArray[np.int64]


def of_type(kind: type[np.generic], ndim: int, *arrays: NDArray[Any]) -> None:
    """Raises ValueError unless they are arrays of this type and number of axes."""
    if any(a.dtype != kind or a.ndim != ndim for a in arrays):
        raise ValueError(f"arrays of {kind.__name__} with {ndim} axes expected")


@codec.wire_struct
class HomoTurn(msgspec.Struct, frozen=True):
    """Whether training is over, else: scale_bits (2,), fractional bits of first and of second
    derivatives; features (t, k'): the drawn ones of each tree, ascending."""

    is_over: bool
    scale_bits: NDArray[np.int32]
    features: NDArray[np.int32]

    def __post_init__(self) -> None:
        of_type(np.int32, 1, self.scale_bits)
        of_type(np.int32, 2, self.features)

    def fits(self, k: int) -> bool:
        """Whether the columns are some of k, ascending, and the scale is possible."""
        drawn, scale = self.features, self.scale_bits
        inside = (drawn >= 0).all() and (drawn < k).all() and (np.diff(drawn) > 0).all()
        return bool(inside and scale.shape == (2,) and (np.abs(scale) <= MAX_SCALE_BITS).all())

    def __describe__(self) -> str:
        return f"HomoTurn[{','.join(map(str, self.features.shape))}]"


@codec.wire_struct
class HomoSplits(msgspec.Struct, frozen=True):
    """What becomes of the p nodes of a level, q of which are divided.

    divided (p,). feature, cut, missing_left, gain (q,): how; sums_left (q,): whether the left child
    is the one to be summed next. weights (l, c): of all leaves, tree by tree, once the trees are
    finished; none before.
    """

    divided: NDArray[np.bool_]
    feature: NDArray[np.int32]
    cut: NDArray[np.int32]
    missing_left: NDArray[np.bool_]
    gain: NDArray[np.float64]
    sums_left: NDArray[np.bool_]
    weights: NDArray[np.float64]

    def __post_init__(self) -> None:
        of_type(np.bool_, 1, self.divided, self.missing_left, self.sums_left)
        of_type(np.int32, 1, self.feature, self.cut)
        of_type(np.float64, 1, self.gain)
        of_type(np.float64, 2, self.weights)

    def __describe__(self) -> str:
        return f"HomoSplits[{len(self.divided)},{len(self.feature)}]"


def rounded(derivatives: Floats, scale_bits: int) -> Floats:
    """Multiples of 2^-scale_bits."""
    return np.asarray(np.ldexp(np.rint(np.ldexp(derivatives, scale_bits)), -scale_bits))


def scale_bits(sizes: Floats) -> NDArray[np.int32]:
    """Fractional bits for numbers whose magnitudes add up to ``sizes``, each at most."""
    exponent = np.frexp(sizes)[1]
    return np.asarray(np.minimum(SUM_BITS - exponent, MAX_SCALE_BITS), dtype=np.int32)


@dataclass(frozen=True)
class Packing:
    """How the histograms of a round's trees are words. used (t, k', b + 1): bins that can hold a
    row. scale (2c,): fractional bits of each statistic. count_bits: of a count's sum."""

    used: NDArray[np.bool_]
    scale: NDArray[np.int32]
    count_bits: int

    def words(self, tree: Sequence[int], sums: Floats, counts: Counts) -> Words:
        """tree: of each node, the tree it belongs to. sums (p, k', b + 1, 2c); counts."""
        used = self.used[list(tree)]
        whole = np.ldexp(sums[used], self.scale).astype(np.int64).view(np.uint64)
        return np.concatenate([whole.ravel(), summable.packed(counts[used], self.count_bits)])

    def unpack(self, tree: Sequence[int], words: Words) -> tuple[Floats, Counts]:
        """Sums and counts back. Raises ValueError for another number of words."""
        used, s = self.used[list(tree)], len(self.scale)
        m = int(used.sum())
        if len(words) != m * s + summable.n_words(m, self.count_bits):
            raise ValueError(f"{len(words)} numbers for {m} bins")
        sums, counts = np.zeros((*used.shape, s)), np.zeros(used.shape, dtype=np.int64)
        whole = words[: m * s].view(np.int64).reshape(m, s).astype(np.float64)
        sums[used] = np.ldexp(whole, -self.scale)
        counts[used] = summable.unpacked(words[m * s :], self.count_bits, m)
        return sums, counts


def packing(bins: Bins, turn: HomoTurn, n_outputs: int, count_bits: int) -> Packing:
    """The packing of a boosting round. n_outputs: of each tree."""
    scale = np.repeat(turn.scale_bits, n_outputs)
    return Packing(bins.used[turn.features], scale, count_bits)


@dataclass(frozen=True)
class BinnedRows:
    """A client's rows: codes (k, n). count_bits: sums of counts stay below 2^count_bits."""

    codes: Codes
    bins: Bins
    count_bits: int


class Grown:
    """A client's side of a round: its rows, and trees whose questions it is told.

    stats: of every tree (n, 2c). The rules of splits are the arbiter's affair.
    """

    def __init__(
        self, rows: BinnedRows, stats: Sequence[Floats], turn: HomoTurn, cores: int
    ) -> None:
        self._codes, self._bins, self._stats = rows.codes, rows.bins, stats
        self._features, self._cores = turn.features, cores
        n = self._codes.shape[1]
        self.trees = [Growing(stats.shape[1] // 2) for stats in self._stats]
        for tree in self.trees:
            tree.add(0, np.zeros(tree.n_outputs))
        self.at = [np.zeros(n, dtype=np.int32) for _ in self.trees]
        self.gains = [dict[int, float]() for _ in self.trees]
        self.level = [(t, 0) for t in range(len(self.trees))]
        self.summed = list(self.level)

    def histograms(self) -> tuple[list[int], Floats, Counts]:
        """Of the nodes to be summed: the tree of each, sums (p, k', b + 1, 2c), counts."""
        found = [self._of_tree(t) for t in range(len(self.trees))]
        parts = [part for part in found if part is not None]
        sums, counts = (np.concatenate(of) for of in zip(*parts, strict=True))
        return [t for t, _ in self.summed], sums, counts

    def _of_tree(self, t: int) -> tuple[Floats, Counts] | None:
        nodes = [node for of, node in self.summed if of == t]
        if not nodes:
            return None
        place = np.full(len(self.trees[t].feature), -1, dtype=np.int32)
        place[nodes] = np.arange(len(nodes))
        rows = np.flatnonzero(place[self.at[t]] >= 0)
        drawn, n_bins = self._features[t], self._bins.cuts.n_bins
        codes = self._codes if len(drawn) == len(self._codes) else self._codes[drawn]
        node, stats = place[self.at[t][rows]], self._stats[t][rows]
        return histograms(codes, n_bins, rows, node, len(nodes), stats, cores=self._cores)

    def take(self, told: HomoSplits) -> bool:
        """Divide nodes as told; whether the trees are finished. Raises ValueError for what cannot
        be."""
        self._check(told)
        parents = [node for node, yes in zip(self.level, told.divided.tolist(), strict=True) if yes]
        level, summed = list[tuple[int, int]](), list[tuple[int, int]]()
        for i, (t, node) in enumerate(parents):
            tree, feature, cut = self.trees[t], int(told.feature[i]), int(told.cut[i])
            threshold = float(self._bins.cuts.upper[feature][cut])
            tree.divide(node, feature, cut, threshold, missing_left=bool(told.missing_left[i]))
            left, right = (tree.add(0, np.zeros(tree.n_outputs)) for _ in range(2))
            self.gains[t][node] = float(told.gain[i])
            level += [(t, left), (t, right)]
            summed.append((t, left if told.sums_left[i] else right))
        for t, tree in enumerate(self.trees):
            mine = [node for of, node in parents if of == t]
            if mine:
                trees.moved(self._codes, self._bins.cuts.n_bins, tree, self.at[t], mine)
        self.level, self.summed = level, summed
        if len(told.weights):
            self._weigh(told.weights)
        return bool(len(told.weights))

    def _check(self, told: HomoSplits) -> None:
        q = len(told.feature)
        parts = (told.cut, told.missing_left, told.gain, told.sums_left)
        if len(told.divided) != len(self.level) or int(told.divided.sum()) != q:
            raise ValueError("the level has another number of nodes")
        if any(part.shape != (q,) for part in parts) or not (q or len(told.weights)):
            raise ValueError("questions are incomplete")
        n_cuts = np.array([len(upper) for upper in self._bins.cuts.upper])
        if not ((told.feature >= 0) & (told.feature < len(n_cuts))).all():
            raise ValueError("a question about no feature")
        if not ((told.cut >= 0) & (told.cut < n_cuts[told.feature])).all():
            raise ValueError("a question about no bin")

    def _weigh(self, weights: Floats) -> None:
        leaves = [(t, i) for t, tree in enumerate(self.trees) for i in _leaves_of(tree)]
        if weights.shape != (len(leaves), self.trees[0].n_outputs):
            raise ValueError(f"{weights.shape} weights for {len(leaves)} leaves")
        for (t, i), weight in zip(leaves, weights, strict=True):
            self.trees[t].weight[i] = weight
        for tree, at in zip(self.trees, self.at, strict=True):
            tree.count = np.bincount(at, minlength=len(tree.feature)).tolist()

    def finished(self) -> list[Tree]:
        """The trees; their counts are this party's rows in the leaves."""
        return [tree.finished() for tree in self.trees]


class Planner:
    """The arbiter's side of a round: sums of all parties, and the splits found from them."""

    def __init__(
        self, bins: Bins, rules: Rules, max_depth: int, turn: HomoTurn, n_outputs: int
    ) -> None:
        self._n_cuts = np.array([len(upper) for upper in bins.cuts.upper], dtype=np.int64)
        self._rules, self._max_depth = rules, max_depth
        self._features, self._n_outputs = turn.features, n_outputs
        self.trees = [Growing(self._n_outputs) for _ in self._features]
        self.level = [(t, tree.add(0, np.zeros(0))) for t, tree in enumerate(self.trees)]
        self.summed = list(self.level)
        self.depth = 0
        self._parents: tuple[Floats, Counts] | None = None
        self._sums_left = np.empty(0, dtype=bool)

    def take(self, sums: Floats, counts: Counts) -> HomoSplits:
        """What becomes of the level, from the sums of the nodes in ``summed``."""
        if self._parents is not None:
            sums = trees.siblings(self._parents[0], sums, self._sums_left)
            counts = trees.siblings(self._parents[1], counts, self._sums_left)
        else:
            for (t, node), total in zip(self.level, sums[:, 0].sum(axis=1), strict=True):
                self.trees[t].weight[node] = splits.leaf_weights(total[None], self._rules)[0]
        found = self._best(sums, counts)
        divided = np.isfinite(found.gain)
        which = np.flatnonzero(divided)
        drawn = self._features[[self.level[i][0] for i in which.tolist()]]
        feature = drawn[np.arange(len(which)), found.feature[which]].astype(np.int32)
        self._divide(which, feature, found.of(which), sums[which], counts[which])
        self.depth += 1
        is_over = not len(which) or self.depth == self._max_depth
        return HomoSplits(
            divided,
            feature,
            found.bin[which].astype(np.int32),
            found.missing_left[which],
            found.gain[which],
            self._sums_left,
            self._weights() if is_over else np.empty((0, self._n_outputs)),
        )

    def finish(self) -> HomoSplits:
        """All nodes of the level become leaves: the sums of their children will not come."""
        ints, flags = np.empty(0, dtype=np.int32), np.empty(0, dtype=bool)
        divided = np.zeros(len(self.level), dtype=bool)
        return HomoSplits(divided, ints, ints, flags, np.empty(0), flags, self._weights())

    def _best(self, sums: Floats, counts: Counts) -> splits.Splits:
        """The best split of each node; those of a tree at once, for they share the features."""
        of = np.array([t for t, _ in self.level])
        found = [
            splits.best_splits(sums[of == t], counts[of == t], self._n_cuts[drawn], self._rules)
            for t, drawn in enumerate(self._features)
            if (of == t).any()
        ]
        fields = splits.Splits.__dataclass_fields__
        return splits.Splits(
            *(np.concatenate([getattr(f, name) for f in found]) for name in fields)
        )

    def _divide(
        self,
        which: NDArray[np.int64],
        feature: NDArray[np.int32],
        found: splits.Splits,
        sums: Floats,
        counts: Counts,
    ) -> None:
        """Children of every divided node of the level; of each pair the smaller is summed next."""
        total, n_total = sums[:, 0].sum(axis=1), counts[:, 0].sum(axis=1)
        sides = (
            splits.leaf_weights(part, self._rules) for part in (found.left, total - found.left)
        )
        left, right = sides
        self._sums_left = 2 * found.left_count <= n_total
        level, summed = list[tuple[int, int]](), list[tuple[int, int]]()
        for i, at in enumerate(which.tolist()):
            t, node = self.level[at]
            tree = self.trees[t]
            tree.divide(node, int(feature[i]), 0, 0.0, missing_left=False)
            pair = [(t, tree.add(0, left[i])), (t, tree.add(0, right[i]))]
            level += pair
            summed.append(pair[0] if self._sums_left[i] else pair[1])
        self.level, self.summed, self._parents = level, summed, (sums, counts)

    def _weights(self) -> Floats:
        return np.array([tree.weight[i] for tree in self.trees for i in _leaves_of(tree)])


def _leaves_of(tree: Growing) -> list[int]:
    return [i for i, feature in enumerate(tree.feature) if feature == LEAF]
