"""CKKS for sums of float vectors: encrypt, add, one multiplication by a number, decrypt.

For horizontal learning: the parties share the secret key, who adds up has the public one. Results
are approximate, and that has a price: the error of a decryption is made of the secret key, and who
computed on ciphertexts and sees raw decryptions finds the key (Li and Micciancio, Eurocrypt 2021).
Hence a decryption is never returned to the evaluator: what the parties tell it of a result, they
round to far fewer digits than ``error`` or not at all. The vertical protocols, which return
decryptions by design, use exact schemes.

Ring degree 8192 and a modulus of 60 + 50 + 50 + 58 = 218 bits: 128 bits of security for a ternary
secret, the largest modulus that has them. 4096 numbers to a ciphertext, about 90 bytes a number.
Source: Cheon, Kim, Kim, Song 2017; Homomorphic Encryption Standard 2018, table 1; the library is
SEAL through ``tenseal``, an optional dependency (``pip install distaff[ckks]``).
"""

from __future__ import annotations

import hashlib
import math
import struct
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property, partial
from operator import mul, sub
from typing import Any

import numpy as np

from federatedml.crypto.errors import (
    BadCiphertext,
    DecryptedOutOfRange,
    ForeignKey,
    MissingLibrary,
    PlaintextOutOfRange,
)
from federatedml.crypto.fixedpoint import Floats

LEVEL = 128
DEGREE = 8192
SLOTS = DEGREE // 2
MODULUS_BITS = (60, 50, 50, 58)
SCALE_BITS = 50

VALUE_BITS = 24
"""An encrypted number is below 2^24 in magnitude."""
ROOM_BITS = 56
"""A result stays below 2^56: 2^50 times as much still fits the modulus after one scaling."""

_HEAD = struct.Struct("<4s16sQdB16s")
_MAGIC = b"CKK1"


@dataclass(frozen=True)
class CkksVector:
    """n encrypted numbers of magnitude below ``limit``; scaled: one factor is in them already."""

    key: PublicKey = field(repr=False)
    parts: list[Any] = field(repr=False)
    n: int
    limit: float
    is_scaled: bool = False

    def __len__(self) -> int:
        return self.n

    def __describe__(self) -> str:
        return f"ckks[{self.n}]"


@dataclass(frozen=True)
class PublicKey:
    """What encrypts and adds. packed: ``tenseal``'s own form, without the secret."""

    packed: bytes = field(repr=False)

    @cached_property
    def fingerprint(self) -> bytes:
        """16 bytes that name the key."""
        return hashlib.sha256(self.packed).digest()[:16]

    @cached_property
    def _context(self) -> Any:
        return _context(self.packed)

    @property
    def level(self) -> int:
        return LEVEL

    def describe(self) -> str:
        """Scheme, size, security, assumption: one line for logs and records."""
        return (
            f"CKKS, degree {DEGREE}, modulus of {sum(MODULUS_BITS)} bits, {LEVEL} bits of "
            "security: ring learning with errors; approximate, never decrypted for the evaluator"
        )

    @staticmethod
    def error(magnitude: float, *, is_scaled: bool = False) -> float:
        """How far a decrypted number may be off, for numbers of this magnitude (after scaling);
        errors of vectors that are added up add up."""
        return float(2.0**-32 + magnitude * 2.0 ** (-33 if is_scaled else -46))

    def encrypt(self, values: Floats) -> CkksVector:
        """values: (n,) finite, |value| < 2^24. Raises PlaintextOutOfRange."""
        flat = np.asarray(values, dtype=np.float64).ravel()
        largest = float(np.abs(flat).max(initial=0.0))
        if not largest < 2.0**VALUE_BITS:
            needed = math.frexp(largest)[1] if math.isfinite(largest) else 1024
            raise PlaintextOutOfRange("a number", needed, VALUE_BITS)
        cut = [flat[i : i + SLOTS] for i in range(0, len(flat), SLOTS)]
        parts = [_tenseal().ckks_vector(self._context, part) for part in cut]
        return CkksVector(self, parts, len(flat), 2.0**VALUE_BITS)

    def add(self, a: CkksVector, b: CkksVector) -> CkksVector:
        """Ciphertexts of the sums."""
        limit = self._together(a, b)
        parts = [x + y for x, y in zip(a.parts, b.parts, strict=True)]
        return CkksVector(self, parts, a.n, limit, a.is_scaled)

    def sub(self, a: CkksVector, b: CkksVector) -> CkksVector:
        """Ciphertexts of the differences."""
        limit = self._together(a, b)
        pairs = zip(a.parts, b.parts, strict=True)
        parts = [self._or_zero(partial(sub, x, y), x.size(), a.is_scaled) for x, y in pairs]
        return CkksVector(self, parts, a.n, limit, a.is_scaled)

    def scale(self, c: CkksVector, factor: float) -> CkksVector:
        """Ciphertexts of factor * c, once in the life of a vector."""
        self._own(c)
        if c.is_scaled:
            raise BadCiphertext("a CKKS vector can be multiplied once; multiply before encrypting")
        limit = _bounded(c.limit * max(1.0, abs(factor)))
        parts = [
            self._or_zero(partial(mul, part, float(factor)), part.size(), True) for part in c.parts
        ]
        return CkksVector(self, parts, c.n, limit, True)

    def to_bytes(self, c: CkksVector) -> bytes:
        """The vector for a message. Cost: 370 kB for 4096 numbers, 250 kB once scaled."""
        self._own(c)
        raw = [part.serialize() for part in c.parts]
        body = b"".join(struct.pack("<Q", len(part)) + part for part in raw)
        return _packed(self.fingerprint, c, body) + body

    def from_bytes(self, data: bytes) -> CkksVector:
        """The vector of a message. Raises ForeignKey, BadCiphertext."""
        if len(data) < _HEAD.size:
            raise BadCiphertext("it is cut off")
        magic, key, n, limit, is_scaled, _ = _HEAD.unpack_from(data)
        if magic != _MAGIC:
            raise BadCiphertext("it is no CKKS vector")
        if key != self.fingerprint:
            raise ForeignKey
        body = data[_HEAD.size :]
        claimed = CkksVector(self, [], n, limit, bool(is_scaled))
        if not 0 < limit < 2.0**ROOM_BITS or _packed(key, claimed, body) != data[: _HEAD.size]:
            raise BadCiphertext("its check sum or its range is wrong")
        parts = [self._part(raw) for raw in _cut(body)]
        sizes = [min(SLOTS, n - i) for i in range(0, n, SLOTS)]
        if [part.size() for part in parts] != sizes:
            raise BadCiphertext("its length is not what it states")
        return CkksVector(self, parts, n, limit, bool(is_scaled))

    def _or_zero(self, compute: Callable[[], Any], n: int, is_scaled: bool) -> Any:
        """The result, or fresh zeros where it would be a ciphertext that anybody can read: of
        c - c and 0 c, which SEAL refuses to make."""
        try:
            return compute()
        except RuntimeError as error:
            if "transparent" not in str(error):
                raise
            zeros = _tenseal().ckks_vector(self._context, [0.0] * n)
            return zeros * 1.0 if is_scaled else zeros

    def _part(self, raw: bytes) -> Any:
        try:
            return _tenseal().ckks_vector_from(self._context, raw)
        except (ValueError, RuntimeError) as error:
            raise BadCiphertext("tenseal cannot read it") from error

    def _own(self, c: CkksVector) -> None:
        if c.key != self:
            raise ForeignKey

    def _together(self, a: CkksVector, b: CkksVector) -> float:
        self._own(a)
        self._own(b)
        if a.n != b.n or a.is_scaled != b.is_scaled:
            raise BadCiphertext("vectors of different lengths, or one scaled and one not")
        return _bounded(a.limit + b.limit)


