"""What people order beside stop and rerun: notes, parameters, cores by hand."""

from __future__ import annotations

import farm
import pytest
from farm import folders, job, run, submit, turns

from fateflow.errors import NotThere, Refused
from fateflow.scheduler import control


@pytest.fixture
def site(tmp_path):
    return farm.site(tmp_path)


def plan_of(site, role="guest"):
    with site.database.read() as session:
        return farm.tasks.latest(session, job(site).job_id, role=role)[0].plan


def test_notes_are_kept_for_everybody_or_for_the_named_party(site):
    job_id = submit(site, farm.chain("a"))
    control.update_notes(site, job_id, "first run")
    control.update_notes(site, job_id, "mine", "host", "10000")
    assert (job(site).description, job(site, role="host").description) == ("first run", "mine")


def test_new_parameters_are_used_by_the_rerun(site):
    job_id = submit(site, farm.chain("a"))
    turns(site)
    farm.finish(site, folders(site)[0], "failed", "wrong rate")
    turns(site)
    change = {"common": {"a": {"rate": 2}}, "role": {"host": {"0": {"a": {"rate": 3}}}}}
    told = control.update_parameters(site, job_id, {"common": {"timeout": 5}}, change)
    assert told["components"] == ["a"]
    control.rerun(site, job_id, [], False)
    turns(site)
    tasks = {farm.Farm.task(f).role: farm.Farm.task(f) for f in folders(site)}
    assert tasks["guest"].parameters == {"rate": 2}
    assert tasks["host"].parameters == {"rate": 3}
    assert tasks["host"].job_parameters["timeout"] == 5


def test_an_unknown_component_changes_nothing(site):
    job_id = submit(site, farm.chain("a"))
    with pytest.raises(Refused, match="no component b; it has a"):
        control.update_parameters(site, job_id, {"common": {"timeout": 1}}, {"common": {"b": {}}})
    assert "timeout" not in str(job(site).runtime_conf)


def test_parameters_that_do_not_fit_change_nothing(site, monkeypatch):
    job_id = submit(site, farm.chain("a"))
    monkeypatch.setattr(site.launcher, "call", lambda *_, **__: [{"error": "rate: no"}] * 2)
    with pytest.raises(Refused, match="rate: no"):
        control.update_parameters(site, job_id, {}, {"common": {"a": {"rate": -1}}})
    assert plan_of(site)["parameters"] == {}


def test_a_running_component_keeps_its_parameters(site):
    job_id = submit(site, farm.chain("a"))
    turns(site)
    told = control.update_parameters(site, job_id, {}, {"common": {"a": {"rate": 2}}})
    assert told["components"] == []


def test_cores_can_be_given_back_by_hand_but_not_under_a_running_job(site):
    job_id = submit(site, farm.chain("a"))
    turns(site)
    with pytest.raises(Refused, match="stop it first"):
        control.return_resource(site, job_id)
    run(site)
    assert control.return_resource(site, job_id) is False
    with pytest.raises(NotThere):
        control.return_resource(site, "1")
