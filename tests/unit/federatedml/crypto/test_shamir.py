"""Shamir's shares: enough of them give the secret, fewer say nothing."""

import secrets
from itertools import combinations

import numpy as np
import pytest

from federatedml.crypto import shamir
from federatedml.crypto.shamir import BadShares, P


def drawn(count, width=32):
    return np.frombuffer(secrets.token_bytes(count * width), np.uint8).reshape(count, width)


@pytest.mark.parametrize(("n", "threshold"), [(1, 1), (2, 2), (5, 3), (40, 27)])
def test_any_threshold_of_shares_give_the_secrets(n, threshold):
    values = drawn(3)
    shares = shamir.split(values, n, threshold)
    assert shares.shape == (n, 3, 16)
    picks = list(combinations(range(n), threshold))[-5:] if n < 10 else [range(n - threshold, n)]
    for pick in picks:
        order = list(pick)[::-1]
        found = shamir.join(shares[order], [i + 1 for i in order])
        np.testing.assert_array_equal(found, values)


def test_more_shares_than_needed_agree():
    values = drawn(2)
    shares = shamir.split(values, 6, 3)
    np.testing.assert_array_equal(shamir.join(shares, range(1, 7)), values)


def test_extreme_limbs_survive():
    for byte in (0x00, 0xFF):
        values = np.full((1, 32), byte, dtype=np.uint8)
        shares = shamir.split(values, 3, 2)
        np.testing.assert_array_equal(shamir.join(shares[1:], [2, 3]), values)


@pytest.mark.parametrize("byte", [0x00, 0xFF])
def test_one_share_too_few_is_uniform_whatever_the_secret(byte):
    """16 bins over 80,000 field elements: chi-square with 15 degrees of freedom, below 60."""
    values = np.full((5000, 32), byte, dtype=np.uint8)
    shares = shamir.split(values, 3, 3)
    for pair in (shares[:2], shares[1:]):
        for share in pair:
            counts = np.bincount(share.ravel() * 16 // P, minlength=16)
            expected = share.size / 16
            assert ((counts - expected) ** 2 / expected).sum() < 60
        mixed = (pair[0].astype(np.int64) - pair[1]) % P
        counts = np.bincount(mixed.ravel() * 16 // P, minlength=16)
        assert ((counts - mixed.size / 16) ** 2 / (mixed.size / 16)).sum() < 60


def test_too_few_shares_or_changed_ones_do_not_give_the_secret():
    values = drawn(1)
    shares = shamir.split(values, 4, 3)
    changed = shares.copy()
    changed[2, 0, 5] = (changed[2, 0, 5] + 1) % P
    for part, numbers in ((shares[:2], [1, 2]), (changed[:3], [1, 2, 3]), (shares[:3], [1, 2, 4])):
        try:
            found = shamir.join(part, numbers)
        except BadShares:
            continue
        assert not np.array_equal(found, values)


@pytest.mark.parametrize(("n", "threshold"), [(3, 0), (3, 4), (P, 2)])
def test_impossible_thresholds_are_refused(n, threshold):
    with pytest.raises(ValueError, match="impossible"):
        shamir.split(drawn(1), n, threshold)


@pytest.mark.parametrize("numbers", [[1, 1], [0, 1], [1, P]])
def test_shares_of_impossible_parties_are_refused(numbers):
    shares = shamir.split(drawn(1), 2, 2)
    with pytest.raises(BadShares, match="numbers"):
        shamir.join(shares, numbers)


def test_what_no_sharing_makes_is_refused():
    big = np.full((1, 1, 16), P, dtype=np.uint32)
    with pytest.raises(BadShares, match="no field elements"):
        shamir.join(big, [1])
    with pytest.raises(BadShares, match="no secret"):
        shamir.join(big - 1, [1])


def test_shares_of_one_secret_differ_each_time():
    values = drawn(1)
    assert not np.array_equal(shamir.split(values, 2, 2), shamir.split(values, 2, 2))
