"""Telling servings of models: FATE-Serving's ``ModelService`` over gRPC, ours or theirs.

A site's own serving is told if the site runs one; a request may name others as ``host:port``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fateflow.domain import ids
from fateflow.errors import FlowError
from fateflow.settings import Settings
from federation.fate_serving import model_service_pb2 as pb

SERVICE = "com.webank.ai.fate.api.mlmodel.manager.ModelService"
LIMIT_S = 60.0


def addresses(settings: Settings, given: Sequence[str]) -> list[str]:
    """Servings to tell: those given, else the site's own, else none."""
    if given:
        return list(given)
    if not settings.serving:
        return []
    return [f"{settings.reachable_host}:{settings.serving_grpc_port}"]


def publish(
    address: str,
    role: str,
    party_id: str,
    model_id: str,
    version: str,
    roles: Mapping[str, Sequence[Any]],
    *,
    service_id: str = "",
    transfer_url: str = "",
) -> None:
    """Have a serving load a model, or bind it to a service id if one is given.

    Raises FlowError (100) with the serving's own words.
    """
    request = pb.PublishRequest(
        local=pb.LocalInfo(role=role, partyId=party_id),
        serviceId=service_id,
        tableName=version,
        namespace=ids.party_model_id(role, party_id, model_id),
        loadType="FATEFLOW",
        filePath=transfer_url,
    )
    for other, parties in roles.items():
        if other not in ("guest", "host"):
            continue
        request.role[other].partyId.extend(str(party) for party in parties)
        for party in parties:
            named = ids.party_model_id(other, str(party), model_id)
            info = request.model[other].roleModelInfo[str(party)]
            info.tableName, info.namespace = version, named
    _call(address, "publishBind" if service_id else "publishLoad", request, pb.PublishResponse)


def unload(address: str, role: str, party_id: str, model_id: str, version: str) -> None:
    """Raises FlowError (100)."""
    request = pb.UnloadRequest(
        tableName=version, namespace=ids.party_model_id(role, party_id, model_id)
    )
    _call(address, "unload", request, pb.UnloadResponse)


def unbind(
    address: str, role: str, party_id: str, model_id: str, version: str, service_id: str
) -> None:
    """Raises FlowError (100)."""
    request = pb.UnbindRequest(
        serviceIds=[service_id],
        tableName=version,
        namespace=ids.party_model_id(role, party_id, model_id),
    )
    _call(address, "unbind", request, pb.UnbindResponse)


def _call(address: str, method: str, request: Any, answer: type[Any]) -> None:
    """Raises FlowError (100): no answer, or the serving's own words."""
    import grpc  # 20 MB that a fateflow without servings does not need

    with grpc.insecure_channel(address) as channel:
        call: Any = channel.unary_unary(
            f"/{SERVICE}/{method}",
            request_serializer=type(request).SerializeToString,
            response_deserializer=answer.FromString,
        )
        try:
            reply = call(request, timeout=LIMIT_S)
        except grpc.RpcError as error:
            code = error.code().name if isinstance(error, grpc.Call) else type(error).__name__
            raise FlowError(
                f"serving at {address} does not answer ({code}): start it with "
                "`distaff up --serving`, or name others with `servings`"
            ) from None
    if reply.statusCode:
        raise FlowError(f"serving at {address}: {reply.message} (code {reply.statusCode})")
