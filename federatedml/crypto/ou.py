"""Okamoto and Uchiyama's scheme: c = g^m r mod n with n = p^2 q; vectors in ``bigcipher``.

Ciphertexts are half as long as Paillier's for an equal modulus, so that all is faster, and
plaintexts are numbers modulo the secret p, a third of the key's bits. A plaintext of p or more
would, once decrypted, give p away by a gcd; hence

- results are bounded by ``plain_bits``, 66 bits below those of p: known to all, and so far below
  that no multiple of p can be met by chance;
- a decryption beyond that bound is refused, and not given out (``DecryptedOutOfRange``);
- a blinded number is not uniform modulo p but has a mask 64 bits longer than itself, and is
  opened over the integers.

Blinding factors are r = h^a with h = (-y^2)^n for a random y of each party's own, g a square: as
in ``paillier``, with a short for encryption. Security rests on the p-subgroup assumption (one-way
if n is hard to factor) and on that short exponents look like long ones. What hides history from
the key's owner (``veil``) does not: the owner knows p, and logarithms modulo a prime of a third
of the key's bits are not out of everybody's reach, so there a covers the whole order.
``public_key(n, g, textbook=True)`` has r = y^n for a fresh y each time.
Source: Okamoto, Uchiyama 1998, section 3; short exponents as Damgard, Jurik, Nielsen 2010.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cached_property

import gmpy2
from gmpy2 import mpz

from federatedml.crypto import powers, strength
from federatedml.crypto.bigcipher import PublicKey, SecretKey, prime
from federatedml.crypto.errors import BadCiphertext
from federatedml.crypto.powers import PowerTable

SCHEME = "OU"

HIDING_BITS = 64
"""What is shown differs from something independent of the secret by at most 2^-64."""

_WINDOW = 10
_SMALL_WINDOW = 7
"""Bits of an exponent per entry of a table; the small one for exponents that are long."""

_SMALL_PRIMES = gmpy2.primorial(1 << 16)


@dataclass(frozen=True)
class Group:
    """The units modulo n, and g, of order p modulo p^2. textbook: see the module."""

    n: mpz
    g: mpz
    textbook: bool = field(default=False, compare=False)
    scheme: str = field(default=SCHEME, init=False)

    @property
    def modulus(self) -> mpz:
        return self.n

    @cached_property
    def _prime_bits(self) -> int:
        return _prime_bits(int(self.n.bit_length()))

    @cached_property
    def plain_bits(self) -> int:
        """|m| < p/2 needs 2 bits fewer than p has; the rest is the guard."""
        return max(0, self._prime_bits - 2 - HIDING_BITS)

    @cached_property
    def blind_bits(self) -> int:
        return max(0, self.plain_bits - HIDING_BITS - 1)

    @cached_property
    def wrap(self) -> mpz:
        return mpz(1) << self.plain_bits

    @property
    def level(self) -> int:
        return strength.of_modulus(int(self.n.bit_length()))

    def describe(self) -> str:
        bits = int(self.n.bit_length())
        short = f" and short exponents of {strength.short_exponent(bits)} bits"
        return (
            f"OU, {bits}-bit key n = p^2 q, {strength.said(self.level)} if that is no easier to "
            f"factor than p q: p-subgroup assumption"
            f"{', textbook randomness' if self.textbook else short}"
        )

    def fields(self) -> list[bytes]:
        width = (int(self.n.bit_length()) + 7) // 8
        return [int(x).to_bytes(width, "little") for x in (self.n, self.g)]

    def prepare(self) -> None:
        self.bare(0, 1)
        self.zero()

    @cached_property
    def _messages(self) -> PowerTable:
        """Powers of g for every plaintext."""
        return powers.table(self.g, self.n, self.plain_bits, window=8, signed=True)

    @cached_property
    def _h(self) -> mpz:
        y = mpz(secrets.randbelow(int(self.n) - 2)) + 2
        return gmpy2.powmod(-y * y % self.n, self.n, self.n)

    @cached_property
    def _blinds(self) -> PowerTable:
        """Powers of h for short exponents."""
        bits = strength.short_exponent(int(self.n.bit_length()))
        return powers.table(self._h, self.n, bits, window=_WINDOW)

    @cached_property
    def _veils(self) -> PowerTable:
        """Powers of h for exponents that are uniform modulo its order but for 2^-64."""
        order_bits = int(self.n.bit_length()) - self._prime_bits
        return powers.table(self._h, self.n, order_bits + HIDING_BITS, window=_SMALL_WINDOW)

    def bare(self, m: int, bits: int) -> mpz:
        return self._messages.signed(m, bits)

    def zero(self) -> mpz:
        return self._uniform() if self.textbook else self._blinds.random()

    def veil(self) -> mpz:
        """Cost: about 7 times that of ``zero``."""
        return self._uniform() if self.textbook else self._veils.random()

    def _uniform(self) -> mpz:
        y = mpz(secrets.randbelow(int(self.n) - 1)) + 1
        return gmpy2.powmod_sec(y, self.n, self.n)

    def mask(self) -> int:
        """Keeps m + mask from 0 to wrap - 1 for every m with |m| < 2^blind_bits."""
        low = 1 << self.blind_bits
        return low + secrets.randbelow((1 << self.plain_bits) - 2 * low)


@dataclass(frozen=True)
class Factors:
    """n = p^2 q. Never printed."""

    p: mpz = field(repr=False)
    g: mpz = field(repr=False)

    @property
    def plain_modulus(self) -> mpz:
        return self.p

    @cached_property
    def _inverse(self) -> mpz:
        """1 / L(g^(p-1) mod p^2) mod p."""
        return gmpy2.invert(_logarithm(self.g, self.p), self.p)

    def residues(self, values: list[mpz]) -> list[int]:
        """Cost: one exponentiation mod p^2, two thirds of the key's size, by half as many bits."""
        return [int(_logarithm(v, self.p) * self._inverse % self.p) for v in values]


