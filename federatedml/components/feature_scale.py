"""FeatureScale: each column to standard scores, or to its range, by what the training rows say.

Parties: guest, host, each for itself. Maths: ``federatedml.maths.scaling_columns``:
    standard_scale  (x - mean) / standard deviation of the population
    min_max_scale   (x - least) / (greatest - least)
    after x was limited to feat_lower..feat_upper; mode cap: to these quantiles of its column.
Round: none; nothing leaves a party. Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/feature_scale.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np

from federatedml import component, instances
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming
from federatedml.data.frame import Floats, Frame, FrameSchema
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import columnwise, scaling_columns
from federatedml.maths.scaling_columns import NOTHING, Scaling, Spread
from federatedml.params import NonNegativeInt, Params

LOG = logging.getLogger(__name__)

UNLIMITED = "None"
"""In a model: a column without a limit."""

Number = int | float
Limits = Number | list[Number | None] | None


class ScaleParam(Params, frozen=True, kw_only=True):
    """scale_col_indexes -1: all columns; together with scale_names their union. feat_upper,
    feat_lower: in mode normal one limit for all columns, or a list of one for each column of the
    data, null where there is none; in mode cap the share of values below it, 0 to 1."""

    method: Literal["standard_scale", "min_max_scale"] = "standard_scale"
    mode: Literal["normal", "cap"] = "normal"
    scale_col_indexes: Literal[-1] | list[NonNegativeInt] | None = -1
    scale_names: list[str] | None = None
    feat_upper: Limits = None
    feat_lower: Limits = None
    with_mean: bool = True
    with_std: bool = True
    need_run: bool = True

    def __post_init__(self) -> None:
        for name in ("feat_upper", "feat_lower"):
            given = getattr(self, name)
            values = [v for v in (given if isinstance(given, list) else [given]) if v is not None]
            if not all(math.isfinite(value) for value in values):
                raise ValueError(f"{name} must be finite; null is no limit")
            if self.mode == "cap" and isinstance(given, list):
                raise ValueError(f"{name} must be one number in mode cap, for all columns")
            if self.mode == "cap" and not all(0 <= value <= 1 for value in values):
                raise ValueError(
                    f"{name} is a share of values in mode cap, from 0 to 1; for a limit of the "
                    "values themselves use mode normal"
                )
        if _crossed(self.feat_lower, self.feat_upper):
            raise ValueError("feat_lower is above feat_upper")


class ScaleMeta(msgspec.Struct, rename="camel", kw_only=True):
    """feat_upper, feat_lower: as given, for each column of the header."""

    method: str
    mode: str = ""
    area: str = "null"
    scale_column: list[str]
    feat_upper: list[str] = []
    feat_lower: list[str] = []
    with_mean: bool = True
    with_std: bool = True
    need_run: bool = True


class ColumnScaleParam(msgspec.Struct, rename="camel", kw_only=True):
    """column_upper, column_lower: of the training rows, limited. mean, std: 0 with min-max."""

    column_upper: float = 0.0
    column_lower: float = 0.0
    mean: float = 0.0
    std: float = 0.0


class ScaleModelParam(msgspec.Struct, rename="camel", kw_only=True):
    col_scale_param: dict[str, ColumnScaleParam]
    header: list[str]


class ScaleModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "ScaleMeta"
    param_name: ClassVar[str] = "ScaleParam"

    meta: ScaleMeta
    param: ScaleModelParam


class Wire:
    """Nothing leaves a party."""


@dataclass(frozen=True)
class _Bounds:
    """Limits that were asked for: (k,) each, infinite where there are none."""

    lower: Floats
    upper: Floats


@register("FeatureScale")
class FeatureScale(Component[ScaleParam]):
    Params = ScaleParam
    Model = ScaleModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadParameters for columns that are not there and limits of another number, BadData
        for columns of text and those without a value."""
        p, data = self.params, instances.only(ctx, inputs)
        at = columns.chosen(data.schema, p.scale_col_indexes, p.scale_names, ctx.name)
        naming.refuse_twins(data.schema, at, ctx.name)
        _check_numbers(data, at, ctx.name)
        bounds = self._bounds(data, at, ctx.name)
        spreads = self._spreads(data, at, bounds, ctx.name)
        model = self._model(data.schema, at, spreads)
        _tell_method(ctx, model)
        ctx.report.summary(_summary(model))
        return Outputs(data=[_scaled(data, model, bounds, at)], model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Values beyond the limits that were asked for become the limits; without any, values
        beyond the training rows' range stay beyond it. The log counts both."""
        model, data = inputs.model, instances.only(ctx, inputs)
        if not isinstance(model, ScaleModel):
            raise BadModel(f"{ctx.name} needs a model of FeatureScale")
        at = instances.places(data.schema, model.meta.scale_column, ctx.name)
        _check_numbers(data, at, ctx.name)
        bounds = _kept_bounds(data.schema, at, model)
        _tell_method(ctx, model)
        _log_beyond(data, at, model, bounds, ctx.name)
        return Outputs(data=[_scaled(data, model, bounds, at)], model=model)

    def _bounds(self, data: Frame, at: Sequence[int], name: str) -> _Bounds:
        p, k = self.params, data.n_features
        if p.mode == "normal":
            lower = _limits(p.feat_lower, "feat_lower", -np.inf, k, name)
            return _Bounds(lower, _limits(p.feat_upper, "feat_upper", np.inf, k, name))
        lower, upper = np.full(k, -np.inf), np.full(k, np.inf)
        for j, (values, n_zeros) in zip(at, columnwise.columns(data.x, at), strict=True):
            there = columnwise.known(values)
            if isinstance(p.feat_lower, (int, float)):
                lower[j] = columnwise.quantile(there, n_zeros, p.feat_lower)
            if isinstance(p.feat_upper, (int, float)):
                upper[j] = columnwise.quantile(there, n_zeros, p.feat_upper)
        return _Bounds(lower, upper)

    def _spreads(self, data: Frame, at: Sequence[int], to: _Bounds, name: str) -> list[Spread]:
        found = [
            scaling_columns.spread(values, n_zeros, to.lower[j], to.upper[j])
            for j, (values, n_zeros) in zip(at, columnwise.columns(data.x, at), strict=True)
        ]
        if empty := [j for j, one in zip(at, found, strict=True) if one is None]:
            raise BadData(
                f"{name}: no value to scale by in {naming.named(data.schema, empty, name)}; fill "
                "missing values upstream, or leave these columns out of scale_col_indexes"
            )
        spreads = [one for one in found if one is not None]
        sizes = [one.high - one.low + abs(one.mean) + one.std for one in spreads]
        if wild := [j for j, size in zip(at, sizes, strict=True) if not math.isfinite(size)]:
            raise BadData(
                f"{name}: infinite or too large values in "
                f"{naming.named(data.schema, wild, name)}; limit them with feat_upper and "
                "feat_lower"
            )
        if still := [j for j, one in zip(at, spreads, strict=True) if one.high - one.low < NOTHING]:
            LOG.warning(
                "%s: all values of %s are the same: they are divided by 1",
                name,
                ", ".join(repr(data.schema.header[j]) for j in still),
            )
        return spreads

    def _model(
        self, schema: FrameSchema, at: Sequence[int], spreads: Sequence[Spread]
    ) -> ScaleModel:
        p, header, is_standard = self.params, schema.header, self.params.method == "standard_scale"
        meta = ScaleMeta(
            method=p.method,
            mode="" if is_standard and p.mode == "normal" else p.mode,
            scale_column=[header[j] for j in at],
            feat_upper=_shown_limits(p.feat_upper, len(header)),
            feat_lower=_shown_limits(p.feat_lower, len(header)),
            with_mean=p.with_mean,
            with_std=p.with_std,
        )
        kept = {
            header[j]: ColumnScaleParam(
                column_upper=one.high,
                column_lower=one.low,
                mean=one.mean if is_standard and p.with_mean else 0.0,
                std=_divisor(one.std if p.with_std else 1.0) if is_standard else 0.0,
            )
            for j, one in zip(at, spreads, strict=True)
        }
        param = ScaleModelParam(col_scale_param=kept, header=list(header))
        return ScaleModel(meta=meta, param=param)


def _tell_method(ctx: Ctx, model: ScaleModel) -> None:
    ctx.report.metric("train", "scale", "SCALE", curve_name="scale", method=model.meta.method)


def _check_numbers(data: Frame, at: Sequence[int], name: str) -> None:
    textual = instances.texts(data)
    if words := [j for j in at if j in textual]:
        raise BadData(
            f"{name}: {naming.named(data.schema, words, name)} is text and cannot be scaled; "
            "encode it (OneHotEncoder), or leave it out of scale_col_indexes"
        )


def _limits(given: Limits, what: str, without: float, k: int, name: str) -> Floats:
    """(k,) limits. Raises BadParameters for a list of another length."""
    if isinstance(given, list):
        if len(given) != k:
            raise BadParameters(
                f"{name}: {what} has {len(given)} limits and this party's data {k} columns; give "
                "one for each column (null for none), under role for parties that differ"
            )
        return np.array([without if limit is None else limit for limit in given], dtype=np.float64)
    return np.full(k, without if given is None else float(given))


def _crossed(lower: Limits, upper: Limits) -> bool:
    """Whether a lower limit is above its upper one. Lists of other lengths are told later."""
    n = max(len(side) if isinstance(side, list) else 1 for side in (lower, upper))
    sides = [side if isinstance(side, list) else [side] * n for side in (lower, upper)]
    pairs = zip(*sides, strict=False)
    return any(a is not None and b is not None and a > b for a, b in pairs)


def _shown_limits(given: Limits, k: int) -> list[str]:
    return [str(limit) for limit in (given if isinstance(given, list) else [given] * k)]


def _divisor(width: float) -> float:
    return 1.0 if abs(width) < NOTHING else width


def _kept_bounds(schema: FrameSchema, at: Sequence[int], model: ScaleModel) -> _Bounds:
    """Limits that training was asked for; none of its own making."""
    bounds = _Bounds(np.full(len(schema.header), -np.inf), np.full(len(schema.header), np.inf))
    meta, param = model.meta, model.param
    uppers = dict(zip(param.header, meta.feat_upper, strict=False))
    lowers = dict(zip(param.header, meta.feat_lower, strict=False))
    for j in at:
        column = schema.header[j]
        kept = param.col_scale_param[column]
        if (upper := uppers.get(column, UNLIMITED)) != UNLIMITED:
            bounds.upper[j] = kept.column_upper if meta.mode == "cap" else float(upper)
        if (lower := lowers.get(column, UNLIMITED)) != UNLIMITED:
            bounds.lower[j] = kept.column_lower if meta.mode == "cap" else float(lower)
    return bounds


def _scaled(data: Frame, model: ScaleModel, bounds: _Bounds, at: Sequence[int]) -> Frame:
    scaling = scaling_columns.unscaled(data.n_features)
    is_standard = model.meta.method == "standard_scale"
    for j in at:
        kept = model.param.col_scale_param[data.schema.header[j]]
        scaling.lower[j], scaling.upper[j] = bounds.lower[j], bounds.upper[j]
        scaling.shift[j] = kept.mean if is_standard else kept.column_lower
        width = kept.std if is_standard else kept.column_upper - kept.column_lower
        scaling.divisor[j] = _divisor(width)
    return _with_features(data, scaling)


def _with_features(data: Frame, scaling: Scaling) -> Frame:
    return replace(data, x=scaling.of(data.x))


def _log_beyond(data: Frame, at: Sequence[int], model: ScaleModel, to: _Bounds, name: str) -> None:
    """Say how many values lie beyond the range of the training rows, and what becomes of them."""
    k = data.n_features
    low, high = np.full(k, -np.inf), np.full(k, np.inf)
    for j in at:
        kept = model.param.col_scale_param[data.schema.header[j]]
        low[j], high[j] = kept.column_lower, kept.column_upper
    outside = scaling_columns.unscaled(k).beyond(data.x, low, high)
    limited = np.isfinite(to.lower) | np.isfinite(to.upper)
    for there, what in ((limited, "limited as asked for"), (~limited, "scaled, not limited")):
        if found := np.flatnonzero(there & (outside > 0)).tolist():
            LOG.warning(
                "%s: values beyond those of training, %s: %s",
                name,
                what,
                ", ".join(f"{outside[j]:.0f} of {data.schema.header[j]!r}" for j in found),
            )


def _summary(model: ScaleModel) -> dict[str, Any]:
    return {
        column: msgspec.structs.asdict(kept) for column, kept in model.param.col_scale_param.items()
    }
