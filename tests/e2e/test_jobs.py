"""Whole jobs on a live standalone site, through the `flow` command and the REST API."""

import json

import numpy as np
import pytest

from federatedml.maths import glm
from tests.e2e.conftest import vertical_job, write_parties


@pytest.fixture(scope="module")
def data(node, tmp_path_factory):
    folder = tmp_path_factory.mktemp("parties")
    write_parties(folder)
    node.upload(folder / "host.csv", "e2e", "host")
    about = {"file": "guest.csv", "namespace": "e2e", "table_name": "guest"}
    about |= {"head": 1, "partition": 2, "id_delimiter": ","}
    (folder / "upload.json").write_text(json.dumps(about))
    node.flow("data", "upload", "-c", str(folder / "upload.json"), "--drop", "--wait")
    return folder


@pytest.fixture(scope="module")
def trained(node, data, tmp_path_factory):
    """A finished vertical job, submitted by `flow job submit --wait`."""
    folder = tmp_path_factory.mktemp("job")
    dsl, conf = vertical_job(max_iter=5)
    (folder / "dsl.json").write_text(json.dumps(dsl))
    (folder / "conf.json").write_text(json.dumps(conf))
    done = node.flow(
        "--output", "json", "job", "submit",
        "-d", str(folder / "dsl.json"), "-c", str(folder / "conf.json"), "--wait",
    )  # fmt: skip
    return json.loads(done.stdout)


def of(node, trained, path, component, role="guest", party="9999", **more):
    return node.post(
        path,
        job_id=trained["jobId"],
        role=role,
        party_id=party,
        component_name=component,
        **more,
    )


def test_the_job_ends_in_success_at_every_party(node, trained):
    rows = node.post("job/query", job_id=trained["jobId"])["data"]
    assert {(r["f_role"], r["f_party_id"], r["f_status"]) for r in rows} == {
        ("guest", "9999", "success"),
        ("host", "10000", "success"),
        ("arbiter", "10000", "success"),
    }
    tasks = node.post("job/task/query", job_id=trained["jobId"])["data"]
    assert all(t["f_party_status"] == "success" for t in tasks)


def test_the_model_separates_the_classes_and_the_summary_says_so(node, trained):
    summary = of(node, trained, "tracking/component/summary/download", "evaluation_0")["data"]
    assert summary["hetero_lr_0"]["train"]["auc"] > 0.85


def test_the_coefficients_equal_pooled_training(node, data, trained):
    """Same rows, same steps, all columns in one place: rmsprop on the Taylor loss."""
    guest = np.genfromtxt(data / "guest.csv", delimiter=",", skip_header=1, dtype=str)
    host = np.genfromtxt(data / "host.csv", delimiter=",", skip_header=1, dtype=str)
    ids = sorted(set(guest[:, 0]) & set(host[:, 0]), key=str.encode)
    rows_g = {r[0]: r[1:].astype(float) for r in guest}
    rows_h = {r[0]: r[1:].astype(float) for r in host}
    x = np.array([[*rows_h[i], *rows_g[i][1:], 1.0] for i in ids])
    y = np.array([2 * rows_g[i][0] - 1 for i in ids])
    w, square = np.zeros(x.shape[1]), np.zeros(x.shape[1])
    for step in range(5):
        g = x.T @ glm.taylor_residual(x @ w, y) / len(x) + 0.01 * np.r_[w[:-1], 0.0]
        square = 0.99 * square + 0.01 * g * g
        w -= 0.15 / np.sqrt(1 + step) * g / np.sqrt(square + 1e-6)
    found = {}
    for role, party in (("host", "10000"), ("guest", "9999")):
        model = of(node, trained, "tracking/component/output/model", "hetero_lr_0", role, party)
        found[role] = [model["data"]["weight"][f"x{i}"] for i in range(3)]
        intercept = model["data"]["intercept"]
    np.testing.assert_allclose([*found["host"], *found["guest"], intercept], w, rtol=1e-6)


def test_predictions_can_be_read_and_downloaded(node, trained, tmp_path):
    shown = of(node, trained, "tracking/component/output/data", "hetero_lr_0")
    assert shown["meta"]["header"][0][-5:] == [
        "label", "predict_result", "predict_score", "predict_detail", "type",
    ]  # fmt: skip
    assert shown["meta"]["total"] == [280]
    node.flow(
        "component", "output-data", "-j", trained["jobId"], "-r", "guest", "-p", "9999",
        "-cpn", "hetero_lr_0", "-o", str(tmp_path),
    )  # fmt: skip
    (csv,) = tmp_path.rglob("*.csv")
    assert len(csv.read_text().splitlines()) == 281


def test_a_deployed_model_predicts_the_same_scores(node, trained):
    model = trained["data"]["model_info"]
    kept = ["reader_0", "data_transform_0", "intersection_0", "hetero_lr_0"]
    deployed = node.post("model/deploy", **model, cpn_list=kept)
    assert deployed["retmsg"] == "success", deployed
    _, conf = vertical_job()
    conf["component_parameters"].pop("common")
    for role in ("guest", "host"):
        conf["component_parameters"]["role"][role]["0"].pop("data_transform_0")
    conf["job_parameters"] = {
        "common": {
            "job_type": "predict",
            "model_id": deployed["data"]["model_id"],
            "model_version": deployed["data"]["model_version"],
        }
    }
    reply = node.submit({}, conf)
    assert node.wait(reply["jobId"]) == "success", reply
    again = of(node, reply, "tracking/component/output/data", "hetero_lr_0")["data"][0]
    first = of(node, trained, "tracking/component/output/data", "hetero_lr_0")["data"][0]
    assert [(r[0], r[3]) for r in again] == [(r[0], r[3]) for r in first]
    assert {r[-1] for r in again} == {"predict"}


def test_the_audit_log_shows_what_left_and_verifies(node, trained):
    report = json.loads(
        node.distaff("audit", "report", "--job", trained["jobId"], "--output", "json")
    )
    assert "hetero_lr" in json.dumps(report)
    node.distaff("audit", "verify")


def test_the_toy_ends_in_its_sum(node):
    done = node.flow("test", "toy", "-gid", "9999", "-hid", "10000")
    assert "secure_sum, it is 2000" in done.stdout
