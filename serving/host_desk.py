"""The host's side of a request: a guest's packet in, this party's contribution out.

What is checked, in this order: the signature or certificate, that the guest may call us and takes
part in the model, the command, the model, the rows. Features are fetched by what the guest sent
and never leave: only contributions do.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import time
from typing import Any

import msgspec
import orjson

from federation.fate_serving import proxy_pb2 as pb
from serving import packets, scoring
from serving.adapters import Adapter, Fetched, fetched, missing
from serving.cache import FeatureCache
from serving.calls import Asking, HostAnswer, Part
from serving.codes import Code, ServingFault
from serving.fate_json import check_depth
from serving.guest_calls import GuestCalls, Seen
from serving.limits import Limits
from serving.party_auth import Signer, admit_source
from serving.registry import Loaded, ModelKey, Registry
from serving.routes import RouteFile
from serving.settings import Settings

LEGACY = 200
"""Versions below put ids elsewhere in the body."""


class Asked(msgspec.Struct):
    """A guest's packet, read."""

    ids: list[dict[str, Any]]
    indexes: list[int]
    checks: list[bool]
    case_id: str
    single: bool
    capabilities: list[str]
    key: str
    setup: dict[str, bytes]
    compares: bool = False
    legacy: bool = False
    cases: list[str] = []


class HostDesk:
    """Answers other parties' packets in one process."""

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        routes: RouteFile,
        signer: Signer,
        limits: Limits,
        adapter: Adapter | None,
        calls: GuestCalls,
        *,
        proof: bool = False,
    ) -> None:
        """calls: counted, logged and limited by rates there. proof: a certificate or a signature
        must say whose a packet is."""
        self.settings, self.registry, self.routes = settings, registry, routes
        self.signer, self.limits, self.calls = signer, limits, calls
        self.features: FeatureCache | None = None
        if adapter is not None:
            self.features = FeatureCache(
                adapter, settings.cache_entries, settings.cache_ms, settings.adapter_ms
            )
        self.stopping, self.proof = False, proof
        self._comparing = asyncio.Lock()

    async def answer(self, packet: pb.Packet, asking: Asking) -> pb.Packet:
        """Never raises ServingFault: failures are in the body."""
        reply = pb.Packet(header=packet.header)
        if self.limits.full:  # neither counted by party nor logged: a flood must cost little
            self.limits.refused += 1
            reply.body.value = packets.fault_answer(self.limits.fault())
            return reply
        started, seen = time.perf_counter(), Seen(command=packet.header.command.name[:40])
        try:
            seen.model = model = self._admitted(packet, asking.certified)
            seen.party = packet.header.src.partyId
            reply.body.value = await self._answered(model, packet, asking, seen)
        except ServingFault as fault:
            on_the_way = fault.code in (Code.AUTHENTICATION, Code.NO_ROUTE)
            reply.body.value = packets.fault_answer(fault, on_the_way=on_the_way)
            seen.code, seen.message = fault.code, str(fault)
        self.calls.tell(seen, time.perf_counter() - started)
        return reply

    async def _answered(
        self, model: Loaded, packet: pb.Packet, asking: Asking, seen: Seen
    ) -> bytes:
        """Raises ServingFault."""
        asked = read(packet, self.settings.most_rows)
        seen.case_id, seen.rows, seen.cases = asked.case_id, len(asked.ids), asked.cases
        self.calls.check_rate(model, len(asked.ids))
        with self.limits.one():
            await asking.turn()
            if asked.compares:
                return await self._kept(model, asked)
            limit_s = asking.limit_s(self.settings.adapter_ms / 1000)
            found = await self._found(model, asked, limit_s)
        if asked.single:
            seen.code, seen.message = found.rows[0].code, found.rows[0].message
        return _told(asked, found)

    async def _kept(self, model: Loaded, asked: Asked) -> bytes:
        if model.key not in self.registry.snapshot.models:
            raise _not_loaded(model.key)
        async with self._comparing:  # hundreds of rows, which is work: one guest after the other
            part = await asyncio.to_thread(
                scoring.kept_part, model, key=asked.key, setup=asked.setup
            )
        return packets.kept_answer(part, asked.case_id)

    def _admitted(self, packet: pb.Packet, certified: str) -> Loaded:
        """The model that is asked for, if this guest may. Raises ServingFault."""
        if self.stopping:
            raise ServingFault(Code.STOPPING, "this serving is shutting down")
        admit_source(self.signer, self.routes.routes, packet, certified, proof=self.proof)
        source = packet.header.src.partyId
        command = packet.header.command.name
        if command not in (packets.SINGLE, packets.BATCH):
            raise ServingFault(Code.COMMAND, f"unknown command {command[:40]!r}")
        model = self._named(packet)
        if not any(remote.party_id == source for remote in model.remotes):
            raise ServingFault(Code.AUTHENTICATION, f"party {source} has no part in this model")
        return model

    def _named(self, packet: pb.Packet) -> Loaded:
        """The model that a packet is about. Raises ServingFault (100, 104)."""
        named = packet.header.task.model
        key = ModelKey(named.namespace, named.tableName)
        model = self.registry.for_guests(key)
        if not key.table and packet.header.command.name == packets.SINGLE and is_legacy(packet):
            key = partner(packet)  # before 2.0 guests named their own model
            models = self.registry.snapshot.models.values()
            model = next((m for m in models if any(r.key == key for r in m.remotes)), None)
        if model is None or model.role == "guest":
            raise _not_loaded(key)
        return model

    async def _found(self, model: Loaded, asked: Asked, limit_s: float) -> HostAnswer:
        """limit_s: for the features."""
        columns = scoring.columns(model)
        started = time.perf_counter()
        found = await fetched(self.features, asked.ids, columns, limit_s)
        self.calls.measures.stages.labels("features").observe(time.perf_counter() - started)
        found = [
            missing("this host") if check and not row.code and not row.features else row
            for row, check in zip(found, asked.checks, strict=True)
        ]
        known = [row.features for row in found if not row.code]
        if len(known) < len(found):  # columns hold all rows of a batch
            asked.capabilities = [c for c in asked.capabilities if c != scoring.COLUMNS]
        options: dict[str, Any] = {
            "capabilities": asked.capabilities,
            "key": asked.key,
            "setup": asked.setup,
        }
        if not known:
            made = HostAnswer(rows=[])
        elif scoring.is_quick(model, len(known), len(columns)):
            made = scoring.contributions(model, known, **options)
        else:
            made = await asyncio.to_thread(scoring.contributions, model, known, **options)
        rest = iter(made.rows)
        rows = [_failed(row) if row.code else next(rest) for row in found]
        return HostAnswer(rows=rows, columns=made.columns)


