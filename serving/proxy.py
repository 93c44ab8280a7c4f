"""The role ``proxy``: this site's one door to clients and other parties, without models.

FATE-Serving's topology, for sites whose servings must not be reached from outside: certificates,
signatures, permissions and the route table are here, models and features at servings of the role
``server`` behind it (or FATE-Serving's own servers: only FATE's messages pass).

    clients   --REST-->  here  --InferenceService-->  server
    parties   --gRPC-->  here  --unaryCall-->         server
    server    --gRPC-->  here  --unaryCall-->         another party's proxy or serving
"""

from __future__ import annotations

import time
import uuid
from collections.abc import Callable
from typing import Any

import grpc
import orjson

from federation.fate_serving import inference_pb2 as inference_pb
from federation.fate_serving import proxy_pb2 as pb
from serving import fate_json, grpc_doors, packets
from serving.calls import Asking
from serving.codes import Code, ServingFault
from serving.http_door import (
    BATCH,
    PREFIX,
    SINGLE,
    Gone,
    Receive,
    Scope,
    Send,
    admit_call,
    header,
    read_body,
    send_json,
    unforeseen,
)
from serving.limits import Limits
from serving.managers import Managers
from serving.party_auth import admit_source
from serving.party_link import OPTIONS, PartyLink
from serving.process import Process, listen
from serving.routes import Routes, address
from serving.settings import Settings

_INFERENCE = "/com.webank.ai.fate.api.serving.InferenceService/"
_HEALTH = "/grpc.health.v1.Health/Check"
_SERVING = b"\x08\x01"
READY_S = 1.0

Way = Callable[[pb.Packet, str], PartyLink]


