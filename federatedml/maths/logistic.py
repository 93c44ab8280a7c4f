"""Logistic regression on rows in the clear, with the exact log-loss.

Shapes: n rows; score (n,) X w; y (n,) labels 0 and 1; weight (n,) of the rows, or None.
"""

from __future__ import annotations

import numpy as np

from federatedml.maths import glm
from federatedml.maths.glm import Floats


def residual(score: Floats, y: Floats, weight: Floats | None) -> Floats:
    """(n,) slope of each row's loss in its score."""
    d = glm.sigmoid(score) - y
    return d if weight is None else weight * d


def loss(score: Floats, y: Floats, weight: Floats | None) -> float:
    """The sum of log(1 + e^u) - y u over the rows, without overflow.

    >>> round(loss(np.zeros(2), np.array([0.0, 1.0]), None), 6)
    1.386294
    """
    rows = np.logaddexp(0.0, score) - y * score
    return float(rows.sum() if weight is None else weight @ rows)
