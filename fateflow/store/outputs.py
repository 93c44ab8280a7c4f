"""What tasks put out: tables, models, caches; and the tables that users can name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from fateflow.store.database import now_ms
from fateflow.store.orm import OutputRow, TableRow, TableUseRow
from fateflow.store.tasks import TaskKey

KINDS = ("data", "model", "cache")


def put(session: Session, key: TaskKey, kind: str, name: str, **columns: Any) -> None:
    """Record an output; told twice, the second time replaces the first."""
    job_id, component, *_ = key
    now = now_ms()
    session.merge(
        OutputRow(
            **_columns(key),
            kind=kind,
            name=name,
            task_id=f"{job_id}_{component}",
            create_time=now,
            update_time=now,
            **columns,
        )
    )


def of_task(session: Session, key: TaskKey, kind: str) -> Sequence[OutputRow]:
    """Outputs of one kind of one version of a task, in the order in which the DSL names them."""
    wanted = select(OutputRow).filter_by(**_columns(key), kind=kind)
    return session.scalars(wanted.order_by(OutputRow.position, OutputRow.name)).all()


def forget(session: Session, key: TaskKey) -> list[OutputRow]:
    """Take the records of a task version's outputs away; what they were, so that files can go."""
    found = [row for kind in KINDS for row in of_task(session, key, kind)]
    session.execute(delete(OutputRow).filter_by(**_columns(key)))
    return found


def _columns(key: TaskKey) -> dict[str, Any]:
    names = ("job_id", "component_name", "task_version", "role", "party_id")
    return dict(zip(names, key, strict=True))


def shared(session: Session, output: OutputRow) -> bool:
    """Whether another record names the same table or file: a job that inherited it."""
    same = select(OutputRow.job_id).where(OutputRow.kind == output.kind)
    if output.kind == "data":
        same = same.filter_by(table_namespace=output.table_namespace, table_name=output.table_name)
    else:
        same = same.filter_by(path=output.path)
    return session.scalars(same).first() is not None


def put_table(session: Session, namespace: str, name: str, **columns: Any) -> None:
    """Record a table that has a user's name, or renew what is known of it."""
    now = now_ms()
    row = session.get(TableRow, (namespace, name))
    if row is None:
        session.add(
            TableRow(namespace=namespace, name=name, create_time=now, update_time=now, **columns)
        )
        return
    for column, value in columns.items():
        setattr(row, column, value)
    row.disable, row.update_time = False, now


def used(session: Session, namespace: str, name: str, job_id: str) -> None:
    """Record, once, that a job read or wrote a table."""
    wanted = select(TableUseRow).filter_by(namespace=namespace, name=name, job_id=job_id)
    if session.scalars(wanted).first() is None:
        session.add(TableUseRow(namespace=namespace, name=name, job_id=job_id))
