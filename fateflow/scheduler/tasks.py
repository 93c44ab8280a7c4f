"""A task at this party: what its worker is told, its start and its end."""

from __future__ import annotations

import logging
import os
import secrets
import sys
from pathlib import Path

import msgspec

from fateflow.domain import dsl, lifecycle
from fateflow.domain.lifecycle import ENDS, Status
from fateflow.errors import FlowError, NotThere, Refused
from fateflow.scheduler import events, inputs, places
from fateflow.scheduler.joblog import JobLog
from fateflow.settings import Settings
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.orm import JobRow, TaskRow
from fateflow.wire import control as wire
from fateflow.worker.spec import FileRef, TaskSpec

log = logging.getLogger(__name__)

INTERRUPTED = frozenset(status.value for status in lifecycle.INTERRUPTS)


def start(site: Site, request: wire.StartTask) -> str:
    """Start a waiting task's worker; the task's state then. Asked again, nothing happens.

    Raises NotThere, and Refused if the job has ended here.
    """
    key = (request.job_id, request.component, request.version, request.role, request.party_id)
    with site.database.write() as session:
        row = rows.one(session, key)
        job = jobs.one(session, request.job_id, request.role, request.party_id)
        if row is None or job is None:
            raise NotThere(f"{request.role} {request.party_id} has no task {request.component}")
        if row.party_status != Status.WAITING.value:
            return row.party_status
        if Status(job.status) in ENDS:
            raise Refused(f"job {job.job_id} is {job.status} at {job.role} {job.party_id}")
        rows.move(row, Status.RUNNING)
        rows.change(
            row,
            status=Status.RUNNING.value,
            task_token=secrets.token_hex(16),
            worker_id=secrets.token_hex(8),
            engine_conf={"computing_engine": "STANDALONE"},
            cmd=[sys.executable, "-m", "fateflow.worker", str(places.folder(site.settings, key))],
        )
    try:
        pid = _launch(site, job, row)
    except (FlowError, RuntimeError, OSError) as error:
        events.end_task(site, key, events.Ending(Status.FAILED, f"could not start: {error}"))
        return Status.FAILED.value
    except Exception as error:  # a task without a worker would run for ever
        log.exception("%s could not be started", key)
        why = f"could not start: {type(error).__name__}; its party's log has the trace"
        events.end_task(site, key, events.Ending(Status.FAILED, why))
        return Status.FAILED.value
    _note_launched(site, key, pid)
    JobLog(site.settings.logs, row.job_id).info(
        f"{row.role} {row.party_id}: {row.component_name} version {row.task_version} started"
    )
    return Status.RUNNING.value


def stop(site: Site, request: wire.StopTask) -> str:
    """End the task's worker if there is one; the task's state then. A task that has this state
    already was marked, and perhaps its worker lives."""
    key = (request.job_id, request.component, request.version, request.role, request.party_id)
    events.intake(site, key)
    with site.database.write() as session:
        row = rows.one(session, key)
        if row is None:
            raise NotThere(f"{request.role} {request.party_id} has no task {request.component}")
        if row.party_status not in (Status.RUNNING.value, request.status):
            return row.party_status
        if row.party_status == Status.RUNNING.value:
            rows.move(row, Status(request.status), error=request.reason)
        status = row.party_status
    site.launcher.kill(str(places.folder(site.settings, key)))
    JobLog(site.settings.logs, row.job_id).info(
        f"{row.role} {row.party_id}: {row.component_name} stopped: {request.status}"
    )
    return status


def report_of(row: TaskRow) -> wire.TaskReport:
    """The task's state for its initiator: of an error its first line only, never a trace."""
    return wire.TaskReport(
        job_id=row.job_id,
        role=row.role,
        party_id=row.party_id,
        component=row.component_name,
        version=row.task_version,
        status=row.party_status,
        progress=row.progress,
        error=row.error_report.partition("\n")[0],
        interrupted=row.interrupted,
        start_time=row.start_time,
        end_time=row.end_time,
        elapsed=row.elapsed,
    )


