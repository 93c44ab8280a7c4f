"""The JSON files of a job at this site: what was submitted, as FATE lays it out."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fateflow.settings import Settings
from fateflow.wire.control import CreateJob

_PATH_PARAMETERS = {"Upload": "file", "Download": "output_path"}


def folder(settings: Settings, job_id: str) -> Path:
    """Where a job's files lie."""
    return settings.jobs / job_id


def paths(settings: Settings, job_id: str, role: str, party_id: str) -> dict[str, str]:
    """Where the files are, under the names that the answer to a submit gives them."""
    job = folder(settings, job_id)
    on_party = job / role / party_id / "job_runtime_on_party_conf.json"
    return {
        "dsl_path": str(job / "job_dsl.json"),
        "runtime_conf_path": str(job / "job_runtime_conf.json"),
        "runtime_conf_on_party_path": str(on_party),
        "train_runtime_conf_path": str(job / "train_runtime_conf.json"),
        "pipeline_dsl_path": str(job / "pipeline_dsl.json"),
    }


def write(settings: Settings, request: CreateJob) -> None:
    """Write the files of a job as one (role, party) of this site knows it."""
    found = paths(settings, request.job_id, request.role, request.party_id)
    contents: dict[str, Any] = {
        "dsl_path": request.dsl,
        "runtime_conf_path": request.runtime_conf,
        "runtime_conf_on_party_path": request.runtime_conf_on_party,
        "train_runtime_conf_path": request.train_runtime_conf,
        "pipeline_dsl_path": request.dsl if request.job_type == "predict" else {},
    }
    for name, content in contents.items():
        path = Path(found[name])
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(msgspec.json.format(msgspec.json.encode(content), indent=4))


def received(settings: Settings, job_id: str) -> Path:
    """The folder of the file that an upload's request brought."""
    return folder(settings, job_id) / "fate_upload_tmp"


def forget_upload(settings: Settings, job_id: str) -> None:
    """Delete the file that an upload brought: its table is there, or the file was wrong. It may
    fill the disk, and nobody would look for it."""
    shutil.rmtree(received(settings, job_id), ignore_errors=True)


def inside_home(settings: Settings, path: str) -> str:
    """Why a user's path is refused, or "". The site's own files (tokens, keys, the database, other
    users' tables) are neither read as data nor written over."""
    if Path(path).resolve().is_relative_to(settings.root.resolve()):
        return f"{path} lies in the home of the site, whose files are its own; choose another place"
    return ""


def path_fault(settings: Settings, job_id: str, module: str, parameters: Mapping[str, Any]) -> str:
    """What is wrong with the file that a local component reads or writes, or ""."""
    name = _PATH_PARAMETERS.get(module, "")
    path = parameters.get(name)
    if not isinstance(path, str) or not path or "\0" in path:
        return ""  # the component's own check tells
    brought = received(settings, job_id).resolve()
    if module == "Upload" and Path(path).resolve().is_relative_to(brought):
        return ""
    fault = inside_home(settings, path)
    return f"{module}: {name}: {fault}" if fault else ""
