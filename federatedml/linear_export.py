"""Stored logistic regressions as estimators of scikit-learn, and as plain JSON of the same.

Several classes are one model against the rest each: scikit-learn's OneVsRestClassifier. It divides
the probabilities of a row by their sum, which FATE and Distaff do not; which class is predicted,
and each estimator's own probability, are the same.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec
import numpy as np

from federatedml import lr_model
from federatedml.errors import BadModel
from federatedml.lr_model import Label, LRModel
from federatedml.maths.glm import Floats
from federatedml.merged_names import merged_names


@dataclass(frozen=True)
class Linear:
    """A logistic regression on named features. coef (c, k), intercept (c,): c is 1 for two
    classes, else their number; classes: the labels, of two the second is the positive one."""

    names: Sequence[str]
    coef: Floats
    intercept: Floats
    classes: Sequence[Label]


def whole(model: LRModel) -> Linear:
    """A model whose party holds all weights. Raises BadModel."""
    coef, intercept = _plain(model, "the model")
    return Linear(model.parts[0].header, coef, intercept, lr_model.classes_of(model.param))


def merged(
    guest: LRModel,
    hosts: Mapping[str, LRModel],
    *,
    rename: bool | None,
    include_guest: bool,
) -> Linear:
    """A vertical model out of its parts: the guest's features (unless left out), then each host's.
    The intercept is that of all parties together.

    hosts: parts by party id. Raises BadModel if a part's weights are shared or encrypted, or the
    parts are not of one training.
    """
    coef, intercept = _plain(guest, "the guest's part")
    own: Sequence[str] = guest.parts[0].header
    columns = [coef] if include_guest else []
    for party, part in hosts.items():
        theirs, offset = _plain(part, f"the part of host {party}")
        if len(theirs) != len(coef):
            raise BadModel(
                f"the part of host {party} has {len(theirs)} binary models, the guest's {len(coef)}"
            )
        columns.append(theirs)
        intercept = intercept + offset
    listed = {party: part.parts[0].header for party, part in hosts.items()}
    names = merged_names(own if include_guest else [], listed, rename=rename)
    return Linear(names, np.hstack(columns), intercept, lr_model.classes_of(guest.param))


def _plain(model: LRModel, whose: str) -> tuple[Floats, Floats]:
    """(c, k) the weights and (c,) the intercepts. Raises BadModel where they are not readable."""
    parts = model.parts
    if any(part.encrypted_weight for part in parts):
        raise BadModel(
            f"{whose} has shared weights that nobody may read: train with reveal_strategy "
            "'respectively'"
        )
    if not parts or not all(set(part.header) <= part.weight.keys() for part in parts):
        raise BadModel(f"{whose} has no weights")
    header = parts[0].header
    if any(part.header != header for part in parts):
        raise BadModel(f"{whose} was trained on different columns for different classes")
    coef = [lr_model.weights(part, has_intercept=False) for part in parts]
    return np.array(coef), np.array([part.intercept for part in parts])


def estimator(linear: Linear) -> Any:
    """scikit-learn's LogisticRegression, or OneVsRestClassifier of them, as if fitted there.

    It is fitted on blank rows, which gives it all that the installed release expects of a fitted
    one, and then gets the model's numbers.
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.multiclass import OneVsRestClassifier

    several = len(linear.coef) > 1
    made = OneVsRestClassifier(LogisticRegression()) if several else LogisticRegression()
    made.fit(np.zeros((len(linear.classes), len(linear.names))), _labels(linear.classes))
    names = np.array(list(linear.names), dtype=object)
    ones = made.estimators_ if several else [made]
    for one, coef, intercept in zip(ones, linear.coef, linear.intercept, strict=True):
        one.coef_, one.intercept_ = coef[None].copy(), np.array([intercept])
        one.feature_names_in_ = names
    made.feature_names_in_ = names
    return made


def as_json(linear: Linear) -> str:
    """The same estimator as JSON: its class, and its fitted attributes by their names."""
    classes = _labels(linear.classes).tolist()
    one = partial(_shown, list(linear.names))
    if len(linear.coef) == 1:
        shown = one(linear.coef[0], linear.intercept[0], classes)
    else:
        each = zip(linear.coef, linear.intercept, strict=True)
        shown = {
            "class": "sklearn.multiclass.OneVsRestClassifier",
            "classes_": classes,
            "estimators_": [one(coef, intercept, [0.0, 1.0]) for coef, intercept in each],
        }
    return msgspec.json.format(msgspec.json.encode(shown), indent=2).decode()


def _shown(
    names: Sequence[str], coef: Floats, intercept: float, classes: Sequence[Any]
) -> dict[str, Any]:
    return {
        "class": "sklearn.linear_model.LogisticRegression",
        "classes_": classes,
        "feature_names_in_": names,
        "coef_": [coef.tolist()],
        "intercept_": [float(intercept)],
    }


def _labels(classes: Sequence[Label]) -> Any:
    """Labels as FATE's estimators have them: numbers are floats."""
    if any(isinstance(label, str) for label in classes):
        return np.array([str(label) for label in classes])
    return np.array(classes, dtype=np.float64)
