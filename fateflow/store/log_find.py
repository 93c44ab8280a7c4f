"""Searching the logs of jobs, in the words that are shown: whoever may not read an address may not
guess it either. What was searched is kept, so that the next match costs nothing."""

from __future__ import annotations

import re
import threading
from array import array
from bisect import bisect_left, bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal

from fateflow.errors import ArgumentError
from fateflow.store.line_index import LONGEST_LINE
from fateflow.store.logs import INDEXES, masked

LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
LONGEST_TEXT = 1000
KEPT = 8

_CHUNK = 1 << 20
_HEADING = re.compile(rf"\[({'|'.join(LEVELS)})\] ")
_NEAR_ADDRESS = re.compile(rb"\.\d{1,3}\.\d{1,3}\.\d")

Direction = Literal["next", "previous"]
Match = Callable[[Sequence[str]], list[int]]
"""Positions of the lines that match."""


@dataclass(frozen=True)
class Wanted:
    """``text`` in any case, or a regular expression as it is written; lines of ``level`` or worse,
    with those that go on from them. Without text: the first line of each such record."""

    text: str
    regex: bool = False
    level: str = ""


@dataclass(frozen=True)
class Found:
    """``number`` of the line, 0 if there is none; it is the ``ordinal``-th of ``count``."""

    number: int
    ordinal: int
    count: int


@dataclass(frozen=True)
class Scanned:
    """``hits``: positions of matches among the ``lines`` that were looked at; ``inside``: whether
    the last of them belongs to a record of the level that is sought."""

    hits: list[int]
    lines: int
    inside: bool


ScanElsewhere = Callable[[Path, int, int, Wanted, bool], Scanned]
"""``scan`` for regular expressions, in a process that has a matcher whose time is bounded."""


def find(
    path: Path, wanted: Wanted, start: int, direction: Direction, elsewhere: ScanElsewhere
) -> Found:
    """The first match after line ``start`` (0: of all), or the last one before it (0: of all).

    Raises ArgumentError.
    """
    _check(wanted)
    search = _kept(path, wanted)
    with search.lock:
        search.go_on(elsewhere)
        hits = search.hits
        if direction == "next":
            at = bisect_right(hits, start)
        else:
            at = (bisect_left(hits, start) if start else len(hits)) - 1
        if not 0 <= at < len(hits):
            return Found(0, 0, len(hits))
        return Found(hits[at], at + 1, len(hits))


def scan(
    path: Path, start: int, end: int, wanted: Wanted, inside: bool, match: Match | None = None
) -> Scanned:
    """Search the lines between two offsets. match: in place of the plain text."""
    match = match or _plain(wanted.text)
    hits: list[int] = []
    count = 0
    if start < end:
        with path.open("rb") as file:
            file.seek(start)
            for raw in _chunks(file, end - start):
                lines = _shown(raw)
                of_level, inside = _of_level(lines, wanted, inside)
                chosen = match(lines if of_level is None else [lines[at] for at in of_level])
                places = chosen if of_level is None else [of_level[at] for at in chosen]
                hits.extend(count + at for at in places)
                count += len(lines)
    return Scanned(hits, count, inside)


class _Search:
    """The matches in one file as far as it was searched."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.index, self.wanted = INDEXES.of(path), wanted
        self.lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self.generation = self.index.generation
        self.hits = array("I")
        self.lines = 0
        self.offset = -1
        self.inside = False

    def go_on(self, elsewhere: ScanElsewhere) -> None:
        """Search what was appended since; an expression is looked at even if nothing was."""
        self.index.refresh()
        if self.index.generation != self.generation:
            self._forget()
        end = self.index.whole
        if self.offset >= end:
            return
        within = elsewhere if self.wanted.regex and self.wanted.text else scan
        found = within(self.index.path, max(self.offset, 0), end, self.wanted, self.inside)
        self.hits.extend(self.lines + 1 + at for at in found.hits)
        self.lines += found.lines
        self.offset, self.inside = end, found.inside


_SEARCHES: OrderedDict[tuple[Path, Wanted], _Search] = OrderedDict()
_LOCK = threading.Lock()


def _kept(path: Path, wanted: Wanted) -> _Search:
    with _LOCK:
        search = _SEARCHES.pop((path, wanted), None) or _Search(path, wanted)
        _SEARCHES[path, wanted] = search
        while len(_SEARCHES) > KEPT:
            _SEARCHES.popitem(last=False)
        return search


def _check(wanted: Wanted) -> None:
    if wanted.level and wanted.level not in LEVELS:
        raise ArgumentError(f"unknown level; allowed: {', '.join(LEVELS)}, or none")
    if not wanted.text and not wanted.level:
        raise ArgumentError("give a text to find, or a level")
    if len(wanted.text) > LONGEST_TEXT:
        raise ArgumentError(f"the text to find is longer than {LONGEST_TEXT} characters")


def _plain(text: str) -> Match:
    """Lines with the text, in any case; all without one."""
    lowered = text.lower()
    return lambda lines: [at for at, line in enumerate(lines) if lowered in line.lower()]


def _of_level(lines: list[str], wanted: Wanted, inside: bool) -> tuple[list[int] | None, bool]:
    """Positions of lines that belong to a record of the level, None for all; and whether the
    last line does."""
    if not wanted.level:
        return None, inside
    least, found = LEVELS.index(wanted.level), []
    for at, line in enumerate(lines):
        heading = _HEADING.match(line) if line.startswith("[") else None
        if heading:
            inside = LEVELS.index(heading.group(1)) >= least
        if inside and (heading or wanted.text):
            found.append(at)
    return found, inside


def _chunks(file: BinaryIO, left: int) -> Iterator[bytes]:
    """Whole lines, about a mebibyte at a time; of a line longer than that only the start."""
    while left > 0:
        raw = file.read(min(_CHUNK, left))
        whole = raw.rfind(b"\n") + 1
        if whole:
            file.seek(whole - len(raw), 1)
            yield raw[:whole]
            left -= whole
            continue
        size = len(raw)
        while size < left and (more := file.readline(min(_CHUNK, left - size))):
            size += len(more)
            if more.endswith(b"\n"):
                break
        yield raw[:LONGEST_LINE] + b"\n"
        left -= max(size, 1)


def _shown(raw: bytes) -> list[str]:
    text = raw.decode("utf-8", "replace")
    if _NEAR_ADDRESS.search(raw):
        text = masked(text)
    lines = text.replace("\r\n", "\n").split("\n")[:-1]
    return (
        [line[:LONGEST_LINE] for line in lines]
        if len(max(lines, key=len)) > LONGEST_LINE
        else lines
    )
