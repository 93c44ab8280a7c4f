"""Models kept on the way, for clients: `flow checkpoint list` and `get`."""

from __future__ import annotations

import base64
import datetime
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from fateflow.domain.conf import party_text
from fateflow.errors import DownloadError
from fateflow.scheduler import model_files
from fateflow.site import Site


def listed(site: Site, given: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A component's checkpoints in order of steps.

    given: model_id, model_version, role, party_id, component_name. Raises DownloadError (400).
    """
    at = _folder(site, given)
    return [_shown(*found) for found in model_files.checkpoints(at, str(given["component_name"]))]


def get(site: Site, given: Mapping[str, Any]) -> dict[str, Any]:
    """One checkpoint, by step_index or step_name, its models as base64.

    Raises DownloadError: 400 for a bad request, 404 if there is none.
    """
    at = _folder(site, given)
    index, name = given.get("step_index"), given.get("step_name")
    if index is None and not name:
        raise DownloadError("'step_index' or 'step_name' is required", status=400)
    if index is not None and not str(index).isdigit():
        raise DownloadError("Invalid 'step_index'", status=400)
    for step, step_name, path in model_files.checkpoints(at, str(given["component_name"])):
        if (index is not None and int(index) == step) or (index is None and step_name == name):
            shown = _shown(step, step_name, path)
            shown["models"] = {
                key: base64.b64encode(content).decode() for key, content in _buffers(path).items()
            }
            return shown
    raise DownloadError("The checkpoint was not found.", status=404)


def _folder(site: Site, given: Mapping[str, Any]) -> Path:
    names = ("model_id", "model_version", "role", "party_id", "component_name")
    missing = [name for name in names if not given.get(name)]
    if missing:
        raise DownloadError(f"required argument are missing: {','.join(missing)};", status=400)
    component = str(given["component_name"])
    if "/" in component or component.startswith("."):
        raise DownloadError("Invalid 'component_name'", status=400)
    try:
        party_id = party_text(given["party_id"])
    except ValueError as error:
        raise DownloadError(f"Invalid 'party_id': {error}", status=400) from None
    role, model_id, version = (str(given[n]) for n in ("role", "model_id", "model_version"))
    return model_files.folder(site.settings, role, party_id, model_id, version)


def _buffers(path: Path) -> dict[str, bytes]:
    """Meta and param of a model file as JSON, by their buffer names."""
    model = msgspec.json.decode(path.read_bytes())
    return {model[f"{part}_name"]: msgspec.json.encode(model[part]) for part in ("meta", "param")}


def _shown(step: int, name: str, path: Path) -> dict[str, Any]:
    made = datetime.datetime.fromtimestamp(path.stat().st_mtime)
    models = {
        key: {"sha1": hashlib.sha1(content, usedforsecurity=False).hexdigest(), "buffer_name": key}
        for key, content in _buffers(path).items()
    }
    return {
        "step_index": step,
        "step_name": name,
        "create_time": made.isoformat(timespec="microseconds"),
        "models": models,
    }
