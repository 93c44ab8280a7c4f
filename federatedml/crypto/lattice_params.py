"""Parameters of the lattice scheme, chosen so that it is secure and exact, and how products tile.

A ciphertext of a polynomial m with coefficients modulo 2^K is (c0, c1) with

    c0 + c1 s = round(q m / 2^K) + e   modulo q and x^N + 1.

``Parameters`` holds N, K and q, a product of primes, and derives from them how large an error may
become. All bounds are worst cases over the data, or hold but for a chance below 2^-64 in a whole
job; docs/security/lattice.md derives them.

Source of the security bounds: J.-P. Bossuat et al., Security Guidelines for Implementing
Homomorphic Encryption, 2024 (ternary secret, 128 bits against classical attacks); those of the
Homomorphic Encryption Standard of 2018 are 3 and 4 bits higher.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import gmpy2

from federatedml.crypto.errors import BadCiphertext, NoSafeParameters

SECURITY_BITS = 128
MAX_MODULUS_BITS = {4096: 106, 8192: 214}
"""log2 q at most, by N, for a ternary secret. Source: see above."""

ERROR_BITS = 21
"""Errors are the difference of the numbers of heads in two times 21 throws of a coin."""
ERROR_VARIANCE = ERROR_BITS / 2
DITHER_VARIANCE = 1 / 4
"""Bound of the sub-Gaussian variance of a rounding up or down by lot."""
TAIL = 11.0
"""Standard deviations of a sub-Gaussian sum that it stays within but for a chance of 2^-86."""
FLOOD_BITS = 40
"""Bits by which the flooding noise exceeds whatever it hides."""
DECODING_SLACK = 2.0**-11
"""What rounding in ``open`` may add to an error, in halves of q / 2^K: it rounds to 64 bits first,
which K of 53 to 63 would not leave enough of."""

DEFAULT_NORM_BITS = 34.0
TILE_BYTES = 8192
"""What the arithmetic of one tile costs, in bytes sent: about 100 us, at a gigabit per second."""


@dataclass(frozen=True)
class Parameters:
    """One parameter set; equal at all parties, who name it by its fields.

    degree: N. word_bits: K. kept, dropped: the primes of q that a result is sent modulo, and those
    that it is divided by before.
    """

    degree: int
    word_bits: int
    kept: tuple[int, ...]
    dropped: tuple[int, ...]

    @property
    def primes(self) -> tuple[int, ...]:
        return self.kept + self.dropped

    @property
    def modulus(self) -> int:
        return math.prod(self.primes)

    @property
    def words(self) -> int:
        """Machine words of a number: 2 if K is 128, else 1."""
        return 2 if self.word_bits > 64 else 1

    @property
    def flood_bits(self) -> int:
        """The largest f such that flooding by [-2^f, 2^f) leaves a result exact."""
        return math.floor(math.log2(self._room() / (1 + 2.0**-FLOOD_BITS)))

    @property
    def error_bound(self) -> float:
        """What the error of a product may be before it is flooded."""
        return 2.0 ** (self.flood_bits - FLOOD_BITS)

    @property
    def norm_bound(self) -> float:
        """L2 norm that all columns of a matrix in one result ciphertext may have together."""
        left = self.error_bound - _zero_error(self.degree)
        return left / (TAIL * math.sqrt(ERROR_VARIANCE + DITHER_VARIANCE))

    def _room(self) -> float:
        """What error and flooding may be together, modulo q."""
        half = 2.0 ** -(self.word_bits + 1)
        switching = TAIL * math.sqrt((self.degree + 1) / 12) * (1 + 2.0**-30)
        share = half * (1 - DECODING_SLACK) - switching / math.prod(self.kept)
        return share * float(self.modulus)

    def describe(self) -> str:
        """One line for a log and a record: scheme, numbers, level, assumption."""
        return (
            f"Lattice: RLWE N={self.degree}, log2 q = {math.ceil(math.log2(self.modulus))}, "
            f"ternary secret, {SECURITY_BITS}-bit (HE security guidelines 2024, classical), "
            f"{FLOOD_BITS}-bit flooding, numbers mod 2^{self.word_bits}"
        )


def _zero_error(degree: int) -> float:
    """Bound of e r + e' + e'' s, the error of a fresh encryption of zero."""
    return TAIL * math.sqrt(ERROR_VARIANCE * (2 * degree + 1))


