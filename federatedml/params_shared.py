"""Parameter structs that several components share, under FATE's names and defaults.

``mode`` and ``role`` of cross-validation and stepwise, and ``re_encrypted_rate``, are accepted
because FATE's configurations carry them; nothing reads them (the running party knows its role).
"""

from __future__ import annotations

import logging
from typing import Annotated, Any, Literal

import msgspec

from federatedml import scoring
from federatedml.params import NonNegativeInt, Params, PositiveInt

LOG = logging.getLogger(__name__)

Number = int | float
NonNegative = Annotated[int, msgspec.Meta(ge=0)] | Annotated[float, msgspec.Meta(ge=0)]

Task = Literal["classification", "regression"]

METRICS: dict[Task, tuple[str, ...]] = {
    "classification": scoring.ALLOWED["binary"],
    "regression": scoring.ALLOWED["regression"],
}
"""What ``metrics`` may name; several classes have no metric of their own."""


class EncryptParam(Params, frozen=True, kw_only=True):
    """method: the homomorphic scheme; left out: the component chooses ("Lattice" where it can).
    "IterativeAffine" and "RandomIterativeAffine" are broken schemes of old releases; Paillier is
    used in their place, as FATE does since 1.7.1. key_length: of Paillier and OU."""

    method: (
        Literal[
            "Paillier", "IPCL", "OU", "Lattice", "None", "IterativeAffine", "RandomIterativeAffine"
        ]
        | msgspec.UnsetType
        | None
    ) = msgspec.UNSET
    key_length: Annotated[int, msgspec.Meta(ge=128, le=8192)] = 2048

    @property
    def scheme(self) -> Literal["Lattice", "OU", "Paillier", "None"]:
        """The scheme that is meant; Lattice where the method is left open."""
        if self.method is msgspec.UNSET:
            return "Lattice"
        if self.method in ("Lattice", "OU"):
            return self.method
        return "None" if self.method in (None, "None") else "Paillier"


class EncryptedModeCalculatorParam(Params, frozen=True, kw_only=True):
    """Kept for old configurations: every mode means "strict", every value is encrypted afresh."""

    mode: Literal["strict", "fast", "balance", "confusion_opt", "confusion_opt_balance"] = "strict"
    re_encrypted_rate: Number = 1


class InitParam(Params, frozen=True, kw_only=True):
    """How weights start. ``random_seed``: an int makes the draw repeat; None takes fresh ones."""

    init_method: Literal["random_uniform", "random_normal", "ones", "zeros", "const"] = (
        "random_uniform"
    )
    init_const: Number = 1
    fit_intercept: bool = True
    random_seed: int | None = None


class CvParam(Params, frozen=True, kw_only=True):
    """k-fold cross-validation. ``random_seed`` is used only with ``shuffle``."""

    n_splits: Annotated[int, msgspec.Meta(ge=2)] = 5
    mode: str | None = "hetero"
    role: str | None = "guest"
    shuffle: bool = True
    random_seed: int | None = 1
    need_cv: bool = False
    output_fold_history: bool = True
    history_value_type: Literal["score", "instance"] = "score"


class PredictParam(Params, frozen=True, kw_only=True):
    """threshold: a row is of the positive class if its probability is strictly greater."""

    threshold: Number = 0.5


