"""Every linear model and its neighbours as whole jobs on a live site, beside pooled training.

All jobs are submitted at once; each test waits for its own.
"""

import json

import numpy as np
import pytest
from sklearn.linear_model import LinearRegression, LogisticRegression, PoissonRegressor
from sklearn.metrics import roc_auc_score

ROWS, GUEST, HOST = 240, 3, 4
SPACE = "linear"
LR = {
    "max_iter": 8,
    "learning_rate": 0.3,
    "alpha": 0.01,
    "tol": 1e-6,
    "init_param": {"init_method": "zeros"},
}
SSHE = LR | {"optimizer": "sgd"}
SHORT_KEY = {"key_length": 1024}
FAST = {"intersection_0": {"intersect_method": "ecdh"}}
LABELS = {
    "two": lambda score, rng: (score + rng.normal(size=ROWS) > 0).astype(int),
    "three": lambda score, rng: np.digitize(score + 0.3 * rng.normal(size=ROWS), [-0.7, 0.7]),
    "real": lambda score, rng: (score + 0.1 * rng.normal(size=ROWS)).round(6),
    "count": lambda score, rng: rng.poisson(np.exp(0.3 * score)),
}
MODELS = {
    "lr": ("HeteroLR", "two", LR),
    "lr_paillier": ("HeteroLR", "two", LR | {"encrypt_param": {"method": "Paillier", **SHORT_KEY}}),
    "lr_ou": ("HeteroLR", "two", LR | {"encrypt_param": {"method": "OU", **SHORT_KEY}}),
    "lr_batches": ("HeteroLR", "two", LR | {"batch_size": 100}),
    "lr_classes": ("HeteroLR", "three", LR | {"max_iter": 3}),
    "lr_stepwise": (
        "HeteroLR",
        "two",
        LR | {"max_iter": 3, "stepwise_param": {"need_stepwise": True, "max_step": 2}},
    ),
    "linr": ("HeteroLinR", "real", LR | {"optimizer": "sgd", "max_iter": 20, "decay": 0}),
    "poisson": (
        "HeteroPoisson",
        "count",
        LR | {"optimizer": "sgd", "learning_rate": 0.2, "max_iter": 30, "decay": 0},
    ),
    "sshe_lr": ("HeteroSSHELR", "two", SSHE),
    "sshe_lr_hidden": (
        "HeteroSSHELR",
        "two",
        SSHE | {"reveal_strategy": "encrypted_reveal_in_host"},
    ),
    "sshe_linr": ("HeteroSSHELinR", "real", SSHE | {"max_iter": 20, "decay": 0}),
    "homo_lr": ("HomoLR", "two", LR | {"optimizer": "sgd", "learning_rate": 1.0, "max_iter": 20}),
    "kmeans": ("HeteroKmeans", "two", {"k": 2, "max_iter": 10, "random_stat": 1}),
}
WITHOUT_ARBITER = {"HeteroSSHELR", "HeteroSSHELinR"}
RANKING = ["lr", "lr_paillier", "lr_ou", "lr_batches", "sshe_lr", "sshe_lr_hidden", "homo_lr"]
PREDICTED = "predict_score"


def columns(names, *parts):
    return [",".join(names), *(",".join(map(str, row)) for row in zip(*parts, strict=True))]


@pytest.fixture(scope="module")
def pooled():
    """All rows in one place: features, and each kind of label."""
    rng = np.random.default_rng(11)
    x = rng.normal(size=(ROWS, GUEST + HOST)).round(6)
    score = x @ rng.normal(size=GUEST + HOST)
    return x, {name: draw(score, rng) for name, draw in LABELS.items()}


@pytest.fixture(scope="module")
def tables(node, pooled, tmp_path_factory):
    """Vertical: one guest table per label and one host table; horizontal: rows in two halves."""
    folder = tmp_path_factory.mktemp("linear")
    x, labels = pooled
    ids, files = [f"row{i:04d}" for i in range(ROWS)], {}

    def put(name, lines):
        files[name] = folder / f"{name}.csv"
        files[name].write_text("\n".join(lines) + "\n")

    guest, host = x[:, :GUEST], x[:, GUEST:]
    put("host", columns(["id", *(f"h{i}" for i in range(HOST))], ids, *host.T))
    for name, y in labels.items():
        put(name, columns(["id", "y", *(f"g{i}" for i in range(GUEST))], ids, y, *guest.T))
    for name, rows in (("homo_guest", slice(0, 130)), ("homo_host", slice(130, ROWS))):
        named = ["id", "y", *(f"x{i}" for i in range(GUEST + HOST))]
        put(name, columns(named, ids[rows], labels["two"][rows], *x[rows].T))
    node.upload_all(SPACE, files)


