"""Models after training: kept, deployed in every way, described, loaded, bound, tagged."""

from __future__ import annotations

import msgspec
import pytest
from job_samples import lr_job
from site_samples import finish, fitted, lr_conf, site_at

from fateflow.domain.dsl import BadDsl
from fateflow.errors import ArgumentError, DownloadError, FlowError, NotThere
from fateflow.scheduler import checkpoints, model_files, model_service, model_tags, models, submit
from fateflow.store import models as rows
from fateflow.store import outputs

ALL = ["reader_0", "transform_0", "psi_0", "lr_0"]


@pytest.fixture
def site(tmp_path):
    return site_at(tmp_path / "home")


@pytest.fixture
def model(site) -> tuple[str, str]:
    """(model id, version) of a training that succeeded at all parties."""
    data = submit.submit(site, lr_job(), lr_conf())
    finish(site, site.parties.created())
    site.parties.asked.clear()
    return data["model_info"]["model_id"], data["model_info"]["model_version"]


def folder(site, model, role="guest", party="9999"):
    return model_files.folder(site.settings, role, party, *model)


def row(site, model, role="guest", party="9999"):
    with site.database.read() as session:
        return rows.one(session, role, party, *model)


def test_a_training_leaves_a_model_with_its_inference_dsl_at_every_party(site, model):
    kept = row(site, model)
    assert (kept.parent, kept.parent_info, kept.job_id) == (True, {}, model[1])
    assert list(kept.inference_dsl["components"]) == ALL
    assert kept.inference_dsl["components"]["lr_0"]["CodePath"] == "HeteroLRGuest"
    assert kept.train_runtime_conf["component_parameters"] == lr_conf()["component_parameters"]
    assert kept.size > 0
    pipeline = model_files.read_json(folder(site, model) / "pipeline.json")
    assert pipeline["train_dsl"] == lr_job()
    assert (folder(site, model) / "pipeline.json").stat().st_mode & 0o777 == 0o600
    assert row(site, model, "arbiter", "10000") is not None


def test_keeping_a_model_twice_changes_nothing(site, model):
    models.save_pipeline(site, model[1], "guest", "9999")
    with site.database.read() as session:
        assert len(rows.find(session, model_id=model[0])) == 3


def test_models_inherited_from_an_earlier_job_are_copied_along(site, model):
    info = {"job_id": model[1], "component_list": ["reader_0", "transform_0"]}
    second = (model[0], submit.submit(site, lr_job(), lr_conf(inheritance_info=info))["job_id"])
    finish(site, site.parties.created())
    own = model_files.model_file(folder(site, second), "transform_0", "model")
    own.unlink()
    earlier = model_files.model_file(folder(site, model), "transform_0", "model")
    key = (second[1], "transform_0", 0, "guest", "9999")
    with site.database.write() as session:
        outputs.put(session, key, "model", "model", path=str(earlier))
    models.save_pipeline(site, second[1], "guest", "9999")
    assert own.read_bytes() == earlier.read_bytes()


def test_jobs_of_one_site_and_predict_jobs_keep_no_model(site, model):
    data = submit.submit_local(site, "Upload", {"file": "x"})
    finish(site, site.parties.created())
    with site.database.read() as session:
        assert rows.find(session, job_id=data["job_id"]) == []
    with pytest.raises(NotThere, match="no job 1"):
        models.save_pipeline(site, "1", "guest", "9999")


def test_only_the_initiators_site_deploys(site, model):
    with site.database.write() as session:
        session.delete(rows.one(session, "guest", "9999", *model))
    with pytest.raises(DownloadError, match="at its initiator's site: guest 9999"):
        models.deploy(site, *model)


def test_a_party_without_the_model_says_so(site, model):
    with site.database.write() as session:
        session.delete(rows.one(session, "host", "10000", *model))
    with pytest.raises(FlowError, match=r"host 10000: model .* is not here") as caught:
        models.deploy(site, *model)
    assert caught.value.data["host"] == {"10000": 100}
    assert caught.value.data["guest"] == {"9999": 0}


