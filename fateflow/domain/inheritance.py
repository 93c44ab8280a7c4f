"""Taking over finished components of an earlier job instead of running them again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fateflow.domain.conf import Conf
from fateflow.domain.dsl import Dag, Node
from fateflow.domain.parameters import of_train, resolve

DONE = ("success", "pass")


@dataclass(frozen=True)
class Earlier:
    """The job to inherit from: what it was, and its components' federated states."""

    job_id: str
    dag: Dag
    conf: Conf
    statuses: Mapping[str, str] = field(default_factory=dict)


def wanted(info: Any) -> tuple[str, list[str], list[str]]:
    """(job id, components, faults) of an ``inheritance_info``; ("", [], []) if there is none."""
    if not info:
        return "", [], []
    job_id, names = info.get("job_id"), info.get("component_list")
    faults = []
    if not isinstance(job_id, str) or not job_id:
        faults.append("inheritance_info.job_id: expected the id of an earlier job")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        faults.append("inheritance_info.component_list: expected a list of component names")
    return ("", [], faults) if faults else (str(job_id), list(names or []), [])


def faults(names: list[str], dag: Dag, conf: Conf, earlier: Earlier) -> list[str]:
    """Why these components cannot be taken over, one sentence each; [] if they can.

    They must have ended well at all parties of the earlier job, must read and put out the same
    with the same parameters, and whatever they read must be taken over with them.
    """
    found = []
    if dict(conf.roles) != dict(earlier.conf.roles):
        found.append(f"inheritance_info: job {earlier.job_id} had other parties")
    chosen = set(names)
    for name in names:
        where = f"inheritance_info: component {name!r}"
        node, before = dag.components.get(name), earlier.dag.components.get(name)
        if node is None or before is None:
            which = "this job" if node is None else f"job {earlier.job_id}"
            found.append(f"{where} is not in {which}")
            continue
        missing = sorted(dag.upstream(name) - chosen)
        if missing:
            found.append(f"{where} reads {', '.join(missing)}, which must be inherited too")
        if _shape(node) != _shape(before):
            found.append(f"{where} has another module, other inputs or other outputs than then")
        status = earlier.statuses.get(name, "waiting")
        if status not in DONE:
            found.append(f"{where} did not end well in job {earlier.job_id}: {status}")
    return found or _changed(names, dag, conf, earlier)


def _changed(names: list[str], dag: Dag, conf: Conf, earlier: Earlier) -> list[str]:
    """Components whose parameters differ at some party."""
    found: dict[str, list[str]] = {}
    for role, index, party in conf.parties:
        now = resolve(dag, of_train(conf, role, index))
        then = resolve(earlier.dag, of_train(earlier.conf, role, index))
        for name in names:
            if now[name].parameters != then[name].parameters:
                found.setdefault(name, []).append(f"{role} {party}")
    return [
        f"inheritance_info: component {name!r} has other parameters than in job "
        f"{earlier.job_id} ({', '.join(parties)})"
        for name, parties in found.items()
    ]


def _shape(node: Node) -> tuple[Any, ...]:
    return (
        node.module.lower(),
        dict(node.data),
        node.model,
        node.isometric,
        node.cache,
        node.data_outputs,
        node.model_outputs,
        node.cache_outputs,
    )
