"""Pads that cancel, and numbers that survive the ring."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federatedml.crypto import masking
from federatedml.crypto.errors import PlaintextOutOfRange


def test_numbers_survive_the_ring_and_add_up_there():
    a, b = np.array([[1.5, -2.25]]), np.array([[-3.0, 2.0**25]])
    total = masking.to_ring(a, 2) + masking.to_ring(b, 2)
    np.testing.assert_allclose(masking.from_ring(total), a + b, atol=1e-10)


@pytest.mark.parametrize("value", [2.0**27, -(2.0**26.5), np.nan, np.inf])
def test_a_sum_that_could_wrap_is_refused(value):
    with pytest.raises(PlaintextOutOfRange):
        masking.to_ring(np.array([value]), 2)


def test_two_parties_draw_the_same_pad_and_a_third_another():
    keys = [X25519PrivateKey.generate() for _ in range(3)]
    public = [k.public_key().public_bytes_raw() for k in keys]
    ours = masking.shared_key(keys[0], public[1], b"x")
    assert ours == masking.shared_key(keys[1], public[0], b"x")
    assert ours != masking.shared_key(keys[0], public[2], b"x")
    assert ours != masking.shared_key(keys[0], public[1], b"y")
    pad = masking.pad(ours, (300, 2))
    assert len(np.unique(pad)) == 600
    assert abs(np.unpackbits(pad.view(np.uint8)).mean() - 0.5) < 0.02


def test_a_degenerate_public_key_is_refused():
    with pytest.raises(ValueError, match=r".*"):
        masking.shared_key(X25519PrivateKey.generate(), bytes(32), b"x")
