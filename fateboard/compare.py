"""Jobs side by side: what they reached, what was set differently, how long each part took.

Jobs may differ in shape: components are matched by name, data sets by namespace and order, and
what one of them lacks stays empty.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    Cell,
    Column,
    Combo,
    ComboSeries,
    Curve,
    Flag,
    Label,
    Notice,
    Series,
    Shown,
    Table,
    Text,
    msg,
)
from fateboard.components import KEPT_S, asked
from fateboard.errors import Refused
from fateboard.flow_client import Flow, FlowRefused
from fateboard.job_detail import tasks_of, tasks_of_job
from fateboard.jobs import ENDED, integer, key_of, mapping, number, row_of, rows_of, shown
from fateboard.shapes import Comparison, JobKey, JobRow, Task
from fateboard.views.cells import TOTAL
from fateboard.views.context import Metric, read_metrics
from fateboard.views.curves import Point, points, thin
from fateboard.views.datasets import dataset, part
from fateboard.views.losses import curve_label
from fateboard.views.scores import label as score_label

LEAST, MOST = 2, 10
AT_ONCE = 8
MOST_SERIES = 40
SUMMARIES = ("EVALUATION_SUMMARY", "CLUSTERING_EVALUATION_SUMMARY")
_ROUND = re.compile(r"(.*\.)?iteration_\d+$")
"""Data sets of validations between rounds; the last one's is what counts."""
_HIGHER = frozenset(
    [
        "auc",
        "ks",
        "accuracy",
        "precision",
        "recall",
        "f1_score",
        "r2_score",
        "explained_variance",
        "adjusted_rand_score",
        "jaccard_similarity_score",
        "fowlkes_mallows_score",
    ]
)
_LOWER = frozenset(
    [
        "mean_absolute_error",
        "mean_squared_error",
        "mean_squared_log_error",
        "median_absolute_error",
        "root_mean_squared_error",
        "davies_bouldin_index",
    ]
)


class Compared(msgspec.Struct, frozen=True, kw_only=True):
    """One of the jobs. metrics: by component, in the order of the DAG; those of the arbiter too,
    for it is who knows the loss of vertical linear models."""

    label: str
    row: JobRow
    tasks: list[Task]
    parameters: dict[str, dict[str, Any]]
    metrics: list[tuple[str, Metric]]


def comparison(flow: Flow, keys: list[JobKey]) -> Comparison:
    """Raises Refused: 400 for too few or many, 404 for a job that is not here."""
    if not LEAST <= len(keys) <= MOST:
        raise Refused(400, "compare_count", least=LEAST, most=MOST)
    rows = [shown(row_of(rows_of(flow, key.job_id, detail=False), key)) for key in keys]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        found = [
            _read(flow, key, row, label, pool)
            for key, row, label in zip(keys, rows, labels(rows), strict=True)
        ]
    return Comparison(jobs=rows, blocks=blocks_of(found), notices=_notices(found))


def labels(rows: list[JobRow]) -> list[str]:
    """Names of jobs where they tell them apart, else ids; with the party where those repeat."""
    names = [row.name or row.job_id for row in rows]
    if len(set(names)) < len(names):
        names = [row.job_id for row in rows]
    parties = {(row.role, row.party_id) for row in rows}
    if len(parties) > 1 or len(set(names)) < len(names):
        return [f"{name} {row.role} {row.party_id}" for name, row in zip(names, rows, strict=True)]
    return names


def blocks_of(jobs: list[Compared]) -> list[Block]:
    """In the order of the page."""
    made = [_matrix(jobs), _parameters(jobs), _durations(jobs), _durations_chart(jobs)]
    return [block for block in made if block] + [*_roc(jobs), *_ks(jobs), *_loss(jobs)]


def _read(flow: Flow, key: JobKey, row: JobRow, label: str, pool: ThreadPoolExecutor) -> Compared:
    tasks = tasks_of_job(flow, key.job_id)
    mine = [task for task in tasks if key_of(task) == key]
    measured = [
        (key_of(task), str(task.get("component_name", "")))
        for task in tasks
        if (key_of(task) == key or task.get("role") == "arbiter")
        and integer(task.get("start_time")) is not None
    ]
    keep_s = KEPT_S if row.status in ENDED else 0.9

    def of(at: tuple[JobKey, str]) -> list[tuple[str, Metric]]:
        try:
            body = asked(*at)
            data = flow.shared("tracking/component/metric/all", body, keep_s=keep_s).data
        except FlowRefused:
            return []
        return [(at[1], metric) for metric in read_metrics(data)]

    found = [metric for metrics in pool.map(of, dict.fromkeys(measured)) for metric in metrics]
    return Compared(
        label=label,
        row=row,
        tasks=tasks_of(mine, job_status=row.status),
        parameters={
            str(task.get("component_name", "")): mapping(
                mapping(task.get("component_parameters")).get("ComponentParam")
            )
            for task in mine
        },
        metrics=found,
    )


