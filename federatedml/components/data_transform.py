"""DataTransform: a table of texts becomes instances: ids, features, perhaps label and match id.

Parties: guest, host, each for itself. Maths: ``federatedml.data.reading`` parses,
``federatedml.maths.imputation`` fills.
Round: none; nothing leaves a party. Others later see only the anonymous header.
Trusts: nobody. Errors name columns and row numbers, never a value.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/data.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa
from scipy import sparse

from federatedml import component
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import anonymous, filling, parsing, reading
from federatedml.data.filling import Replaced, Sought
from federatedml.data.formats import DataType, Format, InputFormat, of_meta
from federatedml.data.frame import Floats, Frame, FrameSchema, Matrix, RawTable
from federatedml.errors import BadData, BadModel
from federatedml.maths.imputation import Mask, Method
from federatedml.params import Params

_NOTHING = 1e-8
"""Below it a feature is left out of sparse output. Source: FATE 1.x."""

_KINDS = ("data", "train_data", "validate_data", "eval_data", "test_data")


class DataTransformParam(Params, frozen=True, kw_only=True):
    """If the table was uploaded with a meta, that tells the format and the label instead.

    missing_fill_method, outlier_replace_method: None puts 0. default_value: one value or one a
    column, for "designated". missing_impute, outlier_impute: what counts as missing or outlier
    besides empty cells, None for FATE's words alone.
    """

    input_format: InputFormat = "dense"
    delimitor: str = ","
    data_type: DataType = "float64"
    exclusive_data_type: dict[str, DataType] | None = None
    tag_with_value: bool = False
    tag_value_delimitor: str = ":"
    missing_fill: bool = False
    default_value: Any = 0
    missing_fill_method: Method | None = None
    missing_impute: list[Any] | None = None
    outlier_replace: bool = False
    outlier_replace_method: Method | None = None
    outlier_impute: list[Any] | None = None
    outlier_replace_value: Any = 0
    with_label: bool = False
    label_name: str = "y"
    label_type: DataType = "int"
    output_format: Literal["dense", "sparse"] = "dense"
    need_run: bool = True
    with_match_id: bool = False
    match_id_name: str = ""
    match_id_index: int = 0

    def __post_init__(self) -> None:
        if len(self.delimitor) != 1:
            raise ValueError("delimitor must be one character")
        if not self.tag_value_delimitor:
            raise ValueError("tag_value_delimitor must not be empty")
        if self.match_id_index < 0:
            raise ValueError("match_id_index must be 0 or more")


class _Json(msgspec.Struct, rename="camel", kw_only=True):
    """Part of the model, under the names of FATE's JSON."""


class ImputerMeta(_Json):
    is_imputer: bool = False
    strategy: str = ""
    missing_value: list[str] = msgspec.field(default_factory=list)


class OutlierMeta(_Json):
    is_outlier: bool = False
    strategy: str = ""
    outlier_value: list[str] = msgspec.field(default_factory=list)


class DataTransformMeta(_Json):
    """need_run is false in every model of FATE's, whatever the parameter was."""

    input_format: InputFormat = "dense"
    delimitor: str = ","
    data_type: DataType = "float64"
    exclusive_data_type: dict[str, str] = msgspec.field(default_factory=dict)
    tag_with_value: bool = False
    tag_value_delimitor: str = ":"
    with_label: bool = False
    label_name: str = ""
    label_type: str = ""
    output_format: str = "dense"
    with_match_id: bool = False
    imputer_meta: ImputerMeta = msgspec.field(default_factory=ImputerMeta)
    outlier_meta: OutlierMeta = msgspec.field(default_factory=OutlierMeta)
    need_run: bool = False


class ImputerParam(_Json):
    missing_replace_value: dict[str, str] = msgspec.field(default_factory=dict)
    missing_value_ratio: dict[str, float] = msgspec.field(default_factory=dict)


class OutlierParam(_Json):
    outlier_replace_value: dict[str, str] = msgspec.field(default_factory=dict)
    outlier_value_ratio: dict[str, float] = msgspec.field(default_factory=dict)


class DataTransformModelParam(_Json):
    header: list[str]
    sid_name: str = ""
    label_name: str = ""
    imputer_param: ImputerParam = msgspec.field(default_factory=ImputerParam)
    outlier_param: OutlierParam = msgspec.field(default_factory=OutlierParam)
    anonymous_header: list[str] = msgspec.field(default_factory=list)


class DataTransformModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "DataTransformMeta"
    param_name: ClassVar[str] = "DataTransformParam"

    meta: DataTransformMeta
    param: DataTransformModelParam


@dataclass(frozen=True)
class _Filled:
    """Features without what was to be replaced, and what was replaced by what."""

    x: Matrix
    missing: Replaced | None = None
    outliers: Replaced | None = None


