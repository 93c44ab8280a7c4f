"""The model of logistic regression as FATE shows it, and what all linear models share.

Field names are those of FATE's LRModelMeta and LRModelParam; int64 fields are text in its JSON.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray
from scipy import sparse

from federatedml.component import Int64, Model
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel
from federatedml.maths import glm
from federatedml.maths.glm import Floats, Matrix

MAX_FEATURE = 1e8
"""FATE's limit; it also bounds what an encrypted product can need."""

N_NAMED = 5
"""Of columns at fault so many are named."""

Label = int | float | str


class TrainingMeta(msgspec.Struct, kw_only=True, rename="camel"):
    """How a linear model was trained: what all of FATE's metas of this family say."""

    penalty: str = "L2"
    tol: float = 1e-4
    alpha: float = 1.0
    optimizer: str = "rmsprop"
    party_weight: float = 0.0
    batch_size: Int64 = "-1"
    learning_rate: float = 0.01
    max_iter: Int64 = "100"
    early_stop: str = "diff"
    fit_intercept: bool = True


class LRMeta(TrainingMeta, kw_only=True, rename="camel"):
    re_encrypt_batches: Int64 = "0"
    need_one_vs_rest: bool = False
    reveal_strategy: str = ""
    module: str = ""


M = TypeVar("M", bound=TrainingMeta)


def meta_of(kind: type[M], params: Any, *, fit_intercept: bool, **more: Any) -> M:
    """The meta of a model from the parameters of any linear component; ``more`` is its own."""
    return kind(
        penalty=params.penalty or "NONE",
        tol=params.tol,
        alpha=params.alpha,
        optimizer=params.optimizer,
        batch_size=str(params.batch_size),
        learning_rate=params.learning_rate,
        max_iter=str(params.max_iter),
        early_stop=params.early_stop,
        fit_intercept=fit_intercept,
        **more,
    )


class SingleModel(msgspec.Struct, kw_only=True, rename="camel"):
    """One party's side of a binary model. The arbiter's has no header and no weights."""

    iters: int = 0
    loss_history: list[float] = []
    is_converged: bool = False
    weight: dict[str, float] = {}
    intercept: float = 0.0
    header: list[str] = []
    best_iteration: int = -1
    encrypted_weight: dict[str, Any] = {}


class OneVsRest(msgspec.Struct, kw_only=True, rename="camel"):
    completed_models: list[SingleModel] = []
    one_vs_rest_classes: list[str] = []


class LRParam(SingleModel, kw_only=True, rename="camel"):
    """classes: the two labels where they are not 0 and 1; only the guest knows them."""

    need_one_vs_rest: bool = False
    one_vs_rest_result: OneVsRest | UnsetType = UNSET
    classes: list[Label] | UnsetType = UNSET


class LinearModel(Model, kw_only=True):
    """A linear model of one part, or of several in a subclass."""

    param: SingleModel

    @property
    def parts(self) -> list[SingleModel]:
        """The models that it is made of."""
        return [self.param]


class LRModel(LinearModel, kw_only=True):
    """meta and param together; subclasses name FATE's two buffers."""

    meta: LRMeta
    param: LRParam

    @property
    def parts(self) -> list[SingleModel]:
        """The binary models: one, or one per class."""
        several = self.param.one_vs_rest_result
        return [self.param] if several is UNSET else several.completed_models


def single(header: Sequence[str], w: Floats, *, has_intercept: bool, iters: int) -> SingleModel:
    """A party's side from its weights, the intercept last if there is one."""
    values = w.tolist()
    intercept = values.pop() if has_intercept else 0.0
    names = list(header)
    return SingleModel(
        iters=iters,
        weight=dict(zip(names, values, strict=True)),
        intercept=intercept,
        header=names,
    )


def weights(part: SingleModel, *, has_intercept: bool) -> Floats:
    """(k,) or (k + 1,) the weights back in the order of its header."""
    w = [part.weight[name] for name in part.header]
    return np.array([*w, part.intercept] if has_intercept else w, dtype=np.float64)


def as_param(parts: Sequence[SingleModel], classes: Sequence[Label]) -> LRParam:
    """The stored form: flat for two classes, one-vs-rest for more.

    classes: the labels; what a party that does not know them calls them is their number.
    """
    if len(parts) == 1:
        flat = {f: getattr(parts[0], f) for f in SingleModel.__struct_fields__}
        known = UNSET if list(classes) == [0, 1] else list(classes)
        return LRParam(**flat, classes=known)
    several = OneVsRest(completed_models=list(parts), one_vs_rest_classes=[str(c) for c in classes])
    return LRParam(
        need_one_vs_rest=True,
        one_vs_rest_result=several,
        classes=UNSET if all(isinstance(c, int) for c in classes) else list(classes),
    )


def classes_of(param: LRParam) -> list[Label]:
    """The labels in the order of the model's probabilities. Integers come back from text."""
    if param.classes is not UNSET:
        return list(param.classes)
    if param.one_vs_rest_result is UNSET:
        return [0, 1]
    return [int(c) for c in param.one_vs_rest_result.one_vs_rest_classes]


