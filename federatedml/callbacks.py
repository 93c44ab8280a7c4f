"""What happens between the epochs of a trainer: validation, early stopping, checkpoints.

Every role makes one ``Callbacks`` and calls ``after_epoch`` each epoch. Where validation is due
all of them predict; the guest, who has the labels, scores the predictions, and with early
stopping tells the others for how many validations each watched metric has not improved. From
that all parties draw the same conclusion: go on, or stop and take back their best model.

Source: FATE 1.x behaviour (ValidationStrategy, ModelCheckpoint), docs/compat/evaluation.md.
"""

from __future__ import annotations

import copy
import logging
from collections.abc import Callable, Mapping
from typing import Any

from federatedml import scoring
from federatedml.component import Ctx, Model, Trainer
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import staged
from federatedml.errors import BadData
from federatedml.params_shared import CallbackParam
from federation import ARBITER, GUEST, HOST, Message

LOG = logging.getLogger(__name__)

Predict = Callable[[Ctx, Model, Frame | None], Predictions | None]

STEP_NAME = "step_name"
"""The name that FATE gives every checkpoint's step."""


class Wire:
    """All that leaves a party between epochs, beside the messages of prediction itself."""

    stale = Message[list[int]](
        {GUEST},
        {HOST, ARBITER},
        kind="plain",
        reveals="for how many validations each watched metric has not improved",
    )


class Callbacks:
    """The callbacks of one training, at one party.

    train, validate: this party's rows; None where it has none. prefix: put before the metrics'
    names ("model_0." of one-vs-rest). predict: instead of the component's own prediction, where
    the model between epochs is not yet the component's (one class of one-vs-rest).
    """

    def __init__(
        self,
        params: CallbackParam,
        component: Trainer[Any],
        ctx: Ctx,
        train: Frame | None,
        validate: Frame | None,
        *,
        prefix: str = "",
        predict: Predict | None = None,
    ) -> None:
        self.params, self.ctx, self.prefix = params, ctx, prefix
        self._data = {"train": train, "validate": validate}
        self._predict: Predict | None = predict or component.stage("predict", ctx.role)
        self._watch = _Watch(params)
        self._history: dict[str, dict[str, list[float]]] = {}
        self._best: dict[int, tuple[int, Model]] = {}
        if params.stops_early and ctx.role == GUEST and validate is None:
            raise BadData(f"{ctx.name}: early_stopping_rounds needs validate_data")
        if params.evaluates and ctx.role != ARBITER:
            _tell_left_out(params)

    def after_epoch(self, epoch: int, model: Model) -> bool:
        """Whether to stop now; the same answer at every party. epoch: counted from 0.

        Reveals to host and arbiter, with early stopping: see ``Wire.stale``.
        Cost: two predictions where validation is due, else nothing.
        """
        if self.params.saves(epoch):
            self.ctx.report.checkpoint(epoch, STEP_NAME, model)
        if not self.params.due(epoch):
            return False
        values = self._validate(epoch, model)
        if not self.params.stops_early:
            return False
        if self.ctx.role == GUEST:
            self._watch.note(values)
            self.ctx.remote(Wire.stale, list(self._watch.stale))
        else:
            self._watch.stale = self.ctx.get(Wire.stale)
        for metric, rounds in enumerate(self._watch.stale):
            if rounds == 0:
                self._best[metric] = (epoch, copy.deepcopy(model))
        return self._watch.is_over

    def best(self) -> tuple[int, Model] | None:
        """Epoch and model of the best validation; None without early stopping.

        Of several watched metrics the one that ended training counts, else the first.
        """
        return self._best.get(self._watch.longest) if self._best else None

    def _validate(self, epoch: int, model: Model) -> Mapping[str, float]:
        """Predict and score; the guest's single values on the validation rows, else {}."""
        values: dict[str, float] = {}
        if self._predict is None:
            return values
        for stage in self._stages():
            said = self._predict(self.ctx, model, self._data[stage])
            if said is None or said.label is None:
                continue
            values = scoring.score_briefly(
                self.ctx.report,
                staged(said, stage),
                f"{self.prefix}iteration_{epoch}",
                self.params.metrics,
            )
            kept = self._history.setdefault(stage, {})
            for metric, value in values.items():
                kept.setdefault(metric, []).append(value)
        if self._history:
            self.ctx.report.summary({"validation_metrics": self._history})
        return values

    def _stages(self) -> list[str]:
        """The sets of rows to predict: the same at every party that has rows."""
        return [stage for stage, rows in self._data.items() if rows is not None]


def _tell_left_out(params: CallbackParam) -> None:
    left = [name for name in params.metrics if scoring.canonical(name) not in params.watched]
    if left:
        LOG.warning(
            "metrics %s are not computed between iterations, only by Evaluation: they are no "
            "single values",
            ", ".join(left),
        )


class _Watch:
    """How long each watched metric has not improved; ``stale`` is all that peers learn."""

    def __init__(self, params: CallbackParam) -> None:
        self.rounds, self.first_only = params.early_stopping_rounds, params.use_first_metric_only
        self.wanted = list(params.metrics)
        self.stale: list[int] = []
        self._best: dict[str, float] = {}

    def note(self, values: Mapping[str, float]) -> None:
        """Take the guest's values of one validation. Raises BadData if none can be watched."""
        names = [name for name in self._ordered(values) if name in scoring.WATCHABLE]
        if not self._best and not names:
            raise BadData("early stopping: none of the metrics could be computed on validate_data")
        if not self._best:
            self._best = {name: float("-inf") for name in (names[:1] if self.first_only else names)}
            self.stale = [0] * len(self._best)
        for at, name in enumerate(self._best):
            goodness = scoring.WATCHABLE[name] * values.get(name, float("nan"))
            better = goodness > self._best[name]
            self.stale[at] = 0 if better else self.stale[at] + 1
            self._best[name] = goodness if better else self._best[name]

    def _ordered(self, values: Mapping[str, float]) -> list[str]:
        """Names as the configuration orders them, then the rest."""
        wanted = [name for name in map(scoring.canonical, self.wanted) if name in values]
        return wanted + [name for name in values if name not in wanted]

    @property
    def longest(self) -> int:
        """The metric that ended training; the first if none did."""
        over = [i for i, n in enumerate(self.stale) if self.rounds and n >= self.rounds]
        return over[0] if over else 0

    @property
    def is_over(self) -> bool:
        return any(self.rounds is not None and n >= self.rounds for n in self.stale)
