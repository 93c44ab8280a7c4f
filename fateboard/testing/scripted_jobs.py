"""The jobs of the fake fateflow: a thousand that have ended, one that follows a clock, one with
huge outputs, one with hostile names."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

GUEST = ("guest", "9999")
PARTIES = (GUEST, ("host", "10000"), ("arbiter", "10000"))
LIVE, BIG, HOSTILE = "202601010000000000001", "202601010000000000002", "202601010000000000003"
ENDED_JOBS = 1_000
LIVE_MODULES = (
    "Reader", "DataTransform", "Intersection", "HeteroFeatureBinning",
    "HeteroFeatureSelection", "FeatureScale", "HeteroLR", "Evaluation",
)  # fmt: skip
LIVE_LINES = 3_000
EARLIER_LINES = 7
"""Of each attempt before the newest."""
BIG_LINES = 1_000_000
BIG_TREES = 500
BIG_COLUMNS = 2_000
NASTY = "<img src=x onerror=alert(1)>"
NASTY_NAMES = [NASTY, "=HYPERLINK(1)", "\u202egnirts", "n" * 10_000, "a\x00b", "${7*7}{{7*7}}"]


def row(job_id: str, role: str, party_id: str, **given: Any) -> dict[str, Any]:
    """A row of job/list/job with all that the board reads, and more that it must pass over."""
    modules = given.pop("of_modules", LIVE_MODULES[:3])
    others = [party for party in PARTIES if party != (role, party_id)]
    created = given.get("create_time", 1_767_225_600_000)
    return {
        "job_id": job_id,
        "role": role,
        "party_id": int(party_id),
        "name": "",
        "description": "",
        "tag": "job_end",
        "status": "success",
        "progress": 100,
        "is_initiator": role == "guest",
        "roles": {"guest": [9999], "host": [10000], "arbiter": [10000]},
        "partners": [int(party) for _, party in others],
        "create_time": created,
        "start_time": created + 100,
        "end_time": created + 5_100,
        "elapsed": 5_000,
        "reason": "",
        "dsl": dsl_of(list(modules)),
        "runtime_conf": {
            "role": {"guest": [9999], "host": [10000], "arbiter": [10000]},
            "initiator": {"role": "guest", "party_id": 9999},
            "job_parameters": {
                "common": {"job_type": "train", "model_id": "m", "model_version": job_id}
            },
            "component_parameters": {
                "role": {"guest": {"0": {"reader_0": {"secret": 1}}}, "host": {"0": {}}}
            },
        },
        **given,
    }


def dsl_of(modules: list[str]) -> dict[str, Any]:
    """A chain of components."""
    components: dict[str, Any] = {}
    above = ""
    for module in modules:
        name = f"{module.lower()}_0"
        components[name] = {"module": module, "output": {"data": ["data"], "model": ["model"]}}
        if above:
            components[name]["input"] = {"data": {"data": [f"{above}.data"]}}
        above = name
    return {"components": components}


def ended_jobs() -> list[dict[str, Any]]:
    chance = random.Random(7)  # noqa: S311
    rows = []
    for at in range(ENDED_JOBS):
        role, party_id = PARTIES[at % 3]
        created = 1_760_000_000_000 + at * 60_000
        elapsed = chance.randrange(1_000, 600_000)
        rows.append(
            row(
                f"2025{at:017d}",
                role,
                party_id,
                create_time=created,
                elapsed=elapsed,
                end_time=created + 100 + elapsed,
                status=("success", "success", "failed", "canceled")[at % 4],
                description=f"run {at} lr=0.{at % 10}",
            )
        )
    return rows


def task(job_id: str, name: str, module: str, at: tuple[str, str], **given: Any) -> dict[str, Any]:
    return {
        "job_id": job_id,
        "component_name": name,
        "component_module": module,
        "role": at[0],
        "party_id": at[1],
        "task_version": 0,
        "status": "success",
        "party_status": "success",
        "start_time": 1_767_225_600_100,
        "end_time": 1_767_225_601_100,
        "elapsed": 900,
        "error_report": "",
        "component_parameters": {"ComponentParam": {"need_run": True, "_name": name}},
        **given,
    }


class Live:
    """A job on a clock, of the components of a DSL: each takes ``step_s``; ``fails_at`` names the
    one that fails. ``clock`` tells how long it has run; below 0 it waits. passed: components whose
    status is pass. idle: those that no party runs."""

    def __init__(
        self,
        clock: Callable[[], float],
        step_s: float,
        fails_at: str = "",
        *,
        dsl: dict[str, Any] | None = None,
        passed: frozenset[str] = frozenset(),
        idle: frozenset[str] = frozenset(),
    ) -> None:
        self.clock, self.step_s, self.fails_at = clock, step_s, fails_at
        self.dsl = dsl or dsl_of(list(LIVE_MODULES))
        self.passed, self.idle = passed, idle
        self.names = list(self.dsl["components"])
        self.begun_ms = 1_767_225_600_000
        self.canceled = False
        self.version = 0
        self._before_s = 0.0

    def seconds(self) -> float:
        return self.clock() - self._before_s

    def rerun(self, component: str) -> None:
        """From a component on; all for a name that is none."""
        begins = self.names.index(component) if component in self.names else 0
        self._before_s = self.clock() - begins * self.step_s
        self.version += 1
        self.canceled, self.fails_at = False, ""

    def ended(self) -> int:
        """How many components have ended."""
        done = min(len(self.names), max(0, int(self.seconds() / self.step_s)))
        if self.fails_at in self.names[:done]:
            done = self.names.index(self.fails_at) + 1
        return done

    def failed(self) -> bool:
        return self.fails_at in self.names[: self.ended()]

    def status(self) -> str:
        if self.canceled:
            return "canceled"
        if self.failed():
            return "failed"
        if self.seconds() < 0:
            return "waiting"
        return "success" if self.ended() == len(self.names) else "running"

    def row(self, at: tuple[str, str]) -> dict[str, Any]:
        status = self.status()
        over = status in ("success", "failed", "canceled")
        ran_ms = int(self.ended() * self.step_s * 1_000)
        return row(
            LIVE,
            *at,
            dsl=self.dsl,
            create_time=self.begun_ms,
            status=status,
            progress=100 * self.ended() // len(self.names),
            end_time=self.begun_ms + ran_ms if over else None,
            elapsed=ran_ms if over else None,
            start_time=None if status == "waiting" else self.begun_ms + 100,
            reason="waits for 4 cores" if status == "waiting" else "",
        )

    def tasks(self, at: tuple[str, str]) -> list[dict[str, Any]]:
        return [self._task(at, n) for n, name in enumerate(self.names) if name not in self.idle]

    def _task(self, at: tuple[str, str], index: int) -> dict[str, Any]:
        done, name = self.ended(), self.names[index]
        begun = int(self.begun_ms + index * self.step_s * 1_000)
        status = "waiting"
        if index < done:
            status = "failed" if name == self.fails_at else "success"
        elif index == done and self.status() == "running":
            status = "running"
        elif index == done and self.canceled:
            status = "canceled"  # what comes after it waits on, for a rerun
        over = index < done
        if over and name in self.passed:
            status = "pass"
        return task(
            LIVE,
            name,
            self.dsl["components"][name]["module"],
            at,
            task_version=self.version,
            status=status,
            party_status=status,
            start_time=begun if status != "waiting" else None,
            end_time=begun + int(self.step_s * 1_000) if over else None,
            elapsed=int(self.step_s * 1_000) if over else None,
            error_report="ValueError: too few rows\nTraceback ..." if status == "failed" else "",
        )

    def lines(self) -> int:
        """3,000 lines over the whole run."""
        share = max(0.0, self.seconds()) / (self.step_s * len(self.names))
        return min(LIVE_LINES, int(share * LIVE_LINES))

    def loss(self) -> list[list[float]]:
        """A point of the training's loss for each tenth of its step."""
        index = self.names.index("heterolr_0")
        share = (self.seconds() - index * self.step_s) / self.step_s
        return [[at, 0.7 / (at + 1)] for at in range(min(10, max(0, int(share * 10))))]