@register("DataTransform")
class DataTransform(Component[DataTransformParam]):
    Params = DataTransformParam
    Model = DataTransformModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for a table that does not fit the format, or is none of texts."""
        raw = _raw(ctx, inputs)
        form = self._format(raw, None)
        parsed = reading.read(raw, form, self._wishes(ctx, None))
        done = self._filled(parsed, form)
        names = anonymous.expanded_header(ctx.me, parsed.header, raw.schema.expanded)
        model = _model(self.params, form, parsed, done, names)
        if summary := _summary(done, model.meta):
            ctx.report.summary(summary)
        frame = _frame(ctx, raw, form, parsed, _formed(done.x, model.meta.output_format), names)
        return Outputs(data=[frame], model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Features as the model knows them, in its order; others are left out.

        Raises BadData for missing columns; a missing label is none.
        """
        model = inputs.model
        if not isinstance(model, DataTransformModel):
            raise BadModel(f"{ctx.name} needs a model of DataTransform")
        raw = _raw(ctx, inputs)
        form = self._format(raw, model)
        parsed = reading.read(raw, form, self._wishes(ctx, model))
        x = self._refilled(parsed, form, model)
        names = model.param.anonymous_header
        frame = _frame(ctx, raw, form, parsed, _formed(x, model.meta.output_format), names)
        return Outputs(data=[frame], model=model)

    def _format(self, raw: RawTable, model: DataTransformModel | None) -> Format:
        if raw.schema.meta:
            return of_meta(raw.schema.meta)
        form = _kept_format(model) if model else _asked_format(self.params)
        if raw.schema.wide and form.delimiter == "," != raw.schema.delimiter:
            return msgspec.structs.replace(form, delimiter=raw.schema.delimiter)
        return form

    def _wishes(self, ctx: Ctx, model: DataTransformModel | None) -> reading.Wishes:
        params = self.params
        missing: list[Any] | None = params.missing_impute
        outliers: list[Any] | None = params.outlier_impute if params.outlier_replace else []
        if model:
            missing = [*(missing or ()), *model.meta.imputer_meta.missing_value]
            outliers = _declared_outliers(model)
        return reading.Wishes(
            header=model.param.header if model else None,
            match_id_name=params.match_id_name,
            match_id_index=params.match_id_index,
            missing=Sought.of(missing).words,
            outliers=Sought.of(outliers).words,
            threads=ctx.cores,
        )

    def _filled(self, parsed: reading.Parsed, form: Format) -> _Filled:
        params, header = self.params, parsed.header
        x = _to_fill(parsed, form, fills=params.missing_fill)
        if sparse.issparse(x):
            return _Filled(x)
        missing, outliers = None, None
        mask = _missing(x, parsed, Sought.of(params.missing_impute))
        if params.missing_fill:
            method, value = params.missing_fill_method, params.default_value
            x, missing = filling.fitted(x, mask, header, method, value)
        else:
            x[mask] = np.nan
        if params.outlier_replace:
            method, value = params.outlier_replace_method, params.outlier_replace_value
            mask = _outliers(x, parsed, params.outlier_impute)
            x, outliers = filling.fitted(x, mask, header, method, value)
        return _Filled(x, missing, outliers)

    def _refilled(self, parsed: reading.Parsed, form: Format, model: DataTransformModel) -> Matrix:
        meta, param = model.meta, model.param
        imputer = meta.imputer_meta
        x = _to_fill(parsed, form, fills=imputer.is_imputer)
        if sparse.issparse(x):
            return x
        kept = param.imputer_param.missing_replace_value
        sought = imputer.missing_value if imputer.is_imputer else self.params.missing_impute
        mask = _missing(x, parsed, Sought.of(sought))
        if imputer.is_imputer:
            x = filling.applied(x, mask, parsed.header, kept)
        else:
            x[mask] = np.nan
        if meta.outlier_meta.is_outlier:
            mask = _outliers(x, parsed, _declared_outliers(model))
            kept = param.outlier_param.outlier_replace_value
            x = filling.applied(x, mask, parsed.header, kept)
        return x


def _raw(ctx: Ctx, inputs: Inputs) -> RawTable:
    data = inputs.one(*_KINDS)
    if not isinstance(data, RawTable):
        raise BadData(f"{ctx.name} takes a table as uploaded, as Reader gives it")
    return data


def _asked_format(params: DataTransformParam) -> Format:
    return Format(
        delimiter=params.delimitor,
        input_format=params.input_format,
        tag_with_value=params.tag_with_value,
        tag_value_delimiter=params.tag_value_delimitor,
        with_match_id=params.with_match_id,
        exclusive_data_type=params.exclusive_data_type,
        data_type=params.data_type,
        with_label=params.with_label,
        label_name=params.label_name,
        label_type=params.label_type,
    )


def _kept_format(model: DataTransformModel) -> Format:
    meta = model.meta
    shown = {
        "delimiter": meta.delimitor,
        "input_format": meta.input_format,
        "tag_with_value": meta.tag_with_value,
        "tag_value_delimiter": meta.tag_value_delimitor,
        "with_match_id": meta.with_match_id,
        "exclusive_data_type": meta.exclusive_data_type or None,
        "data_type": meta.data_type,
        "with_label": meta.with_label,
        "label_name": model.param.label_name or "y",
        "label_type": meta.label_type or "int",
    }
    return of_meta(shown)


