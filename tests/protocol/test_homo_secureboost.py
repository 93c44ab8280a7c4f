"""HomoSecureBoost: the trees of the pooled rows, split by split; only sums leave a party."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

from federatedml.component import Ctx
from federatedml.components import homo_secureboost
from federatedml.components.homo_secureboost import HomoSecureBoost, Wire
from federatedml.errors import PartiesLost
from federatedml.homo_trees import rounded
from federatedml.maths import quantiles, trees
from federatedml.maths.boosted_losses import of_classes
from federatedml.protocols import homo_quantiles
from federation import codec
from federation.errors import ProtocolViolation
from federation.transport.inproc import run
from tests.protocol.homo_boosting_parties import (
    BANK,
    CLIENTS,
    JUDGE,
    SHOP,
    G,
    N,
    assert_same_trees,
    cuts_of,
    data,
    frame,
    params,
    split,
    told,
    trained,
    twin,
)

TWO, THREE = CLIENTS[1], CLIENTS[2]


def holes(x):
    x = x.copy()
    x[np.random.default_rng(3).random(x.shape) < 0.2] = np.nan
    return x


# Equal to pooled training.

REGRESSION = {"task_type": "regression"}
OBJECTIVES = {
    "lse": None,
    "lae": None,
    "log_cosh": None,
    "huber": [8.0],
    "fair": [2.0],
    "tweedie": [1.4],
}
CASES = {
    "binary": (2, {}),
    "classes": (3, {"num_trees": 2}),
    "vector": (4, {"num_trees": 2, "multi_mode": "multi_output"}),
    "lse": (0, {**REGRESSION, "objective_param": {"objective": "lse"}}),
    "drawn": (3, {"subsample_feature_rate": 0.5}),
    "memory": (2, {"backend": "memory", "random_seed": 3}),
    "rules": (
        2,
        {"tree_param": {"max_depth": 5, "min_leaf_node": 4, "criterion_params": [1, 0.5]}},
    ),
}


@pytest.mark.parametrize("hosts", [1, 2, 3])
@pytest.mark.parametrize("case", CASES)
def test_the_trees_are_those_of_the_pooled_rows(case, hosts):
    n_classes, given = CASES[case]
    (x, y), p = data(n_classes), params(**given)
    results, transcript = trained(p, split(hosts, x, y))
    found, said, losses = twin(p, x, y, transcript)
    assert any(len(tree) > 3 for tree, _ in found)
    for c in CLIENTS[hosts]:
        assert_same_trees(results[c][0], found)
    predicted = np.concatenate([results[c][1].detail for c in CLIENTS[hosts]])
    said = np.column_stack([1 - said, said]) if n_classes == 2 else said
    np.testing.assert_allclose(predicted, said, atol=1e-12)
    np.testing.assert_allclose(results[JUDGE][2].told["loss_history"], losses, rtol=1e-12)


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_every_objective_is_that_of_pooled_training(objective):
    x, y = data(0)
    y = np.abs(y) if objective == "tweedie" else y
    given = {"objective": objective, "params": OBJECTIVES[objective]}
    p = params(**REGRESSION, objective_param=given)
    results, transcript = trained(p, split(2, x, y))
    found, said, losses = twin(p, x, y, transcript)
    assert_same_trees(results[BANK][0], found)
    predicted = np.concatenate([results[c][1].score for c in THREE])
    np.testing.assert_allclose(predicted, said[:, 0], atol=1e-12)
    history = results[JUDGE][2].told["loss_history"]
    np.testing.assert_allclose(history, losses, rtol=1e-12)
    assert history[-1] < history[0]


@pytest.mark.parametrize(
    "given", [{"use_missing": True}, {}, {"zero_as_missing": True}], ids=["learnt", "right", "zero"]
)
def test_missing_values_go_where_they_go_in_pooled_training(given):
    x, y = data()
    x, p = holes(x), params(**given)
    results, transcript = trained(p, split(2, x, y))
    found, said, _ = twin(p, x, y, transcript)
    assert_same_trees(results[SHOP][0], found)
    predicted = np.concatenate([results[c][1].score for c in THREE])
    np.testing.assert_allclose(predicted, said[:, 0], atol=1e-12)
    assert any(tree.missing_left.any() for tree, _ in found) == bool(given)


def test_sample_weights_count_as_in_pooled_training():
    x, y = data()
    weight = np.linspace(0.5, 9.0, N)
    results, transcript = trained(params(), split(2, x, y, weight))
    found, _, losses = twin(params(), x, y, transcript, weight)
    assert_same_trees(results[G][0], found)
    np.testing.assert_allclose(results[JUDGE][2].told["loss_history"], losses, rtol=1e-12)
    plain = trained(params(), split(2, x, y))[0]
    assert plain[G][0].param.trees != results[G][0].param.trees


@pytest.mark.parametrize("bin_num", [2, 5, 32, 300])
def test_bins_are_the_quantiles_of_the_pooled_rows(bin_num):
    x, y = data()
    x = holes(x)
    p = params(bin_num=bin_num, binning_error=0, num_trees=1)
    _, transcript = trained(p, split(2, x, y))
    common = quantiles.binned(x, cuts_of(transcript, bin_num))
    np.testing.assert_array_equal(common, quantiles.binned(x, quantiles.cut_points(x, bin_num)))


def test_sparse_features_give_the_same_model():
    x, y = data()
    x = np.where(np.abs(x) < 0.6, 0.0, x)
    rows = split(1, x, y)
    thin = {c: frame(sparse.csr_matrix(f.x), f.label) for c, f in rows.items()}
    dense, other = trained(params(), rows)[0], trained(params(), thin)[0]
    assert dense[G][0].param.trees == other[G][0].param.trees
    np.testing.assert_array_equal(dense[BANK][1].score, other[BANK][1].score)


def test_training_stops_where_the_pooled_loss_changes_less_than_tol():
    x, y = data()
    p = params(num_trees=40, tol=0.02)
    results, transcript = trained(p, split(2, x, y))
    found, _, losses = twin(p, x, y, transcript)
    assert 2 < len(found) < 40
    assert_same_trees(results[SHOP][0], found)
    steps = np.abs(np.diff(losses))
    assert steps[-1] < 0.02 <= steps[:-1].min()
    on, _ = trained(
        params(num_trees=len(found) + 2, tol=0.02, n_iter_no_change=False), split(2, x, y)
    )
    assert on[G][0].param.tree_num == len(found) + 2


# What leaves a party.


@pytest.fixture(scope="module")
def two_hosts():
    return trained(params(num_trees=2), split(2, *data()))


def test_parties_exchange_exactly_the_declared_messages(two_hosts, golden):
    _, transcript = two_hosts
    lines = {
        (s.message, str(s.src), str(s.dst), s.envelope.kind, codec.describe(s.value))
        for s in transcript
    }
    golden("homo_secureboost_two_hosts", sorted(map(list, lines)))


def test_clients_send_the_arbiter_nothing_in_the_clear_but_the_outline(two_hosts):
    _, transcript = two_hosts
    plain = {
        s.message
        for s in transcript
        if s.dst == JUDGE and s.envelope.kind == "plain" and s.src != JUDGE
    }
    assert plain == {Wire.keys.name, Wire.heard.name, Wire.outline.name}


def test_no_partys_counts_or_sums_are_in_what_it_sends():
    """The same rows twice: with masks nothing of what is sent is the same."""
    rows = split(1, *data())
    sent = [
        np.concatenate(
            [s.value for s in trained(params(), rows)[1] if s.message == Wire.masked.name]
        )
        for _ in range(2)
    ]
    assert len(sent[0]) == len(sent[1]) > 1000
    assert np.intersect1d(*sent).size == 0


def test_what_is_told_of_bins_is_of_all_rows_together(two_hosts):
    """No question of the search is narrower than needed: no party's lowest or highest value."""
    _, transcript = two_hosts
    x, _ = data()
    cuts = cuts_of(transcript, 8)
    for j in (0, 2, 3):
        assert not np.isin(cuts.upper[j], x[:, j]).any()
        assert cuts.upper[j][-1] == np.finfo(float).max


