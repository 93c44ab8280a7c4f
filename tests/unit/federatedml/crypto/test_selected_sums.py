"""Encrypted tables: entries struck out and added up by others, packed, opened."""

import numpy as np
import pytest

from federatedml.crypto import paillier, selected_sums
from federatedml.crypto.errors import DecryptedOutOfRange, ForeignKey, PlaintextOutOfRange

PUBLIC, SECRET = paillier.keygen(512)


def table(n=5, n_columns=4, size=1, seed=0):
    return np.random.default_rng(seed).normal(size=(n, n_columns, size)) * 100


def plain(size=1, *, is_masked=False):
    return selected_sums.slots(PUBLIC, size, is_masked=is_masked)


@pytest.mark.parametrize("size", [1, 2, 5])
@pytest.mark.parametrize("veils", [False, True])
def test_what_is_opened_are_the_sums_of_what_is_kept(size, veils):
    of, x = plain(size=size), table(size=size)
    keeps = np.random.default_rng(1).random((5, 4)) < 0.5
    c = selected_sums.kept(selected_sums.sealed(x, of), keeps, [[0, 2], [], [1, 2, 3]], veils=veils)
    closed = selected_sums.closed(c, of)
    assert len(closed) == selected_sums.n_texts(15, of) == -(-15 // (6 // size))
    found = selected_sums.reals(selected_sums.opened(SECRET, closed, 15, of), of)
    kept = x * keeps[..., None]
    wanted = [kept[:, [0, 2]].sum(axis=1), 0 * kept[:, 0], kept[:, 1:].sum(axis=1)]
    assert np.allclose(found.reshape(5, 3, size), np.stack(wanted, axis=1), rtol=0, atol=1e-13)


def test_the_largest_numbers_do_not_touch_each_other():
    x = np.full((2, 1, 5), 2.0**31 - 1) * np.array([1, -1, 1, -1, -1])
    for k in (None, (1 << 33) - 1):
        of = plain(size=2 if k else 5, is_masked=k is not None)
        some = x[..., : of.size]
        closed = selected_sums.closed(selected_sums.sealed(some, of), of, k)
        found = selected_sums.reals(selected_sums.opened(SECRET, closed, 2, of), of)
        factor = k / 2**32 if k else 1.0
        assert np.allclose(found, factor * some.ravel(), rtol=1e-15)


def test_no_cells_make_no_ciphertexts():
    of = plain()
    c = selected_sums.closed(selected_sums.sealed(table(0), of), of)
    assert len(c) == 0
    assert selected_sums.opened(SECRET, c, 0, of) == []


def test_numbers_beyond_the_range_are_refused():
    with pytest.raises(PlaintextOutOfRange):
        selected_sums.sealed(np.full((1, 1, 1), 2.0**31), plain())


def test_a_plaintext_that_is_no_sum_is_refused():
    of = plain()
    low = PUBLIC.encrypt_whole([1 << (of.width - 1)], bits=of.text_bits)
    with pytest.raises(DecryptedOutOfRange):
        selected_sums.opened(SECRET, low, 2, of)
    high = PUBLIC.encrypt_whole([1 << (2 * of.width)], bits=of.text_bits)
    with pytest.raises(DecryptedOutOfRange):
        selected_sums.opened(SECRET, high, 2, of)


def test_ciphertexts_of_another_key_are_not_opened():
    other = selected_sums.slots(paillier.keygen(512)[0], 1, is_masked=False)
    with pytest.raises(ForeignKey):
        selected_sums.opened(SECRET, selected_sums.sealed(table(), other), 20, other)


def test_a_factor_has_33_bits_and_lies_from_one_to_two():
    found = {selected_sums.factor() for _ in range(100)}
    assert len(found) == 100
    assert all(k.bit_length() == 33 for k in found)
