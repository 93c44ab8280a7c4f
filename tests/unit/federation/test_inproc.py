"""Parties in one process end as tasks do."""

import pytest

from federation import GUEST, HOST, Message, Party
from federation.errors import PeerFailed
from federation.transport.inproc import run

G, H = Party(GUEST, "9999"), Party(HOST, "10000")


class Wire:
    x = Message[int]({GUEST}, {HOST}, kind="plain", reveals="x")


def test_who_waits_for_a_party_that_is_over_is_told_so():
    with pytest.raises(PeerFailed, match=r"guest 9999 failed: its task ended .*test_inproc\.x"):
        run({G: lambda ctx: None, H: lambda ctx: ctx.get(Wire.x)})


def test_what_a_party_sent_before_it_was_over_is_still_there():
    results, _ = run({G: lambda ctx: ctx.remote(Wire.x, 7), H: lambda ctx: ctx.get(Wire.x)})
    assert results[H] == 7