def label_classes(frame: Frame, component: str) -> list[Label]:
    """The sorted distinct labels.

    Raises BadData if there is no label, only one, or of more than two so many that most have a
    single row: such labels are not classes.
    """
    if frame.label is None:
        raise BadData(f"{component}: the guest's data has no label; set with_label upstream")
    column = frame.label if isinstance(frame.label, pa.Array) else pa.array(frame.label)
    if column.null_count or pc.any(pc.is_null(column, nan_is_null=True)).as_py():
        raise BadData(f"{component}: some rows have no label; drop or fill them upstream")
    found = sorted(pc.unique(column).to_pylist())
    if len(found) < 2:
        raise BadData(f"{component}: all rows have the same label; two classes are needed")
    if len(found) > max(2, frame.n_rows // 2):
        raise BadData(
            f"{component}: {len(found)} classes in {frame.n_rows} rows; every class needs two rows "
            "or more on average. For labels that are quantities take a regression (HeteroLinR, "
            "or task_type regression of trees)"
        )
    if all(isinstance(c, float) and c.is_integer() for c in found):
        found = [int(c) for c in found]
    return found


def is_class(frame: Frame, wanted: Label) -> NDArray[np.bool_]:
    """(n,) which rows have this label."""
    label = frame.label
    if isinstance(label, pa.Array):
        return np.asarray(pc.equal(label, wanted).to_numpy(zero_copy_only=False), dtype=bool)
    return np.asarray(label == wanted)


def features(frame: Frame, component: str, header: Sequence[str] | None = None) -> Matrix:
    """(n, k) the features, in the order of the model's header if one is given.

    Raises BadData for text, missing values and |x| > 1e8, BadModel for a missing column. The
    messages go to every party: they name columns only by their anonymous names.
    """
    x, shown = ordered(frame, component, header)
    entries = x.data if sparse.issparse(x) else x
    with np.errstate(invalid="ignore"):  # nan makes a minimum nan, and comparisons false
        low, high = entries.min(initial=0.0), entries.max(initial=0.0)
    if not (low >= -MAX_FEATURE and high <= MAX_FEATURE):
        raise BadData(f"{component}: {_unlearnable(x, shown)}")
    return x


def ordered(frame: Frame, component: str, header: Sequence[str] | None) -> tuple[Matrix, list[str]]:
    """(n, k) the columns in the order of the model's header if one is given, and the names that
    others may see. Raises BadData for text, BadModel for a missing column."""
    if frame.texts is not None and frame.texts.num_columns:
        raise BadData(f"{component}: text features cannot be learnt; encode or drop them")
    x, shown, names = frame.x, anonymous_names(frame), list(frame.schema.header)
    if header is None or list(header) == names:
        return x, shown
    if missing := set(header) - set(names):
        raise BadModel(
            f"{component}: the data lacks {len(missing)} of the model's {len(header)} columns"
        )
    at = [names.index(name) for name in header]
    return x[:, at], [shown[i] for i in at]


def anonymous_names(frame: Frame) -> list[str]:
    """What other parties may see of the columns' names; numbers where a table has none."""
    names = frame.schema.anonymous_header
    return list(names) if names else [f"x{i}" for i in range(frame.n_features)]


def _unlearnable(x: Matrix, names: Sequence[str]) -> str:
    """Which columns are missing values, which are too large, and what to do about it."""
    entries: Floats = x.data if sparse.issparse(x) else np.asarray(x)
    column = sparse.coo_matrix(x).col if sparse.issparse(x) else np.arange(x.shape[1])[None, :]
    said = []
    for wrong, what, cure in (
        (
            np.isnan(entries),
            "with missing values",
            "fill them (missing_fill of DataTransform, FeatureImputation)",
        ),
        (np.abs(entries) > MAX_FEATURE, "beyond 1e8 in size", "scale them (FeatureScale)"),
    ):
        found = np.unique(np.broadcast_to(column, wrong.shape)[wrong])
        if len(found):
            first = ", ".join(names[i] for i in found[:N_NAMED])
            more = ", ..." if len(found) > N_NAMED else ""
            said.append(f"columns {what}: {len(found)} ({first}{more}); {cure}")
    return "; ".join(said)


def binary(frame: Frame | None, wanted: Label, classes: Sequence[Label]) -> Frame | None:
    """The frame as one of several binary models sees it: label 1 for its class, else 0."""
    if frame is None or frame.label is None or len(classes) == 2:
        return frame
    return replace(frame, label=is_class(frame, wanted).astype(np.int64))


def row_weights(frame: Frame, component: str, *, signed: bool = False) -> Floats | None:
    """(n,) the sample weights with the sum n, or None. Raises BadData for impossible ones.

    signed: whether some may be negative: FATE's own example of a regression has such.
    """
    if frame.weight is None:
        return None
    try:
        return glm.rescaled(frame.weight, signed=signed)
    except ValueError as error:
        raise BadData(f"{component}: {error}") from None


def started(start: LinearModel | None, n_models: int, component: str) -> list[SingleModel | None]:
    """The binary models that a warm start goes on from, or Nones. Raises BadModel."""
    if start is None:
        return [None] * n_models
    if len(start.parts) != n_models:
        raise BadModel(
            f"{component}: the model to start from has {len(start.parts)} binary models, the "
            f"data needs {n_models}"
        )
    return list(start.parts)
