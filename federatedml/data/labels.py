"""Labels as numbers of their classes, and classes as a configuration spells them.

A configuration knows labels as JSON: keys of objects are text, so "1" may mean the label 1 or "1".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml.errors import BadData

Label = int | float | str
Ints = NDArray[np.int64]

T = TypeVar("T")

FEW = 20
"""So many labels are taken for classes however few rows there are."""


@dataclass(frozen=True)
class Coded:
    """classes: the distinct labels, rising. codes: (n,) the place of every row's label there."""

    classes: list[Label]
    codes: Ints

    @property
    def counts(self) -> Ints:
        """(c,) rows of every class."""
        return np.bincount(self.codes, minlength=len(self.classes)).astype(np.int64)


def coded(label: NDArray[Any] | pa.Array | None, component: str) -> Coded:
    """The classes of a column of labels. Raises BadData where there is none, or not in every row.

    label: (n,) int64, float64 or text.
    """
    if label is None:
        raise BadData(f"{component}: the data has no label; set with_label upstream")
    if isinstance(label, pa.Array):
        if label.null_count:
            raise BadData(f"{component}: {label.null_count} rows have no label; drop them upstream")
        return _coded_texts(label)
    if label.dtype.kind == "f" and np.isnan(label).any():
        missing = int(np.isnan(label).sum())
        raise BadData(f"{component}: {missing} rows have no label; drop them upstream")
    classes, codes = np.unique(label, return_inverse=True)
    return Coded(classes.tolist(), codes.astype(np.int64))


def strata(label: NDArray[Any] | pa.Array | None, component: str) -> Coded:
    """As ``coded``, of labels that are classes. Raises BadData for quantities: more than FEW
    labels, and so many that most have a single row."""
    found = coded(label, component)
    n_rows, n_classes = len(found.codes), len(found.classes)
    if n_classes > max(FEW, n_rows // 2):
        raise BadData(
            f"{component}: {n_classes} different labels in {n_rows} rows are no classes; to split "
            "data by a continuous label give split_points"
        )
    return found


def numeric(label: NDArray[Any] | pa.Array | None, component: str) -> NDArray[np.float64]:
    """(n,) labels as numbers. Raises BadData for texts, and for rows without a label."""
    if label is None:
        raise BadData(f"{component}: the data has no label; set with_label upstream")
    if isinstance(label, pa.Array):
        raise BadData(f"{component}: labels must be numbers; set label_type: float upstream")
    values = np.asarray(label, dtype=np.float64)
    if np.isnan(values).any():
        missing = int(np.isnan(values).sum())
        raise BadData(f"{component}: {missing} rows have no label; drop them upstream")
    return values


def spellings(value: Label) -> tuple[str, ...]:
    """How a configuration may write a label as text; a whole float also as an integer."""
    if isinstance(value, float) and value.is_integer():
        return str(value), str(int(value))
    return (str(value),)


def found(classes: Sequence[Label], named: Mapping[str, T]) -> list[T | None]:
    """Per class what a configuration says of it, None where it says nothing."""
    return [next((named[s] for s in spellings(c) if s in named), None) for c in classes]


def _coded_texts(label: pa.Array) -> Coded:
    encoded = label.dictionary_encode()
    names = encoded.dictionary.to_pylist()
    order = sorted(range(len(names)), key=names.__getitem__)
    place = np.empty(len(names), dtype=np.int64)
    place[order] = np.arange(len(names))
    codes = encoded.indices.to_numpy(zero_copy_only=False)
    return Coded([names[i] for i in order], place[codes])


def nothing_named(named: Mapping[str, Any], classes: Sequence[Label]) -> list[str]:
    """Names of a configuration that are no label of the data."""
    known = {s for c in classes for s in spellings(c)}
    return [name for name in named if name not in known]
