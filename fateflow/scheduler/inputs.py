"""What a task reads, as tables and files: outputs of this job, of earlier ones, of a model."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from fateflow.domain import dsl
from fateflow.domain.dsl import Node, Ref
from fateflow.domain.ids import party_model_id
from fateflow.domain.lifecycle import DONE, Status
from fateflow.errors import NotThere
from fateflow.scheduler import model_files
from fateflow.settings import Settings
from fateflow.store import models, outputs, tasks
from fateflow.store.orm import JobRow, ModelRow, OutputRow, TableRow, TaskRow
from fateflow.worker.spec import DataRef, FileRef
from federation.party import Role

_DONE = {status.value for status in DONE}


class NoInput(NotThere):
    """An input that should be there is not: the message names it and what to do."""


def job_parameters(job: JobRow) -> dict[str, Any]:
    """The job parameters of this party, flat."""
    found: dict[str, Any] = job.runtime_conf_on_party.get("job_parameters") or {}
    common = found.get("common")
    return common if isinstance(common, dict) else found


def model_folder(settings: Settings, job: JobRow, version: str) -> Path:
    """Where the job's party keeps a version of the job's model. A peer's job names the model, too:
    raises ArgumentError if a name is no plain one."""
    model_id = str(job_parameters(job).get("model_id", ""))
    return model_files.folder(settings, job.role, job.party_id, model_id, version)


def own_model_version(job: JobRow) -> str:
    """The version that the job makes; a predict job must not write into the model it uses."""
    parameters = job_parameters(job)
    if parameters.get("job_type") == "predict":
        return job.job_id
    return str(parameters.get("model_version") or job.job_id)


def data(session: Session, job: JobRow, node: Node) -> dict[str, list[DataRef]]:
    """Data inputs by DSL kind, in DSL order. An upstream output that this party has no part in
    (its role does not run the component, or it was left empty) is absent; its kind is not, for
    an arbiter without data must still know whether the others train, validate or predict."""
    found: dict[str, list[DataRef]] = {}
    for kind, refs in node.data.items():
        rows = [(ref, _output(session, job, ref, "data")) for ref in refs]
        listed = [
            DataRef(ref.component, ref.output, row.table_namespace, row.table_name)
            for ref, row in rows
            if row is not None
        ]
        found[kind] = listed
    return found


def model(session: Session, settings: Settings, job: JobRow, node: Node) -> FileRef | None:
    """The component's own fitted model: warm start, transform, or predict from a deployed one."""
    files = _models(session, settings, job, node.model)
    return files[0] if files else None


def isometric(session: Session, settings: Settings, job: JobRow, node: Node) -> list[FileRef]:
    """Files of other components' models that the component reads."""
    return _models(session, settings, job, node.isometric)


def caches(session: Session, job: JobRow, node: Node) -> list[FileRef]:
    """Folders of the cache outputs that the component reads."""
    found = []
    for ref in node.cache:
        row = _output(session, job, ref, "cache")
        if row is not None:
            found.append(FileRef(ref.component, ref.output, "", row.path))
    return found


def resolve_reader(session: Session, row: TaskRow, parameters: dict[str, Any]) -> dict[str, Any]:
    """Reader's ``table: {job_id, component_name, data_name}`` as the table's own name.

    Raises NoInput if the earlier job has no such output at this party, or the table is disabled
    or has no rows here.
    """
    table = parameters.get("table")
    if not isinstance(table, dict):
        return parameters
    if not table.get("job_id"):
        _check_readable(session, str(table.get("namespace")), str(table.get("name")))
        return parameters
    wanted = {"component_name": table.get("component_name"), "name": table.get("data_name")}
    found = _earlier(session, row, str(table["job_id"]), "data", wanted)
    named = {"name": found.table_name, "namespace": found.table_namespace}
    return {**parameters, "table": named}


def _check_readable(session: Session, namespace: str, name: str) -> None:
    """A table without a record is left to the worker, which looks for its rows."""
    row = session.get(TableRow, (namespace, name))
    if row is None:
        return
    if row.disable:
        raise NoInput(
            f"table {namespace}.{name} is disabled; `flow table enable` lets jobs read it again"
        )
    if row.engine != "STANDALONE":
        raise NoInput(
            f"table {namespace}.{name} is bound to {row.engine}, of which jobs read no rows; "
            "upload it, or bind it with engine LOCALFS"
        )


