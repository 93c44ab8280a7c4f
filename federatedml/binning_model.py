"""The model of feature binning as FATE shows it, and what others read from it.

Field names are those of FATE's FeatureBinningMeta and FeatureBinningParam; int64 fields are text
in its JSON. A column's last bin holds its missing values where it has as many bins as split points
and one more.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from federatedml.component import Int64, Model
from federatedml.maths.binning import Woe
from federatedml.maths.glm import Floats

MODEL_NAME = "binning_model"
"""By which HeteroFeatureSelection knows it among its isometric models."""


class TransformMeta(msgspec.Struct, kw_only=True, rename="camel"):
    """transform_cols: numbers of the columns, in the table of the training."""

    transform_cols: list[Int64] = []
    transform_type: str = ""


class BinningMeta(msgspec.Struct, kw_only=True, rename="camel"):
    need_run: bool = True
    method: str = "quantile"
    compress_thres: Int64 = "10000"
    head_size: Int64 = "10000"
    error: float = 1e-4
    bin_num: Int64 = "10"
    cols: list[str] = []
    adjustment_factor: float = 0.5
    local_only: bool = False
    transform_param: TransformMeta = msgspec.field(default_factory=TransformMeta)
    skip_static: bool = False
    optimal_metric_method: str = ""


class BinnedColumn(msgspec.Struct, kw_only=True, rename="camel"):
    """One column. split_points: upper bounds of the bins, the last one its largest value; empty
    for a column of another party's. The arrays of counts and rates: none at a host, or if
    ``skip_static``. optimal_metric_array: what merging each bin with the next would cost."""

    woe_array: list[float] = []
    iv_array: list[float] = []
    event_count_array: list[Int64] = []
    non_event_count_array: list[Int64] = []
    event_rate_array: list[float] = []
    non_event_rate_array: list[float] = []
    split_points: list[float] = []
    iv: float = 0.0
    is_woe_monotonic: bool = True
    bin_nums: Int64 = "0"
    bin_anonymous: list[str] = []
    optimal_metric_array: list[float] = []


class PartyResult(msgspec.Struct, kw_only=True, rename="camel"):
    """A party's columns; of other parties' under their anonymous names."""

    binning_result: dict[str, BinnedColumn] = {}
    role: str = ""
    party_id: str = ""


class MultiClassResult(msgspec.Struct, kw_only=True, rename="camel"):
    """labels: in descending order. results: one if there are two labels, else one for each label
    beside all others. host_results: in the same way for each host in turn."""

    results: list[PartyResult] = []
    labels: list[str] = []
    host_results: list[PartyResult] = []
    host_party_ids: list[str] = []
    has_host_result: bool = False


class BinningParam(msgspec.Struct, kw_only=True, rename="camel"):
    """The results of the first label are repeated outside of multi_class_result. transform_*: of
    the data of a later run, if its labels are known."""

    binning_result: PartyResult = msgspec.field(default_factory=PartyResult)
    host_results: list[PartyResult] = []
    header: list[str] = []
    header_anonymous: list[str] = []
    model_name: str = MODEL_NAME
    multi_class_result: MultiClassResult = msgspec.field(default_factory=MultiClassResult)
    transform_binning_result: PartyResult | UnsetType = UNSET
    transform_host_results: list[PartyResult] = []
    transform_multi_class_result: MultiClassResult | UnsetType = UNSET


class BinningModel(Model, kw_only=True):
    meta_name: ClassVar[str] = "FeatureBinningMeta"
    param_name: ClassVar[str] = "FeatureBinningParam"

    meta: BinningMeta
    param: BinningParam

    @property
    def points(self) -> dict[str, Floats]:
        """The split points of this party's columns."""
        columns = self.param.binning_result.binning_result
        return {name: np.array(c.split_points, dtype=np.float64) for name, c in columns.items()}

    @property
    def has_woe(self) -> bool:
        """Whether this party's columns have WOE: always at a guest that counted."""
        columns = self.param.binning_result.binning_result.values()
        return bool(columns) and all(column.woe_array for column in columns)


def column(
    points: Sequence[float] | Floats, n_bins: int, woe: Woe | None, metric: Sequence[float] = ()
) -> BinnedColumn:
    """One of this party's own columns. n_bins: with the bin of missing values, if there is one."""
    found = counted(woe) if woe is not None else BinnedColumn()
    found.split_points = [float(point) for point in points]
    found.bin_nums = str(n_bins)
    found.bin_anonymous = [f"bin_{i}" for i in range(n_bins)]
    found.optimal_metric_array = list(metric)
    return found


def counted(woe: Woe) -> BinnedColumn:
    """What the guest knows of any column, another party's too."""
    return BinnedColumn(
        woe_array=woe.woe.tolist(),
        iv_array=woe.iv.tolist(),
        event_count_array=[str(count) for count in woe.event.tolist()],
        non_event_count_array=[str(count) for count in woe.non_event.tolist()],
        event_rate_array=woe.event_rate.tolist(),
        non_event_rate_array=woe.non_event_rate.tolist(),
        iv=woe.total_iv,
        is_woe_monotonic=woe.is_monotonic,
        bin_nums=str(len(woe.event)),
    )


def multi_class(
    results: list[PartyResult],
    labels: Sequence[Any],
    host_results: list[PartyResult],
    host_party_ids: list[str],
) -> MultiClassResult:
    """All results of one data set. labels: none where nothing was counted."""
    return MultiClassResult(
        results=results,
        labels=[str(label) for label in labels],
        host_results=host_results,
        host_party_ids=host_party_ids,
        has_host_result=bool(host_results),
    )


def summary(of: MultiClassResult) -> dict[str, Any]:
    """Of columns that were counted: ``{"result": ...}``, or an entry for each of several labels;
    of others their split points."""
    first = of.results[0].binning_result
    if not of.labels:
        return {name: column.split_points for name, column in first.items()}
    if len(of.results) == 1:
        return {"result": _told([*of.results, *of.host_results])}
    n = len(of.labels)
    return {
        label: _told([of.results[i], *of.host_results[i::n]]) for i, label in enumerate(of.labels)
    }


def _told(parties: Sequence[PartyResult]) -> dict[str, Any]:
    columns = {name: c for party in parties for name, c in party.binning_result.items()}
    return {
        "iv": sorted(([name, c.iv] for name, c in columns.items()), key=lambda pair: -pair[1]),
        "woe": {name: c.woe_array for name, c in columns.items()},
        "monotonic": {name: c.is_woe_monotonic for name, c in columns.items()},
        "split_points": {name: c.split_points or None for name, c in columns.items()},
    }