class CallbackParam(Params, frozen=True, kw_only=True):
    """What happens between iterations.

    callbacks: EarlyStopping and PerformanceEvaluate both evaluate; ModelCheckpoint keeps models.
    validation_freqs: evaluate every k-th iteration, or in the listed iterations.
    early_stopping_rounds: stop once a watched metric has not improved for so many evaluations.
    metrics: empty means auc and ks, or of a regression its errors; those that are curves or
    tables are left to Evaluation. Case and FATE's short forms (mae, rmse, ...) do not matter.
    save_freq: keep a checkpoint every so many iterations; "epoch" is 1.
    """

    callbacks: list[Literal["EarlyStopping", "PerformanceEvaluate", "ModelCheckpoint"]] = (
        msgspec.field(default_factory=list)
    )
    validation_freqs: PositiveInt | list[NonNegativeInt] | None = None
    early_stopping_rounds: PositiveInt | None = None
    metrics: list[str] = msgspec.field(default_factory=list)
    use_first_metric_only: bool = False
    save_freq: PositiveInt | Literal["epoch"] = 1

    def __post_init__(self) -> None:
        if self.early_stopping_rounds is not None and self.validation_freqs is None:
            raise ValueError("early_stopping_rounds needs validation_freqs")

    def check_task(self, task: Task) -> None:
        """Raises ValueError for metrics that the task does not have, and where early stopping is
        given nothing to watch."""
        allowed = METRICS[task]
        if unknown := [name for name in self.metrics if scoring.canonical(name) not in allowed]:
            raise ValueError(
                f"metrics: {unknown[0]!r} is no metric of {task}; there are: {', '.join(allowed)}"
            )
        if self.stops_early and self.metrics and not self.watched:
            raise ValueError(
                f"metrics: early stopping can watch none of {', '.join(self.metrics)}; it can "
                f"watch: {', '.join(name for name in allowed if name in scoring.WATCHABLE)}"
            )

    @property
    def watched(self) -> list[str]:
        """Of ``metrics`` those of one value, by which models between iterations are compared."""
        return [name for name in map(scoring.canonical, self.metrics) if name in scoring.WATCHABLE]

    @property
    def stops_early(self) -> bool:
        """Whether training stops when metrics stop improving."""
        return self.evaluates and self.early_stopping_rounds is not None

    @property
    def evaluates(self) -> bool:
        """Whether performance is evaluated between iterations."""
        return bool({"EarlyStopping", "PerformanceEvaluate"} & set(self.callbacks))

    def due(self, epoch: int) -> bool:
        """Whether to evaluate after this iteration (counted from 0)."""
        if not self.evaluates or self.validation_freqs is None:
            return False
        if isinstance(self.validation_freqs, int):
            return (epoch + 1) % self.validation_freqs == 0
        return epoch in self.validation_freqs

    def saves(self, epoch: int) -> bool:
        """Whether to keep a checkpoint after this iteration (counted from 0)."""
        every = 1 if self.save_freq == "epoch" else self.save_freq
        return "ModelCheckpoint" in self.callbacks and epoch % every == 0


TRAINING = (
    "penalty", "alpha", "optimizer", "learning_rate", "decay", "decay_sqrt", "max_iter",
    "early_stop", "cv_param",
)  # fmt: skip
"""Parameters of every linear model in which all parties of a training must agree."""

VALIDATION = ("callback_param", "validation_freqs", "early_stopping_rounds")
"""Those that say when all parties validate together."""


class SqnParam(Params, frozen=True, kw_only=True):
    """Stochastic quasi-Newton: a curvature pair every L batches, the last M of them kept."""

    update_interval_L: PositiveInt = 3  # noqa: N815 (FATE's name)
    memory_M: PositiveInt = 5  # noqa: N815 (FATE's name)
    sample_size: PositiveInt = 5000
    random_seed: PositiveInt | None = None


class StepwiseParam(Params, frozen=True, kw_only=True):
    """Stepwise selection of features by an information criterion."""

    score_name: Literal["AIC", "BIC"] = "AIC"
    mode: str | None = "hetero"
    role: str | None = "guest"
    direction: Literal["both", "forward", "backward"] = "both"
    max_step: PositiveInt = 10
    nvmin: Annotated[int, msgspec.Meta(ge=2)] = 2
    nvmax: Annotated[int, msgspec.Meta(ge=2)] | None = None
    need_stepwise: bool = False


def merged_callbacks(
    callback_param: CallbackParam,
    validation_freqs: int | list[int] | None,
    early_stopping_rounds: int | None,
    metrics: list[str] | None,
    use_first_metric_only: bool,
) -> CallbackParam:
    """``callback_param`` with FATE's deprecated top-level parameters put into it.

    ``metrics`` is None if the configuration does not name it. Raises ValueError if both forms
    are used.
    """
    old: dict[str, Any] = {
        "validation_freqs": validation_freqs,
        "early_stopping_rounds": early_stopping_rounds,
        "metrics": metrics,
        "use_first_metric_only": use_first_metric_only or None,
    }
    given = {name: value for name, value in old.items() if value is not None}
    if not given:
        return callback_param
    if callback_param != CallbackParam():
        raise ValueError(
            f"`{'`, `'.join(sorted(given))}` (deprecated) and `callback_param` exclude each other: "
            "put them into callback_param"
        )
    LOG.warning("deprecated parameters %s: use callback_param", ", ".join(sorted(given)))
    return CallbackParam(callbacks=["PerformanceEvaluate"], **given)
