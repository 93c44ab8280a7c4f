"""What every cipher over vectors does: laws, ranges, refreshing, refusals.

Ciphers: Paillier with short exponents (the default), with textbook blinding, and on a key that
python-paillier made, which must understand our ciphertexts as we do its own.
"""

import gmpy2
import numpy as np
import phe
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml.crypto import paillier, wire
from federatedml.crypto.bigcipher import CipherVector
from federatedml.crypto.errors import (
    BadCiphertext,
    DecryptedOutOfRange,
    ForeignKey,
    PlaintextOutOfRange,
)
from federation import codec
from federation.codec import Malformed
from federation.errors import FederationError

BITS = 320


def short_exponents():
    return paillier.keygen(BITS)


def textbook():
    _, secret = paillier.keygen(BITS)
    secret = paillier.secret_key(secret.owner.p, secret.owner.q, textbook=True)
    return secret.public, secret


def of_phe():
    _, theirs = phe.generate_paillier_keypair(n_length=BITS)
    secret = paillier.secret_key(mpz(theirs.p), mpz(theirs.q))
    return secret.public, secret


CIPHERS = {f.__name__: f() for f in (short_exponents, textbook, of_phe)}
vectors = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=6).map(np.array)
CLOSE = {"rtol": 0, "atol": 2.0**-40}


@pytest.fixture(params=sorted(CIPHERS))
def keys(request):
    return CIPHERS[request.param]


@pytest.fixture
def rng():
    return np.random.default_rng(5)


@pytest.mark.parametrize("name", sorted(CIPHERS))
@settings(deadline=None, max_examples=25)
@given(values=vectors)
def test_decrypting_gives_back_what_was_encrypted(name, values):
    public, secret = CIPHERS[name]
    found = secret.decrypt(public.encrypt(values))
    np.testing.assert_allclose(found, values, rtol=1e-15, atol=2.0**-48)


@pytest.mark.parametrize("name", sorted(CIPHERS))
@settings(deadline=None, max_examples=25)
@given(values=vectors)
def test_adding_and_subtracting_ciphertexts_is_that_of_plaintexts(name, values):
    public, secret = CIPHERS[name]
    a, b = public.encrypt(values), public.encrypt(values[::-1].copy())
    np.testing.assert_allclose(secret.decrypt(public.add(a, b)), values + values[::-1], **CLOSE)
    np.testing.assert_allclose(secret.decrypt(public.sub(a, b)), values - values[::-1], **CLOSE)


def test_multiplying_by_known_numbers(keys, rng):
    public, secret = keys
    x, k = rng.normal(size=9), rng.normal(size=9) * 100
    c = public.mul_plain(public.encrypt(x), k, 40, 60)
    np.testing.assert_allclose(secret.decrypt(c), x * k, rtol=0, atol=1e-8)


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix], ids=["dense", "sparse"])
@pytest.mark.parametrize("scale_bits", [0, 23, 48])
def test_a_matrix_times_ciphertexts(keys, rng, form, scale_bits):
    public, secret = keys
    x = rng.normal(size=(30, 4)) * 7
    x[rng.random(x.shape) < 0.3] = 0
    u = rng.normal(size=30)
    found = secret.decrypt(public.matvec(form(x), public.encrypt(u), scale_bits))
    rounded = np.rint(x * 2.0**scale_bits) / 2.0**scale_bits
    np.testing.assert_allclose(found, rounded.T @ u, rtol=0, atol=1e-11)


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=12),
    st.integers(0, 2**32 - 1),
)
def test_a_column_of_any_integers(column, seed):
    public, secret = CIPHERS["short_exponents"]
    u = np.random.default_rng(seed).integers(-9, 10, size=len(column)).astype(float)
    x = np.array(column, dtype=np.float64)[:, None]
    found = secret.decrypt(public.matvec(x, public.encrypt(u, scale_bits=0, bits=8), 0))
    assert found[0] == float(sum(int(a) * int(b) for a, b in zip(column, u, strict=True)))


def test_sums_by_bin(keys, rng):
    public, secret = keys
    u, bins = rng.normal(size=20), rng.integers(0, 4, size=20)
    found = secret.decrypt(public.sum_by_bin(public.encrypt(u), bins, 5))
    np.testing.assert_allclose(found, np.bincount(bins, u, minlength=5), **CLOSE)


def test_adding_at_positions(keys):
    public, secret = keys
    c = public.add_at(
        public.encrypt(np.zeros(4)), np.array([3, 1]), public.encrypt(np.array([1.0, 2.0]))
    )
    assert secret.decrypt(c).tolist() == [0.0, 2.0, 0.0, 1.0]


