"""Boosted trees of one or several parties.

Nodes are numbered through from tree to tree. Every party tells which leaves are within reach when
it answers its own questions and nobody else's are; in each tree all parties together leave one.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from federatedml import boosting_model, homo_boosting
from federatedml.boosting_model import BoostingModel, SharedTree
from federatedml.maths import boosted_losses
from federatedml.maths.trees import LEAF, Tree
from serving.codes import Code
from serving.plans import kernels
from serving.plans.faults import BadPart, Refused
from serving.plans.parts import MASK, Expected, Masks, Ways
from serving.plans.predictors import Answers, Outcome, Own
from serving.plans.transforms import Floats, Ints, Step, Table, places

Bools = NDArray[np.bool_]


class Asked(NamedTuple):
    """Nodes that one party asks at, in order: see ``kernels.reached``."""

    first: Ints
    ranges: Ints


class Trees:
    """me: this party's site, ``guest:9999``, or "" where all questions are its own."""

    def __init__(
        self, model: BoostingModel, before: Step, me: str, component: str, threshold: float
    ) -> None:
        param, meta = model.param, model.meta
        self.component, self._mine = component, me
        self._trees = _read(model, me)
        labels = boosting_model.labels_of(param)
        self.outcome = Outcome(labels, threshold)
        self._mean = _mean(model, len(labels))
        self._init = np.array(param.init_score, dtype=np.float64)
        self._zero_misses = meta.zero_as_missing
        self._lay_out(meta.learning_rate, param.tree_dim)
        self._ask(model, before)
        sites = {site for shared in self._trees for site in shared.sites if site}
        asking = {site.partition(":")[2] for site in sites if site.startswith("host:")}
        is_guest = not me.startswith("host:")
        self.hosts = tuple(sorted(asking)) if is_guest and me else ()
        self._expected = {host: self._of_host(host) for host in self.hosts}

    def _lay_out(self, rate: float, n_outputs: int) -> None:
        trees = [shared.tree for shared in self._trees]
        self._first = np.cumsum([0, *map(len, trees)]).astype(np.int32)
        self._inner = np.concatenate([np.empty(0, bool), *(t.left != LEAF for t in trees)])
        counted = [_counted(t.left, t.right) for t in trees]
        self._ranges = np.concatenate([np.empty((0, 3), np.int32), *(c[0] for c in counted)])
        leaves = [c[1] for c in counted]
        self._sizes = np.array([len(own) for own in leaves], dtype=np.int32)
        self._first_leaf = np.cumsum([0, *self._sizes]).astype(np.int32)
        self._words = max(1, -(-int(self._sizes.max(initial=1)) // 64))
        widths = {t.weight.shape[1] for t in trees} or {1}
        if len(widths) > 1 or not widths <= {1, n_outputs}:
            raise Refused("its trees have not all as many weights a leaf as the model has scores")
        width = widths.pop()
        several = width == n_outputs
        self._output = np.array(
            [0 if several else i % n_outputs for i in range(len(trees))], dtype=np.int32
        )
        weight = [rate * t.weight[own] for t, own in zip(trees, leaves, strict=True)]
        self._weight = np.concatenate([np.empty((0, width)), *weight])
        self._n_outputs = n_outputs

    def _ask(self, model: BoostingModel, before: Step) -> None:
        """The questions of this party."""
        names = model.param.feature_name_fid_mapping
        if words := before.texts:
            raise Refused(f"{len(words)} features are text, which trees cannot ask; encode them")
        at = np.array(places(before.header, [names[i] for i in sorted(names)]), dtype=np.int32)
        numbers = {fid: int(j) for fid, j in zip(sorted(names), at, strict=True)}
        mine = np.flatnonzero(self._asked_by(self._mine))
        feature = _joined([s.tree.feature for s in self._trees], np.int32)[mine]
        if not set(feature.tolist()) <= set(numbers):
            raise Refused("a tree asks for a feature that the model has no name of")
        self._feature = np.array([numbers[f] for f in feature.tolist()], dtype=np.int32)
        self._threshold = _joined([s.tree.threshold for s in self._trees], np.float64)[mine]
        missing = _joined([s.tree.missing_left for s in self._trees], bool)[mine]
        self._missing = missing.astype(np.uint8)
        self._nodes, self._own = self._numbered(mine)

    def _numbered(self, nodes: NDArray[np.int64]) -> tuple[list[tuple[int, int]], Asked]:
        """(tree, node) of these nodes, and what answers to them leave."""
        tree = np.searchsorted(self._first, nodes, side="right") - 1
        shown = list(zip(tree.tolist(), (nodes - self._first[tree]).tolist(), strict=True))
        first = np.searchsorted(nodes, self._first).astype(np.int32)
        return shown, Asked(first, np.ascontiguousarray(self._ranges[nodes]))

    def _asked_by(self, site: str) -> Bools:
        """(m,) whether a party asks at a node; "": whether anybody does."""
        if not site:
            return self._inner
        named = [name == site for shared in self._trees for name in shared.sites]
        return np.asarray(np.array(named, dtype=bool) & self._inner)

    def _of_host(self, host: str) -> tuple[Expected, Asked]:
        shown, asked = self._numbered(np.flatnonzero(self._asked_by(f"host:{host}")))
        nodes: dict[str, dict[str, int]] = {}
        for at, (tree, node) in enumerate(shown):
            nodes.setdefault(str(tree), {})[str(node)] = at
        shape = (len(self._trees), self._words)
        return Expected(Ways, 0, shape, nodes, len(shown)), asked

    def fingerprint(self, host: str) -> str:
        """Names the shape of the trees that a host has questions in, the same at both parties."""
        digest, site = hashlib.blake2b(digest_size=16), f"host:{host}"
        for t, shared in enumerate(self._trees):
            asks = [name == site for name in shared.sites]
            if any(asks):
                sides = np.stack([shared.tree.left, shared.tree.right, asks])
                digest.update(str(t).encode() + sides.astype("<i4").tobytes())
        return digest.hexdigest()

    # Rows.

    def own(self, table: Table, /) -> Own:
        n = len(table.x)
        answers = np.empty((n, len(self._feature)), dtype=np.uint8)
        status = np.zeros(n, np.uint8)
        kernels.asked(
            table.x, self._feature, self._threshold, self._missing, self._zero_misses,
            answers, status,
        )  # fmt: skip
        return Own(self._masks(answers, self._own), status, {"answers": answers})

    def told(self, own: Own, /) -> Ways:
        return Ways(own.more["answers"], self._nodes, own.values)

    def expected(self, host: str, /) -> Expected:
        return self._expected[host][0]

    def merged(self, own: Own, answers: Answers, /) -> Floats:
        masks: Masks = own.values
        for host in self.hosts:
            told = answers[host]
            theirs = told.values
            if told.kind != MASK:
                theirs = self._masks(theirs, self._expected[host][1])
            masks = masks & theirs
        leaves = np.empty(masks.shape[:2], dtype=np.int32)
        kernels.found(masks, leaves)
        lost = (leaves < 0).any(axis=1)
        if lost.any():
            if not self.hosts:
                raise BadPart(self.component, "the trees lead nowhere", Code.TREE_DATA)
            leaves[lost] = 0
        total = np.empty((len(leaves), self._n_outputs))
        kernels.summed(leaves, self._first_leaf, self._weight, self._output, total)
        total[lost] = math.nan
        return self._mean(self._init + total)

    def _masks(self, answers: NDArray[np.uint8], of: Asked) -> Masks:
        out = np.empty((len(answers), len(self._trees), self._words), dtype=np.uint64)
        kernels.reached(of.first, self._sizes, of.ranges, answers, out)
        return out


def _counted(left: Ints, right: Ints) -> tuple[Ints, NDArray[np.int64]]:
    """Of a tree's nodes (m, 3): where the leaves below their left child start, those below their
    right one do, and these end, counted from left to right; and the leaves in that order. Raises
    Refused for what is no tree."""
    m, inner = len(left), np.flatnonzero(left != LEAF)
    sides = np.stack([left[inner], right[inner]], axis=1)
    if (
        not m
        or not (sides > inner[:, None]).all()
        or not np.array_equal(np.sort(sides, axis=None), np.arange(1, m))
    ):
        raise Refused("a tree's nodes are not the children of one another, parents first")
    count, start = np.ones(m, dtype=np.int32), np.zeros(m, dtype=np.int32)
    for node, (a, b) in zip(inner[::-1].tolist(), sides[::-1].tolist(), strict=True):
        count[node] = count[a] + count[b]
    for node, (a, b) in zip(inner.tolist(), sides.tolist(), strict=True):
        start[a], start[b] = start[node], start[node] + count[a]
    found = np.zeros((m, 3), dtype=np.int32)
    found[inner] = np.stack([start[inner], start[sides[:, 1]], start[inner] + count[inner]], axis=1)
    leaves = np.flatnonzero(left == LEAF)
    return found, leaves[np.argsort(start[leaves])]


def _read(model: BoostingModel, me: str) -> list[SharedTree]:
    if me:
        return [boosting_model.read(stored) for stored in model.param.trees]
    found = []
    for stored in model.param.trees:
        tree: Tree = homo_boosting.read(stored)
        found.append(SharedTree(tree, [node.sitename for node in stored.tree]))
    return found


def _mean(model: BoostingModel, n_classes: int) -> Callable[[Floats], Floats]:
    """From raw scores to predictions. A host's model says nothing of it, and it needs none."""
    if n_classes:
        return boosted_losses.of_classes(n_classes).mean
    given = model.meta.objective_meta
    try:
        return boosted_losses.of_numbers(given.objective or "lse", given.param).mean
    except ValueError as error:
        raise Refused(str(error)) from None


def _joined(arrays: Sequence[NDArray], dtype: type) -> NDArray:
    return np.concatenate([np.empty(0, dtype), *arrays]).astype(dtype, copy=False)