def job(module, label, given):
    """DSL and configuration of one model on its tables, and Scorecard behind a binary one."""
    homo = module == "HomoLR"
    of_guest, of_host = ("homo_guest", "homo_host") if homo else (label, "host")
    chain = [("reader_0", "Reader", None), ("data_transform_0", "DataTransform", "data")]
    chain += [] if homo else [("intersection_0", "Intersection", "data")]
    chain += [("model_0", module, "train_data")]
    if module == "HeteroLR" and label == "two":
        chain += [("scorecard_0", "Scorecard", "data")]
    components, before = {}, ""
    for name, kind, takes in chain:
        components[name] = {"module": kind, "output": {"data": ["data"]}}
        if kind == "HeteroKmeans":
            components[name]["output"]["data"] = ["data_0", "data_1"]
        if kind in (module, "DataTransform"):
            components[name]["output"]["model"] = ["model"]
        if takes:
            components[name]["input"] = {"data": {takes: [f"{before}.data"]}}
        before = name

    def own(table, **of_model):
        reads = {"reader_0": {"table": {"name": table, "namespace": SPACE}}}
        return {"0": {**reads, **of_model}}

    label_type = "float" if label == "real" else "int"
    guest = own(of_guest, data_transform_0={"with_label": True, "label_type": label_type})
    host = own(of_host, data_transform_0={"with_label": homo, "label_type": label_type})
    if "scorecard_0" in components:
        host["0"]["scorecard_0"] = {"need_run": False}
    roles = {"guest": [9999], "host": [10000]}
    if module not in WITHOUT_ARBITER:
        roles["arbiter"] = [10000]
    conf = {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": roles,
        "component_parameters": {
            "common": {"model_0": given, **({} if homo else FAST)},
            "role": {"guest": guest, "host": host},
        },
    }
    return {"components": components}, conf


@pytest.fixture(scope="module")
def jobs(node, tables):
    """The id of every model's job."""
    begun = {}
    for name, (module, label, given) in MODELS.items():
        reply = node.submit(*job(module, label, given))
        assert reply["retcode"] == 0, (name, reply)
        begun[name] = reply["jobId"]
    return begun


def result(node, jobs, name, path, component="model_0", role="guest", party="9999"):
    """What a finished job says; the test fails with the job's id if it did not succeed."""
    assert node.wait(jobs[name], 120) == "success", jobs[name]
    at = {"job_id": jobs[name], "role": role, "party_id": party, "component_name": component}
    reply = node.post(path, **at)
    assert reply["retcode"] == 0, reply
    return reply


def predicted(node, jobs, name, field=PREDICTED, component="model_0"):
    """{id: what was predicted} of the shown rows."""
    shown = result(node, jobs, name, "tracking/component/output/data", component)
    header = shown["meta"]["header"][0]
    return {row[0]: row[header.index(field)] for row in shown["data"][0]}


def by_row(found):
    """Row numbers and float predictions."""
    rows = np.array([int(key[3:]) for key in found])
    return rows, np.array([float(value) for value in found.values()])


@pytest.mark.parametrize("name", RANKING)
def test_a_classifier_ranks_as_well_as_pooled_training(node, jobs, pooled, name):
    x, labels = pooled
    rows, scores = by_row(predicted(node, jobs, name))
    best = LogisticRegression().fit(x, labels["two"]).decision_function(x)
    auc = roc_auc_score(labels["two"][rows], scores)
    assert auc > roc_auc_score(labels["two"][rows], best[rows]) - 0.01


@pytest.mark.parametrize("name", ["linr", "sshe_linr"])
def test_a_regression_is_as_close_as_pooled_training(node, jobs, pooled, name):
    x, labels = pooled
    rows, found = by_row(predicted(node, jobs, name))
    best = LinearRegression().fit(x, labels["real"]).predict(x)
    spread = labels["real"].std()
    assert np.sqrt(np.mean((found - best[rows]) ** 2)) < 0.1 * spread


def test_poisson_regression_finds_the_rates(node, jobs, pooled):
    x, labels = pooled
    rows, found = by_row(predicted(node, jobs, "poisson"))
    best = PoissonRegressor(alpha=0.01).fit(x, labels["count"]).predict(x)
    assert np.corrcoef(np.log(found), np.log(best[rows]))[0, 1] > 0.95


