"""After a crash of fateflow: what is done stays done, what lives goes on, what died runs again."""

from __future__ import annotations

import farm
import pytest
from farm import GUEST, HOST, finish, folders, job, run, statuses, submit, turns, versions

from fateflow.scheduler import recovery
from fateflow.scheduler.loop import Scheduler
from fateflow.scheduler.parties import Parties
from fateflow.site import Site
from fateflow.store.database import Database, now_ms
from fateflow.wire import control as wire
from fateflow.worker import spec


@pytest.fixture
def clock():
    return farm.Clock()


@pytest.fixture
def site(tmp_path, clock):
    return farm.site(tmp_path, clock=clock)


def restarted(old: Site) -> Site:
    """A new fateflow over the same home and the same workers."""
    new = Site(
        settings=old.settings,
        database=Database(old.settings.database),
        launcher=old.launcher,
        gateway=old.gateway,
    )
    new.parties = Parties(new)
    new.scheduler = Scheduler(new, clock=old.scheduler.clock, pool=farm.AtOnce())
    recovery.recover(new, now_ms() + 1000)
    new.scheduler.wake()
    return new


def write(folder: str, *events: spec.Event) -> None:
    """What a worker writes while nobody listens."""
    with (farm.Path(folder) / "events.jsonl").open("ab") as file:
        file.write(b"".join(farm.msgspec.json.encode(e) + b"\n" for e in events))


def test_workers_that_live_are_watched_on_and_nothing_runs_twice(site):
    submit(site, farm.chain("a", "b"))
    turns(site)
    again = restarted(site)
    turns(again)
    assert len(again.launcher.started) == 2
    run(again)
    assert job(again).status == "success"
    assert versions(again) == {"a": 0, "b": 0}
    assert len(again.launcher.started) == 4


def test_what_ended_while_nobody_listened_is_read(site):
    submit(site, farm.chain("a", "b"))
    turns(site)
    for folder in folders(site):
        write(folder, spec.Started(1, 1), spec.Ended("success", 2))
        site.launcher.live.pop(folder)
    again = restarted(site)
    turns(again)
    assert statuses(again)["a", "guest"] == statuses(again)["a", "host"] == "success"
    assert {farm.Farm.task(f).component for f in folders(again)} == {"b"}


def test_a_worker_that_died_with_the_site_runs_again_as_a_new_version(site):
    submit(site, farm.chain("a", "b"), auto_retries=0)
    turns(site)
    for folder in folders(site):
        finish(site, folder)
    turns(site)
    site.launcher.live.clear()
    again = restarted(site)
    run(again)
    assert job(again).status == "success"
    assert versions(again) == {"a": 0, "b": 1}


def test_an_interruption_takes_the_peers_along_and_costs_no_retry(site):
    submit(site, farm.chain("a"), auto_retries=1, auto_retry_delay=0)
    turns(site)
    guest, host = folders(site)
    site.launcher.live.pop(guest)
    again = restarted(site)
    turns(again)
    assert host in again.launcher.killed
    assert versions(again) == {"a": 1}
    finish(again, folders(again)[0], "failed", "a real failure")
    run(again)
    assert job(again).status == "success"
    assert versions(again) == {"a": 2}


def test_workers_that_went_with_their_zygote_run_again(site):
    submit(site, farm.chain("a"))
    turns(site)
    recovery.check_workers(site)
    assert statuses(site)["a", "guest"] == "running"
    site.launcher.live.clear()
    recovery.check_workers(site)
    run(site)
    assert job(site).status == "success"
    assert versions(site) == {"a": 1}


def test_half_a_version_change_is_completed(site):
    submit(site, farm.chain("a"), auto_retries=1, auto_retry_delay=0)
    turns(site)
    finish(site, folders(site)[0], "failed", "boom")
    mine = {"job_id": job(site).job_id, "role": "guest", "party_id": "9999"}
    site.parties.call("9999", wire.ResetTasks(**mine, versions={"a": 1}))
    again = restarted(site)
    run(again)
    assert job(again).status == "success"
    assert versions(again) == {"a": 1}


def test_an_interrupted_submit_leaves_nothing(site):
    request = wire.CreateJob(
        job_id="5",
        role="host",
        party_id="10000",
        position=1,
        initiator_role="guest",
        initiator_party_id="9999",
        roles={"guest": ["9999"], "host": ["10000"]},
        dsl={"components": {"a": {"module": "Empty"}}},
        runtime_conf={},
        runtime_conf_on_party={},
        job_token="t",
        create_time=1,
        tasks=[wire.TaskPlan(component="a", module="Empty", position=0, roles=["host"])],
    )
    site.parties.call("10000", request)
    again = restarted(site)
    assert job(again, "5", "host") is None
    assert not (again.settings.jobs / "5").exists()


def test_a_submit_that_was_cut_off_is_undone_at_the_other_site(two):
    guest, host, _ = two
    submit(guest, farm.chain("a"))
    with guest.database.write() as session:
        session.delete(farm.jobs.initiated(session, job(guest).job_id))
    assert job(host, role="host") is not None
    again = restarted(guest)
    assert job(host, role="host") is None
    assert statuses(again) == {}


def test_a_job_that_waited_for_cores_still_waits_its_turn(site):
    submit(site, farm.chain("a"), cores=10)
    turns(site)
    other = "202401010000000000020"
    submit(site, farm.chain("a"), job_id=other, cores=10)
    turns(site)
    again = restarted(site)
    turns(again)
    assert job(again, other).status == "waiting"
    run(again)
    assert job(again, other).status == "success"


