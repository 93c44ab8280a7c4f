"""Names that jobs, models and pages go by; clients keep and compare them as texts."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

LOCAL_ROLE, LOCAL_PARTY = "local", "0"
"""Who runs the jobs that concern one site only: uploads, downloads, writers."""


class JobIds:
    """Job ids: 21 digits, the time to the microsecond and one digit more.

    Every id is greater than the one before, as text too, even if the clock stands or goes back.
    """

    def __init__(self, clock: Callable[[], datetime] = datetime.now) -> None:
        self._clock, self._last, self._lock = clock, 0, threading.Lock()

    def new(self) -> str:
        with self._lock:
            by_clock = int(self._clock().strftime("%Y%m%d%H%M%S%f")) * 10
            self._last = max(by_clock, self._last + 1)
            return str(self._last)


_PROCESS = JobIds()


def new_job_id() -> str:
    """An id that this process has not given before; also a deployed model's version."""
    return _PROCESS.new()


def task_id(job_id: str, component: str) -> str:
    """FATE's id of a task: the same at all its parties."""
    return f"{job_id}_{component}"


def model_id(roles: Mapping[str, Sequence[str | int]]) -> str:
    """What a model of these parties is called: roles by name, ids in order, each once.

    >>> model_id({"guest": [9999], "host": [10001, 10000], "arbiter": ["10000"]})
    'arbiter-10000#guest-9999#host-10000_10001#model'
    """
    parts = [
        f"{role}-{'_'.join(map(str, sorted({int(p) for p in roles[role]})))}"
        for role in sorted(roles)
        if roles[role]
    ]
    return "#".join([*parts, "model"])


def party_model_id(role: str, party_id: str | int, model_id: str) -> str:
    """The model as one party holds it."""
    return f"{role}#{party_id}#{model_id}"


def from_path(text: str) -> str:
    """A party model id as it stands in a URL path, where ``~`` replaces ``#``."""
    return text.replace("~", "#")


def board_url(host: str, port: int, job_id: str, role: str, party_id: str | int) -> str:
    """The board's page of a job, in FATE's form."""
    page = f"http://{host}:{port}/index.html#/dashboard"
    return f"{page}?job_id={job_id}&role={role}&party_id={party_id}"
