"""Fits an estimator of scikit-learn or LightGBM on a party's own rows.

The libraries are imported where one is fitted, so that no other task pays for them.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np

from federatedml import local_options, lr_model
from federatedml.errors import BadData
from federatedml.local_model import Bayes, Boosted, Fitted, Forest, Layer, Link, Network, packed
from federatedml.local_options import Estimator
from federatedml.lr_model import Label, SingleModel
from federatedml.maths.glm import Floats, Matrix

LOG = logging.getLogger(__name__)

ACCEPTED_ONLY = {"n_jobs", "verbose", "multi_class", "class_weight", "hidden_layer_sizes"}
"""Options that are not passed on as they are."""


@dataclass(frozen=True)
class Rows:
    """x: (n, k). y: (n,) numbers of classes, or values. weight: (n,) or None. header: k names.
    classes: the labels in the order of their numbers, none for a regression."""

    x: Matrix
    y: Floats
    weight: Floats | None
    header: Sequence[str]
    classes: Sequence[Label]


@dataclass(frozen=True)
class Learnt:
    """parts: of a linear model; fitted: of another one. summary: for the job's owner."""

    parts: Sequence[SingleModel]
    summary: dict[str, Any]
    fitted: Fitted | None = None
    softmax: bool = False


def learn(estimator: Estimator, options: Any, rows: Rows, cores: int, component: str) -> Learnt:
    """Fit and keep what prediction needs. Raises BadData if the library refuses."""
    maker = _Maker(estimator, options, rows.classes, cores, component)
    if estimator.name == "LogisticRegression" and len(rows.classes) > 2 and options.one_vs_rest:
        return _one_vs_rest(maker, rows)
    model = maker.fitted(rows)
    if estimator.family == "linear":
        return _linear(model, rows, options)
    told: dict[str, Any] = {"model_name": estimator.name}
    if hasattr(model, "feature_importances_"):
        shares = np.asarray(model.feature_importances_, dtype=np.float64).tolist()
        told["feature_importances"] = dict(zip(rows.header, shares, strict=True))
    if estimator.family == "network":
        told |= {"iters": int(model.n_iter_), "loss": float(model.loss_)}
        told["is_converged"] = bool(model.n_iter_ < options.max_iter)
    return Learnt([], told, _STORED[estimator.family](model, rows))


@dataclass(frozen=True)
class _Maker:
    """Makes and fits one estimator."""

    estimator: Estimator
    options: Any
    classes: Sequence[Label]
    cores: int
    component: str

    def fitted(self, rows: Rows) -> Any:
        model = self._made()
        y = rows.y.astype(np.int64) if self.estimator.is_classifier else rows.y
        weight = {} if rows.weight is None else {"sample_weight": rows.weight}
        try:
            return _quietly(model, _taken(self.estimator, rows.x), y, weight)
        except _refusals(model):
            problem = self._problem_of_options(len(self.classes), bool(weight))
        # What the library says of the user's rows may quote them; of made-up rows it cannot.
        raise BadData(
            f"{self.component}: {self.estimator.name} "
            + (f"refuses its options: {problem}" if problem else "cannot be fitted to these rows")
        )

    def _problem_of_options(self, n_classes: int, weighted: bool) -> str:
        """What the library says of the same options on made-up rows; empty if they are fine."""
        n = 20 * max(n_classes, 1)
        x = np.random.default_rng(0).normal(size=(n, 3))
        y = np.arange(n) % n_classes if n_classes else np.abs(x[:, 0])
        weight = {"sample_weight": np.ones(n)} if weighted else {}
        model = self._made()
        try:
            _quietly(model, x, y, weight)
        except _refusals(model) as error:
            return " ".join(str(error).split())
        return ""

    def _made(self) -> Any:
        """The estimator, not yet fitted."""
        given = {
            field.name: getattr(self.options, field.name)
            for field in msgspec.structs.fields(self.options)
            if field.name not in ACCEPTED_ONLY
        }
        if self.estimator.family in ("forest", "lightgbm") and hasattr(self.options, "n_jobs"):
            wanted = self.options.n_jobs
            given["n_jobs"] = min(wanted, self.cores) if wanted and wanted > 0 else self.cores
        if hasattr(self.options, "class_weight"):
            given["class_weight"] = self.class_weight(self.options.class_weight)
        if hasattr(self.options, "hidden_layer_sizes"):
            given["hidden_layer_sizes"] = np.atleast_1d(self.options.hidden_layer_sizes).tolist()
        if self.estimator.family == "lightgbm":
            given["verbosity"] = -1
        if isinstance(self.options, local_options.LGBMClassifier):
            several = len(self.classes) > 2 and self.options.objective != "binary"
            given["objective"] = self.options.objective if several else None
        if isinstance(self.options, local_options.LogisticRegression):
            given |= _penalty(self.options)
        return _class(self.estimator)(**given)

    def class_weight(self, given: Any) -> Any:
        """Weights by the classes' numbers. Raises BadData for a class that is not there."""
        if not isinstance(given, dict):
            return given
        numbers = {str(label): i for i, label in enumerate(self.classes)}
        if set(given) - set(numbers):
            raise BadData(f"{self.component}: class_weight names a class that no row has")
        return {numbers[name]: weight for name, weight in given.items()}


