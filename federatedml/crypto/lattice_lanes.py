"""Sums of many products of residues, on the processor's widest registers.

Instead of reducing each product, several are summed exactly: a running sum of doubles about
SUMMER keeps multiples of 2^50, and what each addition rounds off is found by a second fused
multiply-add and summed beside it. That takes four operations a product instead of seven.

LLVM does not find this form by itself, so the kernel names its vectors of eight doubles; where
registers are shorter, it is compiled to several of them.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto.ntt import ROUNDER

Floats = NDArray[np.float64]

LANES = 8
TOGETHER = 8
"""Products in one exact sum. With factors within p / 2 < 2^49 it is within 2^101."""
SUMMER = 1.5 * 2.0**102
"""A double near this is a multiple of 2^50: what a sum rounds off is within 2^49, so eight are
within 2^52, and are summed exactly too."""

_F2, _F4, _F5 = types.float64[:, ::1], types.float64[:, :, :, ::1], types.float64[:, :, :, :, ::1]


def aligned(shape: tuple[int, ...]) -> Floats:
    """An array at whole cache lines, not written to."""
    size, line = math.prod(shape), 64 // 8
    raw = np.empty(size + line)
    skip = -raw.ctypes.data // 8 % line
    return raw[skip : skip + size].reshape(shape)


def _products_of(count: int) -> Any:
    """add(t, x, first, to, p, 1 / p): to += the sum of ``count`` products of rows of t and x.

    t, x: (rows, n) residues within p / 2; ``first``: the first row. to: (n,) residues within p / 2.
    n: a multiple of LANES.
    """

    def add(
        typingctx: Any,  # noqa: ARG001 (numba's calling sequence)
        t: Any,
        x: Any,
        first: Any,
        to: Any,
        p: Any,
        p_inverse: Any,
    ) -> Any:
        def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:
            _emit(context, builder, signature, args, count)
            return context.get_dummy_value()

        return types.void(t, x, first, to, p, p_inverse), emit

    return intrinsic(add)


def _emit(context: Any, builder: Any, signature: Any, args: Any, count: int) -> None:
    from llvmlite import ir  # type: ignore[import-untyped]
    from numba.core import cgutils

    lanes = ir.VectorType(ir.DoubleType(), LANES)
    kind = ir.FunctionType(lanes, [lanes] * 3)
    multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{LANES}f64")

    def fma(a: Any, b: Any, c: Any) -> Any:
        return builder.call(multiply_add, [a, b, c])

    def everywhere(number: Any) -> Any:
        empty = ir.Constant(lanes, ir.Undefined)
        one = builder.insert_element(empty, number, ir.Constant(ir.IntType(32), 0))
        zeros = ir.Constant(ir.VectorType(ir.IntType(32), LANES), [0] * LANES)
        return builder.shuffle_vector(one, empty, zeros)

    t, x, to = (context.make_array(signature.args[i])(context, builder, args[i]) for i in (0, 1, 3))
    p, p_inverse = everywhere(args[4]), everywhere(args[5])
    rounder, summer, zero = (ir.Constant(lanes, [c] * LANES) for c in (ROUNDER, SUMMER, 0.0))
    width = cgutils.unpack_tuple(builder, to.shape)[0]
    start = builder.mul(args[2], width)

    def at(data: Any, where: Any) -> Any:
        return builder.bitcast(builder.gep(data, [where]), lanes.as_pointer())

    def quotient(a: Any) -> Any:
        return builder.fneg(builder.fsub(fma(a, p_inverse, rounder), rounder))

    begin, step = ir.Constant(width.type, 0), ir.Constant(width.type, LANES)
    with cgutils.for_range_slice(builder, begin, width, step, inc=True) as (j, _):
        high, low, where = summer, zero, builder.add(start, j)
        for _row in range(count):
            a = builder.load(at(t.data, where), align=8)
            b = builder.load(at(x.data, where), align=8)
            summed = fma(a, b, high)
            rounded_off = fma(a, b, builder.fneg(builder.fsub(summed, high)))
            high, low = summed, builder.fadd(low, rounded_off)
            where = builder.add(where, width)
        high = builder.fsub(high, summer)
        found = builder.fadd(fma(quotient(high), p, high), low)  # within 19/4 p
        found = builder.fadd(found, builder.load(at(to.data, j), align=8))
        builder.store(fma(quotient(found), p, found), at(to.data, j), align=8)


_add8, _add4, _add1 = _products_of(TOGETHER), _products_of(4), _products_of(1)


@compiled(types.void(_F5, _F5, _F2, _F4))
def accumulate(tiles: Any, vectors: Any, table: Any, total: Any) -> None:
    """total[r, h] += the sum over v of tiles[.., r, v] vectors[.., h, v].

    tiles: (L, chunks, R, B, CHUNK); vectors: (L, chunks, H, B, CHUNK); total: (R, H, L, N): all
    within p / 2. table: see ``ntt.tables``. Cost: 0.2 ns a product, with arrays that are aligned.
    """
    width, count = tiles.shape[4], tiles.shape[3]
    for i in range(tiles.shape[0]):
        p, p_inverse = table[i, 0], table[i, 1]
        for c in range(tiles.shape[1]):
            for half in range(vectors.shape[2]):
                x = vectors[i, c, half]
                for r in range(tiles.shape[2]):
                    t = tiles[i, c, r]
                    to = total[r, half, i, c * width : (c + 1) * width]
                    v = 0
                    while v + 8 <= count:
                        _add8(t, x, v, to, p, p_inverse)
                        v += 8
                    while v + 4 <= count:
                        _add4(t, x, v, to, p, p_inverse)
                        v += 4
                    while v < count:
                        _add1(t, x, v, to, p, p_inverse)
                        v += 1
