"""A party's feature matrix as whole numbers for products with others' encrypted vectors.

No messages in here. The scales of columns are the party's own affair: nobody else learns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from federatedml.crypto import lattice, scaling
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.scaling import Exponents, Norms, Words
from federatedml.maths.glm import Floats, Matrix

MEMORY_BYTES = 3 << 28
"""Of transforms that a party keeps for one model; what is beyond it is transformed anew."""

SCALES_KEPT = 2
"""Scales of one batch whose transforms are kept: others come when a vector outgrows its step."""


@dataclass(frozen=True)
class Term:
    """diag(rows) x against one encrypted vector u.

    sealed: u; bits: its fraction bits. rows: (n,), None for ones. extra: (n,) a further column
    of its own scale: its product has extra_bits fraction bits.
    """

    sealed: lattice.SealedVector
    bits: int
    rows: Floats | None = None
    extra: Floats | None = None
    extra_bits: int = 0

    @property
    def further(self) -> Floats | None:
        """(n,) whole numbers of the further column."""
        if self.extra is None:
            return None
        return np.asarray(np.rint(np.ldexp(self.extra, self.extra_bits - self.bits)))


@dataclass
class Kept:
    """What was made of the x of one batch: norms, and by scales and tile its transforms with the
    memory that they may take."""

    norms: Norms
    ready: dict[tuple[bytes, lattice.Tile], tuple[lattice.Ready, int]] = field(default_factory=dict)


class Columns:
    """What a party makes of its x, and keeps of it where a batch comes again."""

    def __init__(self, params: lattice.Parameters, cores: int) -> None:
        self._params, self._cores = params, cores
        self._kept: dict[int, Kept] = {}
        self._room = MEMORY_BYTES

    def renewed(self) -> Columns:
        """With nothing kept."""
        return Columns(self._params, self._cores)

    def exponents(self, x: Matrix, number: int | None, terms: Sequence[Term]) -> Exponents:
        """(k,) the fraction bits that the sum of all terms' products has.

        Raises ValueError for features that are not finite, or too many rows.
        """
        plain = self._norms(x, number)
        parts = [
            plain if t.rows is None else scaling.norms(x, t.rows, cores=self._cores) for t in terms
        ]
        return scaling.scales([(part, t.bits) for part, t in zip(parts, terms, strict=True)])

    def product(
        self,
        public: lattice.PublicKey,
        x: Matrix,
        number: int | None,
        terms: Sequence[Term],
        exponents: Exponents,
    ) -> tuple[lattice.SealedProduct, Words]:
        """Of one vector owner: what to send it, and the mask of what it opens.

        Opened that is (k,) the sum of the terms' products plus the mask, and one more entry if
        the terms have a further column.
        """
        pairs = [(t.sealed, self._ready(x, number, t, exponents)) for t in terms]
        return public.multiply(pairs, cores=self._cores)

    def _ready(
        self, x: Matrix, number: int | None, term: Term, exponents: Exponents
    ) -> lattice.Ready:
        scale, cut = exponents - term.bits, term.sealed.tile
        if number is not None and term.rows is None:
            return self._kept_ready(x, self._kept[number], term, scale, cut)
        return self._made(x, term, scale)

    def _norms(self, x: Matrix, number: int | None) -> Norms:
        if number is None:
            return scaling.norms(x, cores=self._cores)
        if number not in self._kept:
            self._kept[number] = Kept(scaling.norms(x, cores=self._cores))
        return self._kept[number].norms

    def _kept_ready(
        self, x: Matrix, kept: Kept, term: Term, scale: Exponents, cut: lattice.Tile
    ) -> lattice.Ready:
        """The transforms of x at these scales, with the term's further column."""
        key = scale.tobytes(), cut
        ready, room = kept.ready.get(key, (None, 0))
        if ready is not None and _takes(ready, x.shape[1], term.further):
            return ready
        if ready is None:
            if len(kept.ready) == SCALES_KEPT:
                self._room += kept.ready.pop(next(iter(kept.ready)))[1]
            room = min(self._room, self._size(cut))
            self._room -= room
        found = self._made(x, term, scale, kept.norms.largest, room)
        if room:
            kept.ready[key] = found, room
        return found

    def _made(
        self,
        x: Matrix,
        term: Term,
        scale: Exponents,
        largest: Floats | None = None,
        budget: int = 0,
    ) -> lattice.Ready:
        columns, squares = scaling.columns(
            x, scale, term.rows, term.further, largest=largest, cores=self._cores
        )
        # ``prepare`` would copy: these are what it makes, and within the norm by their scales.
        return lattice.Ready(self._params, term.sealed.tile, columns, squares, budget)

    def _size(self, cut: lattice.Tile) -> int:
        """Bytes of the transforms of a matrix."""
        tiles = cut.vector_blocks * cut.result_blocks
        return 8 * tiles * len(self._params.primes) * self._params.degree


def _takes(ready: lattice.Ready, at: int, further: Floats | None) -> bool:
    """Whether this could be put in place of the further column, if there is one."""
    try:
        if further is not None:
            ready.replace(at, further)
    except PlaintextOutOfRange:
        return False
    return True
