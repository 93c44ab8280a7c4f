"""What happens to features between a request and a model: one vectorised step for each component.

A step is made of a component's fitted model and of the columns that come in; it tells the columns
that go out, and works on all rows at once. Results are those of the component's own ``transform``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from federatedml.binning_model import BinningModel
from federatedml.components.feature_imputation import FeatureImputationModel, Missing
from federatedml.components.feature_scale import UNLIMITED, ScaleModel
from federatedml.data.filling import DEFAULT_SHOWN
from federatedml.maths.scaling_columns import NOTHING
from federatedml.onehot import EncodingModel
from federatedml.selection_model import SelectionModel
from serving.plans import kernels
from serving.plans.faults import Refused

Floats = NDArray[np.float64]
Ints = NDArray[np.int32]
Texts = dict[str, list[str]]


class Table(NamedTuple):
    """Rows at some place of the pipeline. x (n, k), C-order; texts: text columns by name, nan in
    x."""

    x: Floats
    texts: Texts


Run = Callable[[Table], Table]


class Step(NamedTuple):
    """header: the columns that come out; texts: those of them that are text. run None: as it is."""

    header: tuple[str, ...]
    texts: frozenset[str]
    run: Run | None


def places(header: Sequence[str], wanted: Sequence[str]) -> list[int]:
    """Where columns stand. Raises Refused for those that are not there."""
    at = {name: j for j, name in enumerate(header)}
    if lacking := [name for name in wanted if name not in at]:
        raise Refused(
            f"it needs {len(lacking)} of its {len(wanted)} columns that the components before it "
            "do not give; deploy them together"
        )
    return [at[name] for name in wanted]


def imputed(before: Step, model: FeatureImputationModel) -> Step:
    """FeatureImputation."""
    declared = model.meta.imputer_meta.missing_value
    missing = Missing.of(None if declared == DEFAULT_SHOWN else declared)
    kept = model.param.imputer_param.missing_replace_value
    at = places(before.header, list(kept))
    by, fills = np.zeros(len(before.header)), np.zeros(len(before.header), np.bool_)
    words = {name: text for name, text in kept.items() if name in before.texts}
    for j, (name, text) in zip(at, kept.items(), strict=True):
        if name not in before.texts:
            by[j], fills[j] = _as_number(text, name), True
    absent = frozenset(missing.words.to_pylist())
    plain = not missing.numbers

    def run(table: Table) -> Table:
        x = table.x
        mask = (np.isnan(x) if plain else missing.among(x)) & fills
        filled = np.where(mask, by, x) if mask.any() else x
        texts = dict(table.texts)
        for name, text in words.items():
            texts[name] = [text if value in absent else value for value in texts[name]]
        return Table(filled, texts)

    return Step(before.header, before.texts, run)


def scaled(before: Step, model: ScaleModel) -> Step:
    """FeatureScale: limited as training was asked to, shifted and divided."""
    meta, param = model.meta, model.param
    at = places(before.header, meta.scale_column)
    if words := [name for name in meta.scale_column if name in before.texts]:
        raise Refused(f"{len(words)} columns to scale are text")
    k = len(before.header)
    lower, upper = np.full(k, -np.inf), np.full(k, np.inf)
    shift, divisor = np.zeros(k), np.ones(k)
    uppers = dict(zip(param.header, meta.feat_upper, strict=False))
    lowers = dict(zip(param.header, meta.feat_lower, strict=False))
    is_standard = meta.method == "standard_scale"
    for j, name in zip(at, meta.scale_column, strict=True):
        kept = param.col_scale_param[name]
        if (high := uppers.get(name, UNLIMITED)) != UNLIMITED:
            upper[j] = kept.column_upper if meta.mode == "cap" else float(high)
        if (low := lowers.get(name, UNLIMITED)) != UNLIMITED:
            lower[j] = kept.column_lower if meta.mode == "cap" else float(low)
        shift[j] = kept.mean if is_standard else kept.column_lower
        width = kept.std if is_standard else kept.column_upper - kept.column_lower
        divisor[j] = 1.0 if abs(width) < NOTHING else width
    limits = bool(np.isfinite(lower).any() or np.isfinite(upper).any())

    def run(table: Table) -> Table:
        x = np.minimum(np.maximum(table.x, lower), upper) if limits else table.x
        return Table((x - shift) / divisor, table.texts)

    return Step(before.header, before.texts, run)


def binned(before: Step, model: BinningModel) -> Step:
    """Feature binning: bins or their WOE in place of the values, where training asked for it."""
    meta, param = model.meta, model.param
    kept, kind = model.points, meta.transform_param.transform_type
    places(before.header, list(kept))
    if not kind:
        return Step(before.header, before.texts, None)
    names = [param.header[int(j)] for j in meta.transform_param.transform_cols]
    if alien := [name for name in names if name not in kept]:
        raise Refused(f"{len(alien)} columns to transform have no bins")
    at = places(before.header, names)
    values = []
    for name in names:
        n_points = len(kept[name])
        if kind == "woe":
            woe = np.array(param.binning_result.binning_result[name].woe_array, dtype=np.float64)
            if len(woe) not in (n_points, n_points + 1):
                raise Refused("transform_type is woe, and the model has none for this party")
            values.append(woe if len(woe) > n_points else np.append(woe, np.nan))
        else:
            values.append(np.arange(n_points + 1.0))
    first = np.cumsum([0, *(len(kept[name]) for name in names)]).astype(np.int32)
    points = np.concatenate([np.empty(0), *(kept[name] for name in names)])
    flat = np.concatenate([np.empty(0), *values])
    where = np.array(at, dtype=np.int32)

    def run(table: Table) -> Table:
        out = table.x.copy()
        kernels.replaced(table.x, where, first, points, flat, out)
        return Table(out, table.texts)

    return Step(before.header, before.texts, run)


def selected(before: Step, model: SelectionModel) -> Step:
    """Feature selection: the columns that stay."""
    return picked(before, model.left)


def picked(before: Step, names: Sequence[str]) -> Step:
    """These columns, in this order."""
    at = places(before.header, names)
    texts = before.texts & frozenset(names)
    if at == list(range(len(before.header))):
        return Step(before.header, before.texts, None)
    where: Any = slice(at[0], at[-1] + 1) if _is_run(at) else np.array(at, dtype=np.intp)

    def run(table: Table) -> Table:
        kept = {name: table.texts[name] for name in texts}
        return Table(np.ascontiguousarray(table.x[:, where]), kept)

    return Step(tuple(names), texts, run)


def encoded(before: Step, model: EncodingModel) -> Step:
    """OneHotEncoder: a column of 0 and 1 for each category. A category that was not in training,
    and a missing one, are 0 in all of them."""
    header, col_map = model.meta.header, model.param.col_map
    at = places(before.header, header)
    old, new, sources, targets, wanted = ([] for _ in range(5))  # type: ignore[var-annotated]
    words: dict[str, dict[str, int]] = {}
    width = 0
    for j, name in zip(at, header, strict=True):
        one = col_map.get(name)
        if one is None:
            old.append(j)
            new.append(width)
            width += 1
            continue
        for i, value in enumerate(one.values):
            if name in before.texts:
                words.setdefault(name, {})[value] = width + i
            else:
                sources.append(j)
                targets.append(width + i)
                wanted.append(_as_number(value, name))
        width += len(one.values)
    result = tuple(model.param.result_header)
    if len(result) != width:
        raise Refused(f"it has {len(result)} names for {width} columns")
    texts = before.texts & {before.header[j] for j in old}
    old_at, new_at, source_at, target_at = (
        np.array(part, dtype=np.intp) for part in (old, new, sources, targets)
    )
    values = np.array(wanted, dtype=np.float64)

    def run(table: Table) -> Table:
        out = np.zeros((len(table.x), width))
        if len(old_at):
            out[:, new_at] = table.x[:, old_at]
        if len(source_at):
            out[:, target_at] = table.x[:, source_at] == values
        for name, columns in words.items():
            for i, text in enumerate(table.texts[name]):
                if (column := columns.get(text)) is not None:
                    out[i, column] = 1.0
        return Table(out, {name: table.texts[name] for name in texts})

    return Step(result, frozenset(texts), run)


def chained(first: Run | None, then: Run | None) -> Run | None:
    if first is None or then is None:
        return first or then
    return lambda table: then(first(table))


def renamed(texts: Mapping[int, list[str]], names: Sequence[str]) -> Texts:
    """Text columns by name."""
    return {names[j]: values for j, values in texts.items()}


def _as_number(text: str, name: str) -> float:  # noqa: ARG001 (who reads it knows the component)
    try:
        return float(text)
    except ValueError:
        raise Refused(
            "a column was text in training and is a number now; give DataTransform the data_type "
            "or exclusive_data_type of the training"
        ) from None


def _is_run(at: Sequence[int]) -> bool:
    return bool(at) and list(at) == list(range(at[0], at[0] + len(at)))
