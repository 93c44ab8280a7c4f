"""Bloom filters over columns: a set in few bits, with false positives and no false negatives.

Source: Bloom 1970; index sequence h1 + i h2 of Kirsch and Mitzenmacher 2006. Sizes follow
FATE 1.x: number of hashes within 4..32.
"""

from __future__ import annotations

import hashlib
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MIN_HASHES, MAX_HASHES = 4, 32
_BLOCK = 65536


@dataclass(frozen=True)
class Bloom:
    """bits: (ceil(n_bits / 8),) packed; seed: public, separates filters of the same set."""

    bits: NDArray[np.uint8]
    n_bits: int
    n_hashes: int
    seed: bytes

    @classmethod
    def of(cls, rows: NDArray[np.uint8], rate: float, seed: bytes) -> Bloom:
        """The filter of a set.

        rows: (n, w) digests, the members. rate: false positives wanted, 0 < rate < 1.
        """
        n_bits, n_hashes = size(len(rows), rate)
        flags = np.zeros(n_bits, dtype=bool)
        empty = cls(np.empty(0, np.uint8), n_bits, n_hashes, seed)
        for at in range(0, len(rows), _BLOCK):
            flags[empty._places(rows[at : at + _BLOCK])] = True
        return cls(np.packbits(flags), n_bits, n_hashes, seed)

    def contains(self, rows: NDArray[np.uint8]) -> NDArray[np.bool_]:
        """Which rows are, probably, members. rows: (n, w). Returns (n,)."""
        flags = np.unpackbits(self.bits, count=self.n_bits).astype(bool)
        found = [
            flags[self._places(rows[at : at + _BLOCK])].all(axis=1)
            for at in range(0, len(rows), _BLOCK)
        ]
        return np.concatenate(found) if found else np.zeros(0, dtype=bool)

    def false_positive_rate(self) -> float:
        """The rate to expect of this very filter, from the share of bits that are set."""
        ones = int(np.unpackbits(self.bits, count=self.n_bits).sum())
        return float((ones / self.n_bits) ** self.n_hashes)

    def _places(self, rows: NDArray[np.uint8]) -> NDArray[np.int64]:
        """(n, n_hashes) bit numbers."""
        width, raw = rows.shape[1], np.ascontiguousarray(rows).tobytes()
        keyed = b"".join(
            hashlib.blake2b(raw[at : at + width], digest_size=16, key=self.seed).digest()
            for at in range(0, len(raw), width)
        )
        pairs = np.frombuffer(keyed, dtype="<u8").reshape(-1, 2)
        steps = np.arange(self.n_hashes, dtype=np.uint64)
        # h2 is made odd so that it is never 0; products wrap modulo 2^64, which keeps them spread.
        mixed = pairs[:, :1] + steps * (pairs[:, 1:] | np.uint64(1))
        return (mixed % np.uint64(self.n_bits)).astype(np.int64)


def size(n: int, rate: float) -> tuple[int, int]:
    """(bits, hashes) of a filter of n members.

    The best number of hashes is kept within 4..32 and the bits follow from it.
    """
    n = max(n, 1)
    best = math.ceil(-n * math.log(rate) / math.log(2) ** 2)
    hashes = min(max(round(best / n * math.log(2)), MIN_HASHES), MAX_HASHES)
    return max(math.ceil(-n * hashes / math.log1p(-(rate ** (1 / hashes)))), 8), hashes
