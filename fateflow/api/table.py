"""``/v1/table``: named tables, their records and their rows."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, site
from fateflow.api.files import streamed
from fateflow.errors import ArgumentError, DownloadError, FlowError
from fateflow.scheduler import job_files
from fateflow.scheduler import submit as submitting
from fateflow.store import queries, tables
from fateflow.store.orm import TableRow
from fateflow.wire import rows
from fateflow.wire.progress import ENDED

blueprint = Blueprint("table", __name__, url_prefix="/v1/table")

EXISTS = (
    "The data table already exists."
    "If you still want to continue uploading, please add the parameter --drop"
)
_EMBEDDED = ("STANDALONE", "EGGROLL")
_READING_S = 60.0


class OfTable(msgspec.Struct, frozen=True, kw_only=True):
    """A table by name; FATE's clients say ``table_name`` or ``name``."""

    namespace: str
    table_name: str | None = None
    name: str | None = None

    @property
    def named(self) -> str:
        found = self.table_name or self.name
        if not found:
            raise ArgumentError("required argument are missing: table_name;")
        return found


@blueprint.post("/table_info")
def info() -> Response:
    """A table's record; FATE answers with success and ``exist`` 0 if there is none."""
    wanted = body(OfTable)
    row = tables.find(site().database, wanted.namespace, wanted.named)
    return answer(rows.table_info(row) if row else _absent(wanted))


class Bind(OfTable, frozen=True, kw_only=True):
    """A table whose rows are on this server already: in another table (STANDALONE), in a CSV file
    (LOCALFS: read now), or as files that are left where they are (PATH)."""

    engine: str
    address: dict[str, Any]
    drop: bool = False
    head: bool = True
    id_delimiter: str = ","
    partitions: int | None = None
    schema: dict[str, Any] = {}
    extend_sid: bool = False


@blueprint.post("/bind", endpoint="bind")
@blueprint.post("/add", endpoint="add")
def bind() -> Response:
    wanted = body(Bind)
    known = tables.find(site().database, wanted.namespace, wanted.named)
    if known and not wanted.drop:
        raise FlowError(EXISTS)
    engine = wanted.engine.upper()
    if engine in _EMBEDDED:
        _put(wanted, _linked(wanted))
    elif engine == "PATH":
        path = _path(wanted, engine)
        if known:
            dropped(wanted.namespace, wanted.named)
        address = {**wanted.address, "path": path}
        _put(wanted, {"engine": engine, "address": address, "partitions": 1})
    elif engine == "LOCALFS":
        _read(wanted, _path(wanted, engine))
    else:
        raise FlowError(
            f"engine {wanted.engine} is not there; this server binds {', '.join(_EMBEDDED)} "
            "(address: namespace, name), PATH and LOCALFS (address: path)"
        )
    return answer({"table_name": wanted.named, "namespace": wanted.namespace})


class Delete(msgspec.Struct, frozen=True, kw_only=True):
    """By name, or all data that a job's component put out."""

    namespace: str | None = None
    table_name: str | None = None
    name: str | None = None
    job_id: str | None = None
    role: str | None = None
    party_id: str | None = None
    component_name: str | None = None


@blueprint.post("/delete")
def delete() -> Response:
    wanted = body(Delete)
    name = wanted.table_name or wanted.name
    if wanted.namespace and name:
        if not dropped(wanted.namespace, name):
            raise FlowError("no find table", retcode=101)
        return answer({"table_name": name, "namespace": wanted.namespace})
    if not wanted.job_id:
        raise ArgumentError("give namespace and table_name, or the job_id of output tables")
    columns = ("job_id", "role", "party_id", "component_name")
    found = queries.output_tables(site().database, {c: getattr(wanted, c) for c in columns})
    gone = [
        {"table_name": t.table_name, "namespace": t.table_namespace}
        for t in found
        if dropped(t.table_namespace, t.table_name)
    ]
    if not gone:
        raise FlowError("no find table", retcode=101)
    return answer(gone)


