"""What a party of a boosting holds: its columns as bins, and at the guest what is to be learnt."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from federatedml import lr_model
from federatedml.boosting_model import BoostingModel, labels_of
from federatedml.boosting_params import BoostingParams
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadModel
from federatedml.glm_models import numeric_label
from federatedml.lr_model import Label
from federatedml.maths import boosted_losses, quantiles
from federatedml.maths.boosted_losses import Loss
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.quantiles import Codes, Cuts

LOG = logging.getLogger(__name__)


def matrix(
    frame: Frame, component: str, header: Sequence[str] | None = None, *, zero_is_missing: bool
) -> Matrix:
    """(n, k) the features as trees take them: csr, or dense with nan for a missing value.

    Raises BadData for text and infinite values, BadModel for a missing column; both name columns
    by their anonymous names alone.
    """
    x, shown = lr_model.ordered(frame, component, header)
    entries = x.data if sparse.issparse(x) else x
    if np.isinf(entries).any():
        at = sparse.coo_matrix(x).col if sparse.issparse(x) else np.arange(x.shape[1])[None, :]
        bad = np.unique(np.broadcast_to(at, entries.shape)[np.isinf(entries)]).tolist()
        named = ", ".join(shown[j] for j in bad[: lr_model.N_NAMED])
        raise BadData(f"{component}: columns with infinite values: {len(bad)} ({named}); fill them")
    if not zero_is_missing:
        return x
    dense = x.toarray() if sparse.issparse(x) else np.asarray(x, dtype=np.float64)
    return np.where(dense == 0.0, np.nan, dense)


@dataclass(frozen=True)
class Binned:
    """The training rows of a party: x (n, k), and its codes (k, n) by the cuts."""

    x: Matrix
    header: Sequence[str]
    codes: Codes
    cuts: Cuts


def binned(frame: Frame, params: BoostingParams, component: str) -> Binned:
    """A party's columns at their quantiles; constant ones are never asked about.

    Raises BadData as ``matrix``. Cost: sorting a sample of every column, a search for each value.
    """
    x = matrix(frame, component, zero_is_missing=params.zero_is_missing)
    columns: Any = x.tocsc() if sparse.issparse(x) else x  # columns are asked for one by one
    entries = x.data if sparse.issparse(x) else x
    if not params.misses and np.isnan(entries).any():
        LOG.warning(
            "some values are missing and use_missing is off: they count as larger than all others. "
            "Set use_missing to learn where they go"
        )
    cuts = quantiles.cut_points(columns, params.bin_num)
    return Binned(x, frame.schema.header, quantiles.binned(columns, cuts), cuts)


@dataclass(frozen=True)
class Target:
    """What is learnt. y (n,): values, or class numbers. weight (n,) or None. classes: labels in
    the order of their numbers, none for a regression."""

    loss: Loss
    y: Floats
    weight: Floats | None
    classes: list[Label]

    @property
    def n_outputs(self) -> int:
        """Raw scores of a row."""
        return len(self.classes) if len(self.classes) > 2 else 1

    def start(self) -> Floats:
        """(c,) the scores before any tree."""
        return np.full(self.n_outputs, self.loss.start(self.y))

    def derivatives(self, score: Floats) -> Floats:
        """(n, 2c) first, then second derivatives, times the weights."""
        stats = np.hstack(self.loss.derivatives(score, self.y))
        return stats if self.weight is None else stats * self.weight[:, None]

    def mean_loss(self, score: Floats) -> float:
        """Over the rows, by their weights."""
        return float(np.average(self.loss.value(score, self.y), weights=self.weight))


def target(
    frame: Frame, params: BoostingParams, component: str, known: Sequence[Label] | None = None
) -> Target:
    """known: the classes of all parties, where several have labels; else those of these rows.

    Raises BadData for labels and weights that nothing can be learnt from.
    """
    weight = frame.weight
    if weight is not None and not (np.isfinite(weight).all() and (weight > 0).all()):
        raise BadData(f"{component}: sample weights must be numbers above 0")
    if params.task_type == "regression":
        y = numeric_label(frame, component)
        loss = _regression(params)
        if loss.name == "tweedie" and y.min(initial=0.0) < 0:
            raise BadData(f"{component}: objective tweedie takes labels of 0 and above")
        return Target(loss, y, weight, [])
    classes = lr_model.label_classes(frame, component) if known is None else list(known)
    numbers = np.zeros(frame.n_rows)
    for number, label in enumerate(classes):
        numbers[lr_model.is_class(frame, label)] = number
    return Target(boosted_losses.of_classes(len(classes)), numbers, weight, classes)


def _regression(params: BoostingParams) -> Loss:
    given = params.objective_param
    return boosted_losses.of_numbers(
        given.objective or "lse", [float(p) for p in given.params or []]
    )


def said(model: BoostingModel, frame: Frame, score: Floats, threshold: float) -> Predictions:
    """Predictions from raw scores (n, c)."""
    classes = labels_of(model.param)
    if classes:
        chances = boosted_losses.of_classes(len(classes)).mean(score)
        return predictions(frame, chances, classes, threshold)
    given = model.meta.objective_meta
    return predictions(frame, boosted_losses.of_numbers(given.objective, given.param).mean(score))


def checked_start(
    start: BoostingModel, header: Sequence[str], mine: BoostingModel, component: str
) -> None:
    """Whether a training may go on from a model. Raises BadModel.

    mine: an empty model of this training's settings and classes.
    """
    old = [start.param.feature_name_fid_mapping[i] for i in sorted(_names(start))]
    if old != list(header):
        raise BadModel(
            f"{component}: the model to start from has {len(old)} columns, which are not those of "
            "this data; train from data with the same columns in the same order, or leave the "
            "model input out"
        )
    if start.param.classes != mine.param.classes or start.param.tree_dim != mine.param.tree_dim:
        raise BadModel(
            f"{component}: the model to start from was trained for other labels; train "
            "from data with the same classes, or leave the model input out"
        )
    if start.meta.task_type != mine.meta.task_type:
        raise BadModel(
            f"{component}: the model to start from is of another task_type; give the same, or "
            "leave the model input out"
        )
    for name in ("objective_meta", "learning_rate", "zero_as_missing"):
        if getattr(start.meta, name) != getattr(mine.meta, name):  # they hold for all trees
            raise BadModel(
                f"{component}: the model to start from was trained with another "
                f"{name.removesuffix('_meta')}; give the same, or leave the model input out"
            )


def _names(model: BoostingModel) -> dict[int, str]:
    return model.param.feature_name_fid_mapping
