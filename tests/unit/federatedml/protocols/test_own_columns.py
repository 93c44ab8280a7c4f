"""What a party keeps of its matrix between batches that come again, and in how much memory."""

import numpy as np
import pytest

from federatedml.crypto import lattice, scaling
from federatedml.protocols import own_columns
from federatedml.protocols.own_columns import Columns, Term

PARAMS = lattice.parameters(word_bits=64)
N, K = 50, 3
X = np.random.default_rng(4).normal(size=(N, K))
TRANSFORMS = 8 * PARAMS.degree * len(PARAMS.primes)
"""Bytes of this matrix's transforms: it is one tile."""


@pytest.fixture(scope="module")
def secret():
    return lattice.keygen(PARAMS)


@pytest.fixture
def made(monkeypatch):
    """How often the matrix was rounded."""
    calls, columns = [], scaling.columns

    def counted(*args, **more):
        calls.append(args)
        return columns(*args, **more)

    monkeypatch.setattr(scaling, "columns", counted)
    return calls


def term(secret, u, *, bits=24, extra=None):
    cut = lattice.tile(PARAMS, N, K + (extra is not None))
    sealed = secret.encrypt(scaling.words(u, bits), cut)
    return Term(sealed, bits, extra=extra, extra_bits=40)


def product(columns, secret, of, number):
    """X^T u, and the further column's product if there is one."""
    exponents = columns.exponents(X, number, [of])
    sealed, mask = columns.product(secret.public, X, number, [of], exponents)
    found = secret.open(sealed) - mask
    return scaling.reals(found[:K], exponents), scaling.reals(found[K:], np.array([40]))


def test_a_batch_that_comes_again_is_rounded_once_whatever_its_further_column(secret, made):
    columns, rng = Columns(PARAMS, cores=1), np.random.default_rng(5)
    for _ in range(4):
        u, extra = rng.uniform(-1, 1, N), rng.normal(size=N)
        found, further = product(columns, secret, term(secret, u, extra=extra), 0)
        np.testing.assert_allclose(found, X.T @ u, atol=1e-5)
        np.testing.assert_allclose(further, [extra @ u], atol=1e-3)
    assert len(made) == 1


def test_a_batch_without_a_number_is_made_anew(secret, made):
    columns, u = Columns(PARAMS, cores=1), np.ones(N)
    for _ in range(2):
        product(columns, secret, term(secret, u), None)
    assert len(made) == 2


def test_no_more_is_kept_than_memory_allows(secret, made, monkeypatch):
    monkeypatch.setattr(own_columns, "MEMORY_BYTES", 2 * TRANSFORMS)
    columns, u = Columns(PARAMS, cores=1), np.ones(N)
    for _ in range(2):
        for number in range(3):
            found, _ = product(columns, secret, term(secret, u), number)
            np.testing.assert_allclose(found, X.T @ u, atol=1e-5)
    assert len(made) == 3 + 1, "the third batch finds no room"


def test_a_model_that_follows_finds_nothing_kept(secret, made):
    columns, u = Columns(PARAMS, cores=1), np.ones(N)
    product(columns, secret, term(secret, u), 0)
    product(columns.renewed(), secret, term(secret, u), 0)
    assert len(made) == 2
