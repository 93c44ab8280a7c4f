"""FATE's spelling of metrics: points sorted by key, metas flat beside name and type."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

_META_NAMES = {
    "LOSS": "train",
    "DBI": "train",
    "data_info": "reader",
    "CORRELATION_GRAPH": "pearson",
    "LABEL_TRANSFORM": "train",
}
"""Metrics whose meta FATE gives another ``name`` than the metric's own."""

Metrics = dict[str, dict[str, dict[str, Any]]]


def merged(rows: Iterable[Any]) -> Metrics:
    """Namespace to name to {"data", "meta"}, in the order of logging; the reports of one metric
    (rows with namespace, name, metric_type, points, meta) become one list of sorted points."""
    found: Metrics = {}
    for row in rows:
        metric = found.setdefault(row.namespace, {}).setdefault(
            row.name,
            {
                "data": [],
                "meta": {
                    "name": _META_NAMES.get(row.metric_type, row.name),
                    "metric_type": row.metric_type,
                },
            },
        )
        metric["data"].extend(row.points)
        metric["meta"].update(row.meta)
    for names in found.values():
        for metric in names.values():
            metric["data"].sort(key=_by_key)
    return found


def _by_key(point: list[Any]) -> tuple[bool, Any]:
    """Numbers ascending, then words alphabetically: FATE's test suite takes ``data[0]`` as AUC."""
    return isinstance(point[0], str), point[0]
