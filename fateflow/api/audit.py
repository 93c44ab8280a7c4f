"""``/v1/audit``, our own: what left a party for a job, how it was protected, what to mind."""

from __future__ import annotations

import datetime
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, site
from fateflow.store import logs, queries
from fateflow.store.jobs import ACTIVE
from fateflow.store.orm import JobRow
from federation import audit_report
from federation.audit_report import ReportLine

blueprint = Blueprint("audit", __name__, url_prefix="/v1/audit")

DAY_MS = 86_400_000
MOST_WARNINGS = 20
_WARNING = re.compile(r"\[WARNING\] .*? - \[federatedml\.([^\]]*)\] \[line:\d+\]: (.*)")
_PROTECTING = ("crypto.", "protocols.")
_TELLING = re.compile(r"\b(tells?|work out|solve for|would show|reveals?|leaks?)\b")
"""A warning counts that comes from the code that protects values, or says what others learn."""

_REPORTS = audit_report.Reports()


class Wanted(asked.OfJob, frozen=True, kw_only=True):
    """Without role and party: everything this site logged of the job."""

    component_name: str | None = None


@blueprint.post("/report")
def report() -> Response:
    """Messages by name, pair and outcome; schemes in force; warnings; whether the log holds."""
    wanted = body(Wanted)
    asked.job(site(), wanted)
    named = {"job_id": wanted.job_id, "role": wanted.role, "party_id": wanted.party_id}
    rows = queries.jobs(site().database, named)
    found = _REPORTS.of(site().settings.root, wanted.job_id, *_days(wanted.job_id))
    return answer(
        {
            "lines": msgspec.to_builtins(_seen(found.lines, rows, wanted)),
            "schemes": _schemes(named, wanted.component_name),
            "warnings": [told for row in rows for told in _warnings(row, wanted.component_name)],
            "verified": found.unbroken,
        }
    )


def _seen(lines: list[ReportLine], rows: list[JobRow], wanted: Wanted) -> list[ReportLine]:
    if wanted.role or wanted.party_id:
        lines = [
            line
            for row in rows
            for line in audit_report.seen_by(lines, f"{row.role} {row.party_id}")
        ]
    return [line for line in lines if wanted.component_name in (None, line.component)]


def _days(job_id: str) -> tuple[str, str]:
    """The first and last file that can hold the job, by this site's clock, a day more on each
    side; no last one while any party here runs it."""
    rows = queries.jobs(site().database, {"job_id": job_id})
    first = min(row.create_time for row in rows)
    ended = [row.end_time or row.update_time for row in rows if row.status not in ACTIVE]
    return _day(first - DAY_MS), _day(max(ended) + DAY_MS) if len(ended) == len(rows) else ""


def _day(time_ms: int) -> str:
    return datetime.datetime.fromtimestamp(time_ms / 1000, datetime.timezone.utc).date().isoformat()


def _schemes(named: dict[str, Any], component: str | None) -> list[dict[str, str]]:
    """What each component said of its protection, once for all the parties here."""
    found = [
        (row.component_name, row.values["security"])
        for row in queries.summaries(site().database, named)
        if isinstance(row.values.get("security"), str) and component in (None, row.component_name)
    ]
    return [{"component": name, "text": text} for name, text in dict.fromkeys(found)]


def _warnings(row: JobRow, component: str | None) -> Iterator[dict[str, str]]:
    """Each warning once for each component of this party, in the order of the DSL."""
    for name in row.dsl.get("components", {}):
        if component in (None, name):
            where = logs.file(
                site().settings.logs, "componentWarning", row.job_id, row.role, row.party_id, name
            )
            for text in _warned_of(where):
                yield {"component": name, "text": text}


def _warned_of(path: Path) -> list[str]:
    lines = (_WARNING.match(text) for _, text in logs.cut(path, 1, logs.MOST_LINES))
    told = [
        line.group(2)
        for line in lines
        if line and (line.group(1).startswith(_PROTECTING) or _TELLING.search(line.group(2)))
    ]
    return list(dict.fromkeys(told))[:MOST_WARNINGS]
