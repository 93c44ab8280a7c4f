"""fateflow's side of the zygote: start, end and watch workers, and call science."""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgspec

from fateflow.worker import spec

log = logging.getLogger(__name__)

_REPLY = msgspec.json.Decoder(spec.Reply)
RETRY_S = 0.2
GIVE_UP_S = 30.0
_ON_TABLES = frozenset({"export_csv", "preview", "drop_table", "link_table", "keep_rows"})


class ZygoteGone(RuntimeError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"the zygote does not answer at {path}; see `distaff status`")


class Zygote:
    """Implements ``fateflow.site.Launcher``. Every request is a connection of its own, so calls
    from several threads never wait for one another. A zygote that restarts is waited for."""

    def __init__(self, path: Path, tables: Path) -> None:
        self.path, self.tables = path, tables
        self._callbacks: list[Callable[[spec.Exited], None]] = []
        self._on_watch: list[Callable[[], None]] = []
        self._watching = False

    def launch(self, folder: str) -> int:
        reply = self._ask(spec.Launch(folder))
        if isinstance(reply, spec.Returned):
            raise RuntimeError(reply.error)
        assert isinstance(reply, spec.Launched)
        return reply.pid

    def kill(self, folder: str) -> None:
        self._ask(spec.Kill(folder))

    def alive(self) -> dict[str, int]:
        reply = self._ask(spec.ListWorkers())
        assert isinstance(reply, spec.Workers)
        return reply.alive

    def call(self, name: str, /, **arguments: Any) -> Any:
        """Run a function of ``fateflow.worker.calls``; table calls get this site's tables.

        Raises RuntimeError with the function's one-line error.
        """
        if name in _ON_TABLES:
            arguments.setdefault("tables", str(self.tables))
        reply = self._ask(spec.Call(name, arguments))
        assert isinstance(reply, spec.Returned)
        if reply.error:
            raise RuntimeError(reply.error)
        return reply.value

    def on_watch(self, callback: Callable[[], None]) -> None:
        self._on_watch.append(callback)

    def on_exit(self, callback: Callable[[spec.Exited], None]) -> None:
        self._callbacks.append(callback)
        if not self._watching:
            self._watching = True
            threading.Thread(target=self._watch, name="zygote-watch", daemon=True).start()

    def _ask(self, request: spec.Request) -> spec.Reply:
        with self._connect() as connection:
            connection.sendall(msgspec.json.encode(request) + b"\n")
            with connection.makefile("rb") as lines:
                line = lines.readline()
        if not line:
            raise ZygoteGone(self.path)
        reply: spec.Reply = _REPLY.decode(line)
        return reply

    def _connect(self) -> socket.socket:
        deadline = time.monotonic() + GIVE_UP_S
        while True:
            connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
            try:
                connection.connect(str(self.path))
            except (FileNotFoundError, ConnectionRefusedError):
                connection.close()
                if time.monotonic() > deadline:
                    raise ZygoteGone(self.path) from None
                time.sleep(RETRY_S)
            else:
                return connection

    def _watch(self) -> None:
        while True:
            try:
                self._watch_once()
            except (OSError, ZygoteGone, msgspec.DecodeError):
                log.warning("lost sight of the zygote; looking for it again")
            time.sleep(RETRY_S)

    def _watch_once(self) -> None:
        with self._connect() as connection:
            connection.sendall(msgspec.json.encode(spec.Watch()) + b"\n")
            self._announce()
            with connection.makefile("rb") as lines:
                for line in lines:
                    reply = _REPLY.decode(line)
                    if isinstance(reply, spec.Exited):
                        self._tell(reply)

    def _announce(self) -> None:
        for callback in self._on_watch:
            try:
                callback()
            except Exception:
                log.exception("a reader could not look for workers that went unseen")

    def _tell(self, exited: spec.Exited) -> None:
        for callback in self._callbacks:
            try:
                callback(exited)
            except Exception:  # one reader's fault must not blind the others
                log.exception("a reader of worker exits failed")
