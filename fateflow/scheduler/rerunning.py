"""Run a job again: which components get a new version, and the job back into the queue."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy.orm import Session

from fateflow.domain import dsl
from fateflow.domain.lifecycle import DONE, ENDS, Status
from fateflow.errors import FlowError, NotThere, Refused
from fateflow.scheduler import inputs, job_files, reset
from fateflow.scheduler.joblog import JobLog
from fateflow.site import Site
from fateflow.store import jobs, outputs
from fateflow.store import tasks as rows
from fateflow.store.orm import JobRow, TaskRow
from fateflow.wire import control as wire

_WAITING = Status.WAITING.value


def rerun(site: Site, request: wire.AskRerun) -> None:
    """At the initiator. Nothing to run again is no error: the job then stays as it is.

    Raises NotThere, Refused naming unknown components, PeerError or PeerUnreachable.
    """
    with site.database.read() as session:
        job = jobs.initiated(session, request.job_id)
        if job is None:
            raise NotThere(f"this site did not initiate job {request.job_id}")
        versions = _versions(site, session, job, request)
        _check_upload(site, rows.latest(session, job.job_id), versions)
    ended = Status(job.status) in ENDS
    if not versions and (not ended or job.status == Status.SUCCESS.value):
        return
    JobLog(site.settings.logs, job.job_id).info(
        f"rerun: new versions {versions or 'none'}; what waits goes on"
    )
    new_versions(site, job, versions)
    if ended:
        _requeue(site, job)
    site.scheduler.wake()


def _check_upload(site: Site, latest: list[TaskRow], versions: dict[str, int]) -> None:
    """Raises Refused if the file that an upload brought went with its first run."""
    for row in latest:
        path = Path(str((row.plan.get("parameters") or {}).get("file") or ""))
        brought = job_files.received(site.settings, row.job_id)
        if row.component_name in versions and path.is_relative_to(brought) and not path.exists():
            raise Refused(
                "the file of this upload went with the job that failed; "
                "upload it again with flow data upload"
            )


def new_versions(site: Site, job: JobRow, versions: dict[str, int], **columns: Any) -> None:
    """Give components their next version at all parties, waiting.

    columns: of the new rows at this site, such as the automatic retries that are left.
    Raises PeerError or PeerUnreachable; asked again it goes on where it stopped.
    """
    parties = jobs.roles_of(job)
    calls = [
        (
            party,
            wire.ResetTasks(job_id=job.job_id, role=role, party_id=party, versions=versions),
        )
        for role, party in parties
    ]
    if not versions:
        return
    _raise_first(site.parties.call_all(calls))
    with site.database.write() as session:
        for component, version in versions.items():
            _renew_peers(session, job.job_id, component, version)
            for row in rows.of_version(session, job.job_id, component, version):
                rows.change(row, **columns)


def _versions(site: Site, session: Session, job: JobRow, request: wire.AskRerun) -> dict[str, int]:
    """Components to reset, and the version that each gets."""
    dag = dsl.parse(job.dsl)
    found: dict[str, list[TaskRow]] = {}
    for row in rows.latest(session, job.job_id):
        found.setdefault(row.component_name, []).append(row)
    unknown = [name for name in request.components if name not in dag.components]
    if unknown:
        raise Refused(
            f"unknown component {', '.join(unknown)}; the job has {', '.join(dag.components)}"
        )
    wanted, forced = set(dag.components), set(dag.components) if request.force else set()
    if request.components:
        wanted = set(request.components)
        for name in request.components:
            wanted |= dag.downstream(name)
        forced = wanted if request.force else set()
        forced |= _gone(site, session, dag, wanted, found)
        wanted |= forced
    chosen = {}
    for name in wanted & found.keys():
        statuses = {Status(row.party_status) for row in found[name]}
        if statuses == {Status.WAITING} or (statuses <= DONE and name not in forced):
            continue
        chosen[name] = 1 + max(row.task_version for row in found[name])
    return chosen


def _gone(
    site: Site,
    session: Session,
    dag: dsl.Dag,
    wanted: set[str],
    found: dict[str, list[TaskRow]],
) -> set[str]:
    """Components above the wanted ones whose stored outputs are needed and not there any more."""
    above = set[str]().union(*(dag.upstream(name) for name in wanted)) - wanted
    return {
        name
        for name in above
        for row in found.get(name, [])
        if row.run_on_this_party and not _has_outputs(site, session, row)
    }


def _has_outputs(site: Site, session: Session, row: TaskRow) -> bool:
    for kind in outputs.KINDS:
        for output in outputs.of_task(session, rows.key(row), kind):
            place = Path(output.path)
            if kind == "data":
                names = (output.table_namespace, output.table_name)
                place = inputs.table_folder(site.settings, *names)
            if not place.exists():
                return False
    return True


def _renew_peers(session: Session, job_id: str, component: str, version: int) -> None:
    """The initiator's own rows for parties elsewhere."""
    for row in rows.latest(session, job_id, component_name=component, run_on_this_party=False):
        if row.task_version < version:
            session.add(reset.new_version(row, version))
    session.flush()


def _requeue(site: Site, job: JobRow) -> None:
    calls = [
        (
            party,
            wire.UpdateJob(job_id=job.job_id, role=role, party_id=party, status=_WAITING),
        )
        for role, party in jobs.roles_of(job)
        if (role, party) != (job.role, job.party_id)
    ]
    _raise_first(site.parties.call_all(calls))
    with site.database.write() as session:
        row = jobs.initiated(session, job.job_id)
        if row is not None:
            if jobs.move(row, Status.WAITING, ""):
                reset.set_log_aside(site, row)
            jobs.change(row, rerun_signal=True, progress=0)


def _raise_first(replies: list[Any]) -> None:
    for reply in replies:
        if isinstance(reply, FlowError):
            raise reply
