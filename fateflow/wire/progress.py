"""Where a job stands, in one small answer for progress bars: our own, FATE has none."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import Any

import msgspec

from fateflow.wire.rows import shown_status

ENDED = frozenset({"success", "failed", "canceled", "timeout", "pass"})


def of(job: Any, tasks: Sequence[Any]) -> dict[str, Any]:
    """``job``: the row to report on. ``tasks``: the latest version of the job's tasks here.

    ``components`` stand in DAG order: {component_name, module, status, percent, elapsed, error,
    parties: [{role, party_id, status, percent}]}. ``stamp`` changes when anything shown does.
    """
    shown = {
        "job_id": job.job_id,
        "role": job.role,
        "party_id": job.party_id,
        "status": shown_status(job.status),
        "ended": shown_status(job.status) in ENDED,
        "progress": job.progress,
        "reason": job.reason,
        "start_time": job.start_time,
        "elapsed": job.elapsed,
        "components": _components(job, tasks),
    }
    digest = hashlib.blake2b(msgspec.json.encode(shown), digest_size=8)
    return {**shown, "stamp": digest.hexdigest()}


def _components(job: Any, tasks: Sequence[Any]) -> list[dict[str, Any]]:
    by_name: dict[str, list[Any]] = {}
    for task in sorted(tasks, key=lambda t: t.position):
        by_name.setdefault(task.component_name, []).append(task)
    return [_component(job, parties) for parties in by_name.values()]


def _component(job: Any, parties: Sequence[Any]) -> dict[str, Any]:
    mine = next((t for t in parties if (t.role, t.party_id) == (job.role, job.party_id)), None)
    task = mine or parties[0]
    errors = [f"{t.role} {t.party_id}: {_cause(t.error_report)}" for t in parties if t.error_report]
    return {
        "component_name": task.component_name,
        "module": task.component_module,
        "version": task.task_version,
        "status": task.status,
        "percent": 100 if task.status in ENDED else max(t.progress for t in parties),
        "elapsed": task.elapsed,
        "error": errors[0] if errors else "",
        "parties": [
            {
                "role": t.role,
                "party_id": t.party_id,
                "status": t.party_status,
                "percent": t.progress,
            }
            for t in parties
        ],
    }


def _cause(report: str) -> str:
    """A report is the cause in one line, then the trace."""
    return report.strip().partition("\n")[0]
