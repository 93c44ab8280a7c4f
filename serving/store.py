"""What a serving keeps on disk, so that a restart, also after a kill, finds all of it again.

    <home>/serving/models/<digest of the key>/{about.json, model.json, kept_rows.json}
    <home>/serving/state.json      bindings and limits

Files are written aside, flushed and renamed: there is the old one or the new one, never a torn one.
Every model's digest is checked when it is read.
"""

from __future__ import annotations

import hashlib
import os
import shutil
from pathlib import Path

import msgspec

from serving.registry import Binding, ModelKey, Remote


class About(msgspec.Struct, frozen=True, kw_only=True):
    """Beside a model: who it is. sha256: of ``model.json``."""

    key: ModelKey
    role: str
    party_id: str
    remotes: tuple[Remote, ...]
    source: str
    sha256: str


class Kept(msgspec.Struct, frozen=True, kw_only=True):
    """A stored model. rows: its kept rows, b"" without."""

    about: About
    content: bytes
    rows: bytes


class State(msgspec.Struct, kw_only=True):
    """What is bound and limited. waiting: bindings whose models could not be restored."""

    waiting: list[Binding] = []
    bindings: list[Binding] = []
    rates: dict[str, float] = {}


_UNREADABLE = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


class Damaged(ValueError):
    """A stored file cannot be used: which one, and what to do."""


class Store:
    """The files of one serving. One process a home."""

    def __init__(self, root: Path) -> None:
        self.models, self.state_file = root / "models", root / "state.json"
        self.models.mkdir(parents=True, exist_ok=True, mode=0o700)
        for old in self.models.glob(".*.old"):  # a kill came between the two renames of ``put``
            folder = self.models / old.name[1 : -len(".old")]
            if not folder.exists():
                old.rename(folder)
        for left in self.models.glob(".*"):  # of a write that a kill cut short
            shutil.rmtree(left, ignore_errors=True)

    def put(self, about: About, content: bytes, rows: bytes = b"") -> None:
        """Keep a model; one that is there under the key is replaced."""
        folder = self._folder(about.key)
        draft = self.models / f".{folder.name}"
        shutil.rmtree(draft, ignore_errors=True)
        draft.mkdir(mode=0o700)
        for name, data in (
            ("about.json", msgspec.json.encode(about)),
            ("model.json", content),
            ("kept_rows.json", rows),
        ):
            _write(draft / name, data)
        _flush(draft)
        old = self.models / f".{folder.name}.old"
        shutil.rmtree(old, ignore_errors=True)
        if folder.exists():
            folder.rename(old)
        draft.rename(folder)
        _flush(self.models)
        shutil.rmtree(old, ignore_errors=True)

    def remove(self, key: ModelKey) -> None:
        shutil.rmtree(self._folder(key), ignore_errors=True)

    def all(self) -> tuple[list[Kept], list[str]]:
        """Every model that can be read, and what is wrong with the others, in words."""
        kept, problems = [], []
        for folder in sorted(path for path in self.models.iterdir() if path.is_dir()):
            try:
                kept.append(self._read(folder))
            except (OSError, *_UNREADABLE, Damaged) as error:
                problems.append(f"{folder}: {error}; load the model again with `flow model load`")
        return kept, problems

    def state(self) -> State:
        """Raises Damaged."""
        try:
            return msgspec.json.decode(self.state_file.read_bytes(), type=State)
        except FileNotFoundError:
            return State()
        except (OSError, *_UNREADABLE) as error:
            raise Damaged(f"{self.state_file}: {error}") from None

    def put_aside(self) -> str:
        """Keep a damaged state where nothing writes over it; what to tell of it."""
        aside = self.state_file.with_suffix(".damaged")
        self.state_file.rename(aside)
        return f"it is kept as {aside}; bind the services again"

    def write_state(self, state: State) -> None:
        draft = self.state_file.with_suffix(".draft")
        _write(draft, msgspec.json.format(msgspec.json.encode(state), indent=1))
        draft.rename(self.state_file)
        _flush(self.state_file.parent)

    def _read(self, folder: Path) -> Kept:
        about = msgspec.json.decode((folder / "about.json").read_bytes(), type=About)
        content = (folder / "model.json").read_bytes()
        if hashlib.sha256(content).hexdigest() != about.sha256:
            raise Damaged("the model does not have its digest")
        return Kept(about=about, content=content, rows=(folder / "kept_rows.json").read_bytes())

    def _folder(self, key: ModelKey) -> Path:
        digest = hashlib.sha256(f"{key.namespace}\n{key.table}".encode()).hexdigest()
        return self.models / digest[:32]


def _write(path: Path, data: bytes) -> None:
    with path.open("wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _flush(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
