"""LocalBaseline: what it fits and stores is what scikit-learn and LightGBM would say of rows."""

import importlib
import subprocess
import sys
import warnings

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from local_samples import SMALL, N, data, done, fitted, frame, labels, params
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.multiclass import OneVsRestClassifier

from federatedml import archive
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.evaluation import EvaluateParam, Evaluation
from federatedml.errors import BadData, BadModel
from federatedml.local_options import ESTIMATORS
from federatedml.params import parse
from federatedml.runner import run
from federation import GUEST, HOST, Party

CLASSIFIERS = [name for name, one in ESTIMATORS.items() if one.is_classifier]
REGRESSORS = [name for name, one in ESTIMATORS.items() if not one.is_classifier]


def own(name, y, x=None, weight=None, opts=None):
    """The library's estimator with the same options, fitted on the same rows."""
    one = ESTIMATORS[name]
    opts = SMALL.get(name, {}) if opts is None else opts
    quiet = {"verbosity": -1} if one.family == "lightgbm" else {}
    model = getattr(importlib.import_module(one.module), name)(**opts, **quiet)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        weights = {} if weight is None else {"sample_weight": weight}
        return model.fit(data()[0] if x is None else x, y, **weights)


def chances(model, x=None):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return model.predict_proba(data()[0] if x is None else x)


# Stored and restored, without pickle.


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_a_restored_classifier_says_what_the_fitted_one_says(name, n_classes):
    y = labels(n_classes)
    _, said, _ = fitted(name, y)
    expected = chances(own(name, y))
    np.testing.assert_allclose(said.detail, expected, rtol=1e-9, atol=1e-12)
    assert said.classes == list(range(n_classes))


@pytest.mark.parametrize("name", REGRESSORS)
def test_a_restored_regressor_says_what_the_fitted_one_says(name):
    y = labels(0)
    model, said, told = fitted(name, y)
    expected = own(name, y).predict(data()[0])
    np.testing.assert_allclose(said.score, expected, rtol=1e-9, atol=1e-12)
    assert said.classes == ["label"]
    assert model.name == name
    assert told.get("coef") or told["model_name"] == name


