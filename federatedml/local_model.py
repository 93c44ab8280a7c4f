"""What a LocalBaseline keeps of a fitted estimator, and what that says of rows.

Nothing is pickled. Linear models are FATE's LRModelMeta and LRModelParam. Of the others
``fitted`` holds the numbers alone, and prediction is done from those here, without
scikit-learn: trees as flat arrays, naive Bayes as means and variances, networks as weights;
LightGBM as its own text format. docs/decisions/0055-local-baseline-models.md.

Arrays are base64 of little-endian float64 or int32, C-order.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray
from scipy import sparse, special

from federatedml import lr_model
from federatedml.component import Model
from federatedml.errors import BadModel
from federatedml.lr_model import LRMeta, LRParam
from federatedml.maths import trees
from federatedml.maths.glm import Floats, Matrix
from federatedml.params_shared import PredictParam

Link = Literal["identity", "exp", "sigmoid", "softmax", "share", "chances"]
"""From raw outputs to predictions. share: sigmoids divided by their sum (one model for each class).
chances: they are chances already."""

BLOCK_ROWS = 1 << 15


class Forest(msgspec.Struct, kw_only=True, rename="camel", tag="forest"):
    """Trees, one after the other in each array; children are numbered within their tree.

    sizes: nodes of each tree. feature: -1 for a leaf. threshold: a value, rounded to float32,
    goes left if it is not above. missing_left: 1 where missing values go left. value: of each
    node, for each of the ``width`` outputs that a tree has. column: the first output that a tree
    adds to. An output is base + scale * sum over its trees.
    """

    sizes: list[int]
    feature: str
    threshold: str
    left: str
    right: str
    missing_left: str
    value: str
    width: int
    column: list[int]
    base: list[float]
    scale: float
    link: Link

    def raw(self, x: Floats) -> Floats:
        """(b, c) outputs of rows (b, k). Cost: some 50 ns a row and tree."""
        rounded = x.astype(np.float32).astype(np.float64)
        found = np.zeros((len(x), len(self.base)))
        for tree, column in zip(self._trees(), self.column, strict=True):
            at = slice(column, column + self.width)
            found[:, at] += trees.predicted(tree, rounded)
        found *= self.scale
        found += np.array(self.base)
        return found

    def _trees(self) -> Iterator[trees.Tree]:
        feature, left, right, missing = (
            unpacked(text, np.int32)
            for text in (self.feature, self.left, self.right, self.missing_left)
        )
        threshold = unpacked(self.threshold, np.float64)
        value = unpacked(self.value, np.float64).reshape(-1, self.width)
        start = 0
        for size in self.sizes:
            at = slice(start, start + size)
            nothing = np.zeros(size, dtype=np.int32)
            yield trees.Tree(
                feature[at],
                threshold[at],
                nothing,
                left[at],
                right[at],
                missing[at].astype(bool),
                value[at],
                nothing.astype(np.int64),
            )
            start += size


class Bayes(msgspec.Struct, kw_only=True, rename="camel", tag="bayes"):
    """Gaussian naive Bayes: of each class its share, and mean and variance of each feature."""

    prior: list[float]
    mean: list[list[float]]
    variance: list[list[float]]
    link: Link = "softmax"

    def raw(self, x: Floats) -> Floats:
        """(b, c) log-likelihoods, with the share of the class."""
        found = np.empty((len(x), len(self.prior)))
        with np.errstate(divide="ignore", invalid="ignore"):
            for i, share in enumerate(np.log(self.prior)):
                mean, variance = np.array(self.mean[i]), np.array(self.variance[i])
                found[:, i] = share - 0.5 * np.sum(np.log(2.0 * np.pi * variance))
                found[:, i] -= 0.5 * np.sum((x - mean) ** 2 / variance, axis=1)
        return found


class Layer(msgspec.Struct, kw_only=True, rename="camel"):
    """weight: (inputs, outputs). bias: (outputs,)."""

    inputs: int
    weight: str
    bias: str


class Network(msgspec.Struct, kw_only=True, rename="camel", tag="network"):
    """Layers one after the other, ``activation`` after each but the last."""

    layers: list[Layer]
    activation: Literal["identity", "logistic", "tanh", "relu"]
    link: Link

    def raw(self, x: Floats) -> Floats:
        """(b, c) outputs before the link."""
        for i, layer in enumerate(self.layers):
            x = ACTIVATIONS[self.activation](x) if i else x
            weight = unpacked(layer.weight, np.float64).reshape(layer.inputs, -1)
            x = np.asarray(x @ weight + unpacked(layer.bias, np.float64))
        return x


class Boosted(msgspec.Struct, kw_only=True, rename="camel", tag="lightgbm"):
    """LightGBM's text format, which its Booster reads."""

    text: str


