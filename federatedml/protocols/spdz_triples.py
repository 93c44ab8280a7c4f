"""Where two parties' multiplication triples come from: a dealer, or oblivious transfer.

Parties  guest (0) and one host (1); dealer: an arbiter that computes nothing else.
Maths    crypto.triples; crypto.ot_extension.
Round    with a dealer
         (1) dealer -> guest, host   a seed each, once
         (2) guest -> dealer         kind and shape of the next triple
         (3) dealer -> host          the part of it that its seed does not give
         without
         (4) guest <-> host          base transfers, once, in both directions
         (5) guest <-> host          the receiver's corrections of extended transfers
         (6) guest <-> host          the sender's corrections of products
         and for large matrices the messages of sshe_products
Trusts   everyone to follow the protocol; the dealer not to tell one party the other's seed.
Source   see the two modules; a dealer's seeds: Damgard et al. 2012, section 5.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import base_ot, bit_planes, ot_extension, rings, triples
from federatedml.crypto.bit_planes import LANES
from federatedml.crypto.rings import WordBits, Words
from federatedml.crypto.ristretto import InvalidElement
from federatedml.crypto.triples import Dims, Kind, Triple
from federatedml.protocols import spdz_lattice
from federatedml.protocols.sshe_products import Link
from federation import ARBITER, GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation

BOTH = {GUEST, HOST}
CHUNK = 1 << 17
"""Transfers of a message: 2 MiB."""
SMALL = 200
"""Products of entries for each encrypted vector, up to which transfers are the faster way."""
END = ("end", 0, 0, 0, 0)


class Wire:
    seed = Message[bytes](
        {ARBITER}, BOTH, kind="share", reveals="nothing: from it a party's random shares are drawn"
    )
    request = Message[tuple[str, int, int, int, int]](
        {GUEST}, {ARBITER}, kind="plain", reveals="kind and shape of the next product of shares"
    )
    correction = Message[NDArray[np.uint64]](
        {ARBITER}, {HOST}, kind="share", reveals="nothing: uniform to who has one of two seeds"
    )
    hello = Message[NDArray[np.uint8]](BOTH, BOTH, kind="plain", reveals="nothing: a fresh element")
    answer = Message[NDArray[np.uint8]](
        BOTH, BOTH, kind="masked", reveals="nothing: uniform elements, whatever was chosen"
    )
    choices = Message[NDArray[np.uint64]](
        BOTH, BOTH, kind="masked", reveals="nothing: random choices under a pad each"
    )
    products = Message[NDArray[np.uint64]](
        BOTH, BOTH, kind="masked", reveals="nothing: random factors under a pad for each bit"
    )


class Source(Protocol):
    """Makes triples; both parties ask for the same ones in the same order."""

    def make(self, kind: Kind, dims: Dims) -> Triple:
        """A fresh triple. Raises ProtocolViolation if a peer's part of it has another shape."""

    def close(self) -> None:
        """No triple will be asked for any more."""


class FromDealer:
    """Cost: nothing is sent between the parties; to the host as many bytes as c has."""

    def __init__(self, ctx: Ctx, dealer: Party, word_bits: WordBits) -> None:
        self._ctx, self._dealer, self._bits = ctx, dealer, word_bits
        seed = ctx.get(Wire.seed, source=dealer)  # (1)
        if len(seed) != 32:
            raise ProtocolViolation(dealer, Wire.seed.name, f"{len(seed)} bytes in place of 32")
        self._stream = triples.Stream(seed)

    def make(self, kind: Kind, dims: Dims) -> Triple:
        if self._ctx.role == GUEST:
            self._ctx.remote(Wire.request, (kind, *dims, self._bits), to=self._dealer)  # (2)
            return triples.from_seed(kind, dims, self._bits, self._stream, None)
        shape = triples.shapes(kind, dims, self._bits)[2]
        correction = received(self._ctx, Wire.correction, shape, self._dealer)  # (3)
        return triples.from_seed(kind, dims, self._bits, self._stream, correction)

    def close(self) -> None:
        if self._ctx.role == GUEST:
            self._ctx.remote(Wire.request, END, to=self._dealer)


