"""SampleWeight: rows count by their class or by a column when models are trained.

Parties: whoever has labels or the column: the guest of a vertical job, each party of a horizontal
one. A host without labels passes its data through.
Maths: by class: a weight per label, "balanced" n / (classes * rows of the class). By column: its
values, divided by their mean if ``normalize``; the column is no feature any more.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/small_components.md.
"""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Annotated, Any, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml import component
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import labels
from federatedml.data.frame import Floats, Frame, Matrix
from federatedml.data.labels import Coded, Label
from federatedml.errors import BadData, BadModel
from federatedml.params import Params
from federatedml.runner import KINDS
from federation import GUEST

LOG = logging.getLogger(__name__)

WEIGHT = "weight"
"""FATE's name of the column of weights."""

BY_CLASS = "class weight"
BY_COLUMN = "sample weight name"

Weight = Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]


class SampleWeightParam(Params, frozen=True, kw_only=True):
    """sample_weight_name: the column that holds weights; class_weight is not used beside it.
    normalize: of a column, so that its mean is 1."""

    class_weight: Literal["balanced"] | dict[str, Weight] | None = None
    sample_weight_name: str | None = None
    normalize: bool = False
    need_run: bool = True

    def __post_init__(self) -> None:
        if isinstance(self.class_weight, dict):
            if not self.class_weight:
                raise ValueError("class_weight: names no label; leave it out, or name every label")
            if not np.isfinite(list(self.class_weight.values())).all():
                raise ValueError("class_weight: weights must be finite")
        if self.sample_weight_name == "":
            raise ValueError("sample_weight_name: must be the name of a column")


class SampleWeightMeta(msgspec.Struct, rename="camel", kw_only=True):
    sample_weight_name: str = ""
    normalize: bool = False
    need_run: bool = True


class SampleWeightFitted(msgspec.Struct, rename="camel", kw_only=True):
    """header: of the features that are left. class_weight: by the label's text."""

    header: list[str] = msgspec.field(default_factory=list)
    weight_mode: str = ""
    class_weight: dict[str, float] = msgspec.field(default_factory=dict)


class SampleWeightModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "SampleWeightModelMeta"
    param_name: ClassVar[str] = "SampleWeightModelParam"

    meta: SampleWeightMeta
    param: SampleWeightFitted


