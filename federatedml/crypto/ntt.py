"""Products of polynomials modulo x^N + 1 and primes below 2^50, by number-theoretic transforms.

Residues are doubles. A product modulo p takes two fused multiply-adds for its exact value and its
quotient's remainder, which vectorises everywhere (decision 50). A value may be any representative
of its class within the bound that a function names, in multiples of p; ``centre`` gives the
smallest.

A transform splits x^N + 1 into linear factors, halving N/2, N/4, .. coefficients apart. A
polynomial lies in memory as R rows of C coefficients: halvings of at least a row go over whole
rows with one factor for all; then the array is transposed, and the rest go over rows again with
a factor for each element. So every inner loop is long, contiguous and without branches.

Every function that takes arrays is compiled when this module is imported, or loaded from numba's
cache, and lets other threads run.

Source: D. Harvey, Faster arithmetic for number-theoretic transforms, 2014; the product in doubles
is that of FLINT's fft_small (J. van der Hoeven, G. Lecerf, G. Quintin, Modular SIMD arithmetic in
Mathemagix, 2016, section 3).
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from federatedml.compiled import compiled

Floats = NDArray[np.float64]

MAX_PRIME_BITS = 50
ROUNDER = 6755399441055744.0
"""1.5 * 2^52: a double of size below 2^51 plus this, minus this, is rounded to an integer."""

ROWS = 64
"""Rows of coefficients, a power of 4; N is 16 ROWS at least."""
HEAD = 8
"""Numbers that lead a table: p, 1/p, 1/N mod p; the rest of the eight is empty."""
EVEN_LOGARITHMS = 0x5555555555555555
"""Bits that are set in 4^i."""


def _fma(typingctx: Any, a: Any, b: Any, c: Any) -> Any:  # noqa: ARG001 (numba's calling sequence)
    """a * b + c, rounded once."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.fma(*args)

    return types.float64(types.float64, types.float64, types.float64), emit


fma = intrinsic(_fma)


@compiled()
def times(a: Any, b: Any, p: Any, p_inverse: Any) -> Any:
    """A representative of a b within p (1/2 + |a b / p| / 2^52); |a b| <= 2 p^2."""
    high = a * b
    low = fma(a, b, -high)
    quotient = fma(high, p_inverse, ROUNDER) - ROUNDER
    return fma(-quotient, p, high) + low


@compiled()
def reduced(a: Any, p: Any, p_inverse: Any) -> Any:
    """A representative within p / 2 (and a rounding) of an a within 8 p."""
    return fma(-(fma(a, p_inverse, ROUNDER) - ROUNDER), p, a)


@compiled()
def _halve4(a: Any, at: int, step: int, w: Any, p: float, p_inverse: float, reduce: bool) -> None:
    """Two halvings at once over four runs of ``step``; w: (3,) factors."""
    s0, s1 = a[at : at + step], a[at + step : at + 2 * step]
    s2, s3 = a[at + 2 * step : at + 3 * step], a[at + 3 * step : at + 4 * step]
    w1, w2, w3 = w
    if reduce:
        for j in range(step):
            s0[j] = reduced(s0[j], p, p_inverse)
            s1[j] = reduced(s1[j], p, p_inverse)
    for j in range(step):
        x0, x1 = s0[j], s1[j]
        x2 = times(s2[j], w1, p, p_inverse)
        x3 = times(s3[j], w1, p, p_inverse)
        y1 = times(x1 + x3, w2, p, p_inverse)
        y3 = times(x1 - x3, w3, p, p_inverse)
        s0[j], s1[j] = x0 + x2 + y1, x0 + x2 - y1
        s2[j], s3[j] = x0 - x2 + y3, x0 - x2 - y3


