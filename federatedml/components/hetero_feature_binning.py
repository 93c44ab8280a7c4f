"""Vertical feature binning: every party's columns in bins; WOE and IV by the guest's labels.

Parties  guest: columns and labels; hosts: columns.
Maths    split points, WOE and IV: ``federatedml.maths.binning``; buckets put together by what they
         say of the label: ``federatedml.maths.optimal_binning``. Labels in descending order; of two
         the first is the event, of several each one beside all others.
Round    once for all columns; none of it with ``local_only`` or ``skip_static``
         (1) guest -> hosts  of later data: the scheme to count its labels under; none: it is over
         (2) host -> guest   the anonymous names of its columns, how many rows are in which bin, and
                             how buckets are to be put together
         (3) guest, hosts    rows of each class by bin, under encryption (``protocols.label_sums``)
         (4) guest -> host   which buckets end a bin, if it asked for optimal binning
Trusts   everyone to follow the protocol (semi-honest). docs/security/hetero_feature_binning.md
Source   Siddiqi 2006 for WOE and IV; parameters, models and the exchange FATE 1.x's. What is
         different: docs/compat/hetero_feature_binning.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml import binning_model, binning_side
from federatedml.binning_model import BinningModel, BinningParam, MultiClassResult, PartyResult
from federatedml.binning_params import HeteroBinningParams
from federatedml.binning_side import Own
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import binning, optimal_binning
from federatedml.maths.binning import Ints
from federatedml.maths.optimal_binning import Ends, Rules
from federatedml.maths.quantiles import MAX_BINS
from federatedml.protocols import label_sums
from federatedml.protocols.label_sums import MAX_CLASSES, Classes
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation


@codec.wire_struct
class HostBins(msgspec.Struct, frozen=True):
    """names: of k columns, anonymous. n_points: (k,) their bins. rows: bin after bin and column
    after column how many rows it has, after each column's bins those with a missing value.
    merges: (k,) whether the column's buckets are to be put together, by these rules."""

    names: list[str]
    n_points: NDArray[np.int64]
    rows: NDArray[np.int64]
    merges: NDArray[np.bool_]
    metric: str
    bin_num: int
    min_pct: float
    max_pct: float
    mixture: bool


class Wire:
    """All that leaves a party, but for what ``label_sums`` sends."""

    scheme = Message[str](
        {GUEST}, {HOST}, kind="plain", reveals="whether the guest knows labels of these rows"
    )
    bins = Message[HostBins](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="anonymous names of the host's binned columns, the number of rows in each of their "
        "bins in ascending order (with optimal binning in each of the first buckets), and its "
        "parameters of optimal binning; no value of a column",
    )
    bin_ends = Message[list[NDArray[np.int64]]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which neighbouring buckets the guest's labels put together: roughly, where the "
        "share of events changes",
    )


@dataclass(frozen=True)
class Result:
    """Of one party's columns. counts: of each (b, C) rows by bin and class, in the order of the
    labels. metric: of each what merging neighbours would cost, or nothing."""

    names: list[str]
    counts: list[Ints]
    has_missing: list[bool]
    metric: list[list[float]]


