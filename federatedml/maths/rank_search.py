"""Quantiles of rows that nobody holds together, found by asking how many rows lie in intervals.

Floats are ordered as the integers of their bits, so that the whole line is one interval of 2^64
points, whatever the data's range. All intervals that may hold a cut are divided into 2^width
parts at once, until each wanted rank is at the upper end of one, or there is nothing to divide.

Shapes: k features, m intervals, a of them divided next. Cuts are those of ``quantiles.cut_points``
on all rows together (with error 0: the same rows in each bin), but for the value of a cut: it lies
anywhere between the last value of its bin and the first one above.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from federatedml.maths.glm import Floats
from federatedml.maths.quantiles import Cuts

Images = NDArray[np.uint64]
Counts = NDArray[np.int64]

BITS = 64
TOP = np.uint64(1 << 63)
HIGHEST = float(np.finfo(np.float64).max)
"""The upper cut of a feature's last bin: every value is at most this."""

CELLS = 1 << 15
"""So many counts are asked for at once, or eight for each interval."""

MANY = 1 << 18
"""Of more intervals than this only halves are asked for."""

MAX_WIDTH = 12
"""Sign and exponent."""


def images(x: Floats) -> Images:
    """Integers in the order of these floats; none of them is nan.

    >>> images(np.array([-1.0, -0.0, 0.0, 2.5])).argsort(kind="stable").tolist()
    [0, 1, 2, 3]
    """
    bits = (np.asarray(x, dtype=np.float64) + 0.0).view(np.uint64)  # -0.0 becomes 0.0
    return np.asarray(np.where(bits >= TOP, ~bits, bits | TOP))


def values(of: Images) -> Floats:
    """The floats back: of each image, the last finite float at or below it.

    The image below that of 0.0 would be -0.0, which is no smaller.
    """
    low, high = images(np.array([-HIGHEST, HIGHEST]))
    bits = np.clip(np.where(of == TOP - np.uint64(1), of - np.uint64(1), of), low, high)
    return np.where(bits >= TOP, bits ^ TOP, ~bits).view(np.float64)


@dataclass(frozen=True)
class Intervals:
    """feature (a,), ascending; low (a,): from this image on, 2^bits points each. width: each is
    divided into 2^width parts."""

    feature: NDArray[np.int32]
    low: Images
    bits: int
    width: int

    def __len__(self) -> int:
        return len(self.feature)

    @property
    def tops(self) -> Images:
        """(a, 2^width) the last image of every part."""
        part = np.arange(1, (1 << self.width) + 1, dtype=np.uint64)
        with np.errstate(over="ignore"):  # the end of the line is 2^64 = 0
            return self.low[:, None] + (part << np.uint64(self.bits - self.width)) - np.uint64(1)


def counted(columns: list[Images], asked: Intervals) -> Counts:
    """(a, 2^width) how many of this party's values lie in each part.

    columns: of each feature the images of its values, ascending. Cost: a binary search a part.
    """
    found = np.empty((len(asked), 1 << asked.width), dtype=np.int64)
    tops, (present, first) = asked.tops, np.unique(asked.feature, return_index=True)
    for j, begin, end in zip(present, first, [*first[1:], len(asked)], strict=True):
        of = slice(begin, end)
        upto = np.searchsorted(columns[j], tops[of].ravel(), side="right")
        before = np.searchsorted(columns[j], asked.low[of], side="left")
        found[of] = np.diff(upto.reshape(-1, tops.shape[1]), axis=1, prepend=before[:, None])
    return found


