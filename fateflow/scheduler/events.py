"""Reading what workers wrote: each event once, into the database, then word to the initiator.

A task's events are durable before anybody is told of them, and the row keeps how far they were
read; so a nudge, a worker's exit and a restart all do the same thing here, in any order.
"""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy.orm import Session

from fateflow.domain.lifecycle import DONE, Status
from fateflow.scheduler import places
from fateflow.scheduler.joblog import JobLog, last_error
from fateflow.site import Site
from fateflow.store import metrics, outputs
from fateflow.store import tasks as rows
from fateflow.store.orm import TaskRow
from fateflow.worker import spec

log = logging.getLogger(__name__)

_EVENT = msgspec.json.Decoder(spec.Event)
_KNOWN_OPTIONS = ("id_delimiter", "have_head", "extend_sid", "auto_increasing_sid")


@dataclass(frozen=True)
class Ending:
    """How a task ended at this party. error: one line; detail: the trace, for this party only."""

    status: Status
    error: str = ""
    detail: str = ""
    interrupted: bool = False


def intake(site: Site, key: rows.TaskKey) -> None:
    """Read on from where the task's events were left, and report if anything changed."""
    with _alone(key):
        with site.database.write() as session:
            row = rows.one(session, key)
            if row is None:
                return
            found, offset = _unread(places.folder(site.settings, key), row.events_read)
            if offset == row.events_read:
                return
            was = (row.party_status, row.progress)
            for event in found:
                _RECORD[type(event)](session, row, event)
            rows.change(row, events_read=offset)
            changed = (row.party_status, row.progress) != was
        if changed:
            _announce(site, row)


def exited(site: Site, event: spec.Exited) -> None:
    """A worker is gone: its last events, or, if it did not say how it ended, a failure."""
    key = places.key_of_folder(site.settings, event.folder)
    if key is None:
        return
    intake(site, key)
    with site.database.write() as session:
        row = rows.one(session, key)
        if row is None:
            return
        rows.change(
            row,
            cpu_seconds=max(row.cpu_seconds or 0.0, event.cpu_seconds),
            peak_memory=max(row.peak_memory or 0, event.peak_memory),
        )
        if row.party_status != Status.RUNNING.value:
            return
    said = _last_words(site, key)
    end_task(site, key, Ending(Status.FAILED, _death(event.code, bool(said)), said))


def end_task(site: Site, key: rows.TaskKey, ending: Ending) -> None:
    """End a task that did not say so itself."""
    with site.database.write() as session:
        row = rows.one(session, key)
        if row is None or row.party_status != Status.RUNNING.value:
            return
        _end(row, ending)
    _announce(site, row)


def _announce(site: Site, row: TaskRow) -> None:
    """Log an end, and tell the initiator what changed."""
    try:
        if row.end_time is not None:
            _log_end(JobLog(site.settings.logs, row.job_id), row)
    except OSError:
        log.exception("the log of job %s cannot be written", row.job_id)
    site.scheduler.report(rows.key(row))


def _log_end(job_log: JobLog, row: TaskRow) -> None:
    what = f"{row.role} {row.party_id}: {row.component_name} version {row.task_version}"
    if row.party_status in DONE:
        job_log.info(f"{what} ended: {row.party_status} after {row.elapsed} ms")
    else:
        job_log.error(f"{what} ended: {row.party_status}: {row.error_report}")


def _death(code: int, has_spoken: bool) -> str:
    """How a worker ended that did not say so: the same line for every party."""
    if code < 0:
        try:
            name = f" ({signal.Signals(-code).name})"
        except ValueError:
            name = ""
        how = f"worker ended by signal {-code}{name}"
    else:
        how = f"worker ended with exit code {code}"
    return f"{how}; its last words are in its party's log" if has_spoken else f"{how} and no word"


def _last_words(site: Site, key: rows.TaskKey) -> str:
    """The last error that the worker logged. A library may have written it, and of values too: so
    it stays at this party."""
    job_id, component, _, role, party_id = key
    said = last_error(site.settings.logs / job_id / role / party_id / component)
    return f"it last logged: {said}" if said else ""


