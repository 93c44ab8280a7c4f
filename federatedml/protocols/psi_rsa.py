"""Intersection by blind RSA signatures, for ``rsa``, in one direction or split in two.

Parties  guest: ids G; hosts: ids H and an RSA key each.
Maths    token(x) = hash(H(x)^d mod n || digest of x); see federatedml.crypto.rsa_blind.
Round    (1) host -> guest   its public key
         (2) both            an oblivious exchange (psi_oblivious): the guest learns tokens of its
                             ids and which of them are among the host's
         with ``split_calculation`` only ids with an odd digest go this way; for the others the
         roles are exchanged, the guest making a key for each host, and then
         (3) host -> guest   pairs of positions of the even ids in common
Trusts   as psi_oblivious; with split_calculation a host learns its even ids in common with the
         guest even where results are not synced.
Source   De Cristofaro and Tsudik 2010; the split is FATE 1.x's.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import hashing, rsa_blind
from federatedml.crypto.oblivious import RsaAsker, RsaEvaluator
from federatedml.crypto.rsa_blind import Hashes, PublicKey
from federatedml.protocols import psi, psi_oblivious, streams
from federatedml.protocols.psi import BOTH, Pairs, Rows
from federation import GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation


class Wire:
    public_key = Message[int](
        BOTH, BOTH, kind="plain", reveals="the modulus of a key made for this exchange"
    )
    found = Message[NDArray[np.int64]](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="which of the receiver's even ids the sender has (only with split_calculation)",
    )


@dataclass(frozen=True)
class Settings:
    """What all parties must agree on. bits: length of every modulus."""

    hashes: Hashes
    bits: int

    def public(self, ctx: Ctx, peer: Party) -> PublicKey:
        """A peer's key as it arrives. Raises ProtocolViolation unless it has the agreed length."""
        n = ctx.get(Wire.public_key, source=peer)
        if n.bit_length() != self.bits or not n % 2:
            raise ProtocolViolation(
                peer, Wire.public_key.name, f"not an RSA modulus of {self.bits} bits"
            )
        return rsa_blind.public_key(n, self.hashes)


def offer(ctx: Ctx, peer: Party, settings: Settings) -> RsaEvaluator:
    """A fresh key for this peer, and its public half sent to it."""
    key = rsa_blind.keygen(settings.bits, settings.hashes)
    ctx.remote(Wire.public_key, int(key.public.n), to=peer)  # (1)
    return RsaEvaluator(key)


def guest(
    ctx: Ctx, keys: pa.Array, settings: Settings, sizes: dict[Party, int]
) -> dict[Party, Pairs]:
    """Ids in common with each host. Arguments and result as psi_commutative.guest."""
    meter = streams.Meter(ctx, sum(2 * len(keys) + n for n in sizes.values()))
    questions = {}
    for host in sizes:
        asker = RsaAsker(settings.public(ctx, host))
        questions[host] = psi_oblivious.Question(asker, keys, psi.shuffled(len(keys)))
        questions[host].ask(ctx, host, meter)  # (2)
    pairs = {}
    for host, question in questions.items():
        theirs = psi_oblivious.presented(ctx, host, sizes[host], question.asker.token_width)
        meter.add(sizes[host])
        pairs[host] = psi.joined(question.answer(ctx, host, meter), theirs, question.order)
    return pairs


def host(ctx: Ctx, keys: pa.Array, settings: Settings, size: int) -> Rows:
    """The order in which this host presented its ids."""
    meter = streams.Meter(ctx, len(keys) + size)
    evaluator, order = offer(ctx, ctx.guest, settings), psi.shuffled(len(keys))
    psi_oblivious.present(ctx, ctx.guest, evaluator, keys, order, meter)  # (2)
    psi_oblivious.evaluate(ctx, ctx.guest, evaluator, size, meter)
    return order


