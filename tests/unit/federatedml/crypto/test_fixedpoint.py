"""Fixed point: nearest integers, exact where a float is, refused where it does not fit."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from federatedml.crypto import fixedpoint
from federatedml.crypto.errors import PlaintextOutOfRange


@given(st.floats(-1e9, 1e9), st.integers(0, 80))
def test_a_number_is_off_by_half_a_unit_at_most(value, scale):
    (found,) = fixedpoint.encode(np.array([value]), scale, 200)
    assert abs(fixedpoint.decode([found], scale)[0] - value) <= 2.0 ** -(scale + 1)


@pytest.mark.parametrize(
    ("value", "bits"), [(0, 0), (1, 1), (-1, 1), (7, 3), (8, 4), (2.0**70, 71)]
)
def test_bits_of_an_integer(value, bits):
    assert fixedpoint.bits_of(np.array([value, 0.0])) == bits


@pytest.mark.parametrize("value", [16.0, -16.0, np.nan, np.inf, 1e308])
def test_what_does_not_fit_is_refused(value):
    with pytest.raises(PlaintextOutOfRange):
        fixedpoint.encode(np.array([1.0, value]), 4, 8)
    assert fixedpoint.encode(np.array([15.9]), 4, 8) == [254]


def test_large_integers_decode_to_the_nearest_float():
    assert fixedpoint.decode([3**200], 0)[0] == float(3**200)
    assert fixedpoint.decode([2**1200], 1190)[0] == 1024.0
