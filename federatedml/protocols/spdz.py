"""Arithmetic of two parties on numbers that neither of them sees.

Parties  guest (party 0) and one host (party 1); the arbiter as dealer, if the job has one.
Maths    x = x_0 + x_1 modulo 2^word_bits, fixed point. Sums are local. A product opens x - a and
         y - b for a triple a b = c of random shares (Beaver); what has too many fraction bits
         after it is truncated locally (crypto.rings.truncate says how rarely that fails).
Round    (1) owner -> peer    a share of its numbers
         (2) guest <-> host   masked differences, one message each for a product
         (3) guest <-> host   shares of what is opened
         and those of spdz_triples, spdz_compare, sshe_products
Trusts   everyone to follow the protocol (semi-honest); see docs/security/spdz.md.
Source   Beaver 1991; Mohassel and Zhang 2017 (SecureML), sections 4.1 and 4.2.

Both parties run the same program; where one of them knows a value, the other gives None and its
shape. See docs/howto/share-numbers.md for one that runs.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from types import TracebackType

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import rings, triples
from federatedml.crypto.rings import Floats, Shape, WordBits, Words
from federatedml.crypto.triples import Dims, Kind
from federatedml.errors import BadParameters
from federatedml.protocols import sshe_products
from federatedml.protocols.spdz_triples import (
    BOTH,
    FromDealer,
    FromTransfers,
    Source,
    received,
)
from federatedml.protocols.sshe_products import Link
from federation import GUEST, Message, Party, Role

FRACTION_BITS = 24
"""Fraction bits of shared numbers, of 128: an error of 2^-25, and 2^22 as the size of a product
whose truncation fails with a chance of 2^-57."""


class Wire:
    share = Message[NDArray[np.uint64]](
        BOTH, BOTH, kind="share", reveals="how many numbers the sender shares"
    )
    masked = Message[NDArray[np.uint64]](
        BOTH, BOTH, kind="masked", reveals="nothing: shares under a pad of their own"
    )
    opened = Message[NDArray[np.uint64]](
        BOTH,
        BOTH,
        kind="share",
        reveals="the numbers that the component opens to the receiver, and no others",
    )


@dataclass(frozen=True, eq=False)
class Shared:
    """One party's share of an array of numbers.

    words: the share, see crypto.rings. party: 0 or 1. Numbers are the sum of both parties' words,
    signed, times 2^-fraction_bits. What is done here needs no message.
    """

    words: Words
    fraction_bits: int
    party: int
    word_bits: WordBits = 128

    @property
    def shape(self) -> Shape:
        return self.words.shape if self.word_bits == 64 else self.words.shape[:-1]

    def __repr__(self) -> str:
        return f"Shared{self.shape}"

    def __add__(self, other: Shared) -> Shared:
        """Sum of two shared arrays with the same fraction bits; shapes broadcast."""
        self._alike(other)
        return replace(self, words=rings.add(self.words, other.words, self.word_bits))

    def __sub__(self, other: Shared) -> Shared:
        self._alike(other)
        return replace(self, words=rings.sub(self.words, other.words, self.word_bits))

    def __neg__(self) -> Shared:
        return replace(self, words=rings.neg(self.words, self.word_bits))

    def plus(self, public: Floats | float) -> Shared:
        """Sum with numbers that both parties know; shapes broadcast."""
        known = rings.encode(np.asarray(public, np.float64), self.fraction_bits, self.word_bits)
        if self.party == 1:
            known = np.zeros_like(known)
        return replace(self, words=rings.add(self.words, known, self.word_bits))

    def scaled(self, factor: int) -> Shared:
        """Times an integer that both parties know."""
        return replace(self, words=rings.scale(self.words, factor, self.word_bits))

    def times(self, public: Floats | float) -> Shared:
        """Times numbers that both parties know, rounded to this array's fraction bits.

        Error: that of rounding ``public``, times the number, and 2^-fraction_bits.
        """
        known = rings.encode(np.asarray(public, np.float64), self.fraction_bits, self.word_bits)
        longer = replace(
            self,
            words=rings.mul(self.words, known, self.word_bits),
            fraction_bits=2 * self.fraction_bits,
        )
        return longer.truncated(self.fraction_bits)

    def truncated(self, fraction_bits: int) -> Shared:
        """With fewer fraction bits; off by at most one in the last place, except rarely: see
        ``rings.truncate``."""
        surplus = self.fraction_bits - fraction_bits
        if surplus == 0:
            return self
        words = rings.truncate(self.words, surplus, self.party, self.word_bits)
        return replace(self, words=words, fraction_bits=fraction_bits)

    def total(self, axis: int = 0) -> Shared:
        """Sum along an axis (not negative)."""
        return replace(self, words=rings.total(self.words, self.word_bits, axis))

    def reshape(self, *shape: int) -> Shared:
        tail = () if self.word_bits == 64 else (2,)
        return replace(self, words=self.words.reshape((*shape, *tail)))

    def broadcast(self, shape: Shape) -> Shared:
        whole = rings.words_shape(shape, self.word_bits)
        narrow = self.words
        if self.word_bits == 128:
            narrow = narrow.reshape((1,) * (len(shape) - len(self.shape)) + narrow.shape)
        return replace(self, words=np.broadcast_to(narrow, whole))

    @property
    def transposed(self) -> Shared:
        """Of a matrix (n, k)."""
        return replace(self, words=self.words.swapaxes(0, 1))

    def _alike(self, other: Shared) -> None:
        if self.fraction_bits != other.fraction_bits:
            raise ValueError(
                f"{self.fraction_bits} and {other.fraction_bits} fraction bits do not add up; "
                "truncate one of them"
            )


class Session:
    """Two parties' arithmetic in one run of a component. Ends as a context manager does.

    fraction_bits: of numbers that are shared and of products. dealer: the party that runs
    ``spdz_triples.deal`` meanwhile; None: guest and host make their triples alone.
    Raises BadParameters for several hosts.
    """

    def __init__(
        self,
        ctx: Ctx,
        *,
        word_bits: WordBits = 128,
        fraction_bits: int = FRACTION_BITS,
        dealer: Party | None = None,
    ) -> None:
        if len(ctx.hosts) != 1:
            raise BadParameters(
                f"arithmetic on shares: {len(ctx.hosts)} hosts; guest and one host are allowed"
            )
        self.ctx, self.word_bits, self.fraction_bits = ctx, word_bits, fraction_bits
        self.party = 0 if ctx.role == GUEST else 1
        self.peer = ctx.hosts[0] if ctx.role == GUEST else ctx.guest
        self._link: Link | None = None
        self._source: Source | None = FromDealer(ctx, dealer, word_bits) if dealer else None

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._source and error is None:
            self._source.close()

    @property
    def source(self) -> Source:
        """Where triples come from; guest and host begin when the first one is needed."""
        if self._source is None:
            self._source = FromTransfers(self.ctx, self.peer, self.word_bits, lambda: self.link)
        return self._source

    @property
    def link(self) -> Link:
        """Fresh keys of both parties for encrypted products."""
        if self._link is None:
            self._link = sshe_products.linked(self.ctx)
        return self._link

    def share(self, owner: Role, x: Floats | None, shape: Shape) -> Shared:
        """Numbers (any shape) that one party knows, shared.

        x: None at the other party, which learns their shape only.
        Raises PlaintextOutOfRange for numbers that are not finite or too large.
        """
        if self.ctx.role != owner:
            words = self._received(Wire.share, shape)
            return self.shared(words, self.fraction_bits)
        encoded = rings.encode(_known(x, shape), self.fraction_bits, self.word_bits)
        mine, theirs = rings.split(encoded, self.word_bits)
        self.ctx.remote(Wire.share, theirs, to=self.peer)  # (1)
        return self.shared(mine, self.fraction_bits)

    def shared(self, words: Words, fraction_bits: int) -> Shared:
        """An array of which both parties hold a share already."""
        return Shared(words, fraction_bits, self.party, self.word_bits)

    def known(self, owner: Role, x: Floats | None, shape: Shape) -> Shared:
        """Numbers (any shape) of one party as a factor or a summand, without a message.

        Only for what goes into a product or comparison: its share is the number itself, and a sum
        with it that is opened to the other party shows it. ``share`` has no such condition.
        """
        mine = self.ctx.role == owner
        numbers = _known(x, shape) if mine else np.zeros(shape)
        words = rings.encode(numbers, self.fraction_bits, self.word_bits)
        return self.shared(words, self.fraction_bits)

    def open(self, x: Shared, to: Role | None = None) -> Floats | None:
        """The numbers, at both parties, or at the one of role ``to`` (None at the other).

        Reveals to who gets them: the numbers; of a truncated product also, in the rounding of its
        last place, about one bit of what was cut off.
        """
        if to is None or self.ctx.role != to:
            self.ctx.remote(Wire.opened, x.words, to=self.peer)  # (3)
        if to is not None and self.ctx.role != to:
            return None
        whole = rings.add(x.words, self._received(Wire.opened, x.shape), self.word_bits)
        return rings.decode(whole, x.fraction_bits, self.word_bits)

    def multiply(self, x: Shared, y: Shared, fraction_bits: int | None = None) -> Shared:
        """x * y, element by element; shapes broadcast.

        fraction_bits: what is kept; the larger of both factors' by default.
        """
        shape = np.broadcast_shapes(x.shape, y.shape)
        flat = [v.broadcast(shape).reshape(-1) for v in (x, y)]
        n = int(np.prod(shape))
        words = self._product("product", (n, 0, 0), flat[0].words, flat[1].words)
        return self._rounded(words, x, y, fraction_bits).reshape(*shape)

    def matmul(self, x: Shared, y: Shared, fraction_bits: int | None = None) -> Shared:
        """x @ y for (n, k) and (k, c). One truncation an entry, not one a summand."""
        (n, k), (_, c) = x.shape, y.shape
        words = self._product("matrix", (n, k, c), x.words, y.words)
        return self._rounded(words, x, y, fraction_bits)

    def dot(self, x: Shared, y: Shared, fraction_bits: int | None = None) -> Shared:
        """The inner product of (n,) and (n,), shape ()."""
        return self.matmul(x.reshape(1, -1), y.reshape(-1, 1), fraction_bits).reshape()

    def conjunction(self, x: Words, y: Words) -> Words:
        """Shares of x and y for bits: x (m, w) words of 64 bits, y (v, m, w)."""
        return self._product("bits", (len(y), *x.shape), x, y)  # type: ignore[arg-type]

    def _product(self, kind: Kind, dims: Dims, x: Words, y: Words) -> Words:
        shares = self.source.make(kind, dims).spend()
        a, b, _ = shares
        if kind == "bits":
            e, f = x ^ a, y ^ b
        else:
            e, f = rings.sub(x, a, self.word_bits), rings.sub(y, b, self.word_bits)
        both = np.concatenate([e.reshape(-1), f.reshape(-1)])
        self.ctx.remote(Wire.masked, both, to=self.peer)  # (2)
        theirs = received(self.ctx, Wire.masked, both.shape, self.peer)
        their_e, their_f = theirs[: e.size].reshape(e.shape), theirs[e.size :].reshape(f.shape)
        if kind == "bits":
            e, f = e ^ their_e, f ^ their_f
        else:
            e, f = rings.add(e, their_e, self.word_bits), rings.add(f, their_f, self.word_bits)
        return triples.multiplied(kind, shares, e, f, self.party, self.word_bits)

    def _rounded(self, words: Words, x: Shared, y: Shared, fraction_bits: int | None) -> Shared:
        longer = self.shared(words, x.fraction_bits + y.fraction_bits)
        keep = max(x.fraction_bits, y.fraction_bits) if fraction_bits is None else fraction_bits
        return longer.truncated(keep)

    def _received(self, message: Message[Words], shape: Shape) -> Words:
        whole = rings.words_shape(shape, self.word_bits)
        return received(self.ctx, message, whole, self.peer)


def _known(x: Floats | None, shape: Shape) -> Floats:
    if x is None or x.shape != shape:
        found = "nothing" if x is None else f"shape {x.shape}"
        raise ValueError(f"the owner of numbers of shape {shape} gave {found}")
    return x