def log_line(number: int) -> str:
    level = "ERROR" if number % 1_000 == 0 else "INFO"
    return f"[{level}] [2026-01-01 00:00:00,000] [job] [1:2] - [fake.line] [line:1]: line {number}"


def forest(trees: int = BIG_TREES) -> dict[str, Any]:
    """Trees of seven nodes, as output/model tells them."""

    def tree(seed: int) -> dict[str, Any]:
        nodes: list[dict[str, Any]] = [
            {
                "id": at,
                "sitename": "guest:9999" if (at + seed) % 2 else "host:10000",
                "fid": (at + seed) % 30,
                "bid": 0.5 * at,
                "weight": 0.01 * at,
                "isLeaf": at > 2,
                "leftNodeid": 2 * at + 1 if at < 3 else -1,
                "rightNodeid": 2 * at + 2 if at < 3 else -1,
                "missingDir": 1,
                "moWeight": [],
            }
            for at in range(7)
        ]
        return {"tree": nodes, "splitMaskdict": {}, "missingDirMaskdict": {}, "leafCount": {}}

    return {
        "treeNum": trees,
        "treeDim": 1,
        "trees": [tree(at) for at in range(trees)],
        "featureImportances": [],
        "featureNameFidMapping": {str(at): f"x{at}" for at in range(30)},
        "classes": ["0", "1"],
        "numClasses": 2,
        "losses": [],
        "initScore": [0.0],
        "treePlan": [],
        "modelName": "HeteroSecureBoost",
        "bestIteration": -1,
    }
