"""``/v1/data``: files in and out. An upload is streamed to disk and never held in memory."""

from __future__ import annotations

import errno
import shutil
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

from flask import Blueprint, Response, request
from werkzeug.formparser import FormDataParser

from fateflow.api import asked
from fateflow.api.envelope import answer, given, query_json, site
from fateflow.api.table import EXISTS
from fateflow.domain import ids
from fateflow.errors import ArgumentError, FlowError
from fateflow.scheduler import job_files
from fateflow.scheduler import submit as submitting
from fateflow.store import queries, tables

blueprint = Blueprint("data", __name__, url_prefix="/v1/data")

_UPLOAD = [
    "file",
    "head",
    "id_delimiter",
    "partition",
    "namespace",
    "name",
    "storage_engine",
    "storage_address",
    "destroy",
    "extend_sid",
    "auto_increasing_sid",
    "block_size",
    "schema",
    "with_meta",
    "meta",
]
_WRITER = (
    "namespace",
    "name",
    "storage_engine",
    "address",
    "output_namespace",
    "output_name",
    "partition",
    "destroy",
)
_REQUIRED = ("head", "partition", "namespace", "name")
_NUMBERS = ("head", "partition", "block_size")
_FLAGS = ("extend_sid", "auto_increasing_sid", "destroy", "with_meta")
_FULL = (errno.ENOSPC, errno.EDQUOT)


@blueprint.post("/upload")
def upload() -> Response:
    """Make a table of a file: the one in this multipart request, its configuration as JSON in
    the query; or (``use_local_data`` 0) of a file that lies on the server."""
    multipart = request.mimetype == "multipart/form-data"
    conf = _upload_conf(query_json() if multipart or request.query_string else given())
    if not multipart:
        return _uploaded(ids.new_job_id(), conf, conf.get("file"))
    if conf.get("name"):
        _refuse_existing(conf)
    job_id = ids.new_job_id()
    folder = job_files.folder(site().settings, job_id)
    try:
        path, fields = _received(job_files.received(site().settings, job_id))
        return _uploaded(job_id, _upload_conf({**fields, **conf}), path)
    except OSError as error:
        shutil.rmtree(folder, ignore_errors=True)
        if error.errno in _FULL:
            raise FlowError(
                f"no space left on the disk of {site().settings.jobs}; nothing was stored. "
                "Free some space and upload again"
            ) from None
        raise
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise


@blueprint.post("/download")
def download() -> Response:
    """Write a table as CSV to ``output_path`` on the server."""
    conf = _named(given())
    _need(conf, ("namespace", "name", "output_path"))
    wanted = {k: conf[k] for k in ("namespace", "name", "output_path", "delimiter") if conf.get(k)}
    if not tables.find(site().database, str(wanted["namespace"]), str(wanted["name"])):
        raise FlowError(f"no table {wanted['namespace']}.{wanted['name']}", retcode=101)
    return _started("Download", wanted)


@blueprint.post("/writer")
def writer() -> Response:
    """Copy a table, or a component's output, to another name or engine."""
    conf = _named(given())
    if conf.get("job_id") and conf.get("component_name"):
        conf |= _output(conf)
    conf["destroy"] = bool(conf.get("drop"))
    return _started("Writer", {k: conf[k] for k in _WRITER if conf.get(k) is not None})


@blueprint.post("/upload/history")
def history() -> Response:
    """Finished uploads, newest first."""
    found = given()
    job_id = found.get("job_id")
    listed = tables.uploads(
        site().database, asked.number(found, "limit", 0), str(job_id) if job_id else None
    )
    return answer([{job.job_id: _history(job, task, table)} for job, task, table in listed])


