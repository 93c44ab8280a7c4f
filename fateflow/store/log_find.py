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


def find(path: Path, wanted: Wanted, start: int, direction: Direction) -> Found:
    """The first match after line ``start`` (0: of all), or the last one before it (0: of all).

    Raises ArgumentError for a regular expression that is none.
    """
    _check(wanted)
    search = _kept(path, wanted)
    with search.lock:
        search.go_on()
        hits = search.hits
        if direction == "next":
            at = bisect_right(hits, start)
        else:
            at = (bisect_left(hits, start) if start else len(hits)) - 1
        if not 0 <= at < len(hits):
            return Found(0, 0, len(hits))
        return Found(hits[at], at + 1, len(hits))


class _Search:
    """The matches in one file as far as it was searched."""

    def __init__(self, path: Path, wanted: Wanted) -> None:
        self.index, self.wanted = INDEXES.of(path), wanted
        self.match = _matcher(wanted)
        self.least = LEVELS.index(wanted.level) if wanted.level else -1
        self.lock = threading.Lock()
        self._forget()

    def _forget(self) -> None:
        self.generation = self.index.generation
        self.hits = array("I")
        self.lines = self.offset = 0
        self.inside = False

    def go_on(self) -> None:
        """Search what was appended since."""
        self.index.refresh()
        if self.index.generation != self.generation:
            self._forget()
        end = self.index.whole
        if self.offset >= end:
            return
        with self.index.path.open("rb") as file:
            file.seek(self.offset)
            for raw, size in _chunks(file, end - self.offset):
                lines = _shown(raw)
                self.hits.extend(self.lines + 1 + at for at in self._matches(lines))
                self.lines += len(lines)
                self.offset += size

    def _matches(self, lines: list[str]) -> list[int]:
        if self.least < 0:
            return self.match(lines)
        of_level = self._of_level(lines)
        chosen = self.match([lines[at] for at in of_level])
        return [of_level[at] for at in chosen]

    def _of_level(self, lines: list[str]) -> list[int]:
        """Positions of lines that belong to a record of the level."""
        found = []
        for at, line in enumerate(lines):
            heading = _HEADING.match(line) if line.startswith("[") else None
            if heading:
                self.inside = LEVELS.index(heading.group(1)) >= self.least
            if self.inside and (heading or self.wanted.text):
                found.append(at)
        return found


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


def _matcher(wanted: Wanted) -> Match:
    if not wanted.text:
        return lambda lines: list(range(len(lines)))
    if wanted.regex:
        return _by_expression(wanted.text)
    text = wanted.text.lower()
    return lambda lines: [at for at, line in enumerate(lines) if text in line.lower()]


def _by_expression(pattern: str) -> Match:
    """Arrow's expressions (RE2) take time in proportion to the text, whatever the pattern is."""
    import pyarrow as pa
    import pyarrow.compute as pc

    def match(lines: Sequence[str]) -> list[int]:
        found = pc.match_substring_regex(pa.array(lines, pa.string()), pattern)
        return pc.indices_nonzero(found).to_pylist()  # type: ignore[no-any-return]

    try:
        match([""])
    except pa.ArrowInvalid as error:
        why = str(error).removeprefix("Invalid regular expression: ")
        raise ArgumentError(f"not a regular expression (RE2): {why}") from None
    return match


def _chunks(file: BinaryIO, left: int) -> Iterator[tuple[bytes, int]]:
    """Whole lines, about a mebibyte at a time, each with its size in the file; of a line longer
    than that only the start."""
    while left > 0:
        raw = file.read(min(_CHUNK, left))
        whole = raw.rfind(b"\n") + 1
        if whole:
            file.seek(whole - len(raw), 1)
            yield raw[:whole], whole
            left -= whole
            continue
        size = len(raw)
        while size < left and (more := file.readline(min(_CHUNK, left - size))):
            size += len(more)
            if more.endswith(b"\n"):
                break
        yield raw[:LONGEST_LINE] + b"\n", size
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
