"""Vectors under big-integer ciphers: laws, ranges, blinding, refusals, what shows through.

Ciphers: Paillier with short exponents (the default), with textbook blinding, and on a key that
python-paillier made, which must understand our ciphertexts as we do its own; OU with short
exponents and with textbook blinding.
"""

import itertools
from fractions import Fraction

import gmpy2
import numpy as np
import phe
import pytest
from gmpy2 import mpz
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from federatedml.crypto import fixedpoint, ou, paillier, wire
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

BITS = {"paillier": 320, "ou": 1024}


def paillier_short():
    return paillier.keygen(BITS["paillier"])[1]


def paillier_textbook():
    made = paillier.keygen(BITS["paillier"])[1].owner
    return paillier.secret_key(made.p, made.q, textbook=True)


def paillier_of_phe():
    _, theirs = phe.generate_paillier_keypair(n_length=BITS["paillier"])
    return paillier.secret_key(mpz(theirs.p), mpz(theirs.q))


def ou_short():
    return ou.keygen(BITS["ou"])[1]


def ou_textbook():
    secret = ou.keygen(BITS["ou"])[1]
    p = secret.owner.p
    return ou.secret_key(p, secret.public.n // p**2, secret.owner.g, textbook=True)


MAKERS = (paillier_short, paillier_textbook, paillier_of_phe, ou_short, ou_textbook)
CIPHERS = {make.__name__: (secret.public, secret) for make in MAKERS for secret in [make()]}
SHORT = ("paillier_short", "ou_short")
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


@pytest.mark.parametrize("name", SHORT)
@settings(deadline=None, max_examples=60)
@given(
    column=st.lists(st.integers(-(2**50), 2**50), min_size=1, max_size=12),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_column_of_any_integers(name, column, seed):
    public, secret = CIPHERS[name]
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


@pytest.mark.parametrize("bits", [60, 150, None])
@pytest.mark.parametrize("count", [1, 2, 7])
def test_a_blinded_vector_opens_to_its_numbers(keys, bits, count, rng):
    public, secret = keys
    room = public.group.blind_bits
    bits = bits or room
    u = rng.normal(size=count) * 2.0 ** min(bits - 52, 90)
    blinded, blinding = public.blind(public.encrypt(u, bits=bits))
    np.testing.assert_allclose(blinding.open(secret.residues(blinded)), u, rtol=1e-12, atol=1e-12)
    assert len(blinded) == -(-count // (room // (bits + 1) or 1))
    with pytest.raises(BadCiphertext):
        secret.decrypt(blinded)
    with pytest.raises(BadCiphertext):
        blinding.open([*secret.residues(blinded), 1])


def test_a_blinded_vector_shows_its_decryptor_uniform_numbers(keys):
    public, secret = keys
    blinded, _ = public.blind(public.encrypt(np.zeros(200), bits=200))
    residues = secret.residues(blinded)
    assert len(set(residues)) == 200
    top = [r * 8 // int(public.group.wrap) for r in residues]
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
    three = public.group.bare(3, 8)
    total = public.add(base, CipherVector(public, [three], base.scale_bits, base.bits))

    def addend_is_exposed(c):
        return c.values[0] * gmpy2.invert(base.values[0], public.modulus) % public.modulus == three

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
        public.mul_plain(c, np.ones(2), 10, public.group.plain_bits)
    with pytest.raises(PlaintextOutOfRange):
        public.mul_plain(c, np.full(2, 9.0), 10, 12)
    with pytest.raises(PlaintextOutOfRange):
        public.encrypt(np.ones(1), bits=public.group.plain_bits + 1)
    widest = public.encrypt(np.ones(1), bits=public.group.plain_bits)
    with pytest.raises(PlaintextOutOfRange):
        public.add(widest, widest)


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
    make = {"Paillier": paillier_short, "OU": ou_short}[public.scheme]
    other = make().public
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
        lambda f: [f[0], f[1] + 1, *f[2:]],
        lambda f: [f[0], f[1], f[2] + 1, *f[3:]],
        lambda f: [f[0], f[1], None, *f[3:]],
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
    public, secret = CIPHERS["paillier_of_phe"]
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


def test_fresh_ou_keys_are_as_long_as_asked_and_leave_no_small_factors():
    for bits in (768, 769, 1024):
        public, secret = ou.keygen(bits)
        p = secret.owner.p
        q = public.n // p**2
        assert p * p * q == public.n
        assert public.key_bits == bits
        assert gmpy2.is_prime(p)
        assert gmpy2.is_prime(q)
        assert p.bit_length() - 66 == public.group.plain_bits
        assert gmpy2.gcd((p - 1) * (q - 1) // 4, gmpy2.primorial(1 << 16)) == 1
        assert gmpy2.jacobi(public.group.g, p) == gmpy2.jacobi(public.group.g, q) == 1


@pytest.mark.slow
def test_real_key_sizes(rng):
    for scheme, bits in itertools.product((paillier, ou), (1024, 2048, 3072, 4096)):
        public, secret = scheme.keygen(bits)
        x, u = rng.normal(size=(50, 3)), rng.normal(size=50)
        found = secret.decrypt(public.matvec(x, public.encrypt(u), 30))
        np.testing.assert_allclose(found, x.T @ u, atol=1e-7)


# What decryptions of OU must not give away.


def test_an_ou_plaintext_beyond_p_is_not_decrypted():
    """Given out, it would be p away from what the sender encrypted, and gcd would find p."""
    public, secret = CIPHERS["ou_short"]
    g, n, p = public.group.g, public.n, secret.owner.p
    m = 1 << (p.bit_length() + 20)
    sealed = [gmpy2.powmod(g, m, n) * public.group.zero() % n]
    (found,) = secret.owner.residues(sealed)
    assert gmpy2.gcd(m - found, n) % p == 0
    for bits in (80, public.group.plain_bits):
        with pytest.raises(DecryptedOutOfRange) as refusal:
            secret.decrypt(CipherVector(public, sealed, 0, bits))
        assert not any(c.isdigit() for c in str(refusal.value))
    with pytest.raises(DecryptedOutOfRange):
        secret.residues(CipherVector(public, sealed, 0, None))


def test_an_ou_mask_hides_with_64_bits_and_never_reaches_p():
    public, secret = CIPHERS["ou_short"]
    group = public.group
    assert group.plain_bits - group.blind_bits >= 65
    masks = [group.mask() for _ in range(300)]
    assert min(masks) >= 1 << group.blind_bits
    assert max(masks) + (1 << group.blind_bits) <= group.wrap < secret.owner.p >> 64
    assert min(np.bincount([m * 8 // int(group.wrap) for m in masks], minlength=8)) >= 15


def test_what_hides_history_from_the_owner_of_an_ou_key_covers_its_whole_group():
    """The owner knows p and q: a short exponent is not enough against a logarithm modulo them."""
    public, secret = CIPHERS["ou_short"]
    order = (secret.owner.p - 1) * (public.n // secret.owner.p**2 - 1)
    table = public.group._veils
    assert len(table.rows) * table.window >= order.bit_length() + 64
    assert gmpy2.powmod(public.group.veil(), order, public.n) == 1


# Stated error bounds, in exact arithmetic.


def exact(secret, c):
    """The numbers of a vector as fractions, not rounded to floats."""
    modulus = int(secret.owner.plain_modulus)
    found = secret.owner.residues(c.values)
    return [Fraction(m - modulus if m > modulus // 2 else m, 1 << c.scale_bits) for m in found]


numbers = st.floats(-(2.0**20), 2.0**20)
lists = st.lists(st.tuples(numbers, numbers), min_size=1, max_size=5)


@pytest.mark.parametrize("name", SHORT)
@settings(deadline=None, max_examples=40)
@given(pairs=lists, scale=st.integers(0, 48))
def test_encryption_is_off_by_half_a_unit_at_most(name, pairs, scale):
    public, secret = CIPHERS[name]
    values = np.array(pairs)[:, 0]
    found = exact(secret, public.encrypt(values, scale_bits=scale))
    for value, m in zip(values.tolist(), found, strict=True):
        assert abs(m - Fraction(value)) <= Fraction(1, 1 << (scale + 1))


@pytest.mark.parametrize("name", SHORT)
@settings(deadline=None, max_examples=40)
@given(pairs=lists, scale=st.integers(0, 40))
def test_a_product_is_off_by_half_a_unit_of_each_entry_at_most(name, pairs, scale):
    public, secret = CIPHERS[name]
    u, x = np.array(pairs).T
    c = public.encrypt(u)
    sealed = exact(secret, c)
    (found,) = exact(secret, public.matvec(x[:, None], c, scale))
    true = sum((Fraction(a) * b for a, b in zip(x.tolist(), sealed, strict=True)), Fraction())
    assert abs(found - true) <= sum(map(abs, sealed)) / (1 << (scale + 1))
    each = exact(secret, public.mul_plain(c, x, scale, scale + 21))
    for a, b, product in zip(x.tolist(), sealed, each, strict=True):
        assert abs(product - Fraction(a) * b) <= abs(b) / (1 << (scale + 1))


@pytest.mark.parametrize("name", SHORT)
@settings(deadline=None, max_examples=40)
@given(values=st.lists(st.integers(-(2**79), 2**79), min_size=1, max_size=4))
def test_decoding_gives_the_nearest_float(name, values):
    public, secret = CIPHERS[name]
    sealed = [public.group.bare(m, 80) * public.group.zero() % public.modulus for m in values]
    found = secret.decrypt(CipherVector(public, sealed, 48, 80))
    assert found.tolist() == [float(Fraction(m, 1 << 48)) for m in values]
    assert fixedpoint.decode(values, 48).tolist() == found.tolist()


# On the wire, keys of both schemes are told apart.


def test_a_key_keeps_its_scheme_and_a_scheme_that_is_not_known_is_refused():
    public, _ = CIPHERS["ou_short"]
    back = codec.decode(codec.encode(public))
    assert (back.scheme, back.group.g, back.fingerprint) == (
        "OU",
        public.group.g,
        public.fingerprint,
    )
    fields = wire._key_fields(public)
    assert wire._build_key(fields) is wire._build_key(fields)
    assert paillier.public_key(public.n) != public
    for wrong in (
        ["OU", fields[1]],
        ["Paillier", *fields[1:]],
        ["RSA", fields[1]],
        ["OU", fields[1], b"\x01"],
        ["OU", fields[1], fields[1]],
        ["OU", b"", fields[2]],
    ):
        with pytest.raises(BadCiphertext):
            wire._build_key(wrong)
