"""Submitting: what is asked of every party, what is refused, and that a refusal leaves nothing."""

from __future__ import annotations

import pytest
from job_samples import lr_job
from site_samples import finish, lr_conf, site_at

from fateflow.errors import FlowError, PeerError, PeerUnreachable
from fateflow.scheduler import models, submit
from fateflow.scheduler.submit import submit_local


@pytest.fixture
def site(tmp_path):
    return site_at(tmp_path / "home")


def refused(site, dsl, conf) -> str:
    with pytest.raises(FlowError) as caught:
        submit.submit(site, dsl, conf)
    assert caught.value.retcode == 103
    assert len(caught.value.job_id) == 21
    assert "\n" not in str(caught.value)
    assert site.scheduler.times == 0
    return str(caught.value)


def test_the_answer_has_exactly_fates_keys(site):
    data = submit.submit(site, lr_job(), lr_conf())
    assert set(data) == {
        "job_id",
        "code",
        "message",
        "model_info",
        "logs_directory",
        "board_url",
        "dsl_path",
        "runtime_conf_path",
        "runtime_conf_on_party_path",
        "train_runtime_conf_path",
        "pipeline_dsl_path",
    }
    assert data["model_info"] == {
        "model_id": "arbiter-10000#guest-9999#host-10000#model",
        "model_version": data["job_id"],
    }
    assert data["board_url"].endswith(f"?job_id={data['job_id']}&role=guest&party_id=9999")
    assert data["runtime_conf_on_party_path"].endswith(
        f"{data['job_id']}/guest/9999/job_runtime_on_party_conf.json"
    )
    assert site.scheduler.times == 1


def test_every_party_is_asked_with_its_own_parameters_and_the_initiator_last(site):
    submit.submit(site, lr_job(), lr_conf(task_parallelism=3))
    made = site.parties.created()
    assert [(r.role, r.party_id, r.position) for r in made] == [
        ("host", "10000", 1),
        ("arbiter", "10000", 2),
        ("guest", "9999", 0),
    ]
    host, arbiter, guest = made
    assert [t.component for t in arbiter.tasks] == ["lr_0"]
    assert [t.component for t in guest.tasks] == ["reader_0", "transform_0", "psi_0", "lr_0"]
    transform = {r.role: r.tasks[1] for r in (guest, host)}
    assert transform["guest"].parameters == {"with_label": True}
    assert transform["host"].parameters == {}
    assert transform["host"].shown == {"with_label": False, "need_run": True}
    assert guest.tasks[3].shown["encrypt_param"] == {"method": "Paillier", "key_length": 1024}
    assert guest.tasks[3].roles == ["guest", "host", "arbiter"]
    assert guest.tasks[0].roles == ["guest", "host"]
    assert (guest.cores, arbiter.cores, guest.parallelism) == (12, 0, 3)
    assert len({r.job_token for r in made}) == 1
    assert len(guest.job_token) == 64
    assert guest.roles == {"guest": ["9999"], "host": ["10000"], "arbiter": ["10000"]}
    assert guest.runtime_conf_on_party["job_parameters"]["job_type"] == "train"
    assert guest.tasks[3].code_path == "HeteroLRGuest"


def test_parameters_are_checked_in_one_call(site):
    submit.submit(site, lr_job(), lr_conf())
    assert site.launcher.calls == ["catalog", "validate"]


def test_providers_are_accepted_and_not_kept(site):
    dsl = lr_job()
    dsl["components"]["lr_0"]["provider"] = "fate@1.11.4"
    submit.submit(site, dsl, lr_conf())
    assert site.parties.created()[0].dsl == lr_job()


def test_need_run_is_the_schedulers_where_the_component_does_not_know_it(site):
    conf = lr_conf()
    conf["component_parameters"]["common"] |= {
        "lr_0": {"need_run": False},
        "transform_0": {"need_run": False},
    }
    submit.submit(site, lr_job(), conf)
    tasks = {t.component: t for t in site.parties.created()[2].tasks}
    assert (tasks["lr_0"].need_run, tasks["lr_0"].parameters) == (False, {})
    assert tasks["transform_0"].need_run is False
    assert tasks["transform_0"].parameters["need_run"] is False
    assert tasks["psi_0"].need_run is True


