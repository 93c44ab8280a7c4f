"""Whose parameters a component takes, in training and in prediction; and inheritance."""

from __future__ import annotations

import pytest
from job_samples import lr_job

from fateflow.domain import conf as confs
from fateflow.domain import inference, inheritance
from fateflow.domain.conf import BadConf
from fateflow.domain.dsl import parse
from fateflow.domain.inheritance import Earlier
from fateflow.domain.parameters import (
    of_predict,
    of_train,
    resolve,
    source,
    strangers,
    without_idle_arbiter,
)


def conf(parameters: dict, roles: dict | None = None, **job: object) -> confs.Conf:
    return confs.parse(
        {
            "dsl_version": 2,
            "initiator": {"role": "guest", "party_id": 9999},
            "role": roles or {"guest": [9999], "host": [10000]},
            "job_parameters": {"common": job},
            "component_parameters": parameters,
        }
    )


def chained() -> dict:
    dsl = lr_job()
    for index in (1, 2):
        dsl["components"][f"transform_{index}"] = {
            "module": "datatransform",
            "input": {
                "data": {"data": ["reader_0.data"]},
                "model": [f"transform_{index - 1}.model"],
            },
            "output": {"data": ["data"], "model": ["model"]},
        }
    dsl["components"]["lr_1"] = {
        "module": "HeteroLR",
        "input": {"data": {"train_data": ["psi_0.data"]}, "model": ["lr_0.model"]},
        "output": {"model": ["model"]},
    }
    dsl["components"]["lr_2"] = {
        "module": "HeteroLR",
        "input": {"data": {"test_data": ["psi_0.data"]}, "model": ["lr_1.model"]},
    }
    dsl["components"]["card_0"] = {
        "module": "Scorecard",
        "input": {"data": {"data": ["psi_0.data"]}, "model": ["lr_0.model"]},
    }
    return dsl


def test_applying_a_model_takes_the_parameters_of_the_one_that_made_it():
    dag = parse(chained())
    assert source(dag, "transform_2") == "transform_0"
    assert source(dag, "lr_2") == "lr_1"


def test_a_warm_start_and_another_module_keep_their_own_parameters():
    dag = parse(chained())
    assert source(dag, "lr_1") == "lr_1"
    assert source(dag, "card_0") == "card_0"


def test_the_chain_is_followed_for_need_run_too():
    given = {"common": {"transform_0": {"need_run": False, "x": 1}, "transform_2": {"x": 2}}}
    found = resolve(parse(chained()), of_train(conf(given), "guest", 0))
    assert found["transform_2"].parameters == {"need_run": False, "x": 1}
    assert (found["transform_2"].need_run, found["transform_2"].source) == (False, "transform_0")
    assert found["lr_0"].need_run is True


def test_prediction_takes_the_trained_parameters_of_the_same_party_wherever_it_stands():
    trained = conf(
        {
            "common": {"lr_0": {"alpha": 1}},
            "role": {"host": {"0": {"reader_0": {"t": "a"}}, "1": {"reader_0": {"t": "b"}}}},
        },
        {"guest": [9999], "host": [10000, 10001], "arbiter": [10000]},
    )
    predict = conf({"common": {"lr_0": {"beta": 2}}}, {"guest": ["9999"], "host": ["10001"]})
    dag = parse(inference.predict_dsl(parse(lr_job())))
    found = resolve(dag, of_predict(predict, trained, "host", 0))
    assert found["reader_0"].parameters == {"t": "b"}
    assert found["lr_0"].parameters == {"alpha": 1, "beta": 2}
    assert strangers(predict, trained) == []


def test_the_key_all_survives_the_change_of_positions():
    trained = conf(
        {"role": {"host": {"all": {"lr_0": {"x": 1}}}}}, {"guest": [9999], "host": [1, 2]}
    )
    predict = conf({"role": {"host": {"all": {"lr_0": {"y": 2}}}}}, {"guest": [9999], "host": [2]})
    assert of_predict(predict, trained, "host", 0)("lr_0") == {"x": 1, "y": 2}


def test_a_predicting_copy_of_a_component_adds_its_own_to_its_models_parameters():
    dsl = chained()
    dag = parse(inference.predict_dsl(parse(dsl), ["reader_0", "psi_0", "lr_2"]))
    trained = conf({"common": {"lr_1": {"alpha": 1}}})
    predict = conf({"common": {"lr_2": {"beta": 2}}})
    found = resolve(dag, of_predict(predict, trained, "guest", 0))["lr_2"]
    assert (found.parameters, found.source) == ({"alpha": 1, "beta": 2}, "lr_1")


def test_parties_that_took_no_part_in_the_training_are_named():
    trained, predict = conf({}), conf({}, {"guest": [9999], "host": [10000, 3], "arbiter": [7]})
    assert strangers(predict, trained) == [
        "role.host: 3 took no part in the training; there host was 10000",
        "role.arbiter: 7 took no part in the training; there arbiter was nobody",
    ]
    with pytest.raises(BadConf, match="host 3 was no host of the training"):
        of_predict(predict, trained, "host", 1)


def test_an_arbiter_that_only_the_prediction_names_is_left_out():
    trained = conf({}, {"guest": [9999], "host": [10000]})
    predict = conf({}, {"guest": [9999], "host": [10000], "arbiter": [7]})
    left = without_idle_arbiter(predict, trained)
    assert left.shown_roles == {"guest": [9999], "host": [10000]}
    assert without_idle_arbiter(predict, predict) is predict


def earlier(parameters: dict | None = None, **statuses: str) -> Earlier:
    ended = dict.fromkeys(lr_job()["components"], "success") | statuses
    return Earlier("1", parse(lr_job()), conf(parameters or {}), ended)


def test_finished_components_with_all_they_read_can_be_inherited():
    names = ["reader_0", "transform_0"]
    assert inheritance.faults(names, parse(lr_job()), conf({}), earlier(lr_0="failed")) == []


def test_why_a_component_cannot_be_inherited_is_told():
    changed = lr_job()
    changed["components"]["psi_0"]["output"] = {"data": ["other", "data"]}
    names = ["psi_0", "lr_0", "nobody"]
    told = "\n".join(inheritance.faults(names, parse(changed), conf({}), earlier(lr_0="failed")))
    assert "'psi_0' reads reader_0, transform_0, which must be inherited too" in told
    assert "'psi_0' has another module, other inputs or other outputs" in told
    assert "'lr_0' did not end well in job 1: failed" in told
    assert "'nobody' is not in this job" in told


def test_changed_parameters_and_other_parties_forbid_inheritance():
    now = conf({"role": {"host": {"0": {"reader_0": {"x": 1}}}}})
    told = inheritance.faults(["reader_0"], parse(lr_job()), now, earlier())
    assert len(told) == 1
    assert "'reader_0' has other parameters than in job 1 (host 10000)" in told[0]
    others = conf({}, {"guest": [9999], "host": [5]})
    assert "had other parties" in inheritance.faults([], parse(lr_job()), others, earlier())[0]


def test_inheritance_info_is_checked_for_its_form():
    assert inheritance.wanted({}) == ("", [], [])
    assert inheritance.wanted({"job_id": "1", "component_list": ["a"]}) == ("1", ["a"], [])
    _, _, faults = inheritance.wanted({"job_id": 3, "component_list": "a"})
    assert len(faults) == 2
