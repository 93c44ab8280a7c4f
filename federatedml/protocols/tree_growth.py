"""Growing one tree on columns of several parties: the conversation of a level.

Parties  guest: its columns, words of the rows (``maths.gradients``); hosts: their columns.
Round    (1) guest -> host   whether the host takes part in the next tree
         for each level at which hosts may split
         (2) ``split_sums``: the guest gets each host's sums for the smaller child of each pair;
             those of its sibling are the difference
         (3) guest -> host   the host's nodes: candidates that are best, and the nodes' rows
         (4) host -> guest   of these rows those that go left
         at the end
         (5) guest -> host   the tree: who asks where
The host's side is in ``tree_growth_host``.
Trusts   everyone to follow the protocol (semi-honest).
Source   Cheng et al. 2021, SecureBoost, arXiv:1901.08755. What each side learns:
         docs/security/secureboost.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.boosting_model import NOT_MINE, SharedTree
from federatedml.component import Ctx
from federatedml.maths import candidates as own_candidates
from federatedml.maths import splits, trees
from federatedml.maths.candidates import Best
from federatedml.maths.glm import Floats
from federatedml.maths.gradients import Rounded, Rows, Words
from federatedml.maths.quantiles import Codes, Cuts
from federatedml.maths.splits import TIE, Rules
from federatedml.maths.trees import LEAF, Growing, Level
from federatedml.protocols.split_sums import GuestSums
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

Ints = NDArray[np.int32]
Plan = Sequence[Sequence[Party]]
"""For each level the parties whose columns may split there; the length is the depth."""

MAX_NODES = 1 << 17


@codec.wire_struct
class NodesToDivide(msgspec.Struct, frozen=True):
    """q nodes of the receiver's. node (q,). ties, tied (q,): candidates that are best at each node,
    one after another, and how many. rows, n_rows (q,): the rows in each node, likewise."""

    node: NDArray[np.int32]
    ties: NDArray[np.int64]
    tied: NDArray[np.int64]
    rows: NDArray[np.uint32]
    n_rows: NDArray[np.int64]

    def __describe__(self) -> str:
        return f"NodesToDivide[{len(self.node)}]"


@codec.wire_struct
class TreeShape(msgspec.Struct, frozen=True):
    """left, right (m,): children, -1 at leaves. asks (m,): who asks, a place in ``sites``."""

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    asks: NDArray[np.int32]
    sites: list[str]

    def __describe__(self) -> str:
        return f"TreeShape[{len(self.left)}]"


class Wire:
    """All that leaves a party beside ``split_sums``."""

    takes_part = Message[bool](
        {GUEST}, {HOST}, kind="plain", reveals="whether the host's columns may split the next tree"
    )
    to_divide = Message[NodesToDivide](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which rows are in the nodes that the host splits, and by which of its features; "
        "which of its candidates divide a node equally well",
    )
    goes_left = Message[NDArray[np.uint8]](
        {HOST}, {GUEST}, kind="plain", reveals="which rows of a node are on which side of its split"
    )
    shape = Message[TreeShape](
        {GUEST}, {HOST}, kind="plain", reveals="the tree's nodes and which party asks at each"
    )


def site(party: Party) -> str:
    """The name of a party in a model."""
    return f"{party.role}:{party.party_id}"


@dataclass(frozen=True)
class Columns:
    """A party's features as bins. codes (k, n); used: those that this tree may ask about."""

    codes: Codes
    cuts: Cuts
    used: Rows

    def chosen(self) -> Columns:
        """The used features alone."""
        upper = [self.cuts.upper[j] for j in self.used.tolist()]
        codes: Any = np.ascontiguousarray(self.codes[self.used])
        return Columns(codes, Cuts(upper, self.cuts.n_bins), np.arange(len(upper)))


@dataclass(frozen=True)
class Sample:
    """What a tree is grown on. words: (n, s) and their steps; ``rows`` count, ascending.
    exact (n, 2c): the derivatives that leaf weights are made of. counts: whether the last
    statistic is the number of rows."""

    words: Rounded
    rows: Rows
    exact: Floats
    counts: bool


