"""Metrics against scikit-learn, and curves against their definitions read one by one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn import metrics as sk

from federatedml.maths import clustering_metrics as clustering
from federatedml.maths import curves, metrics


def sample(n=569, ties=False, seed=3):
    rng = np.random.default_rng(seed)
    y = (rng.random(n) < 0.63).astype(np.int64)
    scores = 1 / (1 + np.exp(-rng.normal(2.0 * y - 0.8, 1.2)))
    return y, np.round(scores, 1) if ties else scores


def confusion_by_hand(y, scores, threshold):
    said = scores > threshold
    pairs = ((1, 1), (1, 0), (0, 1), (0, 0))
    return tuple(int(np.sum((said == a) & (y == b))) for a, b in pairs)


@pytest.mark.parametrize("ties", [False, True])
def test_auc_is_scikit_learns_and_ks_is_the_greatest_distance_of_the_rates(ties):
    y, scores = sample(ties=ties)
    ranking = curves.Ranking(y, scores)
    assert curves.auc(ranking) == pytest.approx(sk.roc_auc_score(y, scores), abs=1e-14)
    value, fpr, tpr = curves.ks(ranking)
    falling = np.sort(scores)[::-1]
    by_hand = []
    for cut in range(100):
        tp, fp, fn, tn = confusion_by_hand(y, scores, falling[569 * cut // 100])
        by_hand.append((fp / (fp + tn), tp / (tp + fn)))
    assert np.allclose(np.column_stack([fpr.y, tpr.y]), [*by_hand, (1.0, 1.0)])
    assert value == pytest.approx(max(t - f for f, t in by_hand))


def test_curves_of_569_rows_have_the_lengths_that_fates_clients_know():
    ranking = curves.Ranking(*sample())
    _, fpr, tpr = curves.ks(ranking)
    assert len(fpr.x) == len(tpr.y) == 101
    assert len(fpr.thresholds) == 100
    for curve in (curves.lift(ranking), curves.gain(ranking), curves.roc(ranking)):
        assert len(curve.x) == len(curve.y) == len(curve.thresholds) == 101
        assert curve.x[-1] == 1.0
    accuracy = curves.accuracy(ranking)
    assert (len(accuracy.x), len(accuracy.thresholds), accuracy.x[-1]) == (100, 100, 0.99)
    assert [len(part) for part in curves.f1(ranking)] == [100, 100]
    assert [len(part) for part in curves.quantile_pr(ranking)] == [21, 21, 21]


@pytest.mark.parametrize("ties", [False, True])
def test_every_point_of_a_curve_is_what_its_threshold_counts(ties):
    y, scores = sample(ties=ties)
    ranking, n = curves.Ranking(y, scores), len(y)
    lift, gain, accuracy = curves.lift(ranking), curves.gain(ranking), curves.accuracy(ranking)
    for i, threshold in enumerate(lift.thresholds):
        tp, fp, fn, _ = confusion_by_hand(y, scores, threshold)
        precision = tp / (tp + fp) if tp + fp else 1.0
        assert lift.x[i] == gain.x[i] == (tp + fp) / n
        assert lift.y[i] == pytest.approx(precision / ((tp + fn) / n))
        assert gain.y[i] == pytest.approx(tp / (tp + fn))
    for i, threshold in enumerate(accuracy.thresholds):
        tp, _, _, tn = confusion_by_hand(y, scores, threshold)
        assert accuracy.y[i] == (tp + tn) / n
    precision, recall = curves.precision_recall(ranking)
    assert len(set(recall.y)) == len(recall.y)
    for i, threshold in enumerate(precision.thresholds):
        said = scores > threshold
        expected = sk.precision_score(y, said, zero_division=1.0)
        assert precision.y[i] == pytest.approx(expected)
        assert recall.y[i] == pytest.approx(sk.recall_score(y, said))


def test_f1_and_quantile_pr_are_scikit_learns_at_their_thresholds():
    y, scores = sample()
    ranking = curves.Ranking(y, scores)
    for value, threshold in zip(*curves.f1(ranking), strict=True):
        assert value == pytest.approx(sk.f1_score(y, scores > threshold, zero_division=0.0))
    precision, recall, thresholds = curves.quantile_pr(ranking)
    assert (thresholds[0], thresholds[-1]) == (scores.min(), scores.max())
    for p, r, threshold in zip(precision, recall, thresholds, strict=True):
        assert p == pytest.approx(sk.precision_score(y, scores > threshold, zero_division=1.0))
        assert r == pytest.approx(sk.recall_score(y, scores > threshold))


def test_scores_that_are_all_equal_have_the_diagonal_for_a_roc_curve():
    ranking = curves.Ranking(np.array([0, 1, 1, 0]), np.full(4, 0.3))
    roc = curves.roc(ranking)
    assert roc.x.tolist()[0] == roc.y.tolist()[0] == 0.0
    assert roc.x.tolist()[-1] == roc.y.tolist()[-1] == 1.0
    assert (roc.x == roc.y).all()
    assert curves.auc(ranking) == 0.5
    assert curves.ks(ranking)[0] == 0.0


def test_roc_holds_the_corners_of_scikit_learns_curve_and_ends_in_one_one():
    y, scores = sample(60)
    roc = curves.roc(curves.Ranking(y, scores))
    fpr, tpr, _ = sk.roc_curve(y, scores)
    ours = set(zip(roc.x, roc.y, strict=True))
    assert set(zip(fpr, tpr, strict=True)) <= ours
    assert (roc.x[-1], roc.y[-1]) == (1.0, 1.0)
    assert roc.thresholds[0] == scores.max() + 1
    assert np.all(np.diff(roc.thresholds) <= 0)


def test_a_small_sample_by_hand():
    y = np.array([1, 0, 1, 1, 0])
    ranking = curves.Ranking(y, np.array([0.9, 0.8, 0.7, 0.7, 0.1]))
    assert curves.auc(ranking) == pytest.approx(4 / 6)
    value, fpr, tpr = curves.ks(ranking)
    assert value == pytest.approx(1 / 2)
    assert (fpr.y[40], tpr.y[40]) == (1 / 2, 1 / 3)
    counts = ranking.at(np.array([0.7, 0.0]))
    assert [c.tolist() for c in (counts.tp, counts.fp, counts.fn, counts.tn)] == [
        [1, 3], [1, 2], [2, 0], [1, 0],
    ]  # fmt: skip
    precision, recall = curves.precision_recall(ranking)
    assert recall.y.tolist() == pytest.approx([0, 1 / 3, 1])
    assert precision.y.tolist() == pytest.approx([1, 1, 3 / 4])


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auc_holds_for_any_ties(rows):
    y = np.array([int(one) for one, _ in rows])
    scores = np.array([float(score) for _, score in rows])
    ranking = curves.Ranking(y, scores)
    assert ranking.has_both_classes == (0 < y.sum() < len(y))
    if ranking.has_both_classes:
        assert curves.auc(ranking) == pytest.approx(sk.roc_auc_score(y, scores), abs=1e-12)
        assert 0 <= curves.ks(ranking)[0] <= 1


def psi_by_hand(expected, actual):
    edges = sorted(set(np.quantile(expected, np.arange(21) * 0.05, method="nearest")))
    total = 0.0
    for i in range(len(edges) - 1):
        last = i == len(edges) - 2
        shares = []
        for of in (expected, actual):
            inside = (of >= edges[i]) & ((of <= edges[i + 1]) if last else (of < edges[i + 1]))
            shares.append((inside.sum() or 1e-6) / len(of))
        total += (shares[1] - shares[0]) * np.log(shares[1] / shares[0])
    return total


@pytest.mark.parametrize("ties", [False, True])
def test_psi_counts_rows_between_the_quantiles_of_the_expected_scores(ties):
    (y, expected), (y_after, actual) = sample(ties=ties), sample(300, ties=ties, seed=5)
    found = curves.psi(curves.Ranking(y, expected), curves.Ranking(y_after, actual))
    assert found.total == pytest.approx(psi_by_hand(expected, actual))
    assert found.expected.sum() == pytest.approx(569)
    assert np.all((found.expected_positive >= 0) & (found.expected_positive <= 1))
    assert curves.psi(*[curves.Ranking(y, expected)] * 2).total == pytest.approx(0)


def test_psi_of_scores_that_are_all_one_value_is_one_interval():
    ranking = curves.Ranking(np.array([0, 1, 1]), np.full(3, 0.5))
    found = curves.psi(ranking, ranking)
    assert (len(found.scores), found.total, found.expected.tolist()) == (1, 0.0, [3.0])


REGRESSION_TWINS = {
    "explained_variance": sk.explained_variance_score,
    "mean_absolute_error": sk.mean_absolute_error,
    "mean_squared_error": sk.mean_squared_error,
    "mean_squared_log_error": sk.mean_squared_log_error,
    "median_absolute_error": sk.median_absolute_error,
    "r2_score": sk.r2_score,
    "root_mean_squared_error": lambda y, p: np.sqrt(sk.mean_squared_error(y, p)),
}


@pytest.mark.parametrize("name", sorted(metrics.REGRESSION))
def test_regression_metrics_are_scikit_learns(name):
    rng = np.random.default_rng(0)
    y = rng.random(201) * 9
    p = np.abs(y + rng.normal(size=201))
    constant = np.full(201, 2.0)
    for truth, said in ((y, p), (constant, constant), (constant, p)):
        expected = REGRESSION_TWINS[name](truth, said)
        assert metrics.REGRESSION[name](truth, said) == pytest.approx(expected, abs=1e-12)


def test_a_logarithmic_error_of_values_without_logarithm_is_refused():
    with pytest.raises(ValueError, match="above -1"):
        metrics.mean_squared_log_error(np.array([1.0, -2.0]), np.array([1.0, 2.0]))


def test_scores_of_several_classes_are_scikit_learns_even_for_a_class_never_predicted():
    rng = np.random.default_rng(1)
    y, p = rng.integers(0, 5, 300), rng.integers(0, 4, 300)
    found = metrics.per_class(y, p, 5)
    assert found.accuracy == pytest.approx(sk.accuracy_score(y, p))
    expected = sk.precision_score(y, p, average=None, zero_division=0.0)
    assert found.precision == pytest.approx(expected)
    assert found.recall == pytest.approx(sk.recall_score(y, p, average=None))


def test_clustering_metrics_are_scikit_learns():
    rng = np.random.default_rng(2)
    y = rng.integers(0, 3, 400)
    p = np.where(rng.random(400) < 0.7, y, rng.integers(0, 4, 400))
    table = clustering.contingency(y, p, 3, 4)
    assert table.tolist() == sk.cluster.contingency_matrix(y, p).tolist()
    assert clustering.adjusted_rand_score(table) == pytest.approx(sk.adjusted_rand_score(y, p))
    assert clustering.fowlkes_mallows_score(table) == pytest.approx(sk.fowlkes_mallows_score(y, p))
    jaccard = sk.jaccard_score(y, p, average="weighted")
    assert clustering.jaccard_similarity_score(y, p, 4) == pytest.approx(jaccard)


def test_clusters_that_say_nothing_and_clusters_that_say_all():
    alone = clustering.contingency(np.arange(4), np.zeros(4, dtype=np.int64), 4, 1)
    assert clustering.fowlkes_mallows_score(alone) == 0.0
    assert clustering.adjusted_rand_score(alone) == 0.0
    perfect = clustering.contingency(np.array([0, 0, 1]), np.array([1, 1, 0]), 2, 2)
    assert clustering.adjusted_rand_score(perfect) == 1.0
    assert clustering.fowlkes_mallows_score(perfect) == pytest.approx(1.0)


def test_the_davies_bouldin_index_is_scikit_learns():
    rng = np.random.default_rng(4)
    x, p = rng.normal(size=(90, 3)), rng.integers(0, 3, 90)
    x += p[:, None] * 2.0
    centroids = np.array([x[p == k].mean(axis=0) for k in range(3)])
    spread = np.array([np.linalg.norm(x[p == k] - centroids[k], axis=1).mean() for k in range(3)])
    apart = ((centroids[:, None] - centroids[None]) ** 2).sum(axis=2)
    expected = sk.davies_bouldin_score(x, p)
    assert clustering.davies_bouldin_index(spread, apart) == pytest.approx(expected)
    assert clustering.nearest(apart).tolist() == [1, int(apart[1, 0] > apart[1, 2]) * 2, 1]


@pytest.mark.slow
def test_a_million_rows_are_scored_exactly():
    y, scores = sample(1_000_000, ties=False)
    ranking = curves.Ranking(y, np.round(scores, 5))
    assert curves.auc(ranking) == pytest.approx(sk.roc_auc_score(y, np.round(scores, 5)), abs=1e-12)
    assert len(curves.roc(ranking).x) == 101
