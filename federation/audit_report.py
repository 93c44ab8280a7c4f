"""What the audit log of a site says about one job, without reading the rest of a large log.

A job's lines are found by their text, day files before it are not opened, and what was read of a
job is kept: the next report reads only what was appended since.
"""

from __future__ import annotations

import hashlib
import mmap
import re
import threading
import time
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path

import msgspec

from federation.audit import Entry, audit_folder, files

MOST_SUMS = 10_000
"""Lines of a report: a peer may be refused for as many reasons as it likes."""

_HEAD = re.compile(rb'\{"sequence":(\d+),"previous":"([0-9a-f]{64})"')
_ENTRY = msgspec.json.Decoder(Entry)
_NAMES = ("component", "message", "direction", "src", "dst", "kind", "reveals", "result")

Place = tuple[str, int]
"""A file's name and an offset in it; names of day files sort by time."""


class ReportLine(msgspec.Struct, frozen=True, kw_only=True):
    """What one message of a job amounts to between one pair, as ``distaff audit report`` shows."""

    component: str
    message: str
    direction: str
    src: str
    dst: str
    kind: str
    reveals: str
    result: str
    count: int
    size: int = msgspec.field(name="bytes")


class Report(msgspec.Struct, frozen=True, kw_only=True):
    """``unbroken``: the hash chain holds from the line before the job's first one to the line
    after its last one, where there are such."""

    lines: list[ReportLine]
    unbroken: bool


def report(home: Path, job: str, first_day: str = "", last_day: str = "") -> Report:
    """What left and entered this site for a job, summed by message, pair and outcome.

    first_day, last_day: ``YYYY-MM-DD`` (UTC) of the files that may hold the job; "" is no bound.
    """
    reading = _Reading(home, job, first_day)
    reading.go_on(last_day)
    return reading.report()


def seen_by(lines: list[ReportLine], party: str) -> list[ReportLine]:
    """The lines of one ``role party``: what it sent and what it got. A site that hosts several
    logs a message between them twice, once for each."""
    own = {"out": "src", "in": "dst"}
    return [x for x in lines if not x.direction or getattr(x, own[x.direction]) == party]


class Reports:
    """Reports of the jobs asked for last. Thread-safe.

    Each is read anew after ``fresh_s``, so that a change of what was read before shows.
    """

    def __init__(self, kept: int = 32, fresh_s: float = 300.0) -> None:
        self._kept, self._fresh_s = kept, fresh_s
        self._lock = threading.Lock()
        self._readings: OrderedDict[tuple[Path, str, str], _Reading] = OrderedDict()

    def of(self, home: Path, job: str, first_day: str = "", last_day: str = "") -> Report:
        """As ``report``."""
        key = (home, job, first_day)
        with self._lock:
            reading = self._readings.pop(key, None)
            if reading is None or time.monotonic() - reading.began > self._fresh_s:
                reading = _Reading(home, job, first_day)
            self._readings[key] = reading
            while len(self._readings) > self._kept:
                self._readings.popitem(last=False)
        with reading.lock:
            reading.go_on(last_day)
            return reading.report()


