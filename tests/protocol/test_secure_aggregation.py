"""Secure aggregation: the exact sum, nothing but the sum, and what if clients are lost."""

import threading

import numpy as np
import pytest

from federatedml.component import Ctx
from federatedml.crypto import double_mask, masking, shamir
from federatedml.errors import BadParameters, PartiesLost
from federatedml.protocols import secure_aggregation
from federatedml.protocols.roll_call import SecureAggregationParam, terms
from federatedml.protocols.secure_aggregation import (
    Client,
    Server,
    Wire,
    connected,
)
from federation import ARBITER, GUEST, HOST, Party
from federation.errors import PeerFailed, ProtocolViolation
from federation.transport.inproc import run

CLIENTS = [Party(GUEST, "9999"), *(Party(HOST, str(10000 + i)) for i in range(4))]
JUDGE = Party(ARBITER, "10000")
SIZE = 200


class Stop(Exception):
    """A client's task dies."""


@pytest.fixture(autouse=True)
def short_books(monkeypatch):
    """So that books are renewed within a test."""
    monkeypatch.setattr(secure_aggregation, "ROUNDS", 3)


def numbers(party, at):
    rng = np.random.default_rng([CLIENTS.index(party), at])
    return rng.normal(scale=100.0, size=SIZE)


def play(n, rounds, *, dies=None, **given):
    """What the arbiter collects in each round, what it knows of the lost, and the transcript.

    dies: by client, (round, message): its task is over just before it would send this.
    """
    param, dies = SecureAggregationParam(**given), dies or {}

    def client(ctx):
        mortal = _Mortal(ctx, *dies.get(ctx.me, (None, None)))
        try:
            side = Client(mortal, terms(ctx, param, "sums_0"))
            for at in range(rounds):
                mortal.at = at
                side.submit(numbers(ctx.me, at))
        except Stop:
            return None
        return side.roll.alive

    def server(ctx):
        side = Server(ctx, terms(ctx, param, "sums_0"))
        return [side.collect() for _ in range(rounds)], side.lost

    parties = {**dict.fromkeys(CLIENTS[:n], client), JUDGE: server}
    results, transcript = run(parties, Ctx)
    return (*results[JUDGE], transcript)


class _Mortal:
    """A context of a client that dies at a given message."""

    def __init__(self, ctx, at, message):
        self._ctx, self._last, self.at = ctx, (at, message), 0

    def __getattr__(self, name):
        return getattr(self._ctx, name)

    def remote(self, message, value, *, to=None):
        if (self.at, message) == self._last:
            raise Stop
        self._ctx.remote(message, value, to=to)


def total(parties, at):
    return sum(numbers(p, at) for p in parties)


def seen_by_arbiter(transcript, message):
    return [s for s in transcript if s.dst == JUDGE and s.message == message.name]


# The sum.


@pytest.mark.parametrize("n", [2, 3, 5])
def test_the_sum_is_exact_in_every_round_and_with_new_keys(n):
    sums, lost, transcript = play(n, 7)
    for at, found in enumerate(sums):
        np.testing.assert_allclose(found, total(CLIENTS[:n], at), atol=n * 2.0**-37 + 1e-11)
    assert lost == {}
    books = [s for s in transcript if s.message == Wire.keys.name and s.dst == JUDGE]
    assert len(books) == 3 * n


def test_words_add_up_to_the_last_bit():
    words = {c: np.arange(5, dtype=np.uint64) - np.uint64(i) for i, c in enumerate(CLIENTS[:3])}

    def client(ctx):
        Client(ctx, terms(ctx, SecureAggregationParam(), "x")).submit_words(words[ctx.me].copy())

    def server(ctx):
        return Server(ctx, terms(ctx, SecureAggregationParam(), "x")).collect_words()

    results, _ = run({**dict.fromkeys(CLIENTS[:3], client), JUDGE: server}, Ctx)
    np.testing.assert_array_equal(results[JUDGE], sum(words.values()))


