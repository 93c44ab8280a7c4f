"""HomoSecureBoost: models as FATE shows them, warm starts, validation, and data that is refused."""

import json

import lightgbm
import msgspec
import numpy as np
import pyarrow as pa
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score

from federatedml import archive, boosting_export, runner
from federatedml.boosting_params import HomoBoostingParams
from federatedml.catalog import find
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.homo_secureboost import HomoSecureBoost
from federatedml.errors import BadData, BadModel, BadParameters
from federation.transport.inproc import run
from tests.protocol.homo_boosting_parties import (
    BANK,
    CLIENTS,
    JUDGE,
    PARTS,
    G,
    N,
    data,
    frame,
    params,
    split,
    trained,
)

TWO, THREE = CLIENTS[1], CLIENTS[2]
REGRESSION = {"task_type": "regression", "objective_param": {"objective": "lse"}}


# Labels.


def test_labels_may_be_words_and_a_party_may_lack_one():
    x, y = data(3)
    words = pa.array([["apple", "berry", "cedar"][c] for c in y])
    at = PARTS[1]
    order = np.argsort(y, kind="stable")
    rows = {
        c: frame(x[order][a:b], words.take(pa.array(order[a:b])))
        for c, a, b in zip(TWO, at, at[1:], strict=False)
    }
    assert "cedar" not in rows[G].label.to_pylist()
    results, _ = trained(params(num_trees=1), rows)
    numbers, _ = trained(
        params(num_trees=1),
        {
            c: frame(f.x, y[order][a:b])
            for (c, f), a, b in zip(rows.items(), at, at[1:], strict=False)
        },
    )
    for c in TWO:
        assert results[c][1].classes == ["apple", "berry", "cedar"]
        np.testing.assert_array_equal(results[c][1].detail, numbers[c][1].detail)
    assert set(results[G][1].result.to_pylist()) <= {"apple", "berry", "cedar"}


def test_labels_need_not_begin_at_zero():
    x, y = data()
    results, _ = trained(params(), split(1, x, 2 * y - 1))
    other, _ = trained(params(), split(1, x, y))
    assert results[G][0].param.classes == ["-1", "1"]
    assert set(results[BANK][1].result.tolist()) == {-1, 1}
    np.testing.assert_array_equal(results[BANK][1].score, other[BANK][1].score)


def test_the_threshold_is_used_at_every_client():
    results, _ = trained(params(predict_param={"threshold": 0.7}), split(1, *data()))
    for c in TWO:
        said = results[c][1]
        np.testing.assert_array_equal(said.result, (said.score > 0.7).astype(int))
        assert 0 < said.result.sum() < (said.score > 0.5).sum()


# The model.


def test_the_model_is_fates():
    results, _ = trained(params(), split(1, *data()))
    for c in TWO:
        model = results[c][0]
        shown = json.loads(msgspec.json.encode(model))
        assert (model.meta_name, model.param_name) == (
            "HomoSecureBoostingTreeGuestMeta",
            "HomoSecureBoostingTreeGuestParam",
        )
        meta, param = shown["meta"], shown["param"]
        assert (meta["module"], meta["boostingStrategy"]) == ("HomoSecureBoost", "")
        assert meta["quantileMeta"] == {"binNum": 8, "quantileMethod": ""}
        assert (param["modelName"], param["treeNum"], param["treeDim"]) == ("homo_sbt", 3, 1)
        assert (param["classes"], param["numClasses"]) == (["0", "1"], 2)
        assert (param["initScore"], param["losses"], param["bestIteration"]) == ([0.0], [], -1)
        assert param["featureNameFidMapping"]["0"] == "x0"
        tree = param["trees"][0]
        assert (tree["splitMaskdict"], tree["missingDirMaskdict"]) == ({}, {})
        root = tree["tree"][0]
        assert root.keys() == {
            "id", "sitename", "fid", "bid", "weight", "isLeaf", "leftNodeid", "rightNodeid",
            "missingDir", "moWeight",
        }  # fmt: skip
        assert (root["sitename"], root["leftNodeid"]) == (c.role.value, 1)
        leaves = {str(node["id"]) for node in tree["tree"] if node["isLeaf"]}
        assert tree["leafCount"].keys() == leaves


def test_leaves_count_the_partys_own_rows():
    results, _ = trained(params(), split(1, *data()))
    at = PARTS[1]
    for c, a, b in zip(TWO, at, at[1:], strict=False):
        for tree in results[c][0].param.trees:
            assert sum(tree.leaf_count.values()) == b - a


