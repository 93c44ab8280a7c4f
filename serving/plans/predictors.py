"""What every kind of model does with rows, and what all of them share.

A *predictor* is one party's side of one component:

    own(table)            what this party knows of the rows, from its columns alone
    told(own)             at a host: that as a contribution for the guest
    merged(own, answers)  at the guest: raw scores (n, c), with every host's contribution
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from federatedml.lr_model import Label
from serving.codes import Code
from serving.plans.faults import Problem
from serving.plans.kernels import MISSING, UNFIT
from serving.plans.parts import Contribution, Expected, Received, Sealed
from serving.plans.transforms import Floats, Table

Status = NDArray[np.uint8]
Answers = Mapping[str, Received]
"""Of each host that was asked, by party id."""


@dataclass(frozen=True)
class Outcome:
    """What scores mean. classes: labels in the order of the columns of ``detail``, none for a
    regression. threshold: of two classes the second is predicted above it."""

    classes: Sequence[Label] = ()
    threshold: float = 0.5


@dataclass
class Own:
    """A party's own part of n rows. values: of a kind that the predictor knows. status (n,): see
    ``kernels``."""

    values: Any
    status: Status
    more: dict[str, Any] = field(default_factory=dict)


class Predictor(Protocol):
    """hosts: party ids that must answer, at the guest. outcome: what its scores mean."""

    hosts: tuple[str, ...]
    outcome: Outcome

    def own(self, table: Table, /) -> Own: ...

    def told(self, own: Own, /) -> Contribution: ...

    def expected(self, host: str, /) -> Expected: ...

    def merged(self, own: Own, answers: Answers, /) -> Floats: ...


@runtime_checkable
class KeyOwner(Protocol):
    """A guest's predictor that sends a host something once; see ``sealed``."""

    def setup(self) -> tuple[str, bytes]: ...


@runtime_checkable
class KeyHolder(Protocol):
    """A host's predictor that needs it."""

    def take(self, setup: bytes) -> str: ...

    def knows(self, key: str) -> bool: ...

    def sealed(self, own: Own, key: str) -> Sealed: ...


def problem(component: str, status: int, *, strict: bool) -> Problem | None:
    """What a row's status means, None if it can be scored."""
    if status & UNFIT:
        return Problem(
            Code.FEATURE, f"{component}: a feature is infinite, or too large for the model"
        )
    if strict and status & MISSING:
        return Problem(
            Code.FEATURE, f"{component}: a feature is missing, and the model cannot do without"
        )
    return None


def threshold_of(parameters: Mapping[str, Any]) -> float:
    given = parameters.get("predict_param")
    told = given.get("threshold", 0.5) if isinstance(given, Mapping) else 0.5
    return float(told) if isinstance(told, (int, float)) else 0.5
