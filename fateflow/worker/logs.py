"""Log files of a task in FATE's layout and line format.

Lines go to the component's folder and to the party's, in one file per level; each file holds its
level and above. All four exist from the start, so that a reader never finds them missing.
"""

from __future__ import annotations

import logging
from pathlib import Path

LEVELS = (logging.DEBUG, logging.INFO, logging.WARNING, logging.ERROR)


def line_format(job_id: str) -> logging.Formatter:
    """``[LEVEL] [time] [job] [pid:thread] - [module.function] [line:N]: message``."""
    return logging.Formatter(
        f"[%(levelname)s] [%(asctime)s] [{job_id}] [%(process)d:%(thread)d] - "
        "[%(name)s.%(funcName)s] [line:%(lineno)d]: %(message)s"
    )


def open_task_logs(component_folder: Path, job_id: str, level: str = "INFO") -> None:
    """Send this process's log to the files of its task."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    root.setLevel(level)
    formatter = line_format(job_id)
    for folder in (component_folder, component_folder.parent):
        folder.mkdir(parents=True, exist_ok=True)
        for number in LEVELS:
            file = folder / f"{logging.getLevelName(number)}.log"
            handler = logging.FileHandler(file, encoding="utf-8")
            handler.setLevel(number)
            handler.setFormatter(formatter)
            root.addHandler(handler)