@pytest.fixture
def two(tmp_path, clock):
    wires = farm.Wires()
    guest = farm.site(tmp_path / "g", party="9999", wires=wires, clock=clock)
    host = farm.site(tmp_path / "h", party="10000", wires=wires, clock=clock)
    return guest, host, wires


def later(clock, *sites: Site) -> None:
    clock.pass_s(20)
    for site in sites:
        site.scheduler.wake()
    turns(*sites)


def test_a_job_over_two_sites_runs_to_success_at_both(two):
    guest, host, _ = two
    submit(guest, farm.chain("a", "b"))
    run(guest, host)
    assert job(guest).status == job(host, role="host").status == "success"
    assert job(host, role="host").progress == 100
    assert job(host, role="guest") is None
    assert statuses(guest)["b", "host"] == "success"


def test_a_failure_elsewhere_is_in_the_initiators_record_and_ends_its_workers(two):
    guest, host, _ = two
    submit(guest, farm.chain("a"))
    turns(guest, host)
    finish(host, folders(host)[0], "failed", "no rows in common")
    turns(guest, host)
    assert job(guest).reason == job(host, role="host").reason == "host 10000, a: no rows in common"
    assert not guest.launcher.live


def test_an_unreachable_party_is_named_and_tried_again(two, clock):
    guest, host, wires = two
    submit(guest, farm.chain("a"))
    wires.down.add("10000")
    turns(guest)
    assert job(guest).status == "waiting"
    assert "host 10000" in job(guest).reason
    assert "connection refused" in job(guest).reason
    wires.down.clear()
    later(clock, guest, host)
    run(guest, host)
    assert job(guest).status == "success"
    assert job(guest).reason == ""


def test_a_report_that_could_not_be_sent_is_sent_again(two, clock):
    guest, host, wires = two
    submit(guest, farm.chain("a"))
    turns(guest, host)
    wires.down.add("9999")
    finish(host, folders(host)[0])
    finish(guest, folders(guest)[0])
    turns(guest, host)
    assert job(guest).status == "running"
    wires.down.clear()
    later(clock, guest, host)
    assert job(guest).status == "success"


def test_the_end_is_told_to_a_party_that_was_away(two, clock):
    guest, host, wires = two
    submit(guest, farm.chain("a"))
    turns(guest, host)
    wires.down.add("10000")
    finish(guest, folders(guest)[0], "failed", "boom")
    turns(guest)
    assert (job(guest).status, job(guest).tag) == ("failed", "")
    assert host.launcher.live
    wires.down.clear()
    later(clock, guest, host)
    assert (job(guest).status, job(guest).tag) == ("failed", "job_end")
    assert job(host, role="host").status == "failed"
    assert not host.launcher.live


def test_a_restarted_initiator_asks_its_peers_what_it_missed(two):
    guest, host, wires = two
    submit(guest, farm.chain("a", "b"))
    turns(guest, host)
    wires.down.add("9999")
    finish(host, folders(host)[0])
    finish(guest, folders(guest)[0])
    wires.down.clear()
    again = restarted(guest)
    wires.sites["9999"] = again
    turns(again, host)
    assert statuses(again)["a", "host"] == "success"
    run(again, host)
    assert job(again).status == job(host, role="host").status == "success"


def test_a_peer_that_restarts_without_its_worker_has_the_component_run_again(two):
    guest, host, wires = two
    submit(guest, farm.chain("a"))
    turns(guest, host)
    host.launcher.live.clear()
    again = restarted(host)
    wires.sites["10000"] = again
    turns(guest, again)
    assert versions(guest) == {"a": 1}
    run(guest, again)
    assert job(guest).status == job(again, role="host").status == "success"


def test_any_party_may_stop_a_job(two):
    from fateflow.scheduler import control

    guest, host, _ = two
    submit(guest, farm.chain("a"))
    turns(guest, host)
    control.stop(host, job(host, role="host").job_id)
    turns(guest, host)
    assert job(guest).status == job(host, role="host").status == "canceled"
    assert "stopped by host 10000" in job(guest).reason


def test_a_rerun_ordered_elsewhere_is_done_by_the_initiator(two):
    from fateflow.scheduler import control

    guest, host, _ = two
    submit(guest, farm.chain("a", "b"))
    turns(guest, host)
    finish(host, folders(host)[0], "failed", "boom")
    turns(guest, host)
    control.rerun(host, job(guest).job_id, [], False)
    run(guest, host)
    assert job(guest).status == job(host, role="host").status == "success"
    assert versions(guest) == {"a": 1, "b": 0}


def test_a_party_without_free_cores_is_waited_for_by_name(two, clock):
    guest, host, _ = two
    submit(guest, farm.chain("a"), cores=20)
    turns(guest, host)
    second = "202401010000000000020"
    with host.database.write() as session:
        host_row = farm.jobs.rows(session, job(guest).job_id)[0]
        assert host_row.cores == 20
    submit(guest, farm.chain("a"), (GUEST, HOST), job_id=second, cores=1)
    with guest.database.write() as session:
        farm.jobs.change(farm.jobs.rows(session, job(guest).job_id)[0], cores=10)
    guest.scheduler.wake()
    turns(guest, host)
    assert job(guest, second).reason == "for party host 10000: waiting for 1 cores (have 0)"
    assert not job(guest, second).resource_in_use
