"""Words that may be added up mod 2^64: sums of what they stand for come out exactly."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federatedml.crypto import summable
from federatedml.crypto.errors import PlaintextOutOfRange


@given(st.lists(st.floats(-1e30, 1e30), min_size=1, max_size=20))
def test_wide_numbers_add_up_whatever_their_sizes(values):
    words = sum(summable.wide(np.array([v, -v, 1.0])) for v in values)
    total = summable.from_wide(words)
    exact = sum(int(np.rint(np.ldexp(v, 80))) for v in values) / 2**80
    assert total.tolist() == [exact, -exact, float(len(values))]


def test_masks_that_cancel_do_not_disturb_wide_numbers():
    mask = np.full(summable.LIMBS, 2**64 - 5, dtype=np.uint64)
    total = (summable.wide(np.array([-7.25])) + mask) + (summable.wide(np.array([1e-3])) - mask)
    assert summable.from_wide(total).tolist() == [-7.249]


@pytest.mark.parametrize("value", [np.nan, np.inf, 1e31, -(2.0**100)])
def test_numbers_that_do_not_fit_are_refused(value):
    with pytest.raises(PlaintextOutOfRange):
        summable.wide(np.array([1.0, value]))


@given(st.integers(1, 64), st.lists(st.integers(0, 2**62), max_size=40), st.integers(1, 3))
def test_counts_add_up_in_their_bits(bits, numbers, terms):
    limit = min((1 << bits) - 1, 2**62) // terms
    counts = np.array([n % (limit + 1) for n in numbers], dtype=np.int64)
    words = np.zeros(summable.n_words(len(counts), bits), dtype=np.uint64)
    for _ in range(terms):
        words = words + summable.packed(counts, bits)
    np.testing.assert_array_equal(summable.unpacked(words, bits, len(counts)), terms * counts)


def test_small_counts_share_a_word():
    assert len(summable.packed(np.ones(100, dtype=np.int64), 10)) == summable.n_words(100, 10) == 17
