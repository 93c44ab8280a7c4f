"""Parameters of the boosted-tree components: FATE's names and defaults."""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

import msgspec

from federatedml.maths import boosted_losses
from federatedml.maths.splits import Rules
from federatedml.params import Fraction, NonNegativeInt, Params, PositiveFloat, PositiveInt
from federatedml.params_shared import (
    CallbackParam,
    CvParam,
    EncryptedModeCalculatorParam,
    EncryptParam,
    NonNegative,
    Number,
    PredictParam,
    merged_callbacks,
)
from federatedml.protocols.roll_call import SecureAggregationParam

LOG = logging.getLogger(__name__)


class ObjectiveParam(Params, frozen=True, kw_only=True):
    """params: one number for huber (where it turns linear), fair (its scale), tweedie (power)."""

    objective: (
        Literal["cross_entropy", "lse", "lae", "log_cosh", "tweedie", "fair", "huber"] | None
    ) = "cross_entropy"
    params: list[Number] | None = None

    def __post_init__(self) -> None:
        if self.objective not in (None, "cross_entropy"):
            boosted_losses.of_numbers(self.objective, [float(p) for p in self.params or []])


class TreeParam(Params, frozen=True, kw_only=True):
    """criterion_params: [l2, l1], or a dict of the two. ``n_iter_no_change``, ``tol``,
    ``max_split_nodes`` and ``deterministic`` are accepted because FATE's configurations carry
    them; nothing reads them: all nodes of a level are one message, and sums do not depend on
    the number of threads."""

    criterion_method: Literal["xgboost"] = "xgboost"
    criterion_params: list[Number] | dict[str, Number] = msgspec.field(
        default_factory=lambda: [0.1, 0]
    )
    max_depth: Annotated[int, msgspec.Meta(ge=1, le=16)] = 3
    min_sample_split: PositiveInt = 2
    min_impurity_split: NonNegative = 1e-3
    min_leaf_node: PositiveInt = 1
    min_child_weight: NonNegative = 0
    max_split_nodes: PositiveInt = 65536
    feature_importance_type: Literal["split", "gain"] = "split"
    n_iter_no_change: bool = True
    tol: NonNegative = 1e-3
    use_missing: bool = False
    zero_as_missing: bool = False
    deterministic: bool = False

    def __post_init__(self) -> None:
        given = self.criterion_params
        if isinstance(given, dict) and set(given) - {"l1", "l2"}:
            raise ValueError("criterion_params has other names than l1 and l2")
        if isinstance(given, list) and not 1 <= len(given) <= 2:
            raise ValueError("criterion_params is [l2, l1], or a dict of l1 and l2")
        if min(self.penalties) < 0:
            raise ValueError("criterion_params: l1 and l2 must not be negative")

    @property
    def penalties(self) -> tuple[float, float]:
        """l2 and l1."""
        given = self.criterion_params
        if isinstance(given, dict):
            return float(given.get("l2", 0.1)), float(given.get("l1", 0.0))
        return float(given[0]), float(given[1]) if len(given) == 2 else 0.0


class BoostingParams(Params, frozen=True, kw_only=True):
    """What vertical and horizontal boosting share."""

    task_type: Literal["classification", "regression"] = "classification"
    tree_param: TreeParam = TreeParam()
    objective_param: ObjectiveParam = ObjectiveParam()
    learning_rate: PositiveFloat = 0.3
    num_trees: PositiveInt = 5
    subsample_feature_rate: Annotated[float, msgspec.Meta(gt=0, le=1)] = 1.0
    n_iter_no_change: bool = True
    tol: NonNegative = 1e-4
    predict_param: PredictParam = PredictParam()
    cv_param: CvParam = CvParam()
    validation_freqs: PositiveInt | list[int] | None = None
    metrics: list[str] | None = None
    use_first_metric_only: bool = False
    use_missing: bool = False
    zero_as_missing: bool = False
    random_seed: int = 100
    bin_num: Annotated[int, msgspec.Meta(ge=2, le=65_535)] = 32
    callback_param: CallbackParam = CallbackParam()
    multi_mode: Literal["single_output", "multi_output"] = "single_output"

    def __post_init__(self) -> None:
        wanted = self.objective_param.objective
        fits = (self.task_type == "classification") == (wanted == "cross_entropy")
        if wanted is not None and not fits:
            raise ValueError(
                f"objective_param.objective {wanted} does not fit task_type {self.task_type}: "
                "cross_entropy is for classification, the others for regression"
            )
        self.callbacks().check_task(self.task_type)

    def callbacks(self) -> CallbackParam:
        """``callback_param``, with the deprecated top-level parameters put into it."""
        return merged_callbacks(
            self.callback_param,
            self.validation_freqs,
            getattr(self, "early_stopping_rounds", None),
            self.metrics,
            self.use_first_metric_only,
        )

    @property
    def misses(self) -> bool:
        """Whether missing values have a bin of their own."""
        return self.use_missing or self.tree_param.use_missing or self.zero_is_missing

    @property
    def zero_is_missing(self) -> bool:
        return self.zero_as_missing or self.tree_param.zero_as_missing

    @property
    def rules(self) -> Rules:
        """What a split must fulfil."""
        p, (l2, l1) = self.tree_param, self.tree_param.penalties
        return Rules(
            l2=l2,
            l1=l1,
            min_sample_split=p.min_sample_split,
            min_leaf_node=p.min_leaf_node,
            min_child_weight=float(p.min_child_weight),
            min_impurity_split=float(p.min_impurity_split),
            use_missing=self.misses,
        )


