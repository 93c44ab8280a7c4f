"""What can be wrong with a model, with a row, and with what another party answers."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec

from serving.codes import Code


class Unservable(msgspec.Struct, frozen=True):
    """A component that cannot be served, and why."""

    component: str
    reason: str


class CannotServe(Exception):
    """Names every component of the model that cannot be served."""

    def __init__(self, faults: Sequence[Unservable]) -> None:
        self.faults = tuple(faults)
        super().__init__("; ".join(f"{one.component}: {one.reason}" for one in faults))

    @property
    def component(self) -> str:
        """The first of them."""
        return self.faults[0].component

    @property
    def reason(self) -> str:
        return self.faults[0].reason


class Refused(Exception):
    """A component's part of a model cannot be compiled; the compiler adds the component's name."""


class BadPart(Exception):
    """What a host answered does not fit the guest's model. Names no value of it."""

    def __init__(self, component: str, problem: str, code: Code = Code.MERGE) -> None:
        super().__init__(f"{component}: {problem}")
        self.component, self.code = component, code


class NeedsKey(Exception):
    """The guest's key for weights that stay encrypted is not here (any more): send it first."""


class Problem(msgspec.Struct, frozen=True):
    """Why one row cannot be scored. The text names columns, never a value."""

    code: int
    text: str
