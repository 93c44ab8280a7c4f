"""From raw scores to what a client reads: score, label, a score for each class, credit score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from federatedml.components.label_transform import LabelTransformModel
from federatedml.components.scorecard import ScorecardParam, credit_scores
from federatedml.lr_model import Label
from serving.plans.faults import Problem, Refused
from serving.plans.predictors import Outcome
from serving.plans.transforms import Floats


@dataclass(frozen=True)
class Reading:
    """How a predictor's scores are told. labels: of the classes as clients see them, None for a
    regression. clusters: scores are distances and the least counts. card: of a credit score."""

    outcome: Outcome
    labels: Sequence[Label] | None
    is_clusters: bool = False
    card: ScorecardParam | None = None


@dataclass
class Scores:
    """Of n rows. score (n,): of a regression the prediction, of two classes the second one's
    probability, of more that of the label, of clusters the squared distance. detail (n, c): of
    each class, the columns named by ``classes``. problems: by row; such a row's score is nan."""

    score: Floats
    detail: Floats
    labels: list[Label] | None
    classes: Sequence[Label]
    credit: Floats | None
    problems: dict[int, Problem] = field(default_factory=dict)

    @property
    def n_rows(self) -> int:
        return len(self.score)

    def row(self, i: int) -> dict[str, Any]:
        """What FATE-Serving calls ``data``: ``score``; with classes also ``label``, and of more
        than two a score for each."""
        found: dict[str, Any] = {"score": float(self.score[i])}
        if self.labels is not None:
            found["label"] = self.labels[i]
            if len(self.classes) > 2:
                found["score"] = self.detail[i].tolist()
                found["label"] = str(self.labels[i])
        if self.credit is not None:
            found["credit_score"] = float(self.credit[i])
        return found


def told(reading: Reading, raw: Floats) -> Scores:
    """raw (n, c): what the predictor says. Labels are those of training's predict."""
    n, classes = len(raw), reading.labels
    if reading.is_clusters:
        picked = raw.argmin(axis=1)
        score = raw[np.arange(n), picked]
        return Scores(score, raw, [reading.labels[i] for i in picked.tolist()], classes or (), None)  # type: ignore[index]
    if classes is None:
        score = raw.reshape(n)
        return Scores(score, raw.reshape(n, 1), None, (), None)
    if len(classes) == 2:
        score = raw.reshape(n)
        picked = (score > reading.outcome.threshold).astype(np.int64)
        detail = np.column_stack([1.0 - score, score])
    else:
        detail = raw
        picked = np.where(np.isnan(raw), -1.0, raw).argmax(axis=1)
        score = detail[np.arange(n), picked]
    labels = [classes[i] for i in picked.tolist()]
    credit = None
    if reading.card is not None:
        credit = credit_scores(np.clip(score, 0.0, 1.0), reading.card)
    return Scores(score, detail, labels, classes, credit)


def relabelled(labels: Sequence[Label] | None, model: LabelTransformModel) -> list[Label] | None:
    """Labels as they were before LabelTransform. Raises Refused where that cannot be told."""
    if labels is None:
        return None
    pairs = model.param.pairs()
    back: Mapping[tuple[bool, str], Label] = {_spelt(new): old for old, new in pairs}
    if len(back) < len(pairs):
        raise Refused(
            "label_encoder made one label of several, so the old ones cannot be told; leave it out"
        )
    found = [back.get(_spelt(label), label) for label in labels]
    if len({isinstance(label, str) for label in found}) > 1:
        raise Refused("some labels become texts and others numbers; name all in label_encoder")
    return found


def _spelt(label: Label) -> tuple[bool, str]:
    """One key for 1 and 1.0, another for the text "1"."""
    if isinstance(label, str):
        return True, label
    return False, str(int(label)) if float(label).is_integer() else str(label)
