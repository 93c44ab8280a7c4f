"""The loops of prediction. Each row is computed by itself and in the same order of steps, so that
a row's result does not depend on how many rows come with it.

Shapes: n rows, k columns, m nodes of T trees, W words of a tree's leaves.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from federatedml.compiled import compiled

MISSING, UNFIT = 1, 2
"""Of a row of a linear model: a value was missing and counted as 0; one was too large."""

_NONE, _ONE, _ALL = np.uint64(0), np.uint64(1), np.uint64(2**64 - 1)

_ROWS = types.Array(types.float64, 2, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_TABLE = types.Array(types.float64, 2, "C", readonly=True)
_INTS = types.Array(types.int32, 1, "C", readonly=True)
_FLAGS = types.Array(types.uint8, 1, "C", readonly=True)
_ANSWERS = types.Array(types.uint8, 2, "C", readonly=True)
_RANGES = types.Array(types.int32, 2, "C", readonly=True)
_MASKS = types.Array(types.uint64, 3, "C", readonly=True)


@compiled(
    types.void(
        _ROWS, _INTS, _TABLE, _FLOATS, types.float64, types.float64[:, ::1], types.uint8[::1]
    )
)
def linear(x: Any, at: Any, w: Any, b: Any, limit: float, out: Any, status: Any) -> None:
    """out (n, c): sums of w (c, k) times the columns ``at``, and b (c,). status (n,): see above."""
    for i in range(x.shape[0]):
        for c in range(w.shape[0]):
            out[i, c] = 0.0
        for j in range(at.shape[0]):
            value = x[i, at[j]]
            if np.isnan(value):
                status[i] |= 1
                continue
            if abs(value) > limit:
                status[i] |= 2
                continue
            for c in range(w.shape[0]):
                out[i, c] += w[c, j] * value
        for c in range(w.shape[0]):
            out[i, c] += b[c]


@compiled(types.void(_ROWS, _INTS, _INTS, _FLOATS, _FLOATS, types.float64[:, ::1]))
def replaced(x: Any, at: Any, first: Any, points: Any, values: Any, out: Any) -> None:
    """Bins of the columns ``at`` as their values; out (n, k) holds a copy of x.

    points: split points of all these columns, those of column j from first[j] on. values: of each
    bin, and after each column's bins the value of missing ones; so they start at first[j] + j.
    """
    for i in range(x.shape[0]):
        for j in range(at.shape[0]):
            start, last = first[j], first[j + 1] - 1
            value = x[i, at[j]]
            if np.isnan(value):
                out[i, at[j]] = values[last + 1 + j]
                continue
            low, high = start, last
            while low < high:
                middle = (low + high) // 2
                if points[middle] < value:
                    low = middle + 1
                else:
                    high = middle
            out[i, at[j]] = values[low + j]


@compiled(
    types.void(_ROWS, _INTS, _FLOATS, _FLAGS, types.boolean, types.uint8[:, ::1], types.uint8[::1])
)
def asked(
    x: Any, feature: Any, threshold: Any, missing: Any, zero_misses: Any, out: Any, status: Any
) -> None:
    """out (n, q): 1 where a row goes left at a node. feature: a column of x."""
    for i in range(x.shape[0]):
        for j in range(feature.shape[0]):
            value = x[i, feature[j]]
            if np.isinf(value):
                status[i] |= 2
            if np.isnan(value) or (zero_misses and value == 0.0):
                out[i, j] = missing[j]
            else:
                out[i, j] = value <= threshold[j]


@compiled(types.void(_INTS, _INTS, _RANGES, _ANSWERS, types.uint64[:, :, ::1]))
def reached(first: Any, sizes: Any, ranges: Any, answers: Any, out: Any) -> None:
    """out (n, T, W): bits of the leaves that are within reach of rows that pass some nodes as
    answered, and all others both ways. Leaves of a tree are counted from left to right.

    first (T + 1,): answered nodes of each tree. sizes (T,): leaves. ranges (q, 3): where the leaves
    below a node's left child start, those below its right child do, and these end.
    """
    for i in range(answers.shape[0]):
        for t in range(sizes.shape[0]):
            for w in range(out.shape[2]):
                left = sizes[t] - (w << 6)
                out[i, t, w] = _ALL if left >= 64 else (_ONE << np.uint64(max(left, 0))) - _ONE
            for j in range(first[t], first[t + 1]):
                low = ranges[j, 1] if answers[i, j] else ranges[j, 0]
                high = ranges[j, 2] if answers[i, j] else ranges[j, 1]
                if out.shape[2] == 1:
                    gone = ((_ONE << np.uint64(high - low)) - _ONE) << np.uint64(low)
                    out[i, t, 0] &= ~gone
                    continue
                for w in range(low >> 6, ((high - 1) >> 6) + 1):
                    start, stop = max(low - (w << 6), 0), min(high - (w << 6), 64)
                    gone = _ALL if stop - start == 64 else (_ONE << np.uint64(stop - start)) - _ONE
                    out[i, t, w] &= ~(gone << np.uint64(start))


@compiled(types.void(_MASKS, types.int32[:, ::1]))
def found(masks: Any, out: Any) -> None:
    """out (n, T): the one leaf that is left in each tree, -1 where there is none or several."""
    for i in range(masks.shape[0]):
        for t in range(masks.shape[1]):
            at = -1
            for w in range(masks.shape[2]):
                word = masks[i, t, w]
                if word == _NONE:
                    continue
                if at >= 0 or (word & (word - _ONE)) != _NONE:
                    at = -2
                    break
                at = w << 6
                step = 32
                while step:
                    if word >> np.uint64(step) != _NONE:
                        word >>= np.uint64(step)
                        at += step
                    step >>= 1
            out[i, t] = at if at >= 0 else -1


@compiled(
    types.void(
        types.Array(types.int32, 2, "C", readonly=True), _INTS, _TABLE, _INTS, types.float64[:, ::1]
    )
)
def summed(leaves: Any, first: Any, weight: Any, output: Any, out: Any) -> None:
    """out (n, c): weights of the leaves, tree after tree. weight (L, width): of all leaves, those
    of tree t from first[t] on. output (T,): where the first of a tree's weights is added."""
    width = weight.shape[1]
    for i in range(leaves.shape[0]):
        for c in range(out.shape[1]):
            out[i, c] = 0.0
        for t in range(leaves.shape[1]):
            for c in range(width):
                out[i, output[t] + c] += weight[first[t] + leaves[i, t], c]


@compiled(types.void(_ROWS, _TABLE, types.float64[:, ::1]))
def apart(x: Any, centroids: Any, out: Any) -> None:
    """out (n, K): squared distances of rows to centroids (K, k)."""
    for i in range(x.shape[0]):
        for c in range(centroids.shape[0]):
            total = 0.0
            for j in range(x.shape[1]):
                step = x[i, j] - centroids[c, j]
                total += step * step
            out[i, c] = total
