"""Parameters of feature selection under FATE's names and defaults, and the filters they mean."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Annotated, Any, ClassVar, Literal

import msgspec

from federatedml.errors import BadParameters
from federatedml.maths.filters import FilterType, Merge, Rule
from federatedml.params import Fraction, NonNegativeFloat, NonNegativeInt, Params, PositiveInt

Number = int | float
Thresholds = Number | list[Number | list[Number | None] | None] | None
Names = list[str] | None
Indexes = list[NonNegativeInt] | None

Method = Literal[
    "manually",
    "iv_filter",
    "statistic_filter",
    "psi_filter",
    "vif_filter",
    "correlation_filter",
    "percentage_value",
    "hetero_sbt_filter",
    "homo_sbt_filter",
    "hetero_fast_sbt_filter",
    "unique_value",
    "iv_value_thres",
    "iv_percentile",
    "iv_top_k",
    "coefficient_of_variation_value_thres",
    "outlier_cols",
]

HostThresholds = float | tuple[float | None, ...]

MANUALLY: Method = "manually"

IV = "binning_model"
STATISTIC = "statistic_model"
PSI = "psi"
PEARSON = "HeteroPearson"
HETERO_SBT = "hetero_sbt"
HOMO_SBT = "homo_sbt"
FAST_SBT = "hetero_fast_sbt"
"""The kinds of models that filters go by: ``model_name`` in FATE's parameters of a model."""


NO_RULE = Rule("threshold", 0.0)


@dataclass(frozen=True)
class Step:
    """One filter. name: in results. model: the kind of model whose ``metric`` it goes by, "" if
    none. federated: the guest decides for all parties. host_thresholds: of each host, in order;
    one number for all hosts; none where the rule's is theirs too."""

    method: Method
    name: str
    rule: Rule = NO_RULE
    model: str = ""
    metric: str = ""
    federated: bool = False
    select_federated: bool = True
    host_thresholds: HostThresholds = ()
    merge: Merge = "average"


def thresholds_of(step: Step, n_hosts: int, component: str) -> list[float | None]:
    """Of each host; None where it is the rule's. Raises BadParameters if there are others."""
    given = step.host_thresholds
    if not isinstance(given, tuple):
        return [given] * n_hosts
    if given and len(given) != n_hosts:
        raise BadParameters(
            f"{component}: host_thresholds of {step.method} are for {len(given)} hosts; the job "
            f"has {n_hosts}"
        )
    return list(given) or [None] * n_hosts


def _hosts(given: Number | list[Number | None] | None) -> HostThresholds:
    if given is None:
        return ()
    return tuple(given) if isinstance(given, list) else float(given)


def _nth(given: Any, i: int) -> Any:
    """Of a value for all metrics, or of a list with one for each."""
    return given[i] if isinstance(given, list) else given


def _check_list(name: str, given: Any, metrics: str | list[str]) -> None:
    """Raises ValueError for a list that does not have one value for each metric."""
    if not isinstance(given, list):
        return
    if not isinstance(metrics, list):
        raise ValueError(f"{name} is a list and metrics is not; give a list of metrics, or a value")
    if len(given) != len(metrics):
        raise ValueError(f"{name} has {len(given)} entries for {len(metrics)} metrics")


def _check_rule(rule: Rule) -> None:
    """Raises ValueError for a threshold that its filter_type cannot have."""
    threshold = rule.threshold
    if not math.isfinite(threshold):
        raise ValueError("threshold must be finite")
    if rule.filter_type == "top_k" and (threshold < 1 or threshold != int(threshold)):
        raise ValueError("threshold is a number of columns with filter_type top_k: 1, 2, ...")
    if rule.filter_type == "top_percentile" and not 0 <= threshold <= 1:
        raise ValueError("threshold is a share of columns with filter_type top_percentile: 0 to 1")


def _steps_of(method: Method, p: CommonFilterParam, model: str) -> list[Step]:
    """One for each metric. Source of the names: FATE 1.x."""
    found = []
    for i, metric in enumerate(p.each):
        rule, name = p.rule(i), str(method)
        if model == STATISTIC:
            name = metric
        elif model == PSI:
            name = f"{metric}_{rule.filter_type}"
        found.append(Step(method, name, rule, model, metric, select_federated=p.federated(i)))
    return found