def test_deploying_some_components_makes_a_version_at_every_party(site, model):
    data = models.deploy(site, *model, cpn_list=["reader_0", "lr_0"], components_checkpoint={})
    version = data["model_version"]
    assert version > model[1]
    assert data == {
        "model_id": model[0],
        "model_version": version,
        "guest": {"9999": 0},
        "host": {"10000": 0},
        "arbiter": {"10000": 0},
        "detail": {
            role: {party: {"retcode": 0, "retmsg": f"deploy model of role {role} {party} success"}}
            for role, party in (("guest", "9999"), ("host", "10000"), ("arbiter", "10000"))
        },
    }
    deployed = row(site, (model[0], version), "host", "10000")
    assert deployed.parent is False
    assert deployed.parent_info == {
        "parent_model_id": model[0],
        "parent_model_version": model[1],
    }
    assert deployed.runtime_conf["job_parameters"]["common"]["model_version"] == version
    assert deployed.runtime_conf_on_party["job_parameters"]["model_version"] == version
    at = folder(site, (model[0], version), "host", "10000")
    assert [c for c, _, _ in model_files.models(at)] == ["lr_0"]
    assert model_files.read_json(at / "lr_0/model/model.json")["meta"]["mark"] == "host final"


def test_without_a_choice_every_component_is_deployed(site, model):
    version = models.deploy(site, *model)["model_version"]
    assert list(models.predict_dsl(site, model[0], version)["components"]) == ALL


def test_the_dsl_may_be_given_as_text_or_object_and_may_add_components(site, model):
    made = models.deduced(lr_job(), "psi_0,lr_0")
    made["components"]["reader_1"] = {"module": "Reader", "output": {"data": ["data"]}}
    made["components"]["psi_0"]["input"] = {"data": {"data": ["reader_1.data"]}}
    for given in ({"dsl": msgspec.json.encode(made).decode()}, {"predict_dsl": made}):
        version = models.deploy(site, *model, **given)["model_version"]
        found = models.predict_dsl(site, model[0], version)["components"]
        assert found["psi_0"]["input"] == {"data": {"data": ["reader_1.data"]}}
        assert found["reader_1"]["CodePath"] == "Reader"


def test_what_cannot_be_deployed_is_refused_before_any_party_is_asked(site, model):
    with pytest.raises(ArgumentError, match="not both"):
        models.deploy(site, *model, cpn_list=["lr_0"], dsl=lr_job())
    with pytest.raises(ArgumentError, match="dsl is not JSON"):
        models.deploy(site, *model, dsl="{")
    with pytest.raises(BadDsl, match="no component 'nn_0'"):
        models.deploy(site, *model, cpn_list=["nn_0"])
    alien = {"components": {"a": {"module": "Z", "input": {"model": ["pipeline.psi_0.model"]}}}}
    with pytest.raises(BadDsl) as caught:
        models.deploy(site, *model, predict_dsl=alien)
    assert "the trained job has no model 'pipeline.psi_0.model'" in str(caught.value)
    assert "unknown module 'Z'" in str(caught.value)
    with pytest.raises(ArgumentError, match="components_checkpoint"):
        models.deploy(site, *model, components_checkpoint={"nn_0": {"step_index": 1}})
    assert site.parties.asked == []


def test_of_a_cross_validation_there_is_nothing_to_deploy(site):
    conf = lr_conf()
    conf["component_parameters"]["common"]["lr_0"]["cv_param"] = {"need_cv": True}
    data = submit.submit(site, lr_job(), conf)
    finish(site, site.parties.created())
    model = tuple(data["model_info"].values())
    for role, party in (("guest", "9999"), ("host", "10000"), ("arbiter", "10000")):
        (folder(site, model, role, party) / "lr_0/model/model.json").unlink()
    site.parties.asked.clear()
    with pytest.raises(ArgumentError, match="lr_0: cross-validation keeps no model; train with"):
        models.deploy(site, *model)
    assert site.parties.asked == []
    models.deploy(site, *model, cpn_list=["reader_0", "transform_0", "psi_0"])


def test_an_unknown_model_is_answered_404_with_data(site, model):
    with pytest.raises(DownloadError) as caught:
        models.deploy(site, model[0], "1")
    assert caught.value.http_status == 404
    assert caught.value.data["model_id"] == model[0]


