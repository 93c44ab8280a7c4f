import io
import json

import joblib
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression

from federatedml import linear_export, lr_model
from federatedml.errors import BadModel
from federatedml.lr_model import LRMeta, LRModel
from federatedml.maths import glm

NAMES = ["age", "income", "height"]


def model(rng, classes, names=NAMES, *, is_host=False):
    """A party's stored model; a host has no intercept."""
    n = 1 if len(classes) == 2 else len(classes)
    parts = [
        lr_model.single(names, rng.normal(size=len(names) + 1), has_intercept=True, iters=3)
        for _ in range(n)
    ]
    if is_host:
        for part in parts:
            part.intercept = 0.0
    return LRModel(meta=LRMeta(need_one_vs_rest=n > 1), param=lr_model.as_param(parts, classes))


def score_of(stored, x):
    w = np.array([lr_model.weights(part, has_intercept=False) for part in stored.parts])
    return x @ w.T + np.array([part.intercept for part in stored.parts])


@pytest.mark.parametrize("classes", [[0, 1], [1, 2], ["bad", "good"]])
def test_two_classes_become_a_logistic_regression_with_our_probabilities(classes):
    rng = np.random.default_rng(0)
    stored, x = model(rng, classes), rng.normal(size=(50, 3))
    made = linear_export.estimator(linear_export.whole(stored))
    assert type(made) is LogisticRegression
    assert made.classes_.tolist() == classes
    rows = pd.DataFrame(x, columns=NAMES)
    chance = glm.sigmoid(score_of(stored, x))[:, 0]
    np.testing.assert_allclose(made.predict_proba(rows)[:, 1], chance, rtol=0, atol=1e-12)
    assert (made.predict(rows) == np.array(classes)[(chance > 0.5).astype(int)]).all()


@pytest.mark.parametrize("classes", [[0, 1, 2], ["a", "b", "c", "d"]])
def test_several_classes_become_one_against_the_rest(classes):
    rng = np.random.default_rng(1)
    stored, x = model(rng, classes), rng.normal(size=(50, 3))
    made = linear_export.estimator(linear_export.whole(stored))
    rows = pd.DataFrame(x, columns=NAMES)
    chance = glm.sigmoid(score_of(stored, x))
    each = np.column_stack([one.predict_proba(rows)[:, 1] for one in made.estimators_])
    np.testing.assert_allclose(each, chance, rtol=0, atol=1e-12)
    shared = chance / chance.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.predict_proba(rows), shared, rtol=0, atol=1e-12)
    assert (made.predict(rows) == np.array(classes)[chance.argmax(axis=1)]).all()


def test_an_estimator_survives_joblib():
    rng = np.random.default_rng(2)
    made = linear_export.estimator(linear_export.whole(model(rng, [0, 1, 2])))
    buffer = io.BytesIO()
    joblib.dump(made, buffer)
    rows = pd.DataFrame(rng.normal(size=(9, 3)), columns=NAMES)
    again = joblib.load(io.BytesIO(buffer.getvalue()))
    assert np.array_equal(again.predict_proba(rows), made.predict_proba(rows))


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2]])
def test_parts_of_guest_and_hosts_add_up(classes):
    rng = np.random.default_rng(3)
    guest = model(rng, classes, ["age", "x"])
    hosts = {
        "10000": model(rng, classes, ["age", "z"], is_host=True),
        "10001": model(rng, classes, ["q"], is_host=True),
    }
    x = rng.normal(size=(30, 5))
    columns = {"": [0, 1], "10000": [2, 3], "10001": [4]}
    total = sum(score_of(part, x[:, columns[p]]) for p, part in [("", guest), *hosts.items()])
    found = linear_export.merged(guest, hosts, rename=None, include_guest=True)
    assert found.names == ["age", "x", "host_10000_age", "z", "q"]
    np.testing.assert_allclose(x @ found.coef.T + found.intercept, total, rtol=0, atol=1e-12)
    alone = linear_export.merged(guest, hosts, rename=None, include_guest=False)
    assert alone.names == ["age", "z", "q"]
    assert np.array_equal(alone.coef, found.coef[:, 2:])
    assert np.array_equal(alone.intercept, found.intercept)


@pytest.mark.parametrize("classes", [[0, 1], ["a", "b", "c"]])
def test_the_json_holds_what_the_estimator_does(classes):
    linear = linear_export.whole(model(np.random.default_rng(4), classes))
    shown = json.loads(linear_export.as_json(linear))
    made = linear_export.estimator(linear)
    assert shown["class"].rpartition(".")[2] == type(made).__name__
    assert shown["classes_"] == made.classes_.tolist()
    listed = shown.get("estimators_", [shown])
    for one, told in zip(getattr(made, "estimators_", [made]), listed, strict=True):
        assert told["coef_"] == one.coef_.tolist()
        assert told["intercept_"] == one.intercept_.tolist()
        assert told["feature_names_in_"] == NAMES


def test_weights_that_nobody_may_read_are_refused():
    guest = model(np.random.default_rng(5), [0, 1])
    host = model(np.random.default_rng(6), [0, 1], ["z"])
    host.param.encrypted_weight = {"z": {"cipherText": "1"}}
    with pytest.raises(BadModel, match="the part of host 10000 has shared weights"):
        linear_export.merged(guest, {"10000": host}, rename=None, include_guest=True)
    host.param.encrypted_weight, host.param.weight = {}, {}
    with pytest.raises(BadModel, match="the part of host 10000 has no weights"):
        linear_export.merged(guest, {"10000": host}, rename=None, include_guest=True)
    several = model(np.random.default_rng(7), [0, 1, 2], ["z"])
    with pytest.raises(BadModel, match="has 3 binary models, the guest's 1"):
        linear_export.merged(guest, {"10000": several}, rename=None, include_guest=True)
