"""Families of generalised linear models as vertical training needs them: split over the parties.

The residual of a row is d = constant + factor * v, where the guest knows constant and factor,
and v is the hosts' part (their sum, where the family is additive). The gradient is X^T d, and
the loss of the rows is

    own + sum_i constant_i * eta_h,i + sum_i factor_i * squared(v_h)_i

with ``own`` known to the guest, row by row; several hosts add sum_i eta_j,i v_k,i for each pair
j < k. Everything is bilinear in what the guest and a host know, so it can be computed on
ciphertexts of either side. Pure functions: no parties, no I/O.
Shapes: n rows; eta (n,) a party's X w, the guest's with its intercept and offset.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np
from numpy.typing import NDArray

from federatedml.maths import glm
from federatedml.maths.glm import Floats

MAX_EXPONENT = 700.0
"""A predicted count is at most e^700: a row far out of range gives a number, not infinity."""


@dataclass(frozen=True)
class Share:
    """What the guest knows of the residual: constant (n,), factor (n,) or None for ones."""

    constant: Floats
    factor: Floats | None

    def at(self, rows: NDArray[np.int64]) -> Share:
        """The same of some rows."""
        return Share(self.constant[rows], None if self.factor is None else self.factor[rows])


class Family(Protocol):
    """additive: whether hosts' parts add up; else there can be one host only."""

    name: ClassVar[str]
    additive: ClassVar[bool]

    def host_part(self, eta: Floats) -> Floats:
        """(n,) the host's part v of the residual."""

    def share(self, eta: Floats, y: Floats, weight: Floats | None) -> Share:
        """The guest's part of the residual. weight: with the sum n, or None."""

    def own_loss(self, eta: Floats, y: Floats, weight: Floats | None) -> Floats:
        """(n,) what the guest knows of the loss of each row."""

    def squared(self, v: Floats) -> Floats:
        """(n,) what multiplies the guest's factor in the loss, at a host."""

    def mean(self, eta: Floats) -> Floats:
        """(n,) the prediction for the sum of all parties' eta."""


class Logistic:
    """Labels -1 and +1; slope and loss are those of ``glm.taylor_residual`` and ``taylor_loss``."""

    name: ClassVar[str] = "logistic"
    additive: ClassVar[bool] = True

    def host_part(self, eta: Floats) -> Floats:
        return 0.25 * eta

    def share(self, eta: Floats, y: Floats, weight: Floats | None) -> Share:
        return _additive(0.25 * eta - 0.5 * y, weight)

    def own_loss(self, eta: Floats, y: Floats, weight: Floats | None) -> Floats:
        v = 0.25 * eta - 0.5 * y
        rows = glm.LOG2 - 0.5 + 2.0 * v * v
        return rows if weight is None else weight * rows

    def squared(self, v: Floats) -> Floats:
        return 2.0 * v * v

    def mean(self, eta: Floats) -> Floats:
        return glm.sigmoid(eta)


class Gaussian:
    """Least squares: d = eta - y, half its square is the loss."""

    name: ClassVar[str] = "gaussian"
    additive: ClassVar[bool] = True

    def host_part(self, eta: Floats) -> Floats:
        return eta

    def share(self, eta: Floats, y: Floats, weight: Floats | None) -> Share:
        return _additive(eta - y, weight)

    def own_loss(self, eta: Floats, y: Floats, weight: Floats | None) -> Floats:
        rows = 0.5 * (eta - y) ** 2
        return rows if weight is None else weight * rows

    def squared(self, v: Floats) -> Floats:
        return 0.5 * v * v

    def mean(self, eta: Floats) -> Floats:
        return eta


class Poisson:
    """Counts with a log link: d = e^eta_g e^eta_h - y, loss mu - y (eta_g + eta_h)."""

    name: ClassVar[str] = "poisson"
    additive: ClassVar[bool] = False

    def host_part(self, eta: Floats) -> Floats:
        return np.exp(eta)

    def share(self, eta: Floats, y: Floats, weight: Floats | None) -> Share:
        mean = np.exp(eta)
        return Share(-y, mean) if weight is None else Share(-weight * y, weight * mean)

    def own_loss(self, eta: Floats, y: Floats, weight: Floats | None) -> Floats:
        rows = -y * eta
        return rows if weight is None else weight * rows

    def squared(self, v: Floats) -> Floats:
        return v

    def mean(self, eta: Floats) -> Floats:
        return np.exp(np.minimum(eta, MAX_EXPONENT))


def _additive(v: Floats, weight: Floats | None) -> Share:
    return Share(v, None) if weight is None else Share(weight * v, weight)
