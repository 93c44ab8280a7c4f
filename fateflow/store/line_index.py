"""Where the lines of a growing log are: counted once, and from then on only what was appended.

Of each 64 KiB of a file only the number of line ends is kept, so a log of a gigabyte costs 128 KiB
of memory, and any line of it is one read away.
"""

from __future__ import annotations

import os
import threading
import time
from array import array
from bisect import bisect_left
from collections import OrderedDict
from pathlib import Path
from typing import BinaryIO

BLOCK = 1 << 16
LONGEST_LINE = 16_384
"""Bytes of a line that are shown; a file without line ends must not fill the memory."""

_SETTLED_S = 2.0
"""A line without an end counts once nobody has written for this long: its writer was killed."""
_PROBE = 64


class LineIndex:
    """The lines of one file. Thread-safe. ``generation`` changes when the file was replaced, cut
    short or written anew; what was known of its lines is void then."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.generation = 0
        self._lock = threading.Lock()
        self._forget(None)

    def _forget(self, identity: tuple[int, int] | None) -> None:
        self.generation += 1
        self._identity = identity
        self._stamp = (-1, -1)
        self._ends = array("Q")  # line ends up to the end of each whole block
        self._newlines = self._size = 0
        self._whole = 0  # where the last line that has an end, ends
        self._probe = b""  # the bytes before _size, to notice that they are others now
        self._rest_counts = False

    def refresh(self) -> int:
        """Look at the file again; how many lines there are, 0 without a file."""
        with self._lock:
            try:
                with self.path.open("rb") as file:
                    self._look(file, os.fstat(file.fileno()))
            except FileNotFoundError:
                if self._identity is not None:
                    self._forget(None)
            return self._newlines + self._rest_counts

    @property
    def whole(self) -> int:
        """Bytes of the lines that have an end."""
        return self._whole

    def read(self, begin: int, end: int) -> list[tuple[int, str]]:
        """Lines ``begin`` to ``end``, counted from 1, both included, as they are now."""
        end = min(end, self.refresh())
        begin = max(begin, 1)
        if begin > end:
            return []
        try:
            with self.path.open("rb") as file:
                file.seek(self._start(file, begin))
                return [(number, _line(file)) for number in range(begin, end + 1)]
        except FileNotFoundError:
            return []

    def _look(self, file: BinaryIO, found: os.stat_result) -> None:
        identity, stamp = (found.st_dev, found.st_ino), (found.st_size, found.st_mtime_ns)
        if (
            identity != self._identity
            or found.st_size < self._size
            or (stamp != self._stamp and self._probe != _before(file, self._size))
        ):
            self._forget(identity)
        if stamp != self._stamp:
            self._append(file)
            self._probe, self._stamp = _before(file, self._size), stamp
        self._rest_counts = self._whole < self._size and time.time() - found.st_mtime > _SETTLED_S

    def _append(self, file: BinaryIO) -> None:
        file.seek(self._size)
        while chunk := file.read(BLOCK - self._size % BLOCK):
            self._newlines += chunk.count(b"\n")
            if (last := chunk.rfind(b"\n")) >= 0:
                self._whole = self._size + last + 1
            self._size += len(chunk)
            if self._size % BLOCK == 0:
                self._ends.append(self._newlines)

    def _start(self, file: BinaryIO, number: int) -> int:
        """Where a line starts: after the end of the one before it."""
        before = number - 1
        if before == 0:
            return 0
        with self._lock:
            block = bisect_left(self._ends, before)
            left = before - (self._ends[block - 1] if block else 0)
        file.seek(block * BLOCK)
        content, position = file.read(BLOCK), -1
        for _ in range(left):
            position = content.find(b"\n", position + 1)
        return block * BLOCK + position + 1


class LineIndexes:
    """The indexes of the files read last. Thread-safe."""

    def __init__(self, kept: int = 256) -> None:
        self._kept = kept
        self._lock = threading.Lock()
        self._found: OrderedDict[Path, LineIndex] = OrderedDict()

    def of(self, path: Path) -> LineIndex:
        with self._lock:
            index = self._found.pop(path, None) or LineIndex(path)
            self._found[path] = index
            while len(self._found) > self._kept:
                self._found.popitem(last=False)
            return index


def _before(file: BinaryIO, offset: int) -> bytes:
    start = max(0, offset - _PROBE)
    file.seek(start)
    return file.read(offset - start)


def _line(file: BinaryIO) -> str:
    """The next line, cut where it is too long."""
    raw = rest = file.readline(LONGEST_LINE)
    while rest and not rest.endswith(b"\n"):
        rest = file.readline(BLOCK)
    return raw.decode("utf-8", "replace").rstrip("\r\n")
