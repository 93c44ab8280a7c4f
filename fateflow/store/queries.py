"""Reading for those who ask: jobs, tasks, metrics, outputs, by the filters of FATE's clients.

Nothing here writes. A filter value may be a list (any of them); party ids compare as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from sqlalchemy import ColumnElement, ScalarSelect, Select, and_, func, select
from sqlalchemy.orm import aliased

from fateflow.store.database import Database
from fateflow.store.orm import (
    JobRow,
    MetricRow,
    ModelRow,
    OutputRow,
    SummaryRow,
    TaskRow,
)

_HIDDEN = {"job_token", "task_token", "position", "events_read"}


@dataclass(frozen=True)
class Page:
    """Which rows of a list: ``limit`` 0 means all, ``number`` counts from 1."""

    limit: int = 0
    number: int = 1
    order_by: str = "create_time"
    descending: bool = False


@dataclass(frozen=True)
class At:
    """A component as one (role, party) runs it."""

    job_id: str
    role: str
    party_id: str
    component: str


def jobs(database: Database, filters: Mapping[str, Any]) -> list[JobRow]:
    """Jobs by column values, in creation order; unknown columns and nulls do not filter, and
    without any usable filter there are none."""
    conditions = _conditions(JobRow, filters)
    if not conditions:
        return []
    chosen = select(JobRow).where(*conditions).order_by(JobRow.create_time, JobRow.position)
    with database.read() as session:
        return list(session.scalars(chosen))


def initiators(database: Database, job_id: str) -> JobRow | None:
    """The row of a job to answer from when no role was named: the initiator's, else the first."""
    rows = jobs(database, {"job_id": job_id})
    return next((r for r in rows if r.is_initiator), rows[0] if rows else None)


def tasks(database: Database, filters: Mapping[str, Any]) -> list[TaskRow]:
    """The latest version of each matching task, by party in the job's order, then by DAG."""
    conditions = _conditions(TaskRow, filters)
    if not conditions:
        return []
    chosen = (
        select(TaskRow)
        .outerjoin(JobRow, _same_party(TaskRow, JobRow))
        .where(*conditions, TaskRow.task_version == _newest_version())
        .order_by(TaskRow.job_id, JobRow.position, TaskRow.role, TaskRow.position)
    )
    with database.read() as session:
        return list(session.scalars(chosen))


@cache
def _newest_version() -> ScalarSelect[int]:
    """The newest version of the enclosing query's task. Kept: it costs more to make than to ask,
    and those who follow a job ask with every change."""
    later = aliased(TaskRow)
    same = (getattr(later, name) == getattr(TaskRow, name) for name in _TASK_IDENTITY)
    return select(func.max(later.task_version)).where(*same).scalar_subquery()


def task_page(
    database: Database, equal: Mapping[str, Any], page: Page
) -> tuple[list[TaskRow], int]:
    """A page of the tasks that equal the filters, and how many there are in all."""
    return _page(database, select(TaskRow).where(*_conditions(TaskRow, equal)), TaskRow, page)


def latest_task(database: Database, at: At) -> TaskRow | None:
    """A task in its newest version."""
    found = tasks(
        database,
        {
            "job_id": at.job_id,
            "role": at.role,
            "party_id": at.party_id,
            "component_name": at.component,
        },
    )
    return found[0] if found else None


def metrics(
    database: Database, at: At, namespace: str | None = None, name: str | None = None
) -> list[MetricRow]:
    """What the task's latest version reported, in the order of logging."""
    version = _version(database, at)
    chosen = select(MetricRow).where(_of_task(MetricRow, at), MetricRow.task_version == version)
    if namespace is not None:
        chosen = chosen.where(MetricRow.namespace == namespace)
    if name is not None:
        chosen = chosen.where(MetricRow.name == name)
    with database.read() as session:
        return list(session.scalars(chosen.order_by(MetricRow.id)))


def summary(database: Database, at: At) -> dict[str, Any]:
    """What a component summed up in its newest version; nothing if it did not."""
    version = _version(database, at)
    chosen = select(SummaryRow).where(_of_task(SummaryRow, at), SummaryRow.task_version == version)
    with database.read() as session:
        found = session.scalars(chosen).first()
    return found.values if found else {}


