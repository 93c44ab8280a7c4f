"""HeteroSSHELR: equal to pooled training, shares that tell nothing, FATE's leaks closed."""

import json
from dataclasses import replace

import msgspec
import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml import cross_validation, sshe_model
from federatedml.component import Ctx
from federatedml.components.hetero_sshe_lr import HeteroSSHELR, HeteroSSHELRModel
from federatedml.crypto import rings
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import glm
from federatedml.protocols import sshe_products, sshe_steps
from federation import HOST, Party
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests import pooled
from tests.protocol import sshe_parties
from tests.protocol.sshe_parties import HIDDEN, OPEN, G, H, N, cut, features, joined

CLOSE = {"rtol": 1e-6, "atol": 3e-7}
"""A few steps of 2^-26, and features to 2^-23."""


def labels(n_classes=2):
    x = features()
    score = x @ np.array([1.0, -0.5, 0.7, 0.2, -1.1]) + np.random.default_rng(1).normal(size=N)
    return np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def params(**given):
    return sshe_parties.params(HeteroSSHELR, **given)


def trained(p, *, label=None, weight=None, x=None, **more):
    x = features() if x is None else x
    frames = cut(x, labels() if label is None else label, weight)
    return sshe_parties.trained(HeteroSSHELR, p, frames, **more)


