"""One task of one party, from its folder to its outputs. Runs in a process of its own."""

from __future__ import annotations

import logging
import os
import resource
import shutil
import time
import traceback
import uuid
from pathlib import Path

import msgspec

from eggroll.errors import EggrollError
from eggroll.storage import Storage, StoredTable
from fateflow.worker import spec
from fateflow.worker.logs import open_task_logs
from fateflow.worker.reporting import Reporter
from federatedml import archive, runner
from federatedml.catalog import find
from federatedml.component import Component, Ctx, Inputs, NamedData, Outputs
from federatedml.data import stored
from federatedml.errors import ComponentError
from federatedml.params import parse
from federation import Party, Role
from federation.errors import FederationError
from federation.transport.local import GatewayTransport

log = logging.getLogger(__name__)

SPEAKING = (ComponentError, FederationError, EggrollError)
"""Errors whose text is written for the job's owner and holds no data."""

HARMLESS = (AttributeError, ImportError, MemoryError, NameError, OSError, TypeError)
"""Errors of Python whose text speaks of code or files, not of values."""


def run(folder: str) -> int:
    """Run the task in this folder; the exit status of its process."""
    task = msgspec.json.decode((Path(folder) / "task.json").read_bytes(), type=spec.TaskSpec)
    open_task_logs(Path(task.log_folder), task.job_id)
    reporter = Reporter(task)
    reporter.write(spec.Started(os.getpid(), _now_ms()))
    try:
        _perform(task, reporter)
    except Exception as error:  # noqa: BLE001 (the worker's border: everything becomes an event)
        log.error("%s", _frames(error))
        reporter.write(_ended("failed", _one_line(error), _frames(error)))
        reporter.close()
        return 1
    reporter.write(_ended("success" if task.need_run else "pass"))
    reporter.close()
    return 0


def _perform(task: spec.TaskSpec, reporter: Reporter) -> None:
    tables = Storage(Path(task.tables_root))
    log.info("%s version %d runs as %s %s", task.component, task.version, task.role, task.party_id)
    if not task.need_run:
        _keep_data(task, reporter, tables, _passed(task, tables))
        return
    component_class = find(task.module)
    where = f"{component_class.module}#{task.component}"
    component: Component = component_class(
        parse(component_class.Params, task.parameters, where)  # type: ignore[type-var]
    )
    with GatewayTransport(task.gateway_socket, task.job_token) as transport:
        outputs = runner.run(
            component, _context(task, reporter, tables, transport), _inputs(task, tables)
        )
    _keep_data(task, reporter, tables, outputs)
    _keep_model(task, reporter, outputs)
    _keep_cache(task, reporter, outputs)
    log.info("%s is done", task.component)


def _context(
    task: spec.TaskSpec, reporter: Reporter, tables: Storage, transport: GatewayTransport
) -> Ctx:
    ctx = Ctx(
        Party(Role(task.role), task.party_id),
        [Party(Role(role), party_id) for role, party_id in task.parties],
        transport,
        job_id=task.job_id,
        component=task.component,
        version=task.version,
    )
    ctx.name, ctx.module = task.component, task.module
    ctx.report, ctx.tables = reporter, tables
    ctx.folder = Path(task.folder) / "scratch"
    ctx.folder.mkdir(exist_ok=True)
    ctx.cores, ctx.job = task.cores, task.job_parameters
    return ctx


def _inputs(task: spec.TaskSpec, tables: Storage) -> Inputs:
    return Inputs(
        data={
            kind: [
                NamedData(ref.component, ref.output, stored.load(tables, ref.namespace, ref.name))
                for ref in refs
            ]
            for kind, refs in task.data.items()
        },
        model=archive.load(Path(task.model.path)) if task.model else None,
        isometric={ref.component: archive.load(Path(ref.path)) for ref in task.isometric},
        caches={ref.component: Path(ref.path) for ref in task.caches},
    )


def _passed(task: spec.TaskSpec, tables: Storage) -> Outputs:
    """A component that need not run gives its first data input on, unchanged."""
    first = next((refs[0] for refs in task.data.values() if refs), None)
    return Outputs(data=[tables.open(first.namespace, first.name)] if first else [])


def _keep_data(task: spec.TaskSpec, reporter: Reporter, tables: Storage, outputs: Outputs) -> None:
    for position, (name, data) in enumerate(zip(task.data_outputs, outputs.data, strict=False)):
        if data is None:
            continue
        table_name = uuid.uuid4().hex
        if isinstance(data, StoredTable):
            table = tables.link(data, task.output_namespace, table_name)
        else:
            table = stored.save(tables, task.output_namespace, table_name, data)
        reporter.output_data(name, position, table)


def _keep_model(task: spec.TaskSpec, reporter: Reporter, outputs: Outputs) -> None:
    if outputs.model is None or not task.model_outputs:
        return
    alias = task.model_outputs[0]
    path = Path(task.model_folder) / task.component / alias / "model.json"
    component_class = find(task.module)
    module = component_class.module
    if component_class.Model is None and task.model is not None:  # handed on: ModelLoader
        module = archive.module_of(Path(task.model.path))
    archive.save(path, module, outputs.model)
    reporter.write(spec.OutputModel(alias, str(path)))


def _keep_cache(task: spec.TaskSpec, reporter: Reporter, outputs: Outputs) -> None:
    if outputs.cache is None or not task.cache_outputs:
        return
    kept = Path(task.folder) / "cache"
    shutil.move(str(outputs.cache), kept)
    reporter.output_cache(task.cache_outputs[0], kept)


def _one_line(error: BaseException) -> str:
    """What the job's owner reads, at every party: never a value of the data."""
    if isinstance(error, SPEAKING):
        return " ".join(str(error).split())
    if isinstance(error, HARMLESS):
        return " ".join(f"{type(error).__name__}: {error}".split())
    last = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(last.filename).name}:{last.lineno}"
    return f"unexpected {type(error).__name__} in {place}; the trace is in the task's ERROR.log"


def _frames(error: BaseException) -> str:
    """The traceback without the text of errors that may quote data."""
    frames = "".join(traceback.format_tb(error.__traceback__))
    return f"Traceback (most recent call last):\n{frames}{_one_line(error)}"


def _ended(status: str, error: str = "", detail: str = "") -> spec.Ended:
    used = resource.getrusage(resource.RUSAGE_SELF)
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = used.ru_utime + used.ru_stime + children.ru_utime + children.ru_stime
    return spec.Ended(status, _now_ms(), error, detail, round(cpu, 3), used.ru_maxrss * 1024)


def _now_ms() -> int:
    return int(time.time() * 1000)
