"""Sums of encrypted statistics over the rows that each candidate for a split sends left.

Who holds the statistics (gradients and Hessians, as integers) encrypts them once per tree, all of
a row in one plaintext, SLOT bits each. Who holds the features multiplies ciphertexts bin by bin,
makes running products over the bins, and packs the sums of several candidates in one plaintext
(c <- c^(2^width) c'), so that few are decrypted. Every ciphertext that goes back is multiplied by
``Group.veil``: nothing but the sums themselves can be read from it, by the key's owner neither.

Plain signed packing: value = w0 + w1 2^53 + w2 2^106 + ..., |w| < 2^51, read back by biased
digits. No sum can leave its slot: the budget bounds sums over any rows.
Source: Chen et al. 2021 ("SecureBoost+"), sections 4.2 to 4.4, for packing and compression.
"""

from __future__ import annotations

from collections.abc import Sequence

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from federatedml.crypto import bin_products, ou, paillier, parallel
from federatedml.crypto.bigcipher import CipherVector, PublicKey, SecretKey
from federatedml.crypto.bin_products import Ints, Products
from federatedml.crypto.errors import (
    BadCiphertext,
    DecryptedOutOfRange,
    ForeignKey,
    KeyTooShort,
    PlaintextOutOfRange,
)
from federatedml.maths.candidates import Candidates
from federatedml.maths.quantiles import Codes

BUDGET_BITS = 51
"""A sum of a statistic over any rows of a tree is within +-(2^51 - 1)."""

SLOT = BUDGET_BITS + 2
"""Bits that a statistic has in a plaintext: a sign, and one so that slots never touch."""

LEAST_KEY = {
    paillier.SCHEME: BUDGET_BITS + 2,
    ou.SCHEME: 3 * (BUDGET_BITS + 2 + ou.HIDING_BITS),
}
"""Scheme -> bits of the shortest key whose plaintexts hold a statistic."""


def groups(key: PublicKey, s: int) -> list[int]:
    """How many of s statistics lie in each plaintext of a row: as many as fit, then the rest.

    Raises KeyTooShort where not even one fits.

    >>> from federatedml.crypto import paillier
    >>> groups(paillier.keygen(128)[0], 5)
    [2, 2, 1]
    """
    most = (key.group.plain_bits + 2) // SLOT
    if not most:
        what = f"a statistic of {BUDGET_BITS} bits and its sign"
        raise KeyTooShort(key.scheme, key.key_bits, what, LEAST_KEY[key.scheme])
    return [min(most, s - start) for start in range(0, s, most)]


def encrypted(key: PublicKey, words: NDArray[np.int64], *, cores: int = 1) -> list[CipherVector]:
    """Every row's statistics in as few ciphertexts as they fit in, with fresh randomness.

    words: (n, s); sums of a column over any rows must stay within +-(2^51 - 1).
    Returns one vector of n ciphertexts for each of ``groups(key, s)``.
    Raises KeyTooShort; PlaintextOutOfRange for words beyond the budget.
    Reveals to a receiver: n, s.
    Cost: per row and group as ``PublicKey.encrypt``.
    """
    sizes = groups(key, words.shape[1])
    _check_budget(words)
    found, start = [], 0
    for size in sizes:
        plain = _packed_words(words[:, start : start + size])
        found.append(key.encrypt_whole(plain, bits=_bits(size), cores=cores))
        start += size
    return found


