"""The models of linear and Poisson regression as FATE shows them, and the labels they take.

int64 fields are text in FATE's JSON.
"""

from __future__ import annotations

import numpy as np

from federatedml.component import Int64
from federatedml.data.frame import Frame
from federatedml.errors import BadData
from federatedml.lr_model import LinearModel, SingleModel, TrainingMeta
from federatedml.maths.glm import Floats

MAX_LABEL = 1e8
"""As for features: what an encrypted residual can hold with room to spare."""


class LinRMeta(TrainingMeta, kw_only=True, rename="camel"):
    re_encrypt_batches: Int64 = "0"
    reveal_strategy: str = ""


class LinRModel(LinearModel, kw_only=True):
    """meta and param together; subclasses name FATE's two buffers."""

    meta: LinRMeta
    param: SingleModel


class PoissonMeta(TrainingMeta, kw_only=True, rename="camel"):
    """exposure_colname: "" where there is none."""

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
