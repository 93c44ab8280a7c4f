"""The model of feature selection as FATE shows it, and how it grows filter by filter."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import msgspec
import numpy as np

from federatedml.component import Model
from federatedml.maths.filters import Bools
from federatedml.maths.glm import Floats
from federatedml.selection_params import MANUALLY, Step
from federation import Party

RANKED = "Sort and filter by threshold"
"""The filter_type of correlation_filter. Source: FATE 1.x."""


class FilterMeta(msgspec.Struct, kw_only=True, rename="camel"):
    """filter_out_names: what was taken out by hand, with commas between."""

    metrics: str = ""
    filter_type: str = ""
    take_high: bool = False
    threshold: float = 0.0
    select_federated: bool = False
    filter_out_names: str = ""


class SelectionMeta(msgspec.Struct, kw_only=True, rename="camel"):
    """cols: those that filters are for. filter_metas: one for each result."""

    filter_methods: list[str] = []
    cols: list[str] = []
    need_run: bool = True
    filter_metas: list[FilterMeta] = []


class LeftCols(msgspec.Struct, kw_only=True, rename="camel"):
    """original_cols: before a filter. left_cols: true for each that stayed; others are not in."""

    original_cols: list[str] = []
    left_cols: dict[str, bool] = {}


class HostFeatureValues(msgspec.Struct, kw_only=True, rename="camel"):
    feature_values: dict[str, float] = {}


class FilterResult(msgspec.Struct, kw_only=True, rename="camel"):
    """feature_values: by what the filter went; columns without a value are not in. host_*: at the
    guest, of filters that it ran for all parties, for each host in turn; names are anonymous."""

    feature_values: dict[str, float] = {}
    host_feature_values: list[HostFeatureValues] = []
    left_cols: LeftCols = msgspec.field(default_factory=LeftCols)
    host_left_cols: list[LeftCols] = []
    filter_name: str = ""


class HostColNames(msgspec.Struct, kw_only=True, rename="camel"):
    col_names: list[str] = []
    party_id: str = ""


class SelectionParam(msgspec.Struct, kw_only=True, rename="camel"):
    """col_names: all columns, the longest kept first. host_col_names: at the guest the same of each
    host that it filtered columns of; at a host its own, all. names are anonymous there. header:
    all columns."""

    results: list[FilterResult] = []
    final_left_cols: LeftCols = msgspec.field(default_factory=LeftCols)
    col_names: list[str] = []
    host_col_names: list[HostColNames] = []
    header: list[str] = []
    col_name_to_anonym_dict: dict[str, str] = {}


class SelectionModel(Model, kw_only=True):
    meta_name: ClassVar[str] = "FeatureSelectionMeta"
    param_name: ClassVar[str] = "FeatureSelectionParam"

    meta: SelectionMeta
    param: SelectionParam

    @property
    def left(self) -> list[str]:
        """The columns that stay, in the order of the training table."""
        kept = self.param.final_left_cols.left_cols
        return [name for name in self.param.header if kept.get(name)]


@dataclass(frozen=True)
class HostPart:
    """Of a host's columns, under anonymous names: by what a filter went, and which stay."""

    host: Party
    names: list[str]
    values: Floats
    kept: Bools


