"""The 0/1 columns of split candidates as tiles of an encrypted product, and their stored transforms.

No column is ever in memory as such: a tile is laid out from the codes of the bins where it is
needed. Shapes: n rows, m candidates, R result blocks, B vector blocks, L primes, N coefficients.

For the sake of the caches, polynomials are kept in chunks of CHUNK coefficients: what meets in one
sum lies together. A panel is up to PANEL consecutive vector blocks, a group up to GROUP result
blocks; the tiles of both are (L, N / CHUNK, result blocks, vector blocks, CHUNK) numbers, and the
panels of vectors (L, N / CHUNK, halves of vectors, vector blocks, CHUNK).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto.lattice_params import Parameters, Tile
from federatedml.crypto.ntt import forward, reduced, tables, times
from federatedml.maths.candidates import Candidates
from federatedml.maths.quantiles import Codes

Floats = NDArray[np.float64]

DEFAULT_BUDGET = 1 << 30
"""Bytes of transforms that the columns may keep."""

CHUNK, PANEL, GROUP = 256, 16, 4

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
        _check(cut, codes, n_bins, of)
        self.params, self.tile = params, cut
        self._codes, self._feature = np.ascontiguousarray(codes), of.feature
        self._cut = of.cut.astype(codes.dtype)
        # Who does not send missing values to the left gets a bin that goes there anyway.
        self._missing = np.where(of.missing_left, n_bins, of.cut).astype(codes.dtype)
        self._table = tables(params.primes, params.degree)
        size = GROUP * cut.vector_blocks * len(params.primes) * params.degree
        self._room = min(len(self.groups), budget // (8 * size))
        # Memory only once it is written to.
        self._stored, self._is_stored = np.empty((self._room, size)), [False] * self._room

    @property
    def groups(self) -> range:
        """Numbers of the groups of result blocks."""
        return range(-(-self.tile.result_blocks // GROUP))

    def results(self, group: int) -> range:
        """The result blocks of a group."""
        return range(group * GROUP, min((group + 1) * GROUP, self.tile.result_blocks))

    def products(self, group: int, panels: list[Floats]) -> Floats:
        """Of each result block of the group and each half of a vector, the sum over vector blocks.

        panels: of ``panels``, filled. Returns values (result blocks, halves, L, N).
        Cost: 13 us for each tile and prime, or none if it is stored; 0.3 ns for each product.
        """
        p, results = self.params, self.results(group)
        halves = panels[0].shape[2]
        total = np.zeros((len(results), halves, len(p.primes), p.degree))
        stored = self._stored[group] if group < self._room else None
        spare = np.empty(0) if stored is not None else np.empty(self._panel_size(len(results)))
        first = 0
        for vectors in panels:
            count = vectors.shape[3]
            shape = (*vectors.shape[:2], len(results), count, CHUNK)
            at = 0 if stored is None else first * math.prod(shape) // count
            flat = spare if stored is None else stored
            tiles = flat[at : at + math.prod(shape)].reshape(shape)
            if stored is None or not self._is_stored[group]:
                self._transform(results.start, first, tiles)
            _accumulate(tiles, vectors, self._table, total)
            first += count
        if stored is not None:
            self._is_stored[group] = True
        return total

    def _panel_size(self, results: int) -> int:
        p = self.params
        return results * min(PANEL, self.tile.vector_blocks) * len(p.primes) * p.degree

    def _transform(self, result: int, vector: int, tiles: Floats) -> None:
        cut = self.tile
        shape = (result, vector, cut.inner_block, cut.output_block, cut.inner, cut.outputs)
        _transform(
            self._codes, self._feature, self._cut, self._missing, shape, self._table, tiles
        )  # fmt: skip


def panels(params: Parameters, cut: Tile, halves: int) -> list[Floats]:
    """Room for the vector blocks of so many halves; see the module for the shape."""
    chunks, total = params.degree // CHUNK, cut.vector_blocks
    counts = [min(PANEL, total - first) for first in range(0, total, PANEL)]
    return [np.empty((len(params.primes), chunks, halves, count, CHUNK)) for count in counts]


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
    """out = values, within 3 p, of tiles of indicators; (L, chunks, R here, B here, CHUNK).

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
                    out[i, c, r, v] = x[c * width : (c + 1) * width]


@compiled()
def _add4(t: Any, x: Any, v: int, p: float, p_inverse: float, to: Any) -> None:
    """to += four products, each within 7/8 p: t is within 3 p and x within p / 2."""
    t0, t1, t2, t3 = t[v], t[v + 1], t[v + 2], t[v + 3]
    x0, x1, x2, x3 = x[v], x[v + 1], x[v + 2], x[v + 3]
    for j in range(to.size):
        one = times(t0[j], x0[j], p, p_inverse) + times(t1[j], x1[j], p, p_inverse)
        two = times(t2[j], x2[j], p, p_inverse) + times(t3[j], x3[j], p, p_inverse)
        to[j] = reduced(to[j] + (one + two), p, p_inverse)


@compiled(types.void(_F5, _F5, _F2, types.float64[:, :, :, ::1]))
def _accumulate(tiles: Any, vectors: Any, table: Any, total: Any) -> None:
    """total += products, summed over vector blocks; total: (R here, halves, L, N) within p / 2."""
    width, count = tiles.shape[4], tiles.shape[3]
    whole = count - count % 4
    for i in range(tiles.shape[0]):
        p, p_inverse = table[i, 0], table[i, 1]
        for c in range(tiles.shape[1]):
            for half in range(vectors.shape[2]):
                x = vectors[i, c, half]
                for r in range(tiles.shape[2]):
                    t = tiles[i, c, r]
                    to = total[r, half, i, c * width : (c + 1) * width]
                    for v in range(0, whole, 4):
                        _add4(t, x, v, p, p_inverse, to)
                    for v in range(whole, count):
                        t0, x0 = t[v], x[v]
                        for j in range(to.size):
                            found = to[j] + times(t0[j], x0[j], p, p_inverse)
                            to[j] = reduced(found, p, p_inverse)