def _class(estimator: Estimator) -> Any:
    """Its class: the names come from the table of estimators, never from a configuration."""
    return getattr(importlib.import_module(estimator.module), estimator.name)


def _penalty(options: local_options.LogisticRegression) -> dict[str, Any]:
    """scikit-learn 1.8 and later say by l1_ratio and C what older ones say by ``penalty``."""
    import inspect

    from sklearn.linear_model import LogisticRegression

    norm = options.norm
    ratio = options.l1_ratio if norm == "elasticnet" else None
    if inspect.signature(LogisticRegression).parameters["penalty"].default != "deprecated":
        return {"penalty": norm, "l1_ratio": ratio}
    if norm is None:
        return {"penalty": "deprecated", "C": np.inf, "l1_ratio": 0.0}
    return {"penalty": "deprecated", "l1_ratio": {"l1": 1.0, "l2": 0.0}.get(norm, ratio)}


def _quietly(model: Any, x: Matrix, y: Any, weight: dict[str, Any]) -> Any:
    """Fit; warnings are logged by their kind alone."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(x, y, **weight)
    for kind in sorted({warning.category.__name__ for warning in caught}):
        LOG.warning("%s: %s while it was fitted", type(model).__name__, kind)
    return model


def _refusals(model: Any) -> tuple[type[Exception], ...]:
    """What the library raises for options or rows that it cannot take."""
    if not type(model).__module__.startswith("lightgbm"):
        return ValueError, TypeError
    from lightgbm.basic import LightGBMError

    return ValueError, TypeError, LightGBMError


def _taken(estimator: Estimator, x: Matrix) -> Matrix:
    """The features in a form that the estimator takes."""
    if isinstance(x, np.ndarray) or estimator.family in ("linear", "lightgbm", "network"):
        return x
    if estimator.family == "bayes" or np.isnan(x.data).any():
        return np.asarray(x.toarray())
    return x


# What is kept of a fitted estimator.


def _linear(model: Any, rows: Rows, options: Any) -> Learnt:
    """One part; of several classes one for each, which share a softmax."""
    coef = np.atleast_2d(np.asarray(model.coef_, dtype=np.float64))
    intercepts = np.broadcast_to(np.asarray(model.intercept_, dtype=np.float64), len(coef))
    iters, limit = _iterations(model), getattr(options, "max_iter", None)
    parts = [
        _single(rows.header, weights, float(intercept), iters, limit)
        for weights, intercept in zip(coef, intercepts, strict=True)
    ]
    return Learnt(parts, _told(parts, rows.classes), softmax=len(parts) > 1)


def _one_vs_rest(maker: _Maker, rows: Rows) -> Learnt:
    """One model for each class against all others. Weights of classes count by the true class,
    "balanced" ones by the two sides."""
    options, weight = maker.options, rows.weight
    of_classes = maker.class_weight(options.class_weight)
    if isinstance(of_classes, dict):
        factor = np.array([of_classes.get(i, 1.0) for i in range(len(rows.classes))])
        factor = factor[rows.y.astype(np.int64)]
        weight = factor if weight is None else weight * factor
        options = msgspec.structs.replace(options, class_weight=None)
    binary = replace(maker, options=options, classes=[0, 1])
    parts: list[SingleModel] = []
    for number in range(len(rows.classes)):
        one = replace(rows, y=(rows.y == number).astype(np.float64), weight=weight, classes=[0, 1])
        parts += _linear(binary.fitted(one), one, options).parts
    return Learnt(parts, _told(parts, rows.classes))


def _single(
    header: Sequence[str], weights: Floats, intercept: float, iters: int, limit: int | None
) -> SingleModel:
    """limit: of iterations; None where none are done."""
    w = np.append(weights, intercept)
    part = lr_model.single(header, w, has_intercept=True, iters=iters)
    part.is_converged = limit is None or iters < limit
    return part


def _iterations(model: Any) -> int:
    """How many were done; 0 for what is solved directly."""
    found = getattr(model, "n_iter_", None)
    return 0 if found is None else int(np.max(found))


def _told(parts: Sequence[SingleModel], classes: Sequence[Label]) -> dict[str, Any]:
    shown = [
        {
            "coef": part.weight,
            "intercept": part.intercept,
            "is_converged": part.is_converged,
            "iters": part.iters,
        }
        for part in parts
    ]
    if len(parts) == 1:
        return {**shown[0], "one_vs_rest": False}
    by_class = {str(label): one for label, one in zip(classes, shown, strict=True)}
    return {**by_class, "one_vs_rest": True}


def _forest(model: Any, rows: Rows) -> Fitted:
    """Of a tree or an average of trees."""
    grown = [tree.tree_ for tree in getattr(model, "estimators_", [model])]
    values = [tree.value[:, 0, :] for tree in grown]
    if rows.classes:
        values = [value / value.sum(axis=1, keepdims=True) for value in values]
    base = [0.0] * values[0].shape[1]
    columns = [0] * len(grown)
    link: Link = "chances" if rows.classes else "identity"
    return _packed(grown, values, columns, base, 1.0 / len(grown), link)


def _boosting(model: Any, rows: Rows) -> Fitted:
    """Of a sum of regression trees for each output."""
    grown = [tree.tree_ for tree in model.estimators_.ravel()]
    n_outputs = model.estimators_.shape[1]
    factor = 2.0 if getattr(model, "loss", "") == "exponential" else 1.0  # of its link
    kept = _packed(
        grown,
        [tree.value[:, 0, :] for tree in grown],
        [i % n_outputs for i in range(len(grown))],
        [0.0] * n_outputs,
        factor * model.learning_rate,
        "identity" if not rows.classes else "sigmoid" if n_outputs == 1 else "softmax",
    )
    first = rows.x[:1]
    whole = model.decision_function(first) if rows.classes else model.predict(first)
    dense = first if isinstance(first, np.ndarray) else first.toarray()
    kept.base = (factor * np.ravel(whole) - kept.raw(np.asarray(dense))[0]).tolist()
    return kept


def _packed(
    grown: Sequence[Any],
    values: Sequence[Floats],
    column: list[int],
    base: list[float],
    scale: float,
    link: Link,
) -> Forest:
    def all_of(name: str, dtype: type) -> str:
        return packed(np.concatenate([getattr(tree, name) for tree in grown]), dtype)

    feature = np.concatenate([np.maximum(tree.feature, -1) for tree in grown])
    return Forest(
        sizes=[int(tree.node_count) for tree in grown],
        feature=packed(feature, np.int32),
        threshold=all_of("threshold", np.float64),
        left=all_of("children_left", np.int32),
        right=all_of("children_right", np.int32),
        missing_left=all_of("missing_go_to_left", np.int32),
        value=packed(np.concatenate(values), np.float64),
        width=values[0].shape[1],
        column=column,
        base=base,
        scale=scale,
        link=link,
    )


def _bayes(model: Any, _: Rows) -> Fitted:
    return Bayes(
        prior=model.class_prior_.tolist(), mean=model.theta_.tolist(), variance=model.var_.tolist()
    )


def _network(model: Any, _: Rows) -> Fitted:
    links: dict[str, Link] = {"logistic": "sigmoid"}
    return Network(
        layers=[
            Layer(inputs=len(w), weight=packed(w, np.float64), bias=packed(b, np.float64))
            for w, b in zip(model.coefs_, model.intercepts_, strict=True)
        ],
        activation=model.activation,
        link=links.get(model.out_activation_, model.out_activation_),
    )


def _lightgbm(model: Any, _: Rows) -> Fitted:
    return Boosted(text=model.booster_.model_to_string())


_STORED: dict[str, Callable[[Any, Rows], Fitted]] = {
    "forest": _forest,
    "boosting": _boosting,
    "bayes": _bayes,
    "network": _network,
    "lightgbm": _lightgbm,
}
