"""Whole jobs through the scheduler, with played workers and a clock that is set by hand."""

from __future__ import annotations

import contextlib
import sqlite3

import farm
import pytest
from farm import ARBITER, GUEST, HOST, finish, folders, job, run, statuses, submit, turns, versions
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fateflow.errors import NotThere, PeerError, Refused
from fateflow.scheduler import control
from fateflow.wire import control as wire
from fateflow.worker import spec

ANOTHER = "202401010000000000020"


@pytest.fixture
def clock():
    return farm.Clock()


@pytest.fixture
def site(tmp_path, clock):
    return farm.site(tmp_path, clock=clock)


def test_a_job_runs_to_success_at_all_its_parties(site):
    submit(site, farm.chain("a", "b"), (GUEST, HOST, ARBITER))
    run(site)
    assert site.launcher.started == [
        ("a", 0, "guest"),
        ("a", 0, "host"),
        ("b", 0, "guest"),
        ("b", 0, "host"),
    ] or {*site.launcher.started} == {(n, 0, r) for n in "ab" for r in ("guest", "host")}
    for role in ("guest", "host", "arbiter"):
        row = job(site, role=role)
        assert (row.status, row.progress, row.tag) == ("success", 100, "job_end")
        assert row.end_time is not None
        assert not row.resource_in_use


def test_a_component_starts_only_after_what_it_reads(site):
    submit(site, {"a": [], "b": ["a"]})
    turns(site)
    assert [farm.Farm.task(f).component for f in folders(site)] == ["a", "a"]
    finish(site, folders(site)[0])
    turns(site)
    assert not folders(site, "b")
    finish(site, folders(site)[0])
    turns(site)
    assert len(folders(site, "b")) == 2


def test_independent_branches_run_side_by_side_within_the_cores(site):
    submit(site, {name: [] for name in "abcdef"})
    turns(site)
    assert {farm.Farm.task(f).component for f in folders(site)} == set("abcd")


def test_a_configured_parallelism_is_kept(site):
    submit(site, {name: [] for name in "abc"}, parallelism=1)
    turns(site)
    assert {farm.Farm.task(f).component for f in folders(site)} == {"a"}
    run(site)
    assert job(site).status == "success"


def test_outputs_reach_the_next_component_as_references(site):
    submit(site, farm.chain("a", "b"), (GUEST,))
    turns(site)
    folder = folders(site)[0]
    out = spec.OutputData("data", 0, "ns", "t", 3, 1, {}, {"header": ["id"], "rows": [["1"]]})
    farm.tell(site, folder, out, spec.Metric("train", "loss", "LOSS", [[0, 0.5]]))
    finish(site, folder)
    turns(site)
    task = farm.Farm.task(folders(site, "b")[0])
    assert task.data == {"data": [spec.DataRef("a", "data", "ns", "t")]}
    assert task.parties == [GUEST]
    assert task.task_token
    assert task.job_token == "token"


def test_a_task_file_is_for_its_owner_only(site):
    submit(site, farm.chain("a"), (GUEST,))
    turns(site)
    path = farm.Path(folders(site)[0]) / "task.json"
    assert path.stat().st_mode & 0o777 == 0o600


def test_a_failure_stops_the_peers_and_every_record_says_what_failed_where(site):
    submit(site, {"a": [], "b": [], "c": ["a"]})
    turns(site)
    host = next(f for f in folders(site, "a") if farm.Farm.task(f).role == "host")
    finish(site, host, "failed", "the table is empty")
    turns(site)
    assert not site.launcher.live
    assert len(site.launcher.killed) == 3
    for role in ("guest", "host"):
        row = job(site, role=role)
        assert row.status == "failed"
        assert row.reason == "host 10000, a: the table is empty"
        assert row.end_time is not None
    assert statuses(site)["c", "guest"] == "waiting"
    assert statuses(site)["b", "guest"] == "failed"


