"""What tasks report: metrics as logged, and their summaries."""

from __future__ import annotations

from typing import Any

from sqlalchemy import delete
from sqlalchemy.orm import Session

from fateflow.store.orm import MetricRow, SummaryRow
from fateflow.store.tasks import TaskKey
from fateflow.worker import spec


def add(session: Session, key: TaskKey, event: spec.Metric) -> None:
    job_id, component, version, role, party_id = key
    session.add(
        MetricRow(
            job_id=job_id,
            component_name=component,
            task_version=version,
            role=role,
            party_id=party_id,
            namespace=event.namespace,
            name=event.name,
            metric_type=event.metric_type,
            points=event.points,
            meta=event.meta,
        )
    )


def summarise(session: Session, key: TaskKey, values: dict[str, Any]) -> None:
    """Merge into the task's summary."""
    job_id, component, version, role, party_id = key
    row = session.get(SummaryRow, (job_id, component, version, role, party_id))
    if row is None:
        session.add(
            SummaryRow(
                job_id=job_id,
                component_name=component,
                task_version=version,
                role=role,
                party_id=party_id,
                values=values,
            )
        )
    else:
        row.values = {**row.values, **values}


def forget(session: Session, key: TaskKey) -> None:
    """Delete what one version of a task reported."""
    job_id, component, version, role, party_id = key
    for row_type in (MetricRow, SummaryRow):
        session.execute(
            delete(row_type).where(
                row_type.job_id == job_id,
                row_type.component_name == component,
                row_type.task_version == version,
                row_type.role == role,
                row_type.party_id == party_id,
            )
        )