def _unread(folder: Path, offset: int) -> tuple[list[spec.Event], int]:
    """Complete lines after the offset, and the offset after them."""
    try:
        with (folder / "events.jsonl").open("rb") as file:
            file.seek(offset)
            raw = file.read()
    except FileNotFoundError:
        return [], offset
    complete = raw[: raw.rfind(b"\n") + 1]
    found: list[spec.Event] = []
    for line in complete.splitlines():
        try:
            found.append(_EVENT.decode(line))
        except (msgspec.DecodeError, msgspec.ValidationError):
            log.exception("an event of %s cannot be read and is left out", folder)
    return found, offset + len(complete)


def _started(_session: Session, row: TaskRow, event: spec.Started) -> None:
    rows.change(row, run_pid=event.pid)


def _progress(_session: Session, row: TaskRow, event: spec.Progress) -> None:
    if row.party_status == Status.RUNNING.value:
        rows.change(row, progress=event.percent)


def _metric(session: Session, row: TaskRow, event: spec.Metric) -> None:
    metrics.add(session, rows.key(row), event)


def _summary(session: Session, row: TaskRow, event: spec.Summary) -> None:
    metrics.summarise(session, rows.key(row), event.values)


def _output_data(session: Session, row: TaskRow, event: spec.OutputData) -> None:
    outputs.put(
        session,
        rows.key(row),
        "data",
        event.name,
        position=event.position,
        table_namespace=event.namespace,
        table_name=event.table_name,
        info={**event.preview, "total": event.count},
    )
    _named(session, event, event.table_name, origin="output")


def _table_stored(session: Session, row: TaskRow, event: spec.TableStored) -> None:
    options = {k: v for k, v in event.options.items() if k in _KNOWN_OPTIONS}
    origin = str(event.options.get("origin") or row.component_module.lower())
    _named(session, event, event.name, origin=origin, **options)
    outputs.used(session, event.namespace, event.name, row.job_id)


def _named(
    session: Session, event: spec.OutputData | spec.TableStored, name: str, **more: Any
) -> None:
    """Record the stored table that an event tells of, under its name."""
    outputs.put_table(
        session,
        event.namespace,
        name,
        partitions=event.partitions,
        count=event.count,
        schema=event.schema,
        preview=event.preview,
        address={"name": name, "namespace": event.namespace},
        **more,
    )


def _table_read(session: Session, row: TaskRow, event: spec.TableRead) -> None:
    outputs.used(session, event.namespace, event.name, row.job_id)


def _output_model(session: Session, row: TaskRow, event: spec.OutputModel) -> None:
    outputs.put(session, rows.key(row), "model", event.name, path=event.path)


def _output_cache(session: Session, row: TaskRow, event: spec.OutputCache) -> None:
    key = event.key
    outputs.put(session, rows.key(row), "cache", event.name, path=event.path, cache_key=key)


def _checkpoint(_session: Session, _row: TaskRow, _event: spec.Checkpoint) -> None:
    """Nothing to record: checkpoints are found by their folder's name."""


def _ended(_session: Session, row: TaskRow, event: spec.Ended) -> None:
    rows.change(row, cpu_seconds=event.cpu_seconds, peak_memory=event.peak_memory)
    if row.party_status == Status.RUNNING.value:
        _end(row, Ending(Status(event.status), event.error, event.detail))


def _end(row: TaskRow, ending: Ending) -> None:
    text = "\n".join(part for part in (ending.error, ending.detail) if part)
    rows.move(row, ending.status, error=text)
    rows.change(row, interrupted=ending.interrupted)


_RECORD: dict[type, Callable[[Session, TaskRow, Any], None]] = {
    spec.Started: _started,
    spec.Progress: _progress,
    spec.Metric: _metric,
    spec.Summary: _summary,
    spec.OutputData: _output_data,
    spec.TableStored: _table_stored,
    spec.TableRead: _table_read,
    spec.OutputModel: _output_model,
    spec.OutputCache: _output_cache,
    spec.Checkpoint: _checkpoint,
    spec.Ended: _ended,
}

_READING: dict[rows.TaskKey, tuple[threading.Lock, int]] = {}
_GUARD = threading.Lock()


@contextmanager
def _alone(key: rows.TaskKey) -> Iterator[None]:
    """One reader at a time per task; locks are kept only while somebody wants them."""
    with _GUARD:
        lock, users = _READING.get(key, (threading.Lock(), 0))
        _READING[key] = (lock, users + 1)
    try:
        with lock:
            yield
    finally:
        with _GUARD:
            lock, users = _READING[key]
            if users == 1:
                del _READING[key]
            else:
                _READING[key] = (lock, users - 1)
