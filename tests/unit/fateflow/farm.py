"""Sites for tests of the scheduler: real database, rows and files; workers are played.

A ``Farm`` is the Launcher of a site: it starts no process, but keeps the folders that it was
asked to start, and writes for them the events that a worker would write.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fateflow.errors import PeerError
from fateflow.scheduler import control, events
from fateflow.scheduler.loop import Scheduler
from fateflow.scheduler.parties import Parties, answered
from fateflow.settings import Settings
from fateflow.site import Site
from fateflow.store import jobs, tasks
from fateflow.wire.control import CALLS, CreateJob, TaskPlan
from fateflow.worker import spec
from federation.errors import Unreachable
from tests.site_database import database

GUEST, HOST, ARBITER = ("guest", "9999"), ("host", "10000"), ("arbiter", "10000")


class AtOnce:
    """A pool that does what it is given before it returns."""

    def submit(self, act: Callable[[], None], /) -> None:
        act()


class Clock:
    def __init__(self, now: int = 1_000_000) -> None:
        self.now = now

    def __call__(self) -> int:
        return self.now

    def pass_s(self, seconds: float) -> None:
        self.now += int(seconds * 1000)


class Farm:
    """What runs: task folders. ``started`` remembers every start as (component, version, role)."""

    def __init__(self) -> None:
        self.live: dict[str, int] = {}
        self.started: list[tuple[str, int, str]] = []
        self.killed: list[str] = []
        self.refuses = ""
        self._pid = 100

    def launch(self, folder: str) -> int:
        if self.refuses:
            raise RuntimeError(self.refuses)
        task = self.task(folder)
        self._pid += 1
        self.live[folder] = self._pid
        self.started.append((task.component, task.version, task.role))
        return self._pid

    def kill(self, folder: str) -> None:
        if self.live.pop(folder, None):
            self.killed.append(folder)

    def alive(self) -> dict[str, int]:
        return dict(self.live)

    def call(self, name: str, **arguments: Any) -> Any:
        if name == "catalog":
            return {"Empty": {"roles": ["guest", "host"], "code_path": {}, "schema": {}}}
        return [{"parameters": item["parameters"]} for item in arguments.get("items", [])]

    def on_watch(self, callback: Any) -> None:
        self.watching = callback

    def on_exit(self, callback: Any) -> None:
        self.callback = callback

    @staticmethod
    def task(folder: str) -> spec.TaskSpec:
        return msgspec.json.decode((Path(folder) / "task.json").read_bytes(), type=spec.TaskSpec)


class Wires:
    """The gateways of several sites: calls go to the other site's handlers, or are refused."""

    def __init__(self) -> None:
        self.sites: dict[str, Site] = {}
        self.down: set[str] = set()
        self.calls: list[str] = []

    def register_job(self, *_: Any) -> None: ...
    def cancel_job(self, *_: Any) -> None: ...
    def end_job(self, *_: Any) -> None: ...
    def drop_task(self, *_: Any) -> None: ...

    def call(self, party_id: str, name: str, body: bytes, timeout_s: float = 30.0) -> bytes:
        if party_id in self.down:
            raise Unreachable(party_id, "127.0.0.1:1: connection refused")
        self.calls.append(name)
        request = msgspec.json.decode(body, type=CALLS[name])
        return msgspec.json.encode(answered(self.sites[party_id], name, request))


def site(
    home: Path, *, party: str = "", wires: Wires | None = None, clock: Clock | None = None
) -> Site:
    """A site whose scheduler decides when ``run`` tells it to, and acts at once."""
    settings = Settings(home=str(home), party=party, cores=4, port=1)
    for folder in (settings.run, settings.jobs, settings.logs, settings.models, settings.tables):
        folder.mkdir(parents=True, exist_ok=True)
    made = Site(settings=settings, database=database(settings), launcher=Farm(), gateway=wires)
    made.parties = Parties(made)
    made.scheduler = Scheduler(made, clock=clock or Clock(), pool=AtOnce())
    if wires is not None:
        wires.sites[party] = made
    return made


def chain(*names: str) -> dict[str, list[str]]:
    """A DSL in short: each component reads the one before it."""
    return {name: list(names[i - 1 : i]) if i else [] for i, name in enumerate(names)}


