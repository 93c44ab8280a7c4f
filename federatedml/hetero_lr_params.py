"""Parameters of HeteroLR: FATE's names and defaults."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from federatedml.params import Params, PositiveFloat, PositiveInt
from federatedml.params_shared import (
    CallbackParam,
    CvParam,
    EncryptedModeCalculatorParam,
    EncryptParam,
    InitParam,
    NonNegative,
    PredictParam,
    SqnParam,
    StepwiseParam,
    merged_callbacks,
)

OLD_METRICS = ("auc", "ks")
"""Default of the deprecated ``metrics``: it does not count as given."""


class HeteroLRParams(Params, frozen=True, kw_only=True):
    """penalty: on |w|^2/2 (L2) or |w| (L1), times alpha; the intercept goes free.
    batch_size: rows, or -1 for all. masked_rate: how many further rows hosts are shown, per row
    of a batch. floating_point_precision: fractional bits of features under encryption; null: 48.
    """

    penalty: Literal["L1", "L2", "NONE"] | None = "L2"
    tol: NonNegative = 1e-4
    alpha: NonNegative = 1.0
    optimizer: Literal["sgd", "rmsprop", "adam", "adagrad", "nesterov_momentum_sgd", "sqn"] = (
        "rmsprop"
    )
    batch_size: Annotated[int, msgspec.Meta(ge=-1)] = -1
    shuffle: bool = True
    batch_strategy: Literal["full", "random"] = "full"
    masked_rate: NonNegative = 5
    learning_rate: PositiveFloat = 0.01
    init_param: InitParam = InitParam()
    max_iter: PositiveInt = 100
    early_stop: Literal["diff", "abs", "weight_diff"] = "diff"
    encrypt_param: EncryptParam = EncryptParam()
    predict_param: PredictParam = PredictParam()
    encrypted_mode_calculator_param: EncryptedModeCalculatorParam = EncryptedModeCalculatorParam()
    cv_param: CvParam = CvParam()
    decay: NonNegative = 1
    decay_sqrt: bool = True
    multi_class: Literal["ovr"] = "ovr"
    validation_freqs: PositiveInt | list[int] | None = None
    early_stopping_rounds: PositiveInt | None = None
    stepwise_param: StepwiseParam = StepwiseParam()
    floating_point_precision: Annotated[int, msgspec.Meta(ge=0, le=64)] | None = 23
    metrics: list[str] = msgspec.field(default_factory=lambda: list(OLD_METRICS))
    use_first_metric_only: bool = False
    callback_param: CallbackParam = CallbackParam()
    sqn_param: SqnParam = SqnParam()

    def __post_init__(self) -> None:
        if self.batch_size != -1 and self.batch_size < 10:
            raise ValueError("batch_size must be -1 (all rows) or at least 10")
        if self.stepwise_param.need_stepwise:
            raise ValueError(
                "stepwise_param.need_stepwise: stepwise selection is not in this release; "
                "set it to false, or select features with HeteroFeatureSelection"
            )
        if self.encrypt_param.method in (None, "None"):
            raise ValueError(
                "encrypt_param.method None would send scores and residuals in the clear; "
                "use Paillier"
            )
        if self.encrypt_param.method in ("OU", "Lattice"):
            raise ValueError(
                f"encrypt_param.method {self.encrypt_param.method}: HeteroLR uses Paillier"
            )
        self.callbacks()

    def callbacks(self) -> CallbackParam:
        """``callback_param``, with the deprecated top-level parameters put into it."""
        given = None if tuple(self.metrics) == OLD_METRICS else self.metrics
        return merged_callbacks(
            self.callback_param,
            self.validation_freqs,
            self.early_stopping_rounds,
            given,
            self.use_first_metric_only,
        )
