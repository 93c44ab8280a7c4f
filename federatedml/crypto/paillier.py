"""Paillier encryption of whole vectors of real numbers, added and multiplied while encrypted.

A key offers: encrypt, add, add_at, sub, mul_plain, matvec, sum_by_bin, refresh, blind; its owner
also decrypt. Numbers are fixed point (``fixedpoint``); every vector carries, in public, its scale
and a bound on its magnitude, and an operation whose result could leave the range of the key is
refused before it is computed: nothing wraps around.

The generator is n + 1. Blinding factors follow Damgard, Jurik and Nielsen: h^a with h = (-y^2)^n
for a random y and a short random exponent a, from a table of powers of h; see ``PublicKey``.
Security rests on decisional composite residuosity and, for the short exponents, on the usual
assumption that h^a looks like a random n-th residue. ``PublicKey(n, textbook=True)`` drops the
second assumption at 20 to 40 times the cost of an encryption.
Source: Paillier 1999, scheme 1; Damgard, Jurik, Nielsen 2010, section 4.2.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property

import gmpy2
import numpy as np
from gmpy2 import mpz
from numpy.typing import NDArray

from federatedml.crypto import fixedpoint, multiexp, parallel
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange
from federatedml.crypto.multiexp import Floats, Matrix

SCALE_BITS = 48
"""Fractional bits of an encrypted number unless told otherwise: an error below 2e-15."""

VALUE_BITS = 80
"""Magnitude bound of an encrypted number: 2^32 at the default scale."""

_EXPONENT_BITS = ((1024, 160), (2048, 224), (3072, 256), (1 << 20, 384))
"""Short exponents by key bits: twice the key's security level (80, 112, 128, at most 192)."""

_WINDOW = 10
"""Bits of an exponent that one entry of the table of powers stands for."""

_LOW = (1 << _WINDOW) - 1


