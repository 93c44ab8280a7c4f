"""What a gateway knows: jobs and their tokens, messages and who waits for them, tasks and whether
they live. No network in here: the doors (``local_door``, ``inbound``, ``outbound``) act on it.

Owned by the event loop; every method returns at once. Durable parts are files: ``jobs/<job>.json``
beside the spool.
"""

from __future__ import annotations

import logging
import re
import secrets
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

import msgspec

from federation import token
from federation.envelope import Envelope
from federation.errors import (
    Cancelled,
    DuplicateMessage,
    FederationError,
    GatewayRefused,
    PeerFailed,
    PeerLate,
    PeerSilent,
)
from federation.transport import wire
from federation.transport.spool import Kept, Spool

TaskState = Literal["unknown", "alive", "gone", "stopped"]

_JOB_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,127}")
_REMEMBER_ENDED_S = 7 * 86400.0
_GRACE_S = 3.0
"""How long after its last connection a worker is held to be gone, in seconds."""

_log = logging.getLogger(__name__)


class JobFile(msgspec.Struct, frozen=True):
    """A job on disk. ended: seconds since 1970, 0 while it runs; its token is then forgotten."""

    token: str
    parties: list[tuple[str, str]]
    cancelled: str | None = None
    dropped: list[tuple[str, int]] = []
    ended: float = 0.0


@dataclass
class Job:
    job_id: str
    token: str
    parties: set[tuple[str, str]]
    cancelled: str | None = None
    dropped: set[tuple[str, int]] = field(default_factory=set)
    messages: dict[str, Kept] = field(default_factory=dict)
    failed: dict[str, str] = field(default_factory=dict)
    """Party id to why its gateway refused a message of this job."""

    def over(self, envelope: Envelope) -> bool:
        return self.cancelled is not None or (
            (envelope.component, envelope.version) in self.dropped
        )


@dataclass(eq=False)
class Waiter:
    """A blocked ``receive``. ``done`` is called once, with the message or the error."""

    key: str
    envelope: Envelope
    idle_timeout_s: float
    done: Callable[[Kept | FederationError], None]
    within_s: float | None = None
    sign: float = field(default_factory=time.monotonic)
    """When we last heard of the peer's task, or began to wait."""
    began: float = field(default_factory=time.monotonic)

    @property
    def peer(self) -> wire.Task:
        return task_of(self.envelope, sender=True)


@dataclass
class Presence:
    connections: int = 0
    left: float = 0.0


def task_of(envelope: Envelope, *, sender: bool) -> wire.Task:
    party = envelope.src if sender else envelope.dst
    return wire.Task(
        envelope.job_id, envelope.component, envelope.version, party.role.value, party.party_id
    )


