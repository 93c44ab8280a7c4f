"""Stepwise selection: the same features as a pooled search, told as FATE tells it."""

import msgspec
import numpy as np
import pytest

from federatedml.components.hetero_linr import HeteroLinR
from federatedml.components.hetero_lr import HeteroLR
from federatedml.components.hetero_poisson import HeteroPoisson
from federatedml.errors import BadData, BadParameters
from federatedml.maths.selection import Search, criterion
from federation import codec
from tests import pooled
from tests.protocol import glm_parties
from tests.protocol.glm_parties import BANK, JUDGE, SHOP, G, cut, joined

N, HOST_FEATURES, GUEST_FEATURES = 60, 2, 2


def score():
    """Features of which the guest's second and the host's first say nothing of the score."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(N, 5))
    return x, 1.2 * x[:, 0] - 0.9 * x[:, 3], rng


def data(component):
    x, u, rng = score()
    if component is HeteroLR:
        return x, (u + rng.logistic(size=N) > 0).astype(np.int64)
    if component is HeteroLinR:
        return x, u + 0.3 * rng.normal(size=N)
    return 0.3 * x, rng.poisson(np.exp(u)).astype(float)


def params(component, direction="backward", *, sealed=glm_parties.PAILLIER, **wanted):
    steps = {"need_stepwise": True, "direction": direction, "max_step": 5, **wanted}
    given = {"optimizer": "sgd", "alpha": 0.0, "max_iter": 6, "encrypt_param": sealed}
    return glm_parties.params(component, stepwise_param=steps, **given)


def trained(component, p, hosts=(BANK,), **more):
    x, y = data(component)
    return glm_parties.trained(component, p, cut(x, hosts, y), **more)


def pooled_search(component, p):
    """Masks of the best model of every step, host first, and the last one's weights."""
    x, y = data(component)
    x = np.column_stack([x[:, [2, 3, 0, 1]], np.ones(N)])
    wanted = p.stepwise_param
    search = Search(wanted.direction, wanted.nvmin, wanted.nvmax, HOST_FEATURES, GUEST_FEATURES)

    def fitted(mask):
        part = x[:, [*np.flatnonzero(mask), 4]]
        if component is HeteroLR:
            return pooled.logistic_regression(part, np.where(y == 1, 1, -1), p)
        if component is HeteroLinR:
            return pooled.linear_regression(part, y, p)
        return pooled.poisson_regression(part, y, p, exposure=np.ones(N))

    def value(mask):
        loss = fitted(mask)[1][-1]
        gaussian = component is HeteroLinR
        return criterion(wanted.score_name, loss, N, sum(mask) + 1, is_gaussian=gaussian)

    best = search.start()
    steps = [best]
    for _ in range(wanted.max_step):
        among = [best, *search.neighbours(best)] if any(best) else list(search.neighbours(best))
        found = min(among, key=value)
        if found == best:
            break
        best = found
        steps.append(best)
    return steps, fitted(best)[0]


@pytest.mark.parametrize("direction", ["backward", "forward", "both"])
@pytest.mark.parametrize("component", [HeteroLR, HeteroLinR, HeteroPoisson])
def test_the_features_chosen_are_those_of_a_pooled_search(component, direction):
    p = params(component, direction)
    results, _ = trained(component, p)
    steps, w = pooled_search(component, p)
    assert len(steps) > 1
    for party, (_, _, report) in results.items():
        metas = [
            (kind, [*meta["host_mask"], *meta["guest_mask"]])
            for (_, name), (kind, _, meta) in report.metrics.items()
            if name.startswith("stepwise_")
        ]
        assert metas == [("STEPWISE", list(mask)) for mask in steps], party
    host, guest = steps[-1][:HOST_FEATURES], steps[-1][HOST_FEATURES:]
    assert results[G][0].param.header == [f"x{i}" for i in np.flatnonzero(guest)]
    assert results[BANK][0].param.header == [f"x{i}" for i in np.flatnonzero(host)]
    found = joined(results)
    n_guest = sum(guest)
    in_order = np.r_[found[n_guest:-1], found[:n_guest], found[-1]]
    np.testing.assert_allclose(in_order, w, rtol=1e-6, atol=1e-8)


@pytest.mark.parametrize("sealed", [glm_parties.PAILLIER, glm_parties.OPEN])
@pytest.mark.parametrize("fit_intercept", [True, False])
@pytest.mark.parametrize("kept", [G, BANK], ids=["host_drops_all", "guest_drops_all"])
def test_a_party_may_lose_all_its_features(kept, fit_intercept, sealed):
    x, _, rng = score()
    low, high = glm_parties.CUTS[kept]
    y = x[:, low:high] @ np.array([1.2, -0.9]) + 0.1 * rng.normal(size=N)
    p = params(HeteroLinR, sealed=sealed)
    init = msgspec.structs.replace(p.init_param, fit_intercept=fit_intercept)
    p = msgspec.structs.replace(p, init_param=init)
    results, _ = glm_parties.trained(HeteroLinR, p, cut(x, (BANK,), y))
    headers = {party: results[party][0].param.header for party in (G, BANK)}
    assert headers == {G: [], BANK: []} | {kept: ["x0", "x1"]}
    expected = x[:, low:high] @ joined(results)[:2] + joined(results)[2]
    np.testing.assert_allclose(results[G][1].score, expected, atol=1e-9)


