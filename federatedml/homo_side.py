"""What a party of a horizontal training keeps while it trains. No messages in here."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse

from federatedml import lr_model
from federatedml.data.frame import Frame
from federatedml.errors import BadData
from federatedml.homo_lr_params import HomoLRParams
from federatedml.lr_model import Label, SingleModel
from federatedml.maths import glm, logistic, optim, optim_torch
from federatedml.maths.glm import Floats
from federatedml.protocols.convergence import Convergence


class Learner:
    """This party's rows and weights of one binary model.

    weights_seed: of the draw of first weights, the same at every party. begun: the model that a
    warm start goes on from.
    """

    def __init__(
        self,
        params: HomoLRParams,
        frame: Frame,
        wanted: Label,
        component: str,
        begun: SingleModel | None,
        weights_seed: int,
    ) -> None:
        self.component, self.has_intercept = component, params.init_param.fit_intercept
        self.header = list(begun.header if begun else frame.schema.header)
        x = lr_model.features(frame, component, self.header)
        x = glm.with_intercept(x) if self.has_intercept else x
        self._x = sparse.csr_matrix(x) if sparse.issparse(x) else x
        self._y = lr_model.is_class(frame, wanted).astype(np.float64)
        self._weight = lr_model.row_weights(frame, component)
        self._size = frame.n_rows if params.batch_size == -1 else params.batch_size
        self._schedule = optim.Schedule(params.learning_rate, params.decay, params.decay_sqrt)
        self._penalty = glm.Penalty(params.penalty, params.alpha)
        self._optimizer = optim_torch.OPTIMIZERS[params.optimizer]()
        self.w = self._first_weights(params, begun, weights_seed)
        self.iters = begun.iters if begun else 0
        self.losses = list(begun.loss_history) if begun else []
        self.is_converged = False

    def _first_weights(
        self, params: HomoLRParams, begun: SingleModel | None, weights_seed: int
    ) -> Floats:
        if begun:
            return lr_model.weights(begun, has_intercept=self.has_intercept)
        init, n_weights = params.init_param, len(self.header) + self.has_intercept
        return glm.initial_weights(init.init_method, init.init_const, n_weights, weights_seed)

    def epoch(self, *, is_aggregated: bool) -> float:
        """One pass over the rows in table order; the mean loss of a row before each step.

        is_aggregated: the last step's shrinking by L1 is put off to ``take``, so that the mean of
        all parties is shrunk; else a weight that is zero at one party only would come back.
        Raises BadData once the weights are no numbers any more.
        """
        starts = range(0, len(self._y), self._size)
        step, total = self.iters * len(starts), 0.0
        for number, at in enumerate(starts):
            rate = self._schedule.at(step + number)
            with np.errstate(over="ignore", invalid="ignore"):  # told below, in words
                total += self._step(slice(at, at + self._size), rate)
            if not (is_aggregated and number == len(starts) - 1):
                self._shrink(rate)
        if not np.isfinite(self.w).all():
            raise BadData(
                f"{self.component}: training diverges: scale the features (FeatureScale) or lower "
                "learning_rate"
            )
        self.iters += 1
        self.losses.append(total / len(self._y))
        return self.losses[-1]

    def take(self, w: Floats) -> None:
        """Go on from the mean of all parties' weights.

        Their rates differ where they have different numbers of batches; L1 shrinks by the rate that
        the epoch's number gives, the same for all.
        """
        self.w = w.copy()
        self._shrink(self._schedule.at(self.iters - 1))

    def model(self) -> SingleModel:
        part = lr_model.single(
            self.header, self.w, has_intercept=self.has_intercept, iters=self.iters
        )
        part.loss_history, part.is_converged = list(self.losses), self.is_converged
        part.best_iteration = self.iters - 1
        return part

    def _step(self, rows: slice, rate: float) -> float:
        """Move the weights by one batch; the sum of its rows' loss before."""
        x, y = self._x[rows], self._y[rows]
        weight = None if self._weight is None else self._weight[rows]
        score = np.asarray(x @ self.w)
        gradient = np.asarray(x.T @ logistic.residual(score, y, weight)) / len(y)
        gradient[self._penalised] += self._penalty.slope(self.w[self._penalised])
        self.w = self.w - self._optimizer.delta(gradient, rate)
        return logistic.loss(score, y, weight)

    def _shrink(self, rate: float) -> None:
        self.w[self._penalised] = self._penalty.shrunk(self.w[self._penalised], rate)

    @property
    def _penalised(self) -> slice:
        return slice(0, len(self.w) - self.has_intercept)


