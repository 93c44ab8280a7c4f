"""Models on disk: ``models/<role>#<party>#<model id>/<version>/``, private to the party.

Below it ``<component>/<alias>/model.json``, ``checkpoint/<component>/<step>#<name>/model.json``
and ``pipeline.json``, which holds the job that made the model. ``converted/<component>/<alias>/``
has files for other libraries, made on demand; nothing here reads them.
"""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from fateflow.domain.ids import party_model_id
from fateflow.errors import ArgumentError
from fateflow.settings import Settings

PIPELINE = "pipeline.json"
MODEL = "model.json"
CHECKPOINT = "checkpoint"
CONVERTED = "converted"

_PART = re.compile(r"[A-Za-z0-9_#.-]{1,200}")


def folder(settings: Settings, role: str, party_id: str | int, model_id: str, version: str) -> Path:
    """Where a party keeps a version of a model. Raises ArgumentError if a part is no plain name."""
    party_model = party_model_id(role, party_id, model_id)
    for part in (party_model, str(version)):
        if not _PART.fullmatch(part) or part.startswith("."):
            raise ArgumentError(
                "role, party_id, model_id and model_version have only letters, digits, "
                "'_', '-', '.' and '#'"
            )
    return settings.models / party_model / str(version)


def model_file(at: Path, component: str, alias: str) -> Path:
    """A component's fitted model in a version's folder."""
    return at / component / alias / MODEL


def models(at: Path) -> Iterator[tuple[str, str, Path]]:
    """(component, alias, file) of every fitted model in a version's folder, by name."""
    for path in sorted(at.glob(f"*/*/{MODEL}")):
        component = path.parent.parent.name
        if component != CHECKPOINT:
            yield component, path.parent.name, path


def converted(at: Path) -> list[Path]:
    """Files that were made for other libraries, by name."""
    return sorted(at.glob(f"{CONVERTED}/*/*/[!.]*"))


def drop_converted(at: Path) -> None:
    """Forget them: the models that they were made of are others now."""
    shutil.rmtree(at / CONVERTED, ignore_errors=True)


def checkpoint(at: Path, component: str, wanted: dict[str, Any]) -> Path | None:
    """The model that a component kept at a step; wanted: {"step_index"} or {"step_name"}."""
    index, name = wanted.get("step_index"), wanted.get("step_name")
    found = [
        path
        for step, step_name, path in checkpoints(at, component)
        if (index is not None and step == int(index))
        or (index is None and name is not None and step_name == name)
    ]
    return found[-1] if found else None


def checkpoints(at: Path, component: str) -> list[tuple[int, str, Path]]:
    """(step index, step name, file) of a component's checkpoints, in order of steps."""
    found = []
    for path in (at / CHECKPOINT / component).glob(f"*#*/{MODEL}"):
        index, _, name = path.parent.name.partition("#")
        if index.isdigit():
            found.append((int(index), name, path))
    return sorted(found)


def copy(source: Path, target: Path) -> None:
    """Copy a model file, readable by this user only."""
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(source, target)
    target.chmod(0o600)


def write_json(path: Path, content: Any) -> None:
    """Write JSON where nobody sees half of it, readable by this user only."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(content), indent=2))
    draft.rename(path)


def read_json(path: Path) -> dict[str, Any]:
    """A file of ours that holds a JSON object."""
    found: dict[str, Any] = msgspec.json.decode(path.read_bytes())
    return found


def size_bytes(at: Path) -> int:
    """What all files of a version take together."""
    return sum(path.stat().st_size for path in at.rglob("*") if path.is_file())
