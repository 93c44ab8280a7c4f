"""What all methods of private set intersection share.

A host *presents* its ids in a random order of its own; everything about them is then said by
position in that order, so that no id and no row number has to travel.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.errors import BadParameters
from federation import GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation

Bytes2D = NDArray[np.uint8]
Rows = NDArray[np.int64]

BOTH = {GUEST, HOST}


class Wire:
    """What every method says before and after its own messages."""

    opening = Message[tuple[int, str]](
        BOTH,
        BOTH,
        kind="plain",
        reveals="how many distinct ids the sender brings; a digest of the method's parameters",
    )
    common = Message[NDArray[np.uint8]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which of the receiver's ids all parties have (a bit for each, if synced)",
    )


@dataclass(frozen=True)
class Pairs:
    """Ids in common with one host. mine: rows of this party's keys; theirs: the positions of the
    same ids in the order in which the host presented its own; n: how many it presented."""

    mine: Rows
    theirs: Rows
    n: int


def opened(ctx: Ctx, peers: Sequence[Party], n: int, parameters: object) -> dict[Party, int]:
    """How many ids each peer brings, once it is sure that all mean the same computation.

    parameters: anything that JSON can hold and that must be equal at all parties.
    Raises BadParameters if a peer's differ: the intersection would be silently empty.
    """
    mark = hashlib.sha256(msgspec.json.encode(parameters)).hexdigest()[:16]
    for peer in peers:
        ctx.remote(Wire.opening, (n, mark), to=peer)
    sizes = {}
    for peer in peers:
        size, theirs = ctx.get(Wire.opening, source=peer)
        if theirs != mark:
            raise BadParameters(
                f"{ctx.name}: this party and {peer} differ in the intersection's method, hashes, "
                "salt, key length, preprocessing or use of match ids; give both the same, best "
                "under component_parameters.common"
            )
        if size < 0:
            raise ProtocolViolation(peer, Wire.opening.name, "a negative number of ids")
        sizes[peer] = size
    return sizes


def shuffled(n: int) -> Rows:
    """A secret, uniformly random order of ``range(n)``, from the operating system's generator."""
    draws = np.frombuffer(secrets.token_bytes(8 * n), dtype=np.uint64)
    return np.argsort(draws, kind="stable").astype(np.int64, copy=False)


def joined(mine: Bytes2D, theirs: Bytes2D, order: Rows) -> Pairs:
    """Equal rows of two columns of labels.

    mine: (n, w), presented in ``order`` of this party's keys; theirs: (m, w).
    """
    at = pc.index_in(fixed(mine), value_set=fixed(theirs))
    found = np.flatnonzero(at.is_valid().to_numpy(zero_copy_only=False))
    positions = at.drop_null().to_numpy(zero_copy_only=False).astype(np.int64)
    return Pairs(order[found], positions, len(theirs))


def fixed(rows: Bytes2D) -> pa.Array:
    """(n, w) bytes as an Arrow array of n values, without a copy."""
    rows = np.ascontiguousarray(rows)
    kind, buffer = pa.binary(rows.shape[1]), pa.py_buffer(rows)
    return pa.FixedSizeBinaryArray.from_buffers(kind, len(rows), [None, buffer])


def in_all(pairs: Sequence[Pairs]) -> Rows:
    """Rows of this party's keys that every host has, ascending."""
    return reduce(
        lambda kept, one: np.intersect1d(kept, one.mine, assume_unique=True),
        pairs[1:],
        np.sort(pairs[0].mine),
    )


def tell(ctx: Ctx, host: Party, pairs: Pairs, kept: Rows) -> None:
    """Send a host which of the ids it presented are in common. kept: rows of this party's keys."""
    flags = np.zeros(pairs.n, dtype=bool)
    flags[pairs.theirs[np.isin(pairs.mine, kept, assume_unique=True)]] = True
    ctx.remote(Wire.common, np.packbits(flags), to=host)


def told(ctx: Ctx, order: Rows) -> Rows:
    """The host's side of ``tell``: rows of its keys that all parties have, ascending."""
    return np.sort(order[flags_of(ctx.get(Wire.common), len(order), ctx.guest, Wire.common.name)])


def flags_of(packed: NDArray[np.uint8], n: int, peer: Party, message: str) -> Rows:
    """Positions of the set bits among n. Raises ProtocolViolation for another length."""
    if packed.dtype != np.uint8 or packed.shape != ((n + 7) // 8,):
        raise ProtocolViolation(peer, message, f"not a bit for each of {n} ids")
    return np.flatnonzero(np.unpackbits(packed, count=n))


def ascending(texts: pa.Array, rows: Rows) -> Rows:
    """Rows in ascending order of their text's UTF-8 bytes: the order all parties share."""
    order = pc.array_sort_indices(texts.take(pa.array(rows)).cast(pa.binary()))
    ranks: Rows = order.to_numpy(zero_copy_only=False).astype(np.int64)
    return rows[ranks]