@pytest.mark.parametrize("kind", ["split", "gain"])
def test_importances_count_splits_and_gain_at_every_client(kind):
    p = params(tree_param={"feature_importance_type": kind})
    results, _ = trained(p, split(1, *data()))
    param = results[G][0].param
    asked = [node.fid for tree in param.trees for node in tree.tree if not node.is_leaf]
    for one in param.feature_importances:
        splits, gain = one.importance, one.importance2
        splits, gain = (gain, splits) if kind == "gain" else (splits, gain)
        assert splits == asked.count(one.fid)
        assert gain > 0
        assert (one.main, one.sitename, one.fullname) == (kind, "guest", f"x{one.fid}")
    assert {one.fid for one in param.feature_importances} == set(asked)
    weighed = [one.importance for one in param.feature_importances]
    assert weighed == sorted(weighed, reverse=True)
    shown = results[BANK][2].told["feature_importance"]
    assert list(shown) == [one.fullname for one in param.feature_importances]


def test_every_client_has_the_same_trees():
    results, _ = trained(params(), split(2, *data()))
    anonymous = [
        [
            [msgspec.structs.replace(node, sitename="") for node in tree.tree]
            for tree in results[c][0].param.trees
        ]
        for c in THREE
    ]
    assert anonymous[0] == anonymous[1] == anonymous[2]
    assert results[JUDGE][0] is None


@pytest.mark.parametrize("given", [{}, {"multi_mode": "multi_output"}], ids=["single", "vector"])
def test_a_stored_model_says_the_same(tmp_path, given):
    x, y = data(3)
    x[::7, 2] = np.nan
    results, _ = trained(params(**given), split(1, x, y))
    model, said, _ = results[BANK]
    archive.save(tmp_path / "m.json", "HomoSecureBoost", model)
    back = archive.load(tmp_path / "m.json")
    rows = split(1, x, y)[BANK]
    again = HomoSecureBoost(params(**given)).predict_host(Ctx(BANK, [BANK], None), back, rows)
    np.testing.assert_array_equal(again.detail, said.detail)
    score = boosting_export.whole(back).score(rows.x)
    shares = np.exp(score) / np.exp(score).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(shares, said.detail, atol=1e-12)


def test_columns_are_found_by_name_and_labels_are_not_needed_to_predict():
    x, y = data()
    results, _ = trained(params(), split(1, x, y))
    model, said, _ = results[G]
    turned = frame(x[:35, ::-1], names=["x4", "x3", "x2", "x1", "x0"])
    ctx = Ctx(G, [G], None)
    again = HomoSecureBoost(params()).predict_guest(ctx, model, turned)
    np.testing.assert_array_equal(again.score, said.score)
    with pytest.raises(BadModel, match="lacks 1 of the model's 5 columns"):
        HomoSecureBoost(params()).predict_guest(ctx, model, frame(x[:, :4]))


def test_both_of_fates_spellings_are_this_component():
    assert find("HomoSecureboost") is find("HomoSecureBoost") is HomoSecureBoost


# Losses, validation, checkpoints, warm starts.


def test_losses_and_importances_are_shown_where_fate_shows_them():
    results, _ = trained(params(), split(1, *data()))
    judge = results[JUDGE][2]
    kind, points, meta = judge.metrics["train", "loss"]
    history = judge.told["loss_history"]
    assert (kind, points) == ("LOSS", list(enumerate(history)))
    assert (meta["curve_name"], meta["Best"]) == ("loss", min(history))
    assert set(judge.told) == {"loss_history", "security", "lost_parties"}
    assert set(results[G][2].told) == {"feature_importance", "security"}


def test_every_client_validates_its_own_rows_after_every_round():
    x, y = data()
    rows, validate = split(1, x[10:], y[10:]), frame(x[:10], y[:10])
    rows = {c: frame(f.x, f.label) for c, f in rows.items()}
    p = params(validation_freqs=1, callback_param={})
    results, _ = trained(p, rows, validate=validate)
    for c in TWO:
        model, _, report = results[c]
        said = HomoSecureBoost(p).predict_guest(Ctx(c, [c], None), model, validate)
        shown = report.told["validation_metrics"]["validate"]["auc"]
        assert len(shown) == 3
        assert shown[-1] == pytest.approx(roc_auc_score(y[:10], said.score))
        assert {f"iteration_{t}" for t in range(3)} <= {name for _, name in report.metrics}
    assert results[JUDGE][2].metrics.keys() == {("train", "loss")}


def test_training_goes_on_from_a_checkpoint_as_if_it_had_not_stopped():
    rows, kept = split(2, *data()), {"callbacks": ["ModelCheckpoint"]}
    whole, _ = trained(params(num_trees=4, callback_param=kept), rows)
    starts = {c: whole[c][2].checkpoints[1][2] for c in THREE}
    assert [step for step, _, _ in whole[G][2].checkpoints] == [0, 1, 2, 3]
    rest, _ = trained(params(num_trees=2), rows, starts=starts)
    for c in THREE:
        assert rest[c][0].param.trees == whole[c][0].param.trees
        assert rest[c][0].param.feature_importances == whole[c][0].param.feature_importances
    assert starts[G].param.tree_num == 2
    points = rest[JUDGE][2].metrics["train", "loss"][1]
    assert points == whole[JUDGE][2].metrics["train", "loss"][1][2:]


def other_start(change):
    x, y = data()
    if change == "header":
        return split(1, x[:, :4], y), params(num_trees=1)
    if change == "labels":
        return split(1, x, 2 * y), params(num_trees=1)
    if change == "task":
        return split(1, x, y.astype(float)), params(num_trees=1, **REGRESSION)
    return split(1, x, y), params(num_trees=1, learning_rate=0.1)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        ("header", "has 4 columns, which are not those of this data"),
        ("labels", "trained for other labels"),
        ("task", "trained for other labels|another task_type"),
        ("rate", "trained with another learning_rate"),
    ],
)
def test_a_start_from_another_training_is_refused(change, problem):
    rows, p = other_start(change)
    starts = {c: trained(p, rows)[0][c][0] for c in TWO}
    with pytest.raises(BadModel, match=problem):
        trained(params(num_trees=1), split(1, *data()), starts=starts)


def test_parties_that_start_from_different_models_are_refused():
    x, y = data()
    start = trained(params(num_trees=1), split(1, x, y))[0][G][0]
    for starts in ({G: start}, {BANK: start}):
        with pytest.raises(BadModel, match="not the guest's; start all parties from"):
            trained(params(num_trees=1), split(1, x, y), starts=starts)


def test_cross_validation_trains_each_fold():
    rows = split(1, *data())
    p = params(num_trees=2, cv_param={"need_cv": True, "n_splits": 3})

    def party(ctx):
        given = [NamedData("d", "data", rows[ctx.me])] if ctx.me in rows else []
        runner.run(HomoSecureBoost(p), ctx, Inputs({"train_data": given}))
        return ctx.report

    results, _ = run(dict.fromkeys((*TWO, JUDGE), party), Ctx)
    for c in TWO:
        assert {f"fold_{i}" for i in range(3)} < results[c].told.keys()
    assert len(results[JUDGE].told["fold_2"]["loss_history"]) == 2