@register("HeteroFeatureBinning")
class HeteroFeatureBinning(Component[HeteroBinningParams]):
    Params = HeteroBinningParams
    Model = BinningModel
    aligned = True
    agrees = ("local_only", "skip_static", "encrypt_param")

    # Training.

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, frame = self.params, binning_side.frame_of(inputs, ctx.name)
        labels, classes = _needed_labels(ctx, frame, p) if not p.skip_static else ([], None)
        own = binning_side.fitted(frame, p, ctx.name, ctx.cores)
        metric: list[list[float]] = [[] for _ in own.which]
        if classes is not None and p.is_optimal:
            own, metric = _merged(ctx, own, p, classes)
        if classes is None:
            result = binning_side.uncounted(own)
            shown = binning_model.multi_class([result], [], [], _host_ids(ctx))
        else:
            hosts = {}
            if not p.local_only:
                hosts = self._hosts(ctx, labels, classes, frame.n_rows, merges=True)
            shown = self._counted(ctx, own, metric, labels, classes, hosts)
        return self._outputs(ctx, own, shown)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, frame = self.params, binning_side.frame_of(inputs, ctx.name)
        self._check_host(ctx)
        own = binning_side.fitted(frame, p, ctx.name, ctx.cores)
        if not (p.local_only or p.skip_static):
            bins = _bins(own, p, ctx, merges=p.is_optimal)
            ctx.remote(Wire.bins, bins)  # (2)
            label_sums.answered(ctx, p.encrypt_param, own.binned, own.rows_by_bin)  # (3)
            if bins.merges.any():
                ends = _checked_ends(ctx, ctx.get(Wire.bin_ends), bins)  # (4)
                own = own.merged(ends)
        result = binning_side.uncounted(own)
        return self._outputs(ctx, own, binning_model.multi_class([result], [], [], _host_ids(ctx)))

    # Later data, in the same bins; where its labels are known they are counted again.

    def transform_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, model = self.params, _model(ctx, inputs)
        own = binning_side.known(
            binning_side.frame_of(inputs, ctx.name), model, p, ctx.name, ctx.cores
        )
        self._check_woe(ctx, model)
        if not model.meta.skip_static:
            labels, classes = _labels(own.frame)
            counts_again = 2 <= classes.count <= MAX_CLASSES
            if not model.meta.local_only:
                scheme = p.encrypt_param.scheme if counts_again else ""
                ctx.remote(Wire.scheme, scheme)  # (1)
            if counts_again:
                hosts = {}
                if not model.meta.local_only:
                    hosts = self._hosts(ctx, labels, classes, own.frame.n_rows, merges=False)
                metric: list[list[float]] = [[] for _ in own.which]
                shown = self._counted(ctx, own, metric, labels, classes, hosts)
                model = _with_transform(model, shown)
        result = model.param.binning_result
        return Outputs(data=[binning_side.transformed(own, p, result, ctx.name)], model=model)

    def transform_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, model = self.params, _model(ctx, inputs)
        own = binning_side.known(
            binning_side.frame_of(inputs, ctx.name), model, p, ctx.name, ctx.cores
        )
        self._check_woe(ctx, model)
        if not (model.meta.skip_static or model.meta.local_only) and self._is_asked(ctx):
            ctx.remote(Wire.bins, _bins(own, p, ctx, merges=False))  # (2)
            label_sums.answered(ctx, p.encrypt_param, own.binned, own.rows_by_bin)  # (3)
        result = model.param.binning_result
        return Outputs(data=[binning_side.transformed(own, p, result, ctx.name)], model=model)

    # Parts.

    def _check_host(self, ctx: Ctx) -> None:
        """Raises BadParameters for what a host has no labels for."""
        if self.params.transform_param.transform_type == "woe":
            raise BadParameters(
                f"{ctx.name}: a host knows no labels and so no WOE to transform by; give hosts "
                "transform_type bin_num or null, or a model with WOE by ModelLoader"
            )
        if self.params.local_only and self.params.is_optimal:
            raise BadParameters(
                f"{ctx.name}: with local_only a host learns nothing of labels, which method "
                "optimal needs; give hosts quantile or bucket"
            )

    def _is_asked(self, ctx: Ctx) -> bool:
        """Whether the guest wants later data counted. Raises BadParameters if in another way."""
        wanted, own = ctx.get(Wire.scheme), self.params.encrypt_param.scheme  # (1)
        if wanted not in ("", own):
            raise BadParameters(
                f"{ctx.name}: encrypt_param.method means {own} here and another scheme at the "
                "guest; give it in component_parameters.common"
            )
        return bool(wanted)

    def _check_woe(self, ctx: Ctx, model: BinningModel) -> None:
        """Raises BadModel if values are to be WOE that the model does not have."""
        if self.params.transform_param.transform_type != "woe":
            return
        if not model.has_woe:
            raise BadModel(
                f"{ctx.name}: transform_type woe needs a model with WOE; this one has none, as "
                "those of hosts and of skip_static: use bin_num"
            )
        _check_two(ctx, len(model.param.multi_class_result.results))

    def _hosts(
        self, ctx: Ctx, labels: Sequence[Any], classes: Classes, n_rows: int, *, merges: bool
    ) -> dict[Party, Result]:
        """The guest's side: rows of each class in the bins of all hosts."""
        bins = {host: ctx.get(Wire.bins, source=host) for host in ctx.hosts}  # (2)
        rows = {host: _checked_rows(host, told, n_rows) for host, told in bins.items()}
        counts = label_sums.counted(ctx, self.params.encrypt_param, classes, rows)  # (3)
        found = {}
        for host, told in bins.items():
            missing = [bool(own[-1]) for own in rows[host]]
            metric: list[list[float]] = [[] for _ in told.names]
            by_bin = counts[host]
            if merges and told.merges.any():
                _check_optimal(ctx, labels, f"host {host.party_id} asks for method optimal")
                rules = _rules(host, told, self.params.adjustment_factor)
                ends, by_bin, metric = optimal_binning.all_merged(
                    by_bin, missing, told.merges.tolist(), rules
                )
                ctx.remote(Wire.bin_ends, [end for end in ends if end is not None], to=host)  # (4)
            found[host] = Result(told.names, by_bin, missing, metric)
        return found

    def _counted(
        self,
        ctx: Ctx,
        own: Own,
        metric: list[list[float]],
        labels: Sequence[Any],
        classes: Classes,
        hosts: dict[Party, Result],
    ) -> MultiClassResult:
        """WOE and IV of all columns, for each label."""
        counts = binning.counts(own.binned, classes.of, classes.count, cores=ctx.cores)
        missing = [len(c) > len(p) for c, p in zip(counts, own.binned.points, strict=True)]
        mine = Result(own.names, counts, missing, metric)
        sides = range(1 if classes.count == 2 else classes.count)
        results = []
        for side in sides:
            result = _party_result(ctx.me, mine, side, self.params.adjustment_factor)
            for column, points in zip(own.names, own.binned.points, strict=True):
                shown = result.binning_result[column]
                shown.split_points = points.tolist()
                shown.bin_anonymous = [f"bin_{i}" for i in range(int(shown.bin_nums))]
            results.append(result)
        theirs = [
            _party_result(host, of, side, self.params.adjustment_factor)
            for host, of in hosts.items()
            for side in sides
        ]
        return binning_model.multi_class(results, labels, theirs, _host_ids(ctx))

    def _outputs(self, ctx: Ctx, own: Own, shown: MultiClassResult) -> Outputs:
        """The model of a training, and its data."""
        p, schema = self.params, own.frame.schema
        if p.transform_param.transform_type == "woe":
            _check_two(ctx, len(shown.results))
        metric = p.optimal_binning_param.metric if p.is_optimal else ""
        meta = binning_side.meta(own, p, ctx.name, method=p.method, metric=metric)
        per_host = max(1, len(shown.results))
        param = BinningParam(
            binning_result=shown.results[0],
            host_results=shown.host_results[::per_host],
            header=list(schema.header),
            header_anonymous=_anonymous(ctx, own.frame),
            multi_class_result=shown,
        )
        ctx.report.summary(binning_model.summary(shown))
        frame = binning_side.transformed(own, p, shown.results[0], ctx.name)
        return Outputs(data=[frame], model=BinningModel(meta=meta, param=param))


