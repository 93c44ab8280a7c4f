"""Scorecard: probabilities as credit scores, in points.

Parties: every party converts the predictions it holds: the guest of a vertical job, each party of
a horizontal one. A party that holds none has nothing to do.
Maths: with p the probability of the second class,
    score = offset + factor / ln(factor_base) * ln((1 - p) / p),
    so ``factor`` more points mean odds that are ``factor_base`` times better; kept between
    ``lower_limit_value`` and ``upper_limit_ratio * offset``, rounded to two digits.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/scorecard.md.
"""

from __future__ import annotations

import logging
import math
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data.frame import Floats, Predictions, Values
from federatedml.errors import BadData
from federatedml.params import Params
from federation import GUEST

LOG = logging.getLogger(__name__)

KINDS = ("data", "train_data", "test_data")
N_BARS = 20

_Whole = Annotated[int, msgspec.Meta(ge=0)]
NonNegative = _Whole | Annotated[float, msgspec.Meta(ge=0)]
Positive = Annotated[int, msgspec.Meta(gt=0)] | Annotated[float, msgspec.Meta(gt=0)]


class ScorecardParam(Params, frozen=True, kw_only=True):
    """offset: the score at even odds. factor: points for odds ``factor_base`` times better.
    upper_limit_ratio: the highest score as a multiple of ``offset``."""

    method: Literal["credit"] = "credit"
    offset: NonNegative = 500
    factor: Positive = 20
    factor_base: Positive = 2
    upper_limit_ratio: Positive = 3
    lower_limit_value: NonNegative = 0
    need_run: bool = True

    def __post_init__(self) -> None:
        given = (getattr(self, name) for name in self.__struct_fields__)
        if not all(math.isfinite(value) for value in given if isinstance(value, float)):
            raise ValueError("offset, factor, factor_base and the limits must be finite")
        if self.factor_base == 1:
            raise ValueError("factor_base: 1 has no logarithm to divide by; 2 is usual")
        if self.lower_limit_value > self.upper_limit:
            raise ValueError(
                f"lower_limit_value ({self.lower_limit_value}) is above upper_limit_ratio * offset "
                f"({self.upper_limit}), the highest score"
            )

    @property
    def upper_limit(self) -> float:
        return self.upper_limit_ratio * self.offset

    @property
    def formula(self) -> str:
        """As FATE words it; Odds are those of the first class, (1 - p) / p."""
        return f"Score = {self.offset} + {self.factor} / ln({self.factor_base}) * ln(Odds)"


class Wire:
    """Nothing leaves a party."""


@register("Scorecard")
class Scorecard(Component[ScorecardParam]):
    Params = ScorecardParam

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        data = inputs.one(*KINDS)
        if data is None and ctx.role != GUEST:
            LOG.info("%s: no predictions at this party, nothing to convert", ctx.name)
            return Outputs(data=[None])
        if not isinstance(data, Predictions):
            raise BadData(
                f"{ctx.name}: needs predictions as data, the output of a classifier (HeteroLR, ...)"
            )
        p = _probabilities(data, ctx.name)
        scores = credit_scores(p, self.params)
        ctx.report.summary(
            {
                "scorecard_compute_formula": self.params.formula,
                "credit_score_histogram": _histogram(scores),
            }
        )
        return Outputs(data=[_table(data, scores)])


def credit_scores(p: Floats, params: ScorecardParam) -> Floats:
    """(n,) scores for (n,) probabilities of the second class."""
    with np.errstate(divide="ignore"):
        odds = np.log1p(-p) - np.log(p)
    scores = params.offset + params.factor / math.log(params.factor_base) * odds
    limited: Floats = np.clip(scores, params.lower_limit_value, params.upper_limit)
    return np.round(limited, 2)


def _probabilities(data: Predictions, component: str) -> Floats:
    """(n,) the second class's. Raises BadData for anything but two classes and probabilities."""
    if data.detail.shape[1] == 1:
        raise BadData(f"{component}: got predictions of a regression; two classes are needed")
    if data.detail.shape[1] != 2:
        raise BadData(
            f"{component}: got predictions of {data.detail.shape[1]} classes; a credit score is "
            "defined for two"
        )
    with np.errstate(invalid="ignore"):
        sound = (data.score >= 0) & (data.score <= 1)
    if not sound.all():
        raise BadData(
            f"{component}: {np.count_nonzero(~sound)} of {data.n_rows} predict_score are no "
            "probabilities (0 to 1); feed it a classifier's output"
        )
    return data.score


def _histogram(scores: Floats) -> dict[str, list[Any]]:
    """What the board draws: N_BARS counts between N_BARS + 1 edges."""
    if not len(scores):
        return {"counts": [], "edges": []}
    counts, edges = np.histogram(scores, bins=N_BARS)
    return {"counts": counts.tolist(), "edges": np.round(edges, 4).tolist()}


def _table(data: Predictions, scores: Floats) -> Values:
    columns: dict[str, Any] = {}
    if data.match_ids is not None:
        columns[data.match_id_name or "match_id"] = data.match_ids
    label = pa.nulls(data.n_rows, pa.int64()) if data.label is None else data.label
    columns |= {
        "label": _column(label),
        "predict_result": _column(data.result),
        "predict_score": pa.array(data.score),
        "credit_score": pa.array(scores),
    }
    return Values(data.ids, pa.table(columns), sid_name=data.sid_name)


def _column(values: NDArray[Any] | pa.Array) -> pa.Array:
    return values if isinstance(values, pa.Array) else pa.array(values)
