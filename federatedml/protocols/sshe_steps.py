"""The steps of training on shares between a guest and a host, on words modulo 2^128.

Every secret number is the sum of what guest and host hold. Fraction bits: F of weights, scores z
and residuals d, X of features, S of row weights, which only the guest has. Both parties call
each function in step; it returns this party's shares. Shapes: m rows of a batch, k columns.
"""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import numpy as np

from federatedml.component import Ctx
from federatedml.crypto import lattice, rings
from federatedml.crypto.rings import Integers, Words
from federatedml.crypto.shared_descent import FRACTION_BITS
from federatedml.protocols import sshe_products
from federatedml.protocols.sshe_products import BITS, LIMBS, Link, peer
from federation import GUEST, HOST, Message, codec
from federation.errors import ProtocolViolation

FEATURE_BITS = 22
WEIGHT_BITS = 16
LOSS_BITS = 2 * FRACTION_BITS + WEIGHT_BITS


@codec.wire_struct
class Shape(msgspec.Struct, frozen=True):
    """What the parties tell each other once.

    n_columns: with the intercept. weighted: whether rows have weights. iters: done before.
    begun: what of the start is shared already: "" nothing, "host" the host's weights, "all".
    """

    n_rows: int
    n_columns: int
    has_intercept: bool
    weighted: bool
    iters: int
    begun: str


class Wire:
    """All that leaves a party, beside products."""

    shape = Message[Shape](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="plain",
        reveals="number of rows and of columns, whether rows are weighted, iterations done before",
    )
    first = Message[Words]({GUEST, HOST}, {GUEST, HOST}, kind="share", reveals="nothing")
    gradient = Message[Words](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="share",
        reveals="with reveal_every_iter: the receiver's gradient over the batch",
    )
    weights = Message[Words](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="share",
        reveals="at the end: the receiver's weights",
    )
    loss = Message[Words](
        {HOST}, {GUEST}, kind="share", reveals="the loss of the iteration over all its batches"
    )
    change = Message[Words](
        {HOST},
        {GUEST},
        kind="share",
        reveals="with early_stop weight_diff: squared length of the step of all weights together",
    )
    own_change = Message[float](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="with weight_diff and reveal_every_iter: squared length of the host's step",
    )
    is_converged = Message[bool](
        {GUEST}, {HOST}, kind="plain", reveals="whether training has converged"
    )


def party(ctx: Ctx) -> int:
    """Which of two: truncation treats them differently."""
    return int(ctx.role == HOST)


def received(ctx: Ctx, message: Message[Words], n: int) -> Words:
    """(n,) words from the peer. Raises ProtocolViolation for another number of them."""
    words = ctx.get(message)
    if not rings.fits(words, (n,), BITS):
        raise ProtocolViolation(peer(ctx), message.name, f"not {n} words of {BITS} bits")
    return words


def dealt(ctx: Ctx, own: Words) -> Words:
    """Keep one share of this party's numbers and send the other; both are uniform."""
    kept, sent = rings.split(own, BITS)
    ctx.remote(Wire.first, sent)
    return kept


def revealed(ctx: Ctx, message: Message[Words], own: Words, theirs: Words) -> Words:
    """This party's numbers: it sends its share of the peer's, and adds what it gets to its own."""
    ctx.remote(message, theirs)
    return rings.add(own, received(ctx, message, len(own)), BITS)


@dataclass
class Part:
    """A batch as one party sees it, made ready once for all iterations.

    x: (m, k) integers. slopes: the same, ready for the gradient; at a guest with row weights x
    and slopes are those of the weighted rows. scores: the transpose of the plain features, ready
    for z; None where z is not shared. plain: (m, k) the features without weights, for z.
    weight: (m,) the guest's row weights as words, None at the host or without.
    """

    x: Integers
    slopes: lattice.Ready
    scores: lattice.Ready | None = None
    plain: Integers | None = None
    weight: Words | None = None

    @property
    def n_rows(self) -> int:
        return len(self.x)


@dataclass(frozen=True)
class Slopes:
    """Shares of X^T d for one's own columns and the peer's, and of the sum of squares of d.

    Fraction bits: own and theirs F + X, and own_more or theirs_more beyond them (S for the
    host's columns with row weights); loss LOSS_BITS.
    """

    own: Words
    theirs: Words
    loss: Words
    own_more: int = 0
    theirs_more: int = 0


def scores(
    ctx: Ctx, link: Link, part: Part, own: Words, theirs: Words, drawn: Words | None
) -> tuple[Words, Words]:
    """(m,) z = X_g w_g + X_h w_h with F + X fraction bits, of shared weights; and, of numbers
    ``drawn`` (k,), the (1,) sum of squares as ``squared`` gives it, in the same round.

    own, theirs: shares of one's own and of the peer's weights. drawn: None for no sum: 0.
    """
    assert part.scores is not None
    assert part.plain is not None
    sshe_products.offer(ctx, link, theirs, part.n_rows)
    if drawn is not None:
        _asked(ctx, link, drawn)
    (kept,) = sshe_products.answered(ctx, link, part.scores)
    local = rings.matmul_plain(part.plain, own, BITS, ctx.cores)
    far = sshe_products.opened(ctx, link, len(theirs), part.n_rows)
    z = rings.add(rings.add(local, kept, BITS), far, BITS)
    return z, rings.zeros((1,), BITS) if drawn is None else _told(ctx, link, drawn)


