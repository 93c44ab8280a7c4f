"""Models as files that travel: one zip per party, and the contents over HTTP for FATE-Serving.

The zip holds our own JSON, written the same way each time (sorted names, a fixed time stamp), so
that equal models give equal archives:

    define/define_meta.json     what is inside, by component
    pipeline.json               the job that made the model
    models/<component>/<alias>/model.json
    checkpoint/<component>/<step>#<name>/model.json
    import_model.json           who exported it
    converted/<component>/<alias>/<file>   made for other libraries; left out when taken in
"""

from __future__ import annotations

import base64
import hashlib
import io
import re
import shutil
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import IO, Any

import msgspec

from fateflow.domain import dsl as dsls
from fateflow.domain import ids, inference
from fateflow.domain.conf import party_text
from fateflow.errors import DownloadError
from fateflow.scheduler import model_files, planning
from fateflow.site import Site
from fateflow.store import models
from fateflow.store.database import now_ms
from fateflow.store.orm import ModelRow

MAX_FILES = 10_000
MAX_BYTES = 1 << 30
"""What an archive may hold unpacked; a model is JSON and rarely over some megabytes."""

FORMAT = "distaff-model-1"
_UNREADABLE = (
    zipfile.BadZipFile,
    zlib.error,
    NotImplementedError,
    RuntimeError,
    OSError,
    EOFError,
    ValueError,
)
_STAMP = (1980, 1, 1, 0, 0, 0)
_MEMBER = re.compile(
    r"models/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/model\.json"
    r"|checkpoint/[A-Za-z0-9_-]+/[0-9]+#[A-Za-z0-9_.-]+/model\.json"
    r"|converted/[A-Za-z0-9_-]+/[A-Za-z0-9_-]+/(lgb\.txt|sklearn\.joblib|model\.pmml)"
)
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_ABOUT = ("define/define_meta.json", "import_model.json", model_files.PIPELINE)


class ModelFile(msgspec.Struct):
    """A fitted component as ``federatedml.archive`` writes it."""

    module: str
    meta_name: str
    param_name: str
    meta: dict[str, Any]
    param: dict[str, Any]


class Pipeline(msgspec.Struct, kw_only=True):
    """``pipeline.json``: the columns of a model that an archive carries along."""

    role: str
    party_id: str
    model_id: str
    model_version: str
    roles: dict[str, list[int]]
    initiator_role: str
    initiator_party_id: str
    train_dsl: dict[str, Any]
    inference_dsl: dict[str, Any]
    runtime_conf: dict[str, Any]
    train_runtime_conf: dict[str, Any]
    runtime_conf_on_party: dict[str, Any] = {}
    job_id: str = ""
    fate_version: str = ""
    parent: bool | None = None
    parent_info: dict[str, Any] = {}


def export(
    site: Site, model_id: str, model_version: str, role: str, party_id: str
) -> tuple[str, bytes]:
    """(file name with literal ``#``, zip) of a party's model. Raises DownloadError (404)."""
    party_id = _party(party_id)
    with site.database.read() as session:
        row = models.one(session, role, party_id, model_id, model_version)
    at = model_files.folder(site.settings, role, party_id, model_id, model_version)
    if row is None or not (at / model_files.PIPELINE).is_file():
        raise DownloadError(
            f"no model {model_id} version {model_version} of {role} {party_id} here", status=404
        )
    content = _zipped(_members(at, row))
    with site.database.write() as session:
        kept = models.one(session, role, party_id, model_id, model_version)
        if kept is not None:
            kept.archive_sha256 = hashlib.sha256(content).hexdigest()
    name = f"{ids.party_model_id(role, party_id, model_id)}_{model_version}.zip"
    return name, content


