"""Scores clusters and tells the job's owner, under the names FATE shows.

Guest and host hold rows (columns ``label``, ``predicted_label``, ``type``); the arbiter of a
vertical clustering holds one row per cluster (``cluster_sample_count``: 0 for an empty one, which
has no part in the index; ``cluster_inner_dist``: mean distance to the centroid,
``cluster_radius``: greatest squared distance, ``inter_cluster_dist``: list of squared distances
to the other centroids in their order, ``type``).
"""

from __future__ import annotations

import logging
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Report
from federatedml.curve_report import INFINITE
from federatedml.data.frame import Values
from federatedml.errors import BadData
from federatedml.maths import clustering_metrics as clustering
from federatedml.scoring import codes, tell_summary

LOG = logging.getLogger(__name__)

SUMMARY_TYPE = "CLUSTERING_EVALUATION_SUMMARY"

ROWS = {"label", "predicted_label", "type"}
CLUSTERS = {
    "cluster_sample_count", "cluster_inner_dist", "cluster_radius", "inter_cluster_dist", "type",
}  # fmt: skip


def score(
    report: Report, tables: Sequence[Values], key: str, names: Sequence[str]
) -> dict[str, dict[str, float]]:
    """Score each stage of clustered rows, or of clusters; returns stage -> metric -> value."""
    found: dict[str, dict[str, float]] = {}
    for table in tables:
        there = set(table.columns.column_names)
        score_one = _rows if there >= ROWS else _clusters if there >= CLUSTERS else None
        if score_one is None:
            continue
        for stage in pc.unique(table.columns["type"]).to_pylist():
            part = table.columns.filter(pc.equal(table.columns["type"], stage))
            values = score_one(report, part, str(stage), key, names)
            tell_summary(report, str(stage), key, values, SUMMARY_TYPE)
            if values:
                found[str(stage)] = values
    return found


def _rows(
    report: Report, rows: pa.Table, stage: str, key: str, names: Sequence[str]
) -> dict[str, float]:
    if rows["label"].null_count:
        LOG.warning("%s of %s: rows without labels, nothing to evaluate", stage, key)
        return {}
    true, predicted = rows["label"], rows["predicted_label"]
    (true_names, (y,)), (predicted_names, (p,)) = codes(true), codes(predicted)
    both, (y_joint, p_joint) = codes(true, predicted)
    table = clustering.contingency(y, p, len(true_names), len(predicted_names))
    values = {
        "jaccard_similarity_score": clustering.jaccard_similarity_score(
            y_joint, p_joint, len(both)
        ),
        "fowlkes_mallows_score": clustering.fowlkes_mallows_score(table),
        "adjusted_rand_score": clustering.adjusted_rand_score(table),
    }
    if "contingency_matrix" in names:
        report.metric(
            stage,
            f"{key}_contingency_matrix",
            "CONTINGENCY_MATRIX",
            true_labels=true_names,
            predicted_labels=predicted_names,
            result_table=table.tolist(),
        )
    return {name: value for name, value in values.items() if name in names}


def _clusters(
    report: Report, clusters: pa.Table, stage: str, key: str, names: Sequence[str]
) -> dict[str, float]:
    k = len(clusters)
    apart = _square(clusters["inter_cluster_dist"].to_pylist(), key)
    values: dict[str, float] = {}
    if "distance_measure" in names:
        radius = clusters["cluster_radius"].to_numpy()
        report.metric(
            stage,
            f"{key}_distance_measure",
            "DISTANCE_MEASURE",
            cluster_index=list(range(k)),
            radius=np.where(np.isfinite(radius), radius, INFINITE).tolist(),
            nearest_idx=clustering.nearest(apart).tolist(),
        )
    there = np.flatnonzero(clusters["cluster_sample_count"].to_numpy())
    if "davies_bouldin_index" in names and len(there) >= 2:
        spread = clusters["cluster_inner_dist"].to_numpy()[there]
        index = clustering.davies_bouldin_index(spread, apart[np.ix_(there, there)])
        values["davies_bouldin_index"] = index
    return values


def _square(lists: list[list[float]], key: str) -> NDArray[np.float64]:
    """(k, k) squared distances of k lists of distances to the others."""
    k = len(lists)
    if any(len(distances) != k - 1 for distances in lists):
        raise BadData(f"{key}: inter_cluster_dist must hold {k - 1} distances for each cluster")
    apart = np.zeros((k, k))
    apart[~np.eye(k, dtype=bool)] = np.asarray(lists, dtype=np.float64).ravel()
    return apart
