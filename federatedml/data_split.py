"""What the two splits of data share: parameters, sizes of the parts, and what is reported of them.

Source: FATE 1.x behaviour; what is different: docs/compat/sampling_and_splitting.md.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any

import msgspec
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml.component import Ctx, Inputs, Outputs
from federatedml.data import labels, rows
from federatedml.data.frame import Frame, RawTable
from federatedml.data.labels import Coded
from federatedml.errors import BadData
from federatedml.maths import sampling
from federatedml.maths.sampling import TEST, TRAIN, VALIDATE, Parts, Rows
from federatedml.params import NonNegativeFloat, NonNegativeInt, Params
from federatedml.runner import KINDS

NAMES = {"train": TRAIN, "validate": VALIDATE, "test": TEST}
DEFAULT = {"train": 0.8, "validate": 0.2, "test": 0.0}

_ROUNDING = 1e-9
_SLACK = 1e-6

Seed = Annotated[int, msgspec.Meta(ge=0, le=2**32 - 1)]
Size = NonNegativeInt | NonNegativeFloat
Number = int | float


class DataSplitParam(Params, frozen=True, kw_only=True):
    """Sizes are fractions (floats) or counts (ints); what is left out takes the rest, in the order
    train, validate, test. split_points: stratify a continuous label by the intervals between
    them, the upper bound within."""

    random_state: Seed | None = None
    test_size: Size | None = None
    train_size: Size | None = None
    validate_size: Size | None = None
    stratified: bool = False
    shuffle: bool = True
    split_points: Number | list[Number] | None = None
    need_run: bool = True

    def __post_init__(self) -> None:
        given = [size for size in self.given.values() if size]
        fractions = [size for size in given if isinstance(size, float)]
        if fractions and len(fractions) < len(given):
            raise ValueError(
                "train_size, validate_size and test_size must be all fractions (floats) or all "
                "counts (ints), not both"
            )
        if not sum(fractions) <= 1 + _SLACK:
            raise ValueError(
                f"train_size, validate_size and test_size sum up to {sum(fractions)}; fractions "
                "of all rows sum up to 1.0"
            )
        if fractions and None not in self.given.values() and sum(fractions) < 1 - _SLACK:
            raise ValueError(
                f"train_size, validate_size and test_size sum up to {sum(fractions)}, not to 1.0; "
                "leave one of them out and it takes the rest"
            )
        if self.stratified and not self.shuffle:
            raise ValueError(
                "stratified needs shuffle: without it the parts would tell labels to whoever sees "
                "which rows they hold"
            )
        if not np.isfinite(self.points).all():
            raise ValueError("split_points must be finite numbers")

    @property
    def given(self) -> dict[str, Size | None]:
        return {"train": self.train_size, "validate": self.validate_size, "test": self.test_size}

    @property
    def points(self) -> NDArray[np.float64]:
        """(p,) split points, rising, each once."""
        points = self.split_points
        listed = [] if points is None else points if isinstance(points, list) else [points]
        return np.unique(np.array(listed, dtype=np.float64))


@dataclass(frozen=True)
class Layers:
    """What a split is stratified by. names: of the layers, as the board's metric has them."""

    coded: Coded
    names: dict[str, Any]

    def counts(self, mask: NDArray[np.bool_]) -> dict[str, int]:
        """Rows of each layer among these."""
        found = np.bincount(self.coded.codes[mask], minlength=len(self.coded.classes))
        return {str(c): int(n) for c, n in zip(self.coded.classes, found, strict=True)}


def data_of(ctx: Ctx, inputs: Inputs) -> Frame | RawTable:
    """The table to split. Raises BadData for anything else."""
    data = inputs.one(*KINDS)
    if not isinstance(data, (Frame, RawTable)):
        raise BadData(f"{ctx.name}: takes instances or an uploaded table, got no such data")
    return data