def copy_report(row: TaskRow, report: wire.TaskReport) -> None:
    """At the initiator: take over what a party elsewhere says, unless it is out of date."""
    target = Status(report.status)
    if target.value != row.party_status:
        # Back to waiting is a new version's matter: a report that says so was overtaken.
        if target is Status.WAITING or target not in lifecycle.TASK_MOVES[Status(row.party_status)]:
            return
        row.party_status = target.value
    rows.change(
        row,
        progress=report.progress,
        error_report=report.error,
        interrupted=report.interrupted,
        start_time=report.start_time,
        end_time=report.end_time,
        elapsed=report.elapsed,
        kill_status=target in ENDS,
    )


def build(site: Site, job: JobRow, row: TaskRow) -> TaskSpec:
    """All that the worker needs. Raises NoInput if something that it reads is not there."""
    settings = site.settings
    plan = msgspec.convert(row.plan, wire.TaskPlan)
    node = dsl.parse(job.dsl).components[row.component_name]
    parameters, module = dict(plan.parameters), row.component_module.lower()
    runs = plan.need_run
    with site.database.read() as session:
        data = inputs.data(session, job, node)
        model = inputs.model(session, settings, job, node)
        isometric = inputs.isometric(session, settings, job, node)
        caches = inputs.caches(session, job, node)
        if module == "reader":
            parameters = inputs.resolve_reader(session, row, parameters)
        elif module == "modelloader" and plan.need_run:
            path = inputs.loaded_model(session, settings, job, parameters)
            name, runs = str(parameters.get("component_name")), path is not None
            model = FileRef(name, path.parent.name, "", str(path)) if path else None
        elif module == "cacheloader" and plan.need_run:
            cache = inputs.loaded_cache(session, row, parameters)
            caches = [FileRef(cache.component_name, cache.name, "", cache.path)]
    job_parameters = inputs.job_parameters(job)
    return TaskSpec(
        job_id=job.job_id,
        task_id=row.task_id,
        version=row.task_version,
        component=row.component_name,
        module=row.component_module,
        role=row.role,
        party_id=row.party_id,
        parties=[(role, party) for role, party in jobs.roles_of(job) if role in plan.roles],
        job_type=str(job_parameters.get("job_type", "train")),
        job_parameters=job_parameters,
        parameters=parameters,
        need_run=runs,
        data=data,
        model=model,
        isometric=isometric,
        caches=caches,
        data_outputs=list(node.data_outputs),
        model_outputs=list(node.model_outputs),
        cache_outputs=list(node.cache_outputs),
        output_namespace=f"output_data_{job.job_id}_{row.component_name}_{row.task_version}",
        model_folder=str(inputs.model_folder(settings, job, inputs.own_model_version(job))),
        cores=_cores(settings),
        folder=str(places.folder(settings, rows.key(row))),
        log_folder=str(settings.logs / job.job_id / row.role / row.party_id / row.component_name),
        tables_root=str(settings.tables),
        gateway_socket=str(settings.gateway_socket),
        job_token=job.job_token,
        flow_url=settings.url,
        task_token=row.task_token,
    )


def site_cores(settings: Settings) -> int:
    """Real cores that the site's tasks may use together."""
    return settings.cores or len(os.sched_getaffinity(0))


def _cores(settings: Settings) -> int:
    return max(1, site_cores(settings))


def _launch(site: Site, job: JobRow, row: TaskRow) -> int:
    spec = build(site, job, row)
    place = Path(spec.folder)
    (place / "scratch").mkdir(parents=True, exist_ok=True)
    Path(spec.log_folder).mkdir(parents=True, exist_ok=True)
    task = os.open(place / "task.json", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(task, "wb") as file:
        file.write(msgspec.json.encode(spec))
    return site.launcher.launch(spec.folder)


def _note_launched(site: Site, key: rows.TaskKey, pid: int) -> None:
    """Record the worker; end it if its task was stopped before there was one to end."""
    with site.database.write() as session:
        row = rows.one(session, key)
        if row is not None:
            rows.change(row, run_pid=pid)
        stopped = row is None or row.party_status in INTERRUPTED
    if stopped:
        site.launcher.kill(str(places.folder(site.settings, key)))
