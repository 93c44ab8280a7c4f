"""What people order: stop, rerun, clean the queue, give cores back, change what has not run.

Any party may order; the job's initiator acts, and asks all the others.
"""

from __future__ import annotations

from typing import Any

from fateflow.domain import conf as confs
from fateflow.domain import dsl
from fateflow.domain.lifecycle import ENDS, Status
from fateflow.errors import ArgumentError, FlowError, NotThere, Refused
from fateflow.scheduler import handlers
from fateflow.scheduler.job_files import path_fault
from fateflow.site import Site
from fateflow.store import jobs
from fateflow.store import tasks as rows
from fateflow.store.orm import JobRow, TaskRow
from fateflow.wire import control as wire

STOP_WORDS = ("canceled", "timeout", "failed")


def stop(site: Site, job_id: str, status: str = "canceled") -> None:
    """End a job at all its parties; a job that has ended stays as it is.

    This party's own tasks are ended first, so that they end whoever else can be reached.
    Raises NotThere, ArgumentError on an unknown status, PeerError or PeerUnreachable if the
    initiator could not be asked.
    """
    if status not in STOP_WORDS:
        raise ArgumentError(f"stop_status {status!r} is none of {', '.join(STOP_WORDS)}")
    found = _known(site, job_id)
    if Status(found[0].status) in ENDS:
        return
    reason = f"stopped by {found[0].role} {found[0].party_id}"
    if not any(row.is_initiator for row in found):
        for row in found:
            mine = {"job_id": job_id, "role": row.role, "party_id": row.party_id}
            handlers.stop_job(site, wire.StopJob(**mine, status=status, reason=reason))
    ask = wire.AskStop(job_id=job_id, status=status, reason=reason)
    site.parties.call(found[0].initiator_party_id, ask)


def rerun(site: Site, job_id: str, components: list[str], force: bool) -> None:
    """Run again what did not succeed, from the named components on if there are any.

    Raises NotThere; PeerError, PeerUnreachable or Refused when it cannot be done.
    """
    row = _known(site, job_id)[0]
    ask = wire.AskRerun(job_id=job_id, components=components, force=force)
    try:
        site.parties.call(row.initiator_party_id, ask)
    except FlowError as error:
        raise Refused(f"rerun job failed: {error}") from error


def clean_queue(site: Site) -> dict[str, int]:
    """Cancel every waiting job that was submitted here; job id to retcode."""
    with site.database.read() as session:
        waiting = jobs.scheduled_here(session, (Status.WAITING.value,))
    found = {}
    for row in waiting:
        try:
            stop(site, row.job_id)
            found[row.job_id] = 0
        except FlowError as error:
            found[row.job_id] = int(error.retcode)
    return found


def return_resource(site: Site, job_id: str) -> bool:
    """Give back by hand what a job holds here; whether it held anything.

    Raises Refused while the job runs: its tasks use what it holds.
    """
    found = _known(site, job_id)
    if any(row.status == Status.RUNNING.value for row in found):
        raise Refused(f"job {job_id} runs and uses its cores; stop it first")
    given_back = False
    for row in found:
        mine = {"job_id": job_id, "role": row.role, "party_id": row.party_id}
        given_back |= handlers.return_resource(site, wire.ReturnResource(**mine))
    return given_back


def update_notes(
    site: Site, job_id: str, notes: str, role: str | None = None, party_id: str | None = None
) -> None:
    """Set the job's description, everywhere here or for one (role, party)."""
    with site.database.write() as session:
        for row in jobs.rows(session, job_id):
            if role in (None, row.role) and party_id in (None, row.party_id):
                jobs.change(row, description=notes)


def update_parameters(
    site: Site, job_id: str, job_parameters: dict[str, Any], component_parameters: dict[str, Any]
) -> dict[str, Any]:
    """Change parameters of components that are not running, at this site's parties, for a rerun.

    Raises Refused naming unknown components or parameters that do not fit; then nothing changes.
    """
    found = _known(site, job_id)
    known = dsl.parse(found[0].dsl).components
    missing = sorted(set(component_parameters.get("common") or {}) - set(known))
    if missing:
        raise Refused(f"the job has no component {', '.join(missing)}; it has {', '.join(known)}")
    drafts = _drafts(site, found, component_parameters)
    items = [
        {
            "where": f"{row.component_module}#{row.component_name}",
            "module": row.component_module,
            "parameters": given,
        }
        for row, given in drafts
    ]
    results = site.launcher.call("validate", items=items) if items else []
    faults = list(dict.fromkeys(result["error"] for result in results if "error" in result))
    for row, given in drafts:
        if fault := path_fault(site.settings, job_id, row.component_module, given):
            faults.append(fault)
    if faults:
        raise Refused("; ".join(faults))
    change = {"job_parameters": job_parameters, "component_parameters": component_parameters}
    with site.database.write() as session:
        for job in jobs.rows(session, job_id):
            _update_conf(job, change)
        for (draft, given), item, result in zip(drafts, items, results, strict=True):
            task = rows.one(session, rows.key(draft))
            if task is None or task.party_status == Status.RUNNING.value:
                continue
            shown = {"_name": item["where"], **result["parameters"]}
            rows.change(
                task,
                plan={**task.plan, "parameters": given, "shown": result["parameters"]},
                component_parameters={**task.component_parameters, "ComponentParam": shown},
            )
    return {**change, "components": sorted({row.component_name for row, _ in drafts})}


def _known(site: Site, job_id: str) -> list[JobRow]:
    """The job's rows here, the initiator's first. Raises NotThere."""
    with site.database.read() as session:
        found = jobs.rows(session, job_id)
    if not found:
        raise NotThere("can not found job", job_id=job_id)
    return sorted(found, key=lambda row: not row.is_initiator)


def _update_conf(job: JobRow, change: dict[str, Any]) -> None:
    on_party = dict(job.runtime_conf_on_party)
    flat = on_party.get("job_parameters") or {}
    over = change["job_parameters"].get("common") or {}
    on_party["job_parameters"] = confs.merged(flat, over)
    jobs.change(
        job, runtime_conf=confs.merged(job.runtime_conf, change), runtime_conf_on_party=on_party
    )


def _drafts(
    site: Site, found: list[JobRow], component_parameters: dict[str, Any]
) -> list[tuple[TaskRow, dict[str, Any]]]:
    """Tasks that a change touches, and the parameters that each gets."""
    drafts = []
    with site.database.read() as session:
        for job in found:
            index = [str(p) for p in job.roles.get(job.role, [])].index(job.party_id)
            for row in rows.latest(session, job.job_id, role=job.role, party_id=job.party_id):
                change = _change_of(component_parameters, row.component_name, job.role, index)
                if change and row.party_status != Status.RUNNING.value:
                    drafts.append((row, confs.merged(row.plan.get("parameters") or {}, change)))
    return drafts


def _change_of(given: dict[str, Any], component: str, role: str, index: int) -> dict[str, Any]:
    """What an update says of a component at one party, the party's own over the common."""
    change = dict((given.get("common") or {}).get(component) or {})
    for key, entry in ((given.get("role") or {}).get(role) or {}).items():
        if key == "all" or str(index) in str(key).split("|"):
            change = confs.merged(change, entry.get(component) or {})
    return change
