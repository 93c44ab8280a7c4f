"""Split points of columns, rows by bin and class, and weight of evidence.

Shapes: n rows, k columns, b bins of a column, C classes. A column with split points
p_1 < ... < p_b, the last its largest value, puts a value v into the first bin whose point is >= v;
what lies above all points belongs to the last bin, a missing value (nan) to a bin of its own, which
counts as number b. No column is ever made dense: of a sparse one its entries and zeros are known.
Source: Siddiqi 2006, Credit Risk Scorecards, ch. 6 (WOE and IV); bins and adjustment FATE 1.x's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeVar

import numpy as np
from numba import types
from numpy.typing import NDArray
from scipy import sparse

from federatedml.compiled import compiled
from federatedml.crypto.threads import each
from federatedml.maths.candidates import Candidates
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.quantiles import MAX_BINS, Codes

Ints = NDArray[np.int64]
Points = Floats

BLOCK = 16
"""Columns that are brought into contiguous memory together."""

A = TypeVar("A")


@dataclass(frozen=True)
class Column:
    """values: (m,) that are written down. rows: (m,) whose they are; None: of every row.
    n_zeros: rows that have nothing written down, and so 0."""

    values: Floats
    rows: NDArray[np.int32] | NDArray[np.int64] | None = None
    n_zeros: int = 0

    @property
    def known(self) -> Floats:
        """Those that are not missing."""
        return self.values[~np.isnan(self.values)]


def columns(x: Matrix, which: Sequence[int]) -> Iterator[Column]:
    """These columns of a dense, csr or csc matrix, in this order. Cost: a pass over each."""
    n = x.shape[0]
    if sparse.issparse(x):
        turned = x.tocsc()[:, list(which)]
        turned.sum_duplicates()
        ends = turned.indptr.tolist()
        for start, stop in pairwise(ends):
            part = slice(start, stop)
            values = np.asarray(turned.data[part], dtype=np.float64)
            yield Column(values, turned.indices[part], n - len(values))
        return
    for first in range(0, len(which), BLOCK):
        block = np.ascontiguousarray(x[:, list(which[first : first + BLOCK])].T)
        yield from (Column(np.asarray(values, dtype=np.float64)) for values in block)


def _sorted(column: Column) -> tuple[Floats, int]:
    """What is written down, ascending, and how many of it lie before the zeros that are not."""
    known = np.sort(column.known)
    return known, int(np.searchsorted(known, 0.0, side="left"))


def quantile_points(column: Column, bin_num: int) -> Points:
    """The i/bin_num quantiles, each a value of the column, without repetition; none if all is
    missing. Exact. Cost: sorts what is written down."""
    known, before = _sorted(column)
    n = len(known) + column.n_zeros
    if not n:
        return known
    # The i-th point is the smallest value that i/bin_num of the rows do not exceed, in integers.
    ranks = (np.arange(1, bin_num + 1) * n + bin_num - 1) // bin_num - 1
    if not column.n_zeros:
        return np.unique(known[ranks])
    after = ranks - column.n_zeros
    is_zero = (ranks >= before) & (after < before)
    at = np.where(ranks < before, ranks, np.maximum(after, 0))
    found = np.zeros(len(ranks))
    found[~is_zero] = known[at[~is_zero]]
    return np.unique(found)


def bucket_points(column: Column, bin_num: int) -> Points:
    """Ends of bin_num intervals of one width between the smallest and the largest value."""
    known = column.known
    if not len(known) + column.n_zeros:
        return known
    ends = np.array([0.0]) if column.n_zeros else known[:0]
    low, high = (f(np.concatenate([known, ends])) for f in (np.min, np.max))
    with np.errstate(over="ignore", invalid="ignore"):
        width = (high - low) / bin_num
        inner = low + np.arange(1, bin_num) * width
    if np.isinf(width):  # further apart than any float is large
        share = np.arange(1, bin_num) / bin_num
        inner = low * (1 - share) + high * share
    return np.unique(np.append(np.minimum(inner, high), high))


def category_points(column: Column) -> Points:
    """All values that the column has."""
    zero = np.zeros(min(1, column.n_zeros))
    return np.unique(np.concatenate([column.known, zero]))


def split_points(
    x: Matrix, which: Sequence[int], rule: Callable[[int, Column], Points], *, cores: int = 1
) -> list[Points]:
    """The points of each column by ``rule(number of the column, column)``."""
    return _by_column(lambda at, column: rule(which[at], column), x, which, cores)


def _by_column(
    work: Callable[[int, Column], A], x: Matrix, which: Sequence[int], cores: int
) -> list[A]:
    """work(place in ``which``, column) of each; only BLOCK columns are in memory at once."""
    held: Any = x.tocsc() if sparse.issparse(x) else x
    found: list[A] = []
    for first in range(0, len(which), BLOCK):
        part = which[first : first + BLOCK]
        numbered = list(enumerate(columns(held, part), first))
        found += each(lambda pair: work(*pair), numbered, cores)
    return found


@compiled(
    *[
        types.void(
            types.Array(types.float64, 1, "C", readonly=True),
            types.Array(types.float64, 1, "C", readonly=True),
            types.int64,
            code[::1],
        )
        for code in (types.uint8, types.uint16)
    ]
)
def _place(values: Any, points: Any, missing: Any, out: Any) -> None:
    last = points.shape[0] - 1
    for i in range(values.shape[0]):
        v = values[i]
        if np.isnan(v):
            out[i] = missing
            continue
        low, high = 0, last
        while low < high:
            middle = (low + high) // 2
            if points[middle] < v:
                low = middle + 1
            else:
                high = middle
        out[i] = low


@dataclass(frozen=True)
class Binned:
    """codes: (k, n) bins, one row of memory a column. points: of each column. n_bins: code of a
    missing value, the same for all columns: as many as the column with most bins has."""

    codes: Codes
    points: list[Points]
    n_bins: int


def binned(x: Matrix, which: Sequence[int], points: Sequence[Points], *, cores: int = 1) -> Binned:
    """The bin of every row in each of these columns.

    Raises ValueError for a column without points, or with more than MAX_BINS.
    Cost: a binary search a value; one or two bytes a row and column.
    """
    most = max(map(len, points), default=1)
    if most > MAX_BINS or any(not len(p) for p in points):
        raise ValueError(f"columns must have from 1 to {MAX_BINS} split points")
    kind: Any = np.uint8 if most <= np.iinfo(np.uint8).max else np.uint16
    found: Codes = np.empty((len(which), x.shape[0]), dtype=kind)

    def work(j: int, column: Column) -> None:
        own = np.ascontiguousarray(points[j], dtype=np.float64)
        codes = found[j] if column.rows is None else np.empty(len(column.values), dtype=kind)
        _place(column.values, own, most, codes)
        if column.rows is not None:
            zero = np.empty(1, dtype=kind)
            _place(np.zeros(1), own, most, zero)
            found[j] = zero[0]
            found[j, column.rows] = codes

    _by_column(work, x, which, cores)
    return Binned(found, list(points), most)


@compiled(
    *[
        types.void(
            types.Array(code, 1, "C", readonly=True),
            types.Array(types.int32, 1, "C", readonly=True),
            types.int64[:, ::1],
        )
        for code in (types.uint8, types.uint16)
    ]
)
def _count(codes: Any, classes: Any, out: Any) -> None:
    for i in range(codes.shape[0]):
        out[codes[i], classes[i]] += 1


def counts(of: Binned, classes: NDArray[np.int32], n_classes: int, *, cores: int = 1) -> list[Ints]:
    """Of each column (b, C), or (b + 1, C) if it has missing values: rows by bin and class.

    classes: (n,) from 0 to n_classes - 1. Cost: a pass over the codes.
    """

    def work(j: int) -> Ints:
        found = np.zeros((of.n_bins + 1, n_classes), dtype=np.int64)
        _count(of.codes[j], classes, found)
        return narrowed(found, len(of.points[j]))

    return each(work, range(len(of.points)), cores)


def narrowed(of_code: Ints, n_points: int) -> Ints:
    """Counts by code as counts by bin: (n_bins + 1, C) to (b, C), or b + 1 with missing values."""
    missing = of_code[-1:]
    own = of_code[:n_points]
    return np.concatenate([own, missing]) if missing.any() else own.copy()


@dataclass(frozen=True)
class Woe:
    """event, non_event: (b,) rows. event_rate, non_event_rate, woe, iv: (b,) of each bin.
    is_monotonic: whether WOE rises or falls over all bins but that of missing values."""

    event: Ints
    non_event: Ints
    event_rate: Floats
    non_event_rate: Floats
    woe: Floats
    iv: Floats
    is_monotonic: bool

    @property
    def total_iv(self) -> float:
        """Information value of the column."""
        return float(self.iv.sum())


def woe(event: Ints, non_event: Ints, adjustment: float, *, has_missing: bool = False) -> Woe:
    """Weight of evidence ln(event rate / non-event rate) of each bin, and its share of the IV.

    event, non_event: (b,) rows of both kinds; there must be some of each. adjustment: added to
    both counts of a bin in which one of them is 0. has_missing: the last bin is of missing values.
    Raises ValueError where there is but one kind.
    """
    all_events, all_others = int(event.sum()), int(non_event.sum())
    if not (all_events and all_others):
        raise ValueError("WOE needs events and non-events")
    more = np.where((event == 0) | (non_event == 0), adjustment, 0.0)
    event_rate = (event + more) / all_events
    non_event_rate = (non_event + more) / all_others
    found = np.log(event_rate / non_event_rate)
    steps = np.diff(found[:-1] if has_missing else found)
    return Woe(
        event,
        non_event,
        event_rate,
        non_event_rate,
        found,
        (event_rate - non_event_rate) * found,
        bool((steps >= 0).all() or (steps <= 0).all()),
    )


def replaced(x: Matrix, which: Sequence[int], of: Binned, values: Sequence[Floats]) -> Matrix:
    """The same matrix with these columns replaced by a value for each bin.

    which: columns of x, those of ``of`` in this order. values: (b + 1,) of each of them, the last
    for missing. A csr matrix stays one: an entry is written down where its value is not 0.
    """
    if not sparse.issparse(x):
        dense = np.array(x, dtype=np.float64)
        for first in range(0, len(which), BLOCK):
            part = range(first, min(first + BLOCK, len(which)))
            dense[:, [which[j] for j in part]] = np.stack([_decoded(of, j, values) for j in part]).T
        return dense
    turned = x.tocsc()
    numbers = {column: j for j, column in enumerate(which)}
    rows: list[Any] = []
    entries: list[Floats] = []
    for column in range(x.shape[1]):
        if column in numbers:
            new = _decoded(of, numbers[column], values)
            rows.append(np.flatnonzero(new).astype(turned.indices.dtype))
            entries.append(new[rows[-1]])
        else:
            kept = slice(turned.indptr[column], turned.indptr[column + 1])
            rows.append(turned.indices[kept])
            entries.append(np.asarray(turned.data[kept], dtype=np.float64))
    starts = np.cumsum([0, *map(len, rows)])
    if not rows:
        return x.copy()
    whole = (np.concatenate(entries), np.concatenate(rows), starts)
    return sparse.csr_matrix(sparse.csc_matrix(whole, shape=x.shape))


def _decoded(of: Binned, j: int, values: Sequence[Floats]) -> Floats:
    by_code = np.zeros(of.n_bins + 1)
    by_code[: len(of.points[j])] = values[j][:-1]
    by_code[-1] = values[j][-1]
    found: Floats = by_code[of.codes[j]]
    return found


def cuts_asked(rows_by_bin: Sequence[Ints]) -> Candidates:
    """From the sums of rows up to which bins everything about all bins follows.

    rows_by_bin: of each column (b + 1,) rows of its bins, the last of missing values. Bins without
    rows need no sum, nor does the last one of a column that has any.
    """
    held = [np.flatnonzero(rows)[:-1] for rows in rows_by_bin]
    cut = np.concatenate([np.empty(0, dtype=np.int64), *held])
    feature = np.repeat(np.arange(len(held)), [len(bins) for bins in held])
    missing_left = np.zeros(len(cut), dtype=np.bool_)
    return Candidates(feature.astype(np.int32), cut.astype(np.int32), missing_left)


def class_counts(rows_by_bin: Sequence[Ints], left: Ints, totals: Ints) -> list[Ints]:
    """Of each column (b, C), or (b + 1, C) if it has missing values: rows by bin and class.

    left: (m, C - 1) of all classes but the last, the rows up to each cut of ``cuts_asked``.
    totals: (C,) rows of each class. Raises ValueError for sums that no rows have.
    """
    found, start = [], 0
    for rows in rows_by_bin:
        held = np.flatnonzero(rows)
        sums = left[start : start + len(held) - 1]
        start += len(sums)
        counts = np.zeros((len(rows), len(totals)), dtype=np.int64)
        counts[held, :-1] = np.diff(sums, axis=0, prepend=0, append=totals[None, :-1])
        counts[:, -1] = rows - counts.sum(axis=1)
        if counts.min(initial=0) < 0:
            raise ValueError("sums that no rows have")
        found.append(counts if rows[-1] else counts[:-1])
    return found
