"""What a job will be at each of its parties: its tasks and their parameters, all checked.

Every component's parameters of every party go to the zygote in one call, so that one answer
lists all that is wrong.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import msgspec

from fateflow.domain.conf import Conf
from fateflow.domain.dsl import Dag, Node
from fateflow.domain.inference import code_path
from fateflow.domain.parameters import Lookup, Resolved, resolve
from fateflow.errors import Refused
from fateflow.scheduler.job_files import path_fault
from fateflow.site import Site
from fateflow.wire.control import TaskPlan
from federation.party import Role

Party = tuple[str, str]
"""(role, party id)."""


@dataclass(frozen=True)
class Plan:
    """A job that has been checked. ``dsl``: what its parties execute, without CodePath.

    own: a component's configured parameters at the index-th party of a role.
    """

    job_id: str
    conf: Conf
    dag: Dag
    dsl: dict[str, Any]
    own: Callable[[str, int], Lookup]
    model_id: str
    model_version: str
    train_runtime_conf: dict[str, Any] = field(default_factory=dict)
    inheritance: dict[str, Any] = field(default_factory=dict)


def catalog(site: Site) -> dict[str, dict[str, Any]]:
    """Every module of the site by lower-case name; asked of the zygote once."""
    if not site.catalog:
        described = site.launcher.call("catalog")
        site.catalog.update({name.lower(): {"module": name, **v} for name, v in described.items()})
    return site.catalog


def tasks(site: Site, plan: Plan) -> dict[Party, list[TaskPlan]]:
    """The tasks of every (role, party), in topological order.

    Raises Refused listing every fault: unknown modules, components that no role of the job runs
    or that train with an arbiter where the job has none, parameters that are unknown, of a wrong
    type or out of range.
    """
    modules = catalog(site)
    faults = _module_faults(plan, modules)
    drafts = {
        (role, party): _drafts(plan, modules, role, resolve(plan.dag, plan.own(role, index)))
        for role, index, party in plan.conf.parties
    }
    faults.extend(_arbiter_faults(plan, modules, drafts))
    shown, wrong = _validated(site, drafts)
    faults.extend(wrong)
    faults.extend(
        fault
        for listed in drafts.values()
        for draft in listed
        if (fault := path_fault(site.settings, plan.job_id, draft.module, draft.parameters))
    )
    if faults:
        raise Refused("; ".join(faults))
    return {
        key: [msgspec.structs.replace(draft, shown=shown[_item_key(draft)]) for draft in listed]
        for key, listed in drafts.items()
    }


def _module_faults(plan: Plan, modules: Mapping[str, Mapping[str, Any]]) -> list[str]:
    faults = []
    for node in plan.dag.components.values():
        entry = modules.get(node.module.lower())
        if entry is None:
            faults.append(_unknown(node, modules))
        elif not _running(entry, plan.conf):
            faults.append(
                f"component {node.name!r}: {entry['module']} runs at {', '.join(entry['roles'])}, "
                f"and the job has {', '.join(plan.conf.roles)} only"
            )
    return faults


def _arbiter_faults(
    plan: Plan, modules: Mapping[str, Mapping[str, Any]], drafts: Mapping[Party, list[TaskPlan]]
) -> list[str]:
    """Components that train with an arbiter's help, in a job that names none."""
    if Role.ARBITER.value in plan.conf.roles or plan.conf.job_type == "predict":
        return []
    run = {draft.component for listed in drafts.values() for draft in listed if draft.need_run}
    return [
        f"cpn `{entry['module']}#{node.name}`: needs an arbiter; "
        "name one in the configuration's role"
        for node in plan.dag.components.values()
        if (entry := modules.get(node.module.lower())) is not None
        and entry.get("needs_arbiter")
        and node.name in run
        and (node.data.get("train_data") or not node.model)
    ]


def _unknown(node: Node, modules: Mapping[str, Mapping[str, Any]]) -> str:
    known = sorted({str(entry["module"]) for entry in modules.values()})
    near = difflib.get_close_matches(node.module.lower(), list(modules), 1)
    hint = f"did you mean {modules[near[0]]['module']!r}? " if near else ""
    return (
        f"component {node.name!r}: unknown module {node.module!r}; {hint}"
        f"there are: {', '.join(known)}"
    )


def _running(entry: Mapping[str, Any], conf: Conf) -> list[str]:
    """Roles of the job that run a module."""
    return [role for role in conf.roles if role in entry["roles"]]


def _drafts(
    plan: Plan,
    modules: Mapping[str, Mapping[str, Any]],
    role: str,
    resolved: Mapping[str, Resolved],
) -> list[TaskPlan]:
    found = []
    for node in plan.dag.components.values():
        entry = modules.get(node.module.lower())
        if entry is None or role not in entry["roles"]:
            continue
        given = resolved[node.name]
        parameters = dict(given.parameters)
        if not _declares(entry.get("schema") or {}, "need_run"):
            parameters.pop("need_run", None)  # known to the scheduler, not to this component
        found.append(
            TaskPlan(
                component=node.name,
                module=str(entry["module"]),
                position=node.position,
                roles=_running(entry, plan.conf),
                parameters=parameters,
                source=given.source,
                need_run=given.need_run,
                code_path=code_path(entry, role),
            )
        )
    return found


def _declares(schema: Mapping[str, Any], name: str) -> bool:
    """Whether a parameter struct's JSON Schema has a property; a missing schema has any."""
    if not schema:
        return True
    definition = str(schema.get("$ref", "")).rpartition("/")[2]
    struct = (schema.get("$defs") or {}).get(definition, schema)
    return name in (struct.get("properties") or {})


def _item_key(draft: TaskPlan) -> tuple[str, bytes]:
    return draft.component, msgspec.json.encode(draft.parameters, order="sorted")


def _validated(
    site: Site, drafts: Mapping[Party, list[TaskPlan]]
) -> tuple[dict[tuple[str, bytes], dict[str, Any]], list[str]]:
    """(all parameters with defaults by component and given parameters, faults). Parties that
    configured a component alike are checked, and told of a fault, together."""
    items: dict[tuple[str, bytes], TaskPlan] = {}
    parties: dict[tuple[str, bytes], list[Party]] = {}
    for party, listed in drafts.items():
        for draft in listed:
            key = _item_key(draft)
            items.setdefault(key, draft)
            parties.setdefault(key, []).append(party)
    try:
        results = site.launcher.call(
            "validate",
            items=[
                {
                    "where": f"{draft.module}#{draft.component}",
                    "module": draft.module,
                    "parameters": dict(draft.parameters),
                }
                for draft in items.values()
            ],
        )
    except RuntimeError as error:
        raise Refused(f"the parameters could not be checked: {error}") from error
    shown: dict[tuple[str, bytes], dict[str, Any]] = {}
    wrong: dict[str, list[Party]] = {}
    for key, result in zip(items, results, strict=True):
        if "error" in result:
            wrong.setdefault(result["error"], []).extend(parties[key])
        else:
            shown[key] = result["parameters"]
    return shown, [f"{text} ({_names(found)})" for text, found in wrong.items()]


def _names(parties: list[Party]) -> str:
    return ", ".join(f"{role} {party}" for role, party in parties)
