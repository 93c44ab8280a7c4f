"""Comparison and choice on shared numbers.

The sign of x = x_0 + x_1 is the highest bit of that sum. Its carry is computed on the bits of
both shares: bit i generates a carry (g = both set) or propagates one (p = one set), and two
neighbouring ranges are joined by g = g_high xor p_high g_low, p = p_high p_low. Ranges halve in
number with each round; 64 numbers share a machine word. Exact for every number of the ring.

Source: Kogge and Stone 1973 (the tree); Demmler, Schneider and Zohner 2015 (ABY), section 3.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import bit_planes, rings
from federatedml.crypto.bit_planes import Words
from federatedml.protocols.spdz import Session, Shared
from federatedml.protocols.spdz_triples import BOTH, received
from federation import Message, Role

Flags = NDArray[np.bool_]


class Wire:
    masked = Message[NDArray[np.uint64]](
        BOTH, BOTH, kind="masked", reveals="nothing: bits under a pad of their own"
    )
    opened = Message[NDArray[np.uint64]](
        BOTH,
        BOTH,
        kind="share",
        reveals="the outcomes of comparisons that the component opens to the receiver",
    )


@dataclass(frozen=True, eq=False)
class Bits:
    """One party's share of n bits: both parties' planes (width(n),), combined by xor."""

    plane: Words
    n: int
    party: int

    def __xor__(self, other: Bits) -> Bits:
        return replace(self, plane=self.plane ^ other.plane)

    def __invert__(self) -> Bits:
        return replace(self, plane=~self.plane) if self.party == 0 else self

    def __repr__(self) -> str:
        return f"Bits({self.n})"


def less_than_zero(session: Session, x: Shared) -> Bits:
    """Whether each of (n,) numbers is negative.

    Cost: word_bits - 1 rounds halving, 8 for 128; about 2 word_bits bit triples a number.
    """
    words = x.words.reshape(*x.shape, -1)
    own = bit_planes.planes(np.ascontiguousarray(words))
    below, top = own[:-1], own[-1]
    nothing = np.zeros_like(below)
    mine_first, mine_second = (below, nothing) if session.party == 0 else (nothing, below)
    generated = session.conjunction(mine_first, mine_second[None])[0]
    carry = _carry(session, generated, below)
    return Bits(top ^ carry, x.shape[0], session.party)


def less(session: Session, x: Shared, y: Shared) -> Bits:
    """x < y for (n,) each, exactly if their difference is a number of the ring: no overflow."""
    return less_than_zero(session, x - y)


def numbers(session: Session, bits: Bits) -> Shared:
    """(n,) shared numbers 0 and 1, without fraction bits, from shared bits.

    Opens the bits under random ones r of a fresh triple: b = c + r - 2 c r for c = b xor r.
    """
    plane, _, words = session.source.make("flags", (bits.n, 0, 0)).spend()
    masked = bits.plane ^ plane
    session.ctx.remote(Wire.masked, masked, to=session.peer)
    opened = masked ^ received(session.ctx, Wire.masked, masked.shape, session.peer)
    c = bit_planes.unpacked(opened, bits.n).astype(np.int64)
    sign = rings.from_integers(1 - 2 * c, session.word_bits)
    own = rings.mul(words, sign, session.word_bits)
    if session.party == 0:
        own = rings.add(own, rings.from_integers(c, session.word_bits), session.word_bits)
    return session.shared(own, 0)


def choose(session: Session, bits: Bits, x: Shared, y: Shared) -> Shared:
    """x where a bit is set, y elsewhere, (n,). Exact."""
    return session.multiply(numbers(session, bits), x - y) + y


def open_bits(session: Session, bits: Bits, to: Role | None = None) -> Flags | None:
    """The bits, (n,), at both parties or at the one of role ``to`` (None at the other)."""
    # What lies beyond n in the last word is a comparison of nothing: it stays at home.
    last = bit_planes.packed(np.ones(bits.n, dtype=np.bool_))
    plane = bits.plane & last
    if to is None or session.ctx.role != to:
        session.ctx.remote(Wire.opened, plane, to=session.peer)
    if to is not None and session.ctx.role != to:
        return None
    whole = plane ^ received(session.ctx, Wire.opened, plane.shape, session.peer)
    return bit_planes.unpacked(whole, bits.n)


def _carry(session: Session, generated: Words, propagated: Words) -> Words:
    """The carry out of (m, w) bits, lowest plane first, as a share (w,)."""
    while len(generated) > 1:
        pairs = len(generated) // 2
        low, high = slice(0, 2 * pairs, 2), slice(1, 2 * pairs, 2)
        both = session.conjunction(propagated[high], np.stack([generated[low], propagated[low]]))
        generated = np.concatenate([generated[high] ^ both[0], generated[2 * pairs :]])
        propagated = np.concatenate([both[1], propagated[2 * pairs :]])
    carry: Words = generated[0]
    return carry
