"""HomoSecureBoost: the trees of the pooled rows, split by split; only sums leave a party."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import sparse

from federatedml.component import Ctx
from federatedml.components.homo_secureboost import HomoSecureBoost
from federatedml.data.frame import Frame, FrameSchema
from federatedml.homo_boosting import read
from federatedml.homo_trees import rounded
from federatedml.maths import boosted_losses, quantiles, trees
from federatedml.params import parse
from federation import ARBITER, GUEST, HOST, Party
from federation.transport.inproc import run

G, BANK, SHOP, MILL = Party(GUEST, "9999"), *(Party(HOST, f"1000{i}") for i in range(3))
JUDGE = Party(ARBITER, "10000")
CLIENTS = {1: (G, BANK), 2: (G, BANK, SHOP), 3: (G, BANK, SHOP, MILL)}
TWO, THREE = CLIENTS[1], CLIENTS[2]
N, K = 90, 5
PARTS = {1: [0, 35, 90], 2: [0, 35, 60, 90], 3: [0, 35, 60, 72, 90]}


def data(n_classes=2):
    rng = np.random.default_rng(7)
    x = rng.normal(size=(N, K))
    x[:, 1] = np.round(x[:, 1])
    x[:, 4] = rng.integers(0, 3, N)
    score = x @ rng.normal(size=K) + x[:, 0] * x[:, 1] + rng.normal(size=N) / 2
    if n_classes == 0:
        return x, score
    return x, np.digitize(score, np.quantile(score, np.arange(1, n_classes) / n_classes))


def frame(x, label=None, weight=None, names=None):
    names = names or [f"x{i}" for i in range(x.shape[1])]
    return Frame(
        pa.array([f"id{i}" for i in range(x.shape[0])]),
        x,
        FrameSchema(header=names, label_name=None if label is None else "y"),
        label=label,
        weight=weight,
    )


def params(**given):
    base = {"num_trees": 3, "bin_num": 8, "tol": 0}
    return parse(HomoSecureBoost.Params, {**base, **given}, "HomoSecureBoost#homo_secureboost_0")


def split(hosts, x, label, weight=None):
    """Every client's rows of the pooled data."""
    at = PARTS[hosts]
    return {
        c: frame(x[a:b], label[a:b], None if weight is None else weight[a:b])
        for c, a, b in zip(CLIENTS[hosts], at, at[1:], strict=False)
    }


def trained(p, rows, *, starts=None, validate=None):
    """Models, predictions and reports of every party, and the transcript."""
    starts = starts or {}
    of = p if isinstance(p, dict) else dict.fromkeys((*rows, JUDGE), p)

    def client(ctx):
        boost = HomoSecureBoost(of[ctx.me])
        fit, predict = boost.stage("fit", ctx.role), boost.stage("predict", ctx.role)
        model = fit(ctx, rows[ctx.me], validate, starts.get(ctx.me))
        return model, predict(ctx, model, rows[ctx.me]), ctx.report

    def judge(ctx):
        return HomoSecureBoost(of[JUDGE]).fit_arbiter(ctx, None, None, None), None, ctx.report

    return run({**dict.fromkeys(rows, client), JUDGE: judge}, Ctx)


def told(transcript, name):
    """What the arbiter told the guest, message by message."""
    return [s.value for s in transcript if s.message.endswith(f".{name}") and s.dst == G]


def cuts_of(transcript, n_bins):
    common = told(transcript, "cuts")[0]
    return quantiles.Cuts(np.split(common.upper, np.cumsum(common.n_cuts)[:-1]), n_bins)


