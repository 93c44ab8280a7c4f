"""The supervisor's children: restarted when they die, ended when it ends."""

import sys
import time

import pytest

from fateflow.node import processes, supervisor
from fateflow.node.supervisor import FIRST_PAUSE_S, Supervised
from fateflow.settings import Settings


class Script(processes.Process):
    @property
    def command(self):
        return [sys.executable, "-c", self.module]


@pytest.fixture
def child(tmp_path):
    made = []

    def start(code):
        supervised = Supervised(Script("child", code, ()), tmp_path)
        supervised.start()
        made.append(supervised)
        return supervised

    yield start
    for supervised in made:
        supervised.end()
        supervised.wait(time.monotonic() + 60)


def test_a_child_that_dies_is_started_again_after_a_pause_that_grows(child):
    supervised = child("raise SystemExit(3)")
    supervised.child.wait(60)
    now = time.monotonic()
    supervised.check(now)
    assert supervised.child is None
    assert supervised.pause_s == 2 * FIRST_PAUSE_S
    supervised.check(now)  # too early
    assert supervised.child is None
    supervised.check(now + supervised.pause_s)
    assert supervised.child is not None
    supervised.child.wait(60)
    supervised.check(time.monotonic())
    assert supervised.pause_s == 4 * FIRST_PAUSE_S


def test_the_supervisor_sleeps_until_the_next_child_is_due(child):
    alive, dead = child("import threading; threading.Event().wait()"), child("raise SystemExit(3)")
    assert supervisor._until_due([alive, dead], time.monotonic()) == supervisor.LOOK_AGAIN_S
    dead.child.wait(60)
    now = time.monotonic()
    dead.check(now)
    assert supervisor._until_due([alive, dead], now) == pytest.approx(2 * FIRST_PAUSE_S)
    assert 0 < supervisor._until_due([alive, dead], now + 60) < FIRST_PAUSE_S


def test_a_child_that_cannot_be_started_is_tried_again_later(child, monkeypatch):
    supervised = child("raise SystemExit(3)")
    supervised.child.wait(60)
    now = time.monotonic()
    supervised.check(now)

    def full(*_, **__):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr(supervisor.subprocess, "Popen", full)
        supervised.check(now + 1)
    assert supervised.child is None
    supervised.check(now + 1 + supervised.pause_s)
    assert supervised.child is not None


def test_a_child_that_does_not_end_is_killed(child):
    supervised = child(
        "import signal, threading\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "print('ready', flush=True)\n"
        "threading.Event().wait()"
    )
    log = supervised.log_folder / "child.log"
    while "ready" not in log.read_text():
        assert supervised.child.poll() is None
    supervised.end()
    supervised.wait(time.monotonic() + 0.1)
    assert supervised.child.returncode == -9


def test_a_site_that_is_down_says_what_does_not_answer(tmp_path):
    settings = Settings(home=str(tmp_path), port=1, board_port=2)
    states = processes.health(settings)
    assert set(states) == {"zygote", "gateway", "fateflow", "board"}
    assert all("no answer" in state for state in states.values())
    assert not processes.is_well(settings)
