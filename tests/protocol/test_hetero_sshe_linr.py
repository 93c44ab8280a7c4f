"""HeteroSSHELinR: equal to pooled least squares. What both have is tested with HeteroSSHELR."""

import msgspec
import numpy as np
import pytest

from federatedml import cross_validation
from federatedml.component import Ctx
from federatedml.components.hetero_sshe_linr import HeteroSSHELinR, HeteroSSHELinRModel
from federatedml.errors import BadData, BadParameters
from federation import codec
from federation.transport.inproc import run
from tests import pooled
from tests.protocol import sshe_parties
from tests.protocol.sshe_parties import HIDDEN, OPEN, G, H, N, cut, features, joined

CLOSE = {"rtol": 1e-6, "atol": 3e-7}


def labels():
    noise = np.random.default_rng(2).normal(size=N)
    return 3.0 + features() @ np.array([1.0, -0.5, 0.7, 0.2, -1.1]) + noise


def params(**given):
    return sshe_parties.params(HeteroSSHELinR, **{"learning_rate": 0.1, **given})


def trained(p, *, label=None, weight=None, x=None, **more):
    x = features() if x is None else x
    frames = cut(x, labels() if label is None else label, weight)
    return sshe_parties.trained(HeteroSSHELinR, p, frames, **more)


def twin(p, **more):
    return sshe_parties.twin(pooled.linear_regression, features(), labels(), p, **more)


@pytest.mark.parametrize(
    "given",
    [
        {"optimizer": "sgd"},
        {"optimizer": "sgd", "penalty": None},
        {"optimizer": "sgd", **OPEN},
        {"optimizer": "rmsprop", **OPEN},
        {"optimizer": "adam", "penalty": "L1", **OPEN},
        {"optimizer": "adagrad", "decay": 0.5, **OPEN},
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
def test_sample_weights_count_rows_and_are_rescaled(mode):
    weight = np.linspace(0.5, 4.0, N)
    p = params(**mode)
    results, _ = trained(p, weight=weight)
    w, losses = twin(p, weight=weight)
    np.testing.assert_allclose(joined(results), w, rtol=1e-5, atol=3e-6)
    np.testing.assert_allclose(results[G][0].param.loss_history, losses, rtol=1e-5)


@pytest.mark.parametrize("mode", [{}, OPEN], ids=["shared", "open"])
@pytest.mark.parametrize("rule", ["diff", "abs", "weight_diff"])
def test_training_stops_where_pooled_training_stops(rule, mode):
    tol = {"diff": 0.2, "abs": 3.0, "weight_diff": 0.2}[rule]
    p = params(early_stop=rule, tol=tol, max_iter=12, alpha=0.01, **mode)
    results, _ = trained(p)
    _, losses = twin(p)
    assert 1 < len(losses) < 12
    for party in (G, H):
        assert results[party][0].param.iters == len(losses)
        assert results[party][0].param.is_converged


def test_batches_are_rows_in_their_order():
    p, y = params(batch_size=15, max_iter=2), labels()
    x = np.column_stack([features(), np.ones(N)])
    w = sshe_parties.in_batches(lambda u, rows: u - y[rows], x, p, (15, 15, 10))
    np.testing.assert_allclose(joined(trained(p)[0]), w, **CLOSE)


@pytest.mark.parametrize("given", [{}, OPEN, HIDDEN], ids=["respectively", "open", "hidden"])
def test_a_warm_start_goes_on_where_training_stopped(given):
    whole, _ = trained(params(**given))
    half, _ = trained(params(max_iter=2, **given))
    rest, _ = trained(params(**given), starts={party: r[0] for party, r in half.items()})
    np.testing.assert_allclose(rest[G][1].score, whole[G][1].score, **CLOSE)
    assert rest[G][2].metrics["train", "init_iter"][1] == [("init_iter", 2)]


@pytest.mark.parametrize("given", [{}, OPEN, HIDDEN], ids=["respectively", "open", "hidden"])
def test_predictions_are_those_of_the_pooled_model(given):
    p = params(**given)
    results, _ = trained(p)
    w, _ = twin(p)
    score = np.column_stack([features(), np.ones(N)]) @ w
    np.testing.assert_allclose(results[G][1].score, score, rtol=1e-6, atol=2e-6)
    assert results[G][1].classes == ["label"]
    assert results[H][1] is None


def test_cross_validation_scores_every_fold():
    p = params(max_iter=1, cv_param={"need_cv": True, "n_splits": 2})
    frames = cut(features(), labels())

    def party(me):
        return lambda ctx: (cross_validation.run(HeteroSSHELinR(p), ctx, frames[me]), ctx.report)

    told = run({me: party(me) for me in (G, H)}, Ctx)[0][G][1].told
    assert told["fold_0"]["validate"]["root_mean_squared_error"] > 0


def test_parties_exchange_exactly_the_declared_messages(golden):
    _, transcript = trained(params(max_iter=1))
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("hetero_sshe_linr", sorted(map(list, lines)))


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.full(N, np.nan), "missing, not finite"),
        (np.array(["a"] * N), "must be numbers"),
        (np.full(N, 5e7), "too large for training on shares"),
    ],
)
def test_labels_that_cannot_be_learnt_are_refused(label, said):
    with pytest.raises(BadData, match=said):
        trained(params(), label=label)


def test_large_labels_that_fit_are_learnt():
    p = params(max_iter=2)
    scaled = labels() * 2.0**17
    results, _ = trained(p, label=scaled)
    w, losses = sshe_parties.twin(pooled.linear_regression, features(), scaled, p)
    np.testing.assert_allclose(joined(results), w, rtol=1e-6, atol=1e-8 * 2**17)
    np.testing.assert_allclose(results[G][0].param.loss_history, losses, rtol=1e-6)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"optimizer": "nesterov_momentum_sgd"}, "optimizer"),
        ({"optimizer": "adam"}, "optimizer adam needs reveal_every_iter"),
        ({"predict_param": {}}, "redundant"),
    ],
)
def test_impossible_parameters_are_refused_with_their_names(given, said):
    with pytest.raises(BadParameters, match=said):
        params(**given)


def test_the_model_has_the_shape_that_fate_shows():
    results, _ = trained(params(max_iter=1))
    guest, host = (msgspec.to_builtins(results[p][0]) for p in (G, H))
    assert set(guest["param"]) == set(host["param"]) == {
        "bestIteration", "encryptedWeight", "header", "intercept", "isConverged", "iters",
        "lossHistory", "weight",
    }  # fmt: skip
    assert guest["meta"]["revealStrategy"] == "respectively"
    assert host["meta"]["fitIntercept"] is False
    assert HeteroSSHELinRModel.meta_name == "HeteroLinearRegressionMeta"
    kind, points, _ = results[G][2].metrics["train", "loss"]
    assert (kind, points[0]) == ("LOSS", (0, pytest.approx(np.mean(labels() ** 2) / 2)))
