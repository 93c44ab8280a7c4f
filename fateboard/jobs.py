"""Lists of jobs: fateflow's rows as the page shows them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from fateboard.errors import no_job
from fateboard.flow_client import SHARED_S, Flow
from fateboard.shapes import JobKey, JobRow

ENDED = frozenset({"success", "failed", "canceled", "timeout"})
FAILED = frozenset({"failed", "timeout"})
WITHOUT_DETAIL = {"detail": False}
"""Distaff's own: leaves DSL and configuration out of ``job/list/job``; FATE's passes it over."""
MOST_ROWS = 500
"""Of one job. Who asks for the job "2" must not make fateflow tell all that it has."""

Row = Mapping[str, Any]


def key_of(row: Row) -> JobKey:
    return JobKey(
        job_id=str(row.get("job_id", "")),
        role=str(row.get("role", "")),
        party_id=str(row.get("party_id", "")),
    )


def shown(row: Row, metric: float | None = None) -> JobRow:
    """A job as fateflow lists it. Nothing in it is trusted to have the right type."""
    key = key_of(row)
    return JobRow(
        job_id=key.job_id,
        role=key.role,
        party_id=key.party_id,
        name=text(row.get("name")),
        notes=text(row.get("description")),
        status=text(row.get("status")),
        progress=min(100, max(0, integer(row.get("progress")) or 0)),
        initiator=row.get("is_initiator") in (True, 1),
        partners=_partners(row),
        modules=_modules(row),
        created_ms=integer(row.get("create_time")),
        started_ms=integer(row.get("start_time")),
        ended_ms=integer(row.get("end_time")),
        elapsed_ms=integer(row.get("elapsed")),
        metric=metric,
    )


def rows_of(
    flow: Flow, job_id: str, *, detail: bool = True, keep_s: float = SHARED_S
) -> list[dict[str, Any]]:
    """All rows of a job that this site holds; fateflow finds ids that contain the text, too.

    detail: with DSL and configuration, which are most of a row."""
    wanted = {"job_id": job_id, "limit": MOST_ROWS} | ({} if detail else WITHOUT_DETAIL)
    data = flow.shared("job/list/job", wanted, keep_s=keep_s).data
    return [row for row in listed(data, "jobs") if str(row.get("job_id")) == job_id]


def check_here(flow: Flow, key: JobKey) -> None:
    """Raises Refused (404) for a job that is not here. A job does not go away, so that one look
    serves for a while."""
    if not any(key_of(row) == key for row in rows_of(flow, key.job_id, detail=False, keep_s=30.0)):
        row_of(rows_of(flow, key.job_id), key)


def row_of(rows: list[dict[str, Any]], key: JobKey) -> dict[str, Any]:
    """Raises Refused (404)."""
    for row in rows:
        if key_of(row) == key:
            return row
    raise no_job()


def listed(data: Any, name: str) -> list[dict[str, Any]]:
    """The objects in a list member of an answer; whatever else is there is passed over."""
    found = data.get(name) if isinstance(data, dict) else None
    return [row for row in found if isinstance(row, dict)] if isinstance(found, list) else []


def integer(value: Any) -> int | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return int(value)
    except (ValueError, OverflowError):
        return None


def number(value: Any) -> float | None:
    known = isinstance(value, int | float) and not isinstance(value, bool)
    return float(value) if known and math.isfinite(value) else None


def text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _partners(row: Row) -> list[str]:
    """The other parties as "role id", from the job's roles."""
    return [
        f"{role} {party}"
        for role, parties in mapping(row.get("roles")).items()
        if isinstance(parties, list)
        for party in parties
        if (role, str(party)) != (row.get("role"), str(row.get("party_id")))
    ]


def _modules(row: Row) -> list[str]:
    told = row.get("modules")
    if isinstance(told, list):
        return [module for module in told if isinstance(module, str)]
    components = mapping(mapping(row.get("dsl")).get("components"))
    modules = (text(mapping(component).get("module")) for component in components.values())
    return list(dict.fromkeys(module for module in modules if module))