def read(packet: pb.Packet, most: int) -> Asked:
    """A guest's body. Raises ServingFault (100) for one that is not as agreed."""
    try:
        body = orjson.loads(packet.body.value)
    except orjson.JSONDecodeError:
        raise ServingFault(Code.BAD_PARAMETER, "the packet's body is not JSON") from None
    if not isinstance(body, dict):
        raise ServingFault(Code.BAD_PARAMETER, "the packet's body is not an object")
    ours = _ours(body)
    case_id = str(body.get("caseId") or packet.auth.nonce)[:256]
    if packet.header.command.name == packets.SINGLE:
        legacy = is_legacy(packet)
        ids = body.get("featureIdMap" if legacy else "sendToRemoteFeatureData") or {}
        check = body.get("needCheckFeature") is True
        compares = body.get(packets.KEPT) is True
        return Asked([_ids(ids)], [0], [check], case_id, True, *ours, compares, legacy)
    rows = body.get("batchDataList")
    if not isinstance(rows, list) or not rows:
        raise ServingFault(Code.BAD_PARAMETER, "batchDataList must be a list of rows")
    if len(rows) > most:
        raise ServingFault(
            Code.BAD_PARAMETER, f"{len(rows)} rows in a batch; this host takes {most}"
        )
    asked = Asked([], [], [], case_id, False, *ours, cases=_cases(body, len(rows)))
    for row in rows:
        index = row.get("index") if isinstance(row, dict) else None
        if not isinstance(index, int) or isinstance(index, bool):
            raise ServingFault(Code.BAD_PARAMETER, "a row of the batch has no index")
        asked.ids.append(_ids(row.get("sendToRemoteFeatureData") or {}))
        asked.indexes.append(index)
        asked.checks.append(row.get("needCheckFeature") is True)
    return asked


def is_legacy(packet: pb.Packet) -> bool:
    """Whether the guest is a FATE-Serving before 2.0. Raises ServingFault (100)."""
    operator = packet.header.operator.strip()
    if not operator:
        return True
    if not operator.isdecimal() or len(operator) > 9:
        raise ServingFault(Code.BAD_PARAMETER, "the packet's operator is not a version number")
    return int(operator) < LEGACY


def partner(packet: pb.Packet) -> ModelKey:
    """The guest's own model, as a FATE-Serving before 2.0 names it. Raises ServingFault (100)."""
    try:
        told = orjson.loads(packet.body.value)["partnerModelInfo"]
        return ModelKey(str(told["namespace"])[:1000], str(told["name"])[:1000])
    except (orjson.JSONDecodeError, LookupError, TypeError):
        raise ServingFault(Code.BAD_PARAMETER, "the packet names no model") from None


def _ids(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ServingFault(Code.BAD_PARAMETER, "sendToRemoteFeatureData must be an object")
    check_depth(given, "sendToRemoteFeatureData")
    return given


def _ours(body: dict[str, Any]) -> tuple[list[str], str, dict[str, bytes]]:
    """Our own keys: capabilities, key, setup. Raises ServingFault (100)."""
    offered, key, setup = (
        body.get(name) for name in (packets.CAPABILITIES, packets.KEY, packets.SETUP)
    )
    capabilities = [c for c in offered if isinstance(c, str)] if isinstance(offered, list) else []
    contents = {}
    for name, text in setup.items() if isinstance(setup, dict) else ():
        try:
            contents[str(name)] = base64.b64decode(text, validate=True)
        except (binascii.Error, ValueError, TypeError):
            raise ServingFault(Code.BAD_PARAMETER, "x_setup is not base64") from None
    return capabilities, key if isinstance(key, str) else "", contents


def _cases(body: dict[str, Any], count: int) -> list[str]:
    """Case ids of the rows, where they are of several requests; what is no list of them is left."""
    given = body.get(packets.CASES)
    if not isinstance(given, list) or len(given) != count:
        return []
    return [case[:256] for case in given if isinstance(case, str)]


def _not_loaded(key: ModelKey) -> ServingFault:
    told = f"model {str(key)[:300]} is not loaded at this party: load it with `flow model load`"
    return ServingFault(Code.NO_MODEL, told)


def _failed(row: Fetched) -> Part:
    return Part(code=row.code, message=row.message)


def _told(asked: Asked, found: HostAnswer) -> bytes:
    if not asked.single:
        indexed = list(zip(asked.indexes, found.rows, strict=True))
        return packets.batch_answer(indexed, found.columns)
    part = found.rows[0]
    if part.code:
        return packets.fault_answer(ServingFault(part.code, part.message))
    data = part.data
    if asked.legacy:  # the component's fields stood at the top
        data = {**next(iter(data.values()), dict[str, Any]()), **data}
    return packets.single_answer(data, asked.case_id)