# Clients that are lost.


@pytest.mark.parametrize("at", [0, 1, 2, 4])
@pytest.mark.parametrize(
    ("message", "is_in_the_sum"),
    [(Wire.masked, False), (Wire.opening, True)],
    ids=["before_masking", "after_masking"],
)
def test_the_others_go_on_without_a_lost_client(at, message, is_in_the_sum):
    gone = CLIENTS[2]
    sums, lost, _ = play(4, 6, dies={gone: (at, message)})
    rest = [c for c in CLIENTS[:4] if c != gone]
    for r, found in enumerate(sums):
        there = r < at or (r == at and is_in_the_sum)
        expected = total(CLIENTS[:4] if there else rest, r)
        np.testing.assert_allclose(found, expected, atol=1e-9)
    assert list(lost) == [gone]
    assert "its task ended" in lost[gone]


def test_two_clients_of_five_may_be_lost_at_different_points():
    dies = {CLIENTS[1]: (1, Wire.masked), CLIENTS[4]: (1, Wire.opening)}
    sums, lost, _ = play(5, 3, dies=dies)
    np.testing.assert_allclose(sums[1], total([*CLIENTS[:1], *CLIENTS[2:]], 1), atol=1e-9)
    np.testing.assert_allclose(sums[2], total([CLIENTS[0], *CLIENTS[2:4]], 2), atol=1e-9)
    assert set(lost) == set(dies)


@pytest.mark.parametrize("message", [Wire.keys, Wire.shares, Wire.heard], ids=lambda m: m.name)
@pytest.mark.parametrize("at", [0, 3])
def test_a_client_lost_while_keys_are_exchanged_is_left_out(message, at):
    gone = CLIENTS[1]
    sums, lost, _ = play(4, 5, dies={gone: (at, message)})
    rest = [c for c in CLIENTS[:4] if c != gone]
    for r, found in enumerate(sums):
        np.testing.assert_allclose(found, total(CLIENTS[:4] if r < at else rest, r), atol=1e-9)
    assert list(lost) == [gone]


@pytest.mark.parametrize("message", [Wire.heard, Wire.masked, Wire.opening], ids=lambda m: m.name)
def test_with_too_few_left_the_task_ends_and_names_who_is_missing(message):
    dies = {CLIENTS[2]: (0, message), CLIENTS[3]: (0, message)}
    with pytest.raises(PartiesLost, match=r"2 of 4 .* needs 3; .*host 10001 .*host 10002 "):
        play(4, 2, dies=dies)


def test_two_clients_cannot_spare_one():
    with pytest.raises(PartiesLost, match=r"1 of 2 .* needs 2; missing: host 10000"):
        play(2, 1, dies={CLIENTS[1]: (0, Wire.masked)})


def test_a_late_client_is_left_behind_and_told_so():
    slow, over = CLIENTS[2], threading.Event()
    param = SecureAggregationParam(time_limit=0.3)

    def client(ctx):
        side = Client(ctx, terms(ctx, param, "sums_0"))
        side.submit(numbers(ctx.me, 0))
        if ctx.me == slow:
            over.wait(30)
            with pytest.raises(PartiesLost, match=r"without host 10001.*time_limit"):
                side.submit(numbers(ctx.me, 1))
            return
        side.submit(numbers(ctx.me, 1))

    def server(ctx):
        side = Server(ctx, terms(ctx, param, "sums_0"))
        found = [side.collect(), side.collect()]
        over.set()
        return found, side.lost

    results, _ = run({**dict.fromkeys(CLIENTS[:3], client), JUDGE: server}, Ctx)
    sums, lost = results[JUDGE]
    np.testing.assert_allclose(sums[1], total(CLIENTS[:2], 1), atol=1e-9)
    assert "within" in lost[slow]


# What the arbiter sees.


