"""The 0/1 columns of split candidates as tiles of an encrypted product; their transforms, stored.

No column is ever in memory as such: a tile is laid out from the codes of the bins where it is
needed. Shapes: n rows, m candidates, R result blocks, B vector blocks, L primes, N coefficients.

For the sake of the caches, polynomials are kept in chunks of CHUNK coefficients: what meets in one
sum lies together. A panel is up to PANEL consecutive vector blocks, a group up to GROUP result
blocks; the tiles of both are (L, N / CHUNK, result blocks, vector blocks, CHUNK) numbers, and the
panels of vectors (L, N / CHUNK, halves of vectors, vector blocks, CHUNK).
"""

from __future__ import annotations

import math
import os
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto.lattice_lanes import accumulate, aligned
from federatedml.crypto.lattice_params import Parameters, Tile
from federatedml.crypto.ntt import forward, reduced, tables
from federatedml.maths.candidates import Candidates
from federatedml.maths.quantiles import Codes

Floats = NDArray[np.float64]

DEFAULT_BUDGET = min(1 << 31, os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") // 8)
"""Bytes of transforms that the columns may keep: 2 GiB, or an eighth of a small machine."""

CHUNK, PANEL, GROUP = 512, 8, 16
MIN_GROUPS = 8
"""If there are so many results: work for several cores."""

_CODES = (types.uint8, types.uint16)
_F2, _F5 = types.float64[:, ::1], types.float64[:, :, :, :, ::1]


class Indicators:
    """The candidates' columns: 1 where a row goes left. What is computed once is kept.

    Threads of one product may share it; two products may not at the same time.
    """

    def __init__(
        self,
        params: Parameters,
        cut: Tile,
        codes: Codes,
        n_bins: int,
        of: Candidates,
        *,
        budget: int = DEFAULT_BUDGET,
    ) -> None:
        """codes: (k, n) bins of ``quantiles.binned``, which must not change afterwards. of: (m,)
        in the order of the outputs. budget: bytes of transforms to keep for the next product.

        Raises ValueError for what is not the tile's, or candidates that the codes do not have.
        Cost: none; 16 bytes of the budget for each row and candidate, from the first product on.
        """
        self.params, self.tile, self._n_bins = params, cut, n_bins
        self._codes: Any = np.ascontiguousarray(codes)
        self._table = tables(params.primes, params.degree)
        self._largest = -(-cut.result_blocks // len(self.groups))
        size = self._largest * cut.vector_blocks * len(params.primes) * params.degree
        self._stored = aligned((min(len(self.groups), budget // (8 * size)), size))
        self._vectors = np.empty(0)
        self.reorder(of)

    def reorder(self, of: Candidates) -> None:
        """Other candidates, as many as before, or the same in another order.

        Transforms are computed anew, but in the memory that the old ones had. Not while a product
        is under way. Raises ValueError for candidates that the codes do not have.
        """
        _check(self.tile, self._codes, self._n_bins, of)
        kind = self._codes.dtype
        self._feature, self._cut = np.ascontiguousarray(of.feature), of.cut.astype(kind)
        # Who does not send missing values to the left gets a bin that goes there anyway.
        self._missing = np.where(of.missing_left, self._n_bins, of.cut).astype(kind)
        self._is_stored = [False] * len(self._stored)

    @property
    def groups(self) -> range:
        """Numbers of the groups of result blocks."""
        blocks = self.tile.result_blocks
        return range(max(-(-blocks // GROUP), min(blocks, MIN_GROUPS)))

    def results(self, group: int) -> range:
        """The result blocks of a group."""
        blocks, groups = self.tile.result_blocks, len(self.groups)
        return range(blocks * group // groups, blocks * (group + 1) // groups)

    def panels(self, halves: int) -> list[Floats]:
        """Room for the vector blocks of so many halves; see the module for the shape.

        It is the same at every call: to find memory anew costs a virtual machine 1 ns a byte.
        """
        p, total = self.params, self.tile.vector_blocks
        block = halves * len(p.primes) * p.degree
        if self._vectors.size < total * block:
            self._vectors = aligned((total * block,))
        found = []
        for first in range(0, total, PANEL):
            count = min(PANEL, total - first)
            shape = (len(p.primes), p.degree // CHUNK, halves, count, CHUNK)
            found.append(self._vectors[first * block :][: count * block].reshape(shape))
        return found

    def room(self, halves: int) -> tuple[Floats, Floats]:
        """Memory that ``products`` works in: for sums of so many halves, and for tiles."""
        shape = (len(self.params.primes), self.params.degree)
        tiles = self._largest * min(PANEL, self.tile.vector_blocks) * math.prod(shape)
        return aligned((self._largest, halves, *shape)), aligned((tiles,))

    def products(self, group: int, vectors: list[Floats], room: tuple[Floats, Floats]) -> Floats:
        """Of each result block of the group and each half of a vector, the sum over vector blocks.

        vectors: of ``panels``, filled. room: of ``room``, for one thread.
        Returns values (result blocks, halves, L, N) in that room.
        Cost: 15 us for each tile and prime, or none if it is stored; 0.2 ns for each product.
        """
        results, first = self.results(group), 0
        total = room[0][: len(results)]
        total[:] = 0.0
        kept = group < len(self._stored)
        for panel in vectors:
            count = panel.shape[3]
            shape = (*panel.shape[:2], len(results), count, CHUNK)
            size = math.prod(shape)
            at = first * size // count
            tiles = (self._stored[group, at : at + size] if kept else room[1][:size]).reshape(shape)
            if not (kept and self._is_stored[group]):
                self._transform(results.start, first, tiles)
            accumulate(tiles, panel, self._table, total)
            first += count
        if kept:
            self._is_stored[group] = True
        return total

    def _transform(self, result: int, vector: int, tiles: Floats) -> None:
        cut = self.tile
        shape = (result, vector, cut.inner_block, cut.output_block, cut.inner, cut.outputs)
        _transform(
            self._codes, self._feature, self._cut, self._missing, shape, self._table, tiles
        )  # fmt: skip


def place(block: Floats, number: int, half: int, into: list[Floats]) -> None:
    """Puts a vector block, (L, N) values within p / 2, where ``products`` looks for it."""
    panel = into[number // PANEL]
    panel[:, :, half, number % PANEL] = block.reshape(len(block), -1, CHUNK)


def _check(cut: Tile, codes: Codes, n_bins: int, of: Candidates) -> None:
    if codes.ndim != 2 or codes.shape[1] != cut.inner or len(of) != cut.outputs:
        raise ValueError(
            f"expected codes of {cut.inner} rows and {cut.outputs} candidates, got codes "
            f"{codes.shape} and {len(of)} candidates"
        )
    if codes.dtype not in (np.uint8, np.uint16) or not 0 < n_bins <= np.iinfo(codes.dtype).max:
        raise ValueError(f"expected uint8 or uint16 codes of {n_bins} bins, got {codes.dtype}")
    for what, numbers, end in (("feature", of.feature, len(codes)), ("cut", of.cut, n_bins)):
        if not (numbers.min() >= 0 and numbers.max() < end):
            raise ValueError(f"a candidate's {what} is not from 0 to {end - 1}")


@compiled()
def _lay(run: Any, cut: Any, missing: Any, to: Any) -> None:
    for i in range(run.size):
        to[i] = np.float64((run[i] <= cut) | (run[i] == missing))


@compiled(
    *[
        types.void(
            types.Array(t, 2, "C", readonly=True),
            types.Array(types.int32, 1, "C", readonly=True),
            types.Array(t, 1, "C", readonly=True),
            types.Array(t, 1, "C", readonly=True),
            types.UniTuple(types.int64, 6),
            _F2,
            _F5,
        )
        for t in _CODES
    ]
)
def _transform(
    codes: Any, feature: Any, cut: Any, missing: Any, shape: Any, table: Any, out: Any
) -> None:
    """out = values of tiles of indicators; (L, chunks, R here, B here, CHUNK).

    shape: (6,) first result and vector block, rows and candidates of a block, n and m.
    """
    result, vector, rows, outputs, n, m = shape
    primes, degree, width = table.shape[0], out.shape[1] * out.shape[4], out.shape[4]
    tile, used, x = np.empty(degree), np.empty(degree), np.empty(degree)
    for r in range(out.shape[2]):
        first = (result + r) * outputs
        last = min(first + outputs, m)
        for v in range(out.shape[3]):
            start = (vector + v) * rows
            stop = min(start + rows, n)
            tile[:] = 0.0
            for o in range(first, last):
                at = (o - first) * rows
                run = codes[feature[o], start:stop]
                _lay(run, cut[o], missing[o], tile[at : at + stop - start])
            for i in range(primes):
                used[:] = tile
                forward(used, x, table[i])
                for c in range(out.shape[1]):
                    to, values = out[i, c, r, v], x[c * width : (c + 1) * width]
                    for j in range(width):
                        to[j] = reduced(values[j], table[i, 0], table[i, 1])
