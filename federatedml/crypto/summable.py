"""Numbers as words of 64 bits that may be added up mod 2^64: very large ones, and many small ones.

Sums of masked words come out mod 2^64. A number of any size is cut into limbs of 32 bits, whose
sums keep their carries; small counts share a word, each with bits enough for its own sum.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import fixedpoint
from federatedml.crypto.masking import Floats, Words

SCALE_BITS = 80
"""Fractional bits of a wide number."""

LIMBS = 6
"""Of 32 bits: a sum is below 2^111 in magnitude."""

MAX_BITS = 32 * LIMBS - 12
"""A term is below 2^100, so that 2^11 of them can be added."""

Counts = NDArray[np.int64]


def wide(values: Floats) -> Words:
    """(m * LIMBS,) of (m,) numbers, each off by at most 2^-81.

    Raises PlaintextOutOfRange for one of 2^100 or more, or one that is not finite.
    """
    whole = fixedpoint.encode(values, SCALE_BITS, MAX_BITS)
    body = b"".join((v % (1 << 32 * LIMBS)).to_bytes(4 * LIMBS, "little") for v in whole)
    return np.frombuffer(body, dtype="<u4").astype(np.uint64)


def from_wide(words: Words) -> Floats:
    """(m,) the numbers back, from the sums of up to 2^11 terms' words.

    >>> from_wide(wide(np.array([1e30, -0.5])) + wide(np.array([1.0, 0.25]))).tolist()
    [1e+30, -0.25]
    """
    half, modulus = 1 << (32 * LIMBS - 1), 1 << 32 * LIMBS
    rows = words.reshape(-1, LIMBS).tolist()
    sums = [sum(limb << (32 * i) for i, limb in enumerate(row)) % modulus for row in rows]
    return fixedpoint.decode([(s + half) % modulus - half for s in sums], SCALE_BITS)


def packed(counts: Counts, bits: int) -> Words:
    """(ceil(m / (64 // bits)),) of (m,) counts whose sums stay below 2^bits; 1 <= bits <= 64."""
    each = 64 // bits
    rows = np.zeros((-(-len(counts) // each), each), dtype=np.uint64)
    rows.reshape(-1)[: len(counts)] = counts.astype(np.uint64)
    for i in range(1, each):
        rows[:, 0] |= rows[:, i] << np.uint64(i * bits)
    return rows[:, 0].copy()


def unpacked(words: Words, bits: int, m: int) -> Counts:
    """(m,) the counts back.

    >>> unpacked(packed(np.array([3, 0, 7]), 20) + packed(np.array([1, 1, 1]), 20), 20, 3).tolist()
    [4, 1, 8]
    """
    each = 64 // bits
    mask = np.uint64((1 << bits) - 1)
    rows = [(words >> np.uint64(i * bits)) & mask for i in range(each)]
    return np.column_stack(rows).reshape(-1)[:m].astype(np.int64)


def n_words(m: int, bits: int) -> int:
    """How many words ``packed`` makes of m counts."""
    return -(-m // (64 // bits))
