"""Boosted trees as whole jobs on a live site: vertical and horizontal, trained, predicted, told.

All training jobs are submitted at once; each test waits for its own.
"""

import json

import numpy as np
import pytest
from lightgbm import LGBMClassifier
from sklearn.metrics import roc_auc_score

ROWS, GUEST, HOST = 240, 3, 5
SPACE = "trees"
TREES = {"num_trees": 3, "tree_param": {"max_depth": 3}, "bin_num": 16}
SHORT_KEY = {"encrypt_param": {"method": "Paillier", "key_length": 1024}}
LABELS = {
    "two": lambda score: (score > 0).astype(int),
    "three": lambda score: np.digitize(score, [-0.7, 0.7]),
    "real": lambda score: score.round(6),
}
VERTICAL, HORIZONTAL = "HeteroSecureBoost", "HomoSecureBoost"
REGRESSION = {"task_type": "regression", "objective_param": {"objective": "lse"}}
MODELS = {
    "lattice": (VERTICAL, "two", TREES),
    "paillier": (VERTICAL, "two", TREES | SHORT_KEY),
    "ou": (VERTICAL, "two", TREES | {"encrypt_param": {"method": "OU", "key_length": 1024}}),
    "mix": (VERTICAL, "two", TREES | {"boosting_strategy": "mix", "num_trees": 4}),
    "layered": ("HeteroFastSecureBoost", "two", TREES | {"work_mode": "layered"}),
    "goss": (VERTICAL, "two", TREES | {"run_goss": True, "top_rate": 0.3, "other_rate": 0.4}),
    "coarse": (VERTICAL, "two", TREES | {"gradient_bits": 6, "complete_secure": 1}),
    "classes": (VERTICAL, "three", TREES | {"num_trees": 2, "multi_mode": "multi_output"}),
    "two_hosts": (VERTICAL, "real", TREES | REGRESSION),
    "cross": (VERTICAL, "two", TREES | {"cv_param": {"need_cv": True, "n_splits": 3}}),
    "homo": (HORIZONTAL, "two", TREES),
    "homo_classes": ("HomoSecureboost", "three", TREES | {"num_trees": 2}),
    "homo_real": (HORIZONTAL, "real", TREES | REGRESSION | {"num_trees": 10}),
}
RANKING = ["lattice", "paillier", "ou", "mix", "layered", "goss", "coarse", "homo"]


def columns(names, *parts):
    return [",".join(names), *(",".join(map(str, row)) for row in zip(*parts, strict=True))]


