"""One job as one party sees it: its graph with ports, tasks, data sets, and why it failed."""

from __future__ import annotations

import re
from typing import Any

import msgspec

from fateboard import declared
from fateboard.blocks import Label
from fateboard.flow_client import Flow
from fateboard.jobs import (
    ENDED,
    FAILED,
    Row,
    integer,
    key_of,
    listed,
    mapping,
    row_of,
    rows_of,
    shown,
    text,
)
from fateboard.logs import first_error
from fateboard.names import is_name
from fateboard.shapes import (
    Dag,
    DagEdge,
    DagNode,
    Dataset,
    Failure,
    JobDetail,
    JobKey,
    Port,
    Task,
)

NOT_REACHED = "not_reached"
"""The board's word for what still waits when its job has ended; fateflow keeps "waiting", for a
rerun."""
_WAITING = "waiting "
_NOT_BEGUN = frozenset({"", "waiting", "ready"})
SLOW_S = 10.0
"""How long the graph and the data sets of a job are kept: they hardly change."""
_REASON = re.compile(r"(guest|host|arbiter|local) (\S+), ([\w.-]+): (.*)", re.DOTALL)
INPUT_PORTS = {
    "data": "data",
    "train_data": "data",
    "validate_data": "data",
    "test_data": "data",
    "model": "model",
    "isometric_model": "model",
    "cache": "cache",
}


def detail(flow: Flow, key: JobKey) -> JobDetail:
    """Raises Refused (404) for a job that is not here."""
    heavy = row_of(rows_of(flow, key.job_id, keep_s=SLOW_S), key)
    rows = rows_of(flow, key.job_id, detail=False)
    row = {**heavy, **row_of(rows, key)}
    asked = {"job_id": key.job_id, "role": key.role, "party_id": key.party_id}
    everyones = tasks_of_job(flow, key.job_id)
    mine = [task for task in everyones if key_of(task) == key]
    dependency = mapping(flow.shared("pipeline/dag/dependency", asked, keep_s=SLOW_S).data)
    view = mapping(flow.shared("tracking/job/data_view", asked, keep_s=SLOW_S).data)
    dag = dag_of(dependency, mapping(row.get("dsl")))
    common = mapping(mapping(mapping(row.get("runtime_conf")).get("job_parameters")).get("common"))
    job = shown(row)
    return JobDetail(
        job=job,
        dag=dag,
        tasks=tasks_of(mine, dag, job_status=job.status),
        datasets=datasets_of(view),
        siblings=[other for other in map(key_of, rows) if other != key],
        kind=text(common.get("job_type")) or "train",
        waiting=waiting_for(row, job.status),
        failure=_found_in_log(flow, failure_of(row, everyones, key), key),
        model_id=text(common.get("model_id")),
        model_version=text(common.get("model_version")),
    )


def waiting_for(row: Row, job_status: str) -> Label:
    """What a job waits for, or what to know of it while it runs; without the word waiting."""
    reason = text(row.get("reason"))
    short = reason[len(_WAITING) :] if reason.lower().startswith(_WAITING) else reason
    return "" if job_status in ENDED else declared.label(short)


def _found_in_log(flow: Flow, failure: Failure | None, key: JobKey) -> Failure | None:
    """Another party's log is that party's page."""
    if failure is None or not failure.mine or not is_name(failure.component):
        return failure
    line = first_error(flow, key, failure.component)
    return msgspec.structs.replace(failure, log_line=line)


def tasks_of_job(flow: Flow, job_id: str) -> list[dict[str, Any]]:
    """Of all parties whose tasks this site holds, each component's newest attempt or all."""
    data = flow.shared("job/list/task", {"job_id": job_id, "limit": 0}).data
    return [row for row in listed(data, "tasks") if row.get("job_id") == job_id]


def tasks_at(flow: Flow, key: JobKey) -> list[dict[str, Any]]:
    return [row for row in tasks_of_job(flow, key.job_id) if key_of(row) == key]


def dag_of(dependency: dict[str, Any], dsl: dict[str, Any]) -> Dag:
    """Nodes with the ports that the DSL names, and edges between them."""
    modules = mapping(dependency.get("component_module"))
    needed = mapping(dependency.get("component_need_run"))
    upstream = mapping(dependency.get("dependencies"))
    components = mapping(dsl.get("components"))
    order = dependency.get("component_list")
    names = [name for name in order if isinstance(name, str)] if isinstance(order, list) else []
    edges = [edge for name in names for edge in _edges(name, upstream.get(name), components)]
    nodes = [
        DagNode(
            name=name,
            module=text(modules.get(name)),
            need_run=needed.get(name) is not False,
            inputs=_inputs(name, edges, mapping(components.get(name))),
            outputs=_outputs(name, edges, mapping(components.get(name))),
        )
        for name in names
    ]
    return Dag(nodes=nodes, edges=edges)


