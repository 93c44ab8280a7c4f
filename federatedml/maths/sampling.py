"""Which rows: samples with and without replacement, by class, and splits into three parts.

Where chance comes from is an argument: ``Chance`` is numpy's generator behind a seed, or a keyed
stream (``protocols.batches.Draws``) where another party knows the seed and must not redo a draw.

Source: scikit-learn's ``resample`` and ``train_test_split`` choose the same rows from a seed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[np.int64]
Parts = NDArray[np.uint8]

TRAIN, VALIDATE, TEST = 0, 1, 2

_ROUNDING = 1e-9
"""Fractions of rows are rounded down; 0.29 of 100 rows are still 29."""


class Chance(Protocol):
    """A source of random orders and numbers."""

    def permutation(self, n: int) -> Rows:
        """A random order of 0..n-1."""

    def picks(self, n: int, size: int) -> Rows:
        """(size,) random numbers of 0..n-1, repeats allowed."""


class Seeded:
    """Chance from numpy's ``RandomState``; without a seed it cannot be repeated."""

    def __init__(self, seed: int | None) -> None:
        self._state = np.random.RandomState(seed)

    def permutation(self, n: int) -> Rows:
        return self._state.permutation(n).astype(np.int64)

    def picks(self, n: int, size: int) -> Rows:
        return self._state.randint(0, n, size=size).astype(np.int64)


def part_of(fraction: float, n: int) -> int:
    """How many rows a fraction of n is: rounded down, but one at least where there are any."""
    return max(1, int(fraction * n + _ROUNDING)) if n else 0


def downsampled(n: int, fraction: float, chance: Chance) -> Rows:
    """Rising numbers of a random fraction of n rows."""
    return np.sort(chance.permutation(n)[: part_of(fraction, n)])


def upsampled(n: int, fraction: float, chance: Chance) -> Rows:
    """As many rows as the fraction says, each drawn from all of them, in the order of the draw."""
    return chance.picks(n, part_of(fraction, n))


def downsampled_by_class(codes: Rows, fractions: Sequence[float], chance: Chance) -> Rows:
    """Rising numbers of rows: of every class a fraction of its own.

    codes: (n,) classes 0..c-1. fractions: (c,) 0 < f <= 1.
    """
    counts = np.bincount(codes, minlength=len(fractions))
    wanted = [part_of(f, int(count)) for f, count in zip(fractions, counts, strict=True)]
    rank = _rank_in_class(codes, chance.permutation(len(codes)))
    return np.flatnonzero(rank < np.array(wanted, dtype=np.int64)[codes]).astype(np.int64)


def upsampled_by_class(codes: Rows, fractions: Sequence[float], chance: Chance) -> Rows:
    """Rows drawn with repeats from every class, as many as its fraction says, in random order."""
    counts = np.bincount(codes, minlength=len(fractions))
    grouped = np.split(np.argsort(codes, kind="stable"), np.cumsum(counts)[:-1])
    drawn = [
        rows[chance.picks(len(rows), part_of(fraction, len(rows)))]
        for rows, fraction in zip(grouped, fractions, strict=True)
        if len(rows)
    ]
    together = np.concatenate(drawn) if drawn else np.empty(0, dtype=np.int64)
    return together[chance.permutation(len(together))].astype(np.int64)


def repeated(weight: NDArray[np.float64], nothing: float = 1e-8) -> Rows:
    """Every row as often as its weight says, rounded up; none of weight up to ``nothing``."""
    times = np.where(weight > nothing, np.ceil(weight), 0.0).astype(np.int64)
    return np.repeat(np.arange(len(weight), dtype=np.int64), times)


def split(n: int, sizes: tuple[int, int, int], order: Callable[[int], Rows]) -> Parts:
    """(n,) which part every row goes to.

    sizes: rows to train on, to validate, to test; their sum is n. order: gives random orders;
    one that starts anew with each call, as with a fixed seed, gives scikit-learn's rows:
    ``train_test_split``, and again on what is not to train on.
    """
    parts, (n_train, _, n_test) = np.full(n, TRAIN, dtype=np.uint8), sizes
    rest = order(n)[: n - n_train]
    again = order(len(rest))
    parts[rest[again[:n_test]]] = TEST
    parts[rest[again[n_test:]]] = VALIDATE
    return parts


def split_by_class(
    codes: Rows, n_classes: int, sizes: tuple[int, int, int], order: Callable[[int], Rows]
) -> Parts:
    """(n,) which part every row goes to; classes have the same share of every part.

    codes: (n,) 0..n_classes-1. sizes, order: see ``split``. A class that does not divide evenly
    goes where it is missing most.
    """
    counts = np.bincount(codes, minlength=n_classes).astype(np.int64)
    train = shares(counts, sizes[0])
    validate = shares(counts - train, sizes[1])
    rank = _rank_in_class(codes, order(len(codes)))
    parts = np.full(len(codes), TEST, dtype=np.uint8)
    parts[rank < (train + validate)[codes]] = VALIDATE
    parts[rank < train[codes]] = TRAIN
    return parts


def shares(counts: Rows, k: int) -> Rows:
    """(c,) k rows divided among classes as their counts are, by largest remainders.

    Source: scikit-learn's stratified splits; ties go to the first class.
    """
    total = int(counts.sum())
    if not total:
        return np.zeros_like(counts)
    whole, left = np.divmod(counts * k, total)
    most = np.argsort(-left, kind="stable")[: k - int(whole.sum())]
    whole[most] += 1
    return whole


def _rank_in_class(codes: Rows, order: Rows) -> Rows:
    """(n,) the place of every row among the rows of its class, as they come in ``order``."""
    grouped = order[np.argsort(codes[order], kind="stable")]
    counts = np.bincount(codes)
    starts = np.repeat(np.cumsum(counts) - counts, counts)
    rank = np.empty(len(codes), dtype=np.int64)
    rank[grouped] = np.arange(len(codes)) - starts
    return rank
