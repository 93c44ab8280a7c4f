"""Before parties train or predict together: that they mean the same run and the same rows.

Parties that were configured differently would wait for messages that never come, or learn
something that nobody asked for; rows in another order would be added up wrongly without a word.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from federatedml.component import Component, Ctx
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadParameters
from federation import ARBITER, GUEST, HOST, Message, codec

SALT_BYTES = 16

OWN = ("mode", "role", "metrics", "use_first_metric_only")
"""Fields of shared parameter structs that are a party's own affair."""


@codec.wire_struct
class Settings(msgspec.Struct, frozen=True):
    """The guest's parameters that all must share: name -> JSON."""

    values: dict[str, str]


@codec.wire_struct
class RowCheck(msgspec.Struct, frozen=True):
    """digests: of the ids of each table, in order, with the salt."""

    salt: bytes
    digests: list[bytes]


class Wire:
    """All that leaves a party."""

    settings = Message[Settings](
        {GUEST},
        {HOST, ARBITER},
        kind="plain",
        reveals="parameters of the training that the job's configuration gives to everybody",
    )
    rows = Message[RowCheck](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="whether the guest's rows are the receiver's, in order",
    )


def check(
    component: Component[Any], ctx: Ctx, frames: Sequence[Frame | None], *, trains: bool
) -> None:
    """Raises BadParameters where this party is configured otherwise than the guest, BadData where
    its rows are others or there are none.

    frames: of this run, those to train on first; every party gives as many, or none at all.
    trains: else the run only predicts, and the arbiter takes no part. Cost: a pass over the ids.
    """
    if not (component.agrees or component.aligned):
        return
    given = [frame for frame in frames if frame is not None]
    if trains and given and not given[0].n_rows:
        raise BadData(
            f"{ctx.name}: there are no rows; if they come from Intersection, the parties have no "
            "id in common: check the id columns, and what the components before this one drop"
        )
    if trains and component.agrees:
        if ARBITER in component.roles() and ctx.arbiter is None:
            raise BadParameters(
                f"{ctx.name}: {component.module} needs an arbiter; name one in the job's roles"
            )
        _compare_settings(ctx, _settings(component))
    if component.aligned and ctx.role in (GUEST, HOST):
        compare_ids(ctx, [frame.ids for frame in given])


def _settings(component: Component[Any]) -> dict[str, str]:
    found = {}
    for name in component.agrees:
        value = msgspec.to_builtins(getattr(component.params, name, None))
        if isinstance(value, dict):
            value = {key: value[key] for key in value if key not in OWN}
        found[name] = msgspec.json.encode(value, order="deterministic").decode()
    return found


def _compare_settings(ctx: Ctx, mine: dict[str, str]) -> None:
    if ctx.role == GUEST:
        ctx.remote(Wire.settings, Settings(mine))
        return
    theirs = ctx.get(Wire.settings).values
    for name, value in mine.items():
        if (wanted := theirs.get(name)) != value:
            raise BadParameters(
                f"{ctx.name}: {name} is {value} here and {wanted} at the guest; it must be "
                "the same at all parties: give it in component_parameters.common"
            )


def compare_ids(ctx: Ctx, tables: Sequence[pa.Array]) -> None:
    """Guest and hosts: whether all hold the same rows in the same order, by the ids of each table.

    For a component of which only some tasks are vertical; ``aligned`` does it for the others.
    Raises BadData at a host whose rows are others.
    """
    if ctx.role == GUEST:
        salt = secrets.token_bytes(SALT_BYTES)
        ctx.remote(Wire.rows, RowCheck(salt, [digest(ids, salt) for ids in tables]))
        return
    told = ctx.get(Wire.rows)
    if told.digests != [digest(ids, told.salt) for ids in tables]:
        raise BadData(
            f"{ctx.name}: guest and host hold different rows, or in another order; give them the "
            "output of Intersection"
        )


def digest(ids: pa.Array, salt: bytes) -> bytes:
    """32 bytes that tell lists of ids apart; without the ids nothing can be read from them."""
    text = ids.cast(pa.large_binary())
    # Of two arrays a new one is made, whose values begin with the first id; a slice's do not.
    whole = pa.concat_arrays([text, text.slice(0, 0)])
    lengths = pc.binary_length(whole).to_numpy(zero_copy_only=False)
    made = hashlib.blake2b(salt, digest_size=32)
    made.update(np.ascontiguousarray(lengths, dtype=np.int64).tobytes())
    if len(whole):
        made.update(memoryview(whole.buffers()[2])[: int(lengths.sum())])
    return made.digest()