@blueprint.post("/disable")
def disable() -> Response:
    return _switched(disabled=True)


@blueprint.post("/enable")
def enable() -> Response:
    return _switched(disabled=False)


@blueprint.post("/disable/delete")
def delete_disabled() -> Response:
    """Delete every table that is disabled."""
    gone = [
        {"table_name": name, "namespace": namespace}
        for namespace, name in tables.disabled(site().database)
        if dropped(namespace, name)
    ]
    if not gone:
        raise FlowError("no find table", retcode=101)
    return answer(gone)


class Connector(msgspec.Struct, frozen=True, kw_only=True):
    connector_name: str
    engine: str = ""
    connector_info: dict[str, Any] = {}


@blueprint.post("/connector/create")
def create_connector() -> Response:
    wanted = body(Connector)
    tables.put_connector(
        site().database, wanted.connector_name, wanted.engine, wanted.connector_info
    )
    return answer()


@blueprint.post("/connector/query")
def query_connector() -> Response:
    return answer(tables.connector(site().database, body(Connector).connector_name))


@blueprint.post("/tracking/source")
def tracking_source() -> Response:
    """From which table a table was made, step by step back to the first."""
    wanted = body(OfTable)
    row = _existing(wanted.namespace, wanted.named)
    parents: list[TableRow] = []
    while row.parent_name and len(parents) < 100:
        parent = tables.find(site().database, row.parent_namespace, row.parent_name)
        if not parent:
            break
        parents.append(parent)
        row = parent
    source = parents[-1] if parents else row
    return answer(
        [
            {
                "parent_table_name": parent.name,
                "parent_table_namespace": parent.namespace,
                "source_table_name": source.name,
                "source_table_namespace": source.namespace,
            }
            for parent in parents or [row]
        ]
    )


@blueprint.post("/tracking/job")
def tracking_job() -> Response:
    wanted = body(OfTable)
    _existing(wanted.namespace, wanted.named)
    found = tables.jobs_using(site().database, wanted.namespace, wanted.named)
    return answer({"count": len(found), "job": found})


@blueprint.post("/preview")
def preview() -> Response:
    """The first rows, at most 100."""
    wanted = body(OfTable)
    row = _existing(wanted.namespace, wanted.named)
    shown = row.preview
    if not shown:
        try:
            shown = site().launcher.call("preview", namespace=row.namespace, name=row.name)
        except RuntimeError as error:
            raise FlowError(str(error)) from None
    return answer({"header": shown.get("header", []), "data": shown.get("rows", [])[:100]})


@blueprint.post("/list")
def of_job() -> Response:
    """Named tables that a job used, and its components' output tables."""
    row = asked.job(site(), body(asked.OfJob))
    where = {"job_id": row.job_id, "role": row.role, "party_id": row.party_id}
    outputs: dict[str, dict[str, Any]] = {}
    for table in queries.output_tables(site().database, where):
        of = outputs.setdefault(table.component_name, {"input": {}, "output": {}})
        of["output"][table.name] = {"name": table.table_name, "namespace": table.table_namespace}
    used = tables.read_by(site().database, row.job_id)
    return answer(
        {**outputs, "used": [{"namespace": namespace, "name": name} for namespace, name in used]}
    )


@blueprint.route("/download", methods=["GET", "POST"])
def download() -> Response:
    """All rows of a table as CSV."""
    wanted = body(OfTable)
    if not tables.find(site().database, wanted.namespace, wanted.named):
        raise DownloadError(f"no table {wanted.namespace}.{wanted.named}", status=404)
    run = site().settings.run
    run.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=run, prefix="download-") as folder:
        path = Path(folder) / "rows.csv"
        where = {"namespace": wanted.namespace, "name": wanted.named, "path": str(path)}
        try:
            site().launcher.call("export_csv", **where, limit=-1, delimiter=",", head=True)
        except RuntimeError as error:
            raise DownloadError(str(error)) from None
        name = "".join(c if c.isalnum() or c in "._-" else "_" for c in wanted.named)
        return streamed(path.open("rb"), f"{name}.csv", "text/csv")


