"""What becomes of jobs and tasks: which changes are allowed, and what to do next.

Pure: a snapshot in, commands out; no clock, no database. ``JOB_MOVES`` and ``TASK_MOVES`` are the
state diagrams.
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

PartyKey = tuple[str, str]
"""(role, party id)."""


class Status(str, enum.Enum):
    """FATE's words. A job is never ``pass``; ``ready`` lasts only while a job is created."""

    WAITING = "waiting"
    READY = "ready"
    RUNNING = "running"
    CANCELED = "canceled"
    TIMEOUT = "timeout"
    FAILED = "failed"
    PASS = "pass"  # noqa: S105 (a state, no secret)
    SUCCESS = "success"

    def __str__(self) -> str:
        return self.value


LEVEL = {status: level for level, status in enumerate(Status)}
"""When several states apply to a whole, the higher one wins."""

INTERRUPTS = frozenset({Status.CANCELED, Status.TIMEOUT, Status.FAILED})
DONE = frozenset({Status.SUCCESS, Status.PASS})
ENDS = INTERRUPTS | DONE

_JOB_ENDS = INTERRUPTS | {Status.SUCCESS}

JOB_MOVES: dict[Status, frozenset[Status]] = {
    Status.READY: INTERRUPTS | {Status.WAITING},
    Status.WAITING: _JOB_ENDS | {Status.RUNNING},
    Status.RUNNING: _JOB_ENDS,
    Status.CANCELED: frozenset({Status.WAITING}),
    Status.FAILED: frozenset({Status.WAITING}),
    Status.SUCCESS: frozenset({Status.WAITING}),
    Status.TIMEOUT: frozenset({Status.WAITING, Status.FAILED, Status.SUCCESS}),
    Status.PASS: frozenset(),
}
"""From an end back to waiting is a rerun."""

TASK_MOVES: dict[Status, frozenset[Status]] = {
    Status.WAITING: frozenset({Status.RUNNING, Status.SUCCESS, Status.PASS}),
    Status.READY: frozenset(),
    Status.RUNNING: ENDS,
    Status.CANCELED: frozenset({Status.WAITING}),
    Status.TIMEOUT: frozenset({Status.FAILED, Status.SUCCESS}),
    Status.FAILED: frozenset(),
    Status.PASS: frozenset(),
    Status.SUCCESS: frozenset(),
}
"""A task that runs again does so as a new version, so its ends are ends."""


class InvalidTransition(Exception):
    def __init__(self, what: str, now: Status, target: Status) -> None:
        super().__init__(f"{what}: {now} cannot become {target}")


def check_job(job_id: str, now: str, target: str) -> Status:
    """The target, if a job may go there. Raises InvalidTransition."""
    if Status(target) not in JOB_MOVES[Status(now)]:
        raise InvalidTransition(f"job {job_id}", Status(now), Status(target))
    return Status(target)


def check_task(task_id: str, now: str, target: str) -> Status:
    """The target, if a task may go there. Raises InvalidTransition."""
    if Status(target) not in TASK_MOVES[Status(now)]:
        raise InvalidTransition(f"task {task_id}", Status(now), Status(target))
    return Status(target)


def federated(statuses: Iterable[Status]) -> Status:
    """State of a task over all its parties; ``pass`` counts as success unless all passed."""
    given = set(statuses)
    if not given:
        return Status.WAITING
    if len(given) == 1:
        return given.pop()
    counted = {Status.SUCCESS if s is Status.PASS else s for s in given}
    if len(counted) == 1:
        return counted.pop()
    if counted & INTERRUPTS:
        return max(counted & INTERRUPTS, key=LEVEL.__getitem__)
    return Status.RUNNING if counted & {Status.RUNNING, Status.SUCCESS} else Status.WAITING


def federated_at_end(statuses: Iterable[Status], job: Status) -> Status:
    """State of a task over all its parties once its job has ended: nothing runs any more, and
    what was stopped with the job is not shown as failed where a party only lost its peers by it."""
    given = set(statuses)
    if job in (Status.CANCELED, Status.TIMEOUT) and job in given:
        return job
    status = federated(given)
    return job if status is Status.RUNNING and job in INTERRUPTS else status


def job_status(statuses: Iterable[Status], *, more: bool) -> Status:
    """State of a job from its tasks' federated states. more: whether a waiting task can start."""
    counted = {Status.SUCCESS if s is Status.PASS else s for s in statuses}
    if not counted:
        return Status.SUCCESS
    if len(counted) == 1:
        return counted.pop()
    if Status.RUNNING in counted or (Status.WAITING in counted and more):
        return Status.RUNNING
    if counted & INTERRUPTS:
        return max(counted & INTERRUPTS, key=LEVEL.__getitem__)
    return Status.CANCELED


def progress(statuses: Iterable[Status]) -> int:
    """Finished tasks in percent of all."""
    given = list(statuses)
    return 100 * sum(s in ENDS for s in given) // len(given) if given else 100


@dataclass(frozen=True)
class Task:
    """A component's latest version over all its parties.

    retries_left: automatic new versions that a failure may still have. retry_at_ms: not to be
    started before. interrupted: a party's site went down under it, so its failure costs no retry.
    """

    component: str
    version: int = 0
    position: int = 0
    parties: Mapping[PartyKey, Status] = field(default_factory=dict)
    retries_left: int = 0
    retry_delay_s: int = 1
    retry_at_ms: int = 0
    interrupted: bool = False
    cause: str = ""

    @property
    def status(self) -> Status:
        return federated(self.parties.values())

    @property
    def waiting(self) -> tuple[PartyKey, ...]:
        return tuple(key for key, status in self.parties.items() if status is Status.WAITING)