def submit(
    at: Site,
    graph: dict[str, list[str]],
    parties: tuple[tuple[str, str], ...] = (GUEST, HOST),
    *,
    job_id: str = "202401010000000000010",
    cores: int = 1,
    parallelism: int = 0,
    inheritance: dict[str, Any] | None = None,
    changes: dict[str, dict[str, Any]] | None = None,
    everywhere: bool = False,
    **parameters: Any,
) -> str:
    """Make a job as ``submit`` does: everybody first, the initiator last, then wake.

    everywhere: the arbiter, too, runs the components.
    """
    roles: dict[str, list[str]] = {}
    for role, party in parties:
        roles.setdefault(role, []).append(party)
    components = {
        name: {
            "module": "Empty",
            "input": {"data": {"data": [f"{parent}.data" for parent in parents]}},
            "output": {"data": ["data"]},
        }
        for name, parents in graph.items()
    }
    for name, change in (changes or {}).items():
        components[name].update({k: v for k, v in change.items() if k != "parameters"})
    ran_by = [role for role in roles if everywhere or role != "arbiter"]
    plans = [
        TaskPlan(
            component=name,
            module=str(components[name]["module"]),
            position=i,
            roles=ran_by,
            parameters=(changes or {}).get(name, {}).get("parameters", {}),
        )
        for i, name in enumerate(graph)
    ]
    conf = {"job_parameters": {"common": parameters}}
    requests = [
        CreateJob(
            job_id=job_id,
            role=role,
            party_id=party,
            position=i,
            initiator_role="guest",
            initiator_party_id="9999",
            roles=roles,
            dsl={"components": components},
            runtime_conf=conf,
            runtime_conf_on_party={"job_parameters": parameters},
            job_token="token",
            create_time=1_000_000 + int(job_id[-4:]),
            cores=cores,
            parallelism=parallelism,
            inheritance_info=inheritance or {},
            tasks=plans if role in ran_by else [],
        )
        for i, (role, party) in enumerate(parties)
    ]
    for request in sorted(requests, key=lambda r: r.role == "guest"):
        at.parties.call(request.party_id, request)
    at.scheduler.wake()
    return job_id


def turns(*sites: Site) -> None:
    """Let the schedulers decide until none has anything new."""
    while any(s.scheduler.turn() for s in sites):
        """Each turn may have given another scheduler something to do."""


def tell(at: Site, folder: str, *written: spec.Event) -> None:
    """Events of a worker, and its nudge."""
    task = Farm.task(folder)
    with (Path(folder) / "events.jsonl").open("ab") as file:
        file.write(b"".join(msgspec.json.encode(event) + b"\n" for event in written))
    key = (task.job_id, task.component, task.version, task.role, task.party_id)
    events.intake(at, key)


def finish(at: Site, folder: str, status: str = "success", error: str = "") -> None:
    """A worker ends with a status."""
    at.launcher.live.pop(folder, None)
    tell(at, folder, spec.Started(1, 1_000_000), spec.Ended(status, 1_000_100, error))


def folders(at: Site, component: str = "") -> list[str]:
    """Live workers' folders, of one component if named."""
    return [f for f in at.launcher.live if not component or Farm.task(f).component == component]


def run(*sites: Site) -> None:
    """Play all workers to a good end until nothing is left to do."""
    turns(*sites)
    while any(s.launcher.live for s in sites):
        for at in sites:
            for folder in folders(at):
                finish(at, folder)
        turns(*sites)


def job(at: Site, job_id: str = "202401010000000000010", role: str = "guest") -> Any:
    with at.database.read() as session:
        return next((r for r in jobs.rows(session, job_id) if r.role == role), None)


def statuses(at: Site, job_id: str = "202401010000000000010") -> dict[tuple[str, str], str]:
    """(component, role) to this party's state, of the latest versions."""
    with at.database.read() as session:
        found = tasks.latest(session, job_id)
    return {(t.component_name, t.role): t.party_status for t in found}


def votes(at: Site, job_id: str = "202401010000000000010") -> dict[tuple[str, str], str]:
    """(component, role) to the state over all parties that this site shows there."""
    with at.database.read() as session:
        found = tasks.latest(session, job_id)
    return {(t.component_name, t.role): t.status for t in found}


def versions(at: Site, job_id: str = "202401010000000000010") -> dict[str, int]:
    with at.database.read() as session:
        return {t.component_name: t.task_version for t in tasks.latest(session, job_id)}


def in_thread(act: Callable[[], None]) -> threading.Thread:
    thread = threading.Thread(target=act)
    thread.start()
    return thread


__all__ = ["PeerError", "control", "re"]
