"""Deleting what is no longer wanted."""

from __future__ import annotations

from sqlalchemy import delete

from fateflow.store.database import Database
from fateflow.store.orm import MetricRow


def delete_metrics(database: Database, prefix: str, *, whole_day: bool) -> bool:
    """Forget the metrics of a job id, or of every job of a day; whether there were any.

    prefix: a job id, or its first eight digits (the day) if ``whole_day``.
    """
    of_jobs = MetricRow.job_id.startswith(prefix) if whole_day else MetricRow.job_id == prefix
    with database.write() as session:
        return bool(session.execute(delete(MetricRow).where(of_jobs)).rowcount)  # type: ignore[attr-defined]
