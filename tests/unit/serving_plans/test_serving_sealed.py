"""Host weights that stay shared: one ciphertext a row, and nobody learns more than before."""

import secrets

import msgspec
import numpy as np
import pytest

from federatedml.crypto.shared_descent import FRACTION_BITS
from serving.plans import BadPart, NeedsKey, compile, parts
from serving.plans import sealed as sealing
from serving.plans.sealed import Setup
from tests.unit.serving_plans.small_models import chain, lr, transform

GUEST = {"a0": 1.5, "a1": -0.25}
HOST = {"b0": 2.0, "b1": -1.0, "b2": 0.125}
RING = 1 << 128


def share(value):
    return {
        "publicKey": {"n": str(RING)}, "cipherText": str(value % RING),
        "exponent": str(-FRACTION_BITS), "isObfuscator": False,
    }  # fmt: skip


def plans(weight=HOST):
    """Guest and host with one share each of the host's weights."""
    own = {name: secrets.randbits(128) for name in weight}
    theirs = {f"host[{i}]": share(value) for i, value in enumerate(own.values())}
    left = {name: share(round(w * 2**FRACTION_BITS) - own[name]) for name, w in weight.items()}
    made = []
    for role, model, names in (
        ("guest", lr(GUEST, 0.5, encryptedWeight=theirs), GUEST),
        ("host", lr(dict.fromkeys(weight, 0.0), 0.0, encryptedWeight=left), weight),
    ):
        steps = [
            ("t_0", "DataTransform", transform(list(names))),
            ("sshe_0", "HeteroSSHELR", model),
        ]
        made.append(compile(chain(*steps, role=role)))
    return made


def rows(names, n=6, scale=1.0):
    rng = np.random.default_rng(len(names))
    return [{name: float(v) * scale for name, v in zip(names, row, strict=True)}
            for row in rng.normal(size=(n, len(names)))]  # fmt: skip


@pytest.mark.parametrize("scale", [0.0, 1.0, -1.0, 1e6])
def test_scores_are_those_of_the_weights_in_the_clear(scale):
    guest, host = plans()
    a, b = rows(GUEST), rows(HOST, scale=scale)
    key, setup = guest.setup("10000")
    assert host.take(setup) == key
    part = host.part(host.parse(b), key)
    told = [parts.row(part, i, compact=True) for i in range(6)]
    found = guest.merge(guest.local(guest.parse(a)), {"10000": guest.read_rows("10000", told)})
    for i in range(6):
        z = 0.5 + sum(GUEST[k] * v for k, v in a[i].items())
        z += sum(HOST[k] * v for k, v in b[i].items())
        assert found.score[i] == pytest.approx(1 / (1 + np.exp(-np.clip(z, -500, 500))), abs=1e-6)


def test_the_same_row_never_gives_the_same_ciphertext():
    guest, host = plans()
    key, setup = guest.setup("10000")
    host.take(setup)
    row = rows(HOST, 1)
    a, b = (host.part(host.parse(row), key).components["sshe_0"].values for _ in range(2))
    assert a != b


def test_a_guest_sees_its_score_and_else_random_numbers():
    """What it decrypts beside the score is a mask far above what it hides, fresh each time."""
    guest, host = plans()
    key, setup = guest.setup("10000")
    host.take(setup)
    secret = guest._placed[0].predictor._secret
    seen = set()
    for _ in range(8):
        (value,) = host.part(host.parse(rows(HOST, 1)), key).components["sshe_0"].values
        public = secret.public
        (plain,) = secret.decrypt_whole(
            sealing.CipherVector(public, [sealing.gmpy2.mpz(value)], 0, public.group.plain_bits)
        )
        seen.add(plain >> 128)
    assert len(seen) == 8
    assert min(n.bit_length() for n in seen) > sealing.SLACK


def test_a_host_without_the_key_asks_for_it_and_forgets_old_ones():
    guest, host = plans()
    key, setup = guest.setup("10000")
    with pytest.raises(NeedsKey):
        host.part(host.parse(rows(HOST)), key)
    host.take(setup)
    predictor = host._placed[0].predictor
    for i in range(sealing.MAX_KEYS):
        predictor._keys[f"other {i}"] = predictor._keys[key]
    assert host.take(plans()[0].setup("10000")[1]) != key
    with pytest.raises(NeedsKey):
        host.part(host.parse(rows(HOST)), key)


def changed(setup, **fields):
    given = msgspec.json.decode(setup["sshe_0"], type=Setup)
    return {"sshe_0": msgspec.json.encode(msgspec.structs.replace(given, **fields))}


def test_keys_that_are_none_are_refused():
    guest, host = plans()
    _, setup = guest.setup("10000")
    given = msgspec.json.decode(setup["sshe_0"], type=Setup)
    for wrong in (
        {"sshe_0": b"{"},
        changed(setup, n="x"),
        changed(setup, n=str(2**2047)),
        changed(setup, n="15"),
        changed(setup, shares=[given.shares[0][:2]]),
        changed(setup, shares=[["0", *given.shares[0][1:]]]),
    ):
        with pytest.raises(BadPart, match="sshe_0"):
            host.take(wrong)


@pytest.mark.parametrize("cipher", [[], ["x"], ["0"], ["-1"], [5], ["1" * 4001], "12", None])
def test_ciphertexts_that_are_none_are_refused(cipher):
    guest, _ = plans()
    guest.setup("10000")
    state = guest.local(guest.parse(rows(GUEST, 1)))
    with pytest.raises(BadPart, match="sshe_0"):
        guest.merge(state, {"10000": guest.read_rows("10000", [{"sshe_0": {"cipher": cipher}}])})
