"""One component of a job as one party sees it: its view, parameters, data and model."""

from __future__ import annotations

import ast
import re
from typing import Any

import msgspec

from fateboard import views
from fateboard.blocks import Cell, Notice, Path, View, msg
from fateboard.errors import Refused
from fateboard.flow_client import Flow, FlowRefused, Reply
from fateboard.job_detail import task_of, tasks_at
from fateboard.jobs import ENDED, integer, key_of, mapping, row_of, rows_of, text
from fateboard.shapes import DataPreview, JobKey, Parameters, Task

KEPT_S = 60.0
"""What a component that has ended put out does not change until it is run again."""
PREVIEW_ROWS = 100


def asked(key: JobKey, component: str) -> dict[str, str]:
    """The body of every call about a component."""
    return {
        "job_id": key.job_id,
        "role": key.role,
        "party_id": key.party_id,
        "component_name": component,
    }


def task_row(flow: Flow, key: JobKey, component: str) -> dict[str, Any]:
    """The newest attempt. Raises Refused (404)."""
    rows = [row for row in tasks_at(flow, key) if row.get("component_name") == component]
    if not rows:
        raise Refused(404, "no_component", component=component)
    return max(rows, key=lambda row: integer(row.get("task_version")) or 0)


def task_at(flow: Flow, key: JobKey, component: str) -> tuple[Task, dict[str, Any]]:
    """The newest attempt as it is shown, and its row. Raises Refused (404)."""
    row = task_row(flow, key, component)
    job = row_of(rows_of(flow, key.job_id, detail=False), key)
    return task_of(row, text(job.get("status"))), row


def view(flow: Flow, key: JobKey, component: str, path: Path) -> View:
    return views.build(context(flow, key, component), path)


def context(flow: Flow, key: JobKey, component: str) -> views.Context:
    """What a view is built from; only what the module's page needs is asked for."""
    task, row = task_at(flow, key, component)
    body = asked(key, component)
    needs = views.needs(task.module)
    keep_s = KEPT_S if task.status in ENDED else 0.9

    def found(path: str, wanted: bool = True) -> Reply:
        return _optional(flow, path, body, keep_s) if wanted else Reply()

    model = found("tracking/component/output/model", "model" in needs)
    output = found("tracking/component/output/data", "data" in needs)
    return views.read(
        component=component,
        module=task.module,
        role=key.role,
        party_id=key.party_id,
        metrics=found("tracking/component/metric/all").data,
        model=model.data,
        model_meta=model.meta,
        parameters=row.get("component_parameters"),
        summary=found("tracking/component/summary/download", "summary" in needs).data,
        output=output.data,
        output_meta=output.meta,
        siblings=_siblings(flow, key, component, keep_s) if "siblings" in needs else [],
        status=task.status,
    )


def parameters(flow: Flow, key: JobKey, component: str) -> Parameters:
    """With the module's defaults, where fateflow tells them (Distaff does, FATE does not)."""
    row = task_row(flow, key, component)
    module = text(row.get("component_module"))
    shown = mapping(mapping(row.get("component_parameters")).get("ComponentParam"))
    defaults = _optional(flow, "component/validate", {"module": module}, KEPT_S).data
    return Parameters(
        module=module,
        parameters={name: value for name, value in shown.items() if not name.startswith("_")},
        defaults=mapping(defaults),
    )


def preview(flow: Flow, key: JobKey, component: str, table: int, limit: int) -> DataPreview:
    """The first rows of one output table."""
    task, _ = task_at(flow, key, component)
    keep_s = KEPT_S if task.status in ENDED else 0.9
    reply = _optional(flow, "tracking/component/output/data", asked(key, component), keep_s)
    tables = views.context.read_output(reply.data, reply.meta)
    names = [table.name for table in tables]
    if not tables:
        code = "data.arbiter" if key.role == "arbiter" else "data.none"
        notice = Notice(level="info", text=msg(code) if task.status in ENDED else msg("data.yet"))
        return DataPreview(names=[], table=0, header=[], rows=[], total=0, notices=[notice])
    if not 0 <= table < len(tables):
        raise Refused(404, "no_table", table=table, tables=len(tables))
    shown = tables[table]
    rows = [[cell(value) for value in row] for row in shown.rows[: max(0, limit)]]
    return DataPreview(names=names, table=table, header=shown.header, rows=rows, total=shown.total)


def cell(value: Any) -> Cell:
    """A value of a table. FATE writes details of a prediction as Python, in quotes."""
    if value is None or isinstance(value, bool | int | float):
        return value
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    inner = re.fullmatch(r"\"?(\{.{0,20000}\})\"?", value, re.DOTALL)
    if inner:
        try:
            return msgspec.json.encode(ast.literal_eval(inner[1])).decode()
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            return value
    return value


def _siblings(flow: Flow, key: JobKey, component: str, keep_s: float) -> list[tuple[str, str, Any]]:
    """The component's metrics at the other parties of the job that this site holds."""
    others = [other for other in map(key_of, rows_of(flow, key.job_id)) if other != key]
    return [
        (
            other.role,
            other.party_id,
            _optional(flow, "tracking/component/metric/all", asked(other, component), keep_s).data,
        )
        for other in others
    ]


def _optional(flow: Flow, path: str, body: dict[str, str], keep_s: float) -> Reply:
    """An answer, or an empty one where fateflow has nothing to tell."""
    try:
        return flow.shared(path, body, keep_s=keep_s)
    except FlowRefused:
        return Reply()
