"""Models for other libraries over HTTP: a horizontal one converted, a vertical one merged."""

import io
import json
import zipfile

import joblib
import numpy as np
import pytest

from fateflow.app import application
from fateflow.scheduler import model_files
from fateflow.store import models
from fateflow.store.orm import ModelRow
from federatedml import archive, lr_model
from federatedml.catalog import find
from federatedml.lr_model import LRMeta

VERSION = "202611220000000000000"
ROLES = {"guest": [9999], "host": [10000, 10001], "arbiter": [10000]}
ID = "arbiter-10000#guest-9999#host-10000_10001#model"
DSL = {
    "components": {
        "scale_0": {"module": "FeatureScale", "output": {"data": ["data"], "model": ["model"]}},
        "model_0": {
            "module": "HomoLR",
            "input": {"data": {"train_data": ["scale_0.data"]}},
            "output": {"model": ["model"]},
        },
    }
}


def linear(module, names, intercept=0.0):
    weights = np.arange(1.0, len(names) + 1)
    part = lr_model.single(names, np.append(weights, intercept), has_intercept=True, iters=1)
    return find(module).Model(meta=LRMeta(), param=lr_model.as_param([part], [0, 1]))


def hold(site, role, party, components, roles=ROLES):
    """Make a party's model as a training leaves it. components: name -> (module, model)."""
    at = model_files.folder(site.settings, role, party, ID, VERSION)
    for name, (module, model) in components.items():
        archive.save(model_files.model_file(at, name, "model"), module, model)
    named = {"role": role, "party_id": party, "model_id": ID, "model_version": VERSION}
    initiator = {"initiator_role": "guest", "initiator_party_id": "9999"}
    kept = {"roles": roles, "train_dsl": DSL, "inference_dsl": DSL, "parent": True, **initiator}
    conf = {"runtime_conf": {}, "train_runtime_conf": {}}
    model_files.write_json(at / model_files.PIPELINE, {**named, **kept, **conf})
    row = ModelRow(job_id=VERSION, create_time=1, update_time=1, **named, **kept, **conf)
    with site.database.write() as session:
        models.put(session, row)


@pytest.fixture
def horizontal(site):
    model = linear("HomoLR", ["a", "b"], 0.5)
    scored = linear("HeteroLR", ["a"])
    hold(site, "guest", "9999", {"model_0": ("HomoLR", model), "other_0": ("HeteroLR", scored)})
    return {"model_id": ID, "model_version": VERSION, "role": "guest", "party_id": 9999}


@pytest.fixture
def vertical(site):
    for role, party, names in (
        ("guest", "9999", ["a", "b"]),
        ("host", "10000", ["a"]),
        ("host", "10001", ["c"]),
    ):
        hold(site, role, party, {"model_0": ("HeteroLR", linear("HeteroLR", names))})
    return {
        "model_id": ID,
        "model_version": VERSION,
        "guest_party_id": "9999",
        "host_party_ids": ["10000", 10001],
        "component_name": "model_0",
        "model_type": "logistic_regression",
        "output_format": "sklearn",
    }


def test_what_can_be_converted_is_and_the_files_are_told(call, horizontal):
    reply = call("model/homo/convert", horizontal)
    assert reply["retcode"] == 0
    (done,) = reply["data"]
    assert (done["component_name"], done["model_alias"]) == ("model_0", "model")
    assert done["applied_before"] == ["scale_0 (FeatureScale)"]
    assert joblib.load(done["converted_model_path"]).coef_.tolist() == [[1.0, 2.0]]


def test_converted_files_travel_in_the_archive_but_are_not_taken_in(call, http, site, horizontal):
    for name in (None, "pmml"):
        assert call("model/homo/convert", {**horizontal, "framework_name": name})["retcode"] == 0
    zipped = http.get("/v1/model/export", data=json.dumps(horizontal)).data
    inside = {"converted/model_0/model/sklearn.joblib", "converted/model_0/model/model.pmml"}
    assert inside <= set(zipfile.ZipFile(io.BytesIO(zipped)).namelist())
    form = {k: str(v) for k, v in horizontal.items()} | {"force_update": "1"}
    taken = http.post("/v1/model/import", data={**form, "file": (io.BytesIO(zipped), "m.zip")})
    assert taken.get_json()["retcode"] == 0
    at = model_files.folder(site.settings, "guest", "9999", ID, VERSION)
    assert [name for name, _, _ in model_files.models(at)] == ["model_0", "other_0"]
    assert not model_files.converted(at)
    assert call("model/homo/convert", horizontal)["retcode"] == 0


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"model_version": "1"}, 102, "no model"),
        ({"role": "host"}, 102, "of host 9999 here"),
        ({"framework_name": "pytorch"}, 101, "this model converts HomoLR to sklearn or pmml"),
        ({"framework_name": "lgb"}, 101, "this model converts HomoLR to sklearn or pmml"),
        ({"component_name": "other_0"}, 101, "it holds HeteroLR; possible: HomoLR to"),
        ({"component_name": "x"}, 102, "no fitted component 'x', only model_0, other_0"),
        ({"party_id": "guest"}, 101, "a party id is a number"),
        ({"role": None}, 101, "required argument are missing: role"),
        ({"framework_name": {}}, 101, "framework_name"),
        ({"model_id": "../.."}, 102, "no model"),
    ],
)
def test_a_conversion_that_does_not_fit_is_refused_in_words(call, horizontal, change, code, words):
    reply = call("model/homo/convert", {**horizontal, **change})
    assert reply["retcode"] == code
    assert words in reply["retmsg"]
    assert "Traceback" not in reply["retmsg"]


