"""Jobs in the database. Functions take the session, so that a use case is one transaction."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from fateflow.domain import lifecycle
from fateflow.domain.lifecycle import Status
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow, TaskRow

ACTIVE = (Status.READY.value, Status.WAITING.value, Status.RUNNING.value)


def one(session: Session, job_id: str, role: str, party_id: str) -> JobRow | None:
    """A party's record of a job."""
    return session.get(JobRow, (job_id, role, str(party_id)))


def rows(session: Session, job_id: str) -> list[JobRow]:
    """Every (role, party) of the job that this site knows, guest first."""
    wanted = select(JobRow).where(JobRow.job_id == job_id).order_by(JobRow.position)
    return list(session.scalars(wanted))


def initiated(session: Session, job_id: str) -> JobRow | None:
    """The initiator's row, if the job is scheduled here."""
    wanted = select(JobRow).where(JobRow.job_id == job_id, JobRow.is_initiator)
    return session.scalars(wanted).first()


def scheduled_here(session: Session, statuses: tuple[str, ...] = ACTIVE) -> list[JobRow]:
    """Initiator rows in these states, oldest first."""
    wanted = select(JobRow).where(JobRow.is_initiator, JobRow.status.in_(statuses))
    return list(session.scalars(wanted.order_by(JobRow.create_time, JobRow.job_id)))


def used_cores(session: Session) -> int:
    """Listed cores that jobs hold at this site."""
    held = select(func.coalesce(func.sum(JobRow.cores), 0)).where(JobRow.resource_in_use)
    return int(session.scalar(held) or 0)


def needs(session: Session, job_ids: list[str]) -> dict[str, int]:
    """Listed cores that each of these jobs needs at this site, all its parties together."""
    wanted = (
        select(JobRow.job_id, func.sum(JobRow.need_cores))
        .where(JobRow.job_id.in_(job_ids))
        .group_by(JobRow.job_id)
    )
    return {job_id: int(cores) for job_id, cores in session.execute(wanted)}


def change(row: JobRow, **columns: Any) -> None:
    """Set columns and stamp the change."""
    for name, value in columns.items():
        setattr(row, name, value)
    row.update_time = now_ms()


def move(row: JobRow, status: Status, reason: str | None = None) -> bool:
    """Change the state with all its time stamps; False if it was there already.

    Raises InvalidTransition.
    """
    if row.status == status.value:
        if reason is not None:
            change(row, reason=reason)
        return False
    lifecycle.check_job(row.job_id, row.status, status)
    now = now_ms()
    row.status, row.update_time = status.value, now
    if reason is not None:
        row.reason = reason
    if status is Status.RUNNING:
        row.start_time, row.end_time, row.elapsed = row.start_time or now, None, None
        row.ready_signal, row.ready_time = True, now
        row.engine_name, row.engine_type = "STANDALONE", "computing"
    elif status is Status.WAITING:
        row.start_time = row.end_time = row.elapsed = None
        row.queued_time = now
        row.tag, row.end_scheduling_updates = "", 0
        row.cancel_signal, row.cancel_time = False, None
    else:
        row.end_time, row.elapsed = now, now - (row.start_time or now)
        row.ready_signal, row.ready_time = False, None
        row.rerun_signal = False
    return True


def record_reason(session: Session, job_id: str, reason: str) -> None:
    """Say in every record of the job that this site holds why it waits or failed."""
    for row in rows(session, job_id):
        if row.reason != (reason or row.warning):
            change(row, reason=reason or row.warning)


def roles_of(row: JobRow) -> list[tuple[str, str]]:
    """(role, party id) of every participant in configuration order: guest, host, arbiter."""
    order = {"guest": 0, "host": 1, "arbiter": 2, "local": 3}
    return [
        (role, str(party))
        for role in sorted(row.roles, key=lambda r: order.get(r, 9))
        for party in row.roles[role]
    ]


def delete(session: Session, job_id: str) -> None:
    """Forget a job that was never completely created."""
    for row_type in (TaskRow, JobRow):
        for row in session.scalars(select(row_type).where(row_type.job_id == job_id)):
            session.delete(row)


def unfinished(session: Session) -> list[JobRow]:
    """Rows of jobs that have not ended here, whoever initiated them."""
    return list(session.scalars(select(JobRow).where(JobRow.status.in_(ACTIVE))))


def untold(session: Session) -> list[JobRow]:
    """Jobs initiated here that ended, but not every party was told."""
    wanted = select(JobRow).where(
        JobRow.is_initiator, JobRow.status.not_in(ACTIVE), JobRow.end_scheduling_updates == 0
    )
    return list(session.scalars(wanted))


def orphans(session: Session, hosts: Callable[[str], bool], before_ms: int) -> list[JobRow]:
    """Waiting rows whose initiator is hosted here but has no row: the submit never finished."""
    waiting = select(JobRow).where(
        JobRow.status == Status.WAITING.value, JobRow.create_time < before_ms
    )
    return [
        row
        for row in session.scalars(waiting)
        if hosts(row.initiator_party_id) and initiated(session, row.job_id) is None
    ]
