"""The log files of a job at this site, in FATE's line format: what its owner reads and downloads.

``logs/<job>/fate_flow_schedule.log`` says what was decided and done, ``..._schedule_error.log``
repeats what went wrong, ``fate_flow_audit.log`` says which party asked for what.
"""

from __future__ import annotations

import os
import sys
import threading
from datetime import datetime
from pathlib import Path

SCHEDULE, ERRORS, AUDIT = (
    "fate_flow_schedule.log",
    "fate_flow_schedule_error.log",
    "fate_flow_audit.log",
)

_WRITING = threading.Lock()


class JobLog:
    """Writes lines to the files of one job. Opened per line: a job says little, sites have many."""

    def __init__(self, logs: Path, job_id: str) -> None:
        self.folder, self.job_id = logs / job_id, job_id

    def info(self, message: str) -> None:
        self._write("INFO", message, SCHEDULE)

    def warning(self, message: str) -> None:
        self._write("WARNING", message, SCHEDULE)

    def error(self, message: str) -> None:
        self._write("ERROR", message, SCHEDULE, ERRORS)

    def audit(self, message: str) -> None:
        self._write("INFO", message, AUDIT)

    def _write(self, level: str, message: str, *files: str) -> None:
        caller = sys._getframe(2)
        module = caller.f_globals.get("__name__", "").rpartition(".")[2]
        place = f"[{module}.{caller.f_code.co_name}] [line:{caller.f_lineno}]"
        time = datetime.now().strftime("%Y-%m-%d %H:%M:%S,%f")[:-3]
        process = f"[{os.getpid()}:{threading.get_native_id()}]"
        text = message.replace("\n", "\n    ")
        line = f"[{level}] [{time}] [{self.job_id}] {process} - {place}: {text}\n"
        with _WRITING:
            self.folder.mkdir(parents=True, exist_ok=True)
            for name in files:
                with (self.folder / name).open("a", encoding="utf-8") as file:
                    file.write(line)


def last_error(component_folder: Path) -> str:
    """The last line of a task's ERROR.log without its prefix, or "". Reads at most 4 KiB."""
    path = component_folder / "ERROR.log"
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 4096))
            lines = file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return ""
    last = next((line for line in reversed(lines) if line.strip()), "")
    return last.partition("]: ")[2] or last.strip()
