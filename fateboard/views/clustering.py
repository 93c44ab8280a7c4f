"""K-means, and what an evaluation says of clusters."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import Block, Column, KeyValues, Path, Tab, Tabs, msg
from fateboard.views import losses
from fateboard.views.cells import (
    TOTAL,
    finite,
    item,
    mapping,
    names,
    numbers,
    sequence,
    tabulate,
    text,
)
from fateboard.views.context import Context, Group, Metric, Page
from fateboard.views.datasets import dataset
from fateboard.views.scores import Scored, place_columns, table

_INTERNAL = "davies_bouldin_index"


def summary(context: Context, _path: Path) -> list[Block]:
    """Scores against known labels, and of the clusters by themselves."""
    external: list[Scored] = []
    internal: list[Scored] = []
    for metric in context.metrics:
        one = dataset(metric.namespace, metric.name)
        values = {text(key): value for key, value in metric.data}
        within = {key: value for key, value in values.items() if key == _INTERNAL}
        against = {key: value for key, value in values.items() if key != _INTERNAL}
        external += [(one, against)] if against else []
        internal += [(one, within)] if within else []
    blocks: list[Block] = []
    if external:
        blocks.append(table("external", msg("clustering.external"), "external_index", external))
    if internal:
        blocks.append(table("internal", msg("clustering.internal"), "internal_index", internal))
    return blocks


def distances(context: Context, _path: Path) -> list[Block]:
    """How far each cluster reaches, and which one lies next to it."""
    rows = []
    for metric in context.metrics:
        one = dataset(metric.namespace, metric.name.removesuffix("_distance_measure"))
        clusters, radius, nearest = (
            sequence(metric.meta.get(key)) for key in ("cluster_index", "radius", "nearest_idx")
        )
        for at, cluster in enumerate(clusters):
            far, near = (values[at] if at < len(values) else None for values in (radius, nearest))
            rows.append([one.model, one.part, text(cluster), far, text(near)])
    columns = [
        *place_columns(),
        Column(id="cluster", label=msg("clustering.cluster")),
        Column(id="radius", label=msg("clustering.radius"), format="number"),
        Column(id="nearest", label=msg("clustering.nearest")),
    ]
    title = msg("clustering.distance")
    return [tabulate("distance", columns, rows, title=title, export_name="distance_measure")]


def contingency(context: Context, _path: Path) -> list[Block]:
    """How the known labels spread over the clusters."""
    blocks: list[Block] = []
    for metric in context.metrics:
        one = dataset(metric.namespace, metric.name.removesuffix("_contingency_matrix"))
        title = msg("clustering.contingency", model=one.model, dataset=one.part)
        id = f"contingency.{metric.namespace}/{metric.name}"
        parts = [
            Tab(id="counts", label=msg("clustering.counts"), blocks=[_matrix(metric, id)]),
            Tab(id="shares", label=msg("clustering.shares"), blocks=[_matrix(metric, id, True)]),
        ]
        blocks.append(Tabs(id=id, items=parts, title=title))
    return blocks


def _matrix(metric: Metric, id: str, shares: bool = False) -> Block:
    labels = names(metric.meta.get("true_labels"))
    clusters = names(metric.meta.get("predicted_labels"))
    counts = [numbers(row) for row in sequence(metric.meta.get("result_table"))]
    counts = [(row + [None] * len(clusters))[: len(clusters)] for row in counts]
    total = sum(value or 0.0 for row in counts for value in row)
    shown = [[_share(value, total) if shares else value for value in row] for row in counts]
    label = Column(id="label", label=msg("clustering.true_label"), frozen=True)
    columns = [label] + [
        Column(
            id=f"cluster.{at}",
            label=msg("clustering.numbered", cluster=name),
            format="percent" if shares else "integer",
        )
        for at, name in enumerate(clusters)
    ]
    sums = [sum(row[at] or 0.0 for row in shown) for at in range(len(clusters))]
    made = tabulate(
        f"{id}.{'shares' if shares else 'counts'}",
        columns,
        [[name, *row] for name, row in zip(labels, shown, strict=False)],
        page_size=0,
        footer=[[TOTAL, *sums]],
        export_name="contingency_matrix",
    )
    return msgspec.structs.replace(made, facets=["label"])


def _share(count: float | None, total: float) -> float | None:
    return None if count is None or not total else count / total


def kmeans(context: Context, _path: Path) -> list[Block]:
    """Size of the clusters and where they lie, in this party's columns."""
    model = context.model
    details = [mapping(detail).get("cluster") for detail in sequence(model.get("clusterDetail"))]
    if not details:
        return []
    lines = KeyValues(
        id="kmeans",
        items=[
            item(msg("kmeans.count"), model.get("countOfClusters"), "integer"),
            item(msg("kmeans.most"), model.get("maxInteration"), "integer"),
            item(msg("linear.converged"), model.get("converged"), "yes_no"),
        ],
        export_name="model_summary",
    )
    return [lines, _clusters(details), _centroids(model)]


def _clusters(details: list[Any]) -> Block:
    rows: list[list[Any]] = []
    for detail in details:
        index, count, share = ([finite(value) for value in sequence(detail)] + [None] * 3)[:3]
        rows.append([text(index if index is None else int(index)), count, share])
    sums = [sum(row[at] or 0.0 for row in rows) for at in (1, 2)]
    columns = [
        Column(id="cluster", label=msg("clustering.cluster"), frozen=True),
        Column(id="count", label=msg("kmeans.samples"), format="integer"),
        Column(id="share", label=msg("kmeans.share"), format="percent"),
    ]
    return tabulate(
        "clusters", columns, rows, title=msg("kmeans.clusters"), page_size=0,
        footer=[[TOTAL, *sums]], export_name="cluster_detail",
    )  # fmt: skip


def _centroids(model: dict[str, Any]) -> Block:
    header = names(model.get("header"))
    centres = [
        (numbers(mapping(detail).get("centroid")) + [None] * len(header))[: len(header)]
        for detail in sequence(model.get("centroidDetail"))
    ]
    columns = [Column(id="variable", label=msg("model.variable"), frozen=True)] + [
        Column(id=f"cluster.{at}", label=msg("clustering.numbered", cluster=at), format="number")
        for at in range(len(centres))
    ]
    rows = [[name, *(centre[at] for centre in centres)] for at, name in enumerate(header)]
    return tabulate(
        "centroids", columns, rows, title=msg("kmeans.centroids"), export_name="centroid_detail"
    )


PAGES: dict[str, Page] = {
    "HeteroKmeans": Page(
        builders=[kmeans, losses.dbi],
        metrics=frozenset({"DBI"}),
        needs=frozenset({"model", "siblings"}),
    ),
}

GROUPS: list[Group] = [
    (frozenset({"CLUSTERING_EVALUATION_SUMMARY"}), summary),
    (frozenset({"DISTANCE_MEASURE"}), distances),
    (frozenset({"CONTINGENCY_MATRIX"}), contingency),
]
