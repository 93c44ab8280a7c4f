"""Sums of arrays that only the receiver reads, exact enough for distances of any size.

As ``secure_sum``, whose ``Pads`` the senders bring, but for many numbers: multiples of 2^-60
modulo 2^128. Sums stay below 2^67, so that nothing has to be known of any party's magnitudes to
choose a scale. A pad is used for one array: what a sender sends in two rounds is uniform, and so
is the difference of the two.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import masking, rings
from federatedml.crypto.rings import Floats, Words
from federatedml.errors import BadData
from federatedml.protocols.secure_sum import Pads
from federation import Context, Message
from federation.errors import ProtocolViolation

FRACTION_BITS = 60
SUM_BITS = 127 - FRACTION_BITS

BLOCK = 1 << 15
"""Numbers that are converted at a time, to stay in the processor's cache."""


def hidden(pads: Pads, values: Floats) -> Words:
    """(m, 2) this sender's numbers (m,) under pads that no other array has.

    All senders must hide the same number of arrays, of the same lengths. Raises BadData if the
    sum could wrap. Cost: some 15 ns a number and other sender.
    """
    terms = len(pads.keys) + 1
    if not np.abs(values).max(initial=0.0) < 2.0**SUM_BITS / terms:
        raise BadData(
            f"squared distances add up to 2^{SUM_BITS} or more: scale the features (FeatureScale)"
        )
    words = np.empty((len(values), 2), dtype=np.uint64)
    for at in _blocks(len(values)):
        words[at] = rings.encode(values[at], FRACTION_BITS, 128)
    for peer, key in pads.keys.items():
        pad = masking.pad(key, words.shape, pads.used)
        words = (rings.add if pads.me < peer else rings.sub)(words, pad, 128)
    pads.used += 1
    return words


def opened(ctx: Context, message: Message[NDArray[np.uint64]]) -> Floats:
    """At the receiver: (m,) the sum of what the senders hid.

    Raises ProtocolViolation if their arrays differ in length.
    """
    total: Words | None = None
    for party, words in ctx.each(message):
        shape = (words if total is None else total).shape[:1]
        if not rings.fits(words, shape, 128):
            problem = f"shape {words.shape} in place of {(*shape, 2)}"
            raise ProtocolViolation(party, message.name, problem)
        total = words if total is None else rings.add(total, words, 128)
    if total is None:
        raise ValueError(f"{message.name} has no senders")
    found = np.empty(len(total))
    for at in _blocks(len(total)):
        found[at] = rings.decode(total[at], FRACTION_BITS, 128)
    return found


def _blocks(n: int) -> Iterator[slice]:
    return (slice(start, start + BLOCK) for start in range(0, n, BLOCK))
