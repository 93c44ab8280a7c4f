"""PSI: how far each column has moved from an expected to an actual table.

Parties: guest, host, each for itself. Maths: ``federatedml.maths.psi``: bins at quantiles of the
expected table, a bin for missing values, psi = (a - e) ln(a / e) of each bin.
Round: none; nothing leaves a party. Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/statistics_and_psi.md.
(Population stability index; intersections of id sets are ``federatedml.components.intersection``.)
"""

from __future__ import annotations

import logging
from typing import ClassVar

import msgspec
import numpy as np

from federatedml import component
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import naming
from federatedml.data.frame import Floats, Frame
from federatedml.errors import BadData, BadModel
from federatedml.maths import psi
from federatedml.maths.psi import Shift
from federatedml.maths.quantiles import MAX_BINS
from federatedml.params import Fraction, Params, PositiveInt

LOG = logging.getLogger(__name__)

MODEL_NAME = "psi"
"""By which HeteroFeatureSelection knows it among its isometric models."""

DIGITS = 6
"""Of shares and psi of bins in the model; totals have all. Source: FATE 1.x."""


class PSIParam(Params, frozen=True, kw_only=True):
    """max_bin_num: bins of a column, but that of missing values. dense_missing_val: a value that
    counts as missing besides empty cells. binning_error: of shares, 0 for none; tables that are
    sorted whole have none."""

    max_bin_num: PositiveInt = 20
    need_run: bool = True
    dense_missing_val: int | float | str | None = None
    binning_error: Fraction = 1e-4

    def __post_init__(self) -> None:
        if self.max_bin_num > MAX_BINS:
            raise ValueError(f"max_bin_num must be at most {MAX_BINS}")

    @property
    def missing(self) -> list[float]:
        """The value that counts as missing; a text that is no number is none of any column's."""
        try:
            return [] if self.dense_missing_val is None else [float(self.dense_missing_val)]
        except ValueError:
            return []


class PSIMeta(msgspec.Struct, kw_only=True, rename="camel"):
    max_bin_num: int = 20


class FeaturePsi(msgspec.Struct, kw_only=True, rename="camel"):
    """psi, interval, expect_perc, actual_perc: an entry for each bin, the last of missing values;
    rounded to DIGITS."""

    feature_name: str
    psi: list[float]
    interval: list[str]
    expect_perc: list[float]
    actual_perc: list[float]


class PsiSummary(msgspec.Struct, kw_only=True, rename="camel"):
    """total_score: of each column the sum over its bins, not rounded."""

    total_score: dict[str, float]
    feature_psi: list[FeaturePsi]
    model_name: str = MODEL_NAME


class PSIModel(component.Model, kw_only=True):
    """``model.param.total_score["x0"]`` is what a filter goes by."""

    meta_name: ClassVar[str] = "PSIMeta"
    param_name: ClassVar[str] = "PSIParam"

    meta: PSIMeta
    param: PsiSummary


class Wire:
    """Nothing leaves a party."""


@register("PSI")
class PSI(Component[PSIParam]):
    Params = PSIParam
    Model = PSIModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Columns meet by their names. Raises BadData for tables without rows, other names on one
        side, columns of text, and columns without an expected value."""
        p = self.params
        expected = _frame(ctx, inputs, "train_data")
        actual = _frame(ctx, inputs, "validate_data", "eval_data")
        at = _meeting(expected, actual, ctx.name)
        found = psi.shifts(
            (expected.x, range(expected.n_features)),
            (actual.x, at),
            p.max_bin_num,
            missing=p.missing,
            error=p.binning_error,
            cores=ctx.cores,
        )
        if empty := [j for j, shift in enumerate(found) if shift is None]:
            raise BadData(
                f"{ctx.name}: no value in {naming.named(expected.schema, empty, ctx.name)} of "
                "train_data: all are missing; fill them upstream, or leave these columns out"
            )
        shifts = dict(zip(expected.schema.header, (s for s in found if s), strict=True))
        model = _model(p, shifts)
        ctx.report.summary({"psi_scores": model.param.total_score})
        return Outputs(model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """The model is of the two tables of the training, and stays so."""
        if not isinstance(inputs.model, PSIModel):
            raise BadModel(f"{ctx.name} needs a model of PSI")
        return Outputs(model=inputs.model)


def _frame(ctx: Ctx, inputs: Inputs, *kinds: str) -> Frame:
    data, kind = inputs.one(*kinds), kinds[0]
    if not isinstance(data, Frame):
        raise BadData(
            f"{ctx.name} needs instances, as DataTransform gives them, as {kind}: the expected "
            "table is train_data, the actual one validate_data"
        )
    if not data.n_rows or not data.n_features:
        raise BadData(f"{ctx.name}: {kind} has {data.n_rows} rows and {data.n_features} columns")
    naming.refuse_twins(data.schema, range(data.n_features), ctx.name)
    words = set(data.texts.column_names) if data.texts is not None else set()
    if texts := [j for j, column in enumerate(data.schema.header) if column in words]:
        raise BadData(
            f"{ctx.name}: {naming.named(data.schema, texts, ctx.name)} of {kind} is text and has "
            "no quantiles; encode it upstream"
        )
    return data


def _meeting(expected: Frame, actual: Frame, name: str) -> list[int]:
    """Where the expected table's columns stand in the actual one."""
    places = {column: j for j, column in enumerate(actual.schema.header)}
    known = set(expected.schema.header)
    lacking = [j for j, column in enumerate(expected.schema.header) if column not in places]
    surplus = [j for column, j in places.items() if column not in known]
    sides = (
        ("validate_data lacks", expected, lacking),
        ("train_data lacks", actual, surplus),
    )
    said = [f"{what} {naming.named(of.schema, at, name)}" for what, of, at in sides if at]
    if said:
        raise BadData(
            f"{name}: the two tables must have the same columns, in any order: {'; '.join(said)}"
        )
    return [places[column] for column in expected.schema.header]


def _model(p: PSIParam, shifts: dict[str, Shift]) -> PSIModel:
    features = [
        FeaturePsi(
            feature_name=column,
            psi=_rounded(shift.psi),
            interval=psi.intervals(column, shift.points),
            expect_perc=_rounded(shift.expected),
            actual_perc=_rounded(shift.actual),
        )
        for column, shift in shifts.items()
    ]
    totals = {column: shift.total for column, shift in shifts.items()}
    return PSIModel(
        meta=PSIMeta(max_bin_num=p.max_bin_num),
        param=PsiSummary(total_score=totals, feature_psi=features),
    )


def _rounded(values: Floats) -> list[float]:
    return np.round(values, DIGITS).tolist()  # type: ignore[no-any-return]
