"""Optimisers: first steps by hand, and quasi-Newton on slices equal to the whole."""

import math

import numpy as np
import pytest

from federatedml.maths import optim
from federatedml.maths.optim import PairClock, QuasiNewton, Schedule

G = np.array([0.5, -2.0])


@pytest.mark.parametrize(
    ("name", "first"),
    [
        ("sgd", 0.1 * G),
        ("rmsprop", 0.1 * G / np.sqrt(0.01 * G**2 + 1e-6)),
        ("adagrad", 0.1 * G / (np.abs(G) + 1e-7)),
        ("adam", 0.1 * np.sign(G)),
        ("nesterov_momentum_sgd", 1.9 * 0.1 * G),
    ],
)
def test_the_first_step(name, first):
    np.testing.assert_allclose(optim.OPTIMIZERS[name]().delta(G, 0.1), first, rtol=1e-6)


@pytest.mark.parametrize("name", sorted(optim.OPTIMIZERS))
def test_a_party_can_move_its_own_weights_alone(name):
    whole, first, second = (optim.OPTIMIZERS[name]() for _ in range(3))
    rng = np.random.default_rng(1)
    for t in range(4):
        g = rng.normal(size=5)
        parts = [first.delta(g[:2], 0.1 / (t + 1)), second.delta(g[2:], 0.1 / (t + 1))]
        np.testing.assert_array_equal(np.concatenate(parts), whole.delta(g, 0.1 / (t + 1)))


def test_rates_fall_with_the_iteration():
    assert Schedule(0.1, 1, True).at(3) == 0.05
    assert Schedule(0.1, 1, False).at(3) == 0.025
    assert Schedule(0.1, 0, True).at(99) == 0.1


def test_pairs_are_due_every_interval_from_the_second_time_on():
    clock = PairClock(2)
    assert [clock.tick() for _ in range(6)] == [False, False, False, True, False, True]
    assert clock.pairs(5) == 2
    assert clock.pairs(1) == 1


def test_quasi_newton_on_slices_is_quasi_newton_on_the_whole():
    rng = np.random.default_rng(3)
    root = rng.normal(size=(6, 6))
    hessian = root @ root.T + np.eye(6)
    sides = [QuasiNewton(3, PairClock(1)) for _ in range(2)]
    cuts = [slice(0, 2), slice(2, 6)]
    pairs = [(s, hessian @ s) for s in rng.normal(size=(4, 6))]
    for s, y in pairs:
        for side, cut in zip(sides, cuts, strict=True):
            side.remember(s[cut], y[cut])
    g = rng.normal(size=6)
    sums = sum(side.products(g[cut]) for side, cut in zip(sides, cuts, strict=True))
    found = optim.coefficients(sums)
    got = np.concatenate([q.combined(found, g[c]) for q, c in zip(sides, cuts, strict=True)])
    np.testing.assert_allclose(got, _inverse(pairs[-3:]) @ g, rtol=1e-9)


def test_pairs_without_curvature_are_passed_over():
    side = QuasiNewton(2, PairClock(1))
    side.remember(np.array([1.0, 0.0]), np.array([-1.0, 0.0]))
    found = side.combined(optim.coefficients(side.products(G)), G)
    assert found.tolist() == G.tolist()


def test_mean_weights_of_an_interval_make_the_pairs():
    side = QuasiNewton(2, PairClock(2))
    given = [np.array([v]) for v in (1.0, 3.0, 5.0, 9.0)]
    found = [side.moved(w) for w in given]
    assert found[:3] == [None, None, None]
    assert math.isclose(found[3][0], 7.0 - 2.0)


def _inverse(pairs):
    s, y = pairs[-1]
    h = np.eye(len(s)) * (s @ y) / (y @ y)
    for s, y in pairs:
        left = np.eye(len(s)) - np.outer(s, y) / (s @ y)
        h = left @ h @ left.T + np.outer(s, s) / (s @ y)
    return h