class Proxy(Process):
    """All parts of one process of this role."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, Routes())
        if not settings.party:
            raise ValueError("party: a proxy must know whose it is; set it or give --party")
        self.limits = Limits(settings.in_flight)
        self.stopping = self.refusing = False
        self._server = address(settings.server, "server")
        self._overload = orjson.dumps(fate_json.fault_answer(self.limits.fault()))
        self.door = self

    def servers(self) -> list[grpc.aio.Server]:
        settings = self.settings
        self._channel: Any = grpc.aio.insecure_channel(self._server.target, options=OPTIONS)
        self._own = PartyLink(settings.party, (self._server,), None, settings.in_flight)
        outside, gate = self.grpc_server()
        health = grpc_doors.health_service(lambda: not self.stopping)
        outside.add_generic_rpc_handlers((grpc_doors.party_service(self.from_party, gate), health))
        inside, gate = self.grpc_server()
        own = grpc_doors.party_service(self.from_own, gate, Managers(settings.managers))
        inside.add_generic_rpc_handlers((own, health))
        listen(inside, settings.host, settings.proxy_port, None, "proxy_port")
        return [self.party_port(outside), inside]

    def end(self, *, ready: bool) -> None:
        self.stopping = True
        self.refusing = not ready

    @property
    def is_busy(self) -> bool:
        return self.limits.in_flight > 0

    async def close(self) -> None:
        await super().close()
        await self._own.close()
        await self._channel.close()

    def refusal(self, scope: Scope) -> tuple[int, bytes] | None:
        """See ``http_server.Door``."""
        if not self.limits.full or not scope["path"].startswith(PREFIX):
            return None
        self.limits.refused += 1
        return 200, self._overload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """REST, health and metrics. Raises nothing: every outcome is an answer."""
        path = scope["path"]
        if path.startswith(PREFIX):
            await self._rest(scope, receive, send)
        elif path == "/v2/health/live":
            await send_json(send, b'{"live":true}')
        elif path == "/v2/health/ready":
            ready = not self.stopping and await self._is_server_ready()
            await send_json(send, orjson.dumps({"ready": ready}), 200 if ready else 503)
        elif path == "/metrics":
            self.measures.in_flight.set(self.limits.in_flight)
            self.measures.refused_are(self.limits.refused)
            await send_json(send, self.measures.exposition(), kind=b"text/plain; version=0.0.4")
        else:
            await send_json(send, b'{"error":"a proxy has no such address"}', 404)

    async def from_party(self, packet: pb.Packet, asking: Asking) -> pb.Packet:
        """Another party's packet, answered by our server. Failures are in the body."""
        return await self._passed(packet, asking, self._to_server)

    async def from_own(self, packet: pb.Packet, asking: Asking) -> pb.Packet:
        """Our server's packet, answered by another party."""
        return await self._passed(packet, asking, self._to_party)

    async def _passed(self, packet: pb.Packet, asking: Asking, way: Way) -> pb.Packet:
        started, party, code = time.perf_counter(), packet.header.dst.partyId, 0
        try:
            if self.refusing:
                raise ServingFault(Code.STOPPING, "this proxy is shutting down")
            with self.limits.one():
                await asking.turn()
                link = way(packet, asking.certified)
                found = await link.call(packet, asking.limit_s(self.settings.party_ms / 1000))
        except ServingFault as fault:
            code = fault.code
            found = pb.Packet(header=packet.header)
            found.body.value = packets.fault_answer(fault, on_the_way=True)
        known = party if party == self.settings.party or party in self.routes.routes.parties else ""
        self.measures.answered_party(known, "", code, time.perf_counter() - started)
        return found

    def _to_server(self, packet: pb.Packet, certified: str) -> PartyLink:
        """Raises ServingFault."""
        proof = self.certificates.identity is not None
        admit_source(self.signer, self.routes.routes, packet, certified, proof=proof)
        target = packet.header.dst.partyId
        if target != self.settings.party:
            raise ServingFault(
                Code.NO_ROUTE, f"this is the proxy of party {self.settings.party}, not of {target}"
            )
        return self._own

    def _to_party(self, packet: pb.Packet, _: str) -> PartyLink:
        """Raises ServingFault."""
        target = packet.header.dst.partyId
        if packet.header.src.partyId != self.settings.party:
            raise ServingFault(
                Code.AUTHENTICATION, f"this is the proxy of party {self.settings.party}"
            )
        if not self.routes.routes.to(target):
            raise ServingFault(Code.NO_ROUTE, f"route_table.json has no party {target[:40]}")
        self.signer.sign(packet, target)
        return self.peers.link(target)

    async def _rest(self, scope: Scope, receive: Receive, send: Send) -> None:
        name = scope["path"].rpartition("/")[2]
        started, code = time.perf_counter(), 0
        try:
            admit_call(scope, name)
            if self.refusing:
                raise ServingFault(Code.STOPPING, "this proxy is shutting down")
            body = await read_body(receive, self.settings.most_bytes, self.limits)
            case_id = header(scope, b"caseid") or uuid.uuid4().hex
            flat = fate_json.flattened(body, case_id)
            with self.limits.one():
                content = await self._asked(name, flat, header(scope, b"authorization"))
        except Gone:
            return
        except Exception as error:  # noqa: BLE001 (any failure is an answer)
            fault = error if isinstance(error, ServingFault) else unforeseen(error)
            content, code = orjson.dumps(fate_json.fault_answer(fault)), fault.code
        called = name if name in (SINGLE, BATCH) else ""
        self.measures.answered(called, "", code, time.perf_counter() - started, 1)
        await send_json(send, content)

    async def _asked(self, name: str, flat: dict[str, Any], key: str) -> bytes:
        """The server's answer. Raises ServingFault (105)."""
        limit_ms = self.settings.inference_ms if name == SINGLE else self.settings.batch_ms
        method = self._channel.unary_unary(
            f"{_INFERENCE}{name}",
            request_serializer=inference_pb.InferenceMessage.SerializeToString,
            response_deserializer=inference_pb.InferenceMessage.FromString,
        )
        message = inference_pb.InferenceMessage(body=orjson.dumps(flat))
        metadata = (("authorization", key),) if key else ()
        try:
            answer = await method(message, timeout=limit_ms / 1000, metadata=metadata)
        except grpc.aio.AioRpcError as error:
            raise ServingFault(
                Code.NETWORK, f"remote rpc exception: this site's server: {error.code().name}"
            ) from None
        return bytes(answer.body)

    async def _is_server_ready(self) -> bool:
        try:
            answer = await self._channel.unary_unary(_HEALTH)(b"", timeout=READY_S)
        except grpc.aio.AioRpcError:
            return False
        return bool(answer == _SERVING)
