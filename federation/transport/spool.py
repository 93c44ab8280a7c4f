"""The gateway's messages as files: durable before anyone is told, found again after a restart.

    <folder>/drafts/            large payloads that workers put down before they announce them
    <folder>/<job>/<key>.in     arrived, or sent within this site: payload, then a record
    <folder>/<job>/<key>.taken  read by its receiver: the record alone, for duplicates
    <folder>/<job>/<key>.out    to be delivered to another site: payload, then a record
    <folder>/<job>/<key>.sent   delivered: the record alone
    <folder>/<job>/<key>.<digest>.part   arriving: as many bytes of the payload as there are

The record follows the payload so that the offset in the file is the offset in the payload and
nothing is copied to put it there. No fsync: the page cache survives a killed process, and after a
power cut the interrupted tasks run again under a new version.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

import msgspec

from federation.envelope import Envelope
from federation.token import identity_key

State = Literal["in", "taken", "out", "sent"]

_MAGIC = b"DISTAFF1"
_DRAFT_AGE_S = 3600.0


class Record(msgspec.Struct, frozen=True):
    """What is known of a message besides its bytes. mac: see ``token.message_mac``."""

    envelope: Envelope
    size: int
    sha256: bytes
    mac: bytes

    @property
    def key(self) -> str:
        return identity_key(self.envelope)


class Kept(msgspec.Struct):
    """A message in the spool, and where it stands.

    audited: its leaving is in the audit log. old: from before this gateway started.
    """

    record: Record
    state: State
    path: str
    audited: bool = False
    old: bool = False


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Record)


class Spool:
    """The files of one gateway. Not thread-safe: owned by the event loop."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.drafts = folder, folder / "drafts"
        self.drafts.mkdir(parents=True, exist_ok=True, mode=0o700)
        for draft in self.drafts.iterdir():
            if time.time() - draft.stat().st_mtime > _DRAFT_AGE_S:
                draft.unlink(missing_ok=True)

    def keep(self, record: Record, payload: bytes, state: State) -> Kept:
        """Write a small message whole, under a name that only whole files have."""
        path = self._path(record, state)
        draft = self.drafts / f"{record.key}.small"
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        try:
            _write_all(handle, payload + _footer(record))
        finally:
            os.close(handle)
        self._move(draft, path)
        return Kept(record, state, path)

    def adopt(self, record: Record, draft: Path, state: State) -> Kept:
        """Make a file that holds the payload a message; the file is moved, not copied.

        Raises FileNotFoundError if it is gone, ValueError if its size is not the announced one.
        """
        handle = os.open(draft, os.O_WRONLY | os.O_APPEND)
        try:
            found, footer = os.fstat(handle).st_size, _footer(record)
            if not record.size <= found <= record.size + len(footer):
                raise ValueError(f"{found} bytes put down, {record.size} announced")
            os.ftruncate(handle, record.size)  # a footer that a kill or a full disk cut short
            _write_all(handle, footer)
        finally:
            os.close(handle)
        path = self._path(record, state)
        self._move(draft, path)
        return Kept(record, state, path)

    def read(self, kept: Kept) -> bytes:
        with Path(kept.path).open("rb") as file:
            return file.read(kept.record.size)

    def release(self, kept: Kept, small: int) -> None:
        """The payload was taken or delivered. Payloads up to ``small`` bytes stay until the task
        ends (renaming is cheaper than rewriting); of larger ones only the record stays."""
        state: State = "taken" if kept.state == "in" else "sent"
        path = self._path(kept.record, state)
        if kept.record.size > small:
            self.keep(kept.record, b"", state)
            Path(kept.path).unlink(missing_ok=True)
        else:
            self._move(Path(kept.path), path)
        kept.state, kept.path = state, path

    def part(self, record: Record) -> Path:
        """Where the bytes of an arriving message are gathered. Same digest, same file."""
        folder = self.folder / record.envelope.job_id
        folder.mkdir(exist_ok=True, mode=0o700)
        path = folder / f"{record.key}.{record.sha256.hex()[:16]}.part"
        if path.exists() and path.stat().st_size > record.size:
            os.truncate(path, record.size)  # all was here: killed while it was made a message
        return path

    def scan(self, job_id: str) -> Iterator[Kept]:
        """What survived of a job. A file without a sound record is set aside as ``.broken``."""
        folder = self.folder / job_id
        if not folder.is_dir():
            return
        states: dict[str, State] = {".in": "in", ".taken": "taken", ".out": "out", ".sent": "sent"}
        for path in sorted(folder.iterdir()):
            state = states.get(path.suffix)
            if state is None:
                continue
            record = _read_record(path)
            if record is None:
                path.rename(path.with_suffix(".broken"))
            else:
                yield Kept(record, state, str(path), old=True)

    def free(self, kept: Kept) -> None:
        Path(kept.path).unlink(missing_ok=True)

    def free_job(self, job_id: str) -> None:
        shutil.rmtree(self.folder / job_id, ignore_errors=True)

    def jobs(self) -> list[str]:
        return [p.name for p in self.folder.iterdir() if p.is_dir() and p != self.drafts]

    def _path(self, record: Record, state: State) -> str:
        return f"{self.folder}/{record.envelope.job_id}/{record.key}.{state}"

    def _move(self, source: Path, target: str) -> None:
        try:
            os.rename(source, target)  # noqa: PTH104 (a string target: this is the hot path)
        except FileNotFoundError:
            Path(target).parent.mkdir(exist_ok=True, mode=0o700)
            source.rename(target)


def _footer(record: Record) -> bytes:
    body = _ENCODER.encode(record)
    return body + len(body).to_bytes(4, "little") + _MAGIC


def _read_record(path: Path) -> Record | None:
    tail = 4 + len(_MAGIC)
    with path.open("rb") as file:
        size = file.seek(0, os.SEEK_END)
        if size < tail:
            return None
        file.seek(size - tail)
        end = file.read(tail)
        length = int.from_bytes(end[:4], "little")
        if end[4:] != _MAGIC or length > size - tail:
            return None
        file.seek(size - tail - length)
        try:
            return _DECODER.decode(file.read(length))
        except msgspec.DecodeError:
            return None


def _write_all(handle: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(handle, view) :]
