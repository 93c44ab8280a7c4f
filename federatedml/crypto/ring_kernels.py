"""Loops over 64-bit and 128-bit words, compiled, without the interpreter lock.

128-bit words are (.., 2) uint64, low word first. Arguments are contiguous; results are written
into the last argument, by the matrix kernels added to what is there.
"""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from federatedml.compiled import compiled

Words = NDArray[np.uint64]
Integers = NDArray[np.int64]
Floats = NDArray[np.float64]

T = TypeVar("T", np.int64, np.uint64, np.float64)

# The kinds of arrays that are compiled for, at import: a forked worker finds them ready.
READ_2 = types.Array(types.uint64, 2, "C", readonly=True)
READ_3 = types.Array(types.uint64, 3, "C", readonly=True)
INTEGERS = types.Array(types.int64, 2, "C", readonly=True)
FLOATS = types.Array(types.float64, 1, "C", readonly=True)
OUT_1, OUT_2, OUT_3 = types.uint64[::1], types.uint64[:, ::1], types.uint64[:, :, ::1]

ONE, ZERO = np.uint64(1), np.uint64(0)


def frozen(a: NDArray[T]) -> NDArray[T]:
    """Contiguous and not writable: the one kind of array that functions here are compiled for."""
    view = np.ascontiguousarray(a).view()
    view.flags.writeable = False
    return view


@intrinsic  # type: ignore[untyped-decorator]
def _mulhi(_: Any, a: Any, b: Any) -> Any:  # noqa: ARG001 (numba's typing protocol)
    """The upper 64 bits of a product: one instruction, for which neither numpy nor numba has a
    name."""

    def build(_: Any, builder: Any, __: Any, args: Any) -> Any:
        word = args[0].type
        wide = type(word)(128)
        product = builder.mul(builder.zext(args[0], wide), builder.zext(args[1], wide))
        return builder.trunc(builder.lshr(product, wide(64)), word)

    return types.uint64(types.uint64, types.uint64), build


@compiled(types.void(READ_2, READ_2, OUT_2))
def add(a: Words, b: Words, out: Words) -> None:
    for i in range(len(a)):
        low = a[i, 0] + b[i, 0]
        out[i, 0] = low
        out[i, 1] = a[i, 1] + b[i, 1] + (ONE if low < b[i, 0] else ZERO)


@compiled(types.void(READ_2, READ_2, OUT_2))
def sub(a: Words, b: Words, out: Words) -> None:
    for i in range(len(a)):
        borrow = ONE if a[i, 0] < b[i, 0] else ZERO
        out[i, 0] = a[i, 0] - b[i, 0]
        out[i, 1] = a[i, 1] - b[i, 1] - borrow


@compiled(types.void(READ_2, OUT_2))
def neg(a: Words, out: Words) -> None:
    for i in range(len(a)):
        low = ~a[i, 0] + ONE
        out[i, 0] = low
        out[i, 1] = ~a[i, 1] + (ONE if low == ZERO else ZERO)


@compiled(types.void(READ_2, READ_2, OUT_2))
def mul(a: Words, b: Words, out: Words) -> None:
    for i in range(len(a)):
        a0, a1, b0, b1 = a[i, 0], a[i, 1], b[i, 0], b[i, 1]
        out[i, 0] = a0 * b0
        out[i, 1] = _mulhi(a0, b0) + a0 * b1 + a1 * b0


@compiled(types.void(READ_2, types.uint64, OUT_2))
def shift_right(a: Words, bits: Any, out: Words) -> None:
    """By 1 to 127."""
    for i in range(len(a)):
        if bits >= 64:
            out[i, 0], out[i, 1] = a[i, 1] >> (bits - np.uint64(64)), ZERO
        else:
            out[i, 0] = a[i, 0] >> bits | a[i, 1] << (np.uint64(64) - bits)
            out[i, 1] = a[i, 1] >> bits


@compiled(types.void(FLOATS, OUT_2))
def from_floats(x: Floats, out: Words) -> None:
    """Whole numbers below 2^127 in size."""
    for i in range(len(x)):
        size = abs(x[i])
        high = np.floor(size * 2.0**-64)
        # Exact: what is left below 2^64 has no bit under the last one of a float64's 53.
        low = np.uint64(size - high * 2.0**64)
        upper = np.uint64(high)
        if x[i] < 0:
            low, upper = ~low + ONE, ~upper + (ONE if low == ZERO else ZERO)
        out[i, 0], out[i, 1] = low, upper


