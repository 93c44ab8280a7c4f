import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse
from sklearn.datasets import load_breast_cancer
from sklearn.metrics import roc_auc_score
from sklearn.tree import DecisionTreeRegressor

from federatedml.maths import boosted_losses, quantiles, splits, trees
from federatedml.maths.histograms import histograms
from federatedml.maths.splits import Rules

FREE = Rules(l2=0.0, min_impurity_split=0.0)


@st.composite
def tables(draw):
    """Small tables with ties, constants and missing values."""
    n, k = draw(st.integers(2, 60)), draw(st.integers(1, 4))
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    x = rng.integers(0, draw(st.integers(1, 12)), size=(n, k)).astype(float)
    if draw(st.booleans()):
        x[rng.random(x.shape) < 0.2] = np.nan
    return x, rng


@given(tables(), st.integers(1, 9))
def test_a_value_is_in_the_first_bin_whose_cut_is_not_below_it(table, n_bins):
    x, _ = table
    cuts = quantiles.cut_points(x, n_bins)
    codes = quantiles.binned(x, cuts)
    for j, upper in enumerate(cuts.upper):
        assert len(upper) <= n_bins
        for value, code in zip(x[:, j], codes[j], strict=True):
            if np.isnan(value):
                assert code == n_bins
            else:
                assert value <= upper[code]
                assert code == 0 or value > upper[code - 1]


def test_few_distinct_values_have_a_bin_each_however_rare():
    x = np.r_[np.zeros(98), 1.0, 2.0][:, None]
    assert quantiles.cut_points(x, 3).upper[0].tolist() == [0.0, 1.0, 2.0]


def test_bins_hold_equal_shares_of_many_distinct_values():
    x = np.random.default_rng(1).normal(size=(1000, 1))
    cuts = quantiles.cut_points(x, 8)
    assert np.bincount(quantiles.binned(x, cuts)[0]).tolist() == [125] * 8


def test_sparse_rows_are_binned_like_dense_ones_and_zero_may_be_missing():
    x = np.array([[0.0, 1.0], [2.0, 0.0], [3.0, 4.0]])
    cuts = quantiles.cut_points(x, 3)
    same = quantiles.binned(sparse.csr_matrix(x), cuts)
    np.testing.assert_array_equal(same, quantiles.binned(x, cuts))
    known = quantiles.cut_points(x, 3, zero_as_missing=True)
    assert quantiles.binned(x, known, zero_as_missing=True)[:, :2].tolist() == [[3, 0], [0, 3]]


def test_impossible_numbers_of_bins_and_features_are_refused():
    with pytest.raises(ValueError, match="bin_num is 0"):
        quantiles.cut_points(np.ones((2, 1)), 0)
    cuts = quantiles.cut_points(np.ones((2, 1)), 300)
    assert cuts.dtype is np.uint16
    with pytest.raises(ValueError, match="2 features"):
        quantiles.binned(np.ones((2, 2)), cuts)


@given(tables(), st.integers(1, 3), st.integers(1, 4))
def test_histograms_are_sums_by_node_feature_and_bin(table, n_outputs, cores):
    x, rng = table
    n, k = x.shape
    cuts = quantiles.cut_points(x, 4)
    codes = quantiles.binned(x, cuts)
    rows = np.flatnonzero(rng.random(n) < 0.7)
    node = rng.integers(0, 3, len(rows)).astype(np.int32)
    stats = rng.normal(size=(len(rows), 2 * n_outputs))
    found, counts = histograms(codes, 4, rows, node, 3, stats, cores=cores)
    for j in range(k):
        wanted = np.zeros((3, 5, 2 * n_outputs))
        np.add.at(wanted, (node, codes[j, rows]), stats)
        np.testing.assert_allclose(found[:, j], wanted, atol=1e-12)
        tally = np.zeros((3, 5), dtype=int)
        np.add.at(tally, (node, codes[j, rows]), 1)
        np.testing.assert_array_equal(counts[:, j], tally)


