"""The scheduler of a site: one thread decides, a small pool acts, events wake the thread.

What it knows is in the database; here is only what is being done at this moment, and what is to
be tried again when. So it can be killed at any time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol

from sqlalchemy.orm import Session

from fateflow.domain import lifecycle, resources
from fateflow.domain.lifecycle import (
    ENDS,
    ApplyResources,
    EndJob,
    RetryTask,
    Snapshot,
    StartTask,
    Status,
    Wait,
)
from fateflow.scheduler import acts, events, places, snapshots, tasks
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.database import now_ms
from fateflow.store.orm import JobRow
from fateflow.worker import spec

log = logging.getLogger(__name__)

FIRST_RETRY_MS, LAST_RETRY_MS = 500, 15_000
COLLECT_EVERY_MS = 15_000

Work = tuple[str, ...]
"""What is being done, told apart by job id, kind, and what it is done to."""


class Pool(Protocol):
    """Where acts run: a ThreadPoolExecutor, or at once in a test."""

    def submit(self, act: Callable[[], None], /) -> Any: ...


@dataclass(frozen=True)
class Later:
    """Work to be tried again."""

    at_ms: int
    tries: int
    act: Callable[[], str]


class Scheduler:
    """Decides about the jobs that this site initiated, and reports for the tasks it runs."""

    def __init__(
        self, site: Site, *, clock: Callable[[], int] = now_ms, pool: Pool | None = None
    ) -> None:
        self.site, self.clock = site, clock
        self._pool = pool or ThreadPoolExecutor(max_workers=8, thread_name_prefix="act")
        self._changed = threading.Condition()
        self._woken = False
        self._closed = False
        self._busy: set[Work] = set()
        self._later: dict[Work, Later] = {}
        self._collected: dict[str, int] = {}
        self._until: int | None = None
        self._underway: frozenset[Work] = frozenset()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin to decide, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        self._thread.start()
        self.wake()

    def wake(self) -> None:
        """Something changed: look again."""
        with self._changed:
            self._woken = True
            self._changed.notify_all()

    def close(self) -> None:
        """Decide nothing more. What is being done ends by itself, or after the next start."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(timeout=5)
        if isinstance(self._pool, ThreadPoolExecutor):
            self._pool.shutdown(wait=False, cancel_futures=True)

    def turn(self) -> bool:
        """Decide once if there is anything new; whether there was."""
        with self._changed:
            if not self._woken:
                return False
            self._woken = False
        self._step()
        return True

    def wait_ended(self, job_id: str, timeout_s: float) -> None:
        """Return when the job has ended, or after the time. Only while the thread runs."""
        deadline = time.monotonic() + timeout_s
        while self._thread is not None and time.monotonic() < deadline:
            seen = self.site.database.writes
            with self.site.database.read() as session:
                row = jobs.initiated(session, job_id)
            if row is None or Status(row.status) in ENDS:
                return
            self.site.database.wait_for_write(seen, deadline - time.monotonic())

    def report(self, key: rows.TaskKey) -> None:
        """Tell the initiator of a task how it is: at once if it lives here, else in the background,
        again and again until it hears."""
        with self.site.database.read() as session:
            row = rows.one(session, key)
        if row is None:
            return
        # The state is part of the name: a newer report does not wait for an older one.
        work = (key[0], "report", *map(str, key[1:]), row.party_status, str(row.progress))
        if self.site.settings.hosts(row.initiator_party_id):
            self._at_once(work, lambda: acts.report(self.site, key))
        else:
            self._forget_reports(work)
            self._do(work, lambda: acts.report(self.site, key))

    def _forget_reports(self, newer: Work) -> None:
        """Older reports of a task that wait to be told again: the newer one says it all."""
        with self._changed:
            for work in [w for w in self._later if w[:6] == newer[:6] and w != newer]:
                if work not in self._busy:
                    del self._later[work]

    def saw_exit(self, gone: spec.Exited) -> None:
        """A worker is gone: record how its task ended, again and again until it is recorded."""
        key = places.key_of_folder(self.site.settings, gone.folder)
        if key is not None:
            work = (key[0], "exit", *map(str, key[1:]))
            self._at_once(work, lambda: events.exited(self.site, gone))

    def tell_progress(self, job_id: str) -> None:
        """Show parties elsewhere how far the job is."""
        self._do((job_id, "progress"), lambda: acts.tell_progress(self.site, job_id))

    def tell_end(self, job_id: str) -> None:
        """Go on telling the parties how a job ended."""
        self._do((job_id, "tell"), lambda: acts.tell_end(self.site, job_id))

    def collect(self, job_id: str) -> None:
        """Ask the parties elsewhere how their tasks are."""
        self._collected[job_id] = self.clock()
        self._do((job_id, "collect"), lambda: acts.collect(self.site, job_id))

    def _run(self) -> None:
        while True:
            with self._changed:
                if not self._woken and not self._closed:
                    self._changed.wait(self._seconds())
                if self._closed:
                    return
                self._woken = True  # a timer is as good a reason as a wake
            try:
                self.turn()
            except Exception:  # the scheduler's border: one bad job must not stop the others
                log.exception("a decision failed")
                with self._changed:
                    self._changed.wait(1.0)
                    self._woken = True

    def _seconds(self) -> float | None:
        """Until the next moment at which time alone changes something."""
        moments = [later.at_ms for work, later in self._later.items() if work not in self._busy]
        if self._until is not None:
            moments.append(self._until)
        return max(0.0, (min(moments) - self.clock()) / 1000) if moments else None

    def _step(self) -> None:
        now = self.clock()
        with self._changed:
            # What is done between our reading and our deciding is not to be decided again.
            self._underway = frozenset(self._busy)
        with self.site.database.read() as session:
            found = jobs.scheduled_here(session)
            used = {(row.job_id, row.component_name) for row in rows.running_here(session)}
            total = tasks.site_cores(self.site.settings)
            seen = [
                snapshot
                for job in found
                if (snapshot := self._look(session, job, now, total, used)) is not None
            ]
            away = {job.job_id for job in found if self._has_peers(job)}
        self._collected = {job: at for job, at in self._collected.items() if job in away}
        admitted = self._admitted(found, now)
        moments: list[int] = []
        for snapshot in seen:
            moments.extend(self._decide(snapshot, admitted))
            if snapshot.status is Status.RUNNING and snapshot.job_id in away:
                due = self._collected.setdefault(snapshot.job_id, now) + COLLECT_EVERY_MS
                if now >= due:
                    self.collect(snapshot.job_id)
                moments.append(max(due, now + 1))
        self._until = min(moments, default=None)
        self._try_again(now)

    def _look(
        self, session: Session, job: JobRow, now: int, total: int, used: set[tuple[str, str]]
    ) -> Snapshot | None:
        """The job as it stands; None if it cannot be read, which must not stop the others."""
        free = resources.free_cores(total, len(used | self._starting(job.job_id)))
        try:
            return snapshots.snapshot(session, job, free_cores=free, now_ms=now)
        except Exception:  # the border of one job
            log.exception("job %s cannot be read", job.job_id)
            return None

    def _decide(self, snapshot: Snapshot, admitted: set[str]) -> list[int]:
        """Have the decisions about one job carried out; when to look at it again."""
        moments = []
        job_id = snapshot.job_id
        if (job_id, "end") in self._underway:
            return []
        for command in lifecycle.decide(snapshot):
            if isinstance(command, Wait):
                moments.extend([command.until_ms] if command.until_ms is not None else [])
            elif isinstance(command, ApplyResources):
                if job_id in admitted:
                    self._decided((job_id, "apply"), lambda: acts.start_job(self.site, job_id))
            else:
                self._carry_out(job_id, command)
        return moments

    def _carry_out(self, job_id: str, command: StartTask | RetryTask | EndJob) -> None:
        if isinstance(command, EndJob):
            # Whatever was to be tried again for the job is of no use any more.
            self._forget(job_id)
            self._decided((job_id, "end"), lambda: self._end(job_id, command))
            return
        site, named = self.site, (command.component, str(command.version))
        if isinstance(command, StartTask):
            start = command
            self._decided((job_id, "start", *named), lambda: acts.start_task(site, job_id, start))
        else:
            retry = command
            self._decided((job_id, "retry", *named), lambda: acts.retry_task(site, job_id, retry))

    def _end(self, job_id: str, command: EndJob) -> str:
        if acts.end_job(self.site, job_id, command):
            self._note_later((job_id, "tell"), lambda: acts.tell_end(self.site, job_id))
        return ""

    def _admitted(self, found: list[JobRow], now: int) -> set[str]:
        """Waiting jobs that may ask for their cores now; the others are told why not."""
        waiting = [job for job in found if job.status == Status.WAITING.value]
        if not waiting:
            return set()
        held_back = [job.job_id for job in waiting if self._is_later((job.job_id, "apply"), now)]
        with self.site.database.read() as session:
            used = jobs.used_cores(session)
            needs = jobs.needs(session, [job.job_id for job in waiting])
        queue = [
            resources.Need(job.job_id, needs[job.job_id], job.queued_time or job.create_time)
            for job in waiting
            if not job.resource_in_use
        ]
        capacity = self.site.settings.listed_cores
        verdicts = resources.admit(queue, capacity, used, now, held_back)
        reasons = {v.job_id: v.reason for v in verdicts if not v.granted}
        for job in waiting:
            if job.job_id in reasons and job.reason != reasons[job.job_id]:
                self._say(job.job_id, reasons[job.job_id])
        # One whose cores were granted when fateflow went down asks again: that costs nothing.
        asked = {job.job_id for job in waiting if job.resource_in_use}
        return asked | {v.job_id for v in verdicts if v.granted}

    def _starting(self, job_id: str) -> set[tuple[str, str]]:
        """Components that other jobs are about to start, and that no row shows running yet."""
        with self._changed:
            return {(w[0], w[2]) for w in self._busy if w[1] == "start" and w[0] != job_id}

    def _has_peers(self, job: JobRow) -> bool:
        return any(not self.site.settings.hosts(party) for _, party in jobs.roles_of(job))

    def _decided(self, work: Work, act: Callable[[], str]) -> None:
        """Have what this step decided done, unless that was underway when it looked."""
        if work not in self._underway:
            self._do(work, act)

    def _do(self, work: Work, act: Callable[[], str]) -> None:
        """Have an act done, unless it is being done or is to be tried again only later."""
        with self._changed:
            if self._closed or work in self._busy or self._is_later(work, self.clock()):
                return
            self._busy.add(work)
        self._pool.submit(lambda: self._perform(work, act))

    def _at_once(self, work: Work, act: Callable[[], Any]) -> None:
        """Do it in the caller's thread; what fails, perhaps for want of disk, is tried again."""
        try:
            act()
        except Exception:  # the border of an act
            log.exception("%s failed", " ".join(work))
            self._note_later(work, lambda: act() or "")
            self.wake()

    def _perform(self, work: Work, act: Callable[[], str]) -> None:
        problem = ""
        try:
            problem = act()
        except Exception as error:  # the border of an act: the job says so, and it is tried again
            log.exception("%s failed", " ".join(work))
            problem = f"{work[1]} failed: {type(error).__name__}: {error}"
        finally:
            with self._changed:
                self._busy.discard(work)
        try:
            if problem:
                self._note_later(work, act)
                self._say(work[0], problem if work[1] == "apply" else f"waiting {problem}")
            elif self._later.pop(work, None) is not None:
                self._say(work[0], "")
        except Exception:  # a reason that cannot be shown changes nothing
            log.exception("job %s cannot be told why it waits", work[0])
        finally:
            self.wake()

    def _is_later(self, work: Work, now: int) -> bool:
        """Whether work failed, and is not to be tried again yet."""
        with self._changed:
            later = self._later.get(work)
            return later is not None and later.at_ms > now

    def _note_later(self, work: Work, act: Callable[[], str]) -> None:
        with self._changed:
            tries = self._later[work].tries + 1 if work in self._later else 0
            delay = min(FIRST_RETRY_MS * 2 ** min(tries, 10), LAST_RETRY_MS)
            self._later[work] = Later(self.clock() + delay, tries, act)

    def _try_again(self, now: int) -> None:
        """Reports and ends that failed are tried again from here. All else was decided anew in
        this step; if it was not, it is of no use any more."""
        with self._changed:
            due = {w: x for w, x in self._later.items() if x.at_ms <= now and w not in self._busy}
        for work, later in due.items():
            if work[1] in ("report", "exit", "tell", "collect"):
                self._do(work, later.act)
            else:
                self._later.pop(work, None)

    def _forget(self, job_id: str) -> None:
        with self._changed:
            for work in [w for w in self._later if w[0] == job_id]:
                if work[1] not in ("report", "exit"):
                    del self._later[work]
            self._collected.pop(job_id, None)

    def _say(self, job_id: str, reason: str) -> None:
        """Show in the job why it waits; how an ended job ended is not written over."""
        with self.site.database.write() as session:
            found = jobs.rows(session, job_id)
            if found and Status(found[0].status) not in ENDS and not found[0].cancel_signal:
                jobs.record_reason(session, job_id, reason)