@dataclass
class Search:
    """The search for the cuts of all features; who asks the questions adds up the answers.

    error: a cut's rank may be off by so many times the rows that have a value.
    feature, low, bits, count (m,): all intervals with rows in them, ordered by feature and low;
    count is 1 until the first answer. known: (k,) rows with a value, from the first answer on.
    """

    n_features: int
    n_bins: int
    error: float = 0.0
    known: Counts = field(init=False)
    feature: NDArray[np.int32] = field(init=False)
    low: Images = field(init=False)
    bits: NDArray[np.int64] = field(init=False)
    count: Counts = field(init=False)

    def __post_init__(self) -> None:
        k = self.n_features
        self.known = np.zeros(k, dtype=np.int64)
        self.feature = np.arange(k, dtype=np.int32)
        self.low = np.zeros(k, dtype=np.uint64)
        self.bits = np.full(k, BITS, dtype=np.int64)
        self.count = np.ones(k, dtype=np.int64)

    def next(self) -> Intervals | None:
        """The intervals to divide, all of one size; None if all cuts are found."""
        open_ = self._open()
        if not open_.any():
            return None
        n, bits = int(open_.sum()), int(self.bits[open_].max())
        least = 3 if n <= MANY else 1
        width = min(max((CELLS // n).bit_length() - 1, least), MAX_WIDTH, bits)
        return Intervals(self.feature[open_], self.low[open_], bits, width)

    def take(self, asked: Intervals, counts: Counts) -> None:
        """Go on from the counts (a, 2^width) of all parties' values in the parts.

        They may add up to less than before, if a party was lost: quantiles of what is known then.
        """
        rest, (row, part) = ~self._open(), np.nonzero(counts)
        bits = asked.bits - asked.width
        feature = np.append(self.feature[rest], asked.feature[row])
        low = np.append(
            self.low[rest], asked.low[row] + (part.astype(np.uint64) << np.uint64(bits))
        )
        order = np.lexsort([low, feature])
        self.feature, self.low = feature[order], low[order]
        self.bits = np.append(self.bits[rest], np.full(len(row), bits))[order]
        self.count = np.append(self.count[rest], counts[row, part])[order]
        known = np.bincount(self.feature, weights=self.count, minlength=self.n_features)
        self.known = known.astype(np.int64)

    def cuts(self) -> Cuts:
        """Of every feature the upper cuts of its bins, the last one above all values."""
        upto, _ = self._ranks()
        few, tops = self._is_few, values(_tops(self.low, self.bits))
        edges = np.searchsorted(self.feature, np.arange(len(self.known) + 1)).tolist()
        found = []
        for j, n in enumerate(self.known.tolist()):
            of = slice(edges[j], edges[j + 1])
            size = of.stop - of.start
            at = np.arange(size) if few[j] else self._picked(upto[of], n)
            found.append(np.append(tops[of][at[at < size - 1]], HIGHEST))
        return Cuts(found, self.n_bins)

    def _picked(self, upto: Counts, n: int) -> Counts:
        """The intervals at whose upper ends a feature is cut, of its own."""
        ranks = -(-np.arange(1, self.n_bins) * n // self.n_bins)
        at = np.searchsorted(upto, ranks)
        slack = int(self.error * n)
        below = np.append(0, upto)[at]
        early = (upto[at] - ranks > slack) & (ranks - below <= slack) & (at > 0)
        return np.unique(at - early)

    def _ranks(self) -> tuple[Counts, Counts]:
        """(m,) rows of the same feature up to the end of each interval, and before it."""
        total = np.cumsum(self.count)
        base = np.append(0, np.cumsum(self.known))[self.feature]
        return total - base, total - base - self.count

    @property
    def _is_few(self) -> NDArray[np.bool_]:
        """(k,) whether, for all that is known, a feature may have a bin for each of its values."""
        return np.bincount(self.feature, minlength=len(self.known)) <= self.n_bins

    def _open(self) -> NDArray[np.bool_]:
        """(m,) whether an interval has to be divided: it may hold two values of a feature of few,
        or a wanted rank is neither at its end nor at its beginning. The widest ones come first."""
        if not self.known.any():
            return np.asarray(self.bits == BITS)
        upto, before = self._ranks()
        n = self.known[self.feature]
        slack = (self.error * n).astype(np.int64)
        first = (before + slack) * self.n_bins // n + 1
        last = (upto - slack - 1) * self.n_bins // n
        holds = (first <= last) & (before + slack < upto - slack)
        few = self._is_few[self.feature]
        found = (self.bits > 0) & np.where(few, self.count > 1, holds)
        return np.asarray(found & (self.bits == self.bits[found].max(initial=0)))


def _tops(low: Images, bits: NDArray[np.int64]) -> Images:
    """The last image of intervals of 2^bits points; 2^64 is 0."""
    size = np.where(bits < BITS, np.uint64(1) << (bits % BITS).astype(np.uint64), np.uint64(0))
    with np.errstate(over="ignore"):
        return np.asarray(low + size - np.uint64(1))
