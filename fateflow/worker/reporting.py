"""How a worker tells fateflow what happens: durable events first, then a nudge."""

from __future__ import annotations

import http.client
import logging
import threading
import urllib.parse
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from eggroll.storage import StoredTable
from fateflow.worker import spec
from federatedml import archive
from federatedml.component import Model, Points
from federatedml.data import stored

log = logging.getLogger(__name__)

NUDGE_EVERY_S = 0.05
PREVIEW_ROWS = 100


class Reporter:
    """The Report of a running task (``federatedml.component.Report``)."""

    def __init__(self, task: spec.TaskSpec) -> None:
        self.task = task
        self._file = (Path(task.folder) / "events.jsonl").open("ab", buffering=0)
        self._news = threading.Event()
        self._closing = threading.Event()
        self._percent = -1
        self._http = http.client.HTTPConnection(
            urllib.parse.urlsplit(task.flow_url).netloc, timeout=5
        )
        self._teller = threading.Thread(target=self._tell, name="nudge", daemon=True)
        self._teller.start()

    def write(self, event: spec.Event) -> None:
        """Append an event; fateflow hears of it within NUDGE_EVERY_S."""
        self._file.write(msgspec.json.encode(event) + b"\n")
        self._news.set()

    def close(self) -> None:
        """Tell fateflow now that the last event is written."""
        self._closing.set()
        self._news.set()
        self._teller.join(timeout=5)
        self._file.close()

    def metric(
        self, namespace: str, name: str, metric_type: str, points: Points = (), /, **meta: Any
    ) -> None:
        listed = [list(point) for point in points]
        self.write(spec.Metric(namespace, name, metric_type, listed, meta))

    def summary(self, values: Mapping[str, Any]) -> None:
        self.write(spec.Summary(dict(values)))

    def progress(self, done: float) -> None:
        percent = max(0, min(100, int(done * 100)))
        if percent != self._percent:
            self._percent = percent
            self.write(spec.Progress(percent))

    def checkpoint(self, step_index: int, step_name: str, model: Model) -> None:
        folder = Path(self.task.model_folder) / "checkpoint" / self.task.component
        path = folder / f"{step_index}#{step_name}" / "model.json"
        archive.save(path, self.task.module, model)
        self.write(spec.Checkpoint(step_index, step_name, str(path)))

    def table_stored(self, table: StoredTable, options: dict[str, Any]) -> None:
        meta = table.meta
        self.write(
            spec.TableStored(
                meta.namespace,
                meta.name,
                meta.count,
                meta.partitions,
                meta.schema,
                stored.preview(table, PREVIEW_ROWS),
                options,
            )
        )

    def table_read(self, namespace: str, name: str) -> None:
        self.write(spec.TableRead(namespace, name))

    def output_data(self, name: str, position: int, table: StoredTable) -> None:
        meta = table.meta
        preview = stored.preview(table, PREVIEW_ROWS)
        self.write(
            spec.OutputData(
                name,
                position,
                meta.namespace,
                meta.name,
                meta.count,
                meta.partitions,
                meta.schema,
                preview,
            )
        )

    def output_cache(self, name: str, path: Path) -> None:
        self.write(spec.OutputCache(name, str(path), uuid.uuid4().hex))

    def _tell(self) -> None:
        while not self._closing.is_set():
            self._news.wait()
            self._news.clear()
            self._nudge()
            self._closing.wait(NUDGE_EVERY_S)
        self._nudge()

    def _nudge(self) -> None:
        """A fateflow that is down reads the events when it is back: failing here loses nothing."""
        t = self.task
        path = f"/v1/worker/{t.job_id}/{t.component}/{t.version}/{t.role}/{t.party_id}"
        try:
            self._http.request("POST", path, headers={"X-Task-Token": t.task_token})
            self._http.getresponse().read()
        except (http.client.HTTPException, OSError) as error:
            self._http.close()
            log.debug("fateflow did not take the nudge: %s", type(error).__name__)
