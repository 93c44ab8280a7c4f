"""What describes a column: moments, ranks, missing values; parts of a table merge.

A value x_i of n; m_p is the mean of (x_i - mean)^p:
    variance = m_2    stddev = sqrt(m_2)    skewness = m_3 / m_2^1.5    kurtosis = m_4 / m_2^2 - 3
Sums are of deviations from the mean over a power of two, so that no square overflows or vanishes.
Source: Pébay 2008, SAND2008-6212 (merging of central moments); Joanes and Gill 1998 (unbiased
skewness and kurtosis); measures and their names FATE 1.x's.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from types import MappingProxyType
from typing import TypeVar

import numpy as np
from scipy import sparse

from federatedml.crypto.threads import each
from federatedml.maths import sketch
from federatedml.maths.columnwise import columns
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.sketch import Sketch

SUMMARY = (
    "sum",
    "mean",
    "stddev",
    "median",
    "min",
    "max",
    "missing_ratio",
    "missing_count",
    "skewness",
    "kurtosis",
    "coefficient_of_variance",
)

NOTHING = 1e-8
"""A mean below it counts as it, for the coefficient of variance. Source: FATE 1.x."""

EXACT_ROWS = 1 << 22
"""Of more rows, quantiles are those of sketches: a column in order is 8 bytes a row."""

CHUNK_ROWS = 1 << 20
"""Rows that are sketched at a time."""

BLOCK = 8
"""Columns of dense tables that a thread works on together."""

MAX_EXPONENT = 1023
"""Of a power of two that is a float."""

T = TypeVar("T")

_QUANTILE = re.compile(r"(100|[1-9]?[0-9])%")


@dataclass(frozen=True)
class Moments:
    """Of n values: total is their sum; m2, m3, m4 are sums of ((x - mean) / scale)^p, where scale
    is a power of two that no deviation exceeds, and 0 where there is none."""

    n: int = 0
    low: float = math.inf
    high: float = -math.inf
    total: float = 0.0
    mean: float = 0.0
    scale: float = 0.0
    m2: float = 0.0
    m3: float = 0.0
    m4: float = 0.0


@dataclass(frozen=True)
class Column:
    """Of n_rows values of a column, n_missing of them missing; moments and ranks: of those that
    count, which neither missing nor abnormal ones do."""

    n_rows: int
    n_missing: int
    moments: Moments
    ranks: Sketch


def is_measure(name: str) -> bool:
    """Whether ``measured`` knows it: a word of COUNTS, MEASURES, or "0%" to "100%"."""
    return name in COUNTS or name in MEASURES or _QUANTILE.fullmatch(name) is not None


def measured(
    x: Matrix,
    at: Sequence[int],
    names: Sequence[str],
    *,
    abnormal: Sequence[float] = (),
    error: float = 1e-4,
    bias: bool = True,
    cores: int = 1,
) -> Floats:
    """(measures, columns) what each measure says of each of these columns.

    x: (n, k) dense or csr; nan is missing, what csr leaves out is 0. abnormal: values that are left
    out, though not missing. error: of the ranks of quantiles, as a share of n, where there are more
    than EXACT_ROWS; otherwise they are exact. bias: False corrects skewness and kurtosis.
    nan where there is no value, or where numbers are too large.
    Cost: sorts each column; some 50 ns a value. Memory: BLOCK columns a core.
    """

    def work(block: slice) -> list[list[float]]:
        with np.errstate(over="ignore", invalid="ignore"):  # told by what is not finite
            found = described(x, at[block], abnormal=abnormal, error=error)
            return [[measure(column, name, bias=bias) for name in names] for column in found]

    rows = list(chain.from_iterable(each(work, blocks([x], len(at), cores), cores)))
    return np.array(rows, dtype=np.float64).reshape(len(at), len(names)).T


def blocks(tables: Sequence[Matrix], k: int, cores: int) -> list[slice]:
    """Which of k columns are worked on together: taking some out of a csr table is a pass over it,
    so then it is as many as there are cores."""
    thin = any(sparse.issparse(x) for x in tables)
    step = max(1, -(-k // cores)) if thin else BLOCK
    return [slice(start, start + step) for start in range(0, k, step)]


def described(
    x: Matrix, at: Sequence[int], *, abnormal: Sequence[float] = (), error: float = 1e-4
) -> Iterator[Column]:
    """Each of these columns in turn; arguments as of ``measured``."""

    def of_part(values: Floats, n_zeros: int, room: int) -> Column:
        return column(values, n_zeros, abnormal, room)

    return folded(x, at, of_part, merged, error=error)


def folded(
    x: Matrix,
    at: Sequence[int],
    of_part: Callable[[Floats, int, int], T],
    merge: Callable[[T, T], T],
    *,
    error: float,
    exact_rows: int = EXACT_ROWS,
    chunk_rows: int = CHUNK_ROWS,
) -> Iterator[T]:
    """``of_part(values, n_zeros, room)`` of each column in turn, room being that of a sketch.

    Of more than ``exact_rows`` rows it is made of ``chunk_rows`` at a time, and merged.
    """
    n = x.shape[0]
    if n <= exact_rows:
        for values, n_zeros in columns(x, at):
            yield of_part(values, n_zeros, sketch.room(0))
        return
    found: list[T] = []
    for start in range(0, n, chunk_rows):
        parts = columns(x[start : start + chunk_rows], at)
        new = [of_part(values, n_zeros, sketch.room(error)) for values, n_zeros in parts]
        found = [merge(*pair) for pair in zip(found, new, strict=True)] if found else new
    yield from found


def column(values: Floats, n_zeros: int, abnormal: Sequence[float], room: int) -> Column:
    """Of values, nan among them, and so many zeros more. room: of the sketch of ranks.

    Cost: one sorting and some passes.
    """
    ascending = np.sort(values)  # nan last
    n_missing = int(np.isnan(ascending).sum())
    ascending = ascending[: len(ascending) - n_missing]
    zeros = n_zeros
    if len(abnormal):
        ascending = ascending[~np.isin(ascending, np.asarray(abnormal))]
        zeros = 0 if 0.0 in abnormal else n_zeros
    moments = merged_moments(_moments(ascending), _zeros(zeros))
    return Column(len(values) + n_zeros, n_missing, moments, sketch.of(ascending, zeros, room))


def merged(one: Column, other: Column) -> Column:
    """Of the rows of both."""
    return Column(
        one.n_rows + other.n_rows,
        one.n_missing + other.n_missing,
        merged_moments(one.moments, other.moments),
        sketch.merged(one.ranks, other.ranks),
    )


def _moments(ascending: Floats) -> Moments:
    n = len(ascending)
    if not n:
        return Moments()
    low, high, total = float(ascending[0]), float(ascending[-1]), float(ascending.sum())
    if low == high:  # the mean's rounding would make deviations out of nothing
        return Moments(n, low, high, total, low)
    mean = total / n
    deviation = ascending - mean
    more = float(deviation.mean())
    deviation -= more
    mean += more
    scale = _power_of_two(max(high - mean, mean - low))
    deviation /= scale
    squares = deviation * deviation
    m2 = float(squares.sum())
    # Not squares @ deviation: the threads of BLAS would fight with those that work on columns.
    m3 = float(np.multiply(deviation, squares, out=deviation).sum())
    m4 = float(np.square(squares, out=squares).sum())
    return Moments(n, low, high, total, mean, scale, m2, m3, m4)


def _zeros(n: int) -> Moments:
    return Moments(n, 0.0, 0.0) if n else Moments()


def _power_of_two(above: float) -> float:
    """The least that is not below this."""
    fraction, exponent = math.frexp(above)
    if not math.isfinite(above) or exponent > MAX_EXPONENT:
        return math.inf
    return above if fraction == 0.5 else math.ldexp(1.0, exponent)


def merged_moments(a: Moments, b: Moments) -> Moments:
    """Of the values of both. Cost: none."""
    if not (a.n and b.n):
        return a if a.n else b
    n, low, high = a.n + b.n, min(a.low, b.low), max(a.high, b.high)
    total, step = a.total + b.total, b.mean - a.mean
    if low == high:
        return Moments(n, low, high, total, low)
    scale = _power_of_two(max(a.scale, b.scale, abs(step)))
    d, u, v = step / scale, a.scale / scale, b.scale / scale
    a2, a3, a4 = a.m2 * u**2, a.m3 * u**3, a.m4 * u**4
    b2, b3, b4 = b.m2 * v**2, b.m3 * v**3, b.m4 * v**4
    p, q = a.n / n, b.n / n
    m2 = a2 + b2 + d**2 * p * q * n
    m3 = a3 + b3 + d**3 * p * q * (p - q) * n + 3 * d * (p * b2 - q * a2)
    m4 = a4 + b4 + d**4 * p * q * (p * p - p * q + q * q) * n
    m4 += 6 * d**2 * (p * p * b2 + q * q * a2) + 4 * d * (p * b3 - q * a3)
    return Moments(n, low, high, total, a.mean + step * q, scale, m2, m3, m4)


def measure(of: Column, name: str, *, bias: bool = True) -> float:
    """One measure of a column; nan where it has no value. Raises KeyError if it is none."""
    counting = COUNTS.get(name)
    if counting is not None:
        return counting(of)
    if not of.moments.n:
        return math.nan
    if name.endswith("%"):
        return float(sketch.quantiles(of.ranks, [int(name[:-1]) / 100])[0])
    return MEASURES[name](of, bias)


def stddev(of: Moments) -> float:
    """Of the population: over n, not n - 1."""
    return math.sqrt(of.m2 / of.n) * of.scale if of.m2 else 0.0


def skewness(of: Moments, *, bias: bool = True) -> float:
    """0 where all values are the same. bias False needs three values, else there is no other."""
    if not of.m2:
        return 0.0
    n, square = of.n, of.m2 / of.n
    found = of.m3 / of.n / (square * math.sqrt(square))
    if bias or n <= 2:
        return found
    return math.sqrt(n * (n - 1)) / (n - 2) * found


def kurtosis(of: Moments, *, bias: bool = True) -> float:
    """Above that of a normal distribution; 0 where all values are the same.

    bias False needs four values, else there is no other.
    """
    if not of.m2:
        return 0.0
    n, found = of.n, (of.m4 / of.n) / (of.m2 / of.n) ** 2
    if bias or n <= 3:
        return found - 3
    return ((n**2 - 1) * found - 3 * (n - 1) ** 2) / ((n - 2) * (n - 3))


COUNTS: Mapping[str, Callable[[Column], float]] = MappingProxyType(
    {
        "count": lambda of: of.moments.n,
        "missing_count": lambda of: of.n_missing,
        "missing_ratio": lambda of: of.n_missing / of.n_rows if of.n_rows else math.nan,
    }
)

MEASURES: Mapping[str, Callable[[Column, bool], float]] = MappingProxyType(
    {
        "sum": lambda of, _: of.moments.total,
        "mean": lambda of, _: of.moments.mean,
        "stddev": lambda of, _: stddev(of.moments),
        "median": lambda of, _: float(sketch.quantiles(of.ranks, [0.5])[0]),
        "min": lambda of, _: of.moments.low,
        "max": lambda of, _: of.moments.high,
        "variance": lambda of, _: stddev(of.moments) * stddev(of.moments),
        "coefficient_of_variance": lambda of, _: (
            stddev(of.moments) / max(abs(of.moments.mean), NOTHING)
        ),
        "skewness": lambda of, bias: skewness(of.moments, bias=bias),
        "kurtosis": lambda of, bias: kurtosis(of.moments, bias=bias),
    }
)
