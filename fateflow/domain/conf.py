"""A job's configuration, version 2: who takes part, and each party's parameters.

``parse`` reads it or raises ``BadConf`` with every fault at once; ``completed`` is what a job
keeps and shows. Party ids may be numbers or texts; inside they are texts, clients see numbers.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from fateflow.errors import Refused

ROLES = ("guest", "host", "arbiter", "local")
"""Every role, in the order in which a job is created at its parties."""

DEFAULT_CORES = 4
JOB_TYPES = ("train", "predict")
_REMOVED = ("backend", "work_mode")
_COUNTS = {
    "task_parallelism": 1,
    "task_cores": 1,
    "computing_partitions": 1,
    "auto_retries": 0,
    "auto_retry_delay": 0,
    "timeout": 1,
}
_OBJECTS = (
    "adaptation_parameters",
    "inheritance_info",
    "engines_address",
    "eggroll_run",
    "spark_run",
    "rabbitmq_run",
    "pulsar_run",
    "task_conf",
)
_KEPT_IF_GIVEN = (
    "task_cores",
    "timeout",
    "user",
    "federated_data_exchange_type",
    "federation_engine",
    "storage_engine",
    "assistant_role",
    "map_table_name",
    "map_namespace",
)


class BadConf(Refused):
    """``faults``: one sentence each, naming the place and what is allowed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Conf:
    """A configuration that has been checked.

    given: as submitted, unknown keys included. roles: party ids by role, in ``ROLES`` order.
    common, by_role: the two halves of the job parameters. warning: for the submitter, or "".
    """

    given: Mapping[str, Any]
    roles: Mapping[str, tuple[str, ...]]
    initiator: tuple[str, str]
    common: Mapping[str, Any] = field(default_factory=dict)
    by_role: Mapping[str, Any] = field(default_factory=dict)
    warning: str = ""

    @property
    def parties(self) -> list[tuple[str, int, str]]:
        """(role, index, party id) of everyone, in order of creation."""
        return [(r, i, p) for r, ids in self.roles.items() for i, p in enumerate(ids)]

    @property
    def job_type(self) -> str:
        return str(self.common.get("job_type", "train"))

    @property
    def shown_roles(self) -> dict[str, list[int]]:
        """Party ids as numbers, as clients see them, roles in the order submitted."""
        return {r: [int(p) for p in self.roles[r]] for r in self.given["role"] if r in self.roles}


def parse(conf: Any) -> Conf:
    """The Conf of a configuration's JSON. Raises BadConf with every fault."""
    if not isinstance(conf, dict):
        raise BadConf(["the configuration must be a JSON object"])
    faults: list[str] = []
    if str(conf.get("dsl_version", "")) != "2":
        faults.append(
            "dsl_version: only the v2 version runtime conf is supported, expected 2, "
            f"got {_shown(conf.get('dsl_version'))}"
        )
    roles = _roles(conf.get("role"), faults)
    initiator = _initiator(conf.get("initiator"), roles, faults)
    job = _object(conf, "job_parameters", "job_parameters", faults)
    common = _object(job, "common", "job_parameters.common", faults)
    by_role = _object(job, "role", "job_parameters.role", faults)
    _check_by_role(by_role, roles, "job_parameters.role", faults)
    common = _checked_job(common, "job_parameters.common", faults)
    parameters = _object(conf, "component_parameters", "component_parameters", faults)
    for component, given in _object(
        parameters, "common", "component_parameters.common", faults
    ).items():
        if not isinstance(given, dict):
            faults.append(f"component_parameters.common.{component}: expected an object")
    per_role = _object(parameters, "role", "component_parameters.role", faults)
    _check_by_role(per_role, roles, "component_parameters.role", faults, nested=True)
    if faults:
        raise BadConf(faults)
    removed = [name for name in _REMOVED if name in job or name in common]
    warning = f"[WARN]{','.join(removed)} is removed,it does not take effect!" if removed else ""
    return Conf(conf, roles, initiator, common, by_role, warning)


def party_text(value: Any) -> str:
    """A party id, number or text, as the text that is compared. Raises ValueError."""
    text = str(value).strip()
    if isinstance(value, bool) or not isinstance(value, int | str) or not text.isascii():
        raise ValueError(f"a party id is a number, got {_shown(value)}")
    if not text.isdigit() or len(text) > 18:
        raise ValueError(f"a party id is a number of at most 18 digits, got {_shown(value)}")
    return str(int(text))


def merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Both, ``over`` winning; objects are merged in depth, anything else is replaced."""
    result = dict(under)
    for key, value in over.items():
        below = result.get(key)
        both = isinstance(below, Mapping) and isinstance(value, Mapping)
        result[key] = merged(below, value) if both else value  # type: ignore[arg-type]
    return result


def component_parameters(conf: Conf, component: str, role: str, index: int) -> dict[str, Any]:
    """A component's parameters for the index-th party of a role: ``common``, overlaid with every
    ``role`` entry whose key is that index, lists it ("0|1") or is "all", in the order written."""
    parameters = conf.given.get("component_parameters") or {}
    result = dict((parameters.get("common") or {}).get(component) or {})
    for entry in _entries(parameters.get("role") or {}, role, index):
        over = entry.get(component)
        if isinstance(over, Mapping):
            result = merged(result, over)
    return result


def configured_components(conf: Conf) -> set[str]:
    """Every component that a parameter was given for."""
    parameters = conf.given.get("component_parameters") or {}
    found = set(parameters.get("common") or {})
    for role, index, _ in conf.parties:
        for entry in _entries(parameters.get("role") or {}, role, index):
            found.update(entry)
    return found


def job_parameters(conf: Conf, role: str, index: int) -> dict[str, Any]:
    """Job parameters as submitted for the index-th party of a role, its own over the common."""
    result = dict(conf.common)
    for entry in _entries(conf.by_role, role, index):
        result = merged(result, entry)
    return _checked_job(result, f"job_parameters.role.{role}", [])


def user_names(conf: Conf) -> dict[str, dict[str, str]]:
    """Role to party id to the user's name there, "" if none was given."""
    names: dict[str, dict[str, str]] = {}
    for role, index, party in conf.parties:
        user = job_parameters(conf, role, index).get("user") or ""
        names.setdefault(role, {})[party] = str(user)
    return names


def completed(conf: Conf, model_id: str, model_version: str) -> dict[str, Any]:
    """The configuration as the job keeps it: submitted, with the common job parameters filled in.

    FATE's keys and defaults, as recorded from a standalone server; unknown job parameters go.
    """
    given = conf.given
    roles = conf.shown_roles
    common = _completed_job(conf.common, baseline=True)
    common.update(
        model_id=model_id,
        model_version=model_version,
        role_parameters=dict(conf.by_role),
        roles=roles,
    )
    role, party = conf.initiator
    job: dict[str, Any] = {"common": common}
    if conf.by_role:
        job["role"] = dict(conf.by_role)
    return {
        **given,
        "initiator": {"role": role, "party_id": int(party)},
        "role": roles,
        "job_parameters": job,
    }


def on_party(
    conf: Conf, complete: Mapping[str, Any], role: str, index: int, listed_cores: int
) -> dict[str, Any]:
    """The completed configuration as one party keeps it: its own job parameters, flat.

    listed_cores: the capacity that the party's site tells as FATE counts it.
    """
    common = complete["job_parameters"]["common"]
    own = _completed_job(job_parameters(conf, role, index), baseline=False)
    if role == "arbiter":  # it only adds up what others computed: FATE gives it one core
        own["adaptation_parameters"].update(request_task_cores=1, task_cores_per_node=1)
    cores = own["adaptation_parameters"]["task_cores_per_node"]
    address = {"cores_per_node": listed_cores, "nodes": 1}
    own["engines_address"] = {
        **{kind: dict(address) for kind in ("computing", "federation", "storage")},
        **own["engines_address"],
    }
    own["eggroll_run"] = {"eggroll.session.processors.per.node": cores, **own["eggroll_run"]}
    own.setdefault("federation_engine", "STANDALONE")
    own.setdefault("storage_engine", "STANDALONE")
    for name in ("model_id", "model_version", "role_parameters", "roles"):
        own[name] = common[name]
    return {**complete, "job_parameters": own}


def cores_needed(job: Mapping[str, Any], role: str) -> int:
    """Cores that a party's job books, of its flat job parameters; an arbiter books none."""
    per_task = job["adaptation_parameters"]
    if role == "arbiter":
        return 0
    return int(per_task["task_cores_per_node"] * per_task["task_nodes"] * job["task_parallelism"])


