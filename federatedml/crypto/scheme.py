"""One interface over encrypted vectors of real numbers, whatever the scheme.

    cipher, owner = open_scheme("OU", 2048)
    c = owner.encrypt(u)                     the owner of the vector
    product = cipher.matvec(x, c)            who has the matrix: no secret there
    owner.decrypt(product)                   X^T u

Schemes differ in what they can do, and say so: ``cipher.can`` names the operations; any other
raises ``Unsupported``. "encrypt" is among them if the public half can do that too. Results of
``matvec`` and ``sum_by_bin`` are refreshed; those of add, sub, mul_plain and scale are to be,
before they leave a party, where there is a ``refresh``.

    Paillier, OU    all operations; exact fixed point
    Lattice         matvec, sum_by_bin: the products of the linear models; exact fixed point
    CKKS            add, sub, scale: sums in horizontal learning; approximate

Protocols that pack, blind or mask use the schemes' own modules; this is for code that is to run
on any scheme: aggregation, tests, benchmarks.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.crypto import (
    bigcipher,
    ckks,
    lattice,
    ou,
    paillier,
    scaling,
    strength,
    wire,
)
from federatedml.crypto.bigcipher import CipherVector
from federatedml.crypto.ckks import CkksVector
from federatedml.crypto.errors import BadCiphertext, ForeignKey, PlaintextOutOfRange, Unsupported
from federatedml.crypto.lattice_params import SECURITY_BITS
from federatedml.crypto.lattice_wire import SealedProduct, SealedVector
from federatedml.crypto.multiexp import Floats, Matrix

Bins = NDArray[np.integer]

FACTOR_BITS = 24
"""Fractional bits of known factors and matrices in the big-integer schemes."""

FACTOR_LIMIT_BITS = 56
"""Factors of ``mul_plain`` and ``scale`` are below 2^32 there."""

MOST_BITS = scaling.VECTOR_BITS - scaling.LADDER[-1]
"""A number is below 2^34 in the lattice scheme."""

SUMS_BITS = 16
"""Room for that many doublings that ``refresh`` leaves in the big-integer schemes."""


class Cipher(Protocol):
    """The public half: all that can be done without the secret."""

    @property
    def name(self) -> str:
        """As in ``encrypt_param.method``."""

    @property
    def can(self) -> frozenset[str]:
        """The operations that the scheme has."""

    @property
    def level(self) -> int:
        """Bits of security."""

    def error(self, largest: float) -> float:
        """How far a number of a vector may be off that is encrypted and decrypted with nothing
        between. largest: the vector's largest magnitude."""

    def describe(self) -> str:
        """Scheme, size, security, assumption: one line for logs and records."""

    def to_bytes(self, c: Any) -> bytes:
        """An encrypted vector for a message."""

    def from_bytes(self, data: bytes) -> Any:
        """It back. Raises ForeignKey, BadCiphertext."""

    def add(self, a: Any, b: Any) -> Any:  # noqa: ARG002 (as all defaults)
        """a + b."""
        raise Unsupported(self.name, "add", self.can)

    def sub(self, a: Any, b: Any) -> Any:  # noqa: ARG002
        """a - b."""
        raise Unsupported(self.name, "sub", self.can)

    def scale(self, c: Any, factor: float) -> Any:  # noqa: ARG002
        """factor * c."""
        raise Unsupported(self.name, "scale", self.can)

    def mul_plain(self, c: Any, factors: Floats) -> Any:  # noqa: ARG002
        """factors[i] * c[i]."""
        raise Unsupported(self.name, "mul_plain", self.can)

    def matvec(self, x: Matrix, c: Any) -> Any:  # noqa: ARG002
        """X^T c for x (n, k) dense or csr, finite."""
        raise Unsupported(self.name, "matvec", self.can)

    def sum_by_bin(self, c: Any, bins: Bins, n_bins: int) -> Any:  # noqa: ARG002
        """(n_bins,) sums of c over the rows of each bin. bins: (n,), 0 <= bin < n_bins."""
        raise Unsupported(self.name, "sum_by_bin", self.can)

    def refresh(self, c: Any) -> Any:  # noqa: ARG002
        """The same plaintexts under new randomness, unlinkable to c."""
        raise Unsupported(self.name, "refresh", self.can)


class Owner(Protocol):
    """The secret half. ``cipher`` is the public one."""

    @property
    def cipher(self) -> Cipher: ...

    def encrypt(self, values: Floats) -> Any:
        """values: (n,) finite. Raises PlaintextOutOfRange beyond the scheme's range."""

    def decrypt(self, c: Any) -> Floats:
        """The numbers of a vector or a result. Raises ForeignKey, DecryptedOutOfRange."""


