"""Parameters of HeteroLR, HeteroLinR and HeteroPoisson: FATE's names and defaults."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from federatedml.params import Params, PositiveFloat, PositiveInt
from federatedml.params_shared import (
    TRAINING,
    VALIDATION,
    CallbackParam,
    CvParam,
    EncryptedModeCalculatorParam,
    EncryptParam,
    InitParam,
    NonNegative,
    PredictParam,
    SqnParam,
    StepwiseParam,
    Task,
    merged_callbacks,
)

Penalty = Literal["L1", "L2", "NONE"]
EarlyStop = Literal["diff", "abs", "weight_diff"]
AnyOptimizer = Literal["sgd", "rmsprop", "adam", "adagrad", "nesterov_momentum_sgd", "sqn"]
BatchSize = Annotated[int, msgspec.Meta(ge=-1)]
Precision = Annotated[int, msgspec.Meta(ge=0, le=64)]


AGREED = (
    *TRAINING,
    *VALIDATION,
    "encrypt_param",
    "floating_point_precision",
    "stepwise_param",
    "sqn_param",
)
"""Parameters that all parties must share; those that a component has."""


class HeteroGlmParams(Params, frozen=True, kw_only=True):
    """penalty: on |w|^2/2 (L2) or |w| (L1), times alpha; the intercept goes free.
    batch_size: rows, or -1 for all. floating_point_precision: fractional bits of features under
    encryption; null: as many as the scheme allows.
    """

    OLD_METRICS: ClassVar[tuple[str, ...]] = ()
    """Default of the deprecated ``metrics``: it does not count as given."""

    TASK: ClassVar[Task] = "regression"

    penalty: Penalty | None = "L2"
    tol: NonNegative = 1e-4
    alpha: NonNegative = 1.0
    optimizer: AnyOptimizer = "rmsprop"
    batch_size: BatchSize = -1
    learning_rate: PositiveFloat = 0.01
    init_param: InitParam = InitParam()
    max_iter: PositiveInt = 20
    early_stop: EarlyStop = "diff"
    encrypt_param: EncryptParam = EncryptParam()
    encrypted_mode_calculator_param: EncryptedModeCalculatorParam = EncryptedModeCalculatorParam()
    cv_param: CvParam = CvParam()
    decay: NonNegative = 1
    decay_sqrt: bool = True
    validation_freqs: PositiveInt | list[int] | None = None
    early_stopping_rounds: PositiveInt | None = None
    stepwise_param: StepwiseParam = StepwiseParam()
    floating_point_precision: Precision | None = 23
    metrics: list[str] | None = None
    use_first_metric_only: bool = False
    callback_param: CallbackParam = CallbackParam()

    def __post_init__(self) -> None:
        if self.batch_size != -1 and self.batch_size < 10:
            raise ValueError("batch_size must be -1 (all rows) or at least 10")
        if self.encrypt_param.scheme == "None":
            raise ValueError(
                "encrypt_param.method None would send scores and residuals in the clear; "
                "use Paillier, or leave it out"
            )
        wanted = self.stepwise_param
        if wanted.need_stepwise:
            if self.cv_param.need_cv:
                raise ValueError(
                    "stepwise_param.need_stepwise and cv_param.need_cv exclude each other: select "
                    "features in one task, and validate the model of those in another"
                )
            if wanted.nvmax is not None and wanted.nvmax < wanted.nvmin:
                raise ValueError("stepwise_param.nvmax must not be below stepwise_param.nvmin")
            if self.callbacks().evaluates:
                raise ValueError(
                    "stepwise_param.need_stepwise trains many models and validates none of them "
                    "between iterations; leave the callbacks out"
                )
        self.callbacks().check_task(self.TASK)

    def callbacks(self) -> CallbackParam:
        """``callback_param``, with the deprecated top-level parameters put into it."""
        given = self.metrics or ()
        return merged_callbacks(
            self.callback_param,
            self.validation_freqs,
            self.early_stopping_rounds,
            None if not given or tuple(given) == self.OLD_METRICS else list(given),
            self.use_first_metric_only,
        )


class HeteroLRParams(HeteroGlmParams, frozen=True, kw_only=True):
    """masked_rate: how many further rows hosts are shown, per row of a batch."""

    OLD_METRICS: ClassVar[tuple[str, ...]] = ("auc", "ks")
    TASK: ClassVar[Task] = "classification"

    max_iter: PositiveInt = 100
    shuffle: bool = True
    batch_strategy: Literal["full", "random"] = "full"
    masked_rate: NonNegative = 5
    predict_param: PredictParam = PredictParam()
    multi_class: Literal["ovr"] = "ovr"
    metrics: list[str] | None = msgspec.field(default_factory=lambda: ["auc", "ks"])
    sqn_param: SqnParam = SqnParam()


class HeteroLinRParams(HeteroGlmParams, frozen=True, kw_only=True):
    optimizer: Literal["sgd", "rmsprop", "adam", "adagrad", "sqn"] = "sgd"
    sqn_param: SqnParam = SqnParam()


class HeteroPoissonParams(HeteroGlmParams, frozen=True, kw_only=True):
    """exposure_colname: the guest's column of exposures (time, area, ...) of the counts."""

    optimizer: Literal["sgd", "rmsprop", "adam", "adagrad"] = "rmsprop"
    exposure_colname: str | None = None