def _absent(wanted: OfTable) -> dict[str, Any]:
    return rows.no_table_info(wanted.namespace, wanted.named)


def _existing(namespace: str, name: str) -> TableRow:
    row = tables.find(site().database, namespace, name)
    if not row:
        raise FlowError("no find table", retcode=101)
    return row


def _switched(*, disabled: bool) -> Response:
    wanted = body(OfTable)
    if not tables.set_disabled(site().database, wanted.namespace, wanted.named, disabled=disabled):
        raise FlowError("no find table", retcode=101)
    return answer([{"table_name": wanted.named, "namespace": wanted.namespace}])


def dropped(namespace: str, name: str) -> bool:
    """Record and rows go. What was bound to a file loses only its record."""
    known = tables.forget(site().database, namespace, name)
    stored = site().launcher.call("drop_table", namespace=namespace, name=name)
    return known or bool(stored)


def _linked(wanted: Bind) -> dict[str, Any]:
    source = {k: str(wanted.address.get(k) or "") for k in ("namespace", "name")}
    if not all(source.values()):
        raise ArgumentError("the address of a bound table needs namespace and name")
    if (source["namespace"], source["name"]) == (wanted.namespace, wanted.named):
        raise ArgumentError("a table cannot be bound to itself")
    try:
        found = site().launcher.call(
            "link_table",
            source_namespace=source["namespace"],
            source_name=source["name"],
            namespace=wanted.namespace,
            name=wanted.named,
        )
    except RuntimeError as error:
        raise FlowError(f"engine STANDALONE address {source} check failed: {error}") from None
    old = tables.find(site().database, source["namespace"], source["name"])
    return {
        "partitions": found["partitions"],
        "count": found["count"],
        "preview": found["preview"],
        "schema": wanted.schema or (old.schema if old else found["schema"]),
        "parent_namespace": source["namespace"],
        "parent_name": source["name"],
    }


def _path(wanted: Bind, engine: str) -> str:
    path = str(wanted.address.get("path") or "")
    if not path or not Path(path).exists():
        raise FlowError(
            f"engine {engine} address {{'path': '{path}'}} check failed: "
            "no such file or folder on the server"
        )
    if fault := job_files.inside_home(site().settings, path):
        raise FlowError(f"engine {engine}: {fault}")
    return path


def _put(wanted: Bind, columns: dict[str, Any]) -> None:
    tables.put(
        site().database,
        wanted.namespace,
        wanted.named,
        **{
            "origin": "table_bind",
            "id_delimiter": wanted.id_delimiter,
            "have_head": wanted.head,
            "extend_sid": wanted.extend_sid,
            "schema": wanted.schema,
            **columns,
        },
    )


def _read(wanted: Bind, path: str) -> None:
    """Make the table of a file by an upload job, and wait for its end (at most a minute; a longer
    one goes on by itself). Raises FlowError with the job's cause of failure."""
    parameters = {
        "file": path,
        "head": int(wanted.head),
        "id_delimiter": wanted.id_delimiter,
        "partition": wanted.partitions or 4,
        "namespace": wanted.namespace,
        "name": wanted.named,
        "extend_sid": wanted.extend_sid,
        "destroy": wanted.drop,
    }
    job_id = submitting.submit_local(site(), "Upload", parameters)["job_id"]
    database, deadline = site().database, time.monotonic() + _READING_S
    while (left := deadline - time.monotonic()) > 0:
        seen = database.writes
        row = queries.initiators(database, job_id)
        if row and row.status == "success":
            return
        if row and row.status in ENDED:
            raise FlowError(f"engine LOCALFS: reading {path} {row.status}: {row.reason}")
        database.wait_for_write(seen, left)