@dataclass
class Means:
    """What sums over all parties say, one after the other."""

    rule: Convergence
    before: Floats = field(default_factory=lambda: np.full(1, np.inf))

    def of(self, sums: Floats) -> tuple[Floats, bool]:
        """The mean weights, and whether training has converged.

        sums: (k + 2,) of W w, W loss and W, where W is what a party's rows count.
        """
        w, loss = sums[:-2] / sums[-1], float(sums[-2] / sums[-1])
        is_converged = self.rule.is_reached(loss, float(((w - self.before) ** 2).sum()))
        self.before = w
        return w, is_converged


def total_weight(frame: Frame, component: str) -> float:
    """How much this party's rows count: the sum of their weights, else their number.

    Raises BadData for impossible weights.
    """
    if lr_model.row_weights(frame, component) is None or frame.weight is None:
        return float(frame.n_rows)
    return float(frame.weight.sum())


def distinct_labels(frame: Frame, component: str) -> list[Label]:
    """The sorted labels of this party's rows.

    Raises BadData where there is nothing to learn from: no rows, no features, no label of a row.
    """
    if not frame.n_rows or not frame.n_features:
        what = "features" if frame.n_rows else "rows"
        raise BadData(
            f"{component}: this party's data has no {what}; leave the party out, or check what "
            "goes in upstream"
        )
    if frame.label is None:
        raise BadData(f"{component}: the data has no label; set with_label upstream")
    column = frame.label if isinstance(frame.label, pa.Array) else pa.array(frame.label)
    if column.null_count or pc.any(pc.is_null(column, nan_is_null=True)).as_py():
        raise BadData(f"{component}: some rows have no label; drop or fill them upstream")
    return whole(sorted(pc.unique(column).to_pylist()))


def united_labels(parts: Sequence[Sequence[Label]], component: str) -> list[Label]:
    """The sorted labels of all parties. Raises BadData for one label only, or text and numbers."""
    words = {isinstance(label, str) for part in parts for label in part}
    if len(words) > 1:
        raise BadData(
            f"{component}: labels are text at some parties and numbers at others; set the same "
            "label_type upstream"
        )
    found = whole(sorted({label for part in parts for label in part}))
    if len(found) < 2:
        raise BadData(
            f"{component}: all rows of all parties have the same label; two classes are needed"
        )
    return found


def whole(labels: list[Label]) -> list[Label]:
    """The same labels, as integers if all of them are whole numbers."""
    numbers = [label for label in labels if not isinstance(label, str)]
    if len(numbers) == len(labels) and all(float(n).is_integer() for n in numbers):
        return [int(n) for n in numbers]
    return labels


def digest(names: Sequence[str]) -> bytes:
    """Of column names in this order; tells whether two parties' are the same."""
    body = "".join(f"{len(name)}:{name}," for name in names)
    return hashlib.sha256(body.encode()).digest()


def column_digests(frame: Frame) -> list[bytes]:
    """Digests of the column names as they stand, and sorted."""
    names = frame.schema.header
    return [digest(names), digest(sorted(names))]


def check_columns(component: str, theirs: list[bytes], mine: list[bytes]) -> None:
    """Raises BadData unless this party has the guest's columns, in the same order."""
    if theirs == mine:
        return
    if theirs[1:] == mine[1:]:
        raise BadData(
            f"{component}: the columns stand in another order than the guest's; put them into one "
            "order before they are uploaded"
        )
    raise BadData(
        f"{component}: the columns are not those of the guest; a horizontal job needs the same "
        "column names at all parties"
    )


def check_classes(component: str, n_classes: int, n_rows: float) -> None:
    """Raises BadData where classes are so many that the label must be a number."""
    if n_classes > max(2, n_rows / 2):
        raise BadData(
            f"{component}: {n_classes} classes in {n_rows:.0f} rows of all parties: is the label "
            "a number to be estimated? give each class two rows or more"
        )
