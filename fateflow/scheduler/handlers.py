"""What a party does when it is asked: one function for every call of ``fateflow.wire.control``.

Whoever asks, the scheduler of this site or another site's through the gateway, the same function
answers. Each may be asked twice: what is done already is not done again.
"""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable
from typing import Any

import msgspec

from fateflow.domain import lifecycle, resources
from fateflow.domain.lifecycle import ENDS, Status
from fateflow.errors import ArgumentError, NotThere, Refused
from fateflow.scheduler import (
    events,
    inherit,
    job_files,
    model_service,
    models,
    rerunning,
    reset,
    tasks,
    ways,
)
from fateflow.scheduler.joblog import JobLog
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, TaskRow
from fateflow.wire import control as wire
from federation.party import Role

NAME = re.compile(r"[A-Za-z0-9_-]{1,128}")
STOP_WAIT_S = 20.0
_ROLES = frozenset(role.value for role in Role)


def create_job(site: Site, request: wire.CreateJob) -> dict[str, Any]:
    """Make the job's rows and files at one (role, party). Reply: components, cores, warning."""
    _check_names(request)
    with site.database.read() as session:
        known = jobs.one(session, request.job_id, request.role, request.party_id)
        tokens = {row.job_token for row in jobs.rows(session, request.job_id)}
    if tokens - {request.job_token}:  # else a peer could join, and then order, another's job
        raise Refused(f"job {request.job_id} exists already")
    cores, warning = _cores(site, request)
    reply = {
        "components": [plan.component for plan in request.tasks],
        "cores": cores,
        "warning": warning,
    }
    if known is not None:
        if request.inheritance_info and known.status == Status.WAITING.value:
            inherit.link(site, request)  # a kill may have come between the rows and this
        return reply
    if request.inheritance_info:
        inherit.check(site, request)
    parties = [(role, party) for role, ids in request.roles.items() for party in ids]
    ways.open_job(site, request.job_id, request.job_token, parties)
    job_files.write(site.settings, request)
    now = now_ms()
    with site.database.write() as session:
        session.add(_job_row(request, cores, warning, now))
        session.add_all(_task_row(site, request, plan, now) for plan in request.tasks)
    if request.inheritance_info:
        inherit.link(site, request)
    job_log = JobLog(site.settings.logs, request.job_id)
    job_log.info(f"{request.role} {request.party_id}: created with {len(request.tasks)} components")
    if warning:
        job_log.warning(f"{request.role} {request.party_id}: {warning}")
    return reply


def remember_peer(site: Site, request: wire.CreateJob) -> None:
    """At the initiator: rows for the tasks of a party that lives elsewhere."""
    now = now_ms()
    with site.database.write() as session:
        for plan in request.tasks:
            session.merge(_task_row(site, request, plan, now))


def drop_job(site: Site, request: wire.DropJob) -> None:
    """Undo create_job: another party refused, so the job never was. Refused once it runs."""
    with site.database.write() as session:
        found = jobs.rows(session, request.job_id)
        if not found:
            return
        if any(row.status != Status.WAITING.value or row.queued_time for row in found):
            raise Refused(f"job {request.job_id} has begun; stop it instead")
        jobs.delete(session, request.job_id)
    shutil.rmtree(site.settings.jobs / request.job_id, ignore_errors=True)
    shutil.rmtree(site.settings.logs / request.job_id, ignore_errors=True)
    ways.forget_job(site, request.job_id)


def apply_resource(site: Site, request: wire.ApplyResource) -> wire.Granted:
    """Book the job's cores at this party if they are free; asked twice, booked once."""
    total = site.settings.listed_cores
    with site.database.write() as session:
        row = _job(session, request)
        if row.resource_in_use:
            return wire.Granted(True)
        used = jobs.used_cores(session)
        own = sum(r.cores for r in jobs.rows(session, request.job_id) if r.resource_in_use)
        # A job too large even when scaled down runs alone rather than never.
        if row.need_cores > total - used and used > own:
            return wire.Granted(False, f"waiting for {row.need_cores} cores (have {total - used})")
        jobs.change(
            row,
            cores=row.need_cores,
            remaining_cores=0,
            resource_in_use=True,
            apply_resource_time=now_ms(),
        )
    # A rerun needs the way open again; for a first run this changes nothing.
    ways.open_job(site, row.job_id, row.job_token, jobs.roles_of(row))
    return wire.Granted(True)


def return_resource(site: Site, request: wire.ReturnResource) -> bool:
    """Whether there was something to give back."""
    with site.database.write() as session:
        row = _job(session, request)
        if not row.resource_in_use:
            return False
        _release(row)
    site.scheduler.wake()
    return True