def _matrix(jobs: list[Compared]) -> Block | None:
    """A row for each metric of each data set, the best of a row flagged."""
    cells: dict[tuple[str, int, str], list[float | None]] = {}
    names: dict[tuple[str, int], list[str]] = {}
    for at, job in enumerate(jobs):
        for (namespace, position), metric in _data_sets(job, SUMMARIES):
            names.setdefault((namespace, position), []).append(metric.name)
            for name, value in metric.data:
                row = cells.setdefault((namespace, position, str(name)), [None] * len(jobs))
                row[at] = number(value)
    if not cells:
        return None
    rows: list[list[Shown]] = []
    flags: list[Flag] = []
    for (namespace, position, name), values in sorted(cells.items(), key=lambda item: item[0][:2]):
        told = list(dict.fromkeys(names[namespace, position]))
        data = dataset(namespace, told[0]).model if len(told) == 1 else " / ".join(told)
        flags += [Flag(row=len(rows), column=3 + at, flag="best") for at in best(name, values)]
        rows.append([part(namespace), data, score_label(name), *values])
    columns = [
        Column(id="namespace", label=msg("compare.namespace")),
        Column(id="data", label=msg("compare.data")),
        Column(id="metric", label=msg("compare.metric"), frozen=True),
        *_job_columns(jobs, "number"),
    ]
    return Table(
        id="metrics",
        title=msg("compare.metrics"),
        columns=columns,
        rows=rows,
        flags=flags,
        page_size=0,
        export_name="compare_metrics",
    )


def best(name: str, values: list[float | None]) -> list[int]:
    """Where the best values stand, if it is known which direction is better and they differ."""
    known = [value for value in values if value is not None]
    if len(set(known)) < 2 or name not in _HIGHER | _LOWER:
        return []
    target = max(known) if name in _HIGHER else min(known)
    return [at for at, value in enumerate(values) if value == target]


def _parameters(jobs: list[Compared]) -> Block:
    """Only what differs."""
    flat = [
        {
            (component, path): value
            for component, parameters in job.parameters.items()
            for path, value in flattened(parameters)
        }
        for job in jobs
    ]
    modules = [{task.component: task.module for task in job.tasks} for job in jobs]
    for found, known in zip(flat, modules, strict=True):
        found |= {(component, "module"): module for component, module in known.items()}
    paths = dict.fromkeys(path for found in flat for path in found)
    valued = [(path, [found.get(path) for found in flat]) for path in paths]
    rows: list[list[Shown]] = [
        [*path, *values] for path, values in valued if len(set(map(repr, values))) > 1
    ]
    columns = [
        Column(id="component", label=msg("compare.component")),
        Column(id="parameter", label=msg("compare.parameter"), frozen=True),
        *_job_columns(jobs, "text"),
    ]
    return Table(
        id="parameters",
        title=msg("compare.parameters"),
        help=msg("compare.parameters.help") if rows else msg("compare.same_parameters"),
        columns=columns,
        rows=rows,
        page_size=0,
        facets=["component"],
        export_name="compare_parameters",
    )


def flattened(value: Any, path: str = "") -> Iterable[tuple[str, Cell]]:
    """Scalars by their dotted path; lists as JSON. Names with _ are FATE's own notes."""
    for name, item in mapping(value).items():
        if name.startswith("_"):
            continue
        where = f"{path}.{name}" if path else name
        if isinstance(item, dict):
            yield from flattened(item, where)
        elif item is None or isinstance(item, str | int | float | bool):
            yield where, item
        else:
            yield where, msgspec.json.encode(item).decode()


def _durations(jobs: list[Compared]) -> Block:
    names = _components(jobs)
    took = [{task.component: task.elapsed_ms for task in job.tasks} for job in jobs]
    return Table(
        id="durations",
        title=msg("compare.durations"),
        columns=[
            Column(id="component", label=msg("compare.component"), frozen=True),
            *_job_columns(jobs, "duration"),
        ],
        rows=[[name, *(of.get(name) for of in took)] for name in names],
        footer=[[TOTAL, *(job.row.elapsed_ms for job in jobs)]],
        page_size=0,
        export_name="compare_durations",
    )


def _durations_chart(jobs: list[Compared]) -> Block:
    names = _components(jobs)
    took = [{task.component: task.elapsed_ms for task in job.tasks} for job in jobs]
    return Combo(
        id="durations_chart",
        categories=names,
        x=msg("compare.component"),
        axes=[Axis(label=msg("compare.seconds"))],
        series=[
            ComboSeries(label=job.label, type="bar", values=[_seconds(of.get(n)) for n in names])
            for job, of in zip(jobs, took, strict=True)
        ],
        export_name="compare_durations",
    )