def test_faults_of_dsl_and_configuration_come_in_one_answer(site):
    text = refused(site, {"components": {"a": {}}}, {"dsl_version": 1})
    for part in ("'module' is missing", "only the v2 version", "initiator: expected", "role: "):
        assert part in text
    assert site.parties.asked == []


def test_all_faults_of_all_parties_parameters_come_in_one_answer(site):
    conf = lr_conf()
    conf["component_parameters"]["common"]["lr_0"] = {"aplha": 1}
    conf["component_parameters"]["role"]["host"]["0"]["transform_0"] = {"with_label": "yes"}
    dsl = lr_job()
    dsl["components"]["odd_0"] = {"module": "HeteroRL"}
    text = refused(site, dsl, conf)
    assert "cpn `HeteroLR#lr_0` has redundant parameters: `[['aplha']]`" in text
    assert "did you mean `alpha`? (guest 9999, host 10000, arbiter 10000)" in text
    assert "`DataTransform#transform_0`, `$.with_label`" in text
    assert "(host 10000)" in text
    assert "component 'odd_0': unknown module 'HeteroRL'; did you mean 'HeteroLR'?" in text
    assert "there are: DataTransform, Download, HeteroLR" in text
    assert site.parties.asked == []


def test_a_value_out_of_range_is_refused(site):
    conf = lr_conf()
    conf["component_parameters"]["common"]["lr_0"] = {"max_iter": 0}
    assert "`$.max_iter`: expected `int` >= 1" in refused(site, lr_job(), conf)


def test_a_component_that_no_role_of_the_job_runs_is_refused(site):
    dsl = lr_job()
    dsl["components"]["up_0"] = {"module": "upload"}
    text = refused(site, dsl, lr_conf())
    assert "component 'up_0': Upload runs at local, and the job has guest, host, arbiter" in text


def test_a_training_with_an_arbiters_help_is_refused_without_one(site):
    conf = lr_conf()
    del conf["role"]["arbiter"]
    conf["component_parameters"]["common"]["lr_0"] = {"max_iter": 0}
    text = refused(site, lr_job(), conf)
    needed = "cpn `HeteroLR#lr_0`: needs an arbiter; name one in the configuration's role"
    assert text.count(needed) == 1
    assert "`$.max_iter`" in text
    conf["component_parameters"]["common"]["lr_0"] = {"need_run": False}
    submit.submit(site, lr_job(), conf)


def test_a_component_that_only_predicts_in_a_training_needs_no_arbiter(site):
    conf, dsl = lr_conf(), lr_job()
    del conf["role"]["arbiter"]
    lr = dsl["components"]["lr_0"]
    lr["input"] = {"data": {"test_data": ["psi_0.data"]}, "model": ["loader_0.model"]}
    dsl["components"]["loader_0"] = {"module": "Reader", "output": {"model": ["model"]}}
    submit.submit(site, dsl, conf)


def test_a_stored_model_cannot_be_read_by_a_training(site):
    dsl = lr_job()
    dsl["components"]["lr_0"]["input"]["model"] = ["pipeline.lr_0.model"]
    assert "only a predict job has" in refused(site, dsl, lr_conf())


def test_the_initiator_submits_at_its_own_site(tmp_path):
    site = site_at(tmp_path / "host", party="10000")
    assert "this site is party 10000, not guest 9999" in refused(site, lr_job(), lr_conf())


def test_a_party_that_refuses_ends_it_and_the_others_are_told(site):
    conf = lr_conf()
    conf["role"] = {"guest": [9999], "host": [1, 2, 3], "arbiter": [1]}
    conf["component_parameters"]["role"]["host"] = {}
    site.parties.refusing = {
        "2": PeerError("party 2: too many cores"),
        "3": PeerUnreachable("party 3 does not answer at h:9370"),
    }
    text = refused(site, lr_job(), conf)
    assert "host 2 refused: party 2: too many cores" in text
    assert "party 3 does not answer at h:9370" in text
    assert ("guest", "9999") not in [(r.role, r.party_id) for r in site.parties.created()]
    assert ("host", "1") in site.parties.dropped()
    assert ("host", "3") in site.parties.dropped()
    assert ("host", "2") not in site.parties.dropped()
    assert not site.settings.jobs.exists()


