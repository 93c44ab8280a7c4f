"""Sums under the clients' key: right, unreadable to the arbiter, and lost clients left out."""

import importlib.util

import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.crypto import ckks
from federatedml.errors import BadParameters, PartiesLost
from federatedml.protocols import cipher_aggregation
from federatedml.protocols.cipher_aggregation import CipherClient, CipherServer, Wire
from federatedml.protocols.roll_call import SecureAggregationParam, terms
from federation import ARBITER, GUEST, HOST, Party
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

pytest.importorskip("tenseal")

CLIENTS = [Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")]
JUDGE = Party(ARBITER, "10000")
PARAM = SecureAggregationParam(method="ckks")


def numbers(party, at):
    return np.random.default_rng([CLIENTS.index(party), at]).normal(scale=100.0, size=20)


def play(n, rounds, *, stays=None, param=PARAM):
    """What each client opens in each round, whom the arbiter lost, and the transcript.

    stays: by client, in how many rounds it takes part.
    """

    def client(ctx):
        side = CipherClient(ctx, terms(ctx, param, "sums_0"))
        mine = (stays or {}).get(ctx.me, rounds)
        return [side.total(numbers(ctx.me, at)) for at in range(mine)]

    def server(ctx):
        side = CipherServer(ctx, terms(ctx, param, "sums_0"))
        for _ in range(rounds):
            side.add_up()
        return side.lost

    results, transcript = run({**dict.fromkeys(CLIENTS[:n], client), JUDGE: server}, Ctx)
    return results, results[JUDGE], transcript


@pytest.fixture(scope="module")
def three():
    return play(3, 2)


def test_every_client_opens_the_sum(three):
    results, lost, _ = three
    for at in range(2):
        total = sum(numbers(c, at) for c in CLIENTS)
        for c in CLIENTS:
            np.testing.assert_allclose(results[c][at], total, atol=1e-7)
    assert lost == {}


def test_the_arbiter_is_sent_ciphertexts_and_a_key_that_opens_none(three):
    _, _, transcript = three
    for line in transcript:
        if line.dst == JUDGE:
            assert line.message in (Wire.public.name, Wire.sealed.name)
    packed = next(s.value for s in transcript if s.message == Wire.public.name)
    assert not ckks._context(packed).is_private()


def test_two_encryptions_of_the_same_numbers_differ():
    same = np.ones(3)

    def client(ctx):
        side = CipherClient(ctx, terms(ctx, PARAM, "x"))
        return side.total(same), side.total(same)

    def server(ctx):
        side = CipherServer(ctx, terms(ctx, PARAM, "x"))
        side.add_up()
        side.add_up()

    _, transcript = run({**dict.fromkeys(CLIENTS[:2], client), JUDGE: server}, Ctx)
    sent = [s.value for s in transcript if s.message == Wire.sealed.name]
    assert len(sent) == len(set(sent)) == 4


def test_the_key_travels_sealed_for_each_host(three):
    _, _, transcript = three
    sealed = [s for s in transcript if s.message == Wire.secret.name]
    assert [s.dst for s in sealed] == CLIENTS[1:]
    assert sealed[0].value[:32] != sealed[1].value[:32]
    public = next(s.value for s in transcript if s.message == Wire.public.name)
    assert all(public[:1000] not in s.value for s in sealed)


def test_the_others_go_on_without_a_lost_client():
    gone = CLIENTS[2]
    results, lost, _ = play(3, 3, stays={gone: 1})
    for at in range(3):
        there = CLIENTS if at == 0 else CLIENTS[:2]
        expected = sum(numbers(c, at) for c in there)
        np.testing.assert_allclose(results[CLIENTS[0]][at], expected, atol=1e-7)
    assert list(lost) == [gone]


def test_with_too_few_left_the_task_ends_and_names_who_is_missing():
    with pytest.raises(PartiesLost, match=r"1 of 2 .* needs 2; missing: host 10000"):
        play(2, 2, stays={CLIENTS[1]: 1})


@pytest.mark.parametrize("body", [b"", b"x" * 100], ids=["nothing", "noise"])
def test_what_is_no_ciphertext_is_refused(body):
    def client(ctx):
        side = CipherClient(ctx, terms(ctx, PARAM, "x"))
        if ctx.me == CLIENTS[1]:
            ctx.remote(Wire.sealed, body)
            ctx.get(Wire.came)
        return side.total(np.ones(3))

    def server(ctx):
        CipherServer(ctx, terms(ctx, PARAM, "x")).add_up()

    with pytest.raises(ProtocolViolation, match="host 10000 broke the protocol"):
        run({**dict.fromkeys(CLIENTS[:2], client), JUDGE: server}, Ctx)


def test_a_sum_of_other_length_or_under_another_key_is_refused():
    for key, size in ((None, 4), (ckks.keygen()[0], 3)):

        def client(ctx):
            CipherClient(ctx, terms(ctx, PARAM, "x")).total(np.ones(3))

        def server(ctx, key=key, size=size):
            side = CipherServer(ctx, terms(ctx, PARAM, "x"))
            ctx.gather(Wire.sealed)
            ctx.remote(Wire.came, [1, 2])
            key = key or side._key
            ctx.remote(Wire.total, key.to_bytes(key.encrypt(np.ones(size))))

        with pytest.raises(ProtocolViolation, match="arbiter 10000 broke the protocol"):
            run({**dict.fromkeys(CLIENTS[:2], client), JUDGE: server}, Ctx)


def test_a_key_that_was_not_made_for_the_host_is_refused():
    def guest(ctx):
        ctx.get(Wire.channel)
        ctx.remote(Wire.secret, bytes(range(32)) + b"noise" * 20)
        ctx.get(Wire.channel)

    def host(ctx):
        CipherClient(ctx, terms(ctx, PARAM, "x"))

    with pytest.raises(ProtocolViolation, match=r"guest 9999 .*not a key for us"):
        run({CLIENTS[0]: guest, CLIENTS[1]: host}, Ctx)


def test_a_degenerate_public_key_is_refused():
    def host(ctx):
        ctx.remote(Wire.channel, bytes(32))
        ctx.get(Wire.secret)

    def guest(ctx):
        CipherClient(ctx, terms(ctx, PARAM, "x"))

    with pytest.raises(ProtocolViolation, match=r"host 10000 .*not a public key"):
        run({CLIENTS[0]: guest, CLIENTS[1]: host, JUDGE: lambda ctx: ctx.get(Wire.public)}, Ctx)


def test_without_the_library_the_error_says_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(BadParameters, match=r"sums_0: .*pip install distaff\[ckks\]"):
        cipher_aggregation.check_library("sums_0")
