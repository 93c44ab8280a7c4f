"""``/v1/log`` and ``/v1/job/log``: logs as archives, and live by line numbers."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Annotated

import msgspec
from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, site
from fateflow.api.files import tar_gz
from fateflow.errors import ArgumentError, DownloadError, FlowError
from fateflow.store import log_find, logs

blueprint = Blueprint("log", __name__, url_prefix="/v1")


class WhichLog(msgspec.Struct, frozen=True, kw_only=True):
    """A log file; ``attempt`` (ours): an earlier one, see ``log/size``.

    ``begin`` and ``end`` are line numbers from 1, both included; a negative ``begin`` counts from
    the end (ours)."""

    job_id: str
    log_type: str = "jobSchedule"
    role: str = ""
    party_id: str = ""
    component_name: str = ""
    attempt: Annotated[int, msgspec.Meta(ge=0)] | None = None
    begin: int | None = None
    end: int | None = None
    lines: int = 100


@blueprint.post("/job/log/download")
def download() -> Response:
    """All logs of a job as one archive; names inside are relative to the job's folder."""
    wanted = body(asked.OfJob)
    folder = logs.folder(site().settings.logs, wanted.job_id)
    if not folder.is_dir():
        raise DownloadError(
            f"Log file path: '{folder}' not found. Please check if the job id is valid.",
            status=404,
        )
    members = [(path, str(path.relative_to(folder))) for path in sorted(folder.rglob("*"))]
    return tar_gz(members, f"job_{wanted.job_id}_log.tar.gz", site().settings.run)


@blueprint.post("/job/log/path")
def path() -> Response:
    wanted = body(asked.OfJob)
    return answer({"logs_directory": str(logs.folder(site().settings.logs, wanted.job_id))})


@blueprint.post("/log/size")
def size() -> Response:
    """Our own: ``attempts``, the numbers of earlier attempts whose logs were set aside, if any."""
    path = _file(body(WhichLog))
    earlier = logs.attempts(path)
    return answer({"size": logs.size(path), **({"attempts": earlier} if earlier else {})})


@blueprint.post("/log/cat")
def cat() -> Response:
    wanted = body(WhichLog)
    return answer(_shown(logs.cut(_file(wanted), wanted.begin or 1, wanted.end)))


@blueprint.post("/log/tail")
def tail() -> Response:
    """Our own: the last ``lines`` lines."""
    wanted = body(WhichLog)
    return answer(_shown(logs.cut(_file(wanted), -min(max(wanted.lines, 1), logs.MOST_LINES))))


class Find(WhichLog, frozen=True, kw_only=True):
    """``text`` in any case, or a regular expression (RE2); ``level``: or worse."""

    text: str = ""
    regex: bool = False
    level: str = ""
    start: int = msgspec.field(default=0, name="from")
    direction: log_find.Direction = "next"


@blueprint.post("/log/find")
def find() -> Response:
    """Our own: the first match after the line ``from``, or the last before it (0: of all), and
    the how-manyth of how many it is."""
    wanted = body(Find)
    sought = log_find.Wanted(wanted.text, wanted.regex, wanted.level)
    found = log_find.find(_file(wanted), sought, wanted.start, wanted.direction, _by_expression)
    return answer(dataclasses.asdict(found))


def _by_expression(
    path: Path, start: int, end: int, sought: log_find.Wanted, inside: bool
) -> log_find.Scanned:
    """In a worker's process: Python's own expressions could hold this one for ever."""
    asked_for = {"path": str(path), "start": start, "end": end, "inside": inside}
    try:
        found = site().launcher.call(
            "search_log", **asked_for, text=sought.text, level=sought.level
        )
    except RuntimeError as error:
        raise FlowError(str(error)) from None
    if "error" in found:
        raise ArgumentError(found["error"])
    return log_find.Scanned(**found)


def _file(wanted: WhichLog) -> Path:
    return logs.file(
        site().settings.logs,
        wanted.log_type,
        wanted.job_id,
        wanted.role,
        wanted.party_id,
        wanted.component_name,
        wanted.attempt,
    )


def _shown(lines: list[tuple[int, str]]) -> list[dict[str, object]]:
    return [{"line_num": number, "content": content} for number, content in lines]