@compiled()
def _halve4_each(
    a: Any, at: int, step: int, w: Any, p: float, p_inverse: float, reduce: bool
) -> None:
    """Two halvings at once over four runs of whole rows; w: three rows of factors."""
    w1, w2, w3 = w
    width = w1.size
    for start in range(at, at + step, width):
        s0 = a[start : start + width]
        s1 = a[start + step : start + step + width]
        s2 = a[start + 2 * step : start + 2 * step + width]
        s3 = a[start + 3 * step : start + 3 * step + width]
        if reduce:
            for j in range(width):
                s0[j] = reduced(s0[j], p, p_inverse)
                s1[j] = reduced(s1[j], p, p_inverse)
        for j in range(width):
            x0, x1 = s0[j], s1[j]
            x2 = times(s2[j], w1[j], p, p_inverse)
            x3 = times(s3[j], w1[j], p, p_inverse)
            y1 = times(x1 + x3, w2[j], p, p_inverse)
            y3 = times(x1 - x3, w3[j], p, p_inverse)
            s0[j], s1[j] = x0 + x2 + y1, x0 + x2 - y1
            s2[j], s3[j] = x0 - x2 + y3, x0 - x2 - y3


@compiled()
def _halve2_each(a: Any, at: int, w: Any, p: float, p_inverse: float) -> None:
    """The last halving: of two rows; w: a row of factors."""
    width = w.size
    s0, s1 = a[at : at + width], a[at + width : at + 2 * width]
    for j in range(width):
        x0, x1 = s0[j], times(s1[j], w[j], p, p_inverse)
        s0[j], s1[j] = x0 + x1, x0 - x1


@compiled()
def _join4(a: Any, at: int, step: int, w: Any, p: float, p_inverse: float) -> None:
    """Undoes ``_halve4``, but for a factor 4; from within p to within p."""
    s0, s1 = a[at : at + step], a[at + step : at + 2 * step]
    s2, s3 = a[at + 2 * step : at + 3 * step], a[at + 3 * step : at + 4 * step]
    w1, w2, w3 = w
    for j in range(step):
        x0, x1, x2, x3 = s0[j], s1[j], s2[j], s3[j]
        y0, y2 = x0 + x1, x2 + x3
        y1 = times(x0 - x1, w2, p, p_inverse)
        y3 = times(x2 - x3, w3, p, p_inverse)
        s0[j] = reduced(y0 + y2, p, p_inverse)
        s1[j] = reduced(y1 + y3, p, p_inverse)
        s2[j] = times(y0 - y2, w1, p, p_inverse)
        s3[j] = times(y1 - y3, w1, p, p_inverse)


@compiled()
def _join4_each(a: Any, at: int, step: int, w: Any, p: float, p_inverse: float) -> None:
    """Undoes ``_halve4_each``, but for a factor 4; from within p to within p."""
    w1, w2, w3 = w
    width = w1.size
    for start in range(at, at + step, width):
        s0 = a[start : start + width]
        s1 = a[start + step : start + step + width]
        s2 = a[start + 2 * step : start + 2 * step + width]
        s3 = a[start + 3 * step : start + 3 * step + width]
        for j in range(width):
            x0, x1, x2, x3 = s0[j], s1[j], s2[j], s3[j]
            y0, y2 = x0 + x1, x2 + x3
            y1 = times(x0 - x1, w2[j], p, p_inverse)
            y3 = times(x2 - x3, w3[j], p, p_inverse)
            s0[j] = reduced(y0 + y2, p, p_inverse)
            s1[j] = reduced(y1 + y3, p, p_inverse)
            s2[j] = times(y0 - y2, w1[j], p, p_inverse)
            s3[j] = times(y1 - y3, w1[j], p, p_inverse)


@compiled()
def _join2_each(a: Any, at: int, w: Any, p: float, p_inverse: float) -> None:
    width = w.size
    s0, s1 = a[at : at + width], a[at + width : at + 2 * width]
    for j in range(width):
        x0, x1 = s0[j], s1[j]
        s0[j] = reduced(x0 + x1, p, p_inverse)
        s1[j] = times(x0 - x1, w[j], p, p_inverse)


