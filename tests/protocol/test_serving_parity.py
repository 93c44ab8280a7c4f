"""Plans say what training's predict says, for every kind of model and every row."""

import numpy as np
import pytest

from federatedml.data.frame import Values
from tests.protocol.serving_parties import (
    BANK,
    FAST,
    SHOP,
    G,
    Served,
    Step,
    assert_one_path,
    assert_same,
    raw,
    wide,
)

N = 60


def rows_of(x, names, missing=(), text=None):
    """Texts as a table has them; missing: (row, column) without a value."""
    found = []
    for i, values in enumerate(x):
        row = {n: repr(float(v)) for n, v in zip(names, values, strict=True)}
        for r, c in missing:
            if r == i:
                row[names[c]] = ""
        if text:
            row |= {name: given[i] for name, given in text.items()}
        found.append(row)
    return found


def pooled(n=N, classes=2, seed=3):
    """Features of the guest and of two hosts, and labels that depend on all; 0 classes: numbers,
    -1: counts."""
    rng = np.random.default_rng(seed)
    a, b, c = rng.normal(size=(n, 4)), rng.normal(size=(n, 3)), rng.normal(size=(n, 2))
    a[:, 3] = rng.integers(0, 3, n)
    score = a[:, 0] - b[:, 1] + 0.5 * c[:, 0] + 0.2 * a[:, 3] + 0.2 * rng.normal(size=n)
    if classes == 0:
        label = np.round(score, 3)
    elif classes == -1:
        label = rng.poisson(np.exp(0.3 * score))
    else:
        label = np.digitize(score, np.quantile(score, np.arange(1, classes) / classes))
    return a, b, c, label


def tables(n=N, classes=2, seed=3, hosts=(BANK,), missing=(), wild=1.0):
    a, b, c, label = pooled(n, classes, seed)
    guest = rows_of(a * wild, [f"a{i}" for i in range(4)], missing)
    for row, value in zip(guest, label.tolist(), strict=True):
        row["y"] = str(value)
    found = {G: guest, BANK: rows_of(b * wild, [f"b{i}" for i in range(3)], missing)}
    if SHOP in hosts:
        found[SHOP] = rows_of(c * wild, ["c0", "c1"])
    return found


def transform(**given):
    label = {"with_label": True, "label_name": "y", **given}
    kind = {k: v for k, v in given.items() if not k.startswith("label")}
    return Step("transform_0", "DataTransform", {G: label, BANK: kind, SHOP: kind})


def trained(steps, rows, **options):
    return Served(steps, {me: raw(of) for me, of in rows.items()}, **options)


GLM = {"max_iter": 3, "learning_rate": 0.2, "tol": 0, "alpha": 0.01, **FAST}


# Linear models.


def test_lr_behind_all_transformers():
    missing = [(0, 0), (3, 2), (7, 1)]
    binning = {"bin_num": 4, "bin_indexes": [0, 1], **FAST}
    steps = [
        transform(missing_fill=True, missing_fill_method="mean", outlier_replace=True,
                  outlier_impute=[-99]),
        Step("scale_0", "FeatureScale", {
            G: {"method": "min_max_scale", "mode": "cap", "feat_upper": 0.9, "feat_lower": 0.1,
                "scale_col_indexes": [0, 1, 2]},
            BANK: {"method": "standard_scale"},
        }),
        Step("binning_0", "HeteroFeatureBinning", {
            G: {**binning, "transform_param": {"transform_type": "woe"}},
            BANK: {**binning, "transform_param": {"transform_type": "bin_num"}},
        }),
        Step("selection_0", "HeteroFeatureSelection", {
            G: {"filter_methods": ["manually"], "manually_param": {"filter_out_names": ["a2"]}},
            BANK: {"filter_methods": ["manually"], "manually_param": {"filter_out_names": ["b2"]}},
        }),
        Step("onehot_0", "OneHotEncoder", {
            G: {"transform_col_indexes": None, "transform_col_names": ["a3"]},
            BANK: {"transform_col_indexes": None, "transform_col_names": ["b0"]},
        }),
        Step("lr_0", "HeteroLR", GLM, arbiter=True),
    ]  # fmt: skip
    served = trained(steps, tables(missing=missing))
    later = tables(n=30, seed=9, missing=[(1, 0), (2, 1), (4, 2)], wild=3.0)
    later[G][5]["a3"] = "7"  # a category that was not in training
    later[G][6]["a1"] = "-99"
    later[BANK][8]["b0"] = "+1e2"
    assert_same(served, later)


