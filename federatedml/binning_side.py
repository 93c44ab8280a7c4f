"""What every party does for itself in feature binning: its columns, their points, the output."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from federatedml import binning_model
from federatedml.binning_model import (
    BinnedColumn,
    BinningMeta,
    BinningModel,
    PartyResult,
    TransformMeta,
)
from federatedml.binning_params import BinningParams, HeteroBinningParams
from federatedml.component import Inputs
from federatedml.data import columns, naming
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import binning
from federatedml.maths.binning import Binned, Column, Points
from federatedml.maths.glm import Floats
from federatedml.maths.optimal_binning import Ends
from federatedml.maths.quantiles import MAX_BINS, Codes

LOG = logging.getLogger(__name__)

KINDS = ("data", "train_data", "validate_data", "eval_data", "test_data")


@dataclass(frozen=True)
class Choice:
    """which: numbers of the columns that are binned. category: those of them whose values are
    their bins."""

    which: list[int]
    category: frozenset[int]


def frame_of(inputs: Inputs, name: str) -> Frame:
    """The instances to work on. Raises BadData."""
    data = inputs.one(*KINDS)
    if not isinstance(data, Frame):
        raise BadData(f"{name}: takes instances as data, as DataTransform gives them")
    return data


def choice(frame: Frame, p: BinningParams, name: str) -> Choice:
    """The columns of the parameters. Raises BadParameters, BadData for those that are text."""
    category = columns.chosen(frame.schema, p.category_indexes, p.category_names, name)
    which = columns.chosen(frame.schema, p.bin_indexes, p.bin_names, name)
    found = Choice(sorted({*which, *category}), frozenset(category))
    texts = set(frame.texts.column_names) if frame.texts is not None else set()
    if at_fault := [j for j in found.which if frame.schema.header[j] in texts]:
        raise BadData(
            f"{name}: {_those(frame, at_fault, name)} text, which has no bins; encode it as "
            "numbers, or choose other columns with bin_indexes or bin_names"
        )
    return found


def _those(frame: Frame, which: Sequence[int], name: str) -> str:
    """``column 0 is`` or ``column 0, column 2 are``, by anonymous names where there are any."""
    verb = "is" if len(which) == 1 else "are"
    return f"{naming.named(frame.schema, which, name)} {verb}"


def points(
    frame: Frame, p: HeteroBinningParams, chosen: Choice, name: str, cores: int
) -> list[Points]:
    """The split points of the chosen columns; with optimal binning those of the first buckets.

    Raises BadData for columns that have no value, or an infinite one, or too many categories.
    """
    given = _manual(frame, p, chosen, name) if p.is_manual else {}
    by, bins = p.method, p.bin_num
    if by == "optimal":
        by, bins = p.optimal_binning_param.init_bucket_method, p.optimal_binning_param.init_bin_nums

    def rule(j: int, column: Column) -> Points:
        if np.isinf(column.values).any():
            return np.array([np.inf])
        if j in given:
            return given[j]
        if j in chosen.category:
            return binning.category_points(column)
        maker = binning.bucket_points if by == "bucket" else binning.quantile_points
        return maker(column, bins)

    found = binning.split_points(frame.x, chosen.which, rule, cores=cores)
    faults = {
        "without any value; fill it with FeatureImputation": [not len(own) for own in found],
        "infinite in some rows; replace what is": [bool(np.isinf(own).any()) for own in found],
        f"of more than {MAX_BINS} categories; use quantiles": [
            len(own) > MAX_BINS for own in found
        ],
    }
    for what, at_fault in faults.items():
        if bad := [j for j, is_bad in zip(chosen.which, at_fault, strict=True) if is_bad]:
            those = _those(frame, bad, name)
            raise BadData(f"{name}: {those} {what}, or leave it out with bin_indexes")
    return found


def _manual(frame: Frame, p: HeteroBinningParams, chosen: Choice, name: str) -> dict[int, Points]:
    """Given points by number of the column. Raises BadParameters unless they are of exactly the
    columns that are binned; a category column may do without."""
    given: dict[int, Points] = {}
    for index, values in (p.split_points_by_index or {}).items():
        if not index.isdecimal():
            raise BadParameters(f"{name}: split_points_by_index: {index!r} is no column number")
        (j,) = columns.chosen(frame.schema, [int(index)], None, name)
        given[j] = np.array(values, dtype=np.float64)
    for column, values in (p.split_points_by_col_name or {}).items():
        j = columns.index_of(column, frame.schema.header, name)
        if j in given:
            raise BadParameters(f"{name}: column {column!r} has split points by index and by name")
        given[j] = np.array(values, dtype=np.float64)
    if missing := [j for j in chosen.which if j not in given and j not in chosen.category]:
        raise BadParameters(
            f"{name}: {_those(frame, missing, name)} binned but without split points; give them, "
            "or choose the columns with bin_indexes or bin_names"
        )
    if more := [j for j in given if j not in chosen.which]:
        raise BadParameters(
            f"{name}: {_those(frame, more, name)} given split points but not binned; add it to "
            "bin_names"
        )
    return given


@dataclass(frozen=True)
class Own:
    """The party's binned columns. which: their numbers in the frame; category: of those whose
    values are their bins."""

    frame: Frame
    which: list[int]
    category: frozenset[int]
    binned: Binned

    @property
    def names(self) -> list[str]:
        """Of the columns, at their owner."""
        return [self.frame.schema.header[j] for j in self.which]

    def merged(self, ends: Ends) -> Own:
        """The same with buckets put together."""
        codes, points = self.binned.codes.copy(), list(self.binned.points)
        for j, last in enumerate(ends):
            if last is None:
                continue
            bin_of = np.arange(self.binned.n_bins + 1)
            bin_of[: len(points[j])] = np.searchsorted(last, np.arange(len(points[j])))
            codes[j] = bin_of[codes[j]]
            points[j] = points[j][last]
        return replace(self, binned=Binned(codes, points, self.binned.n_bins))

    @cached_property
    def rows_by_bin(self) -> list[binning.Ints]:
        """Of each column (b + 1,) rows of its bins, the last of missing values."""
        of = self.binned
        found = []
        for codes, own in zip(of.codes, of.points, strict=True):
            rows = np.bincount(codes, minlength=of.n_bins + 1)
            found.append(np.append(rows[: len(own)], rows[-1]))
        return found


def fitted(frame: Frame, p: HeteroBinningParams, name: str, cores: int) -> Own:
    """The party's columns in their bins, or with optimal binning in their buckets.

    Raises as ``choice`` and ``points``; BadData for two columns of one name.
    """
    chosen = choice(frame, p, name)
    naming.refuse_twins(frame.schema, chosen.which, name)
    found = points(frame, p, chosen, name, cores)
    binned = binning.binned(frame.x, chosen.which, found, cores=cores)
    return Own(frame, chosen.which, chosen.category, binned)


def known(frame: Frame, model: BinningModel, p: BinningParams, name: str, cores: int) -> Own:
    """The columns of a model in its bins, whatever their order in the frame.

    Raises BadData for a column that is not there, or values of a category column that the training
    did not have.
    """
    kept, header = model.points, frame.schema.header
    if lost := [column for column in kept if column not in header]:
        LOG.error("%s: there is no column %s", name, ", ".join(map(repr, lost[: naming.N_NAMED])))
        raise BadData(
            f"{name}: the data lacks {len(lost)} of the {len(kept)} columns that were binned; this "
            "party's log says which; give it all columns of the training"
        )
    naming.refuse_twins(frame.schema, [j for j, c in enumerate(header) if c in kept], name)
    which = [columns.index_of(column, header, name) for column in kept]
    found = [kept[header[j]] for j in which]
    _check_categories(frame, which, found, p, name)
    return Own(frame, which, frozenset(), binning.binned(frame.x, which, found, cores=cores))


def _check_categories(
    frame: Frame, which: list[int], found: list[Points], p: BinningParams, name: str
) -> None:
    category = columns.chosen(frame.schema, p.category_indexes, p.category_names, name)
    if getattr(p, "is_manual", False) or not category:
        return
    for j, own in zip(which, found, strict=True):
        if j not in category:
            continue
        (column,) = binning.columns(frame.x, [j])
        unseen = int((~np.isin(column.known, own)).sum())
        unseen += column.n_zeros if 0.0 not in own else 0
        if unseen:
            raise BadData(
                f"{name}: {naming.named(frame.schema, [j], name)} has in {unseen} rows categories "
                "that the training did not have; leave those rows out, or bin it by quantiles"
            )


def transformed(own: Own, p: BinningParams, result: PartyResult, name: str) -> Frame:
    """The data with bins or their WOE in place of values.

    Raises BadParameters for columns that were not binned; BadData where WOE of missing values is
    needed and the training had none.
    """
    wish = p.transform_param
    if wish.transform_type is None:
        return own.frame
    at = [own.which.index(j) for j in transform_columns(own.frame, own.which, p, name)]
    part = Binned(own.binned.codes[at], [own.binned.points[j] for j in at], own.binned.n_bins)
    which = [own.which[j] for j in at]
    if wish.transform_type == "bin_num":
        values = [np.arange(len(points) + 1.0) for points in part.points]
    else:
        values = [
            _woe_of(result.binning_result[own.names[j]], codes, own, j, name)
            for j, codes in zip(at, part.codes, strict=True)
        ]
    return replace(own.frame, x=binning.replaced(own.frame.x, which, part, values))


def transform_columns(frame: Frame, which: list[int], p: BinningParams, name: str) -> list[int]:
    """Numbers of the columns that are replaced. Raises BadParameters for one without bins."""
    wish = p.transform_param
    if wish.transform_cols == -1:
        return which
    found = columns.chosen(frame.schema, wish.transform_cols, wish.transform_names, name)
    if alien := [j for j in found if j not in which]:
        raise BadParameters(
            f"{name}: transform_param: {_those(frame, alien, name)} not binned; add it to "
            "bin_indexes or bin_names, or do not transform it"
        )
    return found


def _woe_of(column: BinnedColumn, codes: Codes, own: Own, j: int, name: str) -> Floats:
    """(b + 1,) WOE by bin, that of missing values last."""
    n_points = len(own.binned.points[j])
    found = np.array(column.woe_array, dtype=np.float64)
    if len(found) == n_points + 1:
        return found
    if len(found) != n_points:
        raise BadModel(f"{name}: the model has no WOE of {_own(own, j, name)}")
    if (codes == own.binned.n_bins).any():
        raise BadData(
            f"{name}: {_own(own, j, name)} has missing values, of which the training had none and "
            "so no WOE; fill them with FeatureImputation"
        )
    return np.append(found, 0.0)


def _own(own: Own, j: int, name: str) -> str:
    return naming.named(own.frame.schema, [own.which[j]], name)


def meta(own: Own, p: BinningParams, name: str, *, method: str, metric: str = "") -> BinningMeta:
    """How the model was made. metric: of optimal binning."""
    replaced = transform_columns(own.frame, own.which, p, name)
    return BinningMeta(
        need_run=True,
        method=method,
        compress_thres=str(p.compress_thres),
        head_size=str(p.head_size),
        error=p.error,
        bin_num=str(p.bin_num),
        cols=own.names,
        adjustment_factor=p.adjustment_factor,
        local_only=p.local_only,
        transform_param=TransformMeta(
            transform_cols=[str(j) for j in replaced],
            transform_type=p.transform_param.transform_type or "",
        ),
        skip_static=p.skip_static,
        optimal_metric_method=metric,
    )


def uncounted(own: Own) -> PartyResult:
    """The columns of a party that knows no labels."""
    found = {}
    for column, points, rows in zip(own.names, own.binned.points, own.rows_by_bin, strict=True):
        n_bins = len(points) + bool(rows[-1])
        found[column] = binning_model.column(points, n_bins, None)
    return PartyResult(binning_result=found)
