"""FATE-Serving's gRPC services, over one table: method name, messages, who answers."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import grpc
import msgspec
import orjson
from google.protobuf.message import DecodeError

from federation import certificate
from federation.fate_serving import common_service_pb2 as common
from federation.fate_serving import inference_pb2 as inference_pb
from federation.fate_serving import model_service_pb2 as manager
from federation.fate_serving import proxy_pb2 as proxy
from federation.fate_serving import router_service_pb2 as router
from serving import fate_json, models_told
from serving.access_log import AccessLog
from serving.calls import Answer, Asking
from serving.codes import Code, ServingFault
from serving.fetching import Source
from serving.grpc_gate import Gate
from serving.http_door import BATCH, SINGLE, check_key
from serving.inference import Inference
from serving.limits import Limits
from serving.managers import Managers
from serving.measures import Measures
from serving.model_life import LoadRequest, ModelLife
from serving.registry import ModelKey, Remote, Share
from serving.routes import RouteFile
from serving.routes import parse as parse_routes
from serving.settings import Settings

_log = logging.getLogger(__name__)

Handler = Callable[[Any, Any], Awaitable[Any]]


def inference_service(
    settings: Settings, inference: Inference, limits: Limits, access: AccessLog, gate: Gate
) -> grpc.GenericRpcHandler:
    """``InferenceService``: the REST calls with the flat JSON as body."""
    refusal = orjson.dumps(fate_json.fault_answer(limits.fault()))

    async def answered(request: Any, context: Any, name: str) -> Any:
        started = time.perf_counter()
        if limits.full:
            limits.refused += 1
            return inference_pb.InferenceMessage(body=refusal)
        clock, call = asyncio.get_running_loop().time(), None
        try:
            sent = dict(context.invocation_metadata() or ())
            check_key(str(sent.get("authorization", "")), settings.key)
            flat = fate_json.flattened(request.body)
            if name == SINGLE:
                call = fate_json.single(flat, clock + settings.inference_ms / 1000)
            else:
                call = fate_json.batch(flat, clock + settings.batch_ms / 1000, settings.most_rows)
            call.size = len(request.body)
            with limits.one():
                await gate.turn(context.time_remaining())
                answer = await inference.answer(call, name)
            shaped = fate_json.single_answer if name == SINGLE else fate_json.batch_answer
            told = shaped(answer)
        except ServingFault as fault:
            told = fate_json.fault_answer(fault)
            answer = Answer(rows=[], code=fault.code, message=str(fault))
        access.wrote(f"grpc {name}", call, answer, "", time.perf_counter() - started)
        return inference_pb.InferenceMessage(body=orjson.dumps(told))

    async def single(request: Any, context: Any) -> Any:
        return await answered(request, context, SINGLE)

    async def batch(request: Any, context: Any) -> Any:
        return await answered(request, context, BATCH)

    message = inference_pb.InferenceMessage
    return _service(
        "com.webank.ai.fate.api.serving.InferenceService",
        {SINGLE: (single, message, message), BATCH: (batch, message, message)},
    )


Answering = Callable[[Any, Asking], Awaitable[Any]]


def party_service(
    answer: Answering, gate: Gate, managers: Managers | None = None
) -> grpc.GenericRpcHandler:
    """``DataTransferService``: other parties' calls. managers: who may call where no certificate
    and no signature says who does."""

    async def unary_call(packet: Any, context: Any) -> Any:
        if managers is not None:
            managers.admit(context)
        left_s = context.time_remaining()
        asking = Asking(
            certified=_certified(context), turn=lambda: gate.turn(left_s), left_s=left_s
        )
        return await answer(packet, asking)

    return _service(
        "com.webank.ai.fate.api.networking.proxy.DataTransferService",
        {"unaryCall": (unary_call, proxy.Packet, proxy.Packet)},
    )


def model_service(life: ModelLife, managers: Managers) -> grpc.GenericRpcHandler:
    """``ModelService``: what FATE-Flow calls to load and bind."""

    async def load(request: Any, context: Any) -> Any:
        managers.admit(context)
        await life.load(load_request(request))
        return manager.PublishResponse(statusCode=0, message="success", data=b"{}")

    async def bind(request: Any, context: Any) -> Any:
        managers.admit(context)
        await life.bind(request.serviceId, [Share(bound_key(request))])
        return manager.PublishResponse(statusCode=0, message="success", data=b"{}")

    async def unload(request: Any, context: Any) -> Any:
        managers.admit(context)
        await life.unload(ModelKey(request.namespace, request.tableName))
        return manager.UnloadResponse(statusCode=0, message="success")

    async def unbind(request: Any, context: Any) -> Any:
        managers.admit(context)
        key = ModelKey(request.namespace, request.tableName) if request.tableName else None
        await life.unbind(list(request.serviceIds), key)
        return manager.UnbindResponse(statusCode=0, message="success")

    async def query(request: Any, context: Any) -> Any:
        managers.admit(context)
        return models_told.answer(life.registry.snapshot, request)

    async def refused(_: Any, __: Any) -> Any:
        return manager.FetchModelResponse(statusCode=int(Code.SYNCHRONISE), message=_NO_SYNC)

    async def not_sent(_: Any, __: Any) -> Any:
        return manager.ModelTransferResponse(statusCode=int(Code.SYNCHRONISE), message=_NO_SYNC)

    published = (manager.PublishRequest, manager.PublishResponse)
    return _service(
        "com.webank.ai.fate.api.mlmodel.manager.ModelService",
        {
            "publishLoad": (load, *published),
            "publishBind": (bind, *published),
            "publishOnline": (bind, *published),
            "unload": (unload, manager.UnloadRequest, manager.UnloadResponse),
            "unbind": (unbind, manager.UnbindRequest, manager.UnbindResponse),
            "queryModel": (query, manager.QueryModelRequest, manager.QueryModelResponse),
            "fetchModel": (refused, manager.FetchModelRequest, manager.FetchModelResponse),
            "modelTransfer": (
                not_sent,
                manager.ModelTransferRequest,
                manager.ModelTransferResponse,
            ),
        },
    )


_NO_SYNC = "servings do not copy models from each other here: load it with `flow model load`"


def common_service(
    settings: Settings,
    life: ModelLife,
    measures: Measures,
    started_ms: int,
    managers: Managers,
) -> grpc.GenericRpcHandler:
    """``CommonService``: metrics, limits, properties, health."""

    async def metrics(request: Any, context: Any) -> Any:
        managers.admit(context)
        end_ms = request.endMs or int(time.time() * 1000)
        prefix = "M_" if request.type else "I_"
        found = {
            source: measures.history(source, request.beginMs, end_ms)
            for source in measures.sources()
            if source.startswith(prefix)
            and request.source in ("", source, source.removeprefix(prefix))
        }
        return _common(found)

    async def rule(request: Any, context: Any) -> Any:
        managers.admit(context)
        await life.set_rate(request.source, request.allowQps)
        return _common({})

    async def properties(request: Any, context: Any) -> Any:
        managers.admit(context)
        told = {k: v for k, v in msgspec.to_builtins(settings).items() if k not in _SECRET}
        return _common({k: v for k, v in told.items() if request.keyword in k})

    async def health(_: Any, context: Any) -> Any:
        managers.admit(context)
        snapshot = life.registry.snapshot
        return _common(
            {
                "started": started_ms,
                "models": len(snapshot.models),
                "services": len(snapshot.services),
                "parties": life.peers.states(),
                "problems": life.problems,
            }
        )

    answer = common.CommonResponse
    return _service(
        "com.webank.ai.fate.api.networking.common.CommonService",
        {
            "queryMetrics": (metrics, common.QueryMetricRequest, answer),
            "updateFlowRule": (rule, common.UpdateFlowRuleRequest, answer),
            "listProps": (properties, common.QueryPropsRequest, answer),
            "checkHealthService": (health, common.CheckHealthRequest, answer),
            "queryJvmInfo": (_of_java, common.QueryJvmInfoRequest, answer),
            "updateService": (_of_java, common.UpdateServiceRequest, answer),
            "updateConfig": (_of_java, common.UpdateConfigRequest, answer),
        },
    )


def router_service(routes: RouteFile, path: Path, managers: Managers) -> grpc.GenericRpcHandler:
    """``RouterTableService``: the route table, shown and replaced."""

    async def query(_: Any, context: Any) -> Any:
        managers.admit(context)
        text = path.read_text() if path.is_file() else "{}"
        return router.RouterOperateResponse(statusCode=0, message="success", data=text)

    async def save(request: Any, context: Any) -> Any:
        managers.admit(context)
        try:
            parse_routes(request.routerInfo, path.name)
        except ValueError as error:
            return router.RouterOperateResponse(
                statusCode=int(Code.ROUTE_UPDATE), message=str(error)
            )
        draft = path.with_suffix(".draft")
        draft.write_text(request.routerInfo)
        draft.rename(path)
        routes.refresh()
        return router.RouterOperateResponse(statusCode=0, message="success")

    messages = (router.RouterOperateRequest, router.RouterOperateResponse)
    return _service(
        "com.webank.ai.fate.serving.proxy.rpc.grpc.RouterTableService",
        {"queryRouter": (query, *messages), "saveRouter": (save, *messages)},
    )


def health_service(is_ready: Callable[[], bool]) -> grpc.GenericRpcHandler:
    """``grpc.health.v1.Health``: SERVING (1) or NOT_SERVING (2), written by hand."""

    async def check(_: bytes, __: Any) -> bytes:
        return b"\x08\x01" if is_ready() else b"\x08\x02"

    handler = grpc.unary_unary_rpc_method_handler(check)  # type: ignore[arg-type]
    return grpc.method_handlers_generic_handler("grpc.health.v1.Health", {"Check": handler})


def load_request(request: Any) -> LoadRequest:
    """What a PublishRequest says. Raises ServingFault (107) if it does not name our model."""
    role, party = request.local.role, request.local.partyId
    own = request.model[role].roleModelInfo.get(party) if role in request.model else None
    if own is None:
        raise ServingFault(
            Code.LOAD, f"the request names no model of {role or 'a role'} {party or 'and party'}"
        )
    other = "host" if role == "guest" else "guest"
    infos = request.model[other].roleModelInfo if other in request.model else {}
    remotes = tuple(
        Remote(other, party_id, ModelKey(info.namespace, info.tableName))
        for party_id, info in sorted(infos.items())
    )
    kind = request.loadType.upper()
    if kind == "FILE":
        source = Source("file", request.filePath)
    elif kind in ("", "FATEFLOW"):
        source = Source("fateflow", request.filePath)
    else:
        raise ServingFault(Code.LOAD, f"loadType {kind[:20]!r}: FATEFLOW or FILE is allowed")
    key = ModelKey(own.namespace, own.tableName)
    return LoadRequest(key=key, role=role, party_id=party, remotes=remotes, source=source)


def bound_key(request: Any) -> ModelKey:
    """The model of a bind request. Raises ServingFault (109)."""
    role = request.local.role
    parties = request.role[role].partyId if role in request.role else ()
    infos = request.model[role].roleModelInfo if role in request.model else {}
    info = infos.get(parties[0]) if parties else None
    if info is None:
        raise ServingFault(Code.BIND, f"the request names no model of {role or 'a role'}")
    return ModelKey(info.namespace, info.tableName)


async def _of_java(_: Any, __: Any) -> Any:
    raise ServingFault(Code.COMMAND, "this serving is no Java process of FATE-Serving")


_SECRET = {"key", "adapter_options"}


def _common(data: Any) -> Any:
    return common.CommonResponse(statusCode=0, message="success", data=orjson.dumps(data))


def _certified(context: Any) -> str:
    """The party that the client's certificate names, "" in plaintext."""
    shown = list(context.auth_context().get("x509_pem_cert", [b""]))
    return certificate.party_of(bytes(shown[0])) if shown and shown[0] else ""


