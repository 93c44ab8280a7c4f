"""LocalBaseline: options are a closed list, and what cannot be learnt is refused in words."""

import importlib
import inspect

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from local_samples import N, data, done, fitted, frame, labels, params

from federatedml.components.local_baseline import LocalBaselineParam
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.local_options import ESTIMATORS
from federatedml.params import parse


@pytest.mark.parametrize(
    ("name", "opts", "said"),
    [
        ("LogisticRegression", {"c": 1.0}, "no option c; allowed: C, class_weight, dual"),
        ("LogisticRegression", {"C": -1.0}, r"model_opts of LogisticRegression, `\$\.C`"),
        ("LogisticRegression", {"C": "1"}, "expected `float`"),
        ("LogisticRegression", {"solver": "newton"}, "allowed: lbfgs, liblinear"),
        ("LogisticRegression", {"penalty": "l1"}, "solver lbfgs has no penalty l1; allowed: l2"),
        ("LogisticRegression", {"penalty": "elasticnet", "solver": "saga"}, "needs l1_ratio"),
        ("LogisticRegression", {"dual": True}, "dual needs solver liblinear"),
        ("LogisticRegression", {"warm_start": True}, "no option warm_start"),
        ("LGBMRegressor", {"objective": "my_loss"}, "objective"),
        ("LGBMClassifier", {"verbosity": 1, "device": "gpu"}, "no option device, verbosity"),
        ("RandomForestClassifier", {"n_estimators": 0}, "n_estimators"),
        ("SVC", {}, "allowed: LogisticRegression, LinearRegression, Ridge"),
        ("os.system", {}, "allowed: LogisticRegression"),
    ],
)
def test_options_are_refused_when_a_job_is_submitted(name, opts, said):
    with pytest.raises(BadParameters, match=said):
        params(name, opts)


def test_names_and_options_may_be_in_any_case_and_null():
    assert params("logisticregression", {"solver": "LBFGS"}).options.solver == "lbfgs"
    assert parse(LocalBaselineParam, {"model_opts": None}, "x").options.C == 1.0


@pytest.mark.parametrize("name", list(ESTIMATORS))
def test_every_option_is_one_of_the_librarys_with_its_default(name):
    one = ESTIMATORS[name]
    known = inspect.signature(getattr(importlib.import_module(one.module), name).__init__)
    ours = {f.name: getattr(one.options(), f.name) for f in msgspec.structs.fields(one.options)}
    for renamed in ("penalty", "multi_class", "l1_ratio") if name == "LogisticRegression" else ():
        ours.pop(renamed)
    theirs = {option: known.parameters[option].default for option in ours}
    if "hidden_layer_sizes" in theirs:
        theirs["hidden_layer_sizes"] = list(theirs["hidden_layer_sizes"])
    assert ours == theirs


def test_no_more_jobs_are_started_than_the_task_has_cores(monkeypatch):
    from sklearn.ensemble import RandomForestClassifier

    seen = []
    fit = RandomForestClassifier.fit
    monkeypatch.setattr(
        RandomForestClassifier,
        "fit",
        lambda m, *a, **k: (seen.append(m.n_jobs), fit(m, *a, **k))[1],
    )
    for wanted in (None, -1, 64, 1):
        fitted("RandomForestClassifier", labels(2), opts={"n_estimators": 2, "n_jobs": wanted})
    assert seen == [1, 1, 1, 1]


@pytest.mark.parametrize(
    ("name", "label", "said"),
    [
        ("LogisticRegression", None, "no label; set with_label upstream, or need_run to false"),
        ("LogisticRegression", np.ones(N, int), "same label"),
        ("LogisticRegression", np.where(np.arange(N) == 3, np.nan, 1.0), "no label"),
        ("Ridge", np.full(N, np.inf), "no finite label"),
        ("Ridge", pa.array(["a", "b", "c"] * 30), "labels are text; Ridge needs numbers"),
        ("PoissonRegressor", np.linspace(-1, 1, N), "must be 0 or more"),
        ("PoissonRegressor", np.zeros(N), "not all 0"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(name, label, said):
    with pytest.raises(BadData, match=f"local_baseline_0: .*{said}"):
        done(params(name), {"train_data": frame(data()[0], label)})


def test_gamma_needs_labels_above_zero():
    with pytest.raises(BadData, match="above 0"):
        fitted("LGBMRegressor", np.linspace(0, 1, N), opts={"objective": "gamma"})


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda x: np.where(x > 1, np.nan, x), "cannot take missing values; fill them .*LGBM"),
        (lambda x: x * 1e31, "beyond 1e30"),
        (lambda x: x[:, :0], "no features"),
        (lambda x: x[:0], "no rows"),
    ],
)
def test_features_that_cannot_be_learnt_are_refused(change, said):
    x = change(data()[0])
    with pytest.raises(BadData, match=said):
        done(params(), {"train_data": frame(x, labels(2)[: len(x)])})


def test_texts_and_impossible_weights_are_refused():
    texts = pa.table({"x0": pa.array(["a"] * N)})
    with pytest.raises(BadData, match="text features"):
        done(params(), {"train_data": frame(data()[0], labels(2), texts=texts)})
    with pytest.raises(BadData, match="weight"):
        fitted("LogisticRegression", labels(2), weight=np.full(N, -1.0))


def test_options_that_the_library_refuses_are_explained_in_its_words():
    """Its words about made-up rows: about the user's they could quote a label."""
    with pytest.raises(BadData, match=r"GaussianNB refuses its options: .*priors"):
        fitted("GaussianNB", labels(2), opts={"priors": [0.2, 0.3, 0.5]})


def test_what_the_library_says_of_the_users_rows_is_not_repeated(monkeypatch):
    from sklearn.linear_model import Ridge

    fit = Ridge.fit

    def picky(model, x, y, **more):
        if len(y) == N:
            raise ValueError(f"cannot bear the label {y[0]}")
        return fit(model, x, y, **more)

    monkeypatch.setattr(Ridge, "fit", picky)
    with pytest.raises(BadData, match=r"Ridge cannot be fitted to these rows$") as caught:
        fitted("Ridge", labels(0))
    assert caught.value.__cause__ is caught.value.__context__ is None


def test_a_model_is_no_start_for_another():
    rows = frame(data()[0], labels(2))
    outputs, _ = done(params(), {"train_data": rows})
    with pytest.raises(BadModel, match="training starts anew"):
        done(params(), {"train_data": rows}, model=outputs.model)


def test_a_damaged_lightgbm_text_is_refused():
    outputs, _ = done(params("LGBMClassifier"), {"train_data": frame(data()[0], labels(2))})
    outputs.model.param.fitted.text = "tree\nversion=v4\n"
    with pytest.raises(BadModel, match="damaged"):
        done(params(), {"test_data": frame(data()[0])}, model=outputs.model)
