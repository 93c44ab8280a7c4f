"""From rows to what ``domain.lifecycle`` decides on."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache

import msgspec
from sqlalchemy.orm import Session

from fateflow.domain import dsl
from fateflow.domain.lifecycle import INTERRUPTS, Snapshot, Status, Task
from fateflow.scheduler import inputs
from fateflow.store import tasks as rows
from fateflow.store.orm import JobRow, TaskRow

DEFAULT_TIMEOUT_S = 259_200
"""Three days, FATE's default."""


def snapshot(session: Session, job: JobRow, *, free_cores: int, now_ms: int) -> Snapshot:
    """The job as it stands. Of one that does not run, its tasks do not matter."""
    stop = None
    if job.cancel_signal:
        stop = (Status(job.stop_status or Status.CANCELED.value), job.reason)
    deadline = None
    if job.start_time is not None:
        deadline = job.start_time + 1000 * timeout_s(job)
    return Snapshot(
        job_id=job.job_id,
        status=Status(job.status),
        tasks=tasks(session, job.job_id) if job.status == Status.RUNNING.value else (),
        upstream=_upstream(msgspec.json.encode(job.dsl)),
        parallelism=job.parallelism,
        free_cores=free_cores,
        stop=stop,
        deadline_ms=deadline,
        now_ms=now_ms,
    )


def tasks(session: Session, job_id: str) -> tuple[Task, ...]:
    """Every component's latest version over all its parties.

    While a version is being renewed some parties have the next one already: then it is the older
    one that counts, whose failure makes the renewal go on.
    """
    by_component: dict[str, list[TaskRow]] = {}
    for row in rows.latest(session, job_id):
        by_component.setdefault(row.component_name, []).append(row)
    found = []
    for component, latest in by_component.items():
        version = min(row.task_version for row in latest)
        renewed = any(row.task_version != version for row in latest)
        counted = rows.of_version(session, job_id, component, version) if renewed else latest
        found.append(_task(component, version, counted))
    return tuple(found)


def timeout_s(job: JobRow) -> int:
    """Seconds that the job may take from its start."""
    return int(inputs.job_parameters(job).get("timeout") or DEFAULT_TIMEOUT_S)


def cause(found: list[TaskRow]) -> str:
    """Who failed first and with what, for every party's record."""
    broken = [row for row in found if Status(row.party_status) in INTERRUPTS]
    if not broken:
        return ""
    first = min(broken, key=lambda row: (row.end_time or 0, row.party_position))
    error = first.error_report.partition("\n")[0] or first.party_status
    error = error.removeprefix(f"{first.component_name}: ")  # components name themselves
    return f"{first.role} {first.party_id}, {first.component_name}: {error}"


def _task(component: str, version: int, found: list[TaskRow]) -> Task:
    first = found[0]
    return Task(
        component=component,
        version=version,
        position=first.position,
        parties={(row.role, row.party_id): Status(row.party_status) for row in found},
        retries_left=first.auto_retries,
        retry_delay_s=first.auto_retry_delay,
        retry_at_ms=max(row.retry_at for row in found),
        interrupted=any(row.interrupted for row in found),
        cause=cause(found),
    )


@lru_cache(maxsize=256)
def _upstream(encoded: bytes) -> Mapping[str, frozenset[str]]:
    dag = dsl.parse(msgspec.json.decode(encoded))
    return {name: frozenset(dag.parents(name)) for name in dag.components}
