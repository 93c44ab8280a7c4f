"""Small sums through pads: exact for tiny and huge numbers, and nothing but the sum to be read."""

import numpy as np
import pytest

from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.protocols import secure_sum
from federation import ARBITER, GUEST, HOST, Context, Message, Party
from federation.errors import ProtocolViolation
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")


class Wire:
    pad_key = Message[bytes]({GUEST, HOST}, {GUEST, HOST}, kind="plain", reveals="nothing")
    numbers = Message[np.ndarray]({GUEST, HOST}, {ARBITER}, kind="masked", reveals="the sum")


def summed(values, count=None, rounds=1):
    """The arbiter's sums of all rounds, and what it was sent. values: by party."""
    count = len(next(iter(values.values()))) if count is None else count

    def sender(me):
        def play(ctx):
            pads = secure_sum.agreed(ctx, Wire.pad_key)
            for _ in range(rounds):
                ctx.remote(Wire.numbers, pads.wide(np.asarray(values[me], dtype=float)))

        return play

    def judge(ctx):
        return [secure_sum.wide_sum(ctx, Wire.numbers, count) for _ in range(rounds)]

    results, transcript = run({**{me: sender(me) for me in values}, JUDGE: judge}, Context)
    return results[JUDGE], [s for s in transcript if s.message == Wire.numbers.name]


@pytest.mark.parametrize("parties", [(G, BANK), (G, BANK, SHOP)], ids=["two", "three"])
def test_sums_of_tiny_and_huge_numbers_are_exact(parties):
    values = {
        party: np.array([2.0**-80 * (i + 1), -(3.0**i), 1e25, -(2.0**99)])
        for i, party in enumerate(parties)
    }
    (found,), _ = summed(values)
    np.testing.assert_array_equal(found, sum(values.values()))


def test_what_is_sent_is_uniform_and_never_repeats():
    rounds = 200
    found, sent = summed({G: np.array([1.0]), BANK: np.array([2.0])}, rounds=rounds)
    assert [one.tolist() for one in found] == [[3.0]] * rounds
    of_guest = np.array([s.value[0] for s in sent if s.src == G])
    assert len({words.tobytes() for words in of_guest}) == rounds
    ones = np.unpackbits(of_guest.view(np.uint8)).reshape(rounds, -1).mean(axis=0)
    assert (np.abs(ones - 0.5) < 6 * 0.5 / np.sqrt(rounds)).all(), "a bit that is not fair"


def test_the_parties_pads_cancel_only_in_the_whole_sum():
    _, sent = summed({G: np.array([1.0]), BANK: np.array([1.0]), SHOP: np.array([1.0])})
    by_party = {s.src: secure_sum._numbers(s.value)[0] for s in sent}
    modulus = 1 << secure_sum.WIDE_BITS
    partial = (by_party[G] + by_party[BANK]) % modulus
    assert min(partial, modulus - partial).bit_length() > 150
    whole = sum(by_party.values()) % modulus
    assert whole == 3 << secure_sum.WIDE_SCALE_BITS


@pytest.mark.parametrize("value", [2.0**100, -1e40, np.inf, np.nan])
def test_a_number_that_does_not_fit_is_refused(value):
    with pytest.raises(PlaintextOutOfRange):
        secure_sum.Pads(G, {}).wide(np.array([value]))


def test_another_count_of_numbers_is_the_senders_fault():
    with pytest.raises(ProtocolViolation, match="numbers"):
        summed({G: np.ones(2), BANK: np.ones(2)}, count=3)
