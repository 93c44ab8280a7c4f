"""Pads that cancel, and numbers that survive the ring."""

import numpy as np
import pytest
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federatedml.crypto import masking
from federatedml.crypto.errors import PlaintextOutOfRange

KEY = bytes(range(32))

# RFC 8439, appendix A.1, test vector 1: zero key, zero nonce, block counter 0.
ZERO_STREAM = "76b8e0ada0f13d90405d6ae55386bd28bdd219b8a08ded1aa836efcc8b770dc7"


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


def test_a_pad_is_the_key_stream():
    assert masking.pad(bytes(32), (4,)).tobytes().hex() == ZERO_STREAM


@pytest.mark.parametrize("size", [0, 1, masking.PIECE, 2 * masking.PIECE + 7])
def test_a_pad_does_not_depend_on_the_pieces_it_is_made_in(size, monkeypatch):
    whole = masking.pad(KEY, (size,))
    monkeypatch.setattr(masking, "PIECE", 999)
    np.testing.assert_array_equal(masking.pad(KEY, (size,)), whole)


def test_what_is_added_can_be_taken_off():
    words = np.arange(100, dtype=np.uint64).reshape(4, 25)
    kept = words.copy()
    masking.add_pad(words, KEY)
    assert (words != kept).all()
    masking.add_pad(words, KEY, subtract=True)
    np.testing.assert_array_equal(words, kept)


def test_pads_of_other_keys_and_numbers_are_others():
    pads = [masking.pad(KEY, (50,)), masking.pad(bytes(32), (50,)), masking.pad(KEY, (50,), 1)]
    for i, one in enumerate(pads):
        for other in pads[:i]:
            assert (one != other).all()
    # pad 1 is not a later part of pad 0
    assert not np.isin(pads[2], masking.pad(KEY, (1 << 16,))).any()


def test_an_array_that_cannot_be_changed_in_place_is_refused():
    with pytest.raises(ValueError, match="contiguous"):
        masking.add_pad(np.zeros((4, 4), dtype=np.uint64)[:, :2], KEY)


@pytest.mark.parametrize("scale_bits", [0, 16, 36])
def test_sums_in_the_ring_are_sums_of_rounded_numbers(scale_bits):
    rng = np.random.default_rng(1)
    parts = rng.normal(scale=1000.0, size=(3, 50))
    total = sum(masking.to_ring(part, 3, scale_bits) for part in parts)
    error = np.abs(masking.from_ring(total, scale_bits) - parts.sum(axis=0)).max()
    assert error <= 3 * 2.0 ** -(scale_bits + 1) + 1e-12
