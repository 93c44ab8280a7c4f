"""After a start: take up what an earlier process of this site left.

Nothing that finished runs again. What was written while nobody read is read; workers that live
are watched on; those that died with their site are marked interrupted, and the initiator, whoever
that is, has the component run again at all parties as a new version.
"""

from __future__ import annotations

import logging

from fateflow.domain.lifecycle import ENDS, Status
from fateflow.errors import PeerError, PeerUnreachable
from fateflow.scheduler import events, places, ways
from fateflow.scheduler.joblog import JobLog
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.orm import TaskRow
from fateflow.wire.control import DropJob

log = logging.getLogger(__name__)

INTERRUPTED = "interrupted: the site stopped while its worker ran"


def recover(site: Site, started_ms: int) -> None:
    """Bring the database up to what happened. Called before the scheduler starts.

    started_ms: when this process began; what is younger is none of an earlier one's.
    """
    with site.database.read() as session:
        running = rows.running_here(session)
    if running:
        alive = site.launcher.alive()
        for row in running:
            _take_up(site, row, alive)
    _open_ways(site)
    _resume(site, started_ms)


def check_workers(site: Site) -> None:
    """Find tasks whose worker went unseen: the zygote died, and took its workers along."""
    with site.database.read() as session:
        launched = [row for row in rows.running_here(session) if row.run_pid is not None]
    if not launched:
        return
    alive = site.launcher.alive()
    for row in launched:
        if str(places.folder(site.settings, rows.key(row))) not in alive:
            _take_up(site, row, alive)


def _take_up(site: Site, row: TaskRow, alive: dict[str, int]) -> None:
    key = rows.key(row)
    folder = str(places.folder(site.settings, key))
    events.intake(site, key)
    if folder in alive:
        JobLog(site.settings.logs, row.job_id).info(
            f"{row.role} {row.party_id}: {row.component_name} goes on (pid {alive[folder]})"
        )
        return
    # Read again: the worker may have written its end and gone between the two looks.
    events.intake(site, key)
    events.end_task(site, key, events.Ending(Status.FAILED, INTERRUPTED, interrupted=True))


def _open_ways(site: Site) -> None:
    """Register unfinished jobs again: the gateway may have been restarted with us."""
    with site.database.read() as session:
        unfinished = jobs.unfinished(session)
    for row in unfinished:
        try:
            ways.open_job(site, row.job_id, row.job_token, jobs.roles_of(row))
        except Exception:  # whatever the gateway says of one job, the others go on
            log.exception("job %s could not be registered at the gateway", row.job_id)


def _resume(site: Site, started_ms: int) -> None:
    """Drop jobs of which a submit was interrupted, ask peers what we missed, tell ends again."""
    with site.database.read() as session:
        cut_off = jobs.orphans(session, site.settings.hosts, started_ms)
        orphans = {(row.job_id, row.role, row.party_id) for row in cut_off}
        left = rows.orphans(session, started_ms)
        orphans |= {(row.job_id, row.role, row.party_id) for row in left}
        active = jobs.scheduled_here(session)
        untold = jobs.untold(session)
    for job_id, role, party in sorted(orphans):
        try:
            site.parties.call(party, DropJob(job_id=job_id, role=role, party_id=party))
        except (PeerError, PeerUnreachable) as error:
            log.warning("job %s: the rest of its submit stays at %s: %s", job_id, party, error)
        else:
            with site.database.write() as session:
                jobs.delete(session, job_id)
    for row in active:
        if any(not site.settings.hosts(party) for _, party in jobs.roles_of(row)):
            site.scheduler.collect(row.job_id)
    for row in untold:
        if Status(row.status) in ENDS:
            site.scheduler.tell_end(row.job_id)
