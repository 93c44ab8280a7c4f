"""k-fold cross-validation of any trainer.

After intersection the rows of all parties stand in one order, so the guest splits row numbers
and the others follow: no ids travel. Per fold: fit on the train rows, predict train and validate
rows, score both where there are labels. What the folds report is told apart by their number:
loss -> loss.0, iteration_3 -> fold_0.iteration_3, and train_fold_0 / validate_fold_0 for the
finished fold.

Source: FATE 1.x behaviour (KFold), docs/compat/evaluation.md.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from eggroll.storage import StoredTable
from federatedml import scoring
from federatedml.component import Ctx, Model, Outputs, Points, Report, Trainer
from federatedml.data.frame import Data, Frame, Predictions, Values
from federatedml.data.predicting import predicted, stacked, united
from federatedml.errors import BadData
from federatedml.params_shared import CvParam
from federation import GUEST, HOST, Message

LOG = logging.getLogger(__name__)

Rows = NDArray[np.int64]

MAX_HISTORY_ROWS = 1_000_000
"""Above this many rows over all folds no history is kept (FATE 1.x)."""


class Wire:
    """All that leaves a party for the split; the folds' training has messages of its own."""

    validate_rows = Message[NDArray[np.int64]](
        {GUEST}, {HOST}, kind="plain", reveals="which common rows validate in this fold"
    )


def is_wanted(params: Any) -> bool:
    """Whether a component's parameters ask for cross-validation."""
    cv = getattr(params, "cv_param", None)
    return bool(cv is not None and cv.need_cv)


def run(component: Trainer[Any], ctx: Ctx, data: Frame | None) -> Outputs:
    """Every fold in turn; gives the history of all folds' rows, and no model.

    Reveals to hosts: see ``Wire``. Cost: n_splits trainings, 2 n_splits predictions.
    Raises BadData if there are fewer rows than folds, or a label is in the train rows of some
    folds only.
    """
    cv: CvParam = component.params.cv_param
    if data is not None and data.n_rows < cv.n_splits:
        raise BadData(
            f"{ctx.name}: cross-validation of {cv.n_splits} folds needs as many rows, "
            f"got {data.n_rows}; lower cv_param.n_splits"
        )
    report, history, summary = ctx.report, list[Data](), dict[str, Any]()
    keeps_history = cv.output_fold_history and _is_small(data, cv)
    horizontal = component.module.lower().startswith("homo")
    splits = (
        folds(data.n_rows, cv) if data is not None and (ctx.role == GUEST or horizontal) else []
    )
    try:
        for fold in range(cv.n_splits):
            ctx.report = told = _FoldReport(report, fold, cv.n_splits)
            validate = splits[fold] if splits else None
            if not horizontal:
                validate = _agreed(ctx, validate)
            parts = _split(data, validate)
            summary[f"fold_{fold}"] = told.told
            said = _one_fold(component, ctx, parts)
            told.told.update(_scored(report, said, fold))
            if keeps_history:
                history += _history(parts, said, fold, cv.history_value_type)
                _check_classes(ctx.name, history)
    finally:
        ctx.report = report
    report.summary({**summary, "fold_num": cv.n_splits})
    return Outputs(data=[_united(history)])


def folds(n_rows: int, cv: CvParam) -> list[Rows]:
    """The validation rows of each fold, rising: the splits of scikit-learn's ``KFold``."""
    order = np.arange(n_rows)
    if cv.shuffle:
        np.random.RandomState(cv.random_seed).shuffle(order)
    return [np.sort(part) for part in np.array_split(order, cv.n_splits)]


def _agreed(ctx: Ctx, validate: Rows | None) -> Rows | None:
    """The guest's split at guest and hosts; the arbiter has no rows to split."""
    if ctx.role == GUEST and validate is not None:
        ctx.remote(Wire.validate_rows, validate)
        return validate
    return ctx.get(Wire.validate_rows, source=ctx.guest) if ctx.role == HOST else None


def _split(data: Frame | None, validate: Rows | None) -> dict[str, Frame | None]:
    """Train and validate rows. Raises BadData for rows that this party does not have."""
    if data is None or validate is None:
        return {"train": None, "validate": None}
    if len(validate) and not 0 <= validate.min() <= validate.max() < data.n_rows:
        raise BadData("cross-validation: guest and host hold different numbers of rows")
    train = np.ones(data.n_rows, dtype=bool)
    train[validate] = False
    return {"train": data.take(np.flatnonzero(train)), "validate": data.take(validate)}


