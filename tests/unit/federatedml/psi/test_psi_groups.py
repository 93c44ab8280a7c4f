"""Groups and oblivious functions of intersection: laws, known answers, attacks, refusals."""

import builtins
import hashlib

import gmpy2
import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from federatedml.crypto import commutative, hashing, ristretto, rsa_blind
from federatedml.crypto.commutative import Curve, SafePrime, modp
from federatedml.crypto.oblivious import (
    GroupAsker,
    GroupEvaluator,
    RsaAsker,
    RsaEvaluator,
)
from federatedml.crypto.ristretto import InvalidElement

IDS = pa.array(["0", "1", "é", "漢字", "", "a much longer id than most", "1 "])
RSA = rsa_blind.keygen(1024)
GROUPS = [Curve(), Curve("sha512", "salt"), SafePrime(1024), SafePrime(1024, "none", "salt")]


def rows(*hexadecimal):
    return np.array([list(bytes.fromhex(h)) for h in hexadecimal], dtype=np.uint8)


@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_encryptions_commute(group):
    a, b, x = group.secret(), group.secret(), group.embed(IDS)
    once = group.apply(x, a)
    np.testing.assert_array_equal(group.apply(once, b), group.apply(group.apply(x, b), a))
    np.testing.assert_array_equal(group.apply(once, group.inverse(a)), x)
    assert not (once == x).all(axis=1).any()


@pytest.mark.parametrize("group", GROUPS, ids=repr)
def test_different_ids_are_different_elements(group):
    assert len({row.tobytes() for row in group.embed(IDS)}) == len(IDS)


def test_a_secret_is_not_shown():
    secret = SafePrime(1024).secret()
    assert str(secret.value) not in repr(secret)
    assert str(RSA.p) not in repr(RSA)


def test_the_salt_changes_every_element():
    assert not (Curve(salt="a").embed(IDS) == Curve(salt="b").embed(IDS)).all(axis=1).any()


def test_ristretto_agrees_with_rfc_9496():
    """Appendix A.3, the first hash to the group; A.1, the first multiples of the base point."""
    words = b"Ristretto is traditionally a short shot of espresso coffee"
    uniform = np.frombuffer(hashlib.sha512(words).digest(), np.uint8)[None, :]
    known = "3066f82a1a747d45120d1740f14358531a8f04bbffe6a819f86dfe50f44a0a46"
    np.testing.assert_array_equal(ristretto.from_uniform(uniform), rows(known))
    base = rows("e2f2ae0a6abc4e71a884a961c500515f58e30b6aa582dd8db6a65945e08d2d76")
    double = rows("6a493210f7499cd17fecb510ae0cea23a110e8d5b901f8acadd3095c73a3b919")
    np.testing.assert_array_equal(ristretto.multiply(base, (2).to_bytes(32, "little")), double)


@pytest.mark.parametrize(
    "encoding",
    [
        "00" * 32,  # the identity: under any key it stays what it is
        "00" + "ff" * 31,  # not canonical
        "01" + "00" * 31,  # negative
        "26948d35ca62e643e26a83177332e6b6afeb9d08e4268b650f1f5bbd8d81d371",  # not a square
    ],
)
def test_ristretto_refuses_what_encodes_no_usable_point(encoding):
    good = Curve().embed(pa.array(["a"]))
    with pytest.raises(InvalidElement, match="row 1 "):
        ristretto.multiply(np.vstack((good, rows(encoding))), ristretto.random_scalar())


def test_zero_has_no_inverse():
    with pytest.raises(ValueError, match="zero"):
        ristretto.inverse(bytes(32))


def test_a_library_that_cannot_be_loaded_says_what_to_do(monkeypatch):
    """rbcl needs a temporary folder in which code may run."""

    def refuse(name, *arguments):
        if name == "rbcl.rbcl":
            raise OSError("failed to map segment")
        return real(name, *arguments)

    real = builtins.__import__
    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ristretto.LibraryUnavailable, match=r"failed to map segment.*set TMPDIR"):
        ristretto._sodium.__wrapped__()


