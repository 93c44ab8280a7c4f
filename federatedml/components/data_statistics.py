"""DataStatistics: what describes each column of a table: moments, quantiles, missing values.

Parties: guest, host, each for itself. Maths: ``federatedml.maths.statistics``. No data comes out,
but a model that HeteroFeatureSelection can go by.
Round: none; nothing leaves a party. Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/statistics_and_psi.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from federatedml import component
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming
from federatedml.data.frame import Floats, Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import statistics
from federatedml.params import Fraction, NonNegativeInt, Params

LOG = logging.getLogger(__name__)

KINDS = ("data", "train_data", "validate_data", "eval_data", "test_data")

MODEL_NAME = "statistic_model"
"""By which HeteroFeatureSelection knows it among its isometric models."""

NO_VALUE: Literal["NaN"] = "NaN"
"""As JSON of FATE's writes it."""

WHOLE = ("count", "missing_count")


class StatisticsParam(Params, frozen=True, kw_only=True):
    """statistics: "summary", or measures that are added to it; quantiles are "0%" to "100%".
    column_indexes -1: all columns; together with column_names their union. abnormal_list: numbers
    that count for nothing. quantile_error: of ranks, as a share of the rows, 0 for none; tables
    that are sorted whole have none. bias: False corrects skewness and kurtosis for it."""

    statistics: str | list[str] = "summary"
    column_names: list[str] | None = None
    column_indexes: Literal[-1] | list[NonNegativeInt] | None = -1
    need_run: bool = True
    abnormal_list: list[int | float | str] | None = None
    quantile_error: Fraction = 1e-4
    bias: bool = True

    def __post_init__(self) -> None:
        for name in self.added:
            if not statistics.is_measure(name):
                known = ", ".join([*statistics.COUNTS, *statistics.MEASURES])
                raise ValueError(
                    f"statistics: {name!r} is no measure; there are: summary, {known}, and "
                    'quantiles from "0%" to "100%"'
                )

    @property
    def added(self) -> list[str]:
        """What was asked for besides the summary."""
        given = [self.statistics] if isinstance(self.statistics, str) else self.statistics
        return [name for name in given if name != "summary"]

    @property
    def measures(self) -> list[str]:
        """All measures, once each, those of the summary first."""
        return list(dict.fromkeys([*statistics.SUMMARY, *self.added]))

    @property
    def abnormal(self) -> list[float]:
        """Values to leave out; a text that is no number is none of any column's."""
        found = []
        for value in self.abnormal_list or ():
            try:
                found.append(float(value))
            except ValueError:
                continue
        return found


class StatisticMeta(msgspec.Struct, kw_only=True, rename="camel"):
    """statistics: the measures. static_columns: the columns, in the order of the table."""

    statistics: list[str]
    static_columns: list[str]
    quantile_error: float = 1e-4
    need_run: bool = True


class Measured(msgspec.Struct, kw_only=True, rename="camel"):
    """values: what the measure value_name says of each of col_names, in the same order: whoever
    reads them takes ``dict(zip(col_names, map(float, values)))``, with nan of a column that has no
    value but missing ones."""

    values: list[float | Literal["NaN"]]
    col_names: list[str]
    value_name: str


class OnePartyResult(msgspec.Struct, kw_only=True, rename="camel"):
    results: list[Measured] = []


class StatisticParam(msgspec.Struct, kw_only=True, rename="camel"):
    """self_values: an entry for each measure, in the order of the meta. host_values: none."""

    self_values: OnePartyResult
    host_values: dict[str, OnePartyResult] = {}
    model_name: str = MODEL_NAME


class StatisticModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "StatisticMeta"
    param_name: ClassVar[str] = "StatisticParam"

    meta: StatisticMeta
    param: StatisticParam


class Wire:
    """Nothing leaves a party."""


