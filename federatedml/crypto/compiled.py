"""How loops over words are compiled: by numba, once per machine, free of the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(function: F) -> F:
    """The function as machine code, kept beside its source (or in the user's cache folder).

    No ``parallel=True``: numba's thread pool does not survive the fork that starts a worker.
    """
    made: F = njit(nogil=True, cache=True)(function)
    return made
