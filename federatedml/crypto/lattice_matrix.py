"""The matrix of an encrypted product: its columns as whole numbers, and its stored transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray
from scipy import sparse

from federatedml.crypto.compiled import compiled
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.lattice_pack import accumulate
from federatedml.crypto.lattice_params import Parameters, Tile
from federatedml.crypto.ntt import tables

Floats = NDArray[np.float64]

MAX_ENTRY = 2.0**47
DEFAULT_BUDGET = 1 << 30


class Ready:
    """A matrix as ``multiply`` wants it.

    columns: (outputs, inner) whole numbers. squares: (outputs,) of the columns' L2 norms.
    From the second product on, transforms of tiles are stored, as far as the budget goes.
    """

    def __init__(
        self, params: Parameters, cut: Tile, columns: NDArray[Any], squares: Floats, budget: int
    ) -> None:
        self.params, self.tile, self.columns, self.squares = params, cut, columns, squares
        self._table = tables(params.primes, params.degree)
        one = cut.vector_blocks * self._table.shape[0] * params.degree * 8
        self._room = min(cut.result_blocks, budget // one)
        self._seen = np.zeros((self._room, cut.vector_blocks), dtype=np.int64)
        self._stored: dict[int, Floats] = {}
        self._none = np.empty((0, 0, 0))

    def accumulate(
        self, number: int, start: int, stop: int, c0: Floats, c1: Floats, total: Floats
    ) -> None:
        """total += result block ``number`` of the product with vector blocks [start, stop).

        c0, c1: (vector blocks, primes, N) values. total: (2, primes, N).
        """
        cut, mode, stored = self.tile, 0, self._none
        if number < self._room:
            seen = self._seen[number, start:stop]
            mode = min(2, int(seen.min()))
            if mode:
                shape = (cut.vector_blocks, *c0.shape[1:])
                stored = self._stored.setdefault(number, np.empty(shape))
            seen += 1
        first = number * cut.output_block
        count = min(cut.output_block, cut.outputs - first)
        accumulate(
            self.columns, (first, count, cut.inner_block, start, stop, mode), c0, c1,
            self._table, stored, total,
        )  # fmt: skip


def prepare(params: Parameters, cut: Tile, matrix: Any, *, budget: int = DEFAULT_BUDGET) -> Ready:
    """A matrix of whole numbers as ``multiply`` wants it; it must not change afterwards.

    matrix: (inner, outputs) int64, int32 or whole float64, below 2^47 in size; or sparse.
    budget: bytes of transforms to store for a matrix that is used more than once.
    Raises PlaintextOutOfRange for larger numbers or a column beyond the tile's norm; ValueError
    for other numbers, and shapes that are not the tile's.
    Cost: a pass over the matrix.
    """
    dense = sparse.csr_matrix(matrix).toarray() if sparse.issparse(matrix) else np.asarray(matrix)
    if dense.shape != (cut.inner, cut.outputs):
        raise ValueError(f"expected a matrix {(cut.inner, cut.outputs)}, got {dense.shape}")
    if dense.dtype not in (np.float64, np.int64, np.int32):
        raise ValueError(f"expected whole numbers as float64, int64 or int32, got {dense.dtype}")
    columns = np.ascontiguousarray(dense.T)
    largest = _largest(columns)
    if largest >= MAX_ENTRY:
        raise PlaintextOutOfRange("an entry of the matrix", math.ceil(math.log2(largest)), 47)
    if largest < 0:
        raise ValueError("the matrix holds numbers that are not whole, or not finite")
    columns = columns.astype(np.int32 if largest < 2**31 else np.float64, copy=False)
    squares = np.empty(cut.outputs)
    _squares(columns, squares)
    found = 0.5 * math.log2(max(1.0, float(squares.max()) * (1 + 1e-9)))
    if found > cut.norm_bits:
        raise PlaintextOutOfRange(
            "the norm of a feature over all rows", math.ceil(found), math.floor(cut.norm_bits)
        )
    return Ready(params, cut, columns, squares, budget)


def _survey(columns: Any) -> float:
    """The largest size of an entry; -1 if one is not a whole number."""
    found = 0.0
    for row in range(columns.shape[0]):
        for x in columns[row]:
            size = abs(np.float64(x))
            if size != np.floor(size):
                return -1.0
            found = max(found, size)
    return found


def _largest(columns: NDArray[Any]) -> float:
    if columns.dtype == np.float64 and not np.isfinite(columns).all():
        return -1.0
    return float(_surveyed(columns))


_C_ORDER = [t[:, ::1] for t in (types.float64, types.int64, types.int32)]
_READ_ORDER = [
    types.Array(t, 2, "C", readonly=True) for t in (types.float64, types.int64, types.int32)
]
_surveyed = compiled(*[types.float64(t) for t in _C_ORDER + _READ_ORDER])(_survey)


@compiled(*[types.void(t, types.float64[::1]) for t in (_C_ORDER[0], _C_ORDER[2], _READ_ORDER[0])])
def _squares(columns: Any, out: Any) -> None:
    for row in range(columns.shape[0]):
        total = 0.0
        for x in columns[row]:
            total += np.float64(x) * np.float64(x)
        out[row] = total
