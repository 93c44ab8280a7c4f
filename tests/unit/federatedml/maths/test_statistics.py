"""What describes columns: equal to pandas and SciPy on any table, dense or sparse, in any parts."""

import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import sparse, stats

from federatedml.maths import sketch, statistics

NAMES = [*statistics.SUMMARY, "count", "variance", "0%", "5%", "95%", "100%"]


def table(seed, n):
    """Normal, skewed, constant, categorical, far from 0, mostly 0, missing, tiny, huge columns."""
    rng = np.random.default_rng(seed)
    x = np.column_stack(
        [
            rng.normal(size=n),
            rng.lognormal(sigma=2, size=n),
            np.full(n, 0.1),
            rng.integers(0, 4, n),
            rng.normal(1e9, 1.0, n),
            np.where(rng.random(n) < 0.8, 0.0, rng.normal(size=n)),
            np.where(rng.random(n) < 0.4, np.nan, rng.exponential(size=n)),
            rng.normal(size=n) * 1e-120,
            rng.normal(size=n) * 1e120,
        ]
    ).astype(float)
    x[0, 6] = 2.5
    return x


def twin(values, bias=True):
    """The measures by pandas and SciPy, of one column."""
    series, known = pd.Series(values), values[~np.isnan(values)]
    constant, skew, kurtosis = len(set(known)) == 1, 0.0, 0.0
    scale = np.abs(known - known.mean()).max()
    if not constant:
        skew = stats.skew((known - known.mean()) / scale, bias=bias)
        kurtosis = stats.kurtosis((known - known.mean()) / scale, bias=bias)
    std = 0.0 if constant else ((known - known.mean()) / scale).std() * scale
    found = {
        "count": series.count(),
        "sum": series.sum(),
        "mean": series.mean(),
        "stddev": std,
        "variance": std**2,
        "median": np.quantile(known, 0.5, method="inverted_cdf"),
        "min": series.min(),
        "max": series.max(),
        "missing_count": series.isna().sum(),
        "missing_ratio": series.isna().mean(),
        "skewness": skew,
        "kurtosis": kurtosis,
        "coefficient_of_variance": std / max(abs(series.mean()), 1e-8),
    }
    quantiles = [name for name in NAMES if name.endswith("%")]
    # numpy's "inverted_cdf", but for products such as 0.07 * 100, which it takes for more than 7.
    ranks = [max(-(-int(name[:-1]) * len(known) // 100) - 1, 0) for name in quantiles]
    return found | dict(zip(quantiles, np.sort(known)[ranks], strict=True))


def assert_as_twin(found, x, *, bias=True):
    """To 1e-9, and as exact as a mean is: what is far from 0 loses digits of its spread."""
    spreads = ("stddev", "variance", "skewness", "kurtosis", "coefficient_of_variance")
    for j, column in enumerate(x.T):
        wanted = twin(column, bias)
        size = np.nanmax(np.abs(column))
        lost = 1e-15 * size / (wanted["stddev"] or 1.0)
        for name, value in zip(NAMES, found[:, j], strict=True):
            near, rel = 1e-12, 1e-9
            if name in spreads:
                near, rel = near + lost, rel + lost
            if name == "coefficient_of_variance":
                rel += 1e-14 * size / max(abs(wanted["mean"]), 1e-8)
            if name in ("sum", "mean"):
                near = 1e-14 * size * (len(x) if name == "sum" else 1)
            if name in ("stddev", "variance") and wanted[name]:
                near = 0
            assert value == pytest.approx(wanted[name], rel=rel, abs=near), (j, name)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60), st.booleans(), st.integers(1, 3))
def test_measures_are_those_of_pandas_and_scipy(seed, n, bias, cores):
    x = table(seed, n)
    at = range(x.shape[1])
    assert_as_twin(statistics.measured(x, at, NAMES, bias=bias, cores=cores), x, bias=bias)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(5, 60))
def test_a_sparse_table_says_what_it_says_when_dense(seed, n):
    x = table(seed, n)
    at = [5, 3, 6, 0]
    found = statistics.measured(sparse.csr_matrix(x), at, NAMES)
    np.testing.assert_allclose(found, statistics.measured(x, at, NAMES), rtol=1e-9, atol=1e-12)


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10_000), st.integers(6, 200), st.integers(1, 60), st.booleans())
@example(1, 50, 1, False)  # parts of one row
def test_parts_of_a_table_merge_into_the_whole(seed, n, chunk_rows, is_sparse):
    x, at = table(seed, n), range(9)

    def of_part(values, n_zeros, room):
        return statistics.column(values, n_zeros, (), room)

    given_as = sparse.csr_matrix(x) if is_sparse else x
    sizes = {"error": 0.01, "exact_rows": 5, "chunk_rows": chunk_rows}
    whole = statistics.folded(given_as, at, of_part, statistics.merged, **sizes)
    found = [[statistics.measure(column, name) for name in NAMES] for column in whole]
    assert_as_twin(np.array(found).T, x)


