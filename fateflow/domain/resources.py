"""Who may run next, with how many cores, and what the others are told they wait for. Pure.

Cores are counted as FATE lists them: ``task_cores * task_parallelism`` for every (role, party)
of a job that this site hosts, nothing for an arbiter, against the site's listed capacity.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PATIENCE_MS = 600_000
"""A job that waited so long is not overtaken any more by jobs that would keep it waiting."""


@dataclass(frozen=True)
class Need:
    """A waiting job: what it needs here, all its parties together, and since when it waits."""

    job_id: str
    cores: int
    since_ms: int = 0


@dataclass(frozen=True)
class Verdict:
    """Whether a job may start now; if not, ``reason`` says what it waits for."""

    job_id: str
    granted: bool
    reason: str = ""


def admit(
    queue: Iterable[Need], capacity: int, used: int, now_ms: int, held_back: Sequence[str] = ()
) -> list[Verdict]:
    """A verdict for each waiting job, oldest first.

    A small job passes a large one that does not fit (backfill), until the large one has waited
    for PATIENCE_MS: from then on what becomes free is kept for it. A need above the capacity
    runs alone rather than never.
    held_back: jobs that cannot start for a reason of their own; they hold nobody up.
    """
    free = capacity - used
    patient = ""
    verdicts = []
    for need in sorted(queue, key=lambda n: (n.since_ms, n.job_id)):
        if need.job_id in held_back:
            continue
        cores = min(need.cores, capacity)
        if patient and cores > 0:
            verdicts.append(Verdict(need.job_id, False, f"behind job {patient}"))
        elif cores <= free:
            free -= cores
            verdicts.append(Verdict(need.job_id, True))
        else:
            reason = f"waiting for {cores} cores (have {max(free, 0)})"
            verdicts.append(Verdict(need.job_id, False, reason))
            if now_ms - need.since_ms >= PATIENCE_MS:
                patient = need.job_id
    return verdicts


def scaled(cores: int, parties_here: int, capacity: int) -> tuple[int, str]:
    """Cores of one (role, party) so that the whole job fits its site, and a warning or "".

    cores: asked for each party. parties_here: how many of them this site hosts and counts.
    """
    share = max(1, capacity // max(parties_here, 1))
    if cores <= share:
        return cores, ""
    asked, total = f"{cores} cores for each of {parties_here}", f"{capacity} cores (listed_cores)"
    return share, f"the job asks for {asked}, the site has {total}: scaled down to {share} each"


def free_cores(total: int, running_tasks: int) -> int:
    """Real cores that no running component has: each counts one, since the parties of a component
    mostly wait for one another."""
    return max(0, total - running_tasks)
