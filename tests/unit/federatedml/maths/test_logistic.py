"""The exact log-loss and its slope."""

import numpy as np
import pytest

from federatedml.maths import logistic

SCORE, Y = np.array([-2.0, 0.0, 0.5, 3.0]), np.array([0.0, 1.0, 0.0, 1.0])


@pytest.mark.parametrize("weight", [None, np.array([0.0, 1.0, 2.5, 0.5])])
def test_the_residual_is_the_slope_of_the_loss(weight):
    found = logistic.residual(SCORE, Y, weight)
    for i in range(4):
        nudge = np.where(np.arange(4) == i, 1e-6, 0.0)
        up, down = (logistic.loss(SCORE + s * nudge, Y, weight) for s in (1, -1))
        assert found[i] == pytest.approx((up - down) / 2e-6, abs=1e-8)


def test_the_loss_is_minus_the_logarithm_of_the_likelihood():
    chance = 1 / (1 + np.exp(-SCORE))
    likelihood = np.where(Y == 1, chance, 1 - chance)
    assert logistic.loss(SCORE, Y, None) == pytest.approx(-np.log(likelihood).sum())


def test_sure_scores_do_not_overflow():
    sure = np.array([800.0, -800.0])
    assert logistic.loss(sure, np.array([1.0, 0.0]), None) == 0.0
    assert logistic.loss(sure, np.array([0.0, 1.0]), None) == pytest.approx(1600.0)
    np.testing.assert_array_equal(logistic.residual(sure, np.array([0.0, 1.0]), None), [1.0, -1.0])
