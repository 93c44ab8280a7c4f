"""The DSL: what it may say, the order of components, and every fault at once."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from job_samples import dags, lr_job

from fateflow.domain.dsl import BadDsl, Ref, parse, without_providers


def faults_of(dsl: object, **options: bool) -> list[str]:
    with pytest.raises(BadDsl) as caught:
        parse(dsl, **options)
    assert caught.value.retcode == 103
    return caught.value.faults


def test_a_job_is_read_with_its_inputs_outputs_and_positions():
    dag = parse(lr_job())
    assert list(dag.components) == ["reader_0", "transform_0", "psi_0", "lr_0"]
    lr = dag.components["lr_0"]
    assert lr.data == {"train_data": (Ref("psi_0", "data"),)}
    assert (lr.data_outputs, lr.model_outputs, lr.position) == (("data",), ("model",), 3)
    assert dag.components["psi_0"].cache_outputs == ("cache",)


def test_components_are_ordered_by_what_they_read_and_otherwise_as_written():
    dsl = lr_job()
    dsl["components"] = dict(reversed(dsl["components"].items()))
    dsl["components"]["reader_1"] = {"module": "Reader"}
    assert list(parse(dsl).components) == ["reader_0", "transform_0", "psi_0", "lr_0", "reader_1"]


def test_upstream_and_downstream_follow_the_whole_chain():
    dag = parse(lr_job())
    assert dag.upstream("lr_0") == {"reader_0", "transform_0", "psi_0"}
    assert dag.downstream("transform_0") == {"psi_0", "lr_0"}
    assert dag.upstream("reader_0") == set() == dag.downstream("lr_0")


def test_dependencies_name_the_kind_and_the_index_of_the_output_that_is_read():
    dsl = lr_job()
    dsl["components"]["split_0"] = {
        "module": "HeteroDataSplit",
        "input": {"data": {"data": ["psi_0.data"]}},
        "output": {"data": ["train_data", "validate_data"]},
    }
    dsl["components"]["lr_1"] = {
        "module": "HeteroLR",
        "input": {
            "data": {
                "train_data": ["split_0.train_data"],
                "validate_data": ["split_0.validate_data"],
            },
            "model": ["lr_0.model"],
            "cache": ["psi_0.cache"],
        },
    }
    shown = parse(dsl).dependencies
    assert "reader_0" not in shown
    assert shown["lr_1"] == [
        {"component_name": "lr_0", "type": "model", "up_output_info": ["model", 0]},
        {"component_name": "split_0", "type": "train_data", "up_output_info": ["data", 0]},
        {"component_name": "split_0", "type": "validate_data", "up_output_info": ["data", 1]},
        {"component_name": "psi_0", "type": "cache", "up_output_info": ["cache", 0]},
    ]


def test_isometric_models_count_as_model_inputs():
    dsl = lr_job()
    dsl["components"]["selection_0"] = {
        "module": "HeteroFeatureSelection",
        "input": {"data": {"data": ["psi_0.data"]}, "isometric_model": ["lr_0.model"]},
    }
    dag = parse(dsl)
    assert dag.components["selection_0"].isometric == (Ref("lr_0", "model"),)
    assert dag.dependencies["selection_0"][0]["type"] == "model"


@pytest.mark.parametrize("empty", [None, [], {}, {"components": {}}, {"components": []}, "text"])
def test_a_dsl_without_components_is_refused(empty):
    assert "no components" in faults_of(empty)[0]


def test_all_faults_are_told_in_one_answer():
    dsl = {
        "components": {
            "bad name": {"module": "Reader"},
            "nomodule": {"output": {"data": ["data"]}},
            "numbers": {"module": 7, "input": []},
            "text": "Reader",
            "reads": {"module": "X", "input": {"data": {"data": ["absent.data", "nodot"]}}},
            "undeclared": {"module": "X", "input": {"model": ["nomodule.model"]}},
            "notlist": {"module": "X", "input": {"data": {"data": "a.b"}, "model": [3]}},
            "twice": {"module": "X", "output": {"data": ["a", "a"], "model": ["x.y"]}},
            "odd": {"module": "X", "input": {"modle": ["a.b"]}},
        }
    }
    told = "\n".join(faults_of(dsl))
    for part in (
        "'bad name': a component name has only letters",
        "'nomodule': 'module' is missing",
        "'numbers': 'module' must be a text, got a number",
        "'numbers': 'input' must be an object, got a list",
        "'text': expected an object with a 'module', got a text",
        "'absent.data' names no component",
        "'nodot' in 'data' is not '<component>.<output>'",
        "'nomodule' declares no model output 'model' (declared: none)",
        "'notlist', input.data: 'data' must be a list of texts, got a text",
        "'notlist', input: 'model' must be a list of texts",
        "'data' has a name twice",
        "'x.y' in 'model' may have only letters",
        "'modle'; allowed: data, model, isometric_model, cache",
    ):
        assert part in told


def test_the_names_of_a_circle_are_told():
    dsl = {
        "components": {
            name: {
                "module": "X",
                "input": {"data": {"data": [f"{reads}.data"]}},
                "output": {"data": ["data"]},
            }
            for name, reads in (("a", "c"), ("b", "a"), ("c", "b"), ("d", "c"))
        }
    }
    assert faults_of(dsl) == ["the components form a circle: a -> b -> c -> a"]


def test_a_component_may_not_read_itself():
    own = {"module": "X", "input": {"data": {"data": ["a.data"]}}, "output": {"data": ["data"]}}
    assert faults_of({"components": {"a": own}}) == ["the components form a circle: a -> a"]


def test_an_unknown_kind_of_data_is_a_warning_and_is_not_read():
    dsl = lr_job()
    dsl["components"]["lr_0"]["input"]["data"]["foo_data"] = ["psi_0.data"]
    dag = parse(dsl)
    assert "foo_data" in dag.warnings[0]
    assert set(dag.components["lr_0"].data) == {"train_data"}


def test_models_of_a_pipeline_are_read_by_inference_dsls_only():
    dsl = lr_job()
    dsl["components"]["lr_0"]["input"]["model"] = ["pipeline.lr_0.model"]
    node = parse(dsl).components["lr_0"]
    assert node.model == (Ref("lr_0", "model", pipeline=True),)
    assert str(node.model[0]) == "pipeline.lr_0.model"
    assert node.parents == ("psi_0",)
    assert "only a predict job" in faults_of(dsl, pipeline_refs=False)[0]


def test_a_pipeline_holds_no_data():
    dsl = lr_job()
    dsl["components"]["lr_0"]["input"]["data"] = {"test_data": ["pipeline.lr_0.data"]}
    assert "holds models only" in faults_of(dsl)[0]


def test_what_old_files_hold_besides_is_ignored_and_providers_are_not_kept():
    dsl = lr_job()
    dsl["provider"] = "fate"
    dsl["components"]["lr_0"] |= {"provider": "fate@1.11.4", "need_deploy": True, "CodePath": "x"}
    parse(dsl)
    shown = without_providers(dsl)
    assert "provider" not in shown
    assert "provider" not in shown["components"]["lr_0"]
    assert without_providers(lr_job()) == lr_job()


@settings(deadline=None, max_examples=60)
@given(dags())
def test_every_component_comes_after_all_it_reads(made):
    dsl, reads = made
    dag = parse(dsl)
    seen: set[str] = set()
    for name, node in dag.components.items():
        assert reads[name] <= seen
        assert set(node.parents) == reads[name]
        assert node.position == len(seen)
        seen.add(name)
    assert seen == set(reads)


@settings(deadline=None, max_examples=60)
@given(dags())
def test_upstream_is_the_mirror_of_downstream(made):
    dag = parse(made[0])
    for name in dag.components:
        assert name not in dag.upstream(name)
        for other in dag.components:
            assert (other in dag.upstream(name)) == (name in dag.downstream(other))


@settings(deadline=None, max_examples=60)
@given(dags(), st.data())
def test_a_planted_circle_is_always_found_and_really_is_one(made, data):
    dsl, _ = made
    order = list(parse(dsl).components)
    late = data.draw(st.integers(0, len(order) - 1))
    early = data.draw(st.integers(0, late))
    path = order[early], order[late]
    for name, parent in (path, path[::-1]):
        inputs = dsl["components"][name]["input"]
        inputs.setdefault("data", {}).setdefault("data", []).append(f"{parent}.d")
    told = faults_of(dsl)[0].removeprefix("the components form a circle: ").split(" -> ")
    assert told[0] == told[-1]
    for parent, name in itertools.pairwise(told):
        inputs = dsl["components"][name]["input"]
        listed = [r for refs in inputs.get("data", {}).values() for r in refs]
        listed += [r for k in ("model", "isometric_model", "cache") for r in inputs.get(k, [])]
        assert parent in {ref.split(".")[0] for ref in listed}


def test_a_name_too_long_for_a_folder_is_refused():
    with pytest.raises(BadDsl, match="at most 100"):
        parse({"components": {"x" * 101: {"module": "Reader"}}})
