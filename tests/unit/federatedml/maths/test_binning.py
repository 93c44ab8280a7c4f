"""Bins, counts and WOE equal a pandas twin over random tables, dense and sparse."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml.maths import binning
from federatedml.maths.binning import Column

KINDS = ("normal", "missing", "constant", "skewed", "categorical", "zeros", "signs")


def column(kind, n, rng):
    x = rng.normal(size=n)
    if kind == "missing":
        x[rng.random(n) < 0.3] = np.nan
        x[0] = 1.0
    elif kind == "constant":
        x[:] = -2.5
    elif kind == "skewed":
        x = np.round(np.exp(3 * x), 1)
    elif kind == "categorical":
        x = rng.integers(0, 4, n).astype(float)
    elif kind == "zeros":
        x[rng.random(n) < 0.8] = 0.0
    elif kind == "signs":
        x = rng.choice([-1.0, 0.0, 0.0, 2.0, np.nan], n)
        x[0] = 2.0
    return x


tables = st.tuples(
    st.lists(st.sampled_from(KINDS), min_size=1, max_size=5),
    st.integers(1, 200),
    st.integers(0, 2**32 - 1),
)


def drawn(table):
    kinds, n, seed = table
    rng = np.random.default_rng(seed)
    return np.column_stack([column(kind, n, rng) for kind in kinds]), rng


def as_sparse(x):
    made = sparse.csr_matrix(np.where(np.isnan(x), 7e300, x))
    made.data[made.data == 7e300] = np.nan
    return made


FORMS = {"dense": lambda x: x, "sparse": as_sparse}


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(table=tables, bin_num=st.integers(1, 12))
def test_quantiles_are_the_smallest_values_that_so_many_rows_do_not_exceed(form, table, bin_num):
    x, _ = drawn(table)
    for j, own in enumerate(binning.columns(FORMS[form](x), range(x.shape[1]))):
        known = np.sort(x[~np.isnan(x[:, j]), j])
        rows = np.arange(1, len(known) + 1)
        wanted = {known[np.argmax(rows * bin_num >= i * len(known))] for i in range(1, bin_num + 1)}
        np.testing.assert_array_equal(binning.quantile_points(own, bin_num), sorted(wanted))


@pytest.mark.parametrize("n", [10, 57, 569, 1000])
def test_quantiles_are_those_of_numpy(n):
    values = np.random.default_rng(n).normal(size=n)
    wanted = np.quantile(values, np.arange(1, 9) / 8, method="inverted_cdf")
    np.testing.assert_array_equal(binning.quantile_points(Column(values), 8), wanted)


def test_a_quantile_that_falls_on_a_row_is_that_row():
    """In doubles 49 * (1 / 49) * 7 and its like come out above or below the whole number."""
    for n in range(1, 200):
        values = np.arange(1.0, n + 1)
        np.testing.assert_array_equal(binning.quantile_points(Column(values), n), values)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(table=tables, bin_num=st.integers(1, 12))
def test_buckets_are_of_one_width_up_to_the_largest_value(form, table, bin_num):
    x, _ = drawn(table)
    for j, own in enumerate(binning.columns(FORMS[form](x), range(x.shape[1]))):
        low, high = np.nanmin(x[:, j]), np.nanmax(x[:, j])
        points = binning.bucket_points(own, bin_num)
        assert points[-1] == high
        assert len(points) == (bin_num if high > low else 1)
        width = (high - low) / bin_num
        np.testing.assert_allclose(points, high - width * np.arange(len(points))[::-1], atol=1e-9)


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(table=tables)
def test_categories_are_all_values_that_occur(form, table):
    x, _ = drawn(table)
    for j, own in enumerate(binning.columns(FORMS[form](x), range(x.shape[1]))):
        wanted = np.unique(x[~np.isnan(x[:, j]), j])
        np.testing.assert_array_equal(binning.category_points(own), wanted)


def twin(values, points, classes):
    """Rows by bin and class, by pandas: right-closed intervals, the last one open above."""
    edges = np.array([-np.inf, *points[:-1], np.inf])
    bins = pd.cut(pd.Series(values), edges, labels=False)
    bins = bins.fillna(len(points)).astype(int)
    rows = pd.crosstab(bins, pd.Series(classes))
    n_bins = len(points) + bool(np.isnan(values).any())
    return rows.reindex(index=range(n_bins), columns=range(3), fill_value=0).to_numpy()


@pytest.mark.parametrize("cores", [1, 3])
@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=40, deadline=None)
@given(table=tables, bin_num=st.integers(1, 12))
def test_rows_by_bin_and_class_are_those_of_pandas(form, cores, table, bin_num):
    x, rng = drawn(table)
    which = range(x.shape[1])
    classes = rng.integers(0, 3, len(x))
    points = binning.split_points(
        FORMS[form](x), which, lambda _, own: binning.quantile_points(own, bin_num), cores=cores
    )
    new = x + np.where(rng.random(x.shape) < 0.3, rng.normal(size=x.shape), 0.0)
    new[new != x] = np.round(new[new != x])  # some of it between the points, and beyond them
    of = binning.binned(FORMS[form](new), which, points, cores=cores)
    found = binning.counts(of, classes.astype(np.int32), 3, cores=cores)
    for j in which:
        np.testing.assert_array_equal(found[j], twin(new[:, j], points[j], classes))


@settings(max_examples=60, deadline=None)
@given(table=tables, adjustment=st.floats(0.01, 1.0))
def test_woe_and_iv_are_those_of_their_definition(table, adjustment):
    x, rng = drawn(table)
    event = rng.integers(0, 4, 1 + x.shape[1])
    other = rng.integers(0, 4, 1 + x.shape[1])
    event[0], other[-1] = 1, 1
    found = binning.woe(event, other, adjustment)
    total = 0.0
    for i, (e, ne) in enumerate(zip(event, other, strict=True)):
        more = adjustment if 0 in (e, ne) else 0
        rates = (e + more) / event.sum(), (ne + more) / other.sum()
        assert (found.event_rate[i], found.non_event_rate[i]) == pytest.approx(rates)
        assert found.woe[i] == pytest.approx(np.log(rates[0] / rates[1]))
        assert found.iv[i] == pytest.approx((rates[0] - rates[1]) * found.woe[i])
        total += found.iv[i]
    assert found.total_iv == pytest.approx(total)
    series = pd.Series(found.woe)
    assert found.is_monotonic is (series.is_monotonic_increasing or series.is_monotonic_decreasing)


def test_the_bin_of_missing_values_has_no_place_in_the_order():
    event, other = np.array([1, 2, 3, 0]), np.array([3, 2, 1, 4])
    assert binning.woe(event, other, 0.5, has_missing=True).is_monotonic
    assert not binning.woe(event, other, 0.5).is_monotonic


@pytest.mark.parametrize(("event", "other"), [([0, 0], [1, 2]), ([1, 2], [0, 0])])
def test_woe_needs_both_kinds(event, other):
    with pytest.raises(ValueError, match="events and non-events"):
        binning.woe(np.array(event), np.array(other), 0.5)


@settings(max_examples=60, deadline=None)
@given(table=tables, bin_num=st.integers(1, 9), n_classes=st.integers(2, 4))
def test_sums_up_to_the_cuts_give_back_all_counts(table, bin_num, n_classes):
    x, rng = drawn(table)
    which = range(x.shape[1])
    points = binning.split_points(x, which, lambda _, own: binning.bucket_points(own, bin_num))
    of = binning.binned(x, which, points)
    classes = rng.integers(0, n_classes, len(x)).astype(np.int32)
    wanted = binning.counts(of, classes, n_classes)
    rows = []
    for codes, own in zip(of.codes, points, strict=True):
        by_code = np.bincount(codes, minlength=of.n_bins + 1)
        rows.append(np.append(by_code[: len(own)], by_code[-1]))
    cuts = binning.cuts_asked(rows)
    assert not cuts.missing_left.any()
    left = np.array(
        [
            [np.count_nonzero((of.codes[j] <= cut) & (classes == c)) for c in range(n_classes - 1)]
            for j, cut in zip(cuts.feature, cuts.cut, strict=True)
        ],
        dtype=np.int64,
    ).reshape(len(cuts), n_classes - 1)
    totals = np.bincount(classes, minlength=n_classes)
    found = binning.class_counts(rows, left, totals)
    for a, b in zip(found, wanted, strict=True):
        np.testing.assert_array_equal(a, b)


def test_sums_that_no_rows_have_are_refused():
    rows = [np.array([2, 3, 0])]
    with pytest.raises(ValueError, match="no rows have"):
        binning.class_counts(rows, np.array([[3]]), np.array([3, 2]))


@pytest.mark.parametrize("form", FORMS)
@settings(max_examples=30, deadline=None)
@given(table=tables, bin_num=st.integers(1, 9))
def test_columns_are_replaced_by_a_value_for_each_bin_and_others_stay(form, table, bin_num):
    x, rng = drawn(table)
    which = sorted(rng.choice(x.shape[1], rng.integers(1, x.shape[1] + 1), replace=False).tolist())
    points = binning.split_points(x, which, lambda _, own: binning.quantile_points(own, bin_num))
    of = binning.binned(x, which, points)
    values = [rng.integers(0, 3, len(own) + 1).astype(float) for own in points]
    found = binning.replaced(FORMS[form](x), which, of, values)
    assert sparse.issparse(found) == (form == "sparse")
    dense = found.toarray() if sparse.issparse(found) else found
    wanted = x.copy()
    for j, own, value in zip(which, points, values, strict=True):
        at = np.searchsorted(own[:-1], x[:, j], side="left")
        wanted[:, j] = value[np.where(np.isnan(x[:, j]), len(own), at)]
    np.testing.assert_array_equal(dense, wanted)


def test_many_bins_take_wider_codes():
    x = np.arange(600.0)[:, None]
    for n_bins, kind in ((255, np.uint8), (256, np.uint16)):
        points = [binning.quantile_points(Column(x[:, 0]), n_bins)]
        of = binning.binned(x, [0], points)
        assert (of.codes.dtype, of.n_bins) == (kind, n_bins)
        assert binning.binned(np.array([[np.nan]]), [0], points).codes.tolist() == [[n_bins]]


def test_a_column_without_points_has_no_bins():
    with pytest.raises(ValueError, match="split points"):
        binning.binned(np.zeros((3, 1)), [0], [np.empty(0)])
    assert not len(binning.quantile_points(Column(np.array([np.nan])), 3))
    assert not len(binning.bucket_points(Column(np.array([np.nan])), 3))


def test_intervals_between_the_largest_numbers_are_of_one_width():
    values = np.array([-1.6e308, 1.6e308, 0.0])
    found = binning.bucket_points(Column(values), 4)
    np.testing.assert_allclose(found, [-0.8e308, 0.0, 0.8e308, 1.6e308], atol=1e293)
    assert binning.bucket_points(Column(values), 1).tolist() == [1.6e308]