def _roc(jobs: list[Compared]) -> list[Block]:
    def series(job: Compared, metric: Metric, label: Label) -> Series:
        return Series(id=f"{job.label}/{metric.name}", label=label, points=_thinned(metric))

    axes = Axis(label=msg("compare.fpr")), Axis(label=msg("compare.tpr"))
    return [
        Curve(
            id=f"roc_{namespace}",
            title=msg("compare.roc", namespace=part(namespace)),
            x=axes[0],
            y=axes[1],
            diagonal=True,
            series=found,
            export_name=f"compare_roc_{namespace}",
        )
        for namespace, found in _overlaid(jobs, ("ROC_EVALUATION",), series).items()
    ]


def _ks(jobs: list[Compared]) -> list[Block]:
    def series(job: Compared, metric: Metric, label: Label) -> Series:
        rates = {True: msg("ks.fpr", name=label), False: msg("ks.tpr", name=label)}
        return Series(
            id=f"{job.label}/{metric.name}",
            label=rates[metric.name.endswith("fpr")],
            group=f"{job.label}/{metric.meta.get('pair_type', '')}",
            group_label=label,
            points=_thinned(metric),
        )

    return [
        Curve(
            id=f"ks_{namespace}",
            title=msg("compare.ks", namespace=part(namespace)),
            x=Axis(label=msg("compare.share"), percent=True),
            y=Axis(label=msg("compare.rate")),
            series=found,
            export_name=f"compare_ks_{namespace}",
        )
        for namespace, found in _overlaid(jobs, ("KS_EVALUATION",), series).items()
    ]


def _loss(jobs: list[Compared]) -> list[Block]:
    found = [
        Series(
            id=f"{job.label}/{component}/{metric.name}",
            label=msg(
                "dataset.joined", first=f"{job.label} {component}", second=curve_label(metric)
            ),
            points=_thinned(metric),
        )
        for job in jobs
        for component, metric in job.metrics
        if metric.type == "LOSS" and metric.data
    ][:MOST_SERIES]
    if not found:
        return []
    return [
        Curve(
            id="loss",
            title=msg("compare.loss"),
            x=Axis(label=msg("compare.round"), integer=True),
            y=Axis(label=msg("compare.loss")),
            series=found,
            export_name="compare_loss",
        )
    ]


def _overlaid(
    jobs: list[Compared],
    types: tuple[str, ...],
    series: Callable[[Compared, Metric, Label], Series],
) -> dict[str, list[Series]]:
    """By namespace. A curve has its job's name, and the data set's where the job has several."""
    found: dict[str, list[Series]] = {}
    for job in jobs:
        metrics = [metric for _, metric in _data_sets(job, types)]
        for metric in metrics:
            sets = {_curve_of(other) for other in metrics if other.namespace == metric.namespace}
            of = dataset(metric.namespace, _curve_of(metric)).model
            label = (
                msg("dataset.joined", first=job.label, second=of) if len(sets) > 1 else job.label
            )
            of_space = found.setdefault(metric.namespace, [])
            if len(of_space) < MOST_SERIES:
                of_space.append(series(job, metric, label))
    return found


def _curve_of(metric: Metric) -> str:
    """The data set a curve belongs to."""
    return str(metric.meta.get("pair_type") or metric.meta.get("curve_name") or metric.name)


def _data_sets(job: Compared, types: tuple[str, ...]) -> list[tuple[tuple[str, int], Metric]]:
    """Metrics of some types with (namespace, which of that namespace)."""
    seen: dict[str, int] = {}
    found = []
    for _, metric in job.metrics:
        name = metric.name if metric.type in SUMMARIES else _curve_of(metric)
        if metric.type in types and not _ROUND.match(name):
            at = seen[metric.namespace] = seen.get(metric.namespace, -1) + 1
            found.append(((metric.namespace, at), metric))
    return found


def _thinned(metric: Metric) -> list[Point]:
    known = points(metric)
    return [known[at] for at in thin(known)]


def _components(jobs: list[Compared]) -> list[str]:
    return list(dict.fromkeys(task.component for job in jobs for task in job.tasks))


def _job_columns(jobs: list[Compared], format: Any) -> list[Column]:
    return [Column(id=f"job{at}", label=job.label, format=format) for at, job in enumerate(jobs)]


def _seconds(elapsed_ms: int | None) -> float | None:
    return None if elapsed_ms is None else elapsed_ms / 1000


def _notices(jobs: list[Compared]) -> list[Notice]:
    """What to know before judging by the numbers."""
    open_jobs = [job.label for job in jobs if job.row.status not in ENDED]
    told: list[Text] = [msg("compare.not_ended", jobs=", ".join(open_jobs))] if open_jobs else []
    if len({(job.row.role, job.row.party_id) for job in jobs}) > 1:
        told.append(msg("compare.parties"))
    return [Notice(level="info", text=text) for text in told]