@dataclass
class Front:
    """The nodes of the level that is to be divided, as the guest knows them.

    total (p, s), n_rows (p,). own: sums by bin of the guest's columns. theirs: (p, m, s) sums of
    candidates, by host.
    """

    nodes: list[int]
    total: Words
    n_rows: NDArray[np.int64]
    own: Level | None = None
    theirs: dict[Party, Words] = field(default_factory=dict)

    def of(self, which: NDArray[np.int64]) -> Front:
        """Some of the nodes."""
        return Front(
            [self.nodes[i] for i in which.tolist()],
            self.total[which],
            self.n_rows[which],
            self.own.of(which) if self.own else None,
            {host: sums[which] for host, sums in self.theirs.items()},
        )


@dataclass(frozen=True)
class Grown:
    """at (n,): the leaf of every row of the training data. gain (m,): of each node's split."""

    tree: SharedTree
    at: Ints
    gain: Floats


class GuestGrowth:
    """One tree at the guest."""

    def __init__(
        self, ctx: Ctx, own: Columns, sample: Sample, rules: Rules, sums: GuestSums | None
    ) -> None:
        self._ctx, self._own, self._sample, self._rules = ctx, own.chosen(), sample, rules
        self._used, self._sums, n = own.used, sums, sample.words.words.shape[0]
        self._at = np.zeros(n, dtype=np.int32)
        self._counted = np.full(n, -1, dtype=np.int32)
        self._stats = sample.words.words.astype(np.float64)
        self._tree = Growing(sample.exact.shape[1] // 2)
        self._sites: list[str] = []
        self._gain: list[float] = []

    def grow(self, plan: Plan) -> Grown:
        """plan: see ``Plan``. Cost: a round trip for a level's sums, and one for its rows."""
        ctx, sample = self._ctx, self._sample
        hosts = [host for host in ctx.hosts if any(host in level for level in plan)]
        for host in ctx.hosts:
            ctx.remote(Wire.takes_part, host in hosts, to=host)  # (1)
        if self._sums and hosts:
            self._sums.begin(sample.words.words, sample.rows, hosts)
        self._add(len(sample.rows))
        self._counted[sample.rows] = 0
        front = self._root(plan)
        for depth, parties in enumerate(plan):
            if depth:
                front = self._next(front, parties)
            front = self._divided(front)
            if not front.nodes:
                break
        if self._sums and hosts:
            self._sums.end()
        return self._finished()

    # The nodes of a level.

    def _root(self, plan: Plan) -> Front:
        sample = self._sample
        total = sample.words.words.sum(axis=0)[None]
        front = Front([0], total, np.array([len(sample.rows)]))
        if self._ctx.me in plan[0]:
            front.own = self._own_level([0])
        front.theirs = self._asked([sample.rows], plan[0])
        return front

    def _next(self, parents: Front, parties: Sequence[Party]) -> Front:
        """Both children of every node that was divided."""
        small, is_left = trees.smaller(self._tree, parents.nodes)
        rows = [np.flatnonzero(self._counted == node) for node in small]
        words = self._sample.words.words
        few = np.array([words[at].sum(axis=0) for at in rows])
        order = [
            child for n in parents.nodes for child in (self._tree.left[n], self._tree.right[n])
        ]
        counts = np.array([self._tree.count[node] for node in order])
        front = Front(order, trees.siblings(parents.total, few, is_left), counts)
        if self._ctx.me in parties:
            front.own = self._own_next(parents, order)
        for host, sums in self._asked(rows, parties).items():
            front.theirs[host] = trees.siblings(parents.theirs[host], sums, is_left)
        return front

    def _own_next(self, parents: Front, order: list[int]) -> Level:
        own = self._own
        if parents.own is not None:
            return trees.next_level(
                own.codes, own.cuts.n_bins, self._tree, self._counted, parents.own, self._stats,
                self._ctx.cores,
            )  # fmt: skip
        return self._own_level(order)

    def _own_level(self, nodes: list[int]) -> Level:
        """Sums of the guest's own columns, without those of parents to subtract from."""
        own = self._own
        return Level(
            nodes,
            *trees.summed(
                own.codes, own.cuts.n_bins, self._counted, nodes, self._stats, self._ctx.cores
            ),
        )

    def _asked(self, rows: Sequence[Rows], parties: Sequence[Party]) -> dict[Party, Words]:
        """The sums of hosts that have candidates (2)."""
        if self._sums is None or not set(parties) & set(self._ctx.hosts):
            return {}
        return {host: sums for host, sums in self._sums.ask(rows).items() if sums.shape[1]}

    # Dividing it.

    def _divided(self, front: Front) -> Front:
        """Divide every node that gains from it; those nodes."""
        own = self._own_best(front)
        found = {host: self._best_of(front, host) for host in front.theirs}
        askers = [
            _winner(i, own.gain, found, self._ctx.me if front.own else None)
            for i in range(len(front.nodes))
        ]
        which = np.array([i for i, asker in enumerate(askers) if asker is not None], dtype=np.int64)
        for i in which.tolist():
            asker, node = askers[i], front.nodes[i]
            assert asker is not None
            self._sites[node] = site(asker)
            if asker == self._ctx.me:
                self._gain[node] = float(own.gain[i])
                self._divide_own(node, own, i)
            else:
                self._gain[node] = float(found[asker].gain[i])
                self._tree.divide(node, NOT_MINE, 0, 0.0, missing_left=False)
                self._add(0)
                self._add(0)
        mine = [front.nodes[i] for i in which.tolist() if askers[i] == self._ctx.me]
        if mine:
            trees.moved(self._own.codes, self._own.cuts.n_bins, self._tree, self._at, mine)
        self._move_theirs(front, askers, found)
        self._recount(which, front)
        return front.of(which)

    def _own_best(self, front: Front) -> splits.Splits:
        n_cuts = np.array([len(upper) for upper in self._own.cuts.upper], dtype=np.int64)
        if front.own is None or not len(n_cuts):
            p = len(front.nodes)
            none, zero = np.full(p, -np.inf), np.zeros(p, dtype=np.int64)
            return splits.Splits(none, zero, zero, zero == 1, np.zeros((p, 0)), zero)
        sums = self._sample.words.real(front.own.sums)
        return splits.best_splits(self._derivatives(sums), front.own.counts, n_cuts, self._rules)

    def _best_of(self, front: Front, host: Party) -> Best:
        left = self._sample.words.real(front.theirs[host])
        total = self._sample.words.real(front.total)
        counts = front.theirs[host][..., -1] if self._sample.counts else None
        return own_candidates.best(
            self._derivatives(left), self._derivatives(total), self._rules, counts, front.n_rows
        )

    def _derivatives(self, sums: Floats) -> Floats:
        return sums[..., :-1] if self._sample.counts else sums

    def _divide_own(self, node: int, best: splits.Splits, i: int) -> None:
        feature, cut = int(best.feature[i]), int(best.bin[i])
        threshold = float(self._own.cuts.upper[feature][cut])
        self._tree.divide(node, feature, cut, threshold, missing_left=bool(best.missing_left[i]))
        self._add(0)
        self._add(0)

    def _add(self, count: int) -> None:
        self._tree.add(count, np.zeros(self._tree.n_outputs))
        self._sites.append("")
        self._gain.append(0.0)

    def _move_theirs(
        self, front: Front, askers: Sequence[Party | None], found: Mapping[Party, Best]
    ) -> None:
        """Steps (3) and (4): hosts say which rows of their nodes go left."""
        parts: dict[Party, tuple[list[int], list[Rows]]] = {}
        for host, best in found.items():
            at = [i for i, asker in enumerate(askers) if asker == host]
            nodes = [front.nodes[i] for i in at]
            rows = [np.flatnonzero(self._at == node) for node in nodes]
            parts[host] = nodes, rows
            self._ctx.remote(
                Wire.to_divide, _to_divide(nodes, [best.ties[i] for i in at], rows), to=host
            )  # (3)
        for host, (nodes, rows) in parts.items():
            if nodes:
                bits = self._ctx.get(Wire.goes_left, source=host)  # (4)
                at = [i for i, asker in enumerate(askers) if asker == host]
                for i, node, part, is_left in zip(
                    at, nodes, rows, _unpacked(bits, rows, host), strict=True
                ):
                    stated = front.theirs[host][i][found[host].ties[i]]
                    self._check_sums(host, stated, part[is_left])
                    left, right = self._tree.left[node], self._tree.right[node]
                    self._at[part] = np.where(is_left, left, right)

    def _check_sums(self, host: Party, stated: Words, rows: Rows) -> None:
        """Whether the rows that go left have the sums of one of the best candidates."""
        if not (stated == self._sample.words.words[rows].sum(axis=0)).all(axis=1).any():
            raise ProtocolViolation(
                host, Wire.goes_left.name, "rows that do not have the sums it sent for the split"
            )

    def _recount(self, which: NDArray[np.int64], front: Front) -> None:
        """Rows that count, by child."""
        rows = self._sample.rows
        self._counted[rows] = self._at[rows]
        counts = np.bincount(self._at[rows], minlength=len(self._tree.count))
        for i in which.tolist():
            node = front.nodes[i]
            for child in (self._tree.left[node], self._tree.right[node]):
                self._tree.count[child] = int(counts[child])

    # The whole tree.

    def _finished(self) -> Grown:
        tree = self._tree.finished()
        rows, exact = self._sample.rows, self._sample.exact
        sums = np.array(
            [np.bincount(self._at[rows], column, len(tree)) for column in exact[rows].T]
        ).T
        weight = np.where((tree.left == LEAF)[:, None], splits.leaf_weights(sums, self._rules), 0.0)
        own = tree.feature >= 0
        feature = tree.feature.copy()
        feature[own] = self._used[tree.feature[own]]
        sites = sorted(set(self._sites) - {""})
        asks = np.array([sites.index(s) if s else -1 for s in self._sites], dtype=np.int32)
        if self._ctx.hosts:
            self._ctx.remote(Wire.shape, TreeShape(tree.left, tree.right, asks, sites))  # (5)
        shared = SharedTree(replace(tree, feature=feature, weight=weight), self._sites)
        return Grown(shared, self._at, np.array(self._gain))


def _winner(i: int, own: Floats, found: Mapping[Party, Best], me: Party | None) -> Party | None:
    """Who splits the i-th node: a host must be better than the guest and earlier hosts by TIE."""
    best, asker = (own[i], me) if me and np.isfinite(own[i]) else (-np.inf, None)
    for host, theirs in found.items():
        if theirs.gain[i] > (best + TIE if asker else best):
            best, asker = theirs.gain[i], host
    return asker


def _to_divide(nodes: list[int], ties: list[Rows], rows: list[Rows]) -> NodesToDivide:
    def whole(parts: list[Rows]) -> Rows:
        return np.concatenate(parts) if parts else np.empty(0, dtype=np.int64)

    return NodesToDivide(
        np.array(nodes, dtype=np.int32),
        whole(ties),
        np.array([len(part) for part in ties], dtype=np.int64),
        whole(rows).astype(np.uint32),
        np.array([len(part) for part in rows], dtype=np.int64),
    )


def _unpacked(bits: NDArray[np.uint8], rows: list[Rows], host: Party) -> list[NDArray[np.bool_]]:
    ends = np.cumsum([len(part) for part in rows])
    if bits.shape != (-(-int(ends[-1]) // 8),):
        raise ProtocolViolation(host, Wire.goes_left.name, f"no answer of {int(ends[-1])} rows")
    whole = np.unpackbits(bits, count=int(ends[-1])).astype(bool)
    return np.split(whole, ends[:-1])
