"""What a party of a vertical logistic regression keeps while it trains. No messages in here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federatedml import lr_model
from federatedml.callbacks import Callbacks
from federatedml.component import Ctx, Trainer
from federatedml.crypto.paillier import CipherVector
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel
from federatedml.hetero_lr_params import HeteroLRParams
from federatedml.lr_model import Label, LRModel, SingleModel
from federatedml.maths import glm, optim
from federatedml.maths.descent import Descent
from federatedml.maths.glm import Floats

FULL_PRECISION = 48
"""Fractional bits of features where floating_point_precision is null."""

MAX_PART = 2.0**30
"""A fourth of what ``paillier.VALUE_BITS`` holds: room for the label and sums."""

ENTRY_BITS = 32
"""Whole bits of what multiplies the residual: features (up to 1e8) and twice a part."""

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class LabelledRows:
    """The guest's training data for one binary model: y (n,) of -1 and +1, weight (n,) or None."""

    frame: Frame
    y: Floats
    weight: Floats | None

    def total_weight(self, rows: Rows) -> float:
        """Sum of the weights of these rows; their number where there are none."""
        return float(len(rows) if self.weight is None else self.weight[rows].sum())


def labelled(frame: Frame, wanted: Label, component: str) -> LabelledRows:
    """+1 for the rows of one class, -1 for all others. Raises BadData for impossible weights."""
    y = np.where(lr_model.is_class(frame, wanted), 1.0, -1.0)
    return LabelledRows(frame, y, lr_model.row_weights(frame, component))


class Side:
    """Features and weights of a guest or host, and how far training is.

    begun: the model that a warm start goes on from.
    """

    def __init__(
        self,
        params: HeteroLRParams,
        frame: Frame,
        component: str,
        begun: SingleModel | None,
        *,
        has_intercept: bool,
    ) -> None:
        self.has_intercept, self.component = has_intercept, component
        self.header = list(begun.header if begun else frame.schema.header)
        x = lr_model.features(frame, component, self.header)
        self.x = glm.with_intercept(x) if has_intercept else x
        self.n_rows = frame.n_rows
        self.descent = Descent(
            self._first_weights(params, begun),
            has_intercept=has_intercept,
            schedule=optim.Schedule(params.learning_rate, params.decay, params.decay_sqrt),
            penalty=glm.Penalty(params.penalty, params.alpha),
            optimizer=optim.OPTIMIZERS.get(params.optimizer, optim.Sgd)(),
        )
        sqn = params.sqn_param
        self.quasi = optim.QuasiNewton(sqn.memory_M, optim.PairClock(sqn.update_interval_L))
        wanted = params.floating_point_precision
        self.precision = FULL_PRECISION if wanted is None else wanted
        self.iters, self.is_converged, self.is_fresh = begun.iters if begun else 0, False, True

    def _first_weights(self, params: HeteroLRParams, begun: SingleModel | None) -> Floats:
        if begun:
            return lr_model.weights(begun, has_intercept=self.has_intercept)
        init, n_weights = params.init_param, len(self.header) + self.has_intercept
        return glm.initial_weights(init.init_method, init.init_const, n_weights, init.random_seed)

    def part(self) -> Floats:
        """(n,) this party's part of every row's residual.

        Raises BadData once training has diverged so far that encryption could not hold it.
        """
        part = self.descent.part(self.x)
        if not (np.abs(part) < MAX_PART).all():
            raise BadData(
                f"{self.component}: scores beyond 2^30, training diverges: scale the features "
                "(FeatureScale) or lower learning_rate"
            )
        return part

    def bound(self, d: CipherVector) -> int:
        """Bits that X^T d can need, whatever the features are."""
        return (d.bits or 0) + self.precision + ENTRY_BITS + len(d).bit_length()

    def finish(self, t: int, *, is_converged: bool) -> None:
        """Iteration t is done."""
        self.iters, self.is_converged, self.is_fresh = t + 1, is_converged, False

    def model(self) -> SingleModel:
        w = self.descent.w
        part = lr_model.single(self.header, w, has_intercept=self.has_intercept, iters=self.iters)
        part.is_converged = self.is_converged
        return part


