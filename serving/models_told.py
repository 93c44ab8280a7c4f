"""What is loaded and bound, for operators: as FATE-Serving lists it, and as JSON."""

from __future__ import annotations

from typing import Any

import msgspec

from federation.fate_serving import model_service_pb2 as pb
from serving import scoring
from serving.registry import Binding, Loaded, Snapshot

ALL, FUZZY, EXACT = 0, 1, 2


def answer(snapshot: Snapshot, request: Any) -> Any:
    """The models that a QueryModelRequest asks for, a page of them if it says so."""
    found = []
    for key in sorted(snapshot.models):
        services = snapshot.services_of(key)
        if request.queryType == FUZZY and not any(request.serviceId in s for s in services):
            continue
        if request.queryType == EXACT and (key.namespace, key.table) != (
            request.namespace,
            request.tableName,
        ):
            continue
        found.append((key, services))
    stop = request.endIndex if request.endIndex > request.beginIndex else len(found)
    return pb.QueryModelResponse(
        retcode=0,
        message="success",
        modelInfos=[
            pb.ModelInfoEx(
                tableName=key.table,
                namespace=key.namespace,
                serviceIds=services,
                index=index,
                modelProcessorExt=pb.ModelProcessorExt(
                    nodes=[
                        pb.PipelineNode(name=name, params="{}")
                        for name in snapshot.models[key].components
                    ]
                ),
            )
            for index, (key, services) in enumerate(found)
        ][request.beginIndex : stop],
    )


def model(loaded: Loaded, snapshot: Snapshot) -> dict[str, Any]:
    return {
        "namespace": loaded.key.namespace,
        "version": loaded.key.table,
        "role": loaded.role,
        "party_id": loaded.party_id,
        "remotes": [
            {"role": remote.role, "party_id": remote.party_id, "version": remote.key.table}
            for remote in loaded.remotes
        ],
        "components": list(loaded.components),
        "services": snapshot.services_of(loaded.key),
        "loaded_ms": loaded.loaded_ms,
        "sha256": loaded.sha256,
        "tested": loaded.tested,
        "columns": scoring.columns(loaded),
    }


def service(binding: Binding) -> dict[str, Any]:
    return {
        "service_id": binding.service_id,
        "versions": [
            {
                "namespace": share.key.namespace,
                "version": share.key.table,
                "weight": share.weight,
            }
            for share in binding.shares
        ],
        "shadow": binding.shadow.table if binding.shadow else "",
        "shadow_namespace": binding.shadow.namespace if binding.shadow else "",
        "previous": [share.key.table for share in binding.previous],
        "fallback": binding.policy.fallback,
        "missing": binding.policy.missing,
        "policy": msgspec.to_builtins(binding.policy),
    }
