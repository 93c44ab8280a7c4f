"""HeteroPoisson: equal to pooled training with a log link, exposures, one host."""

import json
import logging

import msgspec
import numpy as np
import pytest
from scipy import sparse

from federatedml.components.hetero_poisson import HeteroPoisson, HeteroPoissonModel
from federatedml.crypto.bigcipher import CipherVector
from federatedml.errors import BadData, BadParameters
from federatedml.protocols.exchange_arbiter_key import FACTOR_BITS, FACTOR_SCALE_BITS
from federation import codec
from tests import pooled
from tests.protocol import glm_parties
from tests.protocol.glm_parties import BANK, JUDGE, SHOP, G, cut, frame, joined, pooled_columns

N = 40
NAMES = ["x0", "hours", "x1"]


def data():
    rng = np.random.default_rng(5)
    x = 0.4 * rng.normal(size=(N, 5))
    exposure = rng.uniform(0.5, 3.0, size=N)
    mean = exposure * np.exp(x @ np.array([0.5, -1.0, 0.8, 0.3, 0.2]) + 0.3)
    return x, rng.poisson(mean).astype(float), exposure


def params(**given):
    return glm_parties.params(HeteroPoisson, **{"optimizer": "sgd", **given})


def parties(*, weight=None, label=None, exposure=None, pack=None):
    """Frames of guest and host; the guest's middle column is the exposure if there is one."""
    x, y, _ = data()
    pack = pack or (lambda part: part)
    frames = cut(x, (BANK,), y if label is None else label, weight, pack)
    if exposure is not None:
        inside = np.column_stack([x[:, 0], exposure, x[:, 1]])
        frames[G] = frame(pack(inside), frames[G].label, weight, NAMES)
    return frames


def trained(p, *, validate=False, starts=None, **more):
    return glm_parties.trained(HeteroPoisson, p, parties(**more), starts, validate=validate)


def twin(p, **more):
    x, y, _ = data()
    return pooled.poisson_regression(pooled_columns(x), y, p, **more)


@pytest.mark.parametrize(
    "given",
    [
        {},
        {"optimizer": "rmsprop", "penalty": "L1"},
        {"optimizer": "adam", "early_stop": "weight_diff"},
        {"optimizer": "adagrad", "penalty": None},
    ],
    ids=lambda given: given.get("optimizer", "sgd"),
)
@pytest.mark.parametrize("has_exposure", [False, True], ids=["counts", "rates"])
def test_federated_training_equals_pooled_training(given, has_exposure):
    p = params(exposure_colname="hours" if has_exposure else None, **given)
    exposure = data()[2] if has_exposure else None
    results, _ = trained(p, exposure=exposure)
    w, losses = twin(p, exposure=np.ones(N) if exposure is None else exposure)
    np.testing.assert_allclose(joined(results), w, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-8)


def test_weighted_rows_count_by_their_weight():
    weight = np.linspace(0.0, 9.0, N)
    p = params()
    results, _ = trained(p, weight=weight)
    w, losses = twin(p, weight=weight)
    np.testing.assert_allclose(joined(results), w, rtol=1e-6, atol=1e-8)
    np.testing.assert_allclose(results[JUDGE][0].param.loss_history, losses, rtol=1e-7)


@pytest.mark.parametrize("batch_size", [-1, 25])
def test_with_the_method_left_open_lattices_give_the_same_model(batch_size):
    given = {"exposure_colname": "hours", "batch_size": batch_size}
    weight, exposure = np.linspace(0.0, 9.0, N), data()[2]
    sealed, _ = trained(params(**given), weight=weight, exposure=exposure)
    p = params(encrypt_param=glm_parties.OPEN, **given)
    results, _ = trained(p, weight=weight, exposure=exposure)
    np.testing.assert_allclose(joined(results), joined(sealed), rtol=1e-6, atol=1e-7)
    losses = [r[JUDGE][0].param.loss_history for r in (results, sealed)]
    np.testing.assert_allclose(losses[0], losses[1], rtol=1e-6)
    assert results[BANK][2].told["security"].startswith("Lattice")


def test_okamoto_uchiyama_gives_the_same_model():
    sealed = {"method": "OU", "key_length": 1024}
    p = params(encrypt_param=sealed, floating_point_precision=40, max_iter=2)
    results, _ = trained(p, weight=np.linspace(0.0, 9.0, N))
    w, _ = twin(p, weight=np.linspace(0.0, 9.0, N))
    np.testing.assert_allclose(joined(results), w, rtol=1e-6, atol=1e-8)
    assert results[G][2].told["security"].startswith("OU, 1024-bit key")


def test_sparse_features_and_whole_counts_are_learnt():
    _, y, exposure = data()
    p = params(exposure_colname="hours")
    thin, _ = trained(p, label=y.astype(np.int64), exposure=exposure, pack=sparse.csr_matrix)
    dense, _ = trained(p, exposure=exposure)
    np.testing.assert_allclose(joined(thin), joined(dense), rtol=1e-12)


def test_a_warm_start_goes_on_where_training_stopped():
    half, _ = trained(params(max_iter=2))
    rest, _ = trained(params(max_iter=4), starts={party: r[0] for party, r in half.items()})
    np.testing.assert_allclose(joined(rest), twin(params(max_iter=4))[0], rtol=1e-6, atol=1e-8)