def sums(
    key: PublicKey,
    vectors: list[CipherVector],
    codes: Codes,
    n_bins: int,
    of: Candidates,
    nodes: Sequence[NDArray[np.int64]],
    *,
    cores: int = 1,
) -> list[CipherVector]:
    """For each node and candidate the sums over the node's rows that go left, packed and veiled.

    vectors: what ``encrypted`` made of n rows, from the peer. codes: (k, n) bins, n_bins where a
    value is missing. nodes: positions of each one's rows.
    Returns one vector per group of statistics, for ``opened``.
    Raises ForeignKey; BadCiphertext where vectors, rows or nodes do not fit together.
    Reveals to the key's owner: the sums, in the order of ``of``, and how many there are.
    Cost: see ``bin_products``; SLOT squarings per candidate and statistic; a fresh encryption of 0
    per returned ciphertext.
    """
    n = codes.shape[1]
    sizes = _sizes(key, vectors, n)
    for at, rows in enumerate(nodes):
        if len(rows) and not 0 <= rows.min() <= rows.max() < n:
            raise BadCiphertext(f"node {at} names rows beyond the {n} of this training")
    wanted = _wanted(len(codes), n_bins, of)
    cells = [bin_products.cells(codes, wanted, rows) for rows in nodes]
    by_feature = {j: np.flatnonzero(of.feature == j) for j in np.unique(of.feature).tolist()}
    found = []
    for vector, size in zip(vectors, sizes, strict=True):
        products = bin_products.by_bin(
            vector.values, cells, key.modulus, cores=cores, least=key.worth(1)
        )
        left = [v for node in products for v in _left(node, n_bins, by_feature, of, key.modulus)]
        found.append(_compressed(key, left, size, cores))
    return found


