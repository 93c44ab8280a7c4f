"""Kernels of the lattice scheme: numbers into polynomials, products of tiles, and back.

Everything here is arithmetic on arrays, compiled when the module is imported (or loaded from
numba's cache), and lets other threads run. Shapes: L primes, ``kept`` of them kept; N coefficients;
W words a number. Polynomials (L, N) are residues within half a prime unless a function says
otherwise; "values" are polynomials after ``ntt.values``.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from federatedml.compiled import compiled
from federatedml.crypto.ntt import backward, centre, forward, reduced, times
from federatedml.crypto.sampling import tossed

_F1, _F2, _F3 = types.float64[::1], types.float64[:, ::1], types.float64[:, :, ::1]
_I32 = types.int32[:, ::1]
_U2 = types.uint64[:, ::1]
_READ = types.Array(types.uint64, 1, "C", readonly=True)
_READ2 = types.Array(types.uint64, 2, "C", readonly=True)

HALF = np.uint64(32)
LOW = np.uint64((1 << 32) - 1)
TOP = np.uint64(63)
DITHER_BITS = 22
"""Bits of a word that choose between rounding up and down; the low 42 are an error's."""


def _upper(typingctx: Any, a: Any, b: Any) -> Any:  # noqa: ARG001 (numba's calling sequence)
    """The upper word of the product of two words."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        from llvmlite import ir  # type: ignore[import-untyped]

        wide = ir.IntType(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, ir.Constant(wide, 64)), ir.IntType(64))

    return types.uint64(types.uint64, types.uint64), emit


upper = intrinsic(_upper)


@compiled()
def _pieces(low: Any, high: Any, to: Any) -> None:
    """to = the 32-bit pieces of a number, lowest first; as many as to has."""
    to[0] = np.float64(np.int64(low & LOW))
    to[1] = np.float64(np.int64(low >> HALF))
    if to.size == 4:
        to[2] = np.float64(np.int64(high & LOW))
        to[3] = np.float64(np.int64(high >> HALF))


@compiled()
def _remainder(words: Any, q: Any) -> Any:
    """q m modulo 2^K as (low, high) words; q: (3,) its low words and K."""
    low = words[0] * q[0]
    if words.size == 1:
        shift = np.uint64(64) - q[2]
        return (low << shift) >> shift, np.uint64(0)
    return low, upper(words[0], q[0]) + words[0] * q[1] + words[1] * q[0]


@compiled()
def _modulo(pieces: Any, units: Any, p: Any, p_inverse: Any, to: Any) -> None:
    """to = the numbers with these pieces, times units[0], modulo p: within p / 2.

    pieces: (n, 2 or 4); units: a factor for each piece.
    """
    if pieces.shape[1] == 2:
        for j in range(to.size):
            found = times(pieces[j, 0], units[0], p, p_inverse)
            found += times(pieces[j, 1], units[1], p, p_inverse)
            to[j] = reduced(found, p, p_inverse)
    else:
        for j in range(to.size):
            found = times(pieces[j, 0], units[0], p, p_inverse)
            found += times(pieces[j, 1], units[1], p, p_inverse)
            found += times(pieces[j, 2], units[2], p, p_inverse)
            found += times(pieces[j, 3], units[3], p, p_inverse)
            to[j] = reduced(found, p, p_inverse)


@compiled(types.void(_READ2, _READ, _READ, _F2, _F2, _F2, _F2, _F2))
def seal(
    words: Any,
    noise: Any,
    q: Any,
    pieces: Any,
    a: Any,
    s: Any,
    table: Any,
    out: Any,
) -> None:
    """out = values of e + round(q m / 2^K), less a s.

    words: (n, W) by coefficient, n <= N. noise: (N,) random words: errors, and which way to round.
    q: (3,) low words of q, and K. pieces: (L, 5) 2^(32 i - K). a, s: values.
    """
    count, n = words.shape[0], out.shape[1]
    errors, spare = np.empty(n), np.empty(n)
    split, found = np.empty((count, 2 * words.shape[1])), np.empty(count)
    for j in range(n):
        errors[j] = tossed(noise[j])
    for j in range(count):
        low, high = _remainder(words[j], q)
        if words.shape[1] == 1:
            fraction = low >> (q[2] - np.uint64(DITHER_BITS))
        else:
            fraction = high >> np.uint64(64 - DITHER_BITS)
        errors[j] += np.float64(noise[j] >> np.uint64(64 - DITHER_BITS) < fraction)
        _pieces(low, high, split[j])
    for i in range(out.shape[0]):
        p, p_inverse = table[i, 0], table[i, 1]
        _modulo(split, pieces[i], p, p_inverse, found)
        spare[:] = errors
        for j in range(count):
            spare[j] -= found[j]
        forward(spare, out[i], table[i])
        to, x, y = out[i], a[i], s[i]
        for j in range(n):
            to[j] = reduced(to[j] - times(x[j], y[j], p, p_inverse), p, p_inverse)


@compiled()
def _lay(columns: Any, first: int, count: int, at: int, rows: int, block: int, out: Any) -> None:
    """out = sum of columns[first + o, at + i] x^(o block + i)."""
    out[:] = 0.0
    for o in range(count):
        run = columns[first + o, at : at + rows]
        to = out[o * block : o * block + rows]
        for i in range(rows):
            to[i] = run[i]


@compiled()
def _add_product(x: Any, u: Any, to: Any, p: float, p_inverse: float) -> None:
    for j in range(x.size):
        to[j] += times(x[j], u[j], p, p_inverse)


def _accumulate(
    columns: Any, shape: Any, blocks: Any, vector: Any, table: Any, stored: Any, total: Any
) -> None:
    """total += the products of tiles and vector blocks.

    columns: (k, n) whole numbers. shape: (6,) first output, outputs here, inner block, first and
    last + 1 of the vector's blocks, and whether to store (1), use (2) or ignore (0) ``stored``.
    blocks: (V, L, N) values of c0; vector: the same of c1. stored: (V, L, N) values of the tiles.
    total: (2, L, N).
    """
    first, count, block, start, stop, mode = shape
    primes, n = table.shape[0], total.shape[2]
    tile, used, x = np.empty(n), np.empty(n), np.empty(n)
    for v in range(start, stop):
        if mode != 2:
            rows = min(block, columns.shape[1] - v * block)
            _lay(columns, first, count, v * block, rows, block, tile)
        for i in range(primes):
            p, p_inverse = table[i, 0], table[i, 1]
            values = stored[v, i] if mode else x
            if mode != 2:
                used[:] = tile
                forward(used, values, table[i])
            _add_product(values, blocks[v, i], total[0, i], p, p_inverse)
            _add_product(values, vector[v, i], total[1, i], p, p_inverse)
            if (v - start) % 4 == 3 or v == stop - 1:
                centre(total[0, i], table[i])
                centre(total[1, i], table[i])


_SHAPE = types.UniTuple(types.int64, 6)
accumulate = compiled(
    *[
        types.void(_I32, _SHAPE, _F3, _F3, _F2, _F3, _F3),
        types.void(_F2, _SHAPE, _F3, _F3, _F2, _F3, _F3),
    ]
)(_accumulate)


@compiled(types.void(_F3, _F1, _F2, _F3, _F2, _F3))
def refresh(total: Any, r: Any, errors: Any, key: Any, table: Any, out: Any) -> None:
    """out = the polynomials of total + an encryption of zero; total is used up.

    total: (2, L, N) values within p. r: (N,) ternary. errors: (2, N). key: (2, L, N) values of
    the public key. out: (2, L, N), within p.
    """
    used, x = np.empty(r.size), np.empty(r.size)
    for i in range(table.shape[0]):
        used[:] = r
        forward(used, x, table[i])
        for half in range(2):
            _add_product(x, key[half, i], total[half, i], table[i, 0], table[i, 1])
            centre(total[half, i], table[i])
            backward(total[half, i], out[half, i], table[i])
            out[half, i] += errors[half]


@compiled(types.void(_F2, _READ2, _READ2, types.int64, _READ, _F3, _F2, _F2))
def mask(
    c0: Any,
    masks: Any,
    flood: Any,
    block: Any,
    q: Any,
    pieces: Any,
    table: Any,
    out: Any,
) -> None:
    """out = the outputs' coefficients of c0 + flooding + round(q r / 2^K).

    c0: (L, N). masks: (count, W). flood: (count, 2) random words below 2^(f + 1). pieces:
    (2, L, 5) 2^(32 i - K); and 2^(32 i) and 2^f. out: (L, count).
    """
    count = masks.shape[0]
    split, wide = np.empty((count, 2 * masks.shape[1])), np.empty((count, 4))
    number, noise = np.empty(count), np.empty(count)
    for o in range(count):
        low, high = _remainder(masks[o], q)
        _pieces(low, high, split[o])
        _pieces(flood[o, 0], flood[o, 1], wide[o])
    for i in range(table.shape[0]):
        p, p_inverse = table[i, 0], table[i, 1]
        _modulo(split, pieces[0, i], p, p_inverse, number)
        _modulo(wide, pieces[1, i], p, p_inverse, noise)
        for o in range(count):
            found = c0[i, o * block + block - 1] - pieces[1, i, 4]
            out[i, o] = reduced(found + noise[o] - number[o], p, p_inverse)


@compiled(types.void(_F2, types.int64, _F2, _F2))
def switch(c: Any, kept: Any, inverses: Any, table: Any) -> None:
    """Divides by the primes beyond ``kept``, rounding; c: (L, n) within p, of which (kept, n) stay.

    inverses: (L, L) of prime [i] modulo prime [j].
    """
    for i in range(table.shape[0] - 1, kept - 1, -1):
        centre(c[i], table[i])
        for j in range(i):
            p, p_inverse, inverse = table[j, 0], table[j, 1], inverses[i, j]
            to, x = c[j], c[i]
            for t in range(to.size):
                to[t] = times(to[t] - x[t], inverse, p, p_inverse)
    for j in range(kept):
        centre(c[j], table[j])


@compiled()
def _add_fraction(total: Any, v: Any, fraction: Any, wide: bool) -> None:
    """total += v fraction, modulo 2^128, or 2^192 if wide."""
    x0 = v * fraction[0]
    middle = v * fraction[1]
    x1 = middle + upper(v, fraction[0])
    x2 = upper(v, fraction[1]) + v * fraction[2] + np.uint64(x1 < middle)
    total[0] += x0
    carry = np.uint64(total[0] < x0)
    x1 += carry
    x2 += np.uint64(x1 < carry)
    total[1] += x1
    if wide:
        total[2] += x2 + np.uint64(total[1] < x1)


@compiled(types.void(_F2, _F2, _F2, _F2, types.int64, _F1, _U2, _U2))
def unseal(
    c0: Any,
    c1: Any,
    s: Any,
    table: Any,
    block: Any,
    factors: Any,
    fractions: Any,
    out: Any,
) -> None:
    """out = round(2^(64 W) (c0 + c1 s) / q) modulo 2^(64 W) at the outputs' coefficients.

    c0: (kept, count); c1: (kept, N); s: values. factors: (kept,) the inverse of q / p modulo p.
    fractions: (kept, 3) floor(2^(64 (W + 1)) / p), low word first. out: (count, W).
    """
    kept, count, wide = c0.shape[0], c0.shape[1], out.shape[1] == 2
    used, x = np.empty(c1.shape[1]), np.empty(c1.shape[1])
    sums = np.zeros((count, 3), dtype=np.uint64)
    for i in range(kept):
        p, p_inverse = table[i, 0], table[i, 1]
        used[:] = c1[i]
        forward(used, x, table[i])
        for j in range(x.size):
            used[j] = times(x[j], s[i, j], p, p_inverse)
        backward(used, x, table[i])
        for o in range(count):
            phase = reduced(x[o * block + block - 1] + c0[i, o], p, p_inverse)
            part = reduced(times(phase, factors[i], p, p_inverse), p, p_inverse)
            part += p if part < 0 else 0.0
            _add_fraction(sums[o], np.uint64(np.int64(part)), fractions[i], wide)
    for o in range(count):
        if wide:
            carry = sums[o, 0] >> TOP
            out[o, 0] = sums[o, 1] + carry
            out[o, 1] = sums[o, 2] + np.uint64(out[o, 0] < carry)
        else:
            out[o, 0] = sums[o, 1] + (sums[o, 0] >> TOP)


@compiled(types.void(_F3, _F3, _F2))
def add(part: Any, total: Any, table: Any) -> None:
    """total += part, both (2, L, N)."""
    for half in range(2):
        for i in range(table.shape[0]):
            to, x = total[half, i], part[half, i]
            for j in range(to.size):
                to[j] += x[j]
            centre(to, table[i])


@compiled(types.void(_F2, _F2, _F2, _F2, _F2))
def less_product(x: Any, a: Any, s: Any, table: Any, out: Any) -> None:
    """out = x - a s, of values (L, N)."""
    for i in range(table.shape[0]):
        p, p_inverse = table[i, 0], table[i, 1]
        for j in range(out.shape[1]):
            out[i, j] = x[i, j] - times(a[i, j], s[i, j], p, p_inverse)
        centre(out[i], table[i])
