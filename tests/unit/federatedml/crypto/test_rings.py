"""Ring arithmetic equals Python's integers, wrapped."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import rings
from federatedml.crypto.errors import PlaintextOutOfRange

BITS = pytest.mark.parametrize("bits", [64, 128])
EXTREMES = [0, 1, 2**31, 2**32 - 1, 2**63 - 1, 2**63, 2**64 - 1, 2**64, 2**127 - 1, 2**127]


def words(values, bits):
    """Python integers of any nesting as elements."""
    wrapped = np.array(values, dtype=object) % 2**bits
    low = (wrapped % 2**64).astype(np.uint64)
    return low if bits == 64 else np.stack([low, (wrapped >> 64).astype(np.uint64)], axis=-1)


def integers(elements, bits):
    """Elements as an array of Python integers, 0 .. 2^bits - 1."""
    if bits == 64:
        return elements.astype(object)
    return elements[..., 0].astype(object) + elements[..., 1].astype(object) * 2**64


def signed(values, bits):
    half = 2 ** (bits - 1)
    return (values + half) % 2**bits - half


def wrap(values, bits):
    return (np.array(values, dtype=object) % 2**bits).tolist()


@st.composite
def pairs(draw):
    bits = draw(st.sampled_from([64, 128]))
    value = st.integers(0, 2**bits - 1) | st.sampled_from([e % 2**bits for e in EXTREMES])
    n = draw(st.integers(0, 6))
    rows = st.lists(value, min_size=n, max_size=n)
    return bits, draw(rows), draw(rows)


@given(pairs())
@settings(deadline=None)
def test_adding_subtracting_multiplying_and_negating_wrap_as_integers_do(case):
    bits, a, b = case
    x, y = words(a, bits), words(b, bits)
    together = list(zip(a, b, strict=True))
    assert integers(rings.add(x, y, bits), bits).tolist() == wrap(
        [i + j for i, j in together], bits
    )
    assert integers(rings.sub(x, y, bits), bits).tolist() == wrap(
        [i - j for i, j in together], bits
    )
    assert integers(rings.mul(x, y, bits), bits).tolist() == wrap(
        [i * j for i, j in together], bits
    )
    assert integers(rings.neg(x, bits), bits).tolist() == wrap([-i for i in a], bits)
    assert integers(rings.total(x, bits), bits) == sum(a) % 2**bits
    assert integers(rings.dot(x, y, bits), bits) == sum(i * j for i, j in together) % 2**bits


@given(pairs(), st.integers(-(2**130), 2**130), st.integers(0, 127), st.integers(1, 32))
@settings(deadline=None)
def test_scaling_shifting_and_cutting_into_limbs_follow_integers(case, factor, shift, limb):
    bits, a, _ = case
    x, shift = words(a, bits), shift % bits
    assert integers(rings.scale(x, factor, bits), bits).tolist() == wrap(
        [i * factor for i in a], bits
    )
    assert integers(rings.shift_right(x, shift, bits), bits).tolist() == [i >> shift for i in a]
    cut = rings.limbs(x, bits, limb)
    assert cut.shape == (len(a), rings.limb_count(limb, bits))
    assert cut.dtype == np.int64
    assert ((cut >= 0) & (cut < 2**limb)).all()
    np.testing.assert_array_equal(rings.from_limbs(rings.from_integers(cut, bits), bits, limb), x)


@BITS
def test_shapes_broadcast_and_sums_take_any_axis(bits):
    a, b = rings.random((3, 1, 2), bits), rings.random((4, 2), bits)
    for ours, theirs in [
        (rings.add(a, b, bits), integers(a, bits) + integers(b, bits)),
        (rings.mul(a, b, bits), integers(a, bits) * integers(b, bits)),
        (rings.sub(b, a, bits), integers(b, bits) - integers(a, bits)),
        (rings.total(b, bits, axis=1), integers(b, bits).sum(axis=1)),
    ]:
        assert integers(ours, bits).tolist() == (theirs % 2**bits).tolist()


@BITS
@pytest.mark.parametrize(("m", "k", "c"), [(1, 1, 1), (5, 3, 2), (0, 3, 1), (4, 0, 2), (7, 11, 4)])
@pytest.mark.parametrize("turned", [False, True])
def test_matrix_products_follow_integers(bits, m, k, c, turned):
    shape = (k, m) if turned else (m, k)
    x = rings.random(shape, 64).view(np.int64)
    x = x.T if turned else x
    w = rings.random((k, c), bits)
    expected = (x.astype(object) @ integers(w, bits)) % 2**bits if k else np.zeros((m, c), int)
    assert integers(rings.matmul_plain(x, w, bits), bits).tolist() == expected.tolist()
    one = rings.matmul_plain(x, w[:, 0], bits)
    assert rings.fits(one, (m,), bits)
    assert integers(one, bits).tolist() == expected[:, 0].tolist()
    a = rings.random((m, k), bits)
    expected = (integers(a, bits) @ integers(w, bits)) % 2**bits if k else np.zeros((m, c), int)
    assert integers(rings.matmul(a, w, bits), bits).tolist() == expected.tolist()


@BITS
@pytest.mark.parametrize("turned", [False, True])
def test_threads_change_nothing(bits, turned):
    x = rings.random((700, 300), 64).view(np.int64)
    x = x.T if turned else x
    w = rings.random((x.shape[1],), bits)
    one = rings.matmul_plain(x, w, bits)
    np.testing.assert_array_equal(rings.matmul_plain(x, w, bits, cores=3), one)


@BITS
def test_a_product_of_wrong_shapes_is_refused(bits):
    with pytest.raises(ValueError, match="cannot multiply"):
        rings.matmul_plain(np.zeros((2, 3), np.int64), rings.zeros((2,), bits), bits)
    with pytest.raises(ValueError, match="cannot multiply"):
        rings.matmul_plain(np.zeros((2, 3)), rings.zeros((3,), bits), bits)
    with pytest.raises(ValueError, match="cannot multiply"):
        rings.matmul(rings.zeros((2, 3), bits), rings.zeros((2, 3), bits), bits)
    with pytest.raises(ValueError, match="cannot shift"):
        rings.shift_right(rings.zeros((2,), bits), bits, bits)


@given(
    st.sampled_from([64, 128]),
    st.integers(0, 60),
    st.lists(st.floats(-(2.0**60), 2.0**60, allow_nan=False), max_size=6),
)
@settings(deadline=None)
def test_an_encoded_number_is_the_nearest_multiple(bits, fraction, numbers):
    numbers = [math.ldexp(v, bits - 128) if bits == 64 else v for v in numbers]
    fraction = fraction if bits == 128 else fraction % 60
    x = np.array(numbers, dtype=np.float64)
    encoded = rings.encode(x, fraction, bits)
    exact = [signed(int(i), bits) for i in integers(encoded, bits)]
    assert exact == [round(math.ldexp(v, fraction)) for v in numbers]
    near = rings.decode(encoded, fraction, bits)
    np.testing.assert_allclose(near, x, rtol=2**-52, atol=2.0 ** -(fraction + 1))


@BITS
def test_the_whole_range_is_encoded_and_nothing_beyond(bits):
    limit = 2.0 ** (bits - 1 - 20)
    inside = np.array([np.nextafter(limit, 0), -np.nextafter(limit, 0), 0.0])
    np.testing.assert_array_equal(rings.decode(rings.encode(inside, 20, bits), 20, bits), inside)
    for outside in (limit, -limit, np.inf, -np.inf, np.nan):
        with pytest.raises(PlaintextOutOfRange) as refusal:
            rings.encode(np.array([1.0, outside]), 20, bits)
        assert repr(outside) not in str(refusal.value)


@BITS
@given(data=st.data())
@settings(deadline=None)
def test_truncated_shares_add_up_to_the_quotient_within_one(bits, data):
    """Fails with probability 2^(20 + 1 - bits) an element, 2^-33 in all."""
    shift = data.draw(st.integers(0, 19))
    values = data.draw(st.lists(st.integers(-(2**20), 2**20), min_size=1, max_size=8))
    one, other = rings.split(words(values, bits), bits)
    parts = rings.truncate(one, shift, 0, bits), rings.truncate(other, shift, 1, bits)
    summed = signed(integers(rings.add(*parts, bits), bits), bits)
    assert all(abs(s * 2**shift - v) <= 2**shift for s, v in zip(summed, values, strict=True))


@BITS
def test_a_share_of_equal_numbers_is_as_random_as_any(bits):
    """Each of 2^18 bits is fair: the count is within 9 standard deviations but once in 2^60."""
    shape = (2**18 // bits,)
    one, other = rings.split(rings.encode(np.ones(shape), 20, bits), bits)
    for share in (one, other):
        ones = int(np.unpackbits(share.view(np.uint8)).sum())
        assert abs(ones - 2**17) < 9 * 2**8
        assert len(np.unique(share.reshape(shape[0], -1), axis=0)) > shape[0] - 3
    np.testing.assert_array_equal(rings.decode(rings.add(one, other, bits), 20, bits), 1.0)


def test_who_has_the_seed_has_the_elements_and_another_seed_has_others():
    one = rings.expand(b"a" * 32, (5,), 128)
    np.testing.assert_array_equal(one, rings.expand(b"a" * 32, (5,), 128))
    assert (one != rings.expand(b"b" * 32, (5,), 128)).all()


@BITS
def test_words_of_another_shape_or_type_do_not_fit(bits):
    good = rings.zeros((3, 2), bits)
    assert rings.fits(good, (3, 2), bits)
    assert not rings.fits(good, (2, 3), bits)
    assert not rings.fits(good.view(np.int64), (3, 2), bits)
    assert not rings.fits(good, (3, 2), 192 - bits)