def slopes(ctx: Ctx, link: Link, part: Part, d: Words, n_theirs: int, *, weighted: bool) -> Slopes:
    """The gradient's sums of both parties, and the loss's. d: (m,) shares of the residual.

    n_theirs: how many columns the peer has.
    """
    if ctx.role == GUEST:
        return _slopes_guest(ctx, link, part, d, n_theirs)
    return _slopes_host(ctx, link, part, d, n_theirs, weighted=weighted)


def _slopes_guest(ctx: Ctx, link: Link, part: Part, d: Words, n_theirs: int) -> Slopes:
    e = d if part.weight is None else rings.mul(part.weight, d, BITS)
    weighted_columns = (n_theirs + 1) * LIMBS
    if part.weight is not None:
        sshe_products.offer(ctx, link, part.weight, weighted_columns)
    sshe_products.offer(ctx, link, e, n_theirs, LIMBS)
    (kept,) = sshe_products.answered(ctx, link, part.slopes)
    own = rings.add(rings.matmul_plain(part.x.T, d, BITS, ctx.cores), kept, BITS)
    loss = rings.dot(e, d, BITS)[None]
    if part.weight is None:
        theirs, loss = sshe_products.opened(ctx, link, len(d), n_theirs), _widened(loss)
        cross = _widened(_opened_digits(ctx, link, len(d), LIMBS))
        return Slopes(own, theirs, rings.add(loss, cross, BITS))
    far = _opened_digits(ctx, link, len(d), weighted_columns)
    theirs = rings.add(sshe_products.opened(ctx, link, len(d), n_theirs), far[:-1], BITS)
    cross = rings.add(_opened_digits(ctx, link, len(d), LIMBS), far[-1:], BITS)
    return Slopes(own, theirs, rings.add(loss, cross, BITS), theirs_more=WEIGHT_BITS)


def _slopes_host(
    ctx: Ctx, link: Link, part: Part, d: Words, n_theirs: int, *, weighted: bool
) -> Slopes:
    name = ctx.name
    sshe_products.offer(ctx, link, d, n_theirs)
    doubled = sshe_products.digits(link, rings.scale(d, 2, BITS)[:, None], name)
    squares = rings.mul(d, d, BITS)
    if weighted:
        rows = rings.mul(rings.from_integers(part.x, BITS), d[:, None], BITS)
        both = np.concatenate([rows, squares[:, None]], axis=1)
        (far,) = sshe_products.answered(ctx, link, sshe_products.digits(link, both, name))
        local, summed = np.split(sshe_products.joined(far), [-1])
    else:
        local = rings.matmul_plain(part.x.T, d, BITS, ctx.cores)
        summed = rings.total(squares, BITS)[None]
    own, cross = sshe_products.answered(ctx, link, part.slopes, doubled)
    own = rings.add(own, local, BITS)
    loss = rings.add(sshe_products.joined(cross), summed, BITS)
    theirs = sshe_products.opened(ctx, link, len(d), n_theirs)
    if weighted:
        return Slopes(own, theirs, loss, own_more=WEIGHT_BITS)
    return Slopes(own, theirs, _widened(loss))


def _opened_digits(ctx: Ctx, link: Link, inner: int, outputs: int) -> Words:
    return sshe_products.joined(sshe_products.opened(ctx, link, inner, outputs))


def _widened(loss: Words) -> Words:
    """Without row weights: the fraction bits that they would add."""
    return rings.scale(loss, 1 << WEIGHT_BITS, BITS)


def squared(ctx: Ctx, link: Link, u: Words) -> Words:
    """(1,) shares of the sum of squares of shared numbers u (k,), fraction bits doubled."""
    _asked(ctx, link, u)
    return _told(ctx, link, u)


def _asked(ctx: Ctx, link: Link, u: Words) -> None:
    """The guest's half of the products between the shares."""
    if ctx.role == GUEST:
        sshe_products.offer(ctx, link, u, LIMBS)


def _told(ctx: Ctx, link: Link, u: Words) -> Words:
    """The host's half, and both shares of the sum."""
    local = rings.dot(u, u, BITS)[None]
    if ctx.role == GUEST:
        cross = _opened_digits(ctx, link, len(u), LIMBS)
    else:
        twice = sshe_products.digits(link, rings.scale(u, 2, BITS)[:, None], ctx.name)
        cross = sshe_products.joined(*sshe_products.answered(ctx, link, twice))
    return rings.add(local, cross, BITS)
