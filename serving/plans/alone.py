"""Models that need other parties for little or nothing: LocalBaseline, and clusters."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from federatedml import local_model, lr_model
from federatedml.kmeans_model import KmeansModel
from federatedml.local_model import Boosted, Forest, LocalModel
from federatedml.local_options import ESTIMATORS
from federatedml.lr_model import MAX_FEATURE
from serving.plans import kernels
from serving.plans.faults import BadPart, Refused
from serving.plans.parts import Contribution, Distances, Expected
from serving.plans.predictors import Answers, Outcome, Own
from serving.plans.transforms import Floats, Step, Table, places

MAX_SIZE = 1e30
"""As LocalBaseline: beyond it nothing is learnt or predicted."""


class Local:
    """What a LocalBaseline learnt. Rows of matrix products are predicted one by one: libraries may
    add up in another order for many at once, and a score must not depend on its neighbours."""

    hosts: tuple[str, ...] = ()

    def __init__(self, model: LocalModel, before: Step, component: str, threshold: float) -> None:
        estimator = ESTIMATORS.get(model.name)
        if estimator is None:
            raise Refused(f"estimator {model.name} is not known here")
        if words := before.texts:
            raise Refused(f"{len(words)} features are text, which it cannot take; encode them")
        self.component, self._model, self._estimator = component, model, estimator
        self._at = np.array(places(before.header, model.param.header), dtype=np.intp)
        fitted = model.param.fitted
        self._booster = _booster(fitted.text) if isinstance(fitted, Boosted) else None
        self._at_once = isinstance(fitted, Forest)
        classes = lr_model.classes_of(model.param) if estimator.is_classifier else ()
        self.outcome = Outcome(classes, threshold)

    def own(self, table: Table, /) -> Own:
        x = np.ascontiguousarray(table.x[:, self._at])
        status = np.zeros(len(x), np.uint8)
        missing = np.isnan(x)
        status[(np.abs(x) > MAX_SIZE).any(axis=1)] |= kernels.UNFIT
        if not self._estimator.takes_missing:
            status[missing.any(axis=1)] |= kernels.MISSING
            x[missing] = 0.0
        x[np.abs(x) > MAX_SIZE] = 0.0
        return Own(x, status)

    def told(self, own: Own, /) -> Contribution:
        raise NotImplementedError("it is of one party alone")

    def expected(self, host: str, /) -> Expected:
        raise NotImplementedError("it is of one party alone")

    def merged(self, own: Own, answers: Answers, /) -> Floats:  # noqa: ARG002 (there are none)
        x: Floats = own.values
        if not len(x):
            return np.empty((0, 1))
        if self._at_once or self._booster is not None:
            return self._scores(x)
        return np.concatenate([self._scores(x[i : i + 1]) for i in range(len(x))])

    def _scores(self, x: Floats) -> Floats:
        is_classifier = self._estimator.is_classifier
        if self._booster is None:
            found = local_model.scores(self._model, x, 1, is_classifier=is_classifier)
        else:
            found = np.asarray(self._booster.predict(x, num_threads=1))
            if is_classifier and found.ndim == 2 and found.shape[1] == 2:
                found = found[:, 1]
        return found.reshape(len(x), -1)


def _booster(text: str) -> Any:
    """Read once, at load."""
    import lightgbm  # slow to load, and few need it

    try:
        return lightgbm.Booster(model_str=text)
    except lightgbm.basic.LightGBMError:
        raise Refused("the stored LightGBM text is damaged") from None


class Clusters:
    """k-means. The guest adds every host's squared distances to its own and takes the least."""

    def __init__(
        self, model: KmeansModel, before: Step, hosts: Sequence[str], component: str
    ) -> None:
        if words := before.texts:
            raise Refused(f"{len(words)} features are text, which it cannot take; encode them")
        self.hosts, self.component = tuple(hosts), component
        self._centroids = np.ascontiguousarray(model.centroids)
        self._at = np.array(places(before.header, model.param.header), dtype=np.intp)
        if self._centroids.ndim != 2 or self._centroids.shape[1] != len(self._at):
            raise Refused("the model has no centroids of this party's columns")
        self.outcome = Outcome(tuple(range(len(self._centroids))))

    def own(self, table: Table, /) -> Own:
        x = table.x[:, self._at]
        status = np.zeros(len(x), np.uint8)
        missing, unfit = np.isnan(x), np.abs(x) > MAX_FEATURE
        status[missing.any(axis=1)] |= kernels.MISSING
        status[unfit.any(axis=1)] |= kernels.UNFIT
        sound = np.where(missing | unfit, 0.0, x)
        apart = np.empty((len(x), len(self._centroids)))
        kernels.apart(np.ascontiguousarray(sound), self._centroids, apart)
        return Own(apart, status)

    def told(self, own: Own, /) -> Distances:
        return Distances(own.values)

    def expected(self, host: str, /) -> Expected:  # noqa: ARG002 (of all the same)
        return Expected(Distances, len(self._centroids))

    def merged(self, own: Own, answers: Answers, /) -> Floats:
        total: Floats = own.values
        for host in self.hosts:
            theirs: Floats = answers[host].values
            if (theirs < 0).any():
                raise BadPart(self.component, "the host's answer has negative distances")
            total = total + theirs
        return total
