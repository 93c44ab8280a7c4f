"""Commutative encryption of ids: E_a(E_b(x)) = E_b(E_a(x)), in one of two groups.

    Curve      ristretto255: E_k(x) = k H(x)            32 bytes, about 50 microseconds
    SafePrime  squares modulo a MODP prime: H(x)^2k     128 or 256 bytes, some milliseconds

Both hash every id into the group (nobody knows a logarithm of it) and have prime order, so no
element hides in a small subgroup and no bit of an id survives encryption.

Source: Pohlig and Hellman 1978; Huberman, Franklin and Hogg 1999 (private set intersection).
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from functools import cache
from typing import Any, Protocol

import gmpy2
import numpy as np
import pyarrow as pa

from federatedml.crypto import hashing, ristretto
from federatedml.crypto.hashing import Bytes2D
from federatedml.crypto.ristretto import InvalidElement

EXPONENT_BITS = 256
"""Bits of a secret exponent in a safe-prime group; twice the security strength is enough and
more than that only slower. Source: NIST SP 800-56A rev. 3, 5.6.1.1.1 (at least 224 for 2048)."""

_MODP = {1024: (894, 129093), 2048: (1918, 124476), 3072: (2942, 1690314), 4096: (3966, 240904)}
"""bits -> (shift of pi, addend). Sources: RFC 2409 group 2; RFC 3526 groups 14, 15, 16."""


@dataclass(frozen=True)
class Secret:
    """A private exponent or scalar; never in a repr, a log or a message."""

    value: Any = field(repr=False)


class Group(Protocol):
    """What a protocol needs of a group; rows are (n, width) bytes."""

    @property
    def width(self) -> int:
        """Bytes of an element."""

    def secret(self) -> Secret:
        """A fresh random key."""

    def inverse(self, key: Secret) -> Secret:
        """The key that undoes ``key``."""

    def embed(self, texts: pa.Array) -> Bytes2D:
        """Hash texts into the group."""

    def apply(self, rows: Bytes2D, key: Secret) -> Bytes2D:
        """Encrypt rows, maybe a stranger's. Raises InvalidElement."""


@dataclass(frozen=True)
class Curve:
    """ristretto255. hash_method, salt: FATE's ``ecdh_params``."""

    hash_method: str = "sha256"
    salt: str = ""
    width: int = ristretto.WIDTH

    def secret(self) -> Secret:
        return Secret(ristretto.random_scalar())

    def inverse(self, key: Secret) -> Secret:
        return Secret(ristretto.inverse(key.value))

    def embed(self, texts: pa.Array) -> Bytes2D:
        seeds = hashing.digests(texts, self.hash_method, self.salt)
        return ristretto.from_uniform(
            hashing.stretched(seeds, ristretto.UNIFORM, b"distaff psi ristretto255")
        )

    def apply(self, rows: Bytes2D, key: Secret) -> Bytes2D:
        return ristretto.multiply(rows, key.value)


@dataclass(frozen=True)
class SafePrime:
    """Squares modulo a safe prime. bits: 1024, 2048, 3072 or 4096. hash_method, salt: FATE's
    ``dh_params``."""

    bits: int = 2048
    hash_method: str = "sha256"
    salt: str = ""

    @property
    def width(self) -> int:
        return self.bits // 8

    def secret(self) -> Secret:
        return Secret(secrets.randbits(EXPONENT_BITS) | (1 << (EXPONENT_BITS - 1)))

    def inverse(self, key: Secret) -> Secret:
        return Secret(pow(key.value, -1, modp(self.bits) // 2))

    def embed(self, texts: pa.Array) -> Bytes2D:
        p, seeds = modp(self.bits), hashing.digests(texts, self.hash_method, self.salt)
        # 128 bits more than p, so that the remainder is uniform but for 2^-128.
        wide = hashing.stretched(seeds, self.width + 16, b"distaff psi modp %d" % self.bits)
        return columns([x * x % p for x in numbers(wide)], self.width)

    def apply(self, rows: Bytes2D, key: Secret) -> Bytes2D:
        p, values = modp(self.bits), numbers(rows)
        for i, value in enumerate(values):
            if not 1 < value < p - 1 or gmpy2.jacobi(value, p) != 1:
                raise InvalidElement(i)
        return columns(gmpy2.powmod_base_list(values, key.value, p), self.width)


@cache
def modp(bits: int) -> Any:
    """The MODP prime p of so many bits: p and (p - 1) / 2 are prime.

    Computed from the RFCs' formula 2^b - 2^(b-64) - 1 + 2^64 (floor(2^s pi) + a), because a long
    constant can lose a line unseen: FATE 1.11's 2048-bit prime did.
    """
    shift, addend = _MODP[bits]
    with gmpy2.context(precision=bits + 64):
        pi = gmpy2.mpz(gmpy2.floor(gmpy2.mul_2exp(gmpy2.const_pi(), shift)))
    two = gmpy2.mpz(2)
    return two**bits - two ** (bits - 64) - 1 + two**64 * (pi + addend)


def numbers(rows: Bytes2D) -> list[Any]:
    """Big-endian rows as integers. rows: (n, w)."""
    width, raw = rows.shape[1], np.ascontiguousarray(rows).tobytes()
    return [gmpy2.mpz.from_bytes(raw[at : at + width], "big") for at in range(0, len(raw), width)]


def columns(values: list[Any], width: int) -> Bytes2D:
    """Integers as (n, width) big-endian rows."""
    raw = b"".join(value.to_bytes(width, "big") for value in values)
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, width)
