"""Intersection in two halves: the host's part once, ahead of time, and the guest's when needed.

Parties  guest: ids G, later other ids; host: ids H and a secret key, both kept in its cache.
Maths    an oblivious function (federatedml.crypto.oblivious), whatever the method.
Round    ahead   (1) host -> guest   the cache's name, its public key (rsa), tokens of its ids
         later   (2) both -> other   the cache's name; host -> guest which tokens still hold
                 (3) both            an oblivious exchange of the guest's ids of that day
Trusts   as psi_oblivious. The guest keeps tokens but no key: without the host it can test no id.
         It blinds afresh every time, so the host cannot link one day's ids to another's.
Source   FATE 1.x, run_cache; the exchange of psi_oblivious in place of kept guest keys.

The cache is a folder: ``cache.json``; at a guest ``<n>/tokens.npy`` for each host; at a host
``ids.arrow`` (its ids in the order of the tokens) and ``secret.json``. All files have mode 0600.
"""

from __future__ import annotations

import os
import uuid
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import rsa_blind
from federatedml.crypto.commutative import Curve, Group, SafePrime, Secret
from federatedml.crypto.oblivious import (
    Asker,
    Evaluator,
    GroupAsker,
    GroupEvaluator,
    RsaAsker,
    RsaEvaluator,
)
from federatedml.crypto.rsa_blind import Hashes
from federatedml.errors import BadData
from federatedml.protocols import psi, psi_oblivious, psi_rsa, streams
from federatedml.protocols.psi import BOTH, Pairs, Rows
from federation import GUEST, HOST, Message, Party

VERSION = 1


class Wire:
    cache_id = Message[str](BOTH, BOTH, kind="plain", reveals="the name of the sender's cache")
    present = Message[NDArray[np.uint8]](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="which of the cached tokens belong to ids that the sender still has",
    )


class Peer(msgspec.Struct, frozen=True):
    """What a cache holds of one peer. public_key: hexadecimal modulus (rsa), else empty."""

    cache_id: str
    public_key: str = ""


class Contents(msgspec.Struct, frozen=True):
    """``cache.json``. peers: by party, e.g. "host 10000"."""

    version: int
    role: str
    meta: dict[str, Any]
    peers: dict[str, Peer]


class Kept(msgspec.Struct, frozen=True):
    """``secret.json``: hexadecimal numbers, two primes (rsa) or one scalar or exponent."""

    numbers: list[str]

    def __repr__(self) -> str:
        return "Kept(...)"


def make_guest(
    ctx: Ctx, settings: psi_rsa.Settings, meta: Mapping[str, Any], sizes: dict[Party, int]
) -> Path:
    """The guest's half ahead of time; returns the folder of its cache."""
    folder, peers = _new_folder(ctx), {}
    for number, (host, n) in enumerate(sizes.items()):
        name, public = ctx.get(Wire.cache_id, source=host), ""
        if meta["intersect_method"] == "rsa":
            public = f"{settings.public(ctx, host).n:x}"
        peers[str(host)] = Peer(name, public)
        width = _asker(meta, public).token_width
        tokens = psi_oblivious.presented(ctx, host, n, width)  # (1)
        (folder / str(number)).mkdir(mode=0o700)
        _write(folder / str(number) / "tokens.npy", partial(_save_array, tokens))
    _write_json(folder / "cache.json", Contents(VERSION, "guest", dict(meta), peers))
    return folder


def make_host(
    ctx: Ctx, keys: pa.Array, settings: psi_rsa.Settings, meta: Mapping[str, Any]
) -> Path:
    """The host's half ahead of time; returns the folder of its cache."""
    folder, name, order = _new_folder(ctx), uuid.uuid4().hex, psi.shuffled(len(keys))
    ctx.remote(Wire.cache_id, name, to=ctx.guest)  # (1)
    evaluator: Evaluator
    if meta["intersect_method"] == "rsa":
        offered = psi_rsa.offer(ctx, ctx.guest, settings)
        evaluator, numbers = offered, [offered.key.p, offered.key.q]
    else:
        group = _group(meta)
        secret = group.secret()
        evaluator = GroupEvaluator(group, secret)
        raw = secret.value
        numbers = [int.from_bytes(raw, "little") if isinstance(raw, bytes) else raw]
    psi_oblivious.present(ctx, ctx.guest, evaluator, keys, order, streams.Meter(ctx, len(keys)))
    ids = pa.table({"id": keys.take(pa.array(order)).cast(pa.string())})
    _write(folder / "ids.arrow", partial(_save_arrow, ids))
    _write_json(folder / "secret.json", Kept([f"{int(n):x}" for n in numbers]))
    peers = {str(ctx.guest): Peer(name)}
    _write_json(folder / "cache.json", Contents(VERSION, "host", dict(meta), peers))
    return folder