def test_a_deployed_model_is_not_deployed_again(site, model):
    version = models.deploy(site, *model)["model_version"]
    with pytest.raises(FlowError) as caught:
        models.deploy(site, model[0], version)
    assert caught.value.retcode == 101
    assert caught.value.data["guest"]["9999"] != 0
    detail = caught.value.data["detail"]["guest"]["9999"]
    assert "Child model could not be deployed." in detail["retmsg"]


def test_a_checkpoint_may_be_deployed_in_place_of_the_last_step(site, model):
    for role, party in (("guest", "9999"), ("host", "10000"), ("arbiter", "10000")):
        for step in (2, 10):
            path = folder(site, model, role, party) / f"checkpoint/lr_0/{step}#round/model.json"
            model_files.write_json(path, fitted("HeteroLR", f"step {step}"))
    for wanted in ({"step_index": 10}, {"step_name": "round"}, {"step_index": "10"}):
        data = models.deploy(site, *model, components_checkpoint={"lr_0": wanted})
        at = folder(site, (model[0], data["model_version"]))
        assert model_files.read_json(at / "lr_0/model/model.json")["meta"]["mark"] == "step 10"
        mark = model_files.read_json(at / "transform_0/model/model.json")["meta"]["mark"]
        assert mark == "guest final"
    with pytest.raises(FlowError, match=r"there are: 2#round, 10#round"):
        models.deploy(site, *model, components_checkpoint={"lr_0": {"step_index": 3}})


def test_the_templates_need_a_guest_or_a_host(site, model):
    version = models.deploy(site, *model, cpn_list=ALL)["model_version"]
    conf = models.predict_conf(site, model[0], version)
    assert conf["job_parameters"]["common"]["model_version"] == version
    assert conf["job_parameters"]["common"]["job_type"] == "predict"
    for template in (models.predict_dsl, models.predict_conf):
        with pytest.raises(DownloadError) as caught:
            template(site, model[0], "1")
        assert caught.value.http_status == 210


def test_models_are_listed_with_the_keys_asked_for(site, model):
    asked = ["role", "party_id", "roles", "parent", "size", "description"]
    found = models.query(
        site, {"model_id": model[0], "model_version": model[1], "query_filters": asked}
    )
    assert [f["f_role"] for f in found] == ["guest", "host", "arbiter"]
    assert set(found[0]) == {"f_role", "f_party_id", "f_roles", "f_parent", "f_size"}
    with pytest.raises(FlowError) as caught:
        models.query(site, {"model_id": "none"})
    assert caught.value.retcode == 100


def test_only_deployed_models_are_loaded_and_the_arbiter_is_left_out(site, model):
    with pytest.raises(FlowError, match="Only deployed models could be used") as caught:
        model_service.load(site, {"job_id": model[1]})
    assert caught.value.retcode == 101
    assert caught.value.job_id
    version = models.deploy(site, *model)["model_version"]
    conf = {
        "initiator": {"role": "guest", "party_id": "9999"},
        "role": {"guest": ["9999"], "host": [10000], "arbiter": [10000]},
        "job_parameters": {"model_id": model[0], "model_version": version},
    }
    _, data = model_service.load(site, conf)
    assert set(data) == {"guest", "host", "detail"}
    assert data["guest"] == {"9999": 0}
    assert "this site runs no serving" in data["detail"]["guest"]["9999"]["retmsg"]
    assert row(site, (model[0], version)).loaded_times == 1
    assert model_service.bind(site, {**conf, "service_id": "lr"}) == "service id is lr"
    with site.database.read() as session:
        served = rows.served(session, service_id="lr")
    assert [(s.role, s.model_version) for s in served] == [("guest", version)]
    with pytest.raises(ArgumentError, match="no service id"):
        model_service.bind(site, conf)
    with pytest.raises(ArgumentError, match="required argument are missing"):
        model_service.load(site, {"role": {}})
    with pytest.raises(ArgumentError, match="role: a party id is a number"):
        model_service.load(site, {**conf, "role": {"guest": ["x"]}})
    with pytest.raises(NotThere, match="no model of job 1"):
        model_service.load(site, {"job_id": "1"})
    nested = {**conf, "job_parameters": {"common": {"model_id": model[0], "model_version": "1"}}}
    with pytest.raises(FlowError, match="version 1 is not at guest 9999"):
        model_service.bind(site, {**nested, "service_id": "lr"})


