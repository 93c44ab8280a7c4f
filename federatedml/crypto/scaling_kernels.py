"""Passes over a dense matrix for ``crypto.scaling``, compiled. n rows, k columns."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from federatedml.crypto.compiled import compiled

_F1 = types.float64[::1]
_X = types.float64[:, ::1]
_READ = types.Array(types.float64, 2, "C", readonly=True)
_RUN = 64


@compiled(types.void(_X, _F1, _F1, _F1, _F1), types.void(_READ, _F1, _F1, _F1, _F1))
def add_norms(x: Any, rows: Any, l1: Any, squares: Any, largest: Any) -> None:
    """l1, squares, largest += those of the columns of diag(rows) x, (k,) each.

    rows: (n,) not negative; (0,) for ones.
    """
    for i in range(x.shape[0]):
        row, w = x[i], 1.0
        if rows.size:
            w = rows[i]
        for j in range(x.shape[1]):
            size = abs(row[j]) * w
            l1[j] += size
            squares[j] += size * size
            largest[j] = max(largest[j], size)


def _round(x: Any, factor: Any, rows: Any, out: Any) -> None:
    """out[j, i] = the whole number next to factor[j] rows[i] x[i, j]; rows: (n,) or (0,)."""
    n, k = x.shape
    for start in range(0, n, _RUN):
        stop = min(n, start + _RUN)
        for j in range(k):
            to, by = out[j], factor[j]
            if rows.size:
                for i in range(start, stop):
                    to[i] = np.rint(x[i, j] * by * rows[i])
            else:
                for i in range(start, stop):
                    to[i] = np.rint(x[i, j] * by)


_INT = types.int32[:, ::1]
round_columns = compiled(
    *(types.void(x, _F1, _F1, out) for x in (_X, _READ) for out in (_X, _INT))
)(_round)
