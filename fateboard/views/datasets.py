"""Names of data sets in metrics: which model, which fold, which round of training."""

from __future__ import annotations

import re
from collections.abc import Sequence

import msgspec

from fateboard.blocks import Label, msg
from fateboard.views.context import Metric

_ROUND = re.compile(r"(?:(?P<name>.*)\.)?iteration_(?P<round>\d{1,9})", re.ASCII | re.DOTALL)
_FOLD = re.compile(r"fold_(?P<fold>\d{1,9})(?:\.(?P<of_class>.+))?", re.ASCII | re.DOTALL)
_PREFIXES = ("train_", "validate_")
_PARTS: dict[str, Label] = {
    "train": msg("part.train"),
    "validate": msg("part.validate"),
    "predict": msg("part.predict"),
    "test": msg("part.test"),
}


class DataSet(msgspec.Struct, frozen=True, kw_only=True):
    """name: as it was logged, without the namespace that FATE repeats in it. round: -1 outside
    training."""

    namespace: str
    name: str
    round: int = -1

    @property
    def part(self) -> Label:
        return part(self.namespace)

    @property
    def model(self) -> Label:
        """Where another column says the part."""
        found = _FOLD.fullmatch(self.name)
        return _fold(found) if found else self.name

    @property
    def alone(self) -> Label:
        """With the part where the name is no model's, and with the round."""
        found = _FOLD.fullmatch(self.name)
        whole: Label = self.name
        if found:
            whole = msg("dataset.joined", first=_fold(found), second=self.part)
        if self.round < 0:
            return whole
        if not whole:
            return msg("dataset.iteration", round=self.round)
        return msg("dataset.iteration_of", name=whole, round=self.round)


def part(namespace: str) -> Label:
    """Those of FATE in the reader's language; others have names of their own."""
    return _PARTS.get(namespace, namespace)


def fold(number: int, of_class: str = "") -> Label:
    """Folds count from 1 for readers."""
    if of_class:
        return msg("dataset.fold_of_class", n=number + 1, label=of_class)
    return msg("dataset.fold", n=number + 1)


def _fold(found: re.Match[str]) -> Label:
    return fold(int(found["fold"]), found["of_class"] or "")


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
