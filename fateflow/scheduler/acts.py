"""Carry out what was decided about a job, at all its parties at once.

Each act may be done again: what is done already stays done. Each returns "", or, if a party
could not be reached, what the job waits for; the scheduler then tries again later.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from fateflow.domain.lifecycle import ENDS, EndJob, RetryTask, StartTask, Status
from fateflow.errors import FlowError, PeerUnreachable
from fateflow.scheduler import rerunning, snapshots, tasks
from fateflow.scheduler.joblog import JobLog
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.orm import JobRow
from fateflow.wire import control as wire

log = logging.getLogger(__name__)

Party = tuple[str, str]

STOP_TIMEOUT_S = 5.0
"""A party that cannot be reached must not keep the others from seeing the job ended."""


def start_job(site: Site, job_id: str) -> str:
    """Reserve cores at all parties, and let the job run if all grant them."""
    job = _initiated(site, job_id)
    if job is None or job.status != Status.WAITING.value:
        return ""
    parties = jobs.roles_of(job)
    granted = _ask(site, job, parties, lambda on: wire.ApplyResource(**on))
    waits, refusals = [], []
    for (role, party), reply in granted.items():
        if isinstance(reply, PeerUnreachable):
            waits.append(f"for party {role} {party}: {reply}")
        elif isinstance(reply, FlowError):
            refusals.append(f"{role} {party} refused to run the job: {reply}")
        elif not reply["granted"]:
            waits.append(f"for party {role} {party}: {reply['reason']}")
    if not waits and not refusals:
        return _run(site, job, parties)
    held = [p for p, r in granted.items() if not isinstance(r, FlowError) and r["granted"]]
    _ask(site, job, held, lambda on: wire.ReturnResource(**on))
    if refusals:
        return end_job(site, job_id, EndJob(Status.FAILED, "; ".join(refusals)))
    return "; ".join(waits)


def start_task(site: Site, job_id: str, command: StartTask) -> str:
    """Start a component's version where it waits."""
    job = _initiated(site, job_id)
    if job is None or Status(job.status) in ENDS:
        return ""
    replies = _ask(
        site,
        job,
        command.parties,
        lambda on: wire.StartTask(**on, component=command.component, version=command.version),
    )
    waits = []
    for (role, party), reply in replies.items():
        key = (job_id, command.component, command.version, role, party)
        if isinstance(reply, PeerUnreachable):
            waits.append(f"for party {role} {party}: {reply}")
        elif isinstance(reply, FlowError):
            _note_refusal(site, key, str(reply))
        else:
            _note_started(site, key)
    with site.database.write() as session:
        rows.settle(session, job_id, command.component, command.version)
    return "; ".join(waits)


def retry_task(site: Site, job_id: str, command: RetryTask) -> str:
    """Stop what is left of a version everywhere, and make the next one."""
    job = _initiated(site, job_id)
    if job is None or Status(job.status) in ENDS:
        return ""
    with site.database.read() as session:
        found = rows.of_version(session, job_id, command.component, command.version)
    reason = snapshots.cause(found)
    left = found[0].auto_retries - command.costs
    JobLog(site.settings.logs, job_id).warning(
        f"{command.component} version {command.version} runs again "
        f"({left} automatic retries left): {reason}"
    )
    stops = _ask(
        site,
        job,
        [(row.role, row.party_id) for row in found],
        lambda on: wire.StopTask(
            **on,
            component=command.component,
            version=command.version,
            status=Status.FAILED.value,
            reason=reason,
        ),
    )
    waits = _unreached(stops)
    if waits:
        return waits
    try:
        rerunning.new_versions(
            site,
            job,
            {command.component: command.version + 1},
            auto_retries=left,
            retry_at=command.at_ms,
        )
    except FlowError as error:
        return f"to run {command.component} again: {error}"
    return ""


def end_job(site: Site, job_id: str, command: EndJob) -> str:
    """End the job with this status at all its parties. A party that cannot be reached is told
    later: the others do not wait for it."""
    job = _initiated(site, job_id)
    if job is None:
        return ""
    status, parties = command.status.value, jobs.roles_of(job)
    reason = command.reason
    told = dict.fromkeys(parties, "")
    if command.status is not Status.SUCCESS:
        told.update(_failures(_stop(site, job, parties, command)))
    reached = [p for p in parties if not told[p]]
    # The model is saved and the cores are free before anybody can see the job ended.
    job_log = JobLog(site.settings.logs, job_id)
    ends = _ask(site, job, reached, lambda on: wire.EndJob(**on, status=status))
    told.update(_failures(ends))
    for reply in ends.values():
        if isinstance(reply, FlowError):
            job_log.error(f"the end of the job is incomplete: {reply}")
    with site.database.write() as session:
        rows.settle_ended(session, job_id, command.status)
    update = _state(site, job_id, status, reason)
    own = (job.role, job.party_id)
    others = [p for p in reached if p != own]
    told.update(_failures(_ask(site, job, others, lambda on: wire.UpdateJob(**on, **update))))
    told[own] = _failures(_ask(site, job, [own], lambda on: wire.UpdateJob(**on, **update)))[own]
    if command.status is Status.SUCCESS:
        job_log.info(f"job {job_id} ended: {status}")
    else:
        job_log.error(f"job {job_id} ended: {status}: {reason}")
    waits = "; ".join(problem for problem in told.values() if problem)
    if waits:
        job_log.warning(f"the end is still to be told: {waits}")
        with site.database.write() as session:
            row = jobs.initiated(session, job_id)
            if row is not None:
                jobs.change(row, end_scheduling_updates=0, tag="")
    return waits


