"""``/v1/party``: what another party's fateflow asks, brought and vouched for by our gateway.

Only the gateway of this site may call here (it knows the site's secret); it says in
``X-Source-Party`` which party the request came from, as its certificate proves. Whether that party
may say this is decided here.
"""

from __future__ import annotations

import hmac
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from fateflow.api.envelope import site
from fateflow.domain import ids
from fateflow.errors import ArgumentError, NotThere, Refused, RetCode
from fateflow.scheduler import handlers, parties, planning
from fateflow.scheduler.joblog import JobLog
from fateflow.site import Site
from fateflow.store import jobs, models
from fateflow.wire import control as wire

blueprint = Blueprint("party", __name__, url_prefix="/v1/party")

_BY_PARTICIPANTS = (wire.AskStop, wire.AskRerun)
_SERVED = (wire.LoadModel, wire.ForgetModel)
_ON_MODELS = (wire.DeployModel, *_SERVED)


class NotAllowed(Refused):
    retcode = RetCode.PERMISSION_ERROR


@blueprint.post("/<name>")
def call(name: str) -> Response:
    """Run one call of the closed list; the answer's retcode says how it went."""
    here = site()
    _check_gateway(here)
    source = request.headers.get("X-Source-Party", "")
    kind = wire.CALLS.get(name)
    if kind is None:
        raise NotThere(f"there is no call {name!r}", retcode=int(RetCode.EXCEPTION_ERROR))
    try:
        asked: Any = msgspec.json.decode(request.get_data(), type=kind)
    except msgspec.DecodeError as error:
        raise ArgumentError(f"{name}: {error}") from None
    check_source(here, source, asked)
    if isinstance(asked, _SERVED) and not here.settings.hosts(source):
        # Which servings this site runs is its own affair: no other party sends us to an address.
        asked = msgspec.structs.replace(asked, servings=[])
    told = parties.answered(here, name, asked)
    if hasattr(asked, "job_id") and not isinstance(asked, wire.TaskReport | wire.DropJob):
        outcome = told.retmsg if told.retcode else "done"
        JobLog(here.settings.logs, asked.job_id).audit(f"party {source} asked: {name}: {outcome}")
    return Response(msgspec.json.encode(told), mimetype="application/json")


def check_source(here: Site, source: str, asked: Any) -> None:
    """Raises NotAllowed unless this party may ask this.

    Orders about a job come from its initiator, wishes from any participant, a task's state from
    the party that runs it, orders about a model from the initiator of its training.
    """
    if not handlers.NAME.fullmatch(getattr(asked, "job_id", "model")):
        raise NotAllowed("a job id has only letters, digits, '_' and '-'")
    addressed = isinstance(asked, (wire.OnJob, wire.CreateJob, *_ON_MODELS))
    reports = isinstance(asked, wire.TaskReport)
    if addressed and not reports and not _is_here(here, asked.party_id):
        raise NotAllowed(f"party {asked.party_id} is not hosted by this site")
    if isinstance(asked, wire.CreateJob):
        allowed = asked.initiator_party_id == source
        _check_modules(here, asked)
    elif isinstance(asked, _SERVED) and asked.service_id and not here.settings.hosts(source):
        # Else a party could put its model in the place of a service of ours.
        raise NotAllowed("service ids are given and taken at a party's own site")
    elif isinstance(asked, _ON_MODELS):
        allowed = source in _model_initiators(here, asked)
    else:
        allowed = _may(here, source, asked)
    if not allowed:
        raise NotAllowed(f"party {source} may not ask for {type(asked).__name__} here")


def _is_here(here: Site, party_id: str) -> bool:
    """Whether a peer may address this party. The local one is the site's alone: its jobs read and
    write the site's own files."""
    return party_id != ids.LOCAL_PARTY and here.settings.hosts(party_id)


def _check_modules(here: Site, asked: wire.CreateJob) -> None:
    """A peer may have run here what its job's role runs: no upload, no download."""
    known = planning.catalog(here)
    for plan in asked.tasks:
        entry = known.get(plan.module.lower())
        if entry is None or asked.role not in entry["roles"]:
            raise NotAllowed(
                f"component {plan.component!r}: a {asked.role} here runs no module {plan.module!r}"
            )


def _may(here: Site, source: str, asked: Any) -> bool:
    with here.database.read() as session:
        found = jobs.rows(session, asked.job_id)
    if not found:
        # Undoing a job that never came to be here is harmless, and must not fail.
        return isinstance(asked, wire.DropJob)
    participants = jobs.roles_of(found[0])
    if isinstance(asked, wire.TaskReport):
        return asked.party_id == source and (asked.role, source) in participants
    if isinstance(asked, _BY_PARTICIPANTS):
        return source in {party for _, party in participants}
    return found[0].initiator_party_id == source


def _model_initiators(here: Site, asked: Any) -> set[str]:
    with here.database.read() as session:
        known = models.find(
            session, role=asked.role, party_id=asked.party_id, model_id=asked.model_id
        )
    return {row.initiator_party_id for row in known}


def _check_gateway(here: Site) -> None:
    path = here.settings.run / "gateway.secret"
    secret = path.read_text().strip() if path.exists() else ""
    given = request.headers.get("X-Gateway-Secret", "")
    if not secret or not hmac.compare_digest(secret.encode(), given.encode()):
        raise NotAllowed("only this site's gateway may call here")
