"""Intersection by commutative encryption, for ``ecdh`` and ``dh``, and its exact cardinality.

Parties  guest: ids G; hosts: ids H, each its own; a fresh key per pair of parties.
Maths    E_g(E_h(x)) = E_h(E_g(x)) in a prime-order group in which x is hashed; equal ids, and
         with overwhelming probability only those, become equal elements.
Round    (1) both -> other   E_own(ids), in random order
         (2) host -> guest   E_h(E_g(G)), in the order received
         (3) guest           joins E_h(E_g(G)) with E_g(E_h(H))
Trusts   everyone to follow the protocol (semi-honest); decisional Diffie-Hellman in the group;
         the hash to be a random oracle.
Source   Meadows 1986; Huberman, Franklin and Hogg 1999.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto.commutative import Group, Secret
from federatedml.crypto.hashing import LABEL, shortened
from federatedml.protocols import psi, streams
from federatedml.protocols.psi import BOTH, Pairs, Rows
from federation import GUEST, HOST, Message, Party

Bytes2D = NDArray[np.uint8]


class Wire:
    blinded = Message[NDArray[np.uint8]](
        BOTH,
        BOTH,
        kind="masked",
        reveals="nothing but their number: the sender's ids under its key, in random order",
    )
    doubled = Message[NDArray[np.uint8]](
        {HOST},
        {GUEST},
        kind="masked",
        reveals="which of the receiver's ids the sender has",
    )


def guest(ctx: Ctx, keys: pa.Array, group: Group, sizes: dict[Party, int]) -> dict[Party, Pairs]:
    """Ids in common with each host.

    keys: (n,) distinct texts. sizes: number of ids of each host.
    Cost: 2 n encryptions plus one per id of a host, for each host.
    """
    meter = streams.Meter(ctx, sum(2 * len(keys) + n for n in sizes.values()))
    secrets, orders, pairs = {}, {}, {}
    for host in sizes:
        # A key for each host: two hosts cannot compare what they get from this party.
        secrets[host], orders[host] = group.secret(), psi.shuffled(len(keys))
        send_blinded(ctx, host, keys, orders[host], group, secrets[host], meter)  # (1)
    for host, n in sizes.items():
        theirs = doubled(ctx, host, n, group, secrets[host], meter)  # (3)
        mine = streams.gathered(
            streams.receive(ctx, Wire.doubled, len(keys), LABEL, source=host), LABEL
        )  # (2)
        meter.add(len(keys))
        pairs[host] = psi.joined(mine, theirs, orders[host])
    return pairs


def host(ctx: Ctx, keys: pa.Array, group: Group, size: int) -> Rows:
    """The order in which this host presented its ids. size: number of the guest's ids."""
    meter = streams.Meter(ctx, len(keys) + size)
    secret, order = group.secret(), psi.shuffled(len(keys))
    send_blinded(ctx, ctx.guest, keys, order, group, secret, meter)  # (1)
    for chunk in streams.transformed(
        ctx,
        Wire.blinded,
        lambda _, rows: shortened(group.apply(rows, secret)),
        size,
        group.width,
        source=ctx.guest,
        meter=meter,
    ):
        ctx.remote(Wire.doubled, chunk)  # (2)
    return order


def send_blinded(
    ctx: Ctx,
    peer: Party,
    keys: pa.Array,
    order: Rows,
    group: Group,
    secret: Secret,
    meter: streams.Meter,
) -> None:
    """Send E(ids) in this order, computing and sending at the same time."""

    def work(part: slice) -> Bytes2D:
        return group.apply(group.embed(keys.take(pa.array(order[part]))), secret)

    streams.send(ctx, Wire.blinded, work, len(keys), to=peer, meter=meter)


def doubled(
    ctx: Ctx, peer: Party, n: int, group: Group, secret: Secret, meter: streams.Meter
) -> Bytes2D:
    """Labels (n, 32) of a peer's blinded ids after this party's encryption, in its order."""
    return streams.gathered(
        streams.transformed(
            ctx,
            Wire.blinded,
            lambda _, rows: shortened(group.apply(rows, secret)),
            n,
            group.width,
            source=peer,
            meter=meter,
        ),
        LABEL,
    )
