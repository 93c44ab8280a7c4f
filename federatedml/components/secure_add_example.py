"""The toy that shows a site works: guest and host add up their numbers without showing them.

Parties  guest: data_num ones; host: data_num ones.
Maths    every number is the sum of two random shares in the integers modulo 2^64 (crypto.rings);
         shares of a sum are sums of shares.
Round    (1) guest -> host   a share of each of the guest's numbers
         (2) host -> guest   a share of each of the host's numbers
         (3) host -> guest   the sum of the host's shares, of both parties' numbers
         (4) guest           adds the sum of its own
Trusts   everyone to follow the protocol (semi-honest). The guest learns the total, from which it
         can subtract its own.
Source   additive secret sharing; parameters and log lines FATE 1.x's ``flow test toy``.
"""

from __future__ import annotations

import logging

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.crypto import rings
from federatedml.params import Params, PositiveInt
from federation import GUEST, HOST, Message
from federation.errors import ProtocolViolation

FRACTION_BITS = 20
"""Numbers are multiples of 2^-20; their sum must stay below 2^43 in size."""

LOG = logging.getLogger("secure_add_guest")
"""``flow test toy`` prints the lines of the guest's log that hold this name."""


class SecureAddExampleParam(Params, frozen=True, kw_only=True):
    """seed and partition are accepted and change nothing: shares are drawn from the operating
    system's generator."""

    seed: int | None = None
    partition: PositiveInt = 1
    data_num: PositiveInt = 1000


class Wire:
    guest_share = Message[NDArray[np.uint64]](
        {GUEST}, {HOST}, kind="share", reveals="how many numbers the guest has"
    )
    host_share = Message[NDArray[np.uint64]](
        {HOST}, {GUEST}, kind="share", reveals="how many numbers the host has"
    )
    host_sum = Message[NDArray[np.uint64]](
        {HOST}, {GUEST}, kind="share", reveals="the sum of both parties' numbers"
    )


@register("SecureAddExample")
class SecureAddExample(Component[SecureAddExampleParam]):
    Params = SecureAddExampleParam

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (takes no input)
        run(ctx, self.params.data_num)  # (4) and what leads to it
        return Outputs()

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (takes no input)
        mine, theirs = shares(np.ones(self.params.data_num))
        ctx.remote(Wire.host_share, theirs)  # (2)
        received = ctx.get(Wire.guest_share)  # (1)
        ctx.remote(Wire.host_sum, total(mine, received))  # (3)
        return Outputs()


def run(ctx: Ctx, n: int) -> float:
    """The guest's part; returns the total. n: how many ones this party brings."""
    LOG.info("read the parameters: %d numbers of this party", n)
    x = np.ones(n)
    LOG.info("made this party's numbers")
    mine, theirs = shares(x)
    LOG.info("split each into two random shares")
    ctx.remote(Wire.guest_share, theirs)  # (1)
    LOG.info("sent one share of each to the host")
    received = ctx.get(Wire.host_share)  # (2)
    LOG.info("received a share of each of the host's numbers")
    own = total(mine, received)
    LOG.info("added the shares held here")
    others = ctx.get(Wire.host_sum)  # (3)
    if others.shape != (1,):
        raise ProtocolViolation(ctx.hosts[0], Wire.host_sum.name, "not one number")
    LOG.info("received the sum of the shares held by the host")
    found = float(rings.decode(own + others, FRACTION_BITS, 64)[0])  # (4)
    LOG.info("success to calculate secure_sum, it is %s", found)
    return found


def shares(x: rings.Floats) -> tuple[rings.Words, rings.Words]:
    """Two shares of (n,) numbers, each uniform."""
    return rings.split(rings.encode(x, FRACTION_BITS, 64), 64)


def total(mine: rings.Words, received: rings.Words) -> rings.Words:
    """(1,) the sum of all shares that this party holds."""
    return rings.total(np.concatenate([mine, received]), 64)[None]
