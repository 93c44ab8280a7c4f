"""The population stability index: bins of the expected table, shares of both, any order of rows."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, special

from federatedml.maths import psi


def table(seed, n):
    """Normal, skewed, constant, categorical, mostly 0, and partly missing columns."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.normal(size=n),
            rng.lognormal(sigma=2, size=n),
            np.full(n, 3.0),
            rng.integers(0, 4, n),
            np.where(rng.random(n) < 0.7, 0.0, rng.normal(size=n)),
            np.where(rng.random(n) < 0.3, np.nan, rng.normal(size=n)),
        ]
    ).astype(float)
    x[0, 5] = 1.0
    return x


def twin_shares(values, points):
    """Of the bins up to each point, the last one open, and of missing values; by comparisons."""
    known = values[~np.isnan(values)]
    bins = np.array([np.argmax(np.append(v <= points[:-1], True)) for v in known], dtype=int)
    counts = np.bincount(bins, minlength=len(points))
    return np.append(counts, np.isnan(values).sum()) / len(values)


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 10_000), st.integers(3, 80), st.integers(3, 80), st.integers(1, 25))
def test_shares_and_index_are_the_twins(seed, n, m, n_bins):
    before, after = table(seed, n), table(seed + 1, m)
    at = range(6)
    for j, shift in enumerate(psi.shifts((before, at), (after, at), n_bins, cores=2)):
        known = np.sort(before[~np.isnan(before[:, j]), j])
        ranks = [-(-i * len(known) // n_bins) - 1 for i in range(1, n_bins + 1)]
        np.testing.assert_array_equal(shift.points, np.unique(known[ranks]))
        shares = [twin_shares(x[:, j], shift.points) for x in (before, after)]
        np.testing.assert_array_equal([shift.expected, shift.actual], shares)
        e, a = (np.where(s == 0, 1e-6, s) for s in shares)
        np.testing.assert_allclose(shift.psi, special.rel_entr(a, e) + special.rel_entr(e, a))
        assert shift.total == pytest.approx(shift.psi.sum())
        assert shift.expected.sum() == pytest.approx(1) == shift.actual.sum()


@settings(max_examples=15, deadline=None)
@given(st.integers(0, 10_000))
def test_sparse_tables_have_the_index_of_dense_ones(seed):
    before, after, at = table(seed, 50), table(seed + 1, 40), range(6)
    dense = psi.shifts((before, at), (after, at), 10, missing=[3.0])
    thin = [sparse.csr_matrix(x) for x in (before, after)]
    for left in (before, thin[0]):
        for right in (after, thin[1]):
            found = psi.shifts((left, at), (right, at), 10, missing=[3.0])
            for one, other in zip(found, dense, strict=True):
                assert (one is None) == (other is None)
                if one is not None:
                    assert one.psi.tolist() == other.psi.tolist()


def test_equal_tables_have_not_moved_and_a_shifted_one_has():
    x = table(1, 200)
    assert [s.total for s in psi.shifts((x, range(6)), (x, range(6)), 20)] == [0.0] * 6
    moved = psi.shifts((x, [0]), (x + 1.0, [0]), 20)[0].total
    assert moved > psi.shifts((x, [0]), (x + 0.1, [0]), 20)[0].total > 0


def test_columns_meet_by_the_numbers_given():
    x = table(2, 60)
    swapped = x[:, ::-1].copy()
    assert [s.total for s in psi.shifts((x, range(6)), (swapped, [5, 4, 3, 2, 1, 0]), 9)] == [
        0.0
    ] * 6


def test_a_column_without_expected_values_has_no_index_but_actual_ones_may_all_be_missing():
    x, none = np.ones((4, 1)), np.full((4, 1), np.nan)
    assert psi.shifts((none, [0]), (x, [0]), 5) == [None]
    found = psi.shifts((x, [0]), (none, [0]), 5)[0]
    assert found.actual.tolist() == [0.0, 1.0]
    assert found.total == pytest.approx(2 * (1 - 1e-6) * np.log(1e6))


def test_a_value_may_count_as_missing_zeros_of_a_sparse_column_too():
    x = np.array([[0.0], [0.0], [4.0], [5.0]])
    for given_as in (x, sparse.csr_matrix(x)):
        found = psi.shifts((given_as, [0]), (given_as, [0]), 2, missing=[0.0])[0]
        assert found.points.tolist() == [4.0, 5.0]
        assert found.expected.tolist() == [0.25, 0.25, 0.5]


def test_a_long_table_is_within_the_stated_error(monkeypatch):
    x, error = table(3, 30_000)[:, [0, 1]], 0.01
    exact = psi.shifts((x, [0, 1]), (x[:9000], [0, 1]), 10)
    monkeypatch.setitem(psi.folded.__kwdefaults__, "exact_rows", 100)
    monkeypatch.setitem(psi.folded.__kwdefaults__, "chunk_rows", 700)
    near = psi.shifts((x, [0, 1]), (x[:9000], [0, 1]), 10, error=error)
    for one, other in zip(near, exact, strict=True):
        assert one.points.tolist() != other.points.tolist()
        np.testing.assert_allclose(one.expected, 0.1 * np.append(np.ones(10), 0), atol=2 * error)
        np.testing.assert_allclose(one.actual, other.actual, atol=4 * error)


def test_intervals_are_open_at_both_ends_and_rounded_to_six_digits():
    assert psi.intervals("x", np.array([-1.23456789, 2.0, 7.0])) == [
        "x<=-1.234568",
        "-1.234568<x<=2.0",
        "2.0<x",
        "missing",
    ]
    assert psi.intervals("x", np.array([5.0])) == ["x", "missing"]
