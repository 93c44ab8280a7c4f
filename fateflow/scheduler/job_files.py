"""The JSON files of a job at this site: what was submitted, as FATE lays it out."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import msgspec

from fateflow.settings import Settings
from fateflow.wire.control import CreateJob


def folder(settings: Settings, job_id: str) -> Path:
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


def forget_upload(settings: Settings, job_id: str) -> None:
    """Delete the file that an upload brought, once its table is there; a failed upload keeps it,
    so that it can be rerun."""
    shutil.rmtree(settings.jobs / job_id / "fate_upload_tmp", ignore_errors=True)
