"""Many products of powers at once: prod over i of c_i ^ x_ij, for every column j.

The bucket method, with buckets never stored: exponents are cut into signed digits; per digit
position the rows are visited from the largest |digit| down, multiplied into a running product,
and the running product is multiplied into the total once per step of the digit. A column of n
exponents of b bits costs about (b / w) * (n + 2^(w-1)) modular multiplications for digits of w
bits, against 1.5 * b * n for one exponentiation each. Zeros cost nothing, so sparse is fast.
Source: Pippenger 1976; Bernstein, Doumen, Lange, Oosterwijk 2012 ("Faster batch forgery
identification"), section 4.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from typing import Any

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray
from scipy import sparse

from federatedml.crypto import fixedpoint

Floats = NDArray[np.float64]
Matrix = Floats | sparse.csr_matrix
Column = tuple[NDArray[np.int64], Floats]


def columns(integers: Matrix) -> list[Column]:
    """Per column the rows with an entry, and those entries."""
    if sparse.issparse(integers):
        by_column = sparse.csc_matrix(integers)
        cuts = by_column.indptr
        return [
            (by_column.indices[a:b].astype(np.int64), by_column.data[a:b])
            for a, b in itertools.pairwise(cuts)
        ]
    rows = np.arange(integers.shape[0])
    return [(rows, np.ascontiguousarray(integers[:, j])) for j in range(integers.shape[1])]


def inverses(values: Sequence[mpz], modulus: mpz) -> list[mpz]:
    """1 / v mod modulus for each, with one inversion and three products each (Montgomery)."""
    before, total = [], mpz(1)
    for value in values:
        before.append(total)
        total = total * value % modulus
    rest = gmpy2.invert(total, modulus)
    found = []
    for value, product in zip(reversed(values), reversed(before), strict=True):
        found.append(rest * product % modulus)
        rest = rest * value % modulus
    found.reverse()
    return found


def products(
    bases: Sequence[mpz], inverted: Sequence[mpz], wanted: Sequence[Column], modulus: mpz
) -> list[mpz]:
    """prod over i of bases[i] ^ exponent[i] mod modulus, for each column (rows, exponents).

    exponents: integers as float64, of either sign. inverted: ``inverses(bases, modulus)``.
    Not constant in time: exponents are the caller's own data, on the caller's own machine.
    """
    table = [*bases, *inverted]
    return [_product(table, len(bases), column, modulus) for column in wanted]


def _product(table: Sequence[mpz], n: int, column: Column, modulus: mpz) -> mpz:
    rows, exponents = column
    width, count = _windows(len(rows), fixedpoint.bits_of(exponents))
    total = mpz(1)
    for digits in reversed(list(_digits(exponents, width, count))):
        if total != 1:
            total = gmpy2.powmod(total, mpz(1) << width, modulus)
        total = total * _bucket_sum(table, n, rows, digits, modulus) % modulus
    return total


def _bucket_sum(
    table: Sequence[mpz], n: int, rows: NDArray[np.int64], digits: Any, modulus: mpz
) -> mpz:
    """prod table[row] ^ digit: see the module docstring."""
    size = np.abs(digits)
    order = np.argsort(-size, kind="stable")
    chosen = np.where(digits < 0, rows + n, rows)[order].tolist()
    top = int(size.max(initial=0))
    ends = np.searchsorted(-size[order], -np.arange(top, 0, -1), side="right").tolist()
    total = running = mpz(1)
    start = 0
    for end in ends:
        for i in chosen[start:end]:
            running = running * table[i] % modulus
        total = total * running % modulus
        start = end
    return total


def _windows(n: int, bits: int) -> tuple[int, int]:
    """Digit width and count with the fewest multiplications for n exponents of so many bits."""

    def cost(width: int) -> int:
        return math.ceil((bits + 1) / width) * (n + (1 << (width - 1)))

    width = min(range(2, 16), key=cost)
    return width, math.ceil((bits + 1) / width)


def _digits(exponents: Floats, width: int, count: int) -> Iterator[NDArray[np.int64]]:
    """Signed digits, the lowest first, each in [-2^(width-1), 2^(width-1)]; the last takes what
    is left. All steps are exact in float64: they scale by powers of two and drop bits."""
    rest = exponents
    for _ in range(count - 1):
        high = np.floor(np.ldexp(rest, -width) + 0.5)
        yield (rest - np.ldexp(high, width)).astype(np.int64)
        rest = high
    yield rest.astype(np.int64)