@pytest.fixture(scope="module")
def pooled():
    """All rows in one place: features, and each kind of label."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(ROWS, GUEST + HOST)).round(6)
    score = x[:, 0] * x[:, 4] + np.abs(x[:, 5]) - 0.7 + x[:, 1] + 0.3 * rng.normal(size=ROWS)
    return x, {name: draw(score) for name, draw in LABELS.items()}


@pytest.fixture(scope="module")
def tables(node, pooled, tmp_path_factory):
    """Vertical: a guest table for each label, one or two host tables; horizontal: two halves."""
    folder = tmp_path_factory.mktemp("trees")
    x, labels = pooled
    ids, files = [f"row{i:04d}" for i in range(ROWS)], {}

    def put(name, lines):
        files[name] = folder / f"{name}.csv"
        files[name].write_text("\n".join(lines) + "\n")

    for name, part in (("host", x[:, GUEST:]), ("bank", x[:, GUEST:6]), ("shop", x[:, 6:])):
        put(name, columns(["id", *(f"h{i}" for i in range(part.shape[1]))], ids, *part.T))
    for name, y in labels.items():
        named = ["id", "y", *(f"g{i}" for i in range(GUEST))]
        put(name, columns(named, ids, y, *x[:, :GUEST].T))
        for side, rows in (("first", slice(0, 130)), ("second", slice(130, ROWS))):
            named = ["id", "y", *(f"x{i}" for i in range(GUEST + HOST))]
            put(f"{side}_{name}", columns(named, ids[rows], y[rows], *x[rows].T))
    node.upload_all(SPACE, files)


def job(name, **more):
    """DSL and configuration of one model on its tables; more: of the whole configuration."""
    module, label, given = MODELS[name]
    homo, hosts = module.lower().startswith("homo"), {10000: "host"}
    if name == "two_hosts":
        hosts = {10000: "bank", 10001: "shop"}
    chain = [("reader_0", "Reader", None), ("data_transform_0", "DataTransform", "data")]
    chain += [] if homo else [("intersection_0", "Intersection", "data")]
    aligned = {} if homo else {"intersection_0": {"intersect_method": "ecdh"}}
    kind = {"three": "multi", "real": "regression"}.get(label, "binary")
    chain += [("boost_0", module, "train_data")]
    chain += [] if name == "cross" else [("evaluation_0", "Evaluation", "data")]
    components, before = {}, ""
    for component, of, takes in chain:
        components[component] = {"module": of, "output": {"data": ["data"]}}
        if of in (module, "DataTransform"):
            components[component]["output"]["model"] = ["model"]
        if takes:
            components[component]["input"] = {"data": {takes: [f"{before}.data"]}}
        before = component

    def own(table, with_label):
        label_type = "float" if label == "real" else "int"
        return {
            "reader_0": {"table": {"name": table, "namespace": SPACE}},
            "data_transform_0": {"with_label": with_label, "label_type": label_type},
        }

    of_hosts = [own(f"second_{label}" if homo else table, homo) for table in hosts.values()]
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": {"guest": [9999], "host": list(hosts), **({"arbiter": [10000]} if homo else {})},
        "component_parameters": {
            "common": {"boost_0": given, "evaluation_0": {"eval_type": kind}} | aligned,
            "role": {
                "guest": {"0": own(f"first_{label}" if homo else label, True)},
                "host": {str(i): one for i, one in enumerate(of_hosts)},
            },
        },
    }
    if name == "cross":
        del conf["component_parameters"]["common"]["evaluation_0"]
    return {"components": components}, conf | more


@pytest.fixture(scope="module")
def jobs(node, tables):
    """What the submission of every model answered."""
    begun = {}
    for name in MODELS:
        reply = node.submit(*job(name))
        assert reply["retcode"] == 0, (name, reply)
        begun[name] = reply
    return begun


def result(node, jobs, name, path, role="guest", party="9999", component="boost_0"):
    """What a finished job says; the test fails with the job's id if it did not succeed."""
    job_id = jobs[name]["jobId"]
    assert node.wait(job_id, 120) == "success", job_id
    at = {"job_id": job_id, "role": role, "party_id": party, "component_name": component}
    reply = node.post(path, **at)
    assert reply["retcode"] == 0, reply
    return reply


def by_row(shown, field="predict_score"):
    """Row numbers and what was predicted of the shown rows."""
    header = shown["meta"]["header"][0]
    rows = np.array([int(row[0][3:]) for row in shown["data"][0]])
    return rows, np.array([float(row[header.index(field)]) for row in shown["data"][0]])


@pytest.mark.parametrize("name", RANKING)
def test_trees_rank_as_well_as_pooled_ones(node, jobs, pooled, name):
    x, labels = pooled
    rows, scores = by_row(result(node, jobs, name, "tracking/component/output/data"))
    twin = LGBMClassifier(
        n_estimators=3, max_depth=3, num_leaves=8, learning_rate=0.3, max_bin=16,
        min_child_samples=1, reg_lambda=0.1, verbosity=-1,
    ).fit(x, labels["two"])  # fmt: skip
    best = roc_auc_score(labels["two"][rows], twin.predict_proba(x)[rows, 1])
    assert roc_auc_score(labels["two"][rows], scores) > best - 0.06


def test_every_scheme_grows_the_same_trees(node, jobs):
    found = [
        result(node, jobs, name, "tracking/component/output/model")["data"]["trees"]
        for name in ("lattice", "paillier", "ou")
    ]
    shapes = [
        [[(n["sitename"], n["fid"], n["leftNodeid"]) for n in tree["tree"]] for tree in trees]
        for trees in found
    ]
    assert shapes[0] == shapes[1] == shapes[2]


@pytest.mark.parametrize("name", ["classes", "homo_classes"])
def test_three_classes(node, jobs, pooled, name):
    shown = result(node, jobs, name, "tracking/component/output/data")
    rows, classes = by_row(shown, "predict_result")
    assert np.mean(classes == pooled[1]["three"][rows]) > 0.6


@pytest.mark.parametrize("name", ["two_hosts", "homo_real"])
def test_a_regression_comes_closer_than_the_mean(node, jobs, pooled, name):
    y = pooled[1]["real"]
    rows, found = by_row(result(node, jobs, name, "tracking/component/output/data"))
    assert np.mean((found - y[rows]) ** 2) < 0.6 * y.var()