@pytest.mark.parametrize("bits", [1024, 2048, 3072, 4096])
def test_the_modulus_is_a_safe_prime_of_full_length(bits):
    """FATE's 2048-bit modulus lost its last line: 1920 bits, even, and all that follows."""
    p = modp(bits)
    assert p.bit_length() == bits
    assert gmpy2.is_prime(p)
    assert gmpy2.is_prime(p // 2)
    assert f"{p:X}".startswith("F" * 16 + "C90FDAA22168C234C4C6628B80DC1CD1")
    assert f"{p:X}".endswith("F" * 16)


def test_the_2048_bit_modulus_is_that_of_rfc_3526():
    assert f"{modp(2048):X}".endswith("15728E5A8AACAA68FFFFFFFFFFFFFFFF")


def test_a_truncated_modulus_would_fail_that_test():
    truncated = int(f"{modp(2048):x}"[:-32], 16)
    assert truncated.bit_length() == 1920
    assert not gmpy2.is_prime(truncated)


def test_ids_become_squares_so_that_no_bit_of_them_survives():
    """The Legendre symbol of x^k tells that of x if k is odd; of squares it is always 1."""
    ids = pa.array([str(i) for i in range(40)])
    group = SafePrime(1024)
    x = group.embed(ids)
    for column in (x, group.apply(x, group.secret())):
        assert {gmpy2.jacobi(v, modp(1024)) for v in commutative.numbers(column)} == {1}


@pytest.mark.parametrize("value", [0, 1, modp(1024) - 1, modp(1024), modp(1024) - 4])
def test_a_safe_prime_group_refuses_outsiders(value):
    assert value in (0, 1) or gmpy2.jacobi(value, modp(1024)) != 1
    forged = commutative.columns([gmpy2.mpz(value)], 128)
    with pytest.raises(InvalidElement):
        SafePrime(1024).apply(forged, SafePrime(1024).secret())


@pytest.mark.parametrize(
    ("asker", "evaluator"),
    [
        (RsaAsker(RSA.public), RsaEvaluator(RSA)),
        *((GroupAsker(g), GroupEvaluator(g, g.secret())) for g in GROUPS[::2]),
    ],
    ids=["rsa", "curve", "modp"],
)
def test_asking_gives_the_tokens_of_the_key_holder(asker, evaluator):
    blinded, secrets = asker.blind(IDS)
    tokens = asker.finish(evaluator.evaluate(blinded), secrets, IDS)
    np.testing.assert_array_equal(tokens, evaluator.tokens(IDS))
    assert blinded.shape == (len(IDS), asker.width) == (len(IDS), evaluator.width)
    assert tokens.shape == (len(IDS), asker.token_width) == (len(IDS), evaluator.token_width)


def test_the_signer_cannot_test_a_guess():
    """Who knows d gets r from a right guess of the id. FATE's r had 128 bits: only the right
    guess gives a small number. Ours is uniform: every guess gives a number like any other."""
    seeds = RSA.public.seeds(pa.array(["id"]))
    h, n = RSA.public.embed(seeds)[0], RSA.public.n

    def r_of(hidden):
        quotient = hidden * gmpy2.invert(h, n) % n
        return commutative.numbers(RSA.sign(commutative.columns([quotient], 128)))[0]

    fates = pow(gmpy2.mpz(2) ** 127 + 12345, rsa_blind.E, n) * h % n
    assert r_of(fates).bit_length() == 128
    ours = commutative.numbers(RSA.public.blind(seeds)[0])[0]
    assert r_of(ours).bit_length() > 900


def test_no_two_ids_share_their_blinding():
    """With one r for several ids, the quotient of two would be that of their hashes."""
    _, secrets = RSA.public.blind(RSA.public.seeds(IDS))
    assert len({row.tobytes() for row in secrets}) == len(IDS)


@pytest.mark.parametrize("value", [0, RSA.public.n])
def test_a_signer_refuses_what_is_outside_the_ring(value):
    with pytest.raises(InvalidElement):
        RSA.sign(commutative.columns([gmpy2.mpz(value)], 128))


def test_a_kept_key_signs_as_before():
    again = rsa_blind.restore(int(RSA.p), int(RSA.q), RSA.public.hashes)
    seeds = RSA.public.seeds(IDS)
    np.testing.assert_array_equal(again.tokens(seeds), RSA.tokens(seeds))


@settings(deadline=None, max_examples=20)
@given(
    texts=st.lists(st.text(max_size=5), max_size=5),
    method=st.sampled_from(["md5", "sha1", "sha224", "sha256", "sha384", "sha512"]),
    salt=st.text(max_size=3),
)
def test_digests_are_those_of_hashlib(texts, method, salt):
    made = hashing.digests(pa.array(texts, pa.string()), method, salt)
    assert [row.tobytes() for row in made] == [
        hashlib.new(method, (t + salt).encode()).digest() for t in texts
    ]


def test_digests_of_a_slice_are_those_of_its_rows():
    whole = hashing.digests(IDS, "sha256")
    np.testing.assert_array_equal(hashing.digests(IDS.slice(2, 3), "sha256"), whole[2:5])


def test_an_unknown_hash_is_refused_by_name():
    with pytest.raises(ValueError, match="unknown hash 'crc32'; there are: none, md5"):
        hashing.digests(IDS, "crc32")
