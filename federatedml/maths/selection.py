"""Stepwise selection of features by an information criterion: which models to try, which is best.

A mask says for every feature whether it is in the model.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

Mask = tuple[bool, ...]


@dataclass(frozen=True)
class Search:
    """n_first: how many of the mask's bits are the first party's; the rest are the second's.

    At least ``least`` and at most ``most`` (None: all) features stay or come in.
    """

    direction: Literal["both", "forward", "backward"]
    least: int
    most: int | None
    n_first: int
    n_second: int

    def start(self) -> Mask:
        """No feature to go forward from, else all of them."""
        return (self.direction != "forward",) * (self.n_first + self.n_second)

    def neighbours(self, mask: Mask) -> Iterator[Mask]:
        """The models to try next: one feature less, one more. From none, one of each party.

        >>> list(Search("backward", 1, None, 1, 1).neighbours((True, True)))
        [(False, True), (True, False)]
        """
        count, most = sum(mask), len(mask) if self.most is None else self.most
        if not count:
            yield from self._pairs()
            return
        if self.direction != "forward" and count > self.least:
            yield from (_flipped(mask, i) for i, is_in in enumerate(mask) if is_in)
        if self.direction != "backward" and count < most:
            yield from (_flipped(mask, i) for i, is_in in enumerate(mask) if not is_in)

    def _pairs(self) -> Iterator[Mask]:
        empty = (False,) * (self.n_first + self.n_second)
        for i in range(self.n_first):
            for j in range(self.n_second):
                yield _flipped(_flipped(empty, i), self.n_first + j)


def criterion(
    kind: Literal["AIC", "BIC"], loss: float, n_rows: int, n_weights: int, *, is_gaussian: bool
) -> float:
    """Akaike's or Schwarz's criterion; less is better.

    loss: the mean over the rows, of least squares half the mean square. n_weights: with the
    intercept. Constants that all models of the same rows share are left out.
    """
    price = (2.0 if kind == "AIC" else math.log(n_rows)) * n_weights
    if is_gaussian:
        return price + n_rows * math.log(max(2.0 * loss, 1e-300))
    return price + 2.0 * n_rows * loss


def _flipped(mask: Mask, at: int) -> Mask:
    return (*mask[:at], not mask[at], *mask[at + 1 :])