@register("DataStatistics")
class DataStatistics(Component[StatisticsParam]):
    Params = StatisticsParam
    Model = StatisticModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Columns that this party lacks are left out, if it has others of those asked for.

        Raises BadParameters if it has none of them, BadData for a table without rows or columns,
        columns of text, and columns with infinite or too large values."""
        p, data = self.params, _frame(ctx, inputs)
        at = _chosen(p, data.schema, ctx.name)
        _check_columns(data, at, ctx.name)
        found = statistics.measured(
            data.x,
            at,
            ["count", *p.measures],
            abnormal=p.abnormal,
            error=p.quantile_error,
            bias=p.bias,
            cores=ctx.cores,
        )
        _check_values(data.schema, at, found, ctx.name)
        names = [data.schema.header[j] for j in at]
        model = _model(p, names, found[1:])
        ctx.report.summary(_summary(p.measures, names, found[1:]))
        return Outputs(model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """The model is of the training data, and stays so."""
        if not isinstance(inputs.model, StatisticModel):
            raise BadModel(f"{ctx.name} needs a model of DataStatistics")
        return Outputs(model=inputs.model)


def _frame(ctx: Ctx, inputs: Inputs) -> Frame:
    data = inputs.one(*KINDS)
    if not isinstance(data, Frame):
        raise BadData(f"{ctx.name} takes instances, as DataTransform gives them")
    if not data.n_rows:
        raise BadData(f"{ctx.name}: the table has no rows; nothing describes it")
    return data


def _chosen(p: StatisticsParam, schema: FrameSchema, name: str) -> list[int]:
    """One list may be given for parties with other columns: each takes those that it has."""
    header, indexes = schema.header, p.column_indexes
    mine = [column for column in p.column_names or () if column in header]
    if isinstance(indexes, list):
        indexes = [index for index in indexes if index < len(header)]
    asked = p.column_indexes != indexes or bool(p.column_names)
    if asked and not mine and not indexes:
        LOG.error("%s: there are columns %s", name, ", ".join(map(repr, header)))
        raise BadParameters(
            f"{name}: this party has none of the columns in column_indexes and column_names; it "
            f"has {len(header)}, which its log names"
        )
    if indexes != p.column_indexes or mine != (p.column_names or []):
        LOG.warning("%s: some of the columns asked for are not of this party", name)
    return columns.chosen(schema, indexes, mine, name)


def _check_columns(data: Frame, at: Sequence[int], name: str) -> None:
    if not at:
        raise BadData(
            f"{name}: there is no column to describe; give column_indexes or column_names, or need_"
            "run false where a party has no features"
        )
    naming.refuse_twins(data.schema, at, name)
    words = set(data.texts.column_names) if data.texts is not None else set()
    if texts := [j for j in at if data.schema.header[j] in words]:
        raise BadData(
            f"{name}: {naming.named(data.schema, texts, name)} is text and has no moments; encode "
            "it upstream, or leave it out of column_indexes"
        )


def _check_values(schema: FrameSchema, at: Sequence[int], found: Floats, name: str) -> None:
    """found: (1 + measures, columns), the first row being counts."""
    wild = ~np.isfinite(found).all(axis=0) & (found[0] > 0)
    if wild.any():
        wide = [at[i] for i in np.flatnonzero(wild).tolist()]
        raise BadData(
            f"{name}: infinite or too large values in {naming.named(schema, wide, name)}; replace "
            "them upstream, or name them in abnormal_list"
        )
    empty = [at[i] for i in np.flatnonzero(found[0] == 0).tolist()]
    if len(empty) == len(at):
        raise BadData(
            f"{name}: there is no value in {naming.named(schema, empty, name)}: all are missing or "
            "abnormal; give a table, or columns, with values"
        )
    if empty:
        LOG.warning(
            "%s: all values of %s are missing or abnormal; only that is told of them",
            name,
            ", ".join(repr(schema.header[j]) for j in empty),
        )


def _model(p: StatisticsParam, names: list[str], found: Floats) -> StatisticModel:
    """found: (measures, columns)."""
    results = [
        Measured(values=[_shown(v) for v in values.tolist()], col_names=names, value_name=measure)
        for measure, values in zip(p.measures, found, strict=True)
    ]
    meta = StatisticMeta(
        statistics=p.measures, static_columns=names, quantile_error=p.quantile_error
    )
    return StatisticModel(
        meta=meta, param=StatisticParam(self_values=OnePartyResult(results=results))
    )


def _shown(value: float) -> float | Literal["NaN"]:
    return NO_VALUE if math.isnan(value) else value


def _summary(measures: list[str], names: list[str], found: Floats) -> dict[str, Any]:
    """By column, what each measure says of it; counts are whole numbers."""
    return {
        name: {
            measure: int(value) if measure in WHOLE else _shown(value)
            for measure, value in zip(measures, values, strict=True)
        }
        for name, values in zip(names, found.T.tolist(), strict=True)
    }
