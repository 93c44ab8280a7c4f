"""What leaves a party of HeteroSSHELR: what is declared, shares that tell nothing; FATE's leaks."""

import random
import secrets

import gmpy2
import numpy as np
import pytest

from federatedml import sshe
from federatedml.components.hetero_sshe_lr import HeteroSSHELR
from federatedml.crypto import lattice, rings
from federatedml.crypto.ntt import coefficients, tables
from federatedml.protocols import sshe_products, sshe_steps
from federation import codec
from tests.protocol import sshe_parties
from tests.protocol.sshe_parties import HIDDEN, OPEN, N, cut, features, joined

CLOSE = {"rtol": 1e-6, "atol": 3e-7}


def params(**given):
    return sshe_parties.params(HeteroSSHELR, **given)


def trained(p, weight=None):
    frames = cut(features(), (features()[:, 0] > 0).astype(np.int64), weight)
    return sshe_parties.trained(HeteroSSHELR, p, frames)


@pytest.fixture(scope="module")
def transcript():
    return trained(params(max_iter=2, batch_size=20, early_stop="weight_diff"))[1]


def lines(transcript):
    return sorted(
        {
            (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
            for s in transcript
        }
    )


def test_parties_exchange_exactly_the_declared_messages(transcript, golden):
    weight = np.linspace(0.5, 1.5, N)
    seen = {
        "shared": lines(transcript),
        "open": lines(trained(params(max_iter=1, **OPEN))[1]),
        "open_weighted": lines(trained(params(max_iter=1, **OPEN), weight=weight)[1]),
        "hidden": lines(trained(params(max_iter=1, **HIDDEN))[1]),
    }
    golden("hetero_sshe_lr", {name: list(map(list, found)) for name, found in seen.items()})


@pytest.mark.parametrize("given", [{}, OPEN, HIDDEN], ids=["respectively", "open", "hidden"])
def test_plain_numbers_leave_only_where_declared(given):
    _, transcript = trained(params(early_stop="weight_diff", **given))
    plain = {
        s.message
        for s in transcript
        if isinstance(s.value, float)
        or (isinstance(s.value, np.ndarray) and s.envelope.kind == "plain")
    }
    allowed = {sshe.Wire.host_score.name}
    if given == OPEN:
        allowed.add(sshe_steps.Wire.own_change.name)
    assert plain == (set() if given == HIDDEN else allowed)


def share_words(transcript):
    """Every 64-bit half of every share that left a party."""
    sent = [s.value for s in transcript if s.envelope.kind == "share"]
    return np.concatenate([v.ravel() for v in sent])


@pytest.mark.parametrize("given", [{}, OPEN, HIDDEN], ids=["respectively", "open", "hidden"])
def test_shares_that_leave_are_uniform(given):
    """Every bit of them is set half of the time: bounds of seven standard deviations."""
    words = np.concatenate([share_words(trained(params(**given))[1]) for _ in range(3)])
    set_bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    assert len(words) > 50
    assert np.abs(set_bits - 0.5).max() < 7 * 0.5 / np.sqrt(len(words))
    assert len(np.unique(words)) == len(words)


def test_what_a_vectors_owner_decrypts_is_uniform(monkeypatch):
    seen = []

    def noted(ctx, link, inner, outputs, of=sshe_products.opened):
        seen.append(of(ctx, link, inner, outputs))
        return seen[-1]

    monkeypatch.setattr(sshe_products, "opened", noted)
    trained(params())
    words = np.concatenate([w.ravel() for w in seen])
    set_bits = np.unpackbits(words.view(np.uint8).reshape(-1, 8), axis=1).mean(axis=0)
    assert len(words) > 500
    assert np.abs(set_bits - 0.5).max() < 7 * 0.5 / np.sqrt(len(words))


def test_two_runs_of_one_seed_share_nothing_but_the_model():
    def words():
        random.seed(3)
        np.random.seed(3)
        results, transcript = trained(params(max_iter=1, init_param={"random_seed": 3}))
        return joined(results), share_words(transcript)

    (one, sent), (other, sent_again) = words(), words()
    np.testing.assert_allclose(one, other, **CLOSE)
    assert not set(sent.tolist()) & set(sent_again.tolist())


# FATE's leaks: each attack works on FATE's arrangement, and not on what we send.


def test_ciphertexts_of_one_obfuscation_give_away_differences_and_ours_do_not(transcript):
    """FATE 1.11 encrypts a vector a (a mask, or shares of weights) with one r^n for all entries;
    x + a is opened by the protocol; so differences of the secret x are known without a key."""
    p, q = gmpy2.next_prime(1 << 128), gmpy2.next_prime(1 << 130)
    n = p * q
    x, a = [5, 17, 1000], [secrets.randbelow(1 << 40) for _ in range(3)]
    once = gmpy2.powmod(secrets.randbelow(n), n, n * n)
    sent = [(1 + mask * n) * once % (n * n) for mask in a]
    shown = [v + mask for v, mask in zip(x, a, strict=True)]

    def difference(c, d):
        found = (c * gmpy2.invert(d, n * n) % (n * n) - 1) // n
        return found if 2 * found < n else found - n

    for i in (1, 2):
        assert shown[i] - shown[0] - difference(sent[i], sent[0]) == x[i] - x[0]
    vectors = [s.value for s in transcript if s.message == sshe_products.Wire.vector.name]
    assert len({v.seed for v in vectors}) == len(vectors) > 10
    alike = next((u, v) for u in vectors for v in vectors if u is not v and u.tile == v.tile)
    assert not looks_like_small_numbers(stripped(*alike))


def stripped(one, other):
    """The plain difference of two lattice vectors if they were made with one randomness.

    c0 = q m / 2^128 + e - a s, so that equal a and s fall out; (inner,) signed integers.
    """
    primes, degree = one.params.primes, one.params.degree
    rest = one.values - other.values
    coefficients(rest, tables(primes, degree))
    modulus = one.params.modulus
    units = [modulus // p * pow(modulus // p, -1, p) for p in primes]
    flat = rest[0].astype(np.int64).astype(object)
    whole = [sum(int(v) * u for v, u in zip(column, units, strict=True)) for column in flat.T]
    centred = [((v + modulus // 2) % modulus) - modulus // 2 for v in whole]
    packed = centred[: one.tile.inner][::-1]
    return [round(v * (1 << 128) / modulus) for v in packed]


def looks_like_small_numbers(found):
    return max(abs(v) for v in found) < 1 << 100


def test_the_attack_on_reused_randomness_would_find_it_in_ours(monkeypatch):
    """The same on our ciphertexts with a seed that repeats: the attack above is a real one."""
    params = lattice.parameters(word_bits=128)
    cut, secret = lattice.tile(params, 4, 1), lattice.keygen(params)
    monkeypatch.setattr(lattice.secrets, "token_bytes", bytes)
    one, other = (
        secret.encrypt(rings.from_integers(np.array(v), 128), cut)
        for v in ([7 << 40, 9, 0, 1], [1, 2, 1 << 41, 3])
    )
    found = stripped(one, other)
    assert looks_like_small_numbers(found)
    assert [round(v / 2**40) for v in found] == [7, 0, -2, 0]


def predicted_next(outputs):
    """The next 32-bit output of a Mersenne twister after these 624."""
    state = [untempered(v) for v in outputs]
    y = state[0] & 0x80000000 | state[1] & 0x7FFFFFFF
    v = state[397] ^ y >> 1 ^ (0x9908B0DF if y & 1 else 0)
    v ^= v >> 11
    v ^= v << 7 & 0x9D2C5680
    v ^= v << 15 & 0xEFC60000
    return v ^ v >> 18


def untempered(v):
    v ^= v >> 18
    v ^= v << 15 & 0xEFC60000
    w = v
    for _ in range(4):
        w = v ^ w << 7 & 0x9D2C5680
    u = w
    for _ in range(3):
        u = w ^ u >> 11
    return u


def test_a_mersenne_twisters_shares_are_predictable_and_ours_are_not():
    """FATE 1.11 draws pads from Python's generator and sends them: whoever has seen enough of
    them computes the next, and with it the secret under it. 32 bits a pad, as its floats have."""
    fate = random.Random(secrets.randbits(64))
    pads = [fate.getrandbits(32) for _ in range(624)]
    secret = 12345 << 16
    sent = (secret + fate.getrandbits(32)) % 2**32
    assert (sent - predicted_next(pads)) % 2**32 == secret
    words = rings.random((400,), 128).view(np.uint32).ravel().tolist()
    hits = sum(predicted_next(words[i : i + 624]) == words[i + 624] for i in range(900))
    assert hits == 0
