"""What an operator does to a site, and what may happen to it."""

import contextlib
import json
import os
import select
import signal
import subprocess
import time
import urllib.request

import pytest

from tests.e2e.conftest import BIN, free_port, vertical_job


@pytest.fixture
def busy(rough_node):
    """A site, and a job of it that trains for a while."""
    dsl, conf = vertical_job(max_iter=15, slow=True)
    job_id = rough_node.submit(dsl, conf)["jobId"]
    while not any(
        task["f_component_name"] == "hetero_lr_0" and task["f_status"] == "running"
        for task in rough_node.post("job/task/query", job_id=job_id)["data"]
    ):
        rough_node.post("job/wait", job_id=job_id, timeout=2)
    return rough_node, job_id


def versions(node, job_id):
    tasks = node.post("job/task/query", job_id=job_id, role="guest")["data"]
    return {task["f_component_name"]: task["f_task_version"] for task in tasks}


def processes(home):
    """Processes whose command line names the home."""
    listed = subprocess.run(["ps", "axo", "args"], capture_output=True, text=True, check=True)
    return [line for line in listed.stdout.splitlines() if str(home) in line]


def wait_gone(pid):
    """Return when a process has ended."""
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        ended, _, _ = select.select([descriptor], [], [], 60)
        assert ended
    finally:
        os.close(descriptor)


def test_a_job_goes_on_after_down_and_up(busy):
    node, job_id = busy
    node.down()
    assert processes(node.home) == []
    node.up()
    assert node.wait(job_id) == "success"
    ran = versions(node, job_id)
    assert ran.pop("hetero_lr_0") == 1
    assert set(ran.values()) == {0}


def test_a_job_goes_on_after_its_supervisor_was_killed(busy):
    node, job_id = busy
    pid = int((node.home / "run" / "supervisor.pid").read_text())
    left = node.pids()
    os.kill(pid, signal.SIGKILL)
    for child in left.values():  # they end by themselves, and free their ports
        wait_gone(child)
    node.up()
    assert node.wait(job_id) == "success"


def test_one_home_is_not_started_twice(rough_node):
    command = [BIN / "distaff", "up", "-d", "--home", str(rough_node.home)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 1
    assert "up already" in done.stderr


def test_a_download_does_not_overwrite_the_site(rough_node):
    settings = rough_node.home / "settings.json"
    before = settings.read_bytes()
    asked = {"namespace": "e2e", "name": "guest", "output_path": str(settings)}
    reply = rough_node.post("data/download", **asked)
    assert reply["retcode"] != 0
    assert "home of the site" in reply["retmsg"]
    assert settings.read_bytes() == before


def board_page(node):
    with urllib.request.urlopen(
        f"http://127.0.0.1:{node.board_port}/index.html", timeout=5
    ) as reply:
        return reply.read().decode()


def test_the_board_is_part_of_the_site(rough_node):
    node, url = rough_node, f"http://127.0.0.1:{rough_node.board_port}"
    assert f"board: {url}\n" in node.told
    status = json.loads(node.distaff("status", "--output", "json"))
    assert status["board"] == url
    assert {row["process"]: row["state"] for row in status["processes"]}["board"] == "ok"
    page = {"host": "127.0.0.1", "port": node.board_port}
    assert node.post("info/fateboard")["data"] == page
    [job] = node.post("job/list/job", role="local", limit=1)["data"]["jobs"]
    [link] = node.post("job/url/get", job_id=job["job_id"])["data"]["board_url"]
    assert link.startswith(f"{url}/index.html#/dashboard?job_id={job['job_id']}")
    assert "<html" in board_page(node)


def test_a_board_that_was_killed_comes_back(rough_node):
    node = rough_node
    killed = node.pids()["board"]
    node.kill("board")
    wait_gone(killed)
    deadline = time.monotonic() + 60
    while True:
        with contextlib.suppress(OSError):
            assert "<html" in board_page(node)
            break
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert node.pids()["board"] != killed


def test_a_board_that_may_not_serve_others_says_so_and_the_site_runs(tmp_path):
    ports = ["--port", free_port(), "--gateway-port", free_port(), "--board-port", free_port()]
    command = [BIN / "distaff", "up", "-d", "--home", tmp_path / "site", "--host", "0.0.0.0"]
    done = subprocess.run(
        [*map(str, command), *map(str, ports)], capture_output=True, text=True, check=False
    )
    try:
        assert done.returncode == 0
        assert "no user may sign in" in done.stderr
        assert "jobs run without it" in done.stderr
    finally:
        subprocess.run([BIN / "distaff", "down", "--home", tmp_path / "site"], check=True)
