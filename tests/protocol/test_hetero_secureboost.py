"""HeteroSecureBoost: the trees of the pooled twin, split by split; nothing undeclared leaves."""

import numpy as np
import pytest
from scipy import sparse

from federatedml.components.hetero_secureboost import HeteroSecureBoost
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import trees
from federation import GUEST, HOST
from tests.protocol.boosting_parties import (
    BANK,
    CLINIC,
    FAST,
    ONE_HOST,
    SHOP,
    THREE_HOSTS,
    G,
    frame,
    given,
    models_of,
    params,
    played,
    table,
    together,
    twin,
)  # fmt: skip

METHODS = {
    "lattice": {},
    "paillier": {"encrypt_param": FAST},
    "ou": {"encrypt_param": {"method": "OU", "key_length": 1024}},
}
BUDGET = {"lattice": 39, "paillier": 51, "ou": 51}


def equal(tree, other):
    """Split by split, and the leaves' weights."""
    assert tree.left.tolist() == other.left.tolist()
    assert tree.feature.tolist() == other.feature.tolist()
    assert tree.threshold.tolist() == other.threshold.tolist()
    inner = tree.feature >= 0
    assert tree.missing_left[inner].tolist() == other.missing_left[inner].tolist()
    np.testing.assert_allclose(tree.weight, other.weight, atol=1e-8)


def check_against_twin(p, x, y, cuts, weight=None, budget=39, columns=None):
    found, _ = played(p, given(x, y, cuts, weight), cuts)
    expected, score = twin(p, x, y, weight, budget, columns)
    grown = together(models_of(found), cuts)
    assert len(grown) == len(expected) > 0
    for tree, other in zip(grown, expected, strict=True):
        equal(tree, other)
    return found, score


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("cuts", [ONE_HOST, THREE_HOSTS], ids=["one_host", "three_hosts"])
def test_the_trees_are_those_of_the_pooled_rows_split_by_split(method, cuts):
    x, score = table()
    y = (score > 0).astype(np.int64)
    p = params(**METHODS[method])
    found, expected = check_against_twin(p, x, y, cuts, budget=BUDGET[method])
    said = found[G][0].data[0]
    np.testing.assert_allclose(said.score, 1 / (1 + np.exp(-expected[:, 0])), atol=1e-8)
    assert {me for me in cuts if me != G} <= {
        me for me in cuts if any(s == f"host:{me.party_id}" for s in asked(found))
    }, "every host splits a node, or the test shows nothing"


def asked(found):
    return {n.sitename for tree in found[G][0].model.param.trees for n in tree.tree}


def test_rows_have_weights():
    x, score = table(seed=1)
    weight = np.random.default_rng(0).uniform(0.2, 3.0, len(x))
    check_against_twin(params(), x, (score > 0).astype(np.int64), ONE_HOST, weight=weight)


@pytest.mark.parametrize("method", ["lattice", "paillier"])
def test_missing_values_go_where_they_gain_most(method):
    x, score = table(seed=2, missing=0.2)
    y = (score > 0).astype(np.int64)
    p = params(use_missing=True, **METHODS[method])
    found, _ = check_against_twin(p, x, y, THREE_HOSTS, budget=BUDGET[method])
    grown = together(models_of(found), THREE_HOSTS)
    assert any(tree.missing_left.any() for tree in grown), "none goes left, the test shows nothing"


def test_several_classes_have_a_tree_each():
    x, score = table(seed=3)
    y = np.digitize(score, np.quantile(score, [0.3, 0.7]))
    found, scores = check_against_twin(params(num_trees=2), x, y, ONE_HOST)
    said = found[G][0].data[0]
    assert said.detail.shape == (len(x), 3)
    assert (said.detail.argmax(axis=1) == scores.argmax(axis=1)).all()


@pytest.mark.parametrize("method", ["lattice", "ou"])
def test_several_classes_share_a_tree_with_multi_output(method):
    x, score = table(seed=3)
    y = np.digitize(score, np.quantile(score, [0.3, 0.7]))
    p = params(num_trees=2, multi_mode="multi_output", **METHODS[method])
    check_against_twin(p, x, y, ONE_HOST, budget=BUDGET[method])


