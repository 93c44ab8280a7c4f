"""What can go wrong in a component.

ComponentError
├── UnknownModule       no component of this name
├── BadParameters       a parameter is unknown, of the wrong type or out of range
├── BadData             the input data does not fit the component
├── BadModel            the input model does not fit the component or the data
└── PartiesLost         too few parties are left, or the others went on without this one
"""

from __future__ import annotations

from collections.abc import Iterable


class ComponentError(Exception):
    """Root of this package's errors; its text is shown to the job's owner at every party."""


class UnknownModule(ComponentError, LookupError):
    def __init__(self, module: str, known: Iterable[str]) -> None:
        super().__init__(f"unknown module {module!r}; there are: {', '.join(sorted(known))}")


class BadParameters(ComponentError, ValueError):
    """Message: ``component NAME, `$.path`: what was expected, what came``."""


class BadData(ComponentError, ValueError):
    """Says which table or column and what is expected of it; never a value of it."""


class BadModel(ComponentError, ValueError):
    """Says what the model lacks."""


class PartiesLost(ComponentError, RuntimeError):
    """Names the parties that are missing, and how many are needed."""
