"""Functions that numba compiles when their module is imported, or loads from its cache."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])


def compiled(*signatures: Any) -> Callable[[F], F]:
    """A decorator: machine code that lets other threads run and may be called after a fork.

    signatures: compiled for these at once; without any, only as a part of functions that have one.
    """

    def decorate(f: F) -> F:
        found: F = njit(list(signatures) or None, nogil=True, cache=True)(f)
        return found

    return decorate
