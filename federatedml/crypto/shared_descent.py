"""Weights that two parties share modulo 2^128, and how shares of a gradient move them.

Weights are fixed point with ``FRACTION_BITS``. All steps are linear in the shares, so no message
is needed. Products with public factors are cut back to FRACTION_BITS by each party on its own
(``rings.truncate``), which is off by one in the last place, and fails with probability
2^-(127 - bits) for a number of that many bits: see docs/security/sshe.md. Shapes: k weights.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import rings
from federatedml.crypto.rings import Floats, WordBits, Words
from federatedml.maths.optim import Schedule

BITS: WordBits = 128
FRACTION_BITS = 26
"""Of weights, scores and residuals: 2^-26 is 1.5e-8."""

FACTOR_BITS = 40
"""Of public factors such as the learning rate over the number of rows."""


def linear(terms: Sequence[tuple[Floats | float, Words]], party: int) -> Words:
    """(k,) a share of the sum of factor times number. factors: public, (k,) or one for all."""
    products = [
        rings.mul(rings.encode(np.asarray(factor), FACTOR_BITS, BITS), share, BITS)
        for factor, share in terms
    ]
    summed = products[0]
    for product in products[1:]:
        summed = rings.add(summed, product, BITS)
    return rings.truncate(summed, FACTOR_BITS, party, BITS)


class SharedDescent:
    """One party's shares of all weights of both, in one order at both.

    w: (k,) words. penalised: (k,) which of them L2 draws to zero. alpha: of L2, 0 for none.
    momentum: steps are Nesterov's, as ``optim.Nesterov``, else plain. party: 0 or 1.
    """

    def __init__(
        self,
        w: Words,
        *,
        penalised: NDArray[np.bool_],
        alpha: float,
        schedule: Schedule,
        momentum: bool,
        party: int,
    ) -> None:
        self.w, self.penalised, self.alpha = w, penalised, alpha
        self._schedule, self._party = schedule, party
        self._velocity = rings.zeros((len(w),), BITS) if momentum else None
        self._marked = w

    def move(self, total: Words, n_rows: int, t: int) -> None:
        """One step at the rate of iteration t. total: (k,) shares of X^T d over n_rows rows."""
        rate = self._schedule.at(t)
        terms: list[tuple[Floats | float, Words]] = [(rate / n_rows, total)]
        if self.alpha:
            drawn: Floats = rate * self.alpha * self.penalised.astype(np.float64)
            terms.append((drawn, self.w))
        if self._velocity is None:
            step = linear(terms, self._party)
        else:
            before = self._velocity
            slowed = linear([(0.9, before), *((-factor, of) for factor, of in terms)], self._party)
            step = linear([(0.9, before), (-1.9, slowed)], self._party)
            self._velocity = slowed
        self.w = rings.sub(self.w, step, BITS)

    def drawn(self) -> Words:
        """Shares of the penalised weights, zeros for the others."""
        return rings.mul(self.w, rings.from_integers(self.penalised.astype(np.int64), BITS), BITS)

    def mark(self) -> None:
        """Remember the weights, for ``way``."""
        self._marked = self.w

    def way(self) -> Words:
        """(k,) shares of the way since ``mark``."""
        return rings.sub(self.w, self._marked, BITS)
