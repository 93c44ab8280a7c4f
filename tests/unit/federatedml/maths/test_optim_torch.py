"""PyTorch's update rules, step by step in plain Python."""

import math

import numpy as np
import pytest

from federatedml.maths import optim, optim_torch

GRADIENTS = [0.5, -2.0, 1e-4, 0.3]
RATES = [0.1, 0.07, 0.05, 0.04]


def moved(name):
    step, w = optim_torch.OPTIMIZERS[name](), np.zeros(1)
    for g, rate in zip(GRADIENTS, RATES, strict=True):
        w = w - step.delta(np.array([g]), rate)
    return float(w[0])


def test_rmsprop_has_its_small_constant_beside_the_root():
    w = s = 0.0
    for g, rate in zip(GRADIENTS, RATES, strict=True):
        s = 0.99 * s + 0.01 * g * g
        w -= rate * g / (math.sqrt(s) + 1e-8)
    assert moved("rmsprop") == pytest.approx(w, rel=1e-12)


def test_adagrad():
    w = s = 0.0
    for g, rate in zip(GRADIENTS, RATES, strict=True):
        s += g * g
        w -= rate * g / (math.sqrt(s) + 1e-10)
    assert moved("adagrad") == pytest.approx(w, rel=1e-12)


def test_nesterov_adds_up_gradients_and_applies_the_present_rate():
    w = v = 0.0
    for g, rate in zip(GRADIENTS, RATES, strict=True):
        v = 0.9 * v + g
        w -= rate * (g + 0.9 * v)
    assert moved("nesterov_momentum_sgd") == pytest.approx(w, rel=1e-12)


def test_adam():
    w = m = v = 0.0
    for t, (g, rate) in enumerate(zip(GRADIENTS, RATES, strict=True), start=1):
        m, v = 0.9 * m + 0.1 * g, 0.999 * v + 0.001 * g * g
        w -= rate * (m / (1 - 0.9**t)) / (math.sqrt(v / (1 - 0.999**t)) + 1e-8)
    assert moved("adam") == pytest.approx(w, rel=1e-12)


def test_the_same_names_as_elsewhere():
    assert set(optim_torch.OPTIMIZERS) == set(optim.OPTIMIZERS)
