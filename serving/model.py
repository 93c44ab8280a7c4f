"""One party's deployed model, from wherever it comes: its folder, an exported zip, a download."""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import re
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

MAX_BYTES = 256 << 20
"""What a model may hold, packed or unpacked."""

MAX_FILES = 10_000

_PIPELINE = "pipeline.json"
_MODEL = "model.json"
_DOWNLOADED = "pipeline.pipeline:Pipeline"
_MEMBER = re.compile(r"models/(?P<component>[^/]+)/(?P<alias>[^/]+)/model\.json")
_BAD_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)
_UNREADABLE = (zipfile.BadZipFile, zlib.error, NotImplementedError, OSError, EOFError, ValueError)


class UnreadableModel(Exception):
    """The text says what is wrong with it, and where it should come from."""


class ComponentModel(msgspec.Struct, frozen=True):
    """A fitted component: FATE's two buffers as JSON. module: "" where its file does not say."""

    meta_name: str
    param_name: str
    meta: dict[str, Any]
    param: dict[str, Any]
    module: str = ""


class Pipeline(msgspec.Struct, frozen=True, kw_only=True):
    """What fateflow keeps of the training beside the models, as far as it matters online."""

    role: str
    party_id: str
    model_id: str
    model_version: str
    roles: dict[str, list[int | str]]
    inference_dsl: dict[str, Any]
    train_runtime_conf: dict[str, Any] = {}
    runtime_conf: dict[str, Any] = {}


class PartyModel(msgspec.Struct, frozen=True, kw_only=True):
    """models: by ``component.alias``. sha256: of all of it, the same wherever it came from."""

    pipeline: Pipeline
    models: dict[str, ComponentModel]
    sha256: str

    @property
    def role(self) -> str:
        return self.pipeline.role

    @property
    def party_id(self) -> str:
        return self.pipeline.party_id

    @property
    def hosts(self) -> tuple[str, ...]:
        """Party ids of the hosts of the training."""
        return tuple(str(party) for party in self.pipeline.roles.get("host", ()))

    @property
    def components(self) -> dict[str, dict[str, Any]]:
        found: dict[str, dict[str, Any]] = self.pipeline.inference_dsl.get("components") or {}
        return found

    def parameters(self, component: str) -> dict[str, Any]:
        """What the training's configuration says of a component at this party."""
        conf = self.pipeline.train_runtime_conf or self.pipeline.runtime_conf
        given = conf.get("component_parameters") or {}
        found = dict((given.get("common") or {}).get(component) or {})
        parties = [str(party) for party in self.pipeline.roles.get(self.role, ())]
        index = parties.index(self.party_id) if self.party_id in parties else 0
        for key, entry in ((given.get("role") or {}).get(self.role) or {}).items():
            is_meant = key == "all" or str(index) in [p.strip() for p in str(key).split("|")]
            over = entry.get(component) if is_meant and isinstance(entry, Mapping) else None
            if isinstance(over, Mapping):
                found = _merged(found, over)
        return found


def read(folder: Path) -> PartyModel:
    """A model as fateflow keeps it. Raises UnreadableModel."""
    try:
        pipeline = (folder / _PIPELINE).read_bytes()
        files = {
            f"{path.parent.parent.name}.{path.parent.name}": path.read_bytes()
            for path in sorted(folder.glob(f"*/*/{_MODEL}"))
        }
    except OSError as error:
        raise UnreadableModel(f"{folder}: {error.strerror or error}") from None
    return _made(pipeline, files, str(folder))


