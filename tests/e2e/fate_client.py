"""The real fate-client 1.11.3, unchanged, in a virtual environment of its own.

Its `init` commands write into its own packages, so every session runs on a copy of those: neither
a user's fate-client nor another run of the tests is touched.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from tests.e2e.conftest import Node

VERSION = "1.11.3.post1"
CACHED = Path.home() / ".cache" / "distaff" / "fate-client-1.11.3"
INSTALL_S = 540


class NotInstallable(Exception):
    """The client is neither cached nor to be had; says why."""


@dataclass
class FateClient:
    """Runs `flow`, `pipeline` and scripts of the client's interpreter in a folder."""

    bin: Path
    folder: Path
    environment: dict[str, str]

    def run(self, program: str, *arguments: object, status: int = 0) -> str:
        """stdout of a command; AssertionError unless it ends with the status."""
        done = subprocess.run(
            [self.bin / program, *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=110,
        )
        assert done.returncode == status, (arguments, done.stdout[-3000:], done.stderr[-3000:])
        return done.stdout

    def flow(self, *arguments: object) -> dict:
        """The JSON that a `flow` command printed."""
        printed = self.forked("flow", *arguments)
        return json.loads(printed[printed.index("{") :])

    def forked(self, program: str, *arguments: object) -> str:
        """As ``run``, without waiting for imports again; the client has to be set up before."""
        told = [self.folder.parent / name for name in ("stdout", "stderr")]
        asked = [str(self.bin / program), [str(one) for one in arguments], *map(str, told)]
        self._forks.stdin.write(json.dumps(asked) + "\n")
        self._forks.stdin.flush()
        status = self._forks.stdout.readline()
        stdout, stderr = (file.read_text() for file in told)
        assert status == "0\n", (arguments, status, stdout[-3000:], stderr[-3000:])
        return stdout

    def close(self) -> None:
        if "_forks" in vars(self):
            self._forks.communicate(timeout=60)  # which closes its input: it ends

    @cached_property
    def _forks(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [self.bin / "python", Path(__file__).with_name("fate_client_forks.py")],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def json_file(self, name: str, content: object) -> str:
        (self.folder / name).write_text(json.dumps(content))
        return name


def installed() -> Path:
    """The cached environment, made the first time. Raises NotInstallable."""
    CACHED.parent.mkdir(parents=True, exist_ok=True)
    complete = CACHED / "complete"
    with (CACHED.parent / "fate-client.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not complete.exists():
            shutil.rmtree(CACHED, ignore_errors=True)
            subprocess.run([sys.executable, "-m", "venv", CACHED], check=True, timeout=INSTALL_S)
            done = subprocess.run(
                [CACHED / "bin" / "pip", "install", "-q", "--disable-pip-version-check",
                 f"fate-client=={VERSION}", "setuptools"],
                capture_output=True, text=True, check=False, timeout=INSTALL_S,
            )  # fmt: skip
            if done.returncode:
                shutil.rmtree(CACHED, ignore_errors=True)
                why = (done.stderr.strip().splitlines() or ["pip said nothing"])[-1]
                raise NotInstallable(f"fate-client {VERSION} is not cached, and pip says: {why}")
            complete.touch()
    return CACHED


def fresh(environment: Path, folder: Path) -> FateClient:
    """A client that is not set up for any server, with a home and a working folder of its own."""
    (packages,) = environment.glob("lib/python*/site-packages")
    for name in ("flow_client", "flow_sdk", "pipeline"):
        shutil.copytree(packages / name, folder / "packages" / name)
    for name in ("home", "work"):
        (folder / name).mkdir()
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DISTAFF"))}
    own = {"PYTHONPATH": str(folder / "packages"), "HOME": str(folder / "home")}
    return FateClient(environment / "bin", folder / "work", {**kept, **own})


def until(node: Node, job_id: str, component: str, status: str, limit_s: float = 60) -> None:
    """Wait by long polls until a component has a state."""
    deadline, stamp = time.monotonic() + limit_s, ""
    while time.monotonic() < deadline:
        told = node.post("job/wait", job_id=job_id, since=stamp, timeout=5)["data"]
        stamp = told["stamp"]
        states = {c["component_name"]: c["status"] for c in told["components"]}
        if states.get(component) == status:
            return
    raise AssertionError(f"{component} of {job_id} did not become {status}: {states}")
