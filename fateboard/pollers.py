"""What is asked of fateflow about a watched topic, and how often.

A running job costs at most three requests a second: the job, its tasks, one component's metrics
every other second, and the size of one log that somebody follows.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from typing import Any

from fateboard import logs
from fateboard.errors import Refused
from fateboard.flow_client import Flow, FlowRefused
from fateboard.job_detail import tasks_at, tasks_of, waiting_for
from fateboard.jobs import ENDED, WITHOUT_DETAIL, key_of, listed, mapping, row_of, rows_of, shown
from fateboard.names import is_name
from fateboard.shapes import JobKey, JobRow, LogGrown, MetricPoints, Task

RUNNING_S, WAITING_S, ENDED_S = 1.5, 2.0, 10.0
METRICS_S = 2.0
MOST_POINTS = 2_000
MOST_LOGS = 6
Points = list[tuple[float, float | None]]
Told = Iterator[tuple[str, str, Any]]


def poller_of(flow: Flow, name: str) -> JobsPoller | JobPoller:
    """Raises Refused (400) for what is no topic."""
    if name == "jobs":
        return JobsPoller(flow)
    return JobPoller(flow, key_in(name))


def key_in(name: str) -> JobKey:
    parts = name.removeprefix("job:").split("/")
    if not name.startswith("job:") or len(parts) != 3 or not all(map(is_name, parts)):
        raise Refused(400, "no_topic", topic=name[:200])
    return JobKey(job_id=parts[0], role=parts[1], party_id=parts[2])


class JobsPoller:
    """The jobs that wait or run."""

    def __init__(self, flow: Flow) -> None:
        self._flow = flow
        self._active: dict[JobKey, JobRow] = {}

    def pause_s(self) -> float:
        return WAITING_S

    def step(self) -> Told:
        wanted = {"status": ["waiting", "running"], "limit": 0, **WITHOUT_DETAIL}
        rows = listed(self._flow.reply("job/list/job", wanted).data, "jobs")
        active = {key_of(row): shown(row) for row in rows}
        gone = [key for key in self._active if key not in active]
        self._active = active
        yield "jobs", "", list(active.values())
        for key in gone:
            found = [row for row in rows_of(self._flow, key.job_id) if key_of(row) == key]
            if found:
                yield "ended", "", shown(found[0])


class JobPoller:
    """One job as one party sees it. totals: lines of each log that somebody follows."""

    def __init__(self, flow: Flow, key: JobKey) -> None:
        self._flow, self._key = flow, key
        self._status = ""
        self._tasks: dict[str, Task] = {}
        self._points: dict[tuple[str, str, str], Points] = {}
        self._asked_at: dict[str, float] = {}
        self._followed: OrderedDict[tuple[str, str], None] = OrderedDict()
        self._lock = threading.Lock()
        self.totals: dict[tuple[str, str], int] = {}

    def pause_s(self) -> float:
        if self._status in ENDED:
            return ENDED_S
        return RUNNING_S if self._status == "running" else WAITING_S

    def follow(self, kind: str, component: str) -> None:
        """Somebody reads this log: tell when it grows."""
        with self._lock:
            if self._status not in ENDED:
                self._followed[kind, component] = None
                self._followed.move_to_end((kind, component))
                while len(self._followed) > MOST_LOGS:
                    self._followed.popitem(last=False)

    def step(self) -> Told:
        row = row_of(rows_of(self._flow, self._key.job_id, detail=False), self._key)
        job, before = shown(row), self._tasks
        tasks = tasks_of(tasks_at(self._flow, self._key), job_status=job.status)
        self._tasks = {task.component: task for task in tasks}
        yield "tasks", "", tasks
        yield "waiting", "", waiting_for(row, job.status)
        for name in self._to_measure(before):
            yield from self._metrics(name)
        yield from self._grown(all_of_them=job.status in ENDED and job.status != self._status)
        self._status = job.status
        yield "job", "", job

    def _to_measure(self, before: dict[str, Task]) -> list[str]:
        """The running component asked least lately, if it is time; and what has just ended."""
        now = time.monotonic()
        ended = [
            name
            for name, task in self._tasks.items()
            if task.status in ENDED and before.get(name, task).status == "running"
        ]
        running = [name for name, task in self._tasks.items() if task.status == "running"]
        running.sort(key=lambda name: self._asked_at.get(name, 0.0))
        due = running[:1] if now - max(self._asked_at.values(), default=0.0) >= METRICS_S else []
        self._asked_at |= dict.fromkeys(due, now)
        return ended + due

    def _metrics(self, component: str) -> Told:
        at = {"job_id": self._key.job_id, "role": self._key.role, "party_id": self._key.party_id}
        try:
            body = {**at, "component_name": component}
            found = mapping(self._flow.shared("tracking/component/metric/all", body).data)
        except FlowRefused:
            return
        for namespace, metrics in found.items():
            for name, metric in mapping(metrics).items():
                points = points_of(mapping(metric).get("data"))
                which = (component, namespace, name)
                known = self._points.get(which)
                if points and points != known:
                    self._points[which] = points
                    fresh, whole = grown(known, points)
                    yield (
                        "metric",
                        "/".join(which),
                        MetricPoints(
                            component=component,
                            namespace=namespace,
                            name=name,
                            points=fresh,
                            whole=whole,
                        ),
                    )

    def _grown(self, *, all_of_them: bool) -> Told:
        """The size of the followed log that was asked least lately; of all at the job's end."""
        with self._lock:
            due = list(self._followed)[: None if all_of_them else 1]
            for which in due:
                self._followed.move_to_end(which)
        for kind, component in due:
            body = logs.wanted(self._key, kind, component)
            total = self.totals[kind, component] = logs.size(self._flow, body)
            body_of = LogGrown(type=kind, component=component, total=total)
            yield "log", f"{kind}/{component}", body_of


def points_of(data: Any) -> Points:
    """The numeric pairs of a metric; none if it is no curve, or one too long to send around."""
    pairs = data if isinstance(data, list) and len(data) <= MOST_POINTS else []
    found: Points = []
    for pair in pairs:
        if not isinstance(pair, list) or len(pair) != 2 or not _is_number(pair[0]):
            return []
        found.append((float(pair[0]), float(pair[1]) if _is_number(pair[1]) else None))
    return found


def grown(known: Points | None, points: Points) -> tuple[Points, bool]:
    """What to send: the points after the known ones, or all if those have changed."""
    if known and points[: len(known)] == known:
        return points[len(known) :], False
    return points, True


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
