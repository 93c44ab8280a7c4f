"""PositiveUnlabeled: rows without a known label that a first model finds positive become positive.

Parties: guest: has the labels, and what a first model says of the rows; hosts pass their data
through.
Maths: label 1 is positive, 0 unlabeled. Of the unlabeled rows become positive: those whose score
is ``threshold`` or more (probability), or those of the highest scores: ``threshold`` rows
(quantity), int(threshold * n) rows (proportion), int(threshold * unlabeled / n) rows
(distribution). Of equal scores the first rows come first.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/small_components.md.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Annotated, Literal

import msgspec
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import labels
from federatedml.data.frame import Data, Floats, Frame, Predictions
from federatedml.errors import BadData
from federatedml.params import Params
from federatedml.runner import KINDS

LOG = logging.getLogger(__name__)

COUNT = "count of converted unlabeled"
"""FATE's name of the number."""

POSITIVE, UNLABELED = 1, 0

Threshold = Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]


class PositiveUnlabeledParam(Params, frozen=True, kw_only=True):
    """threshold: a probability, a number of rows, or a share of them: see the module."""

    strategy: Literal["probability", "quantity", "proportion", "distribution"] = "probability"
    threshold: Threshold = 0.9
    need_run: bool = True

    def __post_init__(self) -> None:
        if not np.isfinite(self.threshold):
            raise ValueError("threshold must be finite")
        if self.strategy in ("probability", "proportion") and self.threshold > 1:
            raise ValueError(
                f"threshold: strategy {self.strategy} takes a share between 0 and 1, got "
                f"{self.threshold}; for a number of rows take strategy quantity"
            )
        if self.strategy == "quantity" and self.threshold != int(self.threshold):
            raise ValueError("threshold: strategy quantity takes a number of rows")


@register("PositiveUnlabeled")
class PositiveUnlabeled(Component[PositiveUnlabeledParam]):
    Params = PositiveUnlabeledParam

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData unless there are labels of 0 and 1, and predictions of all these rows."""
        frame, said = _given(ctx, inputs)
        label = _binary(frame, ctx.name)
        score = _scores(frame, said, ctx.name)
        converted = chosen(label == UNLABELED, score, self.params)
        if not len(converted):
            LOG.warning("%s: no unlabeled row becomes positive", ctx.name)
        label[converted] = POSITIVE
        count = len(converted)
        name = "positive_unlabeled"
        ctx.report.metric("train", name, "PU_MODEL", [(COUNT, count)])
        ctx.report.summary({COUNT: count})
        return Outputs(data=[replace(frame, label=label)])

    def fit_host(self, _: Ctx, inputs: Inputs) -> Outputs:
        frames = [data for data in _all(inputs) if isinstance(data, Frame)]
        return Outputs(data=[frames[0] if frames else None])


def chosen(
    unlabeled: NDArray[np.bool_], score: Floats, params: PositiveUnlabeledParam
) -> NDArray[np.int64]:
    """Numbers of the unlabeled rows that become positive.

    unlabeled: (n,). score: (n,) probability of label 1.
    """
    rows, n = np.flatnonzero(unlabeled), len(unlabeled)
    if params.strategy == "probability":
        return rows[score[rows] >= params.threshold]
    count = {
        "quantity": params.threshold,
        "proportion": params.threshold * n,
        "distribution": params.threshold * len(rows) / max(1, n),
    }[params.strategy]
    best = np.argsort(-score[rows], kind="stable")[: int(count + 1e-9)]
    return rows[best]


def _all(inputs: Inputs) -> list[Data]:
    return [one.data for kind in KINDS for one in inputs.data.get(kind, ())]


def _given(ctx: Ctx, inputs: Inputs) -> tuple[Frame, Predictions]:
    frames = [data for data in _all(inputs) if isinstance(data, Frame)]
    said = [data for data in _all(inputs) if isinstance(data, Predictions)]
    if len(frames) != 1 or len(said) != 1:
        raise BadData(
            f"{ctx.name}: takes two data inputs: instances (of Intersection) and the predictions "
            f"of a first model for them; got {len(frames)} and {len(said)}"
        )
    return frames[0], said[0]


def _binary(frame: Frame, component: str) -> NDArray[np.int64]:
    """(n,) labels, a copy."""
    values = labels.numeric(frame.label, component)
    if not np.isin(values, (UNLABELED, POSITIVE)).all():
        raise BadData(
            f"{component}: labels must be 1 (positive) and 0 (unlabeled); put LabelTransform before"
        )
    return values.astype(np.int64)


def _scores(frame: Frame, said: Predictions, component: str) -> Floats:
    """(n,) the probability of label 1 of every row of the frame."""
    at = [i for i, c in enumerate(said.classes) if str(POSITIVE) in labels.spellings(c)]
    if len(said.classes) != 2 or not at:
        raise BadData(
            f"{component}: predictions must be of two classes, of which one is 1; take those of a "
            "classifier of these labels"
        )
    score = np.ascontiguousarray(said.detail[:, at[0]])
    if not frame.ids.equals(said.ids):
        found = pc.index_in(frame.ids, said.ids)
        if found.null_count:
            raise BadData(
                f"{component}: {found.null_count} of {frame.n_rows} rows have no prediction; "
                "predict the same rows"
            )
        score = score[found.to_numpy().astype(np.int64)]
    if np.isnan(score).any():
        raise BadData(f"{component}: some predictions have no score")
    return score
