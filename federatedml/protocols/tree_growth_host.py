"""A host's side of growing one tree (``tree_growth``), and what it refuses by its own parameters.

A host answers no more than its own parameters let a tree ask: so many levels, as many nodes as a
binary tree has there, no node or side with fewer rows, and no row twice at a level. A guest that
wants to cut the host's columns finer than that is refused: docs/security/secureboost.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from federatedml.boosting_model import NOT_MINE, SharedTree
from federatedml.component import Ctx
from federatedml.maths import candidates as own_candidates
from federatedml.maths.candidates import Candidates
from federatedml.maths.gradients import Rows
from federatedml.maths.trees import LEAF, Tree
from federatedml.protocols.split_sums import HostSums
from federatedml.protocols.tree_growth import (
    MAX_NODES,
    Columns,
    NodesToDivide,
    Wire,
    site,
)
from federation.errors import ProtocolViolation


@dataclass(frozen=True)
class Limits:
    """What a host lets one tree ask. levels: at which its columns may split. min_split: rows of a
    node that it divides; min_leaf: rows of each side."""

    levels: int
    min_split: int
    min_leaf: int


def grow_at_host(
    ctx: Ctx, own: Columns, sums: HostSums, limits: Limits, *, use_missing: bool
) -> tuple[SharedTree, bool]:
    """One tree at a host: its copy, and whether the host took part.

    Raises ProtocolViolation for a guest that asks more than ``limits``.
    """
    if not ctx.get(Wire.takes_part):  # (1)
        return _tree_of(ctx, own, None, {}), False
    if not limits.levels:
        raise ProtocolViolation(
            ctx.guest,
            Wire.takes_part.name,
            "this party's boosting_strategy and complete_secure keep its columns out of the tree; "
            "give them in component_parameters.common",
        )
    of = own_candidates.candidates(own.codes, own.cuts, use_missing=use_missing, features=own.used)
    order = np.array(secrets.SystemRandom().sample(range(len(of)), len(of)), dtype=np.int64)
    shown = of.take(order)
    sums.begin(own.codes, own.cuts.n_bins, shown)
    chosen: dict[int, int] = {}
    level = 0
    # Beyond the last level the guest may only say that the tree is finished.
    while sums.answers(_most_built(level) if level < limits.levels else 0):  # (2)
        asked = ctx.get(Wire.to_divide)  # (3)
        _check(ctx, asked, own.codes.shape[1], len(order), chosen)
        nodes, picked, rows = _parts(asked, order)
        _check_sizes(ctx, rows, level, limits)
        chosen |= dict(zip(nodes, picked, strict=True))
        if nodes:
            left = [
                own_candidates.goes_left(own.codes, own.cuts.n_bins, of, which, at)
                for which, at in zip(picked, rows, strict=True)
            ]
            _check_sides(ctx, left, limits)
            ctx.remote(Wire.goes_left, np.packbits(np.concatenate(left)))  # (4)
        level += 1
    return _tree_of(ctx, own, of, chosen), True


def _most_built(level: int) -> int:
    """Nodes whose sums a level takes: the root, then the smaller child of each pair."""
    return 1 << max(0, level - 1)


def _refuse(ctx: Ctx, problem: str) -> NoReturn:
    raise ProtocolViolation(ctx.guest, Wire.to_divide.name, problem)


def _check(
    ctx: Ctx, asked: NodesToDivide, n_rows: int, n_candidates: int, done: Mapping[int, int]
) -> None:
    arrays = (asked.node, asked.ties, asked.tied, asked.rows, asked.n_rows)
    nodes = set(asked.node.ravel().tolist())
    sound = (
        all(array.ndim == 1 for array in arrays)
        and len(asked.node) == len(asked.tied) == len(asked.n_rows) == len(nodes - set(done))
        and all(0 <= node < MAX_NODES for node in nodes)
        and _adds_up(asked.tied, asked.ties)
        and _adds_up(asked.n_rows, asked.rows)
        and 0 <= asked.ties.min(initial=0) <= asked.ties.max(initial=0) < n_candidates
        and asked.rows.max(initial=0) < n_rows
        and len(np.unique(asked.rows)) == len(asked.rows)
    )
    if not sound:
        _refuse(ctx, "nodes, candidates or rows that there are not, or one twice")


def _adds_up(sizes: Rows, parts: NDArray[Any]) -> bool:
    """Whether the parts are of these sizes, none of them empty."""
    # Each is compared first: a sum of int64 could wrap around to the right number.
    return bool(((sizes > 0) & (sizes <= len(parts))).all()) and int(sizes.sum()) == len(parts)


def _parts(asked: NodesToDivide, order: Rows) -> tuple[list[int], list[int], list[Rows]]:
    """Nodes, the candidate that each is cut by (the first of equals), and their rows."""
    if not len(asked.node):
        return [], [], []
    ties = np.split(asked.ties, np.cumsum(asked.tied)[:-1])
    rows = np.split(asked.rows.astype(np.int64), np.cumsum(asked.n_rows)[:-1])
    return asked.node.tolist(), [int(order[part].min()) for part in ties], rows


def _check_sizes(ctx: Ctx, rows: Sequence[Rows], level: int, limits: Limits) -> None:
    if len(rows) > 1 << level:
        _refuse(ctx, f"{len(rows)} nodes at level {level} of a tree, which has {1 << level}")
    if any(len(part) < limits.min_split for part in rows):
        _refuse(
            ctx,
            f"a node of fewer rows than tree_param.min_sample_split of this party, "
            f"{limits.min_split}; give it in component_parameters.common",
        )


def _check_sides(ctx: Ctx, left: Sequence[NDArray[np.bool_]], limits: Limits) -> None:
    for part in left:
        n_left = int(part.sum())
        if min(n_left, len(part) - n_left) < limits.min_leaf:
            _refuse(
                ctx,
                f"a split with fewer rows on a side than tree_param.min_leaf_node of this party, "
                f"{limits.min_leaf}; give it in component_parameters.common",
            )


def _tree_of(
    ctx: Ctx, own: Columns, of: Candidates | None, chosen: Mapping[int, int]
) -> SharedTree:
    """The host's copy: the shape (5), and its own questions."""
    shape, me = ctx.get(Wire.shape), site(ctx.me)
    m = len(shape.left)
    flat = [a.ndim == 1 and len(a) == m for a in (shape.left, shape.right, shape.asks)]
    if not (all(flat) and 1 <= m <= MAX_NODES):
        raise ProtocolViolation(ctx.guest, Wire.shape.name, "not one entry for each node")
    inner = shape.left != LEAF
    known = (shape.asks >= 0) & (shape.asks < len(shape.sites))
    sites = [shape.sites[a] if ok else "" for a, ok in zip(shape.asks, known, strict=True)]
    mine = [i for i, name in enumerate(sites) if name == me]
    children = np.stack([shape.left[inner], shape.right[inner]])
    sound = (
        bool((known == inner).all())
        and sorted(mine) == sorted(chosen)
        and sorted(children.ravel().tolist()) == list(range(1, m))
        and bool((children > np.flatnonzero(inner)).all())
    )
    if not sound:
        raise ProtocolViolation(ctx.guest, Wire.shape.name, "no tree with the nodes that it split")
    feature = np.full(m, NOT_MINE, dtype=np.int32)
    threshold, cut, missing = np.zeros(m), np.zeros(m, dtype=np.int32), np.zeros(m, dtype=bool)
    for node, which in chosen.items():
        assert of is not None
        feature[node], cut[node] = of.feature[which], of.cut[which]
        threshold[node] = own.cuts.upper[feature[node]][cut[node]]
        missing[node] = of.missing_left[which]
    return SharedTree(
        Tree(
            feature, threshold, cut, shape.left, shape.right, missing, np.zeros((m, 1)),
            np.zeros(m, dtype=np.int64),
        ),
        sites,
    )  # fmt: skip