def _one_fold(
    component: Trainer[Any], ctx: Ctx, parts: Mapping[str, Frame | None]
) -> dict[str, Predictions | None]:
    """A fresh component fitted on the train rows, and what it says of both sets of rows."""
    fresh = type(component)(component.params)
    fit = fresh.stage("fit", ctx.role)
    model: Model | None = None
    if fit is not None:
        model = fit(ctx, parts["train"], parts["validate"], None)
    return {stage: predicted(fresh, ctx, model, rows, stage) for stage, rows in parts.items()}


def _scored(
    report: Report, said: Mapping[str, Predictions | None], fold: int
) -> dict[str, dict[str, float]]:
    """Metrics of a finished fold at a party that has labels and predictions."""
    return {
        stage: scoring.score_briefly(report, of, f"{stage}_fold_{fold}")
        for stage, of in said.items()
        if of is not None and of.label is not None
    }


def _is_small(data: Frame | None, cv: CvParam) -> bool:
    small = data is None or data.n_rows * cv.n_splits <= MAX_HISTORY_ROWS
    if not small and cv.output_fold_history:
        LOG.warning("more than %d rows over all folds: no fold history", MAX_HISTORY_ROWS)
    return small


def _history(
    parts: Mapping[str, Frame | None],
    said: Mapping[str, Predictions | None],
    fold: int,
    value_type: str,
) -> list[Data]:
    """Per set of rows: predictions, instances, or (where there are neither) the fold's number."""
    kept: list[Data] = []
    for stage, rows in parts.items():
        if rows is None:
            continue
        ids = pc.binary_join_element_wise(rows.ids, f"fold{fold}", stage, "#")
        predictions = said[stage]
        if value_type == "instance":
            kept.append(replace(rows, ids=ids))
        elif predictions is not None:
            kept.append(replace(predictions, ids=ids))
        else:
            numbers = pa.array(np.full(rows.n_rows, fold, dtype=np.int64))
            columns = pa.table({"fold_num": numbers})
            kept.append(Values(ids, columns, sid_name=rows.schema.sid_name))
    return kept


def _check_classes(component: str, history: list[Data]) -> None:
    learnt = [part.classes for part in history if isinstance(part, Predictions)]
    if any(classes != learnt[0] for classes in learnt):
        raise BadData(
            f"{component}: cross-validation: not every fold has all labels among its train rows; "
            "leave out labels with few rows, or lower cv_param.n_splits"
        )


def _united(history: list[Data]) -> Data | None:
    """All folds' rows as one table; None where there is nothing."""
    if not history:
        return None
    first = history[0]
    if isinstance(first, Predictions):
        return united([part for part in history if isinstance(part, Predictions)])
    if isinstance(first, Frame):
        return _united_frames([part for part in history if isinstance(part, Frame)])
    parts = [part for part in history if isinstance(part, Values)]
    return Values(
        stacked([part.key for part in parts]),
        pa.concat_tables([part.columns for part in parts]),
        sid_name=parts[0].sid_name,
    )


def _united_frames(parts: list[Frame]) -> Frame:
    return replace(
        parts[0],
        ids=stacked([part.ids for part in parts]),
        x=stacked([part.x for part in parts]),
        label=stacked([part.label for part in parts]),
        weight=stacked([part.weight for part in parts]),
        match_ids=stacked([part.match_ids for part in parts]),
        texts=stacked([part.texts for part in parts]),
    )


class _FoldReport:
    """Marks what a fold's training reports with the fold's number; its summary is kept apart.

    Checkpoints of folds are not kept: none of their models is the component's model.
    """

    def __init__(self, report: Report, fold: int, n_splits: int) -> None:
        self._report, self._fold, self._n_splits = report, fold, n_splits
        self.told: dict[str, Any] = {}

    def metric(
        self, namespace: str, name: str, metric_type: str, points: Points = (), /, **meta: Any
    ) -> None:
        marked = {k: self._marked(v) if k in _NAMING else v for k, v in meta.items()}
        self._report.metric(namespace, self._marked(name), metric_type, points, **marked)

    def _marked(self, name: str) -> str:
        if "iteration_" in name:
            return f"fold_{self._fold}.{name}"
        return f"{name}.{self._fold}"

    def summary(self, values: Mapping[str, Any]) -> None:
        self.told.update(values)

    def progress(self, done: float) -> None:
        self._report.progress((self._fold + done) / self._n_splits)

    def checkpoint(self, step_index: int, step_name: str, model: Model) -> None:
        kind = type(model).__name__
        LOG.debug("fold %d: %s %d#%s not kept", self._fold, kind, step_index, step_name)

    def table_stored(self, table: StoredTable, options: dict[str, Any]) -> None:
        self._report.table_stored(table, options)

    def table_read(self, namespace: str, name: str) -> None:
        self._report.table_read(namespace, name)


_NAMING = ("curve_name", "pair_type")