def test_threads_do_not_change_a_bit():
    rng = np.random.default_rng(2)
    x = rng.normal(size=(40_000, 12))
    codes = quantiles.binned(x, quantiles.cut_points(x, 16))
    rows, node = np.arange(40_000), np.zeros(40_000, dtype=np.int32)
    stats = rng.normal(size=(40_000, 2))
    one, _ = histograms(codes, 16, rows, node, 1, stats)
    two, _ = histograms(codes, 16, rows, node, 1, stats, cores=2)
    assert one.tobytes() == two.tobytes()


def brute(x, g, h, rules):
    """The best gain over every threshold and missing direction."""
    best = -np.inf
    whole = g.sum() ** 2 / (h.sum() + rules.l2)
    for j in range(x.shape[1]):
        column = x[:, j]
        for threshold in np.unique(column[~np.isnan(column)]):
            for to_left in (False, True) if rules.use_missing else (False,):
                left = np.where(np.isnan(column), to_left, column <= threshold)
                if min(left.sum(), (~left).sum()) < rules.min_leaf_node:
                    continue
                parts = [g[s].sum() ** 2 / (h[s].sum() + rules.l2) for s in (left, ~left)]
                best = max(best, sum(parts) - whole)
    return best if best > rules.min_impurity_split + splits.TIE else -np.inf


@given(tables(), st.booleans(), st.integers(1, 5))
def test_the_best_split_is_the_best_of_all(table, use_missing, min_leaf):
    x, rng = table
    n = len(x)
    g, h = rng.normal(size=n), rng.random(n) + 0.1
    rules = Rules(l2=0.5, min_leaf_node=min_leaf, use_missing=use_missing)
    cuts = quantiles.cut_points(x, 20)
    codes = quantiles.binned(x, cuts)
    sums, counts = histograms(
        codes, 20, np.arange(n), np.zeros(n, dtype=np.int32), 1, np.column_stack([g, h])
    )
    n_cuts = np.array([len(u) for u in cuts.upper])
    found = splits.best_splits(sums, counts, n_cuts, rules)
    wanted = brute(x, g, h, rules)
    assert found.gain[0] == pytest.approx(wanted, abs=1e-7)
    if np.isfinite(wanted):
        column = codes[found.feature[0]]
        left = np.where(column == 20, found.missing_left[0], column <= found.bin[0])
        np.testing.assert_allclose(found.left[0], [g[left].sum(), h[left].sum()], atol=1e-9)
        assert found.left_count[0] == left.sum()


def test_rules_forbid_small_light_and_poor_children():
    sums = np.array([[[[-3.0, 1.0], [3.0, 1.0], [0.0, 0.0]]]])
    counts = np.array([[[2, 2, 0]]])
    n_cuts = np.array([2])
    assert np.isfinite(splits.best_splits(sums, counts, n_cuts, FREE).gain[0])
    for refused in (
        Rules(min_leaf_node=3),
        Rules(min_sample_split=5),
        Rules(min_child_weight=1.5),
        Rules(min_impurity_split=100.0),
        Rules(l1=4.0),
    ):
        assert splits.best_splits(sums, counts, n_cuts, refused).gain[0] == -np.inf


@given(tables())
def test_every_row_lies_in_the_leaf_that_prediction_finds(table):
    x, rng = table
    cuts = quantiles.cut_points(x, 6)
    stats = np.column_stack([rng.normal(size=len(x)), np.ones(len(x))])
    rules = Rules(use_missing=True, min_impurity_split=0.0)
    tree, at = trees.grow(quantiles.binned(x, cuts), cuts, stats, rules, 3)
    np.testing.assert_array_equal(trees.leaves(tree, x), at)
    leaves = np.flatnonzero(tree.feature == trees.LEAF)
    assert np.bincount(at, minlength=len(tree))[leaves].tolist() == tree.count[leaves].tolist()
    for leaf in np.unique(at):
        g, h = stats[at == leaf].sum(axis=0)
        assert tree.weight[leaf, 0] == pytest.approx(-g / (h + rules.l2))


