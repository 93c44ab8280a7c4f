"""Encrypted numbers of all hosts and the guest, added up by the guest for the key's owner.

The owner learns the sum alone, the guest nothing. Both sides state fixed ranges, so that the
bound of a vector tells nothing of what it was made from.
"""

from __future__ import annotations

from functools import reduce

from federatedml.crypto.bigcipher import CipherVector, PublicKey
from federatedml.crypto.fixedpoint import Floats
from federation import Context, Message, Party
from federation.errors import ProtocolViolation

SCALE_BITS = 80
"""Fractional bits of single numbers such as inner products, which may be tiny."""

WHOLE_BITS = 96
"""A party's own number is below 2^96 in magnitude, a share below 2^104, the total below 2^112."""


def sealed(key: PublicKey, values: Floats, scale_bits: int = SCALE_BITS) -> CipherVector:
    """A party's own numbers. Raises PlaintextOutOfRange for one of 2^96 or more."""
    return key.encrypt(values, scale_bits=scale_bits, bits=scale_bits + WHOLE_BITS)


def share(ctx: Context, key: PublicKey, message: Message[CipherVector], c: CipherVector) -> None:
    """A host's share, refreshed. Raises PlaintextOutOfRange if it may be 2^104 or more."""
    ctx.remote(message, key.refresh(c, bits=c.scale_bits + WHOLE_BITS + 8))


def total(
    ctx: Context,
    key: PublicKey,
    messages: tuple[Message[CipherVector], Message[CipherVector]],
    own: CipherVector,
) -> None:
    """The guest's own numbers plus every host's, refreshed, to the key's owner."""
    shares, out = messages
    parts = (received(c, key, len(own), host, shares) for host, c in ctx.gather(shares).items())
    added = reduce(key.add, parts, own)
    ctx.remote(out, key.refresh(added, bits=own.scale_bits + WHOLE_BITS + 16))


def received(
    c: CipherVector, key: PublicKey, length: int, peer: Party, message: Message[CipherVector]
) -> CipherVector:
    """The vector, if it has this length and key. Raises ProtocolViolation."""
    if c.key != key:
        raise ProtocolViolation(peer, message.name, "encrypted under another key")
    if len(c) != length:
        raise ProtocolViolation(peer, message.name, f"{len(c)} ciphertexts in place of {length}")
    return c