@compiled()
def _turned(a: Any, out: Any, rows: int, columns: int) -> None:
    """out = the transpose of a, both flat; rows is a multiple of 8."""
    for r in range(0, rows, 8):
        s0, s1 = a[r * columns : (r + 1) * columns], a[(r + 1) * columns : (r + 2) * columns]
        s2, s3 = a[(r + 2) * columns : (r + 3) * columns], a[(r + 3) * columns : (r + 4) * columns]
        s4, s5 = a[(r + 4) * columns : (r + 5) * columns], a[(r + 5) * columns : (r + 6) * columns]
        s6, s7 = a[(r + 6) * columns : (r + 7) * columns], a[(r + 7) * columns : (r + 8) * columns]
        for c in range(columns):
            to = out[c * rows + r : c * rows + r + 8]
            to[0], to[1], to[2], to[3] = s0[c], s1[c], s2[c], s3[c]
            to[4], to[5], to[6], to[7] = s4[c], s5[c], s6[c], s7[c]


@compiled()
def centre(a: Any, table: Any) -> None:
    """Replaces residues within 8 p by those within p / 2."""
    p, p_inverse = table[0], table[1]
    for j in range(a.size):
        a[j] = reduced(a[j], p, p_inverse)


@compiled()
def _halved(a: Any, m: int, last: int, part: int, reduce: bool, table: Any) -> None:
    """From m factors to ``last``, of which a has the part-th m-th, or all of one."""
    step, count = a.size // (4 * m), 1
    while m < last:
        for i in range(part * count, (part + 1) * count):
            w = (table[HEAD + m + i], table[HEAD + 2 * (m + i)], table[HEAD + 2 * (m + i) + 1])
            _halve4(a, 4 * step * i, step, w, table[0], table[1], reduce)
        m, count, step, reduce = 4 * m, 4 * count, step // 4, not reduce


