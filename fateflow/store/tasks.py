"""Tasks in the database: a component's version at a (role, party)."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fateflow.domain import lifecycle
from fateflow.domain.lifecycle import ENDS, Status
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, TaskRow

TaskKey = tuple[str, str, int, str, str]
"""(job id, component, version, role, party id)."""


def key(row: TaskRow) -> TaskKey:
    """What identifies a row: job, component, version, role, party."""
    return (row.job_id, row.component_name, row.task_version, row.role, row.party_id)


def one(session: Session, key: TaskKey) -> TaskRow | None:
    """A version of a task at a party."""
    return session.get(TaskRow, key)


def latest(session: Session, job_id: str, **columns: Any) -> list[TaskRow]:
    """The latest version of each task of a job, in topological and party order.

    columns: component_name, role, party_id, run_on_this_party, as wanted.
    """
    wanted = select(TaskRow).where(TaskRow.job_id == job_id).filter_by(**columns)
    newest = {
        (row.component_name, row.role, row.party_id): row
        for row in session.scalars(wanted.order_by(TaskRow.task_version))
    }
    return sorted(newest.values(), key=lambda row: (row.position, row.party_position))


def of_version(session: Session, job_id: str, component: str, version: int) -> list[TaskRow]:
    """One version of a component at every party that this site knows of."""
    wanted = select(TaskRow).where(
        TaskRow.job_id == job_id,
        TaskRow.component_name == component,
        TaskRow.task_version == version,
    )
    return list(session.scalars(wanted.order_by(TaskRow.party_position)))


def running_here(session: Session) -> list[TaskRow]:
    """Tasks that this site's workers should be busy with."""
    wanted = select(TaskRow).where(
        TaskRow.run_on_this_party, TaskRow.party_status == Status.RUNNING.value
    )
    return list(session.scalars(wanted))


def orphans(session: Session, before_ms: int) -> list[TaskRow]:
    """Rows for parties elsewhere of jobs that this site never made: their submit was cut off."""
    of_a_job = select(JobRow.job_id).where(JobRow.is_initiator)
    wanted = select(TaskRow).where(
        TaskRow.run_on_this_party.is_(False),
        TaskRow.job_id.not_in(of_a_job),
        TaskRow.create_time < before_ms,
    )
    return list(session.scalars(wanted))


def change(row: TaskRow, **columns: Any) -> None:
    """Set columns and stamp the change."""
    for name, value in columns.items():
        setattr(row, name, value)
    row.update_time = now_ms()


def move(row: TaskRow, status: Status, *, error: str = "", elapsed: int | None = None) -> bool:
    """Change this party's state with its time stamps; False if it was there already.

    Raises InvalidTransition.
    """
    if row.party_status == status.value:
        return False
    lifecycle.check_task(row.task_id, row.party_status, status)
    now = now_ms()
    row.party_status, row.update_time = status.value, now
    if status is Status.RUNNING:
        row.start_time = row.start_time or now
    if status in ENDS:
        row.end_time = now
        row.elapsed = elapsed if elapsed is not None else now - (row.start_time or now)
        row.kill_status = True
        row.progress = 100 if status in lifecycle.DONE else row.progress
    if error:
        row.error_report = error
    return True


def settle(session: Session, job_id: str, component: str, version: int) -> Status:
    """Recompute the federated state of a component's version from all its parties' states.

    At the initiator, who knows them all; once its job has ended, nothing runs any more.
    """
    ended = select(JobRow.status).where(JobRow.job_id == job_id, JobRow.is_initiator)
    job = Status(session.scalars(ended).first() or Status.WAITING)
    return _settled(of_version(session, job_id, component, version), job)


def settle_ended(session: Session, job_id: str, job: Status) -> None:
    """The same for all components of a job that ends with a state."""
    found: dict[str, list[TaskRow]] = {}
    for row in latest(session, job_id):
        found.setdefault(row.component_name, []).append(row)
    for listed in found.values():
        _settled(listed, job)


def _settled(found: list[TaskRow], job: Status) -> Status:
    status = lifecycle.federated_at_end((Status(row.party_status) for row in found), job)
    for row in found:
        if row.status != status.value:
            change(row, status=status.value)
    return status