def test_lr_of_several_classes_with_two_hosts_and_imputation():
    steps = [
        transform(),
        Step("imputation_0", "FeatureImputation", {
            "missing_fill_method": "median", "missing_impute": [-1, "?"],
        }),
        Step("lr_0", "HeteroLR", {**GLM, "predict_param": {"threshold": 0.3}}, arbiter=True),
    ]  # fmt: skip
    served = trained(steps, tables(classes=3, hosts=(BANK, SHOP), missing=[(2, 0)]))
    later = tables(n=20, classes=3, seed=5, hosts=(BANK, SHOP), missing=[(0, 1), (3, 2)])
    later[G][4]["a0"] = "-1"
    scores, _ = assert_same(served, later)
    assert len(scores.row(0)["score"]) == 3


@pytest.mark.parametrize("module", ["HeteroLinR", "HeteroPoisson"])
def test_regressions(module):
    exposure = {"exposure_colname": "a3"} if module == "HeteroPoisson" else {}
    rows = tables(classes=-1)
    for row in rows[G]:
        row["a3"] = str(1.0 + float(row["a3"]))
    steps = [
        transform(label_type="float"),
        Step("model_0", module, {**GLM, "learning_rate": 0.05, **exposure}, arbiter=True),
    ]
    served = trained(steps, rows)
    later = tables(n=20, classes=-1, seed=8)
    for row in later[G]:
        row["a3"] = str(2.0 + float(row["a3"]))
    assert_same(served, later)


@pytest.mark.parametrize("reveal", ["respectively", "encrypted_reveal_in_host"])
@pytest.mark.parametrize(("module", "classes"), [
    ("HeteroSSHELR", 2), ("HeteroSSHELR", 3), ("HeteroSSHELinR", 0),
])  # fmt: skip
def test_sshe(module, classes, reveal):
    given = {"max_iter": 2, "learning_rate": 0.1, "tol": 0, "reveal_strategy": reveal}
    label = {"label_type": "float"} if classes == 0 else {}
    served = trained([transform(**label), Step("sshe_0", module, given)], tables(classes=classes))
    assert_same(served, tables(n=4, classes=classes, seed=4))


# Trees.

BOOST = {"num_trees": 3, "tree_param": {"max_depth": 3}, "bin_num": 8, **FAST}


@pytest.mark.parametrize("given", [
    {},
    {"use_missing": True},
    {"use_missing": True, "zero_as_missing": True},
    {"boosting_strategy": "mix", "num_trees": 4},
    {"boosting_strategy": "layered", "guest_depth": 1, "host_depth": 2},
    {"complete_secure": 1},
])  # fmt: skip
def test_secure_boost(given):
    missing = [(i, i % 3) for i in range(0, 30, 4)]
    steps = [transform(), Step("boost_0", "HeteroSecureBoost", {**BOOST, **given})]
    served = trained(steps, tables(missing=missing))
    later = tables(n=30, seed=11, missing=[(i, i % 3) for i in range(9)], wild=2.0)
    for row in later[G][10:13]:
        row["a0"] = "0"
    assert_same(served, later, 0.0)


@pytest.mark.parametrize("mode", ["single_output", "multi_output"])
def test_secure_boost_of_several_classes(mode):
    given = {**BOOST, "multi_mode": mode, "encrypt_param": {"key_length": 512}}
    steps = [transform(), Step("boost_0", "HeteroSecureBoost", given)]
    served = trained(steps, tables(classes=4, hosts=(BANK, SHOP)))
    scores, _ = assert_same(served, tables(n=20, classes=4, seed=2, hosts=(BANK, SHOP)), 0.0)
    assert scores.row(0)["label"] in {"0", "1", "2", "3"}