def public_key(n: mpz, g: mpz, *, textbook: bool = False) -> PublicKey:
    """The key of known numbers. Raises BadCiphertext for a g that cannot be one."""
    if not 1 < g < n - 1 or gmpy2.gcd(g, n) != 1:
        raise BadCiphertext("not a generator of OU")
    return PublicKey(Group(n, g, textbook))


def secret_key(p: mpz, q: mpz, g: mpz, *, textbook: bool = False) -> SecretKey:
    """The key of known factors."""
    return SecretKey(public_key(p * p * q, g, textbook=textbook), Factors(p, g))


def keygen(key_bits: int) -> tuple[PublicKey, SecretKey]:
    """A fresh pair with an n of exactly key_bits bits; 1024 and more have room for numbers.

    Both primes are 3 mod 4, p - 1 and q - 1 share no factor but 2 and have no other below 2^16:
    the group of blinding factors is then cyclic, and a random h makes all of it but for one part
    in thousands. Cost: about 0.3 s for 2048 bits.
    """
    p_bits = _prime_bits(key_bits)
    while True:
        p, q = _rough_prime(p_bits), _rough_prime(key_bits - 2 * p_bits)
        n = p * p * q
        if p != q and n.bit_length() == key_bits and gmpy2.gcd(p - 1, q - 1) == 2:
            break
    while True:
        x = mpz(secrets.randbelow(int(n) - 2)) + 2
        g = x * x % n
        if gmpy2.gcd(x, n) == 1 and _logarithm(g, p) != 0:
            secret = secret_key(p, q, g)
            return secret.public, secret


def _prime_bits(key_bits: int) -> int:
    return key_bits // 3


def _rough_prime(bits: int) -> mpz:
    """A prime p for which (p - 1) / 2 has no factor below 2^16."""
    while gmpy2.gcd((found := prime(bits)) // 2, _SMALL_PRIMES) != 1:
        pass
    return found


def _logarithm(value: mpz, p: mpz) -> mpz:
    """L(value^(p-1) mod p^2), a multiple of the plaintext mod p."""
    square = p * p
    return (gmpy2.powmod_sec(value % square, p - 1, square) - 1) // p
