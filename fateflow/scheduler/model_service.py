"""Which models servings use: `flow model load`, `bind`, `unbind`, `unload`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fateflow.domain import ids
from fateflow.domain.conf import party_text
from fateflow.errors import ArgumentError, FlowError, NotThere, PeerError, RetCode
from fateflow.scheduler import servings
from fateflow.site import Site
from fateflow.store import models
from fateflow.store.database import now_ms
from fateflow.store.orm import ModelRow, ModelServiceRow
from fateflow.wire.control import ForgetModel, LoadModel, OnServing

NOT_DEPLOYED = (
    "Only deployed models could be used to execute process of loading. "
    "Please deploy model before loading."
)
SERVING_ROLES = ("guest", "host")


def load(site: Site, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Have a deployed model loaded at its guest and hosts: (job id of the request, reply data).

    given: {"job_id"} of the model, or {"initiator", "role", "job_parameters": {"model_id",
    "model_version"}}, and perhaps "servings".
    Raises FlowError (101, with the same data and the job id) if a party refused.
    """
    return _everywhere(site, given, LoadModel)


def bind(site: Site, given: Mapping[str, Any]) -> str:
    """Give a deployed model a service id at its guests; the reply's retmsg.

    Raises FlowError (101) without a service id, or if a guest refused.
    """
    return f"service id is {_at_guests(site, given, LoadModel)}"


def load_here(site: Site, request: LoadModel) -> dict[str, str]:
    """Record at one party that a model is to be served; what its serving asks for later.

    Raises NotThere if the model is not here, FlowError (100) if it is not deployed or a serving
    refuses it; nothing is recorded then.
    """
    key = (request.role, request.party_id, request.model_id, request.model_version)
    with site.database.read() as session:
        row = _here(session, request)
        if row.parent is not False:
            raise FlowError(NOT_DEPLOYED)
        roles = dict(row.roles)
    told_to = servings.addresses(site.settings, request.servings)
    for address in told_to:
        servings.publish(
            address,
            *key,
            roles,
            service_id=request.service_id,
            transfer_url=f"{site.settings.url}/v1/model/transfer",
        )
    with site.database.write() as session:
        row = _here(session, request)
        models.serve(
            session,
            ModelServiceRow(
                role=request.role,
                party_id=request.party_id,
                service_id=request.service_id,
                model_id=request.model_id,
                model_version=request.model_version,
                servings=told_to,
                update_time=now_ms(),
            ),
        )
        if not request.service_id:
            row.loaded_times += 1
    if told_to:
        return {"retmsg": "success"}
    return {
        "retmsg": f"recorded; this site runs no serving (start it with `distaff up --serving`): "
        f"{request.model_id} version {request.model_version}"
    }