def twin(p, x, y, weight, transcript):
    """Trees grown on the pooled rows, with the parties' cuts, drawn columns and rounding."""
    classes = len(np.unique(y)) if p.task_type == "classification" else 0
    objective = p.objective_param
    loss = (
        boosted_losses.of_classes(classes)
        if classes
        else boosted_losses.of_numbers(objective.objective, objective.params or [])
    )
    x = np.where(x == 0, np.nan, x) if p.zero_is_missing else x
    cuts, c = cuts_of(transcript, p.bin_num), classes if classes > 2 else 1
    codes, score, found = quantiles.binned(x, cuts), np.zeros((len(x), c)), []
    for turn in told(transcript, "turn")[:-1]:
        g, h = loss.derivatives(score, y.astype(float))
        if weight is not None:
            g, h = g * weight[:, None], h * weight[:, None]
        g, h = (rounded(part, int(b)) for part, b in zip((g, h), turn.scale_bits, strict=True))
        vector = p.multi_mode == "multi_output"
        for i, drawn in enumerate(turn.features):
            stats = np.column_stack([g, h] if vector or c == 1 else [g[:, i], h[:, i]])
            part = quantiles.Cuts([cuts.upper[j] for j in drawn], cuts.n_bins)
            tree, at = trees.grow(
                np.ascontiguousarray(codes[drawn]), part, stats, p.rules, p.tree_param.max_depth
            )
            found.append((tree, drawn))
            score[:, slice(None) if vector else [i]] += p.learning_rate * tree.weight[at]
    return found, loss.mean(score)


def assert_same_trees(model, found):
    assert len(model.param.trees) == len(found)
    for stored, (tree, drawn) in zip(model.param.trees, found, strict=True):
        mine, inner = read(stored), tree.feature >= 0
        np.testing.assert_array_equal(mine.left, tree.left)
        np.testing.assert_array_equal(mine.feature[inner], drawn[tree.feature[inner]])
        np.testing.assert_array_equal(mine.threshold[inner], tree.threshold[inner])
        np.testing.assert_array_equal(mine.missing_left, tree.missing_left)
        np.testing.assert_array_equal(mine.weight, tree.weight)


def holes(x):
    x = x.copy()
    x[np.random.default_rng(3).random(x.shape) < 0.2] = np.nan
    return x


# Equal to pooled training.

REGRESSION = {"task_type": "regression"}
CASES = {
    "binary": (2, {}),
    "classes": (3, {"num_trees": 2}),
    "vector": (4, {"num_trees": 2, "multi_mode": "multi_output"}),
    "lse": (0, {**REGRESSION, "objective_param": {"objective": "lse"}}),
    "drawn": (3, {"subsample_feature_rate": 0.5}),
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
    found, said = twin(p, x, y, None, transcript)
    assert any(len(tree) > 3 for tree, _ in found)
    for c in CLIENTS[hosts]:
        assert_same_trees(results[c][0], found)
    at = PARTS[hosts]
    predicted = np.concatenate([results[c][1].detail for c in CLIENTS[hosts]])
    said = np.column_stack([1 - said, said]) if n_classes == 2 else said
    np.testing.assert_allclose(predicted, said, atol=1e-12)
    assert len(at) == hosts + 2


@pytest.mark.parametrize("given", [{"use_missing": True}, {}, {"zero_as_missing": True}])
def test_missing_values_go_where_they_go_in_pooled_training(given):
    x, y = data()
    x, p = holes(x), params(**given)
    results, transcript = trained(p, split(2, x, y))
    found, said = twin(p, x, y, None, transcript)
    assert_same_trees(results[SHOP][0], found)
    predicted = np.concatenate([results[c][1].score for c in THREE])
    np.testing.assert_allclose(predicted, said[:, 0], atol=1e-12)
    if given:
        assert any(tree.missing_left.any() for tree, _ in found)


def test_sample_weights_count_as_in_pooled_training():
    x, y = data()
    weight = np.linspace(0.5, 9.0, N)
    results, transcript = trained(params(), split(2, x, y, weight))
    found, _ = twin(params(), x, y, weight, transcript)
    assert_same_trees(results[G][0], found)


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
    dense, sparse_ = trained(params(), rows)[0], trained(params(), thin)[0]
    assert dense[G][0].param.trees == sparse_[G][0].param.trees
    np.testing.assert_array_equal(dense[BANK][1].score, sparse_[BANK][1].score)
