"""Walking many rows through many trees whose questions belong to several parties.

A party moves a row only through nodes that it asks itself, and stops at leaves and at nodes of
others. Shapes: n rows, k features, T trees of m nodes in all, numbered through from tree to tree.

The nodes at which one party's walk can stop are its *exits*. Those below a node are counted from
left to right, so that a party can say where a row went by a small number, which is meaningful to
whoever knows the shape of the trees.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numba import from_dtype, types
from numpy.typing import NDArray
from scipy import sparse

from federatedml.compiled import compiled
from federatedml.crypto import threads
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.trees import LEAF, Tree

Nodes = NDArray[np.int32]
"""Nodes by their number in a forest; or asking parties by number."""

NOBODY = -1
"""Who asks at a leaf."""

_ROWS_PER_THREAD = 4096


@dataclass(frozen=True)
class Forest:
    """Trees one after the other, as one party sees them.

    first (T + 1,): the root of each tree, and m. asker (m,): number of the party that asks, or
    NOBODY. left, right (m,): children. questions (m,): those of this party; elsewhere their
    feature is -1. exits: the stops of all walks; those below node i are
    exits[entry[i]:][:ends[i]]. rank (m,): where a node stands in exits.
    """

    first: Nodes
    asker: Nodes
    left: Nodes
    right: Nodes
    questions: NDArray[np.void]
    exits: Nodes
    entry: Nodes
    ends: Nodes
    rank: Nodes

    @property
    def n_trees(self) -> int:
        return len(self.first) - 1

    def tree_of(self, nodes: Nodes) -> NDArray[np.int64]:
        """The tree that each node is of."""
        return np.asarray(np.searchsorted(self.first, nodes, side="right") - 1)


Sparse = tuple[NDArray[np.int64], Nodes, Floats]
"""A csr matrix: its indptr, indices (sorted in each row) and data."""


def forest(trees: Sequence[Tree], askers: Sequence[Nodes], me: int, n_features: int) -> Forest:
    """The trees as the party with number ``me`` sees them.

    askers: of each tree (m,) the number of the party that asks at a node, NOBODY at leaves.
    n_features: of this party. Raises ValueError naming a tree that is not sound.
    """
    for t, (tree, asker) in enumerate(zip(trees, askers, strict=True)):
        if problem := _problem(tree, asker, me, n_features):
            raise ValueError(f"tree {t}: {problem}")
    first = np.cumsum([0, *map(len, trees)]).astype(np.int32)
    asker = _joined(askers)
    left, right = (
        _joined([np.where(a == LEAF, LEAF, a + at) for a, at in zip(side, first, strict=False)])
        for side in ([t.left for t in trees], [t.right for t in trees])
    )
    questions = np.zeros(len(asker), dtype=_QUESTION)
    feature = _joined([t.feature for t in trees])
    questions["feature"] = np.where(asker == me, feature, -1)
    questions["threshold"] = _joined([t.threshold for t in trees], np.float64)
    questions["left"], questions["right"] = left, right
    questions["missing"] = np.where(_joined([t.missing_left for t in trees], bool), left, right)
    entry, ends, rank, exits = (np.zeros(len(asker), dtype=np.int32) for _ in range(4))
    n_exits = _numbered(left, right, asker, entry, ends, rank, exits)
    return Forest(first, asker, left, right, questions, exits[:n_exits], entry, ends, rank)


def _joined(arrays: Sequence[NDArray[Any]], dtype: type = np.int32) -> NDArray[Any]:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype, copy=False)


def _problem(tree: Tree, asker: Nodes, me: int, n_features: int) -> str | None:
    """What is wrong with a tree; walks through one that is right end."""
    inner = np.flatnonzero(tree.left != LEAF)
    sides = np.stack([tree.left[inner], tree.right[inner]], axis=1)
    if not len(tree) or len(asker) != len(tree):
        return "it has no nodes, or not one party for each"
    if not (sides > inner[:, None]).all() or not np.array_equal(
        np.sort(sides, axis=None), np.arange(1, len(tree))
    ):
        return "its nodes are not the children of one another, parents first"
    if not np.array_equal(asker != NOBODY, tree.left != LEAF):
        return "a node has children and nobody who asks, or the other way round"
    mine = tree.feature[asker == me]
    if len(mine) and not 0 <= mine.min() <= mine.max() < n_features:
        return f"it asks for a feature that is not among this party's {n_features}"
    return None


_FLOATS, _INTS, _LONGS, _FLAGS, _BYTES, _WORDS = (
    types.Array(t, 1, "C", readonly=True)
    for t in (
        types.float64,
        types.int32,
        types.int64,
        types.boolean,
        types.uint8,
        types.uint32,
    )
)
_TABLE = types.Array(types.float64, 2, "A", readonly=True)
_OUT, _MANY = types.int32[::1], types.int64[::1]


@compiled(types.int64(_INTS, _INTS, _INTS, _OUT, _OUT, _OUT, _OUT))
def _numbered(
    left: Any, right: Any, asker: Any, entry: Any, ends: Any, rank: Any, exits: Any
) -> int:
    """Fill in the fields of Forest about exits; how many exits there are."""
    m = left.shape[0]
    is_root = np.ones(m, dtype=np.bool_)
    for i in range(m - 1, -1, -1):
        if left[i] < 0:
            continue
        for child in (left[i], right[i]):
            is_root[child] = False
            ends[i] += ends[child] if asker[child] == asker[i] else 1
    total = 0
    for i in range(m):
        if left[i] < 0:
            continue
        if is_root[i]:
            entry[i] = total
            total += ends[i]
        place = entry[i]
        for child in (left[i], right[i]):
            if asker[child] == asker[i]:
                entry[child] = place
                place += ends[child]
                continue
            exits[place] = child
            rank[child] = place
            place += 1
            if left[child] >= 0:
                entry[child] = total
                total += ends[child]
    return int(total)


_QUESTION = np.dtype(
    [("feature", "i4"), ("left", "i4"), ("right", "i4"), ("missing", "i4"), ("threshold", "f8")]
)
"""A node in 24 bytes: where values up to the threshold, others, and missing ones go."""

_QUESTIONS = types.Array(from_dtype(_QUESTION), 1, "C", readonly=True)
_CSR = types.Tuple((_LONGS, _INTS, _FLOATS))


@compiled()
def _step(question: Any, value: Any) -> Any:
    # All are read first, so that machine code selects instead of jumping on what none can predict.
    left, right, missing = question.left, question.right, question.missing
    known = left if value <= question.threshold else right
    return missing if value != value else known  # noqa: PLR0124 (nan)


@compiled(types.void(_TABLE, _INTS, types.int64, _QUESTIONS, _OUT))
def _walk(x: Any, rows: Any, per: Any, questions: Any, nodes: Any) -> None:
    """Move ``per`` nodes for each of the rows, in place."""
    for r in range(rows.shape[0]):
        for e in range(r * per, (r + 1) * per):
            at = nodes[e]
            while questions[at].feature >= 0:
                at = _step(questions[at], x[rows[r], questions[at].feature])
            nodes[e] = at


@compiled()
def _stored(x: Any, i: Any, j: Any) -> Any:
    """Entry (i, j) of a csr matrix, by bisection."""
    starts, indices, data = x
    low, high = starts[i], starts[i + 1]
    while low < high:
        middle = (low + high) // 2
        if indices[middle] < j:
            low = middle + 1
        else:
            high = middle
    return data[low] if low < starts[i + 1] and indices[low] == j else 0.0


@compiled(types.void(_CSR, _INTS, types.int64, _QUESTIONS, _OUT))
def _walk_sparse(x: Any, rows: Any, per: Any, questions: Any, nodes: Any) -> None:
    for r in range(rows.shape[0]):
        for e in range(r * per, (r + 1) * per):
            at = nodes[e]
            while questions[at].feature >= 0:
                at = _step(questions[at], _stored(x, rows[r], questions[at].feature))
            nodes[e] = at


def readable(x: Matrix) -> Floats | Sparse:
    """x as walks read it. Cost: nothing if x is dense or has its entries sorted."""
    if not sparse.issparse(x):
        return np.asarray(x, dtype=np.float64)
    kept = sparse.csr_matrix(x)
    if not kept.has_canonical_format:
        kept = kept.copy()
        kept.sum_duplicates()
    return (
        np.ascontiguousarray(kept.indptr, dtype=np.int64),
        np.ascontiguousarray(kept.indices, dtype=np.int32),
        np.ascontiguousarray(kept.data, dtype=np.float64),
    )


def walk(of: Forest, x: Floats | Sparse, rows: Nodes, nodes: Nodes, *, cores: int = 1) -> None:
    """Move every node through this party's own questions, in place.

    rows: (r,) rows of x. nodes: (r * p,) of each row p nodes, one after the other; flat.
    Cost: 3 to 10 ns a node passed; for csr a bisection each.
    """
    per = len(nodes) // max(1, len(rows))
    kernel = _walk_sparse if isinstance(x, tuple) else _walk

    def work(start: int) -> None:
        some, at = rows[start : start + step], nodes[start * per : (start + step) * per]
        kernel(x, some, per, of.questions, at)

    step = max(_ROWS_PER_THREAD, -(-len(rows) // (4 * cores)))
    threads.each(work, range(0, len(rows), step), cores)


@compiled(types.void(_INTS, _INTS, _MANY))
def _counted(at: Any, asker: Any, counts: Any) -> None:
    for e in range(at.shape[0]):
        if asker[at[e]] >= 0:
            counts[at[e]] += 1


def waiting(of: Forest, at: Nodes) -> NDArray[np.int64]:
    """(m,) how many of the positions wait at each node that somebody asks."""
    counts = np.zeros(len(of.asker), dtype=np.int64)
    _counted(at, of.asker, counts)
    return counts


@compiled(
    types.void(
        _INTS, types.int64, _INTS, types.int64, _FLAGS, _MANY, types.uint8[::1], types.uint32[::1]
    )
)
def _listed(
    at: Any, n_trees: Any, asker: Any, party: Any, as_bits: Any, place: Any, bits: Any, rows: Any
) -> None:
    for e in range(at.shape[0]):
        node = at[e]
        if asker[node] != party:
            continue
        row = e // n_trees
        if as_bits[node]:
            bits[place[node] + row // 8] |= np.uint8(1 << (row % 8))
        else:
            rows[place[node]] = row
            place[node] += 1


@dataclass(frozen=True)
class Waiting:
    """Which of n_rows rows wait at some nodes: of each node a bit for every row, or a list of its
    rows, whichever is shorter.

    nodes (k,), rising. counts (k,): rows at each. bits: (n_rows + 7) // 8 bytes for each node
    that has bits, lowest bit first. rows: the lists, each rising.
    """

    n_rows: int
    nodes: Nodes
    counts: NDArray[np.uint32]
    bits: NDArray[np.uint8]
    rows: NDArray[np.uint32]

    def listed(self) -> Nodes:
        """The rows of all nodes, one node after the other.

        Raises ValueError where counts, bits and rows do not fit together or name other rows.
        """
        as_bits = has_bits(self.counts, self.n_rows)
        if len(self.bits) != (self.n_rows + 7) // 8 * as_bits.sum():
            raise ValueError("not a bit for every row")
        if len(self.rows) != self.counts[~as_bits].sum(dtype=np.int64):
            raise ValueError("not as many rows as it counts")
        out = np.empty(self.counts.sum(dtype=np.int64), dtype=np.int32)
        counts = np.ascontiguousarray(self.counts)
        if not _unlisted(counts, as_bits, self.bits, self.rows, self.n_rows, out):
            raise ValueError("rows of a node that do not rise, or not as many as it counts")
        return out


@compiled(types.boolean(_WORDS, _FLAGS, _BYTES, _WORDS, types.int64, _OUT))
def _unlisted(counts: Any, as_bits: Any, bits: Any, rows: Any, n_rows: Any, out: Any) -> bool:
    """Fill ``out``; False if rows are not below n_rows, do not rise, or are not so many."""
    width, at, byte, row = (n_rows + 7) // 8, 0, 0, 0
    for i in range(counts.shape[0]):
        end = at + counts[i]
        if as_bits[i]:
            for j in range(width):
                value, place = bits[byte + j], 8 * j
                while value:
                    if value & 1:
                        if at == end or place >= n_rows:
                            return False
                        out[at] = place
                        at += 1
                    value >>= 1
                    place += 1
            byte += width
        else:
            for j in range(row, row + counts[i]):
                if rows[j] >= n_rows or (j > row and rows[j] <= rows[j - 1]):
                    return False
                out[at] = rows[j]
                at += 1
            row += counts[i]
        if at != end:
            return False
    return True


def by_node(of: Forest, at: Nodes, n_rows: int, party: int, counts: NDArray[np.int64]) -> Waiting:
    """The rows that wait at each node of a party. at: (n_rows * T,) flat. counts: of ``waiting``.
    Cost: a pass over the positions."""
    nodes = np.flatnonzero((counts > 0) & (of.asker == party)).astype(np.int32)
    as_bits, held = has_bits(counts, n_rows), counts[nodes]
    n_bytes = np.where(as_bits[nodes], (n_rows + 7) // 8, 0)
    n_listed = np.where(as_bits[nodes], 0, held)
    sizes = np.where(as_bits[nodes], np.cumsum(n_bytes) - n_bytes, np.cumsum(n_listed) - n_listed)
    place = np.zeros(len(counts), dtype=np.int64)
    place[nodes] = sizes
    bits = np.zeros(int(n_bytes.sum()), dtype=np.uint8)
    rows = np.empty(int(n_listed.sum()), dtype=np.uint32)
    if len(nodes):
        _listed(at, of.n_trees, of.asker, party, as_bits, place, bits, rows)
    return Waiting(n_rows, nodes, held.astype(np.uint32), bits, rows)


def has_bits(counts: NDArray[Any], n_rows: int) -> NDArray[np.bool_]:
    """Whether a bit for every row is shorter than a list of so many."""
    return np.asarray(4 * counts.astype(np.int64) >= (n_rows + 7) // 8)


_MOVED = [types.int64(_INTS, _INTS, _INTS, _INTS, codes, _MANY, _OUT) for codes in (_BYTES, _WORDS)]


@compiled(*_MOVED)
def _moved(asker: Any, entry: Any, ends: Any, exits: Any, codes: Any, place: Any, at: Any) -> int:
    for e in range(at.shape[0]):
        node = at[e]
        if asker[node] < 0:
            continue
        code = codes[place[node]]
        place[node] += 1
        if code >= ends[node]:
            return int(node)
        at[e] = exits[entry[node] + code]
    return -1


def move(
    of: Forest, at: Nodes, asked: Sequence[Waiting], answers: Sequence[NDArray[np.unsignedinteger]]
) -> int:
    """Move all positions that wait as the answers say, in place.

    asked: by party; together they list all positions that wait. answers: of each party, for the
    rows of each of its nodes in order, the exit below the node, uint8 or uint32.
    Returns -1, or a node for which an answer is no exit.
    """
    nodes = np.concatenate([part.nodes for part in asked])
    counts = np.concatenate([part.counts for part in asked]).astype(np.int64)
    place = np.zeros(len(of.asker), dtype=np.int64)
    place[nodes] = np.cumsum(counts) - counts
    codes = np.concatenate(answers)
    return int(_moved(of.asker, of.entry, of.ends, of.exits, codes, place, at))


def went_left(
    of: Forest, x: Floats | Sparse, rows: Nodes, nodes: Nodes, *, cores: int = 1
) -> NDArray[np.bool_]:
    """(r, q) which way rows go at nodes that this party asks, whether or not they come there."""
    q = len(nodes)
    questions = np.zeros(3 * q, dtype=_QUESTION)  # each with two stops of its own
    questions["feature"][q:] = -1
    asked, stops = questions[:q], np.arange(q, 3 * q, dtype=np.int32).reshape(q, 2)
    asked["feature"], asked["threshold"] = (
        of.questions[nodes][f] for f in ("feature", "threshold")
    )
    asked["left"], asked["right"] = stops.T
    missing_left = of.questions["missing"][nodes] == of.left[nodes]
    asked["missing"] = np.where(missing_left, *stops.T)
    at = np.tile(np.arange(q, dtype=np.int32), len(rows))
    walk(replace(of, questions=questions), x, rows, at, cores=cores)
    return np.asarray((at.reshape(len(rows), q) - q) % 2 == 0)
