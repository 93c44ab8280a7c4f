"""Masks that cancel in a sum: what hides one party's numbers from the one who adds them up.

Numbers are fixed point in the ring of integers mod 2^64. Two parties who share a key draw the
same pad from it; one adds it, the other subtracts it. A padded number is uniform to anyone
without the key (the pad is the key stream of ChaCha20, used once).
"""

from __future__ import annotations

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

from federatedml.crypto.errors import PlaintextOutOfRange

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

SCALE_BITS = 36
"""Fractional bits: an error below 1e-11; magnitudes below 2^27 in the sum."""

PIECE = 1 << 15
"""Words of a pad that are made at a time."""


def to_ring(values: Floats, terms: int, scale_bits: int = SCALE_BITS) -> Words:
    """Any shape, the nearest multiples of 2^-scale_bits mod 2^64.

    terms: how many such arrays will be added. Raises PlaintextOutOfRange if the sum could wrap, or
    a value is not finite.
    """
    scaled = np.ldexp(values, scale_bits)
    np.rint(scaled, out=scaled)
    limit = 2.0**63 / terms
    if scaled.size and not (scaled.max() < limit and scaled.min() > -limit):
        raise PlaintextOutOfRange("a term of the sum", 64, 63 - (terms - 1).bit_length())
    return scaled.astype(np.int64).view(np.uint64)


def from_ring(words: Words, scale_bits: int = SCALE_BITS) -> Floats:
    """The real numbers back."""
    return np.ldexp(words.view(np.int64).astype(np.float64), -scale_bits)


def shared_key(mine: X25519PrivateKey, theirs: bytes, purpose: bytes) -> bytes:
    """32 bytes that only the two of us know. Raises ValueError for a degenerate public key."""
    secret = mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(secret)


def pad(key: bytes, shape: tuple[int, ...], number: int = 0) -> Words:
    """One pad of a key; a number may be used for one array only."""
    words = np.zeros(shape, dtype=np.uint64)
    add_pad(words, key, number)
    return words


def add_pad(words: Words, key: bytes, number: int = 0, *, subtract: bool = False) -> None:
    """Add a pad of a key to a contiguous array in place (mod 2^64), or take it off.

    Cost: the key stream is made in pieces that stay in the processor's cache, about 4 GB/s.
    """
    nonce = bytes(8) + number.to_bytes(8, "little")  # the first 8 bytes count blocks
    stream = Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor()
    flat = words.reshape(-1)
    if not np.shares_memory(flat, words) and words.size:
        raise ValueError("add_pad works in place: the array must be contiguous")
    combine = np.subtract if subtract else np.add
    nothing, piece = memoryview(bytes(8 * PIECE)), bytearray(8 * PIECE)
    for at in range(0, len(flat), PIECE):
        part = flat[at : at + PIECE]
        stream.update_into(nothing[: 8 * len(part)], piece)
        combine(part, np.frombuffer(piece, dtype=np.uint64, count=len(part)), out=part)
