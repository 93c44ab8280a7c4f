"""Correlations and variance inflation are numpy's, on any table, in any order of its columns."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml.maths import correlation
from federatedml.maths.correlation import correlations, measured, variance_inflation

KINDS = ("normal", "skewed", "binary", "constant", "far", "rare")


def column(rng, kind, n):
    x = rng.normal(size=n)
    return {
        "normal": x,
        "skewed": np.exp(3 * x),
        "binary": (x > 0.5).astype(float),
        "constant": np.full(n, 0.1 * round(x[0], 1)),
        "far": 1e-3 * x + 1e4,
        "rare": np.where(np.arange(n) == 1, 1e6, 0.0),
    }[kind]


def table(seed, kinds, n):
    rng = np.random.default_rng(seed)
    return np.column_stack([column(rng, kind, n) for kind in kinds])


def twin(x):
    """numpy's, nan for constant columns."""
    with np.errstate(invalid="ignore", divide="ignore"):
        found = np.atleast_2d(np.corrcoef(x, rowvar=False))
    still = x.max(axis=0) == x.min(axis=0)
    found[still] = found[:, still] = np.nan
    return found


tables = st.builds(
    table,
    st.integers(0, 2**32),
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=8),
    st.integers(2, 60),
)


@settings(max_examples=80, deadline=None)
@given(x=tables, step=st.integers(1, 70), is_sparse=st.booleans())
def test_correlations_are_numpys_however_rows_are_cut(x, step, is_sparse):
    before, correlation.BLOCK = correlation.BLOCK, step
    try:
        found = measured(sparse.csr_matrix(x) if is_sparse else x)
    finally:
        correlation.BLOCK = before
    np.testing.assert_allclose(correlations(found), twin(x), atol=1e-8)
    assert found.varies.tolist() == (x.max(axis=0) > x.min(axis=0)).tolist()
    at = np.flatnonzero(found.varies).tolist()
    unit = found.unit(0, len(x), at)
    np.testing.assert_allclose(unit.T @ unit, twin(x)[np.ix_(at, at)], atol=1e-8)


@settings(max_examples=60, deadline=None)
@given(x=tables, seed=st.integers(0, 9))
def test_the_order_of_columns_does_not_matter(x, seed):
    order = np.random.default_rng(seed).permutation(x.shape[1])
    found, turned = (variance_inflation(correlations(measured(m))) for m in (x, x[:, order]))
    np.testing.assert_allclose(turned, found[order], rtol=1e-5)


def by_regression(x):
    """1 / (1 - R^2) of each column by the others, as statsmodels has it (with a constant)."""
    found = []
    for j in range(x.shape[1]):
        others = np.column_stack([np.ones(len(x)), np.delete(x, j, axis=1)])
        fitted = others @ np.linalg.lstsq(others, x[:, j], rcond=None)[0]
        found.append(x[:, j].var() / np.square(x[:, j] - fitted).mean())
    return found


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(1, 7), mixed=st.floats(0, 0.99))
def test_variance_inflation_is_that_of_regressions(seed, k, mixed):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(100, k)) + mixed * 3 * rng.normal(size=(100, 1))
    found = variance_inflation(correlations(measured(x)))
    np.testing.assert_allclose(found, by_regression(x), rtol=1e-7)
    assert (found >= 1 - 1e-12).all()


def by_cofactors(c):
    """The definition: eigenvalues that are not zero, without and with each column."""

    def product(matrix):
        values = np.linalg.eigvalsh(matrix)
        return np.prod(values[np.abs(values) > 1e-8])

    return [product(np.delete(np.delete(c, i, 0), i, 1)) / product(c) for i in range(len(c))]


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), k=st.integers(2, 6), copies=st.integers(0, 3))
def test_with_dependent_columns_it_is_fates_ratio_of_eigenvalues(seed, k, copies):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(50, k))
    more = [x @ rng.integers(-2, 3, k) + 5 * x[:, 0] for _ in range(copies)]
    whole = correlations(measured(np.column_stack([x, *more])))
    np.testing.assert_allclose(variance_inflation(whole), by_cofactors(whole), rtol=1e-5)


def test_a_column_twice_has_half_and_its_neighbours_what_they_would_have_without_the_copy():
    x = np.random.default_rng(3).normal(size=(80, 3))
    found = variance_inflation(correlations(measured(np.column_stack([x, x[:, 0]]))))
    alone = variance_inflation(correlations(measured(x)))
    np.testing.assert_allclose(found[[0, 3]], 0.5)
    np.testing.assert_allclose(found[1:3], alone[1:])


def test_constant_columns_change_nothing_for_others():
    x = np.random.default_rng(3).normal(size=(80, 3))
    still = np.insert(x, 1, 7.7, axis=1)
    found = variance_inflation(correlations(measured(still)))
    assert np.isnan(found).tolist() == [False, True, False, False]
    np.testing.assert_allclose(
        np.delete(found, 1), variance_inflation(correlations(measured(x))), rtol=1e-12
    )


@pytest.mark.parametrize("x", [np.ones((5, 2)), np.ones((1, 2))], ids=["constant", "one_row"])
def test_where_nothing_varies_all_is_nan(x):
    found = correlations(measured(x))
    assert np.isnan(found).all()
    assert np.isnan(variance_inflation(found)).all()


def test_correlations_do_not_leave_their_range_and_columns_are_one_with_themselves():
    x = np.random.default_rng(0).normal(size=(1000, 1)) @ np.array([[1.0, -3.0, 1e-5]])
    found = correlations(measured(x))
    assert np.abs(found).max() == 1.0
    assert (np.diag(found) == 1.0).all()


@pytest.mark.slow
def test_a_million_rows_of_a_hundred_columns():
    x = np.random.default_rng(0).normal(size=(1_000_000, 100))
    found = correlations(measured(x))
    np.testing.assert_allclose(found[:3, :3], twin(x[:, :3]), atol=1e-10)
