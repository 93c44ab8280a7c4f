"""From scores to predictions, and predictions put together."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from federatedml.component import Ctx, Model, Trainer
from federatedml.data.frame import Floats, Frame, Predictions


def predictions(
    frame: Frame, scores: Floats, classes: Sequence[Any] | None = None, threshold: float = 0.5
) -> Predictions:
    """What these scores say of the rows of ``frame``.

    scores: regression (``classes`` None) and two classes: (n,), the prediction or the probability
    of ``classes[1]``; more classes: (n, c) probabilities. threshold: of two classes the second is
    predicted where its score is strictly above. All rows are of stage "predict"; the runner says
    otherwise where it knows better.
    Source: FATE 1.x behaviour, docs/compat/evaluation.md.
    """
    scores = np.asarray(scores, dtype=np.float64)
    if classes is None or len(classes) <= 2:
        scores = scores.reshape(frame.n_rows)
    if classes is None:
        result: NDArray[Any] | pa.Array = scores
        score, detail, names = scores, scores[:, None], ["label"]
    else:
        names = list(classes)
        if len(names) == 2:
            picked = (scores > threshold).astype(np.int64)
            score, detail = scores, np.column_stack([1.0 - scores, scores])
        else:
            detail = scores.reshape(frame.n_rows, len(names))
            picked = detail.argmax(axis=1)
            score = detail[np.arange(frame.n_rows), picked]
        result = _labels(names, picked)
    return Predictions(
        ids=frame.ids,
        result=result,
        score=score,
        detail=detail,
        classes=names,
        stage=stages("predict", frame.n_rows),
        label=frame.label,
        weight=frame.weight,
        match_ids=frame.match_ids,
        sid_name=frame.schema.sid_name,
        match_id_name=frame.schema.match_id_name,
    )


def stages(stage: str, n_rows: int) -> pa.Array:
    """The ``stage`` column of rows that share one stage."""
    return pa.repeat(pa.scalar(stage, pa.string()), n_rows)


def staged(of: Predictions, stage: str) -> Predictions:
    """The same predictions, all of this stage."""
    return replace(of, stage=stages(stage, of.n_rows))


def united(parts: Sequence[Predictions]) -> Predictions:
    """Predictions of one model for several sets of rows, one below the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return replace(
        first,
        ids=stacked([p.ids for p in parts]),
        result=stacked([p.result for p in parts]),
        score=stacked([p.score for p in parts]),
        detail=stacked([p.detail for p in parts]),
        stage=stacked([p.stage for p in parts]),
        label=stacked([p.label for p in parts]),
        weight=stacked([p.weight for p in parts]),
        match_ids=stacked([p.match_ids for p in parts]),
    )


def predicted(
    component: Trainer[Any], ctx: Ctx, model: Model | None, data: Frame | None, stage: str
) -> Predictions | None:
    """This party's predictions, marked with their stage; None for a party that learns none."""
    predict = component.stage("predict", ctx.role)
    if predict is None:
        return None
    said: Predictions | None = predict(ctx, model, data)
    return staged(said, stage) if said is not None else None


def stacked(columns: Sequence[Any]) -> Any:
    """One column, matrix or table of several; None where any part lacks it."""
    if any(column is None for column in columns):
        return None
    if isinstance(columns[0], pa.Table):
        return pa.concat_tables(columns)
    if isinstance(columns[0], (pa.Array, pa.ChunkedArray)):
        chunks = [c.combine_chunks() if isinstance(c, pa.ChunkedArray) else c for c in columns]
        return pa.concat_arrays(chunks)
    if sparse.issparse(columns[0]):
        return sparse.vstack(columns, format="csr")
    return np.concatenate(columns)


def _labels(classes: list[Any], picked: NDArray[np.int64]) -> NDArray[Any] | pa.Array:
    if all(isinstance(c, str) for c in classes):
        return pa.array(classes, pa.string()).take(pa.array(picked))
    return np.asarray(classes)[picked]
