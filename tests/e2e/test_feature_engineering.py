"""Preparation, statistics, binning and selection as whole jobs on a live site."""

import json

import numpy as np
import pytest

ROWS = 240
SPACE = "features"
ROLES = {"guest": [9999], "host": [10000]}


def table(names, *parts):
    lines = [",".join(names)]
    lines += [",".join(map(str, row)) for row in zip(*parts, strict=True)]
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def rows():
    """y, and columns of guest and host: missing values, categories, one that tells nothing."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(ROWS, 6)).round(6)
    score = x[:, 0] + 1.5 * x[:, 3] - x[:, 4] + 0.5 * rng.normal(size=ROWS)
    city = rng.integers(0, 4, size=ROWS)
    return (score > 0).astype(int), x, city


@pytest.fixture(scope="module")
def tables(node, rows, tmp_path_factory):
    folder = tmp_path_factory.mktemp("features")
    y, x, city = rows
    ids = np.array([f"row{i:04d}" for i in range(ROWS)])
    shown = [["" if i % 17 == j else v for i, v in enumerate(x[:, j])] for j in range(6)]

    def put(name, text):
        file = folder / f"{name}.csv"
        file.write_text(text)
        node.upload(file, SPACE, name)

    put("guest", table(["id", "y", "g0", "g1", "city"], ids, y, *shown[:2], city))
    put("host", table(["id", "h0", "h1", "h2", "flat"], ids, *shown[2:5], [1] * ROWS))
    for name, part in (("first", slice(0, 130)), ("second", slice(130, ROWS))):
        columns = [x[part, 0], x[part, 1], city[part] + (name == "second")]
        put(name, table(["id", "y", "a", "b", "city"], ids[part], y[part], *columns))


def chain(*steps):
    """A DSL: (name, module, {kind: upstream}, extra) in order; all give data and model."""
    components = {}
    for name, module, takes, *extra in steps:
        entry = {"module": module, "output": {"data": ["data"], "model": ["model"]}}
        if takes:
            entry["input"] = {"data": {kind: [f"{at}.data"] for kind, at in takes.items()}}
        for more in extra:
            for key, value in more.items():
                entry.setdefault(key, {}).update(value)
        if module in ("Reader", "Evaluation", "Intersection"):
            entry["output"] = {"data": ["data"]}
        components[name] = entry
    return {"components": components}


START = (
    ("reader_0", "Reader", None),
    ("data_transform_0", "DataTransform", {"data": "reader_0"}),
)
ALIGNED = (*START, ("intersection_0", "Intersection", {"data": "data_transform_0"}))


def conf(common, guest="guest", host="host", roles=ROLES, homo=False):
    def own(name, with_label):
        return {
            "0": {
                "reader_0": {"table": {"name": name, "namespace": SPACE}},
                "data_transform_0": {"with_label": with_label, "missing_fill": False},
            }
        }

    return {
        "dsl_version": 2,
        "initiator": {"role": "guest", "party_id": 9999},
        "role": roles,
        "component_parameters": {
            "common": common,
            "role": {"guest": own(guest, True), "host": own(host, homo)},
        },
    }


def done(node, dsl, given):
    reply = node.submit(dsl, given)
    assert reply["retcode"] == 0, reply
    job_id = reply["jobId"]
    ended = node.wait(job_id, 120)
    asked = {"job_id": job_id, "role": "guest", "party_id": "9999"}
    assert ended == "success", json.dumps(node.post("job/query", **asked))[:2000]
    return reply


def told(node, job, component, path="tracking/component/summary/download", role="guest"):
    party = {"guest": "9999", "host": "10000"}[role]
    reply = node.post(
        path, job_id=job["jobId"], role=role, party_id=party, component_name=component
    )
    assert reply["retcode"] == 0, reply
    return reply["data"] if "summary" in path or "model" in path else reply


def header(node, job, component, role="guest"):
    at = "tracking/component/output/data"
    return told(node, job, component, at, role)["meta"]["header"][0]


@pytest.fixture(scope="module")
def prepared(node, tables):
    """One job from raw columns to a model, through everything that a scorecard needs."""
    isometric = ("binning_0", "statistics_0", "pearson_0")
    dsl = chain(
        *ALIGNED,
        ("imputation_0", "FeatureImputation", {"data": "intersection_0"}),
        ("scale_0", "FeatureScale", {"data": "imputation_0"}),
        ("binning_0", "HeteroFeatureBinning", {"data": "scale_0"}),
        ("statistics_0", "DataStatistics", {"data": "scale_0"}),
        ("pearson_0", "HeteroPearson", {"data": "scale_0"}),
        (
            "selection_0",
            "HeteroFeatureSelection",
            {"data": "scale_0"},
            {"input": {"isometric_model": [f"{name}.model" for name in isometric]}},
        ),
        ("onehot_0", "OneHotEncoder", {"data": "selection_0"}),
        ("lr_0", "HeteroLR", {"train_data": "onehot_0"}),
        ("evaluation_0", "Evaluation", {"data": "lr_0"}),
    )
    common = {
        "imputation_0": {"missing_fill_method": "mean"},
        "scale_0": {"method": "standard_scale"},
        "binning_0": {"bin_num": 5, "transform_param": {"transform_type": None}},
        "statistics_0": {"statistics": ["95%", "coefficient_of_variance", "stddev"]},
        "pearson_0": {"column_indexes": -1},
        "selection_0": {
            "select_col_indexes": -1,
            "filter_methods": ["unique_value", "iv_filter", "statistic_filter"],
            "unique_param": {"eps": 1e-6},
            "iv_param": {"metrics": ["iv"], "filter_type": ["threshold"], "threshold": [0.05]},
            "statistic_param": {
                "metrics": ["stddev"], "filter_type": ["threshold"], "threshold": [0.1],
                "take_high": [True],
            },
        },
        "onehot_0": {"transform_col_indexes": [], "transform_col_names": []},
        "lr_0": {"max_iter": 5, "early_stop": "diff", "init_param": {"init_method": "zeros"}},
        "evaluation_0": {"eval_type": "binary"},
    }  # fmt: skip
    given = conf(common, roles={**ROLES, "arbiter": [10000]})
    return done(node, dsl, given), given


def test_a_pipeline_from_raw_columns_to_a_model(node, prepared):
    job, _ = prepared
    assert told(node, job, "evaluation_0")["lr_0"]["train"]["auc"] > 0.85


def test_imputed_and_scaled_columns_are_those_of_the_twin(node, prepared, rows):
    job, _ = prepared
    _, x, _ = rows
    column = np.where(np.arange(ROWS) % 17 == 0, np.nan, x[:, 0])
    column = np.where(np.isnan(column), np.nanmean(column), column)
    shown = told(node, job, "scale_0", "tracking/component/output/data")
    at = shown["meta"]["header"][0].index("g0")
    found = {row[0]: float(row[at]) for row in shown["data"][0]}
    twin = (column - column.mean()) / column.std()
    expected = {key: twin[int(key[3:])] for key in found}
    assert found == pytest.approx(expected, abs=1e-6)


def test_information_values_name_hosts_columns_anonymously(node, prepared):
    job, _ = prepared
    said = json.dumps(told(node, job, "binning_0"))
    assert "host_10000_x1" in said
    assert "h1" not in json.loads(said).get("result", {}).get("iv", [])


def test_selection_drops_what_tells_nothing_at_either_party(node, prepared):
    job, _ = prepared
    kept = [c for c in header(node, job, "selection_0", "host") if c not in ("id", "y", "label")]
    assert "flat" not in kept
    assert {"h1", "h2"} <= set(kept)
    assert "g0" in header(node, job, "selection_0")


def test_the_host_is_told_no_label(node, prepared):
    job, _ = prepared
    report = node.distaff("audit", "report", "--job", job["jobId"])
    assert "label" in report
    host = (node.home / "logs" / job["jobId"] / "host").rglob("*.log")
    assert all("Traceback" not in file.read_text() for file in host)


def test_a_deployed_pipeline_predicts_new_rows(node, prepared):
    job, given = prepared
    model = job["data"]["model_info"]
    kept = ["reader_0", "data_transform_0", "intersection_0", "imputation_0", "scale_0",
            "selection_0", "onehot_0", "lr_0"]  # fmt: skip
    deployed = node.post(
        "model/deploy", model_id=model["model_id"], model_version=model["model_version"],
        cpn_list=kept,
    )  # fmt: skip
    assert deployed["retcode"] == 0, deployed
    again = conf({}, roles=given["role"])
    for of in again["component_parameters"]["role"].values():
        of["0"].pop("data_transform_0")
    again["job_parameters"] = {
        "common": {
            "job_type": "predict",
            **{k: deployed["data"][k] for k in ("model_id", "model_version")},
        }
    }
    predicted = done(node, {}, again)
    at = "tracking/component/output/data"
    first, later = (told(node, j, "lr_0", at)["data"][0] for j in (job, predicted))
    scores = {row[0]: row[3] for row in first}
    assert {row[0]: row[3] for row in later} == scores


def test_sampling_splitting_weights_and_trees(node, tables):
    dsl = chain(
        *ALIGNED,
        ("sample_0", "FederatedSample", {"data": "intersection_0"}),
        ("split_0", "HeteroDataSplit", {"data": "sample_0"}),
        ("weight_0", "SampleWeight", {"data": "split_0"}),
        ("boost_0", "HeteroSecureBoost", {"train_data": "weight_0", "validate_data": "split_0"}),
        ("union_0", "Union", None),
    )
    parts = dsl["components"]
    parts["split_0"]["output"] = {"data": ["train_data", "validate_data", "test_data"]}
    parts["weight_0"]["input"] = {"data": {"data": ["split_0.train_data"]}}
    parts["boost_0"]["input"]["data"]["validate_data"] = ["split_0.validate_data"]
    parts["union_0"]["input"] = {"data": {"data": ["split_0.train_data", "split_0.test_data"]}}
    common = {
        "sample_0": {
            "mode": "stratified", "method": "downsample", "fractions": [[0, 0.9], [1, 0.8]],
            "random_state": 1,
        },
        "split_0": {"train_size": 0.6, "validate_size": 0.2, "test_size": 0.2, "random_state": 1},
        "weight_0": {"class_weight": "balanced"},
        "boost_0": {"num_trees": 2, "use_missing": True, "validation_freqs": 1},
    }  # fmt: skip
    given = conf(common)
    given["component_parameters"]["role"]["host"]["0"]["weight_0"] = {"need_run": False}
    job = done(node, dsl, given)
    counts = told(node, job, "split_0")["data_split_count_info"]
    assert counts["train"] + counts["validate"] + counts["test"] == counts["original"] < ROWS
    losses = told(node, job, "boost_0")["loss_history"]
    assert losses == sorted(losses, reverse=True)


def test_a_horizontal_pipeline(node, tables):
    dsl = chain(
        *START,
        ("split_0", "HomoDataSplit", {"data": "data_transform_0"}),
        ("binning_0", "HomoFeatureBinning", {"data": "data_transform_0"}),
        ("onehot_0", "HomoOneHotEncoder", {"data": "data_transform_0"}),
        ("lr_0", "HomoLR", {"train_data": "onehot_0"}),
        ("evaluation_0", "Evaluation", {"data": "lr_0"}),
    )
    dsl["components"]["split_0"]["output"] = {"data": ["train_data", "validate_data", "test_data"]}
    common = {
        "split_0": {"train_size": 0.7, "validate_size": 0.2, "test_size": 0.1},
        "binning_0": {"bin_num": 4},
        "onehot_0": {"transform_col_indexes": [], "transform_col_names": ["city"]},
        "lr_0": {"max_iter": 5, "learning_rate": 0.5, "optimizer": "sgd"},
        "evaluation_0": {"eval_type": "binary"},
    }
    given = conf(common, "first", "second", {**ROLES, "arbiter": [10000]}, homo=True)
    job = done(node, dsl, given)
    columns = {role: header(node, job, "onehot_0", role) for role in ("guest", "host")}
    assert columns["guest"] == columns["host"]
    assert {"city_0", "city_4"} <= set(columns["guest"])
    assert told(node, job, "evaluation_0")["lr_0"]["train"]["auc"] > 0.6


def test_an_unknown_column_is_refused_without_naming_those_there_are(node, tables):
    dsl = chain(*ALIGNED, ("scale_0", "FeatureScale", {"data": "intersection_0"}))
    common = {"scale_0": {"method": "standard_scale", "scale_names": ["salary"]}}
    reply = node.submit(dsl, conf(common))
    job_id = reply["jobId"]
    assert node.wait(job_id) == "failed"
    said = json.dumps(node.post("job/query", job_id=job_id, role="guest", party_id="9999"))
    assert "salary" in said
    assert "city" not in said