def test_a_worker_that_dies_without_a_word_fails_its_task_and_says_how(site):
    submit(site, farm.chain("a"))
    turns(site)
    folder = folders(site)[0]
    logs = farm.Path(farm.Farm.task(folder).log_folder)
    prefix = "[ERROR] [2024-01-01 00:00:00,000] [1] [1:1] - [a.b] [line:1]: "
    (logs / "ERROR.log").write_text(f"{prefix}out of memory\n")
    site.launcher.live.pop(folder)
    farm.events.exited(site, spec.Exited(folder, 101, -9, 1.5, 1000))
    turns(site)
    assert job(site).status == "failed"
    found = "worker ended by signal 9 (SIGKILL); its last words are in its party's log"
    assert found in job(site).reason
    with site.database.read() as session:
        role = farm.Farm.task(folder).role
        failed = next(t for t in farm.tasks.latest(session, job(site).job_id) if t.role == role)
    assert failed.error_report == f"{found}\nit last logged: out of memory"


def test_a_worker_that_cannot_be_started_fails_its_job(site):
    site.launcher.refuses = "the zygote does not answer"
    submit(site, farm.chain("a"))
    turns(site)
    assert job(site).status == "failed"
    assert "could not start: the zygote does not answer" in job(site).reason


def test_automatic_retries_raise_the_version_after_their_delay(site, clock):
    submit(site, farm.chain("a", "b"), auto_retries=1, auto_retry_delay=5)
    turns(site)
    finish(site, folders(site)[0], "failed", "flaky")
    turns(site)
    assert versions(site) == {"a": 1, "b": 0}
    assert not site.launcher.live
    clock.pass_s(5)
    site.scheduler.wake()
    run(site)
    assert job(site).status == "success"
    assert versions(site) == {"a": 1, "b": 0}


def test_retries_are_used_up(site, clock):
    submit(site, farm.chain("a"), auto_retries=1, auto_retry_delay=0)
    turns(site)
    for _ in range(2):
        finish(site, folders(site)[0], "failed", "broken")
        turns(site)
    assert job(site).status == "failed"
    assert versions(site) == {"a": 1}


def test_a_job_times_out_from_its_start(site, clock):
    submit(site, farm.chain("a"), timeout=60)
    turns(site)
    start = job(site).start_time
    clock.now = start + 59_000
    site.scheduler.wake()
    turns(site)
    assert job(site).status == "running"
    clock.now = start + 60_000
    site.scheduler.wake()
    turns(site)
    assert job(site).status == "timeout"
    assert "longer than its timeout" in job(site).reason
    assert statuses(site)["a", "host"] == "timeout"


def test_a_stop_ends_the_job_and_keeps_what_waited_waiting(site):
    submit(site, farm.chain("a", "b"))
    turns(site)
    control.stop(site, job(site).job_id)
    turns(site)
    assert job(site).status == job(site, role="host").status == "canceled"
    assert "stopped by guest 9999" in job(site).reason
    assert statuses(site)["a", "guest"] == "canceled"
    assert statuses(site)["b", "guest"] == "waiting"


def test_no_task_of_a_stopped_job_is_shown_as_running_nor_after_a_rerun_and_a_stop(site):
    submit(site, farm.chain("a", "b"))
    for version in range(2):
        turns(site)
        control.stop(site, job(site).job_id)
        turns(site)
        assert farm.votes(site) == {
            ("a", "guest"): "canceled",
            ("a", "host"): "canceled",
            ("b", "guest"): "waiting",
            ("b", "host"): "waiting",
        }
        assert versions(site) == {"a": version, "b": 0}
        control.rerun(site, job(site).job_id, [], False)
    run(site)
    assert set(farm.votes(site).values()) == {"success"}
    with site.database.read() as session:
        older = farm.tasks.of_version(session, job(site).job_id, "a", 0)
    assert {row.status for row in older} == {"canceled"}


def test_tasks_beside_one_that_failed_are_shown_to_have_ended_with_it(site):
    submit(site, {"a": [], "b": []})
    turns(site)
    finish(site, folders(site, "a")[0], "failed", "the table is empty")
    turns(site)
    assert set(farm.votes(site).values()) == {"failed"}


def test_stopping_an_ended_job_changes_nothing(site):
    submit(site, farm.chain("a"))
    run(site)
    control.stop(site, job(site).job_id)
    turns(site)
    assert job(site).status == "success"


def test_stopping_an_unknown_job_is_told_in_fates_words(site):
    with pytest.raises(NotThere, match="can not found job"):
        control.stop(site, "1")