def use_guest(ctx: Ctx, keys: pa.Array, folder: Path, method: str) -> dict[Party, Pairs]:
    """Ids in common with each host's cached ids. Raises BadData for a cache that does not fit."""
    contents, pairs, questions = _read(ctx, folder, method), {}, {}
    meter = streams.Meter(ctx, 2 * len(keys) * len(ctx.hosts))
    for host in ctx.hosts:
        peer = _peer(ctx, contents, host)
        ctx.remote(Wire.cache_id, peer.cache_id, to=host)  # (2)
        asker = _asker(contents.meta, peer.public_key)
        questions[host] = psi_oblivious.Question(asker, keys, psi.shuffled(len(keys)))
    for host, question in questions.items():
        _agree(ctx, host, _peer(ctx, contents, host))
        question.ask(ctx, host, meter)  # (3)
    for host, question in questions.items():
        number = list(contents.peers).index(str(host))
        tokens = np.load(folder / str(number) / "tokens.npy", allow_pickle=False)
        present = psi.flags_of(
            ctx.get(Wire.present, source=host), len(tokens), host, Wire.present.name
        )
        found = psi.joined(question.answer(ctx, host, meter), tokens, question.order)
        still = np.isin(found.theirs, present)
        pairs[host] = Pairs(found.mine[still], found.theirs[still], len(tokens))
    return pairs


def use_host(ctx: Ctx, keys: pa.Array, folder: Path, method: str, size: int) -> Rows:
    """The order in which the host's cache presents ids; -1 where this party has the id no more."""
    contents = _read(ctx, folder, method)
    guest, meter = ctx.guest, streams.Meter(ctx, size)
    peer = _peer(ctx, contents, guest)
    ctx.remote(Wire.cache_id, peer.cache_id, to=guest)  # (2)
    _agree(ctx, guest, peer)
    with pa.memory_map(str(folder / "ids.arrow")) as source:
        cached = pa.ipc.open_file(source).read_all().column("id").combine_chunks()
    at = pc.index_in(cached, value_set=keys.cast(pa.string()))
    order = pc.fill_null(at, -1).to_numpy(zero_copy_only=False).astype(np.int64)
    ctx.remote(Wire.present, np.packbits(order >= 0), to=guest)
    psi_oblivious.evaluate(ctx, guest, _evaluator(contents.meta, folder), size, meter)  # (3)
    return order  # type: ignore[no-any-return]


def only(ctx: Ctx, caches: Mapping[str, Path]) -> Path:
    """The one cache given as input. Raises BadData if there are several."""
    if len(caches) > 1:
        raise BadData(f"{ctx.name}: takes one cache, got {', '.join(caches)}")
    return Path(next(iter(caches.values())))


def _read(ctx: Ctx, folder: Path, method: str) -> Contents:
    try:
        contents = msgspec.json.decode((folder / "cache.json").read_bytes(), type=Contents)
    except (OSError, msgspec.DecodeError):
        raise BadData(f"{ctx.name}: the cache input is not one that Intersection made") from None
    if contents.version != VERSION or contents.role != ctx.role.value:
        raise BadData(
            f"{ctx.name}: a cache of version {contents.version} made as {contents.role}; "
            f"this party is {ctx.role} and reads version {VERSION}: run the caching job again"
        )
    made = contents.meta["intersect_method"]
    if made != method:
        raise BadData(f"{ctx.name}: the cache was made with {made}; set intersect_method to {made}")
    return contents


def _peer(ctx: Ctx, contents: Contents, party: Party) -> Peer:
    if str(party) not in contents.peers:
        raise BadData(
            f"{ctx.name}: the cache was made with {', '.join(contents.peers)}, not with {party}"
        )
    return contents.peers[str(party)]


def _agree(ctx: Ctx, party: Party, peer: Peer) -> None:
    if ctx.get(Wire.cache_id, source=party) != peer.cache_id:
        raise BadData(
            f"{ctx.name}: {party} uses another cache than this party; "
            "give both the cache of the same job"
        )


def _group(meta: Mapping[str, Any]) -> Group:
    if meta["intersect_method"] == "dh":
        return SafePrime(meta["key_length"], meta["hash_method"], meta["salt"])
    return Curve(meta["hash_method"], meta["salt"])


def _hashes(meta: Mapping[str, Any]) -> Hashes:
    return Hashes(meta["hash_method"], meta["salt"], meta["final_hash_method"])


def _asker(meta: Mapping[str, Any], public: str) -> Asker:
    if meta["intersect_method"] == "rsa":
        return RsaAsker(rsa_blind.public_key(int(public, 16), _hashes(meta)))
    return GroupAsker(_group(meta))


def _evaluator(meta: Mapping[str, Any], folder: Path) -> Evaluator:
    kept = msgspec.json.decode((folder / "secret.json").read_bytes(), type=Kept)
    numbers = [int(n, 16) for n in kept.numbers]
    if meta["intersect_method"] == "rsa":
        p, q = numbers
        return RsaEvaluator(rsa_blind.restore(p, q, _hashes(meta)))
    (number,) = numbers
    group = _group(meta)
    raw = number.to_bytes(32, "little") if isinstance(group, Curve) else number
    return GroupEvaluator(group, Secret(raw))


def _new_folder(ctx: Ctx) -> Path:
    folder = ctx.folder / "cache"
    folder.mkdir(mode=0o700, parents=True)
    return folder


def _write(path: Path, save: Callable[[Any], None]) -> None:
    """Write a file that only this user may read."""
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as out:
        save(out)


def _write_json(path: Path, value: msgspec.Struct) -> None:
    _write(path, lambda out: out.write(msgspec.json.encode(value)))


def _save_array(rows: NDArray[np.uint8], out: Any) -> None:
    np.save(out, rows, allow_pickle=False)


def _save_arrow(table: pa.Table, out: Any) -> None:
    with pa.ipc.new_file(out, table.schema) as writer:
        writer.write_table(table)