def twin(p, y=None, **more):
    signs = np.where((labels() if y is None else y) == 1, 1, -1)
    return sshe_parties.twin(pooled.logistic_regression, features(), signs, p, **more)


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "penalty": "NONE", "decay": 0.5, "decay_sqrt": False},
        {"optimizer": "nesterov_momentum_sgd"},
        {"optimizer": "sgd", **OPEN},
        {"optimizer": "rmsprop", **OPEN},
        {"optimizer": "adam", "penalty": "L1", **OPEN},
        {"optimizer": "adagrad", "penalty": None, **OPEN},
        {"optimizer": "nesterov_momentum_sgd", **OPEN},
    ],
    ids=lambda given: "-".join(map(str, given.values())),
)
def test_federated_training_equals_pooled_training(given):
    p = params(**given)
    results, _ = trained(p)
    w, losses = twin(p)
    np.testing.assert_allclose(joined(results), w, **CLOSE)
    np.testing.assert_allclose(results[G][0].param.loss_history, losses, **CLOSE)


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_without_an_intercept_it_is_the_pooled_model_without_ones(mode):
    p = params(init_param={"init_method": "zeros", "fit_intercept": False}, alpha=0.0, **mode)
    signs = np.where(labels() == 1, 1, -1)
    x = np.column_stack([features(), np.zeros(N)])
    w, _ = pooled.logistic_regression(x, signs, p)
    results, _ = trained(p)
    np.testing.assert_allclose(joined(results), w, **CLOSE)


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_sample_weights_count_rows_and_are_rescaled(mode):
    weight = np.linspace(0.0, 9.0, N)
    p = params(**mode)
    results, _ = trained(p, weight=weight)
    w, losses = twin(p, weight=weight)
    np.testing.assert_allclose(joined(results), w, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(results[G][0].param.loss_history, losses, rtol=1e-6)


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
@pytest.mark.parametrize("rule", ["diff", "abs", "weight_diff"])
def test_training_stops_where_pooled_training_stops(rule, mode):
    tol = {"diff": 0.01, "abs": 0.64, "weight_diff": 0.06}[rule]
    p = params(early_stop=rule, tol=tol, max_iter=12, alpha=0.01, **mode)
    results, _ = trained(p)
    _, losses = twin(p)
    assert 1 < len(losses) < 12
    for party in (G, H):
        assert results[party][0].param.iters == len(losses)
        assert results[party][0].param.is_converged


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_batches_are_rows_in_their_order(mode):
    p = params(batch_size=20, max_iter=2, **mode)
    y = np.where(labels() == 1, 1, -1)
    x = np.column_stack([features(), np.ones(N)])
    w = sshe_parties.in_batches(lambda u, rows: glm.taylor_residual(u, y[rows]), x, p, (20, 20))
    np.testing.assert_allclose(joined(trained(p)[0]), w, **CLOSE)


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_a_warm_start_goes_on_where_training_stopped(mode):
    whole, _ = trained(params(**mode))
    half, _ = trained(params(max_iter=2, **mode))
    rest, _ = trained(params(**mode), starts={party: r[0] for party, r in half.items()})
    np.testing.assert_allclose(joined(rest), joined(whole), **CLOSE)
    np.testing.assert_allclose(
        rest[G][0].param.loss_history, whole[G][0].param.loss_history, **CLOSE
    )
    assert rest[G][2].metrics["train", "init_iter"][1] == [("init_iter", 2)]


def test_a_warm_start_from_hidden_weights_keeps_them_hidden():
    half, _ = trained(params(max_iter=2, **HIDDEN))
    rest, _ = trained(params(**HIDDEN), starts={party: r[0] for party, r in half.items()})
    w, _ = twin(params())
    np.testing.assert_allclose(opened(rest), w[2:5], **CLOSE)


def test_a_checkpoint_on_shares_holds_no_weights_and_can_be_gone_on_from():
    p = params(callback_param={"callbacks": ["ModelCheckpoint"]})
    results, _ = trained(p)
    kept = {party: r[2].checkpoints for party, r in results.items()}
    assert [step for step, _, _ in kept[G]] == [0, 1, 2, 3]
    assert all(not m.param.weight and not m.param.intercept for _, _, m in kept[G] + kept[H])
    starts = {party: steps[1][2] for party, steps in kept.items()}
    rest, _ = trained(params(), starts=starts)
    np.testing.assert_allclose(joined(rest), joined(results), **CLOSE)
    with pytest.raises(BadModel, match="checkpoint"):
        sshe_parties.predicted(HeteroSSHELR, p, starts, cut(features(), labels()))


def test_models_of_two_trainings_do_not_go_together():
    one, _ = trained(params(max_iter=1))
    other, _ = trained(params(max_iter=2))
    with pytest.raises(BadModel, match="not of one training"):
        trained(params(), starts={G: one[G][0], H: other[H][0]})


def test_a_model_that_hides_weights_cannot_be_gone_on_from_in_the_open():
    hidden, _ = trained(params(max_iter=1, **HIDDEN))
    with pytest.raises(BadModel, match="hides weights"):
        trained(params(**OPEN), starts={party: r[0] for party, r in hidden.items()})


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_more_classes_are_one_model_each(mode):
    y = labels(3)
    p = params(max_iter=2, **mode)
    results, _ = trained(p, label=pa.array([("apple", "berry", "cedar")[c] for c in y]))
    model, said, report = results[G]
    for c, part in enumerate(model.parts):
        w, _ = twin(p, y == c)
        got = [*part.weight.values(), *results[H][0].parts[c].weight.values(), part.intercept]
        np.testing.assert_allclose(got, w, **CLOSE)
    assert said.classes == ["apple", "berry", "cedar"]
    assert said.detail.shape == (N, 3)
    assert set(report.told) == {"apple", "berry", "cedar", "security"}
    assert not report.metrics


def test_sparse_features_give_the_same_model():
    frames = cut(features(), labels())
    thin = {me: replace(of, x=sparse.csr_matrix(of.x)) for me, of in frames.items()}
    results, _ = sshe_parties.trained(HeteroSSHELR, params(), thin)
    np.testing.assert_allclose(joined(results), twin(params())[0], **CLOSE)


def test_open_training_takes_features_of_any_size():
    scale = np.array([1e6, 1e-3, 1.0, 1e5, 1e-5])
    p = params(optimizer="adam", learning_rate=1e-5, alpha=0.0, **OPEN)
    results, _ = trained(p, x=features() * scale)
    signs = np.where(labels() == 1, 1, -1)
    w, losses = sshe_parties.twin(pooled.logistic_regression, features() * scale, signs, p)
    np.testing.assert_allclose(joined(results), w, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(results[G][0].param.loss_history, losses, rtol=1e-5)


@pytest.mark.parametrize("given", [{}, OPEN, HIDDEN], ids=["respectively", "open", "hidden"])
def test_predictions_are_those_of_the_pooled_model(given):
    p = params(**given)
    results, _ = trained(p)
    w, _ = twin(p)
    chance = glm.sigmoid(np.column_stack([features(), np.ones(N)]) @ w)
    np.testing.assert_allclose(results[G][1].score, chance, atol=1e-6)
    assert results[H][1] is None


def test_early_stopping_keeps_the_best_model():
    callbacks = {
        "callbacks": ["EarlyStopping"],
        "validation_freqs": 1,
        "early_stopping_rounds": 1,
        "metrics": ["auc"],
    }
    p = params(max_iter=6, callback_param=callbacks, **OPEN)
    results, _ = trained(p, validate=True)
    best = {r[0].param.best_iteration for r in results.values()}
    assert len(best) == 1
    assert best.pop() >= 0
    assert "validation_metrics" in results[G][2].told


def test_cross_validation_scores_every_fold():
    p = params(max_iter=1, cv_param={"need_cv": True, "n_splits": 2})
    frames = cut(features(), labels())

    def party(me):
        return lambda ctx: (cross_validation.run(HeteroSSHELR(p), ctx, frames[me]), ctx.report)

    results, _ = run({me: party(me) for me in (G, H)}, Ctx)
    told = results[G][1].told
    assert set(told) == {"fold_0", "fold_1", "fold_num"}
    assert told["fold_1"]["validate"]["auc"] > 0.5


# Weights that stay shared.


def shares(results, party, names):
    return sshe_model.shares(results[party][0].param, names, "test")


def opened(results):
    """The host's weights, which only both models together tell."""
    names = results[H][0].param.header
    theirs = shares(results, G, sshe_model.peer_names(HOST, len(names)))
    return rings.decode(rings.add(shares(results, H, names), theirs, 128), 26, 128)


def test_hidden_weights_are_in_neither_model_but_in_both_together():
    p = params(**HIDDEN)
    results, _ = trained(p)
    w, _ = twin(p)
    guest, host = results[G][0].param, results[H][0].param
    np.testing.assert_allclose([*guest.weight.values(), guest.intercept], w[[0, 1, 5]], **CLOSE)
    np.testing.assert_allclose(opened(results), w[2:5], **CLOSE)
    assert host.weight == {}
    again, _ = trained(p)
    assert again[H][0].param.encrypted_weight != host.encrypted_weight
    for party in (G, H):
        assert "coef" not in results[party][2].told
        assert "intercept" not in results[party][2].told


def test_hidden_weights_look_as_fate_shows_ciphertexts_and_no_model_holds_a_key():
    results, _ = trained(params(max_iter=1, **HIDDEN))
    guest, host = (msgspec.to_builtins(results[p][0]) for p in (G, H))
    assert set(host["param"]["encryptedWeight"]) == {"x0", "x1", "x2"}
    assert set(host["param"]["encryptedWeight"]["x0"]) == {
        "publicKey", "cipherText", "exponent", "isObfuscator",
    }  # fmt: skip
    assert set(guest["param"]["encryptedWeight"]) == {"host[0]", "host[1]", "host[2]"}
    assert host["meta"]["revealStrategy"] == "encrypted_reveal_in_host"
    text = json.dumps([guest, host])
    assert "private" not in text.lower()
    assert msgspec.convert(json.loads(text)[0], HeteroSSHELRModel) == results[G][0]


def test_hidden_weights_of_several_classes_predict():
    y = labels(3)
    results, _ = trained(params(max_iter=2, **HIDDEN), label=y)
    seen, _ = trained(params(max_iter=2), label=y)
    np.testing.assert_allclose(results[G][1].detail, seen[G][1].detail, atol=1e-6)


def test_shares_of_another_training_are_refused():
    results, _ = trained(params(max_iter=1, **HIDDEN))
    broken = results[G][0]
    broken.param.encrypted_weight["host[0]"]["cipherText"] = str(1 << 130)
    models = {G: broken, H: results[H][0]}
    with pytest.raises(BadModel, match="no shares of these 3 columns"):
        sshe_parties.predicted(HeteroSSHELR, params(), models, cut(features(), labels()))


# What cannot be.


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({**OPEN, **HIDDEN}, "keeps from it"),
        ({"penalty": "L1"}, "penalty L1 needs reveal_every_iter"),
        ({"optimizer": "rmsprop"}, "optimizer rmsprop needs reveal_every_iter"),
        (
            {"callback_param": {"callbacks": ["PerformanceEvaluate"], "validation_freqs": 1}},
            "validation_freqs needs reveal_every_iter",
        ),
        ({"optimizer": "sqn", **OPEN}, "optimizer"),
        ({"batch_size": 5}, "batch_size"),
        ({"encrypt_param": {"method": None}}, "in the clear"),
        ({"learning_rate": 1e9}, "learning_rate"),
        ({"stepwise_param": {}}, "redundant"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


def test_another_method_is_named_in_a_warning(caplog):
    trained(params(max_iter=1, encrypt_param={"method": "Paillier", "key_length": 1024}))
    assert "encrypt_param.method Paillier: training on shares uses Lattice" in caplog.text


def test_the_scheme_is_in_the_summary():
    report = trained(params(max_iter=1))[0][G][2]
    assert "RLWE N=8192" in report.told["security"]
    assert "128-bit" in report.told["security"]


def test_two_hosts_are_refused():
    other = Party(HOST, "10001")
    x = features()
    frames = {**cut(x, labels()), other: sshe_parties.frame(x)}
    with pytest.raises(BadData, match="one guest and one host, not 2 hosts"):
        sshe_parties.trained(HeteroSSHELR, params(), frames, parties=(G, H, other))


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_different_numbers_of_rows_are_refused(mode):
    x = features()
    frames = {**cut(x, labels()), H: sshe_parties.frame(x[:30])}
    with pytest.raises(BadData, match="different numbers of rows"):
        sshe_parties.trained(HeteroSSHELR, params(**mode), frames)


def test_a_small_batch_is_refused_where_its_gradient_would_be_seen():
    wide = np.tile(features(), 3)
    with pytest.raises(BadData, match="could work out labels"):
        trained(params(batch_size=10, **OPEN), x=wide)
    trained(params(batch_size=10, max_iter=1), x=wide)


def test_a_party_without_features_is_refused():
    with pytest.raises(BadData, match="no features"):
        trained(params(), x=features()[:, :2])


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (lambda x: np.where(x > 1, np.nan, x), "missing"),
        (lambda x: x * 1e5, "too large for training on shares"),
    ],
)
def test_features_that_cannot_be_learnt_are_refused(broken, said):
    with pytest.raises(BadData, match=said):
        trained(params(), x=broken(features()))


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_diverging_training_says_so(mode):
    p = params(learning_rate=1e6, max_iter=9, decay=0, alpha=0.0, **mode)
    with pytest.raises(BadData, match="training diverges"):
        trained(p)


@pytest.mark.parametrize(
    ("const", "given"),
    [(1e40, {}), (1e13, {"alpha": 0.0, "max_iter": 1}), (1e40, OPEN), (1e9, OPEN)],
    ids=["no_words", "too_large_at_the_end", "scores", "penalty"],
)
def test_weights_beyond_the_range_are_refused(const, given):
    start = {"init_method": "const", "init_const": const, "fit_intercept": False}
    with pytest.raises(BadData, match="beyond what fixed point holds"):
        trained(params(init_param=start, **given), x=features() * 1e-12)


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
def test_fewer_rows_than_columns_are_warned_of(mode, caplog):
    trained(params(max_iter=1, **mode), x=np.tile(features(), 10))
    assert "40 rows and 48 columns: from its weights a party could work out" in caplog.text


def test_scores_of_other_rows_are_refused():
    results, _ = trained(params(max_iter=1))
    frames = cut(features(), labels())
    frames[H] = sshe_parties.frame(features()[:30, 2:])
    models = {me: r[0] for me, r in results.items()}
    with pytest.raises(ProtocolViolation, match=r"scores \(30, 1\), not \(40, 1\)"):
        sshe_parties.predicted(HeteroSSHELR, params(), models, frames)


def test_words_of_another_number_are_refused():
    def host(ctx):
        ctx.remote(sshe_steps.Wire.loss, rings.zeros((2,), 128))

    with pytest.raises(ProtocolViolation, match="not 1 words"):
        run({G: lambda ctx: sshe_steps.received(ctx, sshe_steps.Wire.loss, 1), H: host}, Ctx)


def test_a_vector_that_does_not_fit_the_matrix_is_refused():
    def guest(ctx):
        link = sshe_products.linked(ctx)
        ready = sshe_products.columns(link, np.ones((3, 2), dtype=np.int64), ctx.name)
        return sshe_products.answered(ctx, link, ready)

    def host(ctx):
        link = sshe_products.linked(ctx)
        sshe_products.offer(ctx, link, rings.zeros((4,), 128), 2)

    with pytest.raises(ProtocolViolation, match="does not fit the matrix"):
        run({G: guest, H: host}, Ctx)


def test_the_model_has_the_shape_that_fate_shows():
    results, _ = trained(params(max_iter=1, optimizer="rmsprop", **OPEN))
    guest, host = (msgspec.to_builtins(results[p][0]) for p in (G, H))
    assert set(guest["param"]) == set(host["param"]) == {
        "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
        "lossHistory", "needOneVsRest", "weight",
    }  # fmt: skip
    assert guest["meta"] == {
        "alpha": 0.05, "batchSize": "-1", "earlyStop": "diff", "fitIntercept": True,
        "learningRate": 0.2, "maxIter": "1", "module": "", "needOneVsRest": False,
        "optimizer": "rmsprop", "partyWeight": 0.0, "penalty": "L2", "reEncryptBatches": "0",
        "revealStrategy": "respectively", "tol": 0.0,
    }  # fmt: skip
    assert host["meta"]["fitIntercept"] is False
    assert (host["param"]["intercept"], host["param"]["lossHistory"]) == (0.0, [])
    kind, points, meta = results[G][2].metrics["train", "loss"]
    assert (kind, points[0]) == ("LOSS", (0, pytest.approx(np.log(2))))
    assert meta == {"unit_name": "iters", "curve_name": "loss"}
    assert not results[H][2].metrics
