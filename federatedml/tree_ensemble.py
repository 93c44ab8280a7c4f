"""Boosted trees of one or several parties as one list of whole trees, ready to be written in the
forms of other libraries.

Shapes: n rows, k features, m nodes, c outputs (1, or the number of classes).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from federatedml.maths import trees
from federatedml.maths.glm import Floats
from federatedml.maths.trees import LEAF, Tree


@dataclass(frozen=True)
class Ensemble:
    """trees: by round; where a tree has one output, one tree per output in each round.
    gains: (m,) of the nodes of each tree, zero where unknown. start (c,): the score before any
    tree. names (k,): of the features, in the order of the trees' numbers. objective, params:
    FATE's names. zero_as_missing: zeros go where missing values go. classes: the labels that the
    outputs (of two classes: the sign) stand for."""

    trees: Sequence[Tree]
    gains: Sequence[Floats]
    start: Floats
    learning_rate: float
    names: Sequence[str]
    objective: str
    params: Sequence[float] = ()
    zero_as_missing: bool = False
    classes: Sequence[str] = ()

    @property
    def n_outputs(self) -> int:
        return len(self.start)

    def score(self, x: Floats) -> Floats:
        """(n, c) the raw score of rows (n, k), nan for missing values."""
        seen = np.where(x == 0.0, np.nan, x) if self.zero_as_missing else x
        total = np.tile(self.start, (len(x), 1))
        for i, tree in enumerate(self.trees):
            said = self.learning_rate * trees.predicted(tree, seen)
            if said.shape[1] == self.n_outputs:
                total += said
            else:
                total[:, i % self.n_outputs] += said[:, 0]
        return total


@dataclass(frozen=True)
class Addend:
    """A tree that adds value (m,) to one output, zero at inner nodes."""

    tree: Tree
    gain: Floats
    value: Floats
    output: int


def addends(ensemble: Ensemble) -> list[Addend]:
    """The score as a sum of trees of one output each: round by round, in each the outputs in
    order. The learning rate is in the leaves, the start in those of the first round.

    Raises ValueError if a tree asks what the ensemble has no feature for, or rounds are not whole.
    """
    c = ensemble.n_outputs
    kept = list(zip(ensemble.trees, ensemble.gains, strict=True)) or [_constant(c)]
    found: list[Addend] = []
    for i, (tree, gain) in enumerate(kept):
        _check(tree, len(ensemble.names))
        several = tree.weight.shape[1]
        if several not in (1, c):
            raise ValueError(f"tree {i} has {several} outputs, the model {c}")
        outputs = range(several) if several == c else [i % c]
        for column, output in enumerate(outputs):
            value = ensemble.learning_rate * tree.weight[:, column]
            if len(found) < c:
                value = np.where(tree.left == LEAF, value + ensemble.start[output], 0.0)
            found.append(Addend(tree, gain, value, output))
    if len(found) % c:
        raise ValueError(f"{len(found)} trees are no whole number of rounds of {c}")
    return found


def _constant(n_outputs: int) -> tuple[Tree, Floats]:
    """A tree that says zero: a model that learnt nothing is its start."""
    grown = trees.Growing(n_outputs)
    grown.add(0, np.zeros(n_outputs))
    return grown.finished(), np.zeros(1)


def _check(tree: Tree, n_features: int) -> None:
    """A tree that a file holds is one, and asks only for what there is."""
    inner = np.flatnonzero(tree.left != LEAF)
    children = np.concatenate([tree.left[inner], tree.right[inner]])
    if (
        not np.array_equal(np.sort(children), np.arange(1, len(tree)))
        or not (np.minimum(tree.left[inner], tree.right[inner]) > inner).all()
    ):
        raise ValueError("the nodes of a tree are not numbered from the root down")
    asked = tree.feature[inner]
    if len(asked) and not (asked.min() >= 0 and asked.max() < n_features):
        raise ValueError("a tree asks for a feature of a party whose part is not here")
