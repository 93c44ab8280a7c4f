"""A sum of several parties' arrays for a receiver who learns no single party's array.

Every two senders agree on a key (X25519) and add or subtract the same pad; the pads cancel in
the sum. Against parties who follow the protocol; a sender that colludes with the receiver gives
away the pads it shares, so at least two honest senders are needed to hide from both.

There are two forms: arrays of any length in the integers mod 2^64 (``host_masks`` and
``guest_sums``: scores), and a few numbers of any size in wide integers (``Pads.wide`` and
``wide_sum``: squared steps and inner products, which may be tiny), under keys agreed once.
Source: Bonawitz et al. 2017, section 4 (without drop-outs: a lost sender ends the task).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import reduce

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federatedml.crypto import fixedpoint, masking
from federatedml.crypto.masking import Floats, Words
from federation import Context, Message, Party
from federation.errors import ProtocolViolation

WIDE_SCALE_BITS = 80
"""Fractional bits of wide numbers."""

WIDE_WORDS = 3
"""64-bit words of a wide number: |sum| < 2^111."""

WIDE_BITS = 64 * WIDE_WORDS
MAX_WIDE_BITS = WIDE_SCALE_BITS + 100
"""A party's own number is below 2^100 in magnitude, so that 2^10 of them can be added."""


@dataclass
class Pads:
    """Keys shared with each other sender, and how many arrays they have hidden."""

    me: Party
    keys: Mapping[Party, bytes]
    used: int = 0

    def hide(self, words: Words) -> Words:
        """The array (any shape, mod 2^64) with this party's pads."""
        hidden = words
        for peer, key in self.keys.items():
            pad = masking.pad(key, hidden.shape, self.used)
            hidden = hidden + pad if self._is_first(peer) else hidden - pad
        self.used += 1
        return hidden

    def wide(self, values: Floats) -> Words:
        """(m, 3) the numbers (m,), each off by at most 2^-81, with this party's pads.

        Raises PlaintextOutOfRange for one of 2^100 or more, or one that is not finite.
        """
        whole = fixedpoint.encode(values, WIDE_SCALE_BITS, MAX_WIDE_BITS)
        for peer, key in self.keys.items():
            pads = _numbers(masking.pad(key, (len(whole), WIDE_WORDS), self.used))
            sign = 1 if self._is_first(peer) else -1
            whole = [value + sign * pad for value, pad in zip(whole, pads, strict=True)]
        self.used += 1
        width = WIDE_BITS // 8
        body = b"".join((value % (1 << WIDE_BITS)).to_bytes(width, "little") for value in whole)
        return np.frombuffer(body, dtype="<u8").reshape(len(whole), WIDE_WORDS)

    def _is_first(self, peer: Party) -> bool:
        return min(self.me, peer) == self.me


def agreed(ctx: Context, message: Message[bytes]) -> Pads:
    """A fresh key with every other party that sends this message.

    Cost: one message of 32 bytes to each of them. Raises ProtocolViolation.
    """
    mine, keys = X25519PrivateKey.generate(), {}
    ctx.remote(message, mine.public_key().public_bytes_raw())
    for peer, theirs in ctx.gather(message).items():
        first, second = sorted([ctx.me, peer])
        purpose = f"{message.name}|{ctx.job_id}|{ctx.component}|{first}|{second}"
        try:
            keys[peer] = masking.shared_key(mine, theirs, purpose.encode())
        except ValueError:
            raise ProtocolViolation(peer, message.name, "not a public key") from None
    return Pads(ctx.me, keys)


def host_masks(ctx: Context, exchange: Message[bytes], values: Floats) -> Words:
    """This host's array in the ring, hidden by pads shared with each other host.

    Cost: one message of 32 bytes to each other host.
    """
    return agreed(ctx, exchange).hide(masking.to_ring(values, len(ctx.hosts)))


def guest_sums(ctx: Context, message: Message[Words], shape: tuple[int, ...]) -> Floats:
    """The sum of all hosts' arrays. Raises ProtocolViolation for another shape."""
    return masking.from_ring(reduce(np.add, _gathered(ctx, message, shape)))


def wide_sum(ctx: Context, message: Message[Words], count: int) -> Floats:
    """(count,) the sums of all senders' wide numbers. Raises ProtocolViolation."""
    parts = [_numbers(words) for words in _gathered(ctx, message, (count, WIDE_WORDS))]
    half, modulus = 1 << (WIDE_BITS - 1), 1 << WIDE_BITS
    sums = [(sum(of_one) + half) % modulus - half for of_one in zip(*parts, strict=True)]
    return fixedpoint.decode(sums, WIDE_SCALE_BITS)


def _gathered(ctx: Context, message: Message[Words], shape: tuple[int, ...]) -> list[Words]:
    arrays = ctx.gather(message)
    for sender, words in arrays.items():
        if words.shape != shape:
            problem = f"shape {words.shape} in place of {shape}"
            raise ProtocolViolation(sender, message.name, problem)
    return list(arrays.values())


def _numbers(words: Words) -> list[int]:
    """Rows of words, low word first, as integers."""
    width = 8 * words.shape[1]
    body = np.ascontiguousarray(words, dtype="<u8").tobytes()
    return [int.from_bytes(body[i : i + width], "little") for i in range(0, len(body), width)]