def test_lattices_choose_the_same_features():
    sealed, _ = trained(HeteroLR, params(HeteroLR, "both"))
    results, _ = trained(HeteroLR, params(HeteroLR, "both", sealed=glm_parties.OPEN))
    for party in (G, BANK):
        assert results[party][0].param.header == sealed[party][0].param.header
    np.testing.assert_allclose(joined(results), joined(sealed), rtol=1e-6)


def test_only_informative_features_stay():
    results, _ = trained(HeteroLinR, params(HeteroLinR, score_name="BIC"))
    assert results[G][0].param.header == ["x0"]
    assert results[BANK][0].param.header == ["x1"]


def test_at_least_nvmin_and_at_most_nvmax_features_are_kept():
    least, _ = trained(HeteroLinR, params(HeteroLinR, nvmin=3))
    assert sum(len(least[p][0].param.header) for p in (G, BANK)) >= 3
    most, _ = trained(HeteroLinR, params(HeteroLinR, "forward", nvmax=2))
    assert sum(len(most[p][0].param.header) for p in (G, BANK)) == 2


def test_a_step_is_told_as_fate_tells_it():
    results, _ = trained(HeteroLinR, params(HeteroLinR, max_step=1))
    (_, points, meta) = results[G][2].metrics["train", "stepwise_1"]
    assert points == [("stepwise_1", 1)]
    assert set(meta) == {
        "all_features", "current_ic_val", "direction", "fit_intercept", "guest_features_anonym",
        "guest_mask", "header", "host_features_anonym", "host_mask", "intercept", "loss",
        "n_count", "number_in", "score_name", "to_enter", "weight",
    }  # fmt: skip
    assert (meta["n_count"], meta["score_name"], meta["number_in"]) == (N, "aic", 3)
    assert meta["loss"] is None, "only the arbiter has the loss"
    assert set(meta["weight"]) == set(meta["header"])
    assert sorted(meta["to_enter"] + meta["header"]) == meta["all_features"]
    (_, _, judged) = results[JUDGE][2].metrics["train", "stepwise_1"]
    assert judged["current_ic_val"] == results[JUDGE][2].told["step_1"]["ic_val"]
    assert judged["loss"] > 0
    assert set(results[G][2].told["step_0"]) == {"guest_features", "host_features"}
    assert ("train", "loss") not in results[JUDGE][2].metrics


@pytest.mark.parametrize("component", [HeteroLR, HeteroLinR, HeteroPoisson])
def test_going_forward_begins_with_the_intercept_alone(component):
    results, _ = trained(component, params(component, "forward", max_step=1))
    _, y = data(component)
    expected = {
        HeteroLR: lambda mean: np.log(mean / (1 - mean)),
        HeteroLinR: lambda mean: mean,
        HeteroPoisson: np.log,
    }[component](y.mean())
    meta = results[G][2].metrics["train", "stepwise_0"][2]
    assert meta["intercept"] == pytest.approx(expected)
    assert (meta["weight"], meta["number_in"]) == ({}, 0)
    assert results[BANK][2].metrics["train", "stepwise_0"][2]["intercept"] == 0.0


def test_predictions_are_those_of_the_selected_model():
    results, _ = trained(HeteroLinR, params(HeteroLinR, score_name="BIC"))
    x, _ = data(HeteroLinR)
    expected = x[:, [0, 3]] @ joined(results)[:2] + joined(results)[2]
    np.testing.assert_allclose(results[G][1].score, expected, atol=1e-9)


def test_what_cannot_go_together_is_refused():
    with pytest.raises(BadData, match="takes one host, not 2"):
        trained(HeteroLinR, params(HeteroLinR), (BANK, SHOP))
    with pytest.raises(BadData, match="takes train_data only"):
        trained(HeteroLinR, params(HeteroLinR), validate=True)
    callbacks = {"callbacks": ["PerformanceEvaluate"], "validation_freqs": 1}
    steps = {"need_stepwise": True}
    with pytest.raises(BadParameters, match="leave the callbacks out"):
        glm_parties.params(HeteroLR, stepwise_param=steps, callback_param=callbacks)
    with pytest.raises(BadParameters, match=r"need_stepwise and cv_param\.need_cv exclude each"):
        glm_parties.params(HeteroLR, stepwise_param=steps, cv_param={"need_cv": True})
    x, _ = data(HeteroLR)
    three = np.arange(N) % 3
    with pytest.raises(BadData, match="takes two classes, not 3"):
        glm_parties.trained(HeteroLR, params(HeteroLR), cut(x, (BANK,), three))


def test_parties_exchange_exactly_the_declared_messages(golden):
    _, transcript = trained(HeteroLinR, params(HeteroLinR, max_step=1))
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
        if s.message.startswith("stepwise.")
    }
    golden("stepwise", sorted(map(list, lines)))
