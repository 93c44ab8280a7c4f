"""Shared weights move as weights do."""

import numpy as np
import pytest

from federatedml.crypto import rings
from federatedml.crypto.shared_descent import BITS, FRACTION_BITS, SharedDescent, linear
from federatedml.maths.glm import Penalty
from federatedml.maths.optim import Nesterov, Schedule, Sgd

ULP = 2.0**-FRACTION_BITS
RNG = np.random.default_rng(5)


def shared(x):
    return rings.split(rings.encode(x, FRACTION_BITS, BITS), BITS)


def opened(parts):
    return rings.decode(rings.add(*parts, BITS), FRACTION_BITS, BITS)


def pair(w, alpha, *, momentum):
    penalised = np.arange(len(w)) < len(w) - 1
    schedule = Schedule(0.3, 0.5, square_root=True)
    return [
        SharedDescent(
            share,
            penalised=penalised,
            alpha=alpha,
            schedule=schedule,
            momentum=momentum,
            party=party,
        )
        for party, share in enumerate(shared(w))
    ]


def test_public_factors_act_on_both_shares_as_on_the_number():
    x, y = RNG.normal(size=9), RNG.normal(size=9) * 100
    factors = RNG.normal(size=9)
    (x0, x1), (y0, y1) = shared(x), shared(y)
    got = opened([linear([(factors, x0), (-0.9, y0)], 0), linear([(factors, x1), (-0.9, y1)], 1)])
    np.testing.assert_allclose(got, factors * x - 0.9 * y, atol=3 * ULP)


@pytest.mark.parametrize("momentum", [False, True], ids=["plain", "nesterov"])
@pytest.mark.parametrize("alpha", [0.0, 0.2])
def test_steps_on_shares_are_the_optimisers(alpha, momentum):
    w, n_rows = RNG.normal(size=6), 50
    sides = pair(w, alpha, momentum=momentum)
    optimizer = Nesterov() if momentum else Sgd()
    schedule, penalty = Schedule(0.3, 0.5, square_root=True), Penalty("L2", alpha)
    for t in range(4):
        total = RNG.normal(size=6) * n_rows
        for side, share in zip(sides, shared(total), strict=True):
            side.move(share, n_rows, t)
        slope = penalty.slope(w) * (np.arange(6) < 5)
        w = w - optimizer.delta(total / n_rows + slope, schedule.at(t))
        np.testing.assert_allclose(opened([s.w for s in sides]), w, atol=40 * ULP)


def test_the_way_is_counted_from_the_mark_and_free_weights_are_not_drawn():
    sides = pair(np.array([1.0, -2.0, 5.0]), 0.1, momentum=False)
    for side, share in zip(sides, shared(np.array([3.0, 0.0, -3.0])), strict=True):
        side.mark()
        side.move(share, 1, 0)
    np.testing.assert_allclose(opened([s.drawn() for s in sides])[2], 0.0)
    np.testing.assert_allclose(
        opened([s.way() for s in sides]), [-0.3 * 3.1, 0.3 * 0.2, 0.9], atol=4 * ULP
    )
