"""FATE's spelling of rows: which keys a client sees of a job, a task, a table, a model.

Functions take anything with the attributes of the rows of ``fateflow.store.orm`` and return
JSON builtins. ``prefixed`` puts FATE's ``f_`` before every key. Ids of parties are texts in the
database; FATE shows them as integers in lists and as texts in columns.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Mapping
from typing import Any

_JOB_COLUMNS = [
    "user_id",
    "job_id",
    "name",
    "description",
    "tag",
    "dsl",
    "runtime_conf",
    "runtime_conf_on_party",
    "train_runtime_conf",
    "initiator_role",
    "initiator_party_id",
    "user",
    "role",
    "party_id",
    "is_initiator",
    "progress",
    "ready_signal",
    "ready_time",
    "cancel_signal",
    "cancel_time",
    "rerun_signal",
    "end_scheduling_updates",
    "engine_name",
    "engine_type",
    "cores",
    "memory",
    "remaining_cores",
    "remaining_memory",
    "resource_in_use",
    "apply_resource_time",
    "return_resource_time",
    "inheritance_info",
    "inheritance_status",
    "elapsed",
    "reason",
]

_TASK_COLUMNS = [
    "job_id",
    "component_name",
    "component_module",
    "task_id",
    "task_version",
    "initiator_role",
    "initiator_party_id",
    "federated_mode",
    "federated_status_collect_type",
    "status",
    "auto_retries",
    "auto_retry_delay",
    "role",
    "party_id",
    "run_on_this_party",
    "worker_id",
    "run_ip",
    "run_port",
    "run_pid",
    "party_status",
    "component_parameters",
    "engine_conf",
    "kill_status",
    "error_report",
    "elapsed",
]

_DATA_VIEW_COLUMNS = [
    "job_id",
    "component_name",
    "task_id",
    "task_version",
    "role",
    "party_id",
    "table_name",
    "table_namespace",
]

_MODEL_COLUMNS = [
    "role",
    "party_id",
    "job_id",
    "model_id",
    "model_version",
    "initiator_role",
    "initiator_party_id",
    "runtime_conf",
    "train_dsl",
    "train_runtime_conf",
    "runtime_conf_on_party",
    "inference_dsl",
    "fate_version",
    "parent_info",
    "loaded_times",
    "imported",
    "archive_sha256",
    "archive_from_ip",
]

_PROVIDER = {"name": "", "version": "", "path": "", "class_path": {}, "env": {}, "python_env": ""}

FLOW_MODULES = frozenset(
    [
        "apireader",
        "cacheloader",
        "download",
        "modelloader",
        "modelrestore",
        "modelstore",
        "reader",
        "upload",
        "writer",
    ]
)
"""Modules that FATE lists under its provider ``fate_flow``, lower case."""


def shown_id(party_id: str) -> int | str:
    """A party id as FATE's lists show it: an integer, unless it is none."""
    return int(party_id) if party_id.isdecimal() else party_id


def shown_roles(roles: Mapping[str, Iterable[Any]]) -> dict[str, list[int | str]]:
    """Party ids by role, as numbers wherever they are some: FATE's form."""
    return {role: [shown_id(str(p)) for p in ids] for role, ids in roles.items()}


def shown_status(status: str) -> str:
    """``ready`` lasts only while a job is being made, and FATE's pipeline SDK dies of it."""
    return "waiting" if status == "ready" else status


def date(time_ms: int | None) -> str | None:
    """Milliseconds since the epoch as local ``YYYY-MM-DD HH:MM:SS``; None stays None."""
    if time_ms is None:
        return None
    return datetime.datetime.fromtimestamp(time_ms / 1000).strftime("%Y-%m-%d %H:%M:%S")


def stamps(row: Any, *names: str) -> dict[str, Any]:
    """``<name>_time`` and ``<name>_date`` for each of ``names``."""
    times = {name: getattr(row, f"{name}_time") for name in names}
    return {f"{name}_time": time for name, time in times.items()} | {
        f"{name}_date": date(time) for name, time in times.items()
    }


def prefixed(row: Mapping[str, Any]) -> dict[str, Any]:
    """The row with FATE's ``f_`` before each name."""
    return {f"f_{key}": value for key, value in row.items()}