class HeteroBoostingParams(BoostingParams, frozen=True, kw_only=True):
    """Vertical boosting. ``cipher_compress_error``, ``sparse_optimization``, ``new_ver`` and
    ``binning_error`` are accepted and not needed: cuts are exact quantiles.

    gradient_bits: ours: g and h are rounded by lot to so many bits each, so that less can be read
    from their sums; leaf weights are those of the exact ones. None: as exact as the scheme is."""

    early_stopping_rounds: PositiveInt | None = None
    encrypt_param: EncryptParam = EncryptParam()
    encrypted_mode_calculator_param: EncryptedModeCalculatorParam = EncryptedModeCalculatorParam()
    complete_secure: NonNegativeInt | bool = 0
    run_goss: bool = False
    top_rate: Fraction = 0.2
    other_rate: Fraction = 0.1
    cipher_compress: bool = True
    cipher_compress_error: Any = None
    sparse_optimization: bool = False
    new_ver: bool = True
    binning_error: float = 1e-4
    boosting_strategy: Literal["std", "mix", "layered"] = "std"
    work_mode: Literal["std", "mix", "layered"] | None = None
    tree_num_per_party: PositiveInt = 1
    guest_depth: PositiveInt = 2
    host_depth: PositiveInt = 3
    gradient_bits: Annotated[int, msgspec.Meta(ge=2, le=32)] | None = None
    EINI_inference: bool = False  # FATE's names
    EINI_random_mask: bool = False
    EINI_complexity_check: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.run_goss and not 0 < self.top_rate + self.other_rate < 1:
            raise ValueError("top_rate + other_rate must lie between 0 and 1")
        if self.multi_mode == "multi_output" and self.strategy != "std":
            raise ValueError("multi_mode multi_output trains with boosting_strategy std only")
        if self.EINI_inference and self.strategy == "mix":
            raise ValueError("boosting_strategy mix is not possible with EINI_inference")

    @property
    def strategy(self) -> str:
        """The boosting strategy, under its new or old name."""
        return self.work_mode or self.boosting_strategy

    @property
    def encryption(self) -> str:
        """The scheme of encrypt_param; parties with different ones would wait for ever."""
        scheme = self.encrypt_param.scheme
        return "Paillier" if scheme == "None" else scheme


class HeteroFastBoostingParams(HeteroBoostingParams, frozen=True, kw_only=True):
    """Of HeteroFastSecureBoost."""

    boosting_strategy: Literal["std", "mix", "layered"] = "mix"


class HomoBoostingParams(BoostingParams, frozen=True, kw_only=True):
    """Horizontal boosting. backend: both of FATE's names run the same kernels; histograms are
    always in memory. binning_error: the rank of a cut may be off by so many times the rows."""

    backend: Literal["distributed", "memory"] = "distributed"
    binning_error: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 1e-4
    secure_aggregation_param: SecureAggregationParam = SecureAggregationParam()

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.objective_param.objective is None:
            raise ValueError("objective_param.objective is missing: all parties have labels")
        if self.callback_param.early_stopping_rounds is not None:
            raise ValueError(
                "early_stopping_rounds: parties of a horizontal job validate on rows of their own "
                "and would stop at different times; leave it out, and use n_iter_no_change and tol"
            )
        if self.secure_aggregation_param.method == "ckks":
            raise ValueError(
                "secure_aggregation_param.method ckks adds numbers up with an error; trees are "
                "found from exact sums: take masks"
            )
