"""Leaves of vertical trees, put together by what each party has to say about them.

A leaf is reached if every question on its path is answered its way. Those of one party are its
*condition*; a row meets a leaf's conditions at all parties for one leaf of each tree alone. So a
score is the sum of all leaf weights whose conditions are met, and parties can strike out leaves
one after the other. Two leaves that differ at parties that have had their turn only are added up:
the later ones treat them alike.

Shapes: n rows, T trees, L leaves in all, C columns. A *lane* is a score, or several scores that
every leaf has a weight for and that travel together.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federatedml.maths import walks
from federatedml.maths.glm import Floats
from federatedml.maths.walks import Forest, Nodes, Sparse

Condition = tuple[tuple[int, bool], ...]
"""The nodes of one party on a path, and whether the path goes left there."""

Key = tuple[int, tuple[Condition, ...]]
"""What a column is: its lane, and the conditions of the parties to come; () if none has any."""


@dataclass(frozen=True)
class Leaves:
    """nodes (L,), tree (L,): in rising order. conditions (L,): the first party's. columns: of each
    leaf (column, lane): in which columns of the first step its weights for its lanes are added."""

    nodes: Nodes
    tree: NDArray[np.int64]
    conditions: list[Condition]
    columns: list[list[tuple[int, int]]]


@dataclass(frozen=True)
class Step:
    """What one party does to C columns of every row: it keeps those whose condition the row
    meets, and adds up those that are alike from then on.

    conditions (C,). sources: of each column that results, those that are added up in it.
    """

    conditions: list[Condition]
    sources: list[list[int]]

    @property
    def n_columns(self) -> int:
        return len(self.conditions)


def plan(
    of: Forest, first: int, chain: Sequence[int], lanes: Sequence[Sequence[int]], n_lanes: int
) -> tuple[Leaves, list[Step]]:
    """How the scores come about: who adds what to what.

    first: number of the party that has the weights. chain: those that strike out after it, in
    order; together they ask all questions. lanes: of each tree.
    The columns of a step are the lanes' own, which nobody strikes out, then one for each lane and
    condition; after the last step those of the lanes are left. Cost: Python by leaf and lane.
    """
    nodes = np.flatnonzero(of.asker == walks.NOBODY).astype(np.int32)
    tree, paths = of.tree_of(nodes), _paths(of)
    own = [_condition(of, paths[i], first) for i in nodes.tolist()]
    later = [tuple(_condition(of, paths[i], p) for p in chain) for i in nodes.tolist()]
    keys: dict[Key, int] = {(lane, ()): lane for lane in range(n_lanes)}
    columns = [
        [(keys.setdefault(_key(lane, asked), len(keys)), lane) for lane in lanes[t]]
        for t, asked in zip(tree.tolist(), later, strict=True)
    ]
    leaves, steps = Leaves(nodes, tree, own, columns), []
    for _ in chain:
        below: dict[Key, int] = {(lane, ()): lane for lane in range(n_lanes)}
        sources: list[list[int]] = [[] for _ in range(n_lanes)]
        for (lane, asked), column in keys.items():
            into = below.setdefault(_key(lane, asked[1:]), len(below))
            sources += [[] for _ in range(len(below) - len(sources))]
            sources[into].append(column)
        steps.append(Step([asked[0] if asked else () for _, asked in keys], sources))
        keys = below
    return leaves, steps


def _key(lane: int, asked: tuple[Condition, ...]) -> Key:
    return (lane, asked if any(asked) else ())


def _paths(of: Forest) -> list[Condition]:
    """Of every node, the nodes above it and which way leads to it."""
    found: list[Condition] = [()] * len(of.asker)
    for i in np.flatnonzero(of.asker != walks.NOBODY).tolist():
        found[of.left[i]] = (*found[i], (i, True))
        found[of.right[i]] = (*found[i], (i, False))
    return found


def _condition(of: Forest, path: Condition, party: int) -> Condition:
    return tuple((node, left) for node, left in path if of.asker[node] == party)


def met(
    of: Forest,
    x: Floats | Sparse,
    rows: Nodes,
    conditions: Sequence[Condition],
    *,
    cores: int = 1,
) -> NDArray[np.bool_]:
    """(r, C) whether the rows meet conditions of this party. Cost: r C bytes and checks."""
    nodes = np.array(sorted({node for c in conditions for node, _ in c}), dtype=np.int32)
    left = walks.went_left(of, x, rows, nodes, cores=cores)
    found = np.ones((len(rows), len(conditions)), dtype=np.bool_)
    for j, condition in enumerate(conditions):
        for node, is_left in condition:
            found[:, j] &= left[:, np.searchsorted(nodes, node)] == is_left
    return found
