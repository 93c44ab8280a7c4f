"""Link the results of an earlier job's components into a new one, instead of running them."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fateflow.domain.lifecycle import DONE, Status
from fateflow.errors import Refused
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.database import now_ms
from fateflow.store.orm import MetricRow, OutputRow, SummaryRow, TaskRow
from fateflow.wire import control as wire

_RESULTS: tuple[Any, ...] = (OutputRow, MetricRow, SummaryRow)


def check(site: Site, request: wire.CreateJob) -> None:
    """Raises Refused if the earlier job, or a good end of a listed component, is not here."""
    with site.database.read() as session:
        earlier = str(request.inheritance_info.get("job_id", ""))
        job = jobs.one(session, earlier, request.role, request.party_id)
        initiator = (request.initiator_role, request.initiator_party_id)
        if job is not None and initiator not in jobs.roles_of(job):
            raise Refused(f"inheritance_info: {' '.join(initiator)} had no part in job {earlier}")
        for plan, old in _pairs(session, request):
            if old is None or Status(old.party_status) not in DONE:
                raise Refused(
                    f"inheritance_info: {plan.component} of job "
                    f"{request.inheritance_info.get('job_id')} did not end well at "
                    f"{request.role} {request.party_id}"
                )


def link(site: Site, request: wire.CreateJob) -> None:
    """Give the new job's listed components the state and results of the earlier ones."""
    with site.database.write() as session:
        for plan, old in _pairs(session, request):
            if old is None:
                continue
            key = (request.job_id, plan.component, 0, request.role, request.party_id)
            row = rows.one(session, key)
            if row is None or row.party_status != Status.WAITING.value:
                continue
            rows.move(row, Status(old.party_status), elapsed=0)
            rows.change(row, status=row.party_status)
            for row_type in _RESULTS:
                _copy(session, row_type, old, request.job_id)


def _pairs(session: Session, request: wire.CreateJob) -> list[tuple[wire.TaskPlan, TaskRow | None]]:
    listed = set(request.inheritance_info.get("component_list") or [])
    earlier = str(request.inheritance_info.get("job_id", ""))
    mine = {"role": request.role, "party_id": request.party_id}
    found = {row.component_name: row for row in rows.latest(session, earlier, **mine)}
    return [(p, found.get(p.component)) for p in request.tasks if p.component in listed]


def _copy(session: Session, row_type: Any, old: TaskRow, job_id: str) -> None:
    wanted = select(row_type).filter_by(
        job_id=old.job_id,
        component_name=old.component_name,
        task_version=old.task_version,
        role=old.role,
        party_id=old.party_id,
    )
    for row in session.scalars(wanted).all():
        columns = {c: getattr(row, c) for c in row_type.__table__.columns.keys()}  # noqa: SIM118 (a column collection)
        columns.pop("id", None)
        columns.update(job_id=job_id, task_version=0)
        if "task_id" in columns:
            columns.update(task_id=f"{job_id}_{old.component_name}", update_time=now_ms())
        session.add(row_type(**columns))