def test_a_tree_equals_scikit_learns_where_nothing_ties():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(150, 3)), rng.normal(size=150)
    cuts = quantiles.cut_points(x, 150)
    stats = np.column_stack([-y, np.ones(150)])
    tree, at = trees.grow(quantiles.binned(x, cuts), cuts, stats, FREE, 4)
    twin = DecisionTreeRegressor(max_depth=4).fit(x, y)
    np.testing.assert_allclose(tree.weight[at, 0], twin.predict(x), atol=1e-9)


def test_rows_left_out_are_in_no_leaf():
    x = np.arange(10.0)[:, None]
    cuts = quantiles.cut_points(x, 10)
    stats = np.column_stack([np.where(x[:, 0] < 5, 1.0, -1.0), np.ones(10)])
    rows = np.array([1, 2, 8, 9])
    tree, at = trees.grow(quantiles.binned(x, cuts), cuts, stats, FREE, 2, rows=rows)
    assert set(np.flatnonzero(at < 0)) == {0, 3, 4, 5, 6, 7}
    assert tree.count[0] == 4


@pytest.mark.parametrize("n_classes", [2, 3])
def test_class_derivatives_are_those_of_the_loss(n_classes):
    rng = np.random.default_rng(6)
    loss = boosted_losses.of_classes(n_classes)
    y = rng.integers(0, n_classes, 20).astype(float)
    score = rng.normal(size=(20, 1 if n_classes == 2 else n_classes))
    assert_derivatives(loss, score, y)
    if n_classes == 3:
        np.testing.assert_allclose(loss.mean(score).sum(axis=1), 1.0)


@pytest.mark.parametrize(
    ("objective", "params"),
    [
        ("lse", []),
        ("log_cosh", []),
        ("huber", [1.5]),
        ("fair", [2.0]),
        ("tweedie", [1.5]),
        ("tweedie", [1.0]),
    ],
)
def test_regression_derivatives_are_those_of_the_loss(objective, params):
    rng = np.random.default_rng(7)
    loss = boosted_losses.of_numbers(objective, params)
    y = rng.random(20) * 3
    assert_derivatives(loss, rng.normal(size=(20, 1)), y)
    assert np.isfinite(loss.start(y))


def assert_derivatives(loss, score, y):
    g, h = loss.derivatives(score, y)
    for c in range(score.shape[1]):
        step = np.zeros_like(score)
        step[:, c] = 1e-5
        up, down = loss.value(score + step, y), loss.value(score - step, y)
        np.testing.assert_allclose(g[:, c], (up - down) / 2e-5, atol=1e-5)
        slopes = [loss.derivatives(score + s, y)[0][:, c] for s in (step, -step)]
        np.testing.assert_allclose(h[:, c], (slopes[0] - slopes[1]) / 2e-5, atol=1e-5)


def test_the_absolute_loss_has_sign_and_one():
    loss = boosted_losses.of_numbers("lae", [])
    g, h = loss.derivatives(np.array([[2.0], [0.0]]), np.array([1.0, 1.0]))
    assert (g.ravel().tolist(), h.ravel().tolist()) == ([1.0, -1.0], [1.0, 1.0])
    assert loss.start(np.array([1.0, 5.0, 2.0])) == 2.0


@pytest.mark.parametrize(
    ("objective", "params", "words"),
    [
        ("huber", [], "above 0"),
        ("fair", [-1.0], "above 0"),
        ("tweedie", [2.0], "below 2"),
        ("mse", [], "none of"),
    ],
)
def test_impossible_objectives_are_refused(objective, params, words):
    with pytest.raises(ValueError, match=words):
        boosted_losses.of_numbers(objective, params)


def test_boosting_on_the_kernels_learns_breast_cancer():
    x, y = load_breast_cancer(return_X_y=True)
    loss, cuts = boosted_losses.of_classes(2), quantiles.cut_points(x, 32)
    codes = quantiles.binned(x, cuts)
    score = np.zeros((len(x), 1))
    for _ in range(5):
        tree, at = trees.grow(codes, cuts, np.hstack(loss.derivatives(score, y)), Rules(), 3)
        score += 0.3 * tree.weight[at]
    assert roc_auc_score(y, score[:, 0]) > 0.99
