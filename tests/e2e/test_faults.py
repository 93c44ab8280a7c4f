"""What dies in the middle of a job, and what becomes of the job."""

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.conftest import vertical_job


@pytest.fixture
def site(rough_node):
    return rough_node


def tasks(node, job_id, component="hetero_lr_0"):
    rows = node.post("job/task/query", job_id=job_id, component_name=component).get("data") or []
    return {row["f_role"]: row for row in rows}


def until_running(node, job_id, component="hetero_lr_0"):
    """The component's tasks once all its parties have a worker."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = tasks(node, job_id, component)
        if found and all(
            t["f_party_status"] == "running" and t["f_run_pid"] for t in found.values()
        ):
            return found
        node.post("job/wait", job_id=job_id, timeout=1)
    raise AssertionError(f"{component} of {job_id} never ran: {found}")


def started(node, max_iter=15):
    """A job whose training takes a second or more, once it trains."""
    reply = node.submit(*vertical_job(max_iter=max_iter, slow=True))
    assert reply["retcode"] == 0, reply
    return reply["jobId"], until_running(node, reply["jobId"])


def versions(node, job_id):
    rows = node.post("job/task/query", job_id=job_id)["data"]
    return {(t["f_component_name"], t["f_role"]): t["f_task_version"] for t in rows}


def test_a_killed_worker_fails_the_job_everywhere_with_the_cause_and_rerun_completes_it(site):
    job_id, running = started(site)
    os.kill(running["host"]["f_run_pid"], signal.SIGKILL)
    assert site.wait(job_id) == "failed"
    for row in site.post("job/query", job_id=job_id)["data"]:
        assert row["f_status"] == "failed"
        for word in ("host", "10000", "hetero_lr_0", "signal 9"):
            assert word in row["f_reason"], row["f_reason"]
    alive = [t["f_run_pid"] for t in running.values() if is_alive(t["f_run_pid"])]
    assert not alive
    assert site.post("job/rerun", job_id=job_id)["retcode"] == 0
    assert site.wait(job_id) == "success"
    ran = versions(site, job_id)
    assert ran["intersection_0", "guest"] == 0  # what had succeeded was kept
    assert ran["hetero_lr_0", "guest"] == 1


def test_a_job_survives_the_server_being_killed_and_nothing_runs_twice(site):
    job_id, _ = started(site)
    site.kill("fateflow")
    assert wait_through_restart(site, job_id) == "success"
    assert set(versions(site, job_id).values()) == {0}


def test_a_job_survives_the_gateway_being_killed(site):
    job_id, _ = started(site)
    site.kill("gateway")
    assert site.wait(job_id) == "success"
    assert set(versions(site, job_id).values()) == {0}
    site.distaff("audit", "verify")


def test_a_job_survives_all_its_workers_being_killed_with_the_zygote(site):
    job_id, _ = started(site)
    site.kill("zygote")
    assert site.wait(job_id) == "success"
    ran = versions(site, job_id)
    assert (ran["intersection_0", "guest"], ran["hetero_lr_0", "guest"]) == (0, 1)


def test_a_stopped_job_ends_before_its_training_would_and_leaves_no_worker(site):
    job_id, running = started(site, max_iter=1000)
    assert site.post("job/stop", job_id=job_id)["retcode"] == 0
    assert site.wait(job_id) == "canceled"
    assert not [t for t in running.values() if is_alive(t["f_run_pid"])]
    shown = tasks(site, job_id).values()
    assert {(t["f_status"], t["f_party_status"]) for t in shown} == {("canceled", "canceled")}


def is_alive(pid):
    """Whether a process runs (a zombie does not)."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_through_restart(node, job_id):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        try:
            return node.wait(job_id)
        except (OSError, json.JSONDecodeError):
            continue  # the server is not back yet: the refused connection is the only pause
    raise AssertionError("the server did not come back")