def loaded_model(
    session: Session, settings: Settings, job: JobRow, given: dict[str, Any]
) -> Path | None:
    """The file that ModelLoader's parameters name: a component's model, or a checkpoint of it.

    None where the training made none at this party, as at HomoLR's arbiter. Raises NoInput naming
    what was looked for.
    """
    model_id = str(given.get("model_id") or job_parameters(job).get("model_id", ""))
    name = party_model_id(job.role, job.party_id, model_id)
    version, component = str(given.get("model_version", "")), str(given.get("component_name", ""))
    for part in (name, version, component):
        if not part or "/" in part or part.startswith("."):
            raise NoInput("ModelLoader needs model_id, model_version and component_name")
    folder, alias = settings.models / name / version, str(given.get("model_alias") or "")
    candidates = sorted((folder / component).glob("*/model.json"))
    steps = (folder / "checkpoint" / component).glob("*#*/model.json")
    if not candidates and not any(steps):
        row = models.one(session, job.role, job.party_id, model_id, version)
        if row is not None and _kept_none(session, row, component, alias):
            return None
    if given.get("step_index") is not None or given.get("step_name"):
        return _checkpoint(folder / "checkpoint" / component, given)
    chosen = [p for p in candidates if alias in ("", p.parent.name)]
    if not chosen:
        there = ", ".join(f"{made}.{of}" for made, of, _ in model_files.models(folder)) or "none"
        wanted = f"{component}.{alias}" if alias else component
        raise NoInput(
            f"ModelLoader: {name} version {version} has no model of {wanted!r}; it has: {there}"
        )
    return chosen[0]


def _kept_none(session: Session, row: ModelRow, component: str, alias: str) -> bool:
    """Whether it is in order that a party has no file of a component's model: the training made a
    model, but this party did not run the component, or added up for the others as the arbiter."""
    node = dsl.parse(row.train_dsl).components.get(component)
    if node is None or not node.model_outputs or alias not in ("", *node.model_outputs):
        return False
    trained = str(row.parent_info.get("parent_model_version") or row.job_id)
    mine = {"component_name": component, "role": row.role, "party_id": row.party_id}
    found = tasks.latest(session, trained, **mine)
    if any(outputs.of_task(session, tasks.key(task), "model") for task in found):
        return False
    return row.role == Role.ARBITER.value or any(
        task.party_status == Status.PASS.value for task in found
    )


def loaded_cache(session: Session, row: TaskRow, given: dict[str, Any]) -> OutputRow:
    """The cache that CacheLoader's parameters name, by key or by job, component and name.

    Raises NoInput.
    """
    if given.get("cache_key"):
        wanted = select(OutputRow).filter_by(
            kind="cache", cache_key=given["cache_key"], role=row.role, party_id=row.party_id
        )
        found = session.scalars(wanted).first()
        if found is None:
            raise NoInput("CacheLoader: no cache with this cache_key at this party")
        return found
    wanted_output = {
        "component_name": given.get("component_name"),
        "name": given.get("cache_name") or None,
    }
    return _earlier(session, row, str(given.get("job_id", "")), "cache", wanted_output)


def table_folder(settings: Settings, namespace: str, name: str) -> Path:
    """Where ``eggroll.storage`` keeps a table; that module imports arrow, this process may not."""
    digests = [hashlib.blake2b(t.encode(), digest_size=16).hexdigest() for t in (namespace, name)]
    return settings.tables.joinpath(*digests)


def _output(session: Session, job: JobRow, ref: Ref, kind: str) -> OutputRow | None:
    mine = {"component_name": ref.component, "role": job.role, "party_id": job.party_id}
    for task in tasks.latest(session, job.job_id, **mine):
        if task.party_status in _DONE:
            listed = outputs.of_task(session, tasks.key(task), kind)
            return next((row for row in listed if row.name == ref.output), None)
    return None


def _models(
    session: Session, settings: Settings, job: JobRow, refs: tuple[Ref, ...]
) -> list[FileRef]:
    found = []
    for ref in refs:
        if ref.pipeline:
            version = str(job_parameters(job).get("model_version", ""))
            folder = model_folder(settings, job, version)
            path = folder / ref.component / ref.output / "model.json"
            if path.exists():
                found.append(FileRef(ref.component, ref.output, "", str(path)))
            continue
        row = _output(session, job, ref, "model")
        if row is not None:
            found.append(FileRef(ref.component, ref.output, "", row.path))
    return found


def _earlier(
    session: Session, row: TaskRow, job_id: str, kind: str, wanted: dict[str, Any]
) -> OutputRow:
    mine = {"role": row.role, "party_id": row.party_id}
    columns = {name: value for name, value in wanted.items() if value}
    found = select(OutputRow).filter_by(job_id=job_id, kind=kind, **mine, **columns)
    newest = session.scalars(found.order_by(OutputRow.task_version.desc(), OutputRow.position))
    output = newest.first()
    if output is None:
        what = ", ".join(f"{name} {value}" for name, value in columns.items())
        raise NoInput(
            f"{row.component_module}: job {job_id} has no {kind} output ({what}) "
            f"at {row.role} {row.party_id}"
        )
    return output


def _checkpoint(folder: Path, given: dict[str, Any]) -> Path:
    steps = sorted(folder.glob("*#*/model.json"))
    for path in steps:
        index, _, name = path.parent.name.partition("#")
        if index == str(given.get("step_index")) or (
            given.get("step_index") is None and name == given.get("step_name")
        ):
            return path
    there = ", ".join(p.parent.name for p in steps) or "none"
    raise NoInput(f"ModelLoader: no such checkpoint of {folder.name}; there are: {there}")