_HEAVY = frozenset(["dsl", "runtime_conf", "runtime_conf_on_party", "train_runtime_conf"])
_LIGHT_JOB_COLUMNS = [name for name in _JOB_COLUMNS if name not in _HEAVY]


def job(row: Any, *, heavy: bool = True) -> dict[str, Any]:
    """A job as one (role, party) sees it, without its configurations if not ``heavy``. ``reason``
    is ours: why it waits, or why it failed."""
    return {
        **{name: getattr(row, name) for name in (_JOB_COLUMNS if heavy else _LIGHT_JOB_COLUMNS)},
        **stamps(row, "create", "update", "start", "end"),
        "roles": shown_roles(row.roles),
        "status": shown_status(row.status),
        "status_code": None,
    }


def listed_job(row: Any, *, heavy: bool = True) -> dict[str, Any]:
    """The same for ``job/list/job``: party id as integer, and the other parties' ids."""
    others = {str(p) for ids in row.roles.values() for p in ids} - {row.party_id}
    partners = sorted((shown_id(p) for p in others), key=lambda p: (isinstance(p, str), p))
    return {**job(row, heavy=heavy), "party_id": shown_id(row.party_id), "partners": partners}


def task(row: Any, host: str, port: int) -> dict[str, Any]:
    """A component at one (role, party). ``cmd`` is an empty object before the start; where it ran
    is told after its end, and is the ``host`` and ``port`` of this server (both FATE's ways)."""
    ended = row.end_time is not None
    return {
        **{name: getattr(row, name) for name in _TASK_COLUMNS},
        "run_ip": row.run_ip or (host if ended else None),
        "run_port": row.run_port or (port if ended else None),
        **stamps(row, "create", "update", "start", "end"),
        "cmd": row.cmd or {},
        "provider_info": {**_PROVIDER, **row.provider_info},
        "status_code": None,
        "is_deepspeed": False,
        "deepspeed_id": None,
    }


def data_view(row: Any) -> dict[str, Any]:
    """An output table of a component."""
    return {
        **{name: getattr(row, name) for name in _DATA_VIEW_COLUMNS},
        **stamps(row, "create", "update"),
        "data_name": row.name,
        "description": "",
    }


def model(row: Any, only: Iterable[str] = ()) -> dict[str, Any]:
    """A model's row, cut to the keys in ``only`` if there are any. ``size`` is in kilobytes.
    A trained model is a parent, a deployed one is not."""
    deployed = bool(row.parent_info)
    shown = {
        **{name: getattr(row, name) for name in _MODEL_COLUMNS},
        **stamps(row, "create", "update"),
        "roles": shown_roles(row.roles),
        "parent": not deployed if row.parent is None else row.parent,
        "size": -(-row.size // 1024),
    }
    kept = set(only)
    return {k: v for k, v in shown.items() if k in kept} if kept else shown


def table_info(row: Any) -> dict[str, Any]:
    """``flow table info``. Secrets in the address are masked."""
    return {
        "table_name": row.name,
        "namespace": row.namespace,
        "exist": 1,
        "count": row.count or 0,
        "partition": row.partitions,
        "schema": row.schema,
        "enable": not row.disable,
        "origin": row.origin,
        "extend_sid": row.extend_sid,
        "address": address(row),
    }


def no_table_info(namespace: str, name: str) -> dict[str, Any]:
    """What FATE answers for a table that is not there: success, and ``exist`` 0."""
    absent = dict.fromkeys(("partition", "schema", "origin", "address"))
    return {
        "table_name": name,
        "namespace": namespace,
        "exist": 0,
        "count": 0,
        "enable": True,
        "extend_sid": False,
        **absent,
    }


def address(row: Any) -> dict[str, Any]:
    """Where a table's rows are. An embedded table shows FATE's standalone address."""
    standalone = {
        "connector_name": None,
        "home": None,
        "name": row.name,
        "namespace": row.namespace,
        "storage_type": "LMDB",
    }
    given = {**standalone, **row.address} if row.engine == "STANDALONE" else row.address
    return {k: "******" if "passw" in k.lower() and v else v for k, v in given.items()}
