"""Accept a job: check all of it, make it at every party, and only then let it be scheduled.

Whatever is refused leaves nothing behind: no row, no file, at no party.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Callable
from typing import Any

import msgspec

from fateflow.domain import conf as confs
from fateflow.domain import dsl as dsls
from fateflow.domain import ids, inference, inheritance
from fateflow.domain.conf import BadConf, Conf
from fateflow.domain.dsl import BadDsl
from fateflow.domain.inheritance import Earlier
from fateflow.domain.parameters import of_train
from fateflow.errors import FlowError, PeerError, Refused, RetCode
from fateflow.scheduler import job_files, planning, predicting
from fateflow.scheduler.joblog import JobLog
from fateflow.scheduler.planning import Plan
from fateflow.site import Site
from fateflow.store import jobs, tasks
from fateflow.store.database import now_ms
from fateflow.wire.control import CreateJob, DropJob

log = logging.getLogger(__name__)


def submit(site: Site, dsl: Any, conf: Any) -> dict[str, Any]:
    """Make a job; its reply data: ids, addresses, paths.

    dsl is not read for a predict job: the deployed model has its own.
    Raises FlowError (retcode 103, with the job id) listing every fault of the DSL, the
    configuration and all parties' parameters, or naming the party that refused.
    """
    return _submitted(site, lambda job_id: _plan(site, job_id, dsl, conf))


def submit_local(
    site: Site, module: str, parameters: dict[str, Any], job_id: str = ""
) -> dict[str, Any]:
    """Make a job of one component that only this site runs: Upload, Download, Writer.

    job_id: from ``ids.new_job_id``, if files were put in the job's folder before; else a new one.
    """
    component = f"{module.lower()}_0"
    party = int(ids.LOCAL_PARTY)
    conf = {
        "dsl_version": 2,
        "initiator": {"role": ids.LOCAL_ROLE, "party_id": party},
        "role": {ids.LOCAL_ROLE: [party]},
        "job_parameters": {"common": {"job_type": "train", "task_cores": 1}},
        "component_parameters": {"role": {ids.LOCAL_ROLE: {"0": {component: parameters}}}},
    }
    dsl = {"components": {component: {"module": module}}}
    return _submitted(site, lambda job_id: _plan(site, job_id, dsl, conf), job_id)


def warning(conf: Any) -> str:
    """The retmsg of a job that was made although its configuration has removed parameters."""
    try:
        return confs.parse(conf).warning
    except BadConf:
        return ""


def _submitted(site: Site, planned: Callable[[str], Plan], job_id: str = "") -> dict[str, Any]:
    job_id = job_id or ids.new_job_id()
    try:
        plan = planned(job_id)
        requests = _requests(site, plan)
        _create(site, plan, requests)
    except FlowError as error:
        error.job_id, error.retcode = job_id, RetCode.OPERATING_ERROR
        raise
    _note_ignored(site, plan)
    site.scheduler.wake()
    return _reply(site, plan)


def _plan(site: Site, job_id: str, dsl: Any, given: Any) -> Plan:
    """The job as submitted, its DSL and configuration checked. Raises Refused with all faults."""
    faults: list[str] = []
    conf = dag = None
    try:
        conf = confs.parse(given)
    except BadConf as error:
        faults.extend(error.faults)
    if conf is not None and conf.job_type == "predict":
        _check_initiator(site, conf)
        return predicting.plan(site, job_id, conf)
    try:
        dag = dsls.parse(dsl, pipeline_refs=False)
    except BadDsl as error:
        faults.extend(error.faults)
    if faults or conf is None or dag is None:
        raise Refused("; ".join(faults))
    _check_initiator(site, conf)
    info = dict(conf.common.get("inheritance_info") or {})
    _check_inheritance(site, info, dag, conf)
    return Plan(
        job_id=job_id,
        conf=conf,
        dag=dag,
        dsl=dsls.without_providers(dsl),
        own=lambda role, index: of_train(conf, role, index),
        model_id=ids.model_id(conf.roles),
        model_version=job_id,
        inheritance=info,
    )


def _check_initiator(site: Site, conf: Conf) -> None:
    role, party = conf.initiator
    if not site.settings.hosts(party):
        raise Refused(
            f"initiator: this site is party {site.settings.party}, not {role} {party}; "
            "submit the job at the initiator's own site"
        )


def _check_inheritance(site: Site, info: dict[str, Any], dag: dsls.Dag, conf: Conf) -> None:
    job_id, names, faults = inheritance.wanted(info)
    if faults:
        raise Refused("; ".join(faults))
    if not names:
        return
    with site.database.read() as session:
        row = jobs.initiated(session, job_id)
        found = tasks.latest(session, job_id)
    if row is None:
        raise Refused(f"inheritance_info.job_id: this site initiated no job {job_id}")
    earlier = Earlier(
        job_id=job_id,
        dag=dsls.parse(row.dsl),
        conf=confs.parse(row.runtime_conf),
        statuses={task.component_name: task.status for task in found},
    )
    faults = inheritance.faults(names, dag, conf, earlier)
    if faults:
        raise Refused("; ".join(faults))


def _requests(site: Site, plan: Plan) -> list[CreateJob]:
    """What to ask of every (role, party), in order of creation."""
    by_party = planning.tasks(site, plan)
    complete = confs.completed(plan.conf, plan.model_id, plan.model_version)
    role, party = plan.conf.initiator
    shared = CreateJob(
        job_id=plan.job_id,
        role="",
        party_id="",
        position=0,
        initiator_role=role,
        initiator_party_id=party,
        roles={role: list(parties) for role, parties in plan.conf.roles.items()},
        dsl=plan.dsl,
        runtime_conf=complete,
        runtime_conf_on_party={},
        train_runtime_conf=plan.train_runtime_conf,
        job_type=plan.conf.job_type,
        model_id=plan.model_id,
        model_version=plan.model_version,
        job_token=secrets.token_hex(32),
        create_time=now_ms(),
        parallelism=int(plan.conf.common.get("task_parallelism", 0)),
        user=confs.user_names(plan.conf),
        inheritance_info=plan.inheritance,
    )
    requests = []
    for position, (role, index, party) in enumerate(plan.conf.parties):
        own = confs.on_party(plan.conf, complete, role, index, site.settings.listed_cores)
        requests.append(
            msgspec.structs.replace(
                shared,
                role=role,
                party_id=party,
                position=position,
                dsl=_dsl_of(site, plan, role),
                runtime_conf_on_party=own,
                cores=confs.cores_needed(own["job_parameters"], role),
                tasks=by_party[role, party],
            )
        )
    return requests


def _dsl_of(site: Site, plan: Plan, role: str) -> dict[str, Any]:
    if plan.conf.job_type == "predict":
        return inference.with_code_paths(plan.dsl, role, planning.catalog(site))
    return plan.dsl


def _create(site: Site, plan: Plan, requests: list[CreateJob]) -> None:
    """Make the job everywhere: the others at once, the initiator last, so that the scheduler never
    sees a job to which somebody has not agreed. Raises PeerError; then the job is nowhere."""
    last = [r for r in requests if (r.role, r.party_id) == plan.conf.initiator]
    others = [r for r in requests if r not in last]
    for group in (others, last):
        results = site.parties.call_all([(request.party_id, request) for request in group])
        failed = [
            (request, result)
            for request, result in zip(group, results, strict=True)
            if isinstance(result, FlowError)
        ]
        if failed:
            refused = [request for request, error in failed if isinstance(error, PeerError)]
            _drop(site, [r for r in requests if r not in refused])
            raise PeerError(
                "the job was not made, because "
                + "; ".join(f"{r.role} {r.party_id} refused: {error}" for r, error in failed)
            )


def _note_ignored(site: Site, plan: Plan) -> None:
    """Say in the job's log what was submitted but has no effect, such as a misspelt name."""
    unknown = sorted(confs.configured_components(plan.conf) - set(plan.dag.components))
    notes = list(plan.dag.warnings)
    if unknown:
        notes.append(f"parameters of {', '.join(unknown)} have no effect: no such component")
    if idle := sorted(set(plan.conf.given["role"]) - set(plan.conf.roles)):
        notes.append(f"role.{', '.join(idle)} is left out: it took no part in the training")
    job_log = JobLog(site.settings.logs, plan.job_id)
    for note in notes:
        job_log.warning(note)


def _drop(site: Site, requests: list[CreateJob]) -> None:
    """Undo the job wherever it may have been made; a party that cannot be told is noted."""
    calls = [
        (r.party_id, DropJob(job_id=r.job_id, role=r.role, party_id=r.party_id)) for r in requests
    ]
    for (party, call), result in zip(calls, site.parties.call_all(calls, 5.0), strict=True):
        if isinstance(result, FlowError):
            log.warning("job %s could not be dropped at %s %s", call.job_id, call.role, party)


def _reply(site: Site, plan: Plan) -> dict[str, Any]:
    settings, (role, party) = site.settings, plan.conf.initiator
    return {
        "job_id": plan.job_id,
        "code": 0,
        "message": "success",
        "model_info": {"model_id": plan.model_id, "model_version": plan.model_version},
        "logs_directory": str(settings.logs / plan.job_id),
        "board_url": ids.board_url(
            settings.reachable_host, settings.board_port, plan.job_id, role, party
        ),
        **job_files.paths(settings, plan.job_id, role, party),
    }