def import_(
    site: Site, given: Mapping[str, Any], file: IO[bytes] | None, sender: str = ""
) -> dict[str, str]:
    """Take a model in from an archive that ``export`` made; the reply's data.

    given: {"model_id", "model_version", "role", "party_id", "force_update"?, "hash"?} as form
    fields. sender: the client's address, to be remembered.

    Raises DownloadError: 400 (no file, damaged or foreign archive, another party's model),
    409 (it is here already and force_update is not set).
    """
    key = _key(given)
    role, party_id, model_id, version = key
    if file is None:
        raise DownloadError("no file in the request: expected a part named 'file'", status=400)
    if not site.settings.hosts(party_id):
        raise DownloadError(f"this site is not party {party_id}", status=400)
    forced = str(given.get("force_update") or "0").lower() in ("1", "true")
    with site.database.read() as session:
        if models.one(session, *key) is not None and not forced:
            raise DownloadError("Model already exists.", status=409)
    content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise DownloadError(f"the archive is over {MAX_BYTES} bytes", status=400)
    digest = hashlib.sha256(content).hexdigest()
    expected = str(given.get("hash") or "").lower()
    if expected and expected != digest:
        raise DownloadError("the archive's sha256 is not the given hash", status=400)
    members = _unzipped(content)
    pipeline = _pipeline(members, key)
    at = model_files.folder(site.settings, role, party_id, model_id, version)
    _unpack(members, at)
    row = _row(site, pipeline, key)
    row.archive_sha256, row.archive_from_ip = digest, sender
    row.size = model_files.size_bytes(at)
    with site.database.write() as session:
        models.put(session, row)
    return {
        "job_id": row.job_id,
        "role": role,
        "party_id": party_id,
        "model_id": model_id,
        "model_version": version,
    }


def transfer(site: Site, party_model: str, version: str) -> dict[str, str]:
    """Every fitted component of a model as base64 JSON by ``<component>.<alias>:<name>``.

    party_model: the party model id, ``#`` may be written ``~``. Raises DownloadError (404).
    """
    role, _, rest = ids.from_path(party_model).partition("#")
    party_id, _, model_id = rest.partition("#")
    with site.database.read() as session:
        row = models.one(session, role, party_id, model_id, version)
    if row is None:
        raise DownloadError(f"no model {party_model} version {version} here", status=404)
    at = model_files.folder(site.settings, role, party_id, model_id, version)
    found = {"pipeline.pipeline:Pipeline": _base64(model_files.read_json(at / "pipeline.json"))}
    for component, alias, path in model_files.models(at):
        model = msgspec.json.decode(path.read_bytes(), type=ModelFile)
        found[f"{component}.{alias}:{model.meta_name}"] = _base64(model.meta)
        found[f"{component}.{alias}:{model.param_name}"] = _base64(model.param)
    return found


def _base64(content: Any) -> str:
    return base64.b64encode(msgspec.json.encode(content)).decode()


def _party(party_id: Any) -> str:
    try:
        return party_text(party_id)
    except ValueError as error:
        raise DownloadError(str(error), status=400) from None


def _key(given: Mapping[str, Any]) -> tuple[str, str, str, str]:
    names = ("role", "party_id", "model_id", "model_version")
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise DownloadError(f"required argument are missing: {','.join(missing)};", status=400)
    role, party_id, model_id, version = (str(given[name]) for name in names)
    return role, _party(party_id), model_id, version


def _members(at: Path, row: ModelRow) -> dict[str, bytes]:
    """Names in the archive and their content."""
    found = {f"models/{c}/{a}/{model_files.MODEL}": p for c, a, p in model_files.models(at)}
    for path in at.glob(f"{model_files.CHECKPOINT}/*/*/{model_files.MODEL}"):
        found[path.relative_to(at).as_posix()] = path
    for path in model_files.converted(at):
        found[path.relative_to(at).as_posix()] = path
    members = {name: path.read_bytes() for name, path in found.items()}
    members[model_files.PIPELINE] = (at / model_files.PIPELINE).read_bytes()
    about = {
        "format": FORMAT,
        "role": row.role,
        "party_id": row.party_id,
        "model_id": row.model_id,
        "model_version": row.model_version,
    }
    members["import_model.json"] = _json(about)
    members["define/define_meta.json"] = _json(_define_meta(row, at))
    return members


def _define_meta(row: ModelRow, at: Path) -> dict[str, Any]:
    """What the archive holds, in the arrangement of FATE's ``define_meta.yaml``."""
    nodes = row.train_dsl.get("components", {})
    proto: dict[str, Any] = {}
    for component, alias, path in model_files.models(at):
        model = msgspec.json.decode(path.read_bytes(), type=ModelFile)
        named = {model.meta_name: model.meta_name, model.param_name: model.param_name}
        proto.setdefault(component, {})[alias] = named
    return {
        "component_define": {
            name: {"module_name": str(node.get("module", ""))} for name, node in nodes.items()
        },
        "model_proto": proto,
    }


def _json(content: Any) -> bytes:
    return msgspec.json.format(msgspec.json.encode(content, order="sorted"), indent=2)


