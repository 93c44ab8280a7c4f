"""How keys and ciphertexts cross a border: contiguous bytes, checked on arrival.

Import this module where a ``Wire`` declares them. A key is tagged by its scheme, and a vector
carries its key. The check sum finds damage, not malice: a sender may encrypt what it likes
anyway, and mutual TLS says who the sender is.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import lru_cache
from typing import Any, TypeVar

from gmpy2 import mpz

from federatedml.crypto import ou, paillier
from federatedml.crypto.bigcipher import CipherVector, PublicKey, checked
from federatedml.crypto.errors import BadCiphertext
from federation import codec

T = TypeVar("T")

MAX_KEY_BITS = 16384

_DIGEST_BYTES = 16

_Maker = Callable[..., PublicKey]
_KEYS: dict[str, tuple[int, _Maker]] = {
    paillier.SCHEME: (1, paillier.public_key),
    ou.SCHEME: (2, ou.public_key),
}
"""Scheme -> (how many numbers a key is, what makes it from them)."""


@lru_cache(maxsize=8)
def _key(scheme: str, *numbers: bytes) -> PublicKey:
    """One object per key and process, so that its tables of powers are made once."""
    if scheme not in _KEYS or len(numbers) != _KEYS[scheme][0]:
        raise BadCiphertext("not a key of a known scheme")
    n, *rest = (mpz(int.from_bytes(number, "little")) for number in numbers)
    if not 16 <= n.bit_length() <= MAX_KEY_BITS or n % 2 == 0:
        raise BadCiphertext(f"not a modulus of {scheme}")
    return _KEYS[scheme][1](n, *rest)


def _build_key(fields: Any) -> PublicKey:
    return _key(*fields)


def _key_fields(key: PublicKey) -> list[Any]:
    return [key.scheme, *key.group.fields()]


def _vector_fields(c: CipherVector) -> list[Any]:
    width = _width(c.key)
    body = b"".join([int(v).to_bytes(width, "little") for v in c.values])
    check = _check([c.scale_bits, c.bits], body)
    return [_key_fields(c.key), c.scale_bits, c.bits, width, check, body]


def _build_vector(fields: Any) -> CipherVector:
    key_fields, scale_bits, bits, width, check, body = fields
    key = _build_key(key_fields)
    if width != _width(key) or len(body) % width:
        raise BadCiphertext("its length does not fit the key")
    if _check([scale_bits, bits], body) != check:
        raise BadCiphertext("its check sum is wrong")
    sound = isinstance(scale_bits, int) and 0 <= scale_bits < MAX_KEY_BITS
    known = isinstance(bits, int) and 0 <= bits <= key.group.plain_bits
    if not sound or not (bits is None or known):
        raise BadCiphertext("its scale or range is impossible")
    parts = (body[i : i + width] for i in range(0, len(body), width))
    values = checked(key, (mpz(int.from_bytes(part, "little")) for part in parts))
    return CipherVector(key, values, scale_bits, bits)


def _check(stated: list[int | None], body: bytes) -> bytes:
    """Over the ciphertexts and what is stated of them; another key does not fit by itself."""
    return hashlib.blake2b(repr(stated).encode() + body, digest_size=_DIGEST_BYTES).digest()


def _width(key: PublicKey) -> int:
    return int(key.modulus.bit_length() + 7) // 8


def to_bytes(c: object) -> bytes:
    """Anything registered, as it would travel, after a check sum over all of it."""
    payload = codec.encode(c)
    return hashlib.blake2b(payload, digest_size=_DIGEST_BYTES).digest() + payload


def from_bytes(data: bytes, cls: type[T]) -> T:
    """It back. Raises BadCiphertext for anything else."""
    check, payload = data[:_DIGEST_BYTES], data[_DIGEST_BYTES:]
    if hashlib.blake2b(payload, digest_size=_DIGEST_BYTES).digest() != check:
        raise BadCiphertext("its check sum is wrong")
    try:
        found = codec.decode(payload)
    except codec.Malformed as error:
        raise BadCiphertext(str(error)) from error
    if not isinstance(found, cls):
        raise BadCiphertext(f"it is {type(found).__name__}")
    return found


codec.register("CipherKey", PublicKey, _key_fields, _build_key)
codec.register("CipherVector", CipherVector, _vector_fields, _build_vector)

__all__ = ["CipherVector", "PublicKey"]
