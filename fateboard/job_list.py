"""A page of the list of jobs. fateflow filters, sorts and counts."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.errors import Refused
from fateboard.flow_client import Flow
from fateboard.jobs import (
    WITHOUT_DETAIL,
    integer,
    listed,
    mapping,
    number,
    row_of,
    rows_of,
    shown,
    text,
)
from fateboard.shapes import JobKey, JobPage

MOST_ROWS = 1_000
TEXTS = {"q": "q", "partner": "partner", "note": "description"}
LISTS = {"status": "status", "role": "role", "party_id": "party_id", "module": "module"}
"""What the page calls a filter, and what fateflow calls it."""
SORTS = {
    "started": "start_time",
    "ended": "end_time",
    "elapsed": "elapsed",
    "created": "create_time",
    "status": "status",
    "metric": "metric",
}


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """since, until: of the creation, milliseconds. sort: of SORTS, or "" for the newest first."""

    texts: dict[str, str] = {}
    lists: dict[str, list[str]] = {}
    since: int | None = None
    until: int | None = None
    sort: str = ""
    ascending: bool = False
    page: int = 1
    size: int = 20
    metric: str = ""


def page(flow: Flow, wanted: Wanted) -> JobPage:
    """Raises Refused."""
    data = mapping(flow.shared("job/list/job", body_of(wanted)).data)
    rows = listed(data, "jobs")
    metrics = data.get("metrics")
    return JobPage(
        total=integer(data.get("count")) or 0,
        page=wanted.page,
        size=wanted.size,
        jobs=[shown(row, number(row.get("metric"))) for row in rows],
        facets={name: _counts(of) for name, of in mapping(data.get("facets")).items()},
        metrics=[text(name) for name in metrics] if isinstance(metrics, list) else [],
    )


def body_of(wanted: Wanted) -> dict[str, Any]:
    """The question as fateflow takes it. Raises Refused (400)."""
    if wanted.sort and wanted.sort not in SORTS:
        raise Refused(400, "sort", allowed=", ".join(SORTS))
    body: dict[str, Any] = {"page": wanted.page, "limit": wanted.size, "facets": True}
    body |= {TEXTS[name]: value for name, value in wanted.texts.items() if value}
    body |= {LISTS[name]: values for name, values in wanted.lists.items() if values}
    limits = {"from": wanted.since, "to": wanted.until, "metric": wanted.metric or None}
    body |= {name: value for name, value in limits.items() if value is not None}
    if wanted.sort:
        body |= {"order_by": SORTS[wanted.sort], "order": "asc" if wanted.ascending else "desc"}
    return body | WITHOUT_DETAIL


def only(flow: Flow, key: JobKey) -> JobPage:
    """The list of a session that sees one job."""
    row = row_of(rows_of(flow, key.job_id, detail=False), key)
    return JobPage(total=1, page=1, size=1, jobs=[shown(row)], facets={}, metrics=[])


def _counts(found: Any) -> dict[str, int]:
    return {value: integer(count) or 0 for value, count in mapping(found).items()}
