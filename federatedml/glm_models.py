"""The models of linear and Poisson regression as FATE shows them, and the labels they take.

int64 fields are text in FATE's JSON.
"""

from __future__ import annotations

import msgspec
import numpy as np

from federatedml.component import Int64
from federatedml.data.frame import Frame
from federatedml.errors import BadData
from federatedml.lr_model import LinearModel, SingleModel
from federatedml.maths.glm import Floats

MAX_LABEL = 1e8
"""As for features: what an encrypted residual can hold with room to spare."""


class LinRMeta(msgspec.Struct, kw_only=True, rename="camel"):
    penalty: str = "L2"
    tol: float = 1e-4
    alpha: float = 1.0
    optimizer: str = "sgd"
    party_weight: float = 0.0
    batch_size: Int64 = "-1"
    learning_rate: float = 0.01
    max_iter: Int64 = "20"
    early_stop: str = "diff"
    re_encrypt_batches: Int64 = "0"
    fit_intercept: bool = True
    reveal_strategy: str = ""


class LinRModel(LinearModel, kw_only=True):
    """meta and param together; subclasses name FATE's two buffers."""

    meta: LinRMeta
    param: SingleModel


class PoissonMeta(msgspec.Struct, kw_only=True, rename="camel"):
    """exposure_colname: "" where there is none."""

    penalty: str = "L2"
    tol: float = 1e-4
    alpha: float = 1.0
    optimizer: str = "rmsprop"
    party_weight: float = 0.0
    batch_size: Int64 = "-1"
    learning_rate: float = 0.01
    max_iter: Int64 = "20"
    early_stop: str = "diff"
    fit_intercept: bool = True
    exposure_colname: str = ""


class PoissonModel(LinearModel, kw_only=True):
    """meta and param together; subclasses name FATE's two buffers."""

    meta: PoissonMeta
    param: SingleModel


def numeric_label(frame: Frame, component: str) -> Floats:
    """(n,) the labels as numbers. Raises BadData where there are none, or others than numbers."""
    label = frame.label
    if label is None:
        raise BadData(f"{component}: the guest's data has no label; set with_label upstream")
    if not isinstance(label, np.ndarray) or label.dtype.kind not in "iuf":
        raise BadData(f"{component}: labels must be numbers; set label_type float in DataTransform")
    y = label.astype(np.float64)
    with np.errstate(invalid="ignore"):
        sound = np.abs(y) <= MAX_LABEL
    if not sound.all():
        raise BadData(
            f"{component}: some labels are missing, not finite or beyond 1e8 in size; drop or "
            "scale them upstream"
        )
    return y
