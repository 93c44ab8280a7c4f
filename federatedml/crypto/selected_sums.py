"""Encrypted tables of numbers from which others strike out entries and add up the rest.

Who has the numbers encrypts a table of n rows and C columns, each cell several numbers in slots of
one plaintext. The next party makes of it a table of fewer columns: each of its cells is the sum of
those among some columns that it keeps in that row. The result is multiplied by ``Group.veil``, so
that nobody, not even the key's owner, can tell which were kept. The last one packs cells of
several rows in one plaintext; the owner of the key learns their sums and no more.

Numbers have ``fixedpoint`` scale. All bounds are fixed and public: they tell nothing.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from federatedml.crypto import fixedpoint, ou, parallel
from federatedml.crypto.bigcipher import CipherVector, PublicKey, SecretKey
from federatedml.crypto.errors import DecryptedOutOfRange, KeyTooShort, PlaintextOutOfRange
from federatedml.crypto.fixedpoint import Floats

SCALE_BITS = 48
WHOLE_BITS = 31
"""A final sum, and all partial ones, are below 2^31 in magnitude, off by 2^-49 for each term."""

FACTOR_BITS = 32
"""Fractional bits of a secret factor from 1 to 2."""


@dataclass(frozen=True)
class Slots:
    """How numbers lie in plaintexts. size: numbers of a cell. is_masked: whether there is room
    for a secret factor."""

    key: PublicKey
    size: int
    is_masked: bool

    @property
    def width(self) -> int:
        """Bits of a number: with a sign, and one more so that slots never touch."""
        return SCALE_BITS + WHOLE_BITS + 2 + (FACTOR_BITS + 2 if self.is_masked else 0)

    @property
    def per_text(self) -> int:
        """Cells of a last table that share a plaintext."""
        return (self.key.group.plain_bits + 1) // (self.width * self.size)

    @property
    def bits(self) -> int:
        """The bound of a cell."""
        return self.width * self.size - 1

    @property
    def text_bits(self) -> int:
        """The bound of a plaintext of the last table."""
        return self.per_text * self.width * self.size - 1


def slots(key: PublicKey, n_numbers: int, *, is_masked: bool) -> Slots:
    """As many numbers of a cell together as fit; the rest needs further cells.

    Raises KeyTooShort where not even one fits.
    """
    one = Slots(key, 1, is_masked)
    if not one.per_text:
        least = one.width + 1
        if key.scheme == ou.SCHEME:
            least = 3 * (least + ou.HIDING_BITS)
        raise KeyTooShort(key.scheme, key.key_bits, f"a score of {one.width - 1} bits", least)
    return Slots(key, min(n_numbers, one.per_text), is_masked)


def sealed(table: Floats, of: Slots, *, cores: int = 1) -> CipherVector:
    """(n * C,) a table of cells, encrypted row by row.

    table: (n, C, size); whatever is added up of it must stay below 2^31 in magnitude.
    Raises PlaintextOutOfRange. Cost: an encryption a cell.
    """
    whole = fixedpoint.rounded(table, SCALE_BITS)
    if fixedpoint.bits_of(whole) > SCALE_BITS + WHOLE_BITS:
        allowed = SCALE_BITS + WHOLE_BITS
        raise PlaintextOutOfRange("a score", fixedpoint.bits_of(whole), allowed)
    plain = [int(v) for v in whole[..., -1].ravel().tolist()]
    for i in range(of.size - 2, -1, -1):
        low = whole[..., i].ravel().tolist()
        plain = [(high << of.width) + int(v) for high, v in zip(plain, low, strict=True)]
    return of.key.encrypt_whole(plain, bits=of.bits, cores=cores)


def kept(
    c: CipherVector,
    keeps: NDArray[np.bool_],
    sources: Sequence[Sequence[int]],
    *,
    veils: bool,
    cores: int = 1,
) -> CipherVector:
    """(n * C',) the next table: each cell the sum over its source columns that the row keeps.

    c: (n * C,) row by row. keeps: (n, C). sources: of each of C' columns.
    veils: False only where ``closed`` follows, which hides what was kept.
    Cost: a product per cell kept, a fresh encryption of 0 per resulting one.
    """
    key, (n, n_columns), n_next = c.key, keeps.shape, len(sources)
    modulus, group, values = key.modulus, key.group, c.values
    if veils:
        group.veil()  # makes its tables before helpers are forked

    def work(start: int, stop: int) -> list[mpz]:
        found = []
        for cell in range(start, stop):
            row, column = divmod(cell, n_next)
            total = group.veil() if veils else mpz(1)
            for j in sources[column]:
                if keeps[row, j]:
                    total = total * values[row * n_columns + j] % modulus
            found.append(total)
        return found

    cost = 1 + n_columns // max(1, n_next) + (40 if veils else 0)
    cells = parallel.spread(
        work, n * n_next, cores=cores, width=parallel.width_of(modulus), least=key.worth(cost)
    )
    return CipherVector(key, cells, c.scale_bits, c.bits)


def factor() -> int:
    """A secret k from 2^32 to 2^33 - 1: numbers are multiplied by k / 2^32."""
    return (1 << FACTOR_BITS) + secrets.randbits(FACTOR_BITS)


def closed(c: CipherVector, of: Slots, k: int | None = None, *, cores: int = 1) -> CipherVector:
    """The last table for the key's owner, several cells to a plaintext, unlinkable to c.

    k: of ``factor``; None: numbers stay what they are. With it every number is blurred by less
    than its last bit, for multiples of k alone would give k away as their common divisor.
    Cost: a squaring per bit of a cell, a fresh encryption of 0 a plaintext.
    """
    key, modulus, group, per = c.key, c.key.modulus, c.key.group, of.per_text
    shift, n, group_values = mpz(1) << (of.width * of.size), len(c), c.values
    group.veil(), group.bare(0, of.text_bits)  # make their tables before helpers are forked

    def work(start: int, stop: int) -> list[mpz]:
        found = []
        for at in range(start * per, stop * per, per):
            *rest, text = group_values[at : at + per]
            for value in reversed(rest):
                text = gmpy2.powmod(text, shift, modulus) * value % modulus
            if k is not None:
                blur = sum(
                    secrets.randbelow(k) << (of.width * i) for i in range(of.size * (len(rest) + 1))
                )
                text = gmpy2.powmod(text, k, modulus) * group.bare(blur, of.text_bits) % modulus
            found.append(text * group.veil() % modulus)
        return found

    texts = parallel.spread(
        work,
        -(-n // per),
        cores=cores,
        width=parallel.width_of(modulus),
        least=key.worth(of.text_bits + 200),
    )
    return CipherVector(key, texts, 0, of.text_bits)


def n_texts(n_cells: int, of: Slots) -> int:
    """How many plaintexts ``closed`` makes."""
    return -(-n_cells // of.per_text)


def opened(
    secret: SecretKey, c: CipherVector, n_cells: int, of: Slots, *, cores: int = 1
) -> list[int]:
    """(n_cells * size,) the numbers, as integers.

    Raises DecryptedOutOfRange for plaintexts that ``closed`` does not make.
    """
    texts, per = secret.decrypt_whole(c, cores=cores), of.per_text * of.size
    found: list[int] = []
    for text in texts:
        found += _digits(text, min(per, n_cells * of.size - len(found)), of.width)
    return found


def _digits(text: int, count: int, width: int) -> list[int]:
    """The numbers in a plaintext, lowest slot first."""
    half = 1 << (width - 1)
    biased = text + half * (((1 << width * count) - 1) // ((1 << width) - 1))
    digits = [int(digit) - half for digit in gmpy2.unpack(mpz(max(0, biased)), width)]
    if len(digits) != count or any(abs(one) >> (width - 2) for one in digits):
        raise DecryptedOutOfRange
    return digits


def reals(whole: Sequence[int], of: Slots) -> Floats:
    """The numbers that integers of ``opened`` stand for; with a secret factor, that many times.

    Blurred numbers that were equal are made equal again: a blur is less than 2^33.
    """
    if not of.is_masked:
        return fixedpoint.decode(whole, SCALE_BITS)
    lowest: dict[int, int] = {}
    last = start = None
    for value in sorted(set(whole)):
        if last is None or value - last >= 1 << (FACTOR_BITS + 1):
            start = value
        lowest[value], last = start if start is not None else value, value
    return fixedpoint.decode([lowest[v] for v in whole], SCALE_BITS + FACTOR_BITS)
