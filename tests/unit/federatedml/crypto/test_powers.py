"""Powers from a table are those of ``pow``."""

import pytest
from gmpy2 import mpz, powmod
from hypothesis import given
from hypothesis import strategies as st

from federatedml.crypto import powers

MODULUS = mpz(2**89 - 1) * (2**61 - 1)
BASE = mpz(123456789)
SIGNED = {w: powers.table(BASE, MODULUS, 70, window=w, signed=True) for w in (2, 5, 8)}


@pytest.mark.parametrize("window", sorted(SIGNED))
@given(exponent=st.integers(-(2**70) + 1, 2**70 - 1), more=st.integers(0, 70))
def test_a_signed_power_is_that_of_pow(window, exponent, more):
    bits = min(70, exponent.bit_length() + more)
    assert SIGNED[window].signed(exponent, bits) == powmod(BASE, exponent, MODULUS)


@pytest.mark.parametrize("bits", [0, 1, 69, 70])
def test_the_ends_of_a_range_are_in_it(bits):
    for exponent in (-(1 << bits) + 1, 0, (1 << bits) - 1):
        assert SIGNED[8].signed(exponent, bits) == powmod(BASE, exponent, MODULUS)


@pytest.mark.parametrize(("bits", "window"), [(7, 3), (10, 10), (64, 7)])
def test_a_random_power_takes_its_exponent_from_the_operating_system(bits, window, monkeypatch):
    asked = []

    def drawn(n):
        asked.append(n)
        return (1 << n) - 3

    monkeypatch.setattr(powers.secrets, "randbits", drawn)
    found = powers.table(BASE, MODULUS, bits, window=window).random()
    (n,) = asked
    assert bits <= n < bits + window
    assert found == powmod(BASE, (1 << n) - 3, MODULUS)
