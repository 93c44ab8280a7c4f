"""Bits of many words, turned: bit j of element i becomes bit i of plane j, 64 elements to a word.

What works on single bits of n numbers works then on 64 of them at a time. Bits are numbered from
the lowest; n is filled up with zeros to a multiple of 64.
"""

from __future__ import annotations

import secrets

import numpy as np
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto import masking
from federatedml.crypto.ring_kernels import OUT_1, OUT_2, READ_2, frozen

Words = NDArray[np.uint64]

LANES = 64
AHEAD = 8
"""Words of a plane that are read at a time: a cache line."""


def width(n: int) -> int:
    """Words of a plane of n bits."""
    return -(-n // LANES)


def planes(rows: Words) -> Words:
    """Bit planes (64 h, width(n)) of rows (n, h)."""
    n, halves = rows.shape
    filled = np.zeros((width(n) * LANES, halves), dtype=np.uint64)
    filled[:n] = rows
    out = np.empty((LANES * halves, width(n)), dtype=np.uint64)
    _to_planes(frozen(filled), out)
    return out


def rows(bits: Words, n: int) -> Words:
    """The first n rows (n, h) of bit planes (64 h, width(n)): the inverse of ``planes``."""
    out = np.empty((bits.shape[1] * LANES, bits.shape[0] // LANES), dtype=np.uint64)
    _to_rows(frozen(bits), out)
    return out[:n]


def lowest(rows: Words, count: int) -> Words:
    """The lowest bits of the first word of rows (n, h), n a multiple of 64: (count, n / 64)."""
    out = np.zeros((count, len(rows) // LANES), dtype=np.uint64)
    _gather(frozen(rows), out)
    return out


def packed(flags: NDArray[np.bool_]) -> Words:
    """One plane (.., width(n)) of flags (.., n)."""
    raw = np.packbits(flags, axis=-1, bitorder="little")
    filled = np.zeros((*raw.shape[:-1], width(flags.shape[-1]) * 8), dtype=np.uint8)
    filled[..., : raw.shape[-1]] = raw
    return filled.view(np.uint64)


def unpacked(plane: Words, n: int) -> NDArray[np.bool_]:
    """The flags (.., n) of a plane (.., width(n))."""
    raw = np.ascontiguousarray(plane).view(np.uint8)
    return np.unpackbits(raw, axis=-1, count=n, bitorder="little").astype(np.bool_)


def random(shape: tuple[int, ...]) -> Words:
    """Words of uniform bits: ChaCha20 under a fresh key of the operating system's generator."""
    return masking.pad(secrets.token_bytes(32), shape)


@compiled(types.void(OUT_1))
def _turn(block: Words) -> None:
    """Transpose 64 words of 64 bits in place: swap ever smaller squares off the diagonal."""
    mask, step = np.uint64(0xFFFFFFFF), 32
    while step:
        shift = np.uint64(step)
        for start in range(0, 64, 2 * step):
            for k in range(start, start + step):
                swap = ((block[k] >> shift) ^ block[k + step]) & mask
                block[k + step] ^= swap
                block[k] ^= swap << shift
        step >>= 1
        mask ^= mask << np.uint64(step)


@compiled(types.void(READ_2, OUT_2))
def _to_planes(rows: Words, out: Words) -> None:
    block = np.empty(64, dtype=np.uint64)
    for b in range(out.shape[1]):
        for h in range(rows.shape[1]):
            for i in range(64):
                block[i] = rows[64 * b + i, h]
            _turn(block)
            for j in range(64):
                out[64 * h + j, b] = block[j]


@compiled(types.void(READ_2, OUT_2))
def _to_rows(bits: Words, out: Words) -> None:
    ahead = np.empty((AHEAD, 64), dtype=np.uint64)
    for h in range(out.shape[1]):
        for start in range(0, bits.shape[1], AHEAD):
            stop = min(start + AHEAD, bits.shape[1])
            for j in range(64):
                for b in range(start, stop):
                    ahead[b - start, j] = bits[64 * h + j, b]
            for b in range(start, stop):
                block = ahead[b - start]
                _turn(block)
                for i in range(64):
                    out[64 * b + i, h] = block[i]


@compiled(types.void(READ_2, OUT_2))
def _gather(rows: Words, out: Words) -> None:
    for b in range(out.shape[1]):
        for i in range(64):
            word = rows[64 * b + i, 0]
            for j in range(out.shape[0]):
                out[j, b] |= (word >> np.uint64(j) & np.uint64(1)) << np.uint64(i)
