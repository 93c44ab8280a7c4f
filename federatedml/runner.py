"""Runs a component for one party: which stages, in which order, on which data.

    need_run false          the first input data passes through
    cv_param.need_cv        cross-validation on train_data
    train_data (+ model)    fit (from the model: a warm start), then predict train, then validate
    test_data + model       predict
    data                    without a model fit, with one transform (a trainer predicts)

``eval_data`` is validate_data beside train_data, else test_data. A party without data (the
arbiter) is told the kinds by their names alone: ``{"train_data": []}``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from federatedml import agreement, cross_validation
from federatedml.component import Component, Ctx, Inputs, Model, NamedData, Outputs, Trainer
from federatedml.data.frame import Data, Frame
from federatedml.data.predicting import predicted, united
from federatedml.errors import BadData, BadModel
from federation import ARBITER

KINDS = ("data", "train_data", "validate_data", "eval_data", "test_data")

_NEVER_TOGETHER = (
    ("eval_data", "validate_data"),
    ("eval_data", "test_data"),
    ("train_data", "data"),
    ("train_data", "test_data"),
    ("data", "validate_data"),
    ("data", "test_data"),
)


def run(component: Component[Any], ctx: Ctx, inputs: Inputs) -> Outputs:
    """What the component gives this party for its inputs.

    Raises BadData for kinds of data that do not go together or do not fit, BadModel where a
    model is needed or none may be given.
    """
    check(component, ctx, inputs)
    params = component.params
    if not getattr(params, "need_run", True):
        return Outputs(data=[_passed(inputs)], model=inputs.model)
    if not isinstance(component, Trainer):
        return _plain(component, ctx, inputs)
    if cross_validation.is_wanted(params):
        train = _needed(ctx, inputs, "train_data")
        agreement.check(component, ctx, [train], trains=True)
        return cross_validation.run(component, ctx, train)
    return _trainer(component, ctx, inputs)


def check(component: Component[Any], ctx: Ctx, inputs: Inputs) -> None:
    """Whether these kinds of data and this model may be given together; see the module.

    A party that takes no part in predictions (an arbiter) may have kept no model.
    """
    kinds, name = set(inputs.data), ctx.name
    if unknown := kinds - set(KINDS):
        raise BadData(f"{name}: unknown data input {min(unknown)}; there are: {', '.join(KINDS)}")
    for one, other in _NEVER_TOGETHER:
        if {one, other} <= kinds:
            raise BadData(f"{name}: {one} and {other} may not be given together; give one of them")
    if "validate_data" in kinds and "train_data" not in kinds:
        raise BadData(
            f"{name}: validate_data needs train_data beside it; to predict, use test_data"
        )
    needs_model = "test_data" in kinds or ("eval_data" in kinds and "train_data" not in kinds)
    predicts = isinstance(component, Trainer) and component.stage("predict", ctx.role)
    if needs_model and inputs.model is None and predicts:
        raise BadModel(f"{name}: test_data needs a model input, of a component trained before")
    _check_model(component, ctx, inputs.model)
    if cross_validation.is_wanted(component.params):
        if kinds - {"train_data"}:
            raise BadData(f"{name}: cross-validation takes train_data only; leave the rest out")
        if inputs.model is not None:
            raise BadModel(f"{name}: cross-validation starts from no model; leave the input out")


def _check_model(component: Component[Any], ctx: Ctx, model: Model | None) -> None:
    wanted, module = component.Model, component.module
    if isinstance(component, Trainer) and wanted and not isinstance(model, wanted | None):
        raise BadModel(
            f"{ctx.name}: {module} goes on from a {wanted.__name__}, not from a "
            f"{type(model).__name__}; give it a model that {module} made"
        )


def _passed(inputs: Inputs) -> Data | None:
    return inputs.one(*(kind for kind in inputs.data if inputs.data[kind]))


def _plain(component: Component[Any], ctx: Ctx, inputs: Inputs) -> Outputs:
    fits = inputs.model is None or "train_data" in inputs.data
    method = None if fits else component.stage("transform", ctx.role)
    method = method or component.stage("fit", ctx.role)
    if method is None:
        return Outputs()
    given = [one.data for kind in KINDS for one in inputs.data.get(kind, ())]
    frames = [data for data in given if isinstance(data, Frame)]
    agreement.check(component, ctx, frames, trains=fits)
    outputs: Outputs = method(ctx, inputs)
    if outputs.model is None:
        outputs.model = inputs.model
    return outputs


def _trainer(component: Trainer[Any], ctx: Ctx, inputs: Inputs) -> Outputs:
    if not _trains(ctx, inputs):
        data = _needed(ctx, inputs, "test_data", "eval_data", "data")
        agreement.check(component, ctx, [data], trains=False)
        said = predicted(component, ctx, inputs.model, data, "predict")
        return Outputs(data=[said], model=inputs.model)
    train = _needed(ctx, inputs, "train_data", "data")
    validate = _frame(ctx, inputs, "validate_data", "eval_data")
    agreement.check(component, ctx, [train, validate], trains=True)
    model: Model | None = None
    if fit := component.stage("fit", ctx.role):
        model = fit(ctx, train, validate, inputs.model)
    parts = [predicted(component, ctx, model, train, "train")]
    if {"validate_data", "eval_data"} & set(inputs.data):
        parts.append(predicted(component, ctx, model, validate, "validate"))
    there = [part for part in parts if part is not None]
    return Outputs(data=[united(there) if there else None], model=model)


def _trains(ctx: Ctx, inputs: Inputs) -> bool:
    """Whether this run fits. A party that was told no kinds of data goes by the job's type."""
    kinds = set(inputs.data)
    if "train_data" in kinds:
        return True
    if {"test_data", "eval_data"} & kinds:
        return False
    return inputs.model is None if kinds else ctx.job.get("job_type") != "predict"


def _needed(ctx: Ctx, inputs: Inputs, *kinds: str) -> Frame | None:
    """As ``_frame``, but only the arbiter may lack it."""
    found = _frame(ctx, inputs, *kinds)
    if found is None and ctx.role != ARBITER:
        raise BadData(f"{ctx.name}: needs a data input of kind {' or '.join(kinds)}")
    return found


def _frame(ctx: Ctx, inputs: Inputs, *kinds: str) -> Frame | None:
    """The one table of instances among these kinds; None if there is none."""
    kind = next((k for k in kinds if k in inputs.data), None)
    given: Sequence[NamedData] = inputs.data[kind] if kind else ()
    if not given:
        if kind and ctx.role != ARBITER:
            raise BadData(f"{ctx.name}: {kind} is empty; its upstream component gave no data")
        return None
    if len(given) > 1:
        raise BadData(f"{ctx.name}: {kind} takes one table, got {len(given)}; unite them first")
    data = given[0].data
    if not isinstance(data, Frame):
        raise BadData(
            f"{ctx.name}: {kind} ({given[0].key}) must be instances, as DataTransform gives them"
        )
    return data
