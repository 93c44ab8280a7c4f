"""Ranks of very many values in little memory: sketches that merge, in any order, with a sure error.

Each level holds values that stand for 2^level of those that were given. Where a level has more than
``room`` of them, every second one moves up, by turns the odd and the even ones: that shifts the
rank of anything by at most the weight of one, up or down. While nothing moved all is exact.

With n values at most n / (room 2^h) such moves happen at level h, however the values came together,
so each level adds at most n / room to the error.
Source: Agarwal et al. 2013, Mergeable summaries, section 3.2 (the deterministic variant).
"""

from __future__ import annotations

import math
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federatedml.maths.columnwise import at_rank
from federatedml.maths.glm import Floats

LEVELS = 16
"""Levels that ``room`` reckons with: of 2^LEVELS times as many values the error may be greater."""


@dataclass(frozen=True)
class Sketch:
    """levels: ascending values of each level. turns: how often each was halved. n_zeros: zeros that
    are counted, not kept. room: values a level may hold."""

    levels: tuple[Floats, ...]
    turns: tuple[int, ...]
    n_zeros: int
    room: int

    @property
    def n(self) -> int:
        """Values that were given, zeros among them."""
        return self.n_zeros + sum(len(level) << h for h, level in enumerate(self.levels))

    @property
    def slack(self) -> int:
        """The rank of a value that is found is at most so far from the one asked for."""
        return sum(count << h for h, count in enumerate(self.turns))


def room(error: float) -> int:
    """Values a level must hold for ranks to be at most error * n off; without end for 0.

    Cost: 8 bytes a value, on about log2(n / room) + 1 levels.
    """
    return math.ceil(LEVELS / error) if error > 0 else sys.maxsize


def of(ascending: Floats, n_zeros: int, room: int) -> Sketch:
    """Of sorted values without nan, and of so many zeros more."""
    return _settled([ascending], [0], n_zeros, room)


def merged(one: Sketch, other: Sketch) -> Sketch:
    """Of the values of both. Raises ValueError if they have not the same room."""
    if one.room != other.room:
        raise ValueError(f"sketches with room for {one.room} and {other.room} values do not merge")
    n = max(len(one.levels), len(other.levels))
    levels = [_joined(_level(one, h), _level(other, h)) for h in range(n)]
    turns = [sum(s.turns[h] for s in (one, other) if h < len(s.turns)) for h in range(n)]
    return _settled(levels, turns, one.n_zeros + other.n_zeros, one.room)


def at_ranks(sketch: Sketch, ranks: Sequence[int]) -> Floats:
    """The values at these ranks, 0 the least; each has a rank at most ``slack`` away.

    Raises ValueError for ranks outside of 0 to n - 1.
    """
    n = sketch.n
    if ranks and not 0 <= min(ranks) <= max(ranks) < n:
        raise ValueError(f"ranks of {n} values are 0 to {n - 1}")
    if len(sketch.levels) == 1:
        return np.array([at_rank(sketch.levels[0], sketch.n_zeros, rank) for rank in ranks])
    values = np.concatenate([*sketch.levels, np.zeros(1)])
    weights = np.repeat(
        [*(1 << h for h in range(len(sketch.levels))), sketch.n_zeros],
        [*map(len, sketch.levels), 1],
    )
    order = np.argsort(values)
    ends = np.cumsum(weights[order])
    return np.asarray(values[order][np.searchsorted(ends, np.asarray(ranks), side="right")])


def quantiles(sketch: Sketch, shares: Sequence[float]) -> Floats:
    """For each share, 0 to 1, the least value that at least this share of all do not exceed.

    nan if there is none. As numpy's "inverted_cdf" while the sketch is exact.
    """
    n = sketch.n
    if not n:
        return np.full(len(shares), np.nan)
    # A product just above a whole number is that number: 0.07 * 100 is not.
    ranks = [math.ceil(share * n - 1e-9 * max(1.0, share * n)) - 1 for share in shares]
    return at_ranks(sketch, [min(max(rank, 0), n - 1) for rank in ranks])


def up_to(sketch: Sketch, bounds: Floats) -> NDArray[np.int64]:
    """(m,) how many values do not exceed each of these; at most ``slack`` too many or too few."""
    found = (bounds >= 0.0) * np.int64(sketch.n_zeros)
    for h, level in enumerate(sketch.levels):
        found += np.searchsorted(level, bounds, side="right") << h
    return found


def _level(sketch: Sketch, h: int) -> Floats:
    return sketch.levels[h] if h < len(sketch.levels) else np.empty(0)


def _joined(one: Floats, other: Floats) -> Floats:
    if not len(one) or not len(other):
        return one if len(one) else other
    return np.sort(np.concatenate([one, other]))


def _settled(
    levels: list[NDArray[np.float64]], turns: list[int], n_zeros: int, room: int
) -> Sketch:
    h = 0
    while h < len(levels):
        level = levels[h]
        if len(level) > room:
            even = len(level) - len(level) % 2
            if h + 1 == len(levels):
                levels.append(np.empty(0))
                turns.append(0)
            levels[h + 1] = _joined(levels[h + 1], level[turns[h] % 2 : even : 2].copy())
            levels[h] = level[even:].copy()
            turns[h] += 1
        h += 1
    return Sketch(tuple(levels), tuple(turns), n_zeros, room)
