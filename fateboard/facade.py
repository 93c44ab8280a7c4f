"""FATE-Board's own words: how its REST answers spell jobs, pages, graphs and faults.

For its page, and for scripts that were written against it. Pure; ``api/facade.py`` has the calls.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from fateboard.errors import Refused
from fateboard.flow_client import FlowRefused, Reply
from fateboard.jobs import integer, mapping, text

SUCCESS, WRONG, NO_FLOW, NO_ANSWER, NO_DATA = 0, 10002, 10003, 10005, 10006
ILLEGAL, SYSTEM, NOT_DOWNLOADED, NOT_RERUN, SIGN_IN = 10008, 10010, 10011, 10013, 10015
STATUSES = ("success", "running", "waiting", "failed", "canceled")
ROLES = ("guest", "host", "arbiter", "local")
ORDERS = ("f_start_time", "f_end_time", "f_elapsed", "f_job_id")
PAGES_SHOWN = 5

_CODES = {
    "sign_in": SIGN_IN,
    "no_job": NO_DATA,
    "flow_down": NO_FLOW,
    "flow_slow": NO_FLOW,
    "flow_broken": NO_FLOW,
    "flow_failed": NO_FLOW,
    "flow_garbled": NO_ANSWER,
    "flow_too_much": NO_ANSWER,
    "conf_of_arbiter": ILLEGAL,
    "illegal_name": ILLEGAL,
}
_MESSAGES = {
    SIGN_IN: "Please login first!",
    NO_FLOW: "Fateflow module connection error!",
    ILLEGAL: "Parameters are illegal!",
    NO_DATA: "There is no data in the database!",
}

Row = Mapping[str, Any]


def code_of(error: Refused) -> int:
    """Flow's own retcode passes through; a fault in the request is a wrong parameter."""
    if isinstance(error, FlowRefused):
        return error.retcode
    if error.code in _CODES:
        return _CODES[error.code]
    return WRONG if error.status == 400 else SYSTEM


def message_of(error: Refused, words: str) -> str:
    """words: what the board says of the error; FATE's own words stand before them, for scripts
    that look for those."""
    if isinstance(error, FlowRefused):
        return error.retmsg
    known = _MESSAGES.get(code_of(error), "")
    if error.code == "sign_in":
        return known
    return f"{known} {words}".strip()


def reply(of: Reply) -> dict[str, Any]:
    """A whole answer of fateflow; null members are left out."""
    members = {"retcode": of.retcode, "retmsg": of.retmsg, "data": of.data, "meta": of.meta}
    return {name: value for name, value in members.items() if value is not None}


def job(row: Row) -> dict[str, Any]:
    """FATE-Board's JobDO. A time-out is a failure to it."""
    status = text(row.get("status"))
    return {
        "fJobId": text(row.get("job_id")),
        "fName": row.get("name"),
        "fDescription": row.get("description"),
        "fTag": row.get("tag"),
        "fDsl": None,
        "fRuntimeConf": None,
        "fTrainRuntimeConf": _as_text(row.get("train_runtime_conf")),
        "fRoles": _as_text(row.get("roles")),
        "fWorkMode": None,
        "fInitiatorRole": row.get("initiator_role"),
        "fInitiatorPartyId": _id(row.get("initiator_party_id")),
        "fStatus": "failed" if status == "timeout" else status,
        "fRole": row.get("role"),
        "fPartyId": _id(row.get("party_id")),
        "fIsInitiator": row.get("is_initiator"),
        "fProgress": integer(row.get("progress")),
        **{f"f{name}Time": integer(row.get(f"{name.lower()}_time")) for name in _TIMES},
        "fElapsed": integer(row.get("elapsed")),
        "partners": partners(row),
    }


_TIMES = ("Create", "Update", "Start", "End")


def partners(row: Row) -> list[str]:
    """A guest's are the hosts and arbiters, a host's the guests; an arbiter has none."""
    roles = mapping(row.get("roles"))
    of = {"guest": ("host", "arbiter"), "host": ("guest",)}.get(text(row.get("role")), ())
    return [str(party) for role in of for party in _list(roles.get(role))]


def page(rows: list[Any], total: int, number: int, size: int) -> dict[str, Any]:
    """Its page of a list; start and end: the numbers of the pages that it offers."""
    pages = -(-total // size)
    start = max(1, min(number - PAGES_SHOWN // 2, pages - PAGES_SHOWN + 1))
    return {
        "pageNum": number,
        "pageSize": size,
        "totalRecord": total,
        "totalPage": pages,
        "startIndex": (number - 1) * size,
        "start": start,
        "end": max(1, min(pages, start + PAGES_SHOWN - 1)),
        "list": rows,
    }


def graph(dependency: Any, tasks: list[dict[str, Any]]) -> dict[str, Any]:
    """The dependencies with the state of each component; ``time`` is when it started."""
    drawn = mapping(dependency)
    latest: dict[str, dict[str, Any]] = {}
    for task in tasks:
        name, version = text(task.get("component_name")), integer(task.get("task_version")) or 0
        if version >= (integer(latest.get(name, {}).get("task_version")) or 0):
            latest[name] = task
    names = [name for name in _list(drawn.get("component_list")) if isinstance(name, str)]
    components = [
        {
            "component_name": name,
            "status": latest.get(name, {}).get("status"),
            "time": integer(latest.get(name, {}).get("start_time")),
        }
        for name in names
    ]
    return {**drawn, "component_list": components}


def metrics(everything: Any, wanted: Mapping[str, list[str]]) -> dict[str, dict[str, Any]]:
    """Of all metrics of a component those that are wanted, each as a whole answer of fateflow."""
    found = mapping(everything)
    return {
        namespace: {name: _metric(mapping(found.get(namespace)).get(name)) for name in names}
        for namespace, names in wanted.items()
    }


def _metric(found: Any) -> dict[str, Any]:
    if not isinstance(found, dict):
        return {"retcode": 0, "retmsg": "no data", "data": [], "meta": {}}
    return {"retcode": 0, "retmsg": "success", **found}


def command(job_id: str, role: str, party_id: str, component: str) -> str:
    """What a user types to get all rows of a component's output."""
    at = f"-j {job_id} -r {role} -p {party_id} -cpn {component}"
    return f"flow component output-data {at} --output-path ./"


def _as_text(value: Any) -> str | None:
    return None if value is None else msgspec.json.encode(value).decode()


def _id(value: Any) -> str | None:
    return None if value is None else str(value)


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []
