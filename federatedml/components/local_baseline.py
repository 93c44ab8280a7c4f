"""LocalBaseline: an ordinary model on a party's own rows, to compare a federated one with.

Parties: any party with labels, alone; others set need_run to false.
Maths: scikit-learn's and LightGBM's (``federatedml.local_options`` lists what may be fitted).
Round: none; nothing leaves a party.
Trusts: nobody. The model is stored as numbers, never pickled: docs/decisions/0055.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/local_baseline.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from msgspec import UNSET
from scipy import sparse

from federatedml import local_fit, local_options, lr_model
from federatedml.component import Ctx, Trainer, register
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadModel
from federatedml.local_fit import Learnt, Rows
from federatedml.local_model import LocalMeta, LocalModel, LocalParam, scores
from federatedml.local_options import ESTIMATORS, Estimator
from federatedml.lr_model import Label, OneVsRest
from federatedml.maths import glm
from federatedml.maths.glm import Floats, Matrix
from federatedml.params import Params
from federatedml.params_shared import PredictParam

MAX_SIZE = 1e30
"""Of a feature: within float32, which trees compare in."""


class LocalBaselineParam(Params, frozen=True, kw_only=True):
    """model_opts: options of the estimator, under its own names. predict_param: of two classes."""

    model_name: local_options.Name = "LogisticRegression"
    model_opts: dict[str, Any] | None = msgspec.field(default_factory=dict)
    predict_param: PredictParam = PredictParam()
    need_run: bool = True

    def __post_init__(self) -> None:
        _ = self.options

    @property
    def estimator(self) -> Estimator:
        return ESTIMATORS[self.model_name]

    @property
    def options(self) -> Any:
        """model_opts, typed. Raises ValueError naming what is allowed."""
        return local_options.options(self.model_name, self.model_opts or {})


class Wire:
    """Nothing leaves a party."""


@register("LocalBaseline")
class LocalBaseline(Trainer[LocalBaselineParam]):
    Params = LocalBaselineParam
    Model = LocalModel

    def fit(
        self,
        ctx: Ctx,
        train: Frame,
        validate: Frame | None,  # noqa: ARG002 (the runner predicts it)
        start: LocalModel | None,
    ) -> LocalModel:
        if start is not None:
            raise BadModel(f"{ctx.name}: training starts anew; leave the model input out")
        p = self.params
        rows = _rows(train, p.estimator, p.options, ctx.name)
        learnt = local_fit.learn(p.estimator, p.options, rows, ctx.cores, ctx.name)
        ctx.report.summary(learnt.summary)
        return LocalModel(meta=self._meta(learnt), param=_param(learnt, rows))

    def predict(self, ctx: Ctx, model: LocalModel, data: Frame) -> Predictions:
        estimator = ESTIMATORS.get(model.name)
        if estimator is None:
            raise BadModel(f"{ctx.name}: the model is of an estimator that is not known here")
        x = _features(data, estimator, ctx.name, model.param.header)
        found = scores(model, x, ctx.cores, is_classifier=estimator.is_classifier)
        classes = lr_model.classes_of(model.param) if estimator.is_classifier else None
        return predictions(data, found, classes, self.params.predict_param.threshold)

    def _meta(self, learnt: Learnt) -> LocalMeta:
        p, options = self.params, self.params.options
        is_fates = p.model_name == "LogisticRegression"
        return LocalMeta(
            penalty=_penalty(p.model_name, options),
            tol=getattr(options, "tol", 0.0),
            alpha=float(getattr(options, "alpha", 0.0)),
            optimizer=getattr(options, "solver", ""),
            batch_size="0",
            learning_rate=0.0,
            max_iter=str(getattr(options, "max_iter", None) or 0),
            early_stop="",
            fit_intercept=getattr(options, "fit_intercept", False),
            need_one_vs_rest=len(learnt.parts) > 1,
            predict_param=p.predict_param,
            model_name=UNSET if is_fates else p.model_name,
            model_opts=UNSET if is_fates else dict(p.model_opts or {}),
        )


def _penalty(name: str, options: Any) -> str:
    norms = {"Ridge": "l2", "PoissonRegressor": "l2", "Lasso": "l1", "ElasticNet": "elasticnet"}
    return norms.get(name, "") if name != "LogisticRegression" else options.norm or "none"


def _param(learnt: Learnt, rows: Rows) -> LocalParam:
    """As FATE shows it: flat for one part, one-vs-rest for several."""
    header, parts = list(rows.header), learnt.parts
    several = len(parts) > 1
    found = LocalParam(header=header) if not parts else _flat(parts[0])
    if several:
        texts = [str(label) for label in rows.classes]
        result = OneVsRest(completed_models=list(parts), one_vs_rest_classes=texts)
        found = LocalParam(
            header=header,
            need_one_vs_rest=True,
            one_vs_rest_result=result,
            best_iteration=0,
        )
    found.softmax = True if learnt.softmax else UNSET
    found.fitted = learnt.fitted if learnt.fitted is not None else UNSET
    derived = [0, 1] if not several else [label for label in rows.classes if isinstance(label, int)]
    found.classes = list(rows.classes) if rows.classes and list(rows.classes) != derived else UNSET
    return found


def _flat(part: lr_model.SingleModel) -> LocalParam:
    return LocalParam(**{name: getattr(part, name) for name in part.__struct_fields__})


def _rows(train: Frame, estimator: Estimator, options: Any, component: str) -> Rows:
    if train.label is None:
        raise BadData(
            f"{component}: this party's data has no label; set with_label upstream, or need_run to "
            "false here"
        )
    if not train.n_features:
        raise BadData(f"{component}: this party's data has no features to learn from")
    if train.n_rows == 0:
        raise BadData(f"{component}: there are no rows to learn from")
    x = _features(train, estimator, component, None)
    if estimator.is_classifier:
        classes = lr_model.label_classes(train, component)
        y, names = _numbered(train, classes), classes
    else:
        y, names = _values(train, estimator, options, component), []
    return Rows(x, y, _weights(train, component), train.schema.header, names)


def _numbered(train: Frame, classes: Sequence[Label]) -> Floats:
    """(n,) the number of every row's class."""
    y = np.zeros(train.n_rows)
    for number, label in enumerate(classes):
        y[lr_model.is_class(train, label)] = number
    return y


