"""Vertical k-means: clusters of rows whose columns lie at several parties.

Parties  guest and hosts: some columns X_p each, the same rows in the same order; arbiter: adds up
         distances and assigns rows. Every party keeps its own columns of the centroids.
Maths    Lloyd's algorithm. |x - c|^2 = sum over parties of |x_p - c_p|^2; a centroid's columns
         are means of a party's own columns (``federatedml.maths.kmeans``).
Round    (1) guest -> hosts   the k rows, in ascending order, that the clusters start from
         (2) guest and hosts agree pairwise on keys
         for each iteration
         (3) each -> arbiter  squared distances of every row to the k centroids, and between
                              centroids, under fresh pads that cancel in the sum
         (4) arbiter -> each  the nearest centroid of every row
         (5) each -> arbiter  the squared length of the centroids' step, under fresh pads
         (6) arbiter -> each  whether the steps of all parties together are within ``tol``
         at the end, and to predict: (3) and (4) with the centroids as they are
Trusts   the arbiter not to collude, and with the distances between rows, which it learns;
         everyone to follow the protocol (semi-honest). See docs/security/hetero_kmeans.md.
Source   Lloyd 1982; pads as in Bonawitz et al. 2017, section 4; parameters, models and tables
         FATE 1.x's. What is different: docs/compat/hetero_kmeans.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray

from eggroll.storage import StoredTable
from federatedml import kmeans_model, lr_model
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data.frame import Data, Frame, Values
from federatedml.errors import BadData, BadModel
from federatedml.kmeans_model import KmeansMeta, KmeansModel, KmeansParam
from federatedml.maths import kmeans
from federatedml.maths.glm import Floats
from federatedml.maths.kmeans import Ints, Points
from federatedml.params import NonNegativeFloat, NonNegativeInt, Params, PositiveInt
from federatedml.protocols import distance_sum, secure_sum
from federatedml.protocols.batches import checked_rows
from federatedml.protocols.secure_sum import Pads
from federation import ARBITER, GUEST, HOST, Message
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

TRAIN = ("train_data", "data")
VALIDATE = ("validate_data", "eval_data")
PREDICT = ("test_data", "eval_data", "data")


class HeteroKmeansParam(Params, frozen=True, kw_only=True):
    """k: clusters. tol: training stops once the centroids' squared step is no longer.
    random_stat: seed of the guest's choice of the k starting rows; None takes fresh ones."""

    k: Annotated[int, msgspec.Meta(ge=2, le=100)] = 5
    max_iter: PositiveInt = 300
    tol: NonNegativeFloat = 0.001
    random_stat: NonNegativeInt | None = None


class Wire:
    """All that leaves a party."""

    start = Message[NDArray[np.int64]](
        {GUEST}, {HOST}, kind="plain", reveals="numbers of the rows that clusters start from"
    )
    pad_key = Message[bytes]({GUEST, HOST}, {GUEST, HOST}, kind="plain", reveals="nothing")
    distances = Message[NDArray[np.uint64]](
        {GUEST, HOST},
        {ARBITER},
        kind="masked",
        reveals="number of rows; summed over the parties: squared distances of every row to every "
        "centroid, and between centroids. Over the iterations these tell the distances of all "
        "rows to each other",
    )
    assigned = Message[NDArray[np.int64]](
        {ARBITER}, {GUEST, HOST}, kind="plain", reveals="the cluster of every row"
    )
    step = Message[NDArray[np.uint64]](
        {GUEST, HOST},
        {ARBITER},
        kind="masked",
        reveals="summed over the parties: squared length of the centroids' step",
    )
    is_converged = Message[bool](
        {ARBITER}, {GUEST, HOST}, kind="plain", reveals="whether the centroids have come to rest"
    )


@dataclass(frozen=True)
class Seen:
    """What the arbiter sees of one round: assigned (n,), squared distances (n,) to the nearest
    centroid, rows (n, k) to all of them, and apart (k, k) between them."""

    assigned: Ints
    distance: Floats
    rows: Floats
    apart: Floats

    def index_of(self, assigned: Ints) -> float:
        """Davies-Bouldin index of an assignment whose means are this round's centroids."""
        distance = np.take_along_axis(self.rows, assigned[:, None], axis=1)[:, 0]
        return kmeans.davies_bouldin(distance, assigned, self.apart)


