"""``/v1/tracking``: what components of a job reported and put out."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, attachment, body, site
from fateflow.api.files import tar_gz
from fateflow.errors import ArgumentError, DownloadError, FlowError
from fateflow.store import cleaning, queries
from fateflow.wire import metrics as spelling

blueprint = Blueprint("tracking", __name__, url_prefix="/v1/tracking/component")

NO_DATA = "no data"
PREVIEW_ROWS = 100


@blueprint.post("/list")
def components() -> Response:
    row = asked.job(site(), body(asked.OfJob))
    return answer({"components": list(row.dsl.get("components", {}))})


@blueprint.post("/metrics")
def metrics() -> Response:
    """Namespace to names of metrics, in the order of logging."""
    found = spelling.merged(queries.metrics(site().database, _at()))
    names = {namespace: list(of) for namespace, of in found.items()}
    return answer(names, retmsg="success" if names else NO_DATA)


@blueprint.post("/metric/all")
def metric_all() -> Response:
    found = spelling.merged(queries.metrics(site().database, _at()))
    return answer(found, retmsg="success" if found else NO_DATA)


class OfMetric(asked.OfComponent, frozen=True, kw_only=True):
    metric_namespace: str
    metric_name: str


@blueprint.post("/metric_data")
def metric_data() -> Response:
    wanted = body(OfMetric)
    at = asked.component(site(), wanted)
    logged = queries.metrics(site().database, at, wanted.metric_namespace, wanted.metric_name)
    found = spelling.merged(logged).get(wanted.metric_namespace, {}).get(wanted.metric_name)
    if not found:
        return answer([], meta={}, retmsg=NO_DATA)
    return answer(found["data"], meta=found["meta"])


class DeleteMetrics(msgspec.Struct, frozen=True, kw_only=True):
    job_id: str | None = None
    date: str | None = None


@blueprint.post("/metric/delete")
def delete_metrics() -> Response:
    """Forget the metrics of a job, or of all jobs of a day (``date``: eight digits)."""
    wanted = body(DeleteMetrics)
    prefix = wanted.job_id or wanted.date
    if not prefix or not prefix.isdecimal():
        raise ArgumentError("give a job_id, or a date of eight digits such as 20240131")
    deleted = cleaning.delete_metrics(site().database, prefix, whole_day=wanted.job_id is None)
    return answer(f"delete status: {deleted}")


@blueprint.post("/parameters")
def parameters() -> Response:
    at = _at()
    task = queries.latest_task(site().database, at)
    if not task:
        raise FlowError("can not found this task", retcode=101)
    shown = task.component_parameters.get("ComponentParam", {})
    return answer({"module": task.component_module, "ComponentParam": shown})


@blueprint.post("/output/model")
def output_model() -> Response:
    """The fitted model as FATE's JSON of its Param, and of its Meta beside it."""
    stored = queries.outputs(site().database, _at(), "model")
    if not stored:
        return answer({}, retmsg="no define_meta")
    model = msgspec.json.decode(Path(stored[0].path).read_bytes())
    meta = {"meta_data": model.get("meta", {}), "module_name": model.get("module", "")}
    return answer(model.get("param", {}), meta=meta)


@blueprint.post("/output/data")
def output_data() -> Response:
    """The first rows of each data output, at most 100, as kept when it was stored."""
    tables = queries.outputs(site().database, _at(), "data")
    if not tables:
        return answer([], retmsg=NO_DATA)
    meta = {
        "header": [table.info.get("header", []) for table in tables],
        "total": [table.info.get("total", 0) for table in tables],
        "names": [table.name for table in tables],
    }
    return answer([table.info.get("rows", [])[:PREVIEW_ROWS] for table in tables], meta=meta)


@blueprint.post("/output/data/table")
def output_data_table() -> Response:
    wanted = body(asked.OfComponent)
    if not queries.jobs(site().database, {"job_id": wanted.job_id}):
        raise FlowError("No found job")
    tables = queries.outputs(site().database, asked.component(site(), wanted), "data")
    if not tables:
        raise FlowError("No found table, please check if the parameters are correct")
    return answer(
        [
            {
                "data_name": table.name,
                "table_name": table.table_name,
                "table_namespace": table.table_namespace,
            }
            for table in tables
        ]
    )


class Download(asked.OfComponent, frozen=True, kw_only=True):
    limit: int = -1
    head: bool = True


@blueprint.route("/output/data/download", methods=["GET", "POST"])
def download() -> Response:
    """A CSV and a ``.meta`` for each output that has rows, in one archive."""
    try:
        wanted = body(Download)
        at = asked.component(site(), wanted)
    except FlowError as error:
        raise DownloadError(str(error)) from None
    if wanted.limit == 0 or wanted.limit < -1:
        raise DownloadError("limit is the number of rows, or -1 for all of them")
    tables = [
        table
        for table in queries.outputs(site().database, at, "data")
        if table.info.get("total", 0) > 0
    ]
    if not tables:
        raise DownloadError(f"{NO_DATA}: {at.component} of {at.role} {at.party_id}")
    name = f"job_{at.job_id}_{at.component}_{at.role}_{at.party_id}_output_data.tar.gz"
    site().settings.run.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=site().settings.run, prefix="download-") as folder:
        members = [m for table in tables for m in _exported(table, wanted, Path(folder))]
        return tar_gz(members, name, site().settings.run)


class Summary(asked.OfComponent, frozen=True, kw_only=True):
    filename: str | None = None


@blueprint.post("/summary/download")
def summary() -> Response:
    """The component's summary, bare and as a file if a ``filename`` is given."""
    wanted = body(Summary)
    found = queries.summary(site().database, asked.component(site(), wanted))
    if not found:
        raise DownloadError(
            "No component summary found, please check if arguments are specified correctly."
        )
    if wanted.filename:
        return attachment(msgspec.json.encode(found), wanted.filename, "application/json")
    return answer(found)


def _at() -> queries.At:
    return asked.component(site(), body(asked.OfComponent))


def _exported(table: Any, wanted: Download, folder: Path) -> list[tuple[Path, str]]:
    rows, meta = folder / f"{table.position}.csv", folder / f"{table.position}.meta"
    try:
        site().launcher.call(
            "export_csv",
            namespace=table.table_namespace,
            name=table.table_name,
            path=str(rows),
            limit=wanted.limit,
            delimiter=",",
            head=wanted.head,
        )
    except RuntimeError as error:
        raise DownloadError(str(error)) from None
    meta.write_bytes(msgspec.json.encode({"header": table.info.get("header", [])}))
    return [(rows, f"{table.name}.csv"), (meta, f"{table.name}.meta")]
