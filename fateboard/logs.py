"""Logs of a job by line numbers. fateflow alone opens files, and only in the job's folder."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from fateboard.errors import Refused
from fateboard.flow_client import Flow, FlowRefused
from fateboard.jobs import integer, listed, mapping
from fateboard.shapes import JobKey, LogAttempts, LogFound, LogLine, LogLines

TYPES = (
    "jobSchedule", "jobScheduleError",
    "partyError", "partyWarning", "partyInfo", "partyDebug",
    "componentError", "componentWarning", "componentInfo", "componentDebug",
)  # fmt: skip
LEVELS = ("", "ERROR", "WARNING", "INFO", "DEBUG", "CRITICAL")
MOST_LINES = 2_000
PIECE = 5_000
BLOCK = 500
BLOCK_S = 5.0
"""Lines that were counted do not change."""
LONGEST_TEXT = 500
_LEVEL = re.compile(r"\[?(DEBUG|INFO|WARNING|WARN|ERROR|CRITICAL|FATAL)\b")


def wanted(key: JobKey, kind: str, component: str, attempt: int | None = None) -> dict[str, Any]:
    """The body of every call about a log. attempt: an earlier one; Distaff's fateflow knows these.

    Raises Refused (400)."""
    if kind not in TYPES:
        raise Refused(400, "log_type", allowed=", ".join(TYPES))
    if kind.startswith("component") and not component:
        raise Refused(400, "log_component", kind=kind)
    return {
        "log_type": kind,
        "job_id": key.job_id,
        "role": key.role,
        "party_id": key.party_id,
        "component_name": component,
        **({} if attempt is None else {"attempt": attempt}),
    }


def size(flow: Flow, body: dict[str, Any]) -> int:
    return integer(mapping(flow.shared("log/size", body).data).get("size")) or 0


def attempts(flow: Flow, body: dict[str, Any]) -> LogAttempts:
    """Before the newest, which of them wrote a log of their own."""
    told = mapping(flow.shared("log/size", body).data).get("attempts")
    numbers = map(integer, told) if isinstance(told, list) else []
    return LogAttempts(earlier=sorted({n for n in numbers if n is not None and n >= 0}))


def lines(
    flow: Flow, body: dict[str, Any], begin: int, end: int | None, known: int = 0
) -> LogLines:
    """Lines ``begin`` to ``end``, both included; a negative ``begin`` counts from the end.

    known: how many lines there were lately; a log is not measured again for what is within."""
    within = end is not None and 0 < begin <= end <= known
    total = known if within else size(flow, body)
    if begin < 0:
        begin, end = max(1, total + begin + 1), None
    begin = max(1, begin)
    end = min(total, begin + MOST_LINES - 1, total if end is None else end)
    if end < begin:
        return LogLines(lines=[], total=total)
    return LogLines(lines=cut(flow, body, begin, end, total), total=total)


def cut(flow: Flow, body: dict[str, Any], begin: int, end: int, total: int) -> list[LogLine]:
    """Asked for in blocks that begin at the same lines for everybody: those who follow a log from
    different lines on share one answer."""
    found: list[LogLine] = []
    for first in range((begin - 1) // BLOCK * BLOCK + 1, end + 1, BLOCK):
        last = min(first + BLOCK - 1, total)
        asked = {**body, "begin": first, "end": last}
        block = flow.shared("log/cat", asked, keep_s=BLOCK_S).data
        found += _numbered(block, max(first, begin), min(last, end))
    return found


def _numbered(found: Any, begin: int, end: int) -> list[LogLine]:
    """FATE's server adds an empty line after the last one: it is left out by its number."""
    rows = listed({"lines": found}, "lines")
    numbered = ((integer(row.get("line_num")), str(row.get("content", ""))) for row in rows)
    return [
        LogLine(number=number, level=level_of(content), text=content)
        for number, content in numbered
        if number is not None and begin <= number <= end
    ]


def level_of(content: str) -> str:
    """Of a line's start; a line without one goes on from the line above."""
    found = _LEVEL.match(content)
    return {"WARN": "WARNING", "FATAL": "CRITICAL"}.get(found[1], found[1]) if found else ""


def find(flow: Flow, body: dict[str, Any], query: dict[str, Any]) -> LogFound:
    """The next or previous line with a text, from a line on. Raises Refused (400)."""
    if query["level"] not in LEVELS:
        raise Refused(400, "log_level", allowed=", ".join(LEVELS[1:]))
    if len(query["text"]) > LONGEST_TEXT:
        raise Refused(400, "log_text", most=LONGEST_TEXT)
    found = mapping(flow.shared("log/find", {**body, **query}).data)
    number, ordinal, count = (integer(found.get(k)) or 0 for k in ("number", "ordinal", "count"))
    return LogFound(number=number, ordinal=ordinal, count=count)


def first_error(flow: Flow, key: JobKey, component: str) -> int:
    """The line of a component's log where it first failed; 0 where fateflow cannot tell."""
    body = wanted(key, "componentInfo", component)
    query = {"text": "", "regex": False, "level": "ERROR", "from": 0, "direction": "next"}
    try:
        return find(flow, body, query).number
    except FlowRefused:
        return 0


def raw(flow: Flow, body: dict[str, Any]) -> Iterator[bytes]:
    """The whole log piece by piece; what is written meanwhile is not waited for."""
    total = size(flow, body)
    for begin in range(1, total + 1, PIECE):
        end = min(total, begin + PIECE - 1)
        found = flow.data("log/cat", {**body, "begin": begin, "end": end})
        piece = _numbered(found, begin, end)
        yield "".join(f"{line.text}\n" for line in piece).encode()
