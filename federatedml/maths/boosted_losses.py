"""Losses that trees are boosted on: derivatives, start values, predictions, mean loss.

Shapes: n rows, c outputs; score (n, c) is the raw sum of trees, y (n,) floats, or class numbers
0..c-1 for softmax. Formulas are FATE 1.x's, which differ from others in constant factors.
Source: Friedman 2001 (gradient boosting); Tweedie: Yang, Qian, Zou 2018.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from federatedml.maths import glm
from federatedml.maths.glm import Floats

Slopes = tuple[Floats, Floats]


@dataclass(frozen=True)
class Loss:
    """derivatives: (score, y) -> first and second derivative (n, c). start: y -> score before any
    tree. mean: score -> prediction (n, c). value: (score, y) -> (n,) loss of each row."""

    name: str
    derivatives: Callable[[Floats, Floats], Slopes]
    start: Callable[[Floats], float]
    mean: Callable[[Floats], Floats]
    value: Callable[[Floats, Floats], Floats]


def softmax(score: Floats) -> Floats:
    """(n, c) class probabilities.

    >>> softmax(np.array([[0.0, 0.0], [1000.0, 0.0]])).tolist()
    [[0.5, 0.5], [1.0, 0.0]]
    """
    powers = np.exp(score - score.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def of_classes(n_classes: int) -> Loss:
    """Cross-entropy: logistic for two classes, else softmax. Labels are class numbers."""
    return _logistic() if n_classes == 2 else _softmax(n_classes)


def of_numbers(objective: str, params: list[float]) -> Loss:
    """A regression loss by FATE's name; params as in ``objective_param``.

    Raises ValueError for an unknown name or an impossible parameter.
    """
    if objective in ("huber", "fair") and not (params and params[0] > 0):
        raise ValueError(f"objective_param.params: {objective} needs one number above 0")
    if objective == "tweedie" and not (params and 1 <= params[0] < 2):
        raise ValueError("objective_param.params: tweedie needs one number from 1 to below 2")
    makers: dict[str, Callable[[], Loss]] = {
        "lse": _squared,
        "lae": _absolute,
        "log_cosh": _log_cosh,
        "huber": lambda: _huber(params[0]),
        "fair": lambda: _fair(params[0]),
        "tweedie": lambda: _tweedie(params[0]),
    }
    if objective not in makers:
        raise ValueError(f"objective {objective!r} is none of {', '.join(sorted(makers))}")
    return makers[objective]()


def _column(y: Floats) -> Floats:
    return np.asarray(y, dtype=np.float64)[:, None]


def _same(score: Floats) -> Floats:
    return score


def _logistic() -> Loss:
    def derivatives(score: Floats, y: Floats) -> Slopes:
        p = glm.sigmoid(score)
        return p - _column(y), p * (1.0 - p)

    def value(score: Floats, y: Floats) -> Floats:
        u = score[:, 0]
        return np.asarray(np.logaddexp(0.0, u) - y * u)

    return Loss("cross_entropy", derivatives, lambda _: 0.0, glm.sigmoid, value)


def _softmax(n_classes: int) -> Loss:
    def derivatives(score: Floats, y: Floats) -> Slopes:
        p = softmax(score)
        return p - np.eye(n_classes)[y.astype(np.int64)], p * (1.0 - p)

    def value(score: Floats, y: Floats) -> Floats:
        top = score.max(axis=1)
        total = np.log(np.exp(score - top[:, None]).sum(axis=1)) + top
        return np.asarray(total - score[np.arange(len(y)), y.astype(np.int64)])

    return Loss("cross_entropy", derivatives, lambda _: 0.0, softmax, value)


def _regression(
    name: str,
    slopes: Callable[[Floats], Slopes],
    start: Callable[[Floats], float],
    value: Callable[[Floats], Floats],
) -> Loss:
    """A loss of the difference prediction - y alone."""
    return Loss(
        name,
        lambda score, y: slopes(score - _column(y)),
        start,
        _same,
        lambda score, y: value(score[:, 0] - y),
    )


def _mean(y: Floats) -> float:
    return float(np.mean(y))


def _median(y: Floats) -> float:
    return float(np.median(y))


def _squared() -> Loss:
    return _regression("lse", lambda d: (2.0 * d, np.full_like(d, 2.0)), _mean, np.square)


def _absolute() -> Loss:
    return _regression("lae", lambda d: (np.sign(d), np.ones_like(d)), _median, np.abs)


def _log_cosh() -> Loss:
    def slopes(d: Floats) -> Slopes:
        t = np.tanh(d)
        return t, 1.0 - t * t

    def value(d: Floats) -> Floats:
        return np.asarray(np.logaddexp(d, -d) - glm.LOG2)

    return _regression("log_cosh", slopes, _mean, value)


def _huber(delta: float) -> Loss:
    """The smooth form: delta^2 (sqrt(1 + (d / delta)^2) - 1)."""

    def slopes(d: Floats) -> Slopes:
        root = np.sqrt(1.0 + (d / delta) ** 2)
        return d / root, 1.0 / root**3

    def value(d: Floats) -> Floats:
        return np.asarray(delta**2 * (np.sqrt(1.0 + (d / delta) ** 2) - 1.0))

    return _regression("huber", slopes, _median, value)


def _fair(c: float) -> Loss:
    def slopes(d: Floats) -> Slopes:
        size = np.abs(d) + c
        return c * d / size, c * c / size**2

    def value(d: Floats) -> Floats:
        size = np.abs(d) / c
        return np.asarray(c * c * (size - np.log1p(size)))

    return _regression("fair", slopes, _median, value)


def _tweedie(power: float) -> Loss:
    """Compound Poisson and gamma with a log link; the prediction is e^score."""

    def derivatives(score: Floats, y: Floats) -> Slopes:
        labels = _column(y)
        low, high = np.exp((1.0 - power) * score), np.exp((2.0 - power) * score)
        first = high - labels * low
        return first, (2.0 - power) * high - (1.0 - power) * labels * low

    def value(score: Floats, y: Floats) -> Floats:
        u = score[:, 0]
        falling = u if power == 1.0 else np.exp((1.0 - power) * u) / (1.0 - power)
        return np.asarray(np.exp((2.0 - power) * u) / (2.0 - power) - y * falling)

    def start(y: Floats) -> float:
        return float(np.log(max(float(np.mean(y)), 1e-10)))

    return Loss("tweedie", derivatives, start, np.exp, value)
