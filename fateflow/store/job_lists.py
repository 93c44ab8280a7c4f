"""The list of jobs: filters, pages, counts by filter value, and one metric of each job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Text, and_, cast, func, literal, or_, select
from sqlalchemy.orm import Session, defer

from fateflow.store.database import Database
from fateflow.store.orm import JobRow, SummaryRow, TaskRow
from fateflow.store.queries import Page

SUBMIT_FAILED = "submit_failed"
HEAVY = ("dsl", "runtime_conf", "runtime_conf_on_party", "train_runtime_conf")
"""Columns that a list rarely needs, and that make most of it."""

_AT_ONCE = 5_000
_EVALUATIONS = ("evaluation",)
_NAMESPACES = ("validate", "predict", "test", "train")
"""Of several, which result of an evaluation stands for the job."""

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Wanted:
    """``equal``: columns that have one of the values. ``like``: columns that contain a text, in
    any case; ``partner`` there is another party of the job. ``text``: in id, name or notes.
    ``modules``: a component has one of them. ``since``, ``until``: creation, ms, both included."""

    equal: Mapping[str, Sequence[str]] = field(default_factory=dict)
    like: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    modules: Sequence[str] = ()
    since: int | None = None
    until: int | None = None


def page(
    database: Database, wanted: Wanted, page: Page, *, heavy: bool = True, metric: str = ""
) -> tuple[list[JobRow], int]:
    """A page of jobs and the number of all matches. Jobs that never came to be are hidden.

    heavy: with the columns of HEAVY; else they must not be read. metric: what ``page.order_by``
    "metric" means; jobs without it come last.
    """
    chosen = select(JobRow).where(*_conditions(wanted))
    if not heavy:
        chosen = chosen.options(*(defer(getattr(JobRow, name), raiseload=True) for name in HEAVY))
    with database.read() as session:
        count = select(func.count()).select_from(JobRow).where(*_conditions(wanted))
        total = session.scalar(count) or 0
        if page.order_by == "metric":
            return _by_metric(session, wanted, page, metric, chosen), total
        column = getattr(JobRow, page.order_by)
        ends = (column, JobRow.position)
        order = [end.desc() if page.descending else end.asc() for end in ends]
        chosen = chosen.order_by(*order)
        if page.limit > 0:
            chosen = chosen.limit(page.limit).offset(page.limit * (max(page.number, 1) - 1))
        return list(session.scalars(chosen)), total


def modules(database: Database, rows: Sequence[JobRow]) -> dict[Key, list[str]]:
    """The modules of each job's components, each once, in the order of the DAG."""
    found: dict[Key, list[str]] = {}
    ids = sorted({row.job_id for row in rows})
    identity = (TaskRow.job_id, TaskRow.role, TaskRow.party_id, TaskRow.component_module)
    with database.read() as session:
        for start in range(0, len(ids), _AT_ONCE):
            chosen = (
                select(*identity)
                .where(TaskRow.job_id.in_(ids[start : start + _AT_ONCE]))
                .group_by(*identity)
                .order_by(func.min(TaskRow.position))
            )
            for job_id, role, party_id, module in session.execute(chosen):
                found.setdefault((job_id, role, party_id), []).append(module)
    return found


def facets(database: Database, wanted: Wanted) -> dict[str, dict[str, int]]:
    """For each value of a filter, how many jobs have it while all other filters hold."""
    columns = {"status": JobRow.status, "role": JobRow.role, "party_id": JobRow.party_id}
    found: dict[str, dict[str, int]] = {}
    with database.read() as session:
        for name, column in columns.items():
            counted = select(column, func.count()).where(*_conditions(wanted, but=name))
            found[name] = _counts(session, counted.group_by(column))
        of_party = (TaskRow.job_id, TaskRow.role, TaskRow.party_id)
        having = (
            select(*of_party, TaskRow.component_module)
            .join(JobRow, _same_party(TaskRow))
            .where(*_conditions(wanted, but="module"))
            .distinct()
            .subquery()
        )
        module = having.c.component_module
        found["module"] = _counts(session, select(module, func.count()).group_by(module))
    if "ready" in found["status"]:
        made = found["status"].pop("ready")
        found["status"]["waiting"] = found["status"].get("waiting", 0) + made
    return found


def metrics(database: Database, wanted: Wanted) -> dict[Key, dict[str, float]]:
    """What the last evaluation of each job found, by the metric's name."""
    with database.read() as session:
        return _metrics(session, wanted)


