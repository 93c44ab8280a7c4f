"""HeteroLinR: equal to pooled least squares, nothing undeclared, nothing in the clear."""

import json
import logging

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml import cross_validation, runner
from federatedml.component import Ctx, Inputs, NamedData
from federatedml.components.hetero_linr import HeteroLinR, HeteroLinRModel
from federatedml.errors import BadData, BadParameters
from federation import codec
from federation.transport.inproc import run
from tests import pooled
from tests.protocol import glm_parties
from tests.protocol.glm_parties import BANK, JUDGE, SHOP, G, cut, joined, pooled_columns

N = 40
BOTH = (BANK, SHOP)


def data():
    rng = np.random.default_rng(11)
    x = rng.normal(size=(N, 5))
    return x, x @ rng.normal(size=5) + 0.5 + 0.3 * rng.normal(size=N)


def params(**given):
    return glm_parties.params(HeteroLinR, **given)


def trained(p, hosts=(BANK,), *, weight=None, label=None, pack=None, **more):
    x, y = data()
    frames = cut(x, hosts, y if label is None else label, weight, pack)
    return glm_parties.trained(HeteroLinR, p, frames, **more)


def twin(p, hosts=(BANK,), **more):
    x, y = data()
    return pooled.linear_regression(pooled_columns(x, hosts), y, p, **more)


@pytest.mark.parametrize("hosts", [(BANK,), BOTH], ids=["one_host", "two_hosts"])
@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimizer": "rmsprop"},
        {"optimizer": "adam", "penalty": "L1"},
        {"optimizer": "adagrad", "decay": 0.5, "decay_sqrt": False},
        {"optimizer": "sqn", "max_iter": 9, "sqn_param": {"update_interval_L": 2, "memory_M": 2}},
    ],
    ids=lambda given: given.get("optimizer", "sgd"),
)
def test_federated_training_equals_pooled_training(given, hosts):
    p = params(**given)
    results, _ = trained(p, hosts)
    w, losses = twin(p, hosts)
    np.testing.assert_allclose(joined(results, hosts), w, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-9)


@pytest.mark.parametrize("optimizer", ["sgd", "sqn"])
def test_weighted_rows_count_by_their_weight(optimizer):
    weight = np.linspace(0.0, 9.0, N)
    p = params(optimizer=optimizer, max_iter=8)
    results, _ = trained(p, BOTH, weight=weight)
    w, losses = twin(p, BOTH, weight=weight)
    np.testing.assert_allclose(joined(results, BOTH), w, rtol=1e-7, atol=1e-9)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-8)


def test_sparse_features_and_whole_numbers_as_labels_are_learnt():
    _, y = data()
    label = np.rint(4 * y).astype(np.int64)
    thin, _ = trained(params(), label=label, pack=sparse.csr_matrix)
    dense, _ = trained(params(), label=label.astype(float))
    np.testing.assert_allclose(joined(thin), joined(dense), rtol=1e-12)


def test_batches_are_cut_in_the_order_of_rows_and_all_count():
    p = params(batch_size=15, max_iter=2)
    results, transcript = trained(p)
    x, y = data()
    w = np.zeros(5)
    x = pooled_columns(x)
    for t in range(2):
        for rows in (slice(0, 15), slice(15, 30), slice(30, 40)):
            g = x[rows].T @ (x[rows] @ w - y[rows]) / len(y[rows])
            g[:-1] += p.alpha * w[:-1]
            w = w - p.learning_rate / np.sqrt(1 + t) * g
    np.testing.assert_allclose(joined(results), w, rtol=1e-7)
    shown = [s for s in transcript if s.message == "hetero_glm.rows"]
    assert len(shown) == 3, "a host is told once of batches that stay the same"


@pytest.mark.parametrize("rule", ["diff", "abs", "weight_diff"])
def test_training_stops_where_pooled_training_stops(rule):
    tol = {"diff": 0.05, "abs": 0.5, "weight_diff": 0.2}[rule]
    p = params(early_stop=rule, tol=tol, max_iter=15)
    results, _ = trained(p, BOTH)
    _, losses = twin(p, BOTH)
    assert 1 < len(losses) < 15
    for party in results:
        assert results[party][0].param.iters == len(losses)
        assert results[party][0].param.is_converged


def test_a_warm_start_goes_on_where_training_stopped():
    whole, _ = trained(params(max_iter=4))
    half, _ = trained(params(max_iter=2))
    starts = {party: result[0] for party, result in half.items()}
    rest, _ = trained(params(max_iter=4), starts=starts)
    np.testing.assert_allclose(joined(rest), joined(whole), rtol=1e-9)
    assert rest[JUDGE][0].param.loss_history == pytest.approx(whole[JUDGE][0].param.loss_history)


@pytest.mark.parametrize("hosts", [(BANK,), BOTH], ids=["one_host", "two_hosts"])
def test_predictions_are_numbers_of_the_pooled_model(hosts):
    results, _ = trained(params(), hosts)
    x, _ = data()
    said = results[G][1]
    expected = pooled_columns(x, hosts) @ joined(results, hosts)
    np.testing.assert_allclose(said.score, expected, atol=1e-9)
    np.testing.assert_array_equal(said.result, said.score)
    assert said.classes == ["label"]
    assert results[BANK][1] is None


def test_validation_between_iterations_scores_a_regression():
    callbacks = {
        "callbacks": ["EarlyStopping", "PerformanceEvaluate"],
        "validation_freqs": 1,
        "early_stopping_rounds": 2,
        "metrics": ["mean_absolute_error", "root_mean_squared_error"],
    }
    results, _ = trained(params(callback_param=callbacks), validate=True)
    told = results[G][2].told["validation_metrics"]["validate"]
    assert set(told) == {"mean_absolute_error", "root_mean_squared_error"}
    assert told["root_mean_squared_error"] == sorted(told["root_mean_squared_error"], reverse=True)
    assert {r[0].param.best_iteration for r in results.values()} == {3}


def test_the_model_has_the_shape_that_fate_shows():
    results, _ = trained(params(max_iter=1))
    model = results[G][0]
    shown = msgspec.to_builtins(model)
    assert (model.meta_name, model.param_name) == (
        "HeteroLinearRegressionMeta", "HeteroLinearRegressionParam",
    )  # fmt: skip
    assert set(shown["param"]) == {
        "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
        "lossHistory", "weight",
    }  # fmt: skip
    assert (shown["meta"]["maxIter"], shown["meta"]["batchSize"]) == ("1", "-1")
    assert shown["meta"]["optimizer"] == "sgd"
    assert results[BANK][0].meta.fit_intercept is False
    assert msgspec.convert(json.loads(json.dumps(shown)), HeteroLinRModel) == model


def test_the_defaults_are_those_of_fate():
    p = HeteroLinR.Params()
    assert (p.optimizer, p.max_iter, p.metrics, p.penalty) == ("sgd", 20, None, "L2")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizer": "nesterov_momentum_sgd"}, "optimizer"),
        ({"encrypt_param": {"method": "None"}}, "in the clear"),
        ({"masked_rate": 1}, "masked_rate"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.where(np.arange(N) == 3, np.nan, 1.0), "missing, not finite"),
        (np.where(np.arange(N) == 3, np.inf, 1.0), "missing, not finite"),
        (np.full(N, 1e12), "beyond 1e8"),
        (pa.array(["a"] * N), "labels must be numbers"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(label, said):
    with pytest.raises(BadData, match=said):
        trained(params(), label=label)


@pytest.mark.parametrize("empty", [G, BANK])
def test_a_party_without_features_is_refused(empty):
    x, y = data()
    frames = cut(x, (BANK,), y)
    frames[empty] = glm_parties.frame(np.zeros((N, 0)), y if empty == G else None)
    with pytest.raises(BadData, match="this party's data has no features"):
        glm_parties.trained(HeteroLinR, params(), frames)


def test_numbers_beyond_the_range_of_the_key_are_told_with_the_remedy():
    short = {"method": "Paillier", "key_length": 160}
    with pytest.raises(BadData, match=r"component_0: .* use a longer key, scale the features"):
        trained(params(encrypt_param=short))


def test_parties_that_are_told_different_schemes_say_so():
    here, there = params(), params(encrypt_param={"method": "OU", "key_length": 512})
    x, y = data()
    with pytest.raises(BadData, match="the guest encrypts by Paillier, this party by OU"):
        glm_parties.trained(HeteroLinR, {G: here, BANK: there, JUDGE: here}, cut(x, (BANK,), y))


@pytest.mark.parametrize("optimizer", ["sgd", "sqn"])
@pytest.mark.parametrize("hosts", [(BANK,), BOTH], ids=["one_host", "two_hosts"])
def test_with_the_method_left_open_lattices_give_the_same_model(hosts, optimizer):
    given = {"optimizer": optimizer, "max_iter": 7, "early_stop": "weight_diff"}
    p = params(encrypt_param=glm_parties.OPEN, **given)
    results, _ = trained(p, hosts)
    w, losses = twin(p, hosts)
    np.testing.assert_allclose(joined(results, hosts), w, rtol=1e-6, atol=1e-7)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-6)
    assert {r[2].told["security"].partition(":")[0] for r in results.values()} == {"Lattice"}