def test_predictions_multiply_the_parties_means_and_the_exposure():
    x, _, exposure = data()
    results, _ = trained(params(exposure_colname="hours"), exposure=exposure)
    expected = exposure * np.exp(pooled_columns(x) @ joined(results))
    np.testing.assert_allclose(results[G][1].score, expected, rtol=1e-9)
    assert "hours" not in results[G][0].param.weight
    assert results[G][1].classes == ["label"]


def test_validation_between_iterations_scores_a_regression():
    callbacks = {"callbacks": ["PerformanceEvaluate"], "validation_freqs": 2}
    results, _ = trained(params(callback_param=callbacks), validate=True)
    told = results[G][2].told["validation_metrics"]["validate"]
    assert {name: len(values) for name, values in told.items()} == {
        "root_mean_squared_error": 2, "mean_absolute_error": 2,
    }  # fmt: skip


def test_a_name_that_no_column_has_is_no_exposure(caplog):
    with caplog.at_level(logging.WARNING):
        results, _ = trained(params(exposure_colname="years"))
    assert "every exposure is 1" in caplog.text
    np.testing.assert_allclose(joined(results), joined(trained(params())[0]), rtol=1e-12)


@pytest.mark.parametrize("bad", [0.0, -1.0, np.nan, np.inf])
def test_exposures_that_are_not_positive_are_refused(bad):
    exposure = np.where(np.arange(N) == 7, bad, 1.0)
    with pytest.raises(BadData, match="numbers above 0"):
        trained(params(exposure_colname="hours"), exposure=exposure)


@pytest.mark.parametrize(
    ("label", "said"),
    [
        (np.where(np.arange(N) == 3, -1.0, 1.0), "below 0"),
        (np.where(np.arange(N) == 3, np.nan, 1.0), "missing, not finite"),
    ],
)
def test_labels_that_are_no_counts_are_refused(label, said):
    with pytest.raises(BadData, match=said):
        trained(params(), label=label)


def test_several_hosts_are_refused():
    x, y, _ = data()
    with pytest.raises(BadData, match="HeteroPoisson trains with one host, not 2"):
        glm_parties.trained(HeteroPoisson, params(), cut(x, (BANK, SHOP), y))


def test_training_that_diverges_says_so():
    with pytest.raises(BadData, match="scores beyond 20, training diverges"):
        trained(params(learning_rate=1e3, max_iter=9))


def test_features_out_of_range_are_refused():
    with pytest.raises(BadData, match="columns beyond 1e8 in size: "):
        trained(params(), pack=lambda x: np.where(x > 0.5, np.inf, x))


def test_the_model_has_the_shape_that_fate_shows():
    _, _, exposure = data()
    results, _ = trained(params(max_iter=1, exposure_colname="hours"), exposure=exposure)
    model, host = results[G][0], results[BANK][0]
    shown = msgspec.to_builtins(model)
    assert (model.meta_name, model.param_name) == (
        "HeteroPoissonRegressionMeta", "HeteroPoissonRegressionParam",
    )  # fmt: skip
    assert shown["meta"]["exposureColname"] == "hours"
    assert (host.meta.exposure_colname, host.meta.fit_intercept) == ("", False)
    assert msgspec.convert(json.loads(json.dumps(shown)), HeteroPoissonModel) == model


def test_the_defaults_are_those_of_fate():
    p = HeteroPoisson.Params()
    assert (p.optimizer, p.max_iter, p.exposure_colname) == ("rmsprop", 20, None)
    with pytest.raises(BadParameters, match="optimizer"):
        params(optimizer="sqn")


def test_parties_exchange_exactly_the_declared_messages(golden):
    _, transcript = trained(params(max_iter=1, batch_size=25))
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("hetero_poisson", sorted(map(list, lines)))


def test_scores_and_residuals_travel_as_ciphertexts_only():
    _, transcript = trained(params(max_iter=1))
    sealed = [s for s in transcript if s.envelope.kind == "ciphertext"]
    assert {s.message.partition(".")[2] for s in sealed} == {
        "score", "exponent", "residual", "loss_share", "loss",
    }  # fmt: skip
    assert all(isinstance(s.value, CipherVector) for s in sealed)
    bare = {s.message for s in transcript if getattr(s.value, "dtype", None) == np.float64}
    assert bare == {"hetero_glm.only_score"}


def test_a_host_that_guesses_the_factors_cannot_strip_its_own_ciphertexts():
    """In the first iteration every factor is 1: what is left must not be (1 + n)^-y, readable."""
    _, transcript = trained(params(max_iter=1))
    sent = {s.message.partition(".")[2]: s.value for s in transcript}
    key, residual, score = sent["key"], sent["residual"], sent["score"]
    own = key.mul_plain(score, np.ones(N), FACTOR_SCALE_BITS, FACTOR_BITS)

    def readable(c):
        return (c - 1) % key.n == 0

    assert not any(readable(c) for c in key.sub(residual, own).values)
    unrefreshed = [c * (1 + 5 * key.n) % key.modulus for c in own.values]
    bare = key.sub(CipherVector(key, unrefreshed, own.scale_bits, own.bits), own)
    assert all(readable(c) for c in bare.values)
