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


def to_ring(values: Floats, terms: int) -> Words:
    """Any shape, the nearest multiples of 2^-SCALE_BITS mod 2^64.

    terms: how many such arrays will be added. Raises PlaintextOutOfRange if the sum could wrap.
    """
    scaled = np.rint(np.ldexp(values, SCALE_BITS))
    limit = 2.0**63 / terms
    if not (np.abs(scaled) < limit).all():
        raise PlaintextOutOfRange("a score", 64, 63 - (terms - 1).bit_length())
    return scaled.astype(np.int64).view(np.uint64)


def from_ring(words: Words) -> Floats:
    """The real numbers back."""
    return np.ldexp(words.view(np.int64).astype(np.float64), -SCALE_BITS)


def shared_key(mine: X25519PrivateKey, theirs: bytes, purpose: bytes) -> bytes:
    """32 bytes that only the two of us know. Raises ValueError for a degenerate public key."""
    secret = mine.exchange(X25519PublicKey.from_public_bytes(theirs))
    return HKDF(hashes.SHA256(), 32, salt=None, info=purpose).derive(secret)


def pad(key: bytes, shape: tuple[int, ...]) -> Words:
    """The pad of a key that is used for this one array only."""
    size = int(np.prod(shape))
    stream = Cipher(algorithms.ChaCha20(key, bytes(16)), mode=None).encryptor()
    return np.frombuffer(stream.update(bytes(8 * size)), dtype=np.uint64).reshape(shape)
