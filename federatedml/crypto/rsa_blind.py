"""Blind RSA signatures as an oblivious function of ids: token = hash(H(id)^d || digest of id).

The signer learns nothing of what it signs, because every id is blinded by its own random unit
of the whole ring. FATE blinds with 128 random bits (``random_bit``) or one number for many ids
(``random_base_fraction``); the signer, who knows d, can undo either for a guessed id, so both
parameters are accepted and not followed.

Source: Chaum 1983; De Cristofaro and Tsudik 2010, section 4.1 (full-domain hash H).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import Any

import gmpy2
import pyarrow as pa
from cryptography.hazmat.primitives.asymmetric import rsa

from federatedml.crypto import hashing
from federatedml.crypto.commutative import columns, numbers
from federatedml.crypto.hashing import Bytes2D
from federatedml.crypto.multiexp import inverses
from federatedml.crypto.ristretto import InvalidElement

E = 65537


@dataclass(frozen=True)
class Hashes:
    """How ids enter and tokens leave: FATE's ``hash_method``, ``salt``, ``final_hash_method``."""

    first: str = "sha256"
    salt: str = ""
    final: str = "sha256"


@dataclass(frozen=True)
class PublicKey:
    """n: the modulus; e is always 65537."""

    n: Any
    hashes: Hashes = Hashes()

    @property
    def width(self) -> int:
        return (int(self.n).bit_length() + 7) // 8

    def seeds(self, texts: pa.Array) -> Bytes2D:
        """Digests of ids, from which everything else of an id follows."""
        return hashing.digests(texts, self.hashes.first, self.hashes.salt)

    def embed(self, seeds: Bytes2D) -> list[Any]:
        """H: full-domain hash onto the integers mod n, uniform but for 2^-128."""
        wide = hashing.stretched(seeds, self.width + 16, b"distaff psi rsa")
        return [x % self.n for x in numbers(wide)]

    def blind(self, seeds: Bytes2D) -> tuple[Bytes2D, Bytes2D]:
        """r^e H(id) mod n, and the r (secret) to unblind with, each (n, width)."""
        n, rs = self.n, [gmpy2.mpz(1 + secrets.randbelow(int(self.n) - 1)) for _ in seeds]
        powers = gmpy2.powmod_base_list(rs, E, n)
        hidden = [a * b % n for a, b in zip(powers, self.embed(seeds), strict=True)]
        return columns(hidden, self.width), columns(rs, self.width)

    def finish(self, signed: Bytes2D, rs: Bytes2D, seeds: Bytes2D) -> Bytes2D:
        """Tokens (n, digest) from blindly signed ids. Raises InvalidElement."""
        n = self.n
        pairs = zip(self._checked(signed), inverses(numbers(rs), n), strict=True)
        plain = columns([y * r % n for y, r in pairs], self.width)
        return hashing.finals(plain, seeds, self.hashes.final)

    def _checked(self, rows: Bytes2D) -> list[Any]:
        values = numbers(rows)
        for i, value in enumerate(values):
            if not 0 < value < self.n:
                raise InvalidElement(i)
        return values


@dataclass(frozen=True)
class SecretKey:
    """The signer's key; signs modulo the two primes (CRT), about four times faster."""

    public: PublicKey
    p: Any = field(repr=False)
    q: Any = field(repr=False)

    def sign(self, rows: Bytes2D) -> Bytes2D:
        """value^d mod n for every row, maybe a stranger's. Raises InvalidElement."""
        return columns(self._power(self.public._checked(rows)), self.public.width)

    def tokens(self, seeds: Bytes2D) -> Bytes2D:
        """Tokens (n, digest) of the signer's own ids, by their digests."""
        plain = columns(self._power(self.public.embed(seeds)), self.public.width)
        return hashing.finals(plain, seeds, self.public.hashes.final)

    def _power(self, values: list[Any]) -> list[Any]:
        p, q = self.p, self.q
        d = gmpy2.invert(E, (p - 1) * (q - 1))
        lift = gmpy2.invert(q, p)
        mod_p = gmpy2.powmod_base_list([v % p for v in values], d % (p - 1), p)
        mod_q = gmpy2.powmod_base_list([v % q for v in values], d % (q - 1), q)
        return [b + q * ((a - b) * lift % p) for a, b in zip(mod_p, mod_q, strict=True)]


def keygen(bits: int, hashes: Hashes = Hashes()) -> SecretKey:
    """A fresh key. bits: 1024 or more; below 2048 only for old configurations."""
    made = rsa.generate_private_key(E, bits).private_numbers()
    return restore(made.p, made.q, hashes)


def public_key(n: int, hashes: Hashes) -> PublicKey:
    """The public half of another party's key, from its modulus."""
    return PublicKey(gmpy2.mpz(n), hashes)


def restore(p: int, q: int, hashes: Hashes) -> SecretKey:
    """A kept key, from its primes."""
    p, q = gmpy2.mpz(p), gmpy2.mpz(q)
    return SecretKey(PublicKey(p * q, hashes), p, q)
