"""Optimisers as FATE 1.x defines them: gradient in, the amount to subtract from weights out.

All but the quasi-Newton one act on each weight alone, so every party can move its own weights.
Source: FATE 1.x behaviour (constants included), docs/compat/hetero_lr.md.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class Optimizer(Protocol):
    def delta(self, gradient: Floats, rate: float) -> Floats:
        """What to subtract from the weights; remembers what it needs for the next call."""


@dataclass(frozen=True)
class Schedule:
    """rate_t = rate / sqrt(1 + decay t), or rate / (1 + decay t); t counts iterations from 0."""

    rate: float
    decay: float
    square_root: bool

    def at(self, t: int) -> float:
        slowed = 1.0 + self.decay * t
        return self.rate / (slowed**0.5 if self.square_root else slowed)


class Sgd:
    def delta(self, gradient: Floats, rate: float) -> Floats:
        return rate * gradient


@dataclass
class RmsProp:
    """Running mean of squares with factor 0.99; 1e-6 under the root."""

    squares: Floats | float = 0.0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        self.squares = 0.99 * self.squares + 0.01 * gradient**2
        return rate * gradient / np.sqrt(self.squares + 1e-6)


@dataclass
class AdaGrad:
    squares: Floats | float = 0.0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        self.squares = self.squares + gradient**2
        return rate * gradient / (np.sqrt(self.squares) + 1e-7)


@dataclass
class Nesterov:
    """Momentum 0.9, in the form that needs the gradient at the current weights only."""

    momentum: Floats | float = 0.0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        velocity = 0.9 * self.momentum - rate * gradient
        step = 0.9 * self.momentum - 1.9 * velocity
        self.momentum = velocity
        return step


@dataclass
class Adam:
    """Kingma and Ba 2015, algorithm 1: factors 0.9 and 0.999, epsilon 1e-8."""

    mean: Floats | float = 0.0
    squares: Floats | float = 0.0
    steps: int = 0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        self.steps += 1
        self.mean = 0.9 * self.mean + 0.1 * gradient
        self.squares = 0.999 * self.squares + 0.001 * gradient**2
        mean = self.mean / (1 - 0.9**self.steps)
        squares = self.squares / (1 - 0.999**self.steps)
        return np.asarray(rate * mean / (np.sqrt(squares) + 1e-8))


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": Sgd,
    "rmsprop": RmsProp,
    "adagrad": AdaGrad,
    "nesterov_momentum_sgd": Nesterov,
    "adam": Adam,
}
"""Those whose step a party can take alone; "sqn" needs ``QuasiNewton`` too."""


@dataclass
class PairClock:
    """When a curvature pair is due: every ``interval`` batches, from the second time on."""

    interval: int
    batches: int = 0

    def tick(self) -> bool:
        """Count a batch; whether a pair is due after it."""
        self.batches += 1
        return self.batches % self.interval == 0 and self.batches > self.interval

    def pairs(self, memory: int) -> int:
        """How many pairs are kept by now."""
        return max(0, min(memory, self.batches // self.interval - 1))


@dataclass
class QuasiNewton:
    """A party's slices of the curvature pairs: s a change of mean weights, y = Hessian times s.

    The direction H g of limited-memory BFGS is a combination of g, all s and all y, whose
    coefficients depend only on inner products. So parties add up the products of their slices
    (``products``), whoever holds the sums finds the coefficients (``coefficients``), and each
    party combines its own slices (``combined``): equal to L-BFGS on the whole vectors.
    Source: Byrd, Hansen, Nocedal, Singer 2016 (the schedule), algorithm 1.
    """

    memory: int
    clock: PairClock
    pairs: deque[tuple[Floats, Floats]] = field(default_factory=deque)
    _sum: Floats | float = 0.0
    _mean: Floats | float = 0.0

    def moved(self, w: Floats) -> Floats | None:
        """Count a batch that ended at w; the s of a pair if one is due."""
        due = self.clock.tick()
        self._sum = self._sum + w
        if self.clock.batches % self.clock.interval:
            return None
        mean, before = self._sum / self.clock.interval, self._mean
        self._sum, self._mean = 0.0, mean
        return np.asarray(mean - before) if due else None

    def remember(self, s: Floats, y: Floats) -> None:
        self.pairs.append((s, y))
        while len(self.pairs) > self.memory:
            self.pairs.popleft()

    def basis(self, gradient: Floats) -> Floats:
        """(2m + 1, k) rows s_1..s_m, y_1..y_m, g."""
        return np.array([*(s for s, _ in self.pairs), *(y for _, y in self.pairs), gradient])

    def products(self, gradient: Floats) -> Floats:
        """(2m + 1, 2m + 1) inner products of this party's slices."""
        basis = self.basis(gradient)
        return np.asarray(basis @ basis.T)

    def combined(self, coefficients: Floats, gradient: Floats) -> Floats:
        """This party's slice of the direction."""
        return np.asarray(coefficients @ self.basis(gradient))


def coefficients(products: Floats) -> Floats:
    """(2m + 1,) coefficients of the L-BFGS direction in the basis s_1..s_m, y_1..y_m, g.

    products: (2m + 1, 2m + 1) inner products of the basis. The initial inverse Hessian is
    (s.y / y.y) I of the latest pair; pairs without positive curvature are passed over.
    Source: Nocedal and Wright 2006, algorithm 7.4, on coordinates in the basis.
    """
    m = (len(products) - 1) // 2
    direction = np.zeros(2 * m + 1)
    direction[-1] = 1.0
    good = [i for i in range(m) if products[i, m + i] > 1e-12 * products[m + i, m + i]]
    alphas = {}
    for i in reversed(good):
        alphas[i] = (products[i] @ direction) / products[i, m + i]
        direction[m + i] -= alphas[i]
    if good:
        last = good[-1]
        direction *= products[last, m + last] / products[m + last, m + last]
    for i in good:
        beta = (products[m + i] @ direction) / products[i, m + i]
        direction[i] += alphas[i] - beta
    return direction
