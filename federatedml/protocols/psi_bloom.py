"""Bloom filters between parties: to thin out ids before an intersection, and to estimate its size.

Parties  sender: a set of digests or tokens; receiver: its own.
Maths    see federatedml.maths.bloom.
Round    (1) sender -> receiver   the filter
Trusts   nobody with more than the filter: of plain ids it lets the receiver test any guess, with
         the filter's rate of false positives; of tokens only ids whose token the receiver knows.
Source   Bloom 1970; FATE 1.x, intersect_preprocess_params and cardinality_method "rsa".
"""

from __future__ import annotations

import hashlib
import secrets

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.maths.bloom import MAX_HASHES, Bloom
from federatedml.protocols.psi import BOTH
from federation import Message, Party
from federation.errors import ProtocolViolation

SEED_BYTES = 16


class Wire:
    filter = Message[tuple[NDArray[np.uint8], int, int, bytes]](
        BOTH,
        BOTH,
        kind="masked",
        reveals="a filter with which the receiver can test ids for being, probably, the sender's "
        "(for an estimate of the cardinality: only ids whose token it was given)",
    )


def send(
    ctx: Ctx, peer: Party, rows: NDArray[np.uint8], rate: float, random_state: int | None
) -> None:
    """Send the filter of (n, w) digests. random_state: makes the filter repeatable (FATE)."""
    if random_state is None:
        seed = secrets.token_bytes(SEED_BYTES)
    else:
        seed = hashlib.blake2b(b"%d" % random_state, digest_size=SEED_BYTES).digest()
    made = Bloom.of(rows, rate, seed)
    ctx.remote(Wire.filter, (made.bits, made.n_bits, made.n_hashes, seed), to=peer)  # (1)


def receive(ctx: Ctx, peer: Party) -> Bloom:
    """A peer's filter. Raises ProtocolViolation for impossible sizes."""
    bits, n_bits, n_hashes, seed = ctx.get(Wire.filter, source=peer)
    sound = (
        n_bits > 0
        and bits.shape == ((n_bits + 7) // 8,)
        and 0 < n_hashes <= MAX_HASHES
        and len(seed) == SEED_BYTES
    )
    if not sound:
        raise ProtocolViolation(peer, Wire.filter.name, "sizes that do not fit each other")
    return Bloom(bits, n_bits, n_hashes, seed)