class Mailbox:
    """hosts: whether a party's workers are at this site. outgoing: told of a message to deliver."""

    def __init__(
        self,
        folder: Path,
        spool: Spool,
        hosts: Callable[[str], bool],
        outgoing: Callable[[Kept], None],
    ) -> None:
        self.spool, self.hosts, self._outgoing = spool, hosts, outgoing
        self.counts: Counter[str] = Counter()
        self.jobs: dict[str, Job] = {}
        self.ended: dict[str, float] = {}
        self.tasks: dict[wire.Task, Presence] = {}
        self._waiters: dict[str, list[Waiter]] = {}
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)

    def load(self) -> None:
        """Read jobs and messages of the gateway's former life; deliver what was not delivered."""
        for path in sorted(self._folder.glob("*.json")):
            try:
                known = msgspec.json.decode(path.read_bytes(), type=JobFile)
            except msgspec.DecodeError:  # a power cut: fateflow registers the job again
                _log.exception("%s cannot be read and is set aside", path)
                path.rename(path.with_suffix(".broken"))
                continue
            if known.ended and time.time() - known.ended > _REMEMBER_ENDED_S:
                path.unlink()
            elif known.ended:
                self.ended[path.stem] = known.ended
            else:
                self.jobs[path.stem] = Job(
                    path.stem,
                    known.token,
                    {(role, party) for role, party in known.parties},
                    known.cancelled,
                    {(component, version) for component, version in known.dropped},
                )
        for job_id in self.spool.jobs():
            if job_id not in self.jobs:
                self.spool.free_job(job_id)
        for job in self.jobs.values():
            for kept in self.spool.scan(job.job_id):
                job.messages[kept.record.key] = kept
            for kept in [k for k in job.messages.values() if k.state == "out"]:
                self._outgoing(kept)

    def register(self, job_id: str, job_token: str, parties: Iterable[tuple[str, str]]) -> None:
        """Raises GatewayRefused for a job id that is no file name, or a second token."""
        if not _JOB_ID.fullmatch(job_id):
            raise GatewayRefused("a job", "its id must be 1-128 letters, digits, '_', '.' or '-'")
        if len(job_token) < 16:
            raise GatewayRefused(f"job {job_id}", "its token must have at least 16 characters")
        job = self.jobs.get(job_id)
        if job is None:
            job = self.jobs[job_id] = Job(job_id, job_token, set())
            self.ended.pop(job_id, None)
        elif not token.same(job.token.encode(), job_token.encode()):
            raise GatewayRefused(f"job {job_id}", "it is registered with another token")
        job.parties.update((role, party) for role, party in parties)
        job.cancelled = None
        job.failed.clear()
        self._save(job)

    def cancel(self, job_id: str, reason: str) -> None:
        job = self.jobs.get(job_id)
        if job is None:
            return
        job.cancelled = reason or "no reason given"
        self.fail(lambda w: w.envelope.job_id == job_id, Cancelled(job_id, job.cancelled))
        self._save(job)

    def end(self, job_id: str) -> None:
        """Forget a job; also one that was never registered, which is then known to be over."""
        if not _JOB_ID.fullmatch(job_id):
            return
        self.jobs.pop(job_id, None)
        self.ended[job_id] = time.time()
        self.spool.free_job(job_id)  # first: a full disk keeps only the note from being written
        self.tasks = {t: p for t, p in self.tasks.items() if t.job_id != job_id or p.connections}
        self.fail(lambda w: w.envelope.job_id == job_id, Cancelled(job_id, "it is over"))
        self._write(job_id, JobFile("", [], ended=self.ended[job_id]))

    def drop_task(self, job_id: str, component: str, version: int) -> None:
        job = self.jobs.get(job_id)
        if job is None:
            return
        job.dropped.add((component, version))
        for key, kept in list(job.messages.items()):
            about = kept.record.envelope
            if (about.component, about.version) == (component, version):
                self.spool.free(kept)
                del job.messages[key]
        self.fail(
            lambda w: (
                (w.envelope.job_id, w.envelope.component, w.envelope.version)
                == (job_id, component, version)
            ),
            Cancelled(job_id, f"{component} version {version} is over"),
        )
        self._save(job)

    def greet(self, job_id: str) -> str:
        """The token with which a worker of this job must greet. Raises as ``admit``."""
        return self._job(job_id).token

    def _job(self, job_id: str) -> Job:
        if job_id in self.ended:
            raise Cancelled(job_id, "it is over")
        if job_id not in self.jobs:
            raise GatewayRefused(f"job {job_id!r}", "no such job is registered here")
        return self.jobs[job_id]

    def admit(self, envelope: Envelope, digest: bytes, mac: bytes) -> Job:
        """The job of a message that may pass.

        Raises Cancelled when the job is over, GatewayRefused when it is unknown, when sender or
        receiver take no part in it, or when the message does not prove the job's token.
        """
        job = self._job(envelope.job_id)
        for party in (envelope.src, envelope.dst):
            if (party.role.value, party.party_id) not in job.parties:
                raise GatewayRefused(self._name(envelope), f"{party} takes no part in the job")
        if not token.same(mac, token.message_mac(job.token, envelope, digest)):
            raise GatewayRefused(self._name(envelope), "it does not prove the job's token")
        return job

    def find(self, job: Job, envelope: Envelope, digest: bytes) -> Kept | None:
        """The message if it is here already. Raises DuplicateMessage if its bytes differ."""
        kept = job.messages.get(token.identity_key(envelope))
        if kept is not None and kept.record.sha256 != digest:
            raise DuplicateMessage(self._name(envelope))
        return kept

    def put(self, job: Job, kept: Kept) -> None:
        """A message is in the spool: wake its receiver, or have it delivered."""
        key = kept.record.key
        job.messages[key] = kept
        if kept.state == "in":
            for waiter in self._waiters.pop(key, ()):
                waiter.done(kept)
        else:
            self._outgoing(kept)

    def holds(self, kept: Kept) -> bool:
        job = self.jobs.get(kept.record.envelope.job_id)
        return job is not None and job.messages.get(kept.record.key) is kept

    def wait(
        self,
        envelope: Envelope,
        idle_timeout_s: float,
        done: Callable[[Kept | FederationError], None],
        within_s: float | None = None,
    ) -> Waiter | None:
        """Call ``done`` when the message is here: at once if it is, and then there is no waiter.

        Raises Cancelled, PeerFailed or GatewayRefused if it cannot come.
        """
        job = self._job(envelope.job_id)
        key = token.identity_key(envelope)
        kept = job.messages.get(key)
        if kept is not None and kept.state == "in":
            done(kept)
            return None
        if kept is not None and kept.state == "taken" and kept.record.size <= wire.INLINE:
            done(kept)
            return None
        if kept is not None:
            raise GatewayRefused(self._name(envelope), "it was taken already, and freed")
        if job.over(envelope):
            raise Cancelled(job.job_id, job.cancelled or "the task is over")
        if (why := job.failed.get(envelope.src.party_id)) is not None:
            raise PeerFailed(envelope.src, why)
        waiter = Waiter(key, envelope, idle_timeout_s, done, within_s)
        self._waiters.setdefault(key, []).append(waiter)
        return waiter

    def give_up(self, waiter: Waiter) -> None:
        """The receiver is gone."""
        left = [w for w in self._waiters.get(waiter.key, ()) if w is not waiter]
        if left:
            self._waiters[waiter.key] = left
        else:
            self._waiters.pop(waiter.key, None)

    def waiters(self) -> Iterator[Waiter]:
        for group in list(self._waiters.values()):
            yield from list(group)

    def fail(self, which: Callable[[Waiter], bool], error: FederationError) -> None:
        for waiter in self.waiters():
            if which(waiter):
                self.give_up(waiter)
                waiter.done(error)

    def refused_there(self, kept: Kept, why: str) -> None:
        """The peer's gateway will never take this message: whoever waits for that peer stops."""
        about = kept.record.envelope
        job = self.jobs.get(about.job_id)
        if job is None:
            return
        cause = f"its gateway refused {about.message}: {why}"
        job.failed[about.dst.party_id] = cause
        self.fail(
            lambda w: (
                w.envelope.job_id == about.job_id and w.envelope.src.party_id == about.dst.party_id
            ),
            PeerFailed(about.dst, cause),
        )

    def came(self, task: wire.Task) -> None:
        self.tasks.setdefault(task, Presence()).connections += 1

    def left(self, task: wire.Task) -> None:
        presence = self.tasks[task]
        presence.connections -= 1
        presence.left = time.monotonic()
        if not presence.connections and task.job_id not in self.jobs:
            del self.tasks[task]  # its job ended before it did

    def state_of(self, task: wire.Task) -> TaskState:
        """What this site knows of a task of its own: asked by its peers, here and elsewhere."""
        job = self.jobs.get(task.job_id)
        if job is None:
            return "stopped" if task.job_id in self.ended else "unknown"
        if job.cancelled is not None or (task.component, task.version) in job.dropped:
            return "stopped"
        presence = self.tasks.get(task)
        if presence is None:
            return "unknown"
        if presence.connections or time.monotonic() - presence.left < _GRACE_S:
            return "alive"
        return "alive" if self._undelivered(job, task) else "gone"

    def heard(self, task: wire.Task, state: TaskState) -> None:
        """News of a task that is waited for, from this site or its own."""
        for waiter in self.waiters():
            if waiter.peer != task:
                continue
            if state == "alive":
                waiter.sign = time.monotonic()
            elif state in ("gone", "stopped"):
                cause = "its task ended without sending" if state == "gone" else "it was stopped"
                self.give_up(waiter)
                waiter.done(PeerFailed(waiter.envelope.src, f"{cause} {waiter.envelope.message}"))

    def progress(self, envelope: Envelope) -> None:
        """Bytes of this very message arrived."""
        for waiter in self._waiters.get(token.identity_key(envelope), ()):
            waiter.sign = time.monotonic()

    def expire(self) -> None:
        """End the waits in which nothing was heard, or the message did not come, for too long."""
        now = time.monotonic()
        for w in self.waiters():
            if w.within_s is not None and now - w.began >= w.within_s:
                self.give_up(w)
                w.done(PeerLate(w.envelope.src, w.envelope.message, w.within_s))
            elif now - w.sign > w.idle_timeout_s:
                self.give_up(w)
                w.done(PeerSilent(w.envelope.src, w.envelope.message, w.idle_timeout_s))

    def _undelivered(self, job: Job, task: wire.Task) -> bool:
        return any(
            kept.state == "out" and task_of(kept.record.envelope, sender=True) == task
            for kept in job.messages.values()
        )

    def _save(self, job: Job) -> None:
        parties, dropped = sorted(job.parties), sorted(job.dropped)
        self._write(job.job_id, JobFile(job.token, parties, job.cancelled, dropped))

    def _write(self, job_id: str, known: JobFile) -> None:
        draft = self._folder / f".{secrets.token_hex(8)}"
        draft.touch(mode=0o600)
        draft.write_bytes(msgspec.json.encode(known))
        draft.rename(self._folder / f"{job_id}.json")

    @staticmethod
    def _name(envelope: Envelope) -> str:
        return (
            f"message {envelope.message}[{envelope.number}] of {envelope.component} "
            f"from {envelope.src} to {envelope.dst}"
        )