@dataclass
class Funnel:
    """A party's columns on their way through the filters. header, anonymous: names of all columns.
    chosen: numbers of those that filters are for. left: of those that are still there."""

    header: list[str]
    anonymous: list[str]
    chosen: list[int]
    left: list[int] = field(default_factory=list)
    results: list[FilterResult] = field(default_factory=list)
    metas: list[FilterMeta] = field(default_factory=list)
    host_names: dict[str, list[list[str]]] = field(default_factory=dict)
    """By party id of a host its columns that were left before each filter, and after the last."""

    def __post_init__(self) -> None:
        self.left = list(range(len(self.header)))

    @property
    def candidates(self) -> list[int]:
        """Numbers of the columns that the next filter is for."""
        chosen = set(self.chosen)
        return [i for i in self.left if i in chosen]

    @property
    def needs_one(self) -> bool:
        """Whether no column would be left if no candidate stayed."""
        return len(self.candidates) == len(self.left)

    def names(self, at: Sequence[int]) -> list[str]:
        return [self.header[i] for i in at]

    def narrow(
        self,
        step: Step,
        kept: Bools,
        values: Floats | None = None,
        hosts: Sequence[HostPart] = (),
    ) -> None:
        """Leave those of the candidates that are kept. values: (k,) by what the filter went."""
        before, candidates = self.names(self.left), self.candidates
        gone = {i for i, stays in zip(candidates, kept, strict=True) if not stays}
        self.left = [i for i in self.left if i not in gone]
        shown = {} if values is None else _by_name(self.names(candidates), values)
        self.results.append(
            FilterResult(
                feature_values=shown,
                left_cols=_left(before, self.names(self.left)),
                host_feature_values=[
                    HostFeatureValues(feature_values=_by_name(part.names, part.values))
                    for part in hosts
                ],
                host_left_cols=[_left(part.names, _picked(part)) for part in hosts],
                filter_name=step.name,
            )
        )
        self.metas.append(_meta(step, self.names(sorted(gone))))
        for part in hosts:
            seen = self.host_names.setdefault(part.host.party_id, [])
            seen.extend([part.names, _picked(part)])

    def model(self, methods: Sequence[str], me: Party, *, is_host: bool) -> SelectionModel:
        """What came of it. me: this party."""
        col_names = _longest_kept(self.header, [list(r.left_cols.left_cols) for r in self.results])
        names = dict(zip(self.header, self.anonymous, strict=True))
        others = {
            party_id: _longest_kept(seen[0], seen) for party_id, seen in self.host_names.items()
        }
        if is_host:
            others = {me.party_id: self.anonymous}
        return SelectionModel(
            meta=SelectionMeta(
                filter_methods=list(methods),
                cols=self.names(self.chosen),
                filter_metas=self.metas,
            ),
            param=SelectionParam(
                results=self.results,
                final_left_cols=_left(self.header, self.names(self.left)),
                col_names=col_names,
                host_col_names=[
                    HostColNames(col_names=own, party_id=party_id)
                    for party_id, own in others.items()
                ],
                header=self.header,
                col_name_to_anonym_dict=names,
            ),
        )


def summary(param: SelectionParam) -> dict[str, Any]:
    """How many columns there were before and after each filter, and which are left; of a filter
    that ran more than once, its later runs as NAME_2, NAME_3, ..."""
    told: dict[str, Any] = {}
    for result in param.results:
        n, name = 2, result.filter_name
        while name in told:
            name, n = f"{result.filter_name}_{n}", n + 1
        told[name] = _counts(result.left_cols)
    return told | {"all": _counts(param.final_left_cols)}


def _counts(of: LeftCols) -> dict[str, Any]:
    return {
        "last_col_nums": len(of.original_cols),
        "left_col_nums": len(of.left_cols),
        "left_col_names": list(of.left_cols),
    }


def _left(before: Sequence[str], after: Sequence[str]) -> LeftCols:
    return LeftCols(original_cols=list(before), left_cols=dict.fromkeys(after, True))


def _picked(part: HostPart) -> list[str]:
    return [name for name, stays in zip(part.names, part.kept, strict=True) if stays]


def _by_name(names: Sequence[str], values: Floats) -> dict[str, float]:
    """JSON has no nan: columns without a value are left out."""
    known = zip(names, values.tolist(), strict=True)
    return {name: value for name, value in known if not math.isnan(value)}


def _longest_kept(names: Sequence[str], seen: Sequence[Sequence[str]]) -> list[str]:
    """The names by how many of the filters they passed, else in their order."""
    counts = dict.fromkeys(names, 0)
    for left in seen:
        for name in left:
            if name in counts:
                counts[name] += 1
    order = np.argsort([-count for count in counts.values()], kind="stable")
    return [names[i] for i in order.tolist()]


def _meta(step: Step, gone: Sequence[str]) -> FilterMeta:
    if step.method == MANUALLY:
        return FilterMeta(filter_out_names=",".join(gone))
    if step.method == "percentage_value":
        return FilterMeta(threshold=step.rule.threshold)
    ranks = step.method == "correlation_filter"
    return FilterMeta(
        metrics=step.metric,
        filter_type=RANKED if ranks else step.rule.filter_type,
        take_high=step.rule.take_high,
        threshold=step.rule.threshold,
        select_federated=step.select_federated,
    )
