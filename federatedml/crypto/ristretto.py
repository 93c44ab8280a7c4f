"""The prime-order group ristretto255, over columns: libsodium's own code, called row by row.

Elements and scalars are their canonical 32-byte encodings. The C calls release the interpreter
lock, so several threads keep several cores busy. Why the package ``rbcl`` and not PyNaCl:
docs/decisions/0021-ristretto255-from-rbcl.md.

Source: RFC 9496; libsodium ``crypto_core_ristretto255``.
"""

from __future__ import annotations

import contextlib
import ctypes
import sys
import tempfile
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]

WIDTH = 32
"""Bytes of an element and of a scalar."""
UNIFORM = 64
"""Bytes that ``from_uniform`` maps to an element."""


ORDER = 2**252 + 27742317777372353535851937790883648493
"""Of the group; a prime. Scalars are integers modulo it, little-endian."""


class InvalidElement(ValueError):
    """Bytes that encode no usable element; the message has an index, never the bytes."""

    def __init__(self, row: int) -> None:
        super().__init__(f"row {row} is not a valid element of the group")


class LibraryUnavailable(ImportError):
    """libsodium could not be loaded."""

    def __init__(self, cause: OSError) -> None:
        super().__init__(
            f"ristretto255: rbcl could not load libsodium from {tempfile.gettempdir()} ({cause}); "
            "that folder must be writable and allow execution: set TMPDIR to one that does, or "
            "use another intersect_method"
        )


def random_scalar() -> bytes:
    """A secret, uniform in 1 .. order - 1, from the operating system's generator."""
    out = ctypes.create_string_buffer(WIDTH)
    _sodium().crypto_core_ristretto255_scalar_random(out)
    return out.raw


def inverse(scalar: bytes) -> bytes:
    """1 / scalar modulo the order. Raises ValueError for 0."""
    out = ctypes.create_string_buffer(WIDTH)
    if _sodium().crypto_core_ristretto255_scalar_invert(out, scalar):
        raise ValueError("zero has no inverse")
    return out.raw


def from_uniform(rows: Bytes2D) -> Bytes2D:
    """Elements from uniform bytes: nobody knows their logarithms.

    rows: (n, 64). Returns (n, 32).
    Cost: about 16 microseconds a row.
    Source: RFC 9496 section 4.3.4, the one-way map.
    """
    rows = np.ascontiguousarray(rows, dtype=np.uint8)
    out = np.empty((len(rows), WIDTH), dtype=np.uint8)
    to, at = out.ctypes.data, rows.ctypes.data
    to_element = _sodium().crypto_core_ristretto255_from_hash
    for i in range(len(rows)):
        to_element(to + i * WIDTH, at + i * UNIFORM)
    return out


def multiply(elements: Bytes2D, scalar: bytes) -> Bytes2D:
    """scalar * element for every row.

    elements: (n, 32), maybe from a stranger: the encoding is checked, the identity refused.
    Returns (n, 32).
    Raises InvalidElement.
    Cost: about 50 microseconds a row.
    """
    elements = np.ascontiguousarray(elements, dtype=np.uint8)
    out = np.empty_like(elements)
    secret = ctypes.create_string_buffer(scalar, WIDTH)
    to, at, key = out.ctypes.data, elements.ctypes.data, ctypes.addressof(secret)
    times = _sodium().crypto_scalarmult_ristretto255
    for i in range(0, len(elements) * WIDTH, WIDTH):
        if times(to + i, key, at + i):
            raise InvalidElement(i // WIDTH)
    return out


def from_scalars(scalars: Sequence[bytes]) -> Bytes2D:
    """scalar * generator for every scalar, (n, 32).

    Cost: about 25 microseconds a row.
    """
    out = np.empty((len(scalars), WIDTH), dtype=np.uint8)
    for i, scalar in enumerate(scalars):
        if _sodium().crypto_scalarmult_ristretto255_base(out.ctypes.data + i * WIDTH, scalar):
            raise InvalidElement(i)
    return out


def multiply_each(elements: Bytes2D, scalars: Bytes2D) -> Bytes2D:
    """scalar_i * element_i, row by row; 0 * element is the identity, 32 zeros.

    elements: (n, 32), not the identity. scalars: (n, 32), below the order. Returns (n, 32).
    Raises InvalidElement. Cost: about 50 microseconds a row.
    """
    elements, scalars = (np.ascontiguousarray(v, dtype=np.uint8) for v in (elements, scalars))
    out = np.zeros_like(elements)
    to, at, by = out.ctypes.data, elements.ctypes.data, scalars.ctypes.data
    times = _sodium().crypto_scalarmult_ristretto255
    for i in np.flatnonzero(scalars.any(axis=1)).tolist():
        row = i * WIDTH
        if times(to + row, by + row, at + row):
            raise InvalidElement(i)
    return out


def total(elements: Bytes2D) -> Bytes2D:
    """(1, 32) the sum of all rows (n, 32); of none the identity. Raises InvalidElement.

    Cost: about 15 microseconds a row.
    """
    rows = np.ascontiguousarray(elements, dtype=np.uint8)
    if not len(rows):
        return np.zeros((1, WIDTH), dtype=np.uint8)
    while len(rows) > 1:
        half = len(rows) // 2
        rows = np.concatenate([add(rows[:half], rows[half : 2 * half]), rows[2 * half :]])
    return rows


def add(a: Bytes2D, b: Bytes2D) -> Bytes2D:
    """a + b row by row, (n, 32) each. Raises InvalidElement."""
    return _combined(_sodium().crypto_core_ristretto255_add, a, b)


def subtract(a: Bytes2D, b: Bytes2D) -> Bytes2D:
    """a - b row by row, (n, 32) each. Raises InvalidElement."""
    return _combined(_sodium().crypto_core_ristretto255_sub, a, b)


def _combined(operation: Any, a: Bytes2D, b: Bytes2D) -> Bytes2D:
    a, b = (np.ascontiguousarray(v, dtype=np.uint8) for v in (a, b))
    out = np.empty_like(a)
    for i in range(0, len(a) * WIDTH, WIDTH):
        if operation(out.ctypes.data + i, a.ctypes.data + i, b.ctypes.data + i):
            raise InvalidElement(i // WIDTH)
    return out


@cache
def _sodium() -> Any:
    try:
        from rbcl.rbcl import _sodium as library
    except OSError as error:
        raise LibraryUnavailable(error) from error
    pointer = ctypes.c_void_p
    library.crypto_core_ristretto255_from_hash.argtypes = [pointer, pointer]
    library.crypto_core_ristretto255_add.argtypes = [pointer, pointer, pointer]
    library.crypto_core_ristretto255_sub.argtypes = [pointer, pointer, pointer]
    library.crypto_scalarmult_ristretto255_base.argtypes = [pointer, ctypes.c_char_p]
    library.crypto_scalarmult_ristretto255.argtypes = [pointer, pointer, pointer]
    library.crypto_core_ristretto255_scalar_invert.argtypes = [pointer, ctypes.c_char_p]
    library.crypto_core_ristretto255_scalar_random.argtypes = [pointer]
    if not sys.platform.startswith("win"):
        # rbcl unpacks the library into a temporary file at every import and leaves it there;
        # once mapped, the file is no longer needed.
        Path(library._name).unlink(missing_ok=True)
    return library


# Loaded now where possible: a zygote's workers then find it there (70 ms of each task).
with contextlib.suppress(LibraryUnavailable):
    _sodium()
