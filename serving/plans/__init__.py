"""Deployed models as compiled plans: what every request runs, without network or waiting."""

from __future__ import annotations

from serving.plans.compiling import compile
from serving.plans.faults import BadPart, CannotServe, NeedsKey, Problem, Unservable
from serving.plans.outcomes import Scores
from serving.plans.parsing import Column, Frame
from serving.plans.parts import HostPart
from serving.plans.plan import Plan, State

__all__ = [
    "BadPart",
    "CannotServe",
    "Column",
    "Frame",
    "HostPart",
    "NeedsKey",
    "Plan",
    "Problem",
    "Scores",
    "State",
    "Unservable",
    "compile",
]
