"""Optimisers as PyTorch defines them: what FATE's horizontal components train with.

They differ from ``optim``'s where the small constant stands and in what momentum adds up.
Source: the formulas in PyTorch's documentation of torch.optim.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from federatedml.maths.optim import Adam, Floats, Optimizer, Sgd


@dataclass
class RmsProp:
    """Running mean of squares with factor 0.99; 1e-8 beside the root."""

    squares: Floats | float = 0.0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        self.squares = 0.99 * self.squares + 0.01 * gradient**2
        return np.asarray(rate * gradient / (np.sqrt(self.squares) + 1e-8))


@dataclass
class AdaGrad:
    squares: Floats | float = 0.0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        self.squares = self.squares + gradient**2
        return np.asarray(rate * gradient / (np.sqrt(self.squares) + 1e-10))


@dataclass
class Nesterov:
    """Momentum 0.9 over gradients: a rate that changes applies to past ones as well."""

    momentum: Floats | float = 0.0

    def delta(self, gradient: Floats, rate: float) -> Floats:
        self.momentum = 0.9 * self.momentum + gradient
        return np.asarray(rate * (gradient + 0.9 * self.momentum))


OPTIMIZERS: dict[str, Callable[[], Optimizer]] = {
    "sgd": Sgd,
    "rmsprop": RmsProp,
    "adagrad": AdaGrad,
    "nesterov_momentum_sgd": Nesterov,
    "adam": Adam,
}