def test_removed_parameters_give_a_warning():
    conf = lr_conf(backend=0)
    assert submit.warning(conf) == "[WARN]backend is removed,it does not take effect!"
    assert submit.warning({}) == ""


def test_a_local_job_has_one_party_and_one_component(tmp_path):
    site = site_at(tmp_path / "host", party="10000")
    data = submit_local(site, "Upload", {"file": "x.csv"}, job_id="202401010000000000000")
    assert data["job_id"] == "202401010000000000000"
    assert data["model_info"]["model_id"] == "local-0#model"
    assert data["board_url"].endswith("&role=local&party_id=0")
    (request,) = site.parties.created()
    assert request.dsl == {"components": {"upload_0": {"module": "Upload"}}}
    assert request.tasks[0].parameters == {"file": "x.csv"}


def test_a_local_jobs_parameters_are_checked_too(site):
    with pytest.raises(FlowError, match="has redundant parameters"):
        submit_local(site, "Upload", {"fiel": "x.csv"})


def test_what_has_no_effect_is_said_in_the_jobs_log(site):
    conf = lr_conf()
    conf["component_parameters"]["role"]["host"]["0"]["hetero_lr"] = {"alpha": 2}
    dsl = lr_job()
    dsl["components"]["lr_0"]["input"]["data"]["more_data"] = ["psi_0.data"]
    job_id = submit.submit(site, dsl, conf)["job_id"]
    written = (site.settings.logs / job_id / "fate_flow_schedule.log").read_text()
    assert "parameters of hetero_lr have no effect: no such component" in written
    assert "'more_data' is none of data, train_data" in written


def test_a_check_that_cannot_be_made_is_a_refusal(site, monkeypatch):
    def broken(name, /, **arguments):
        raise RuntimeError("the zygote is gone")

    site.catalog.update(lr_catalog(site))
    monkeypatch.setattr(site.launcher, "call", broken)
    assert "could not be checked: the zygote is gone" in refused(site, lr_job(), lr_conf())


def lr_catalog(site) -> dict:
    return {
        name.lower(): {"module": name, "roles": entry["roles"]}
        for name, entry in site.launcher.call("catalog").items()
    }


def test_a_party_that_cannot_even_be_told_to_drop_the_job_is_noted(site, monkeypatch, caplog):
    unreachable = PeerUnreachable("party 10000 does not answer")
    monkeypatch.setattr(site.parties, "_answer", lambda party, request: unreachable)
    refused(site, lr_job(), lr_conf())
    assert "could not be dropped at host 10000" in caplog.text


def trained(site, conf: dict | None = None, dsl: dict | None = None) -> tuple[str, str]:
    """(model id, deployed version) of a job that ran."""
    data = submit.submit(site, dsl or lr_job(), conf or lr_conf())
    finish(site, site.parties.created())
    site.parties.asked.clear()
    model_id, version = data["model_info"].values()
    deployed = models.deploy(site, model_id, version, cpn_list=["reader_0", "psi_0", "lr_0"])
    site.parties.asked.clear()
    site.scheduler.times = 0
    return model_id, deployed["model_version"]


def predict_conf(model_id: str, version: str) -> dict:
    table = {"reader_0": {"table": {"name": "new", "namespace": "e"}}}
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": "9999"},
        "role": {"guest": ["9999"], "host": ["10000"], "arbiter": ["10000"]},
        "job_parameters": {
            "common": {"job_type": "predict", "model_id": model_id, "model_version": version}
        },
        "component_parameters": {"role": {"guest": {"0": table}, "host": {"all": table}}},
    }


def test_a_predict_job_runs_the_deployed_dsl_with_the_trained_parameters(site):
    model_id, version = trained(site)
    data = submit.submit(site, {}, predict_conf(model_id, version))
    assert data["model_info"] == {"model_id": model_id, "model_version": version}
    host, arbiter, guest = site.parties.created()
    assert guest.job_type == "predict"
    assert list(guest.dsl["components"]) == ["reader_0", "psi_0", "lr_0"]
    lr = guest.dsl["components"]["lr_0"]
    assert lr["input"]["model"] == ["pipeline.lr_0.model"]
    assert lr["CodePath"] == "HeteroLRGuest"
    assert host.dsl["components"]["lr_0"]["CodePath"] == "HeteroLRHost"
    assert guest.tasks[2].parameters == {"alpha": 0.5}
    assert guest.tasks[0].parameters == {"table": {"name": "new", "namespace": "e"}}
    assert guest.runtime_conf["job_parameters"]["common"]["model_version"] == version
    assert guest.train_runtime_conf["component_parameters"] == lr_conf()["component_parameters"]
    assert [t.component for t in arbiter.tasks] == ["lr_0"]


