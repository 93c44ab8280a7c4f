"""FeatureImputation: values in the place of missing ones, by a method for all columns or for each.

Parties: guest, host, each for itself. Maths: ``federatedml.maths.imputation``.
Round: none; nothing leaves a party. Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/feature_imputation.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from scipy import sparse

from federatedml import component, instances
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming, parsing
from federatedml.data.filling import DEFAULT_SHOWN, Sought
from federatedml.data.frame import Floats, Frame, Matrix
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import columnwise, imputation
from federatedml.maths.imputation import Mask, Statistic
from federatedml.maths.scaling_columns import blocks
from federatedml.params import Params

LOG = logging.getLogger(__name__)

Filling = Literal["min", "max", "mean", "median", "mode", "designated"]
Value = int | float | str

_STATISTICS: dict[Filling, Statistic] = {
    "min": "min",
    "max": "max",
    "mean": "mean",
    "median": "median",
    "mode": "mode",
}

_SKIPPED = "None"
"""In a model: the method of a column that stays as it is."""


class FeatureImputationParam(Params, frozen=True, kw_only=True):
    """missing_fill_method: of all columns that col_missing_fill_method does not name; a column
    without a method stays as it is. default_value: what "designated" puts, one value or one for
    each column of the data. missing_impute: what counts as missing besides empty cells, null for
    FATE's words alone. median and mode are ours; a column of text takes designated and mode.
    """

    default_value: Value | list[Value] | None = 0
    missing_fill_method: Filling | None = None
    col_missing_fill_method: dict[str, Filling | None] | None = None
    missing_impute: list[Value | None] | None = None
    need_run: bool = True


class ImputerMeta(msgspec.Struct, rename="camel", kw_only=True):
    is_imputer: bool = True
    strategy: str = ""
    missing_value: list[str] = []
    missing_value_type: list[str] = []
    cols_strategy: dict[str, str] = {}


class FeatureImputationMeta(msgspec.Struct, rename="camel", kw_only=True):
    imputer_meta: ImputerMeta
    need_run: bool = True


class ImputerParam(msgspec.Struct, rename="camel", kw_only=True):
    missing_replace_value: dict[str, str] = {}
    missing_value_ratio: dict[str, float] = {}
    missing_replace_value_type: dict[str, str] = {}
    skip_cols: list[str] = []
    cols_replace_method: dict[str, str] = {}


class FeatureImputationModelParam(msgspec.Struct, rename="camel", kw_only=True):
    header: list[str]
    imputer_param: ImputerParam


class FeatureImputationModel(component.Model, kw_only=True):
    meta_name: ClassVar[str] = "FeatureImputationMeta"
    param_name: ClassVar[str] = "FeatureImputationParam"

    meta: FeatureImputationMeta
    param: FeatureImputationModelParam


class Wire:
    """Nothing leaves a party."""


@dataclass(frozen=True)
class Missing:
    """What counts as missing: these numbers beside nan; these texts beside null and no text."""

    numbers: tuple[float, ...]
    words: pa.Array

    @classmethod
    def of(cls, declared: Sequence[Value | None] | None) -> Missing:
        words = DEFAULT_SHOWN if declared is None else [str(value) for value in declared]
        return cls(Sought.of(declared).numbers, pa.array(["", *words], pa.string()))

    def among(self, values: Floats) -> Mask:
        """Which of these numbers are missing, in the same shape."""
        mask: Mask = np.isnan(values)
        for number in self.numbers:
            mask |= values == number
        return mask

    def texts(self, column: Any) -> pa.Array:
        """(n,) which texts are missing."""
        whole = parsing.one(column)
        known = pc.is_in(whole, value_set=self.words.cast(whole.type))
        return pc.or_(known, pc.is_null(whole))

    @property
    def has_zero(self) -> bool:
        return 0.0 in self.numbers


@dataclass(frozen=True)
class Fitted:
    """Of one column: what replaces missing values, and the share of them."""

    value: Value
    ratio: float


@register("FeatureImputation")
class FeatureImputation(Component[FeatureImputationParam]):
    Params = FeatureImputationParam
    Model = FeatureImputationModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadParameters for unknown columns and impossible replacements, BadData for columns
        that hold nothing a method could go by."""
        data, missing = instances.only(ctx, inputs), Missing.of(self.params.missing_impute)
        methods = self._methods(data, ctx.name)
        naming.refuse_twins(data.schema, list(methods), ctx.name)
        fitted = self._fitted(data, methods, missing, ctx.name)
        filled = _filled(data, {j: one.value for j, one in fitted.items()}, missing)
        model = self._model(data.schema.header, methods, fitted)
        ctx.report.summary(self._summary(data.schema.header, fitted, model))
        return Outputs(data=[filled], model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Missing values are replaced by what the training rows said."""
        model, data = inputs.model, instances.only(ctx, inputs)
        if not isinstance(model, FeatureImputationModel):
            raise BadModel(f"{ctx.name} needs a model of FeatureImputation")
        declared = model.meta.imputer_meta.missing_value
        missing = Missing.of(None if declared == DEFAULT_SHOWN else declared)
        values = _kept_values(data, model, ctx.name)
        return Outputs(data=[_filled(data, values, missing)], model=model)

    def _methods(self, data: Frame, name: str) -> dict[int, Filling]:
        """The method of each column that has one."""
        p, header = self.params, data.schema.header
        own = p.col_missing_fill_method or {}
        named = {columns.index_of(column, header, name): how for column, how in own.items()}
        every = {j: named.get(j, p.missing_fill_method) for j in range(len(header))}
        return {j: how for j, how in every.items() if how is not None}

    def _fitted(
        self, data: Frame, methods: Mapping[int, Filling], missing: Missing, name: str
    ) -> dict[int, Fitted]:
        words = instances.texts(data)
        numbers = {j: how for j, how in methods.items() if j not in words}
        found: dict[int, tuple[Value | None, float]] = {**_of_numbers(data, numbers, missing)}
        found |= {j: _of_text(words[j], how, missing) for j, how in methods.items() if j in words}
        fitted = dict[int, Fitted]()
        empty, unfit = [], []
        for j in sorted(methods):
            value, ratio = found[j]
            if methods[j] == "designated":
                value = self._designated(j, data, name, is_text=j in words)
            elif j in words and methods[j] != "mode":
                unfit.append(j)
            if value is None or (isinstance(value, float) and not math.isfinite(value)):
                empty.append(j)
            else:
                fitted[j] = Fitted(value, ratio)
        if unfit:
            raise BadData(
                f"{name}: {naming.named(data.schema, unfit, name)} is text, which has no min, max, "
                "mean or median; give it designated or mode (or null) in col_missing_fill_method"
            )
        if empty:
            raise BadData(
                f"{name}: no values, or infinite ones, to go by in "
                f"{naming.named(data.schema, empty, name)}; fill with designated, or leave the "
                "column out in col_missing_fill_method (null)"
            )
        return fitted

    def _designated(self, j: int, data: Frame, name: str, *, is_text: bool) -> Value:
        given, k = self.params.default_value, data.n_features
        if isinstance(given, list) and len(given) != k:
            raise BadParameters(
                f"{name}: default_value has {len(given)} values and this party's data {k} columns; "
                "give one value, or one for each column"
            )
        value = given[j] if isinstance(given, list) else given
        value = 0 if value is None else value
        if is_text:
            return str(value)
        if _number(value) is None:
            raise BadParameters(
                f"{name}: default_value is no number, and "
                f"{naming.named(data.schema, [j], name)} is a column of numbers"
            )
        return value

    def _model(
        self, header: Sequence[str], methods: Mapping[int, Filling], fitted: Mapping[int, Fitted]
    ) -> FeatureImputationModel:
        p = self.params
        declared: Sequence[Any] = DEFAULT_SHOWN if p.missing_impute is None else p.missing_impute
        own = p.col_missing_fill_method or {}
        meta = ImputerMeta(
            strategy=p.missing_fill_method or "",
            missing_value=[str(value) for value in declared],
            missing_value_type=[type(value).__name__ for value in declared],
            cols_strategy={column: str(how) for column, how in own.items()},
        )
        param = ImputerParam(
            missing_replace_value={header[j]: str(one.value) for j, one in fitted.items()},
            missing_value_ratio={
                column: fitted[j].ratio if j in fitted else 0.0 for j, column in enumerate(header)
            },
            missing_replace_value_type={
                header[j]: type(one.value).__name__ for j, one in fitted.items()
            },
            skip_cols=[column for j, column in enumerate(header) if j not in fitted],
            cols_replace_method={
                column: methods.get(j, _SKIPPED) for j, column in enumerate(header)
            },
        )
        return FeatureImputationModel(
            meta=FeatureImputationMeta(imputer_meta=meta),
            param=FeatureImputationModelParam(header=list(header), imputer_param=param),
        )

    def _summary(
        self,
        header: Sequence[str],
        fitted: Mapping[int, Fitted],
        model: FeatureImputationModel,
    ) -> dict[str, Any]:
        declared: Sequence[Any] | None = self.params.missing_impute
        return {
            "missing_value": list(DEFAULT_SHOWN if declared is None else declared),
            "missing_impute_value": {
                column: fitted[j].value if j in fitted else 0 for j, column in enumerate(header)
            },
            "missing_impute_rate": model.param.imputer_param.missing_value_ratio,
            "skip_cols": model.param.imputer_param.skip_cols,
        }


def _number(value: Value) -> float | None:
    try:
        return float(value)
    except ValueError:
        return None


def _of_numbers(
    data: Frame, methods: Mapping[int, Filling], missing: Missing
) -> dict[int, tuple[float | None, float]]:
    """The replacement (None if there is no value to go by) and share of missing values of each."""
    at, n, found = list(methods), max(data.n_rows, 1), {}
    for j, (values, n_zeros) in zip(at, columnwise.columns(data.x, at), strict=True):
        mask = missing.among(values)
        zeros_there = 0 if missing.has_zero else n_zeros
        n_missing = int(np.count_nonzero(mask)) + n_zeros - zeros_there
        there = values[~mask]
        how = _STATISTICS.get(methods[j])
        value = None
        if how is not None and len(there) + zeros_there:
            value = imputation.typical(there, zeros_there, how)
        found[j] = value, n_missing / n
    return found


def _of_text(column: Any, method: Filling, missing: Missing) -> tuple[str | None, float]:
    """The most frequent text (None if there is none), and the share of missing ones."""
    mask = missing.texts(column)
    ratio = (pc.sum(mask).as_py() or 0) / max(len(mask), 1)
    there = parsing.one(column).filter(pc.invert(mask))
    if method != "mode" or not len(there):
        return None, ratio
    counted = pc.value_counts(there)
    texts, counts = counted.field("values"), counted.field("counts")
    return pc.min(texts.filter(pc.equal(counts, pc.max(counts)))).as_py(), ratio


def _kept_values(data: Frame, model: FeatureImputationModel, name: str) -> dict[int, Value]:
    """What replaces missing values in which columns of this data. Raises BadModel."""
    kept = model.param.imputer_param.missing_replace_value
    at = instances.places(data.schema, list(kept), name)
    found, words = dict[int, Value](), instances.texts(data)
    for j, text in zip(at, kept.values(), strict=True):
        number = _number(text)
        if j not in words and number is None:
            raise BadModel(
                f"{name}: {naming.named(data.schema, [j], name)} was text in training and holds "
                "numbers now; set data_type or exclusive_data_type as in training"
            )
        found[j] = text if j in words or number is None else number
    return found


def _filled(data: Frame, values: Mapping[int, Value], missing: Missing) -> Frame:
    words = instances.texts(data)
    numbers = {j: float(value) for j, value in values.items() if j not in words}
    x = _filled_matrix(data.x, numbers, missing) if numbers else data.x
    texts = data.texts
    for j, value in values.items():
        if texts is not None and j in words:
            column = parsing.one(words[j])
            full = pc.if_else(missing.texts(column), pa.scalar(str(value), column.type), column)
            place = texts.column_names.index(data.schema.header[j])
            texts = texts.set_column(place, data.schema.header[j], full)
    return replace(data, x=x, texts=texts)


def _filled_matrix(x: Matrix, values: Mapping[int, float], missing: Missing) -> Matrix:
    """A new matrix. csr stays csr but where zero itself is missing. Cost: one copy, some passes."""
    k = x.shape[1]
    by, fills = np.zeros(k), np.zeros(k, np.bool_)
    at: NDArray[np.int64] = np.array(list(values), dtype=np.int64)
    by[at], fills[at] = list(values.values()), True
    if sparse.issparse(x) and not missing.has_zero:
        mask = missing.among(x.data) & fills[x.indices]
        data = np.where(mask, by[x.indices], x.data)
        return sparse.csr_matrix((data, x.indices, x.indptr), shape=x.shape)
    dense = x.toarray() if sparse.issparse(x) else np.asarray(x)
    found = np.empty(dense.shape)
    for rows in blocks(*dense.shape):
        part = dense[rows]
        found[rows] = np.where(missing.among(part) & fills, by, part)
    return found
