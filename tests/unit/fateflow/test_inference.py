"""Deduction of the DSL that predicts, and the template of a predict job's configuration."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from job_samples import dags, lr_job

from fateflow.domain import inference
from fateflow.domain.dsl import BadDsl, parse
from fateflow.domain.inference import predict_dsl


def deduced(dsl: dict, kept: list[str] | None = None) -> dict:
    return predict_dsl(parse(dsl), kept)["components"]


def test_models_come_from_the_pipeline_and_training_data_becomes_test_data():
    found = deduced(lr_job())
    assert found["reader_0"] == {"module": "Reader", "output": {"data": ["data"]}}
    assert found["transform_0"] == {
        "module": "DataTransform",
        "input": {"model": ["pipeline.transform_0.model"], "data": {"data": ["reader_0.data"]}},
        "output": {"data": ["data"]},
    }
    assert found["psi_0"]["output"] == {"data": ["data"], "cache": ["cache"]}
    assert found["lr_0"]["input"] == {
        "model": ["pipeline.lr_0.model"],
        "data": {"test_data": ["psi_0.data"]},
    }


def test_what_is_left_out_is_bridged_by_what_it_read_itself():
    found = deduced(lr_job(), ["reader_0", "lr_0"])
    assert list(found) == ["reader_0", "lr_0"]
    assert found["lr_0"]["input"]["data"] == {"test_data": ["reader_0.data"]}


def test_an_input_whose_reader_is_left_out_is_for_the_user_to_fill():
    found = deduced(lr_job(), ["transform_0", "psi_0"])
    assert "data" not in found["transform_0"]["input"]
    assert found["psi_0"]["input"]["data"] == {"data": ["transform_0.data"]}


def test_one_data_kind_survives_the_first_of_the_known_order():
    dsl = lr_job()
    dsl["components"]["lr_1"] = {
        "module": "HeteroLR",
        "input": {"data": {"validate_data": ["psi_0.data"], "train_data": ["transform_0.data"]}},
        "output": {"model": ["m1"]},
    }
    dsl["components"]["lr_2"] = {
        "module": "HeteroLR",
        "input": {"data": {"validate_data": ["psi_0.data"]}},
    }
    dsl["components"]["eval_0"] = {
        "module": "Evaluation",
        "input": {"data": {"eval_data": ["lr_0.data"]}},
    }
    found = deduced(dsl)
    assert found["lr_1"]["input"] == {
        "model": ["pipeline.lr_1.m1"],
        "data": {"test_data": ["transform_0.data"]},
    }
    assert "output" not in found["lr_1"]
    assert found["lr_2"]["input"]["data"] == {"test_data": ["psi_0.data"]}
    assert found["eval_0"] == {"module": "Evaluation"}


def test_a_bridge_takes_the_first_training_data_of_what_is_left_out():
    dsl = lr_job()
    dsl["components"]["step_0"] = {
        "module": "X",
        "input": {"data": {"data": ["reader_0.data"], "train_data": ["psi_0.data"]}},
        "output": {"data": ["data"]},
    }
    dsl["components"]["last_0"] = {"module": "X", "input": {"data": {"data": ["step_0.data"]}}}
    assert deduced(dsl, ["psi_0", "last_0"])["last_0"]["input"]["data"] == {"data": ["psi_0.data"]}


def test_warm_start_and_isometric_models_are_dropped_but_the_own_model_stays():
    dsl = lr_job()
    dsl["components"]["lr_1"] = {
        "module": "HeteroLR",
        "input": {
            "data": {"train_data": ["psi_0.data"]},
            "model": ["lr_0.model"],
            "isometric_model": ["transform_0.model"],
        },
        "output": {"data": ["data"], "model": ["model"]},
    }
    assert deduced(dsl)["lr_1"]["input"]["model"] == ["pipeline.lr_1.model"]


def test_a_component_that_only_applied_a_model_gets_it_from_the_pipeline():
    dsl = lr_job()
    dsl["components"]["transform_1"] = {
        "module": "DataTransform",
        "input": {"data": {"data": ["reader_0.data"]}, "model": ["transform_0.model"]},
        "output": {"data": ["data"]},
    }
    kept = ["reader_0", "transform_1"]
    assert deduced(dsl, kept)["transform_1"]["input"]["model"] == ["pipeline.transform_0.model"]


def test_caches_are_read_on_and_providers_are_not_kept():
    dsl = lr_job()
    dsl["components"]["psi_1"] = {
        "module": "Intersection",
        "provider": "fate",
        "input": {"data": {"data": ["transform_0.data"]}, "cache": ["psi_0.cache"]},
    }
    found = deduced(dsl)["psi_1"]
    assert found["input"]["cache"] == ["psi_0.cache"]
    assert "provider" not in found
    assert "input" not in deduced(dsl, ["psi_1"])["psi_1"]


def test_unknown_components_and_none_at_all_are_refused():
    with pytest.raises(BadDsl, match="no component 'lr_9'; it has: reader_0, transform_0"):
        deduced(lr_job(), ["reader_0", "lr_9"])
    with pytest.raises(BadDsl, match="no component is left"):
        deduced(lr_job(), [])


@settings(deadline=None, max_examples=60)
@given(dags())
def test_what_is_deduced_is_a_dsl_again_and_reads_only_what_is_kept(made):
    train = parse(made[0])
    names = list(train.components)
    for kept in (None, names[::2], names[-1:]):
        found = predict_dsl(train, kept)
        dag = parse(found)
        assert set(dag.components) == set(names if kept is None else kept)
        assert not inference.deployable(dag, train)


CATALOG = {
    "reader": {"module": "Reader", "roles": ["guest", "host"], "code_path": {}},
    "datatransform": {"module": "DataTransform", "roles": ["guest", "host"], "code_path": {}},
    "intersection": {
        "module": "Intersection",
        "roles": ["guest", "host"],
        "code_path": {"guest": "IntersectGuest", "host": "IntersectHost"},
    },
    "heterolr": {"module": "HeteroLR", "roles": ["guest", "host", "arbiter"], "code_path": {}},
}


def test_each_party_learns_the_class_names_of_its_own_role():
    dsl = {"components": deduced(lr_job())}
    dsl["components"]["old_0"] = {"module": "Gone", "CodePath": "Stale"}

    def paths(role: str) -> list:
        shown = inference.with_code_paths(dsl, role, CATALOG)["components"]
        return [given_.get("CodePath") for given_ in shown.values()]

    assert paths("guest") == ["Reader", "DataTransform", "IntersectGuest", "HeteroLRGuest", None]
    assert paths("arbiter") == [None, None, None, "HeteroLRArbiter", None]
    assert "CodePath" not in dsl["components"]["reader_0"]


def test_the_template_leaves_gaps_for_the_tables_of_guests_and_hosts():
    train = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000, 10001], "arbiter": [10000]},
        "job_parameters": {"common": {"job_type": "train", "model_id": "m", "model_version": "1"}},
        "component_parameters": {"common": {"lr_0": {"alpha": 1}}},
    }
    dsl = {"components": {**deduced(lr_job()), "reader_1": {"module": "reader"}}}
    found = inference.predict_conf(train, dsl, "2")
    assert found["job_parameters"]["common"] == {
        "job_type": "predict",
        "model_id": "m",
        "model_version": "2",
    }
    by_role = found["component_parameters"]["role"]
    assert set(by_role) == {"guest", "host"}
    assert set(by_role["host"]) == {"0", "1"}
    assert by_role["host"]["1"]["reader_1"] == {
        "table": {"name": "name_to_be_filled_1", "namespace": "namespace_to_be_filled_1"}
    }
    assert "common" not in found["component_parameters"]


def test_a_hand_made_dsl_may_only_read_models_that_were_trained():
    train = parse(lr_job())
    made = {
        "components": {
            "lr_0": {"module": "HeteroLR", "input": {"model": ["pipeline.lr_0.model"]}},
            "psi_0": {"module": "Intersection", "input": {"model": ["pipeline.psi_0.model"]}},
        }
    }
    assert inference.deployable(parse(made), train) == [
        "component 'psi_0': the trained job has no model 'pipeline.psi_0.model'"
    ]