def test_tags_are_made_listed_renamed_and_taken_away(site, model):
    job = model[1]
    assert model_tags.create(site, "t", "about") == "'t' tag has been created successfully."
    with pytest.raises(FlowError, match="'t' has already exists in database"):
        model_tags.create(site, "t")
    told = model_tags.add_to_model(site, job, "mine")
    assert told == f"Adding mine tag for model with job id: {job} successfully."
    assert model_tags.of_model(site, job) == {
        "tags": [{"name": "mine", "description": None}],
        "count": 1,
    }
    assert model_tags.listed(site, 10)["tags"] == [
        {"name": "t", "description": "about", "model_count": 0},
        {"name": "mine", "description": None, "model_count": 3},
    ]
    assert model_tags.retrieve(site, "t") == {"tags": [{"name": "t", "description": "about"}]}
    assert model_tags.retrieve(site, "mine", with_model=True)["count"] == 3
    told = model_tags.update(site, "mine", "ours", "shared")
    assert told == "Infomation of 'mine' tag has been updated successfully."
    assert model_tags.of_model(site, job)["tags"] == [{"name": "ours", "description": "shared"}]
    with pytest.raises(FlowError, match=r"Nothing to be updated\."):
        model_tags.update(site, "ours", "ours")
    with pytest.raises(FlowError, match="'t' already exists"):
        model_tags.update(site, "ours", "t")
    with pytest.raises(FlowError, match="has tag ours already"):
        model_tags.add_to_model(site, job, "ours")
    assert "successfully" in model_tags.remove_from_model(site, job, "ours")
    assert model_tags.destroy(site, "ours") == "'ours' tag has been deleted successfully."
    for act in (model_tags.destroy, model_tags.retrieve, model_tags.update):
        with pytest.raises(FlowError):
            act(site, "ours")
    for act in (model_tags.add_to_model, model_tags.remove_from_model):
        with pytest.raises(FlowError, match=r"job id:? 1"):
            act(site, "1", "t")
    with pytest.raises(FlowError, match="by job id: 1"):
        model_tags.of_model(site, "1")
    with pytest.raises(FlowError, match="No tags found"):
        model_tags.retrieve(site, "ours", with_model=True)
    with pytest.raises(ArgumentError, match="1 to 128 characters"):
        model_tags.create(site, "")


def test_a_name_with_signs_of_patterns_is_searched_for_as_it_is(site):
    model_tags.create(site, "a%b")
    model_tags.create(site, "axb")
    found = model_tags.retrieve(site, "a%b")["tags"]
    assert [tag["name"] for tag in found] == ["a%b"]


def asked(model, **more) -> dict:
    named = {"model_id": model[0], "model_version": model[1], "role": "guest", "party_id": 9999}
    return {**named, "component_name": "lr_0", **more}


def test_checkpoints_are_listed_by_step_and_given_as_base64(site, model):
    assert checkpoints.listed(site, asked(model)) == []
    for step in (10, 2):
        path = folder(site, model) / f"checkpoint/lr_0/{step}#round/model.json"
        model_files.write_json(path, fitted("HeteroLR", f"step {step}"))
    first, second = checkpoints.listed(site, asked(model))
    assert (first["step_index"], second["step_index"]) == (2, 10)
    assert set(first["models"]) == {"HeteroLRMeta", "HeteroLRParam"}
    assert len(first["models"]["HeteroLRMeta"]["sha1"]) == 40
    one = checkpoints.get(site, asked(model, step_index="10"))
    assert one["step_name"] == "round"
    assert isinstance(one["models"]["HeteroLRParam"], str)
    for more, status in (({}, 400), ({"step_index": "x"}, 400), ({"step_index": 3}, 404)):
        with pytest.raises(DownloadError) as caught:
            checkpoints.get(site, asked(model, **more))
        assert caught.value.http_status == status
    with pytest.raises(DownloadError, match="Invalid 'party_id'"):
        checkpoints.listed(site, {**asked(model), "party_id": "x"})
    with pytest.raises(DownloadError, match="required argument are missing: role"):
        checkpoints.listed(site, {**asked(model), "role": None})
    with pytest.raises(DownloadError, match="Invalid 'component_name'"):
        checkpoints.listed(site, {**asked(model), "component_name": "../x"})
