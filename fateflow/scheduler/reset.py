"""A component runs again at this party: a new version, and the old one's results hidden."""

from __future__ import annotations

import shutil
from pathlib import Path

from sqlalchemy.orm import Session

from fateflow.domain.lifecycle import ENDS, INTERRUPTS, Status
from fateflow.scheduler import inputs, tasks, ways
from fateflow.scheduler.joblog import JobLog
from fateflow.site import Site
from fateflow.store import logs, metrics, outputs
from fateflow.store import tasks as rows
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, OutputRow, TaskRow
from fateflow.wire import control as wire

_NOT_COPIED = {
    "task_version",
    "status",
    "party_status",
    "worker_id",
    "cmd",
    "run_pid",
    "engine_conf",
    "kill_status",
    "error_report",
    "progress",
    "cpu_seconds",
    "peak_memory",
    "task_token",
    "events_read",
    "elapsed",
    "start_time",
    "end_time",
    "create_time",
    "update_time",
    "interrupted",
    "retry_at",
}


def reset(site: Site, request: wire.ResetTasks) -> None:
    """Give each named component its new version, waiting; what runs of the old one is ended.

    A component that has this version already is left alone.
    """
    mine = {"role": request.role, "party_id": request.party_id}
    for component, version in request.versions.items():
        with site.database.read() as session:
            found = rows.latest(session, request.job_id, component_name=component, **mine)
        if not found or found[0].task_version >= version:
            continue
        old = found[0]
        if old.party_status == Status.RUNNING.value:
            stop = wire.StopTask(
                job_id=old.job_id,
                component=component,
                version=old.task_version,
                status=Status.CANCELED.value,
                reason="run again",
                **mine,
            )
            tasks.stop(site, stop)
        logs.set_aside(_log_folder(site, old) / component, old.task_version)
        ways.forget_task(site, old.job_id, component, old.task_version)
        with site.database.write() as session:
            gone = outputs.forget(session, rows.key(old))
            gone = [output for output in gone if not outputs.shared(session, output)]
            metrics.forget(session, rows.key(old))
            _show_ended(session, old)
            session.add(new_version(old, version))
        for output in gone:
            _remove(site, output)
        JobLog(site.settings.logs, old.job_id).info(
            f"{old.role} {old.party_id}: {component} has version {version} now"
        )


def set_log_aside(site: Site, row: JobRow) -> None:
    """A job of this party goes on after its end: what it wrote until then is an attempt."""
    logs.set_aside(_log_folder(site, row))


def _log_folder(site: Site, row: JobRow | TaskRow) -> Path:
    return logs.folder(site.settings.logs, row.job_id, row.role, row.party_id)


def _show_ended(session: Session, old: TaskRow) -> None:
    """A version that is run again has ended, though its parties' votes may not be counted yet."""
    row = rows.one(session, rows.key(old))
    if row is not None and Status(row.status) not in ENDS:
        own = Status(row.party_status)
        rows.change(row, status=(own if own in INTERRUPTS else Status.CANCELED).value)


def new_version(old: TaskRow, version: int) -> TaskRow:
    """The same task, waiting, under a higher version."""
    now = now_ms()
    kept = {
        name: getattr(old, name)
        for name in TaskRow.__table__.columns.keys()  # noqa: SIM118 (a column collection)
        if name not in _NOT_COPIED
    }
    return TaskRow(**kept, task_version=version, create_time=now, update_time=now)


def _remove(site: Site, output: OutputRow) -> None:
    """Free the disk of an output. Tables that were linked from it keep their rows; its model
    file stays until the new version writes over it."""
    if output.kind == "data":
        folder = inputs.table_folder(site.settings, output.table_namespace, output.table_name)
        shutil.rmtree(folder, ignore_errors=True)
    elif output.kind == "cache":
        shutil.rmtree(output.path, ignore_errors=True)