@register("SampleWeight")
class SampleWeight(Component[SampleWeightParam]):
    Params = SampleWeightParam
    Model = SampleWeightModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for a missing column or label, and for weights that are none."""
        params, frame = self.params, _frame(ctx, inputs)
        if frame is None:
            return Outputs(data=[None])
        if params.sample_weight_name and self._has(ctx, frame):
            weighted = self._by_column(ctx, frame)
            param = SampleWeightFitted(header=weighted.schema.header, weight_mode=BY_COLUMN)
            _tell(ctx, params, param, [])
        elif params.class_weight and not params.sample_weight_name and _is_labelled(ctx, frame):
            coded = labels.strata(frame.label, ctx.name)
            weights = self._of_classes(coded, ctx.name)
            weighted = _by_class(frame, coded, weights)
            named = {str(c): float(w) for c, w in zip(coded.classes, weights, strict=True)}
            param = SampleWeightFitted(
                header=frame.schema.header, weight_mode=BY_CLASS, class_weight=named
            )
            _tell(ctx, params, param, coded.classes)
        else:
            LOG.warning("%s: no weights at this party; its data passes through", ctx.name)
            weighted, param = frame, SampleWeightFitted(header=frame.schema.header)
        return Outputs(data=[weighted], model=SampleWeightModel(meta=self._meta(), param=param))

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """As at training, with its class weights; rows to predict need no labels and no column.

        Raises BadData for a label that has no weight.
        """
        model, frame = inputs.model, _frame(ctx, inputs)
        if not isinstance(model, SampleWeightModel):
            raise BadModel(f"{ctx.name}: the model is none of SampleWeight")
        if frame is None:
            return Outputs(data=[None])
        name, named = model.meta.sample_weight_name, model.param.class_weight
        if model.param.weight_mode == BY_COLUMN and name in frame.schema.header:
            frame = _with_column(frame, name, ctx.name, normalize=model.meta.normalize, fits=False)
        elif model.param.weight_mode == BY_CLASS and frame.label is not None:
            coded = labels.coded(frame.label, ctx.name)
            frame = _by_class(frame, coded, _looked_up(coded, named, ctx.name))
        return Outputs(data=[frame])

    def _has(self, ctx: Ctx, frame: Frame) -> bool:
        """Whether the column is here. Raises BadData where the guest lacks it, or has it twice."""
        count = frame.schema.header.count(self.params.sample_weight_name or "")
        if count > 1 or (not count and ctx.role == GUEST):
            raise BadData(
                f"{ctx.name}: sample_weight_name must be a feature of the data, once; it is there "
                f"{count} times among {frame.n_features}"
            )
        return bool(count)

    def _by_column(self, ctx: Ctx, frame: Frame) -> Frame:
        name = self.params.sample_weight_name or ""
        return _with_column(frame, name, ctx.name, normalize=self.params.normalize, fits=True)

    def _of_classes(self, coded: Coded, component_name: str) -> Floats:
        """(c,) weights of the classes."""
        if isinstance(self.params.class_weight, dict):
            return _looked_up(coded, self.params.class_weight, component_name)
        counts = coded.counts
        balanced: Floats = counts.sum() / (len(counts) * counts.astype(np.float64))
        return balanced

    def _meta(self) -> SampleWeightMeta:
        return SampleWeightMeta(
            sample_weight_name=self.params.sample_weight_name or "",
            normalize=self.params.normalize,
        )


def _frame(ctx: Ctx, inputs: Inputs) -> Frame | None:
    data = inputs.one(*KINDS)
    if data is None and ctx.role != GUEST:
        return None
    if not isinstance(data, Frame):
        raise BadData(f"{ctx.name}: takes instances, as DataTransform gives them")
    return data


def _is_labelled(ctx: Ctx, frame: Frame) -> bool:
    """Whether there are labels to weigh by; a host may have none. Raises BadData at the guest."""
    if frame.label is None and ctx.role == GUEST:
        raise BadData(f"{ctx.name}: class_weight needs labels; set with_label upstream")
    return frame.label is not None


def _looked_up(coded: Coded, named: dict[str, Any], component_name: str) -> Floats:
    """(c,) the configured weights. Raises BadData for a label without one."""
    found = labels.found(coded.classes, named)
    if lacking := found.count(None):
        raise BadData(
            f"{component_name}: class_weight says nothing of {lacking} of the "
            f"{len(coded.classes)} labels; name every label of the data"
        )
    if unknown := labels.nothing_named(named, coded.classes):
        LOG.warning("%s: class_weight: %d labels are not in the data", component_name, len(unknown))
    return np.array(found, dtype=np.float64)


def _by_class(frame: Frame, coded: Coded, weights: Floats) -> Frame:
    return _weighted(frame, weights[coded.codes])


def _with_column(
    frame: Frame, name: str, component_name: str, *, normalize: bool, fits: bool
) -> Frame:
    """The column as weights, and no longer as feature. Raises BadData for weights that are none;
    of rows to predict they need not sum up to anything."""
    at = frame.schema.header.index(name)
    column = frame.x[:, [at]]
    weight: Floats = np.asarray(column if isinstance(column, np.ndarray) else column.toarray())
    weight = np.ascontiguousarray(weight[:, 0], dtype=np.float64)
    shown = (frame.schema.anonymous_header or [f"column {i}" for i in range(frame.n_features)])[at]
    if frame.texts is not None and name in frame.texts.column_names:
        raise BadData(f"{component_name}: {shown} holds texts, which are no weights")
    if wrong := int((~np.isfinite(weight)).sum()):
        raise BadData(
            f"{component_name}: {shown} is to hold weights, but {wrong} of {frame.n_rows} values "
            "are missing or infinite; fill them upstream"
        )
    if fits and weight.sum() <= 0:
        raise BadData(
            f"{component_name}: {shown} is to hold weights, but they do not sum up to more than 0"
        )
    if negative := int((weight < 0).sum()):
        LOG.warning(
            "%s: %d of %d weights are negative: only HeteroSSHELinR trains with such, others "
            "refuse them",
            component_name,
            negative,
            frame.n_rows,
        )
    if normalize and weight.sum() > 0:
        weight = weight / weight.mean()
    return _weighted(_without(frame, at), weight)


def _without(frame: Frame, at: int) -> Frame:
    left = np.delete(np.arange(frame.n_features), at)
    schema = msgspec.structs.replace(
        frame.schema,
        header=[frame.schema.header[i] for i in left],
        anonymous_header=[frame.schema.anonymous_header[i] for i in left]
        if frame.schema.anonymous_header
        else [],
    )
    x: Matrix = frame.x
    x = np.delete(x, at, axis=1) if isinstance(x, np.ndarray) else x[:, left]
    return replace(frame, x=x, schema=schema)


def _weighted(frame: Frame, weight: NDArray[np.float64]) -> Frame:
    schema = msgspec.structs.replace(frame.schema, weight_name=WEIGHT)
    return replace(frame, weight=weight, schema=schema)


def _tell(
    ctx: Ctx, params: SampleWeightParam, param: SampleWeightFitted, classes: list[Label]
) -> None:
    ctx.report.metric(
        "train",
        "sample_weight",
        "SAMPLE_WEIGHT",
        [("sample_weight", 0)],
        weight_mode=param.weight_mode,
        class_weight=param.class_weight or None,
        classes=classes,
        sample_weight_name=params.sample_weight_name,
    )