def test_a_rerun_goes_on_from_what_failed(site):
    submit(site, farm.chain("a", "b", "c"))
    turns(site)
    finish_all(site)
    finish(site, folders(site, "b")[0], "failed", "boom")
    turns(site)
    control.rerun(site, job(site).job_id, [], False)
    run(site)
    assert job(site).status == "success"
    assert job(site).reason == ""
    assert versions(site) == {"a": 0, "b": 1, "c": 0}


def test_a_rerun_sets_aside_what_was_logged_before(site):
    submit(site, farm.chain("a", "b", "c"))
    turns(site)
    finish_all(site)
    party = site.settings.logs / job(site).job_id / "guest" / "9999"
    for folder in (party, party / "a", party / "b"):
        (folder / "INFO.log").parent.mkdir(parents=True, exist_ok=True)
        (folder / "INFO.log").write_text("first")
    finish(site, folders(site, "b")[0], "failed", "boom")
    turns(site)
    control.rerun(site, job(site).job_id, [], False)
    run(site)
    assert sorted(str(path.relative_to(party)) for path in party.rglob("INFO*.log")) == [
        "INFO.0.log",
        "a/INFO.log",
        "b/INFO.0.log",
    ]


def test_a_rerun_of_a_successful_job_does_nothing(site):
    submit(site, farm.chain("a", "b"))
    run(site)
    control.rerun(site, job(site).job_id, ["b"], False)
    turns(site)
    assert job(site).status == "success"
    assert versions(site) == {"a": 0, "b": 0}


def test_a_forced_rerun_takes_the_component_and_all_below_it(site):
    submit(site, farm.chain("a", "b", "c"))
    run(site)
    control.rerun(site, job(site).job_id, ["b"], True)
    run(site)
    assert job(site).status == "success"
    assert versions(site) == {"a": 0, "b": 1, "c": 1}


def test_a_rerun_takes_what_is_above_too_if_its_outputs_are_gone(site):
    submit(site, farm.chain("a", "b"), (GUEST,))
    turns(site)
    folder = folders(site)[0]
    farm.tell(site, folder, spec.OutputData("data", 0, "ns", "gone", 1, 1))
    finish(site, folder)
    turns(site)
    finish(site, folders(site)[0], "failed", "boom")
    turns(site)
    control.rerun(site, job(site).job_id, ["b"], False)
    run(site)
    assert versions(site) == {"a": 1, "b": 1}


def test_a_rerun_of_an_unknown_component_says_which_there_are(site):
    submit(site, farm.chain("a", "b"))
    run(site)
    with pytest.raises(Refused, match=r"rerun job failed: .*unknown component x.*a, b"):
        control.rerun(site, job(site).job_id, ["x"], False)


def test_the_metrics_of_an_old_version_are_hidden(site):
    submit(site, farm.chain("a"), (GUEST,))
    turns(site)
    folder = folders(site)[0]
    farm.tell(site, folder, spec.Metric("train", "loss", "LOSS", [[0, 1]]), spec.Summary({"x": 1}))
    finish(site, folder)
    turns(site)
    assert counted(site) == (1, 1)
    control.rerun(site, job(site).job_id, [], True)
    turns(site)
    assert counted(site) == (0, 0)


def test_a_small_job_passes_a_large_one_that_waits_for_cores(site):
    submit(site, farm.chain("a"), cores=8)
    turns(site)
    submit(site, farm.chain("a"), job_id=ANOTHER, cores=5)
    small = "202401010000000000030"
    submit(site, farm.chain("a"), job_id=small, cores=2)
    turns(site)
    assert job(site, ANOTHER).status == "waiting"
    assert job(site, ANOTHER).reason == "waiting for 10 cores (have 0)"
    assert job(site, small).status == "running"
    run(site)
    assert [job(site, j).status for j in (ANOTHER, small)] == ["success", "success"]


def test_a_request_above_the_capacity_is_scaled_down_and_runs(site):
    submit(site, farm.chain("a"), cores=64)
    run(site)
    assert job(site).status == "success"
    assert job(site).cores == 10
    assert "scaled down to 10 each" in job(site).reason
    log = (site.settings.logs / job(site).job_id / "fate_flow_schedule.log").read_text()
    assert "scaled down to 10 each" in log


def test_cleaning_the_queue_cancels_what_waits(site):
    submit(site, farm.chain("a"), cores=10)
    turns(site)
    submit(site, farm.chain("a"), job_id=ANOTHER, cores=10)
    turns(site)
    assert control.clean_queue(site) == {ANOTHER: 0}
    turns(site)
    assert job(site, ANOTHER).status == "canceled"
    assert job(site).status == "running"


