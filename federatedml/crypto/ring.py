"""Additive secret shares of fixed-point numbers in the ring of integers modulo 2^64.

Two shares of a number add up to it; each alone is a uniformly random integer, whatever the number.

>>> a, b = split(encode(np.array([1.5, -2.0])))
>>> decode(a + b)
array([ 1.5, -2. ])
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ring = NDArray[np.uint64]

FRACTION_BITS = 20
"""Numbers are multiples of 2^-20 and sums of them must stay below 2^43 in size."""


def encode(x: NDArray[np.float64]) -> Ring:
    """Fixed-point ring elements; rounds to the nearest multiple of 2^-20."""
    return np.rint(x * 2.0**FRACTION_BITS).astype(np.int64).view(np.uint64)


def split(x: Ring) -> tuple[Ring, Ring]:
    """Two shares, the first drawn from the operating system's generator."""
    mask = np.frombuffer(secrets.token_bytes(8 * x.size), dtype=np.uint64).reshape(x.shape)
    return mask, x - mask


def total(*parts: Ring) -> Ring:
    """The sum of all elements of all parts, (1,), modulo 2^64."""
    summed: Ring = np.concatenate([part.ravel() for part in parts]).sum(keepdims=True)
    return summed


def decode(x: Ring) -> Any:
    """The numbers that ring elements stand for, as float64."""
    return np.asarray(x, dtype=np.uint64).view(np.int64) / 2.0**FRACTION_BITS
