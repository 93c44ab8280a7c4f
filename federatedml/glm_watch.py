"""What a party of a linear model does after each iteration, and what it tells of the result."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from federatedml import lr_model
from federatedml.callbacks import Callbacks
from federatedml.component import Ctx, Trainer
from federatedml.data.frame import Frame
from federatedml.errors import BadModel
from federatedml.lr_model import LinearModel, SingleModel
from federatedml.maths.glm import Floats


class Watch:
    """What a party does after each iteration of one model.

    store: makes the component's model of this one. shows_loss: whether the loss goes to
    the metrics (not in one-vs-rest, where FATE keeps it to the model). shows_progress: whether
    this training is the whole task.
    """

    def __init__(
        self,
        callbacks: Callbacks | None,
        ctx: Ctx,
        store: Callable[[SingleModel], LinearModel],
        *,
        max_iter: int,
        shows_loss: bool,
        shows_progress: bool = True,
    ) -> None:
        self._callbacks, self._ctx, self._store = callbacks, ctx, store
        self._max_iter, self._shows_loss = max_iter, shows_loss
        self._shows_progress = shows_progress

    def loss(self, t: int, loss: float) -> None:
        """Report the loss of an iteration."""
        if self._shows_loss:
            self._ctx.report.metric(
                "train", "loss", "LOSS", [(t, loss)], unit_name="iters", curve_name="loss"
            )

    def stops(self, t: int, part: SingleModel) -> bool:
        """Whether training ends after iteration t; the same answer at every party."""
        if self._shows_progress:
            self._ctx.report.progress((t + 1) / self._max_iter)
        stop = self._callbacks is not None and self._callbacks.after_epoch(t, self._store(part))
        return stop or part.is_converged

    def best(self, part: SingleModel) -> SingleModel:
        """The model to keep: of the best validation where early stopping watched, else the last."""
        found = self._callbacks.best() if self._callbacks else None
        if found is None:
            return part
        epoch, model = found
        assert isinstance(model, LinearModel)
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
    store: Callable[[SingleModel], LinearModel],
) -> Watch:
    """The watch of one model. seen: train and validate rows, labelled for it.

    component: its params have ``max_iter`` and ``callbacks()``. which: number of the class in
    one-vs-rest, else None. begun: where a warm start goes on.
    """
    params = component.params
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
    """A model as the component's summary shows it."""
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


def score(model: LinearModel, frame: Frame, component: str) -> Floats:
    """(n, c) this party's part of the score of every model."""
    parts = model.parts
    header = parts[0].header
    if any(part.header != header for part in parts):
        raise BadModel(f"{component}: the model's classes were trained on different columns")
    x = lr_model.features(frame, component, header)
    w = np.array([lr_model.weights(part, has_intercept=False) for part in parts])
    found = np.asarray(x @ w.T) + np.array([part.intercept for part in parts])
    return np.asarray(found, dtype=np.float64)