def test_a_masked_vector_is_uniform_whatever_is_in_it():
    """Bits of what three clients send, and of one client's two rounds of the same numbers."""
    same = np.ones(SIZE)

    def client(ctx):
        side = Client(ctx, terms(ctx, SecureAggregationParam(), "x"))
        for _ in range(4):
            side.submit(same)

    def server(ctx):
        side = Server(ctx, terms(ctx, SecureAggregationParam(), "x"))
        for _ in range(4):
            np.testing.assert_array_equal(side.collect(), 3 * same)

    _, transcript = run({**dict.fromkeys(CLIENTS[:3], client), JUDGE: server}, Ctx)
    sent = np.array([s.value for s in seen_by_arbiter(transcript, Wire.masked)])
    assert sent.shape == (12, SIZE)
    bits = np.unpackbits(sent.view(np.uint8).reshape(12, -1), axis=1)
    assert np.abs(bits.mean(axis=1) - 0.5).max() < 6 * 0.5 / np.sqrt(bits.shape[1])
    assert len(np.unique(sent)) == sent.size
    assert np.abs(np.corrcoef(bits) - np.eye(12)).max() < 6 / np.sqrt(bits.shape[1])


def test_the_arbiter_cannot_unmask_a_survivor():
    """All that it was sent takes own masks off survivors; numbers under pair masks are left."""
    gone = CLIENTS[3]
    _, _, transcript = play(4, 1, dies={gone: (0, Wire.masked)})
    words = {s.src: s.value for s in seen_by_arbiter(transcript, Wire.masked)}
    openings = seen_by_arbiter(transcript, Wire.opening)
    parts = {CLIENTS.index(s.src) + 1: s.value for s in openings}
    opened = double_mask.together(parts, [1, 2, 3, 4])
    books = {s.src: s.value for s in seen_by_arbiter(transcript, Wire.keys)}
    for number, party in enumerate(CLIENTS[:4], start=1):
        book = double_mask.published(books[party], 3)
        key = double_mask._public_bytes(double_mask._private(opened[number]))
        is_key = key == book.pair_keys[0].tobytes()
        assert is_key == (party == gone)
    for party in CLIENTS[:3]:
        left = words[party].copy()
        masking.add_pad(left, opened[CLIENTS.index(party) + 1].tobytes(), subtract=True)
        bits = np.unpackbits(left.view(np.uint8))
        assert abs(bits.mean() - 0.5) < 6 * 0.5 / np.sqrt(len(bits))


def test_too_few_shares_of_a_book_are_worth_nothing():
    """What colluding clients below the threshold hold of another client's secrets."""
    book = double_mask.draw(3)
    shares = double_mask.shares(book, 5, 3)
    found = shamir.join(shares[:2] % 65536, [1, 2])
    assert not (found == np.concatenate((book.pair_keys, book.seeds))).all(axis=1).any()


def test_shares_go_from_client_to_client_and_never_through_the_arbiter():
    _, _, transcript = play(3, 1)
    for line in transcript:
        if line.message in (Wire.keys.name, Wire.shares.name):
            assert line.src in CLIENTS
        if line.message == Wire.shares.name:
            assert line.dst in CLIENTS
            assert line.envelope.kind == "ciphertext"


# An arbiter, or a client, that does not keep to the protocol.


def failing(play):
    """A client that tells what it failed with."""

    def told(ctx):
        try:
            play(ctx)
        except (ProtocolViolation, PartiesLost, double_mask.SpentRound) as error:
            return error
        return None

    return told


def cheated(asked):
    """What clients say to an arbiter that names these survivors after the first round."""

    @failing
    def client(ctx):
        Client(ctx, terms(ctx, SecureAggregationParam(), "x")).submit(np.ones(3))

    def server(ctx):
        side = Server(ctx, terms(ctx, SecureAggregationParam(), "x"))
        side._exchange_books()
        ctx.gather(Wire.masked)
        for peer in CLIENTS[:4]:
            ctx.remote(Wire.survivors, asked, to=peer)

    return run({**dict.fromkeys(CLIENTS[:4], client), JUDGE: server}, Ctx)


