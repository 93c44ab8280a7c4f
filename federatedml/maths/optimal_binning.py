"""Buckets of a column put together, so that few bins tell two classes apart as well as possible.

Shapes: b buckets with (b,) events and non-events, in the order of the column's values.
Bottom-up (iv, gini, chi-square): the two neighbours whose union costs least are put together, again
and again; first those that hold one class only, then those that are too small, then whatever is
left until there are few enough. Top-down (ks): a run of buckets is cut where the shares of both
classes below the cut differ most.
Source: Kerber 1992, ChiMerge; Siddiqi 2006; order, limits and costs FATE 1.x's.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.maths.glm import Floats

Ints = NDArray[np.int64]
Metric = Literal["iv", "gini", "chi_square", "ks"]
Ends = list[Ints | None]
"""Of each column the numbers of the buckets that end a bin, ascending; None: every one does."""

_METRIC = {"iv": 0, "gini": 1, "chi_square": 2}

_ANY, _BOTH_PURE, _EITHER_PURE, _BOTH_SMALL, _EITHER_SMALL = range(5)
"""Which neighbours may be put together: any; those that hold one class only, both or at least one
of them; those that have too few rows."""

_FLOATS, _WHOLE = types.float64[::1], types.int64[::1]


@compiled()
def _share(e: Any, ne: Any, all_e: Any, all_ne: Any, adjustment: Any) -> Any:
    """A bucket's part of the information value."""
    more = adjustment if e == 0 or ne == 0 else 0.0
    a, b = (e + more) / all_e, (ne + more) / all_ne
    return (a - b) * math.log(a / b)


@compiled()
def _impurity(e: Any, ne: Any) -> Any:
    n = e + ne
    return 0.0 if n == 0 else 1.0 - (e / n) ** 2 - (ne / n) ** 2


@compiled()
def _deviation(e: Any, ne: Any, rate: Any) -> Any:
    """Of one bucket from the rate of events of both: its terms of chi-square."""
    expected, other = rate * (e + ne), (1.0 - rate) * (e + ne)
    found = 0.0
    if expected > 0.0:
        found += (e - expected) ** 2 / expected
    if other > 0.0:
        found += (ne - other) ** 2 / other
    return found


@compiled(types.float64(types.int64, _FLOATS, _FLOATS, types.int64, types.int64, _FLOATS))
def _cost(metric: Any, e: Any, ne: Any, i: Any, j: Any, about: Any) -> Any:
    """Of putting buckets i and j together. about: all events, all non-events, adjustment."""
    both, both_not = e[i] + e[j], ne[i] + ne[j]
    if metric == 0:
        return (
            _share(e[i], ne[i], about[0], about[1], about[2])
            + _share(e[j], ne[j], about[0], about[1], about[2])
            - _share(both, both_not, about[0], about[1], about[2])
        )
    if metric == 1:
        return _impurity(both, both_not) - _impurity(e[i], ne[i]) - _impurity(e[j], ne[j])
    if both + both_not == 0.0:
        return 0.0
    rate = both / (both + both_not)
    return _deviation(e[i], ne[i], rate) + _deviation(e[j], ne[j], rate)


@compiled()
def _at_fault(rule: Any, e: Any, ne: Any, least: Any) -> Any:
    """Whether a bucket is of those that a rule is after."""
    return e * ne == 0.0 if rule <= 2 else e + ne < least


@compiled(
    types.int64(types.int64, _FLOATS, _FLOATS, _WHOLE, types.int64, types.int64, _FLOATS, _FLOATS)
)
def _merge(
    metric: Any, e: Any, ne: Any, last: Any, b: Any, rule: Any, limits: Any, about: Any
) -> Any:
    """Put neighbours together as long as the rule allows; the number of buckets left.

    e, ne, last: (b,) events, non-events and last original bucket of each, changed in place.
    limits: rows that a bucket should have, and may have; the number of buckets to stop at.
    """
    cost = np.empty(b)
    for i in range(b - 1):
        cost[i] = _cost(metric, e, ne, i, i + 1, about)
    while b > limits[2]:
        best, at = np.inf, -1
        for i in range(b - 1):
            if e[i] + ne[i] + e[i + 1] + ne[i + 1] > limits[1] or not cost[i] < best:
                continue
            if rule != 0:
                left = _at_fault(rule, e[i], ne[i], limits[0])
                right = _at_fault(rule, e[i + 1], ne[i + 1], limits[0])
                if not ((left and right) or (rule % 2 == 0 and (left or right))):
                    continue
            best, at = cost[i], i
        if at < 0:
            break
        e[at] += e[at + 1]
        ne[at] += ne[at + 1]
        last[at] = last[at + 1]
        for i in range(at + 1, b - 1):
            e[i], ne[i], last[i], cost[i] = e[i + 1], ne[i + 1], last[i + 1], cost[i + 1]
        b -= 1
        if at < b - 1:
            cost[at] = _cost(metric, e, ne, at, at + 1, about)
        if at > 0:
            cost[at - 1] = _cost(metric, e, ne, at - 1, at, about)
    return b


