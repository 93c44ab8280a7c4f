"""Named tables in the database: who they are, where they come from, who used them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import func, select, update

from fateflow.store.database import Database, now_ms
from fateflow.store.orm import ConnectorRow, JobRow, TableRow, TableUseRow, TaskRow

Name = tuple[str, str]
"""(namespace, name)."""


def find(database: Database, namespace: str, name: str) -> TableRow | None:
    """What is known of a table."""
    with database.read() as session:
        return session.get(TableRow, (namespace, name))


def put(database: Database, namespace: str, name: str, **columns: Any) -> None:
    """Write a table's record, in place of an older one of that name."""
    with database.write() as session:
        old = session.get(TableRow, (namespace, name))
        if old:
            session.delete(old)
            session.flush()
        now = now_ms()
        session.add(
            TableRow(namespace=namespace, name=name, create_time=now, update_time=now, **columns)
        )


def forget(database: Database, namespace: str, name: str) -> bool:
    """Remove a table's record; whether there was one."""
    with database.write() as session:
        row = session.get(TableRow, (namespace, name))
        if row:
            session.delete(row)
        return row is not None


def set_disabled(database: Database, namespace: str, name: str, *, disabled: bool) -> bool:
    """A disabled table cannot be read by a job. Whether there is such a table."""
    chosen = (
        update(TableRow)
        .where(TableRow.namespace == namespace, TableRow.name == name)
        .values(disable=disabled, update_time=now_ms())
    )
    with database.write() as session:
        return bool(session.execute(chosen).rowcount)  # type: ignore[attr-defined]


def disabled(database: Database) -> list[Name]:
    """Tables that no job may read."""
    chosen = select(TableRow.namespace, TableRow.name).where(TableRow.disable)
    with database.read() as session:
        return [(namespace, name) for namespace, name in session.execute(chosen)]


def jobs_using(database: Database, namespace: str, name: str) -> list[str]:
    """Jobs that read or wrote the table, newest first."""
    chosen = (
        select(TableUseRow.job_id)
        .where(TableUseRow.namespace == namespace, TableUseRow.name == name)
        .group_by(TableUseRow.job_id)
        .order_by(TableUseRow.job_id.desc())
    )
    with database.read() as session:
        return list(session.scalars(chosen))


def read_by(database: Database, job_id: str) -> list[Name]:
    """Named tables that a job read or wrote."""
    chosen = select(TableUseRow.namespace, TableUseRow.name).where(TableUseRow.job_id == job_id)
    with database.read() as session:
        return [(namespace, name) for namespace, name in session.execute(chosen)]


def uploads(
    database: Database, limit: int, job_id: str | None
) -> Sequence[tuple[JobRow, TaskRow, TableRow | None]]:
    """Finished uploads, newest first, with the table that each made if it is still there."""
    chosen = (
        select(JobRow, TaskRow)
        .join(TaskRow, TaskRow.job_id == JobRow.job_id)
        .where(
            JobRow.role == "local",
            JobRow.status == "success",
            func.lower(TaskRow.component_module) == "upload",
        )
        .order_by(JobRow.create_time.desc())
    )
    if job_id:
        chosen = chosen.where(JobRow.job_id == job_id)
    if limit > 0:
        chosen = chosen.limit(limit)
    with database.read() as session:
        pairs = session.execute(chosen).tuples().all()
        return [(job, task, session.get(TableRow, _uploaded(task))) for job, task in pairs]


def put_connector(database: Database, name: str, engine: str, info: dict[str, Any]) -> None:
    """Store an address under a name; what had the name is replaced."""
    with database.write() as session:
        session.merge(ConnectorRow(name=name, engine=engine, info=info))


def connector(database: Database, name: str) -> dict[str, Any]:
    """What was stored under the name; nothing if it is unknown."""
    with database.read() as session:
        found = session.get(ConnectorRow, name)
    return found.info if found else {}


def _uploaded(task: TaskRow) -> Name:
    shown = task.component_parameters.get("ComponentParam", {})
    return str(shown.get("namespace", "")), str(shown.get("name", ""))
