"""Where a task's inputs come from: this job, an earlier one, a deployed model, a checkpoint."""

from __future__ import annotations

import farm
import pytest
from farm import ARBITER, GUEST, HOST, finish, folders, job, run, statuses, submit, turns
from sqlalchemy import select

from fateflow.scheduler import inputs
from fateflow.store.orm import MetricRow, OutputRow
from fateflow.worker import spec

LATER = "202401010000000000020"


@pytest.fixture
def site(tmp_path):
    return farm.site(tmp_path)


@pytest.fixture
def trained(site):
    """A finished job whose component a put out a table, a model and a cache at the guest."""
    submit(site, farm.chain("a"), (GUEST,), model_id="m", model_version="1")
    turns(site)
    folder = folders(site)[0]
    model = inputs.model_folder(site.settings, job(site), "1") / "a" / "model" / "model.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}")
    farm.tell(
        site,
        folder,
        spec.OutputData("data", 0, "ns", "t", 3, 1),
        spec.OutputModel("model", str(model)),
        spec.OutputCache("cache", "/cache", "key"),
        spec.Metric("train", "loss", "LOSS", [[0, 1]]),
    )
    finish(site, folder)
    turns(site)
    return model


def only_task(site):
    turns(site)
    assert len(folders(site)) == 1, job(site, LATER).reason
    return farm.Farm.task(folders(site)[0])


def again(site, module, **parameters):
    change = {"a": {"module": module, "parameters": parameters}}
    submit(site, farm.chain("a"), (GUEST,), job_id=LATER, changes=change, model_id="m")


def test_a_reader_may_name_an_output_of_an_earlier_job(site, trained):
    table = {"job_id": job(site).job_id, "component_name": "a", "data_name": "data"}
    again(site, "Reader", table=table)
    assert only_task(site).parameters == {"table": {"namespace": "ns", "name": "t"}}


def test_a_reader_of_nothing_fails_its_job_and_says_what_it_looked_for(site, trained):
    again(site, "Reader", table={"job_id": "1", "component_name": "a", "data_name": "data"})
    turns(site)
    assert "job 1 has no data output (component_name a, name data)" in job(site, LATER).reason


def test_a_model_loader_gets_the_models_file(site, trained):
    again(site, "ModelLoader", model_id="m", model_version="1", component_name="a")
    assert only_task(site).model == spec.FileRef("a", "model", "", str(trained))


@pytest.mark.parametrize("version", ["2", "../1", ""])
def test_a_model_that_is_not_there_is_named(site, trained, version):
    again(site, "ModelLoader", model_id="m", model_version=version, component_name="a")
    turns(site)
    assert "ModelLoader" in job(site, LATER).reason


def test_a_model_of_a_component_that_is_not_there_is_told_with_those_that_are(site, trained):
    again(site, "ModelLoader", model_id="m", model_version="1", component_name="b")
    turns(site)
    reason = job(site, LATER).reason
    assert "guest#9999#m version 1 has no model of 'b'; it has: a.model" in reason


def test_where_the_training_kept_no_model_the_loader_passes(site):
    """As at the arbiter of HomoLR: the others load theirs."""
    parties, change = (GUEST, ARBITER), {"a": {"output": {"model": ["model"]}}}
    named = {"model_id": "m", "model_version": "1"}
    submit(site, farm.chain("a"), parties, changes=change, everywhere=True, **named)
    run(site)
    model = inputs.model_folder(site.settings, job(site), "1") / "a" / "model" / "model.json"
    model.parent.mkdir(parents=True)
    model.write_text("{}")

    def loaded(job_id, **wanted):
        change = {"a": {"module": "ModelLoader", "parameters": named | wanted}}
        submit(site, farm.chain("a"), parties, job_id=job_id, changes=change, everywhere=True)
        turns(site)
        return {task.role: task for task in map(farm.Farm.task, folders(site))}

    found = loaded(LATER, component_name="a")
    assert (found["guest"].need_run, found["guest"].model.path) == (True, str(model))
    assert (found["arbiter"].need_run, found["arbiter"].model) == (False, None)
    for folder in folders(site):
        finish(site, folder)
    for number, wanted in enumerate(({"component_name": "b"}, {"model_alias": "c"})):
        job_id = f"2024010100000000000{number}3"
        assert loaded(job_id, **({"component_name": "a"} | wanted)) == {}
        assert "has no model of" in job(site, job_id).reason


def test_a_lost_model_is_not_taken_for_one_that_never_was(site, trained):
    trained.unlink()
    again(site, "ModelLoader", model_id="m", model_version="1", component_name="a")
    turns(site)
    assert "has no model of 'a'; it has: none" in job(site, LATER).reason