def update_job(site: Site, request: wire.UpdateJob) -> None:
    """Take over the job's state, progress and reason from its initiator."""
    status = Status(request.status)
    with site.database.write() as session:
        row = _job(session, request)
        if jobs.move(row, status) and status is Status.WAITING:
            reset.set_log_aside(site, row)
        jobs.change(row, progress=request.progress, reason=request.reason or row.warning)
        mine = {"role": request.role, "party_id": request.party_id}
        found = rows.latest(session, request.job_id, **mine) if request.tasks else []
        for task in found:
            told = request.tasks.get(task.component_name, task.status)
            if told != task.status:
                rows.change(task, status=told)
    if status in lifecycle.INTERRUPTS:
        # From here on nothing starts; what did between the order to stop and this ends now.
        _stop_running(site, request)
        at_initiator = site.settings.hosts(row.initiator_party_id)
        _show_stopped(site, request, at_initiator)
        if not at_initiator:
            _report_stopped(site, request)


def start_task(site: Site, request: wire.StartTask) -> dict[str, str]:
    return {"status": tasks.start(site, request)}


def stop_task(site: Site, request: wire.StopTask) -> dict[str, str]:
    return {"status": tasks.stop(site, request)}


def stop_job(site: Site, request: wire.StopJob) -> None:
    """End what runs of the job here, at once; what waits stays waiting, for a rerun."""
    _mark_stopped(site, request)
    _stop_running(site, request)
    ways.cancel_job(site, request.job_id, request.reason)


def _mark_stopped(site: Site, request: wire.StopJob) -> None:
    """Record the stop for all the job's tasks here, of all roles, before any worker is ended: the
    others' would see that it is gone, and fail of it."""
    running = [row for row in _latest_here(site, request.job_id) if _runs(row)]
    for row in running:
        events.intake(site, rows.key(row))
    with site.database.write() as session:
        for row in running:
            now = rows.one(session, rows.key(row))
            if now is not None and _runs(now):
                rows.move(now, Status(request.status), error=request.reason)


def _runs(row: TaskRow) -> bool:
    return row.party_status == Status.RUNNING.value


def _latest_here(site: Site, job_id: str, **mine: str) -> list[TaskRow]:
    with site.database.read() as session:
        return rows.latest(session, job_id, run_on_this_party=True, **mine)


def _stop_running(site: Site, request: wire.StopJob | wire.UpdateJob) -> None:
    mine = {"role": request.role, "party_id": request.party_id}
    for row in _latest_here(site, request.job_id, **mine):
        if not _runs(row) and row.party_status != request.status:
            continue
        stop = wire.StopTask(
            job_id=row.job_id,
            role=row.role,
            party_id=row.party_id,
            component=row.component_name,
            version=row.task_version,
            status=request.status,
            reason=request.reason,
        )
        tasks.stop(site, stop)


def _show_stopped(site: Site, request: wire.UpdateJob, at_initiator: bool) -> None:
    """No task of a job that was stopped is shown as running, whatever the initiator knew of it."""
    with site.database.write() as session:
        if at_initiator:
            rows.settle_ended(session, request.job_id, Status(request.status))
            return
        mine = {"role": request.role, "party_id": request.party_id}
        for row in rows.latest(session, request.job_id, **mine):
            stopped = Status(row.party_status) in lifecycle.INTERRUPTS
            if row.status == Status.RUNNING.value or (stopped and Status(row.status) not in ENDS):
                rows.change(row, status=request.status)


def _report_stopped(site: Site, request: wire.UpdateJob) -> None:
    """The order to stop a job has no answer that says which tasks it ended: report them."""
    mine = {"role": request.role, "party_id": request.party_id}
    with site.database.read() as session:
        latest = rows.latest(session, request.job_id, **mine)
    for task in latest:
        if Status(task.party_status) in lifecycle.INTERRUPTS:
            site.scheduler.report(rows.key(task))


def reset_tasks(site: Site, request: wire.ResetTasks) -> None:
    reset.reset(site, request)


def collect_tasks(site: Site, request: wire.CollectTasks) -> list[wire.TaskReport]:
    """What this party knows of its tasks of the job."""
    mine = {"role": request.role, "party_id": request.party_id, "run_on_this_party": True}
    with site.database.read() as session:
        _job(session, request)
        return [tasks.report_of(row) for row in rows.latest(session, request.job_id, **mine)]


