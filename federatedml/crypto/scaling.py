"""Real numbers as integers for products X^T u modulo 2^64 in which nothing can wrap.

The owner of a vector u encodes it with a public number of fraction bits, a multiple of 4, so that
its integers are at most 2^26: how large u is, in steps of 2^4, is all that this tells. The owner of
a matrix scales each of its columns by a power of two of its own, which it tells nobody, so that the
column's integers have an L1 norm of at most 2^37; the product is then at most 2^63 whatever u is.
Shapes: n rows, k columns; x (n, k) dense or csr, u (n,).

Error bound of an entry of the product, with f the vector's bits and s the column's scale:

    2^-(f+1) |x|_1 + 2^-(s+1) |u|_1 + n 2^-(f+s+2)

A vector's largest entry has at least 22 significant bits, and s from ``scales`` is at least
36 - log2 |x|_1: the error is at most |x|_1 max|u| (2^-22 + n 2^-36), where |x|_1 max|u| is the
largest product that the column can have. Errors of rows are of either sign, so that the usual one
is smaller by the root of n.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.crypto.scaling_kernels import add_norms, round_columns
from federatedml.crypto.threads import each

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]
Exponents = NDArray[np.int64]
Matrix = Floats | sparse.csr_matrix

STEP = 4
"""Public scales come in steps of 2^4, so that they tell little of what they fit."""

LADDER = tuple(range(48, -9, -STEP))
"""Fraction bits of a vector whose magnitudes are below 2^-22, 2^-18, ..., 4, ..., 2^34."""

VECTOR_BITS = 26
"""A vector's integers are at most 2^26."""

L1_BITS, L2_BITS = 37, 34
"""A column's integers: 2^37 keeps the product below 2^63, 2^34 is what the lattice takes."""

MAX_ROWS = 2**26
"""More rows could leave the largest entry of a column fewer than ten bits."""

MOST_ROOM = 96
"""More fraction bits than any loss needs."""

_MOST, _INT32 = 900, 2.0**31 - 1
_NO_ROWS: Floats = np.empty(0)
_PART = 1 << 14


def fraction_bits(largest: float) -> int:
    """The most bits of the ladder with which every |u| 2^bits is at most 2^26.

    largest: of |u|, over more rows than those of one message, lest it tells of them.
    Raises ValueError if no step of the ladder holds it, or it is not finite.

    >>> [fraction_bits(u) for u in (0.0, 3.9, 4.1)]
    [48, 24, 20]
    """
    for bits in LADDER:
        if largest < 2.0 ** (VECTOR_BITS - bits):
            return bits
    raise ValueError("training diverges: scale the features or lower learning_rate")


def words(u: Floats, bits: int) -> Words:
    """(n,) the nearest multiples of 2^-bits, modulo 2^64."""
    return np.rint(np.ldexp(u, bits)).astype(np.int64).view(np.uint64)


def reals(found: Words, exponents: Exponents) -> Floats:
    """(k,) numbers that stand as multiples of 2^-exponents modulo 2^64."""
    return np.ldexp(found.view(np.int64).astype(np.float64), -exponents.astype(np.int32))


@dataclass(frozen=True)
class Norms:
    """(k,) L1 norms, squared L2 norms and largest sizes of a matrix's columns; number of rows."""

    l1: Floats
    squares: Floats
    largest: Floats
    n_rows: int


def norms(x: Matrix, rows: Floats | None = None, *, cores: int = 1) -> Norms:
    """Of the columns of x, or of diag(rows) x. Raises ValueError unless all are finite.

    Cost: a pass over x, about 1 ns for an entry.
    """
    n, k = x.shape
    if n > MAX_ROWS:
        raise ValueError(f"{n} rows in a batch and at most {MAX_ROWS} fit: set a batch_size")
    if isinstance(x, np.ndarray):
        parts = _parts(n)
        found = np.zeros((len(parts), 3, k))
        add = lambda i: add_norms(_plain(x), _plain(rows), *parts[i], found[i])  # noqa: E731
        each(add, range(len(parts)), cores)
        l1, squares, largest = found[:, 0].sum(axis=0), found[:, 1].sum(axis=0), found[:, 2]
        largest = largest.max(axis=0, initial=0.0)
    else:
        x = _canonical(x)
        l1, squares, largest = np.zeros(k), np.zeros(k), np.zeros(k)
        size = np.abs(x.data)
        size = size if rows is None else size * np.repeat(np.abs(rows), np.diff(x.indptr))
        np.add.at(l1, x.indices, size)
        np.add.at(squares, x.indices, size * size)
        np.maximum.at(largest, x.indices, size)
    if not (np.isfinite(l1).all() and np.isfinite(squares).all()):
        raise ValueError("features must be finite: fill or drop what is not")
    return Norms(l1, squares, largest, n)


def _parts(n_rows: int) -> list[tuple[int, int]]:
    """The same whatever cores there are: sums of floats depend on where they are cut."""
    cuts = range(0, n_rows, _PART)
    return [(start, min(start + _PART, n_rows)) for start in cuts]


def _plain(x: Floats | None) -> Floats:
    """As the kernels want it: rows one after the other, read only; none for None."""
    found = np.ascontiguousarray(_NO_ROWS if x is None else x, dtype=np.float64).view()
    found.flags.writeable = False
    return found


