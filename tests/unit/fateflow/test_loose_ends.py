"""What goes wrong between parties and workers, and leaves no job or worker behind."""

from __future__ import annotations

import farm
import pytest
from farm import GUEST, HOST, finish, folders, job, statuses, submit, turns

from fateflow.errors import Refused
from fateflow.scheduler import acts, handlers, job_files, tasks
from fateflow.store import tasks as rows
from fateflow.wire import control as wire


@pytest.fixture
def site(tmp_path):
    return farm.site(tmp_path)


def on_job(kind, job_id, role="guest", party="9999", **more):
    return kind(job_id=job_id, role=role, party_id=party, **more)


def test_a_party_speaks_of_its_own_tasks_only(tmp_path, monkeypatch):
    wires = farm.Wires()
    guest, host, arbiter = (
        farm.site(tmp_path / party, party=party, wires=wires) for party in ("9999", "10000", "1")
    )
    job_id = submit(guest, farm.chain("a"), (GUEST, HOST, ("host", "1")))
    turns(guest, host, arbiter)
    lie = [
        {
            "job_id": job_id,
            "role": "host",
            "party_id": "10000",
            "component": "a",
            "version": 0,
            "status": "failed",
        }
    ]

    def lying(request):
        return lie if request.party_id == "1" else "nonsense"

    monkeypatch.setitem(handlers.HANDLERS, "collect_tasks", lambda _site, request: lying(request))
    assert acts.collect(guest, job_id) == ""
    with guest.database.read() as session:
        found = rows.one(session, (job_id, "a", 0, "host", "10000"))
    assert found.party_status == "running"


def test_a_rerun_that_waits_cannot_be_dropped(site):
    job_id = submit(site, farm.chain("a"))
    turns(site)
    finish(site, folders(site)[0], "failed")
    turns(site)
    handlers.update_job(site, on_job(wire.UpdateJob, job_id, status="waiting"))
    handlers.update_job(site, on_job(wire.UpdateJob, job_id, "host", "10000", status="waiting"))
    with pytest.raises(Refused, match="has begun"):
        handlers.drop_job(site, on_job(wire.DropJob, job_id))


def test_a_worker_that_was_stopped_while_it_was_launched_does_not_stay(site, monkeypatch):
    job_id = submit(site, farm.chain("a"), (GUEST,))
    handlers.apply_resource(site, on_job(wire.ApplyResource, job_id))
    launch = site.launcher.launch

    def stopped_meanwhile(folder):
        on = on_job(wire.StopTask, job_id, component="a", version=0, status="canceled")
        assert tasks.stop(site, on) == "canceled"
        return launch(folder)

    monkeypatch.setattr(site.launcher, "launch", stopped_meanwhile)
    tasks.start(site, on_job(wire.StartTask, job_id, component="a", version=0))
    assert site.launcher.live == {}
    assert statuses(site) == {("a", "guest"): "canceled"}


def test_whatever_keeps_a_worker_from_starting_fails_its_task(site, monkeypatch):
    submit(site, farm.chain("a"))

    def broken(_):
        raise KeyError("no word for this")

    monkeypatch.setattr(site.launcher, "launch", broken)
    turns(site)
    assert job(site).status == "failed"


def test_a_task_started_between_a_stop_and_the_end_of_its_job_is_ended_too(site):
    job_id = submit(site, farm.chain("a"), (GUEST,))
    handlers.stop_job(site, on_job(wire.StopJob, job_id, status="canceled"))
    tasks.start(site, on_job(wire.StartTask, job_id, component="a", version=0))
    assert len(site.launcher.live) == 1
    handlers.update_job(site, on_job(wire.UpdateJob, job_id, status="canceled"))
    assert site.launcher.live == {}
    assert statuses(site) == {("a", "guest"): "canceled"}


def test_of_reports_that_could_not_be_told_only_the_newest_is_kept(tmp_path):
    wires = farm.Wires()
    guest, host = (farm.site(tmp_path / p, party=p, wires=wires) for p in ("9999", "10000"))
    submit(guest, farm.chain("a"))
    turns(guest, host)
    wires.down.add("9999")
    for percent in range(10):
        farm.tell(host, folders(host)[0], farm.spec.Progress(percent))
    assert len(host.scheduler._later) == 1
    wires.down.clear()
    finish(host, folders(host)[0])
    assert host.scheduler._later == {}


def test_the_initiator_learns_that_a_stopped_task_elsewhere_has_ended(tmp_path):
    wires = farm.Wires()
    guest, host = (farm.site(tmp_path / p, party=p, wires=wires) for p in ("9999", "10000"))
    job_id = submit(guest, farm.chain("a"))
    turns(guest, host)
    farm.control.stop(guest, job_id)
    turns(guest, host)
    assert statuses(guest) == {("a", "guest"): "canceled", ("a", "host"): "canceled"}


def test_no_site_shows_a_task_of_a_stopped_job_as_running(tmp_path):
    wires = farm.Wires()
    guest, host = (farm.site(tmp_path / p, party=p, wires=wires) for p in ("9999", "10000"))
    job_id = submit(guest, {"a": [], "b": [], "c": ["a"]})
    turns(guest, host)
    finish(guest, folders(guest, "b")[0])  # the host alone is left with b
    farm.control.stop(guest, job_id)
    turns(guest, host)
    ended = {"a": "canceled", "b": "canceled", "c": "waiting"}
    for at in (guest, host):
        assert {name: vote for (name, _), vote in farm.votes(at).items()} == ended


def test_a_party_that_hears_late_of_a_stop_shows_no_task_as_running(tmp_path):
    wires, clock = farm.Wires(), farm.Clock()
    guest, host = (
        farm.site(tmp_path / p, party=p, wires=wires, clock=clock) for p in ("9999", "10000")
    )
    job_id = submit(guest, farm.chain("a"))
    turns(guest, host)
    finish(guest, folders(guest)[0])
    wires.down.add("10000")
    farm.control.stop(guest, job_id)
    turns(guest, host)
    assert farm.votes(guest) == {("a", "guest"): "canceled", ("a", "host"): "canceled"}
    wires.down.clear()
    clock.pass_s(60)
    guest.scheduler.wake()
    turns(guest, host)
    assert farm.votes(host) == {("a", "host"): "canceled"}
    assert farm.votes(guest) == {("a", "guest"): "canceled", ("a", "host"): "canceled"}


def test_a_worker_that_fails_of_its_peers_being_stopped_counts_as_stopped(site, monkeypatch):
    submit(site, farm.chain("a"))
    turns(site)
    kill = site.launcher.kill

    def killed(folder):
        kill(folder)
        for other in folders(site):  # the peer loses this one, and says so before it is stopped
            farm.tell(site, other, farm.spec.Ended("failed", 1_000_100, "guest 9999 failed"))

    monkeypatch.setattr(site.launcher, "kill", killed)
    farm.control.stop(site, job(site).job_id)
    turns(site)
    assert set(statuses(site).values()) == set(farm.votes(site).values()) == {"canceled"}
    assert folders(site) == []


def test_a_rerun_of_an_upload_whose_file_is_gone_says_what_to_do(site):
    name = str(job_files.received(site.settings, "202401010000000000010") / "a.csv")
    job_id = submit(site, farm.chain("a"), (GUEST,), changes={"a": {"parameters": {"file": name}}})
    turns(site)
    finish(site, folders(site)[0], "failed")
    turns(site)
    with pytest.raises(Refused, match="upload it again with flow data upload"):
        farm.control.rerun(site, job_id, [], force=False)
    assert job(site).status == "failed"