def _zipped(members: Mapping[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(members):
            info = zipfile.ZipInfo(name, _STAMP)
            info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, 0o600 << 16
            archive.writestr(info, members[name])
    return buffer.getvalue()


def _unzipped(content: bytes) -> dict[str, bytes]:
    """The members that a model has, and no others: names that lead elsewhere are refused, and
    nobody's word is taken for a size. Raises DownloadError (400)."""
    found: dict[str, bytes] = {}
    left = MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = [info for info in archive.infolist() if not info.is_dir()]
            if len(listed) > MAX_FILES:
                raise DownloadError(f"the archive has over {MAX_FILES} files", status=400)
            for info in listed:
                if info.filename not in _ABOUT and not _MEMBER.fullmatch(info.filename):
                    raise DownloadError(
                        f"the archive holds {info.filename[:80]!r}, which is no part of a model; "
                        "expected an archive made by `flow model export` of this platform",
                        status=400,
                    )
                if info.compress_type not in _PACKED:
                    raise DownloadError("the archive is packed in an unusual way", status=400)
                with archive.open(info) as member:
                    found[info.filename] = member.read(left + 1)
                left -= len(found[info.filename])
                if left < 0:
                    raise DownloadError(
                        f"the archive unpacks to over {MAX_BYTES} bytes", status=400
                    )
    except _UNREADABLE as error:
        raise DownloadError(f"the file is no readable zip archive: {error}", status=400) from None
    return found


def _pipeline(members: Mapping[str, bytes], key: tuple[str, str, str, str]) -> Pipeline:
    """The archive's ``pipeline.json``, and every model in it, checked."""
    role, party_id, model_id, version = key
    if model_files.PIPELINE not in members:
        raise DownloadError("the archive has no pipeline.json", status=400)
    try:
        pipeline = msgspec.json.decode(members[model_files.PIPELINE], type=Pipeline)
        for name, content in members.items():
            if name.endswith(f"/{model_files.MODEL}"):
                msgspec.json.decode(content, type=ModelFile)
    except msgspec.DecodeError as error:
        raise DownloadError(f"the archive is damaged: {error}", status=400) from None
    if (pipeline.model_id, pipeline.model_version) != (model_id, version):
        raise DownloadError(
            f"the archive holds model {pipeline.model_id} version {pipeline.model_version}",
            status=400,
        )
    if (pipeline.role, pipeline.party_id) != (role, party_id):
        raise DownloadError(
            f"the archive is that of {pipeline.role} {pipeline.party_id}, not of {role} {party_id}",
            status=400,
        )
    if party_id not in map(str, pipeline.roles.get(role, ())):
        raise DownloadError(f"party {party_id} is not in role {role} of the model", status=400)
    try:
        dsls.parse(pipeline.train_dsl)
        dsls.parse(pipeline.inference_dsl)
    except dsls.BadDsl as error:
        raise DownloadError(f"the archive's DSL is damaged: {error}", status=400) from None
    return pipeline


def _unpack(members: Mapping[str, bytes], at: Path) -> None:
    """Write the files; the version's folder appears whole or not at all. Converted ones stay out:
    a pickle of someone else's is not kept, and all can be made again."""
    draft = at.with_name(f".{at.name}")
    shutil.rmtree(draft, ignore_errors=True)
    for name, content in members.items():
        if name in _ABOUT and name != model_files.PIPELINE:
            continue
        if name.startswith(f"{model_files.CONVERTED}/"):
            continue
        path = draft / name.removeprefix("models/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(0o600)
    shutil.rmtree(at, ignore_errors=True)
    draft.rename(at)


def _row(site: Site, pipeline: Pipeline, key: tuple[str, str, str, str]) -> ModelRow:
    role, party_id, model_id, version = key
    now = now_ms()
    return ModelRow(
        role=role,
        party_id=party_id,
        model_id=model_id,
        model_version=version,
        job_id=pipeline.job_id or version,
        roles=pipeline.roles,
        initiator_role=pipeline.initiator_role,
        initiator_party_id=pipeline.initiator_party_id,
        runtime_conf=pipeline.runtime_conf,
        train_dsl=pipeline.train_dsl,
        train_runtime_conf=pipeline.train_runtime_conf,
        runtime_conf_on_party=pipeline.runtime_conf_on_party,
        inference_dsl=inference.with_code_paths(
            pipeline.inference_dsl, role, planning.catalog(site)
        ),
        fate_version=pipeline.fate_version,
        parent=pipeline.parent,
        parent_info=pipeline.parent_info,
        imported=1,
        create_time=now,
        update_time=now,
    )