def test_one_model_per_class_predicts_three_classes(node, jobs, pooled):
    found = predicted(node, jobs, "lr_classes", "predict_result")
    rows, classes = by_row(found)
    assert np.mean(classes == pooled[1]["three"][rows]) > 0.6


def test_every_scheme_learns_the_same_weights(node, jobs):
    found = [
        result(node, jobs, name, "tracking/component/output/model")["data"]["weight"]
        for name in ("lr", "lr_paillier", "lr_ou")
    ]
    values = np.array([[weights[c] for c in sorted(weights)] for weights in found])
    np.testing.assert_allclose(values[1:], values[:1].repeat(2, 0), atol=1e-5)


@pytest.mark.parametrize(
    ("name", "scheme"), [("lr", "RLWE"), ("lr_paillier", "Paillier"), ("lr_ou", "OU")]
)
def test_the_scheme_and_its_level_stand_in_the_summary_and_the_log(node, jobs, name, scheme):
    said = result(node, jobs, name, "tracking/component/summary/download")
    assert scheme in json.dumps(said["data"]["security"])
    logs = (node.home / "logs" / jobs[name]).rglob("*INFO.log")
    assert any(scheme in file.read_text() and "bit" in file.read_text() for file in logs)


def test_a_hidden_host_model_holds_no_weights(node, jobs):
    at = "tracking/component/output/model"
    host = result(node, jobs, "sshe_lr_hidden", at, role="host", party="10000")["data"]
    assert not host.get("weight")
    assert set(host["encryptedWeight"]) == {f"h{i}" for i in range(HOST)}


def test_stepwise_tells_what_it_kept(node, jobs):
    said = result(node, jobs, "lr_stepwise", "tracking/component/summary/download")["data"]
    assert any(key.startswith("step_") for key in said)


def test_credit_scores_follow_the_probabilities(node, jobs):
    chance = predicted(node, jobs, "lr")
    credit = predicted(node, jobs, "lr", "credit_score", "scorecard_0")
    for key, score in list(credit.items())[:20]:
        p = float(chance[key])
        assert float(score) == pytest.approx(500 + 20 / np.log(2) * np.log((1 - p) / p), abs=0.01)


def test_clusters_are_numbered_at_the_guest(node, jobs):
    found = predicted(node, jobs, "kmeans", "predicted_label")
    assert set(map(int, found.values())) == {0, 1}
    at = "tracking/component/output/model"
    model = result(node, jobs, "kmeans", at)["data"]
    assert int(model["countOfClusters"]) == 2


def test_training_goes_on_from_a_loaded_model_where_the_arbiter_kept_none(node, jobs):
    before = result(node, jobs, "homo_lr", "tracking/component/output/model")["data"]
    dsl, conf = job(*(MODELS["homo_lr"][0], "two", MODELS["homo_lr"][2] | {"max_iter": 22}))
    dsl["components"]["loader_0"] = {"module": "ModelLoader", "output": {"model": ["model"]}}
    dsl["components"]["model_0"]["input"]["model"] = ["loader_0.model"]
    conf["component_parameters"]["common"]["loader_0"] = {
        "model_id": "arbiter-10000#guest-9999#host-10000#model",
        "model_version": jobs["homo_lr"],
        "component_name": "model_0",
    }
    reply = node.submit(dsl, conf)
    assert reply["retcode"] == 0, reply
    at = "tracking/component/output/model"
    after = result(node, {"on": reply["jobId"]}, "on", at)["data"]
    assert (before["iters"], after["iters"]) == (20, 22)


@pytest.mark.parametrize(
    ("module", "label", "given", "words"),
    [
        ("HeteroPoisson", "real", {}, "label"),
        ("HeteroLinR", "real", {"learning_rate": 1e9, "optimizer": "sgd"}, "learning_rate"),
        ("HeteroKmeans", "two", {"k": 99999}, "k"),
    ],
)
def test_bad_input_ends_the_job_with_words_that_help(node, tables, module, label, given, words):
    reply = node.submit(*job(module, label, given))
    if reply["retcode"] == 0:
        assert node.wait(reply["jobId"], 60) == "failed"
        logs = (node.home / "logs" / reply["jobId"]).rglob("*ERROR.log")
        told = " ".join(file.read_text() for file in logs)
    else:
        told = reply["retmsg"]
    assert words in told
