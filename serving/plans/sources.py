"""Where features come into a plan: DataTransform, and the columns that ColumnExpand put to it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from federatedml.components.data_transform import DataTransformModel
from federatedml.data.filling import DEFAULT_SHOWN, Sought
from federatedml.data.formats import WHOLE_TYPES
from federatedml.data.parsing import MISSING_WORDS
from serving.plans.faults import Refused
from serving.plans.parsing import Column, Frame
from serving.plans.transforms import Floats, Step, Table

_NOTHING = 1e-8
"""As training's DataTransform: below it a feature is left out of sparse output."""


class Source(NamedTuple):
    """columns: what is read from a row; they stand from some place on in a frame. read: the table
    of a frame, whose columns start at ``first``."""

    columns: list[Column]
    step: Step
    filling: Filling

    def read(self, frame: Frame, first: int) -> Table:
        stop = first + len(self.columns)
        whole = first == 0 and stop == frame.x.shape[1]
        x = frame.x if whole else np.ascontiguousarray(frame.x[:, first:stop])
        outlying = frame.outlying
        if outlying is not None:
            outlying = outlying[:, first:stop]
        texts = {
            self.columns[j - first].name: values
            for j, values in frame.texts.items()
            if first <= j < stop
        }
        return Table(self.filling.of(x, outlying), texts)


class Filling(NamedTuple):
    """What stands for missing values and outliers; None: they stay. sought, declared: numbers that
    mean either. textual (k,): columns of text, which nothing replaces. tiny: values below
    _NOTHING are 0. is_sparse: nothing is replaced at all."""

    is_sparse: bool
    sought: Sought
    fill: Floats | None
    outliers: Sought | None
    replaces: bool
    by: Floats | None
    textual: NDArray[np.bool_] | None
    tiny: bool

    def of(self, given: Floats, outlying: NDArray[np.bool_] | None) -> Floats:
        x = given if self.is_sparse else self._filled(given, outlying)
        if self.tiny:
            x = np.where(np.abs(x) < _NOTHING, 0.0, x)
        return x

    def _filled(self, x: Floats, outlying: NDArray[np.bool_] | None) -> Floats:
        mask = np.isnan(x)
        if self.sought.numbers:
            mask |= self.sought.found(x)
        if self.textual is not None:
            mask &= ~self.textual
        if outlying is not None:
            mask &= ~outlying
        if mask.any():
            x = np.where(mask, np.nan if self.fill is None else self.fill, x)
        if not self.replaces:
            return x
        if self.outliers is None:
            mask = np.isnan(x)
            if self.textual is not None:
                mask &= ~self.textual
        else:
            mask = self.outliers.found(x)
            if outlying is not None:
                mask |= outlying
        return np.where(mask, self.by, x) if mask.any() and self.by is not None else x


def source(
    model: DataTransformModel, parameters: Mapping[str, Any], expanded: Mapping[str, str]
) -> Source:
    """DataTransform as it reads rows at prediction. parameters: its configuration. expanded:
    columns that were put to the table before, and their value where a row has none of its own."""
    meta, param = model.meta, model.param
    header = list(param.header)
    imputer, is_sparse = meta.imputer_meta, meta.input_format != "dense"
    filled_tags = is_sparse and meta.tag_with_value and meta.input_format == "tag"
    fills = imputer.is_imputer
    if filled_tags and fills:
        is_sparse = False
    declared = [*(parameters.get("missing_impute") or ()), *imputer.missing_value]
    outliers = meta.outlier_meta
    said: list[Any] | None = list(outliers.outlier_value)
    if outliers.outlier_value == DEFAULT_SHOWN:
        said = None
    words = frozenset({*MISSING_WORDS, *Sought.of(declared).words})
    strange = frozenset(Sought.of(said).words) if outliers.is_outlier else frozenset()
    absent = 0.0 if is_sparse else None
    present = 1.0 if meta.input_format == "tag" and not meta.tag_with_value else None
    columns = [
        _column(model, name, words, strange, expanded.get(name, absent), present) for name in header
    ]
    texts = frozenset(c.name for c in columns if c.kind == "text")
    textual = np.array([name in texts for name in header], np.bool_) if texts else None
    sought = imputer.missing_value if fills else parameters.get("missing_impute")
    kept_outliers = param.outlier_param.outlier_replace_value
    filling = Filling(
        is_sparse=is_sparse,
        sought=Sought.of(sought),
        fill=_values(header, param.imputer_param.missing_replace_value) if fills else None,
        outliers=Sought.of(said) if said is not None else None,
        replaces=outliers.is_outlier and not is_sparse,
        by=_values(header, kept_outliers) if outliers.is_outlier else None,
        textual=textual,
        tiny=meta.output_format == "sparse",
    )
    return Source(columns, Step(tuple(header), texts, None), filling)


def _column(
    model: DataTransformModel,
    name: str,
    words: frozenset[str],
    outliers: frozenset[str],
    absent: float | str | None,
    present: float | None,
) -> Column:
    meta = model.meta
    apart = dict(meta.exclusive_data_type)
    own = apart.get(name) or next(
        (kind for other, kind in apart.items() if other.lower() == name.lower()), meta.data_type
    )
    kind: Any = "text" if own == "str" else "whole" if own in WHOLE_TYPES else "number"
    if meta.input_format != "dense":
        kind = "number"
    if isinstance(absent, str) and kind != "text":
        absent = _as_float(absent, words)
    if kind == "text" and absent is not None:
        absent = str(absent)
    return Column(
        name=name, kind=kind, absent=absent, words=words, outliers=outliers, present=present
    )


def _as_float(text: str, words: frozenset[str]) -> float | None:
    if text.strip() in words:
        return None
    try:
        return float(text)
    except ValueError:
        raise Refused("ColumnExpand fills a column of numbers with a text") from None


def _values(header: list[str], kept: Mapping[str, str]) -> Floats:
    return np.array([float(kept.get(name, "0")) for name in header], dtype=np.float64)
