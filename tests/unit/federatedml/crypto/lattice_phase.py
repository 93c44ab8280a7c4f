"""What an owner's key makes of a ciphertext before it is rounded, in exact arithmetic."""

import math
import secrets

import numpy as np

from federatedml.crypto import lattice_pack, ntt
from federatedml.crypto.lattice_params import Parameters


def words(params: Parameters, n):
    """Uniform numbers, in the shape that ``encrypt`` takes."""
    found = np.frombuffer(secrets.token_bytes(8 * n * params.words), dtype=np.uint64)
    if params.words == 2:
        return found.reshape(n, 2)
    return found >> np.uint64(64 - params.word_bits)


def whole(x):
    """Words as Python's integers."""
    return [int(v) for v in x] if x.ndim == 1 else [int(a) + (int(b) << 64) for a, b in x]


def opened(secret, product, mask):
    """The products themselves."""
    size = 1 << secret.params.word_bits
    pairs = zip(whole(secret.open(product)), whole(mask), strict=True)
    return [(a - b) % size for a, b in pairs]


def expected(params, *pairs):
    """X1^T u1 + X2^T u2 + .., of (matrix, words)."""
    size = 1 << params.word_bits
    total = sum(
        np.asarray(x).astype(np.int64).astype(object).T @ np.array(whole(u), dtype=object)
        for x, u in pairs
    )
    return [int(v) % size for v in total]


def combined(residues, primes):
    """Integers within half the product of the primes, from (primes, n) residues."""
    q = math.prod(primes)
    units = [q // p * pow(q // p, -1, p) for p in primes]
    found = []
    for column in residues.T:
        x = sum(int(r) * unit for r, unit in zip(column, units, strict=True)) % q
        found.append(x - q if 2 * x > q else x)
    return found


def times_secret(secret, c1):
    """Coefficients (primes, N) of c1 s; c1: values (primes, N)."""
    primes = len(c1)
    table = np.ascontiguousarray(ntt.tables(secret.params.primes, secret.params.degree)[:primes])
    out = np.empty((1, *c1.shape))
    lattice_pack.less_product(np.zeros_like(c1), -c1, secret.s, table, out[0])
    ntt.coefficients(out, table)
    return out[0]


def vector_phases(secret, sealed):
    """c0 + c1 s of each block, as lists of N integers modulo q."""
    p = secret.params
    found = []
    for c0, c1 in zip(sealed.values, sealed.seeded, strict=True):
        value = c0[None].copy()
        ntt.coefficients(value, ntt.tables(p.primes, p.degree))
        found.append(combined(value[0] + times_secret(secret, c1), p.primes))
    return found


def product_phases(secret, product):
    """c0 + c1 s at each output, integers modulo the kept primes' product."""
    p, cut = secret.params, product.tile
    table = np.ascontiguousarray(ntt.tables(p.primes, p.degree)[: len(p.kept)])
    found = []
    for number, c1 in enumerate(product.c1):
        values = c1[None].copy()
        ntt.values(values, table)
        c0 = product.c0[:, number * cut.output_block : (number + 1) * cut.output_block]
        at = np.arange(c0.shape[1]) * cut.inner_block + cut.inner_block - 1
        found += combined(c0 + times_secret(secret, values[0])[:, at], p.kept)
    return found


def noise(phases, numbers, q, word_bits):
    """phase - q m / 2^K, within half of q; numbers: m."""
    found = []
    for phase, m in zip(phases, numbers, strict=True):
        d = (phase - ((q * m + (1 << (word_bits - 1))) >> word_bits)) % q
        found.append(d - q if 2 * d > q else d)
    return found


def divided(total, a, p):
    """The polynomial c1 / a modulo a prime: X, if c1 is nothing but X a."""
    quotients = [int(c) * pow(int(d), -1, p) % p for c, d in zip(total, a, strict=True)]
    found = np.array([x - p if 2 * x > p else x for x in quotients], dtype=np.float64)
    found = found.reshape(1, 1, -1)
    ntt.coefficients(found, ntt.tables((p,), len(a)))
    return found.ravel()
