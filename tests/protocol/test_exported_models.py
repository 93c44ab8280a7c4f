"""Models of whole trainings, as other libraries predict with them."""

import lightgbm
import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from federatedml import linear_export
from federatedml.boosting_export import merged, whole
from federatedml.component import Ctx
from federatedml.components.hetero_lr import HeteroLR
from federatedml.components.hetero_secureboost import HeteroSecureBoost
from federatedml.components.homo_lr import HomoLR
from federatedml.components.homo_secureboost import HomoSecureBoost
from federatedml.data.frame import Frame, FrameSchema
from federatedml.lightgbm_text import model_text
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP = Party(GUEST, "9999"), Party(HOST, "10000"), Party(HOST, "10001")
JUDGE = Party(ARBITER, "10000")
N, K = 80, 6
COLUMNS = {G: [0, 1], BANK: [2, 3, 4], SHOP: [5]}
ROWS = {G: slice(0, 45), BANK: slice(45, N)}
BOOST = {"num_trees": 3, "bin_num": 8, "tol": 0, "tree_param": {"use_missing": True}}
REGRESSION = {"task_type": "regression"}
CASES = {
    "two classes": (2, {}),
    "three classes": (3, {"num_trees": 2}),
    "vector leaves": (3, {"num_trees": 2, "multi_mode": "multi_output"}),
    "squares": (0, {**REGRESSION, "objective_param": {"objective": "lse"}}),
    "tweedie": (0, {**REGRESSION, "objective_param": {"objective": "tweedie", "params": [1.5]}}),
    "zeros are missing": (2, {"tree_param": {"use_missing": True, "zero_as_missing": True}}),
}


def data(n_classes, *, holes=True):
    """(n, k) features with zeros and missing values, and labels."""
    rng = np.random.default_rng(5)
    x = rng.normal(size=(N, K)).round(2)
    x[:, 3] = rng.integers(0, 3, N)
    score = x @ rng.normal(size=K) + 0.3 * rng.normal(size=N)
    if holes:
        x[rng.random(x.shape) < 0.15] = np.nan
    if not n_classes:
        return x, np.exp(0.3 * score)
    return x, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def frame(x, columns, label=None):
    return Frame(
        pa.array([f"id{i}" for i in range(len(x))]),
        np.ascontiguousarray(x),
        FrameSchema(header=[f"x{i}" for i in columns], label_name=None if label is None else "y"),
        label=label,
    )


def trained(component, given, frames, *, arbiter=False):
    """Each party's model, and its prediction of its training rows."""
    params = parse(component.Params, given, component.module)

    def play(ctx):
        trainer, train = component(params), frames.get(ctx.me)
        fit, predict = (trainer.stage(stage, ctx.role) for stage in ("fit", "predict"))
        model = fit(ctx, train, None, None)
        return model, predict(ctx, model, train) if predict else None

    parties = (*frames, JUDGE) if arbiter else tuple(frames)
    results, _ = run(dict.fromkeys(parties, play), Ctx)
    return results


def assert_lightgbm_says(ensemble, x, said, n_classes):
    booster = lightgbm.Booster(model_str=model_text(ensemble))
    found = booster.predict(x)
    expected = said.score if n_classes <= 2 else said.detail
    np.testing.assert_allclose(found, np.asarray(expected), rtol=1e-9, atol=1e-12)
    assert len(np.unique(found)) > 3


@pytest.mark.parametrize("case", CASES)
def test_a_horizontal_boosting_predicts_the_same_in_lightgbm(case):
    n_classes, given = CASES[case]
    x, y = data(n_classes)
    frames = {me: frame(x[at], range(K), y[at]) for me, at in ROWS.items()}
    results = trained(HomoSecureBoost, {**BOOST, **given}, frames, arbiter=True)
    for me, at in ROWS.items():
        model, said = results[me]
        assert_lightgbm_says(whole(model), x[at], said, n_classes)


@pytest.mark.parametrize(
    ("case", "strategy"), [*((case, "std") for case in CASES), ("three classes", "mix")]
)
def test_a_merged_vertical_boosting_predicts_the_same_in_lightgbm(case, strategy):
    n_classes, given = CASES[case]
    x, y = data(n_classes)
    frames = {
        me: frame(x[:, columns], columns, y if me == G else None) for me, columns in COLUMNS.items()
    }
    keys = {"encrypt_param": {"method": "Paillier", "key_length": 512}}
    more = {"num_trees": 3, "boosting_strategy": strategy, **keys}
    results = trained(HeteroSecureBoost, {**BOOST, **given, **more}, frames)
    guest, said = results[G]
    hosts = {me.party_id: results[me][0] for me in (BANK, SHOP)}
    ensemble = merged(guest, hosts, rename=None)
    assert list(ensemble.names) == [f"x{i}" for i in range(K)]
    asked = {i for tree in ensemble.trees for i in tree.feature.tolist()}
    assert asked & {0, 1}
    assert asked & {2, 3, 4}
    assert_lightgbm_says(ensemble, x, said, n_classes)


LR = {"max_iter": 3, "learning_rate": 0.2, "alpha": 0.01}


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_horizontal_regression_predicts_the_same_in_scikit_learn(n_classes):
    x, y = data(n_classes, holes=False)
    frames = {me: frame(x[at], range(K), y[at]) for me, at in ROWS.items()}
    model, said = trained(HomoLR, {**LR, "optimizer": "sgd"}, frames, arbiter=True)[G]
    assert_estimator_says(linear_export.whole(model), x[ROWS[G]], said, 1e-12)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_merged_vertical_regression_predicts_the_same_in_scikit_learn(n_classes):
    x, y = data(n_classes, holes=False)
    frames = {
        me: frame(x[:, columns], columns, y if me == G else None) for me, columns in COLUMNS.items()
    }
    keys = {"encrypt_param": {"method": "Paillier", "key_length": 512}}
    results = trained(HeteroLR, {**LR, **keys}, frames, arbiter=True)
    guest, said = results[G]
    hosts = {me.party_id: results[me][0] for me in (BANK, SHOP)}
    linear = linear_export.merged(guest, hosts, rename=None, include_guest=True)
    assert_estimator_says(linear, x, said, 1e-10)  # hosts add up their scores in fixed point


def assert_estimator_says(linear, x, said, tolerance):
    made = linear_export.estimator(linear)
    rows = pd.DataFrame(x, columns=linear.names)
    detail = said.detail / said.detail.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(made.predict_proba(rows), detail, rtol=0, atol=tolerance)
    assert (made.predict(rows) == said.result).all()
