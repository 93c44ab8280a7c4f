"""One party's weights of a linear model, and how a gradient moves them."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from federatedml.maths.glm import Matrix, Penalty
from federatedml.maths.optim import Optimizer, Schedule

Floats = NDArray[np.float64]


class Descent:
    """Weights w (k,), the intercept last if there is one; it is never penalised."""

    def __init__(
        self,
        w: Floats,
        *,
        has_intercept: bool,
        schedule: Schedule,
        penalty: Penalty,
        optimizer: Optimizer,
    ) -> None:
        self.w = w
        self.has_intercept, self.schedule, self.penalty = has_intercept, schedule, penalty
        self.optimizer = optimizer
        self._marked = w.copy()

    @property
    def _penalised(self) -> slice:
        return slice(0, len(self.w) - self.has_intercept)

    def part(self, x: Matrix) -> Floats:
        """(n,) this party's part of the linear residual: Xw / 4.

        All rows at once even where a batch needs few: a row's last bits must not depend on
        which rows stand beside it, or two runs would differ.
        """
        return 0.25 * np.asarray(x @ self.w)

    def gradient(self, total: Floats, n_rows: int) -> Floats:
        """Slope of the penalised mean loss. total: (k,) X^T d over n_rows rows."""
        return total / n_rows + self.penalised(self.w)

    def penalised(self, w: Floats) -> Floats:
        """(k,) the penalty's slope at w, zero for the intercept."""
        slope = np.zeros_like(w)
        slope[self._penalised] = self.penalty.slope(w[self._penalised])
        return slope

    def move(self, gradient: Floats, t: int) -> None:
        """One step at the rate of iteration t."""
        rate = self.schedule.at(t)
        w = self.w - self.optimizer.delta(gradient, rate)
        w[self._penalised] = self.penalty.shrunk(w[self._penalised], rate)
        self.w = w

    def penalty_loss(self) -> float:
        return self.penalty.loss(self.w[self._penalised])

    def mark(self) -> None:
        """Remember the weights, for ``change``."""
        self._marked = self.w.copy()

    def change(self) -> float:
        """Squared length of the way since ``mark``."""
        way = self.w - self._marked
        return float(way @ way)