@pytest.mark.parametrize(
    ("asked", "problem"),
    [
        ([1, 2], "fewer clients than the threshold"),
        ([1, 2, 3, 4, 5], "not clients who were there"),
        ([1, 1, 2, 3, 4], "not clients who were there"),
        ([4, 3, 2, 1], "not clients who were there"),
    ],
)
def test_an_impossible_list_of_survivors_is_refused(asked, problem):
    results, transcript = cheated(asked)
    assert isinstance(results[CLIENTS[0]], ProtocolViolation)
    assert problem in str(results[CLIENTS[0]])
    assert seen_by_arbiter(transcript, Wire.opening) == []


def test_an_arbiter_that_asks_again_is_never_given_both_kinds(monkeypatch):
    """It first says that all are there, then, in place of the next list, that one is lost: clients
    answer for the next round, whose numbers it has not had."""
    asked, opened = {}, double_mask.Vault.open

    def watched(vault, at, clients, survivors):
        asked.setdefault((id(vault), at), []).append(list(survivors))
        return opened(vault, at, clients, survivors)

    @failing
    def client(ctx):
        side = Client(ctx, terms(ctx, SecureAggregationParam(), "x"))
        for _ in range(2):
            side.submit(np.ones(3))

    def server(ctx):
        side = Server(ctx, terms(ctx, SecureAggregationParam(), "x"))
        side.collect()
        for peer in CLIENTS[:4]:
            ctx.remote(Wire.survivors, [1, 2, 3], to=peer)
        return {peer: ctx.get(Wire.opening, source=peer) for peer in CLIENTS[:3]}

    monkeypatch.setattr(double_mask.Vault, "open", watched)
    results, _ = run({**dict.fromkeys(CLIENTS[:4], client), JUDGE: server}, Ctx)
    assert isinstance(results[CLIENTS[3]], PartiesLost)
    assert {at for _, at in asked} == {0, 1}
    assert all(len(lists) == 1 for lists in asked.values())


def test_a_round_that_is_played_again_is_refused():
    @failing
    def client(ctx):
        side = Client(ctx, terms(ctx, SecureAggregationParam(), "x"))
        side.submit(np.ones(3))
        side._rounds = 0
        side._exchange_books = lambda: None
        side.submit(np.ones(3))

    def server(ctx):
        side = Server(ctx, terms(ctx, SecureAggregationParam(), "x"))
        side.collect()
        ctx.gather(Wire.masked)
        for peer in CLIENTS[:3]:
            ctx.remote(Wire.survivors, [1, 2], to=peer)

    results, transcript = run({**dict.fromkeys(CLIENTS[:3], client), JUDGE: server}, Ctx)
    errors = [type(results[c]) for c in CLIENTS[:3]]
    assert errors == [double_mask.SpentRound, double_mask.SpentRound, PartiesLost]
    assert len(seen_by_arbiter(transcript, Wire.opening)) == 3


def test_an_arbiter_that_tells_clients_different_things_opens_one_kind_only():
    """Each client answers a round once and the threshold is above half: there are never enough
    shares of both the seed and the pair key of a client."""
    told = {c: [1, 2, 3, 4, 5] if i < 3 else [1, 2, 4, 5] for i, c in enumerate(CLIENTS)}

    @failing
    def client(ctx):
        Client(ctx, terms(ctx, SecureAggregationParam(), "x")).submit(np.ones(3))

    def server(ctx):
        side = Server(ctx, terms(ctx, SecureAggregationParam(), "x"))
        side._exchange_books()
        ctx.gather(Wire.masked)
        for peer in CLIENTS:
            ctx.remote(Wire.survivors, told[peer], to=peer)
        return {CLIENTS.index(p) + 1: part for p, part in ctx.gather(Wire.opening).items()}, side

    results, _ = run({**dict.fromkeys(CLIENTS, client), JUDGE: server}, Ctx)
    parts, side = results[JUDGE]
    book, numbered = side._books[3], [1, 2, 3, 4, 5]
    seeds = double_mask.together({c: parts[c] for c in (1, 2, 3)}, numbered)
    assert np.array_equal(double_mask._digests(seeds[3][None])[0], book.digests[0])
    for group in ((4, 5), (1, 4, 5), numbered):
        try:
            key = double_mask.together({c: parts[c] for c in group}, numbered)[3]
        except shamir.BadShares:
            continue
        public = double_mask._public_bytes(double_mask._private(key))
        assert public != book.pair_keys[0].tobytes()