@dataclass(frozen=True)
class CipherVector:
    """n ciphertexts under one key: 0 < c < n_key^2 each.

    scale_bits: fractional bits of the plaintexts. bits: |m| < 2^bits for every plaintext m;
    None for blinded ones, which are uniform below n_key. Both are public.
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

    n: mpz = field(repr=False)
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
            text = _centred(value - mask, self.n)
            for _ in range(min(self.per_text, self.count - len(found))):
                number = _centred(text, mpz(1) << self.slot)
                found.append(number)
                text = (text - number) >> self.slot
        return fixedpoint.decode(found, self.scale_bits)


@dataclass(frozen=True)
class PublicKey:
    """Paillier's n, with everything that can be done without the secret.

    textbook: blinding factors r^n with r uniform, instead of h^a.
    Equality is that of n: vectors of equal keys may be mixed.
    """

    n: mpz
    textbook: bool = field(default=False, compare=False)

    @property
    def key_bits(self) -> int:
        return int(self.n.bit_length())

    @cached_property
    def n2(self) -> mpz:
        return self.n * self.n

    @property
    def fingerprint(self) -> bytes:
        """16 bytes that name the key."""
        return hashlib.sha256(gmpy2.to_binary(self.n)).digest()[:16]

    @cached_property
    def _windows(self) -> int:
        """How many windows a short exponent has."""
        wanted = next(bits for longest, bits in _EXPONENT_BITS if self.key_bits <= longest)
        return -(-wanted // _WINDOW)

    @cached_property
    def _powers(self) -> list[list[mpz]]:
        """Row k, entry b: h^(b * 1024^k). Cost: 1024 products a row, once per key and process."""
        y = mpz(secrets.randbelow(int(self.n) - 2)) + 2
        base = gmpy2.powmod(-y * y % self.n, self.n, self.n2)
        table = []
        for _ in range(self._windows):
            row = [mpz(1)]
            for _ in range((1 << _WINDOW) - 1):
                row.append(row[-1] * base % self.n2)
            table.append(row)
            base = row[-1] * base % self.n2
        return table

    def _zero(self) -> mpz:
        """A fresh encryption of 0. Cost: a product per window of the exponent; if textbook, a
        full exponentiation."""
        n2 = self.n2
        if self.textbook:
            return gmpy2.powmod_sec(mpz(secrets.randbelow(int(self.n) - 1)) + 1, self.n, n2)
        exponent, blind = secrets.randbits(self._windows * _WINDOW), mpz(1)
        for row in self._powers:
            blind = blind * row[exponent & _LOW] % n2
            exponent >>= _WINDOW
        return blind

    def encrypt(
        self,
        values: Floats,
        *,
        scale_bits: int = SCALE_BITS,
        bits: int = VALUE_BITS,
        cores: int = 1,
    ) -> CipherVector:
        """c = (1 + m n) h^a mod n^2, each with fresh randomness from the operating system.

        values: (n,) finite, |value| < 2^(bits - scale_bits).
        Returns (n,) ciphertexts of values off by at most 2^-(scale_bits + 1).
        Raises PlaintextOutOfRange. Reveals to a receiver: n, scale_bits, bits.
        Cost: 17 products mod n^2 a value for 1024 bits, 24 for 2048.
        """
        self._check_range("the range of a number", bits)
        n, n2 = self.n, self.n2
        plain = fixedpoint.encode(values, scale_bits, bits)
        assert self.textbook or self._powers  # made before helpers are forked

        def work(start: int, stop: int) -> list[mpz]:
            return [(1 + m * n) % n2 * self._zero() % n2 for m in plain[start:stop]]

        sealed = parallel.spread(
            work, len(plain), cores=cores, width=parallel.width_of(n2), least=self._worth(20)
        )
        return CipherVector(self, sealed, scale_bits, bits)

    def add(self, a: CipherVector, b: CipherVector) -> CipherVector:
        """Ciphertexts of the sums. ``refresh`` them before they leave the party."""
        bits = self._sum_bits(a, b)
        if len(a) != len(b):
            raise BadCiphertext(f"vectors of {len(a)} and {len(b)} cannot be added")
        n2 = self.n2
        total = [x * y % n2 for x, y in zip(a.values, b.values, strict=True)]
        return CipherVector(self, total, a.scale_bits, bits)

    def add_at(self, a: CipherVector, rows: NDArray[np.int64], b: CipherVector) -> CipherVector:
        """``a`` with b[k] added at position rows[k]."""
        bits, n2 = self._sum_bits(a, b), self.n2
        total = list(a.values)
        for row, value in zip(rows.tolist(), b.values, strict=True):
            total[row] = total[row] * value % n2
        return CipherVector(self, total, a.scale_bits, bits)

    def sub(self, a: CipherVector, b: CipherVector) -> CipherVector:
        """Ciphertexts of the differences a - b. ``refresh`` them before they leave the party."""
        self._own(b)
        negated = multiexp.inverses(b.values, self.n2)
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
            gmpy2.powmod(v, int(k), self.n2) for v, k in zip(c.values, whole.tolist(), strict=True)
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
        Cost: about 4.5 products mod n^2 for each of the n k entries that is not zero.
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
        inverted = multiexp.inverses(c.values, self.n2)
        columns = multiexp.columns(whole)

        def work(start: int, stop: int) -> list[mpz]:
            return multiexp.products(c.values, inverted, columns[start:stop], self.n2)

        found = parallel.spread(
            work,
            len(columns),
            cores=cores,
            width=parallel.width_of(self.n2),
            least=max(1, self._worth(5) // max(1, len(c))),
        )
        return CipherVector(self, found, c.scale_bits + scale_bits, bits)

    def sum_by_bin(self, c: CipherVector, bins: NDArray[np.integer], n_bins: int) -> CipherVector:
        """(n_bins,) ciphertexts of the sums of c over the rows of each bin.

        bins: (n,) bin of each row, 0 <= bin < n_bins. ``refresh`` before they leave the party.
        """
        self._own(c)
        total, n2 = [mpz(1)] * n_bins, self.n2
        for b, value in zip(bins.tolist(), c.values, strict=True):
            total[b] = total[b] * value % n2
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
        fresh = [v * self._zero() % self.n2 for v in c.values]
        return CipherVector(self, fresh, c.scale_bits, stated)

    def blind(self, c: CipherVector, *, bits: int | None = None) -> tuple[CipherVector, Blinding]:
        """Ciphertexts of c + r for fresh r uniform below n, refreshed, and what opens them.

        Several numbers share a plaintext, as many as their bound leaves room for: decrypting one
        costs more than packing it. Whoever decrypts sees uniform numbers, whatever c is (perfect
        hiding), and learns only how many ciphertexts there are. The randomness of the ciphertexts,
        which the owner of the key can also get at, is hidden by fresh blinding factors: perfectly
        if textbook, else as far as short exponents hide.

        bits: a bound to pack by in place of c's own, which may tell how large factors were.
        Cost: about c.bits squarings a number, a fresh encryption a plaintext.
        """
        self._own(c)
        n, n2, slot = self.n, self.n2, (_known(c) if bits is None else bits) + 1
        if _known(c) >= slot:
            raise PlaintextOutOfRange("a result", _known(c), slot - 1)
        per_text = max(1, (self.key_bits - 2) // slot)
        shift, masks, hidden = mpz(1) << slot, [], []
        for start in range(0, len(c), per_text):
            packed = mpz(1)
            for value in reversed(c.values[start : start + per_text]):
                packed = gmpy2.powmod(packed, shift, n2) * value % n2
            masks.append(secrets.randbelow(int(n)))
            hidden.append(packed * ((1 + masks[-1] * n) % n2) % n2 * self._zero() % n2)
        blinding = Blinding(n, masks, c.scale_bits, len(c), per_text, slot)
        return CipherVector(self, hidden, c.scale_bits, None), blinding

    def _worth(self, products: int) -> int:
        """How many items of so many products mod n^2 take 20 ms: what is worth a fork."""
        return max(1, int(0.02 / (products * 1.9e-6 * (self.key_bits / 1024) ** 1.7)))

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
        if bits > self.key_bits - 2:
            raise PlaintextOutOfRange(what, bits, self.key_bits - 2)


@dataclass(frozen=True)
class SecretKey:
    """The factors of n. Never printed, never sent."""

    public: PublicKey
    p: mpz = field(repr=False)
    q: mpz = field(repr=False)

    @cached_property
    def _crt(self) -> tuple[mpz, mpz, mpz]:
        """1 / L(g^(p-1)) mod p, the same for q, and 1 / q mod p."""
        p, q, n = self.p, self.q, self.public.n
        hp = gmpy2.invert((gmpy2.powmod(1 + n, p - 1, p * p) - 1) // p, p)
        hq = gmpy2.invert((gmpy2.powmod(1 + n, q - 1, q * q) - 1) // q, q)
        return hp, hq, gmpy2.invert(q, p)

    def residues(self, c: CipherVector) -> list[int]:
        """The plaintexts as numbers below n: what opens a blinded vector.

        Cost: two exponentiations of half the size each, by remainders mod p^2 and q^2.
        """
        if c.key != self.public:
            raise ForeignKey
        p, q = self.p, self.q
        hp, hq, q_inverse = self._crt
        found = []
        for value in c.values:
            mp = (gmpy2.powmod_sec(value % (p * p), p - 1, p * p) - 1) // p * hp % p
            mq = (gmpy2.powmod_sec(value % (q * q), q - 1, q * q) - 1) // q * hq % q
            found.append(int(mq + (mp - mq) * q_inverse % p * q))
        return found

    def decrypt(self, c: CipherVector) -> Floats:
        """(n,) real numbers. Raises PlaintextOutOfRange for one beyond the vector's bound."""
        bits, n = _known(c), self.public.n
        plain = [_centred(m, n) for m in self.residues(c)]
        widest = max((abs(m).bit_length() for m in plain), default=0)
        if widest > bits:
            raise PlaintextOutOfRange("a decrypted number", widest, bits)
        return fixedpoint.decode(plain, c.scale_bits)


