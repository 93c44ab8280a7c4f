"""The warm parent of all workers: the science imported once, a worker a fork away.

A worker is a process group of its own, killed as a whole, and dies with the zygote. The zygote
runs one thread, opens no database and speaks to nobody but fateflow, over a Unix socket: one JSON
object a line (``fateflow.worker.spec``).
"""

from __future__ import annotations

import argparse
import contextlib
import gc
import importlib
import logging
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import msgspec

from fateflow.lineage import end_with_parent
from fateflow.worker import spec

log = logging.getLogger(__name__)


@dataclass(eq=False)
class Client:
    """A connection of fateflow."""

    socket: socket.socket
    unread: bytes = b""
    watches: bool = False


@dataclass
class Child:
    """A fork: a worker (with a folder) or a call (with the client that waits for its reply)."""

    pid: int
    folder: str = ""
    caller: Client | None = None
    killers: list[Client] = field(default_factory=list)


class Zygote:
    def __init__(self, path: Path) -> None:
        self.path = path
        self.children: dict[int, Child] = {}
        self.clients: set[Client] = set()
        self.selector = selectors.DefaultSelector()
        self.decoder = msgspec.json.Decoder(spec.Request)
        self.stopping = False
        self.pid = os.getpid()

    def serve(self) -> None:
        """Answer until SIGTERM; then end every worker."""
        listener = self._listen()
        wake_read, wake_write = os.pipe()
        os.set_blocking(wake_write, False)
        signal.set_wakeup_fd(wake_write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.signal(signal.SIGTERM, self._stop)
        signal.signal(signal.SIGINT, self._stop)
        self.selector.register(listener, selectors.EVENT_READ, "listener")
        self.selector.register(wake_read, selectors.EVENT_READ, "signal")
        while not self.stopping:
            for key, _ in self.selector.select():
                if key.data == "listener":
                    self._accept(listener)
                elif key.data == "signal":
                    os.read(wake_read, 4096)
                    self._reap()
                else:
                    self._read(key.data)
        for child in list(self.children.values()):
            _kill_group(child.pid)
        self.path.unlink(missing_ok=True)

    def _listen(self) -> socket.socket:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.unlink(missing_ok=True)
        listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        listener.bind(str(self.path))
        self.path.chmod(0o600)
        listener.listen(64)
        return listener

    def _stop(self, *_: Any) -> None:
        self.stopping = True

    def _accept(self, listener: socket.socket) -> None:
        connection, _ = listener.accept()
        client = Client(connection)
        self.clients.add(client)
        self.selector.register(connection, selectors.EVENT_READ, client)

    def _read(self, client: Client) -> None:
        try:
            received = client.socket.recv(1 << 20)
        except OSError:
            received = b""
        if not received:
            self._drop(client)
            return
        *lines, client.unread = (client.unread + received).split(b"\n")
        for line in lines:
            try:
                self._obey(client, self.decoder.decode(line))
            except msgspec.DecodeError as error:
                self._reply(client, spec.Returned(error=f"not a request: {error}"))
            except OSError as error:  # no room for one more process: those that run go on
                log.exception("a request cannot be obeyed")
                why = f"no process could be started: {error.strerror}"
                self._reply(client, spec.Returned(error=why))

    def _obey(self, client: Client, request: spec.Request) -> None:
        match request:
            case spec.Launch(folder):
                pid = self._fork(lambda: _work(folder), client)
                self.children[pid] = Child(pid, folder)
                self._reply(client, spec.Launched(folder, pid))
            case spec.Call(name, arguments):
                pid = self._fork(lambda: _call(client.socket, name, arguments), client)
                self.children[pid] = Child(pid, caller=client)
            case spec.Kill(folder):
                self._kill(client, folder)
            case spec.ListWorkers():
                alive = {c.folder: c.pid for c in self.children.values() if c.folder}
                self._reply(client, spec.Workers(alive))
            case spec.Watch():
                client.watches = True
                self._reply(client, spec.Done())

    def _fork(self, body: Any, keep: Client) -> int:
        pid = os.fork()
        if pid:
            with contextlib.suppress(OSError):  # the child does it too: whoever is first
                os.setpgid(pid, pid)
            return pid
        try:
            _become_worker(self.pid)
            self.selector.close()
            for client in self.clients - {keep}:
                client.socket.close()
            os._exit(body())
        except BaseException:  # noqa: BLE001 (nothing may return into the parent's loop)
            sys.excepthook(*sys.exc_info())
            sys.stderr.flush()
        finally:
            os._exit(70)

    def _kill(self, client: Client, folder: str) -> None:
        child = next((c for c in self.children.values() if c.folder == folder), None)
        if child is None:
            self._reply(client, spec.Done())
            return
        child.killers.append(client)
        _kill_group(child.pid)

    def _reap(self) -> None:
        while True:
            try:
                pid, status, used = os.wait4(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            child = self.children.pop(pid, None)
            if child:
                self._bury(child, os.waitstatus_to_exitcode(status), used)

    def _bury(self, child: Child, code: int, used: Any) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(child.pid, signal.SIGKILL)  # what the worker left behind in its group
        if child.caller and code != 0:
            self._reply(child.caller, spec.Returned(error=f"the call ended with status {code}"))
        for killer in child.killers:
            self._reply(killer, spec.Done())
        if child.folder:
            cpu = used.ru_utime + used.ru_stime
            exited = spec.Exited(child.folder, child.pid, code, cpu, used.ru_maxrss * 1024)
            for client in [c for c in self.clients if c.watches]:
                self._reply(client, exited)

    def _reply(self, client: Client, reply: spec.Reply) -> None:
        try:
            client.socket.sendall(msgspec.json.encode(reply) + b"\n")
        except OSError:
            self._drop(client)

    def _drop(self, client: Client) -> None:
        if client in self.clients:
            self.clients.discard(client)
            self.selector.unregister(client.socket)
            client.socket.close()


def _become_worker(parent: int) -> None:
    """A process group of its own, default signals, ended by the kernel if the zygote dies."""
    os.setpgid(0, 0)
    end_with_parent(signal.SIGKILL, parent)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.SIG_DFL)


def _work(folder: str) -> int:
    from fateflow.worker import main

    return main.run(folder)


def _call(client: socket.socket, name: str, arguments: dict[str, Any]) -> int:
    from fateflow.worker.calls import CALLS

    try:
        reply = spec.Returned(CALLS[name](**arguments))
    except Exception as error:  # noqa: BLE001 (the border of a call)
        reply = spec.Returned(error=f"{type(error).__name__}: {error}")
    client.sendall(msgspec.json.encode(reply) + b"\n")
    return 0


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(pid, signal.SIGKILL)


def warm() -> None:
    """Import what a worker may need, make its tables, and keep all out of the collector's way."""
    importlib.import_module("fateflow.worker.main")
    importlib.import_module("fateflow.worker.calls")
    importlib.import_module("federatedml.catalog").catalog()
    importlib.import_module("federatedml.crypto.lattice").warm()
    # pyarrow imports pandas, if it is there, with the first array it makes: 0.2 s for every worker.
    with contextlib.suppress(ModuleNotFoundError):
        importlib.import_module("pandas")
    importlib.import_module("pyarrow.pandas_compat")
    gc.collect()
    gc.freeze()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--socket", required=True, type=Path)
    arguments = parser.parse_args()
    logging.basicConfig(level="INFO", stream=sys.stderr)
    warm()
    Zygote(arguments.socket).serve()


if __name__ == "__main__":
    main()
