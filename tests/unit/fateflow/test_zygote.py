"""The zygote: real forks, real signals; the work itself is a few lines chosen by folder name."""

import subprocess
import sys
import threading
import time

import pytest

from fateflow.scheduler.launcher import Zygote

PROGRAM = """
import os, sys, threading
from pathlib import Path
from fateflow.worker import zygote

def work(folder):
    name = Path(folder).name
    if name.startswith("exit"):
        return int(name[4:])
    if name == "raise":
        raise ValueError("a fault of the worker")
    if name == "family" and os.fork() == 0:
        threading.Event().wait()
    threading.Event().wait()

fork = os.fork

def limited():
    if Path(sys.argv[1] + ".full").exists():
        raise BlockingIOError(11, "Resource temporarily unavailable")
    return fork()

os.fork = limited
zygote._work = work
zygote.Zygote(Path(sys.argv[1])).serve()
"""


@pytest.fixture
def zygote(tmp_path):
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path / "z.sock")], stderr=subprocess.DEVNULL
    )
    yield Zygote(tmp_path / "z.sock", tmp_path / "tables"), process
    process.terminate()
    process.wait(60)


def watch(zygote):
    """Folders and exit codes as they come, and a way to wait for one."""
    seen, news = {}, threading.Condition()

    def on_exit(exited):
        with news:
            seen[exited.folder] = exited
            news.notify_all()

    def wait_for(folder):
        with news:
            assert news.wait_for(lambda: folder in seen, 60), f"{folder} never ended"
        return seen[folder]

    watching = threading.Event()
    zygote.on_watch(watching.set)
    zygote.on_exit(on_exit)
    assert watching.wait(60)
    return wait_for


def test_an_exit_status_is_told_with_what_the_worker_used(zygote):
    launcher, _ = zygote
    wait_for = watch(launcher)
    pid = launcher.launch("/jobs/exit3")
    exited = wait_for("/jobs/exit3")
    assert (exited.pid, exited.code) == (pid, 3)
    assert exited.peak_memory > 0


def test_a_worker_that_raises_does_not_return_into_the_zygote(zygote):
    launcher, process = zygote
    wait_for = watch(launcher)
    launcher.launch("/jobs/raise")
    assert wait_for("/jobs/raise").code == 70
    assert process.poll() is None


def test_killing_a_task_ends_its_whole_process_group(zygote):
    launcher, _ = zygote
    wait_for = watch(launcher)
    pid = launcher.launch("/jobs/family")
    assert launcher.alive() == {"/jobs/family": pid}
    launcher.kill("/jobs/family")
    assert wait_for("/jobs/family").code == -9
    assert launcher.alive() == {}
    assert not is_running(pid)


def test_killing_what_is_not_there_is_no_error(zygote):
    launcher, _ = zygote
    launcher.kill("/jobs/never")


def is_running(group):
    """Whether a process of the group runs; a zombie, where nobody reaps, is dead too."""
    found = subprocess.run(
        ["pgrep", "--runstates", "RSDI", "-g", str(group)], check=False, stdout=subprocess.DEVNULL
    )
    return found.returncode == 0


def test_workers_die_with_the_zygote(zygote):
    launcher, process = zygote
    pid = launcher.launch("/jobs/wait")
    process.kill()
    process.wait(60)
    deadline = time.monotonic() + 60
    while is_running(pid):
        assert time.monotonic() < deadline


def test_an_unknown_call_is_answered_with_an_error(zygote):
    launcher, _ = zygote
    with pytest.raises(RuntimeError):
        launcher.call("no_such_function")


def test_a_zygote_that_can_make_no_process_says_so_and_goes_on(zygote, tmp_path):
    client, _ = zygote
    client.launch("/tasks/lasting")
    full = tmp_path / "z.sock.full"
    full.touch()
    with pytest.raises(RuntimeError, match="Resource temporarily unavailable"):
        client.launch("/tasks/another")
    full.unlink()
    assert list(client.alive()) == ["/tasks/lasting"]


def test_workers_find_the_lattices_tables_made():
    program = """
from fateflow.worker import zygote
zygote.warm()
from federatedml.crypto import lattice, ntt
made = ntt.tables.cache_info().misses
lattice.keygen(lattice.parameters(64)), lattice.keygen(lattice.parameters(128))
print(made, ntt.tables.cache_info().misses)
"""
    said = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    assert said.stdout.split() == [b"2", b"2"]
