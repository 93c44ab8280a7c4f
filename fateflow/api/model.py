"""``/v1/model`` and ``/v1/checkpoint``: deploy, serve, export and look into models."""

from __future__ import annotations

import base64
from typing import Any

import msgspec
from flask import Blueprint, Response, request

from fateflow.api import asked
from fateflow.api.envelope import answer, attachment, body, convert, given, site
from fateflow.errors import ArgumentError, DownloadError, FlowError
from fateflow.scheduler import checkpoints, kept_rows, model_archive, model_service, models

blueprint = Blueprint("model", __name__, url_prefix="/v1")


class Deploy(asked.OfModel, frozen=True, kw_only=True):
    """``cpn_list``: what to keep. ``dsl`` (text) or ``predict_dsl`` (object) instead: the DSL."""

    cpn_list: list[str] | str | None = None
    dsl: Any = None
    predict_dsl: Any = None
    components_checkpoint: dict[str, Any] | None = None


@blueprint.post("/model/deploy")
def deploy() -> Response:
    wanted = body(Deploy)
    try:
        data = models.deploy(
            site(),
            wanted.model_id,
            wanted.model_version,
            cpn_list=wanted.cpn_list,
            dsl=wanted.dsl,
            predict_dsl=wanted.predict_dsl,
            components_checkpoint=wanted.components_checkpoint,
        )
    except FlowError as error:
        # FATE's pipeline shows the data of a refused deployment, and never its message.
        error.data = {**(error.data or {}), "reason": str(error)}
        raise
    return answer(data)


@blueprint.post("/model/query", endpoint="query")
@blueprint.post("/model/query/detail", endpoint="query_detail")
def query() -> Response:
    return answer(models.query(site(), given()), retmsg="Query model info from db success.")


class PredictFile(asked.OfModel, frozen=True, kw_only=True):
    filename: str | None = None


@blueprint.post("/model/get/predict/dsl")
def predict_dsl() -> Response:
    wanted = _wanted_file()
    return _file(models.predict_dsl(site(), wanted.model_id, wanted.model_version), wanted)


@blueprint.post("/model/get/predict/conf")
def predict_conf() -> Response:
    wanted = _wanted_file()
    return _file(models.predict_conf(site(), wanted.model_id, wanted.model_version), wanted)


@blueprint.post("/model/load")
def load() -> Response:
    job_id, data = model_service.load(site(), given())
    return answer(data, job_id=job_id)


@blueprint.post("/model/bind")
def bind() -> Response:
    return answer(retmsg=model_service.bind(site(), given()))


@blueprint.post("/model/unload")
def unload() -> Response:
    """Our own: every party's serving forgets the model."""
    job_id, data = model_service.unload(site(), given())
    return answer(data, job_id=job_id)


@blueprint.post("/model/unbind")
def unbind() -> Response:
    """Our own: the service id is free again."""
    return answer(retmsg=model_service.unbind(site(), given()))


@blueprint.route("/model/export", methods=["GET", "POST"])
def export() -> Response:
    try:
        wanted = body(asked.OfPartyModel)
    except FlowError as error:
        raise DownloadError(str(error), status=400) from None
    name, content = model_archive.export(
        site(), wanted.model_id, wanted.model_version, wanted.role, wanted.party_id
    )
    return attachment(content, name, "application/zip")


@blueprint.post("/model/import")
def import_() -> Response:
    file = request.files.get("file")
    fields = request.form.to_dict()
    return answer(
        model_archive.import_(
            site(), fields, file.stream if file else None, request.remote_addr or ""
        )
    )


class Transfer(msgspec.Struct, frozen=True, kw_only=True):
    """``namespace``: the party's model id. ``name``: the version."""

    namespace: str
    name: str


@blueprint.post("/model/transfer")
def transfer() -> Response:
    """What FATE-Serving loads: buffers of every component as base64."""
    wanted = body(Transfer)
    return answer(model_archive.transfer(site(), wanted.namespace, wanted.name))


@blueprint.route("/model/transfer/<party_model_id>/<version>", methods=["GET", "POST"])
def transfer_by_path(party_model_id: str, version: str) -> Response:
    return answer(model_archive.transfer(site(), party_model_id, version))


@blueprint.post("/model/kept_rows")
def kept() -> Response:
    """Our own: rows for a serving's self-test, base64 of their JSON."""
    wanted = body(Transfer)
    content = kept_rows.content(site(), wanted.namespace, wanted.name)
    return answer(base64.b64encode(content).decode())


@blueprint.post("/checkpoint/list")
def list_checkpoints() -> Response:
    return answer(checkpoints.listed(site(), given()))


@blueprint.post("/checkpoint/get")
def get_checkpoint() -> Response:
    return answer(checkpoints.get(site(), given()))


def _wanted_file() -> PredictFile:
    try:
        return convert(given(), PredictFile)
    except ArgumentError as error:
        raise DownloadError(str(error)) from None


def _file(content: dict[str, Any], wanted: PredictFile) -> Response:
    if wanted.filename:
        return attachment(msgspec.json.encode(content), wanted.filename, "application/json")
    return answer(content)
