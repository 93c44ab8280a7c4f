"""Messages between parties in one process: declared, typed, matched by order."""

import numpy as np
import pytest
from numpy.typing import NDArray

from federation import GUEST, HOST, Message, Party
from federation.errors import RoleMayNotSend, UndeclaredType
from federation.transport.inproc import run

G, A, B = Party(GUEST, "1"), Party(HOST, "2"), Party(HOST, "3")


class Wire:
    x = Message[NDArray[np.float64]]({GUEST}, {HOST}, kind="plain", reveals="x")
    size = Message[int]({HOST}, {GUEST}, kind="plain", reveals="number of rows")


def test_every_host_gets_what_the_guest_sends_and_the_guest_gathers_in_order():
    def guest(ctx):
        ctx.remote(Wire.x, np.arange(3.0))
        return list(ctx.gather(Wire.size).items())

    def host(ctx):
        x = ctx.get(Wire.x)
        ctx.remote(Wire.size, len(x) + int(ctx.me.party_id))
        return x

    results, transcript = run({G: guest, A: host, B: host})
    assert results[G] == [(A, 5), (B, 6)]
    assert {(s.message, s.src, s.dst) for s in transcript} == {
        ("test_context.x", G, A),
        ("test_context.x", G, B),
        ("test_context.size", A, G),
        ("test_context.size", B, G),
    }


def test_the_nth_send_meets_the_nth_get():
    def guest(ctx):
        for i in range(3):
            ctx.remote(Wire.x, np.full(1, float(i)), to=A)

    results, _ = run({G: guest, A: lambda ctx: [ctx.get(Wire.x)[0] for _ in range(3)]})
    assert results[A] == [0.0, 1.0, 2.0]


@pytest.mark.parametrize(
    ("wrong", "error"),
    [
        (lambda ctx: ctx.remote(Wire.size, 1), RoleMayNotSend),
        (lambda ctx: ctx.remote(Wire.x, np.arange(3)), UndeclaredType),
        (lambda ctx: ctx.remote(Wire.x, [1.0]), UndeclaredType),
    ],
)
def test_what_is_not_declared_does_not_leave(wrong, error):
    with pytest.raises(error):
        run({G: wrong, A: lambda ctx: None})
