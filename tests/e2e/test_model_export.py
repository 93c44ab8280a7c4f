"""Models trained on a live site, converted and merged by `flow`, predict what their jobs did."""

import json
import zipfile

import joblib
import lightgbm
import numpy as np
import pandas as pd
import pytest

from tests.e2e.conftest import vertical_job, write_parties

BOOST = {"num_trees": 3, "bin_num": 16, "tol": 0, "tree_param": {"max_depth": 3}}


@pytest.fixture(scope="module")
def folder(node, tmp_path_factory):
    """Vertical tables of guest and host, and the guest's rows in two halves."""
    at = tmp_path_factory.mktemp("export")
    write_parties(at)
    whole = pd.read_csv(at / "guest.csv")
    for name, rows in (("upper", whole[:150]), ("lower", whole[150:])):
        rows.to_csv(at / f"{name}.csv", index=False)
    for name in ("guest", "host", "upper", "lower"):
        node.upload(at / f"{name}.csv", "export", name)
    return at


def own(table, *, with_label):
    return {
        "0": {
            "reader_0": {"table": {"name": table, "namespace": "export"}},
            "data_transform_0": {"with_label": with_label},
        }
    }


def model_on(source, module):
    return {
        "module": module,
        "input": {"data": {"train_data": [source]}},
        "output": {"data": ["data"], "model": ["model"]},
    }


def run(node, dsl, conf, tables, *, host_has_label):
    guest, host = tables
    conf["component_parameters"]["role"] = {
        "guest": own(guest, with_label=True),
        "host": own(host, with_label=host_has_label),
    }
    reply = node.submit(dsl, conf)
    assert reply["retcode"] == 0, reply
    assert node.wait(reply["jobId"]) == "success", reply["jobId"]
    return reply["data"]["model_info"]


@pytest.fixture(scope="module")
def vertical(node, folder):
    """The model of a job with a HeteroLR and a HeteroSecureBoost."""
    dsl, conf = vertical_job(max_iter=3)
    del dsl["components"]["evaluation_0"], conf["component_parameters"]["common"]["evaluation_0"]
    dsl["components"]["sbt_0"] = model_on("intersection_0.data", "HeteroSecureBoost")
    conf["component_parameters"]["common"]["sbt_0"] = BOOST
    return run(node, dsl, conf, ("guest", "host"), host_has_label=False)


@pytest.fixture(scope="module")
def horizontal(node, folder):
    """The model of a job with a HomoLR and a HomoSecureBoost."""
    dsl, conf = vertical_job()
    kept = ("reader_0", "data_transform_0")
    dsl["components"] = {name: dsl["components"][name] for name in kept}
    dsl["components"]["lr_0"] = model_on("data_transform_0.data", "HomoLR")
    dsl["components"]["sbt_0"] = model_on("data_transform_0.data", "HomoSecureBoost")
    conf["component_parameters"]["common"] = {"lr_0": {"max_iter": 3}, "sbt_0": BOOST}
    return run(node, dsl, conf, ("upper", "lower"), host_has_label=True)


def shown(node, model, component):
    """(ids, scores) that the training job predicted and shows at the guest."""
    at = {"job_id": model["model_version"], "role": "guest", "party_id": "9999"}
    reply = node.post("tracking/component/output/data", component_name=component, **at)
    header = reply["meta"]["header"][0]
    rows = pd.DataFrame(reply["data"][0], columns=header)
    return rows["id"], rows["predict_score"].astype(float).to_numpy()


def merged(node, folder, model, component, kind, form):
    file = folder / f"{component}.{form}"
    node.flow(
        "component", "hetero-model-merge", "--model-id", model["model_id"],
        "--model-version", model["model_version"], "--guest-party-id", "9999",
        "--host-party-ids", "10000", "-cpn", component, "--model-type", kind,
        "--output-format", form, "-o", str(file),
    )  # fmt: skip
    return file.read_text("utf8")


def vertical_rows(folder, ids):
    """The parties' features side by side; both call theirs x0, x1, x2."""
    guest, host = (
        pd.read_csv(folder / f"{role}.csv", index_col="id") for role in ("guest", "host")
    )
    return guest.drop(columns="y").join(host.add_prefix("host_10000_")).loc[ids]


def test_a_merged_vertical_boosting_predicts_in_lightgbm(node, folder, vertical):
    text = merged(node, folder, vertical, "sbt_0", "secureboost", "lightgbm")
    booster = lightgbm.Booster(model_str=text)
    ids, scores = shown(node, vertical, "sbt_0")
    x = vertical_rows(folder, ids)
    assert booster.feature_name() == list(x.columns)
    np.testing.assert_allclose(booster.predict(x.to_numpy()), scores, atol=1e-9)


def test_a_merged_vertical_regression_tells_its_coefficients(node, folder, vertical):
    text = merged(node, folder, vertical, "hetero_lr_0", "logistic_regression", "sklearn")
    told = json.loads(text)
    ids, scores = shown(node, vertical, "hetero_lr_0")
    x = vertical_rows(folder, ids)[told["feature_names_in_"]].to_numpy()
    score = x @ np.array(told["coef_"][0]) + told["intercept_"][0]
    np.testing.assert_allclose(1 / (1 + np.exp(-score)), scores, atol=1e-9)


def test_horizontal_models_are_converted_and_downloaded(node, folder, horizontal):
    conf = {**horizontal, "role": "guest", "party_id": 9999, "output_path": str(folder)}
    (folder / "convert.json").write_text(json.dumps(conf))
    done = node.flow(
        "--output", "json", "model", "homo-convert", "-c", str(folder / "convert.json")
    )
    files = {
        entry["component_name"]: entry["converted_model_path"]
        for entry in json.loads(done.stdout)["data"]
    }
    whole = pd.read_csv(folder / "guest.csv", index_col="id").drop(columns="y")
    ids, scores = shown(node, horizontal, "lr_0")
    found = joblib.load(files["lr_0"]).predict_proba(whole.loc[ids])[:, 1]
    np.testing.assert_allclose(found, scores, atol=1e-9)
    ids, scores = shown(node, horizontal, "sbt_0")
    booster = lightgbm.Booster(model_file=files["sbt_0"])
    np.testing.assert_allclose(booster.predict(whole.loc[ids].to_numpy()), scores, atol=1e-9)
    node.flow("model", "export", "-c", str(folder / "convert.json"))
    (archive,) = folder.glob("*.zip")
    inside = zipfile.ZipFile(archive).namelist()
    assert {"converted/lr_0/model/sklearn.joblib", "converted/sbt_0/model/lgb.txt"} <= set(inside)


def test_what_does_not_fit_is_refused_in_words(node, horizontal, vertical):
    party = {"role": "guest", "party_id": "9999"}
    refused = node.post("model/homo/convert", **vertical, **party)
    assert "possible: HomoLR to sklearn or pmml; HomoSecureBoost to lightgbm" in refused["retmsg"]
    refused = node.post("model/homo/convert", **horizontal, **party, framework_name="pytorch")
    assert "this model converts HomoLR to sklearn" in refused["retmsg"]