def tell_end(site: Site, job_id: str) -> str:
    """Tell the parties again how a job ended: one of them could not be reached then."""
    job = _initiated(site, job_id)
    if job is None or Status(job.status) not in ENDS:
        return ""
    return end_job(site, job_id, EndJob(Status(job.status), job.reason))


def tell_progress(site: Site, job_id: str) -> str:
    """Show the parties elsewhere how far the job is."""
    job = _initiated(site, job_id)
    if job is None or job.status != Status.RUNNING.value:
        return ""
    away = [p for p in jobs.roles_of(job) if not site.settings.hosts(p[1])]
    update = _state(site, job_id, job.status, job.reason)
    _ask(site, job, away, lambda on: wire.UpdateJob(**on, **update))
    return ""


def collect(site: Site, job_id: str) -> str:
    """Ask the parties elsewhere for the state of their tasks: a report may have been lost."""
    job = _initiated(site, job_id)
    if job is None or Status(job.status) in ENDS:
        return ""
    away = [p for p in jobs.roles_of(job) if not site.settings.hosts(p[1])]
    replies = _ask(site, job, away, lambda on: wire.CollectTasks(**on))
    with site.database.write() as session:
        for (role, party), reply in replies.items():
            for report in _reports(reply):
                # Of its own tasks only: what it says of others' is nobody's word.
                key = (job_id, report.component, report.version, role, party)
                row = rows.one(session, key)
                if row is not None and not row.run_on_this_party:
                    tasks.copy_report(row, report)
                    rows.settle(session, job_id, report.component, report.version)
    return _unreached(replies)


def report(site: Site, key: rows.TaskKey) -> str:
    """Tell the initiator how one of our tasks is."""
    with site.database.read() as session:
        row = rows.one(session, key)
    if row is None:
        return ""
    try:
        site.parties.call(row.initiator_party_id, tasks.report_of(row))
    except PeerUnreachable as error:
        return f"for the initiator {row.initiator_role} {row.initiator_party_id}: {error}"
    except FlowError as error:
        JobLog(site.settings.logs, row.job_id).warning(f"the initiator refused a report: {error}")
    return ""


def _reports(reply: Any) -> list[wire.TaskReport]:
    """A party's answer to ``collect_tasks``; none if it was not reached or answered nonsense."""
    if isinstance(reply, FlowError):
        return []
    try:
        return msgspec.convert(reply, list[wire.TaskReport])
    except msgspec.ValidationError:
        log.warning("an answer to collect_tasks is no list of reports")
        return []


def _stop(site: Site, job: JobRow, parties: Sequence[Party], command: EndJob) -> dict[Party, Any]:
    how = {"status": command.status.value, "reason": command.reason}
    return _ask(site, job, parties, lambda on: wire.StopJob(**on, **how), timeout_s=STOP_TIMEOUT_S)


def _run(site: Site, job: JobRow, parties: Sequence[Party]) -> str:
    """All granted: the others first, so that the initiator starts nothing before they know."""
    own = (job.role, job.party_id)
    others = [p for p in parties if p != own]
    update: dict[str, Any] = {"status": Status.RUNNING.value}
    for group in (others, [own]):
        waits = _unreached(_ask(site, job, group, lambda on: wire.UpdateJob(**on, **update)))
        if waits:
            return waits
    JobLog(site.settings.logs, job.job_id).info(f"job {job.job_id} runs")
    return ""


def _ask(
    site: Site,
    job: JobRow,
    parties: Sequence[Party],
    request: Callable[[dict[str, Any]], wire.OnJob],
    *,
    timeout_s: float = 30.0,
) -> dict[Party, Any]:
    """The same request to several parties at once; replies or errors by party."""
    calls = [
        (party, request({"job_id": job.job_id, "role": role, "party_id": party}))
        for role, party in parties
    ]
    replies = site.parties.call_all(calls, timeout_s) if calls else []
    return dict(zip(parties, replies, strict=True))


def _failures(replies: dict[Party, Any]) -> dict[Party, str]:
    """By party "", or why it was not reached. A refusal is an answer: it knows of the job."""
    return {
        (role, party): f"{role} {party}: {reply}" if isinstance(reply, PeerUnreachable) else ""
        for (role, party), reply in replies.items()
    }


def _unreached(replies: dict[Party, Any]) -> str:
    problems = [problem for problem in _failures(replies).values() if problem]
    return "; ".join(f"for party {problem}" for problem in problems)


def _initiated(site: Site, job_id: str) -> JobRow | None:
    with site.database.read() as session:
        return jobs.initiated(session, job_id)


def _state(site: Site, job_id: str, status: str, reason: str) -> dict[str, Any]:
    """What every party is shown of the job."""
    with site.database.read() as session:
        found = {row.component_name: row.status for row in rows.latest(session, job_id)}
    done = [name for name, state in found.items() if Status(state) in ENDS]
    progress = 100 * len(done) // len(found) if found else 100
    return {"status": status, "reason": reason, "progress": progress, "tasks": found}


def _note_started(site: Site, key: rows.TaskKey) -> None:
    """At the initiator: a party elsewhere has started the task. It may have ended since."""
    with site.database.write() as session:
        row = rows.one(session, key)
        if row is None or row.run_on_this_party:
            return
        if row.party_status == Status.WAITING.value:
            rows.move(row, Status.RUNNING)


def _note_refusal(site: Site, key: rows.TaskKey, error: str) -> None:
    """A party will not start the task: that fails it, unless the job is over anyway."""
    with site.database.write() as session:
        row = rows.one(session, key)
        job = jobs.initiated(session, key[0])
        if row is None or job is None or Status(job.status) in ENDS:
            return
        if row.party_status == Status.WAITING.value:
            rows.move(row, Status.RUNNING)
            rows.move(row, Status.FAILED, error=error)
