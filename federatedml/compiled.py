"""Functions that numba compiles when their module is imported, or loads from its cache.

Numba's cache knows when the file of a function has changed, but not when a function that is
compiled into it, of another file, has. Here the files of all of them count; otherwise an update
could leave machine code that mixes two versions.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from numba import njit

F = TypeVar("F", bound=Callable[..., Any])

_SOURCES: dict[str, frozenset[str]] = {}
"""The files that a compiled function is made of, by its module and name."""


def compiled(*signatures: Any) -> Callable[[F], F]:
    """A decorator: machine code that lets other threads run and may be called after a fork.

    signatures: compiled for these at once; without any, only as a part of functions that have one.
    """

    def decorate(f: F) -> F:
        found: Any = njit(nogil=True, cache=True)(f)
        _SOURCES[_name(f)] = sources = _sources(f)
        # Numba has no other way to say what a cached function depends on.
        found._cache._cache_file._source_stamp = _stamp(sources)
        for signature in signatures:
            found.compile(signature)
        if signatures:
            found.disable_compile()
        machine_code: F = found
        return machine_code

    return decorate


def _sources(f: Callable[..., Any]) -> frozenset[str]:
    used = [f.__globals__.get(name) for name in f.__code__.co_names]
    parts = [_SOURCES.get(_name(u), frozenset()) for u in used if hasattr(u, "__qualname__")]
    return frozenset([f.__code__.co_filename]).union(*parts)


def _name(f: Any) -> str:
    return f"{f.__module__}.{f.__qualname__}"


def _stamp(files: frozenset[str]) -> tuple[tuple[str, int, int], ...]:
    """Changes with any of the files."""
    about = [(name, Path(name).stat()) for name in sorted(files)]
    return tuple((name, stat.st_mtime_ns, stat.st_size) for name, stat in about)