def deal(ctx: Ctx) -> None:
    """The dealer's whole part, until the guest ends its session.

    Learns the shapes of the products, no share of a factor or of a result, and no opened number.
    Raises ProtocolViolation for a request that makes no sense.
    """
    seeds = secrets.token_bytes(32), secrets.token_bytes(32)
    for party, seed in zip((ctx.guest, ctx.hosts[0]), seeds, strict=True):
        ctx.remote(Wire.seed, seed, to=party)  # (1)
    first, second = (triples.Stream(seed) for seed in seeds)
    while (request := ctx.get(Wire.request)) != END:  # (2)
        kind, n, k, c, word_bits = request
        try:
            known, dims, bits = triples.checked(kind, (n, k, c), word_bits)
        except ValueError as problem:
            raise ProtocolViolation(ctx.guest, Wire.request.name, str(problem)) from None
        ctx.remote(Wire.correction, triples.dealt(known, dims, bits, first, second))  # (3)


class FromTransfers:
    """Triples that guest and host make alone.

    link: gives the keys for encrypted products when they are first needed.
    Cost: a product takes 2 x word_bits transfers of 32 bytes each, a bit 2 of 16 bytes; a party
    computes about 50 ns a transfer. Two round trips and 128 base transfers come first.
    """

    def __init__(
        self, ctx: Ctx, peer: Party, word_bits: WordBits, link: Callable[[], Link]
    ) -> None:
        self._ctx, self._peer, self._bits, self._link = ctx, peer, word_bits, link
        self._party = 0 if ctx.role == GUEST else 1
        self._ends: tuple[ot_extension.Sender, ot_extension.Receiver] | None = None

    def make(self, kind: Kind, dims: Dims) -> Triple:
        if kind == "bits":
            return self._bit_triple(dims)
        if kind == "flags":
            return self._flags(dims[0])
        return self._matrix(dims) if kind == "matrix" else self._product(dims)

    def close(self) -> None:
        """Nobody waits."""

    def _product(self, dims: Dims) -> Triple:
        a, b = (rings.random((dims[0],), self._bits) for _ in range(2))
        c = rings.add(rings.mul(a, b, self._bits), self._crossed(a, b), self._bits)
        return Triple("product", (a, b, c))

    def _matrix(self, dims: Dims) -> Triple:
        n, k, c = dims
        a, b = rings.random((n, k), self._bits), rings.random((k, c), self._bits)
        if n * k * c <= SMALL * min(n, c):
            crossed = self._crossed_entries(a, b, dims)
        else:
            crossed = spdz_lattice.crossed(self._ctx, self._link(), a, b, self._bits)
        own = rings.matmul(a, b, self._bits, self._ctx.cores)
        return Triple("matrix", (a, b, rings.add(own, crossed, self._bits)))

    def _crossed_entries(self, a: Words, b: Words, dims: Dims) -> Words:
        """Every product of two entries by transfers."""
        n, k, c = dims
        tail = () if self._bits == 64 else (2,)
        left = np.broadcast_to(a[:, :, None], (n, k, c, *tail)).reshape(-1, *tail)
        right = np.broadcast_to(b[None], (n, k, c, *tail)).reshape(-1, *tail)
        crossed = self._crossed(left, right).reshape(n, k, c, *tail)
        return rings.total(crossed, self._bits, axis=1)

    def _crossed(self, a: Words, b: Words) -> Words:
        """A share of a_0 b_1 + a_1 b_0, (n,): this party sends with a, receives with b."""
        step = CHUNK // self._bits
        return np.concatenate(
            [rings.zeros((0,), self._bits)]
            + [self._crossed_part(a[i : i + step], b[i : i + step]) for i in range(0, len(a), step)]
        )

    def _crossed_part(self, a: Words, b: Words) -> Words:
        n, height = len(a), self._bits // 64
        (zero, one), chosen = self._strings(b.reshape(-1))
        payload, kept = ot_extension.sent_products(a.reshape(n, height), zero, one)
        self._ctx.remote(Wire.products, payload, to=self._peer)  # (6)
        theirs = received(self._ctx, Wire.products, payload.shape, self._peer)
        got = ot_extension.received_products(b.reshape(n, height), chosen, theirs)
        return rings.add(kept.reshape(a.shape), got.reshape(a.shape), self._bits)

    def _bit_triple(self, dims: Dims) -> Triple:
        """One transfer in each direction for v products of one bit with v others: what this
        party sends differs in b, what it chooses is a."""
        v, m, w = dims
        a, b, c = (np.empty(shape, dtype=np.uint64) for shape in ((m * w,), (v, m * w), (v, m * w)))
        step = CHUNK // LANES
        for at in range(0, m * w, step):
            part = slice(at, min(at + step, m * w))
            a[part] = bit_planes.random((part.stop - part.start,))
            (zero, one), chosen = self._strings(a[part])
            kept = bit_planes.lowest(zero, v)
            b[:, part] = kept ^ bit_planes.lowest(one, v)
            c[:, part] = (a[part] & b[:, part]) ^ kept ^ bit_planes.lowest(chosen, v)
        return Triple("bits", (a.reshape(m, w), b.reshape(v, m, w), c.reshape(v, m, w)))

    def _flags(self, n: int) -> Triple:
        """r = r_0 + r_1 - 2 r_0 r_1 for the parties' random bits."""
        plane = bit_planes.random((bit_planes.width(n),))
        flags = bit_planes.unpacked(plane, n)
        own = rings.from_integers(flags.astype(np.int64), self._bits)
        crossed = [rings.zeros((0,), self._bits)]
        for at in range(0, n, CHUNK):
            part = slice(at, min(at + CHUNK, n))
            words = plane[at // LANES : -(-part.stop // LANES)]
            crossed.append(self._chosen_part(own[part], flags[part], words))
        twice = rings.scale(np.concatenate(crossed), 2, self._bits)
        nothing = np.empty(0, dtype=np.uint64)
        return Triple("flags", (plane, nothing, rings.sub(own, twice, self._bits)))

    def _chosen_part(self, own: Words, flags: NDArray[np.bool_], plane: Words) -> Words:
        """A share of r_0 r_1: the guest sends, the host chooses."""
        n = len(own)
        (zero, one), chosen = self._strings(plane)
        if self._party == 0:
            payload, kept = ot_extension.sent_choices(own, zero[:n], one[:n], self._bits)
            self._ctx.remote(Wire.products, payload, to=self._peer)  # (6)
            return kept
        theirs = received(self._ctx, Wire.products, own.shape, self._peer)
        return ot_extension.received_choices(flags, chosen[:n], theirs, self._bits)

    def _strings(self, choices: Words) -> tuple[tuple[Words, Words], Words]:
        """Random strings of 64 transfers a word in each direction: both of those that this party
        sends, and the chosen ones of those that it receives."""
        self._ends = self._ends or _extended(self._ctx, self._peer)  # (4)
        sender, receiver = self._ends
        correction, chosen = receiver.strings(choices)
        self._ctx.remote(Wire.choices, correction, to=self._peer)  # (5)
        theirs = received(self._ctx, Wire.choices, correction.shape, self._peer)
        return sender.strings(theirs), chosen


def _extended(ctx: Ctx, peer: Party) -> tuple[ot_extension.Sender, ot_extension.Receiver]:
    """Both ends of this party's extended transfers, each with base transfers the other way."""
    base, choices = base_ot.Sender(), ot_extension.secret_choices()
    ctx.remote(Wire.hello, base.hello, to=peer)
    try:
        hello = received_bytes(ctx, Wire.hello, (1, 32), peer)
        answer, chosen = base_ot.chosen_keys(hello, choices)
        ctx.remote(Wire.answer, answer, to=peer)
        theirs = received_bytes(ctx, Wire.answer, (ot_extension.SECURITY, 32), peer)
        keys = base.keys(theirs)
    except InvalidElement as error:
        raise ProtocolViolation(peer, Wire.answer.name, str(error)) from None
    return ot_extension.Sender(choices, chosen), ot_extension.Receiver(keys)


def received(ctx: Ctx, message: Message[Words], shape: tuple[int, ...], source: Party) -> Words:
    """The next array of words. Raises ProtocolViolation for another shape or type."""
    words = ctx.get(message, source=source)
    if words.shape != shape:
        raise ProtocolViolation(source, message.name, f"shape {words.shape} in place of {shape}")
    return words


def received_bytes(
    ctx: Ctx, message: Message[NDArray[np.uint8]], shape: tuple[int, ...], source: Party
) -> NDArray[np.uint8]:
    """The next array of bytes. Raises ProtocolViolation for another shape or type."""
    rows = ctx.get(message, source=source)
    if rows.shape != shape:
        raise ProtocolViolation(source, message.name, f"shape {rows.shape} in place of {shape}")
    return rows
