"""Streams and what is drawn from them. Keys are fixed where a statistic is asked for."""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms

from federatedml.crypto import sampling

KEY = bytes(range(32))
PRIMES = ((1 << 50) - 27, 1_000_003)  # sizes matter, not that they are prime


def test_a_stream_is_chacha20_with_purpose_and_numbers_as_nonce():
    nonce = bytes(4) + b"ab\0\0" + (7).to_bytes(4, "little") + (9).to_bytes(4, "little")
    raw = Cipher(algorithms.ChaCha20(KEY, nonce), mode=None).encryptor().update(bytes(80))
    stream = sampling.Stream(KEY, b"ab", 7, 9)
    assert stream.words(4).tobytes() + stream.words(6).tobytes() == raw


def test_streams_of_other_keys_purposes_and_numbers_have_no_word_in_common():
    streams = [
        sampling.Stream(key, purpose, number, part)
        for key in (KEY, bytes(32))
        for purpose in (b"a", b"b")
        for number in (0, 1)
        for part in (0, 1)
    ]
    drawn = np.concatenate([stream.words(100) for stream in [*streams, sampling.secret_stream()]])
    assert len(np.unique(drawn)) == len(drawn)


def test_secret_streams_are_never_the_same():
    assert not np.array_equal(sampling.secret_stream().words(4), sampling.secret_stream().words(4))


def test_uniform_residues_follow_from_the_seed_and_are_centred():
    found = sampling.uniform(KEY, 3, PRIMES, 8192)
    np.testing.assert_array_equal(found, sampling.uniform(KEY, 3, PRIMES, 8192))
    assert not (found == sampling.uniform(KEY, 4, PRIMES, 8192))[0].any()
    for x, p in zip(found, PRIMES, strict=True):
        assert -(p // 2) <= x.min() < -0.49 * p
        assert 0.49 * p < x.max() <= p // 2
        assert abs(x.mean()) < 6 * p / 12**0.5 / 8192**0.5
        assert abs(x.var() / (p * p / 12) - 1) < 0.05


def test_uniform_residues_are_the_accepted_words_in_order():
    p = PRIMES[1]
    words = sampling.Stream(KEY, b"ring", 3, 1).words(9000) & np.uint64((1 << p.bit_length()) - 1)
    accepted = words[words < p][:8192].astype(np.int64)
    accepted = np.where(accepted > p // 2, accepted - p, accepted)
    np.testing.assert_array_equal(sampling.uniform(KEY, 3, PRIMES, 8192)[1], accepted)


def test_ternary_numbers_are_thirds():
    """Within 6 standard deviations of a third each."""
    drawn = sampling.ternary(sampling.Stream(KEY, b"t"), 90_000)
    values, counts = np.unique(drawn, return_counts=True)
    assert values.tolist() == [-1, 0, 1]
    assert np.abs(counts - 30_000).max() < 6 * (90_000 * 2 / 9) ** 0.5


def test_errors_are_differences_of_21_throws():
    words = sampling.Stream(KEY, b"e").words(100_000)
    drawn = sampling.errors(words)
    by_hand = [
        (int(w) & 0x1FFFFF).bit_count() - (int(w) >> 21 & 0x1FFFFF).bit_count() for w in words[:500]
    ]
    assert drawn[:500].tolist() == by_hand
    assert abs(drawn.var() - 10.5) < 0.3
    assert abs(drawn.mean()) < 0.06
    edges = np.array([0x1FFFFF, 0x1FFFFF << 21, 0, (1 << 42) - 1, 0x3F << 58], dtype=np.uint64)
    assert sampling.errors(edges).tolist() == [21, -21, 0, 0, 0]