def test_cross_validation_tells_every_fold(node, jobs):
    said = result(node, jobs, "cross", "tracking/component/summary/download")["data"]
    assert said["fold_num"] == 3
    assert all(said[f"fold_{i}"]["validate"]["auc"] > 0.5 for i in range(3))


@pytest.mark.parametrize(
    ("name", "scheme"), [("lattice", "RLWE"), ("paillier", "Paillier"), ("ou", "OU")]
)
def test_the_scheme_and_its_level_stand_in_the_summary(node, jobs, name, scheme):
    said = result(node, jobs, name, "tracking/component/summary/download")
    assert scheme in json.dumps(said["data"]["security"])


def test_the_loss_is_a_metric_that_falls(node, jobs):
    result(node, jobs, "lattice", "tracking/component/summary/download")
    shown = node.post(
        "tracking/component/metric/all", job_id=jobs["lattice"]["jobId"], role="guest",
        party_id="9999", component_name="boost_0",
    )["data"]  # fmt: skip
    losses = [value for _, value in shown["train"]["loss"]["data"]]
    assert len(losses) == 3
    assert losses == sorted(losses, reverse=True)


def test_the_audit_log_names_every_message_of_the_host(node, jobs):
    job_id = jobs["paillier"]["jobId"]
    assert node.wait(job_id, 120) == "success"
    told = node.distaff("audit", "report", "--job", job_id)
    for message in ("packed_sums", "goes_left", "nodes_asked", "to_divide"):
        assert message in told


def test_a_trained_model_predicts_the_same_in_another_job(node, jobs):
    trained = by_row(result(node, jobs, "lattice", "tracking/component/output/data"))
    model = jobs["lattice"]["data"]["model_info"]
    deployed = node.post(
        "model/deploy", model_id=model["model_id"], model_version=model["model_version"],
        cpn_list=["reader_0", "data_transform_0", "intersection_0", "boost_0"],
    )  # fmt: skip
    assert deployed["retcode"] == 0, deployed
    _, conf = job("lattice")
    conf["job_parameters"] = {
        "common": {
            "job_type": "predict",
            "model_id": deployed["data"]["model_id"],
            "model_version": deployed["data"]["model_version"],
        }
    }
    conf["component_parameters"]["common"] = {}
    for of in conf["component_parameters"]["role"].values():
        for one in of.values():
            one.pop("data_transform_0")
    reply = node.post("job/submit", job_runtime_conf=conf)
    assert reply["retcode"] == 0, reply
    again = by_row(result(node, {"again": reply}, "again", "tracking/component/output/data"))
    assert dict(zip(*trained, strict=True)) == dict(zip(*again, strict=True))


def test_a_guest_without_hosts_trains_alone(node, jobs):
    dsl, conf = job("lattice")
    del conf["role"]["host"], conf["component_parameters"]["role"]["host"]
    del dsl["components"]["intersection_0"]
    dsl["components"]["boost_0"]["input"] = {"data": {"train_data": ["data_transform_0.data"]}}
    reply = node.submit(dsl, conf)
    assert reply["retcode"] == 0, reply
    said = result(node, {"alone": reply}, "alone", "tracking/component/summary/download")["data"]
    assert len(said["loss_history"]) == 3
    assert "security" not in said


def test_more_bins_than_there_can_be_are_refused_at_submit(node, tables):
    dsl, conf = job("lattice")
    conf["component_parameters"]["common"]["boost_0"] = TREES | {"bin_num": 70000}
    reply = node.submit(dsl, conf)
    assert reply["retcode"] != 0
    assert "bin_num" in reply["retmsg"]
    assert "65535" in reply["retmsg"]
    assert "Traceback" not in json.dumps(reply)


def test_one_class_is_refused_in_words(node, tables, tmp_path):
    file = tmp_path / "one.csv"
    file.write_text("\n".join(columns(["id", "y", "g0"], [f"row{i:04d}" for i in range(50)],
                                      [1] * 50, range(50))) + "\n")  # fmt: skip
    node.upload(file, SPACE, "one")
    dsl, conf = job("lattice")
    conf["component_parameters"]["role"]["guest"]["0"]["reader_0"]["table"]["name"] = "one"
    reply = node.submit(dsl, conf)
    job_id = reply["jobId"]
    assert node.wait(job_id) == "failed"
    said = node.post("job/query", job_id=job_id, role="guest", party_id="9999")
    assert "two classes are needed" in json.dumps(said)
