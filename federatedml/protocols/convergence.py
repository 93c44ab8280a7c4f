"""When training has converged, as the arbiter decides it.

Source: FATE 1.x behaviour, docs/compat/hetero_lr.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Literal

EarlyStop = Literal["diff", "abs", "weight_diff"]


@dataclass
class Convergence:
    """diff: |loss - loss before| < tol. abs: loss <= tol. weight_diff: |step| < tol.

    losses: one per iteration, appended by the caller.
    """

    kind: EarlyStop
    tol: float
    losses: list[float] = field(default_factory=list)

    def is_reached(self, loss: float, squared_step: float) -> bool:
        """Whether to stop after an iteration with this mean loss and step of all weights."""
        before = self.losses[-1] if self.losses else math.inf
        self.losses.append(loss)
        if self.kind == "diff":
            return abs(loss - before) < self.tol
        if self.kind == "abs":
            return loss <= self.tol
        return math.sqrt(max(squared_step, 0.0)) < self.tol
