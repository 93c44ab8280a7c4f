"""Where a task's files are."""

from __future__ import annotations

from pathlib import Path

from fateflow.settings import Settings
from fateflow.store.tasks import TaskKey


def folder(settings: Settings, key: TaskKey) -> Path:
    """Where one version of a task has its files."""
    job_id, component, version, role, party_id = key
    return settings.jobs / job_id / role / party_id / component / str(version)


def key_of_folder(settings: Settings, path: str) -> TaskKey | None:
    """The task whose folder this is, or None."""
    try:
        parts = Path(path).relative_to(settings.jobs).parts
        job_id, role, party_id, component, version = parts
        return (job_id, component, int(version), role, party_id)
    except ValueError:
        return None