def scales(terms: Sequence[tuple[Norms, int]]) -> Exponents:
    """(k,) the largest exponents e that a sum of products X_1^T u_1 + X_2^T u_2 + ... can have.

    terms: for each product the norms of its matrix and the fraction bits f of its vector; the
    integers of the matrix are then X 2^(e - f). A column of zeros gets the largest exponent.
    """
    n_rows = sum(t.n_rows for t, _ in terms)
    l1 = sum(np.ldexp(t.l1, -bits) for t, bits in terms)
    l2 = np.sqrt(sum(np.ldexp(t.squares, -2 * bits) for t, bits in terms))
    by_sum = _largest(np.asarray(l1), 2.0**L1_BITS - n_rows)
    by_length = _largest(np.asarray(l2), 2.0**L2_BITS - math.sqrt(n_rows))
    return np.minimum(by_sum, by_length)


def _largest(size: Floats, limit: float) -> Exponents:
    """(k,) the largest e with size 2^e <= limit; rounding adds at most a half a row."""
    with np.errstate(divide="ignore"):
        found = np.floor(np.log2(limit) - np.log2(size))
    return np.asarray(np.clip(found, -_MOST, _MOST), dtype=np.int64)


def integers(x: Matrix, scale: Exponents) -> NDArray[Any] | sparse.csr_matrix:
    """x with column j rounded to multiples of 2^-scale[j], as whole numbers; csr stays csr."""
    if isinstance(x, np.ndarray):
        return columns(x, scale)[0].T
    data = np.rint(x.data * _factor(scale)[x.indices])
    return sparse.csr_matrix((data, x.indices, x.indptr), shape=x.shape)


def columns(
    x: Matrix,
    scale: Exponents,
    rows: Floats | None = None,
    further: Floats | None = None,
    *,
    largest: Floats | None = None,
    cores: int = 1,
) -> tuple[NDArray[Any], Floats]:
    """The columns of diag(rows) x as rows of whole numbers, column j in multiples of 2^-scale[j].

    further: (n,) whole numbers, appended as one more column. largest: (k,) as in ``Norms``.
    Returns (k, n) int32, or float64 where a number needs it, and (k,) the squared L2 norms.
    Cost: a pass over x and the result, about 3 ns for an entry; csr becomes dense.
    """
    (n, k), factor = x.shape, _factor(scale)
    size = norms(x, rows, cores=cores).largest if largest is None else largest
    most = float(np.max(size * factor, initial=0.0))
    if further is not None:
        most = max(most, float(np.abs(further).max(initial=0.0)))
    dtype: type[Any] = np.int32 if most < _INT32 else np.float64
    found = np.empty((k + (further is not None), n), dtype)
    if isinstance(x, np.ndarray):
        total = _dense_columns(x, factor, rows, found, cores)
    else:
        total = _thin_columns(x, factor, rows, found)
    if further is not None:
        found[k], total[k] = further, float(further @ further)
    return found, total


def _factor(scale: Exponents) -> Floats:
    return np.ldexp(1.0, scale.astype(np.int32))


def _dense_columns(
    x: Floats, factor: Floats, rows: Floats | None, found: NDArray[Any], cores: int
) -> Floats:
    """Puts the columns of x into the first rows of ``found``; the squared norms of all."""
    parts = _parts(len(x))
    squares = np.zeros((len(parts), len(found)))
    each(
        lambda i: round_columns(_plain(x), factor, _plain(rows), *parts[i], found, squares[i]),
        range(len(parts)),
        cores,
    )
    return np.asarray(squares.sum(axis=0))


def _thin_columns(
    x: sparse.csr_matrix, factor: Floats, rows: Floats | None, found: NDArray[Any]
) -> Floats:
    """``_dense_columns`` for csr."""
    x = _canonical(x)
    sizes = np.diff(x.indptr)
    whole = x.data * factor[x.indices]
    whole = np.rint(whole if rows is None else whole * np.repeat(rows, sizes))
    found[:] = 0
    found[x.indices, np.repeat(np.arange(len(sizes)), sizes)] = whole
    squares = np.bincount(x.indices, whole * whole, minlength=len(found))
    return np.asarray(squares, dtype=np.float64)


def _canonical(x: sparse.csr_matrix) -> sparse.csr_matrix:
    """The same with each entry in one place."""
    if x.has_canonical_format:
        return x
    x = x.copy()
    x.sum_duplicates()
    return x


def column_room(largest: float, n_rows: int, bits: int) -> int:
    """A public scale s, a multiple of 4, at which any product of a column stays below 2^bits.

    largest: of the column's entries, and of others. Raises ValueError unless it is finite.
    """
    limit = 2.0 ** (min(bits - VECTOR_BITS, L2_BITS - 1)) - n_rows
    return _room(largest * n_rows, limit)


def sum_room(value: float, bits: int) -> int:
    """A public scale e, a multiple of 4, at which the number stays below 2^bits.

    Raises ValueError unless it is finite.
    """
    return _room(abs(value), 2.0**bits - 1)


def _room(size: float, limit: float) -> int:
    if not math.isfinite(size):
        raise ValueError("training diverges: scale the features or lower learning_rate")
    found = math.floor(math.log2(limit) - math.log2(size)) if size > 0 else MOST_ROOM
    return min(found, MOST_ROOM) // STEP * STEP


def word(value: float, bits: int) -> Words:
    """(1,) one number as a multiple of 2^-bits, modulo 2^64; |value| 2^bits is below 2^63."""
    return np.array([round(math.ldexp(value, bits)) % 2**64], dtype=np.uint64)