def test_a_model_loader_may_take_a_checkpoint(site, trained):
    steps = trained.parents[2] / "checkpoint" / "a"
    for step in ("0#round", "5#round"):
        (steps / step).mkdir(parents=True)
        (steps / step / "model.json").write_text("{}")
    given = {"model_id": "m", "model_version": "1", "component_name": "a"}
    again(site, "ModelLoader", **given, step_index=5)
    assert only_task(site).model.path == str(steps / "5#round" / "model.json")


def test_a_checkpoint_that_is_not_there_is_told_with_those_that_are(site, trained):
    steps = trained.parents[2] / "checkpoint" / "a" / "0#round"
    steps.mkdir(parents=True)
    (steps / "model.json").write_text("{}")
    given = {"model_id": "m", "model_version": "1", "component_name": "a"}
    again(site, "ModelLoader", **given, step_index=7)
    turns(site)
    assert "there are: 0#round" in job(site, LATER).reason


@pytest.mark.parametrize(
    "given",
    [{"cache_key": "key"}, {"job_id": "202401010000000000010", "component_name": "a"}],
)
def test_a_cache_loader_gets_the_caches_folder(site, trained, given):
    again(site, "CacheLoader", **given)
    assert only_task(site).caches == [spec.FileRef("a", "cache", "", "/cache")]


def test_a_predict_job_reads_the_deployed_model_and_writes_beside_it(site, trained):
    change = {"a": {"input": {"model": ["pipeline.a.model"]}, "output": {"data": ["data"]}}}
    submit(
        site,
        farm.chain("a"),
        (GUEST,),
        job_id=LATER,
        changes=change,
        job_type="predict",
        model_id="m",
        model_version="1",
    )
    task = only_task(site)
    assert task.model == spec.FileRef("a", "model", "", str(trained))
    assert task.job_type == "predict"
    assert task.model_folder.endswith(f"/guest#9999#m/{LATER}")


def test_a_model_of_the_same_job_is_a_warm_start_or_an_isometric_input(site):
    change = {
        "b": {"input": {"model": ["a.model"], "isometric_model": ["a.model"]}},
        "a": {"output": {"data": ["data"], "model": ["model"]}},
    }
    submit(site, farm.chain("a", "b"), (GUEST,), changes=change)
    turns(site)
    folder = folders(site)[0]
    farm.tell(site, folder, spec.OutputModel("model", "/m.json"))
    finish(site, folder)
    turns(site)
    task = farm.Farm.task(folders(site, "b")[0])
    assert task.model == spec.FileRef("a", "model", "", "/m.json")
    assert task.isometric == [task.model]


def test_an_inherited_component_does_not_run_and_its_results_are_there(site, trained):
    info = {"job_id": job(site).job_id, "component_list": ["a"]}
    submit(site, farm.chain("a", "b"), (GUEST,), job_id=LATER, inheritance=info)
    turns(site)
    assert statuses(site, LATER)["a", "guest"] == "success"
    assert only_task(site).data == {"data": [spec.DataRef("a", "data", "ns", "t")]}
    run(site)
    assert job(site, LATER).status == "success"
    with site.database.read() as session:
        linked = session.scalars(select(OutputRow).filter_by(job_id=LATER, component_name="a"))
        assert {row.kind for row in linked} == {"data", "model", "cache"}
        assert session.scalars(select(MetricRow).filter_by(job_id=LATER)).first().points == [[0, 1]]


def test_a_rerun_of_an_heir_leaves_what_it_inherited_to_its_owner(site, trained):
    from fateflow.scheduler import control

    table = inputs.table_folder(site.settings, "ns", "t")
    table.mkdir(parents=True)
    info = {"job_id": job(site).job_id, "component_list": ["a"]}
    submit(site, farm.chain("a"), (GUEST,), job_id=LATER, inheritance=info)
    run(site)
    control.rerun(site, LATER, [], True)
    turns(site)
    assert table.exists()
    run(site)
    control.rerun(site, job(site).job_id, [], True)
    turns(site)
    assert not table.exists()


def test_an_inheritance_of_what_did_not_end_well_is_refused(site):
    submit(site, farm.chain("a"), (GUEST, HOST))
    turns(site)
    info = {"job_id": job(site).job_id, "component_list": ["a"]}
    with pytest.raises(farm.PeerError, match="did not end well at"):
        submit(site, farm.chain("a"), job_id=LATER, inheritance=info)
    assert job(site, LATER) is None