@pytest.mark.parametrize("objective", ["lse", "lae", "huber", "fair", "log_cosh", "tweedie"])
def test_secure_boost_regression(objective):
    given = {
        **BOOST, "num_trees": 2, "task_type": "regression",
        "objective_param": {"objective": objective, "params": [1.5]},
    }  # fmt: skip
    classes = -1 if objective == "tweedie" else 0
    steps = [transform(label_type="float"), Step("boost_0", "HeteroSecureBoost", given)]
    served = trained(steps, tables(classes=classes))
    assert_same(served, tables(n=20, classes=classes, seed=6), 0.0)


def test_deep_trees_have_several_words_of_leaves():
    given = {
        **BOOST,
        "num_trees": 1,
        "task_type": "regression",
        "objective_param": {"objective": "lse"},
        "encrypt_param": {"key_length": 512},
        "tree_param": {"max_depth": 9, "min_impurity_split": 0}, "bin_num": 64,
    }  # fmt: skip
    steps = [transform(label_type="float"), Step("boost_0", "HeteroSecureBoost", given)]
    served = trained(steps, tables(n=400, classes=0))
    (tree,) = served.found["boost_0"][G].model.param.trees
    assert sum(node.is_leaf for node in tree.tree) > 64
    assert_same(served, tables(n=25, classes=0, seed=12), 0.0)


# Models of one party, and what follows a model.


@pytest.mark.parametrize("classes", [2, 3])
def test_homo_models(classes):
    rows = {me: tables(classes=classes, seed=s)[G] for me, s in ((G, 1), (BANK, 2))}
    label = transform(with_label=True, label_name="y").given[G]
    steps = [
        Step("transform_0", "DataTransform", label),
        Step("lr_0", "HomoLR", {"max_iter": 3, "optimizer": "sgd"}, arbiter=True),
    ]
    later = {me: tables(n=20, classes=classes, seed=7)[G] for me in (G, BANK)}
    served = trained(steps, rows)
    assert not served.plans[G].hosts
    assert_same(served, later)
    boost = {"num_trees": 2, "bin_num": 8, "tree_param": {"max_depth": 3}}
    steps[1] = Step("boost_0", "HomoSecureBoost", boost, arbiter=True)
    assert_same(trained(steps, rows), later, 0.0)


@pytest.mark.parametrize("name", [
    "LogisticRegression", "RandomForestClassifier", "GradientBoostingClassifier", "GaussianNB",
    "MLPClassifier", "LGBMClassifier",
])  # fmt: skip
@pytest.mark.parametrize("classes", [2, 3])
@pytest.mark.filterwarnings("ignore")
def test_local_baseline(name, classes):
    options = {} if name in ("GaussianNB", "LogisticRegression") else {"random_state": 1}
    if "Forest" in name or "Boosting" in name:
        options["n_estimators"] = 5
    label = transform(with_label=True).given[G]
    local = Step("local_0", "LocalBaseline", {"model_name": name, "model_opts": options})
    steps = [Step("transform_0", "DataTransform", label), local]
    served = trained(steps, {G: tables(classes=classes)[G]})
    assert_same(served, {G: tables(n=15, classes=classes, seed=7)[G]})


def test_scorecard_and_labels():
    relabel = {"label_encoder": {"0": 3, "1": 8}}
    steps = [
        transform(),
        Step("labels_0", "LabelTransform", {G: relabel, BANK: relabel}),
        Step("lr_0", "HeteroLR", GLM, arbiter=True),
        Step("card_0", "Scorecard", {"factor": 30, "upper_limit_ratio": 2}),
    ]
    served = trained(steps, tables())
    scores, said = assert_same(served, tables(n=20, seed=7))
    card = said[-1]
    assert isinstance(card, Values)
    np.testing.assert_allclose(
        scores.credit, card.columns["credit_score"].to_numpy(), rtol=0, atol=1e-6
    )
    assert set(scores.labels) <= {3, 8}