@dataclass(frozen=True)
class BigInteger(Cipher):
    """Paillier or OU. Factors and matrices are rounded to 2^-24, and below 2^32."""

    key: bigcipher.PublicKey

    @property
    def name(self) -> str:
        return self.key.scheme

    @property
    def can(self) -> frozenset[str]:
        return frozenset(
            ("add", "sub", "scale", "mul_plain", "matvec", "sum_by_bin", "refresh", "encrypt")
        )

    @property
    def level(self) -> int:
        return self.key.level

    def describe(self) -> str:
        return self.key.describe()

    def error(self, largest: float) -> float:  # noqa: ARG002 (the same for all that fit)
        return float(2.0 ** -(bigcipher.SCALE_BITS + 1))

    def encrypt(self, values: Floats) -> CipherVector:
        return self.key.encrypt(values)

    def to_bytes(self, c: CipherVector) -> bytes:
        return wire.to_bytes(c)

    def from_bytes(self, data: bytes) -> CipherVector:
        c = wire.from_bytes(data, CipherVector)
        if c.key != self.key:
            raise ForeignKey
        return c

    def add(self, a: CipherVector, b: CipherVector) -> CipherVector:
        return self.key.add(a, b)

    def sub(self, a: CipherVector, b: CipherVector) -> CipherVector:
        return self.key.sub(a, b)

    def scale(self, c: CipherVector, factor: float) -> CipherVector:
        return self.mul_plain(c, np.full(len(c), factor))

    def mul_plain(self, c: CipherVector, factors: Floats) -> CipherVector:
        return self.key.mul_plain(c, factors, FACTOR_BITS, FACTOR_LIMIT_BITS)

    def matvec(self, x: Matrix, c: CipherVector) -> CipherVector:
        return self.refresh(self.key.matvec(x, c, FACTOR_BITS))

    def sum_by_bin(self, c: CipherVector, bins: Bins, n_bins: int) -> CipherVector:
        return self.refresh(self.key.sum_by_bin(c, bins, n_bins))

    def refresh(self, c: CipherVector) -> CipherVector:
        return self.key.refresh(c, bits=self.key.group.plain_bits - SUMS_BITS)


@dataclass(frozen=True)
class BigIntegerOwner(Owner):
    secret: bigcipher.SecretKey

    @property
    def cipher(self) -> BigInteger:
        return BigInteger(self.secret.public)

    def encrypt(self, values: Floats) -> CipherVector:
        return self.secret.public.encrypt(values)

    def decrypt(self, c: CipherVector) -> Floats:
        return self.secret.decrypt(c)


@dataclass(frozen=True)
class LatticeVector:
    """Multiples of 2^-bits below 2^(26 - bits), sealed for matrices of a known width."""

    sealed: SealedVector = field(repr=False)
    bits: int


@dataclass(frozen=True)
class LatticeResult:
    """A product, and what only the multiplier knows of it: its mask and the columns' scales.

    In a protocol the vector's owner gets ``product``, opens it, and returns masked numbers. Here
    the owner gets all of it.
    """

    product: SealedProduct = field(repr=False)
    mask: lattice.Words = field(repr=False)
    exponents: scaling.Exponents = field(repr=False)
    n_columns: int


@dataclass(frozen=True)
class Lattice(Cipher):
    """Products modulo 2^64. outputs: columns of all matrices that a vector is to be multiplied by.

    Numbers are below 2^34; entries and errors as ``scaling`` says.
    """

    key: lattice.PublicKey = field(repr=False)
    outputs: int
    name: str = "Lattice"
    can: frozenset[str] = frozenset(("matvec", "sum_by_bin"))

    @property
    def level(self) -> int:
        return SECURITY_BITS

    def describe(self) -> str:
        return self.key.params.describe()

    def error(self, largest: float) -> float:
        return float(2.0 ** -(scaling.fraction_bits(largest) + 1))

    def to_bytes(self, c: LatticeVector) -> bytes:
        return wire.to_bytes([c.sealed, c.bits])

    def from_bytes(self, data: bytes) -> LatticeVector:
        parts = wire.from_bytes(data, list)
        sealed, bits = parts if len(parts) == 2 else (None, None)
        if not isinstance(sealed, SealedVector) or bits not in scaling.LADDER:
            raise BadCiphertext("it is no lattice vector")
        if sealed.key != self.key.fingerprint:
            raise ForeignKey
        return LatticeVector(sealed, bits)

    def matvec(self, x: Matrix, c: LatticeVector) -> LatticeResult:
        wide = _widened(x, self.outputs)
        exponents = scaling.scales([(scaling.norms(wide), c.bits)])
        whole = scaling.integers(wide, exponents - c.bits)
        ready = lattice.prepare(self.key.params, c.sealed.tile, whole)
        product, mask = self.key.multiply([(c.sealed, ready)])
        return LatticeResult(product, mask, exponents, x.shape[1])

    def sum_by_bin(self, c: LatticeVector, bins: Bins, n_bins: int) -> LatticeResult:
        one = np.ones(len(bins))
        rows = np.arange(len(bins))
        return self.matvec(sparse.csr_matrix((one, (rows, bins)), (len(bins), n_bins)), c)


