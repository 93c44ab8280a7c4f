"""The configuration: who takes part, whose parameters are whose, what is kept and shown."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fateflow.domain import conf as confs
from fateflow.domain.conf import BadConf, component_parameters, parse


def lr_conf(**changes: object) -> dict:
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000, 10001], "arbiter": [10000]},
        "component_parameters": {
            "common": {"lr_0": {"alpha": 0.1, "encrypt_param": {"key_length": 1024}}},
            "role": {
                "guest": {"0": {"reader_0": {"table": {"name": "g", "namespace": "e"}}}},
                "host": {
                    "all": {"transform_0": {"with_label": False}},
                    "0": {"reader_0": {"table": {"name": "h0", "namespace": "e"}}},
                    "1": {
                        "reader_0": {"table": {"name": "h1", "namespace": "e"}},
                        "lr_0": {"encrypt_param": {"method": "Paillier"}},
                    },
                    "0|1": {"lr_0": {"alpha": 0.2}},
                },
            },
        },
        **changes,
    }


def faults_of(conf: object) -> str:
    with pytest.raises(BadConf) as caught:
        parse(conf)
    assert caught.value.retcode == 103
    return "\n".join(caught.value.faults)


def test_party_ids_are_the_same_as_numbers_and_as_texts():
    numbers = parse(lr_conf())
    texts = parse(
        lr_conf(
            initiator={"role": "guest", "party_id": "9999"},
            role={"guest": ["9999"], "host": ["10000", 10001], "arbiter": ["10000"]},
        )
    )
    assert numbers.roles == texts.roles
    assert numbers.initiator == texts.initiator == ("guest", "9999")
    shown = confs.completed(texts, "m", "v")
    assert shown["role"] == {"guest": [9999], "host": [10000, 10001], "arbiter": [10000]}
    assert shown["initiator"] == {"role": "guest", "party_id": 9999}


def test_parties_are_made_in_the_order_guest_host_arbiter():
    conf = parse(lr_conf(role={"arbiter": [10000], "host": [10001, 10000], "guest": [9999]}))
    assert conf.parties == [
        ("guest", 0, "9999"),
        ("host", 0, "10001"),
        ("host", 1, "10000"),
        ("arbiter", 0, "10000"),
    ]


def test_the_version_may_be_a_text_and_any_other_is_refused():
    assert parse(lr_conf(dsl_version="2")).initiator == ("guest", "9999")
    for version in (1, "1", None, 3):
        assert "only the v2 version runtime conf" in faults_of(lr_conf(dsl_version=version))
    without = lr_conf()
    del without["dsl_version"]
    assert "only the v2 version" in faults_of(without)


def test_a_partys_parameters_are_the_common_ones_overlaid_by_its_own_in_depth():
    conf = parse(lr_conf())
    assert component_parameters(conf, "lr_0", "guest", 0) == {
        "alpha": 0.1,
        "encrypt_param": {"key_length": 1024},
    }
    assert component_parameters(conf, "lr_0", "host", 0)["alpha"] == 0.2
    assert component_parameters(conf, "lr_0", "host", 1) == {
        "alpha": 0.2,
        "encrypt_param": {"key_length": 1024, "method": "Paillier"},
    }
    assert component_parameters(conf, "reader_0", "host", 1)["table"]["name"] == "h1"
    assert component_parameters(conf, "transform_0", "host", 1) == {"with_label": False}
    assert component_parameters(conf, "transform_0", "guest", 0) == {}


def test_merging_changes_nothing_of_what_was_submitted():
    given = lr_conf()
    conf = parse(given)
    component_parameters(conf, "lr_0", "host", 1)["encrypt_param"]["method"] = "x"
    confs.completed(conf, "m", "v")
    assert given == lr_conf()


def toy_conf() -> dict:
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": "9999"},
        "role": {"guest": ["9999"], "host": ["10000"]},
        "job_parameters": {
            "common": {"task_cores": 2, "job_type": "train"},
            "role": {"guest": {"0": {"user": "alice"}}, "host": {"0": {"user": ""}}},
        },
        "component_parameters": {
            "common": {"add_0": {"partition": 4}},
            "role": {"guest": {"0": {"add_0": {"seed": 123}}}, "host": {"add_0": {"seed": 321}}},
        },
    }


def test_a_component_name_in_place_of_an_index_is_kept_but_has_no_effect():
    conf = parse(toy_conf())
    assert component_parameters(conf, "add_0", "guest", 0) == {"partition": 4, "seed": 123}
    assert component_parameters(conf, "add_0", "host", 0) == {"partition": 4}
    assert "add_0" in confs.completed(conf, "m", "v")["component_parameters"]["role"]["host"]


def test_job_parameters_of_a_role_take_effect_and_are_kept():
    given = toy_conf()
    given["job_parameters"]["role"]["host"]["0"] = {"task_cores": "3"}
    conf = parse(given)
    complete = confs.completed(conf, "m", "v")
    guest = confs.on_party(conf, complete, "guest", 0, 20)["job_parameters"]
    host = confs.on_party(conf, complete, "host", 0, 20)["job_parameters"]
    assert (guest["task_cores"], host["task_cores"]) == (2, 3)
    assert host["adaptation_parameters"]["task_cores_per_node"] == 3
    assert guest["role_parameters"] == given["job_parameters"]["role"]
    assert complete["job_parameters"]["role"] == given["job_parameters"]["role"]
    assert confs.user_names(conf) == {"guest": {"9999": "alice"}, "host": {"10000": ""}}


def test_the_completed_configuration_has_fates_keys_and_defaults():
    conf = parse(lr_conf(conf_path="a.json"))
    complete = confs.completed(conf, "the-model", "the-version")
    assert complete["conf_path"] == "a.json"
    assert complete["job_parameters"] == {
        "common": {
            "adaptation_parameters": {
                "if_initiator_baseline": True,
                "request_task_cores": 4,
                "task_cores_per_node": 4,
                "task_memory_per_node": 0,
                "task_nodes": 1,
            },
            "auto_retries": 0,
            "auto_retry_delay": 1,
            "computing_engine": "STANDALONE",
            "computing_partitions": 4,
            "eggroll_run": {},
            "engines_address": {},
            "federated_mode": "SINGLE",
            "federated_status_collect_type": "PUSH",
            "inheritance_info": {},
            "job_type": "train",
            "model_id": "the-model",
            "model_version": "the-version",
            "pulsar_run": {},
            "rabbitmq_run": {},
            "role_parameters": {},
            "roles": {"guest": [9999], "host": [10000, 10001], "arbiter": [10000]},
            "spark_run": {},
            "task_conf": {},
            "task_parallelism": 1,
        }
    }


def test_on_a_party_the_job_parameters_are_flat_and_the_engines_filled_in():
    conf = parse(lr_conf())
    complete = confs.completed(conf, "m", "v")
    job = confs.on_party(conf, complete, "guest", 0, 8)["job_parameters"]
    added = {"federation_engine", "storage_engine"}
    assert set(job) == set(complete["job_parameters"]["common"]) | added
    assert job["engines_address"]["storage"] == {"cores_per_node": 8, "nodes": 1}
    assert job["eggroll_run"] == {"eggroll.session.processors.per.node": 4}
    assert job["adaptation_parameters"]["if_initiator_baseline"] is False
    assert confs.cores_needed(job, "guest") == 4
    arbiter = confs.on_party(conf, complete, "arbiter", 0, 8)["job_parameters"]
    assert arbiter["adaptation_parameters"]["task_cores_per_node"] == 1
    assert confs.cores_needed(arbiter, "arbiter") == 0


def test_given_job_parameters_are_kept_numbers_may_be_texts_and_unknown_ones_go():
    common = {
        "task_cores": "6",
        "task_parallelism": 2,
        "timeout": 60,
        "auto_retries": None,
        "no_such_thing": 1,
        "eggroll_run": {"eggroll.session.processors.per.node": 1},
    }
    conf = parse(lr_conf(job_parameters={"common": common}))
    job = confs.completed(conf, "m", "v")["job_parameters"]["common"]
    assert (job["task_cores"], job["computing_partitions"], job["timeout"]) == (6, 6, 60)
    assert job["auto_retries"] == 0
    assert "no_such_thing" not in job
    own = confs.on_party(conf, confs.completed(conf, "m", "v"), "host", 0, 20)["job_parameters"]
    assert own["eggroll_run"] == {"eggroll.session.processors.per.node": 1}
    assert confs.cores_needed(own, "host") == 12


def test_removed_parameters_are_a_warning():
    common = {"work_mode": 1, "backend": 0}
    conf = parse(lr_conf(job_parameters={"common": common}))
    assert conf.warning == "[WARN]backend,work_mode is removed,it does not take effect!"
    assert parse(lr_conf()).warning == ""
    assert "work_mode" not in confs.completed(conf, "m", "v")["job_parameters"]["common"]


@pytest.mark.parametrize("wrong", [None, [], "text", 3])
def test_a_configuration_is_an_object(wrong):
    assert "must be a JSON object" in faults_of(wrong)


def test_all_faults_are_told_in_one_answer():
    told = faults_of(
        {
            "initiator": {"role": "boss", "party_id": "x"},
            "role": {"guest": [9999, "9999"], "host": 10000, "queen": [1], "arbiter": [True]},
            "job_parameters": {
                "common": {"task_cores": 0, "timeout": "soon", "job_type": "fit", "spark_run": []},
                "role": {"guest": {"0": {"task_parallelism": -1}}, "arbiter": 3},
            },
            "component_parameters": {
                "common": {"lr_0": 3},
                "role": {"guest": {"0": {"lr_0": []}, "all": 4}},
            },
        }
    )
    for part in (
        "dsl_version: only the v2",
        "'queen' is no role; there are guest, host, arbiter, local",
        "role.guest: a party id stands there twice",
        "role.host: expected a list",
        "role.arbiter: a party id is a number, got True",
        "initiator.party_id: a party id is a number",
        "common.task_cores: expected a whole number >= 1, got 0",
        "common.timeout: expected a whole number >= 1, got 'soon'",
        "common.job_type: expected train or predict, got 'fit'",
        "common.spark_run: expected an object",
        "role.guest.0.task_parallelism: expected a whole number >= 1, got -1",
        "component_parameters.common.lr_0: expected an object",
        "component_parameters.role.guest.0.lr_0: expected an object",
        "component_parameters.role.guest.all: expected an object",
    ):
        assert part in told


def test_adaptation_parameters_are_checked_too():
    adapted = {"adaptation_parameters": {"task_nodes": 0}}
    told = faults_of(lr_conf(job_parameters={"common": adapted}))
    assert "adaptation_parameters.task_nodes: expected a whole number >= 1" in told
    two = {"task_cores": 6, "adaptation_parameters": {"task_nodes": 2}}
    conf = parse(lr_conf(job_parameters={"common": two}))
    job = confs.completed(conf, "m", "v")["job_parameters"]["common"]
    assert job["adaptation_parameters"]["task_cores_per_node"] == 3


@pytest.mark.parametrize(
    ("initiator", "part"),
    [
        ({"role": "guest", "party_id": 1}, "guest 1 is not among role.guest (9999)"),
        ({"role": "boss", "party_id": 1}, "'boss' is no role"),
        ({"role": "local", "party_id": 0}, "not among role.local (none)"),
        ({"role": "guest"}, "expected {'role'"),
        (None, "expected {'role'"),
    ],
)
def test_the_initiator_is_one_of_the_parties(initiator, part):
    assert part in faults_of(lr_conf(initiator=initiator))


HOST_TABLES = {str(i): {"reader_0": {"table": {"name": f"h{i}", "namespace": "e"}}} for i in (0, 1)}
SHAPES = [
    {},
    {"job_parameters": {"common": {"job_type": "train"}}},
    {"job_parameters": {"common": {}}},
    {"job_parameters": {}},
    {"job_parameters": None},
    {"component_parameters": {"role": {"guest": {"0": {}}, "host": {"0": {}}}}},
    {"component_parameters": {"common": {"lr_0": {}}, "role": {"host": HOST_TABLES}}},
    {"component_parameters": {"common": {}, "role": {"host": {"0|1": {"lr_0": {"alpha": 1}}}}}},
    {"component_parameters": {"role": {"host": {"0| 1": {"x": {"need_run": False}}}}}},
    {"component_parameters": None},
    {"role": {"guest": [9999]}},
    {"role": {"guest": [9999], "host": [9998]}},
    {"job_parameters": {"common": {"inheritance_info": {"job_id": "1", "component_list": []}}}},
]


@pytest.mark.parametrize("shape", SHAPES)
def test_every_shape_that_fates_examples_have_is_read(shape):
    conf = parse(lr_conf(**shape))
    complete = confs.completed(conf, "m", "v")
    for role, index, _ in conf.parties:
        confs.on_party(conf, complete, role, index, 20)
        assert isinstance(component_parameters(conf, "lr_0", role, index), dict)


values = st.recursive(
    st.none() | st.integers(0, 9) | st.text("ab", max_size=2),
    lambda inner: st.dictionaries(st.sampled_from("abc"), inner, max_size=3),
    max_leaves=6,
)
objects = st.dictionaries(st.sampled_from("abc"), values, max_size=3)


@settings(deadline=None)
@given(objects, objects)
def test_merging_keeps_all_keys_and_the_upper_side_wins(under, over):
    both = confs.merged(under, over)
    assert set(both) == set(under) | set(over)
    assert confs.merged(both, over) == both
    for key, value in over.items():
        if not isinstance(value, dict) or not isinstance(under.get(key), dict):
            assert both[key] == value


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(deadline=None, max_examples=200)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "dsl_version": json_values | st.just(2),
            "initiator": json_values,
            "role": json_values | st.dictionaries(st.sampled_from(confs.ROLES), json_values),
            "job_parameters": json_values
            | st.dictionaries(st.sampled_from(["common", "role"]), json_values),
            "component_parameters": json_values
            | st.dictionaries(st.sampled_from(["common", "role"]), json_values),
        },
    )
)
def test_no_json_makes_the_parser_fail_other_than_by_naming_faults(conf):
    with contextlib.suppress(BadConf):
        parse(conf)
