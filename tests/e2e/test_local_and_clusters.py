"""The job of docs/howto/compare-with-a-local-model.md on a live site, with clusters beside it."""

import json
from pathlib import Path

import pytest

from tests.e2e.conftest import write_parties

EXAMPLE = Path(__file__).parents[2] / "examples" / "local_baseline"


@pytest.fixture(scope="module")
def job(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("patients")
    write_parties(folder, n_rows=200, noise=0.2)
    for role in ("guest", "host"):
        node.upload(folder / f"{role}.csv", "demo", f"patients_{role}")
    dsl, conf = (json.loads((EXAMPLE / f"{name}.json").read_text()) for name in ("dsl", "conf"))
    dsl["components"] |= {
        "scorecard_0": {
            "module": "Scorecard",
            "input": {"data": {"data": ["hetero_lr_0.data"]}},
            "output": {"data": ["data"]},
        },
        "hetero_kmeans_0": {
            "module": "HeteroKmeans",
            "input": {"data": {"train_data": ["intersection_0.data"]}},
            "output": {"data": ["data_0", "data_1"], "model": ["model"]},
        },
        "evaluation_1": {
            "module": "Evaluation",
            "input": {"data": {"data": ["hetero_kmeans_0.data_0"]}},
            "output": {"data": ["data"]},
        },
    }
    common = conf["component_parameters"]["common"]
    common |= {"hetero_kmeans_0": {"k": 3}, "evaluation_1": {"eval_type": "clustering"}}
    common["hetero_lr_0"]["max_iter"] = 8
    reply = node.submit(dsl, conf)
    assert node.wait(reply["jobId"]) == "success", node.post("job/query", job_id=reply["jobId"])
    return reply["jobId"]


def asked(node, job, path, component, role="guest"):
    party = {"guest": "9999", "host": "10000", "arbiter": "10000"}[role]
    return node.post(path, job_id=job, role=role, party_id=party, component_name=component)


def test_one_evaluation_shows_the_federated_and_the_local_models(node, job):
    summary = asked(node, job, "tracking/component/summary/download", "evaluation_0")["data"]
    auc = {name: stages["train"]["auc"] for name, stages in summary.items()}
    assert set(auc) == {"hetero_lr_0", "local_baseline_0", "local_baseline_1"}
    assert min(auc.values()) > 0.8


def test_the_local_models_are_kept_at_the_guest_alone(node, job):
    model = asked(node, job, "tracking/component/output/model", "local_baseline_1")
    assert model["data"]["fitted"]["type"] == "lightgbm"
    assert model["meta"]["meta_data"]["modelName"] == "LGBMClassifier"
    host = asked(node, job, "tracking/component/output/model", "local_baseline_1", "host")
    assert not host.get("data")


def test_credit_scores_come_out_at_the_guest(node, job):
    reply = asked(node, job, "tracking/component/output/data", "scorecard_0")
    assert reply["meta"]["header"][0][-2:] == ["predict_score", "credit_score"]
    assert all(0 <= row[-1] <= 1500 for row in reply["data"][0])


def test_the_arbiter_has_two_tables_of_clusters_and_the_others_one(node, job):
    reply = asked(node, job, "tracking/component/output/data", "hetero_kmeans_0", "arbiter")
    assert reply["meta"]["names"] == ["data_0", "data_1"]
    assert reply["meta"]["header"][0][0] == "cluster_index"
    assert reply["meta"]["total"] == [3, 180]
    for role in ("guest", "host"):
        own = asked(node, job, "tracking/component/output/data", "hetero_kmeans_0", role)
        assert own["meta"]["header"] == [["id", "label", "predicted_label", "type"]]
    metrics = asked(node, job, "tracking/component/metric/all", "hetero_kmeans_0", "arbiter")[
        "data"
    ]
    assert metrics["train"]["DBI"]["meta"]["unit_name"] == "iters"
    index = asked(node, job, "tracking/component/summary/download", "evaluation_1", "arbiter")
    assert index["data"]["hetero_kmeans_0"]["train"]["davies_bouldin_index"] > 0
