"""A sum of the hosts' arrays for the guest, who learns no single host's array.

Every two hosts agree on a fresh key (X25519) and add or subtract the same pad; the pads cancel
in the guest's sum. Against hosts and guest who follow the protocol; a host that colludes with
the guest gives away the pads it shares, so at least two honest hosts are needed to hide from it.
Source: Bonawitz et al. 2017, section 4 (without drop-outs: a lost host ends the task).
"""

from __future__ import annotations

from functools import reduce

import numpy as np
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey

from federatedml.crypto import masking
from federatedml.crypto.masking import Floats, Words
from federation import Context, Message
from federation.errors import ProtocolViolation


def host_masks(ctx: Context, exchange: Message[bytes], values: Floats) -> Words:
    """This host's array in the ring, hidden by pads shared with each other host.

    Cost: one message of 32 bytes to each other host.
    """
    mine = X25519PrivateKey.generate()
    ctx.remote(exchange, mine.public_key().public_bytes_raw())
    hidden = masking.to_ring(values, len(ctx.hosts))
    for peer, theirs in ctx.gather(exchange).items():
        first, second = sorted([ctx.me, peer])
        purpose = f"secure sum|{ctx.job_id}|{ctx.component}|{first}|{second}".encode()
        try:
            key = masking.shared_key(mine, theirs, purpose)
        except ValueError:
            raise ProtocolViolation(peer, exchange.name, "not a public key") from None
        pad = masking.pad(key, hidden.shape)
        hidden = hidden + pad if ctx.me == first else hidden - pad
    return hidden


def guest_sums(ctx: Context, message: Message[Words], shape: tuple[int, ...]) -> Floats:
    """The sum of all hosts' arrays. Raises ProtocolViolation for another shape."""
    arrays = ctx.gather(message)
    for host, words in arrays.items():
        if words.shape != shape:
            raise ProtocolViolation(host, message.name, f"shape {words.shape} in place of {shape}")
    return masking.from_ring(reduce(np.add, arrays.values()))