def _model(ctx: Ctx, inputs: Inputs) -> BinningModel:
    if not isinstance(inputs.model, BinningModel):
        raise BadModel(f"{ctx.name}: the model is none of HeteroFeatureBinning")
    return inputs.model


def _host_ids(ctx: Ctx) -> list[str]:
    return [host.party_id for host in ctx.hosts]


def _anonymous(ctx: Ctx, frame: Frame) -> list[str]:
    names = frame.schema.anonymous_header
    return list(names) if names else anonymous_header(ctx.me, frame.n_features)


def _labels(frame: Frame) -> tuple[list[Any], Classes]:
    """The labels that occur, descending, and of each row which it has; none if some are missing or
    infinite."""
    label = frame.label
    if isinstance(label, pa.Array):
        label = None if label.null_count else label.to_numpy(zero_copy_only=False).astype(str)
    if label is None or (label.dtype.kind == "f" and not np.isfinite(label).all()):
        return [], Classes(np.empty(0, dtype=np.int32), 0)
    found, at = np.unique(label, return_inverse=True)
    labels = found[::-1].tolist()
    if label.dtype.kind == "f":
        labels = [int(value) if value == int(value) else value for value in labels]
    return labels, Classes((len(found) - 1 - at).astype(np.int32), len(found))


def _needed_labels(ctx: Ctx, frame: Frame, p: HeteroBinningParams) -> tuple[list[Any], Classes]:
    """As ``_labels``. Raises BadData where they cannot be counted."""
    labels, classes = _labels(frame)
    if classes.count < 2:
        problem = (
            "has one value only"
            if classes.count
            else "is not there, or missing or infinite in some rows"
        )
        raise BadData(
            f"{ctx.name}: the guest's label {problem}, so there are no WOE and IV; give "
            "DataTransform with_label, or set skip_static to have bins alone"
        )
    if classes.count > MAX_CLASSES:
        raise BadData(
            f"{ctx.name}: the label has {classes.count} values, {MAX_CLASSES} at most are counted; "
            "if it is a number that was measured, set skip_static to have bins alone"
        )
    if p.is_optimal:
        _check_optimal(ctx, labels, "method optimal")
    return labels, classes


def _check_optimal(ctx: Ctx, labels: Sequence[Any], who: str) -> None:
    if len(labels) != 2:
        raise BadData(
            f"{ctx.name}: {who}, which tells two labels apart; here are {len(labels)}: use "
            "quantile or bucket"
        )


def _check_two(ctx: Ctx, n_results: int) -> None:
    if n_results > 1:
        raise BadData(
            f"{ctx.name}: transform_type woe is for two labels; here are {n_results}, each with a "
            "WOE of its own: use bin_num"
        )