@pytest.mark.parametrize("bits", [60, 150, 318])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_blinded_vector_opens_to_its_numbers(keys, bits, count, rng):
    public, secret = keys
    u = rng.normal(size=count) * 2.0 ** min(bits - 52, 90)
    blinded, blinding = public.blind(public.encrypt(u, bits=bits))
    np.testing.assert_allclose(blinding.open(secret.residues(blinded)), u, rtol=1e-12, atol=1e-12)
    assert len(blinded) == -(-count // ((BITS - 2) // (bits + 1) or 1))
    with pytest.raises(BadCiphertext):
        secret.decrypt(blinded)
    with pytest.raises(BadCiphertext):
        blinding.open([*secret.residues(blinded), 1])


def test_a_blinded_vector_shows_its_decryptor_uniform_numbers(keys):
    public, secret = keys
    blinded, _ = public.blind(public.encrypt(np.zeros(200), bits=200))
    residues = secret.residues(blinded)
    assert len(set(residues)) == 200
    top = [r * 8 // int(public.n) for r in residues]
    assert min(np.bincount(top, minlength=8)) >= 8


# Nothing shows through.


def test_two_encryptions_of_a_number_differ(keys):
    public, _ = keys
    c = public.encrypt(np.ones(50))
    assert len(set(c.values)) == 50


def test_refreshing_hides_what_was_added(keys):
    """Whoever made ``base`` must not learn an addend by dividing ``base`` out again."""
    public, secret = keys
    base = public.encrypt(np.array([5.0]))
    bare = CipherVector(public, [1 + 3 * public.n], base.scale_bits, base.bits)
    total = public.add(base, bare)

    def addend_is_exposed(c):
        return (c.values[0] * gmpy2.invert(base.values[0], public.modulus) - 1) % public.n == 0

    assert addend_is_exposed(total)
    assert not addend_is_exposed(public.refresh(total))
    assert secret.residues(public.refresh(total)) == secret.residues(total)


def test_refreshing_states_a_range_that_tells_nothing(keys):
    public, _ = keys
    u = public.encrypt(np.ones(3))
    small, large = (public.matvec(np.full((3, 1), size), u, 20) for size in (1.0, 1e6))
    assert small.bits != large.bits
    assert public.refresh(small, bits=200).bits == public.refresh(large, bits=200).bits
    several = [public.encrypt(np.ones(4), bits=b) for b in (50, 140)]
    assert len({len(public.blind(c)[0]) for c in several}) == 2
    assert len({len(public.blind(c, bits=140)[0]) for c in several}) == 1
    with pytest.raises(PlaintextOutOfRange):
        public.blind(large, bits=90)
    with pytest.raises(PlaintextOutOfRange):
        public.refresh(large, bits=90)


@pytest.mark.parametrize("shown", [repr, str])
def test_no_secret_is_printed(keys, shown):
    public, secret = keys
    _, blinding = public.blind(public.encrypt(np.ones(1)))
    assert str(secret.owner.p) not in shown(secret)
    assert str(blinding.masks[0]) not in shown(blinding)


# What is refused.


@pytest.mark.parametrize("value", [2.0**40, -(2.0**32), np.nan, np.inf])
def test_a_number_out_of_range_is_refused_and_not_printed(keys, value):
    with pytest.raises(PlaintextOutOfRange) as refusal:
        keys[0].encrypt(np.array([0.0, value]))
    assert str(value) not in str(refusal.value)


def test_nothing_wraps_around(keys):
    public, _ = keys
    c = public.encrypt(np.ones(2), scale_bits=100, bits=200)
    with pytest.raises(PlaintextOutOfRange):
        public.matvec(np.full((2, 1), 1e8), c, 100)
    with pytest.raises(PlaintextOutOfRange):
        public.mul_plain(c, np.ones(2), 10, 10 + BITS)
    with pytest.raises(PlaintextOutOfRange):
        public.mul_plain(c, np.full(2, 9.0), 10, 12)
    with pytest.raises(PlaintextOutOfRange):
        public.encrypt(np.ones(1), bits=BITS)


def test_what_does_not_fit_together_is_refused(keys):
    public, _ = keys
    c = public.encrypt(np.ones(3))
    with pytest.raises(BadCiphertext):
        public.add(c, public.encrypt(np.ones(2)))
    with pytest.raises(BadCiphertext):
        public.add(c, public.encrypt(np.ones(3), scale_bits=40))
    with pytest.raises(BadCiphertext):
        public.matvec(np.ones((2, 2)), c, 10)


def test_a_plaintext_beyond_its_stated_bound_is_refused(keys):
    public, secret = keys
    lie = CipherVector(public, public.encrypt(np.array([1e6])).values, 48, 50)
    with pytest.raises(DecryptedOutOfRange):
        secret.decrypt(lie)


def test_ciphertexts_of_another_key_are_refused(keys):
    public, secret = keys
    other, _ = paillier.keygen(BITS)
    c, foreign = public.encrypt(np.ones(2)), other.encrypt(np.ones(2))
    for act in (
        lambda: public.add(c, foreign),
        lambda: public.sub(c, foreign),
        lambda: public.matvec(np.ones((2, 1)), foreign, 10),
        lambda: public.mul_plain(foreign, np.ones(2), 10, 20),
        lambda: public.sum_by_bin(foreign, np.zeros(2, int), 1),
        lambda: public.refresh(foreign),
        lambda: public.blind(foreign),
        lambda: secret.decrypt(foreign),
    ):
        with pytest.raises(ForeignKey):
            act()


# On the wire.


def test_a_vector_survives_its_journey(keys, rng):
    public, secret = keys
    u = rng.normal(size=7)
    back = codec.decode(codec.encode(public.encrypt(u)))
    assert codec.describe(back) == "cipher[7]"
    np.testing.assert_allclose(secret.decrypt(back), u, **CLOSE)
    assert codec.decode(codec.encode(public)) == public


def _fields(c):
    return wire._vector_fields(c)


@pytest.mark.parametrize(
    "damage",
    [
        lambda f: [*f[:5], f[5][:-1]],
        lambda f: [*f[:5], bytes(len(f[5]))],
        lambda f: [*f[:5], f[5][:-1] + bytes([f[5][-1] ^ 1])],
        lambda f: [[f[0][0], f[0][1][:-1] + b"\x01", *f[0][2:]], *f[1:]],
        lambda f: [f[0], -1, *f[2:]],
        lambda f: [f[0], f[1], 10_000, *f[3:]],
        lambda f: [f[0], f[1], f[2], f[3] + 1, *f[4:]],
        lambda f: f[:-1],
    ],
)
def test_damaged_vectors_are_refused(keys, damage):
    fields = damage(_fields(keys[0].encrypt(np.ones(3))))
    with pytest.raises((BadCiphertext, ValueError)):
        wire._build_vector(fields)


@pytest.mark.parametrize("value", [0, "n", "n2"])
def test_values_that_cannot_be_ciphertexts_are_refused(keys, value):
    public, _ = keys
    impossible = {0: mpz(0), "n": public.n, "n2": public.modulus}[value]
    c = public.encrypt(np.ones(2))
    payload = codec.encode(CipherVector(public, [c.values[0], impossible], 48, 80))
    with pytest.raises((Malformed, FederationError)):
        codec.decode(payload)


# python-paillier and we understand each other.


def test_python_paillier_reads_our_ciphertexts_and_we_read_its_own():
    public, secret = CIPHERS["of_phe"]
    theirs = phe.PaillierPublicKey(int(public.n))
    private = phe.PaillierPrivateKey(theirs, int(secret.owner.p), int(secret.owner.q))
    ours = public.encrypt(np.array([3.0, -4.0]), scale_bits=0, bits=8)
    assert [private.decrypt(phe.EncryptedNumber(theirs, int(v))) for v in ours.values] == [3, -4]
    sealed = [mpz(theirs.encrypt(m).ciphertext()) for m in (7, -8)]
    assert secret.decrypt(CipherVector(public, sealed, 0, 8)).tolist() == [7.0, -8.0]


def test_fresh_keys_have_exactly_the_asked_length_and_distinct_primes():
    for bits in (128, 129, 256):
        public, secret = paillier.keygen(bits)
        assert public.key_bits == bits
        assert secret.owner.p != secret.owner.q
        assert secret.owner.p % 4 == secret.owner.q % 4 == 3
        assert gmpy2.gcd(secret.owner.p - 1, secret.owner.q - 1) == 2
        assert gmpy2.is_prime(secret.owner.p)


@pytest.mark.slow
def test_real_key_sizes(rng):
    for bits in (1024, 2048, 3072, 4096):
        public, secret = paillier.keygen(bits)
        x, u = rng.normal(size=(50, 3)), rng.normal(size=50)
        found = secret.decrypt(public.matvec(x, public.encrypt(u), 30))
        np.testing.assert_allclose(found, x.T @ u, atol=1e-7)
