"""Encrypted matrix-vector products over whole numbers modulo 2^K, by ring-LWE.

The owner of a vector u encrypts it under its own key; the owner of a matrix X multiplies, adds a
mask of its own, and gets nothing but ciphertexts; the vector's owner opens X^T u + mask, and no
more. Products are exact. What each side learns, and why: docs/security/lattice.md.

    params = parameters(word_bits=64)
    cut = tile(params, inner=n, outputs=k)
    secret = keygen(params)
    sealed = secret.encrypt(words, cut)                         # travels
    product, mask = secret.public.multiply([(sealed, prepare(params, cut, x))])   # product travels
    secret.open(product) - mask                                 # X^T u modulo 2^64

Words are uint64: (n,) for K <= 64, (n, 2) low word first for K = 128.

Source: J. Fan, F. Vercauteren, Somewhat practical fully homomorphic encryption, 2012, with secret
keys; the packing is that of Cheetah (Z. Huang et al., USENIX Security 2022, section 3).
"""

from __future__ import annotations

import hashlib
import math
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, lru_cache, partial
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import lattice_pack as pack
from federatedml.crypto import sampling
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange
from federatedml.crypto.lattice_matrix import Ready, beyond_norm, prepare
from federatedml.crypto.lattice_params import Parameters, Tile, parameters, tile
from federatedml.crypto.ntt import tables, values
from federatedml.crypto.threads import each

Floats = NDArray[np.float64]
Words = NDArray[np.uint64]


@dataclass(frozen=True, eq=False)
class SealedVector:
    """A vector under its owner's key. values: (vector blocks, primes, N) of c0."""

    params: Parameters
    tile: Tile
    key: bytes
    seed: bytes
    values: Floats = field(repr=False)

    @cached_property
    def seeded(self) -> Floats:
        """The other half, c1, in the shape of ``values``: drawn from the seed."""
        return np.stack([self.seeded_block(i) for i in range(len(self.values))])

    def seeded_block(self, number: int) -> Floats:
        """One block of ``seeded``, which is drawn but not kept; (primes, N)."""
        p = self.params
        return sampling.uniform(self.seed, number, p.primes, p.degree)

    def __describe__(self) -> str:
        return f"SealedVector[{self.tile.inner}]"


@dataclass(frozen=True, eq=False)
class SealedProduct:
    """Masked outputs under the vector owner's key.

    c0: (kept primes, outputs); c1: (result blocks, kept primes, N).
    """

    params: Parameters
    tile: Tile
    key: bytes
    c0: Floats = field(repr=False)
    c1: Floats = field(repr=False)

    def __describe__(self) -> str:
        return f"SealedProduct[{self.tile.outputs}]"


@dataclass(frozen=True, eq=False)
class PublicKey:
    """b = -a s + e and a, as (2, primes, N) values; a is drawn from the seed."""

    params: Parameters
    seed: bytes
    values: Floats = field(repr=False)

    @cached_property
    def fingerprint(self) -> bytes:
        """Names the key in what was made under it, (16,) bytes."""
        head = repr((self.params, self.seed)).encode()
        return hashlib.blake2b(head + self.values.tobytes(), digest_size=16).digest()

    def multiply(
        self, pairs: Sequence[tuple[SealedVector, Ready]], *, cores: int = 1
    ) -> tuple[SealedProduct, Words]:
        """X1^T u1 + X2^T u2 + ... + mask under the key, and the mask.

        pairs: of one tile. Returns the product and (outputs,) or (outputs, 2) uniform words.
        Raises ForeignKey; PlaintextOutOfRange if a column of all matrices together has a norm
        beyond 2^norm_bits; ValueError if the pairs do not fit each other.
        Reveals to the key's owner: X1^T u1 + ... + mask, and nothing else of the matrices.
        Cost: for each N = 8192 entries and prime a transform, 25 us, or 4 us if it is stored.
        """
        self._check(pairs)
        cut, p = pairs[0][1].tile, self.params
        masks = sampling.secret_stream().words(cut.outputs * p.words).reshape(-1, p.words)
        masks = masks & _word_mask(p)
        c0 = np.empty((len(p.kept), cut.outputs))
        c1 = np.empty((cut.result_blocks, len(p.kept), p.degree))

        def finish(number: int, total: Floats) -> None:
            at = number * cut.output_block
            part = masks[at : at + cut.output_block]
            c0[:, at : at + len(part)], c1[number] = returned(self, cut, total, part)

        _each_result(pairs, cut, cores, finish)
        product = SealedProduct(p, cut, self.fingerprint, c0, c1)
        return product, _shaped(masks, p)

    def _check(self, pairs: Sequence[tuple[SealedVector, Ready]]) -> None:
        if not pairs:
            raise ValueError("a product needs a vector and a matrix at least")
        cut = pairs[0][1].tile
        for sealed, ready in pairs:
            if sealed.key != self.fingerprint:
                raise ForeignKey
            if not sealed.params == ready.params == self.params:
                raise ValueError("vector, matrix and key have different lattice parameters")
            if not sealed.tile == ready.tile == cut:
                raise ValueError(
                    f"vectors and matrices must be cut alike: {sealed.tile} and {ready.tile} "
                    f"beside {cut}"
                )
        beyond_norm(np.sum([ready.squares for _, ready in pairs], axis=0), cut)


