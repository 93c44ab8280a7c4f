"""Columns of dense and sparse matrices; quantiles and modes where zeros are only counted."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from federatedml.maths import columnwise

NUMBERS = st.floats(-4, 4).map(round).map(float)
COLUMN = st.lists(NUMBERS, min_size=1, max_size=30).map(np.array)


@pytest.mark.parametrize("at", [[], [0], [3, 1], list(range(40))])
def test_columns_are_those_of_the_matrix_dense_or_sparse(at):
    x = np.random.default_rng(0).integers(0, 3, size=(7, 40)).astype(float)
    for values, j in zip(columnwise.columns(x, at), at, strict=True):
        assert values[1] == 0
        assert values[0].flags.c_contiguous
        np.testing.assert_array_equal(values[0], x[:, j])
    for (values, n_zeros), j in zip(columnwise.columns(sparse.csr_matrix(x), at), at, strict=True):
        np.testing.assert_array_equal(np.sort([*values, *[0.0] * n_zeros]), np.sort(x[:, j]))
    for kind in (np.asarray, sparse.csr_matrix):
        whole = list(columnwise.filled(kind(x), at))
        np.testing.assert_array_equal(np.array(whole).reshape(len(at), 7), x[:, at].T)


@given(COLUMN, st.floats(0, 1))
def test_a_quantile_is_numpys_inverted_cdf_and_zeros_may_be_counted_only(column, share):
    wanted = np.quantile(column, share, method="inverted_cdf")
    assert columnwise.quantile(column, 0, share) == wanted
    stored = column[column != 0]
    assert columnwise.quantile(stored, len(column) - len(stored), share) == wanted


@given(COLUMN)
def test_counts_of_values_are_the_same_with_zeros_stored_or_counted(column):
    found, counts = columnwise.counted(column, 0)
    stored = column[column != 0]
    again, others = columnwise.counted(stored, len(column) - len(stored))
    np.testing.assert_array_equal(found, again)
    np.testing.assert_array_equal(counts, others)
    half = columnwise.counted(column, 3)
    assert dict(zip(*map(list, half), strict=True))[0.0] == 3 + (column == 0).sum()


def test_no_value_has_no_quantile():
    assert np.isnan(columnwise.quantile(np.empty(0), 0, 0.5))
    assert columnwise.known(np.array([np.nan, 2.0])).tolist() == [2.0]
