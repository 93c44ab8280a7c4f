"""The matrix of an encrypted product: its columns as whole numbers, and its stored transforms."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.lattice_pack import accumulate
from federatedml.crypto.lattice_params import Parameters, Tile
from federatedml.crypto.ntt import tables
from federatedml.crypto.threads import each

Floats = NDArray[np.float64]

MAX_ENTRY_BITS = 47
DEFAULT_BUDGET = 1 << 30
"""Bytes of transforms that a matrix may keep."""

_ROWS, _COLUMNS = 256, 16
"""Squares in which a matrix is transposed."""


class Ready:
    """A matrix as ``multiply`` wants it; one that is used more than once becomes faster.

    columns: (outputs, inner) whole numbers. squares: (outputs,) of the columns' L2 norms.
    From the second product on, transforms of tiles are stored, as far as the budget goes. Threads
    of one product may share it; two products may not at the same time.
    """

    def __init__(
        self, params: Parameters, cut: Tile, columns: NDArray[Any], squares: Floats, budget: int
    ) -> None:
        self.params, self.tile, self.columns, self.squares = params, cut, columns, squares
        self._table = tables(params.primes, params.degree)
        self._shape = (cut.vector_blocks, len(params.primes), params.degree)
        self._room = min(cut.result_blocks, budget // (8 * math.prod(self._shape)))
        self._state = np.zeros((self._room, cut.vector_blocks), dtype=np.int64)
        # Memory only once it is written to; made here, before several threads may ask for it.
        self._stored = np.empty((self._room, *self._shape))

    def accumulate(
        self, number: int, part: tuple[int, int], c0: Floats, c1: Floats, total: Floats
    ) -> None:
        """total += result block ``number`` of the product with the vector blocks of ``part``.

        part: first and last + 1. c0, c1: (vector blocks, primes, N) values. total: (2, primes, N).
        """
        cut, mode, stored = self.tile, 0, _NOTHING
        if number < self._room:
            mode = int(self._state[number, slice(*part)].min())
            stored = self._stored[number]
        first = number * cut.output_block
        count = min(cut.output_block, cut.outputs - first)
        shape = (first, count, cut.inner_block, *part, mode)
        accumulate(self.columns, shape, c0, c1, self._table, stored, total)
        if number < self._room:  # only now: before, they are not all there
            self._state[number, slice(*part)] = min(mode + 1, 2)

    def replace(self, output: int, column: NDArray[Any]) -> None:
        """Other whole numbers, (inner,), in place of a column; its stored transforms are given up.

        Not while a product is under way. Raises PlaintextOutOfRange if the numbers do not fit the
        type of the others, or the tile's norm.
        """
        largest = float(np.abs(column).max())
        bits = 31 if self.columns.dtype == np.int32 else 47
        if not largest < 2.0**bits:
            needed = math.ceil(math.log2(largest)) + 1
            raise PlaintextOutOfRange("an entry of the matrix", needed, bits)
        self.columns[output] = column
        self.squares[output] = float(np.dot(column, column))
        beyond_norm(self.squares, self.tile)
        number = output // self.tile.output_block
        if number < self._room:
            self._state[number] = 0


_NOTHING = np.empty((0, 0, 0))


def prepare(
    params: Parameters, cut: Tile, matrix: Any, *, budget: int = DEFAULT_BUDGET, cores: int = 1
) -> Ready:
    """A matrix of whole numbers as ``multiply`` wants it; it must not change afterwards.

    matrix: (inner, outputs) int64, int32 or whole float64, below 2^47 in size; or sparse.
    budget: bytes of transforms to store for a matrix that is used more than once.
    Raises PlaintextOutOfRange for larger numbers or a column beyond the tile's norm; ValueError
    for other numbers, and shapes that are not the tile's.
    Cost: a pass over the matrix, about 2 ns an entry, and 4 bytes an entry (8 beyond 2^31).
    """
    if matrix.shape != (cut.inner, cut.outputs):
        raise ValueError(f"expected a matrix {(cut.inner, cut.outputs)}, got {matrix.shape}")
    if matrix.dtype not in (np.float64, np.int64, np.int32):
        raise ValueError(f"expected whole numbers as float64, int64 or int32, got {matrix.dtype}")
    dense: NDArray[Any] = matrix.toarray() if hasattr(matrix, "toarray") else np.asarray(matrix)
    found = _narrow_columns(dense, cores)
    columns, squares = found or _wide_columns(dense)
    beyond_norm(squares, cut)
    return Ready(params, cut, columns, squares, budget)


def beyond_norm(squares: Floats, cut: Tile) -> None:
    """Raises PlaintextOutOfRange if a column's squared norm is beyond what the tile allows."""
    largest = float(squares.max())
    if largest > 4.0**cut.norm_bits:
        bits = math.ceil(0.5 * math.log2(largest))
        raise PlaintextOutOfRange(
            "the norm of a feature over all rows", bits, math.floor(cut.norm_bits)
        )


def _narrow_columns(matrix: NDArray[Any], cores: int) -> tuple[NDArray[Any], Floats] | None:
    """Columns as int32, and their squared norms; None if some number needs more."""
    n, k = matrix.shape
    columns, squares = np.empty((k, n), dtype=np.int32), np.zeros(k)

    def strip(first: int) -> int:
        return int(_turn(matrix, first, min(first + _COLUMNS, k), columns, squares))

    if any(each(strip, range(0, k, _COLUMNS), cores)):
        return None
    return columns, squares


def _wide_columns(matrix: NDArray[Any]) -> tuple[NDArray[Any], Floats]:
    """Columns as float64, and their squared norms."""
    columns = np.ascontiguousarray(matrix.T, dtype=np.float64)
    if not bool((columns == np.floor(columns)).all()) or not bool(np.isfinite(columns).all()):
        raise ValueError("the matrix holds numbers that are not whole, or not finite")
    largest = float(np.abs(columns).max())
    if largest >= 2.0**MAX_ENTRY_BITS:
        bits = math.ceil(math.log2(largest))
        raise PlaintextOutOfRange("an entry of the matrix", bits, MAX_ENTRY_BITS)
    return columns, np.einsum("ij,ij->i", columns, columns)


_STRIDED = [
    types.Array(t, 2, "A", readonly=True) for t in (types.float64, types.int64, types.int32)
]


@compiled(
    *[
        types.int64(t, types.int64, types.int64, types.int32[:, ::1], types.float64[::1])
        for t in _STRIDED
    ]
)
def _turn(matrix: Any, first: Any, last: Any, columns: Any, squares: Any) -> Any:
    """Columns [first, last) as int32 rows; returns how many numbers are not of that type."""
    wrong = 0
    for start in range(0, matrix.shape[0], _ROWS):
        stop = min(start + _ROWS, matrix.shape[0])
        for c in range(first, last):
            total, to = 0.0, columns[c]
            for r in range(start, stop):
                x = np.float64(matrix[r, c])
                if abs(x) < 2147483648.0 and x == np.floor(x):
                    to[r] = np.int32(x)
                    total += x * x
                else:
                    wrong += 1
            squares[c] += total
    return wrong
