"""Buckets put together: equal to a plain twin, within the limits that were asked for."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.stats import chi2_contingency

from federatedml.maths import binning, optimal_binning
from federatedml.maths.optimal_binning import Rules

METRICS = ("iv", "gini", "chi_square", "ks")


def rules(metric="iv", **given_):
    base = {"bin_num": 4, "min_pct": 0.1, "max_pct": 1.0, "mixture": True, "adjustment": 0.5}
    return Rules(metric, **{**base, **given_})


def impurity(e, ne):
    return 1 - (e / (e + ne)) ** 2 - (ne / (e + ne)) ** 2 if e + ne else 0.0


def share(e, ne, totals, adjustment):
    more = adjustment if 0 in (e, ne) else 0
    a, b = (e + more) / totals[0], (ne + more) / totals[1]
    return (a - b) * math.log(a / b)


def cost(a, b, r, totals):
    both = (a[0] + b[0], a[1] + b[1])
    if r.metric == "iv":
        parts = [share(*bucket, totals, r.adjustment) for bucket in (a, b, both)]
        return parts[0] + parts[1] - parts[2]
    if r.metric == "gini":
        return impurity(*both) - impurity(*a) - impurity(*b)
    table = np.array([a, b])
    table = table[:, table.any(axis=0)][table.any(axis=1)]
    return chi2_contingency(table, correction=False).statistic if table.size > 1 else 0.0


def twin(event, other, r):
    """One merge after the other, all costs anew each time. Ends of bins."""
    bins = [(int(e), int(ne), i) for i, (e, ne) in enumerate(zip(event, other, strict=True))]
    totals, n = (event.sum(), other.sum()), event.sum() + other.sum()
    least, most = math.ceil(r.min_pct * n), math.floor(r.max_pct * n)

    def pure(b):
        return not (b[0] and b[1])

    def small(b):
        return b[0] + b[1] < least

    phases = [(pure, all), (pure, any)] if r.mixture else []
    for fault, how in [*phases, (small, all), (small, any), (None, None)]:
        while len(bins) > (1 if fault else r.bin_num):
            pairs = [
                (cost(a[:2], b[:2], r, totals), i)
                for i, (a, b) in enumerate(pairwise(bins))
                if a[0] + a[1] + b[0] + b[1] <= most and (not fault or how([fault(a), fault(b)]))
            ]
            if not pairs:
                break
            lowest = min(pairs)[0]
            i = next(i for c, i in pairs if c <= lowest + 1e-12)
            a, b = bins[i], bins[i + 1]
            bins[i : i + 2] = [(a[0] + b[0], a[1] + b[1], b[2])]
    return [b[2] for b in bins]


def buckets(seed, b, most=12):
    rng = np.random.default_rng(seed)
    event, other = rng.integers(0, most, b), rng.integers(0, most, b)
    return event, other


@pytest.mark.parametrize("metric", ["iv", "chi_square"])
@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 2**32 - 1),
    b=st.integers(1, 14),
    mixture=st.booleans(),
    min_pct=st.sampled_from([0.0, 0.1, 0.3]),
    max_pct=st.sampled_from([0.4, 0.8, 1.0]),
)
def test_neighbours_are_merged_as_a_plain_twin_does(metric, seed, b, mixture, min_pct, max_pct):
    event, other = buckets(seed, b, 500)
    assume(event.any() and other.any())
    r = rules(metric, mixture=mixture, min_pct=min_pct, max_pct=max_pct)
    assert optimal_binning.merged(event, other, r).tolist() == twin(event, other, r)


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), b=st.integers(1, 14))
def test_gini_is_merged_as_a_plain_twin_does(seed, b):
    event, other = buckets(seed, b, 10_000)
    r = rules("gini")
    assert optimal_binning.merged(event, other, r).tolist() == twin(event, other, r)


@pytest.mark.parametrize("metric", METRICS)
@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), b=st.integers(1, 60), bin_num=st.integers(1, 8))
def test_no_more_bins_than_asked_all_large_and_mixed(metric, seed, b, bin_num):
    event, other = buckets(seed, b)
    assume(event.any() and other.any())
    ends = optimal_binning.merged(event, other, rules(metric, bin_num=bin_num))
    assert ends[-1] == b - 1
    assert (np.diff(ends) > 0).all()
    assert len(ends) <= bin_num
    starts = np.append(0, ends[:-1] + 1)
    e, ne = np.add.reduceat(event, starts), np.add.reduceat(other, starts)
    assert (e > 0).all()
    assert (ne > 0).all()
    if len(ends) > 1:
        assert (e + ne >= math.ceil(0.1 * (event.sum() + other.sum()))).all()


@pytest.mark.parametrize("metric", ["iv", "gini", "chi_square"])
@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32 - 1), b=st.integers(2, 40))
def test_no_merged_bin_is_larger_than_allowed(metric, seed, b):
    event, other = buckets(seed, b, 5)
    assume(event.any() and other.any())
    ends = optimal_binning.merged(event, other, rules(metric, max_pct=0.3))
    starts = np.append(0, ends[:-1] + 1)
    rows = np.add.reduceat(event + other, starts)
    single = np.diff(np.append(starts, b)) == 1
    assert (rows[~single] <= 0.3 * (event + other).sum()).all()


def test_ks_cuts_where_the_classes_part_most_and_then_both_sides():
    event, other = np.array([9, 8, 1, 1, 5]), np.array([1, 2, 9, 9, 1])
    gap = np.abs(np.cumsum(event) / 24 - np.cumsum(other) / 22)
    ends = optimal_binning.merged(event, other, rules("ks", bin_num=2))
    assert ends.tolist() == [int(gap[:-1].argmax()), 4]
    assert optimal_binning.merged(event, other, rules("ks", bin_num=3)).tolist() == [0, 1, 4]
    assert optimal_binning.merged(event, other, rules("ks", bin_num=4)).tolist() == [0, 1, 3, 4]


def test_iv_falls_by_exactly_what_merging_costs():
    event, other = buckets(3, 5, 40)
    r = rules("iv")
    costs = optimal_binning.neighbour_costs(event, other, r)
    for i in range(4):
        starts = [s for s in range(5) if s != i + 1]
        after = binning.woe(np.add.reduceat(event, starts), np.add.reduceat(other, starts), 0.5)
        before = binning.woe(event, other, 0.5)
        assert costs[i] == pytest.approx(before.total_iv - after.total_iv)


def test_missing_values_stay_apart_and_unwanted_columns_as_they_are():
    counts = np.column_stack(buckets(5, 8))
    column = np.vstack([counts, [[3, 4]]])
    ends, found, costs = optimal_binning.all_merged(
        [column, column], [True, True], [True, False], rules()
    )
    assert ends[1] is None
    assert costs[1] == []
    np.testing.assert_array_equal(found[1], column)
    assert ends[0][-1] == 7
    assert found[0][-1].tolist() == [3, 4]
    np.testing.assert_array_equal(found[0].sum(axis=0), column.sum(axis=0))
    assert len(costs[0]) == len(ends[0]) - 1


def test_a_column_whose_known_rows_are_of_one_class_becomes_one_bin():
    column = np.array([[3, 0], [4, 0], [0, 2]])
    ends, found, costs = optimal_binning.all_merged([column], [True], [True], rules())
    assert ends[0].tolist() == [1]
    assert found[0].tolist() == [[7, 0], [0, 2]]
    assert costs == [[]]


def test_both_classes_are_needed():
    with pytest.raises(ValueError, match="both classes"):
        optimal_binning.merged(np.array([1, 2]), np.array([0, 0]), rules())