def _output(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Name and namespace of a component's first output table. Raises FlowError (101)."""
    names = ("job_id", "component_name", "role", "party_id")
    wanted = asked.OfComponent(**{n: str(conf[n]) for n in names if conf.get(n) is not None})
    found = queries.outputs(site().database, asked.component(site(), wanted), "data")
    if not found:
        raise FlowError(
            f"{wanted.component_name} of job {wanted.job_id} has no output table", retcode=101
        )
    return {"namespace": found[0].table_namespace, "name": found[0].table_name}


def _upload_conf(conf: Mapping[str, Any]) -> dict[str, Any]:
    """Types as an upload needs them, whatever the client sent: numbers and flags may be texts.

    Raises ArgumentError naming the key.
    """
    found = _named(conf)
    for name in (*_NUMBERS, *_FLAGS, "drop"):
        if found.get(name) is not None:
            found[name] = _integer(name, found[name])
    for name in _FLAGS:
        if name in found:
            found[name] = bool(found[name])
    found["destroy"] = bool(found.get("drop"))
    return found


def _named(conf: Mapping[str, Any]) -> dict[str, Any]:
    found = {k: v for k, v in conf.items() if v is not None}
    if "table_name" in found:
        found.setdefault("name", found["table_name"])
    return found


def _integer(name: str, value: Any) -> int:
    words = {"true": 1, "false": 0, "": 0}
    if isinstance(value, str) and value.lower() in words:
        return words[value.lower()]
    try:
        return int(value)
    except (TypeError, ValueError):
        raise ArgumentError(f"'{name}' of the upload must be an integer") from None


def _need(conf: Mapping[str, Any], names: tuple[str, ...]) -> None:
    missing = [{"name": "table_name"}.get(n, n) for n in names if conf.get(n) in (None, "")]
    if missing:
        raise ArgumentError(f"required argument are missing: {','.join(missing)};")


def _refuse_existing(conf: Mapping[str, Any]) -> None:
    row = tables.find(site().database, str(conf.get("namespace")), str(conf["name"]))
    if row and not conf.get("drop"):
        raise FlowError(EXISTS)


def _received(folder: Path) -> tuple[str | None, dict[str, Any]]:
    """Stream the multipart body to one file in ``folder``; its path, and the other fields."""
    folder.mkdir(parents=True)
    written: list[Path] = []

    def target(*_about: Any, **_more: Any) -> IO[bytes]:
        written.append(folder / uuid.uuid4().hex)
        return written[-1].open("wb+")

    parser = FormDataParser(stream_factory=target)
    _, form, files = parser.parse(
        request.stream, request.mimetype, request.content_length, request.mimetype_params
    )
    for file in files.values():
        file.close()
    if len(written) != 1:
        raise ArgumentError(f"an upload carries exactly one file, this one has {len(written)}")
    return str(written[0]), form.to_dict()


def _uploaded(job_id: str, conf: dict[str, Any], path: str | None) -> Response:
    if not path:
        raise ArgumentError("required argument are missing: file;")
    _need(conf, _REQUIRED)
    _refuse_existing(conf)
    parameters = {k: conf[k] for k in _UPLOAD if k in conf} | {"file": path}
    return _started("Upload", parameters, job_id)


def _started(module: str, parameters: dict[str, Any], job_id: str = "") -> Response:
    data = submitting.submit_local(site(), module, parameters, job_id=job_id)
    shown = {"table_name": parameters.get("name"), "namespace": parameters.get("namespace")}
    return answer({**data, **shown}, job_id=data["job_id"])


def _history(job: Any, task: Any, table: Any) -> dict[str, Any]:
    shown = task.component_parameters.get("ComponentParam", {})
    at = queries.At(job.job_id, job.role, job.party_id, task.component_name)
    logged = queries.metrics(site().database, at, "upload", "data_access")
    counts = [value for row in logged for key, value in row.points if key == "count"]
    return {
        "upload_info": {
            "table_name": shown.get("name"),
            "namespace": shown.get("namespace"),
            "partition": shown.get("partition"),
            "upload_count": counts[-1] if counts else (table.count if table else 0),
        },
        "notes": job.description,
        "schema": table.schema if table else {},
    }