def test_weights_and_several_hosts_fall_back_on_paillier(caplog):
    weight = np.linspace(0.0, 9.0, N)
    p = params(encrypt_param=glm_parties.OPEN)
    with caplog.at_level(logging.WARNING):
        results, _ = trained(p, BOTH, weight=weight)
    assert "beyond the lattice exchange" in caplog.text
    w, _ = twin(p, BOTH, weight=weight)
    np.testing.assert_allclose(joined(results, BOTH), w, rtol=1e-7, atol=1e-9)
    assert results[G][2].told["security"].startswith("Paillier")


def test_okamoto_uchiyama_gives_the_same_model():
    sealed = {"method": "OU", "key_length": 1024}
    given = {"max_iter": 2, "floating_point_precision": 40}
    results, _ = trained(params(encrypt_param=sealed, **given))
    w, _ = twin(params(**given))
    np.testing.assert_allclose(joined(results), w, rtol=1e-7, atol=1e-9)
    assert results[G][2].told["security"].startswith("OU, 1024-bit key")


def test_parties_exchange_exactly_the_declared_messages(golden):
    given = {"update_interval_L": 1, "memory_M": 1}
    p = params(max_iter=3, early_stop="weight_diff", optimizer="sqn", sqn_param=given)
    _, transcript = trained(p, weight=np.ones(N))
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("hetero_linr_one_host", sorted(map(list, lines)))


def test_of_small_sums_the_arbiter_can_read_only_the_total():
    _, transcript = trained(params(early_stop="weight_diff", max_iter=1))
    sent = [s.value for s in transcript if s.message == "hetero_glm.change"]
    assert [words.shape for words in sent] == [(1, 3), (1, 3)]
    top = [int(words[0, 2]) for words in sent]
    assert all(2**40 < word < 2**64 - 2**40 for word in top), "a bare number has a top word of 0"


def test_every_fold_of_a_cross_validation_is_a_pooled_training_of_its_rows():
    p = params(cv_param={"need_cv": True, "n_splits": 3, "shuffle": True, "random_seed": 4})
    x, y = data()
    frames = cut(x, (BANK,), y)

    def party(me):
        def play(ctx):
            given = [NamedData("transform_0", "data", frames[me])] if me in frames else []
            return runner.run(HeteroLinR(p), ctx, Inputs({"train_data": given})).data[0]

        return play

    results, _ = run({me: party(me) for me in (G, BANK, JUDGE)}, Ctx)
    history = results[G]
    said = dict(zip(history.ids.to_pylist(), history.score, strict=True))
    assert len(said) == 3 * N
    pooled_x = pooled_columns(x)
    for fold, rows in enumerate(cross_validation.folds(N, p.cv_param)):
        others = np.setdiff1d(np.arange(N), rows)
        w, _ = pooled.linear_regression(pooled_x[others], y[others], p)
        found = [said[f"id{row}#fold{fold}#validate"] for row in rows]
        np.testing.assert_allclose(found, pooled_x[rows] @ w, atol=1e-7)


def test_training_goes_on_from_a_checkpoint():
    keeps = {"callbacks": ["ModelCheckpoint"], "save_freq": 2}
    whole, _ = trained(params(max_iter=4, callback_param=keeps))
    kept = {party: report.checkpoints for party, (_, _, report) in whole.items()}
    assert {tuple(step for step, _, _ in steps) for steps in kept.values()} == {(0, 2)}
    starts = {party: steps[-1][2] for party, steps in kept.items()}
    rest, _ = trained(params(max_iter=4), starts=starts)
    np.testing.assert_allclose(joined(rest), joined(whole), rtol=1e-9)
