"""Curves of a binary classifier: true and false positives as the threshold falls.

Everything is read off one sorting of the scores: a threshold t predicts positive the rows whose
score is strictly above t, so counts at any thresholds are two look-ups each. Choice of
thresholds: FATE 1.x behaviour (components-models J.2), docs/compat/evaluation.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

N_CUTS = 100
"""Points of a curve: a threshold every 1 %."""

QUANTILES = np.round(np.arange(21) * 0.05, 3)


@dataclass(frozen=True)
class Curve:
    """x, y: (m,) points; thresholds: (m,), falling, the score above which a row is positive."""

    x: Floats
    y: Floats
    thresholds: Floats


@dataclass(frozen=True)
class Counts:
    """Confusion matrices at (m,) thresholds."""

    tp: Ints
    fp: Ints
    fn: Ints
    tn: Ints


class Ranking:
    """n binary labels ordered by falling score.

    y: (n,) 0 or 1. scores: (n,) finite.
    """

    def __init__(self, y: NDArray[np.int64], scores: Floats) -> None:
        order = np.argsort(-scores, kind="stable")
        self.scores: Floats = scores[order]
        hits = np.cumsum(y[order])
        self._tp = np.concatenate([[0], hits])
        self.n = len(y)
        self.n_positive = int(hits[-1]) if self.n else 0
        self.n_negative = self.n - self.n_positive

    @property
    def has_both_classes(self) -> bool:
        return self.n_positive > 0 and self.n_negative > 0

    @cached_property
    def distinct(self) -> Floats:
        """(u,) the different scores, falling."""
        first: Floats = self.scores[np.concatenate([[True], np.diff(self.scores) != 0])]
        return first

    @cached_property
    def stepped(self) -> Floats:
        """(100,) thresholds: every 1 % of the different scores."""
        return self.distinct[_every_percent(len(self.distinct))]

    @cached_property
    def stepped_to_end(self) -> Floats:
        """(101,) ``stepped`` and one below all scores."""
        thresholds: Floats = np.append(self.stepped, self.scores[-1] - 0.001)
        return thresholds

    def at(self, thresholds: Floats) -> Counts:
        """Counts at these thresholds, in any order."""
        above = np.searchsorted(-self.scores, -thresholds, side="left")
        tp = self._tp[above]
        fp = above - tp
        return Counts(tp, fp, self.n_positive - tp, self.n_negative - fp)


def _every_percent(size: int) -> Ints:
    return (size * cuts()).astype(np.int64)


def cuts() -> Floats:
    """(100,) 0.00, 0.01 ... 0.99."""
    return np.arange(N_CUTS) / N_CUTS


def auc(ranking: Ranking) -> float:
    """Probability that a positive outranks a negative, ties counting half. Needs both classes."""
    counts = ranking.at(ranking.distinct)
    tp = np.append(counts.tp, ranking.n_positive).astype(np.float64)
    fp = np.append(counts.fp, ranking.n_negative).astype(np.float64)
    area = np.sum(np.diff(fp) * (tp[1:] + tp[:-1])) / 2
    return float(area / (ranking.n_positive * ranking.n_negative))


def ks(ranking: Ranking) -> tuple[float, Curve, Curve]:
    """Greatest distance of the two rates, and their curves (fpr, tpr) over the share of rows.

    Thresholds stand at every 1 % of the *rows*, ties included; the last point (1, 1) has none.
    Needs both classes.
    """
    thresholds = ranking.scores[_every_percent(ranking.n)]
    counts = ranking.at(thresholds)
    fpr, tpr = counts.fp / ranking.n_negative, counts.tp / ranking.n_positive
    x = np.append(cuts(), 1.0)
    curves = [Curve(x, np.append(rate, 1.0), thresholds) for rate in (fpr, tpr)]
    return float(np.max(tpr - fpr)), curves[0], curves[1]


def roc(ranking: Ranking) -> Curve:
    """x: false, y: true positive rate. Corners only, thinned to at most 100, and (1, 1).

    The first threshold is the greatest score + 1. Needs both classes.
    """
    scores = ranking.distinct
    counts = ranking.at(np.append(scores[1:], -np.inf))
    bent = (np.diff(counts.tp, 2) != 0) | (np.diff(counts.fp, 2) != 0)
    corner = np.concatenate([[True], bent, [True]])[: len(scores)]  # of one score one
    tp = np.concatenate([[0], counts.tp[corner]])
    fp = np.concatenate([[0], counts.fp[corner]])
    thresholds = np.concatenate([[scores[0] + 1.0], scores[corner]])
    # FATE adds the last point even where it is there already; clients count on the length.
    picked = np.append(np.unique(_every_percent(len(tp))), len(tp) - 1)
    return Curve(
        fp[picked] / ranking.n_negative, tp[picked] / ranking.n_positive, thresholds[picked]
    )


def lift(ranking: Ranking) -> Curve:
    """x: share of rows predicted positive; y: their precision over the share of positives.

    Needs a positive.
    """
    counts = ranking.at(ranking.stepped_to_end)
    share = ranking.n_positive / ranking.n
    predicted = counts.tp + counts.fp
    return Curve(predicted / ranking.n, _precision(counts) / share, ranking.stepped_to_end)


def gain(ranking: Ranking) -> Curve:
    """x: share of rows predicted positive; y: share of positives among them. Needs a positive."""
    counts = ranking.at(ranking.stepped_to_end)
    predicted = counts.tp + counts.fp
    return Curve(predicted / ranking.n, counts.tp / ranking.n_positive, ranking.stepped_to_end)


def accuracy(ranking: Ranking) -> Curve:
    """x: 0.00 ... 0.99; y: share of rows predicted right at that percent of the scores."""
    counts = ranking.at(ranking.stepped)
    return Curve(cuts(), (counts.tp + counts.tn) / ranking.n, ranking.stepped)


def precision_recall(ranking: Ranking) -> tuple[Curve, Curve]:
    """Over the cuts 0.00 ... 1.00; of points of one recall only the most precise is kept.

    Needs a positive.
    """
    counts = ranking.at(ranking.stepped_to_end)
    precision, recall = _precision(counts), counts.tp / ranking.n_positive
    # Recall never falls along the thresholds, so points of one recall are neighbours, and the
    # first of them has the fewest false positives. Only where nothing is found yet (recall 0)
    # is the first point the one without predictions.
    first = np.concatenate([[True], np.diff(counts.tp) != 0])
    x = np.append(cuts(), 1.0)[first]
    thresholds = ranking.stepped_to_end[first]
    return Curve(x, precision[first], thresholds), Curve(x, recall[first], thresholds)


def f1(ranking: Ranking) -> tuple[Floats, Floats]:
    """F1 at the thresholds 0.00 ... 0.99, and these. Needs a positive."""
    thresholds = cuts()
    counts = ranking.at(thresholds)
    precision, recall = _precision(counts), counts.tp / ranking.n_positive
    total = precision + recall
    return 2 * precision * recall / np.where(total == 0, 1e-6, total), thresholds


def quantile_pr(ranking: Ranking) -> tuple[Floats, Floats, Floats]:
    """Precision, recall and the 21 thresholds: the 5 % quantiles of the scores, rising.

    Needs a positive.
    """
    thresholds = np.quantile(ranking.scores, QUANTILES, method="nearest")
    counts = ranking.at(thresholds)
    return _precision(counts), counts.tp / ranking.n_positive, thresholds


def _precision(counts: Counts) -> Floats:
    """tp / (tp + fp); 1 where nothing is predicted positive."""
    predicted = counts.tp + counts.fp
    return np.where(predicted == 0, 1.0, counts.tp / np.maximum(predicted, 1))


@dataclass(frozen=True)
class Psi:
    """Population stability between expected (train) and actual (validate) scores, b intervals.

    bounds: (b + 1,) edges; every interval is [left, right), the last [left, right].
    counts (b,), 1e-6 for an empty interval; percentages are counts over all rows.
    """

    scores: Floats
    bounds: Floats
    expected: Floats
    actual: Floats
    expected_share: Floats
    actual_share: Floats
    expected_positive: Floats
    actual_positive: Floats

    @property
    def total(self) -> float:
        return float(self.scores.sum())


def psi(expected: Ranking, actual: Ranking) -> Psi:
    """(a - e) ln(a / e) per interval between the 5 % quantiles of the expected scores.

    Actual scores outside the expected range fall in no interval (FATE 1.x behaviour).
    """
    bounds = np.unique(np.quantile(expected.scores, QUANTILES, method="nearest"))
    if len(bounds) == 1:
        bounds = np.repeat(bounds, 2)
    (e, e_hits), (a, a_hits) = (_interval_counts(of, bounds) for of in (expected, actual))
    e_count, a_count = np.where(e == 0, 1e-6, e), np.where(a == 0, 1e-6, a)
    e_share, a_share = e_count / expected.n, a_count / actual.n
    scores = (a_share - e_share) * np.log(a_share / e_share)
    return Psi(
        scores, bounds, e_count, a_count, e_share, a_share, e_hits / e_count, a_hits / a_count
    )


def _interval_counts(ranking: Ranking, bounds: Floats) -> tuple[Ints, Ints]:
    """Rows and positives per interval."""
    negated = -ranking.scores
    # Rows with score >= bound, for all edges but the last; rows with score > the last edge.
    at_least = np.searchsorted(negated, -bounds, side="right")
    at_least[-1] = np.searchsorted(negated, -bounds[-1], side="left")
    positives = ranking._tp[at_least]
    return -np.diff(at_least), -np.diff(positives)