def keygen(key_bits: int) -> tuple[PublicKey, SecretKey]:
    """A fresh pair with an n of exactly key_bits bits.

    Both primes are 3 mod 4 and p - 1 and q - 1 share no factor but 2, as the short exponents
    ask: every part of the group of blinding factors is then cyclic, so that h can make all of it.
    Cost: about 60 ms for 2048 bits.
    """
    while True:
        p, q = _prime(key_bits - key_bits // 2), _prime(key_bits // 2)
        n = p * q
        if gmpy2.gcd(p - 1, q - 1) != 2:
            continue
        if n.bit_length() == key_bits and gmpy2.gcd(n, (p - 1) * (q - 1)) == 1:
            public = PublicKey(n)
            return public, SecretKey(public, p, q)


def _prime(bits: int) -> mpz:
    """A random prime of so many bits, its two highest bits set, 3 mod 4."""
    while True:
        top = mpz(secrets.randbits(bits)) | mpz(3) << (bits - 2)
        prime = gmpy2.next_prime(top)
        if prime % 4 == 3 and prime.bit_length() == bits:
            return prime


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
    found, n, n2 = list(values), key.n, key.n2
    if any(not 0 < v < n2 for v in found):
        raise BadCiphertext("a value is outside (0, n^2)")
    product = mpz(1)
    for value in found:
        product = product * value % n
    if gmpy2.gcd(product, n) != 1:
        raise BadCiphertext("a value has no inverse mod n")
    return found
