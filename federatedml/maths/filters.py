"""Which columns stay: rules over one value a column, ties by the order of the columns.

A missing value (nan) satisfies no rule: a column of which a metric says nothing does not stay.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from federatedml.maths import columnwise
from federatedml.maths.glm import Floats, Matrix

Bools = NDArray[np.bool_]
Ints = NDArray[np.int64]
FilterType = Literal["threshold", "top_k", "top_percentile"]
Merge = Literal["average", "min", "max"]

DIGITS = 8
"""Values that agree in so many decimals are one value to ``most_frequent``. Source: FATE 1.x."""

ROUNDING = 1e-9
"""Of a share times a number of columns: 0.07 * 100 means 7 of them, not 8."""


@dataclass(frozen=True)
class Rule:
    """threshold: the value to reach (take_high) or not to exceed; with top_k how many of the
    highest (else lowest) stay; with top_percentile which share of them, rounded up."""

    filter_type: FilterType
    threshold: float
    take_high: bool = True

    def kept(self, values: Floats) -> Bools:
        """(k,) whether each of the (k,) columns stays.

        >>> Rule("top_k", 2).kept(np.array([1.0, 3.0, 3.0, 2.0])).tolist()
        [False, True, True, False]
        """
        if self.filter_type == "threshold":
            return values >= self.threshold if self.take_high else values <= self.threshold
        found = np.zeros(len(values), dtype=np.bool_)
        found[ranked(values, self.take_high)[: self._count(len(values))]] = True
        found[np.isnan(values)] = False
        return found

    def _count(self, n_columns: int) -> int:
        if self.filter_type == "top_k":
            return int(self.threshold)
        return math.ceil(self.threshold * n_columns - ROUNDING)


def ranked(values: Floats, take_high: bool = True) -> Ints:
    """(k,) numbers of the columns, best first; ties in their order, columns without value last."""
    found: Ints = np.argsort(-values if take_high else values, kind="stable")
    return found


def merged(values: Floats, how: Merge) -> Floats:
    """(k,) one value a column of (c, k), one for each class beside all others."""
    if how == "average":
        return np.asarray(values.mean(axis=0))
    return np.asarray(values.min(axis=0) if how == "min" else values.max(axis=0))


def kept_by_parties(
    rule: Rule, values: Sequence[Floats], thresholds: Sequence[float | None]
) -> list[Bools]:
    """Of each party's columns, (k,) values each, which stay.

    Ranks are of all parties' columns together; ties by the order of the parties. thresholds: of
    each party in place of the rule's, where it is not None.
    """
    if rule.filter_type == "threshold":
        own = [rule.threshold if given is None else given for given in thresholds]
        return [
            Rule("threshold", threshold, rule.take_high).kept(of)
            for of, threshold in zip(values, own, strict=True)
        ]
    together = rule.kept(np.concatenate(values))
    return np.split(together, np.cumsum([len(of) for of in values])[:-1])


def with_one(kept: Bools, values: Floats, take_high: bool = True) -> Bools:
    """The same, and if it is none the best one."""
    if kept.any() or not len(kept):
        return kept
    found = kept.copy()
    found[ranked(values, take_high)[0]] = True
    return found


def uncorrelated(order: Ints, linked: Bools) -> Ints:
    """(k,) because of which other column each goes, -1 where it stays, if they are looked at in
    this order, and one that is linked to another that stays does not.

    linked: (k, k), symmetric; its diagonal is not read. Cost: k^2 looks at a bit.

    >>> uncorrelated(np.array([2, 0, 1]), np.array([[0, 1, 0], [1, 0, 1], [0, 1, 0]], dtype=bool))
    array([-1,  2, -1])
    """
    found = np.full(len(order), -1, dtype=np.int64)
    kept, n = np.empty(len(order), dtype=np.int64), 0
    for column in order:
        links = linked[column, kept[:n]]
        if links.any():
            found[column] = kept[np.argmax(links)]
        else:
            kept[n], n = column, n + 1
    return found


def most_frequent(x: Matrix, at: Sequence[int]) -> Ints:
    """How many rows have the most frequent value of each column in ``at``; missing is a value.

    Cost: each column is sorted.
    """
    return np.array([_mode_count(*column) for column in columnwise.columns(x, at)], dtype=np.int64)


def _mode_count(values: Floats, n_zeros: int) -> int:
    """values: those that are stored; beside them there are so many zeros."""
    known = columnwise.known(values)
    with np.errstate(over="ignore"):
        near = np.where(np.abs(known) < 10.0**DIGITS, np.round(known, DIGITS), known)
    if n_zeros:
        is_zero = near == 0
        n_zeros, near = n_zeros + int(np.count_nonzero(is_zero)), near[~is_zero]
    near.sort()
    ends = np.flatnonzero(np.diff(near)) + 1
    runs = np.diff(np.concatenate([[0], ends, [len(near)]]))
    return max(int(runs.max(initial=0)), n_zeros, len(values) - len(known))
