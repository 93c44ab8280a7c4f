"""Generalised linear models as pure functions: no parties, no I/O.

Shapes: n rows, k features; x (n, k) dense or csr, w (k,), d (n,) the residual of each row.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Matrix = Floats | sparse.csr_matrix

LOG2 = math.log(2.0)


def sigmoid(score: Floats) -> Floats:
    """1 / (1 + e^-u) without overflow, any shape.

    >>> sigmoid(np.array([0.0, 800.0, -800.0])).tolist()
    [0.5, 1.0, 0.0]
    """
    small = np.exp(-np.abs(score))
    return np.where(score >= 0, 1.0 / (1.0 + small), small / (1.0 + small))


def taylor_residual(score: Floats, y: Floats) -> Floats:
    """Slope of the log-loss in the score, second-order Taylor around 0: d = u/4 - y/2.

    score: (n,) u = Xw. y: (n,) labels -1 or +1. It is linear in u, so that parties can add up
    their parts of it while encrypted. Against the exact slope it is off by 0.02 at |u| = 1 and
    by 0.12 at 2.
    Source: Hardy et al. 2017, arXiv:1711.10677, section 3.1.
    """
    return 0.25 * score - 0.5 * y


def taylor_loss(d: Floats, weight: Floats | None = None) -> float:
    """Mean of the log-loss's Taylor polynomial, from the residual alone.

    log 2 - yu/2 + u^2/8 = log 2 - 1/2 + 2 d^2, because (u - 2y)^2 = 16 d^2 and y^2 = 1.
    weight: (n,) of the rows; the sum is divided by n all the same.
    """
    rows = LOG2 - 0.5 + 2.0 * d * d
    return float(np.mean(rows if weight is None else weight * rows))


def rescaled(weight: Floats, *, signed: bool = False) -> Floats:
    """Sample weights with the sum n. Raises ValueError unless all are >= 0 and one is > 0.

    signed: some may be negative, as long as their sum is above 0.
    """
    total = float(weight.sum())
    if signed and not (np.isfinite(weight).all() and total > 0):
        raise ValueError("sample weights must be finite and sum up to more than 0")
    if not signed and not (np.isfinite(weight).all() and (weight >= 0).all() and total > 0):
        raise ValueError("sample weights must be finite, not negative, and not all zero")
    return weight * (len(weight) / total)


def with_intercept(x: Matrix) -> Matrix:
    """x with a last column of ones."""
    ones = np.ones((x.shape[0], 1))
    return append_column(x, ones)


def append_column(x: Matrix, column: Floats) -> Matrix:
    """x with one more column, (n,) or (n, 1)."""
    last = np.asarray(column, dtype=np.float64).reshape(-1, 1)
    parts: list[Any] = [x, last]
    if sparse.issparse(x):
        return sparse.csr_matrix(sparse.hstack(parts, format="csr"))
    return np.hstack(parts)


def initial_weights(method: str, const: float, n_weights: int, seed: int | None) -> Floats:
    """(n_weights,) starting weights by FATE's method names.

    With a seed this is the draw of numpy's legacy generator: the same numbers FATE starts from.
    """
    if method in ("zeros", "ones", "const"):
        value = {"zeros": 0.0, "ones": 1.0, "const": float(const)}[method]
        return np.full(n_weights, value)
    if seed is not None:
        legacy: Any = np.random.RandomState(seed)
        drawn = legacy.rand(n_weights) if method == "random_uniform" else legacy.randn(n_weights)
        return np.asarray(drawn, dtype=np.float64)
    rng = np.random.default_rng()
    return rng.random(n_weights) if method == "random_uniform" else rng.standard_normal(n_weights)


@dataclass(frozen=True)
class Penalty:
    """alpha/2 |w|^2 (L2), alpha |w|_1 (L1) or nothing (None). The intercept is never penalised."""

    kind: str | None
    alpha: float

    def loss(self, w: Floats) -> float:
        if self.kind == "L2":
            return 0.5 * self.alpha * float(w @ w)
        return self.alpha * float(np.abs(w).sum()) if self.kind == "L1" else 0.0

    def slope(self, w: Floats) -> Floats:
        """What the penalty adds to the gradient; L1 acts in ``shrunk`` instead."""
        return self.alpha * w if self.kind == "L2" else np.zeros_like(w)

    def shrunk(self, w: Floats, rate: float) -> Floats:
        """Weights after the proximal step of L1: moved towards zero by alpha * rate."""
        if self.kind != "L1":
            return w
        return np.sign(w) * np.maximum(np.abs(w) - self.alpha * rate, 0.0)
