"""Encrypted sums over the sides of candidates are those of the plain numbers, and nothing else."""

import gmpy2
import numpy as np
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import ou, packed_sums, paillier, wire
from federatedml.crypto.bigcipher import CipherVector, PublicKey
from federatedml.crypto.errors import (
    BadCiphertext,
    DecryptedOutOfRange,
    ForeignKey,
    KeyTooShort,
    PlaintextOutOfRange,
)
from federatedml.maths.candidates import Candidates, candidates, goes_left
from federatedml.maths.quantiles import binned, cut_points
from federation import codec

TOP = 2**51 - 1

KEYS = {
    "paillier 128": paillier.keygen(128),
    "paillier 640": paillier.keygen(640),
    "ou 768": ou.keygen(768),
    "ou 1024": ou.keygen(1024),
}


@pytest.fixture(params=sorted(KEYS))
def keys(request):
    return KEYS[request.param]


@pytest.fixture
def rng():
    return np.random.default_rng(7)


def features(rng, n, k, n_bins, *, missing=0.1, use_missing=True):
    """Codes of random features and their candidates, in no order."""
    x = rng.normal(size=(n, k))
    x[:, 0] = x[:, 0] > 0  # hardly any bins
    x[rng.random(x.shape) < missing] = np.nan
    cuts = cut_points(x, n_bins)
    codes = binned(x, cuts)
    of = candidates(codes, cuts, use_missing=use_missing)
    return codes, of.take(rng.permutation(len(of)))


def plain_sums(words, codes, n_bins, of, nodes):
    found = np.zeros((len(nodes), len(of), words.shape[1]), dtype=np.int64)
    for p, rows in enumerate(nodes):
        for i in range(len(of)):
            found[p, i] = words[rows[goes_left(codes, n_bins, of, i, rows)]].sum(axis=0)
    return found


def both_ways(keys, words, codes, n_bins, of, nodes, cores=1):
    """(by ciphertexts, in the clear)"""
    key, secret = keys
    vectors = packed_sums.encrypted(key, words, cores=cores)
    sealed = packed_sums.sums(key, vectors, codes, n_bins, of, nodes, cores=cores)
    found = packed_sums.opened(secret, sealed, len(nodes), len(of), words.shape[1], cores=cores)
    return found, plain_sums(words, codes, n_bins, of, nodes)