def opened(
    secret: SecretKey,
    sealed: list[CipherVector],
    n_nodes: int,
    n_candidates: int,
    s: int,
    *,
    cores: int = 1,
) -> NDArray[np.int64]:
    """(n_nodes, n_candidates, s) the sums that ``sums`` made under this key.

    Raises ForeignKey; BadCiphertext for another number of vectors or ciphertexts than these sums
    need; DecryptedOutOfRange for plaintexts that no sums within the budget have.
    Cost: a decryption per ciphertext.
    """
    key, count = secret.public, n_nodes * n_candidates
    sizes = groups(key, s)
    if len(sealed) != len(sizes):
        raise BadCiphertext(
            f"{len(sizes)} vectors of sums were expected ({s} statistics), {len(sealed)} came"
        )
    found = np.empty((count, s), dtype=np.int64)
    start = 0
    for vector, size in zip(sealed, sizes, strict=True):
        per = _per_text(key, size)
        _check_vector(key, vector, -(-count // per), _bits(per * size))
        texts = secret.decrypt_whole(vector, cores=cores)
        words = [
            word
            for at, text in zip(range(0, count, per), texts, strict=True)
            for word in _digits(text, min(per, count - at) * size)
        ]
        found[:, start : start + size] = np.array(words, dtype=np.int64).reshape(count, size)
        start += size
    return found.reshape(n_nodes, n_candidates, s)


def _bits(size: int) -> int:
    """|w0 + w1 2^53 + ...| < 2^bits for so many words within the budget."""
    return SLOT * size - 2


def _per_text(key: PublicKey, size: int) -> int:
    """Candidates whose sums, of so many statistics each, share a plaintext."""
    return (key.group.plain_bits + 2) // (SLOT * size)


def _check_budget(words: NDArray[np.int64]) -> None:
    limit, half = (1 << BUDGET_BITS) - 1, BUDGET_BITS // 2 + 1
    if words.max(initial=0) > limit or words.min(initial=0) < -limit:
        raise PlaintextOutOfRange("a statistic", 64, BUDGET_BITS)
    for side in (np.maximum(words, 0), np.maximum(-words, 0)):
        # By halves, so that no sum of int64 wraps: total >> half is that of the high halves and
        # what the low ones carry.
        carried = (side & (1 << half) - 1).sum(axis=0) >> half
        if ((side >> half).sum(axis=0) + carried).max(initial=0) > limit >> half:
            raise PlaintextOutOfRange("a sum of statistics", BUDGET_BITS + 1, BUDGET_BITS)


def _packed_words(words: NDArray[np.int64]) -> list[int]:
    plain: list[int] = words[:, -1].tolist()
    for column in words.T[-2::-1]:
        plain = [(high << SLOT) + low for high, low in zip(plain, column.tolist(), strict=True)]
    return plain


def _check_vector(key: PublicKey, vector: CipherVector, length: int, bits: int) -> None:
    if vector.key != key:
        raise ForeignKey
    if len(vector) != length:
        raise BadCiphertext(f"{length} ciphertexts were expected in a vector, {len(vector)} came")
    if (vector.bits, vector.scale_bits) != (bits, 0):
        raise BadCiphertext(
            f"whole numbers of {bits} bits were expected, stated are {vector.bits} bits, "
            f"{vector.scale_bits} of them fractional"
        )


def held(vector: CipherVector) -> int:
    """How many statistics each ciphertext of a vector states to hold."""
    return ((vector.bits or 0) + 2) // SLOT


def _sizes(key: PublicKey, vectors: list[CipherVector], n: int) -> list[int]:
    """How many statistics each vector holds; refused if ``encrypted`` makes no such vectors."""
    s = sum(held(vector) for vector in vectors)
    sizes = groups(key, s)
    if not sizes or len(sizes) != len(vectors):
        raise BadCiphertext(
            f"{len(vectors)} vectors came, which state {s} statistics: those need {len(sizes)}"
        )
    for vector, size in zip(vectors, sizes, strict=True):
        _check_vector(key, vector, n, _bits(size))
    return sizes


def _wanted(k: int, n_bins: int, of: Candidates) -> NDArray[np.bool_]:
    """(k, n_bins + 1) whether a candidate needs the rows of a feature's bin."""
    top = np.full(k, -1, dtype=np.int64)
    np.maximum.at(top, of.feature, of.cut)
    found: NDArray[np.bool_] = np.arange(n_bins + 1) <= top[:, None]
    found[of.feature[of.missing_left], n_bins] = True
    return found


def _left(
    products: Products, n_bins: int, by_feature: dict[int, Ints], of: Candidates, modulus: mpz
) -> list[mpz]:
    """A ciphertext of the sums that go left for each candidate, at one node."""
    found = [mpz(1)] * len(of)
    for feature, at in by_feature.items():
        of_bin = products.get(feature, {})
        bins = sorted(of_bin)  # n_bins is the last one: no cut reaches it
        below = [mpz(1)]
        for b in bins:
            below.append(below[-1] * of_bin[b] % modulus)
        held = np.searchsorted(bins, of.cut[at], side="right").tolist()
        for i, count, with_missing in zip(
            at.tolist(), held, of.missing_left[at].tolist(), strict=True
        ):
            missing = of_bin.get(n_bins) if with_missing else None
            found[i] = below[count] if missing is None else below[count] * missing % modulus
    return found


def _compressed(key: PublicKey, left: list[mpz], size: int, cores: int) -> CipherVector:
    """Sums of several candidates to a ciphertext, the first lowest; unlinkable to ``left``."""
    per, modulus, group = _per_text(key, size), key.modulus, key.group
    shift = mpz(1) << (SLOT * size)
    group.veil()  # makes its tables before helpers are forked

    def work(start: int, stop: int) -> list[mpz]:
        found = []
        for at in range(start * per, stop * per, per):
            *rest, packed = left[at : at + per]
            for value in reversed(rest):
                packed = gmpy2.powmod(packed, shift, modulus) * value % modulus
            found.append(packed * group.veil() % modulus)
        return found

    texts = parallel.spread(
        work,
        -(-len(left) // per),
        cores=cores,
        width=parallel.width_of(modulus),
        least=key.worth(per * SLOT * size + 200),
    )
    return CipherVector(key, texts, 0, _bits(per * size))


def _digits(text: int, count: int) -> list[int]:
    """The words packed in a plaintext. Raises DecryptedOutOfRange if it is not made of them."""
    half = 1 << (SLOT - 1)
    biased = text + half * (((1 << SLOT * count) - 1) // ((1 << SLOT) - 1))
    digits = [int(digit) - half for digit in gmpy2.unpack(mpz(max(0, biased)), SLOT)]
    if len(digits) != count or any(abs(word) >> BUDGET_BITS for word in digits):
        raise DecryptedOutOfRange
    return digits
