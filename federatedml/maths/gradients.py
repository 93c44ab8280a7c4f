"""First and second derivatives of rows on their way into sums: sampled, rounded to whole numbers.

Shapes: n rows, c outputs; stats (n, 2c): first derivatives of all outputs, then second ones.
Source: one-side sampling: Ke et al. 2017 (LightGBM), section 3; rounding by lot: Shi et al. 2022
(quantized training of gradient boosting), section 4.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from federatedml.maths.glm import Floats

Rows = NDArray[np.int64]
Words = NDArray[np.int64]


@dataclass(frozen=True)
class Rounded:
    """words (n, s): whole numbers, zero at rows that do not count. steps (s,): what a unit stands
    for. The sum of any rows' words is below 2^budget in size."""

    words: Words
    steps: Floats

    def real(self, sums: NDArray[np.int64] | Floats) -> Floats:
        """Sums (.., s) of words as sums of the rounded numbers."""
        return np.asarray(sums * self.steps)


def rounded(
    stats: Floats, rows: Rows, budget: int, bits: int | None, draw: np.random.Generator
) -> Rounded:
    """The numbers as multiples of a step that each column has, as fine as the budget allows.

    rows: those that count; the others' words are zero. budget: log2 of what a sum may reach.
    bits: where given, a number is one of 2^bits steps (fewer if the budget is too small for that),
    rounded up or down by lot so that sums are right on average. Else it is rounded to the nearest
    multiple of a power of two; with a budget below 53 all sums are then exact as float64, too.
    """
    part = stats[rows]
    words = np.zeros(stats.shape, dtype=np.int64)
    if bits is None:
        room = budget - 1 - np.ceil(np.log2(_not_zero(np.abs(part).sum(axis=0))))
        steps = np.exp2(-np.clip(room, -900, 900))
        words[rows] = np.rint(part / steps)
    else:
        fits = min(bits, budget - len(rows).bit_length())
        steps = _not_zero(np.abs(part).max(axis=0, initial=0.0)) / (2 ** (fits - 1) - 1)
        words[rows] = np.floor(part / steps + draw.random(part.shape))
    return Rounded(words, steps)


def _not_zero(sizes: Floats) -> Floats:
    return np.maximum(sizes, 1e-200)


def one_side_sampled(
    stats: Floats, top_rate: float, other_rate: float, draw: np.random.Generator
) -> tuple[Rows, Floats]:
    """The rows to grow a tree on, ascending, and (n,) what their derivatives are multiplied by.

    Rows with the largest |g| (of several outputs their sum) stay; of the others a sample stands
    for all: its factor is (1 - top_rate) / other_rate. Other rows have the factor 0.
    """
    n, c = len(stats), stats.shape[1] // 2
    size = np.abs(stats[:, :c]).sum(axis=1)
    order = np.argsort(-size, kind="stable")
    n_top, n_other = int(top_rate * n), int(other_rate * n)
    others = draw.permutation(order[n_top:])[:n_other]
    factor = np.zeros(n)
    factor[order[:n_top]] = 1.0
    factor[others] = (1.0 - top_rate) / other_rate if other_rate else 0.0
    return np.flatnonzero(factor), factor
