"""Parameters of feature binning, vertical and horizontal, under FATE's names and defaults."""

from __future__ import annotations

import itertools
import math
from typing import Annotated, Any, Literal

import msgspec

from federatedml.maths.optimal_binning import Metric, Rules
from federatedml.maths.quantiles import MAX_BINS
from federatedml.params import Fraction, Params, PositiveInt
from federatedml.params_shared import EncryptParam

Bins = Annotated[int, msgspec.Meta(ge=1, le=MAX_BINS)]
Names = list[str] | None
Indexes = int | list[int] | None
SplitPoints = dict[str, list[float]]


class TransformParam(Params, frozen=True, kw_only=True):
    """What the output data has in place of values: the number of the bin, its WOE, or (None) what
    was there. transform_cols: -1 for all binned columns; transform_names are added to them."""

    transform_cols: Indexes = -1
    transform_names: Names = None
    transform_type: Literal["bin_num", "woe"] | None = "bin_num"


class OptimalBinningParam(Params, frozen=True, kw_only=True):
    """See ``optimal_binning.Rules``. init_bin_nums, init_bucket_method: the buckets that are put
    together."""

    metric_method: Literal["iv", "gini", "chi_square", "chi-square", "ks"] = "iv"
    min_bin_pct: Fraction = 0.05
    max_bin_pct: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    init_bin_nums: Annotated[int, msgspec.Meta(ge=2, le=MAX_BINS)] = 1000
    mixture: bool = True
    init_bucket_method: Literal["quantile", "bucket"] = "quantile"

    @property
    def metric(self) -> Metric:
        """Its name in one spelling."""
        return "chi_square" if self.metric_method == "chi-square" else self.metric_method


class BinningParams(Params, frozen=True, kw_only=True):
    """What every binning has. compress_thres, head_size and error are of FATE's quantile sketches;
    here quantiles are exact, and nothing reads them."""

    compress_thres: PositiveInt = 10000
    head_size: PositiveInt = 10000
    error: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 1e-4
    bin_num: Bins = 10
    bin_indexes: Indexes = -1
    bin_names: Names = None
    adjustment_factor: Annotated[float, msgspec.Meta(gt=0)] = 0.5
    category_indexes: Indexes = None
    category_names: Names = None
    transform_param: TransformParam = TransformParam()
    local_only: bool = False
    need_run: bool = True
    skip_static: bool = False


class HeteroBinningParams(BinningParams, frozen=True, kw_only=True):
    """split_points_by_index, split_points_by_col_name: a column's ascending points, the last one
    its largest value; they take the place of ``method`` for all columns."""

    method: Literal["quantile", "bucket", "optimal"] = "quantile"
    optimal_binning_param: OptimalBinningParam = OptimalBinningParam()
    encrypt_param: EncryptParam = EncryptParam()
    split_points_by_index: SplitPoints | None = None
    split_points_by_col_name: SplitPoints | None = None

    def __post_init__(self) -> None:
        if self.encrypt_param.scheme == "None":
            raise ValueError(
                "encrypt_param.method None would send labels in the clear; leave it out"
            )
        if self.skip_static and self.method == "optimal":
            raise ValueError("skip_static counts no labels, which method optimal needs")
        if self.skip_static and self.transform_param.transform_type == "woe":
            raise ValueError("skip_static counts no labels, so there is no WOE to transform by")
        optimal = self.optimal_binning_param
        if self.method == "optimal" and math.ceil(1 / optimal.max_bin_pct) > self.bin_num:
            raise ValueError(
                f"optimal_binning_param.max_bin_pct {optimal.max_bin_pct} needs at least "
                f"{math.ceil(1 / optimal.max_bin_pct)} bins; bin_num is {self.bin_num}"
            )
        _check_points("split_points_by_index", self.split_points_by_index)
        _check_points("split_points_by_col_name", self.split_points_by_col_name)

    @property
    def is_manual(self) -> bool:
        """Whether split points are given."""
        return bool(self.split_points_by_index or self.split_points_by_col_name)

    @property
    def is_optimal(self) -> bool:
        """Whether buckets are put together by what the labels say."""
        return self.method == "optimal" and not self.is_manual

    @property
    def rules(self) -> Rules:
        """How buckets are put together."""
        given = self.optimal_binning_param
        return Rules(
            given.metric,
            self.bin_num,
            given.min_bin_pct,
            given.max_bin_pct,
            given.mixture,
            self.adjustment_factor,
        )


def _check_points(name: str, given: dict[str, Any] | None) -> None:
    """Raises ValueError for a list that is empty, or not of ascending finite numbers."""
    for column, points in (given or {}).items():
        ascends = all(a < b for a, b in itertools.pairwise(points))
        if not (points and ascends and all(map(math.isfinite, points))):
            raise ValueError(
                f"{name}.{column}: a column needs at least one split point, and its points must "
                "ascend"
            )
