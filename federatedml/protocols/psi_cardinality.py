"""How many ids are in common, without saying which.

Parties  guest: ids G; hosts: ids H_1, H_2, ...
Maths    exact: under everybody's key, equal ids and only those are equal elements, and after
         everybody has shuffled nobody knows whose row is whose.
         estimate: the guest's tokens are counted in the hosts' Bloom filters.
Round    exact, with the commutative encryption of psi_commutative:
         (1) host -> guest   E_host(H), in random order
         (2) guest -> host   each set that lacks the host's key, under one of the guest's: a key
                             for each set, because two sets under the same keys would tell the
                             host how many ids they share; at the end every set gets them all
         (3) host -> guest   the same under its own key too, in a new random order
         estimate, with the blind signatures of psi_rsa:
         (1) host -> guest   its public key, and the Bloom filter of its tokens
         (2) guest -> host   blinded ids     (3) host -> guest   the same, signed
         and then, if synced, (4) guest -> host   the number
Trusts   as those protocols. Exact, with several hosts: the guest also learns how many ids each
         two of them share. Estimate: the guest learns which of its ids are probably common.
Source   Agrawal, Evfimievski and Srikant 2003; FATE 1.x for the estimate.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto.commutative import Group, Secret
from federatedml.crypto.hashing import shortened
from federatedml.crypto.oblivious import RsaAsker
from federatedml.protocols import psi, psi_bloom, psi_oblivious, psi_rsa, streams
from federation import GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation

Bytes2D = NDArray[np.uint8]


class Wire:
    own = Message[NDArray[np.uint8]](
        {HOST},
        {GUEST},
        kind="masked",
        reveals="nothing but their number: the sender's ids under its key, in random order",
    )
    sizes = Message[list[int]](
        {GUEST}, {HOST}, kind="plain", reveals="how many ids each other party brings"
    )
    passing = Message[NDArray[np.uint8]](
        {GUEST}, {HOST}, kind="masked", reveals="nothing but their number: ids under others' keys"
    )
    passed = Message[NDArray[np.uint8]](
        {HOST},
        {GUEST},
        kind="masked",
        reveals="how many ids are in common, among all and between any two parties",
    )
    count = Message[int](
        {GUEST}, {HOST}, kind="plain", reveals="how many ids all parties have in common (if synced)"
    )


def exact_guest(ctx: Ctx, keys: pa.Array, group: Group, sizes: dict[Party, int]) -> int:
    """The number of ids that all parties have."""
    n_all = {ctx.me: len(keys), **sizes}
    meter = streams.Meter(ctx, sum(n_all.values()) * 2 * len(sizes))
    # A single host is sent one set, which it can compare with nothing: one key will do.
    secrets = [group.secret() for _ in (n_all if len(sizes) > 1 else "1")]
    key_of = {owner: secrets[i % len(secrets)] for i, owner in enumerate(n_all)}
    for host in ctx.hosts:
        ctx.remote(Wire.sizes, [n for party, n in n_all.items() if party != host], to=host)
    sets = {ctx.me: _blinded(ctx, keys, group, key_of[ctx.me], meter)}
    for host, n in sizes.items():
        parts = streams.transformed(  # (1)
            ctx,
            Wire.own,
            _under(group, [key_of[host]]),
            n,
            group.width,
            source=host,
            meter=meter,
        )
        rows = streams.gathered(parts, group.width)
        sets[host] = rows[psi.shuffled(len(rows))]
    for owner, begun in sets.items():
        done, on_the_way = begun, [host for host in ctx.hosts if host != owner]
        for host in on_the_way:
            is_last = host == on_the_way[-1]
            lacking = [s for s in secrets if s is not key_of[owner]] if is_last else []
            done = _passed(ctx, host, done, group, lacking, meter)  # (2), (3)
        sets[owner] = shortened(done)
    kept, *others = (psi.fixed(rows) for rows in sets.values())
    for other in others:
        kept = kept.filter(pc.is_in(kept, value_set=other))
    return len(kept)


def exact_host(ctx: Ctx, keys: pa.Array, group: Group) -> None:
    """The host's part of ``exact_guest``."""
    sizes = ctx.get(Wire.sizes)
    if any(n < 0 for n in sizes) or len(sizes) != len(ctx.hosts):
        raise ProtocolViolation(ctx.guest, Wire.sizes.name, "not a size for each other party")
    meter, secret = streams.Meter(ctx, len(keys) + sum(sizes)), group.secret()
    mine = _blinded(ctx, keys, group, secret, meter)
    send(ctx, Wire.own, mine, ctx.guest, meter)  # (1)
    for n in sizes:
        parts = streams.transformed(
            ctx,
            Wire.passing,
            lambda _, rows: group.apply(rows, secret),
            n,
            group.width,
            source=ctx.guest,
            meter=meter,
        )
        rows = streams.gathered(parts, group.width)
        send(ctx, Wire.passed, rows[psi.shuffled(n)], ctx.guest, meter)  # (3)


