"""Linear models: logistic (one or one against the rest), least squares, Poisson; of several parties
or of one."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from federatedml import lr_model
from federatedml.lr_model import MAX_FEATURE, LinearModel
from federatedml.maths.family import Family
from serving.plans import kernels
from serving.plans.faults import Refused
from serving.plans.parts import Expected, Sums
from serving.plans.predictors import Answers, Outcome, Own
from serving.plans.transforms import Floats, Ints, Step, Table, places


class Linear:
    """exposure: the guest's column whose logarithm is added to the score."""

    def __init__(
        self,
        model: LinearModel,
        before: Step,
        family: Family,
        outcome: Outcome,
        hosts: Sequence[str] = (),
        *,
        exposure: str = "",
    ) -> None:
        self.hosts, self.outcome, self.family = tuple(hosts), outcome, family
        self._at, self._w, self._b = weights(model, before)
        self._exposure = before.header.index(exposure) if exposure in before.header else -1

    def own(self, table: Table, /) -> Own:
        x = table.x
        values, status = np.empty((len(x), len(self._b))), np.zeros(len(x), np.uint8)
        kernels.linear(x, self._at, self._w, self._b, MAX_FEATURE, values, status)
        if self._exposure >= 0:
            exposure = x[:, self._exposure]
            with np.errstate(invalid="ignore"):
                sound = np.isfinite(exposure) & (exposure > 0)
            status[~sound] |= kernels.UNFIT
            values += np.log(np.where(sound, exposure, 1.0))[:, None]
        return Own(values, status)

    def told(self, own: Own, /) -> Sums:
        return Sums(own.values)

    def expected(self, host: str, /) -> Expected:  # noqa: ARG002 (of all the same)
        return Expected(Sums, len(self._b))

    def merged(self, own: Own, answers: Answers, /) -> Floats:
        total: Floats = own.values
        for host in self.hosts:
            total = total + answers[host].values
        return self.family.mean(total)


def weights(model: LinearModel, before: Step) -> tuple[Ints, Floats, Floats]:
    """Columns (k,), weights (c, k) and intercepts (c,) of a party's side. Raises Refused."""
    parts = model.parts
    header = parts[0].header
    if any(part.header != header for part in parts):
        raise Refused("its classes were trained on different columns")
    if words := before.texts:
        raise Refused(f"{len(words)} features are text, which it cannot take; encode them")
    at = np.array(places(before.header, header), dtype=np.int32)
    w = np.array([lr_model.weights(part, has_intercept=False) for part in parts])
    b = np.array([part.intercept for part in parts], dtype=np.float64)
    return at, np.ascontiguousarray(w.reshape(len(parts), len(header))), b
