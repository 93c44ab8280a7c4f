"""Products per bin: equal to those of single rows, and fewer multiplications than rows."""

import numpy as np
import pytest
from gmpy2 import mpz

from federatedml.crypto import bin_products

MODULUS = mpz(2) ** 127 - 1


def by_single_rows(values, codes, wanted, rows):
    found = {}
    for j in range(len(codes)):
        for row in rows.tolist():
            b = int(codes[j, row])
            if wanted[j, b]:
                of_bin = found.setdefault(j, {})
                of_bin[b] = of_bin.get(b, mpz(1)) * values[row] % MODULUS
    return found


@pytest.fixture
def rng():
    return np.random.default_rng(3)


def some(rng, n, k, n_bins):
    codes = rng.integers(0, n_bins, size=(k, n)).astype(np.uint16)
    values = [mpz(int(v)) for v in rng.integers(1, 2**62, size=n)]
    return codes, values, np.ones((k, n_bins), dtype=np.bool_)


@pytest.mark.parametrize(
    ("n", "k", "n_bins"), [(1, 1, 1), (500, 5, 4), (300, 3, 60), (40, 2, 9000)]
)
@pytest.mark.parametrize("cores", [1, 2, 5])
def test_products_are_those_of_single_rows(rng, n, k, n_bins, cores):
    codes, values, wanted = some(rng, n, k, n_bins)
    wanted &= rng.random(wanted.shape) < 0.8
    nodes = [np.arange(n), np.flatnonzero(rng.random(n) < 0.3), np.array([], dtype=np.int64)]
    cells = [bin_products.cells(codes, wanted, rows) for rows in nodes]
    found = bin_products.by_bin(values, cells, MODULUS, cores=cores, least=1)
    for products, rows in zip(found, nodes, strict=True):
        held = {j: of_bin for j, of_bin in products.items() if of_bin}
        assert held == by_single_rows(values, codes, wanted, rows)


def test_every_wanted_feature_is_in_one_group(rng):
    codes, _, wanted = some(rng, 400, 9, 5)
    wanted[4] = False
    groups = bin_products.cells(codes, wanted, np.arange(400))
    assert sorted(j for group in groups for j in group.features) == [0, 1, 2, 3, 5, 6, 7, 8]


@pytest.mark.parametrize(
    ("n_bins", "most"), [(2, 2.0), (32, 6.6), (1000, 10.0)], ids=["few", "usual", "many"]
)
def test_ten_features_cost_fewer_products_than_ten_passes(rng, n_bins, most):
    """most: passes over the rows that the ten may cost together, against one each."""
    codes, _, wanted = some(rng, 30_000, 10, n_bins)
    groups = bin_products.cells(codes, wanted, np.arange(30_000))
    cost = sum(len(group.rows) + (len(group.features) - 1) * len(group.ends) for group in groups)
    assert cost <= most * 30_000


def test_sparse_features_are_taken_together_by_about_ten(rng):
    codes = (rng.random((60, 20_000)) < 0.1).astype(np.uint8)
    groups = bin_products.cells(codes, np.ones((60, 2), dtype=np.bool_), np.arange(20_000))
    cost = sum(len(group.rows) + len(group.features) * len(group.ends) for group in groups)
    assert cost <= 60 * 20_000 / 7


def test_rows_that_no_sum_asks_for_are_not_multiplied(rng):
    codes, _, wanted = some(rng, 1000, 1, 4)
    wanted[0, 2] = False
    (group,) = bin_products.cells(codes, wanted, np.arange(1000))
    assert len(group.rows) == int((codes[0] != 2).sum())


@pytest.mark.parametrize("pieces", [2, 3])
def test_pieces_cost_the_same(rng, pieces):
    codes, _, wanted = some(rng, 20_000, 2, 16)
    (group,) = bin_products.cells(codes, wanted, np.arange(20_000))
    sizes = [len(part.rows) for part in bin_products._cut(group, pieces)]
    assert sum(sizes) == 20_000
    assert max(sizes) < 1.05 * min(sizes)