@compiled()
def _halved_each(a: Any, m: int, last: int, part: int, reduce: bool, table: Any) -> None:
    """The same with a factor for each element of a row."""
    step, count, p, p_inverse = a.size // (4 * m), 1, table[0], table[1]
    each = table[HEAD + ROWS : HEAD + ROWS + a.size].reshape(a.size // ROWS, ROWS)
    while 2 * m < last:
        for i in range(part * count, (part + 1) * count):
            ws = (each[m + i], each[2 * (m + i)], each[2 * (m + i) + 1])
            _halve4_each(a, 4 * step * i, step, ws, p, p_inverse, reduce)
        m, count, step, reduce = 4 * m, 4 * count, step // 4, not reduce
    if m < last:
        for i in range(part * count, (part + 1) * count):
            _halve2_each(a, 2 * ROWS * i, each[m + i], p, p_inverse)


@compiled()
def forward(a: Any, out: Any, table: Any) -> None:
    """out = the values of the polynomial a, within 3 p; a, within p, is used up.

    a, out: (N,); table: a row of ``tables``. Cost: 13 N / 2 products for N = 8192.
    """
    columns = a.size // ROWS
    _halved(a, 1, 4, 0, False, table)
    for quarter in range(4):  # which stays in the fastest cache
        _halved(a, 4, ROWS, quarter, True, table)
    _turned(a, out, ROWS, columns)
    _halved_each(out, 1, 4, 0, True, table)
    for quarter in range(4):
        _halved_each(out, 4, columns, quarter, False, table)


@compiled()
def _joined(a: Any, m: int, last: int, part: int, table: Any) -> None:
    """Undoes ``_halved``: from 4 m factors to ``last``."""
    start = HEAD + ROWS + a.size
    while m >= last:
        step, count = a.size // (4 * m), m // last
        for i in range(part * count, (part + 1) * count):
            w = (table[start + m + i], table[start + 2 * (m + i)], table[start + 2 * (m + i) + 1])
            _join4(a, 4 * step * i, step, w, table[0], table[1])
        m //= 4


@compiled()
def _joined_each(a: Any, m: int, last: int, part: int, table: Any) -> None:
    """Undoes ``_halved_each``: from 2 m factors to ``last``."""
    start, p, p_inverse = HEAD + 2 * ROWS + a.size, table[0], table[1]
    each = table[start : start + a.size].reshape(a.size // ROWS, ROWS)
    if m & EVEN_LOGARITHMS:
        count = m // last
        for i in range(part * count, (part + 1) * count):
            _join2_each(a, 2 * ROWS * i, each[m + i], p, p_inverse)
        m //= 2
    m //= 2
    while m >= last:
        step, count = a.size // (4 * m), m // last
        for i in range(part * count, (part + 1) * count):
            ws = (each[m + i], each[2 * (m + i)], each[2 * (m + i) + 1])
            _join4_each(a, 4 * step * i, step, ws, p, p_inverse)
        m //= 4


@compiled()
def backward(a: Any, out: Any, table: Any) -> None:
    """out = the polynomial with values a, within p; a, within p, is used up."""
    columns = a.size // ROWS
    for quarter in range(4):
        _joined_each(a, columns // 2, 4, quarter, table)
    _joined_each(a, 2, 1, 0, table)
    _turned(a, out, columns, ROWS)
    for quarter in range(4):
        _joined(out, ROWS // 4, 4, quarter, table)
    _joined(out, 1, 1, 0, table)
    for j in range(a.size):
        out[j] = times(out[j], table[2], table[0], table[1])


@compiled("void(float64[:, :, ::1], float64[:, ::1])")
def values(polynomials: Any, table: Any) -> None:
    """Replaces polynomials (count, primes, N), within p, by their values, within p / 2."""
    spare = np.empty(polynomials.shape[2])
    for k in range(polynomials.shape[0]):
        for i in range(polynomials.shape[1]):
            spare[:] = polynomials[k, i]
            forward(spare, polynomials[k, i], table[i])
            centre(polynomials[k, i], table[i])


@compiled("void(float64[:, :, ::1], float64[:, ::1])")
def coefficients(polynomials: Any, table: Any) -> None:
    """Undoes ``values``: from within p to within p / 2."""
    spare = np.empty(polynomials.shape[2])
    for k in range(polynomials.shape[0]):
        for i in range(polynomials.shape[1]):
            spare[:] = polynomials[k, i]
            backward(spare, polynomials[k, i], table[i])
            centre(polynomials[k, i], table[i])


@lru_cache(maxsize=8)
def tables(primes: tuple[int, ...], degree: int) -> Floats:
    """What the transforms need to know of each prime: (primes, HEAD + 2 (ROWS + degree)).

    primes: each 1 modulo 2 degree and below 2^MAX_PRIME_BITS.
    """
    return np.stack([_table(p, degree) for p in primes])


def _table(p: int, degree: int) -> Floats:
    if p >= 1 << MAX_PRIME_BITS or p % (2 * degree) != 1 or degree % (16 * ROWS):
        raise ValueError(f"no transform of degree {degree} modulo {p}")
    root = _root_of_unity(p, 2 * degree)
    head = np.zeros(HEAD)
    head[:3] = p, 1 / p, _centred(pow(degree, -1, p), p)
    return np.concatenate([head, _roots(root, p, degree), _roots(pow(root, -1, p), p, degree)])


def _roots(root: int, p: int, degree: int) -> Floats:
    """The factors of whole rows (ROWS,), then those of each element (degree / ROWS, ROWS)."""
    powers = [1]
    for _ in range(degree - 1):
        powers.append(powers[-1] * root % p)
    ordered = np.array([_centred(power, p) for power in powers], dtype=np.float64)
    ordered = ordered[_reversed_bits(degree)]
    columns = degree // ROWS
    each = np.zeros((columns, ROWS))
    halvings = 1
    while halvings < columns:
        found = ordered[ROWS * halvings : 2 * ROWS * halvings].reshape(ROWS, halvings)
        each[halvings : 2 * halvings] = found.T
        halvings *= 2
    return np.concatenate([ordered[:ROWS], each.ravel()])


def _reversed_bits(n: int) -> NDArray[np.int64]:
    found = np.zeros(1, dtype=np.int64)
    while len(found) < n:
        found = np.concatenate([2 * found, 2 * found + 1])
    return found


def _root_of_unity(p: int, order: int) -> int:
    """The least g^((p - 1) / order) of exact order ``order``, a power of 2, over g = 2, 3, .."""
    g = 2
    while pow(g, (p - 1) // 2, p) == 1:
        g += 1
    return pow(g, (p - 1) // order, p)


def _centred(a: int, p: int) -> int:
    return a - p if 2 * a > p else a