def one_cut(n, k=1):
    """k features of two bins; the first half of the rows goes left."""
    codes = np.tile(np.repeat([0, 1], [n // 2, n - n // 2]).astype(np.uint8), (k, 1))
    return codes, Candidates(
        np.arange(k, dtype=np.int32), np.zeros(k, dtype=np.int32), np.zeros(k, dtype=np.bool_)
    )


@pytest.mark.parametrize("name", sorted(KEYS))
@settings(deadline=None, max_examples=12)
@given(
    seed=st.integers(0, 2**32 - 1),
    n=st.integers(1, 60),
    k=st.integers(1, 5),
    n_bins=st.sampled_from([1, 2, 5, 300]),
    s=st.sampled_from([1, 2, 3, 8]),
    missing=st.sampled_from([0.0, 0.2, 1.0]),
    use_missing=st.booleans(),
)
def test_sums_are_those_of_the_plain_numbers(name, seed, n, k, n_bins, s, missing, use_missing):
    rng = np.random.default_rng(seed)
    codes, of = features(rng, n, k, n_bins, missing=missing, use_missing=use_missing)
    words = rng.integers(-(2**45), 2**45, size=(n, s), endpoint=True)
    nodes = [np.flatnonzero(rng.random(n) < share) for share in (1.0, 0.4, 0.05)]
    found, expected = both_ways(KEYS[name], words, codes, n_bins, of, nodes)
    assert found.dtype == np.int64
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("n_bins", [6, 400])
def test_two_cores_find_what_one_does(keys, rng, n_bins, monkeypatch):
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(PublicKey, "worth", lambda *_: 1)
    codes, of = features(rng, 80, 4, n_bins)
    assert codes.dtype == (np.uint8 if n_bins == 6 else np.uint16)
    words = rng.integers(-(2**40), 2**40, size=(80, 3))
    nodes = [np.arange(80), np.array([], dtype=np.int64), np.array([79]), np.arange(0, 80, 3)]
    found, expected = both_ways(keys, words, codes, n_bins, of, nodes, cores=2)
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("s", [1, 2, 3, 8])
def test_sums_at_the_edge_of_the_budget_are_exact(keys, s):
    codes, of = one_cut(6, k=3)
    signs = np.where(np.arange(s) % 2 == 0, 1, -1)
    words = np.zeros((6, s), dtype=np.int64)
    words[0], words[1], words[2] = TOP - 2, 1, 1
    words *= signs
    found, expected = both_ways(keys, words, codes, 2, of, [np.arange(6), np.array([0, 1])])
    np.testing.assert_array_equal(found, expected)
    assert set(found[0].ravel().tolist()) <= {TOP, -TOP}
    up_and_down = np.array([[TOP], [-TOP], [0], [0]]) * np.ones(s, dtype=np.int64)
    codes, of = one_cut(4)
    nodes = [np.array([0, 2]), np.array([1, 3]), np.arange(4)]
    found, _ = both_ways(keys, up_and_down, codes, 2, of, nodes)
    assert found.tolist() == [[[TOP] * s], [[-TOP] * s], [[0] * s]]


@pytest.mark.parametrize(
    "column",
    [[TOP + 1], [-TOP - 1], [TOP, 1], [-TOP, -1, 5], [2**62, 2**62], [-(2**63)], [2**50] * 4096],
)
def test_words_whose_sums_could_leave_the_budget_are_refused(keys, column):
    words = np.zeros((len(column), 2), dtype=np.int64)
    words[:, 1] = column
    with pytest.raises(PlaintextOutOfRange) as refusal:
        packed_sums.encrypted(keys[0], words)
    assert not any(len(part) > 5 and part.isdigit() for part in str(refusal.value).split())


def test_no_candidates_and_no_nodes_have_no_sums(keys, rng):
    key, secret = keys
    codes, of = one_cut(4)
    words = rng.integers(-9, 9, size=(4, 3))
    vectors = packed_sums.encrypted(key, words)
    none = of.take(np.array([], dtype=np.int64))
    nodes = [np.arange(4)]
    sealed = packed_sums.sums(key, vectors, codes, 2, none, nodes)
    assert packed_sums.opened(secret, sealed, 1, 0, 3).shape == (1, 0, 3)
    sealed = packed_sums.sums(key, vectors, codes, 2, of, [])
    assert packed_sums.opened(secret, sealed, 0, 1, 3).shape == (0, 1, 3)


def test_sums_share_plaintexts_as_far_as_they_fit():
    """275 bits hold 5 words: 2 candidates with gradient and Hessian, 1 with 5 or 3 statistics."""
    key, secret = KEYS["ou 1024"]
    assert key.group.plain_bits == 275
    assert packed_sums.groups(key, 8) == [5, 3]
    codes, of = one_cut(4, k=3)
    words = np.arange(32).reshape(4, 8)
    sealed = packed_sums.sums(
        key, packed_sums.encrypted(key, words), codes, 2, of, [np.arange(4)] * 2
    )
    assert [len(vector) for vector in sealed] == [6, 6]
    two = packed_sums.sums(
        key, packed_sums.encrypted(key, words[:, :2]), codes, 2, of, [np.arange(4)] * 2
    )
    assert [len(vector) for vector in two] == [3]
    assert packed_sums.opened(secret, two, 2, 3, 2).tolist() == [[[0 + 8, 1 + 9]] * 3] * 2


def test_vectors_survive_their_journey(keys, rng):
    key, secret = keys
    codes, of = features(rng, 20, 2, 4)
    words = rng.integers(-(2**30), 2**30, size=(20, 3))
    nodes = [np.arange(20)]
    vectors = codec.decode(codec.encode(packed_sums.encrypted(key, words)))
    sealed = packed_sums.sums(vectors[0].key, vectors, codes, 4, of, nodes)
    found = packed_sums.opened(secret, codec.decode(codec.encode(sealed)), 1, len(of), 3)
    np.testing.assert_array_equal(found, plain_sums(words, codes, 4, of, nodes))
    assert isinstance(vectors[0], wire.CipherVector)


# Nothing but the sums shows through.


def test_no_ciphertext_comes_twice(keys, rng):
    key, _ = keys
    codes, of = features(rng, 12, 3, 4)
    words = np.ones((12, 2), dtype=np.int64)
    runs = [packed_sums.encrypted(key, words) for _ in range(2)]
    nodes = [np.arange(12), np.arange(12), np.array([], dtype=np.int64)]
    answers = [packed_sums.sums(key, runs[0], codes, 4, of, nodes) for _ in range(2)]
    seen = [value for made in (*runs, *answers) for vector in made for value in vector.values]
    assert len(set(seen)) == len(seen)


def test_sums_cannot_be_traced_to_the_rows_they_are_made_of(keys):
    """Who made the ciphertexts could divide them out again, for any guess of the rows."""
    key, secret = keys
    codes, of = one_cut(6)
    words = np.arange(12).reshape(6, 2)
    vectors = packed_sums.encrypted(key, words)
    product = mpz(1)
    for value in vectors[0].values[:3]:
        product = product * value % key.modulus
    left = []
    for _ in range(8):
        (sealed,) = packed_sums.sums(key, vectors, codes, 2, of, [np.arange(6)])
        left.append(sealed.values[0] * gmpy2.invert(product, key.modulus) % key.modulus)
    assert set(secret.owner.residues(left)) == {0}  # the guess was right, and what is left is veil
    assert len(set(left)) == 8
    assert mpz(1) not in left
    assert min(value.bit_length() for value in left) > key.modulus.bit_length() - 40


@pytest.mark.parametrize("name", ["paillier 128", "ou 768"])
def test_an_empty_side_does_not_show(name):
    key, secret = KEYS[name]
    codes, of = one_cut(6)
    vectors = packed_sums.encrypted(key, np.ones((6, 1), dtype=np.int64))
    nodes = [np.array([], dtype=np.int64), np.array([5])]
    sealed = packed_sums.sums(key, vectors, codes, 2, of, nodes)
    assert not packed_sums.opened(secret, sealed, 2, 1, 1).any()
    for value in sealed[0].values:
        assert value.bit_length() > key.modulus.bit_length() - 40


# What is refused.


@pytest.mark.parametrize("scheme", [paillier, ou])
def test_a_key_too_short_for_one_statistic_is_refused_early(scheme):
    least = packed_sums.LEAST_KEY[scheme.SCHEME]

    def of_bits(bits):
        n = (mpz(1) << (bits - 1)) + 1
        return scheme.public_key(n, *([mpz(4)] if scheme is ou else []))

    assert packed_sums.groups(of_bits(least), 2) == [1, 1]
    with pytest.raises(KeyTooShort, match=rf"key_length in encrypt_param to {least} or more"):
        packed_sums.encrypted(of_bits(least - 1), np.ones((2, 2), dtype=np.int64))


def test_foreign_ciphertexts_are_refused(keys):
    key, secret = keys
    codes, of = one_cut(4)
    words, nodes = np.ones((4, 2), dtype=np.int64), [np.arange(4)]
    other, _ = paillier.keygen(key.group.plain_bits + 2)
    foreign = packed_sums.encrypted(other, words)
    with pytest.raises(ForeignKey):
        packed_sums.sums(key, foreign, codes, 2, of, nodes)
    with pytest.raises(ForeignKey):
        packed_sums.opened(secret, packed_sums.sums(other, foreign, codes, 2, of, nodes), 1, 1, 2)


def changed(vector, *, values=None, bits=None, scale_bits=0):
    return CipherVector(
        vector.key,
        vector.values if values is None else values,
        scale_bits,
        vector.bits if bits is None else bits,
    )


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda v: [changed(v[0], values=v[0].values[:-1]), *v[1:]], "4 ciphertexts were expected"),
        (lambda v: [], "0 vectors"),
        (lambda v: [*v, v[-1]], "3 vectors came"),
        (lambda v: v[::-1], "whole numbers of 104 bits were expected"),
        (lambda v: [changed(v[0], bits=103), v[1]], "which state 2 statistics: those need 1"),
        (lambda v: [CipherVector(v[0].key, v[0].values, 0, None), v[1]], "2 vectors came"),
        (lambda v: [changed(v[0], scale_bits=3), v[1]], "3 of them fractional"),
    ],
)
def test_statistics_of_the_wrong_shape_are_refused(damage, said):
    key, _ = KEYS["paillier 128"]
    codes, of = one_cut(4)
    vectors = packed_sums.encrypted(key, np.ones((4, 3), dtype=np.int64))
    with pytest.raises(BadCiphertext, match=said):
        packed_sums.sums(key, damage(vectors), codes, 2, of, [np.arange(4)])