def test_clusters():
    step = Step("kmeans_0", "HeteroKmeans", {"k": 3, "max_iter": 5, "random_stat": 1}, arbiter=True)
    served = trained([transform(), step], tables(), reveal_distances=True)
    later = tables(n=20, seed=7)
    said = served.offline({me: raw(of) for me, of in later.items()})[-1]
    scores = served.online(later)
    assert scores.labels == said.columns["predicted_label"].to_pylist()
    assert_one_path(served, later, scores)


# Formats.


@pytest.mark.parametrize("fill", [False, True])
def test_text_categories_and_whole_numbers(fill):
    rng = np.random.default_rng(1)

    def rows(n, seed):
        found = tables(n=n, seed=seed)
        for i, row in enumerate(found[BANK]):
            row["city"] = "abcd"[int(rng.integers(0, 4))] if i % 9 else ""
            row["kind"] = str(int(rng.integers(0, 3)))
        return found

    apart = {"exclusive_data_type": {"city": "str", "kind": "int"}}
    steps = [
        Step("transform_0", "DataTransform", {
            G: {"with_label": True, "missing_fill": fill}, BANK: {**apart, "missing_fill": fill},
        }),
        Step("imputation_0", "FeatureImputation", {
            G: {}, BANK: {"col_missing_fill_method": {"city": "mode"}},
        }),
        Step("onehot_0", "OneHotEncoder", {
            G: {"need_run": False},
            BANK: {"transform_col_indexes": None, "transform_col_names": ["city", "kind"]},
        }),
        Step("lr_0", "HeteroLR", GLM, arbiter=True),
    ]  # fmt: skip
    served = trained(steps, rows(N, 3))
    later = rows(25, 6)
    later[BANK][3]["city"], later[BANK][4]["kind"] = "elsewhere", "9"
    assert_same(served, later)


@pytest.mark.parametrize("kind", ["sparse", "tags", "valued tags", "filled tags"])
def test_rows_that_name_their_fields(kind):
    rng = np.random.default_rng(2)
    delimiter = ":" if kind != "tags" else ""

    def lines(n, party):
        label, rows, given = rng.integers(0, 2, n), [], []
        for i in range(n):
            there = np.flatnonzero(rng.random(5) < 0.6).tolist() or [0]
            values = {j: round(float(rng.normal()), 3) for j in there}
            name = "{}" if kind == "sparse" else party + "{}"
            fields = [name.format(j) + (f":{v}" if delimiter else "") for j, v in values.items()]
            own = [str(label[i])] if party == "g" else []
            rows.append(" ".join([*own, *fields]))
            shown = "x{}" if kind == "sparse" else name
            given.append({shown.format(j): v if delimiter else 1 for j, v in values.items()})
        return wide(rows, " "), given

    form = {"input_format": "sparse" if kind == "sparse" else "tag", "delimitor": " "}
    if kind in ("valued tags", "filled tags"):
        form["tag_with_value"] = True
    if kind == "filled tags":
        form |= {"missing_fill": True, "missing_fill_method": "max"}
    steps = [
        Step("transform_0", "DataTransform", {G: {**form, "with_label": True}, BANK: form}),
        Step("scale_0", "FeatureScale", {}),
        Step(
            "boost_0", "HeteroSecureBoost", {**BOOST, "zero_as_missing": True, "use_missing": True}
        ),
    ]
    served = Served(steps, {G: lines(N, "g")[0], BANK: lines(N, "h")[0]})
    (a, own), (b, theirs) = lines(20, "g"), lines(20, "h")
    assert_same(served, {G: own, BANK: theirs}, 0.0, {G: a, BANK: b})


def test_columns_that_were_expanded():
    steps = [
        Step("expand_0", "ColumnExpand", {
            G: {"append_header": ["extra", "other"], "fill_value": [0.25, 3]},
            BANK: {"need_run": False},
        }),
        transform(),
        Step("lr_0", "HeteroLR", {**GLM, "init_param": {"init_method": "ones"}}, arbiter=True),
    ]  # fmt: skip
    served = trained(steps, tables())
    later = tables(n=10, seed=7)
    scores, _ = assert_same(served, later)
    for row in later[G]:
        row |= {"extra": "1.5"}
    assert not np.array_equal(assert_same(served, later)[0].score, scores.score)
