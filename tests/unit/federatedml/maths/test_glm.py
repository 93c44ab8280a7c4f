"""Generalised linear models in plain numbers."""

import numpy as np
import pytest
from scipy import sparse

from federatedml.maths import glm
from federatedml.maths.descent import Descent
from federatedml.maths.optim import Schedule, Sgd


def test_the_residual_is_the_slope_of_the_loss():
    u, step = np.linspace(-2, 2, 9), 1e-6
    y = np.where(np.arange(9) % 2, 1.0, -1.0)
    for i in range(9):
        one = np.array([y[i]])
        high, low = (glm.taylor_residual(np.array([u[i] + h]), one) for h in (step, -step))
        slope = (glm.taylor_loss(high) - glm.taylor_loss(low)) / (2 * step)
        assert slope == pytest.approx(glm.taylor_residual(u[i : i + 1], one)[0], abs=1e-8)


def test_the_loss_is_the_taylor_polynomial_of_the_log_loss():
    u, y = np.array([0.3, -1.2]), np.array([1.0, -1.0])
    wanted = np.mean(np.log(2) - y * u / 2 + u**2 / 8)
    assert glm.taylor_loss(glm.taylor_residual(u, y)) == pytest.approx(wanted)
    assert glm.taylor_loss(-0.5 * y) == pytest.approx(np.log(2))


def test_weights_are_rescaled_to_the_number_of_rows():
    assert glm.rescaled(np.array([1.0, 3.0])).tolist() == [0.5, 1.5]
    for wrong in ([-1.0, 2.0], [0.0, 0.0], [np.nan, 1.0]):
        with pytest.raises(ValueError, match="sample weights"):
            glm.rescaled(np.array(wrong))


@pytest.mark.parametrize("form", [np.asarray, sparse.csr_matrix])
def test_an_intercept_is_a_last_column_of_ones(form):
    x = glm.with_intercept(form(np.eye(2)))
    assert np.asarray(x @ np.array([1.0, 2.0, 10.0])).tolist() == [11.0, 12.0]


@pytest.mark.parametrize(
    ("method", "wanted"), [("zeros", [0, 0]), ("ones", [1, 1]), ("const", [7, 7])]
)
def test_constant_starts(method, wanted):
    assert glm.initial_weights(method, 7, 2, None).tolist() == wanted


@pytest.mark.parametrize("method", ["random_uniform", "random_normal"])
def test_seeded_starts_repeat_and_share_a_prefix_as_in_fate(method):
    long, short = (glm.initial_weights(method, 1, k, 42) for k in (5, 3))
    assert long[:3].tolist() == short.tolist()
    assert len(set(glm.initial_weights(method, 1, 50, None))) == 50


def test_penalties_spare_the_intercept():
    for kind, slope in (("L2", [0.2, -0.4, 0.0]), ("L1", [0, 0, 0]), (None, [0, 0, 0])):
        side = Descent(
            np.array([1.0, -2.0, 5.0]),
            has_intercept=True,
            schedule=Schedule(0.5, 0, False),
            penalty=glm.Penalty(kind, 0.2),
            optimizer=Sgd(),
        )
        assert side.penalised(side.w).tolist() == pytest.approx(slope)
        assert side.penalty_loss() == pytest.approx({"L2": 0.5, "L1": 0.6, None: 0.0}[kind])
        side.mark()
        side.move(np.zeros(3), 0)
        moved = {"L1": [0.9, -1.9, 5.0]}.get(kind, [1.0, -2.0, 5.0])
        assert side.w.tolist() == pytest.approx(moved)
        assert side.change() == pytest.approx(0.02 if kind == "L1" else 0.0)