@pytest.mark.parametrize("rows", [[4], [-1], [0, 99]])
def test_rows_that_are_not_there_are_refused(keys, rows):
    codes, of = one_cut(4)
    vectors = packed_sums.encrypted(keys[0], np.ones((4, 1), dtype=np.int64))
    with pytest.raises(BadCiphertext, match="node 1 names rows beyond the 4"):
        packed_sums.sums(keys[0], vectors, codes, 2, of, [np.arange(4), np.array(rows)])


@pytest.mark.parametrize(
    ("nodes", "count", "s", "said"),
    [
        (1, 2, 3, "2 ciphertexts were expected"),
        (2, 1, 3, "2 ciphertexts were expected"),
        (1, 1, 2, "1 vectors of sums were expected"),
        (1, 1, 1, "1 vectors of sums were expected"),
        (1, 1, 5, "3 vectors of sums were expected"),
    ],
)
def test_sums_of_the_wrong_shape_are_refused(nodes, count, s, said):
    key, secret = KEYS["paillier 128"]
    codes, of = one_cut(4)
    vectors = packed_sums.encrypted(key, np.ones((4, 3), dtype=np.int64))
    sealed = packed_sums.sums(key, vectors, codes, 2, of, [np.arange(4)])
    with pytest.raises(BadCiphertext, match=said):
        packed_sums.opened(secret, sealed, nodes, count, s)