def from_zip(content: bytes) -> PartyModel:
    """A model as ``flow model export`` writes it. Raises UnreadableModel."""
    files: dict[str, bytes] = {}
    pipeline, left = b"", MAX_BYTES
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            listed = [info for info in archive.infolist() if not info.is_dir()]
            if len(listed) > MAX_FILES:
                raise UnreadableModel(f"the archive has over {MAX_FILES} files")
            for info in listed:
                match = _MEMBER.fullmatch(info.filename)
                if match is None and info.filename != _PIPELINE:
                    continue
                with archive.open(info) as member:
                    read_bytes = member.read(left + 1)
                left -= len(read_bytes)
                if left < 0:
                    raise UnreadableModel(f"the archive unpacks to over {MAX_BYTES} bytes")
                if match is None:
                    pipeline = read_bytes
                else:
                    files[f"{match['component']}.{match['alias']}"] = read_bytes
    except _UNREADABLE as error:
        raise UnreadableModel(f"no readable zip archive: {error}") from None
    if not pipeline:
        raise UnreadableModel(
            "the archive has no pipeline.json; make it with `flow model export` of this platform"
        )
    return _made(pipeline, files, "the archive")


def from_transfer(data: Mapping[str, str]) -> PartyModel:
    """A model as fateflow's ``/v1/model/transfer`` sends it: ``{"<component>.<alias>:<buffer>":
    base64}``. Raises UnreadableModel."""
    if _DOWNLOADED not in data:
        raise UnreadableModel(
            f"the download has no {_DOWNLOADED}; is it of this platform's fateflow, and is the "
            "model deployed?"
        )
    pipeline = _unpacked(data, _DOWNLOADED)
    halves: dict[str, dict[str, str]] = {}
    for name in data:
        key, _, buffer = name.rpartition(":")
        if name == _DOWNLOADED:
            continue
        half = "meta" if buffer.endswith("Meta") else "param" if buffer.endswith("Param") else ""
        if not half:
            raise UnreadableModel(
                f"the download holds {name[:80]!r}, which is no buffer of a model"
            )
        halves.setdefault(key, {})[half] = buffer
    models = {}
    for key, buffers in sorted(halves.items()):
        if len(buffers) < 2:
            raise UnreadableModel(f"the download has only one buffer of {key[:80]!r}")
        meta, param = buffers["meta"], buffers["param"]
        contents = [_object(_unpacked(data, f"{key}:{name}"), key) for name in (meta, param)]
        models[key] = ComponentModel(meta, param, contents[0], contents[1])
    return _hashed(_pipeline(pipeline, "the download"), models)


def _made(pipeline: bytes, files: Mapping[str, bytes], where: str) -> PartyModel:
    models = {}
    for key, content in sorted(files.items()):
        try:
            models[key] = msgspec.json.decode(content, type=ComponentModel)
        except _BAD_JSON as error:
            raise UnreadableModel(f"{where}: the model of {key} is damaged: {error}") from None
    return _hashed(_pipeline(pipeline, where), models)


def _pipeline(content: bytes, where: str) -> Pipeline:
    try:
        return msgspec.json.decode(content, type=Pipeline)
    except _BAD_JSON as error:
        raise UnreadableModel(f"{where}: {_PIPELINE} is damaged: {error}") from None


def _object(content: bytes, where: str) -> dict[str, Any]:
    try:
        return msgspec.json.decode(content, type=dict[str, Any])
    except _BAD_JSON as error:
        raise UnreadableModel(f"the model of {where[:80]!r} is damaged: {error}") from None


def _unpacked(data: Mapping[str, str], name: str) -> bytes:
    try:
        return base64.b64decode(data[name], validate=True)
    except (binascii.Error, ValueError, TypeError):
        raise UnreadableModel(f"the download's {name[:80]!r} is no base64") from None


def _hashed(pipeline: Pipeline, models: Mapping[str, ComponentModel]) -> PartyModel:
    """The module is left out of the digest: a download does not tell it."""
    told = {
        key: [one.meta_name, one.param_name, one.meta, one.param] for key, one in models.items()
    }
    content = msgspec.json.encode([pipeline, told], order="sorted")
    digest = hashlib.sha256(content).hexdigest()
    return PartyModel(pipeline=pipeline, models=dict(models), sha256=digest)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, ``over`` winning; objects are merged in depth."""
    found = dict(under)
    for key, value in over.items():
        below = found.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        found[key] = _merged(below, value) if both else value  # type: ignore[arg-type]
    return found
