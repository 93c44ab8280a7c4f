"""LabelTransform: labels by other names: 0, 1, 2, ... in their order, or as an encoder says.

Parties: whoever has labels: the guest of a vertical job, each party of a horizontal one. A host
without labels passes its data through.
Maths: a label per row is looked up; predictions are given the labels they had before.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/small_components.md.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml import component
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import labels
from federatedml.data.frame import Data, Frame, Predictions, Values
from federatedml.data.labels import Label
from federatedml.errors import BadData, BadModel
from federatedml.params import Params
from federatedml.runner import KINDS
from federation import GUEST

CLUSTERED = ("label", "predicted_label")
"""Columns of a table of clusters that hold labels."""

TYPES = {"int": int, "float": float, "str": str}

Column = Any
"""(n,) labels: int64, float64 or text."""


class LabelTransformParam(Params, frozen=True, kw_only=True):
    """label_encoder: old label (as text) to new one; None numbers the sorted labels from 0.
    label_list: the old labels as they are, where text leaves their type open."""

    label_encoder: dict[str, Label] | None = None
    label_list: list[Label] | None = None
    need_run: bool = True

    def __post_init__(self) -> None:
        if self.label_encoder is not None and not self.label_encoder:
            raise ValueError("label_encoder: names no label; leave it out to number all labels")
        if self.label_list is None:
            return
        named = [str(label) for label in self.label_list]
        if len(set(named)) < len(named):
            raise ValueError("label_list names a label twice")
        if self.label_encoder is not None and set(named) != set(self.label_encoder):
            raise ValueError(
                "label_list must name the labels of label_encoder, no more and no less"
            )


class LabelTransformMeta(msgspec.Struct, rename="camel", kw_only=True):
    need_run: bool = True


class LabelTransformFitted(msgspec.Struct, rename="camel", kw_only=True):
    """label_encoder: old to new label; the types say what the texts are: int, float or str."""

    label_encoder: dict[str, str] = msgspec.field(default_factory=dict)
    encoder_key_type: dict[str, str] = msgspec.field(default_factory=dict)
    encoder_value_type: dict[str, str] = msgspec.field(default_factory=dict)

    def pairs(self) -> list[tuple[Label, Label]]:
        """Old and new labels."""
        return [
            (
                TYPES[self.encoder_key_type.get(old, "str")](old),
                TYPES[self.encoder_value_type.get(old, "str")](new),
            )
            for old, new in self.label_encoder.items()
        ]


class LabelTransformModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "LabelTransformMeta"
    param_name: ClassVar[str] = "LabelTransformParam"

    meta: LabelTransformMeta
    param: LabelTransformFitted


@register("LabelTransform")
class LabelTransform(Component[LabelTransformParam]):
    Params = LabelTransformParam
    Model = LabelTransformModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for rows without labels, and for labels that would become a mixture of
        texts and numbers."""
        data = _data(ctx, inputs)
        if data is None or _label(data) is None:
            if ctx.role == GUEST:
                raise BadData(f"{ctx.name}: the data has no label; set with_label upstream")
            return Outputs(data=[data])
        pairs = self._pairs(labels.coded(_label(data), ctx.name).classes, ctx.name)
        changed = _changed(data, pairs, ctx.name)
        model = LabelTransformModel(meta=LabelTransformMeta(), param=_param(pairs))
        _tell(ctx, pairs)
        return Outputs(data=[changed], model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """As the model says; predictions and clusters get back the labels from before.

        Raises BadModel where two labels became one, which cannot be undone.
        """
        model, data = inputs.model, _data(ctx, inputs)
        if not isinstance(model, LabelTransformModel):
            raise BadModel(f"{ctx.name}: the model is none of LabelTransform")
        pairs = model.param.pairs()
        _tell(ctx, pairs)
        if isinstance(data, (Predictions, Values)):
            return Outputs(data=[_changed(data, _undone(pairs, ctx.name), ctx.name)])
        if data is None or data.label is None:
            return Outputs(data=[data])
        return Outputs(data=[_changed(data, pairs, ctx.name)])

    def _pairs(self, classes: list[Label], component_name: str) -> list[tuple[Label, Label]]:
        """Old and new labels, the old ones of the type that they have in the data."""
        encoder = self.params.label_encoder
        if encoder is None:
            given = self.params.label_list
            old = classes if given is None else [_as_in(classes, label) for label in given]
            if given is not None:
                old = sorted(old, key=lambda label: (isinstance(label, str), label))
            return [(label, number) for number, label in enumerate(old)]
        typed = {str(label): label for label in self.params.label_list or ()}
        if not set(encoder) & {s for c in classes for s in labels.spellings(c)}:
            raise BadData(
                f"{component_name}: label_encoder names none of the {len(classes)} labels of the "
                "data; its keys are the old labels"
            )
        return [(_as_in(classes, typed.get(old, old)), new) for old, new in encoder.items()]


def _data(ctx: Ctx, inputs: Inputs) -> Frame | Predictions | Values | None:
    data = inputs.one(*KINDS)
    if data is None and ctx.role != GUEST:
        return None
    if not isinstance(data, (Frame, Predictions, Values)):
        raise BadData(f"{ctx.name}: takes instances or predictions, got no such data")
    return data


def _label(data: Data) -> Column:
    if isinstance(data, Values):
        return data.columns[CLUSTERED[0]] if CLUSTERED[0] in data.columns.column_names else None
    return getattr(data, "label", None)


def _as_in(classes: Sequence[Label], named: Label) -> Label:
    """The label that a configuration means, of the type that labels have in the data.

    It may be one that this party has no rows of.
    """
    same = [c for c in classes if str(named) in labels.spellings(c)]
    if same:
        return same[0]
    try:
        return type(classes[0])(named) if classes else named
    except ValueError:
        return named


def _changed(data: Data, pairs: Sequence[tuple[Label, Label]], component_name: str) -> Any:
    """The same rows with other labels."""
    if isinstance(data, Frame):
        label = _mapped(data.label, pairs, component_name)
        kind = "str" if isinstance(label, pa.Array) else label.dtype.name.removesuffix("64")
        schema = msgspec.structs.replace(data.schema, label_type=kind)
        return replace(data, label=label, schema=schema)
    if isinstance(data, Predictions):
        is_class = data.detail.shape[1] > 1
        known = dict(pairs)
        return replace(
            data,
            label=None if data.label is None else _mapped(data.label, pairs, component_name),
            result=_mapped(data.result, pairs, component_name) if is_class else data.result,
            classes=[known.get(c, c) for c in data.classes] if is_class else data.classes,
        )
    assert isinstance(data, Values)
    columns = data.columns
    for name in CLUSTERED:
        if name in columns.column_names and not columns[name].null_count:
            column = columns[name].combine_chunks()
            plain = column if pa.types.is_string(column.type) else column.to_numpy()
            at = columns.column_names.index(name)
            columns = columns.set_column(at, name, pa.array(_mapped(plain, pairs, component_name)))
    return replace(data, columns=columns)


def _mapped(column: Column, pairs: Sequence[tuple[Label, Label]], component_name: str) -> Column:
    """(n,) the new label of every row; labels of which nothing is said stay.

    Raises BadData if texts and numbers would be mixed.
    """
    coded = labels.coded(column, component_name)
    known = _by_spelling(pairs)
    new = [known.get(_spelt(c), c) for c in coded.classes]
    if any(isinstance(c, str) for c in new):
        if not all(isinstance(c, str) for c in new):
            raise BadData(
                f"{component_name}: some labels become texts and others numbers; name every label "
                "of the data in label_encoder"
            )
        return pa.array(new, pa.string()).take(pa.array(coded.codes))
    whole = all(isinstance(c, int) for c in new)
    table: NDArray[Any] = np.array(new, dtype=np.int64 if whole else np.float64)
    return table[coded.codes]


def _by_spelling(pairs: Sequence[tuple[Label, Label]]) -> Mapping[tuple[bool, str], Label]:
    return {_spelt(old): new for old, new in pairs}


def _spelt(label: Label) -> tuple[bool, str]:
    """One key for 1 and 1.0, another for the text "1"."""
    return isinstance(label, str), labels.spellings(label)[-1]


def _undone(pairs: Sequence[tuple[Label, Label]], component_name: str) -> list[tuple[Label, Label]]:
    """New labels to old ones. Raises BadModel if they cannot be told apart."""
    if len({_spelt(new) for _, new in pairs}) < len(pairs):
        raise BadModel(
            f"{component_name}: label_encoder made one label of several, so predictions cannot get "
            "the old labels back; leave out this component"
        )
    return [(new, old) for old, new in pairs]


def _param(pairs: Sequence[tuple[Label, Label]]) -> LabelTransformFitted:
    return LabelTransformFitted(
        label_encoder={str(old): str(new) for old, new in pairs},
        encoder_key_type={str(old): type(old).__name__ for old, _ in pairs},
        encoder_value_type={str(old): type(new).__name__ for old, new in pairs},
    )


def _tell(ctx: Ctx, pairs: Sequence[tuple[Label, Label]]) -> None:
    encoder = {str(old): new for old, new in pairs}
    name = "label_transform"
    ctx.report.metric("train", name, "LABEL_TRANSFORM", [(name, 0)], label_encoder=encoder)
