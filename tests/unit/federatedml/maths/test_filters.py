"""Which columns stay, and how often a column's most frequent value is there."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from federatedml.maths import filters
from federatedml.maths.filters import Rule

NAN = float("nan")
values = st.lists(st.sampled_from([-1.0, 0.0, 0.5, 2.0, NAN]), max_size=8).map(np.array)


@pytest.mark.parametrize("take_high", [True, False])
@given(values=values, threshold=st.sampled_from([-1.0, 0.5, 3.0]))
def test_a_threshold_is_met_by_what_is_equal_to_it(take_high, values, threshold):
    found = Rule("threshold", threshold, take_high).kept(values)
    meets = (lambda v: v >= threshold) if take_high else (lambda v: v <= threshold)
    assert found.tolist() == [meets(v) for v in values]


@pytest.mark.parametrize("take_high", [True, False])
@given(values=values, k=st.integers(1, 9))
def test_the_first_of_equals_are_among_the_best_k(take_high, values, k):
    found = Rule("top_k", k, take_high).kept(values)
    ranks = pd.Series(values, dtype=float).rank(method="first", ascending=not take_high)
    assert found.tolist() == (ranks <= k).tolist()


@pytest.mark.parametrize(
    ("share", "n", "k"), [(0.07, 100, 7), (0.9, 23, 21), (0.0, 5, 0), (1.0, 5, 5), (1e-6, 5, 1)]
)
def test_a_share_of_columns_is_rounded_up(share, n, k):
    found = Rule("top_percentile", share).kept(np.arange(float(n)))
    assert found.tolist() == [False] * (n - k) + [True] * k


def test_without_a_column_nothing_is_kept():
    for kind in ("threshold", "top_k", "top_percentile"):
        assert Rule(kind, 1).kept(np.empty(0)).tolist() == []
    assert filters.with_one(np.zeros(0, dtype=bool), np.empty(0)).tolist() == []


def test_the_best_column_is_kept_where_none_is():
    none = np.zeros(3, dtype=bool)
    scores = np.array([NAN, 1.0, 2.0])
    assert filters.with_one(none, scores).tolist() == [False, False, True]
    assert filters.with_one(none, scores, take_high=False).tolist() == [False, True, False]
    assert filters.with_one(none, np.full(3, NAN)).tolist() == [True, False, False]
    some = np.array([True, False, False])
    assert filters.with_one(some, scores) is some


def pooled_mode(column):
    return int(pd.Series(column).round(8).value_counts(dropna=False).max())


@given(seed=st.integers(0, 2**31), n=st.integers(1, 40), kinds=st.integers(1, 6), p=st.floats(0, 1))
def test_the_most_frequent_value_is_counted_as_pandas_counts_it(seed, n, kinds, p):
    rng = np.random.default_rng(seed)
    x = rng.integers(-1, kinds, size=(n, 3)) / 3
    x[rng.random((n, 3)) < p] = 0.0
    x[rng.random((n, 3)) < p / 2] = np.nan
    wanted = [pooled_mode(x[:, j]) for j in (2, 0)]
    assert filters.most_frequent(x, [2, 0]).tolist() == wanted
    filled = sparse.csr_matrix(np.where(np.isnan(x), 9.0, x))
    filled.data[filled.data == 9.0] = np.nan
    assert filters.most_frequent(filled, [2, 0]).tolist() == wanted


def test_zeros_that_a_sparse_column_stores_are_counted_with_the_others():
    x = sparse.csr_matrix(np.array([[1.0], [1.0], [2.0], [0.0]]))
    x.data[:2] = 0.0
    assert filters.most_frequent(x, [0]).tolist() == [3]


def test_large_and_infinite_values_are_told_apart():
    x = np.array([[1e300, 1e300, 2e300, np.inf, -np.inf]]).T
    assert filters.most_frequent(x, [0]).tolist() == [2]


@pytest.mark.slow
def test_a_large_table_is_filtered():
    x = np.random.default_rng(0).integers(0, 50, size=(1_000_000, 100)).astype(float)
    counts = filters.most_frequent(x, range(100))
    assert counts[7] == np.bincount(x[:, 7].astype(int)).max()
