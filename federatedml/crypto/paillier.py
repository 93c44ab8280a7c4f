"""Paillier's scheme: c = (1 + m n) r mod n^2 with r an n-th residue; vectors in ``bigcipher``.

Blinding factors r follow Damgard, Jurik and Nielsen: h^a with h = (-y^2)^n for a random y and a
short random exponent a, from a table of powers of h. Security rests on decisional composite
residuosity and, for the short exponents, on the usual assumption that h^a looks like a random
n-th residue. ``public_key(n, textbook=True)`` drops the second assumption at 20 to 40 times the
cost of an encryption.
Source: Paillier 1999, scheme 1; Damgard, Jurik, Nielsen 2010, section 4.2.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property

import gmpy2
from gmpy2 import mpz

from federatedml.crypto import powers, strength
from federatedml.crypto.bigcipher import (
    SCALE_BITS,
    VALUE_BITS,
    CipherVector,
    PublicKey,
    SecretKey,
    prime,
)
from federatedml.crypto.powers import PowerTable

SCHEME = "Paillier"

_WINDOW = 10
"""Bits of an exponent that one entry of the table of powers stands for."""


@dataclass(frozen=True)
class Group:
    """The units modulo n^2. textbook: blinding factors r^n with r uniform, instead of h^a."""

    n: mpz
    textbook: bool = field(default=False, compare=False)
    scheme: str = field(default=SCHEME, init=False)

    @cached_property
    def modulus(self) -> mpz:
        return self.n * self.n

    @cached_property
    def plain_bits(self) -> int:
        return int(self.n.bit_length()) - 2

    @property
    def blind_bits(self) -> int:
        return self.plain_bits

    @property
    def wrap(self) -> mpz:
        return self.n

    @property
    def level(self) -> int:
        return strength.of_modulus(int(self.n.bit_length()))

    def describe(self) -> str:
        bits = int(self.n.bit_length())
        short = f" and short exponents of {strength.short_exponent(bits)} bits"
        return (
            f"Paillier, {bits}-bit key, {strength.said(self.level)}: decisional composite "
            f"residuosity{', textbook randomness' if self.textbook else short}"
        )

    def fields(self) -> list[bytes]:
        return [int(self.n).to_bytes((int(self.n.bit_length()) + 7) // 8, "little")]

    def prepare(self) -> None:
        self.zero()

    @cached_property
    def _blinds(self) -> PowerTable:
        """Powers of h. Cost: once per key and process; see ``powers.table``."""
        y = mpz(secrets.randbelow(int(self.n) - 2)) + 2
        h = gmpy2.powmod(-y * y % self.n, self.n, self.modulus)
        bits = strength.short_exponent(int(self.n.bit_length()))
        return powers.table(h, self.modulus, bits, window=_WINDOW)

    def bare(self, m: int, bits: int) -> mpz:  # noqa: ARG002 (any size costs the same)
        return (1 + m * self.n) % self.modulus

    def zero(self) -> mpz:
        """Cost: a product per window of the exponent; if textbook, a full exponentiation."""
        if self.textbook:
            y = mpz(secrets.randbelow(int(self.n) - 1)) + 1
            return gmpy2.powmod_sec(y, self.n, self.modulus)
        return self._blinds.random()

    def veil(self) -> mpz:
        """Hides perfectly if textbook, else as far as short exponents hide from who knows the
        factors of n (but not h)."""
        return self.zero()

    def mask(self) -> int:
        return secrets.randbelow(int(self.n))


@dataclass(frozen=True)
class Factors:
    """n = p q. Never printed."""

    p: mpz = field(repr=False)
    q: mpz = field(repr=False)

    @cached_property
    def plain_modulus(self) -> mpz:
        return self.p * self.q

    @cached_property
    def _crt(self) -> tuple[mpz, mpz, mpz]:
        """1 / L(g^(p-1)) mod p, the same for q, and 1 / q mod p."""
        p, q, n = self.p, self.q, self.plain_modulus
        hp = gmpy2.invert((gmpy2.powmod(1 + n, p - 1, p * p) - 1) // p, p)
        hq = gmpy2.invert((gmpy2.powmod(1 + n, q - 1, q * q) - 1) // q, q)
        return hp, hq, gmpy2.invert(q, p)

    def residues(self, values: list[mpz]) -> list[int]:
        """Cost: two exponentiations of half the size each, by remainders mod p^2 and q^2."""
        p, q = self.p, self.q
        hp, hq, q_inverse = self._crt
        found = []
        for value in values:
            mp = (gmpy2.powmod_sec(value % (p * p), p - 1, p * p) - 1) // p * hp % p
            mq = (gmpy2.powmod_sec(value % (q * q), q - 1, q * q) - 1) // q * hq % q
            found.append(int(mq + (mp - mq) * q_inverse % p * q))
        return found


def public_key(n: mpz, *, textbook: bool = False) -> PublicKey:
    """The key of a known modulus."""
    return PublicKey(Group(n, textbook))


def secret_key(p: mpz, q: mpz, *, textbook: bool = False) -> SecretKey:
    """The key of known factors."""
    return SecretKey(public_key(p * q, textbook=textbook), Factors(p, q))


def keygen(key_bits: int) -> tuple[PublicKey, SecretKey]:
    """A fresh pair with an n of exactly key_bits bits.

    Both primes are 3 mod 4 and p - 1 and q - 1 share no factor but 2, as the short exponents
    ask: every part of the group of blinding factors is then cyclic, so that h can make all of it.
    Cost: about 60 ms for 2048 bits.
    """
    while True:
        p, q = prime(key_bits - key_bits // 2), prime(key_bits // 2)
        n = p * q
        if gmpy2.gcd(p - 1, q - 1) != 2:
            continue
        if n.bit_length() == key_bits and gmpy2.gcd(n, (p - 1) * (q - 1)) == 1:
            secret = secret_key(p, q)
            return secret.public, secret


__all__ = ["SCALE_BITS", "VALUE_BITS", "CipherVector", "PublicKey", "SecretKey", "keygen"]