@dataclass(frozen=True, eq=False)
class SecretKey:
    """s as (primes, N) values; never leaves its party."""

    public: PublicKey
    s: Floats = field(repr=False)

    @property
    def params(self) -> Parameters:
        return self.public.params

    def encrypt(self, words: Words, cut: Tile, *, cores: int = 1) -> SealedVector:
        """A vector of numbers modulo 2^K, (inner,) or (inner, 2) words, under this key.

        Two encryptions of one vector differ everywhere.
        Raises ValueError for a wrong shape, PlaintextOutOfRange for numbers beyond 2^K.
        Reveals to whoever has no key: inner.
        Cost: a transform for each block and prime, about 30 ns for each coefficient and prime.
        """
        p = self.params
        rows = _checked_words(words, cut.inner, p)
        seed = secrets.token_bytes(sampling.SEED_BYTES)
        sealed = np.empty((cut.vector_blocks, len(p.primes), p.degree))
        consts, table = _constants(p), tables(p.primes, p.degree)

        def block(number: int) -> None:
            a = sampling.uniform(seed, number, p.primes, p.degree)
            noise = sampling.secret_stream().words(p.degree)
            part = _reversed(rows[number * cut.inner_block :][: cut.inner_block], cut.inner_block)
            pack.seal(
                part, noise, consts.q, consts.pieces[0], a, self.s, table, sealed[number]
            )  # fmt: skip

        each(block, range(cut.vector_blocks), cores)
        return SealedVector(p, cut, self.public.fingerprint, seed, sealed)

    def open(self, product: SealedProduct, *, cores: int = 1) -> Words:
        """The masked numbers, (outputs,) or (outputs, 2) words modulo 2^K.

        Raises ForeignKey. Cost: two transforms for each result block and kept prime.
        """
        p, cut = self.params, product.tile
        if product.key != self.public.fingerprint:
            raise ForeignKey
        if product.params != p:
            raise BadCiphertext("its lattice parameters are not the key's")
        found = np.empty((cut.outputs, p.words), dtype=np.uint64)
        consts, table = _constants(p), tables(p.primes, p.degree)

        def block(number: int) -> None:
            at = number * cut.output_block
            c0 = np.ascontiguousarray(product.c0[:, at : at + cut.output_block])
            out = found[at : at + cut.output_block]
            pack.unseal(
                c0, product.c1[number], self.s, table, cut.inner_block, consts.factors,
                consts.fractions, out,
            )  # fmt: skip

        each(block, range(cut.result_blocks), cores)
        if p.word_bits < 64:
            half, shift = np.uint64(1 << (63 - p.word_bits)), np.uint64(64 - p.word_bits)
            found = (found + half) >> shift
        return _shaped(found, p)


def warm() -> None:
    """Make the tables of the usual parameter sets, so that forks of this process have them.

    Nothing in them is secret. Cost: 60 ms, and a megabyte.
    """
    for word_bits in (64, 128):
        params = parameters(word_bits)
        tables(params.primes, params.degree)
        _constants(params)


def keygen(params: Parameters) -> SecretKey:
    """A fresh key: ternary s from the operating system's generator, and its public key."""
    primes, n = params.primes, params.degree
    table = tables(primes, n)
    seed, stream = secrets.token_bytes(sampling.SEED_BYTES), sampling.secret_stream()
    small = np.empty((2, len(primes), n))
    small[0] = sampling.ternary(stream, n)
    small[1] = sampling.errors(stream.words(n))
    values(small, table)
    key = np.empty((2, len(primes), n))
    key[1] = sampling.uniform(seed, 0, primes, n)
    pack.less_product(small[1], key[1], small[0], table, key[0])
    return SecretKey(PublicKey(params, seed, key), small[0].copy())


@dataclass(frozen=True, eq=False)
class _Constants:
    """What the kernels need of a parameter set; see their docstrings for shapes."""

    q: Words
    pieces: Floats
    inverses: Floats
    factors: Floats
    fractions: Words


