"""How loops over words are compiled: by numba, once per machine, free of the interpreter lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

import numpy as np
from numba import njit
from numpy.typing import NDArray

F = TypeVar("F", bound=Callable[..., Any])
T = TypeVar("T", np.int64, np.uint64)


def compiled(function: F) -> F:
    """The function as machine code, kept beside its source (or in the user's cache folder).

    No ``parallel=True``: numba's thread pool does not survive the fork that starts a worker.
    """
    made: F = njit(nogil=True, cache=True)(function)
    return made


def frozen(a: NDArray[T]) -> NDArray[T]:
    """Contiguous and not writable, always: each kind of array would compile a function anew."""
    view = np.ascontiguousarray(a).view()
    view.flags.writeable = False
    return view
