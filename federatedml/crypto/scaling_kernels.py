"""Passes over a dense matrix for ``crypto.scaling``, compiled. n rows, k columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from federatedml.compiled import compiled

_F1 = types.float64[::1]
_X = types.Array(types.float64, 2, "C", readonly=True)
_ROWS = types.Array(types.float64, 1, "C", readonly=True)
_RUN = 256


@compiled(types.void(_X, _ROWS, types.int64, types.int64, types.float64[:, ::1]))
def add_norms(x: Any, rows: Any, first: Any, last: Any, out: Any) -> None:
    """Rows [first, last) of diag(rows) x added to the columns' norms.

    rows: (n,); (0,) for ones. out: (3, k) L1 norms, squared L2 norms, largest sizes.
    """
    l1, squares, largest = out[0], out[1], out[2]
    for i in range(first, last):
        row, w = x[i], 1.0
        if rows.size:
            w = abs(rows[i])
        for j in range(x.shape[1]):
            size = abs(row[j]) * w
            l1[j] += size
            squares[j] += size * size
            largest[j] = max(largest[j], size)


def _round(x: Any, factor: Any, rows: Any, first: Any, last: Any, out: Any, squares: Any) -> None:
    """out[j, i] = the whole number next to factor[j] rows[i] x[i, j], for i in [first, last).

    rows: (n,); (0,) for ones. squares: (k,) += those of the whole numbers.
    """
    for start in range(first, last, _RUN):
        stop = min(last, start + _RUN)
        for j in range(x.shape[1]):
            to, by, total = out[j], factor[j], 0.0
            if rows.size:
                for i in range(start, stop):
                    whole = np.rint(x[i, j] * by * rows[i])
                    to[i] = whole
                    total += whole * whole
            else:
                for i in range(start, stop):
                    whole = np.rint(x[i, j] * by)
                    to[i] = whole
                    total += whole * whole
            squares[j] += total


_OUT = (types.int32[:, ::1], types.float64[:, ::1])
round_columns = compiled(
    *(types.void(_X, _F1, _ROWS, types.int64, types.int64, out, _F1) for out in _OUT)
)(_round)