def test_parts_at_one_site_are_merged(call, vertical):
    reply = call("component/hetero/merge", vertical)
    assert reply["retcode"] == 0
    assert reply["retmsg"] == "success; rows first go through scale_0 (FeatureScale)"
    merged = json.loads(reply["data"])
    assert merged["feature_names_in_"] == ["a", "b", "host_10000_a", "c"]
    assert merged["coef_"] == [[1.0, 2.0, 1.0, 1.0]]
    alone = call("component/hetero/merge", {**vertical, "include_guest_coef": False})
    assert json.loads(alone["data"])["feature_names_in_"] == ["a", "c"]
    text = {**vertical, "output_format": "pmml", "target_name": "risk", "host_rename": True}
    found = call("component/hetero/merge", {**text, "host_party_ids": "10000, 10001"})["data"]
    assert found.startswith("<?xml")
    assert 'name="risk"' in found
    assert "host_10001_c" in found


def test_parts_of_several_sites_are_merged_where_their_parties_bring_them(
    vertical, site_at, tmp_path
):
    archives, body = {}, json.dumps(vertical)
    for role, party, names in (
        ("guest", "9999", "ab"),
        ("host", "10000", "cd"),
        ("host", "10001", "e"),
    ):
        with site_at(tmp_path / party, party) as theirs:
            hold(theirs, role, party, {"model_0": ("HeteroLR", linear("HeteroLR", list(names)))})
            http = application(theirs).test_client()
            refused = http.post("/v1/component/hetero/merge", data=body).get_json()
            assert "is not here, and nobody is asked for it" in refused["retmsg"]
            of = {"model_id": ID, "model_version": VERSION, "role": role, "party_id": party}
            archives[party] = of, http.get("/v1/model/export", data=json.dumps(of)).data
    with site_at(tmp_path / "alone") as neutral:
        http = application(neutral).test_client()
        for of, zipped in archives.values():
            taken = http.post("/v1/model/import", data={**of, "file": (io.BytesIO(zipped), "m")})
            assert taken.get_json()["retcode"] == 0
        reply = http.post("/v1/component/hetero/merge", data=body).get_json()
    assert json.loads(reply["data"])["feature_names_in_"] == ["a", "b", "c", "d", "e"]


@pytest.mark.parametrize(
    ("change", "code", "words"),
    [
        ({"host_party_ids": [10000, 10002]}, 102, "the part of host 10002 of model"),
        ({"host_party_ids": [10000, 10002]}, 102, "`flow model export`"),
        ({"host_party_ids": [10000]}, 101, "trained with the hosts 10000, 10001: name them all"),
        ({"host_party_ids": [10000, "10000"]}, 101, "names a host twice"),
        ({"host_party_ids": []}, 101, "trained with the hosts 10000, 10001: name them all"),
        ({"host_party_ids": {"0": 1}}, 101, "host_party_ids must be a list of party ids"),
        ({"host_party_ids": None}, 101, "required argument are missing: host_party_ids"),
        ({"host_party_ids": ["a"]}, 101, "a party id is a number"),
        ({"guest_party_id": 9998}, 102, "the part of guest 9998"),
        ({"component_name": "y"}, 102, "guest 9999 has no fitted component 'y', only model_0"),
        ({"model_type": "forest"}, 101, "is none of secureboost, logistic_regression"),
        ({"output_format": "lightgbm"}, 101, "a logistic_regression model becomes sklearn or pmml"),
        ({"model_type": "secureboost", "output_format": "lgb"}, 101, "is a HeteroLR at the guest"),
        ({"host_rename": False}, 101, "several parties have a feature 'a'"),
        ({"host_rename": "perhaps"}, 101, "host_rename"),
        ({"model_type": None}, 101, "required argument are missing: model_type"),
    ],
)
def test_a_merge_that_does_not_fit_is_refused_in_words(call, vertical, change, code, words):
    reply = call("component/hetero/merge", {**vertical, **change})
    assert reply["retcode"] == code
    assert words in reply["retmsg"]
    assert "data" not in reply


def test_a_model_that_its_guest_trained_alone_needs_no_host(call, site, vertical):
    hold(
        site,
        "guest",
        "9999",
        {"model_0": ("HeteroLR", linear("HeteroLR", ["a"]))},
        roles={"guest": [9999]},
    )
    reply = call("component/hetero/merge", {**vertical, "host_party_ids": [""]})
    assert json.loads(reply["data"])["feature_names_in_"] == ["a"]


def test_a_damaged_model_is_told_as_such(call, site, vertical):
    at = model_files.folder(site.settings, "host", "10001", ID, VERSION)
    model_files.model_file(at, "model_0", "model").write_text("{")
    reply = call("component/hetero/merge", vertical)
    assert reply["retcode"] == 101
    assert "is damaged" in reply["retmsg"]
