"""Parameters of HomoLR: FATE's names and defaults, and how the secure sums are made."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from federatedml.params import Params, PositiveFloat, PositiveInt
from federatedml.params_shared import (
    CallbackParam,
    CvParam,
    EncryptParam,
    InitParam,
    NonNegative,
    PredictParam,
    merged_callbacks,
)
from federatedml.protocols.roll_call import SecureAggregationParam

OLD_METRICS = ("auc", "ks")
"""Default of the deprecated ``metrics``: it does not count as given."""


class HomoLRParams(Params, frozen=True, kw_only=True):
    """penalty: alpha times |w|^2/2 (L2) or |w| (L1) is added to the mean loss of a row; the
    intercept goes free. batch_size: rows of a step in the order of the table, or -1 for all.
    aggregate_iters: epochs that every party trains alone between two means of their weights.
    encrypt_param: accepted and not used; weights are added up under masks.
    """

    penalty: Literal["L1", "L2", "NONE"] | None = "L2"
    tol: NonNegative = 1e-4
    alpha: NonNegative = 1.0
    optimizer: Literal["sgd", "rmsprop", "adam", "adagrad", "nesterov_momentum_sgd"] = "rmsprop"
    batch_size: Annotated[int, msgspec.Meta(ge=-1)] = -1
    learning_rate: PositiveFloat = 0.01
    init_param: InitParam = InitParam()
    max_iter: PositiveInt = 100
    early_stop: Literal["diff", "abs", "weight_diff"] = "diff"
    encrypt_param: EncryptParam = EncryptParam()
    predict_param: PredictParam = PredictParam()
    cv_param: CvParam = CvParam()
    decay: NonNegative = 1
    decay_sqrt: bool = True
    aggregate_iters: PositiveInt = 1
    multi_class: Literal["ovr"] = "ovr"
    validation_freqs: PositiveInt | list[int] | None = None
    early_stopping_rounds: PositiveInt | None = None
    metrics: list[str] = msgspec.field(default_factory=lambda: list(OLD_METRICS))
    use_first_metric_only: bool = False
    callback_param: CallbackParam = CallbackParam()
    secure_aggregation_param: SecureAggregationParam = SecureAggregationParam()

    def __post_init__(self) -> None:
        if self.batch_size != -1 and self.batch_size < 10:
            raise ValueError("batch_size must be -1 (all rows) or at least 10")
        rounds = (self.early_stopping_rounds, self.callback_param.early_stopping_rounds)
        if rounds != (None, None):
            raise ValueError(
                "early_stopping_rounds: parties of a horizontal job validate on rows of their own "
                "and would stop at different times; leave it out, and use early_stop and tol"
            )
        self.callbacks().check_task("classification")

    def callbacks(self) -> CallbackParam:
        """``callback_param``, with the deprecated top-level parameters put into it."""
        given = None if tuple(self.metrics) == OLD_METRICS else self.metrics
        return merged_callbacks(
            self.callback_param,
            self.validation_freqs,
            None,
            given,
            self.use_first_metric_only,
        )