def test_a_long_table_is_sketched_within_the_stated_error(monkeypatch):
    x, error = np.random.default_rng(5).lognormal(size=(40_000, 2)), 0.01
    monkeypatch.setitem(statistics.folded.__kwdefaults__, "exact_rows", 100)
    monkeypatch.setitem(statistics.folded.__kwdefaults__, "chunk_rows", 700)
    names = [f"{percent}%" for percent in range(101)]
    found = statistics.measured(x, [0, 1], names, error=error)
    for j in range(2):
        assert len(set(found[:, j])) == 101
        ranks = np.searchsorted(np.sort(x[:, j]), found[:, j], side="right") / len(x)
        assert np.abs(ranks - np.arange(101) / 100).max() <= error + 1 / len(x)
        assert not np.array_equal(found[:, j], np.quantile(x[:, j], np.arange(101) / 100))


def test_abnormal_values_count_for_nothing_and_are_not_missing():
    x = np.array([[1.0, 0.0], [-999.0, 0.0], [np.nan, 5.0], [3.0, 7.0]])
    names = ["count", "missing_count", "mean", "min", "median"]
    plain = statistics.measured(x, [0, 1], names, abnormal=[-999.0, 0.0])
    assert plain.T.tolist() == [[2, 1, 2.0, 1.0, 1.0], [2, 0, 6.0, 5.0, 5.0]]
    found = statistics.measured(sparse.csr_matrix(x), [0, 1], names, abnormal=[-999.0, 0.0])
    assert found.tolist() == plain.tolist()


def test_a_column_without_values_has_counts_and_nothing_else():
    x = np.array([[np.nan], [np.nan]])
    found = dict(zip(NAMES, statistics.measured(x, [0], NAMES)[:, 0], strict=True))
    assert [found.pop(name) for name in ("count", "missing_count", "missing_ratio")] == [0, 2, 1]
    assert np.isnan(list(found.values())).all()


def test_too_large_values_are_told_by_numbers_that_are_not_finite():
    x = np.array([[1e308, np.inf], [1e308, 1.0], [-1e308, 2.0], [1.7e308, 3.0]])
    found = statistics.measured(x, [0, 1], NAMES)
    assert not np.isfinite(found).all(axis=0).any()


def test_columns_of_one_value_have_no_spread_whatever_their_sum_rounds_to():
    x = np.full((7, 1), 0.1)
    found = dict(zip(NAMES, statistics.measured(x, [0], NAMES)[:, 0], strict=True))
    still = ["stddev", "variance", "skewness", "kurtosis", "coefficient_of_variance"]
    assert [found[name] for name in still] == [0.0] * 5
    assert found["mean"] == 0.1
    parts = [statistics.column(x[:3, 0], 0, (), sketch.room(0)) for _ in range(2)]
    assert statistics.measure(statistics.merged(*parts), "variance") == 0.0


@pytest.mark.parametrize("name", ["0%", "7%", "100%", "median", "count"])
def test_words_and_whole_percents_are_measures(name):
    assert statistics.is_measure(name)


@pytest.mark.parametrize("name", ["", "101%", "100", "1005%", "05%", "9.5%", "-1%", "95%x", "Mean"])
def test_other_words_are_no_measures(name):
    assert not statistics.is_measure(name)


WHOLE_JOB = """
import numpy as np
from federatedml.maths import statistics
x = np.random.default_rng(0).normal(size=(1_000_000, 100))
statistics.measured(x, range(100), [*statistics.SUMMARY, "95%"], cores=2)
with open("/proc/self/status") as lines:
    print(next(int(line.split()[1]) for line in lines if line.startswith("VmHWM")) / 1e6)
"""
"""Of the status, for getrusage also counts what the process had before it was this program."""


@pytest.mark.slow
def test_a_million_rows_of_a_hundred_columns_take_little_memory():
    said = subprocess.run(
        [sys.executable, "-c", WHOLE_JOB], capture_output=True, text=True, check=True
    )
    assert float(said.stdout) < 3  # GB