@dataclass(frozen=True)
class SecretKey:
    """What decrypts. packed: with the secret; only ever for a party that may read everything."""

    public: PublicKey
    packed: bytes = field(repr=False)

    @cached_property
    def _context(self) -> Any:
        return _context(self.packed)

    def decrypt(self, c: CkksVector) -> Floats:
        """(n,) numbers, off by up to ``PublicKey.error``. Not for the evaluator: see the module.

        Raises DecryptedOutOfRange for one beyond the vector's limit.
        """
        if c.key != self.public:
            raise ForeignKey
        secret = self._context.secret_key()
        found = np.array([x for part in c.parts for x in part.decrypt(secret)], dtype=np.float64)
        limit = c.limit + self.public.error(c.limit, is_scaled=c.is_scaled)
        if not (np.abs(found) <= limit).all():
            raise DecryptedOutOfRange
        return found


def keygen() -> tuple[PublicKey, SecretKey]:
    """A fresh pair, from SEAL's generator, which the operating system seeds. Cost: about 10 ms."""
    tenseal = _tenseal()
    made = tenseal.context(tenseal.SCHEME_TYPE.CKKS, DEGREE, coeff_mod_bit_sizes=list(MODULUS_BITS))
    made.global_scale = 2.0**SCALE_BITS
    kept = {"save_galois_keys": False, "save_relin_keys": False}
    public = PublicKey(made.serialize(save_secret_key=False, **kept))
    return public, SecretKey(public, made.serialize(save_secret_key=True, **kept))


def _tenseal() -> Any:
    try:
        import tenseal
    except ImportError as error:
        raise MissingLibrary("CKKS", "ckks") from error
    return tenseal


def _context(packed: bytes) -> Any:
    try:
        return _tenseal().context_from(packed)
    except (ValueError, RuntimeError) as error:
        raise BadCiphertext("not a CKKS key") from error


def _bounded(limit: float) -> float:
    if not limit < 2.0**ROOM_BITS:
        bits = math.frexp(limit)[1] if math.isfinite(limit) else 1024
        raise PlaintextOutOfRange("a sum", bits, ROOM_BITS)
    return limit


def _packed(key: bytes, c: CkksVector, body: bytes) -> bytes:
    """The head of a message, with a check sum over all of it."""
    fields = (_MAGIC, key, c.n, c.limit, int(c.is_scaled))
    stated = _HEAD.pack(*fields, bytes(16))
    return _HEAD.pack(*fields, hashlib.blake2b(stated + body, digest_size=16).digest())


def _cut(body: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(body):
        if at + 8 > len(body):
            raise BadCiphertext("it is cut off")
        (size,) = struct.unpack_from("<Q", body, at)
        parts.append(body[at + 8 : at + 8 + size])
        at += 8 + size
    return parts