@pytest.mark.parametrize("objective", ["lse", "lae", "log_cosh", "huber", "fair", "tweedie"])
def test_every_objective_of_a_regression(objective):
    x, score = table(seed=4)
    y = np.exp(score / 3) if objective == "tweedie" else score
    numbers = {"huber": [1.0], "fair": [1.0], "tweedie": [1.5]}.get(objective)
    p = params(task_type="regression", objective_param={"objective": objective, "params": numbers})
    found, _ = check_against_twin(p, x, y, ONE_HOST)
    losses = found[G][1].told["loss_history"]
    assert losses == sorted(losses, reverse=True)


def test_minimum_rows_of_a_leaf_hold_at_hosts_too():
    x, score = table(seed=5)
    y = (score > 0).astype(np.int64)
    tree = {"max_depth": 4, "min_leaf_node": 12, "min_sample_split": 30, "min_child_weight": 2}
    for method, encrypt in METHODS.items():
        p = params(num_trees=2, tree_param=tree, **encrypt)
        found, _ = check_against_twin(p, x, y, ONE_HOST, budget=BUDGET[method])
        counts = [c for t in found[G][0].model.param.trees for c in t.leaf_count.values()]
        assert min(counts) >= 12


def test_mix_grows_whole_trees_by_turns():
    x, score = table(seed=6)
    y = (score > 0).astype(np.int64)
    p = params(boosting_strategy="mix", tree_num_per_party=1, num_trees=4)
    columns = [range(*THREE_HOSTS[me]) for me in (G, BANK, SHOP, CLINIC)]
    found, _ = check_against_twin(p, x, y, THREE_HOSTS, columns=columns)
    param = found[G][0].model.param
    assert param.tree_plan == ["0_-1", "1_10000", "1_10001", "1_10002"]
    assert param.model_name == "hetero_fast_sbt_mix"


def test_layered_asks_the_host_above_and_the_guest_below():
    x, score = table(seed=7)
    y = (score > 0).astype(np.int64)
    p = params(boosting_strategy="layered", guest_depth=2, host_depth=2, num_trees=2)
    found, _ = played(p, given(x, y, ONE_HOST), ONE_HOST)
    for tree in together(models_of(found), ONE_HOST):
        depth = np.zeros(len(tree), dtype=int)
        for node in range(len(tree)):
            if tree.feature[node] >= 0:
                depth[[tree.left[node], tree.right[node]]] = depth[node] + 1
        inner = tree.feature >= 0
        assert depth.max() == 4
        assert ((tree.feature[inner] >= 4) == (depth[inner] < 2)).all()
    top, _ = twin(
        params(num_trees=1, tree_param={"max_depth": 2}), x, y, columns=[range(*ONE_HOST[BANK])]
    )
    first = together(models_of(found), ONE_HOST)[0]
    assert first.threshold[:3].tolist() == top[0].threshold[:3].tolist()


def test_complete_secure_rounds_take_the_guests_columns_alone():
    x, score = table(seed=8)
    y = (score > 0).astype(np.int64)
    p = params(complete_secure=1, num_trees=2)
    columns = [range(*ONE_HOST[G]), range(9)]
    _, transcript = played(p, given(x, y, ONE_HOST), ONE_HOST)
    check_against_twin(p, x, y, ONE_HOST, columns=columns)
    sums = [e for e in transcript if e.message == "split_sums.sealed_sums"]
    assert len(sums) == 3, "one tree of three levels asks the host"


def test_a_job_without_hosts_trains_local_trees():
    x, score = table(seed=9)
    y = (score > 0).astype(np.int64)
    cuts = {G: (0, 9)}
    found, transcript = played(params(), given(x, y, cuts), cuts)
    expected, _ = twin(params(), x, y, budget=51)
    for tree, other in zip(together(models_of(found), cuts), expected, strict=True):
        equal(tree, other)
    assert not list(transcript)


def test_sparse_columns_are_the_same_as_dense_ones():
    x, score = table(seed=10)
    x[np.abs(x) < 0.7] = 0.0
    y = (score > 0).astype(np.int64)
    dense, _ = played(params(), given(x, y, ONE_HOST), ONE_HOST)
    packed = given(sparse.csr_matrix(x), y, ONE_HOST)
    same, _ = played(params(), packed, ONE_HOST)
    for one, other in zip(
        together(models_of(dense), ONE_HOST), together(models_of(same), ONE_HOST), strict=True
    ):
        equal(one, other)


