"""Which partition a key belongs to: partitioner ``h1``, equal on every machine and engine.

xxhash64 (seed 0) of the encoded key, then Google's jump consistent hash.
Source: Lamping and Veach 2014, "A fast, minimal memory, consistent hash algorithm".
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xxhash
from numpy.typing import NDArray

_MULTIPLIER = np.uint64(2862933555777941757)


def hashes(keys: Sequence[bytes]) -> NDArray[np.uint64]:
    """xxhash64 of each encoded key, (n,)."""
    return np.fromiter(map(xxhash.xxh64_intdigest, keys), np.uint64, len(keys))


def partitions(keys: Sequence[bytes], n_partitions: int) -> NDArray[np.int64]:
    """Partition of each encoded key, (n,) in [0, n_partitions). Cost: O(log P) array passes."""
    if n_partitions == 1:
        return np.zeros(len(keys), np.int64)
    return jump(hashes(keys), n_partitions)


def jump(seeds: NDArray[np.uint64], n_buckets: int) -> NDArray[np.int64]:
    """Jump consistent hash of each seed; growing P moves only the rows that must move."""
    state = seeds.copy()
    found = np.full(len(seeds), -1, np.int64)
    following = np.zeros(len(seeds), np.int64)
    moving = np.arange(len(seeds))
    while len(moving):
        found[moving] = following[moving]
        state[moving] = state[moving] * _MULTIPLIER + np.uint64(1)
        steps = (state[moving] >> np.uint64(33)).astype(np.float64) + 1.0
        following[moving] = ((found[moving] + 1) * (2.0**31 / steps)).astype(np.int64)
        moving = moving[following[moving] < n_buckets]
    return found