def unload(site: Site, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Have a model's guest and hosts forget it, with its services: (request id, reply data).

    Raises FlowError (101, with the same data) if a party refused.
    """
    return _everywhere(site, given, ForgetModel)


def unbind(site: Site, given: Mapping[str, Any]) -> str:
    """Take a service id from a model at its guests; the reply's retmsg. Raises FlowError (101)."""
    return f"service id {_at_guests(site, given, ForgetModel)} is free"


def _everywhere(
    site: Site, given: Mapping[str, Any], order: type[OnServing]
) -> tuple[str, dict[str, Any]]:
    """Give an order to a model's guest and hosts: (request id, reply data).

    Raises FlowError (101, with the same data and the id) if a party refused.
    """
    request_id = ids.new_job_id()
    data, failed = _told(site, _calls(site, given, order, SERVING_ROLES))
    if failed:
        raise FlowError(
            f"failed: {'; '.join(failed)}",
            retcode=RetCode.ARGUMENT_ERROR,
            data=data,
            job_id=request_id,
        )
    return request_id, data


def _at_guests(site: Site, given: Mapping[str, Any], order: type[OnServing]) -> str:
    """Give an order about a service id to a model's guests; the id.

    Raises FlowError (101) without a service id, or if a guest refused.
    """
    service_id = str(given.get("service_id") or "")
    if not service_id:
        raise ArgumentError("no service id")
    _, failed = _told(site, _calls(site, given, order, ("guest",), service_id))
    if failed:
        raise FlowError(f"failed: {'; '.join(failed)}", retcode=RetCode.ARGUMENT_ERROR)
    return service_id


def forget_here(site: Site, request: ForgetModel) -> dict[str, str]:
    """One party's part of ``unload`` and ``unbind``. Raises NotThere, FlowError (100)."""
    key = (request.role, request.party_id, request.model_id, request.model_version)
    with site.database.read() as session:
        _here(session, request)
    for address in servings.addresses(site.settings, request.servings):
        if request.service_id:
            servings.unbind(address, *key, request.service_id)
        else:
            servings.unload(address, *key)
    with site.database.write() as session:
        models.forget_service(session, *key, request.service_id)
    return {"retmsg": "success"}


def _here(session: Any, request: OnServing) -> ModelRow:
    """Raises NotThere."""
    row = models.one(
        session, request.role, request.party_id, request.model_id, request.model_version
    )
    if row is None:
        raise NotThere(
            f"model {request.model_id} version {request.model_version} is not at "
            f"{request.role} {request.party_id}"
        )
    return row


def outcome(party_id: str, result: Any, success: str) -> tuple[int, str]:
    """(retcode, retmsg) of one party in a reply about several; a refusal is 100 there, as FATE's
    parties answer it, and is not told with the party's name again."""
    if not isinstance(result, FlowError):
        return 0, success
    code = RetCode.EXCEPTION_ERROR if isinstance(result, PeerError) else result.retcode
    return int(code), str(result).removeprefix(f"party {party_id}: ")


def _named(site: Site, given: Mapping[str, Any]) -> tuple[str, str, Mapping[str, list[str]]]:
    """(model id, version, parties by role) of a request. Raises ArgumentError, NotThere."""
    if given.get("job_id"):
        with site.database.read() as session:
            found = models.find(session, job_id=str(given["job_id"]), role="guest")
        if not found:
            raise NotThere(f"no model of job {given['job_id']} is held by a guest here")
        row: ModelRow = found[0]
        return row.model_id, row.model_version, _texts(row.roles)
    parameters = given.get("job_parameters") or {}
    if "common" in parameters:
        parameters = parameters["common"]
    model_id, version = parameters.get("model_id"), parameters.get("model_version")
    roles = given.get("role")
    if not model_id or not version or not isinstance(roles, dict):
        raise ArgumentError(
            "required argument are missing: job_id, or role and job_parameters "
            "{model_id, model_version};"
        )
    return str(model_id), str(version), _texts(roles)


def _texts(roles: Mapping[str, Any]) -> dict[str, list[str]]:
    try:
        return {role: [party_text(p) for p in parties] for role, parties in roles.items()}
    except (ValueError, TypeError) as error:
        raise ArgumentError(f"role: {error}") from None


def _calls(
    site: Site,
    given: Mapping[str, Any],
    order: type[OnServing],
    served: tuple[str, ...],
    service_id: str = "",
) -> list[OnServing]:
    """An order for each party of the ``served`` roles. Raises ArgumentError, NotThere."""
    model_id, version, roles = _named(site, given)
    told = [str(serving) for serving in given.get("servings") or []]
    return [
        order(
            role=role,
            party_id=party,
            model_id=model_id,
            model_version=version,
            service_id=service_id,
            servings=told if site.settings.hosts(party) else [],
        )
        for role in served
        for party in roles.get(role, ())
    ]


def _told(site: Site, calls: Sequence[OnServing]) -> tuple[dict[str, Any], list[str]]:
    """(reply data as FATE shapes it, what failed where)."""
    data: dict[str, Any] = {"detail": {}}
    failed = []
    results = site.parties.call_all([(call.party_id, call) for call in calls])
    for call, result in zip(calls, results, strict=True):
        told = result.get("retmsg", "success") if isinstance(result, dict) else "success"
        code, text = outcome(call.party_id, result, told)
        data.setdefault(call.role, {})[call.party_id] = code
        detail = {"retcode": code, "retmsg": text}
        data["detail"].setdefault(call.role, {})[call.party_id] = detail
        if code:
            failed.append(f"{call.role} {call.party_id}: {text}")
    return data, failed
