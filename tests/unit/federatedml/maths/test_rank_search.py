"""The search for quantiles on counts alone: the same bins as from the rows themselves."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from federatedml.maths import quantiles, rank_search
from federatedml.maths.rank_search import Search

FINITE = st.floats(allow_nan=False, allow_infinity=False)


def columns_of(x):
    return [np.sort(rank_search.images(c[~np.isnan(c)])) for c in x.T]


def searched(parts, n_bins, error=0.0):
    """Cuts, and how many questions they took. parts: the rows of each party."""
    held = [columns_of(part) for part in parts]
    search, asked = Search(parts[0].shape[1], n_bins, error), 0
    while (question := search.next()) is not None:
        counts = [rank_search.counted(columns, question) for columns in held]
        search.take(question, np.sum(counts, axis=0))
        asked += 1
    return search.cuts(), asked


def assert_same_bins(x, n_bins):
    cuts, asked = searched([x[: len(x) // 3], x[len(x) // 3 :]], n_bins)
    exact = quantiles.cut_points(x, n_bins)
    np.testing.assert_array_equal(quantiles.binned(x, cuts), quantiles.binned(x, exact))
    for upper in cuts.upper:
        assert (upper[1:] > upper[:-1]).all()
    return asked


@given(st.lists(FINITE, min_size=1, max_size=60), st.integers(1, 20))
@settings(max_examples=150, deadline=None)
@example([0.0, -5e-324, 0.0, -3.0], 3)
def test_any_values_give_the_bins_of_the_pooled_rows(values, n_bins):
    assert_same_bins(np.array(values)[:, None], n_bins)


@given(st.lists(st.sampled_from([-0.0, 0.0, 1.0, 5e-324, -1e308, 2.5]), min_size=2, max_size=40))
@settings(max_examples=60, deadline=None)
def test_ties_and_extreme_values_give_the_bins_of_the_pooled_rows(values):
    for n_bins in (1, 3, 6):
        assert_same_bins(np.array(values)[:, None], n_bins)


@given(FINITE, FINITE)
def test_images_have_the_order_of_the_floats_and_come_back(a, b):
    first, second = rank_search.images(np.array([a, b]))
    assert (first < second) == (a < b)
    assert rank_search.values(np.array([first])) == a


def test_many_features_take_few_questions():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 40)) * 10.0 ** rng.integers(-20, 20, 40)
    x[:, :5] = np.round(x[:, :5], 1)
    x[rng.random(x.shape) < 0.1] = np.nan
    assert assert_same_bins(x, 32) < 16


def test_the_more_intervals_the_fewer_parts_of_each():
    asked = [Search(k, 32).next() for k in (1, 100, 10_000, 1_000_000)]
    assert [question.width for question in asked] == [12, 8, 3, 1]


def test_the_rank_of_a_cut_is_off_by_no_more_than_the_error():
    x = np.random.default_rng(2).normal(size=(5000, 3))
    for error in (0.001, 0.01):
        cuts, asked = searched([x], 20, error)
        for j, upper in enumerate(cuts.upper):
            ranks = np.searchsorted(np.sort(x[:, j]), upper[:-1], side="right")
            wanted = np.arange(1, 20) * 5000 / 20
            assert np.abs(ranks - wanted).max() <= error * 5000
        assert asked <= searched([x], 20)[1]


def test_a_column_without_values_has_one_cut_for_all():
    cuts, _ = searched([np.full((5, 2), np.nan)], 4)
    assert [upper.tolist() for upper in cuts.upper] == [[rank_search.HIGHEST]] * 2


def test_a_value_that_one_row_has_is_never_asked_for_exactly():
    """An interval with one row in it is not divided any more."""
    x = np.array([1.5, 1.5, 1.5, 700.123])[:, None]
    search, alone = Search(1, 8), int(rank_search.images(np.array([700.123]))[0])
    parts = []
    while (question := search.next()) is not None:
        if any((alone - low) >> question.bits == 0 for low in question.low.tolist()):
            parts.append(question.bits - question.width)
        search.take(question, rank_search.counted(columns_of(x), question))
    assert parts == [64 - rank_search.MAX_WIDTH]


@pytest.mark.parametrize("lost_at", [1, 2, 3])
def test_a_party_that_is_lost_on_the_way_leaves_usable_cuts(lost_at):
    rng = np.random.default_rng(3)
    x = np.column_stack([rng.normal(size=900), rng.integers(0, 60, 900), rng.exponential(size=900)])
    held, search, asked = [columns_of(x[:600]), columns_of(x[600:])], Search(3, 16), 0
    while (question := search.next()) is not None:
        asked += 1
        answering = held if asked <= lost_at else held[:1]
        counts = [rank_search.counted(columns, question) for columns in answering]
        search.take(question, np.sum(counts, axis=0))
        assert asked < 40
    cuts = search.cuts()
    codes = quantiles.binned(x[:600], cuts)
    for j, upper in enumerate(cuts.upper):
        assert 1 < len(upper) <= 16
        assert (upper[1:] > upper[:-1]).all()
        assert np.bincount(codes[j]).max() < 3 * 600 / 16