def _party_result(party: Party, of: Result, side: int, adjustment: float) -> PartyResult:
    """WOE and IV of a party's columns for one label beside all others."""
    found = {}
    for name, counts, missing, metric in zip(
        of.names, of.counts, of.has_missing, of.metric, strict=True
    ):
        event = counts[:, side]
        others = counts.sum(axis=1) - event
        woe = binning.woe(event, others, adjustment, has_missing=missing)
        found[name] = binning_model.counted(woe)
        found[name].optimal_metric_array = metric
    return PartyResult(binning_result=found, role=party.role.value, party_id=party.party_id)


def _merged(
    ctx: Ctx, own: Own, p: HeteroBinningParams, classes: Classes
) -> tuple[Own, list[list[float]]]:
    """The guest's own buckets put together."""
    counts = binning.counts(own.binned, classes.of, classes.count, cores=ctx.cores)
    missing = [len(c) > len(q) for c, q in zip(counts, own.binned.points, strict=True)]
    merges = [j not in own.category for j in own.which]
    ends, _, metric = optimal_binning.all_merged(counts, missing, merges, p.rules)
    return own.merged(ends), metric


def _bins(own: Own, p: HeteroBinningParams, ctx: Ctx, *, merges: bool) -> HostBins:
    """What the guest is told of this host's columns."""
    names, rules = _anonymous(ctx, own.frame), p.rules
    rows = own.rows_by_bin
    return HostBins(
        names=[names[j] for j in own.which],
        n_points=np.array([len(points) for points in own.binned.points], dtype=np.int64),
        rows=np.concatenate([np.empty(0, dtype=np.int64), *rows]),
        merges=np.array([merges and j not in own.category for j in own.which], dtype=np.bool_),
        metric=rules.metric,
        bin_num=rules.bin_num,
        min_pct=rules.min_pct,
        max_pct=rules.max_pct,
        mixture=rules.mixture,
    )


def _checked_rows(host: Party, told: HostBins, n_rows: int) -> list[Ints]:
    """Of each of the host's columns (b + 1,) rows by bin. Raises ProtocolViolation."""
    k, problem = len(told.names), ""
    if told.n_points.shape != (k,) or told.merges.shape != (k,) or len(set(told.names)) != k:
        problem = "names and numbers of bins do not fit together"
    elif told.n_points.min(initial=1) < 1 or told.n_points.max(initial=1) > MAX_BINS:
        problem = f"columns of less than 1 bin, or more than {MAX_BINS}"
    elif told.rows.shape != (int(told.n_points.sum()) + k,):
        problem = "not a number of rows for each bin"
    elif told.rows.min(initial=0) < 0 or told.rows.max(initial=0) > n_rows:
        problem = f"numbers of rows below 0 or above {n_rows}"
    if not problem:
        found = np.split(told.rows, np.cumsum(told.n_points + 1)[:-1]) if k else []
        if all(int(rows.sum()) == n_rows for rows in found):
            return found
        problem = f"not {n_rows} rows in the bins of a column"
    raise ProtocolViolation(host, Wire.bins.name, problem)


def _rules(host: Party, told: HostBins, adjustment: float) -> Rules:
    """How a host wants its buckets put together. Raises ProtocolViolation."""
    known = {"iv", "gini", "chi_square", "ks"}
    shares = 0 <= told.min_pct <= 1 and 0 < told.max_pct <= 1
    if told.metric not in known or told.bin_num < 1 or not shares:
        raise ProtocolViolation(host, Wire.bins.name, "rules of optimal binning that do not exist")
    metric: Any = told.metric
    return Rules(metric, told.bin_num, told.min_pct, told.max_pct, told.mixture, adjustment)


def _checked_ends(ctx: Ctx, ends: list[NDArray[np.int64]], bins: HostBins) -> Ends:
    """Of each of the host's columns which buckets end a bin. Raises ProtocolViolation."""
    asked = np.flatnonzero(bins.merges).tolist()
    found: Ends = [None] * len(bins.names)
    is_sound = len(ends) == len(asked)
    for j, last in zip(asked, ends, strict=False):
        rises = last.ndim == 1 and len(last) > 0 and bool((np.diff(last) > 0).all())
        is_sound &= rises and last[0] >= 0 and last[-1] == bins.n_points[j] - 1
        found[j] = last
    if not is_sound:
        raise ProtocolViolation(ctx.guest, Wire.bin_ends.name, "not the ends of this party's bins")
    return found


def _with_transform(model: BinningModel, shown: MultiClassResult) -> BinningModel:
    """The model with the results of later data beside those of the training."""
    per_host = len(shown.results)
    param = msgspec.structs.replace(
        model.param,
        transform_binning_result=shown.results[0],
        transform_host_results=shown.host_results[::per_host],
        transform_multi_class_result=shown,
    )
    return BinningModel(meta=model.meta, param=param)