Fitted = Forest | Bayes | Network | Boosted


class LocalMeta(LRMeta, kw_only=True, rename="camel"):
    """model_name and model_opts: absent for LogisticRegression, which FATE knows."""

    predict_param: PredictParam = PredictParam()
    model_name: str | UnsetType = UNSET
    model_opts: dict[str, Any] | UnsetType = UNSET


class LocalParam(LRParam, kw_only=True, rename="camel"):
    """softmax: true if the models of several classes share one softmax.
    fitted: what is not linear."""

    softmax: bool | UnsetType = UNSET
    fitted: Fitted | UnsetType = UNSET


class LocalModel(Model, kw_only=True):
    meta_name: ClassVar[str] = "LocalBaselineMeta"
    param_name: ClassVar[str] = "LocalBaselineParam"

    meta: LocalMeta
    param: LocalParam

    @property
    def name(self) -> str:
        """The estimator's."""
        return self.meta.model_name or "LogisticRegression"


ACTIVATIONS: dict[str, Callable[[Floats], Floats]] = {
    "identity": lambda z: z,
    "logistic": special.expit,
    "tanh": np.tanh,
    "relu": lambda z: np.maximum(z, 0.0),
}


def linked(raw: Floats, link: Link) -> Floats:
    """Predictions of raw outputs (b, c): (b,) of one output, (b, c) of more."""
    if link == "chances":
        return raw
    if link == "share":
        chances = special.expit(raw)
        total = chances.sum(axis=1, keepdims=True)
        even = np.full_like(chances, 1.0 / chances.shape[1])
        return np.asarray(np.divide(chances, total, out=even, where=total > 0))
    if link == "softmax":
        return np.asarray(special.softmax(raw, axis=1))
    one = raw[:, 0]
    if link == "sigmoid":
        return np.asarray(special.expit(one))
    return np.exp(one) if link == "exp" else one


def scores(model: LocalModel, x: Matrix, cores: int, *, is_classifier: bool) -> Floats:
    """What the model says of rows (n, k): regression (n,) predictions; two classes (n,) chances of
    the second; more (n, c) chances. Columns in the order of the model's header."""
    fitted = model.param.fitted
    if fitted is UNSET:
        found = linked(_linear(model, x), _link(model, is_classifier=is_classifier))
    elif isinstance(fitted, Boosted):
        found = _boosted(fitted, x, cores)
    else:
        blocks = [linked(fitted.raw(block), fitted.link) for block in _blocks(x)]
        found = np.concatenate(blocks) if blocks else np.empty(0)
    if is_classifier and found.ndim == 2 and found.shape[1] == 2:
        return found[:, 1]
    return found


def _linear(model: LocalModel, x: Matrix) -> Floats:
    several = model.param.one_vs_rest_result
    parts = [model.param] if several is UNSET else several.completed_models
    w = np.stack([lr_model.weights(part, has_intercept=True) for part in parts], axis=1)
    return np.asarray(x @ w[:-1] + w[-1])


def _link(model: LocalModel, *, is_classifier: bool) -> Link:
    if not is_classifier:
        return "exp" if model.name == "PoissonRegressor" else "identity"
    if model.param.one_vs_rest_result is UNSET:
        return "sigmoid"
    return "softmax" if model.param.softmax is True else "share"


def _boosted(fitted: Boosted, x: Matrix, cores: int) -> Floats:
    import lightgbm  # slow to load, and few need it

    try:
        booster = lightgbm.Booster(model_str=fitted.text)
    except lightgbm.basic.LightGBMError:
        raise BadModel("the stored LightGBM text is damaged") from None
    if not x.shape[0]:
        return np.empty(0)
    return np.asarray(booster.predict(x, num_threads=cores))


def _blocks(x: Matrix) -> Iterator[Floats]:
    for start in range(0, x.shape[0], BLOCK_ROWS):
        block = x[start : start + BLOCK_ROWS]
        yield np.ascontiguousarray(block.toarray() if sparse.issparse(block) else block)


def packed(values: NDArray[Any] | Sequence[Any], dtype: type) -> str:
    """An array as text."""
    array = np.ascontiguousarray(values, dtype=np.dtype(dtype).newbyteorder("<"))
    return base64.b64encode(array.tobytes()).decode()


def unpacked(text: str, dtype: type) -> NDArray[Any]:
    """The flat array back, as this machine's numbers."""
    stored = np.frombuffer(base64.b64decode(text), np.dtype(dtype).newbyteorder("<"))
    return stored.astype(dtype)
