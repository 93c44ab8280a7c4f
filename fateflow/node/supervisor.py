"""One site's process tree: start, watch, restart, end.

``python -m fateflow.node.supervisor --home DIR`` reads ``<home>/settings.json`` and stays in the
foreground until SIGTERM or SIGINT. A child that dies is started again, after a pause that grows
while it keeps dying; children die with the supervisor even if it is killed.
"""

from __future__ import annotations

import argparse
import contextlib
import logging
import os
import signal
import subprocess
import time
from functools import partial
from pathlib import Path

import msgspec

from fateflow.lineage import end_with_parent
from fateflow.node.processes import Process, prepare, processes
from fateflow.settings import Settings

log = logging.getLogger(__name__)

WAKING = {signal.SIGCHLD, signal.SIGTERM, signal.SIGINT}
GRACE_S = 8.0
LOOK_AGAIN_S = 1.0
FIRST_PAUSE_S, LONGEST_PAUSE_S, STEADY_S = 0.1, 10.0, 30.0


class Supervised:
    """A child and its restarts."""

    def __init__(self, process: Process, log_folder: Path) -> None:
        self.process, self.log_folder = process, log_folder
        self.child: subprocess.Popen[bytes] | None = None
        self.started = 0.0
        self.pause_s = FIRST_PAUSE_S
        self.restart_at = 0.0

    def start(self) -> None:
        self.log_folder.mkdir(parents=True, exist_ok=True)
        with (self.log_folder / f"{self.process.name}.log").open("ab") as output:
            self.child = subprocess.Popen(
                self.process.command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                preexec_fn=partial(_begin, os.getpid()),  # noqa: PLW1509 (single-threaded here)
            )
        self.started = time.monotonic()
        log.info("started %s, pid %d", self.process.name, self.child.pid)

    def check(self, now: float) -> None:
        """Start the child again if it died, after its pause."""
        if self.child is None:
            if now >= self.restart_at:
                self._start_again(now)
            return
        code = self.child.poll()
        if code is None:
            return
        self.pause_s = (
            FIRST_PAUSE_S
            if now - self.started > STEADY_S
            else min(self.pause_s * 2, LONGEST_PAUSE_S)
        )
        self.restart_at = now + self.pause_s
        self.child = None
        log.warning(
            "%s ended with status %d; starting it again in %.1f s (see %s)",
            self.process.name,
            code,
            self.pause_s,
            self.log_folder / f"{self.process.name}.log",
        )

    def _start_again(self, now: float) -> None:
        """What keeps one child from starting, such as a full disk, must not end the others."""
        try:
            self.start()
        except OSError as error:
            self.pause_s = min(self.pause_s * 2, LONGEST_PAUSE_S)
            self.restart_at = now + self.pause_s
            log.warning(
                "%s cannot be started, trying again in %.1f s: %s",
                self.process.name,
                self.pause_s,
                error.strerror,
            )

    def end(self) -> None:
        if self.child and self.child.poll() is None:
            self.child.terminate()

    def wait(self, until: float) -> None:
        if self.child is None:
            return
        try:
            self.child.wait(timeout=max(0.1, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            log.warning("%s does not end; killing it", self.process.name)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.child.pid, signal.SIGKILL)
            self.child.wait()


def supervise(settings: Settings) -> None:
    """Run the site until SIGTERM or SIGINT, which the caller has blocked."""
    prepare(settings)
    pid_file = settings.run / "supervisor.pid"
    pid_file.write_text(str(os.getpid()))
    children = [Supervised(p, settings.logs / "fate_flow") for p in processes(settings)]
    try:
        taken, told = None, b""
        while taken is None or taken.si_signo == signal.SIGCHLD:
            now = time.monotonic()
            for child in children:
                child.check(now)
            pids = {c.process.name: c.child.pid for c in children if c.child}
            told = _tell(settings, msgspec.json.encode(pids), told)
            taken = signal.sigtimedwait(WAKING, _until_due(children, now))
    finally:
        until = time.monotonic() + GRACE_S
        for child in reversed(children):  # fateflow first: it must not see its workers die
            child.end()
            child.wait(until)
        pid_file.unlink(missing_ok=True)
        (settings.run / "processes.json").unlink(missing_ok=True)


def _until_due(children: list[Supervised], now: float) -> float:
    """How long nothing has to be done, unless a signal comes."""
    due = [child.restart_at - now for child in children if child.child is None]
    return min([LOOK_AGAIN_S, *(max(wait, 0.01) for wait in due)])


def _tell(settings: Settings, pids: bytes, told: bytes) -> bytes:
    """Write who runs, if it differs from what was told; what is told now. A full disk must not
    end the site: it is tried again."""
    if pids == told:
        return told
    draft = settings.run / ".processes.json"
    try:
        draft.write_bytes(pids)
        draft.rename(settings.run / "processes.json")
    except OSError as error:
        log.warning("cannot write %s: %s", settings.run / "processes.json", error.strerror)
        return told
    return pids


def _begin(parent: int) -> None:
    """In the child, before its program: it ends with the supervisor, and takes signals."""
    end_with_parent(signal.SIGTERM, parent)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--home", required=True, type=Path)
    home = parser.parse_args().home
    settings = msgspec.json.decode((home / "settings.json").read_bytes(), type=Settings)
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(message)s", force=True)
    run(settings)


def run(settings: Settings) -> None:
    """``supervise`` until a signal asks to end; signals are blocked and taken in turn."""
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.pthread_sigmask(signal.SIG_BLOCK, WAKING)
    supervise(settings)


if __name__ == "__main__":
    main()