def test_one_side_sampling_stays_right_over_many_rounds():
    """FATE multiplies the packing's factor once a round, and loses the gradients by round 17."""
    x, score = table(n=400, seed=11)
    y = (score > 0).astype(np.int64)
    p = params(run_goss=True, top_rate=0.3, other_rate=0.3, num_trees=24, learning_rate=0.2)
    found, _ = played(p, given(x, y, ONE_HOST), ONE_HOST)
    losses = found[G][1].told["loss_history"]
    assert losses[-1] < 0.6 * losses[5]
    late = found[G][0].model.param.trees[18:]
    assert {n.sitename for tree in late for n in tree.tree} >= {"guest:9999", "host:10000"}


def test_prediction_of_other_rows_is_that_of_the_whole_trees():
    x, score = table(seed=12, missing=0.1)
    y = (score > 0).astype(np.int64)
    p = params(use_missing=True)
    found, _ = played(p, given(x[:120], y[:120], THREE_HOSTS), THREE_HOSTS)
    models = models_of(found)
    later, _ = played(
        p, given(x[120:], y[120:], THREE_HOSTS, kind="test_data"), THREE_HOSTS, models
    )
    score = sum(
        p.learning_rate * trees.predicted(tree, x[120:]) for tree in together(models, THREE_HOSTS)
    )
    np.testing.assert_allclose(
        later[G][0].data[0].score, 1 / (1 + np.exp(-score[:, 0])), atol=1e-12
    )
    assert later[BANK][0].data == [None]


def test_eini_says_the_same_in_one_round():
    x, score = table(n=40, seed=13)
    y = (score > 0).astype(np.int64)
    p = params(num_trees=2, encrypt_param=FAST)
    found, _ = played(p, given(x, y, THREE_HOSTS), THREE_HOSTS)
    models = models_of(found)
    inputs = given(x, y, THREE_HOSTS, kind="test_data")
    walked, _ = played(p, inputs, THREE_HOSTS, models)
    hidden, transcript = played(
        params(num_trees=2, encrypt_param=FAST, EINI_inference=True), inputs, THREE_HOSTS, models
    )
    one, other = walked[G][0].data[0].score, hidden[G][0].data[0].score
    np.testing.assert_allclose(one, other, atol=1e-6)
    assert not any(e.message.startswith("tree_walk") for e in transcript)


def test_a_warm_start_goes_on_where_the_model_ended():
    x, score = table(seed=14)
    y = (score > 0).astype(np.int64)
    inputs = given(x, y, ONE_HOST)
    whole, _ = played(params(num_trees=4), inputs, ONE_HOST)
    half, _ = played(params(num_trees=2), inputs, ONE_HOST)
    rest, _ = played(params(num_trees=2), inputs, ONE_HOST, models_of(half))
    for one, other in zip(
        together(models_of(rest), ONE_HOST), together(models_of(whole), ONE_HOST), strict=True
    ):
        equal(one, other)
    a, b = rest[G][0].model.param, whole[G][0].model.param
    assert a.tree_num == 4
    np.testing.assert_allclose(a.losses, b.losses, atol=1e-9)
    assert {i.fullname: i.importance for i in a.feature_importances} == {
        i.fullname: i.importance for i in b.feature_importances
    }


def test_a_warm_start_from_other_columns_is_refused():
    x, score = table(seed=14)
    y = (score > 0).astype(np.int64)
    half, _ = played(params(num_trees=1), given(x, y, ONE_HOST), ONE_HOST)

    def renamed(me, model):
        low, high = ONE_HOST[me]
        inputs = given(x, y, ONE_HOST)(me, model)
        rows = frame(x[:, low:high], y if me == G else None, names="z")
        inputs.data["train_data"][0] = type(inputs.data["train_data"][0])("i_0", "data", rows)
        return inputs

    with pytest.raises(BadModel, match="columns, which are not those of this data"):
        played(params(num_trees=1), renamed, ONE_HOST, models_of(half))


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"learning_rate": 0.1}, "learning_rate"),
        ({"objective_param": {"objective": "lae"}}, "objective"),
        ({"zero_as_missing": True}, "zero_as_missing"),
    ],
)
def test_a_warm_start_with_settings_that_old_trees_do_not_share_is_refused(changed, told):
    x, score = table(seed=14)
    inputs = given(x, score, ONE_HOST)
    asked = {"task_type": "regression", "objective_param": {"objective": "lse"}, "num_trees": 1}
    half, _ = played(params(**asked), inputs, ONE_HOST)
    with pytest.raises(BadModel, match=f"trained with another {told}; give the same"):
        played(params(**asked | changed), inputs, ONE_HOST, models_of(half))