def test_a_task_that_is_not_to_run_passes_and_the_job_succeeds(site):
    submit(site, farm.chain("a", "b"))
    turns(site)
    for folder in folders(site):
        finish(site, folder, "pass")
    run(site)
    assert statuses(site)["a", "guest"] == "pass"
    assert job(site).status == "success"


def test_an_order_that_comes_twice_is_done_once(site):
    submit(site, farm.chain("a"))
    turns(site)
    again = wire.StartTask(
        job_id=job(site).job_id, role="guest", party_id="9999", component="a", version=0
    )
    assert site.parties.call("9999", again) == {"status": "running"}
    assert len(site.launcher.started) == 2


def test_a_start_that_comes_after_the_end_is_refused(site):
    submit(site, farm.chain("a", "b"))
    turns(site)
    control.stop(site, job(site).job_id)
    turns(site)
    late = wire.StartTask(
        job_id=job(site).job_id, role="guest", party_id="9999", component="b", version=0
    )
    with pytest.raises(PeerError, match="is canceled at guest 9999"):
        site.parties.call("9999", late)


def test_an_end_that_cannot_be_recorded_is_recorded_later(site, clock, monkeypatch):
    submit(site, farm.chain("a"), (GUEST,))
    turns(site)
    (folder,) = folders(site)
    pid = site.launcher.live.pop(folder)

    @contextlib.contextmanager
    def full():
        raise sqlite3.OperationalError("database or disk is full")
        yield

    with monkeypatch.context() as disk:
        disk.setattr(site.database, "write", full)
        site.scheduler.saw_exit(spec.Exited(folder, pid, 1, 0.0, 0))
        clock.pass_s(1)
        site.scheduler.turn()
    assert job(site).status == "running"
    clock.pass_s(5)
    site.scheduler.wake()
    turns(site)
    assert job(site).status == "failed"
    assert "exit code 1" in job(site).reason


def test_a_job_that_cannot_be_read_does_not_stop_the_others(site, caplog):
    submit(site, farm.chain("a"))
    turns(site)
    with site.database.write() as session:
        for row in farm.jobs.rows(session, job(site).job_id):
            farm.jobs.change(row, dsl={"components": "damaged"})
    submit(site, farm.chain("b"), job_id=ANOTHER)
    run(site)
    assert job(site, ANOTHER).status == "success"
    assert "cannot be read" in caplog.text


def test_the_thread_wakes_by_itself_and_ends_the_job(tmp_path):
    at = farm.site(tmp_path)
    scheduler = farm.Scheduler(at)
    at.scheduler = scheduler
    submit(at, farm.chain("a"), (GUEST,))
    scheduler.start()
    try:
        until(at, lambda: bool(at.launcher.live))
        finish(at, folders(at)[0])
        until(at, lambda: job(at).status == "success")
    finally:
        scheduler.close()


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_random_graphs_finish_with_every_task_run_once(tmp_path_factory, data):
    names = [f"c{i}" for i in range(data.draw(st.integers(1, 6)))]
    graph = {
        name: data.draw(st.lists(st.sampled_from(names[:i]), unique=True, max_size=3)) if i else []
        for i, name in enumerate(names)
    }
    at = farm.site(tmp_path_factory.mktemp("site"))
    submit(at, graph)
    turns(at)
    while at.launcher.live:
        finish(at, data.draw(st.sampled_from(folders(at))))
        turns(at)
    assert job(at).status == "success"
    expected = sorted((n, 0, r) for n in names for r in ("guest", "host"))
    assert sorted(at.launcher.started) == expected


def finish_all(site):
    for folder in folders(site):
        finish(site, folder)
    turns(site)


def counted(site):
    from sqlalchemy import func, select

    from fateflow.store.orm import MetricRow, SummaryRow

    with site.database.read() as session:
        return tuple(
            session.scalar(select(func.count()).select_from(t)) for t in (MetricRow, SummaryRow)
        )


def until(site, condition):
    """Wait for writes until the condition holds; a test that never gets there fails."""
    for _ in range(200):
        seen = site.database.writes
        if condition():
            return
        site.database.wait_for_write(seen, 1.0)
    pytest.fail("it never came to be")