def task_report(site: Site, request: wire.TaskReport) -> None:
    """At the initiator: a party's task changed."""
    with site.database.write() as session:
        key = (request.job_id, request.component, request.version, request.role, request.party_id)
        row = rows.one(session, key)
        if row is None:
            raise NotThere(f"job {request.job_id} has no task {request.component} of that party")
        if not row.run_on_this_party:
            tasks.copy_report(row, request)
        rows.settle(session, request.job_id, request.component, request.version)
        _refresh_progress(session, request.job_id)
        ended = Status(row.party_status) in ENDS
        job = jobs.initiated(session, request.job_id)
        parties = jobs.roles_of(job) if job else []
    if ended and any(not site.settings.hosts(p) for _, p in parties):
        site.scheduler.tell_progress(request.job_id)
    site.scheduler.wake()


def ask_stop(site: Site, request: wire.AskStop) -> None:
    """At the initiator: note the wish; the scheduler ends the job everywhere. Returns when it has,
    or after STOP_WAIT_S if a party keeps it waiting."""
    status = Status(request.status)
    with site.database.write() as session:
        row = jobs.initiated(session, request.job_id)
        if row is None:
            raise NotThere(f"this site did not initiate job {request.job_id}")
        if Status(row.status) in ENDS:
            return
        text = request.reason or "stopped on request"
        jobs.change(row, cancel_signal=True, cancel_time=now_ms(), stop_status=status.value)
        row.reason = text
    JobLog(site.settings.logs, request.job_id).info(f"stop with {status} asked for: {text}")
    site.scheduler.wake()
    site.scheduler.wait_ended(request.job_id, STOP_WAIT_S)


def ask_rerun(site: Site, request: wire.AskRerun) -> None:
    rerunning.rerun(site, request)


def end_job(site: Site, request: wire.EndJob) -> None:
    """Save the model if the job succeeded, give its cores back, forget its messages."""
    if request.status == Status.SUCCESS.value:
        models.save_pipeline(site, request.job_id, request.role, request.party_id)
    job_files.forget_upload(site.settings, request.job_id)
    with site.database.write() as session:
        row = _job(session, request)
        if row.resource_in_use:
            _release(row)
        jobs.change(row, tag="job_end", end_scheduling_updates=1)
        others_run = any(r.tag != "job_end" for r in jobs.rows(session, request.job_id))
    if not others_run:
        ways.forget_job(site, request.job_id)
    JobLog(site.settings.logs, request.job_id).info(
        f"{request.role} {request.party_id}: job ended with {request.status}"
    )
    site.scheduler.wake()


def deploy_model(site: Site, request: wire.DeployModel) -> Any:
    return models.deploy_here(site, request)


def load_model(site: Site, request: wire.LoadModel) -> Any:
    return models.load_here(site, request)


def forget_model(site: Site, request: wire.ForgetModel) -> Any:
    return model_service.forget_here(site, request)


HANDLERS: dict[str, Callable[[Site, Any], Any]] = {
    "create_job": create_job,
    "drop_job": drop_job,
    "apply_resource": apply_resource,
    "return_resource": return_resource,
    "update_job": update_job,
    "start_task": start_task,
    "stop_task": stop_task,
    "stop_job": stop_job,
    "reset_tasks": reset_tasks,
    "collect_tasks": collect_tasks,
    "task_report": task_report,
    "ask_stop": ask_stop,
    "ask_rerun": ask_rerun,
    "end_job": end_job,
    "deploy_model": deploy_model,
    "load_model": load_model,
    "forget_model": forget_model,
}


def _job(session: Any, request: wire.OnJob) -> JobRow:
    row = jobs.one(session, request.job_id, request.role, request.party_id)
    if row is None:
        raise NotThere(f"no job {request.job_id} for {request.role} {request.party_id} here")
    return row


def _refresh_progress(session: Any, job_id: str) -> None:
    """Finished components of all, in percent, in every record of the job here."""
    found = {row.component_name: Status(row.status) for row in rows.latest(session, job_id)}
    done = lifecycle.progress(found.values())
    for job in jobs.rows(session, job_id):
        if job.progress != done:
            jobs.change(job, progress=done)


def _release(row: JobRow) -> None:
    jobs.change(
        row,
        resource_in_use=False,
        remaining_cores=row.cores,
        return_resource_time=now_ms(),
    )