def estimate_guest(
    ctx: Ctx, keys: pa.Array, settings: psi_rsa.Settings, sizes: dict[Party, int]
) -> int:
    """About how many of the guest's ids all hosts have: never fewer, but for each id that no host
    has there is the filters' chance of false positives."""
    meter = streams.Meter(ctx, 2 * len(keys) * len(sizes))
    probably = np.ones(len(keys), dtype=bool)
    for host in sizes:
        asker = RsaAsker(settings.public(ctx, host))
        question = psi_oblivious.Question(asker, keys, psi.shuffled(len(keys)))
        question.ask(ctx, host, meter)  # (2)
        members = psi_bloom.receive(ctx, host)  # (1)
        found = members.contains(question.answer(ctx, host, meter))
        probably[question.order[~found]] = False
    return int(probably.sum())


def estimate_host(
    ctx: Ctx,
    keys: pa.Array,
    settings: psi_rsa.Settings,
    size: int,
    rate: float,
    random_state: int | None,
) -> None:
    """The host's part of ``estimate_guest``. rate: false positives of its filter."""
    meter = streams.Meter(ctx, len(keys) + size)
    evaluator = psi_rsa.offer(ctx, ctx.guest, settings)  # (1)
    parts = streams.computed(lambda part: evaluator.tokens(keys[part]), len(keys), ctx.cores)
    tokens = streams.gathered(parts, evaluator.token_width)
    meter.add(len(keys))
    psi_bloom.send(ctx, ctx.guest, tokens, rate, random_state)
    psi_oblivious.evaluate(ctx, ctx.guest, evaluator, size, meter)  # (3)


def _blinded(
    ctx: Ctx, keys: pa.Array, group: Group, secret: Secret, meter: streams.Meter
) -> Bytes2D:
    """This party's ids under its key, in random order. (n, width)"""
    order = psi.shuffled(len(keys))

    def work(part: slice) -> Bytes2D:
        return group.apply(group.embed(keys.take(pa.array(order[part]))), secret)

    rows = streams.gathered(streams.computed(work, len(keys), ctx.cores), group.width)
    meter.add(len(keys))
    return rows


def _under(group: Group, secrets: Sequence[Secret]) -> Callable[[slice, Bytes2D], Bytes2D]:
    """What puts received rows under these keys too."""
    return lambda _, rows: reduce(group.apply, secrets, rows)


def _passed(
    ctx: Ctx,
    host: Party,
    rows: Bytes2D,
    group: Group,
    secrets: Sequence[Secret],
    meter: streams.Meter,
) -> Bytes2D:
    """Rows under the host's key too, in an order that the host chose, and then under these."""
    send(ctx, Wire.passing, rows, host, meter)  # (2)
    parts = streams.transformed(
        ctx,
        Wire.passed,
        _under(group, secrets),
        len(rows),
        group.width,
        source=host,
        meter=meter,
    )
    return streams.gathered(parts, group.width)


def send(
    ctx: Ctx, message: Message[Bytes2D], rows: Bytes2D, peer: Party, meter: streams.Meter
) -> None:
    """Send rows that are there already, chunk by chunk."""
    streams.send(ctx, message, lambda part: rows[part], len(rows), to=peer, meter=meter)