@pytest.mark.parametrize("name", [n for n in ESTIMATORS if not n.startswith("MLP")])
def test_weights_of_rows_count(name):
    weight = np.linspace(0.1, 4.0, N)
    is_classifier = ESTIMATORS[name].is_classifier
    y = labels(2 if is_classifier else 0)
    _, said, _ = fitted(name, y, weight=weight)
    model = own(name, y, weight=weight)
    expected = chances(model)[:, 1] if is_classifier else model.predict(data()[0])
    np.testing.assert_allclose(said.score, expected, rtol=1e-9, atol=1e-12)
    _, plain, _ = fitted(name, y)
    assert not np.allclose(plain.score, said.score)


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_sparse_rows_are_learnt_and_predicted_as_dense_ones(name):
    x = np.where(np.abs(data()[0]) > 0.7, data()[0], 0.0)
    y = labels(2 if ESTIMATORS[name].is_classifier else 0)
    _, said, _ = fitted(name, y, x=sparse.csr_matrix(x))
    _, dense, _ = fitted(name, y, x=x)
    np.testing.assert_allclose(said.score, dense.score, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("pack", [np.asarray, sparse.csr_matrix])
@pytest.mark.parametrize("name", [n for n, one in ESTIMATORS.items() if one.takes_missing])
def test_missing_values_are_learnt_where_the_estimator_can(name, pack):
    x, _ = data()
    x[::7, 1] = np.nan
    y = labels(2 if ESTIMATORS[name].is_classifier else 0)
    _, said, _ = fitted(name, y, x=pack(x))
    model = own(name, y, x=x)
    expected = chances(model, x)[:, 1] if ESTIMATORS[name].is_classifier else model.predict(x)
    np.testing.assert_allclose(said.score, expected, rtol=1e-9, atol=1e-12)


def test_trees_compare_in_the_precision_that_they_were_grown_in():
    """The question is "at most 1 + step"; a row of 1 + 1.3 steps is that once it is rounded."""
    step, y = np.float64(np.finfo(np.float32).eps), labels(2)
    x = 1 + 2 * step * y[:, None]
    outputs, _ = done(params("DecisionTreeClassifier"), {"train_data": frame(x, y)})
    between = np.array([[1 + 1.3 * step]])
    said, _ = done(params(), {"test_data": frame(between)}, model=outputs.model)
    assert own("DecisionTreeClassifier", y, x=x).predict(between) == [0]
    assert said.data[0].result.tolist() == [0]


@pytest.mark.parametrize(
    ("name", "opts"),
    [
        ("LogisticRegression", {"fit_intercept": False, "solver": "liblinear", "penalty": "l2"}),
        ("LogisticRegression", {"C": 0.1, "class_weight": "balanced"}),
        ("GaussianNB", {"priors": [0.9, 0.1], "var_smoothing": 0.1}),
        ("GradientBoostingClassifier", {"n_estimators": 5, "loss": "exponential",
                                        "random_state": 0, "subsample": 0.5}),
        ("LGBMClassifier", {"n_estimators": 5, "class_weight": "balanced", "num_leaves": 5}),
        ("RandomForestClassifier", {"n_estimators": 3, "random_state": 1, "criterion": "entropy",
                                    "class_weight": "balanced_subsample", "max_samples": 0.5}),
        ("MLPClassifier", {"activation": "logistic", "solver": "lbfgs", "max_iter": 3,
                           "hidden_layer_sizes": [3], "random_state": 0}),
    ],
)  # fmt: skip
def test_options_reach_the_estimator(name, opts):
    _, said, _ = fitted(name, labels(2), opts=opts)
    expected = chances(own(name, labels(2), opts=opts))[:, 1]
    np.testing.assert_allclose(said.score, expected, rtol=1e-9, atol=1e-12)


def test_weights_of_classes_are_given_by_label():
    y = labels(2)
    given = {"class_weight": {"1": 5.0, "0": 1.0}}
    _, said, _ = fitted("LogisticRegression", y, opts=given)
    twin = chances(own("LogisticRegression", y, weight=np.where(y == 1, 5.0, 1.0)))[:, 1]
    np.testing.assert_allclose(said.score, twin, rtol=1e-9)
    with pytest.raises(BadData, match="class_weight names a class that no row has"):
        fitted("LogisticRegression", y, opts={"class_weight": {"yes": 2.0}})


@pytest.mark.parametrize("penalty", ["l1", "l2", "elasticnet", None, "none"])
def test_penalties_are_named_as_fate_names_them(penalty):
    opts = {"penalty": penalty, "solver": "saga", "C": 0.5, "max_iter": 3000, "tol": 1e-10}
    opts |= {"l1_ratio": 0.4} if penalty == "elasticnet" else {}
    model, _, _ = fitted("LogisticRegression", labels(2), opts={**opts, "random_state": 0})
    w, b = np.array([*model.param.weight.values()]), model.param.intercept
    norm = penalty or "none"
    assert model.meta.penalty == norm
    x, sign = data()[0], np.where(labels(2) == 1, 1.0, -1.0)
    slope = -0.5 * (x.T @ (sign / (1 + np.exp(sign * (x @ w + b)))))
    share = {"l1": 1.0, "l2": 0.0, "elasticnet": 0.4}.get(norm)
    if share is None:
        np.testing.assert_allclose(slope, 0, atol=1e-4)
    else:
        live = w != 0
        rest = slope + (1 - share) * w
        np.testing.assert_allclose(rest[live], -share * np.sign(w[live]), atol=1e-4)
        assert (np.abs(rest[~live]) <= share + 1e-4).all()


# Several classes, and labels of any kind.


def test_several_classes_are_one_model_each_where_ovr_is_asked_for():
    y, opts = labels(3), {"multi_class": "ovr", "max_iter": 200, "solver": "lbfgs"}
    model, said, told = fitted("LogisticRegression", y, opts=opts)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        twin = OneVsRestClassifier(LogisticRegression(max_iter=200)).fit(data()[0], y)
    np.testing.assert_allclose(said.detail, twin.predict_proba(data()[0]), rtol=1e-9)
    result = model.param.one_vs_rest_result
    assert result.one_vs_rest_classes == ["0", "1", "2"]
    assert [*told] == ["0", "1", "2", "one_vs_rest"]
    assert told["1"]["coef"] == result.completed_models[1].weight
    weighted, _, _ = fitted("LogisticRegression", y, opts={**opts, "class_weight": {"0": 2.0}})
    by_rows, _, _ = fitted("LogisticRegression", y, opts=opts, weight=np.where(y == 0, 2.0, 1.0))
    assert weighted.param == by_rows.param


def test_labels_may_be_words():
    words = pa.array([["ok", "late", "lost"][c] for c in labels(3)])
    for opts in ({}, {"multi_class": "ovr"}):
        model, said, told = fitted("LogisticRegression", words, opts=opts)
        assert said.classes == ["late", "lost", "ok"]
        assert model.param.one_vs_rest_result.one_vs_rest_classes == said.classes
        assert set(told) == {*said.classes, "one_vs_rest"}
    two = pa.array([["no", "yes"][c] for c in labels(2)])
    _, said, _ = fitted("GaussianNB", two)
    assert set(said.result.to_pylist()) == {"no", "yes"}


def test_a_row_is_of_the_second_class_above_the_threshold():
    y = labels(2)
    p = params(predict_param={"threshold": 0.9})
    outputs, _ = done(p, {"train_data": frame(data()[0], y)})
    said = outputs.data[0]
    assert said.result.tolist() == (said.score > 0.9).astype(int).tolist()
    assert outputs.model.meta.predict_param.threshold == 0.9


# FATE's shapes.


def test_a_binary_logistic_regression_has_the_shape_that_fate_shows():
    opts = {"penalty": "l2", "tol": 1e-4, "C": 1.0, "fit_intercept": True, "solver": "saga",
            "max_iter": 2}  # fmt: skip
    model, _, told = fitted("LogisticRegression", labels(2), opts=opts)
    shown = msgspec.to_builtins(model)
    assert shown["meta"] == {
        "alpha": 0.0, "batchSize": "0", "earlyStop": "", "fitIntercept": True,
        "learningRate": 0.0, "maxIter": "2", "module": "", "needOneVsRest": False,
        "optimizer": "saga", "partyWeight": 0.0, "penalty": "l2",
        "predictParam": {"threshold": 0.5}, "reEncryptBatches": "0", "revealStrategy": "",
        "tol": 0.0001,
    }  # fmt: skip
    assert set(shown["param"]) == {
        "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
        "lossHistory", "needOneVsRest", "weight",
    }  # fmt: skip
    assert (shown["param"]["isConverged"], shown["param"]["iters"]) == (False, 2)
    assert set(told) == {"coef", "intercept", "is_converged", "iters", "one_vs_rest"}
    assert (model.meta_name, model.param_name) == ("LocalBaselineMeta", "LocalBaselineParam")


def test_one_vs_rest_has_the_shape_that_fate_shows():
    opts = {"multi_class": "ovr", "max_iter": 5}
    model, _, _ = fitted("LogisticRegression", labels(4), opts=opts)
    shown = msgspec.to_builtins(model)["param"]
    assert set(shown) == {
        "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
        "lossHistory", "needOneVsRest", "oneVsRestResult", "weight",
    }  # fmt: skip
    assert (shown["bestIteration"], shown["iters"], shown["weight"]) == (0, 0, {})
    assert shown["header"] == ["x0", "x1", "x2", "x3"]
    part = shown["oneVsRestResult"]["completedModels"][3]
    assert (part["bestIteration"], len(part["weight"])) == (-1, 4)


def test_the_model_can_be_archived_and_loaded(tmp_path):
    for name in ("RandomForestClassifier", "LGBMClassifier"):
        outputs, _ = done(params(name, SMALL[name]), {"train_data": frame(data()[0], labels(2))})
        archive.save(tmp_path / name / "model.json", "LocalBaseline", outputs.model)
        again = archive.load(tmp_path / name / "model.json")
        said, _ = done(params(name), {"test_data": frame(data()[0])}, model=again)
        assert said.data[0].score.tolist() == outputs.data[0].score.tolist()


# In a job.


def test_train_and_validate_rows_are_predicted_and_evaluated():
    kinds = {
        "train_data": frame(data()[0], labels(2)),
        "validate_data": frame(data()[0], labels(2)),
    }
    outputs, _ = done(params(), kinds)
    said = outputs.data[0]
    assert set(said.stage.to_pylist()) == {"train", "validate"}
    ctx = Ctx(Party(GUEST, "1"), [Party(GUEST, "1")], None)
    evaluation = Evaluation(parse(EvaluateParam, {}, "Evaluation#evaluation_0"))
    run(evaluation, ctx, Inputs({"data": [NamedData("local_baseline_0", "data", said)]}))
    assert ctx.report.told["local_baseline_0"]["validate"]["auc"] > 0.9


def test_a_host_with_labels_can_have_one_too():
    outputs, _ = done(params(), {"train_data": frame(data()[0], labels(2))}, HOST)
    assert outputs.data[0].n_rows == N


def test_where_it_need_not_run_the_data_pass_and_evaluation_says_what_is_missing():
    outputs, _ = done(params(need_run=False), {"train_data": frame(data()[0], labels(2))})
    assert outputs.model is None
    ctx = Ctx(Party(GUEST, "1"), [Party(GUEST, "1")], None)
    evaluation = Evaluation(parse(EvaluateParam, {}, "Evaluation#evaluation_0"))
    named = [NamedData("local_baseline_0", "data", outputs.data[0])]
    with pytest.raises(BadData, match=r"local_baseline_0\.data holds no predictions"):
        run(evaluation, ctx, Inputs({"data": named}))


def test_columns_are_found_by_their_names():
    x, y = data()[0], labels(2)
    outputs, _ = done(params(), {"train_data": frame(x, y)})
    turned = frame(x[:, ::-1], header=["x3", "x2", "x1", "x0"])
    said, _ = done(params(), {"test_data": turned}, model=outputs.model)
    np.testing.assert_allclose(said.data[0].score, outputs.data[0].score, rtol=1e-12)
    with pytest.raises(BadModel, match="lacks 1 of the model's 4 columns"):
        done(params(), {"test_data": frame(x[:, :3])}, model=outputs.model)


def test_no_rows_are_predicted_as_none():
    for name in ("LogisticRegression", "GaussianNB", "LGBMClassifier"):
        outputs, _ = done(params(name), {"train_data": frame(data()[0], labels(3))})
        said, _ = done(params(name), {"test_data": frame(np.empty((0, 4)))}, model=outputs.model)
        assert said.data[0].n_rows == 0


def test_rows_mapped_from_a_file_are_learnt():
    x, _ = data()
    x.flags.writeable = False
    y = labels(2)
    y.flags.writeable = False
    for name in ("LogisticRegression", "RandomForestClassifier", "LGBMClassifier"):
        assert fitted(name, y, x=x)[1].n_rows == N
    assert fitted("Lasso", data()[1], x=x)[1].n_rows == N


def test_other_tasks_do_not_load_the_libraries():
    code = (
        "import sys; from federatedml.catalog import find; "
        "from federatedml.params import parse; P = find('LocalBaseline').Params; "
        "parse(P, {'model_name': 'LGBMClassifier', 'model_opts': {'num_leaves': 3}}, 'x'); "
        "print(sorted({'sklearn', 'lightgbm'} & set(sys.modules)))"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.strip() == "[]"
