"""Random polynomials for lattices, from ChaCha20 key streams.

A ``Stream`` is the key stream of a 32-byte key for one purpose and number; a key's streams never
overlap. Keys of secrets come from the operating system; the key of a public polynomial is its
seed, from which both sides draw the same residues.
"""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

from federatedml.compiled import compiled

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]

SEED_BYTES = 32
_ERROR_MASK = (1 << 21) - 1


class Stream:
    """Uniform 64-bit words, the same for the same key, purpose and numbers.

    Source: RFC 8439; the nonce is purpose, number and part, 32 bits each, the counter begins at 0.
    """

    def __init__(self, key: bytes, purpose: bytes, number: int = 0, part: int = 0) -> None:
        nonce = bytes(4) + purpose.ljust(4, b"\0")
        nonce += number.to_bytes(4, "little") + part.to_bytes(4, "little")
        self._cipher = Cipher(algorithms.ChaCha20(key, nonce), mode=None).encryptor()

    def words(self, count: int) -> Words:
        """The next words, (count,)."""
        return np.frombuffer(self._cipher.update(bytes(8 * count)), dtype="<u8")


def secret_stream() -> Stream:
    """A stream that nobody can draw again."""
    return Stream(secrets.token_bytes(SEED_BYTES), b"once")


def uniform(seed: bytes, number: int, primes: tuple[int, ...], degree: int) -> Floats:
    """Public residues, (primes, N), each uniform and centred; by rejection from words."""
    found = np.empty((len(primes), degree))
    for i, p in enumerate(primes):
        stream = Stream(seed, b"ring", number, i)
        mask, filled, wanted = (1 << p.bit_length()) - 1, 0, degree + 64
        while filled < degree:
            filled = _accept(stream.words(wanted), p, mask, found[i], filled)
            wanted = 2 * (degree - filled) + 8
    return found


def ternary(stream: Stream, count: int) -> Floats:
    """-1, 0 or 1, (count,), each as likely as the others."""
    found = np.empty(count)
    filled, wanted = 0, count // 24 + 16
    while filled < count:
        filled = _thirds(stream.words(wanted), found, filled)
        wanted = (count - filled) // 16 + 8
    return found


def errors(words: Words) -> Floats:
    """One error for each word, of its low 42 bits; variance 10.5, at most 21 in size."""
    found = np.empty(len(words))
    _toss(words, found)
    return found


def _ones(typingctx: Any, word: Any) -> Any:  # noqa: ARG001 (numba's calling sequence)
    """The number of ones in a word."""

    def emit(context: Any, builder: Any, signature: Any, args: Any) -> Any:  # noqa: ARG001
        return builder.ctpop(args[0])

    return types.uint64(types.uint64), emit


ones = intrinsic(_ones)


@compiled()
def tossed(word: int) -> float:
    """An error, of the low 42 bits of a word."""
    mask = np.uint64(_ERROR_MASK)
    heads = np.int64(ones(word & mask))
    tails = np.int64(ones((word >> np.uint64(21)) & mask))
    return np.float64(heads - tails)


# Arrays made from bytes cannot be written to, so these take them as read-only ones.
_READ = types.Array(types.uint64, 1, "C", readonly=True)


@compiled(types.void(_READ, types.float64[::1]))
def _toss(words: Any, out: Any) -> None:
    for j in range(out.size):
        out[j] = tossed(words[j])


@compiled(types.int64(_READ, types.uint64, types.uint64, types.float64[::1], types.int64))
def _accept(words: Any, p: Any, mask: Any, out: Any, filled: Any) -> Any:
    half = p >> np.uint64(1)
    for j in range(words.size):
        if filled == out.size:
            break
        word = words[j] & mask
        if word < p:
            value = np.int64(word) - (np.int64(p) if word > half else 0)
            out[filled] = value
            filled += 1
    return filled


@compiled(types.int64(_READ, types.float64[::1], types.int64))
def _thirds(words: Any, out: Any, filled: Any) -> Any:
    three, used = np.uint64(3), 0
    while used < words.size and filled + 32 <= out.size:
        word = words[used]
        used += 1
        for _ in range(32):  # without a branch that no processor foresees
            draw = word & three
            word >>= np.uint64(2)
            out[filled] = np.float64(np.int64(draw)) - 1.0
            filled += np.int64(draw != three)
    for j in range(used, words.size):
        word = words[j]
        for _ in range(32):
            draw = word & three
            word >>= np.uint64(2)
            if draw != three and filled < out.size:
                out[filled] = np.float64(np.int64(draw)) - 1.0
                filled += 1
    return filled