class CommonFilterParam(Params, frozen=True, kw_only=True):
    """One filter for each of ``metrics``; of the others one value for all, or a list with one for
    each. host_thresholds: in place of ``threshold`` one number for all hosts, or a list with one
    for each; with a list of metrics, a list of these."""

    known: ClassVar[tuple[str, ...]] = ()
    """Metrics that there are; any if there are none here."""

    metrics: str | list[str] = ""
    filter_type: FilterType | list[FilterType] = "threshold"
    take_high: bool | list[bool] = True
    threshold: Number | list[Number] = 1
    host_thresholds: Thresholds = None
    select_federated: bool | list[bool] = True

    def __post_init__(self) -> None:
        n = len(self.each)
        if not n or not all(self.each):
            raise ValueError("metrics: give at least one")
        for metric in self.each:
            if self.known and metric not in self.known:
                raise ValueError(f"metrics: {metric!r} is none; there is: {', '.join(self.known)}")
        for name in ("filter_type", "take_high", "threshold", "select_federated"):
            _check_list(name, getattr(self, name), self.metrics)
        for i in range(n):
            rule, hosts = self.rule(i), self.hosts(i)
            _check_rule(rule)
            if rule.filter_type != "threshold" and hosts != ():
                raise ValueError(
                    "host_thresholds are for filter_type threshold; columns of all parties are "
                    "ranked together: give null beside top_k and top_percentile"
                )

    @property
    def each(self) -> list[str]:
        """The metrics."""
        return [self.metrics] if isinstance(self.metrics, str) else self.metrics

    def rule(self, i: int) -> Rule:
        """Of the i-th metric."""
        return Rule(
            _nth(self.filter_type, i), float(_nth(self.threshold, i)), _nth(self.take_high, i)
        )

    def federated(self, i: int) -> bool:
        return bool(_nth(self.select_federated, i))

    def hosts(self, i: int) -> HostThresholds:
        """Thresholds of the hosts for the i-th metric; () where all have that of the guest."""
        given: Any = self.host_thresholds
        if isinstance(self.metrics, list) and isinstance(given, list):
            if len(given) != len(self.metrics):
                raise ValueError(
                    f"host_thresholds has {len(given)} entries for {len(self.metrics)} metrics"
                )
            given = given[i]
        if given is None:
            return ()
        if isinstance(given, list) and any(isinstance(one, list) for one in given):
            raise ValueError("host_thresholds: lists in a list only beside a list of metrics")
        return _hosts(given)


class IVFilterParam(CommonFilterParam, frozen=True, kw_only=True):
    """mul_class_merge_type: one IV of those that a column has for several labels."""

    known: ClassVar[tuple[str, ...]] = ("iv",)

    metrics: str | list[str] = "iv"
    mul_class_merge_type: Merge | list[Merge] = "average"

    def __post_init__(self) -> None:
        super().__post_init__()
        _check_list("mul_class_merge_type", self.mul_class_merge_type, self.metrics)


class StatisticFilterParam(CommonFilterParam, frozen=True, kw_only=True):
    metrics: str | list[str] = "mean"


class PSIFilterParam(CommonFilterParam, frozen=True, kw_only=True):
    known: ClassVar[tuple[str, ...]] = ("psi",)

    metrics: str | list[str] = "psi"
    take_high: bool | list[bool] = False


class VIFFilterParam(CommonFilterParam, frozen=True, kw_only=True):
    known: ClassVar[tuple[str, ...]] = ("vif",)

    metrics: str | list[str] = "vif"
    threshold: Number | list[Number] = 5.0
    take_high: bool | list[bool] = False


class SBTFilterParam(CommonFilterParam, frozen=True, kw_only=True):
    known: ClassVar[tuple[str, ...]] = ("feature_importance",)

    metrics: str | list[str] = "feature_importance"


class CorrelationFilterParam(Params, frozen=True, kw_only=True):
    """Columns by falling IV; one that correlates by more than ``threshold`` with another that
    stays does not."""

    sort_metric: Literal["iv"] = "iv"
    threshold: Fraction = 0.1
    select_federated: bool = True


class PercentageValueParam(Params, frozen=True, kw_only=True):
    """upper_pct: the greatest share of rows that may have one value."""

    upper_pct: Annotated[float, msgspec.Meta(ge=0.1, le=1)] = 1.0


class ManuallyFilterParam(Params, frozen=True, kw_only=True):
    """Which columns go, or else which stay."""

    filter_out_indexes: Indexes = None
    filter_out_names: Names = None
    left_col_indexes: Indexes = None
    left_col_names: Names = None

    def __post_init__(self) -> None:
        if self.leaves and (self.filter_out_indexes or self.filter_out_names):
            raise ValueError("give filter_out_* or left_col_*, not both")

    @property
    def leaves(self) -> bool:
        """Whether the columns that stay are named, not those that go."""
        return bool(self.left_col_indexes or self.left_col_names)


class UniqueValueParam(Params, frozen=True, kw_only=True):
    eps: NonNegativeFloat = 1e-5


class IVValueParam(Params, frozen=True, kw_only=True):
    value_threshold: Number = 0.0
    host_thresholds: Number | list[Number | None] | None = None
    local_only: bool = False


class IVPercentileParam(Params, frozen=True, kw_only=True):
    percentile_threshold: Fraction = 1.0
    local_only: bool = False


class IVTopKParam(Params, frozen=True, kw_only=True):
    k: PositiveInt = 10
    local_only: bool = False


class VarianceCoeParam(Params, frozen=True, kw_only=True):
    value_threshold: Number = 1.0


