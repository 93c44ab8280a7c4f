"""Oblivious transfer: the receiver gets what it chose, and neither side sees the other's part."""

import hashlib

import numpy as np
import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import base_ot, bit_planes, ot_extension, rings, ristretto


@pytest.fixture
def pair():
    """An extension after its base transfers, which run in the opposite direction."""
    sender = base_ot.Sender()
    choices = ot_extension.secret_choices()
    answer, chosen = base_ot.chosen_keys(sender.hello, choices)
    return ot_extension.Sender(choices, chosen), ot_extension.Receiver(sender.keys(answer))


def test_the_receiver_gets_the_key_it_chose_and_not_the_other():
    sender, choices = base_ot.Sender(), np.array([True, False, True])
    answer, chosen = base_ot.chosen_keys(sender.hello, choices)
    keys = sender.keys(answer)
    places = choices.astype(int)
    np.testing.assert_array_equal(chosen, keys[range(3), places])
    assert len({bytes(key) for key in keys.reshape(-1, 32)}) == 6


def test_an_answer_shows_no_choice():
    """Equal choices give answers as different as unequal ones: each is a fresh element."""
    sender = base_ot.Sender()
    answer, _ = base_ot.chosen_keys(sender.hello, np.array([True, True, False, False]))
    shifts = ristretto.subtract(answer, np.repeat(sender.hello, 4, axis=0))
    assert len({bytes(row) for row in np.concatenate([answer, shifts])}) == 8


@pytest.mark.parametrize("row", [bytes(32), b"\xff" * 32])
def test_what_is_no_element_is_refused(row):
    bad = np.frombuffer(row, np.uint8).reshape(1, 32)
    with pytest.raises(ristretto.InvalidElement):
        base_ot.Sender().keys(bad)
    with pytest.raises(ristretto.InvalidElement):
        base_ot.chosen_keys(bad, np.array([True]))


@given(st.integers(0, 300), st.integers(1, 2))
@settings(deadline=None, max_examples=30)
def test_bit_planes_turn_rows_and_turn_back(n, halves):
    rows = rings.random((n, halves), 64)
    planes = bit_planes.planes(rows)
    assert planes.shape == (64 * halves, bit_planes.width(n))
    np.testing.assert_array_equal(bit_planes.rows(planes, n), rows)
    for j in (0, 1, 37, 63):
        bits = (rows[:, -1] >> np.uint64(j)) & np.uint64(1)
        plane = planes[64 * (halves - 1) + j]
        np.testing.assert_array_equal(bit_planes.unpacked(plane, n), bits.astype(bool))
        np.testing.assert_array_equal(bit_planes.packed(bits.astype(bool)), plane)


def test_strings_agree_where_chosen_and_differ_elsewhere(pair):
    sender, receiver = pair
    for words in (5, ot_extension.BLOCK + 3, 0, 1):
        choices = bit_planes.random((words,))
        correction, chosen = receiver.strings(choices)
        assert correction.shape == (128, words)
        zero, one = sender.strings(correction)
        flags = bit_planes.unpacked(choices, 64 * words)[:, None]
        np.testing.assert_array_equal(chosen, np.where(flags, one, zero))
        assert (chosen != np.where(flags, zero, one)).any(axis=1).all()


def test_equal_choices_make_corrections_that_look_random(pair):
    """2^16 bits are fair within 9 standard deviations; a miss by chance: once in 2^60."""
    _, receiver = pair
    for choices in (np.zeros(8, np.uint64), np.full(8, 2**64 - 1, np.uint64)):
        correction, _ = receiver.strings(choices)
        ones = int(np.unpackbits(correction.view(np.uint8)).sum())
        assert abs(ones - 2**15) < 9 * 2**7


def test_equal_rows_are_hashed_to_different_strings():
    rows = np.zeros((4, 2), np.uint64)
    assert len({bytes(row) for row in ot_extension.hashed(rows, 0)}) == 4
    np.testing.assert_array_equal(
        ot_extension.hashed(rows, 1)[:3], ot_extension.hashed(rows, 0)[1:]
    )


def test_the_hash_is_the_one_that_is_documented():
    """H(i, x) = P(P(x) xor i) xor P(x), block by block, on integers."""
    key = hashlib.sha256(b"distaff ot extension: correlation robust hash").digest()[:16]
    encryptor = Cipher(algorithms.AES(key), modes.ECB()).encryptor()

    def permuted(x):
        return int.from_bytes(encryptor.update(x.to_bytes(16, "little")), "little")

    rows = rings.random((6, 2), 64)
    for i, (row, found) in enumerate(zip(rows, ot_extension.hashed(rows, 5), strict=True)):
        inner = permuted(int(row[0]) + (int(row[1]) << 64))
        assert permuted(inner ^ (5 + i)) ^ inner == int(found[0]) + (int(found[1]) << 64)


@pytest.mark.parametrize("bits", [64, 128])
@pytest.mark.parametrize("n", [1, 7])
def test_products_of_secret_words_are_shared(pair, bits, n):
    sender, receiver = pair
    x, y = rings.random((n,), bits), rings.random((n,), bits)
    correction, chosen = receiver.strings(y.reshape(-1))
    payload, kept = ot_extension.sent_products(x.reshape(n, -1), *sender.strings(correction))
    got = ot_extension.received_products(y.reshape(n, -1), chosen, payload)
    total = rings.add(kept.reshape(x.shape), got.reshape(x.shape), bits)
    np.testing.assert_array_equal(total, rings.mul(x, y, bits))


@pytest.mark.parametrize("bits", [64, 128])
def test_products_of_a_bit_and_a_word_are_shared(pair, bits):
    sender, receiver = pair
    x, choices = rings.random((70,), bits), bit_planes.random((2,))
    flags = bit_planes.unpacked(choices, 70)
    correction, chosen = receiver.strings(choices)
    zero, one = sender.strings(correction)
    payload, kept = ot_extension.sent_choices(x, zero[:70], one[:70], bits)
    got = ot_extension.received_choices(flags, chosen[:70], payload, bits)
    expected = rings.mul(x, rings.from_integers(flags.astype(np.int64), bits), bits)
    np.testing.assert_array_equal(rings.add(kept, got, bits), expected)