@dataclass(frozen=True)
class LatticeOwner(Owner):
    secret: lattice.SecretKey = field(repr=False)
    outputs: int

    @property
    def cipher(self) -> Lattice:
        return Lattice(self.secret.public, self.outputs)

    def encrypt(self, values: Floats) -> LatticeVector:
        largest = float(np.abs(values).max(initial=0.0))
        if not largest < 2.0**MOST_BITS:
            needed = math.frexp(largest)[1] if math.isfinite(largest) else 1024
            raise PlaintextOutOfRange("a number", needed, MOST_BITS)
        bits = scaling.fraction_bits(largest)
        cut = lattice.tile(self.secret.params, len(values), self.outputs)
        return LatticeVector(self.secret.encrypt(scaling.words(values, bits), cut), bits)

    def decrypt(self, c: LatticeResult) -> Floats:
        if not isinstance(c, LatticeResult):
            raise Unsupported("Lattice", "decryption of a vector", self.cipher.can)
        found = scaling.reals(self.secret.open(c.product) - c.mask, c.exponents)
        return found[: c.n_columns]


def _widened(x: Matrix, outputs: int) -> Matrix:
    """x with columns of zeros up to ``outputs``."""
    n, k = x.shape
    if k > outputs:
        raise ValueError(f"{k} columns, and the scheme was opened for {outputs}: give outputs={k}")
    if isinstance(x, np.ndarray):
        return np.pad(x, ((0, 0), (0, outputs - k)))
    return sparse.csr_matrix((x.data, x.indices, x.indptr), (n, outputs))


@dataclass(frozen=True)
class Ckks(Cipher):
    """Sums and one factor; see ``ckks``, above all why nothing decrypted goes to the evaluator."""

    key: ckks.PublicKey
    name: str = "CKKS"
    can: frozenset[str] = frozenset(("add", "sub", "scale", "encrypt"))

    @property
    def level(self) -> int:
        return self.key.level

    def describe(self) -> str:
        return self.key.describe()

    def error(self, largest: float) -> float:
        return self.key.error(largest)

    def to_bytes(self, c: CkksVector) -> bytes:
        return self.key.to_bytes(c)

    def from_bytes(self, data: bytes) -> CkksVector:
        return self.key.from_bytes(data)

    def add(self, a: CkksVector, b: CkksVector) -> CkksVector:
        return self.key.add(a, b)

    def sub(self, a: CkksVector, b: CkksVector) -> CkksVector:
        return self.key.sub(a, b)

    def scale(self, c: CkksVector, factor: float) -> CkksVector:
        return self.key.scale(c, factor)


@dataclass(frozen=True)
class CkksOwner(Owner):
    secret: ckks.SecretKey

    @property
    def cipher(self) -> Ckks:
        return Ckks(self.secret.public)

    def encrypt(self, values: Floats) -> CkksVector:
        return self.secret.public.encrypt(values)

    def decrypt(self, c: CkksVector) -> Floats:
        return self.secret.decrypt(c)


NAMES = ("Paillier", "OU", "Lattice", "CKKS")


def open_scheme(name: str, key_length: int = 2048, *, outputs: int = 1) -> tuple[Cipher, Owner]:
    """A fresh key pair of a scheme, with a warning in the log if it is weak.

    key_length: bits of n, of Paillier and OU. outputs: columns of the matrices to come, for
    Lattice. Raises MissingLibrary for CKKS without ``tenseal``; ValueError for another name.
    """
    owner = _opened(name, key_length, outputs)
    strength.warn_if_weak(owner.cipher.level, owner.cipher.describe())
    return owner.cipher, owner


def _opened(name: str, key_length: int, outputs: int) -> Owner:
    if name == paillier.SCHEME:
        return BigIntegerOwner(paillier.keygen(key_length)[1])
    if name == ou.SCHEME:
        return BigIntegerOwner(ou.keygen(key_length)[1])
    if name == "Lattice":
        return LatticeOwner(lattice.keygen(lattice.parameters(64)), outputs)
    if name == "CKKS":
        return CkksOwner(ckks.keygen()[1])
    raise ValueError(f"no scheme {name!r}; there are: {', '.join(NAMES)}")