def layers_of(data: Frame | RawTable, params: DataSplitParam, component: str) -> Layers | None:
    """The classes or intervals of the label, None where the split is not stratified.

    Raises BadData for a table without labels.
    """
    if not params.stratified:
        return None
    label = data.label if isinstance(data, Frame) else None
    if params.split_points is None:
        coded = labels.strata(label, component)
        return Layers(coded, {"label_names": coded.classes, "continuous_label": False})
    points = params.points
    codes = np.searchsorted(points, labels.numeric(label, component), side="left")
    coded = Coded(list(range(len(points) + 1)), codes.astype(np.int64))
    return Layers(coded, {"split_points": points.tolist(), "continuous_label": True})


def sizes(params: DataSplitParam, n: int, component: str) -> tuple[int, int, int]:
    """Rows to train on, to validate and to test; their sum is n. Raises BadData for counts that
    are not."""
    given = params.given
    if all(size is None for size in given.values()):
        return _counts(DEFAULT, n)
    counts = any(isinstance(size, int) and size for size in given.values())
    total: float = n if counts else 1.0
    known = sum(size for size in given.values() if size is not None)
    rest = next((name for name, size in given.items() if size is None), None)
    if counts and (known > n or (rest is None and known != n)):
        raise BadData(
            f"{component}: train_size, validate_size and test_size sum up to {known}, the data has "
            f"{n} rows; leave one of them out and it takes the rest"
        )
    full = {name: float(size or 0) for name, size in given.items()}
    if rest is not None:
        full[rest] = max(0.0, total - known)
    if counts:
        return int(full["train"]), int(full["validate"]), int(full["test"])
    return _counts(full, n)


def _counts(fractions: dict[str, float], n: int) -> tuple[int, int, int]:
    """Source: scikit-learn rounds what is trained on down, and of the rest what is tested up."""
    rest = fractions["validate"] + fractions["test"]
    if rest <= _ROUNDING:
        return n, 0, 0
    train = int(fractions["train"] * n + _ROUNDING)
    test = int(np.ceil(fractions["test"] / rest * (n - train) - _ROUNDING))
    return train, n - train - test, test


def parts_of(
    data: Frame | RawTable,
    params: DataSplitParam,
    layers: Layers | None,
    order: Callable[[int], Rows],
    component: str,
) -> Parts:
    """(n,) which part every row goes to. The order in which rows come does not matter, but their
    ids: rows are taken in the order of these, shuffled or not. order: gives random orders.

    Raises BadData for sizes that do not fit.
    """
    wanted = sizes(params, data.n_rows, component)
    by_id = pc.sort_indices(rows.ids(data)).to_numpy().astype(np.int64)
    parts = np.empty(data.n_rows, dtype=np.uint8)
    if layers is None and not params.shuffle:
        parts[by_id] = np.repeat(np.array([TRAIN, VALIDATE, TEST], dtype=np.uint8), wanted)
    elif layers is None:
        parts[by_id] = sampling.split(data.n_rows, wanted, order)
    else:
        codes, n_layers = layers.coded.codes[by_id], len(layers.coded.classes)
        parts[by_id] = sampling.split_by_class(codes, n_layers, wanted, order)
    return parts


def outputs(data: Frame | RawTable, parts: Parts) -> Outputs:
    """train_data, validate_data and test_data; a part of no rows is a table without rows."""
    return Outputs(data=[rows.picked(data, np.flatnonzero(parts == p)) for p in NAMES.values()])


def tell(ctx: Ctx, params: DataSplitParam, parts: Parts, layers: Layers | None) -> None:
    """The metric that the board draws, and the same as summary."""
    masks = {"original": np.ones(len(parts), dtype=np.bool_)}
    masks |= {name: parts == p for name, p in NAMES.items()}
    counts = {name: int(mask.sum()) for name, mask in masks.items()}
    ratios = {name: round(counts[name] / max(1, len(parts)), 3) for name in NAMES}
    said: dict[str, Any] = {
        "data_split_count_info": {name: counts[name] for name in (*NAMES, "original")},
        "data_split_ratio_info": ratios,
        "stratified": params.stratified,
    }
    if layers is not None:
        by_layer = {name: layers.counts(mask) for name, mask in masks.items()}
        said["data_split_label_info"] = by_layer | layers.names
    ctx.report.metric("train", "data_split", "DATA_SPLIT", [("data_split", 0)], **said)
    ctx.report.summary(said)
