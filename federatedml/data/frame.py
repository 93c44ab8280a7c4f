"""Rows as columns: the kinds of data that flow between components.

    RawTable      text columns as uploaded, key column first
    Frame         instances: ids, features as one matrix, maybe label, weight, match id
    Predictions   what a model says of each row
    Values        any other table with a header (fold numbers, cluster distances, ...)

Each is immutable, holds contiguous arrays, and is stored as one Arrow file whose feature matrix
is mapped back without a copy.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

Floats = NDArray[np.float64]
Matrix = Floats | sparse.csr_matrix


class RawSchema(msgspec.Struct, frozen=True, kw_only=True):
    """Of an uploaded table. ``header`` is FATE's text: feature and label names, delimiter-joined.

    wide: True if a row is one text (no header, svmlight, tags); then there is one value column.
    meta: the upload's ``meta`` when it was uploaded with one, else {}.
    expanded: columns that ColumnExpand put to it.
    """

    header: str = ""
    sid: str = ""
    delimiter: str = ","
    wide: bool = False
    meta: dict[str, Any] = {}
    expanded: list[str] = []


@dataclass(frozen=True)
class RawTable:
    """key: (n,) text; columns: one text column per header name, or the single column "value"."""

    key: pa.Array
    columns: pa.Table
    schema: RawSchema

    @property
    def n_rows(self) -> int:
        return len(self.key)


class FrameSchema(msgspec.Struct, frozen=True, kw_only=True):
    """Names of a Frame. ``anonymous_header`` is what other parties may see of ``header``."""

    header: list[str] = []
    anonymous_header: list[str] = []
    sid_name: str = "id"
    label_name: str | None = None
    anonymous_label: str | None = None
    match_id_name: str | None = None
    weight_name: str | None = None
    data_type: str = "float64"
    label_type: str = "int"


@dataclass(frozen=True)
class Frame:
    """n instances of k features.

    ids: (n,) text, unique. x: (n, k) float64, dense C-order or csr; missing is nan.
    label: (n,) int64, float64 or text (pa.StringArray), None where this party has none.
    weight: (n,) float64 or None. match_ids: (n,) text or None.
    texts: text features by name (their column of x is nan); empty for almost everybody.
    """

    ids: pa.Array
    x: Matrix
    schema: FrameSchema
    label: NDArray[Any] | pa.Array | None = None
    weight: Floats | None = None
    match_ids: pa.Array | None = None
    texts: pa.Table | None = None

    @property
    def n_rows(self) -> int:
        return len(self.ids)

    @property
    def n_features(self) -> int:
        return int(self.x.shape[1])

    def take(self, rows: NDArray[np.int64]) -> Frame:
        """These rows, in this order."""
        picked = pa.array(rows)
        return replace(
            self,
            ids=self.ids.take(picked),
            x=self.x[rows],
            label=_taken(self.label, rows),
            weight=_taken(self.weight, rows),
            match_ids=_taken(self.match_ids, rows),
            texts=_taken(self.texts, rows),
        )


def _taken(column: Any, rows: NDArray[np.int64]) -> Any:
    if column is None:
        return None
    return column.take(pa.array(rows)) if isinstance(column, (pa.Array, pa.Table)) else column[rows]


@dataclass(frozen=True)
class Predictions:
    """What a model says of n rows.

    label: (n,) true labels (int64, float64 or text) or None. result: (n,) predicted label.
    score: (n,) float64. detail: (n, c) float64, a column per class; c = 1 for regression.
    classes: the c labels as JSON values, or ["label"] for regression.
    stage: (n,) text: "train", "validate" or "predict" (FATE's column ``type``).
    """

    ids: pa.Array
    result: NDArray[Any] | pa.Array
    score: Floats
    detail: Floats
    classes: list[Any]
    stage: pa.Array
    label: NDArray[Any] | pa.Array | None = None
    weight: Floats | None = None
    match_ids: pa.Array | None = None
    sid_name: str = "id"
    match_id_name: str | None = None

    @property
    def n_rows(self) -> int:
        return len(self.ids)


@dataclass(frozen=True)
class Values:
    """Any table: the key column and columns in the order of ``header``.

    content: "" or FATE's content type ("cluster_result", ...).
    """

    key: pa.Array
    columns: pa.Table
    sid_name: str = "id"
    content: str = ""

    @property
    def n_rows(self) -> int:
        return len(self.key)


Data = RawTable | Frame | Predictions | Values
