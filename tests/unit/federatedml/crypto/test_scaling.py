"""Real numbers as integers for products modulo 2^64: nothing wraps, and the error bound holds."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from federatedml.crypto import scaling

RNG = np.random.default_rng(3)


def largest(values):
    return float(np.abs(values).max(initial=0.0))


def product(terms):
    """Sum of X^T u by the integers that cross, modulo 2^64, and back: (k,) reals."""
    bits = [scaling.fraction_bits(largest(u)) for _, u in terms]
    e = scaling.scales([(scaling.norms(x), f) for (x, _), f in zip(terms, bits, strict=True)])
    total = np.zeros(terms[0][0].shape[1], np.uint64)
    for (x, u), f in zip(terms, bits, strict=True):
        whole = scaling.integers(x, e - f)
        total += whole.astype(np.int64).view(np.uint64).T @ scaling.words(u, f)
    return scaling.reals(total, e), e


def bound(x, u, e):
    f = scaling.fraction_bits(largest(u))
    s = (e - f).astype(float)
    x1, u1 = np.abs(x).sum(axis=0), np.abs(u).sum()
    return 2.0 ** -(f + 1) * x1 + 2.0 ** -(s + 1) * u1 + len(u) * 2.0 ** -(f + s + 2)


@pytest.mark.parametrize("size", [0.0, 1e-9, 0.1, 3.99, 700.0, 2e5, 1.7e10])
@pytest.mark.parametrize("spread", [1e-12, 1.0, 1e8])
def test_the_product_is_within_the_stated_error(size, spread):
    x = RNG.normal(size=(500, 4)) * spread * np.array([1.0, 1e3, 1e-6, 0.0])
    u = RNG.uniform(-size, size, 500)
    found, e = product([(x, u)])
    assert (np.abs(found - x.T @ u) <= bound(x, u, e) * 1.001 + 1e-300).all()


def test_the_bound_is_small_beside_the_largest_product_of_the_column():
    n = 200_000
    x, u = RNG.normal(size=(n, 2)), RNG.uniform(-0.5, 0.5, n)
    _, e = product([(x, u)])
    assert (bound(x, u, e) < 2.0**-15 * np.abs(x).sum(axis=0)).all()


def test_two_products_share_the_scale_of_their_sum():
    x, y = RNG.normal(size=(60, 3)), 1e4 * RNG.normal(size=(60, 3))
    u, v = RNG.normal(size=60), 1e4 * RNG.normal(size=60)
    found, e = product([(x, u), (y, v)])
    assert (np.abs(found - x.T @ u - y.T @ v) <= bound(x, u, e) + bound(y, v, e)).all()


@given(
    n=st.integers(1, 300),
    outlier=st.floats(1.0, 1e8),
    size=st.floats(1e-9, 2.0**34, exclude_max=True),
)
def test_the_largest_product_that_columns_allow_does_not_wrap(n, outlier, size):
    x = np.ones((n, 1))
    x[0] = outlier
    u = np.full(n, size)
    found, e = product([(x, u), (x, u)])
    assert abs(found[0] - 2 * size * x.sum()) <= 2.001 * bound(x, u, e)[0]


def test_column_norms_stay_within_what_the_lattice_takes():
    x = RNG.normal(size=(1000, 3)) * np.array([1.0, 1e6, 1e-6])
    x[7, 0] = 1e8
    parts = [(x, 24), (3.0 * x, 16)]
    e = scaling.scales([(scaling.norms(one), f) for one, f in parts])
    whole = [scaling.integers(one, e - f) for one, f in parts]
    l1 = sum(np.abs(one).sum(axis=0) for one in whole)
    l2 = np.sqrt(sum((one**2).sum(axis=0) for one in whole))
    assert (l1 <= 2.0**37).all()
    assert (l2 <= 2.0**34).all()
    assert ((l1 > 2.0**35) | (l2 > 2.0**32)).all(), "scales larger than they must be lose digits"


@pytest.mark.parametrize("rows", [None, np.linspace(-2, 5, 50)], ids=["plain", "weighted"])
def test_sparse_columns_get_the_integers_of_dense_ones(rows):
    x = RNG.normal(size=(50, 6)) * (RNG.random((50, 6)) < 0.2)
    thin, s, further = sparse.csr_matrix(x), np.arange(6) + 10, np.arange(50.0)
    dense_norms, thin_norms = scaling.norms(x, rows), scaling.norms(thin, rows)
    for name in ("l1", "squares", "largest"):
        found, expected = getattr(thin_norms, name), getattr(dense_norms, name)
        np.testing.assert_allclose(found, expected, rtol=1e-14)
    for more in (None, further):
        for found, expected in zip(
            scaling.columns(thin, s, rows, more), scaling.columns(x, s, rows, more), strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    whole = scaling.integers(thin, s)
    assert sparse.issparse(whole)
    np.testing.assert_array_equal(whole.toarray(), scaling.integers(x, s))


def test_entries_of_a_sparse_matrix_that_stand_twice_count_together():
    twice = sparse.csr_matrix(([0.25, 0.5, 3.0], [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    found, squares = scaling.columns(twice, np.array([2, 2]))
    np.testing.assert_array_equal(found, [[0, 12], [3, 0]])
    np.testing.assert_array_equal(squares, [144, 9])
    np.testing.assert_array_equal(scaling.norms(twice).largest, [3.0, 0.75])


@pytest.mark.parametrize("u", [2.0**34, np.inf, np.nan])
def test_vectors_beyond_the_ladder_are_refused(u):
    with pytest.raises(ValueError, match="diverges"):
        scaling.fraction_bits(u)


def test_features_that_are_not_finite_are_refused():
    with pytest.raises(ValueError, match="finite"):
        scaling.norms(np.array([[1.0], [np.nan]]))


def test_more_rows_than_leave_ten_bits_are_refused():
    thin = sparse.csr_matrix((2**26 + 1, 1))
    with pytest.raises(ValueError, match="batch_size"):
        scaling.norms(thin)


@pytest.mark.parametrize("size", [1e-6, 1.0, 1e7])
def test_a_public_scale_of_the_loss_holds_its_column_whatever_the_vector(size):
    column = RNG.normal(size=2000) * size
    s = scaling.column_room(largest(column), len(column), 58)
    product = np.abs(np.rint(column * 2.0**s)).sum() * 2.0**26
    assert product <= 2.0**58
    assert s % 4 == 0
    assert s == scaling.MOST_ROOM or product > 2.0**50, "a smaller scale loses digits"


def test_a_public_scale_of_a_sum_holds_it_and_refuses_what_is_not_finite():
    for value in (0.0, 1e-3, -5.0, 1e12, 1e200):
        e = scaling.sum_room(value, 58)
        assert abs(value) * 2.0**e < 2.0**58
        assert e % 4 == 0
    with pytest.raises(ValueError, match="diverges"):
        scaling.sum_room(float("inf"), 58)
    with pytest.raises(ValueError, match="diverges"):
        scaling.column_room(float("nan"), 1, 58)


def test_a_word_is_the_number_modulo_2_to_the_64():
    e = np.array([20])
    for value in (0.0, -1.5, 3.25, -(2.0**30)):
        assert scaling.reals(scaling.word(value, 20), e)[0] == value


@pytest.mark.parametrize("rows", [None, np.linspace(-2, 5, 40_000)], ids=["plain", "weighted"])
@pytest.mark.parametrize(("scale", "dtype"), [(10, np.int32), (40, np.float64)])
@pytest.mark.parametrize("cores", [1, 3])
def test_dense_columns_are_rounded_and_may_have_one_more(rows, scale, dtype, cores):
    x = RNG.normal(size=(40_000, 2))
    further, s = np.arange(40_000.0), np.array([scale, 3])
    found, squares = scaling.columns(x, s, rows, further, cores=cores)
    assert found.dtype == dtype
    weighted = x if rows is None else x * 2.0**s * rows[:, None] / 2.0**s
    np.testing.assert_array_equal(found[:2].T, np.rint(weighted * 2.0**s))
    np.testing.assert_array_equal(found[2], further)
    np.testing.assert_allclose(squares, (found.astype(float) ** 2).sum(axis=1), rtol=1e-12)


@pytest.mark.parametrize("order", ["C", "F"])
def test_a_matrix_may_be_read_only_and_lie_in_any_order(order):
    x = np.array(RNG.normal(size=(70, 3)), order=order)
    x.flags.writeable = False
    np.testing.assert_allclose(scaling.norms(x).l1, np.abs(x).sum(axis=0), rtol=1e-14)
    np.testing.assert_array_equal(scaling.integers(x, np.full(3, 8)), np.rint(256 * x))


def test_norms_do_not_depend_on_the_number_of_cores():
    x = RNG.normal(size=(50_000, 2))
    one, three = (scaling.norms(x, cores=cores) for cores in (1, 3))
    np.testing.assert_array_equal(one.l1, three.l1)
