"""Shamir's secret sharing of byte strings, many at a time.

A secret is cut into limbs of 16 bits; each limb is the value at 0 of a random polynomial of degree
threshold - 1 over the integers mod P = 65537, and share i its value at i. Any ``threshold`` shares
give the secret, fewer are independent of it, whatever computing power looks at them.
Source: Shamir 1979, How to share a secret.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]
Shares = NDArray[np.uint32]

P = 65537
"""The smallest prime above 2^16: matrix products of its field are exact in float64."""

MAX_PARTIES = P - 1


class BadShares(ValueError):
    """Shares that belong to no secret: damaged, or of different secrets."""


def split(values: Bytes2D, n: int, threshold: int) -> Shares:
    """(n, m, width / 2) shares; share i belongs to the party numbered i + 1.

    values: (m, width) secrets, width even. 1 <= threshold <= n < P.
    Cost: a matrix product of (n, threshold) by (threshold, m width / 2).
    """
    if not 1 <= threshold <= n <= MAX_PARTIES:
        raise ValueError(f"a threshold of {threshold} among {n} parties is impossible")
    limbs = np.ascontiguousarray(values).view("<u2")
    coefficients = np.empty((threshold, limbs.size), dtype=np.float64)
    coefficients[0] = limbs.ravel()
    coefficients[1:] = _uniform((threshold - 1) * limbs.size).reshape(threshold - 1, limbs.size)
    found = _powers(np.arange(1, n + 1), threshold) @ coefficients
    return (found % P).astype(np.uint32).reshape(n, *limbs.shape)


def join(shares: Shares, numbers: Sequence[int]) -> Bytes2D:
    """(m, width) the secrets of ``threshold`` or more shares.

    shares: (k, m, width / 2); numbers: the parties they belong to, from 1, in the same order.
    Raises BadShares where they give no bytes; too few shares, or changed ones, mostly give a
    wrong secret instead, which the caller must be able to tell.
    """
    if len(set(numbers)) != len(numbers) or not all(0 < i < P for i in numbers):
        raise BadShares("shares of impossible or repeated numbers")
    if shares.max(initial=0) >= P:
        raise BadShares("shares that are no field elements")
    weights = np.array([_at_zero(i, numbers) for i in numbers], dtype=np.float64)
    limbs = (weights @ shares.reshape(len(numbers), -1).astype(np.float64)) % P
    if limbs.max(initial=0) >= 1 << 16:
        raise BadShares("shares that belong to no secret")
    return limbs.astype("<u2").reshape(shares.shape[1:]).view(np.uint8)


def _at_zero(i: int, numbers: Sequence[int]) -> int:
    """Lagrange's coefficient of share i for the value at 0."""
    above, below = 1, 1
    for j in numbers:
        if j != i:
            above, below = above * j % P, below * (j - i) % P
    return above * pow(below, -1, P) % P


def _powers(numbers: NDArray[np.int64], count: int) -> NDArray[np.float64]:
    """(n, count) powers 0..count-1 of each number mod P."""
    rows = [np.ones(len(numbers), dtype=np.int64)]
    for _ in range(count - 1):
        rows.append(rows[-1] * numbers % P)
    return np.array(rows, dtype=np.float64).T


def _uniform(count: int) -> NDArray[np.float64]:
    """Uniform field elements from the operating system. Of 2^32 words one is refused: 2^32 mod P
    is 1."""
    words = np.empty(0, dtype=np.uint32)
    while len(words) < count:
        drawn = np.frombuffer(secrets.token_bytes(4 * (count - len(words))), dtype=np.uint32)
        words = np.concatenate((words, drawn[drawn < np.uint32(0xFFFFFFFF)]))
    return (words % P).astype(np.float64)