def test_training_stops_when_the_loss_rests():
    x, score = table(seed=15)
    y = (score > 0).astype(np.int64)
    p = params(num_trees=30, tol=0.05)
    found, _ = played(p, given(x, y, ONE_HOST), ONE_HOST)
    told = found[G][1].told
    assert told["is_converged"]
    assert len(told["loss_history"]) < 30
    assert found[BANK][1].told["is_converged"]


def test_early_stopping_keeps_the_best_rounds_at_every_party():
    x, score = table(n=240, seed=16)
    y = (score + np.random.default_rng(3).normal(size=240) * 2 > 0).astype(np.int64)
    p = params(
        num_trees=30,
        tree_param={"max_depth": 4},
        learning_rate=0.8,
        callback_param={
            "callbacks": ["EarlyStopping"], "validation_freqs": 1, "early_stopping_rounds": 2,
            "metrics": ["auc"],
        },
    )  # fmt: skip

    def inputs(me, model):
        named = given(x[:160], y[:160], ONE_HOST)(me, model)
        later = given(x[160:], y[160:], ONE_HOST, kind="validate_data")(me, model)
        return type(named)({**named.data, **later.data})

    found, _ = played(p, inputs, ONE_HOST)
    best = {me: m.param.best_iteration for me, m in models_of(found).items()}
    assert 0 <= best[G] == best[BANK] < 28
    assert found[G][0].model.param.tree_num == found[BANK][0].model.param.tree_num == best[G] + 1
    assert len(together(models_of(found), ONE_HOST)) == best[G] + 1


@pytest.mark.parametrize("kind", ["split", "gain"])
def test_importance_names_hosts_columns_anonymously(kind):
    x, score = table(seed=17)
    y = (score > 0).astype(np.int64)
    p = params(tree_param={"max_depth": 3, "feature_importance_type": kind})
    found, _ = played(p, given(x, y, ONE_HOST), ONE_HOST)
    told = found[G][1].told["feature_importance"]
    assert any(name.startswith("host_10000_x") for name in told)
    grown = together(models_of(found), ONE_HOST)
    counts = np.bincount(np.concatenate([t.feature[t.feature >= 0] for t in grown]), minlength=9)
    names = ["x0", "x1", "x2", "x3", *(f"host_10000_x{i}" for i in range(5))]
    if kind == "split":
        assert told == {n: c for n, c in zip(names, counts.tolist(), strict=True) if c}
    else:
        assert set(told) == {n for n, c in zip(names, counts, strict=True) if c}
        assert min(told.values()) > 0
    own = {i.fullname: i.importance for i in found[BANK][0].model.param.feature_importances}
    assert own == {f"x{i}": c for i, c in enumerate(counts[4:].tolist()) if c}


def test_a_hosts_model_holds_no_weight_no_count_and_no_label():
    x, score = table(seed=18)
    y = (score > 0).astype(np.int64)
    found, _ = played(params(), given(x, y, ONE_HOST), ONE_HOST)
    param = found[BANK][0].model.param
    assert not param.losses
    assert not param.classes
    assert not param.init_score
    for tree in param.trees:
        assert not tree.leaf_count
        assert all(n.weight == 0.0 and not n.mo_weight for n in tree.tree)
    guest = found[G][0].model.param
    for mine, theirs in zip(guest.trees, param.trees, strict=True):
        assert not set(mine.split_maskdict) & set(theirs.split_maskdict)


