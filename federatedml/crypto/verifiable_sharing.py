"""Shamir's shares of vectors of numbers, with commitments by which everybody can check its share.

    f_v(x) = v + a_1v x + ... + a_dv x^d        of each value v, modulo the order of ristretto255
    b(x)   = b_0 + b_1 x + ... + b_d x^d        random
    C_j    = sum_v a_jv G_v + b_j H             for j = 0 .. d, published
    share of point x: all f_v(x), and b(x); right if sum_v f_v(x) G_v + b(x) H = sum_j x^j C_j

d shares say nothing of the values, and neither do the commitments, whatever computes on them: b
hides them (Feldman's own, b = 0, would give small values away to who tries them out). Nobody can
open a commitment in two ways who cannot take logarithms. Sums of shares, of b and of commitments
are those of the sums of the values.

G_v and H are hashed into the group, so that nobody knows a logarithm of one to another.

Shapes: m values, d + 1 commitments, scalars and elements of 32 bytes.
Source: Feldman 1987, A practical scheme for non-interactive verifiable secret sharing; Pedersen
1991, section 4 (the blinding), for vectors as in Bünz et al. 2018, section 2.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import hashing, ristretto
from federatedml.crypto.ristretto import ORDER, WIDTH
from federatedml.crypto.threads import each

Bytes2D = NDArray[np.uint8]

PART = 512
"""Values whose terms a thread adds up at a time."""

WIDE = 48
"""Random bytes that are reduced modulo the order: uniform but for 2^-131."""


class BadSharing(ValueError):
    """Bytes that are no share or no commitment. Carries what is wrong, never the bytes."""


@dataclass(frozen=True)
class Share:
    """values: (m,) f_v(x). blind: b(x). Secret but for its owner."""

    values: list[int] = field(repr=False)
    blind: int = field(repr=False)

    def __add__(self, other: Share) -> Share:
        values = [(a + b) % ORDER for a, b in zip(self.values, other.values, strict=True)]
        return Share(values, (self.blind + other.blind) % ORDER)

    def rows(self) -> Bytes2D:
        """(m + 1, 32), the blind last."""
        return _rows([*self.values, self.blind])


def share_of(rows: Bytes2D, m: int) -> Share:
    """From (m + 1, 32). Raises BadSharing."""
    if rows.dtype != np.uint8 or rows.shape != (m + 1, WIDTH):
        raise BadSharing(f"{list(rows.shape)} bytes where a share of {m} values has {m + 1} rows")
    raw = np.ascontiguousarray(rows).tobytes()
    found = [int.from_bytes(raw[i : i + WIDTH], "little") for i in range(0, len(raw), WIDTH)]
    if max(found) >= ORDER:
        raise BadSharing("numbers that are not below the order of the group")
    return Share(found[:-1], found[-1])


def dealt(
    values: Sequence[int], degree: int, n_points: int, *, cores: int = 1
) -> tuple[list[Share], Bytes2D]:
    """Shares of the points 1 .. n_points, and the commitments (degree + 1, 32).

    values: of magnitude below ORDER / 2. Any degree + 1 shares give them back.
    Cost: about 90 (degree + 1) microseconds a value.
    """
    m = len(values)
    drawn = [_random(m) for _ in range(degree)]
    coefficients = [[value % ORDER for value in values], *drawn]
    blinds = _random(degree + 1)
    commitments = [
        committed(Share(own, blind), cores=cores)
        for own, blind in zip(coefficients, blinds, strict=True)
    ]
    shares = [
        Share([_value(column, x) for column in zip(*coefficients, strict=True)], _value(blinds, x))
        for x in range(1, n_points + 1)
    ]
    return shares, np.concatenate(commitments)


def committed(of: Share, *, cores: int = 1) -> Bytes2D:
    """(1, 32) sum_v value_v G_v + blind H."""
    points, scalars = _generators(len(of.values) + 1), np.roll(of.rows(), 1, axis=0)

    def part(start: int) -> Bytes2D:
        rows = slice(start, start + PART)
        return ristretto.total(ristretto.multiply_each(points[rows], scalars[rows]))

    return ristretto.total(np.concatenate(each(part, range(0, len(points), PART), cores)))


def is_right(share: Share, point: int, commitments: Bytes2D, *, cores: int = 1) -> bool:
    """Whether the share is that of this point in what the commitments are of.

    Raises BadSharing for commitments that are no elements. Cost: about 90 microseconds a value.
    """
    powers = _rows([pow(point, j, ORDER) for j in range(len(commitments))])
    try:
        there = commitments.any(axis=1)  # the identity, of a sum that vanished, is 32 zeros
        wanted = ristretto.total(ristretto.multiply_each(commitments[there], powers[there]))
    except ristretto.InvalidElement as error:
        raise BadSharing(str(error)) from None
    return bool((wanted == committed(share, cores=cores)).all())


def added(commitments: Sequence[Bytes2D]) -> Bytes2D:
    """(degree + 1, 32) those of the sums. Raises BadSharing."""
    found = commitments[0]
    try:
        for other in commitments[1:]:
            found = ristretto.add(found, other)
    except ristretto.InvalidElement as error:
        raise BadSharing(str(error)) from None
    return found


def opened(shares: Sequence[Share], points: Sequence[int]) -> list[int]:
    """(m,) the values, as signed integers. shares: of degree + 1 different points."""
    weights = [_at_zero(x, points) for x in points]
    found = []
    for of_one in zip(*(share.values for share in shares), strict=True):
        value = sum(w * s for w, s in zip(weights, of_one, strict=True)) % ORDER
        found.append(value - ORDER if value > ORDER // 2 else value)
    return found


def _value(coefficients: Sequence[int], x: int) -> int:
    found = 0
    for coefficient in reversed(coefficients):
        found = (found * x + coefficient) % ORDER
    return found


def _at_zero(x: int, points: Sequence[int]) -> int:
    """Lagrange's coefficient of a point for the value at 0."""
    above, below = 1, 1
    for other in points:
        if other != x:
            above, below = above * other % ORDER, below * (other - x) % ORDER
    return above * pow(below, -1, ORDER) % ORDER


def _random(m: int) -> list[int]:
    raw = secrets.token_bytes(WIDE * m)
    return [int.from_bytes(raw[i : i + WIDE], "little") % ORDER for i in range(0, len(raw), WIDE)]


def _rows(scalars: Sequence[int]) -> Bytes2D:
    raw = b"".join(scalar.to_bytes(WIDTH, "little") for scalar in scalars)
    return np.frombuffer(raw, dtype=np.uint8).reshape(-1, WIDTH)


@lru_cache(maxsize=4)
def _generators(n: int) -> Bytes2D:
    """(n, 32): H, G_1, G_2, ..., the same for everybody."""
    numbers = np.arange(n, dtype="<u8").view(np.uint8).reshape(-1, 8)
    uniform = hashing.stretched(numbers, ristretto.UNIFORM, b"distaff verifiable sharing")
    return ristretto.from_uniform(uniform)