def _edges(name: str, upstream: Any, components: dict[str, Any]) -> list[DagEdge]:
    found = []
    for up in upstream if isinstance(upstream, list) else []:
        source, kind_in = mapping(up).get("component_name"), mapping(up).get("type")
        output = mapping(up).get("up_output_info")
        if not isinstance(source, str) or not isinstance(kind_in, str):
            continue
        kind, index = output if isinstance(output, list) and len(output) == 2 else ("data", 0)
        names = mapping(mapping(components.get(source)).get("output")).get(str(kind))
        at = integer(index) or 0
        known = isinstance(names, list) and 0 <= at < len(names)
        port = str(names[at]) if known and isinstance(names, list) else str(kind)
        found.append(
            DagEdge(
                source=source,
                source_port=port,
                target=name,
                target_port=kind_in,
                kind=INPUT_PORTS.get(kind_in, str(kind)),
            )
        )
    return found


def _inputs(name: str, edges: list[DagEdge], component: dict[str, Any]) -> list[Port]:
    """What the DSL's ``input`` names, then what edges lead to."""
    declared = mapping(component.get("input"))
    ports = dict.fromkeys(mapping(declared.get("data")), "data")
    for kind in ("model", "isometric_model", "cache"):
        if declared.get(kind):
            ports[kind] = INPUT_PORTS[kind]
    for edge in edges:
        if edge.target == name:
            ports.setdefault(edge.target_port, edge.kind)
    return [Port(name=port, kind=kind) for port, kind in ports.items()]


def _outputs(name: str, edges: list[DagEdge], component: dict[str, Any]) -> list[Port]:
    ports = {
        str(port): kind
        for kind, names in mapping(component.get("output")).items()
        if kind in ("data", "model", "cache") and isinstance(names, list)
        for port in names
    }
    for edge in edges:
        if edge.source == name:
            ports.setdefault(edge.source_port, edge.kind)
    return [Port(name=port, kind=kind) for port, kind in ports.items()]


def tasks_of(rows: list[dict[str, Any]], dag: Dag | None = None, *, job_status: str) -> list[Task]:
    """The latest attempt of each component, in the order of the graph."""
    latest: dict[str, Task] = {}
    for row in rows:
        task = task_of(row, job_status)
        if task.component not in latest or latest[task.component].version <= task.version:
            latest[task.component] = task
    order = {node.name: i for i, node in enumerate(dag.nodes)} if dag else {}
    return sorted(latest.values(), key=lambda task: order.get(task.component, len(order)))


def task_of(row: dict[str, Any], job_status: str) -> Task:
    status = text(row.get("party_status")) or text(row.get("status"))
    return Task(
        component=text(row.get("component_name")),
        module=text(row.get("component_module")),
        status=NOT_REACHED if job_status in ENDED and status in _NOT_BEGUN else status,
        version=integer(row.get("task_version")) or 0,
        started_ms=integer(row.get("start_time")),
        ended_ms=integer(row.get("end_time")),
        elapsed_ms=integer(row.get("elapsed")),
        error=text(row.get("error_report")),
    )


def datasets_of(view: dict[str, Any]) -> list[Dataset]:
    return [
        Dataset(role=role, party_id=str(party), component=str(component), table=str(table))
        for role, parties in mapping(view.get("dataset")).items()
        for party, readers in mapping(parties).items()
        for component, table in mapping(readers).items()
    ]


def failure_of(row: dict[str, Any], tasks: list[dict[str, Any]], key: JobKey) -> Failure | None:
    """What failed first. Distaff's fateflow says in ``reason`` who and what, of other sites too;
    else it is the first to fail of the tasks that this site holds, as far as they say why."""
    if text(row.get("status")) not in FAILED:
        return None
    failed = [task for task in tasks if text(task.get("party_status")) in FAILED]
    reason = text(row.get("reason"))
    named = _REASON.match(reason)
    if named:
        role, party_id, component, message = named.groups()
        at = JobKey(job_id=key.job_id, role=role, party_id=party_id)
        own = [task for task in failed if _is_at(task, at, component)]
        detail = text(own[0].get("error_report")).strip() if own else ""
        return Failure(
            component=component,
            party=f"{role} {party_id}",
            mine=at == key,
            message=message,
            detail=detail or reason,
        )
    told = [task for task in failed if text(task.get("error_report"))] or failed
    if not told:
        return Failure(component="", party="", mine=False, message=reason, detail="")
    first = min(told, key=lambda task: integer(task.get("end_time")) or 1 << 62)
    report = text(first.get("error_report")).strip()
    at = key_of(first)
    return Failure(
        component=text(first.get("component_name")),
        party=f"{at.role} {at.party_id}",
        mine=at == key,
        message=report.partition("\n")[0] or reason,
        detail=report,
    )


def _is_at(task: dict[str, Any], key: JobKey, component: str) -> bool:
    found = key_of(task)
    same = (found.role, found.party_id) == (key.role, key.party_id)
    return same and task.get("component_name") == component