def _values(train: Frame, estimator: Estimator, options: Any, component: str) -> Floats:
    """(n,) labels of a regression. Raises BadData for text, missing ones, and impossible ones."""
    if isinstance(train.label, (pa.Array, pa.ChunkedArray)):
        raise BadData(f"{component}: labels are text; {estimator.name} needs numbers")
    y = np.asarray(train.label, dtype=np.float64)
    if not np.isfinite(y).all():
        raise BadData(f"{component}: some rows have no finite label; drop or fill them upstream")
    words = {estimator.name, *msgspec.structs.astuple(options)} - {None}
    if {"PoissonRegressor", "poisson", "tweedie"} & words and (y.min() < 0 or y.max() == 0):
        raise BadData(f"{component}: labels of {estimator.name} must be 0 or more, and not all 0")
    if "gamma" in words and y.min() <= 0:
        raise BadData(f"{component}: labels of objective gamma must be above 0")
    return y


def _weights(train: Frame, component: str) -> Floats | None:
    if train.weight is None:
        return None
    try:
        glm.rescaled(train.weight)
    except ValueError as error:
        raise BadData(f"{component}: {error}") from None
    return np.asarray(train.weight, dtype=np.float64)


def _features(
    data: Frame, estimator: Estimator, component: str, header: Sequence[str] | None
) -> Matrix:
    """(n, k) in the order of the header. Raises BadData for what the estimator cannot take,
    BadModel for a missing column."""
    if data.texts is not None and data.texts.num_columns:
        raise BadData(f"{component}: text features cannot be learnt; encode or drop them")
    x, names = data.x, list(data.schema.header)
    if header is not None and list(header) != names:
        if missing := set(header) - set(names):
            raise BadModel(
                f"{component}: the data lacks {len(missing)} of the model's {len(header)} columns"
            )
        x = x[:, [names.index(name) for name in header]]
    entries = x.data if sparse.issparse(x) else x
    with np.errstate(invalid="ignore"):
        if (np.abs(entries) > MAX_SIZE).any():
            raise BadData(f"{component}: features are infinite or beyond 1e30; scale them")
    if not estimator.takes_missing and np.isnan(entries).any():
        able = [name for name, one in ESTIMATORS.items() if one.takes_missing]
        raise BadData(
            f"{component}: {estimator.name} cannot take missing values; fill them "
            f"(FeatureImputation) or use one of {', '.join(able)}"
        )
    return x