def _to_fill(parsed: reading.Parsed, form: Format, *, fills: bool) -> Matrix:
    """Tags with values name what they know: what a row does not name is missing, if it is to be
    filled. svmlight and plain tags are sparse: what is not named is 0."""
    if fills and sparse.issparse(parsed.x) and form.input_format == "tag" and form.tag_with_value:
        return reading.absent_as_missing(parsed.x)
    return parsed.x


def _missing(x: Floats, parsed: reading.Parsed, sought: Sought) -> Mask:
    mask: Mask = (np.isnan(x) | sought.found(x)) & ~_textual(parsed)
    return mask & ~parsed.outlying if parsed.outlying is not None else mask


def _outliers(x: Floats, parsed: reading.Parsed, declared: list[Any] | None) -> Mask:
    """Without declared values, what is still missing: FATE's outliers default to its missings."""
    if declared is None:
        still: Mask = np.isnan(x) & ~_textual(parsed)
        return still
    mask = Sought.of(declared).found(x)
    return mask | parsed.outlying if parsed.outlying is not None else mask


def _declared_outliers(model: DataTransformModel) -> list[Any] | None:
    values = model.meta.outlier_meta.outlier_value
    return None if values == filling.DEFAULT_SHOWN else list(values)


def _textual(parsed: reading.Parsed) -> Any:
    """(k,) whether a feature is text, which nothing here replaces."""
    named = set(parsed.texts.column_names) if parsed.texts is not None else set()
    return np.array([name in named for name in parsed.header], np.bool_)


def _formed(x: Matrix, output_format: str) -> Matrix:
    if output_format == "dense":
        return x.toarray() if sparse.issparse(x) else x
    found = x.copy() if sparse.issparse(x) else sparse.csr_matrix(x)
    found.data[np.abs(found.data) < _NOTHING] = 0.0
    found.eliminate_zeros()
    return found


def _frame(
    ctx: Ctx, raw: RawTable, form: Format, parsed: reading.Parsed, x: Matrix, names: list[str]
) -> Frame:
    labelled = parsed.label is not None
    schema = FrameSchema(
        header=parsed.header,
        anonymous_header=names,
        sid_name=raw.schema.sid or reading.DEFAULT_SID,
        label_name=parsed.label_name,
        anonymous_label=anonymous.anonymous_label(ctx.me) if labelled else None,
        match_id_name=parsed.match_id_name,
        data_type=form.data_type,
        label_type=form.label_type,
    )
    label_name = parsed.label_name or reading.DEFAULT_LABEL
    return Frame(
        ids=parsing.one(raw.key) if isinstance(raw.key, pa.ChunkedArray) else raw.key,
        x=x,
        schema=schema,
        label=parsing.labels(parsed.label, label_name, form.label_type) if labelled else None,
        match_ids=parsed.match_ids,
        texts=parsed.texts,
    )


def _model(
    params: DataTransformParam,
    form: Format,
    parsed: reading.Parsed,
    done: _Filled,
    names: list[str],
) -> DataTransformModel:
    labelled = parsed.label_name or ""
    meta = DataTransformMeta(
        input_format=form.input_format,
        delimitor=form.delimiter,
        data_type=form.data_type,
        exclusive_data_type=dict(form.exclusive_data_type or {}),
        tag_with_value=form.tag_with_value,
        tag_value_delimitor=form.tag_value_delimiter,
        with_label=form.with_label,
        label_name=labelled,
        label_type=form.label_type if form.with_label else "",
        output_format=params.output_format,
        with_match_id=form.with_match_id,
    )
    param = DataTransformModelParam(
        header=parsed.header, label_name=labelled, anonymous_header=names
    )
    if done.missing:
        shown = Sought.of(params.missing_impute).shown
        meta.imputer_meta = ImputerMeta(
            is_imputer=True, strategy=params.missing_fill_method or "", missing_value=shown
        )
        param.imputer_param = ImputerParam(
            missing_replace_value=done.missing.values, missing_value_ratio=done.missing.ratio
        )
    if done.outliers:
        shown = Sought.of(params.outlier_impute).shown
        meta.outlier_meta = OutlierMeta(
            is_outlier=True, strategy=params.outlier_replace_method or "", outlier_value=shown
        )
        param.outlier_param = OutlierParam(
            outlier_replace_value=done.outliers.values, outlier_value_ratio=done.outliers.ratio
        )
    return DataTransformModel(meta=meta, param=param)


def _summary(done: _Filled, meta: DataTransformMeta) -> dict[str, Any]:
    found: dict[str, Any] = {}
    if done.missing:
        found["missing_fill_info"] = {
            "missing_value": meta.imputer_meta.missing_value,
            "missing_impute_value": done.missing.values,
            "missing_impute_rate": done.missing.ratio,
        }
    if done.outliers:
        found["outlier_replace_rate"] = done.outliers.ratio
    return found