def test_a_client_that_sends_another_number_of_values_is_named():
    def client(ctx):
        size = 3 if ctx.me != CLIENTS[2] else 4
        Client(ctx, terms(ctx, SecureAggregationParam(), "x")).submit(np.ones(size))

    def server(ctx):
        Server(ctx, terms(ctx, SecureAggregationParam(), "x")).collect()

    with pytest.raises(ProtocolViolation, match=r"host 10001.*\[4\] numbers where others have 3"):
        run({**dict.fromkeys(CLIENTS[:3], client), JUDGE: server}, Ctx)


def test_a_client_with_keys_of_another_shape_is_named():
    def bad(ctx):
        for peer in [*CLIENTS[:2], JUDGE]:
            ctx.remote(Wire.keys, np.zeros((3, 32), np.uint8), to=peer)
        ctx.get(Wire.roster)

    def client(ctx):
        Client(ctx, terms(ctx, SecureAggregationParam(), "x")).submit(np.ones(3))

    def server(ctx):
        Server(ctx, terms(ctx, SecureAggregationParam(), "x")).collect()

    with pytest.raises(ProtocolViolation, match=r"host 10001.*a book of uint8\[3, 32\]"):
        run({**dict.fromkeys(CLIENTS[:2], client), CLIENTS[2]: bad, JUDGE: server}, Ctx)


# Settings.


@pytest.mark.parametrize(
    ("n", "threshold", "problem"), [(3, 1, "from 2 to 3"), (5, 2, "from 3"), (5, 6, "to 5")]
)
def test_an_unsafe_threshold_is_refused(n, threshold, problem):
    ctx = Ctx(JUDGE, [*CLIENTS[:n], JUDGE], None)
    with pytest.raises(BadParameters, match=problem):
        terms(ctx, SecureAggregationParam(threshold=threshold), "sums_0")


def test_one_client_alone_has_no_secure_sum():
    ctx = Ctx(JUDGE, [CLIENTS[0], JUDGE], None)
    with pytest.raises(BadParameters, match="at least two parties"):
        terms(ctx, SecureAggregationParam(), "sums_0")


def test_a_higher_threshold_spares_fewer_clients():
    with pytest.raises(PartiesLost, match=r"4 of 5 .* needs 5"):
        play(5, 1, dies={CLIENTS[4]: (0, Wire.masked)}, threshold=5)


def test_a_lost_arbiter_ends_the_task():
    def client(ctx):
        Client(ctx, terms(ctx, SecureAggregationParam(), "x")).submit(np.ones(3))

    with pytest.raises(PeerFailed, match="arbiter 10000"):
        run({**dict.fromkeys(CLIENTS[:3], client), JUDGE: lambda ctx: None}, Ctx)


@pytest.mark.parametrize(
    ("heard", "left"),
    [
        ({}, []),
        ({1: {1, 2}, 2: {1, 2}}, [1, 2]),
        ({1: {1, 3}, 2: {1, 2, 3}, 3: {1, 2, 3}}, [1, 3]),
        ({1: {1}, 2: {1, 2, 3, 4}, 3: {1, 2, 3, 4}, 4: {1, 2, 3, 4}}, [2, 3, 4]),
        ({1: {1}, 2: {2}, 3: {3}}, [1]),
    ],
)
def test_who_takes_part_has_heard_of_all_who_do(heard, left):
    assert connected(heard) == left
