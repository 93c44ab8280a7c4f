"""This site's online inference, as fateflow tells of it and as it is ordered to change."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard import declared
from fateboard.errors import Refused
from fateboard.flow_client import Flow, FlowRefused
from fateboard.jobs import integer, listed, mapping, number, text
from fateboard.shapes import (
    Serving,
    ServingLimit,
    ServingModel,
    ServingName,
    ServingParty,
    ServingPolicy,
    ServingRemote,
    ServingSecond,
    ServingService,
    ServingVersion,
)

LONGEST = 300
MOST_VERSIONS = 20
MOST_WEIGHT = 1_000_000

Told = dict[str, Any]


class Weighted(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    version: str
    weight: int


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    """policy: null keeps the one that is in force."""

    service_id: str
    versions: list[Weighted]
    shadow: ServingName | None = None
    policy: ServingPolicy | None = None


class OfService(msgspec.Struct, frozen=True, kw_only=True):
    service_id: str


Unload = ServingName


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    """rows_per_second: 0 lifts the limit."""

    source: str
    rows_per_second: float


Order = Bind | OfService | ServingName | Rate


def status(flow: Flow, now_ms: int) -> Serving:
    """Raises Refused. A fateflow that knows nothing of servings runs none."""
    try:
        told = flow.shared("serving/status").data
    except FlowRefused as refused:
        if "NotFound" not in refused.retmsg:
            raise
        told = {}
    return shown(mapping(told), now_ms)


def shown(told: Told, now_ms: int) -> Serving:
    """Nothing in what is told is trusted to have the right type."""
    rates = {
        source: rate
        for source, given in mapping(told.get("rates")).items()
        if (rate := number(given)) is not None
    }
    parties = mapping(told.get("parties"))
    return Serving(
        running=told.get("running") is True,
        now_ms=now_ms,
        url=text(told.get("url")),
        party=text(told.get("party")),
        ready=told.get("ready") is True,
        in_flight=integer(told.get("in_flight")) or 0,
        problems=[declared.label(problem) for problem in _words(told.get("problems"))],
        services=[_service(row, rates) for row in listed(told, "services")],
        models=[_model(row, rates) for row in listed(told, "models")],
        parties=[ServingParty(party_id=party, up=up is True) for party, up in parties.items()],
        limits=[
            ServingLimit(source=source, rows_per_second=rate)
            for source, rate in sorted(rates.items())
        ],
    )


def about(order: Order) -> str:
    """What an order is about, for the audit log."""
    if isinstance(order, Bind):
        shares = ", ".join(f"{one.version} x{one.weight}" for one in order.versions)
        shadow = f", shadow {order.shadow.version}" if order.shadow else ""
        policy = f", fallback {order.policy.fallback}" if order.policy else ""
        return f"{order.service_id}: {shares}{shadow}{policy}"
    if isinstance(order, OfService):
        return order.service_id
    if isinstance(order, Rate):
        return f"{order.source}: {order.rows_per_second:g} rows/s"
    return f"{order.version} of {order.namespace}"


def check(order: Order) -> None:
    """Raises Refused (400) for what the serving could not do."""
    if isinstance(order, Bind):
        if not 1 <= len(order.versions) <= MOST_VERSIONS:
            raise Refused(400, "number", name="versions", least=1, most=MOST_VERSIONS)
        for one in order.versions:
            if not 1 <= one.weight <= MOST_WEIGHT:
                raise Refused(400, "number", name="weight", least=1, most=MOST_WEIGHT)
    if isinstance(order, Rate) and not 0 <= order.rows_per_second <= MOST_WEIGHT:
        raise Refused(400, "number", name="rows_per_second", least=0, most=MOST_WEIGHT)
    if len(about(order)) > LONGEST * MOST_VERSIONS:
        raise Refused(400, "bad_request", why="a name is too long")


def _service(row: Told, rates: dict[str, float]) -> ServingService:
    service_id = text(row.get("service_id"))
    versions = listed(row, "versions")
    total = sum(integer(one.get("weight")) or 0 for one in versions) or 1
    shadow = text(row.get("shadow"))
    return ServingService(
        service_id=service_id,
        versions=[
            ServingVersion(
                namespace=text(one.get("namespace")),
                version=text(one.get("version")),
                weight=(weight := integer(one.get("weight")) or 0),
                share=weight / total,
            )
            for one in versions
        ],
        shadow=ServingName(namespace=text(row.get("shadow_namespace")), version=shadow)
        if shadow
        else None,
        previous=_words(row.get("previous")),
        policy=_policy(row),
        traffic=[_second(one) for one in listed(row, "traffic")],
        limit=rates.get(f"S_{service_id}"),
    )


def _policy(row: Told) -> ServingPolicy:
    try:
        return msgspec.convert(mapping(row.get("policy")), ServingPolicy)
    except msgspec.ValidationError:
        return ServingPolicy()


def _second(row: Told) -> ServingSecond:
    return ServingSecond(
        at_ms=integer(row.get("timestamp")) or 0,
        answered=integer(row.get("passQps")) or 0,
        failed=integer(row.get("exceptionQps")) or 0,
        refused=integer(row.get("blockQps")) or 0,
        latency_ms=number(row.get("rt")) or 0.0,
    )


def _model(row: Told, rates: dict[str, float]) -> ServingModel:
    namespace, version = text(row.get("namespace")), text(row.get("version"))
    return ServingModel(
        namespace=namespace,
        version=version,
        role=text(row.get("role")),
        party_id=text(row.get("party_id")),
        remotes=[
            ServingRemote(
                role=text(one.get("role")),
                party_id=text(one.get("party_id")),
                version=text(one.get("version")),
            )
            for one in listed(row, "remotes")
        ],
        components=_words(row.get("components")),
        columns=_words(row.get("columns")),
        services=_words(row.get("services")),
        loaded_ms=integer(row.get("loaded_ms")),
        sha256=text(row.get("sha256")),
        tested=declared.label(text(row.get("tested"))),
        limit=rates.get(f"M_{version}_{namespace}"),
    )


def _words(value: Any) -> list[str]:
    return [word for word in value if isinstance(word, str)] if isinstance(value, list) else []