def _check_names(request: wire.CreateJob) -> None:
    """Everything that becomes part of a path, and that we are among those it names."""
    if not NAME.fullmatch(request.job_id):
        raise ArgumentError("a job id has only letters, digits, '_' and '-'")
    for role, ids in request.roles.items():
        if role not in _ROLES or not all(p.isascii() and p.isdigit() and len(p) <= 32 for p in ids):
            raise ArgumentError(f"roles: {role!r} or one of its party ids is not valid")
    if request.party_id not in request.roles.get(request.role, []):
        raise ArgumentError(f"{request.role} {request.party_id} is not among the job's roles")
    bad = [p.component for p in request.tasks if not NAME.fullmatch(p.component)]
    if bad:
        raise ArgumentError(f"component names may have letters, digits, '_' and '-': {bad}")


def _cores(site: Site, request: wire.CreateJob) -> tuple[int, str]:
    if request.role == Role.ARBITER.value:
        return 0, ""
    here = sum(
        site.settings.hosts(party)
        for role, ids in request.roles.items()
        if role != Role.ARBITER.value
        for party in ids
    )
    return resources.scaled(max(0, request.cores), here, site.settings.listed_cores)


def _job_row(request: wire.CreateJob, cores: int, warning: str, now: int) -> JobRow:
    initiator = (request.initiator_role, request.initiator_party_id)
    shown = {role: [int(p) for p in ids] for role, ids in request.roles.items()}
    return JobRow(
        job_id=request.job_id,
        role=request.role,
        party_id=request.party_id,
        position=request.position,
        dsl=request.dsl,
        runtime_conf=request.runtime_conf,
        runtime_conf_on_party=request.runtime_conf_on_party,
        train_runtime_conf=request.train_runtime_conf,
        roles=shown,
        initiator_role=request.initiator_role,
        initiator_party_id=request.initiator_party_id,
        is_initiator=(request.role, request.party_id) == initiator,
        status=Status.WAITING.value,
        reason=warning,
        warning=warning,
        user=request.user,
        need_cores=cores,
        parallelism=max(0, request.parallelism),
        inheritance_status="pass",
        inheritance_info=request.inheritance_info,
        job_token=request.job_token,
        create_time=request.create_time,
        update_time=now,
    )


def _task_row(site: Site, request: wire.CreateJob, plan: wire.TaskPlan, now: int) -> TaskRow:
    here = site.settings.hosts(request.party_id)
    job = request.runtime_conf_on_party.get("job_parameters", {})
    return TaskRow(
        job_id=request.job_id,
        component_name=plan.component,
        task_version=0,
        role=request.role,
        party_id=request.party_id,
        task_id=f"{request.job_id}_{plan.component}",
        component_module=plan.module,
        position=plan.position,
        party_position=request.position,
        initiator_role=request.initiator_role,
        initiator_party_id=request.initiator_party_id,
        federated_mode=str(job.get("federated_mode", "SINGLE")),
        federated_status_collect_type=str(job.get("federated_status_collect_type", "PUSH")),
        run_on_this_party=here,
        auto_retries=int(job.get("auto_retries", 0)),
        auto_retry_delay=int(job.get("auto_retry_delay", 1)),
        plan=msgspec.to_builtins(plan),
        component_parameters=_shown_parameters(request, plan) if here else {},
        provider_info=_provider(plan) if here else {},
        create_time=now,
        update_time=now,
    )


def _shown_parameters(request: wire.CreateJob, plan: wire.TaskPlan) -> dict[str, Any]:
    """The task's parameters in the shape that FATE shows: the conf with this component's own."""
    left_out = ("component_parameters", "role", "initiator", "job_parameters")
    conf = {k: v for k, v in request.runtime_conf.items() if k not in left_out}
    return {
        **conf,
        "CodePath": plan.code_path or plan.module,
        "ComponentParam": {"_name": f"{plan.module}#{plan.component}", **plan.shown},
        "ComponentParameterSource": plan.source or plan.component,
        "module": plan.module,
        "local": {"role": request.role, "party_id": int(request.party_id)},
        "role": {
            role: [int(p) for p in ids] for role, ids in request.roles.items() if role in plan.roles
        },
        "initiator": {
            "role": request.initiator_role,
            "party_id": int(request.initiator_party_id),
        },
        "job_parameters": request.runtime_conf.get("job_parameters", {}),
    }


def _provider(plan: wire.TaskPlan) -> dict[str, Any]:
    """The provider as FATE names it: its own modules are ``fate_flow``'s, all others ``fate``'s."""
    own = plan.module.lower() in {"reader", "modelloader", "cacheloader"}
    name, version = ("fate_flow", "1.11.2") if own else ("fate", "1.11.4")
    return {
        "name": name,
        "version": version,
        "path": "",
        "class_path": {},
        "env": {},
        "python_env": "",
    }
