"""Vectors of real numbers under a big-integer cipher, added and multiplied while encrypted.

A key offers: encrypt, add, add_at, sub, mul_plain, matvec, sum_by_bin, refresh, blind; its owner
also decrypt. Numbers are fixed point (``fixedpoint``); every vector carries, in public, its scale
and a bound on its magnitude, and an operation whose result could leave the range of the key is
refused before it is computed: nothing wraps around.

All of it is written for any ``Group`` in which a product of ciphertexts encrypts a sum:
``paillier`` and ``ou`` hold one each, with the owner's half and the making of keys.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from federatedml.crypto import fixedpoint, multiexp, parallel
from federatedml.crypto.errors import (
    BadCiphertext,
    DecryptedOutOfRange,
    ForeignKey,
    PlaintextOutOfRange,
)
from federatedml.crypto.multiexp import Floats, Matrix

SCALE_BITS = 48
"""Fractional bits of an encrypted number unless told otherwise: an error below 2e-15."""

VALUE_BITS = 80
"""Magnitude bound of an encrypted number: 2^32 at the default scale."""


class Group(Protocol):
    """What a scheme brings: the public half of a key, and how single ciphertexts are made.

    A product of ciphertexts modulo ``modulus`` encrypts the sum of their plaintexts.
    """

    @property
    def scheme(self) -> str:
        """ "Paillier" or "OU"."""

    @property
    def n(self) -> mpz:
        """The number that must not be factored."""

    @property
    def modulus(self) -> mpz:
        """Ciphertexts are invertible below it."""

    @property
    def plain_bits(self) -> int:
        """A plaintext m may be anything with |m| < 2^plain_bits."""

    @property
    def blind_bits(self) -> int:
        """A plaintext may be blinded if |m| < 2^blind_bits; at most plain_bits."""

    @property
    def wrap(self) -> mpz:
        """Blinded plaintexts are numbers below it, and opened modulo it."""

    @property
    def level(self) -> int:
        """Bits of security."""

    def describe(self) -> str:
        """Scheme, size, security, assumptions: one line for logs and records."""

    def fields(self) -> list[bytes]:
        """The key as numbers, for ``wire``."""

    def prepare(self) -> None:
        """Make the tables that encryption reads: before helpers are forked."""

    def bare(self, m: int, bits: int) -> mpz:
        """A ciphertext of m with no randomness, for |m| < 2^bits."""

    def zero(self) -> mpz:
        """A fresh encryption of 0."""

    def veil(self) -> mpz:
        """A fresh encryption of 0 that hides a ciphertext's history from the key's owner."""

    def mask(self) -> int:
        """A secret that hides any m with |m| < 2^blind_bits in m + mask < wrap."""


class Owner(Protocol):
    """The secret half of a key."""

    @property
    def plain_modulus(self) -> mpz:
        """Plaintexts are numbers modulo it. A secret in some schemes."""

    def residues(self, values: list[mpz]) -> list[int]:
        """The plaintexts, each from 0 to plain_modulus - 1."""


@dataclass(frozen=True)
class CipherVector:
    """n ciphertexts under one key: 0 < c < key.modulus each.

    scale_bits: fractional bits of the plaintexts. bits: |m| < 2^bits for every plaintext m;
    None for blinded ones. Both are public.
    """

    key: PublicKey
    values: list[mpz] = field(repr=False)
    scale_bits: int
    bits: int | None

    def __len__(self) -> int:
        return len(self.values)

    def __describe__(self) -> str:
        return f"cipher[{len(self)}]"

    def __getitem__(self, at: slice) -> CipherVector:
        return CipherVector(self.key, self.values[at], self.scale_bits, self.bits)

    def take(self, rows: NDArray[np.int64]) -> CipherVector:
        """The ciphertexts at these positions."""
        picked = [self.values[i] for i in rows.tolist()]
        return CipherVector(self.key, picked, self.scale_bits, self.bits)


@dataclass(frozen=True)
class Blinding:
    """What opens a blinded vector once the owner of the key has decrypted it.

    ``count`` numbers lie in the plaintexts, ``per_text`` to one, each in ``slot`` bits.
    """

    wrap: mpz = field(repr=False)
    masks: list[int] = field(repr=False)
    scale_bits: int
    count: int
    per_text: int
    slot: int

    def open(self, residues: list[int]) -> Floats:
        """(count,) real numbers. residues: what ``SecretKey.residues`` said of the vector."""
        if len(residues) != len(self.masks):
            raise BadCiphertext(f"{len(self.masks)} numbers were sent out, {len(residues)} came")
        found: list[int] = []
        for value, mask in zip(residues, self.masks, strict=True):
            text = _centred(value - mask, self.wrap)
            for _ in range(min(self.per_text, self.count - len(found))):
                number = _centred(text, mpz(1) << self.slot)
                found.append(number)
                text = (text - number) >> self.slot
        return fixedpoint.decode(found, self.scale_bits)


@dataclass(frozen=True)
class PublicKey:
    """All that can be done without the secret. Keys are equal if their groups are: vectors of
    equal keys may be mixed."""

    group: Group

    @property
    def scheme(self) -> str:
        return self.group.scheme

    @property
    def n(self) -> mpz:
        return self.group.n

    @property
    def modulus(self) -> mpz:
        return self.group.modulus

    @property
    def key_bits(self) -> int:
        return int(self.n.bit_length())

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that name the key."""
        return hashlib.sha256(b"".join([self.scheme.encode(), *self.group.fields()])).digest()[:16]

    @property
    def level(self) -> int:
        """Bits of security."""
        return self.group.level

    def describe(self) -> str:
        """Scheme, size, security, assumptions: one line for logs and records."""
        return self.group.describe()

    def encrypt(
        self,
        values: Floats,
        *,
        scale_bits: int = SCALE_BITS,
        bits: int = VALUE_BITS,
        cores: int = 1,
    ) -> CipherVector:
        """A ciphertext of each, with fresh randomness from the operating system.

        values: (n,) finite, |value| < 2^(bits - scale_bits).
        Returns (n,) ciphertexts of values off by at most 2^-(scale_bits + 1).
        Raises PlaintextOutOfRange. Reveals to a receiver: n, scale_bits, bits.
        Cost: 17 products mod n^2 a value for Paillier of 1024 bits, 24 for 2048; of OU mod n and
        9 more for the default bits.
        """
        plain = fixedpoint.encode(values, scale_bits, bits)
        return self.encrypt_whole(plain, scale_bits=scale_bits, bits=bits, cores=cores)

    def encrypt_whole(
        self, plain: list[int], *, scale_bits: int = 0, bits: int, cores: int = 1
    ) -> CipherVector:
        """``encrypt`` for what are integers already: the caller sees to |m| < 2^bits."""
        self._check_range("the range of a number", bits)
        group, modulus = self.group, self.modulus
        group.prepare()

        def work(start: int, stop: int) -> list[mpz]:
            return [group.bare(m, bits) * group.zero() % modulus for m in plain[start:stop]]

        sealed = parallel.spread(
            work, len(plain), cores=cores, width=parallel.width_of(modulus), least=self.worth(20)
        )
        return CipherVector(self, sealed, scale_bits, bits)

    def add(self, a: CipherVector, b: CipherVector) -> CipherVector:
        """Ciphertexts of the sums. ``refresh`` them before they leave the party."""
        bits = self._sum_bits(a, b)
        if len(a) != len(b):
            raise BadCiphertext(f"vectors of {len(a)} and {len(b)} cannot be added")
        modulus = self.modulus
        total = [x * y % modulus for x, y in zip(a.values, b.values, strict=True)]
        return CipherVector(self, total, a.scale_bits, bits)

    def add_at(self, a: CipherVector, rows: NDArray[np.int64], b: CipherVector) -> CipherVector:
        """``a`` with b[k] added at position rows[k]."""
        bits, modulus = self._sum_bits(a, b), self.modulus
        total = list(a.values)
        for row, value in zip(rows.tolist(), b.values, strict=True):
            total[row] = total[row] * value % modulus
        return CipherVector(self, total, a.scale_bits, bits)

    def sub(self, a: CipherVector, b: CipherVector) -> CipherVector:
        """Ciphertexts of the differences a - b. ``refresh`` them before they leave the party."""
        self._own(b)
        negated = multiexp.inverses(b.values, self.modulus)
        return self.add(a, CipherVector(self, negated, b.scale_bits, b.bits))

    def mul_plain(
        self, c: CipherVector, factors: Floats, scale_bits: int, factor_bits: int
    ) -> CipherVector:
        """Ciphertexts of c[i] * factors[i]; the factors are rounded to scale_bits bits.

        factors: (n,) with |factor| * 2^scale_bits < 2^factor_bits, a bound that others may know.
        ``refresh`` them before they leave the party: c^k tells k to whoever knows c.
        """
        whole = fixedpoint.rounded(factors, scale_bits)
        if fixedpoint.bits_of(whole) > factor_bits:
            raise PlaintextOutOfRange("a factor", fixedpoint.bits_of(whole), factor_bits)
        self._own(c)
        bits = _known(c) + factor_bits
        self._check_range("a product", bits)
        powers = [
            gmpy2.powmod(v, int(k), self.modulus)
            for v, k in zip(c.values, whole.tolist(), strict=True)
        ]
        return CipherVector(self, powers, c.scale_bits + scale_bits, bits)

    def matvec(
        self, x: Matrix, c: CipherVector, scale_bits: int, *, cores: int = 1
    ) -> CipherVector:
        """Ciphertexts of X^T c; X is rounded to scale_bits fractional bits.

        x: (n, k) dense or csr, finite. c: (n,).
        Returns (k,) ciphertexts, each off by at most 2^-(scale_bits + 1) * sum |c|.
        ``blind`` or ``refresh`` them before they leave the party.
        cores: how many to keep busy; see ``parallel``.
        Cost: about 4.5 products for each of the n k entries that is not zero.
        """
        if x.shape[0] != len(c):
            raise BadCiphertext(f"{x.shape[0]} rows against {len(c)} ciphertexts")
        if isinstance(x, np.ndarray):
            whole: Matrix = fixedpoint.rounded(x, scale_bits)
            entries = whole
        else:
            whole = x.copy()
            entries = whole.data = fixedpoint.rounded(x.data, scale_bits)
        self._own(c)
        bits = _known(c) + fixedpoint.bits_of(np.asarray(entries)) + len(c).bit_length()
        self._check_range("a product", bits)
        inverted = multiexp.inverses(c.values, self.modulus)
        columns = multiexp.columns(whole)

        def work(start: int, stop: int) -> list[mpz]:
            return multiexp.products(c.values, inverted, columns[start:stop], self.modulus)

        found = parallel.spread(
            work,
            len(columns),
            cores=cores,
            width=parallel.width_of(self.modulus),
            least=max(1, self.worth(5) // max(1, len(c))),
        )
        return CipherVector(self, found, c.scale_bits + scale_bits, bits)

    def sum_by_bin(self, c: CipherVector, bins: NDArray[np.integer], n_bins: int) -> CipherVector:
        """(n_bins,) ciphertexts of the sums of c over the rows of each bin.

        bins: (n,) bin of each row, 0 <= bin < n_bins. ``refresh`` before they leave the party.
        """
        self._own(c)
        total, modulus = [mpz(1)] * n_bins, self.modulus
        for b, value in zip(bins.tolist(), c.values, strict=True):
            total[b] = total[b] * value % modulus
        grown = _known(c) + len(c).bit_length()
        self._check_range("a sum", grown)
        return CipherVector(self, total, c.scale_bits, grown)

    def refresh(self, c: CipherVector, *, bits: int | None = None) -> CipherVector:
        """The same plaintexts under new randomness, unlinkable to c.

        bits: the bound to state from now on, in place of c's own; after ``matvec`` that one
        tells how large X is. Raises PlaintextOutOfRange if c may be beyond it.
        """
        self._own(c)
        stated = _known(c) if bits is None else bits
        if _known(c) > stated:
            raise PlaintextOutOfRange("a result", _known(c), stated)
        self._check_range("a result", stated)
        fresh = [v * self.group.veil() % self.modulus for v in c.values]
        return CipherVector(self, fresh, c.scale_bits, stated)

    def blind(self, c: CipherVector, *, bits: int | None = None) -> tuple[CipherVector, Blinding]:
        """Ciphertexts of c + r for fresh secret r, refreshed, and what opens them.

        Several numbers share a plaintext, as many as their bound leaves room for: decrypting one
        costs more than packing it. Whoever decrypts sees numbers that tell nothing of c (Paillier:
        uniform below n; OU: within 2^-64 of uniform), and learns only how many ciphertexts there
        are. The randomness of the ciphertexts is hidden by ``Group.veil``.

        bits: a bound to pack by in place of c's own, which may tell how large factors were.
        Cost: about c.bits squarings a number, a fresh encryption a plaintext.
        """
        self._own(c)
        group, modulus, slot = self.group, self.modulus, (_known(c) if bits is None else bits) + 1
        if _known(c) >= slot:
            raise PlaintextOutOfRange("a result", _known(c), slot - 1)
        if _known(c) > group.blind_bits:
            raise PlaintextOutOfRange("a blinded result", _known(c), group.blind_bits)
        per_text = max(1, group.blind_bits // slot)
        shift, masks, hidden = mpz(1) << slot, [], []
        for start in range(0, len(c), per_text):
            packed = mpz(1)
            for value in reversed(c.values[start : start + per_text]):
                packed = gmpy2.powmod(packed, shift, modulus) * value % modulus
            masks.append(group.mask())
            mask = group.bare(masks[-1], group.plain_bits)
            hidden.append(packed * mask % modulus * group.veil() % modulus)
        blinding = Blinding(group.wrap, masks, c.scale_bits, len(c), per_text, slot)
        return CipherVector(self, hidden, c.scale_bits, None), blinding

    def worth(self, products: int) -> int:
        """How many items of so many products take 20 ms: what is worth a fork."""
        seconds = 1.9e-6 * (self.modulus.bit_length() / 2048) ** 1.7
        return max(1, int(0.02 / (products * seconds)))

    def _own(self, c: CipherVector) -> None:
        if c.key != self:
            raise ForeignKey

    def _sum_bits(self, a: CipherVector, b: CipherVector) -> int:
        self._own(a)
        self._own(b)
        if a.scale_bits != b.scale_bits:
            raise BadCiphertext(f"scales of {a.scale_bits} and {b.scale_bits} bits differ")
        bits = max(_known(a), _known(b)) + 1
        self._check_range("a sum", bits)
        return bits

    def _check_range(self, what: str, bits: int) -> None:
        if bits > self.group.plain_bits:
            raise PlaintextOutOfRange(what, bits, self.group.plain_bits)


@dataclass(frozen=True)
class SecretKey:
    """What decrypts. Never printed, never sent."""

    public: PublicKey
    owner: Owner = field(repr=False)

    def residues(self, c: CipherVector) -> list[int]:
        """The plaintexts of a blinded vector, for who blinded it: see ``Blinding.open``.

        Raises DecryptedOutOfRange for one that ``blind`` cannot have made.
        """
        found = self._opened(c)
        if any(m >= self.public.group.wrap for m in found):
            raise DecryptedOutOfRange
        return found

    def decrypt(self, c: CipherVector) -> Floats:
        """(n,) real numbers. Raises DecryptedOutOfRange for one beyond the vector's bound."""
        return fixedpoint.decode(self.decrypt_whole(c), c.scale_bits)

    def decrypt_whole(self, c: CipherVector, *, cores: int = 1) -> list[int]:
        """The plaintexts themselves. Raises DecryptedOutOfRange for one beyond the bound."""
        bits, modulus = _known(c), self.owner.plain_modulus
        plain = [_centred(m, modulus) for m in self._opened(c, cores)]
        if any(abs(m).bit_length() > bits for m in plain):
            raise DecryptedOutOfRange
        return plain

    def _opened(self, c: CipherVector, cores: int = 1) -> list[int]:
        if c.key != self.public:
            raise ForeignKey

        def work(start: int, stop: int) -> list[mpz]:
            return [mpz(m) for m in self.owner.residues(c.values[start:stop])]

        width, least = (
            parallel.width_of(self.public.modulus),
            self.public.worth(c.key.key_bits // 4),
        )
        found = parallel.spread(work, len(c), cores=cores, width=width, least=least)
        return [int(m) for m in found]


def prime(bits: int) -> mpz:
    """A random prime of so many bits, its two highest bits set, 3 mod 4."""
    while True:
        top = mpz(secrets.randbits(bits)) | mpz(3) << (bits - 2)
        found = gmpy2.next_prime(top)
        if found % 4 == 3 and found.bit_length() == bits:
            return found


def _known(c: CipherVector) -> int:
    if c.bits is None:
        raise BadCiphertext("blinded numbers can only be opened")
    return c.bits


def _centred(m: int | mpz, n: int | mpz) -> int:
    """The representative of m mod n nearest to 0."""
    m, n = int(m) % int(n), int(n)
    return m - n if m > n // 2 else m


def checked(key: PublicKey, values: Iterable[mpz]) -> list[mpz]:
    """The values if each can be a ciphertext of the key. Raises BadCiphertext.

    One gcd for all of them: their product is coprime to n if and only if each is.
    """
    found, n = list(values), key.n
    if any(not 0 < v < key.modulus for v in found):
        raise BadCiphertext("a value is outside (0, modulus)")
    product = mpz(1)
    for value in found:
        product = product * value % n
    if gmpy2.gcd(product, n) != 1:
        raise BadCiphertext("a value has no inverse mod n")
    return found
