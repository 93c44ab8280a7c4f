"""Reading the log files of a job while they are written: no shell, no way out of the folder."""

from __future__ import annotations

import re
from pathlib import Path

from fateflow.errors import ArgumentError
from fateflow.store.line_index import LineIndexes

_SCHEDULE = {
    "jobSchedule": "fate_flow_schedule.log",
    "jobScheduleError": "fate_flow_schedule_error.log",
}
_PARTY = {
    "partyError": "ERROR.log",
    "partyWarning": "WARNING.log",
    "partyInfo": "INFO.log",
    "partyDebug": "DEBUG.log",
}
_COMPONENT = {
    "componentInfo": "INFO.log",
    "componentError": "ERROR.log",
    "componentWarning": "WARNING.log",
    "componentDebug": "DEBUG.log",
}
LOG_TYPES = (*_SCHEDULE, *_PARTY, *_COMPONENT)

_PART = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_IP = re.compile(r"\b(\d{1,3})\.(\d{1,3})\.(\d{1,3})\.(\d{1,3})\b")
_LOCAL = ("127.0.0.1", "0.0.0.0")  # noqa: S104 (a text to leave unmasked, nothing is bound)
MOST_LINES = 100_000
INDEXES = LineIndexes()


def folder(logs: Path, *parts: str) -> Path:
    """A folder below ``logs``. Raises ArgumentError for a part that is no plain name."""
    for part in parts:
        if not _PART.fullmatch(part):
            raise ArgumentError("a job id, role, party id or component name is not a plain name")
    return logs.joinpath(*parts)


def file(
    logs: Path,
    log_type: str,
    job_id: str,
    role: str = "",
    party_id: str = "",
    component: str = "",
    attempt: int | None = None,
) -> Path:
    """The file behind a ``log_type``; attempt: an earlier one, by its number, else the newest.

    Raises ArgumentError naming what is missing."""
    if log_type in _SCHEDULE:
        name, needed = _SCHEDULE[log_type], {"job_id": job_id}
    elif log_type in _PARTY:
        name, needed = _PARTY[log_type], {"job_id": job_id, "role": role, "party_id": party_id}
    elif log_type in _COMPONENT:
        name = _COMPONENT[log_type]
        needed = {
            "job_id": job_id,
            "role": role,
            "party_id": party_id,
            "component_name": component,
        }
    else:
        raise ArgumentError(f"unknown log_type; allowed: {', '.join(LOG_TYPES)}")
    missing = [key for key, value in needed.items() if not value]
    if missing:
        raise ArgumentError(f"required argument are missing: {','.join(missing)};")
    path = folder(logs, *needed.values()) / name
    return path if attempt is None else _of_attempt(path, attempt)


def set_aside(place: Path, attempt: int | None = None) -> None:
    """Keep the logs of an attempt that is over under its number (the next free one, if None), so
    that what runs again writes new ones."""
    names = set(_COMPONENT.values())
    if attempt is None:
        attempt = 1 + max((n for name in names for n in attempts(place / name)), default=-1)
    for path in (place / name for name in names):
        if path.exists():
            path.rename(_of_attempt(path, attempt))


def attempts(path: Path) -> list[int]:
    """The numbers of the earlier attempts of which this log was set aside, ascending."""
    middles = (
        found.name[len(path.stem) + 1 : -4] for found in path.parent.glob(f"{path.stem}.*.log")
    )
    return sorted(int(middle) for middle in middles if middle.isdecimal())


def _of_attempt(path: Path, attempt: int) -> Path:
    return path.with_name(f"{path.stem}.{attempt}{path.suffix}")


def size(path: Path) -> int:
    """How many lines there are now; 0 without a file."""
    return INDEXES.of(path).refresh()


def cut(path: Path, begin: int = 1, end: int | None = None) -> list[tuple[int, str]]:
    """Lines ``begin`` to ``end``, counted from 1, both included, addresses masked; at most
    MOST_LINES. A negative ``begin`` counts from the end: -1 is the last line."""
    index = INDEXES.of(path)
    if begin < 0:
        begin = index.refresh() + 1 + begin
    begin = max(begin, 1)
    last = begin + MOST_LINES - 1
    return [
        (number, masked(line))
        for number, line in index.read(begin, last if end is None else min(end, last))
    ]


def masked(line: str) -> str:
    """Hide IP addresses but this machine's own."""
    return _IP.sub(lambda m: m.group() if m.group() in _LOCAL else "xxx.xxx.xxx.xxx", line)