class OutlierParam(Params, frozen=True, kw_only=True):
    """percentile: the quantile that may not be above upper_threshold."""

    percentile: Fraction = 1.0
    upper_threshold: Number = 1.0


class SelectionParams(Params, frozen=True, kw_only=True):
    """select_col_indexes -1: filters are for all columns; together with select_names their union.
    Other columns stay. use_anonymous: names here and in manually_param are anonymous ones."""

    select_col_indexes: Literal[-1] | list[NonNegativeInt] | None = -1
    select_names: Names = None
    use_anonymous: bool = False
    need_run: bool = True
    filter_methods: list[Method] = msgspec.field(default_factory=lambda: [MANUALLY])
    manually_param: ManuallyFilterParam = ManuallyFilterParam()
    iv_param: IVFilterParam = IVFilterParam()
    statistic_param: StatisticFilterParam = StatisticFilterParam()
    psi_param: PSIFilterParam = PSIFilterParam()
    vif_param: VIFFilterParam = VIFFilterParam()
    sbt_param: SBTFilterParam = SBTFilterParam()
    correlation_param: CorrelationFilterParam = CorrelationFilterParam()
    percentage_value_param: PercentageValueParam = PercentageValueParam()
    unique_param: UniqueValueParam = UniqueValueParam()
    iv_value_param: IVValueParam = IVValueParam()
    iv_percentile_param: IVPercentileParam = IVPercentileParam()
    iv_top_k_param: IVTopKParam = IVTopKParam()
    variance_coe_param: VarianceCoeParam = VarianceCoeParam()
    outlier_param: OutlierParam = OutlierParam()

    def __post_init__(self) -> None:
        if not self.filter_methods:
            raise ValueError("filter_methods: give at least one")

    @property
    def steps(self) -> list[Step]:
        """The filters in their order; of one with several metrics one for each."""
        return [step for method in self.filter_methods for step in self._steps(method)]

    @property
    def federated_filters(self) -> list[str]:
        """Those that parties run together."""
        return [step.method for step in self.steps if step.federated]

    def _steps(self, method: Method) -> list[Step]:
        if method == "iv_filter":
            return self._by_iv()
        common: dict[str, tuple[CommonFilterParam, str]] = {
            "statistic_filter": (self.statistic_param, STATISTIC),
            "psi_filter": (self.psi_param, PSI),
            "vif_filter": (self.vif_param, PEARSON),
            "hetero_sbt_filter": (self.sbt_param, HETERO_SBT),
            "homo_sbt_filter": (self.sbt_param, HOMO_SBT),
            "hetero_fast_sbt_filter": (self.sbt_param, FAST_SBT),
        }
        if method in common:
            return _steps_of(method, *common[method])
        return [self._one(method)]

    def _by_iv(self) -> list[Step]:
        p = self.iv_param
        return [
            Step(
                "iv_filter",
                f"iv_{p.rule(i).filter_type}",
                p.rule(i),
                IV,
                "iv",
                federated=p.federated(i),
                select_federated=p.federated(i),
                host_thresholds=p.hosts(i),
                merge=_nth(p.mul_class_merge_type, i),
            )
            for i in range(len(p.each))
        ]

    def _one(self, method: Method) -> Step:
        """A filter with one metric or none."""
        variation, outlier, iv = self.variance_coe_param, self.outlier_param, self.iv_value_param
        statistic = {
            "unique_value": (Rule("threshold", self.unique_param.eps), "stddev"),
            "coefficient_of_variation_value_thres": (
                Rule("threshold", variation.value_threshold),
                "coefficient_of_variance",
            ),
            "outlier_cols": (
                Rule("threshold", outlier.upper_threshold, take_high=False),
                f"{100 * outlier.percentile:g}%",
            ),
        }
        if method in statistic:
            rule, metric = statistic[method]
            return Step(method, method, rule, STATISTIC, metric)
        by_iv = {
            "iv_value_thres": (Rule("threshold", iv.value_threshold), iv.local_only),
            "iv_percentile": (
                Rule("top_percentile", self.iv_percentile_param.percentile_threshold),
                self.iv_percentile_param.local_only,
            ),
            "iv_top_k": (Rule("top_k", self.iv_top_k_param.k), self.iv_top_k_param.local_only),
        }
        if method in by_iv:
            rule, local = by_iv[method]
            hosts = _hosts(iv.host_thresholds) if method == "iv_value_thres" else ()
            return Step(method, method, rule, IV, "iv", not local, not local, hosts)
        if method == "correlation_filter":
            correlation = self.correlation_param
            rule = Rule("threshold", correlation.threshold, take_high=False)
            both = correlation.select_federated
            return Step(method, method, rule, PEARSON, "correlation", both, both)
        share = Rule("threshold", self.percentage_value_param.upper_pct, take_high=False)
        is_share = method == "percentage_value"
        return Step(method, method, share) if is_share else Step(method, method)