@dataclass(frozen=True)
class Snapshot:
    """All that a decision about one job needs.

    upstream: component to the components whose outputs it reads. parallelism: how many components
    may run at once, 0: as many as there are free cores. free_cores: of the site, for all jobs.
    stop: a stop that was asked for, with its reason. deadline_ms: when the job times out, or None.
    """

    job_id: str
    status: Status
    tasks: tuple[Task, ...] = ()
    upstream: Mapping[str, frozenset[str]] = field(default_factory=dict)
    parallelism: int = 0
    free_cores: int = 1
    stop: tuple[Status, str] | None = None
    deadline_ms: int | None = None
    now_ms: int = 0


@dataclass(frozen=True)
class ApplyResources:
    """Ask every party for the job's cores; if all grant them the job runs."""


@dataclass(frozen=True)
class StartTask:
    """Start a component's version at those of its parties where it still waits."""

    component: str
    version: int
    parties: tuple[PartyKey, ...]


@dataclass(frozen=True)
class RetryTask:
    """Stop what is left of a version at all parties and make the next one, waiting.

    costs: how many of its automatic retries that takes.
    """

    component: str
    version: int
    costs: int
    at_ms: int


@dataclass(frozen=True)
class EndJob:
    """Stop what runs, and make ``status`` the job's end at every party."""

    status: Status
    reason: str = ""


@dataclass(frozen=True)
class Wait:
    """Nothing to do before this moment (or before somebody reports, if None)."""

    reason: str = ""
    until_ms: int | None = None


Command = ApplyResources | StartTask | RetryTask | EndJob | Wait


def decide(snapshot: Snapshot) -> list[Command]:
    """What to do for a job now. Wait comes last and alone says why nothing else is there."""
    if snapshot.status in ENDS:
        return []
    if snapshot.stop is not None:
        return [EndJob(*snapshot.stop)]
    if snapshot.status in (Status.READY, Status.WAITING):
        return [ApplyResources()]
    if snapshot.deadline_ms is not None and snapshot.now_ms >= snapshot.deadline_ms:
        return [EndJob(Status.TIMEOUT, "the job ran longer than its timeout")]
    interrupted = [_interrupted(t, snapshot.now_ms) for t in snapshot.tasks if _broken(t)]
    ends = [c for c in interrupted if isinstance(c, EndJob)]
    if ends:
        return [max(ends, key=lambda c: LEVEL[c.status])]
    retries: list[Command] = [c for c in interrupted if isinstance(c, RetryTask)]
    if all(t.status in DONE for t in snapshot.tasks):
        return [EndJob(Status.SUCCESS)]
    starts = _starts(snapshot)
    if not retries and not starts and not any(_busy(t) for t in snapshot.tasks):
        return _stuck(snapshot)
    return [*retries, *starts, Wait(until_ms=_next_moment(snapshot))]


def _broken(task: Task) -> bool:
    return any(status in INTERRUPTS for status in task.parties.values())


def _busy(task: Task) -> bool:
    return task.status is Status.RUNNING


def _interrupted(task: Task, now_ms: int) -> Command:
    """What a task that failed somewhere means for its job."""
    status = task.status
    if task.interrupted:
        return RetryTask(task.component, task.version, 0, now_ms)
    if task.retries_left > 0 and status in (Status.FAILED, Status.TIMEOUT):
        at_ms = now_ms + 1000 * task.retry_delay_s
        return RetryTask(task.component, task.version, 1, at_ms)
    return EndJob(status, task.cause or f"{task.component} {status}")


def _starts(snapshot: Snapshot) -> list[Command]:
    """Components to start, in topological order, and parties that a start has not reached."""
    done = {t.component for t in snapshot.tasks if t.status in DONE}
    begun = [t for t in snapshot.tasks if _busy(t)]
    # A start that reached some of its parties only: the others are tried again.
    commands: list[Command] = [
        StartTask(t.component, t.version, t.waiting) for t in begun if t.waiting
    ]
    # A job with nothing running may always start one component, or it could wait for ever.
    room = max(snapshot.free_cores, 0 if begun else 1)
    if snapshot.parallelism > 0:
        room = min(room, snapshot.parallelism - len(begun))
    for task in sorted(snapshot.tasks, key=lambda t: (t.position, t.component)):
        if room <= 0:
            break
        ready = snapshot.upstream.get(task.component, frozenset()) <= done
        if task.status is Status.WAITING and ready and task.retry_at_ms <= snapshot.now_ms:
            commands.append(StartTask(task.component, task.version, task.waiting))
            room -= 1
    return commands


def _next_moment(snapshot: Snapshot) -> int | None:
    """When the passing of time alone changes what is to be done."""
    moments = [t.retry_at_ms for t in snapshot.tasks if t.retry_at_ms > snapshot.now_ms]
    if snapshot.deadline_ms is not None:
        moments.append(snapshot.deadline_ms)
    return min(moments, default=None)


def _stuck(snapshot: Snapshot) -> list[Command]:
    """Nothing runs and nothing can start: a retry is awaited, or the rest is unreachable."""
    if any(t.retry_at_ms > snapshot.now_ms for t in snapshot.tasks):
        return [Wait("waiting for the delay before a retry", _next_moment(snapshot))]
    status = job_status((t.status for t in snapshot.tasks), more=False)
    left = sorted(t.component for t in snapshot.tasks if t.status is Status.WAITING)
    return [EndJob(status, f"nothing can start any more: {', '.join(left)} wait")]