def _service(
    name: str, methods: dict[str, tuple[Handler, type[Any], type[Any]]]
) -> grpc.GenericRpcHandler:
    handlers = {
        method: grpc.unary_unary_rpc_method_handler(
            _guarded(handler, question, answer),  # type: ignore[arg-type]
            response_serializer=answer.SerializeToString,
        )
        for method, (handler, question, answer) in methods.items()
    }
    return grpc.method_handlers_generic_handler(name, handlers)


def _guarded(handler: Handler, question: type[Any], answer: type[Any]) -> Handler:
    """Bytes that are no message, faults, and what nobody foresaw, end as a code."""

    async def guarded(content: bytes, context: Any) -> Any:
        try:
            request = question.FromString(content)
        except DecodeError:
            return _failed(answer, Code.BAD_PARAMETER, f"no {question.DESCRIPTOR.name}")
        try:
            return await handler(request, context)
        except asyncio.CancelledError:
            raise
        except ServingFault as fault:
            return _failed(answer, fault.code, str(fault))
        except Exception as error:  # noqa: BLE001 (any failure is an answer)
            _log.exception("a call failed")
            return _failed(answer, Code.SYSTEM, f"internal error: {type(error).__name__}")

    return guarded


def _failed(answer: type[Any], code: int, told: str) -> Any:
    """A code in whatever shape a service answers."""
    names = answer.DESCRIPTOR.fields_by_name
    if answer is manager.PublishResponse:
        return answer(statusCode=int(code), message=told, data=b"{}")
    if "statusCode" in names:
        return answer(statusCode=int(code), message=told)
    if "retcode" in names:
        return answer(retcode=int(code), message=told)
    body = orjson.dumps({"retcode": int(code), "retmsg": told, "data": {}, "flag": 0})
    return answer(body=proxy.Data(value=body) if answer is proxy.Packet else body)
