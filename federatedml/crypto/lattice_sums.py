"""Sums of encrypted row statistics over the rows that go left at each split candidate.

The owner of the statistics (the guest of a boosting job) encrypts one vector for each statistic
and node, with zeros at the rows of other nodes; the owner of the features (a host) returns, of each
candidate, the encrypted sum over the rows that go left. The sums are exact, and the key's owner is
to read them: unlike ``lattice.PublicKey.multiply``, nothing masks them.

    params, cut = shape(n, m)
    secret = lattice.keygen(params)
    vector = sealed(secret, words, cut)                                     # travels
    (product,) = sums(secret.public, [vector], Indicators(params, cut, codes, n_bins, of))  # back
    opened(secret, product)

Source and security: ``lattice``, and docs/security/lattice.md, section 7.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import lattice
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange
from federatedml.crypto.lattice import PublicKey, SealedProduct, SealedVector, SecretKey
from federatedml.crypto.lattice_indicators import DEFAULT_BUDGET, Indicators, place
from federatedml.crypto.lattice_params import Parameters, Tile, parameters, tile
from federatedml.crypto.threads import each

Floats = NDArray[np.float64]
Counts = NDArray[np.int64]

BUDGET_BITS = 39
"""Sums of the words of any rows are within 2^39 - 1 in size, for words modulo 2^40."""
MIN_WORD_BITS, MAX_WORD_BITS = 22, BUDGET_BITS + 1

BATCH_BYTES = 1 << 30
"""What vectors that are multiplied together may take, in the order that the products need; the
columns keep that memory for the next ones."""


def shape(n_rows: int, n_sums: int, word_bits: int = MAX_WORD_BITS) -> tuple[Parameters, Tile]:
    """Parameters and cut for the sums of n_sums candidates over n_rows; all parties get the same.

    word_bits: K: sums are within 2^(K - 1) - 1, and a result has room for no more than K bits.
    Raises ValueError unless there are rows and sums and K is from 22 to 40.

    >>> params, cut = shape(30_000, 310)
    >>> params.degree, cut.inner_block, cut.output_block
    (4096, 819, 5)
    """
    if not MIN_WORD_BITS <= word_bits <= MAX_WORD_BITS:
        raise ValueError(
            f"sums have {word_bits} bits; {MIN_WORD_BITS} to {MAX_WORD_BITS} are possible"
        )
    if n_rows < 1 or n_sums < 1:
        raise ValueError(f"sums need rows and candidates, got {n_rows} and {n_sums}")
    # The norm of a column of ones is sqrt(n). Rounded up, every machine has the same number.
    norm_bits = n_rows.bit_length() / 2
    params = parameters(word_bits, norm_bits=norm_bits)
    return params, tile(params, n_rows, n_sums, norm_bits)


def sealed(secret: SecretKey, words: Counts, cut: Tile, cores: int = 1) -> SealedVector:
    """A statistic of each row, (n,) int64, under the key; zero for rows that do not count.

    Raises PlaintextOutOfRange if the sum over some rows could be beyond 2^(K - 1) - 1 in size;
    ValueError for another shape or type.
    Reveals to whoever has no key: n. Cost: see ``SecretKey.encrypt``.
    """
    if words.dtype != np.int64 or words.shape != (cut.inner,):
        raise ValueError(f"expected int64 {(cut.inner,)}, got {words.dtype} {words.shape}")
    bits = secret.params.word_bits
    for part in (np.maximum(words, 0), np.minimum(words, 0)):
        # In doubles nothing wraps; below 2^53 they are exact.
        largest = abs(float(part.sum(dtype=np.float64)))
        if largest >= 2.0 ** (bits - 1):
            needed = int(np.frexp(largest)[1]) + 1
            raise PlaintextOutOfRange("the sum of a statistic over all rows", needed, bits)
    residues = words.astype(np.uint64) & np.uint64((1 << bits) - 1)
    return secret.encrypt(residues, cut, cores=cores)


def opened(secret: SecretKey, product: SealedProduct, cores: int = 1) -> Counts:
    """The sums, (m,) int64. Raises ForeignKey, BadCiphertext. Cost: see ``SecretKey.open``."""
    spare = np.uint64(64 - secret.params.word_bits)
    found = secret.open(product, cores=cores) << spare
    signed: Counts = found.view(np.int64) >> np.int64(spare)
    return signed


def sums(
    key: PublicKey, vectors: Sequence[SealedVector], of: Indicators, *, cores: int = 1
) -> list[SealedProduct]:
    """Of each vector its sums over the rows that go left at each candidate, under the key.

    Raises ForeignKey; ValueError if a vector is not cut like the columns.
    Reveals to the key's owner: the sums, and nothing else of the columns.
    Cost: for each row and candidate 9 ns for its transforms, unless they are kept, and 1.2 ns for
    each vector; 0.16 ms for each vector and result block; 128 KiB for each vector and vector block.
    """
    _check(key, vectors, of)
    p, cut = key.params, of.tile
    size = 16 * len(p.primes) * p.degree * cut.vector_blocks
    together = max(1, BATCH_BYTES // size)
    found: list[SealedProduct] = []
    for first in range(0, len(vectors), together):
        found += _batch(key, vectors[first : first + together], of, cores)
    return found


def _check(key: PublicKey, vectors: Sequence[SealedVector], of: Indicators) -> None:
    if not of.params == key.params:
        raise ValueError("candidates and key have different lattice parameters")
    for vector in vectors:
        if vector.key != key.fingerprint:
            raise ForeignKey
        if vector.params != of.params:
            raise ValueError("vector and candidates have different lattice parameters")
        if vector.tile != of.tile:
            raise ValueError(
                f"vectors and candidates must be cut alike: {vector.tile} beside {of.tile}"
            )
        if vector.values.shape != (
            of.tile.vector_blocks,
            len(key.params.primes),
            key.params.degree,
        ):
            raise BadCiphertext("its blocks are not those of its tile")


def _batch(
    key: PublicKey, vectors: Sequence[SealedVector], of: Indicators, cores: int
) -> list[SealedProduct]:
    p, cut = key.params, of.tile
    placed = _placed(vectors, of, cores)
    c0 = np.empty((len(vectors), len(p.kept), cut.outputs))
    c1 = np.empty((len(vectors), cut.result_blocks, len(p.kept), p.degree))

    todo = iter(of.groups)  # which the threads share

    def work(_: int) -> None:
        room = of.room(2 * len(vectors))
        for number in todo:
            totals = of.products(number, placed, room)
            for result, total in zip(of.results(number), totals, strict=True):
                here = slice(result * cut.output_block, (result + 1) * cut.output_block)
                no_mask = np.zeros((len(range(cut.outputs)[here]), 1), dtype=np.uint64)
                for i, one in enumerate(total.reshape(-1, 2, len(p.primes), p.degree)):
                    c0[i, :, here], c1[i, result] = lattice.returned(key, cut, one, no_mask)

    each(work, range(min(cores, len(of.groups))), cores)
    return [SealedProduct(p, cut, key.fingerprint, *halves) for halves in zip(c0, c1, strict=True)]


def _placed(vectors: Sequence[SealedVector], of: Indicators, cores: int) -> list[Floats]:
    """Both halves of all vectors, in the order that products need."""
    placed = of.panels(2 * len(vectors))

    def block(number: int) -> None:
        for i, vector in enumerate(vectors):
            place(vector.values[number], number, 2 * i, placed)
            place(vector.seeded_block(number), number, 2 * i + 1, placed)

    each(block, range(of.tile.vector_blocks), cores)
    return placed


__all__ = [
    "BUDGET_BITS",
    "DEFAULT_BUDGET",
    "Indicators",
    "opened",
    "sealed",
    "shape",
    "sums",
]