class _Reading:
    """How far the lines of a job have been read: all before ``searched`` were looked through, all
    from the job's first to ``at`` were checked and counted."""

    def __init__(self, home: Path, job: str, first_day: str) -> None:
        self.folder, self.job = audit_folder(home), job
        self.needle = b'"job":' + msgspec.json.encode(job)
        self.first = f"audit-{first_day}" if first_day else ""
        self.lock = threading.Lock()
        self.began = time.monotonic()
        self._forget()

    def _forget(self) -> None:
        self.sums: dict[tuple[str, ...], list[int]] = {}
        self.searched: Place = ("", 0)
        self.at: Place | None = None
        self.expected, self.sequence = b"", -1
        self.unbroken, self.owes_check = True, False

    def report(self) -> Report:
        lines = [
            msgspec.convert(
                {**dict(zip(_NAMES, key, strict=True)), "count": count, "bytes": size}, ReportLine
            )
            for key, (count, size) in self.sums.items()
        ]
        return Report(lines=lines, unbroken=self.unbroken)

    def go_on(self, last_day: str) -> None:
        """Read what was appended, in the files up to ``last_day``."""
        last = f"audit-{last_day}.jsonl" if last_day else "~"
        paths = [path for path in files(self.folder) if self.first <= path.name <= last]
        if self._was_replaced(paths):
            self._forget()
        end = self._search(paths)
        if self.at is not None and (end or self.owes_check):
            self._check(paths, end or self.at)

    def _was_replaced(self, paths: list[Path]) -> bool:
        """Whether a file that was read is gone or shorter."""
        sizes = {path.name: path.stat().st_size for path in paths}
        read = [place for place in (self.searched, self.at) if place and place[0]]
        return any(sizes.get(name, -1) < offset for name, offset in read)

    def _search(self, paths: list[Path]) -> Place | None:
        """Where the last line of the job ends among those not searched yet; None without any."""
        found = None
        for path in paths:
            if path.name < self.searched[0]:
                continue
            start = self.searched[1] if path.name == self.searched[0] else 0
            with _mapped(path) as content:
                whole = content.rfind(b"\n") + 1
                first = content.find(self.needle, start, whole)
                if first >= 0:
                    last = content.rfind(self.needle, start, whole)
                    found = path.name, content.find(b"\n", last) + 1
                    if self.at is None:
                        self.at = path.name, _line_before(content, first)
            self.searched = path.name, max(whole, start)
        return found

    def _check(self, paths: list[Path], end: Place) -> None:
        """Count the job's lines up to ``end``, and follow the chain to the line after it."""
        assert self.at is not None
        self.owes_check = True
        for place, line in _lines(paths, self.at):
            self._follow(line)
            beyond, self.at = self.at >= end, place
            if own := self.needle in line:
                self._count(line)
            if beyond:
                self.owes_check = own  # it came while this was read
                return

    def _follow(self, line: bytes) -> None:
        head = _HEAD.match(line)
        number = int(head.group(1)) if head else -1
        due = self.sequence < 0 or (number, head and head.group(2)) == (
            self.sequence + 1,
            self.expected,
        )
        self.unbroken &= head is not None and due
        self.sequence = number
        self.expected = hashlib.sha256(line).hexdigest().encode()

    def _count(self, line: bytes) -> None:
        try:
            entry = _ENTRY.decode(line)
        except msgspec.DecodeError:
            self.unbroken = False
            return
        if entry.job != self.job or entry.what == "log":
            return
        key = tuple(getattr(entry, name) for name in _NAMES)
        if key not in self.sums and len(self.sums) >= MOST_SUMS:
            key = (*key[:3], "", "", "", "", "others, beyond what a report holds")
        total = self.sums.setdefault(key, [0, 0])
        total[0] += 1
        total[1] += entry.size


def _line_before(content: mmap.mmap | bytes, position: int) -> int:
    """Where the line before the one at ``position`` starts; that one's own start if it is first."""
    own = content.rfind(b"\n", 0, position)
    return 0 if own < 0 else content.rfind(b"\n", 0, own) + 1


def _lines(paths: list[Path], start: Place) -> Iterator[tuple[Place, bytes]]:
    """Whole lines from ``start`` on, each with the place after it."""
    for path in paths:
        if path.name < start[0]:
            continue
        offset = start[1] if path.name == start[0] else 0
        with path.open("rb") as file:
            file.seek(offset)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                offset += len(line)
                yield (path.name, offset), line[:-1]


class _mapped:  # noqa: N801 (a context manager, used as a function)
    """A file's bytes without a copy in memory; an empty file cannot be mapped."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __enter__(self) -> mmap.mmap | bytes:
        with self.path.open("rb") as file:
            empty = file.seek(0, 2) == 0
            self.content = b"" if empty else mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        return self.content

    def __exit__(self, *_: object) -> None:
        if isinstance(self.content, mmap.mmap):
            self.content.close()
