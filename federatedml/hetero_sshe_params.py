"""Parameters of HeteroSSHELR and HeteroSSHELinR: FATE's names and defaults."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

import msgspec

from federatedml.params import Params, PositiveInt
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
    Task,
)

AnyOptimizer = Literal["sgd", "rmsprop", "adam", "adagrad", "nesterov_momentum_sgd"]

MAX_RATE = 1e6
"""A step on shares is taken in fixed point; a larger rate could leave it unseen."""


AGREED = (*TRAINING, *VALIDATION, "batch_size", "reveal_strategy", "reveal_every_iter")
"""Parameters that guest and host must share."""


class SSHEParams(Params, frozen=True, kw_only=True):
    """What both have. penalty: on |w|^2/2 (L2) or |w| (L1), times alpha; the intercept goes free.

    batch_size: rows, or -1 for all. reveal_every_iter: whether each party sees its own weights
    while they are trained; without it they are shared between the two. reveal_strategy: at the
    end each learns its own weights, or the host's stay shared for good.
    use_mix_rand: kept for old configurations; randomness is always fresh.
    """

    SHARED_OPTIMIZERS: ClassVar[tuple[str, ...]] = ()
    """Those that are linear in the gradient, so that shares can be moved."""

    TASK: ClassVar[Task] = "classification"

    penalty: Literal["L1", "L2", "NONE"] | None = "L2"
    tol: NonNegative = 1e-4
    alpha: NonNegative = 1.0
    optimizer: AnyOptimizer = "sgd"
    batch_size: Annotated[int, msgspec.Meta(ge=-1)] = -1
    learning_rate: Annotated[float, msgspec.Meta(gt=0, le=MAX_RATE)] = 0.01
    init_param: InitParam = InitParam()
    max_iter: PositiveInt = 100
    early_stop: Literal["diff", "abs", "weight_diff"] = "diff"
    encrypt_param: EncryptParam = EncryptParam()
    encrypted_mode_calculator_param: EncryptedModeCalculatorParam = EncryptedModeCalculatorParam()
    cv_param: CvParam = CvParam()
    decay: NonNegative = 1
    decay_sqrt: bool = True
    callback_param: CallbackParam = CallbackParam()
    use_mix_rand: bool = True
    reveal_strategy: Literal["respectively", "encrypted_reveal_in_host"] = "respectively"
    reveal_every_iter: bool = False

    def __post_init__(self) -> None:
        if self.batch_size != -1 and self.batch_size < 10:
            raise ValueError("batch_size must be -1 (all rows) or at least 10")
        if self.encrypt_param.scheme == "None":
            raise ValueError(
                "encrypt_param.method None would send the parties' shares in the clear; leave "
                "the method out"
            )
        if self.reveal_every_iter and self.hides_host:
            raise ValueError(
                "reveal_every_iter true shows the host its weights, which reveal_strategy "
                "encrypted_reveal_in_host keeps from it; set one of them otherwise"
            )
        if not self.reveal_every_iter:
            self._check_shared()
        self.callback_param.check_task(self.TASK)

    def _check_shared(self) -> None:
        """What can be done with weights that nobody knows."""
        if self.penalty == "L1":
            raise ValueError("penalty L1 needs reveal_every_iter true; without it: L2 or none")
        if self.optimizer not in self.SHARED_OPTIMIZERS:
            raise ValueError(
                f"optimizer {self.optimizer} needs reveal_every_iter true; without it: "
                f"{', '.join(self.SHARED_OPTIMIZERS)}"
            )
        if self.callback_param.evaluates and self.callback_param.validation_freqs is not None:
            raise ValueError(
                "callback_param.validation_freqs needs reveal_every_iter true: weights that "
                "nobody knows cannot predict between iterations"
            )

    @property
    def hides_host(self) -> bool:
        """Whether the host's weights stay shared when training is over."""
        return self.reveal_strategy == "encrypted_reveal_in_host"

    def callbacks(self) -> CallbackParam:
        """What happens between iterations."""
        return self.callback_param


class HeteroSSHELRParams(SSHEParams, frozen=True, kw_only=True):
    SHARED_OPTIMIZERS: ClassVar[tuple[str, ...]] = ("sgd", "nesterov_momentum_sgd")

    multi_class: Literal["ovr"] = "ovr"
    predict_param: PredictParam = PredictParam()


class HeteroSSHELinRParams(SSHEParams, frozen=True, kw_only=True):
    SHARED_OPTIMIZERS: ClassVar[tuple[str, ...]] = ("sgd",)
    TASK: ClassVar[Task] = "regression"

    optimizer: Literal["sgd", "rmsprop", "adam", "adagrad"] = "sgd"
    max_iter: PositiveInt = 20
