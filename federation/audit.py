"""The audit log of a site: a line for every message and call that left or entered, and for every
refusal, each holding the SHA-256 of the line before it.

Files: ``<home>/gateway/audit/audit-YYYY-MM-DD.jsonl``, one a day (UTC), appended only; the chain
runs on from file to file. Changing, inserting or removing a line breaks it at the next line, which
``verify`` names. Removing lines at the very end shows only against the peer's log, which holds the
same digest for every message; ``docs/security/federation.md`` says how to compare.

No line holds a value: only sizes, shapes and digests.
"""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Iterator
from datetime import datetime, timezone
from pathlib import Path
from typing import Literal

import msgspec

from federation.envelope import Envelope

Direction = Literal["out", "in"]
START = "0" * 64
_PREFIX = "audit-"


class Entry(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One line. what: ``message``, ``call`` (fateflow to fateflow), ``refusal``, ``log``, or
    ``outcome`` (of a message that left and was not taken).

    message: name on the wire, or the call's name. src, dst: ``role party``, of calls the party.
    size: bytes. hop: the endpoint it went to or came from; ``local`` within the site.
    result: delivered (within the site), sent (written before the first byte leaves), received,
    dropped, abandoned, or why it was refused.
    """

    sequence: int
    previous: str
    time: str
    what: str
    direction: str = ""
    job: str = ""
    component: str = ""
    version: int = 0
    message: str = ""
    number: int = 0
    src: str = ""
    dst: str = ""
    kind: str = ""
    reveals: str = ""
    shape: str = ""
    size: int = msgspec.field(default=0, name="bytes")
    sha256: str = ""
    hop: str = ""
    result: str = ""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """Outcome of ``verify``. problem: "" if the chain holds; else which record, and what."""

    records: int
    files: int
    last: str
    problem: str = ""


_LINE = msgspec.json.Encoder()
_ENTRY = msgspec.json.Decoder(Entry)


class AuditLog:
    """Appends to the log of one site. Thread-safe in one process; one process a site."""

    def __init__(self, home: Path) -> None:
        self.folder = audit_folder(home)
        self.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._lock = threading.Lock()
        self._day, self._handle = "", -1
        self._sequence, self._previous, torn = self._end_of_chain()
        if torn:
            self.write(what="log", result=f"{torn} bytes of an unfinished line were removed")

    def message(
        self, direction: Direction, envelope: Envelope, size: int, sha256: bytes, **more: str
    ) -> None:
        """Record a message that left or entered. more: ``hop``, ``result``, ``what``."""
        self.write(
            **{"what": "message", **more},
            direction=direction,
            job=envelope.job_id,
            component=envelope.component,
            version=envelope.version,
            message=envelope.message,
            number=envelope.number,
            src=str(envelope.src),
            dst=str(envelope.dst),
            kind=envelope.kind,
            reveals=envelope.reveals,
            shape=envelope.shape,
            size=size,
            sha256=sha256.hex(),
        )

    def write(self, **values: object) -> None:
        now = datetime.now(timezone.utc)
        with self._lock:
            entry = msgspec.convert(
                {
                    "sequence": self._sequence,
                    "previous": self._previous,
                    "time": now.isoformat(timespec="milliseconds"),
                    **{("bytes" if k == "size" else k): v for k, v in values.items()},
                },
                Entry,
            )
            line = _LINE.encode(entry)
            os.write(self._file_of(now.strftime("%Y-%m-%d")), line + b"\n")
            self._sequence += 1
            self._previous = hashlib.sha256(line).hexdigest()

    def close(self) -> None:
        with self._lock:
            if self._handle >= 0:
                os.close(self._handle)
            self._handle, self._day = -1, ""

    def _file_of(self, day: str) -> int:
        if day != self._day:
            if self._handle >= 0:
                os.close(self._handle)
            path = self.folder / f"{_PREFIX}{day}.jsonl"
            self._handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
            self._day = day
        return self._handle

    def _end_of_chain(self) -> tuple[int, str, int]:
        """Where to go on: next sequence number, digest of the last line, torn bytes removed."""
        for path in reversed(files(self.folder)):
            content = path.read_bytes()
            whole = content.rfind(b"\n") + 1
            if whole < len(content):
                os.truncate(path, whole)
            if whole:
                last = content[:whole].splitlines()[-1]
                number = _ENTRY.decode(last).sequence + 1
                return number, hashlib.sha256(last).hexdigest(), len(content) - whole
        return 0, START, 0


def audit_folder(home: Path) -> Path:
    """Where a site's audit log lies."""
    return Path(home) / "gateway" / "audit"


def entries(home: Path, job: str = "") -> Iterator[Entry]:
    """All lines of a site, oldest first, or those of one job. Unreadable lines are left out:
    ``verify`` is what finds them."""
    for path in files(audit_folder(home)):
        with path.open("rb") as file:
            for line in file:
                try:
                    entry = _ENTRY.decode(line)
                except msgspec.DecodeError:
                    continue
                if job in ("", entry.job):
                    yield entry


def verify(home: Path) -> Verdict:
    """Follow the chain through all files. Cost: one SHA-256 of the whole log.

    A log whose oldest files were moved to an archive starts at a later record; that is no fault.
    """
    expected: str | None = None
    sequence, count = 0, 0
    days = files(audit_folder(home))
    for path in days:
        with path.open("rb") as file:
            for number, raw in enumerate(file, 1):
                line, where = raw.rstrip(b"\n"), f"{path.name}, line {number}"
                problem, found = _fault(line, expected, sequence)
                if problem:
                    return Verdict(
                        records=count,
                        files=len(days),
                        last=expected or START,
                        problem=f"{where}: {problem}",
                    )
                sequence, count = found + 1, count + 1
                expected = hashlib.sha256(line).hexdigest()
    return Verdict(records=count, files=len(days), last=expected or START)


def _fault(line: bytes, expected: str | None, sequence: int) -> tuple[str, int]:
    try:
        entry = _ENTRY.decode(line)
    except msgspec.DecodeError as error:
        return f"not an audit record ({error})", 0
    if expected is None:
        if entry.sequence == 0 and entry.previous != START:
            return "the first record does not start a chain", 0
        return "", entry.sequence
    if entry.previous != expected:
        return "does not hold the digest of the record before it: one of the two was changed", 0
    if entry.sequence != sequence:
        return f"record {entry.sequence} where {sequence} was due", 0
    return "", entry.sequence


def files(folder: Path) -> list[Path]:
    """The files of an audit log, oldest first."""
    return sorted(folder.glob(f"{_PREFIX}*.jsonl"))