def _completed_job(given: Mapping[str, Any], *, baseline: bool) -> dict[str, Any]:
    cores = given.get("task_cores", DEFAULT_CORES)
    wished = given.get("adaptation_parameters") or {}
    nodes = wished.get("task_nodes", 1)
    adaptation = {
        "if_initiator_baseline": baseline,
        "request_task_cores": cores,
        "task_cores_per_node": wished.get("task_cores_per_node", max(1, cores // nodes)),
        "task_memory_per_node": wished.get("task_memory_per_node", 0),
        "task_nodes": nodes,
    }
    job = {
        "adaptation_parameters": adaptation,
        "auto_retries": given.get("auto_retries", 0),
        "auto_retry_delay": given.get("auto_retry_delay", 1),
        "computing_engine": given.get("computing_engine", "STANDALONE"),
        "computing_partitions": given.get("computing_partitions", cores),
        "federated_mode": given.get("federated_mode", "SINGLE"),
        "federated_status_collect_type": given.get("federated_status_collect_type", "PUSH"),
        "job_type": given.get("job_type", "train"),
        "task_parallelism": given.get("task_parallelism", 1),
    }
    for name in _OBJECTS[1:]:
        job[name] = dict(given.get(name) or {})
    job.update({name: given[name] for name in _KEPT_IF_GIVEN if given.get(name)})
    return job


def _entries(by_role: Mapping[str, Any], role: str, index: int) -> list[Mapping[str, Any]]:
    """What is meant for the index-th party of a role. Keys that match nobody are skipped: FATE's
    own toy job writes a component's name where the index belongs."""
    found = by_role.get(role) or {}
    return [
        entry
        for key, entry in found.items()
        if isinstance(entry, Mapping)
        and (key == "all" or str(index) in [part.strip() for part in str(key).split("|")])
    ]


def _object(given: Mapping[str, Any], key: str, where: str, faults: list[str]) -> dict[str, Any]:
    found = given.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        faults.append(f"{where}: expected an object")
        return {}
    return found


def _roles(given: Any, faults: list[str]) -> dict[str, tuple[str, ...]]:
    if not isinstance(given, dict) or not given:
        faults.append("role: expected an object such as {'guest': [9999], 'host': [10000]}")
        return {}
    odd = [role for role in given if role not in ROLES]
    if odd:
        faults.append(f"role: {', '.join(map(repr, odd))} is no role; there are {', '.join(ROLES)}")
    found = {}
    for role in ROLES:
        ids = given.get(role)
        if ids is None:
            continue
        if not isinstance(ids, list) or not ids:
            faults.append(f"role.{role}: expected a list of party ids")
            continue
        try:
            found[role] = tuple(party_text(value) for value in ids)
        except ValueError as error:
            faults.append(f"role.{role}: {error}")
            continue
        if len(set(found[role])) < len(found[role]):
            faults.append(f"role.{role}: a party id stands there twice")
    return found


def _initiator(
    given: Any, roles: Mapping[str, tuple[str, ...]], faults: list[str]
) -> tuple[str, str]:
    if not isinstance(given, dict) or not {"role", "party_id"} <= set(given):
        faults.append("initiator: expected {'role': ..., 'party_id': ...}")
        return "", ""
    role = given["role"]
    try:
        party = party_text(given["party_id"])
    except ValueError as error:
        faults.append(f"initiator.party_id: {error}")
        return "", ""
    if role not in ROLES:
        faults.append(f"initiator.role: {_shown(role)} is no role; there are {', '.join(ROLES)}")
    elif roles and party not in roles.get(role, ()):
        there = ", ".join(roles.get(role, ())) or "none"
        faults.append(f"initiator: {role} {party} is not among role.{role} ({there})")
    return str(role), party


def _check_by_role(
    by_role: Mapping[str, Any],
    roles: Mapping[str, tuple[str, ...]],
    where: str,
    faults: list[str],
    *,
    nested: bool = False,
) -> None:
    """Only what would take effect is checked: see ``_entries``."""
    for role in roles:
        given = by_role.get(role)
        if given is None:
            continue
        if not isinstance(given, dict):
            faults.append(f"{where}.{role}: expected an object with keys such as '0' or 'all'")
            continue
        for key, entry in given.items():
            meant = key == "all" or all(part.strip().isdigit() for part in key.split("|"))
            if not meant:
                continue
            place = f"{where}.{role}.{key}"
            if not isinstance(entry, dict):
                faults.append(f"{place}: expected an object")
            elif nested:
                bad = [name for name, over in entry.items() if not isinstance(over, dict)]
                faults.extend(f"{place}.{name}: expected an object" for name in bad)
            else:
                _checked_job(entry, place, faults)


def _checked_job(given: Mapping[str, Any], where: str, faults: list[str]) -> dict[str, Any]:
    """Job parameters with their numbers as numbers; nulls are as good as absent."""
    job = {name: value for name, value in given.items() if value is not None}
    for name, least in _COUNTS.items():
        if name not in job:
            continue
        value = job[name]
        if isinstance(value, str) and value.strip().isdigit():
            value = job[name] = int(value)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            faults.append(
                f"{where}.{name}: expected a whole number >= {least}, got {_shown(value)}"
            )
            del job[name]
    faults.extend(
        f"{where}.{name}: expected an object, got {_shown(job.pop(name))}"
        for name in _OBJECTS
        if not isinstance(job.get(name, {}), dict)
    )
    if job.get("job_type", "train") not in JOB_TYPES:
        faults.append(f"{where}.job_type: expected train or predict, got {_shown(job['job_type'])}")
    adaptation = job.get("adaptation_parameters", {})
    for name in ("task_nodes", "task_cores_per_node"):
        value = adaptation.get(name, 1)
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            faults.append(f"{where}.adaptation_parameters.{name}: expected a whole number >= 1")
    return job


def _shown(value: Any) -> str:
    """A value of a configuration for a message; long ones are cut."""
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
