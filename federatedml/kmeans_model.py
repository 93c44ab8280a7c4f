"""The model of k-means as FATE shows it, and the tables of clustered rows.

Field names are those of FATE's KmeansModelMeta and KmeansModelParam (``maxInteration`` is its
spelling, and holds the iterations done); int64 fields are text in its JSON.
"""

from __future__ import annotations

from typing import Any, ClassVar

import msgspec
import numpy as np
import pyarrow as pa

from federatedml.component import Int64, Model
from federatedml.data.frame import Frame, Values
from federatedml.data.predicting import stacked, stages
from federatedml.maths import kmeans
from federatedml.maths.glm import Floats
from federatedml.maths.kmeans import Ints

CONTENT = "cluster_result"


class KmeansMeta(msgspec.Struct, kw_only=True, rename="camel"):
    k: Int64 = "5"
    tol: float = 0.001
    max_iter: Int64 = "300"


class Cluster(msgspec.Struct, kw_only=True):
    """Its number, its rows, and their share of all rows."""

    cluster: list[float] = []


class Centroid(msgspec.Struct, kw_only=True):
    """A party's columns of it, in the order of the header."""

    centroid: list[float] = []


class KmeansParam(msgspec.Struct, kw_only=True, rename="camel"):
    """The arbiter, which has no columns, keeps the defaults."""

    count_of_clusters: Int64 = "0"
    max_interation: Int64 = "0"
    converged: bool = False
    cluster_detail: list[Cluster] = []
    centroid_detail: list[Centroid] = []
    header: list[str] = []


class KmeansModel(Model, kw_only=True):
    meta_name: ClassVar[str] = "HeteroKmeansMeta"
    param_name: ClassVar[str] = "HeteroKmeansParam"

    meta: KmeansMeta
    param: KmeansParam

    @property
    def centroids(self) -> Floats:
        """(k, f) this party's columns of the centroids."""
        return np.array([c.centroid for c in self.param.centroid_detail], dtype=np.float64)


def clusters(assigned: Ints, k: int) -> list[Cluster]:
    """The clusters of n rows as the model shows them."""
    counts = kmeans.counts(assigned, k)
    return [
        Cluster(cluster=[float(i), float(count), float(count / len(assigned))])
        for i, count in enumerate(counts)
    ]


def rows_table(frame: Frame, assigned: Ints, stage: str) -> Values:
    """What guest and hosts give out: label, predicted_label, type."""
    label = pa.nulls(frame.n_rows, pa.int64()) if frame.label is None else frame.label
    columns: dict[str, Any] = {
        "label": label if isinstance(label, pa.Array) else pa.array(label),
        "predicted_label": pa.array(assigned),
        "type": stages(stage, frame.n_rows),
    }
    return Values(frame.ids, pa.table(columns), sid_name=frame.schema.sid_name, content=CONTENT)


def clusters_table(distance: Floats, assigned: Ints, apart: Floats, stage: str) -> Values:
    """What the arbiter gives out: a row per cluster. Empty ones have distances of 0.

    distance: (n,) squared, of each row to its own centroid. apart: (k, k) squared.
    """
    k = len(apart)
    others = apart[~np.eye(k, dtype=bool)].reshape(k, k - 1)
    columns: dict[str, Any] = {
        "cluster_sample_count": kmeans.counts(assigned, k),
        "cluster_inner_dist": kmeans.spread(distance, assigned, k),
        "cluster_radius": kmeans.radius(distance, assigned, k),
        "inter_cluster_dist": pa.array(others.tolist(), pa.list_(pa.float64())),
        "type": stages(stage, k),
    }
    return Values(pa.array(range(k)), pa.table(columns), sid_name="cluster_index", content=CONTENT)


def distances_table(distance: Floats, assigned: Ints, stage: str) -> Values:
    """What the arbiter gives out: a row per row, which it knows by number only."""
    n = len(assigned)
    columns: dict[str, Any] = {
        "predicted_cluster_index": assigned,
        "distance": distance,
        "type": stages(stage, n),
    }
    key = pa.array(np.arange(n)).cast(pa.string())
    return Values(key, pa.table(columns), sid_name="id", content=CONTENT)


def united(tables: list[Values]) -> Values:
    """Tables of one kind, one below the other."""
    first = tables[0]
    return Values(
        stacked([table.key for table in tables]),
        stacked([table.columns for table in tables]).combine_chunks(),
        sid_name=first.sid_name,
        content=first.content,
    )