@register("HeteroKmeans")
class HeteroKmeans(Component[HeteroKmeansParam]):
    Params = HeteroKmeansParam
    aligned = True
    agrees = ("k", "max_iter", "tol")
    Model = KmeansModel

    # Training. There are no warm start and no cross-validation.

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        train = _needed(ctx, inputs, TRAIN)
        points = Points(lr_model.features(train, ctx.name))
        if self.params.k > train.n_rows:
            raise BadData(
                f"{ctx.name}: {train.n_rows} rows cannot make k = {self.params.k} clusters"
            )
        draw = np.random.default_rng(self.params.random_stat)
        start = np.sort(draw.choice(train.n_rows, self.params.k, replace=False)).astype(np.int64)
        ctx.remote(Wire.start, start)  # (1)
        return self._fit(ctx, inputs, train, points, start)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        train = _needed(ctx, inputs, TRAIN)
        points = Points(lr_model.features(train, ctx.name))
        start = checked_rows(ctx.get(Wire.start), train.n_rows, ctx.guest, Wire.start)  # (1)
        if len(start) != self.params.k:
            raise ProtocolViolation(
                ctx.guest, Wire.start.name, f"{len(start)} rows for k = {self.params.k} clusters"
            )
        return self._fit(ctx, inputs, train, points, start)

    def _fit(self, ctx: Ctx, inputs: Inputs, train: Frame, points: Points, start: Ints) -> Outputs:
        pads, p = secure_sum.agreed(ctx, Wire.pad_key), self.params  # (2)
        centroids, iterations, is_converged = points.rows(start), 0, False
        while iterations < p.max_iter and not is_converged:
            assigned = _assigned(ctx, pads, points, centroids)
            before, centroids = centroids, points.moved(assigned, centroids)
            step = np.square(centroids - before).sum(keepdims=True).reshape(1)
            ctx.remote(Wire.step, distance_sum.hidden(pads, step))  # (5)
            is_converged = ctx.get(Wire.is_converged)  # (6)
            iterations += 1
            ctx.report.progress(iterations / p.max_iter)
        assigned = _assigned(ctx, pads, points, centroids)
        tables = [kmeans_model.rows_table(train, assigned, "train")]
        if (validate := _frame(ctx, inputs, VALIDATE)) is not None:
            tables.append(self._clustered(ctx, pads, validate, centroids, train.schema.header))
        param = KmeansParam(
            count_of_clusters=str(p.k),
            max_interation=str(iterations),
            converged=is_converged,
            cluster_detail=kmeans_model.clusters(assigned, p.k),
            centroid_detail=[kmeans_model.Centroid(centroid=row) for row in centroids.tolist()],
            header=list(train.schema.header),
        )
        ctx.report.summary({"is_converged": is_converged, "iterations": iterations})
        model = KmeansModel(meta=self._meta(), param=param)
        return Outputs(data=[kmeans_model.united(tables), None], model=model)

    def fit_arbiter(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        _refuse_start(ctx, inputs)
        k, iterations, is_converged = self.params.k, 0, False
        before: list[Ints] = []
        while iterations < self.params.max_iter and not is_converged:
            seen = self._seen(ctx, k)
            for assigned in before:
                _tell_index(ctx, iterations - 1, seen.index_of(assigned))
            before = [self._enough(ctx, seen.assigned)]
            step = distance_sum.opened(ctx, Wire.step)  # (5)
            is_converged = bool(step[0] <= self.params.tol)
            ctx.remote(Wire.is_converged, is_converged)  # (6)
            iterations += 1
            ctx.report.progress(iterations / self.params.max_iter)
        seen = self._seen(ctx, k)
        index = [seen.index_of(self._enough(ctx, a)) for a in (*before, seen.assigned)]
        for at, value in enumerate(index, iterations - 1):
            _tell_index(ctx, at, value)
        told = {"is_converged": is_converged, "iterations": iterations}
        ctx.report.summary({**told, "davies_bouldin_index": index[-1]})
        rounds = [("train", seen)]
        if set(VALIDATE) & set(inputs.data):
            rounds.append(("validate", self._seen(ctx, k)))
        model = KmeansModel(meta=self._meta(), param=KmeansParam())
        return Outputs(data=_arbiters_tables(rounds), model=model)

    # Prediction, with the centroids as they are.

    def transform_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        data = _needed(ctx, inputs, PREDICT)
        return self._transform(ctx, inputs, data)

    def transform_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        data = _needed(ctx, inputs, PREDICT)
        return self._transform(ctx, inputs, data)

    def _transform(self, ctx: Ctx, inputs: Inputs, data: Frame) -> Outputs:
        model = _model(ctx, inputs)
        points = Points(lr_model.features(data, ctx.name, model.param.header))
        pads = secure_sum.agreed(ctx, Wire.pad_key)  # (2)
        assigned = _assigned(ctx, pads, points, model.centroids)
        return Outputs(data=[kmeans_model.rows_table(data, assigned, "predict"), None])

    def transform_arbiter(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        seen = self._seen(ctx, int(_model(ctx, inputs).meta.k))
        return Outputs(data=_arbiters_tables([("predict", seen)]))

    # Parts of a round.

    def _clustered(
        self, ctx: Ctx, pads: Pads, data: Frame, centroids: Floats, header: Sequence[str]
    ) -> Values:
        points = Points(lr_model.features(data, ctx.name, header))
        assigned = _assigned(ctx, pads, points, centroids)
        return kmeans_model.rows_table(data, assigned, "validate")

    def _seen(self, ctx: Ctx, k: int) -> Seen:
        """The arbiter's side of (3) and (4)."""
        opened, pairs = distance_sum.opened(ctx, Wire.distances), k * (k - 1) // 2  # (3)
        if len(opened) < pairs or (len(opened) - pairs) % k:
            raise ProtocolViolation(
                ctx.guest, Wire.distances.name, f"{len(opened)} distances for k = {k} clusters"
            )
        rows = opened[pairs:].reshape(-1, k)
        assigned = rows.argmin(axis=1) if len(rows) else np.empty(0, dtype=np.int64)
        ctx.remote(Wire.assigned, assigned)  # (4)
        distance = np.take_along_axis(rows, assigned[:, None], axis=1)[:, 0]
        return Seen(assigned, distance, rows, kmeans.square(opened[:pairs], k))

    def _enough(self, ctx: Ctx, assigned: Ints) -> Ints:
        """The same, if at least two clusters have rows. Raises BadData."""
        if np.count_nonzero(kmeans.counts(assigned, self.params.k)) < 2:
            raise BadData(
                f"{ctx.name}: all rows fell into one cluster: the starting rows are alike. Use "
                "another random_stat, or look whether the columns differ between rows at all"
            )
        return assigned

    def _meta(self) -> KmeansMeta:
        p = self.params
        return KmeansMeta(k=str(p.k), tol=p.tol, max_iter=str(p.max_iter))


def _assigned(ctx: Ctx, pads: Pads, points: Points, centroids: Floats) -> Ints:
    """A guest's or host's side of (3) and (4): (n,) the cluster of every row."""
    rows = points.squared_distances(centroids)
    all_of_it = np.concatenate([kmeans.between(centroids), rows.ravel()])
    ctx.remote(Wire.distances, distance_sum.hidden(pads, all_of_it))  # (3)
    assigned = ctx.get(Wire.assigned)  # (4)
    k, arbiter = len(centroids), ctx.arbiter
    is_sound = assigned.shape == (points.n_rows,) and bool(np.all((assigned >= 0) & (assigned < k)))
    if not is_sound and arbiter is not None:
        raise ProtocolViolation(arbiter, Wire.assigned.name, f"no clusters of {points.n_rows} rows")
    return assigned


def _needed(ctx: Ctx, inputs: Inputs, kinds: Sequence[str]) -> Frame:
    if kinds is TRAIN:
        _refuse_start(ctx, inputs)
    data = _frame(ctx, inputs, kinds)
    if data is None:
        raise BadData(f"{ctx.name}: needs a data input of kind {' or '.join(kinds)}")
    return data


def _frame(ctx: Ctx, inputs: Inputs, kinds: Sequence[str]) -> Frame | None:
    data = inputs.one(*kinds)
    if data is not None and not isinstance(data, Frame):
        raise BadData(f"{ctx.name}: takes instances, as DataTransform gives them")
    return data


def _refuse_start(ctx: Ctx, inputs: Inputs) -> None:
    if inputs.model is not None:
        raise BadModel(f"{ctx.name}: training starts from rows, not from a model; leave it out")
    if "test_data" in inputs.data or (
        "eval_data" in inputs.data and not set(TRAIN) & set(inputs.data)
    ):
        raise BadModel(f"{ctx.name}: test_data needs a model input, of a component trained before")


def _model(ctx: Ctx, inputs: Inputs) -> KmeansModel:
    if not isinstance(inputs.model, KmeansModel):
        raise BadModel(f"{ctx.name}: the model is none of HeteroKmeans")
    return inputs.model


def _tell_index(ctx: Ctx, iteration: int, index: float) -> None:
    points = [(iteration, index)]
    ctx.report.metric("train", "DBI", "DBI", points, unit_name="iters", curve_name="DBI")


def _arbiters_tables(rounds: Sequence[tuple[str, Seen]]) -> list[Data | StoredTable | None]:
    clusters = [
        kmeans_model.clusters_table(seen.distance, seen.assigned, seen.apart, stage)
        for stage, seen in rounds
    ]
    rows = [
        kmeans_model.distances_table(seen.distance, seen.assigned, stage) for stage, seen in rounds
    ]
    return [kmeans_model.united(clusters), kmeans_model.united(rows)]