class Watch:
    """What a party does after each iteration of one binary model.

    store: makes the component's model of this binary one. shows_loss: whether the loss goes to
    the metrics (not in one-vs-rest, where FATE keeps it to the model).
    """

    def __init__(
        self,
        callbacks: Callbacks | None,
        ctx: Ctx,
        store: Callable[[SingleModel], LRModel],
        *,
        max_iter: int,
        shows_loss: bool,
    ) -> None:
        self._callbacks, self._ctx, self._store = callbacks, ctx, store
        self._max_iter, self._shows_loss = max_iter, shows_loss

    def loss(self, t: int, loss: float) -> None:
        """Report the loss of an iteration."""
        if self._shows_loss:
            self._ctx.report.metric(
                "train", "loss", "LOSS", [(t, loss)], unit_name="iters", curve_name="loss"
            )

    def stops(self, t: int, part: SingleModel) -> bool:
        """Whether training ends after iteration t; the same answer at every party."""
        self._ctx.report.progress((t + 1) / self._max_iter)
        stop = self._callbacks is not None and self._callbacks.after_epoch(t, self._store(part))
        return stop or part.is_converged

    def best(self, part: SingleModel) -> SingleModel:
        """The model to keep: of the best validation where early stopping watched, else the last."""
        found = self._callbacks.best() if self._callbacks else None
        if found is None:
            return part
        epoch, model = found
        assert isinstance(model, LRModel)
        kept = model.parts[0]
        kept.best_iteration, kept.is_converged = epoch, part.is_converged
        kept.loss_history, kept.iters = part.loss_history, part.iters
        return kept


def watch(
    component: Trainer[Any],
    ctx: Ctx,
    seen: Sequence[Frame | None],
    which: int | None,
    begun: SingleModel | None,
    store: Callable[[SingleModel], LRModel],
) -> Watch:
    """The watch of one binary model. seen: train and validate rows, labelled for it.

    which: the number of the class in one-vs-rest, else None. begun: where a warm start goes on.
    """
    params: HeteroLRParams = component.params
    asked = params.callbacks()
    if begun is not None:
        ctx.report.metric(
            "train", "init_iter", "init_iter", [("init_iter", begun.iters)], unit_name="iters"
        )
    prefix = "" if which is None else f"model_{which}."
    callbacks = (
        Callbacks(asked, component, ctx, seen[0], seen[1], prefix=prefix)
        if asked.callbacks
        else None
    )
    return Watch(callbacks, ctx, store, max_iter=params.max_iter, shows_loss=which is None)


def summary(part: SingleModel, *, one_of_several: bool, of_arbiter: bool) -> dict[str, Any]:
    """A binary model as the component's summary shows it."""
    shown: dict[str, Any] = {
        "best_iteration": part.best_iteration,
        "is_converged": part.is_converged,
    }
    if of_arbiter:
        shown["loss_history"] = part.loss_history
        if part.loss_history:
            shown["best_iter_loss"] = part.loss_history[part.best_iteration]
        return {**shown, "one_vs_rest": True} if one_of_several else shown
    shown["coef"], shown["intercept"] = part.weight, part.intercept
    return {**shown, "one_vs_rest": one_of_several}


def score(model: LRModel, frame: Frame, component: str) -> Floats:
    """(n, c) this party's part of the score of every binary model."""
    parts = model.parts
    header = parts[0].header
    if any(part.header != header for part in parts):
        raise BadModel(f"{component}: the model's classes were trained on different columns")
    x = lr_model.features(frame, component, header)
    w = np.array([lr_model.weights(part, has_intercept=False) for part in parts])
    found = np.asarray(x @ w.T) + np.array([part.intercept for part in parts])
    return np.asarray(found, dtype=np.float64)