def parameters(word_bits: int, *, norm_bits: float = DEFAULT_NORM_BITS) -> Parameters:
    """The smallest safe set for numbers modulo 2^word_bits and columns of norm 2^norm_bits.

    norm_bits: log2 of the L2 norm that a column of the matrix has at most, over all rows.
    Raises NoSafeParameters if no set is exact for them.

    >>> parameters(word_bits=64).degree
    8192
    """
    for degree in sorted(MAX_MODULUS_BITS):
        found = _of(degree, word_bits)
        if found and 2.0**norm_bits <= min(found.norm_bound, *found.primes):
            return found
    raise NoSafeParameters(word_bits, norm_bits)


def named(degree: int, word_bits: int) -> Parameters:
    """The set with this N and K. Raises BadCiphertext if there is none: a peer named it."""
    found = _of(degree, word_bits)
    if found is None:
        raise BadCiphertext(f"there is no lattice of degree {degree} for 2^{word_bits}")
    return found


def _of(degree: int, word_bits: int) -> Parameters | None:
    for n, least, most, kept, dropped in _SETS:
        if n == degree and least <= word_bits <= most:
            found = Parameters(degree, word_bits, *_primes(degree, kept, dropped))
            assert math.log2(found.modulus) <= MAX_MODULUS_BITS[degree]
            return found
    return None


_SETS = (
    (4096, 22, 40, (50,), (50,)),
    (8192, 22, 52, (50, 50), (50,)),
    (8192, 64, 64, (50, 50), (50,)),
    (8192, 128, 128, (47, 46, 46), (37, 37)),
)
"""N, the least and most bits of a number, bits of the primes that are kept and dropped. The kept
ones hold the number and the error of switching to them; all together, number and flooding."""


@lru_cache(maxsize=8)
def _primes(
    degree: int, kept: tuple[int, ...], dropped: tuple[int, ...]
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The largest primes of these sizes that are 1 modulo 2 N, each once."""
    found: list[int] = []
    for bits in kept + dropped:
        p = (1 << bits) + 1 - 2 * degree
        while p in found or not gmpy2.is_prime(p):
            p -= 2 * degree
        found.append(p)
    return tuple(found[: len(kept)]), tuple(found[len(kept) :])


@dataclass(frozen=True)
class Tile:
    """How an (inner, outputs) matrix is cut: into blocks whose product is one of polynomials.

    inner_block * output_block <= N: a vector's polynomial has inner_block coefficients, a result's
    carries output_block outputs. norm_bits: log2 of the L2 norm a column may have.
    """

    inner: int
    outputs: int
    norm_bits: float
    inner_block: int
    output_block: int

    @property
    def vector_blocks(self) -> int:
        return -(-self.inner // self.inner_block)

    @property
    def result_blocks(self) -> int:
        return -(-self.outputs // self.output_block)


@lru_cache(maxsize=256)
def tile(
    params: Parameters, inner: int, outputs: int, norm_bits: float = DEFAULT_NORM_BITS
) -> Tile:
    """The cut that sends least; both sides compute the same.

    inner: n, the length of the vector. outputs: k. Raises NoSafeParameters if a column of norm
    2^norm_bits is too large for the set; ValueError for an empty matrix.
    """
    if inner < 1 or outputs < 1:
        raise ValueError(f"a product needs rows and outputs, got {inner} and {outputs}")
    fits = int(min(4.0**20, (params.norm_bound / 2.0**norm_bits) ** 2))
    if not fits or 2.0**norm_bits > min(params.primes):
        raise NoSafeParameters(params.word_bits, norm_bits)
    vector = params.degree * math.log2(params.modulus) / 8
    result = params.degree * math.log2(math.prod(params.kept)) / 8
    best, least = None, math.inf
    for block in range(1, min(fits, outputs, params.degree) + 1):
        rows = min(inner, params.degree // block)
        found = Tile(inner, outputs, norm_bits, rows, block)
        sent = found.vector_blocks * vector + found.result_blocks * result
        sent += found.vector_blocks * found.result_blocks * TILE_BYTES
        if sent < least:
            best, least = found, sent
    assert best is not None
    return best