def guest_split(ctx: Ctx, keys: pa.Array, settings: Settings) -> dict[Party, Pairs]:
    """As ``guest``, with the work of signing shared between the parties."""
    odd, even = halves(keys, settings.hashes)
    odds = psi.opened(ctx, ctx.hosts, len(odd), "odd ids")
    evens = psi.opened(ctx, ctx.hosts, len(even), "even ids")
    total = sum(odds[h] + 2 * evens[h] + 3 * len(keys) for h in ctx.hosts)
    meter, questions, evaluators, orders = streams.Meter(ctx, total), {}, {}, {}
    for host in ctx.hosts:
        evaluators[host] = offer(ctx, host, settings)
        orders[host] = even[psi.shuffled(len(even))]
        asker = RsaAsker(settings.public(ctx, host))
        order = odd[psi.shuffled(len(odd))]
        questions[host] = psi_oblivious.Question(asker, keys, order)
        questions[host].ask(ctx, host, meter)  # (2)
        psi_oblivious.present(ctx, host, evaluators[host], keys, orders[host], meter)
    pairs = {}
    for host, question in questions.items():
        psi_oblivious.evaluate(ctx, host, evaluators[host], evens[host], meter)
        theirs = psi_oblivious.presented(ctx, host, odds[host], question.asker.token_width)
        odd_pairs = psi.joined(question.answer(ctx, host, meter), theirs, question.order)
        mine, positions = _found(ctx, host, len(even), evens[host])  # (3)
        pairs[host] = Pairs(
            np.concatenate((odd_pairs.mine, orders[host][mine])),
            np.concatenate((odd_pairs.theirs, positions + odds[host])),
            odds[host] + evens[host],
        )
    return pairs


def host_split(ctx: Ctx, keys: pa.Array, settings: Settings) -> Rows:
    """The order in which this host presented its ids: the odd ones, then the even ones."""
    odd, even = halves(keys, settings.hashes)
    guest = ctx.guest
    odds = psi.opened(ctx, [guest], len(odd), "odd ids")[guest]
    evens = psi.opened(ctx, [guest], len(even), "even ids")[guest]
    meter = streams.Meter(ctx, len(odd) + odds + evens + 2 * len(even))
    odd_order, even_order = odd[psi.shuffled(len(odd))], even[psi.shuffled(len(even))]
    evaluator = offer(ctx, guest, settings)
    question = psi_oblivious.Question(RsaAsker(settings.public(ctx, guest)), keys, even_order)
    question.ask(ctx, guest, meter)  # (2)
    psi_oblivious.present(ctx, guest, evaluator, keys, odd_order, meter)
    psi_oblivious.evaluate(ctx, guest, evaluator, odds, meter)
    theirs = psi_oblivious.presented(ctx, guest, evens, question.asker.token_width)
    tokens = question.answer(ctx, guest, meter)
    pairs = psi.joined(tokens, theirs, np.arange(len(even_order)))
    ctx.remote(Wire.found, np.stack((pairs.theirs, pairs.mine)))  # (3)
    return np.concatenate((odd_order, even_order))


def halves(keys: pa.Array, hashes: Hashes) -> tuple[Rows, Rows]:
    """Rows of keys with an odd and with an even digest: the same ids at every party."""
    odd = (hashing.digests(keys, hashes.first, hashes.salt)[:, -1] & 1).astype(bool)
    return np.flatnonzero(odd), np.flatnonzero(~odd)


def _found(ctx: Ctx, host: Party, n_mine: int, n_theirs: int) -> tuple[Rows, Rows]:
    """Positions among this party's and the host's even ids. Raises ProtocolViolation."""
    pairs = ctx.get(Wire.found, source=host)
    limits = np.array([[n_mine], [n_theirs]])
    if pairs.ndim != 2 or len(pairs) != 2 or ((pairs < 0) | (pairs >= limits)).any():
        raise ProtocolViolation(host, Wire.found.name, "positions out of range")
    return pairs[0], pairs[1]