def summaries(database: Database, filters: Mapping[str, Any]) -> list[SummaryRow]:
    """What components summed up, each in its newest version, by the order of the DAG; none
    without a filter. ``filters``: job_id, role, party_id, component_name."""
    versions = {
        (t.job_id, t.component_name, t.role, t.party_id, t.task_version): order
        for order, t in enumerate(tasks(database, filters))
    }
    conditions = _conditions(SummaryRow, filters)
    if not conditions:
        return []
    with database.read() as session:
        rows = list(session.scalars(select(SummaryRow).where(*conditions)))
    keyed = [((r.job_id, r.component_name, r.role, r.party_id, r.task_version), r) for r in rows]
    newest = [(versions[key], row) for key, row in keyed if key in versions]
    return [row for _, row in sorted(newest, key=lambda pair: pair[0])]


def outputs(database: Database, at: At, kind: str) -> list[OutputRow]:
    """Outputs of the task's latest version, in the order in which the DSL names them."""
    version = _version(database, at)
    chosen = select(OutputRow).where(
        _of_task(OutputRow, at), OutputRow.task_version == version, OutputRow.kind == kind
    )
    with database.read() as session:
        return list(session.scalars(chosen.order_by(OutputRow.position, OutputRow.name)))


def output_tables(database: Database, filters: Mapping[str, Any]) -> list[OutputRow]:
    """Data outputs by column values, in the order in which they came to be."""
    conditions = _conditions(OutputRow, filters)
    if not conditions:
        return []
    chosen = select(OutputRow).where(*conditions, OutputRow.kind == "data")
    with database.read() as session:
        return list(session.scalars(chosen.order_by(OutputRow.create_time, OutputRow.position)))


def models(database: Database, filters: Mapping[str, Any]) -> list[ModelRow]:
    """Models that equal the filters, oldest first; none without a filter."""
    conditions = _conditions(ModelRow, filters)
    if not conditions:
        return []
    with database.read() as session:
        return list(
            session.scalars(select(ModelRow).where(*conditions).order_by(ModelRow.create_time))
        )


_TASK_IDENTITY = ("job_id", "component_name", "role", "party_id")


def _conditions(row: type, filters: Mapping[str, Any]) -> list[ColumnElement[bool]]:
    """Equality with each given column; what is no visible column or is null is left out."""
    columns = row.__table__.columns  # type: ignore[attr-defined]
    found = []
    for name, value in filters.items():
        key = name.removeprefix("f_")
        if value is None or key not in columns or key in _HIDDEN:
            continue
        column = getattr(row, key)
        if column.type.python_type not in (str, int, bool, float):
            continue
        values = value if isinstance(value, list) else [value]
        found.append(column.in_([_as(column.type.python_type, v) for v in values]))
    return found


def _as(kind: type, value: Any) -> Any:
    return str(value) if kind is str else value


def _page(database: Database, chosen: Select[Any], row: Any, page: Page) -> tuple[list[Any], int]:
    column = getattr(row, page.order_by)
    order: Sequence[Any] = [column.desc() if page.descending else column.asc()]
    order = [*order, row.position.desc() if page.descending else row.position.asc()]
    with database.read() as session:
        total = session.scalar(select(func.count()).select_from(chosen.subquery())) or 0
        shown = chosen.order_by(*order)
        if page.limit > 0:
            shown = shown.limit(page.limit).offset(page.limit * (max(page.number, 1) - 1))
        return list(session.scalars(shown)), total


def _version(database: Database, at: At) -> int:
    task = latest_task(database, at)
    return task.task_version if task else -1


def _of_task(row: Any, at: At) -> ColumnElement[bool]:
    return and_(
        row.job_id == at.job_id,
        row.role == at.role,
        row.party_id == at.party_id,
        row.component_name == at.component,
    )


def _same_party(left: Any, right: Any) -> ColumnElement[bool]:
    return and_(*(getattr(left, n) == getattr(right, n) for n in ("job_id", "role", "party_id")))