def test_a_predict_job_may_leave_out_the_arbiter(site):
    conf = predict_conf(*trained(site))
    del conf["role"]["arbiter"]
    submit.submit(site, {}, conf)
    assert [r.role for r in site.parties.created()] == ["host", "guest"]
    assert site.parties.created()[0].tasks[2].roles == ["guest", "host"]


def test_a_missing_or_undeployed_model_is_refused_naming_what_is_deployed(site):
    model_id, version = trained(site)
    text = refused(site, {}, predict_conf(model_id, "1"))
    assert f"version 1 is not found at guest 9999; deployed versions: {version}" in text
    with site.database.read() as session:
        from fateflow.store import models as rows

        parent = rows.find(session, parent=True)[0].model_version
    assert f"{parent} is not deployed" in refused(site, {}, predict_conf(model_id, parent))
    assert "none is deployed" in refused(site, {}, predict_conf("guest-9999#model", "1"))
    assert "needs model_id and model_version" in refused(site, {}, predict_conf("", ""))


def test_a_stranger_to_the_training_cannot_predict(site):
    conf = predict_conf(*trained(site))
    conf["role"]["host"] = [10001]
    assert "host: 10001 took no part in the training" in refused(site, {}, conf)


def test_a_prediction_may_name_an_arbiter_that_the_training_did_not_have(site):
    without, dsl = lr_conf(), lr_job()
    del without["role"]["arbiter"]
    dsl["components"]["lr_0"]["module"] = "HeteroSSHELR"
    conf = predict_conf(*trained(site, without, dsl))
    job_id = submit.submit(site, {}, conf)["job_id"]
    assert [r.role for r in site.parties.created()] == ["host", "guest"]
    log = (site.settings.logs / job_id / "fate_flow_schedule.log").read_text()
    assert "role.arbiter is left out: it took no part in the training" in log


def test_components_of_an_earlier_job_are_inherited(site):
    first = submit.submit(site, lr_job(), lr_conf())
    finish(site, site.parties.created())
    site.parties.asked.clear()
    info = {"job_id": first["job_id"], "component_list": ["reader_0", "transform_0"]}
    submit.submit(site, lr_job(), lr_conf(inheritance_info=info))
    assert site.parties.created()[0].inheritance_info == info
    site.scheduler.times = 0
    wrong = {"job_id": first["job_id"], "component_list": ["psi_0"]}
    text = refused(site, lr_job(), lr_conf(inheritance_info=wrong))
    assert "'psi_0' reads reader_0, transform_0, which must be inherited too" in text
    assert "job_id: expected" in refused(site, lr_job(), lr_conf(inheritance_info={"a": 1}))
    unknown = {"job_id": "1", "component_list": ["reader_0"]}
    assert "initiated no job 1" in refused(site, lr_job(), lr_conf(inheritance_info=unknown))


@pytest.mark.parametrize(
    ("module", "name"), [("Upload", "file"), ("Download", "output_path")], ids=["read", "write"]
)
def test_the_files_of_the_home_are_no_data(site, module, name):
    home = site.settings.root
    link = home.parent / "elsewhere"
    link.symlink_to(home)
    for path in (home / "settings.json", home / "x" / ".." / "run" / "gateway.secret", link / "a"):
        with pytest.raises(FlowError, match="home of the site"):
            submit_local(site, module, {name: str(path)})
    assert site.parties.created() == []


def test_an_upload_reads_the_file_that_its_own_request_brought(site):
    brought = site.settings.jobs / "202401010000000000010" / "fate_upload_tmp" / "file"
    parameters = {"file": str(brought)}
    submit_local(site, "Upload", parameters, "202401010000000000010")
    with pytest.raises(FlowError, match="home of the site"):
        submit_local(site, "Upload", parameters, "202401010000000000020")
