"""Correlated randomness for two parties who multiply what they share: kinds, shapes, use.

    kind      dims         a            b             c                 added up by
    matrix    (n, k, c)    (n, k)       (k, c)        a @ b             ring
    product   (n, 0, 0)    (n,)         (n,)          a * b             ring
    bits      (v, m, w)    (m, w)       (v, m, w)     a and b           xor, words of 64 bits
    flags     (n, 0, 0)    width(n)     none          the bits of a     a: xor, c: ring

A triple hides one multiplication and no second: two differences with one pad show the difference
of what was padded. So ``Triple.spend`` gives its shares once.

Source: Beaver 1991; Damgard, Pastro, Smart and Zakarias 2012 (SPDZ), section 2, without
authentication.
"""

from __future__ import annotations

from typing import Literal, cast

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from federatedml.crypto import bit_planes, rings
from federatedml.crypto.errors import CryptoError
from federatedml.crypto.rings import Shape, WordBits, Words

Kind = Literal["matrix", "product", "bits", "flags"]
Dims = tuple[int, int, int]
Shares = tuple[Words, Words, Words]

KINDS = frozenset(["matrix", "product", "bits", "flags"])
MAX_WORDS = 1 << 31
"""Words of a triple: 16 GiB. More is a mistake, whoever asks."""


class TripleSpent(CryptoError, RuntimeError):
    def __init__(self, kind: Kind) -> None:
        super().__init__(
            f"a {kind} triple was used before: a second use would show differences of the "
            "numbers it hides; ask the session for another"
        )


class Triple:
    """One party's shares of a, b and c."""

    def __init__(self, kind: Kind, shares: Shares) -> None:
        self.kind = kind
        self._shares: Shares | None = shares

    def spend(self) -> Shares:
        """The shares. Raises TripleSpent the second time."""
        if self._shares is None:
            raise TripleSpent(self.kind)
        shares, self._shares = self._shares, None
        return shares

    def __repr__(self) -> str:
        return f"Triple({self.kind}, {'unused' if self._shares else 'spent'})"


class Stream:
    """Words that only who has the seed (32 bytes) can tell from uniform ones, each given once."""

    def __init__(self, seed: bytes) -> None:
        self._stream = Cipher(algorithms.ChaCha20(seed, bytes(16)), mode=None).encryptor()

    def words(self, shape: Shape) -> Words:
        size = int(np.prod(shape))
        raw = self._stream.update(bytes(8 * size))
        return np.frombuffer(raw, dtype=np.uint64).reshape(shape)


def shapes(kind: Kind, dims: Dims, word_bits: WordBits) -> tuple[Shape, Shape, Shape]:
    """Shapes of the uint64 arrays that hold shares of a, b and c."""
    n, k, c = dims
    if kind == "matrix":
        elements: tuple[Shape, ...] = ((n, k), (k, c), (n, c))
    elif kind == "product":
        elements = ((n,),) * 3
    elif kind == "bits":
        return (k, c), (n, k, c), (n, k, c)
    else:
        return (bit_planes.width(n),), (0,), rings.words_shape((n,), word_bits)
    a, b, product = (rings.words_shape(e, word_bits) for e in elements)
    return a, b, product


def checked(kind: str, dims: Dims, word_bits: int) -> tuple[Kind, Dims, WordBits]:
    """A request that came from elsewhere. Raises ValueError if it makes no sense."""
    if kind not in KINDS or word_bits not in (64, 128) or min(dims) < 0:
        raise ValueError("no such triple")
    known, bits = cast("Kind", kind), cast("WordBits", word_bits)
    if sum(float(np.prod(shape, dtype=float)) for shape in shapes(known, dims, bits)) > MAX_WORDS:
        raise ValueError("more words than a triple may have")
    return known, dims, bits


def from_seed(
    kind: Kind, dims: Dims, word_bits: WordBits, stream: Stream, correction: Words | None
) -> Triple:
    """A party's triple: all from its stream, or c from the dealer (party 1)."""
    a, b, c = shapes(kind, dims, word_bits)
    pads = stream.words(a), stream.words(b)
    return Triple(kind, (*pads, stream.words(c) if correction is None else correction))


def dealt(kind: Kind, dims: Dims, word_bits: WordBits, first: Stream, second: Stream) -> Words:
    """The dealer's work: party 1's share of c, where all other shares come from the streams."""
    shape_a, shape_b, shape_c = shapes(kind, dims, word_bits)
    a0, b0, c0 = first.words(shape_a), first.words(shape_b), first.words(shape_c)
    a1, b1 = second.words(shape_a), second.words(shape_b)
    if kind == "bits":
        both: Words = (a0 ^ a1) & (b0 ^ b1)
        return both ^ c0
    if kind == "flags":
        c = rings.from_integers(bit_planes.unpacked(a0 ^ a1, dims[0]).astype(np.int64), word_bits)
    else:
        a, b = rings.add(a0, a1, word_bits), rings.add(b0, b1, word_bits)
        multiply = rings.matmul if kind == "matrix" else rings.mul
        c = multiply(a, b, word_bits)
    return rings.sub(c, c0, word_bits)


def multiplied(
    kind: Kind, shares: Shares, e: Words, f: Words, party: int, word_bits: WordBits
) -> Words:
    """A share of x y from a triple and the opened e = x - a and f = y - b:
    x y = c + e b + a f + e f.

    kind: matrix, product or bits. party: 0 or 1; only party 0 adds e f.
    """
    a, b, c = shares
    if kind == "bits":
        flags: Words = c ^ (e & (b ^ f if party == 0 else b)) ^ (a & f)
        return flags
    right = rings.add(b, f, word_bits) if party == 0 else b
    multiply = rings.matmul if kind == "matrix" else rings.mul
    crossed = rings.add(multiply(e, right, word_bits), multiply(a, f, word_bits), word_bits)
    return rings.add(c, crossed, word_bits)
