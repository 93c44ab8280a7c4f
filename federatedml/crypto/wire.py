"""How keys and ciphertexts cross a border: contiguous bytes, checked on arrival.

Import this module where a ``Wire`` declares them. The check sum finds damage, not malice: a
sender may encrypt what it likes anyway, and mutual TLS says who the sender is.
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from typing import Any

from gmpy2 import mpz

from federatedml.crypto.errors import BadCiphertext
from federatedml.crypto.paillier import CipherVector, PublicKey, checked
from federation import codec

MAX_KEY_BITS = 16384


@lru_cache(maxsize=8)
def _key(n: bytes) -> PublicKey:
    """One object per key and process, so that its table of powers is made once."""
    modulus = mpz(int.from_bytes(n, "little"))
    if not 16 <= modulus.bit_length() <= MAX_KEY_BITS or modulus % 2 == 0:
        raise BadCiphertext("not a Paillier modulus")
    return PublicKey(modulus)


def _packed(values: list[mpz], width: int) -> bytes:
    return b"".join([int(v).to_bytes(width, "little") for v in values])


def _vector_fields(c: CipherVector) -> list[Any]:
    width = (c.key.n2.bit_length() + 7) // 8
    body = _packed(c.values, width)
    check = hashlib.blake2b(body, digest_size=16).digest()
    return [_key_fields(c.key), c.scale_bits, c.bits, width, check, body]


def _build_vector(fields: Any) -> CipherVector:
    n, scale_bits, bits, width, check, body = fields
    key = _key(n)
    if width != (key.n2.bit_length() + 7) // 8 or len(body) % width:
        raise BadCiphertext("its length does not fit the key")
    if hashlib.blake2b(body, digest_size=16).digest() != check:
        raise BadCiphertext("its check sum is wrong")
    sound = isinstance(scale_bits, int) and 0 <= scale_bits < MAX_KEY_BITS
    if not sound or not (bits is None or (isinstance(bits, int) and 0 <= bits < key.key_bits - 1)):
        raise BadCiphertext("its scale or range is impossible")
    parts = (body[i : i + width] for i in range(0, len(body), width))
    values = checked(key, (mpz(int.from_bytes(part, "little")) for part in parts))
    return CipherVector(key, values, scale_bits, bits)


def _key_fields(key: PublicKey) -> bytes:
    return int(key.n).to_bytes((key.key_bits + 7) // 8, "little")


codec.register("PaillierKey", PublicKey, _key_fields, _key)
codec.register("PaillierVector", CipherVector, _vector_fields, _build_vector)

__all__ = ["CipherVector", "PublicKey"]
