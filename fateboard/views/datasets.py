"""Names of data sets in metrics: which model, which fold, which round of training."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from fateboard.views.context import Metric

_ROUND = re.compile(r"(?:(?P<name>.*)\.)?iteration_(?P<round>\d{1,9})", re.ASCII | re.DOTALL)
_PREFIXES = ("train_", "validate_")


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """name: shown, without the namespace that FATE repeats in it. round: -1 outside training."""

    namespace: str
    name: str
    round: int = -1


def dataset(namespace: str, name: str) -> DataSet:
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            name = name.removeprefix(prefix)
            break
    found = _ROUND.fullmatch(name)
    if found is None:
        return DataSet(namespace=namespace, name=name)
    return DataSet(namespace=namespace, name=found["name"] or "", round=int(found["round"]))


def namespaces(metrics: Sequence[Metric]) -> list[str]:
    """In the order in which they appear."""
    return list(dict.fromkeys(metric.namespace for metric in metrics))
