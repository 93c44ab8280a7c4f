"""Inner products of all columns of one party with all columns of another, by encryption.

``lattice`` multiplies one encrypted vector with a matrix, and leaves most of a ciphertext empty.
Where there are many vectors, each ciphertext holds ``inner`` rows of ``group`` of them here:

    sum over o < group, i < inner of  a[i, o] x^(o inner + inner - 1 - i)

Times sum_i b[i] x^i, with one column b of the other party, that has <a_o, b> at the coefficient
o inner + inner - 1, for each o; inner * group <= N. The rest is as in ``lattice``: products are
summed over blocks of rows, refreshed, flooded and masked. docs/security/lattice.md, section 8.

    layout = laid_out(n, k_sealed, k_plain)
    vector = sealed(secret, words, layout)             # of each group of columns; travels
    sums = Sums(public, layout); sums.add(vectors, columns)
    products, masks = sums.returned()                  # products travel
    opened(secret, product, layout) - masks            # the inner products, modulo 2^128
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto import lattice, sampling
from federatedml.crypto.errors import BadCiphertext, ForeignKey
from federatedml.crypto.lattice import PublicKey, SealedProduct, SealedVector, SecretKey
from federatedml.crypto.lattice_lanes import accumulate, aligned
from federatedml.crypto.lattice_matrix import beyond_norm
from federatedml.crypto.lattice_params import Parameters, Tile, parameters, tile
from federatedml.crypto.ntt import forward, reduced, tables
from federatedml.crypto.threads import each

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

WORD_BITS = 128
NORM_BITS = 36.25
"""log2 of the L2 norm that a plain column has at most: of unit length, with 36 fraction bits, and
rounded by lot."""

CHUNK, PANEL, STRIP = 512, 8, 8
"""Coefficients that lie together; vector blocks and plain columns of one pass: their transforms
take 1.25 MiB a core and prime."""

SEALED_BYTES = 1 << 29
"""What the ciphertexts of one part of the rows may take while they are multiplied."""
PARTS = 4
"""Parts of the rows, if there are that many: while one is multiplied, the next is encrypted."""
SUM_BYTES = 1 << 30
"""What the sums of one strip of plain columns may take."""

MAX_GROUP = 64

# Microseconds that one of these takes, all parties together: for the choice of a layout.
_TRANSFORM, _CIPHERTEXT, _PRODUCT, _RESULT = 190, 2500, 25, 2000


@dataclass(frozen=True)
class Layout:
    """How n rows of k_sealed encrypted columns and k_plain others are cut; alike at both parties.

    group: encrypted columns in a ciphertext. inner: their rows in it.
    """

    params: Parameters
    rows: int
    k_sealed: int
    k_plain: int
    group: int
    inner: int

    @property
    def groups(self) -> list[range]:
        """Numbers of the columns that are in one ciphertext together."""
        last = self.k_sealed
        return [range(i, min(i + self.group, last)) for i in range(0, last, self.group)]

    @property
    def parts(self) -> list[range]:
        """Rows that are sent and multiplied together."""
        room = SEALED_BYTES // (2 * self._bytes * len(self.groups))
        wanted = min(room, -(-self.blocks(self.rows) // PARTS))
        step = max(1, wanted // PANEL) * PANEL * self.inner
        return [range(i, min(i + step, self.rows)) for i in range(0, self.rows, step)]

    @property
    def strips(self) -> list[range]:
        """Plain columns that are multiplied in one pass over all rows."""
        size = max(1, SUM_BYTES // (2 * self._bytes * len(self.groups)))
        return [range(i, min(i + size, self.k_plain)) for i in range(0, self.k_plain, size)]

    @property
    def _bytes(self) -> int:
        return 8 * len(self.params.primes) * self.params.degree

    def blocks(self, rows: int) -> int:
        """Ciphertexts of so many rows of a group."""
        return -(-rows // self.inner)

    def vector_tile(self, rows: int) -> Tile:
        """How these ciphertexts are cut as one long vector."""
        return tile(self.params, self.blocks(rows) * self.params.degree, 1, NORM_BITS)

    def product_tile(self, columns: int, plain: int) -> Tile:
        """Of the products of a group of so many columns with ``plain`` ones, the group's in one
        result ciphertext."""
        return Tile(self.inner, columns * plain, NORM_BITS, self.inner, columns)


@lru_cache(maxsize=64)
def laid_out(rows: int, k_sealed: int, k_plain: int) -> Layout:
    """The layout that takes least time. Raises ValueError unless there are rows and columns.

    >>> layout = laid_out(100_000, 50, 50)
    >>> layout.group, layout.inner, layout.blocks(100_000)
    (10, 819, 123)
    """
    if min(rows, k_sealed, k_plain) < 1:
        raise ValueError(f"products need rows and columns: {rows}, {k_sealed}, {k_plain}")
    params = parameters(WORD_BITS, norm_bits=NORM_BITS)

    def cost(layout: Layout) -> int:
        blocks, n_groups = layout.blocks(rows), len(layout.groups)
        sealing = n_groups * (_CIPHERTEXT * len(layout.strips) + _PRODUCT * k_plain)
        return blocks * (sealing + _TRANSFORM * k_plain) + n_groups * k_plain * _RESULT

    def of(group: int) -> Layout:
        return Layout(params, rows, k_sealed, k_plain, group, min(rows, params.degree // group))

    return min(map(of, range(1, min(k_sealed, MAX_GROUP) + 1)), key=cost)


@dataclass(frozen=True, eq=False)
class Products:
    """Masked inner products of a group of columns, under the key of their owner.

    key: its fingerprint. c0: (kept primes, plain columns * group); c1: (plain columns, kept, N).
    """

    params: Parameters
    key: bytes
    c0: Floats
    c1: Floats

    def __describe__(self) -> str:
        return f"Products[{len(self.c1)}]"


def sealed(secret: SecretKey, words: Words, layout: Layout, *, cores: int = 1) -> SealedVector:
    """Numbers modulo 2^128, (rows, columns, 2) words of a group in one part, under this key.

    Reveals to whoever has no key: the shape. Cost: 0.8 ms for each ciphertext.
    """
    rows, columns, width = words.shape
    blocks, degree = layout.blocks(rows), layout.params.degree
    padded = np.zeros((blocks * layout.inner, columns, width), dtype=np.uint64)
    padded[:rows] = words
    turned = padded.reshape(blocks, layout.inner, columns, width).transpose(0, 2, 1, 3)[:, :, ::-1]
    placed = np.zeros((blocks, degree, width), dtype=np.uint64)
    placed[:, : columns * layout.inner] = turned.reshape(blocks, -1, width)
    # ``encrypt`` gives the last row of a block the coefficient 0.
    flat = np.ascontiguousarray(placed[:, ::-1]).reshape(-1, width)
    return secret.encrypt(flat, layout.vector_tile(rows), cores=cores)


def opened(
    secret: SecretKey, product: Products, layout: Layout, plain: int, columns: int, cores: int = 1
) -> Words:
    """(columns, plain, 2) the masked inner products of a group of so many columns.

    Raises ForeignKey, BadCiphertext for what is none of a peer that follows the protocol.
    """
    params = layout.params
    kept, cut = params.kept, layout.product_tile(columns, plain)
    if product.key != secret.public.fingerprint:
        raise ForeignKey
    if product.params != params:
        raise BadCiphertext("its lattice parameters are not the key's")
    shapes = (len(kept), plain * columns), (plain, len(kept), params.degree)
    for found, shape in zip((product.c0, product.c1), shapes, strict=True):
        if found.shape != shape:
            raise BadCiphertext(f"shape {found.shape} in place of {shape}")
    whole = SealedProduct(params, cut, product.key, product.c0, product.c1)
    words = secret.open(whole, cores=cores).reshape(plain, columns, 2)
    return np.ascontiguousarray(words.swapaxes(0, 1))


class Sums:
    """Sums over the rows of products of encrypted columns with plain ones, part by part."""

    def __init__(self, key: PublicKey, layout: Layout, plain: int, *, cores: int = 1) -> None:
        """key: of the owner of encrypted columns. plain: how many others, of one strip.

        Cost: 640 KiB for each plain column and group.
        """
        self._key, self._layout, self._cores = key, layout, cores
        p = layout.params
        self._table = tables(p.primes, p.degree)
        self._total = aligned((plain, 2 * len(layout.groups), len(p.primes), p.degree))
        self._total[:] = 0.0
        self._squares = np.zeros(plain)

    def add(self, vectors: Sequence[SealedVector], columns: Floats) -> None:
        """One part: the vectors of all groups, and (plain, rows) whole numbers below 2^37.

        Raises ForeignKey; BadCiphertext for a vector of another cut.
        Cost: 25 us for each block, plain column and prime; 0.2 ns for each product.
        """
        layout, rows = self._layout, columns.shape[1]
        for vector in vectors:
            if vector.key != self._key.fingerprint:
                raise ForeignKey
            if vector.params != layout.params or vector.tile != layout.vector_tile(rows):
                raise BadCiphertext("it does not fit the columns")
        self._squares += np.einsum("ij,ij->i", columns, columns)
        panels = self._panels(vectors, layout.blocks(rows))
        shares = max(self._cores, -(-len(columns) // STRIP))
        cuts = [len(columns) * i // shares for i in range(shares + 1)]

        def work(number: int) -> None:
            part = slice(cuts[number], cuts[number + 1])
            self._multiply(panels, columns[part], self._total[part])

        each(work, range(shares), self._cores)

    def returned(self) -> tuple[list[Products], Words]:
        """Of each group its masked products, and (sealed columns, plain, 2) the masks.

        To be called once, after all parts. Raises PlaintextOutOfRange if a column of all parts
        together is too long. Reveals to the key's owner: products + masks, which are uniform.
        """
        layout, key, degree = self._layout, self._key, self._layout.params.degree
        kept, plain = len(layout.params.kept), len(self._total)
        beyond_norm(self._squares, layout.product_tile(1, 1))
        masks = sampling.secret_stream().words(layout.k_sealed * plain * 2)
        masks = masks.reshape(plain, layout.k_sealed, 2)
        products = []
        for number, group in enumerate(layout.groups):
            cut = layout.product_tile(len(group), plain)
            c0, c1 = np.empty((plain, kept, len(group))), np.empty((plain, kept, degree))

            def finish(
                j: int, number: int = number, group: range = group, cut: Tile = cut,
                c0: Floats = c0, c1: Floats = c1,
            ) -> None:  # fmt: skip
                total = self._total[j, 2 * number : 2 * number + 2]
                own = np.ascontiguousarray(masks[j, group.start : group.stop])
                c0[j], c1[j] = lattice.returned(key, cut, total, own)

            each(finish, range(plain), self._cores)
            whole = np.ascontiguousarray(c0.swapaxes(0, 1)).reshape(kept, -1)
            products.append(Products(layout.params, key.fingerprint, whole, c1))
        return products, np.ascontiguousarray(masks.swapaxes(0, 1))

    def _panels(self, vectors: Sequence[SealedVector], blocks: int) -> list[Floats]:
        """Both halves of all vectors, by PANEL blocks: (L, N / CHUNK, halves, blocks, CHUNK)."""
        p = self._layout.params
        head = (len(p.primes), p.degree // CHUNK, 2 * len(vectors))
        found = [
            aligned((*head, min(PANEL, blocks - first), CHUNK)) for first in range(0, blocks, PANEL)
        ]

        def place(number: int) -> None:
            panel, at = found[number // PANEL], number % PANEL
            for i, vector in enumerate(vectors):
                for half, block in enumerate((vector.values[number], vector.seeded_block(number))):
                    panel[:, :, 2 * i + half, at] = block.reshape(len(block), -1, CHUNK)

        each(place, range(blocks), self._cores)
        return found

    def _multiply(self, panels: Sequence[Floats], columns: Floats, total: Floats) -> None:
        p = self._layout.params
        head = (len(p.primes), p.degree // CHUNK, len(columns))
        room, block = aligned((math.prod(head) * PANEL * CHUNK,)), 0
        for panel in panels if len(columns) else ():
            shape = (*head, panel.shape[3], CHUNK)
            tiles = room[: math.prod(shape)].reshape(shape)
            _transform(columns, self._layout.inner, block, self._table, tiles)
            accumulate(tiles, panel, self._table, total)
            block += panel.shape[3]


_F2, _F5 = types.float64[:, ::1], types.float64[:, :, :, :, ::1]


@compiled(types.void(_F2, types.int64, types.int64, _F2, _F5))
def _transform(columns: Any, inner: Any, block: Any, table: Any, out: Any) -> None:
    """out = values of the blocks, from ``block`` on, of the columns; (L, chunks, R, B, CHUNK)."""
    primes, width = table.shape[0], out.shape[4]
    degree = out.shape[1] * width
    laid, used, x = np.empty(degree), np.empty(degree), np.empty(degree)
    for r in range(out.shape[2]):
        for v in range(out.shape[3]):
            run = columns[r, (block + v) * inner : (block + v + 1) * inner]
            laid[:] = 0.0
            laid[: run.size] = run
            for i in range(primes):
                used[:] = laid
                forward(used, x, table[i])
                for c in range(out.shape[1]):
                    to, values = out[i, c, r, v], x[c * width : (c + 1) * width]
                    for j in range(width):
                        to[j] = reduced(values[j], table[i, 0], table[i, 1])
