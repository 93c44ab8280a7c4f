"""A pipeline of all that chooses rows and labels on a live site, and prediction with it."""

import json
from itertools import chain

import pytest

from tests.e2e.conftest import write_parties

STEPS = [
    ("reader_0", "Reader", None, ["data"], []),
    ("column_expand_0", "ColumnExpand", "reader_0.data", ["data"], ["model"]),
    ("data_transform_0", "DataTransform", "column_expand_0.data", ["data"], ["model"]),
    ("intersection_0", "Intersection", "data_transform_0.data", ["data"], []),
    ("label_transform_0", "LabelTransform", "intersection_0.data", ["data"], ["model"]),
    ("sample_weight_0", "SampleWeight", "label_transform_0.data", ["data"], ["model"]),
    ("federated_sample_0", "FederatedSample", "sample_weight_0.data", ["data"], []),
    (
        "hetero_data_split_0",
        "HeteroDataSplit",
        "federated_sample_0.data",
        ["train_data", "validate_data", "test_data"],
        [],
    ),
]
PARTS = ("train_data", "validate_data", "test_data")


def pipeline():
    components = {}
    for name, module, data, outputs, models in STEPS:
        components[name] = {"module": module, "output": {"data": outputs, "model": models}}
        if data:
            components[name]["input"] = {"data": {"data": [data]}}
    split = "hetero_data_split_0"
    lr = {"module": "HeteroLR", "output": {"data": ["data"], "model": ["model"]}}
    parts = {kind: [f"{split}.{kind}"] for kind in PARTS[:2]}
    components |= {
        "hetero_lr_0": lr | {"input": {"data": parts}},
        "hetero_lr_1": lr
        | {
            "input": {
                "data": {"test_data": [f"{split}.test_data"]},
                "model": ["hetero_lr_0.model"],
            }
        },
        "label_transform_1": {
            "module": "LabelTransform",
            "input": {
                "data": {"data": ["hetero_lr_1.data"]},
                "model": ["label_transform_0.model"],
            },
            "output": {"data": ["data"], "model": ["model"]},
        },
        "union_0": {
            "module": "Union",
            "input": {"data": {"data": [f"{split}.{kind}" for kind in PARTS]}},
            "output": {"data": ["data"]},
        },
    }
    return {"components": components}


def configuration():
    roles = {
        role: {
            "0": {
                "reader_0": {"table": {"name": f"rows_{role}", "namespace": "sampling"}},
                "data_transform_0": {"with_label": role == "guest"},
            }
        }
        for role in ("guest", "host")
    }
    common = {
        "column_expand_0": {"append_header": ["one"], "fill_value": 0.5},
        "intersection_0": {"intersect_method": "ecdh"},
        "label_transform_0": {"label_encoder": {"0": 1, "1": 0}},
        "sample_weight_0": {"class_weight": "balanced"},
        "federated_sample_0": {"mode": "stratified", "fractions": [[0, 0.5], [1, 1.0]]},
        "hetero_data_split_0": {"test_size": 0.3, "validate_size": 0.2, "stratified": True},
        "hetero_lr_0": {"max_iter": 3, "init_param": {"init_method": "zeros"}},
    }
    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": [10000], "arbiter": [10000]},
        "component_parameters": {"common": common, "role": roles},
    }


@pytest.fixture(scope="module")
def job(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("rows")
    write_parties(folder, n_rows=200, noise=0.2)
    for role in ("guest", "host"):
        node.upload(folder / f"{role}.csv", "sampling", f"rows_{role}")
    reply = node.submit(pipeline(), configuration())
    assert reply["retcode"] == 0, reply
    assert node.wait(reply["jobId"]) == "success", node.post("job/query", job_id=reply["jobId"])
    return reply


def asked(node, job, path, component, role="guest"):
    party = {"guest": "9999", "host": "10000"}[role]
    return node.post(path, job_id=job, role=role, party_id=party, component_name=component)


def data(node, job, component, role="guest"):
    return asked(node, job["jobId"], "tracking/component/output/data", component, role)


def test_guest_and_host_hold_the_same_parts(node, job):
    mine, theirs = (data(node, job, "hetero_data_split_0", role) for role in ("guest", "host"))
    assert mine["meta"]["names"] == theirs["meta"]["names"] == list(PARTS)
    assert mine["meta"]["total"] == theirs["meta"]["total"]
    ids = [[[row[0] for row in part] for part in reply["data"]] for reply in (mine, theirs)]
    assert ids[0] == ids[1]
    counts = asked(node, job["jobId"], "tracking/component/summary/download", "federated_sample_0")
    total = sum(counts["data"]["sample_count"].values())
    assert sum(mine["meta"]["total"]) == total == sum(map(len, ids[0]))
    assert len(set(chain(*ids[0]))) == total
    assert data(node, job, "union_0")["meta"]["total"] == [total]


def test_weights_reach_the_trainer_and_expanded_columns_are_there(node, job):
    header = data(node, job, "hetero_data_split_0")["meta"]["header"][0]
    assert header == ["id", "y", "weight", "x0", "x1", "x2", "one"]
    model = asked(node, job["jobId"], "tracking/component/output/model", "hetero_lr_0")
    assert model["data"]["header"] == ["x0", "x1", "x2", "one"]


def test_predictions_have_the_labels_of_the_upload(node, job):
    before, after = (
        data(node, job, name)["data"][0] for name in ("hetero_lr_1", "label_transform_1")
    )
    assert [row[1] for row in after] == [1 - row[1] for row in before]
    assert [row[2] for row in after] == [1 - row[2] for row in before]
    assert [row[3] for row in after] == [row[3] for row in before]
    first = json.loads(after[0][4].strip('"').replace("'", '"'))
    assert first["0"] == pytest.approx(after[0][3])


def test_a_deployed_pipeline_predicts_new_rows(node, job):
    assert node.wait(job["jobId"]) == "success"
    model = job["data"]["model_info"]
    deployed = node.post(
        "model/deploy", model_id=model["model_id"], model_version=model["model_version"],
        cpn_list=[*(name for name, *_ in STEPS[:6]), "hetero_lr_0"],
    )  # fmt: skip
    assert deployed["retcode"] == 0, deployed
    conf = configuration()
    conf["job_parameters"] = {
        "common": {
            "job_type": "predict",
            "model_id": deployed["data"]["model_id"],
            "model_version": deployed["data"]["model_version"],
        }
    }
    conf["component_parameters"]["common"] = {}
    for of in conf["component_parameters"]["role"].values():
        of["0"].pop("data_transform_0")
    reply = node.post("job/submit", job_runtime_conf=conf)
    assert reply["retcode"] == 0, reply
    assert node.wait(reply["jobId"]) == "success", node.post("job/query", job_id=reply["jobId"])
    assert data(node, reply, "hetero_lr_0")["meta"]["total"] == [180]
