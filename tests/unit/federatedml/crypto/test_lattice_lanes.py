"""Sums of products of residues are exact, whatever their number and however large."""

import numpy as np
import pytest

from federatedml.crypto.lattice_lanes import accumulate, aligned
from federatedml.crypto.lattice_params import parameters
from federatedml.crypto.ntt import tables

PARAMS = parameters(40, norm_bits=8.0)
PRIMES, N, CHUNK = PARAMS.primes, PARAMS.degree, 64
TABLE = tables(PRIMES, N)


def filled(draw, rows, count):
    """(L, chunks, rows, count, CHUNK) residues within half of each prime."""
    found = aligned((len(PRIMES), N // CHUNK, rows, count, CHUNK))
    for i, p in enumerate(PRIMES):
        found[i] = draw(p, found.shape[1:])
    return found


def exact(tiles, vectors, prime):
    """(R, H, N) sums, each (chunks, count, CHUNK) part in Python's integers."""
    whole = [x[prime].astype(np.int64).astype(object) for x in (tiles, vectors)]
    sums = [
        [(t * x).sum(axis=1).ravel() for x in whole[1].swapaxes(0, 1)]
        for t in whole[0].swapaxes(0, 1)
    ]
    return np.array(sums, dtype=object)


def check(tiles, vectors, before):
    total = before.copy()
    accumulate(tiles, vectors, TABLE, total)
    for i, p in enumerate(PRIMES):
        assert np.abs(total[:, :, i]).max() <= p / 2 + 1
        wanted = exact(tiles, vectors, i) + before[:, :, i].astype(np.int64).astype(object)
        assert not ((total[:, :, i].astype(np.int64).astype(object) - wanted) % p).any()


@pytest.mark.parametrize("count", [1, 3, 4, 8, 21])
def test_sums_are_exact_for_any_number_of_products(count):
    rng = np.random.default_rng(count)

    def draw(p, shape):
        return rng.integers(-(p // 2), p // 2 + 1, shape)

    before = np.stack([draw(p, (2, 2, N)) for p in PRIMES], axis=2).astype(np.float64)
    check(filled(draw, 2, count), filled(draw, 2, count), before)


@pytest.mark.parametrize("signs", [(1, 1), (1, -1), (-1, -1)])
def test_eight_products_of_the_largest_residues_are_exact(signs):
    tiles, vectors = (
        filled(lambda p, shape, s=sign: np.full(shape, s * (p // 2)), 1, 8) for sign in signs
    )
    for sign in (1, -1):
        before = np.array([sign * (p // 2) for p in PRIMES], dtype=np.float64)
        check(tiles, vectors, np.tile(before[:, None], (1, 1, 1, N)))


def test_arrays_begin_at_a_cache_line():
    for shape in ((1,), (3, 5), (7, 2, 9)):
        found = aligned(shape)
        assert found.shape == shape
        assert found.ctypes.data % 64 == 0
        assert found.flags.c_contiguous
