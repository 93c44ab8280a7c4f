"""Sorting and merging of encoded keys: which row meets which, as row numbers."""

from __future__ import annotations

import logging

import numpy as np

from eggroll.blocks import Block, Rows, concatenated
from eggroll.engine import Duplicates, How
from eggroll.errors import BadInput

log = logging.getLogger(__name__)


def sorted_block(blocks: list[Block], duplicates: Duplicates) -> Block:
    """All rows as one block with strictly ascending keys.

    Of rows with one key the last in source order stays ("last", with a warning that counts the
    lost rows) or BadInput is raised ("error").
    """
    if not blocks:
        return Block([], [])
    whole = concatenated(blocks)
    order = sorted(range(len(whole)), key=whole.keys.__getitem__)  # stable: source order stays
    last = [
        i
        for at, i in enumerate(order)
        if at + 1 == len(order) or whole.keys[order[at + 1]] != whole.keys[i]
    ]
    lost = len(order) - len(last)
    if lost and duplicates == "error":
        raise BadInput(f"{lost} rows repeat the key of another row")
    if lost:
        log.warning("%d rows repeat the key of another row; the last of each stays", lost)
    if not lost and order == list(range(len(whole))):
        return whole
    return whole.take(np.array(last, np.int64))


def matches(left: list[bytes], right: list[bytes], how: How) -> tuple[Rows, Rows]:
    """Row numbers that meet, in key order; -1 where a side has none.

    inner: keys of both; left: all of the left; outer: all; anti: of the left only.
    Cost: O(n + m) dictionary look-ups.
    """
    at = {key: i for i, key in enumerate(right)}
    met = np.fromiter((at.get(key, -1) for key in left), np.int64, len(left))
    rows = np.arange(len(left))
    if how == "inner":
        return rows[met >= 0], met[met >= 0]
    if how == "anti":
        return rows[met < 0], met[met < 0]
    if how == "left":
        return rows, met
    return _outer(left, right, met)


def _outer(left: list[bytes], right: list[bytes], met: Rows) -> tuple[Rows, Rows]:
    alone = np.setdiff1d(np.arange(len(right)), met)
    left_rows = np.concatenate([np.arange(len(left)), np.full(len(alone), -1)])
    right_rows = np.concatenate([met, alone])
    keys = [*left, *(right[i] for i in alone)]
    order = np.array(sorted(range(len(keys)), key=keys.__getitem__), np.int64)
    return left_rows[order], right_rows[order]
