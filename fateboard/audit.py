"""Who did what: ``<home>/board/audit.log``, a JSON object a line."""

from __future__ import annotations

import datetime
import logging
import os
from pathlib import Path

import msgspec

log = logging.getLogger(__name__)


def record(folder: Path, user: str, address: str, act: str, about: str = "") -> None:
    """One line, written at once. A full disk must not stop the board: its log says so."""
    now = datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="milliseconds")
    line = {"time": now, "user": user, "address": address, "act": act, "about": about}
    try:
        descriptor = os.open(folder / "audit.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        try:
            os.write(descriptor, msgspec.json.encode(line) + b"\n")
        finally:
            os.close(descriptor)
    except OSError as error:
        log.warning("cannot write %s: %s", folder / "audit.log", error.strerror)
