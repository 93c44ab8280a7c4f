"""Asking for tokens: the conversation of an oblivious function (``crypto.oblivious``).

Parties  evaluator: the key; asker: ids. Either may be guest or host.
Maths    see federatedml.crypto.oblivious.
Round    (1) evaluator -> asker   tokens of its own ids, in random order
         (2) asker -> evaluator   its blinded ids, in random order
         (3) evaluator -> asker   the same, evaluated, in the order received
         (4) asker                unblinds to tokens and joins them with those of (1)
Trusts   everyone to follow the protocol (semi-honest); one-more-RSA or one-more-Diffie-Hellman;
         the hash to be a random oracle. Every guess at an id costs the asker one evaluation.
Source   De Cristofaro and Tsudik 2010; Jarecki and Liu 2010.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto.oblivious import Asker, Evaluator
from federatedml.protocols import streams
from federatedml.protocols.psi import BOTH, Rows
from federation import Message, Party

Bytes2D = NDArray[np.uint8]


class Wire:
    tokens = Message[NDArray[np.uint8]](
        BOTH,
        BOTH,
        kind="masked",
        reveals="with (3), which of the receiver's ids the sender has",
    )
    asked = Message[NDArray[np.uint8]](
        BOTH, BOTH, kind="masked", reveals="nothing but the number of the sender's ids"
    )
    evaluated = Message[NDArray[np.uint8]](
        BOTH, BOTH, kind="masked", reveals="tokens of the receiver's own ids"
    )


class Question:
    """An asker's side of one exchange: ids in a random order, and what unblinds them."""

    def __init__(self, asker: Asker, keys: pa.Array, order: Rows) -> None:
        self.asker, self.keys, self.order = asker, keys, order
        self._secrets: Bytes2D = np.empty((0, 0), dtype=np.uint8)

    def ask(self, ctx: Ctx, peer: Party, meter: streams.Meter) -> None:
        kept: dict[int, Bytes2D] = {}

        def work(part: slice) -> Bytes2D:
            blinded, kept[part.start] = self.asker.blind(self._texts(part))
            return blinded

        streams.send(ctx, Wire.asked, work, len(self.order), to=peer, meter=meter)  # (2)
        if kept:
            self._secrets = np.concatenate([kept[start] for start in sorted(kept)])

    def answer(self, ctx: Ctx, peer: Party, meter: streams.Meter) -> Bytes2D:
        """Tokens (n, token_width) of the ids, in the order asked."""

        def work(part: slice, rows: Bytes2D) -> Bytes2D:
            return self.asker.finish(rows, self._secrets[part], self._texts(part))

        parts = streams.transformed(  # (4)
            ctx,
            Wire.evaluated,
            work,
            len(self.order),
            self.asker.width,
            source=peer,
            meter=meter,
        )
        return streams.gathered(parts, self.asker.token_width)

    def _texts(self, part: slice) -> pa.Array:
        return self.keys.take(pa.array(self.order[part]))


def present(
    ctx: Ctx, peer: Party, evaluator: Evaluator, keys: pa.Array, order: Rows, meter: streams.Meter
) -> None:
    """Send tokens of this party's ids, in this order."""

    def work(part: slice) -> Bytes2D:
        return evaluator.tokens(keys.take(pa.array(order[part])))

    streams.send(ctx, Wire.tokens, work, len(order), to=peer, meter=meter)  # (1)


def presented(ctx: Ctx, peer: Party, n: int, width: int) -> Bytes2D:
    """A peer's n tokens, in its order."""
    return streams.gathered(streams.receive(ctx, Wire.tokens, n, width, source=peer), width)


def evaluate(ctx: Ctx, peer: Party, evaluator: Evaluator, n: int, meter: streams.Meter) -> None:
    """Evaluate a peer's n blinded ids and send them back in the order they came."""
    answers: Iterator[Bytes2D] = streams.transformed(
        ctx,
        Wire.asked,
        lambda _, rows: evaluator.evaluate(rows),
        n,
        evaluator.width,
        source=peer,
        meter=meter,
    )
    for chunk in answers:
        ctx.remote(Wire.evaluated, chunk, to=peer)  # (3)