def test_with_the_lattice_a_host_learns_rows_of_its_own_nodes_alone():
    x, score = table(seed=19)
    y = (score > 0).astype(np.int64)
    found, transcript = played(params(), given(x, y, THREE_HOSTS), THREE_HOSTS)
    grown = found[G][0].model.param.trees
    for host in (BANK, SHOP, CLINIC):
        nodes = sum(n.sitename == f"host:{host.party_id}" for t in grown for n in t.tree)
        told = [e for e in transcript if e.message == "tree_growth.to_divide" and e.dst == host]
        assert sum(len(e.value.node) for e in told) == nodes
    assert not [e for e in transcript if e.message == "split_sums.nodes_asked"]


def test_the_messages_of_a_tree(golden):
    x, score = table(seed=20)
    y = (score > 0).astype(np.int64)
    for name, method in (("lattice", {}), ("paillier", {"encrypt_param": FAST})):
        p = params(num_trees=1, tree_param={"max_depth": 2}, **method)
        _, transcript = played(p, given(x, y, ONE_HOST), ONE_HOST)
        golden(
            f"hetero_secureboost_{name}",
            {
                str(me): [
                    f"{e.message} {e.envelope.kind} {e.envelope.shape}"
                    for e in transcript
                    if e.src == me and e.message != "agreement.rows"
                ]
                for me in ONE_HOST
            },
        )


# Input that cannot be trained on, or nearly.


def test_constant_columns_are_never_asked():
    x, score = table(seed=21)
    x[:, [1, 5]] = 7.0
    y = (score > 0).astype(np.int64)
    found, _ = played(params(), given(x, y, ONE_HOST), ONE_HOST)
    asked_columns = {f for t in together(models_of(found), ONE_HOST) for f in t.feature.tolist()}
    assert not asked_columns & {1, 5}


def test_a_host_of_constant_columns_alone_is_not_asked():
    x, score = table(seed=21)
    x[:, 4:] = 7.0
    y = (score > 0).astype(np.int64)
    for method in METHODS.values():
        found, transcript = played(params(**method), given(x, y, ONE_HOST), ONE_HOST)
        assert asked(found) == {"guest:9999", ""}
        names = {e.message for e in transcript}
        assert not names & {"split_sums.counted_rows", "split_sums.masked_words"}


def test_a_guest_without_columns_lets_hosts_split():
    x, score = table(seed=22)
    y = (score > 0).astype(np.int64)
    cuts = {G: (0, 0), BANK: (0, 9)}
    check_against_twin(params(), x, y, cuts)


def test_one_class_is_refused():
    x, _ = table()
    with pytest.raises(BadData, match="two classes are needed"):
        played(params(), given(x, np.ones(len(x), dtype=np.int64), ONE_HOST), ONE_HOST)


def test_infinite_values_are_refused_by_their_anonymous_name():
    x, score = table()
    x[3, 5] = np.inf
    with pytest.raises(BadData, match=r"infinite values: 1 \(x1\)"):
        played(params(), given(x, (score > 0).astype(np.int64), ONE_HOST), ONE_HOST)


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"bin_num": 65536}, "65535"),
        ({"top_rate": 0.7, "other_rate": 0.4, "run_goss": True}, "top_rate"),
        ({"tree_param": {"max_depth": 0}}, "max_depth"),
        ({"objective_param": {"objective": "huber", "params": None}}, "huber"),
        ({"task_type": "regression"}, "cross_entropy"),
        ({"multi_mode": "multi_output", "boosting_strategy": "mix"}, "multi_output"),
    ],
)
def test_impossible_parameters_are_refused_in_words(wrong, words):
    with pytest.raises(BadParameters, match=words):
        params(**wrong)


def test_layered_takes_one_host():
    x, score = table()
    with pytest.raises(BadParameters, match="layered takes one host, not 3"):
        played(
            params(boosting_strategy="layered"),
            given(x, (score > 0).astype(np.int64), THREE_HOSTS),
            THREE_HOSTS,
        )


def test_roles_are_guest_and_host():
    assert HeteroSecureBoost.roles() == {GUEST, HOST}


def test_a_key_too_short_for_the_statistics_is_refused_with_the_least_length():
    x, score = table()
    y = (score > 0).astype(np.int64)
    p = params(encrypt_param={"method": "OU", "key_length": 256})
    with pytest.raises(BadParameters, match="key_length"):
        played(p, given(x, y, ONE_HOST), ONE_HOST)