@lru_cache(maxsize=8)
def _constants(params: Parameters) -> _Constants:
    primes, kept, w = params.primes, params.kept, params.words
    low = params.modulus % (1 << 128)
    pieces = np.empty((2, len(primes), 5))
    inverses = np.zeros((len(primes), len(primes)))
    for i, p in enumerate(primes):
        unit = pow(1 << params.word_bits, -1, p)
        pieces[0, i] = [_centred(unit << 32 * t, p) for t in range(5)]
        pieces[1, i] = [_centred(1 << t, p) for t in (0, 32, 64, 96, params.flood_bits)]
        inverses[i] = [0 if i == j else _centred(pow(p, -1, r), r) for j, r in enumerate(primes)]
    small = math.prod(kept)
    fractions = [(1 << 64 * (w + 1)) // p for p in kept]
    return _Constants(
        q=_read_only([low & (2**64 - 1), low >> 64, params.word_bits]),
        pieces=pieces,
        inverses=inverses,
        factors=np.array([_centred(pow(small // p, -1, p), p) for p in kept], dtype=np.float64),
        fractions=np.array(
            [[(x >> 64 * t) & (2**64 - 1) for t in range(3)] for x in fractions], dtype=np.uint64
        ),
    )


def returned(key: PublicKey, cut: Tile, total: Floats, masks: Words) -> tuple[Floats, Floats]:
    """One result block: fresh, flooded, masked, and modulo the kept primes only.

    total: (2, primes, N) values within p, which are used up. masks: (outputs here, words); zeros
    for results that the key's owner is to read. Returns c0 (kept, outputs here), c1 (kept, N).
    """
    p = key.params
    consts, table, stream = _constants(p), tables(p.primes, p.degree), sampling.secret_stream()
    fresh = np.empty_like(total)
    r, errors = sampling.ternary(stream, p.degree), sampling.errors(stream.words(2 * p.degree))
    pack.refresh(total, r, errors.reshape(2, -1), key.values, table, fresh)
    flood = stream.words(2 * len(masks)).reshape(-1, 2) & _mask_of(p.flood_bits + 1)
    c0 = np.empty((len(p.primes), len(masks)))
    pack.mask(
        fresh[0], masks, flood, cut.inner_block, consts.q, consts.pieces, table, c0,
    )  # fmt: skip
    c1 = fresh[1]
    pack.switch(c0, len(p.kept), consts.inverses, table)
    pack.switch(c1, len(p.kept), consts.inverses, table)
    return c0[: len(p.kept)], c1[: len(p.kept)]


def _each_result(
    pairs: Sequence[tuple[SealedVector, Ready]],
    cut: Tile,
    cores: int,
    finish: Callable[[int, Floats], None],
) -> None:
    """finish(number, the sum of products) for each result block, spread over threads.

    Where there are fewer results than cores, the blocks of the vectors are divided instead.
    """
    halves = [(sealed.values, sealed.seeded) for sealed, _ in pairs]  # drawn before threads ask
    shares = 1 if cut.result_blocks >= cores else min(cores, cut.vector_blocks)
    cuts = [cut.vector_blocks * i // shares for i in range(shares + 1)]
    p = pairs[0][0].params
    table = tables(p.primes, p.degree)

    def summed(number: int, part: tuple[int, int]) -> Floats:
        total = np.zeros((2, len(p.primes), p.degree))
        for (c0, c1), (_, ready) in zip(halves, pairs, strict=True):
            ready.accumulate(number, part, c0, c1, total)
        return total

    if shares == 1:
        whole = (0, cut.vector_blocks)
        each(lambda i: finish(i, summed(i, whole)), range(cut.result_blocks), cores)
        return
    for number in range(cut.result_blocks):
        first, *others = each(partial(summed, number), pairwise(cuts), cores)
        for part in others:
            pack.add(part, first, table)
        finish(number, first)


def _checked_words(words: Words, n: int, params: Parameters) -> Words:
    """As (n, words)."""
    shape = (n,) if params.words == 1 else (n, params.words)
    if words.dtype != np.uint64 or words.shape != shape:
        raise ValueError(f"expected uint64 {shape}, got {words.dtype} {words.shape}")
    if params.word_bits < 64 and bool((words >> np.uint64(params.word_bits)).any()):
        raise PlaintextOutOfRange("a number", 64, params.word_bits)
    return words.reshape(n, params.words)


def _reversed(rows: Words, n: int) -> Words:
    """The last row first, so that column i of a tile meets row i at one coefficient; (n, words)."""
    found = np.zeros((n, rows.shape[1]), dtype=np.uint64)
    found[n - len(rows) :] = rows[::-1]
    return found


def _shaped(words: Words, params: Parameters) -> Words:
    return words if params.words == 2 else words.reshape(-1)


def _mask_of(bits: int) -> Words:
    """(2,) words whose low bits are set."""
    return np.array([(1 << min(bits, 64)) - 1, (1 << max(bits - 64, 0)) - 1], dtype=np.uint64)


def _word_mask(params: Parameters) -> Words:
    return _mask_of(params.word_bits)[: params.words]


def _read_only(numbers: list[int]) -> Words:
    found = np.array(numbers, dtype=np.uint64)
    found.flags.writeable = False
    return found


def _centred(a: int, p: int) -> int:
    a %= p
    return a - p if 2 * a > p else a


__all__ = [
    "Parameters",
    "PublicKey",
    "Ready",
    "SealedProduct",
    "SealedVector",
    "SecretKey",
    "Tile",
    "keygen",
    "parameters",
    "prepare",
    "returned",
    "tile",
    "warm",
]
