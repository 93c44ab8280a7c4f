"""Real numbers as integers with a fixed number of fractional bits.

Every number of a vector has the same scale, which is public, so that a scale tells nothing of a
value. There is no modular wrap here: what does not fit is refused.
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto.errors import PlaintextOutOfRange

Floats = NDArray[np.float64]


def rounded(values: Floats, scale_bits: int) -> Floats:
    """The nearest integers to values * 2^scale_bits, still as float64.

    values: any shape, finite. Off by at most 1/2, that is 2^-(scale_bits + 1) of a value; exact
    where |value| * 2^scale_bits >= 2^52, because a float64 has no finer bits.
    Raises PlaintextOutOfRange for nan, infinity, and where the product leaves float64.
    """
    with np.errstate(over="ignore"):
        scaled: Floats = np.rint(np.ldexp(np.asarray(values, dtype=np.float64), scale_bits))
    if not np.isfinite(scaled).all():
        raise PlaintextOutOfRange("a number that is missing or not finite", 1024, 1023)
    return scaled


def bits_of(integers: Floats) -> int:
    """The smallest b with |integer| < 2^b for all of them; 0 if all are zero."""
    return int(np.frexp(np.abs(integers).max(initial=0.0))[1])


def encode(values: Floats, scale_bits: int, bits: int) -> list[int]:
    """Integers m with |m - value * 2^scale_bits| <= 1/2 and |m| < 2^bits.

    values: (n,) finite. Raises PlaintextOutOfRange instead of wrapping around.

    >>> encode(np.array([0.5, -1.25]), 2, 8)
    [2, -5]
    """
    scaled = rounded(values, scale_bits)
    needed = bits_of(scaled)
    if needed > bits:
        raise PlaintextOutOfRange("a number", needed, bits)
    return [int(v) for v in scaled.tolist()]


def decode(integers: Iterable[int], scale_bits: int) -> Floats:
    """The real numbers m / 2^scale_bits, each the nearest float64."""
    unit = 1 << scale_bits
    return np.array([int(m) / unit for m in integers], dtype=np.float64)