def test_it_is_as_good_as_lightgbm_with_all_rows():
    x, y = load_breast_cancer(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    at, seen, test = [0, 150, 300, 420], order[:420], order[420:]
    rows = {
        c: frame(x[order[a:b]], y[order[a:b]]) for c, a, b in zip(THREE, at, at[1:], strict=False)
    }
    p = params(num_trees=20, bin_num=32)
    results, _ = trained(p, rows)
    said = HomoSecureBoost(p).predict_guest(Ctx(G, [G], None), results[G][0], frame(x[test]))
    pooled = lightgbm.LGBMClassifier(
        n_estimators=20,
        learning_rate=0.3,
        max_depth=3,
        num_leaves=8,
        max_bin=32,
        reg_lambda=0.1,
        min_child_samples=1,
        min_child_weight=1e-3,
        verbose=-1,
    ).fit(x[seen], y[seen])
    best = roc_auc_score(y[test], pooled.predict_proba(x[test])[:, 1])
    assert roc_auc_score(y[test], said.score) > best - 0.003


# What is refused, or dealt with.


def test_columns_without_any_differences_are_never_asked():
    x, y = data()
    x[:, 0], x[:, 3] = 4.5, np.nan
    results, _ = trained(params(), split(1, x, y))
    asked = {node.fid for t in results[G][0].param.trees for node in t.tree if not node.is_leaf}
    assert asked
    assert not asked & {0, 3}
    x[:] = 1.0
    results, _ = trained(params(num_trees=1), split(1, x, y))
    assert [len(tree.tree) for tree in results[G][0].param.trees] == [1]
    assert np.unique(results[G][1].score).size == 1


def test_a_party_with_one_row_takes_part():
    x, y = data()
    rows = {G: frame(x[:1], y[:1]), BANK: frame(x[1:], y[1:])}
    results, _ = trained(params(), rows)
    assert len(results[G][1].score) == 1
    other, _ = trained(params(), split(1, x, y))
    np.testing.assert_array_equal(results[BANK][1].score[34:], other[BANK][1].score)


def refusals():
    x, y = data()
    good = split(1, x, y)
    wide = x.copy()
    wide[3, 2] = np.inf
    negative = np.ones(N)
    negative[1] = -1.0
    word = pa.array(["a", "b"] * 30)
    return {
        "one_class": (split(1, x, np.ones(N, dtype=int)), {}, "same label; two classes"),
        "columns": ({**good, BANK: frame(x[35:, :4], y[35:])}, {}, "not those of the guest"),
        "order": (
            {**good, BANK: frame(x[35:], y[35:], names=["x1", "x0", "x2", "x3", "x4"])},
            {},
            "another order",
        ),
        "text": ({**good, BANK: frame(x[30:], word)}, REGRESSION, "labels must be numbers"),
        "mixed": ({**good, BANK: frame(x[30:], word)}, {}, "text at some parties"),
        "no_label": ({**good, BANK: frame(x[35:])}, REGRESSION, "has no label"),
        "no_rows": ({**good, BANK: frame(x[:0], y[:0])}, {}, "has no rows"),
        "infinite": (split(1, wide, y), {}, "infinite values"),
        "weights": (split(1, x, y, negative), {}, "weights must be numbers above 0"),
        "numbers": (split(1, x, x[:, 0]), {}, "is the label a number"),
        "tweedie": (
            split(1, x, y - 1.0),
            {
                "task_type": "regression",
                "objective_param": {"objective": "tweedie", "params": [1.5]},
            },
            "labels of 0 and above",
        ),
    }


@pytest.mark.parametrize("case", refusals())
def test_data_that_cannot_be_learnt_from_is_refused(case):
    rows, given, problem = refusals()[case]
    with pytest.raises(BadData, match=problem) as refusal:
        trained(params(**given), rows)
    assert "component_0: " in str(refusal.value)


def test_a_loss_beyond_all_bounds_is_refused():
    """e^score of a tweedie loss with a reckless rate."""
    x, y = data(0)
    p = params(
        task_type="regression",
        objective_param={"objective": "tweedie", "params": [1.5]},
        learning_rate=200,
        num_trees=30,
    )
    with pytest.raises(BadData, match="too large to be added up: scale the labels"):
        trained(p, split(1, x, np.abs(y) * 1e4))


@pytest.mark.parametrize(
    ("given", "problem"),
    [
        ({"bin_num": 65_536}, "65535"),
        ({"bin_num": 1}, "2"),
        ({"binning_error": 1.0}, "binning_error"),
        ({"backend": "spark"}, "spark"),
        ({"secure_aggregation_param": {"method": "ckks"}}, "take masks"),
        (
            {"callback_param": {"early_stopping_rounds": 2, "validation_freqs": 1}},
            "would stop at different times",
        ),
        ({"objective_param": {"objective": None}}, "objective is missing"),
        ({"task_type": "regression"}, "does not fit task_type regression"),
    ],
)
def test_impossible_parameters_are_refused(given, problem):
    with pytest.raises(BadParameters, match=problem):
        params(**given)


def test_parties_with_other_parameters_are_refused():
    rows = split(1, *data())

    def party(ctx):
        p = params(num_trees=2 if ctx.me == BANK else 3)
        given = [NamedData("d", "data", rows[ctx.me])] if ctx.me in rows else []
        runner.run(HomoSecureBoost(p), ctx, Inputs({"train_data": given}))

    with pytest.raises(BadParameters, match="num_trees is 2 here and 3 at the guest"):
        run(dict.fromkeys((*TWO, JUDGE), party), Ctx)


def test_parameters_are_fates_with_fates_defaults():
    given = HomoBoostingParams()
    assert (given.num_trees, given.learning_rate, given.bin_num) == (5, 0.3, 32)
    assert (given.backend, given.multi_mode, given.binning_error) == (
        "distributed",
        "single_output",
        1e-4,
    )