def _metrics(session: Session, wanted: Wanted) -> dict[Key, dict[str, float]]:
    same = (SummaryRow.component_name == TaskRow.component_name) & (
        SummaryRow.task_version == TaskRow.task_version
    )
    of_party = ("job_id", "role", "party_id")
    same &= and_(*(getattr(SummaryRow, n) == getattr(TaskRow, n) for n in of_party))
    chosen = (
        select(TaskRow.job_id, TaskRow.role, TaskRow.party_id, SummaryRow.values)
        .join(JobRow, _same_party(TaskRow))
        .join(SummaryRow, same)
        .where(*_conditions(wanted), func.lower(TaskRow.component_module).in_(_EVALUATIONS))
        .order_by(TaskRow.position, TaskRow.task_version)
    )
    found: dict[Key, dict[str, float]] = {}
    for job_id, role, party_id, values in session.execute(chosen):
        if result := _result(values):
            found[job_id, role, party_id] = result
    return found


def _result(summary: Any) -> dict[str, float]:
    """Of {data: {namespace: {metric: value}}} the numbers that stand for the job."""
    for of_data in summary.values() if isinstance(summary, dict) else ():
        if isinstance(of_data, dict):
            known = [name for name in (*_NAMESPACES, *of_data) if name in of_data]
            for name in known:
                if isinstance(of_data[name], dict):
                    values = of_data[name].items()
                    numbers = {k: v for k, v in values if isinstance(v, int | float)}
                    if numbers:
                        return numbers
    return {}


def _by_metric(
    session: Session, wanted: Wanted, page: Page, metric: str, chosen: Any
) -> list[JobRow]:
    values = {
        key: of_job[metric] for key, of_job in _metrics(session, wanted).items() if metric in of_job
    }
    keys = (JobRow.job_id, JobRow.role, JobRow.party_id)
    newest = select(*keys).where(*_conditions(wanted))
    newest = newest.order_by(JobRow.create_time.desc(), JobRow.position)
    listed: list[Key] = [(job, role, party) for job, role, party in session.execute(newest)]
    sign = -1 if page.descending else 1
    listed.sort(key=lambda key: (key not in values, sign * values.get(key, 0.0)))
    if page.limit > 0:
        start = page.limit * (max(page.number, 1) - 1)
        listed = listed[start : start + page.limit]
    ids = {key[0] for key in listed}
    rows = {
        (row.job_id, row.role, row.party_id): row
        for row in session.scalars(chosen.where(JobRow.job_id.in_(ids)))
    }
    return [rows[key] for key in listed if key in rows]


def _counts(session: Session, chosen: Any) -> dict[str, int]:
    return {str(value): int(count) for value, count in session.execute(chosen)}


def _conditions(wanted: Wanted, but: str = "") -> list[ColumnElement[bool]]:
    """All filters, or all but one."""
    found: list[ColumnElement[bool]] = [JobRow.tag != SUBMIT_FAILED]
    for name, values in wanted.equal.items():
        if name != but:
            found.append(getattr(JobRow, name).in_(values))
    for name, text in wanted.like.items():
        if name != but:
            found.append(_contains(_others() if name == "partner" else getattr(JobRow, name), text))
    if wanted.text:
        columns = (JobRow.job_id, JobRow.name, JobRow.description)
        found.append(or_(*(_contains(column, wanted.text) for column in columns)))
    if wanted.modules and but != "module":
        lowered = [module.lower() for module in wanted.modules]
        has = select(TaskRow.job_id).where(
            _same_party(TaskRow), func.lower(TaskRow.component_module).in_(lowered)
        )
        found.append(has.correlate(JobRow).exists())
    if wanted.since is not None:
        found.append(JobRow.create_time >= wanted.since)
    if wanted.until is not None:
        found.append(JobRow.create_time <= wanted.until)
    return found


def _contains(column: Any, text: str) -> ColumnElement[bool]:
    return func.lower(cast(column, Text)).contains(text.lower(), autoescape=True)


def _others() -> ColumnElement[str]:
    """Ids of a job's other parties in one text, a comma on either side of each."""
    ids = func.replace(func.replace(cast(JobRow.roles, Text), "[", ","), "]", ",")
    return func.replace(ids, literal(",") + JobRow.party_id + ",", ",")


def _same_party(row: Any) -> ColumnElement[bool]:
    names = ("job_id", "role", "party_id")
    return and_(*(getattr(row, name) == getattr(JobRow, name) for name in names))
