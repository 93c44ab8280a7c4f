"""A party's feature matrix as whole numbers for products with others' encrypted vectors.

No messages in here. The scales of columns are the party's own affair: nobody else learns them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from federatedml.crypto import lattice, scaling
from federatedml.crypto.scaling import Exponents, Norms, Words
from federatedml.maths.glm import Floats, Matrix


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
    """What was made of the x of one batch: norms, and transforms by scales and tile."""

    norms: Norms
    ready: dict[tuple[bytes, lattice.Tile], lattice.Ready] = field(default_factory=dict)


class Columns:
    """What a party makes of its x, and keeps of it where a batch comes again."""

    def __init__(self, params: lattice.Parameters) -> None:
        self._params = params
        self._kept: dict[int, Kept] = {}

    def exponents(self, x: Matrix, number: int | None, terms: Sequence[Term]) -> Exponents:
        """(k,) the fraction bits that the sum of all terms' products has.

        Raises ValueError for features that are not finite, or too many rows.
        """
        plain = self._norms(x, number)
        parts = [plain if t.rows is None else scaling.norms(x, t.rows) for t in terms]
        return scaling.scales([(part, t.bits) for part, t in zip(parts, terms, strict=True)])

    def product(
        self,
        public: lattice.PublicKey,
        x: Matrix,
        number: int | None,
        terms: Sequence[Term],
        exponents: Exponents,
        *,
        cores: int,
    ) -> tuple[lattice.SealedProduct, Words]:
        """Of one vector owner: what to send it, and the mask of what it opens.

        Opened that is (k,) the sum of the terms' products plus the mask, and one more entry if
        the terms have a further column.
        """
        pairs = [(t.sealed, self._ready(x, number, t, exponents)) for t in terms]
        return public.multiply(pairs, cores=cores)

    def _ready(
        self, x: Matrix, number: int | None, term: Term, exponents: Exponents
    ) -> lattice.Ready:
        scale, cut = exponents - term.bits, term.sealed.tile
        if number is None or term.rows is not None or term.extra is not None:
            whole = scaling.integers(x, scale, term.rows, term.further)
            return lattice.prepare(self._params, cut, whole, budget=0)
        return self._kept_ready(x, number, scale, cut)

    def _norms(self, x: Matrix, number: int | None) -> Norms:
        if number is None:
            return scaling.norms(x)
        if number not in self._kept:
            self._kept[number] = Kept(scaling.norms(x))
        return self._kept[number].norms

    def _kept_ready(
        self, x: Matrix, number: int, scale: Exponents, cut: lattice.Tile
    ) -> lattice.Ready:
        """The transforms of x at these scales. Only of the last two scales are they kept: other
        ones come when vectors outgrow a step of the ladder."""
        kept, key = self._kept[number].ready, (scale.tobytes(), cut)
        if key not in kept:
            while len(kept) > 1:
                kept.pop(next(iter(kept)))
            kept[key] = lattice.prepare(self._params, cut, scaling.integers(x, scale))
        return kept[key]