def test_clients_learn_the_number_of_rows_to_a_power_of_two(two_hosts):
    assert set(told(two_hosts[1], "size")) == {7}


def test_a_training_takes_few_messages(two_hosts):
    """Per round: one sum for the loss, one for each level."""
    _, transcript = two_hosts
    sums = len(
        {s.envelope.number for s in transcript if s.message == Wire.masked.name and s.src == G}
    )
    assert sums == 1 + len(told(transcript, "query")) - 1 + 2 * (1 + 3) + 1
    assert len([s for s in transcript if s.src == G]) < 100


# Parties that are lost.


class Gone(Exception):
    pass


def leaving(ctx, message, after):
    """This party is over when it would receive a message for so many times."""
    get, left = ctx.get, [after]

    def limited(asked, *given, **more):
        if asked is message:
            left[0] -= 1
            if left[0] < 0:
                raise Gone
        return get(asked, *given, **more)

    ctx.get = limited


def with_a_loss(hosts, message, after, p):
    x, y = data()
    rows = split(hosts, x, y)
    gone = CLIENTS[hosts][-1]

    def client(ctx):
        if ctx.me == gone:
            leaving(ctx, message, after)
        try:
            return HomoSecureBoost(p).stage("fit", ctx.role)(ctx, rows[ctx.me], None, None)
        except Gone:
            return None

    def judge(ctx):
        HomoSecureBoost(p).fit_arbiter(ctx, None, None, None)
        return ctx.report

    results, transcript = run({**dict.fromkeys(rows, client), JUDGE: judge}, Ctx)
    left = np.concatenate([np.arange(0, 35), np.arange(35, 60)])
    return results, transcript, x[left], y[left]


