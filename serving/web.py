"""All of HTTP but FATE's two calls: open protocol, health, metrics, management, docs."""

from __future__ import annotations

import asyncio
import hmac
import logging
import time
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import orjson
from google.protobuf import json_format
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from federation.fate_serving import proxy_pb2 as proxy
from serving import models_told, open_protocol, openapi, scoring
from serving.access_log import AccessLog
from serving.calls import Answer, Asking
from serving.codes import Code, ServingFault, http_status
from serving.fetching import Source
from serving.host_desk import HostDesk
from serving.http_door import (
    BATCH,
    PREFIX,
    SINGLE,
    FateDoor,
    Gone,
    Receive,
    Scope,
    Send,
    check_key,
    read_body,
)
from serving.inference import Inference
from serving.limits import Limits
from serving.measures import Measures
from serving.model_life import LoadRequest, ModelLife
from serving.registry import Loaded, ModelKey, Policy, Remote, Share
from serving.settings import Settings

_log = logging.getLogger(__name__)

Handler = Callable[[Request], Awaitable[Response]]

READY_S = 1.0
"""So long it is remembered whether a model's hosts answer."""


class Web:
    """The ASGI application of one process."""

    def __init__(
        self,
        settings: Settings,
        inference: Inference,
        limits: Limits,
        measures: Measures,
        life: ModelLife,
        desk: HostDesk,
        access: AccessLog,
        *,
        unary_allowed: bool,
    ) -> None:
        """unary_allowed: whether packets of other parties may come over HTTP, where no certificate
        says whose they are."""
        self.settings, self.inference, self.limits = settings, inference, limits
        self.measures, self.life, self.desk, self.access = measures, life, desk, access
        self.fate = FateDoor(settings, inference, limits, access, self._token)
        self.stopping = False
        self._unary_allowed = unary_allowed
        self._told_ready: dict[str, tuple[float, str]] = {}
        handlers = {404: _no_such, 405: _no_such}
        self._rest = Starlette(routes=self._routes(), exception_handlers=handlers)
        self._overload = _refusal(limits.fault())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http" and scope["path"].startswith(PREFIX):
            await self.fate(scope, receive, send)
        else:
            await self._rest(scope, receive, send)

    def refusal(self, scope: Scope) -> tuple[int, bytes] | None:
        """See ``http_server.Door``. Whoever looks after the process always gets in."""
        path: str = scope["path"]
        if path.startswith(PREFIX):
            return self.fate.refusal(scope)
        if not self.limits.full or not path.endswith("/infer"):
            return None
        self.limits.refused += 1
        return self._overload.status_code, bytes(self._overload.body)

    @property
    def is_ready(self) -> bool:
        """Whether requests are taken: all that was kept is restored, and nobody asked to stop."""
        return self.life.restored and not self.stopping

    def stop(self) -> None:
        """From now on requests are refused with 111 (503)."""
        self.stopping = self.fate.stopping = self.desk.stopping = True

    def _routes(self) -> list[Route]:
        model = "/v2/models/{model}"
        version = f"{model}/versions/{{version}}"
        table: list[tuple[str, str, Handler]] = [
            ("GET", "/v2", self.server),
            ("GET", "/v2/health/live", self.live),
            ("GET", "/v2/health/ready", self.ready),
            ("GET", model, self.metadata),
            ("GET", version, self.metadata),
            ("GET", f"{model}/ready", self.model_ready),
            ("GET", f"{version}/ready", self.model_ready),
            ("POST", f"{model}/infer", self.infer),
            ("POST", f"{version}/infer", self.infer),
            ("GET", "/metrics", self.metrics),
            ("POST", "/unary", self.unary),
            ("GET", "/openapi.json", self.described),
            ("GET", "/docs", self.docs),
            ("GET", "/v1/serving/status", self.status),
            ("POST", "/v1/serving/load", self.load),
            ("POST", "/v1/serving/bind", self.bind),
            ("POST", "/v1/serving/rollback", self.rollback),
            ("POST", "/v1/serving/unbind", self.unbind),
            ("POST", "/v1/serving/unload", self.unload),
            ("POST", "/v1/serving/rate", self.rate),
        ]
        return [
            Route(path, self._guarded(handler), methods=[verb]) for verb, path, handler in table
        ]

    def _guarded(self, handler: Handler) -> Handler:
        """Faults as statuses, with words."""

        async def guarded(request: Request) -> Response:
            try:
                return await handler(request)
            except Gone:
                return Response(status_code=400)
            except ServingFault as fault:
                return _refusal(fault)
            except Exception as error:  # noqa: BLE001 (any failure is an answer)
                _log.exception("a call failed")
                told = f"internal error: {type(error).__name__}"
                return _refusal(ServingFault(Code.SYSTEM, told))

        return guarded

    async def server(self, _: Request) -> Response:
        return _json({"name": "distaff", "version": "2", "extensions": ["health", "metrics"]})

    async def live(self, _: Request) -> Response:
        return _json({"live": True})

    async def ready(self, _: Request) -> Response:
        down = [party for party, is_up in self.life.peers.states().items() if not is_up]
        told = {"ready": self.is_ready, "degraded": down, "problems": self.life.problems}
        return _json(told, 200 if self.is_ready else 503)

    async def metadata(self, request: Request) -> Response:
        snapshot = self.life.registry.snapshot
        service_id, model = self._named(request)
        binding = snapshot.services[service_id]
        versions = [share.key.table for share in binding.shares]
        return _json(open_protocol.metadata(service_id, versions, scoring.datatypes(model)))

    async def model_ready(self, request: Request) -> Response:
        """Bound, and every host answers for it. Hosts are asked once a second at most."""
        service_id, model = self._named(request)
        until, problem = self._told_ready.get(service_id, (0.0, ""))
        if until < time.monotonic():
            problem = await self.life.unready_hosts(model)
            self._told_ready[service_id] = (time.monotonic() + READY_S, problem)
        if problem:
            return _json({"ready": False, "error": problem}, 503)
        return _json({"ready": self.is_ready}, 200 if self.is_ready else 503)

    def _named(self, request: Request) -> tuple[str, Loaded]:
        """The service of a path, and the version that it names or that answers. Raises ServingFault
        (104)."""
        service_id = request.path_params["model"]
        version = request.path_params.get("version", "")
        snapshot = self.life.registry.snapshot
        return service_id, snapshot.serving(service_id, "", version, exact=True)

    async def infer(self, request: Request) -> Response:
        started = time.perf_counter()
        call = None
        answer = Answer(rows=[])
        try:
            if self.stopping:
                raise ServingFault(Code.STOPPING, "this serving is shutting down")
            check_key(request.headers.get("authorization", ""), self.settings.key, self._token)
            body = await read_body(request.receive, self.settings.most_bytes, self.limits)
            service, version = request.path_params["model"], request.path_params.get("version", "")
            call = open_protocol.call(body, service, version, 0.0, self.settings.most_rows)
            single = len(call.rows) == 1
            limit_ms = self.settings.inference_ms if single else self.settings.batch_ms
            call.deadline = asyncio.get_running_loop().time() + limit_ms / 1000
            with self.limits.one():
                answer = await self.inference.answer(call, SINGLE if single else BATCH)
            fault = open_protocol.fault_of(answer)
            if fault is not None:
                raise fault
            return Response(
                orjson.dumps(open_protocol.answer(call, answer)), media_type="application/json"
            )
        except ServingFault as fault:
            if not answer.code:
                answer = Answer(rows=[], code=fault.code, message=str(fault))
            raise
        except Exception as error:
            answer = Answer(rows=[], code=int(Code.SYSTEM), message=type(error).__name__)
            raise
        finally:
            self.access.wrote("v2", call, answer, "", time.perf_counter() - started)

    async def metrics(self, _: Request) -> Response:
        self.measures.in_flight.set(self.limits.in_flight)
        self.measures.looked_up_are("answers", self.inference.kept.lookups)
        if self.desk.features is not None:
            self.measures.looked_up_are("features", self.desk.features.lookups)
        self.measures.refused_are(self.limits.refused + self.desk.limits.refused)
        return Response(self.measures.exposition(), media_type="text/plain; version=0.0.4")

    async def unary(self, request: Request) -> Response:
        """Other parties' packets as JSON, for routes that are URLs."""
        if not self._unary_allowed:
            raise ServingFault(
                Code.AUTHENTICATION,
                "packets over HTTP must be signed: set auth and auth_file, or use the gRPC port",
            )
        body = await read_body(request.receive, self.settings.most_bytes, self.limits)
        try:
            packet = json_format.Parse(body, proxy.Packet(), ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            raise ServingFault(Code.BAD_PARAMETER, "the body is no packet in JSON") from None
        found = await self.desk.answer(packet, Asking(turn=_at_once))
        return Response(json_format.MessageToJson(found), media_type="application/json")

    async def described(self, _: Request) -> Response:
        return _json(openapi.document())

    async def docs(self, _: Request) -> Response:
        return Response(openapi.page(), media_type="text/html")

    async def status(self, request: Request) -> Response:
        self._admit(request)
        snapshot = self.life.registry.snapshot
        return _json(
            {
                "party": self.settings.party,
                "ready": self.is_ready,
                "problems": self.life.problems,
                "models": [
                    models_told.model(snapshot.models[key], snapshot)
                    for key in sorted(snapshot.models)
                ],
                "services": [
                    {
                        **models_told.service(binding),
                        "traffic": self.measures.traffic(service_id),
                    }
                    for service_id, binding in sorted(snapshot.services.items())
                ],
                "parties": self.life.peers.states(),
                "rates": self.limits.rates(),
                "in_flight": self.limits.in_flight,
            }
        )

    async def load(self, request: Request) -> Response:
        self._admit(request)
        asked = await _read(request, Load)
        loaded = await self.life.load(
            LoadRequest(
                key=ModelKey(asked.namespace, asked.version),
                role=asked.role,
                party_id=asked.party_id,
                remotes=tuple(
                    Remote(remote.role, remote.party_id, ModelKey(remote.namespace, remote.version))
                    for remote in asked.remotes
                ),
                source=asked.source,
            )
        )
        return _json(models_told.model(loaded, self.life.registry.snapshot))

    async def bind(self, request: Request) -> Response:
        self._admit(request)
        asked = await _read(request, Bind)
        if not asked.versions or any(version.weight <= 0 for version in asked.versions):
            raise ServingFault(
                Code.ADMIN_PARAMETER, "versions must name at least one, each of a weight above 0"
            )
        shares = [Share(ModelKey(v.namespace, v.version), v.weight) for v in asked.versions]
        shadow = asked.shadow and ModelKey(asked.shadow.namespace, asked.shadow.version)
        binding = await self.life.bind(
            asked.service_id,
            shares,
            shadow=shadow or None,
            policy=asked.policy,
            force=asked.force,
        )
        return _json(models_told.service(binding))

    async def rollback(self, request: Request) -> Response:
        self._admit(request)
        asked = await _read(request, OfService)
        return _json(models_told.service(await self.life.roll_back(asked.service_id)))

    async def unbind(self, request: Request) -> Response:
        self._admit(request)
        asked = await _read(request, OfService)
        await self.life.unbind([asked.service_id])
        return _json({"unbound": asked.service_id})

    async def unload(self, request: Request) -> Response:
        self._admit(request)
        asked = await _read(request, Named)
        await self.life.unload(ModelKey(asked.namespace, asked.version))
        return _json({"unloaded": asked.version})

    async def rate(self, request: Request) -> Response:
        self._admit(request)
        asked = await _read(request, Rate)
        await self.life.set_rate(asked.source, asked.rows_per_second)
        return _json({"rates": self.limits.rates()})

    def _admit(self, request: Request) -> None:
        """Management is for whoever holds the token in ``<home>/serving/admin.token``."""
        expected = self._token()
        given = request.headers.get("authorization", "").removeprefix("Bearer ")
        if not expected or not hmac.compare_digest(given.encode(), expected.encode()):
            raise ServingFault(
                Code.TOKEN,
                "send the token in <home>/serving/admin.token as `Authorization: Bearer ...`",
            )

    def _token(self) -> str:
        path = self.settings.root / "admin.token"
        return path.read_text().strip() if path.is_file() else ""


class Named(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    version: str
    weight: int = 100


class RemoteNamed(msgspec.Struct, frozen=True, kw_only=True):
    role: str
    party_id: str
    namespace: str
    version: str


class Load(msgspec.Struct, frozen=True, kw_only=True):
    namespace: str
    version: str
    role: str
    party_id: str
    source: Source
    remotes: tuple[RemoteNamed, ...] = ()


class Bind(msgspec.Struct, frozen=True, kw_only=True):
    service_id: str
    versions: tuple[Named, ...]
    shadow: Named | None = None
    policy: Policy | None = None
    force: bool = False


class OfService(msgspec.Struct, frozen=True, kw_only=True):
    service_id: str


class Rate(msgspec.Struct, frozen=True, kw_only=True):
    source: str
    rows_per_second: float


async def _read(request: Request, shape: type[Any]) -> Any:
    """Raises ServingFault (120) naming the field that is wrong."""
    try:
        return msgspec.json.decode(await request.body(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ServingFault(Code.ADMIN_PARAMETER, f"the request: {error}") from None


def _refusal(fault: ServingFault) -> Response:
    headers = {"retry-after": "1"} if fault.code == Code.OVERLOAD else None
    told: dict[str, Any] = {"error": str(fault), "retcode": fault.code}
    if fault.hosts:
        told["hosts"] = fault.hosts
    return JSONResponse(told, status_code=http_status(fault.code), headers=headers)


async def _at_once() -> None:
    """Over HTTP a request has its turn when it is read."""


async def _no_such(request: Request, error: Exception) -> Response:
    status = getattr(error, "status_code", 404)
    told = "no such address" if status == 404 else f"{request.method} is not for this address"
    return JSONResponse({"error": f"{told}; see /docs"}, status, getattr(error, "headers", None))


def _json(told: Any, status: int = 200) -> Response:
    return Response(orjson.dumps(told), status, media_type="application/json")