@compiled(types.void(READ_2, types.float64, types.float64[::1]))
def to_floats(a: Words, unit: Any, out: Floats) -> None:
    """Signed elements times ``unit``."""
    for i in range(len(a)):
        low, upper = a[i, 0], a[i, 1]
        negative = upper >> np.uint64(63) != ZERO
        if negative:
            low, upper = ~low + ONE, ~upper + (ONE if low == ZERO else ZERO)
        value = (np.float64(upper) * 2.0**64 + np.float64(low)) * unit
        out[i] = -value if negative else value


@compiled(OUT_2(READ_3))
def total(a: Words) -> Words:
    """(n, k, 2) summed over n."""
    out = np.zeros((a.shape[1], 2), dtype=np.uint64)
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            low = out[j, 0] + a[i, j, 0]
            out[j, 1] += a[i, j, 1] + (ONE if low < a[i, j, 0] else ZERO)
            out[j, 0] = low
    return out


@compiled(types.void(INTEGERS, READ_2, OUT_2))
def plain_64(x: Integers, b: Words, out: Words) -> None:
    """out (m, c) += x (m, k) @ b (k, c)."""
    for i in range(x.shape[0]):
        for c in range(b.shape[1]):
            summed = ZERO
            for j in range(x.shape[1]):
                summed += np.uint64(x[i, j]) * b[j, c]
            out[i, c] += summed


@compiled(types.void(INTEGERS, READ_2, OUT_2))
def turned_64(x: Integers, b: Words, out: Words) -> None:
    """out (m, c) += x.T @ b for x (k, m), b (k, c)."""
    for j in range(x.shape[0]):
        for c in range(b.shape[1]):
            word = b[j, c]
            for i in range(x.shape[1]):
                out[i, c] += np.uint64(x[j, i]) * word


@compiled(types.void(INTEGERS, READ_3, OUT_3))
def plain_128(x: Integers, b: Words, out: Words) -> None:
    """out (m, c) += x (m, k) @ b (k, c)."""
    for i in range(x.shape[0]):
        for c in range(b.shape[1]):
            low, high = out[i, c, 0], out[i, c, 1]
            for j in range(x.shape[1]):
                entry = np.uint64(x[i, j])
                word = b[j, c, 0]
                product = entry * word
                low += product
                high += _mulhi(entry, word) + entry * b[j, c, 1]
                high += ONE if low < product else ZERO
                # A negative entry stands here for itself plus 2^64.
                high -= word if x[i, j] < 0 else ZERO
            out[i, c, 0], out[i, c, 1] = low, high


@compiled(types.void(INTEGERS, READ_3, OUT_3))
def turned_128(x: Integers, b: Words, out: Words) -> None:
    """out (m, c) += x.T @ b for x (k, m), b (k, c)."""
    for j in range(x.shape[0]):
        for c in range(b.shape[1]):
            word, upper = b[j, c, 0], b[j, c, 1]
            for i in range(x.shape[1]):
                entry = np.uint64(x[j, i])
                product = entry * word
                low = out[i, c, 0] + product
                high = _mulhi(entry, word) + entry * upper
                high += ONE if low < product else ZERO
                high -= word if x[j, i] < 0 else ZERO
                out[i, c, 0] = low
                out[i, c, 1] += high


@compiled(types.void(READ_2, READ_2, OUT_2))
def matmul_64(a: Words, b: Words, out: Words) -> None:
    """out (m, c) += a (m, k) @ b (k, c)."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            word = a[i, j]
            for c in range(b.shape[1]):
                out[i, c] += word * b[j, c]


@compiled(types.void(READ_3, READ_3, OUT_3))
def matmul_128(a: Words, b: Words, out: Words) -> None:
    """out (m, c) += a (m, k) @ b (k, c)."""
    for i in range(a.shape[0]):
        for j in range(a.shape[1]):
            a0, a1 = a[i, j, 0], a[i, j, 1]
            for c in range(b.shape[1]):
                product = a0 * b[j, c, 0]
                low = out[i, c, 0] + product
                high = _mulhi(a0, b[j, c, 0]) + a0 * b[j, c, 1] + a1 * b[j, c, 0]
                out[i, c, 1] += high + (ONE if low < product else ZERO)
                out[i, c, 0] = low