def test_a_host_lost_before_a_tree_counts_for_nothing_in_it():
    p = params(num_trees=1)
    results, transcript, x, y = with_a_loss(2, Wire.turn, 0, p)
    found, _, _ = twin(p, x, y, transcript)
    assert_same_trees(results[G], found)
    assert_same_trees(results[BANK], found)
    assert results[JUDGE].told["lost_parties"] == [str(SHOP)]


def test_a_tree_ends_where_a_host_is_lost():
    """It is in the sums of the upper levels, and not to be in any of their likes again."""
    p, short = params(num_trees=2), params(num_trees=1, tree_param={"max_depth": 2})
    results, transcript, x, y = with_a_loss(2, Wire.splits, 1, p)
    found, _, _ = twin(short, *data(), transcript, rounds=1)
    codes = quantiles.binned(x, cuts_of(transcript, 8))
    at = trees.leaves(found[0][0], x)
    slopes = of_classes(2).derivatives(0.3 * found[0][0].weight[at], y.astype(float))
    scale = told(transcript, "turn")[1].scale_bits
    stats = [rounded(s, int(b)) for s, b in zip(slopes, scale, strict=True)]
    after, _ = trees.grow(
        codes, cuts_of(transcript, 8), np.column_stack(stats), p.rules, p.tree_param.max_depth
    )
    assert_same_trees(results[G], [*found, (after, np.arange(5))])
    assert_same_trees(results[BANK], [*found, (after, np.arange(5))])


def test_a_host_lost_while_bins_are_searched_does_not_end_training():
    p = params(num_trees=1)
    results, transcript, x, y = with_a_loss(2, Wire.query, 2, p)
    codes = quantiles.binned(x, cuts_of(transcript, 8))
    for j in (0, 2, 3):
        assert np.bincount(codes[j]).max() < 2.5 * len(x) / 8
    assert_same_trees(results[BANK], twin(p, x, y, transcript)[0])
    assert results[JUDGE].told["lost_parties"] == [str(SHOP)]


def test_of_two_parties_none_can_be_spared():
    with pytest.raises(PartiesLost, match="1 of 2 parties are left"):
        with_a_loss(1, Wire.splits, 1, params())


# An arbiter that is wrong.


@pytest.mark.parametrize("change", ["feature", "cut", "divided", "weights"])
def test_impossible_splits_are_refused(monkeypatch, change):
    class Wrong(homo_secureboost.Planner):
        def take(self, sums, counts):
            found = super().take(sums, counts)
            q = len(found.feature)
            new = {
                "feature": np.full(q, 99, dtype=np.int32),
                "cut": np.full(q, 99, dtype=np.int32),
                "divided": np.append(found.divided, True),
                "weights": np.zeros((40, 1)),
            }
            return type(found)(
                *(new[f] if f == change else getattr(found, f) for f in found.__struct_fields__)
            )

    monkeypatch.setattr(homo_secureboost, "Planner", Wrong)
    with pytest.raises(ProtocolViolation, match=r"arbiter 10000.*splits"):
        trained(params(num_trees=1), split(1, *data()))


@pytest.mark.parametrize("change", ["feature", "width", "cuts"])
def test_impossible_questions_and_cuts_are_refused(monkeypatch, change):
    class Wrong(homo_quantiles.Search):
        def next(self):
            found = super().next()
            if found is None:
                return None
            return replace(found, feature=found.feature + 1) if change == "feature" else found

        def cuts(self):
            found = super().cuts()
            falling = [upper[::-1] for upper in found.upper]
            return replace(found, upper=falling) if change == "cuts" else found

    monkeypatch.setattr(homo_quantiles, "Search", Wrong)
    if change == "width":
        monkeypatch.setattr(homo_quantiles.rank_search, "MAX_WIDTH", 30)
        monkeypatch.setattr(homo_quantiles.rank_search, "CELLS", 1 << 60)
    with pytest.raises(ProtocolViolation, match=r"arbiter 10000"):
        trained(params(num_trees=1), split(1, *data()))