@dataclass(frozen=True)
class Rules:
    """bin_num: at most so many bins, unless max_pct forbids to get there. min_pct, max_pct: shares
    of all rows that a bin should and may hold (ks knows no upper one). mixture: every bin should
    hold both classes. adjustment: see ``binning.woe``."""

    metric: Metric
    bin_num: int
    min_pct: float
    max_pct: float
    mixture: bool
    adjustment: float


def merged(event: Ints, non_event: Ints, rules: Rules, n_rows: int | None = None) -> Ints:
    """Ascending numbers of the buckets that end a bin; the last one is b - 1.

    n_rows: rows that shares are of; None: those of all buckets.
    Raises ValueError where the buckets do not hold both classes.
    Cost: about a nanosecond for each pair of buckets.
    """
    all_events, all_others = int(event.sum()), int(non_event.sum())
    if not (all_events and all_others):
        raise ValueError("optimal binning needs rows of both classes")
    n = all_events + all_others if n_rows is None else n_rows
    least, most = float(math.ceil(rules.min_pct * n)), float(math.floor(rules.max_pct * n))
    if rules.metric == "ks":
        return _split(event, non_event, rules.bin_num, least, rules.mixture)
    e, ne = event.astype(np.float64), non_event.astype(np.float64)
    last, b = np.arange(len(e)), len(e)
    about = np.array([all_events, all_others, rules.adjustment])
    pure = [(_BOTH_PURE, 1), (_EITHER_PURE, 1)] if rules.mixture else []
    for rule, enough in (*pure, (_BOTH_SMALL, 1), (_EITHER_SMALL, 1), (_ANY, rules.bin_num)):
        limits = np.array([least, most, enough])
        b = _merge(_METRIC[rules.metric], e, ne, last, b, rule, limits, about)
    return last[:b].copy()


def _split(event: Ints, non_event: Ints, bin_num: int, least: float, mixture: bool) -> Ints:
    ends, b = {len(event) - 1}, len(event)
    runs = deque([(0, b)])
    while runs and len(ends) < bin_num:
        start, stop = runs.popleft()
        at = _best_cut(event[start:stop], non_event[start:stop], least, mixture)
        if at is not None:
            ends.add(start + at)
            runs += [(start, start + at + 1), (start + at + 1, stop)]
    return np.array(sorted(ends), dtype=np.int64)


def _best_cut(event: Ints, non_event: Ints, least: float, mixture: bool) -> int | None:
    """After which bucket of a run it is to be cut; None if no cut is allowed or of any use."""
    e, ne = np.cumsum(event), np.cumsum(non_event)
    if not (e[-1] and ne[-1]):
        return None
    gap = np.abs(e / e[-1] - ne / ne[-1])
    left, right = e + ne, (e[-1] + ne[-1]) - (e + ne)
    allowed = (left >= max(1.0, least)) & (right >= max(1.0, least)) & (gap > 0)
    if mixture:
        allowed &= (e > 0) & (ne > 0) & (e < e[-1]) & (ne < ne[-1])
    return int(np.where(allowed, gap, -1.0).argmax()) if allowed.any() else None


def neighbour_costs(event: Ints, non_event: Ints, rules: Rules) -> Floats:
    """(b - 1,) what putting each bin together with the next would cost; of ks, how far the shares
    of both classes up to the end of each bin are apart."""
    all_events, all_others = int(event.sum()), int(non_event.sum())
    if rules.metric == "ks":
        gap: Floats = np.abs(np.cumsum(event) / all_events - np.cumsum(non_event) / all_others)
        return gap[:-1]
    e, ne = event.astype(np.float64), non_event.astype(np.float64)
    about = np.array([all_events, all_others, rules.adjustment])
    costs = [_cost(_METRIC[rules.metric], e, ne, i, i + 1, about) for i in range(len(e) - 1)]
    return np.array(costs, dtype=np.float64)


def all_merged(
    counts: Sequence[Ints], missing: Sequence[bool], wanted: Sequence[bool], rules: Rules
) -> tuple[Ends, list[Ints], list[list[float]]]:
    """Of each column which buckets end a bin, its rows by bin and class, and ``neighbour_costs``.

    counts: of each column (b, 2) rows by bucket and class, events first. missing: whether its last
    bucket is of missing values, which is left alone. wanted: whether it is to be merged at all.
    A column without both classes becomes one bin: there is nothing to go by.
    """
    ends: Ends = []
    found: list[Ints] = []
    costs: list[list[float]] = []
    for whole, has_missing, is_wanted in zip(counts, missing, wanted, strict=True):
        n_known = len(whole) - has_missing
        known, rest = whole[:n_known], whole[n_known:]
        last = None
        if is_wanted:
            last = np.array([len(known) - 1])
            if known.any(axis=0).all():
                last = merged(known[:, 0], known[:, 1], rules, int(whole.sum()))
            starts = np.append(0, last[:-1] + 1)
            known = np.add.reduceat(known, starts, axis=0)
        ends.append(last)
        found.append(np.concatenate([known, rest]))
        tells = is_wanted and len(known) > 1
        costs.append(neighbour_costs(known[:, 0], known[:, 1], rules).tolist() if tells else [])
    return ends, found, costs