@pytest.mark.parametrize(
    "plain", [TOP + 1, -TOP - 1, 2**52, -(2**52), 2**105, (TOP + 1) << 53, -(2**104)]
)
def test_plaintexts_that_no_sums_have_are_not_given_out(keys, plain):
    key, secret = keys
    sealed = CipherVector(key, [key.group.bare(plain, 106) * key.group.zero() % key.modulus], 0, 0)
    per = packed_sums._per_text(key, 2)
    with pytest.raises(DecryptedOutOfRange) as refusal:
        packed_sums.opened(secret, [changed(sealed, bits=packed_sums._bits(2 * per))], 1, 1, 2)
    assert not any(c.isdigit() for c in str(refusal.value))


@pytest.mark.parametrize("plain", [1 << 106, -(1 << 107), 1 << 150])
def test_words_beyond_the_candidates_asked_for_are_not_given_out(plain):
    key, secret = KEYS["ou 1024"]
    sealed = key.encrypt_whole([plain], bits=packed_sums._bits(4))
    with pytest.raises(DecryptedOutOfRange):
        packed_sums.opened(secret, [sealed], 1, 1, 2)


@pytest.mark.parametrize("cores", [1, 2])
def test_an_ou_plaintext_beyond_p_is_not_given_out(cores, monkeypatch):
    """It would tell p: see ``ou``. A helper process must not turn the refusal into another."""
    monkeypatch.setattr("os.cpu_count", lambda: 2)
    monkeypatch.setattr(PublicKey, "worth", lambda *_: 1)
    key, secret = KEYS["ou 768"]
    huge = gmpy2.powmod(key.group.g, mpz(1) << 280, key.n)
    sealed = CipherVector(key, [huge, huge], 0, packed_sums._bits(2))
    with pytest.raises(DecryptedOutOfRange):
        packed_sums.opened(secret, [sealed], 1, 2, 2, cores=cores)


@pytest.mark.slow
@pytest.mark.parametrize(("scheme", "bits"), [(paillier, 1024), (paillier, 2048), (ou, 2048)])
def test_real_key_sizes(scheme, bits, rng):
    codes, of = features(rng, 400, 6, 16)
    words = rng.integers(-(2**42), 2**42, size=(400, 2))
    nodes = [np.arange(400), np.arange(0, 400, 7)]
    found, expected = both_ways(scheme.keygen(bits), words, codes, 16, of, nodes, cores=2)
    np.testing.assert_array_equal(found, expected)
