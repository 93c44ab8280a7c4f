"""HomoFeatureBinning: columns of all clients in common bins, by quantiles of all their rows.

Parties  guest and hosts, the clients: rows of their own, the same columns. Arbiter: adds up and
         finds the quantiles.
Maths    federatedml.maths.rank_search: the float line is divided where a quantile lies. Of columns
         of categories the values of all clients are the bins.
Round    (1) guest -> hosts      digests of its column names, and of those it bins
         (2) guest -> arbiter    how many columns have quantiles, how many categories
         (3) clients -> arbiter  rows, and missing values of each column, by secure aggregation
         (4) arbiter -> clients  bits of the number of rows; which columns have missing values, and
                                 which nothing else
         (5) clients, arbiter    the common quantiles: federatedml.protocols.homo_quantiles
         (6) clients, arbiter    all categories, encrypted: federatedml.protocols.sealed_union
         Transformation is local: every client has the whole model.
Trusts   everyone to follow the protocol (semi-honest), and fewer clients than the threshold to
         collude with the arbiter; docs/security/homo_feature_binning.md.
Source   parameters and models are FATE 1.x's, differences: docs/compat/homo_feature_binning.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Annotated, ClassVar, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml import binning_model, binning_side, homo_side
from federatedml.binning_model import (
    BinningMeta,
    BinningModel,
    BinningParam,
    PartyResult,
)
from federatedml.binning_params import BinningParams
from federatedml.binning_side import Choice, Own
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import naming
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import binning
from federatedml.maths.binning import Points
from federatedml.maths.quantiles import MAX_BINS
from federatedml.params import PositiveInt
from federatedml.protocols import homo_quantiles, roll_call, sealed_union, secure_aggregation
from federatedml.protocols.roll_call import CLIENTS, SecureAggregationParam, arbiter_of
from federatedml.protocols.secure_aggregation import Client, Server
from federation import ARBITER, GUEST, HOST, Message, codec
from federation.errors import ProtocolViolation


class HomoBinningParams(BinningParams, frozen=True, kw_only=True):
    """method: both of FATE's names search for the quantiles of all rows until no rank is off by
    more than ``error`` times the rows; sample_bins and max_iter, the limits of FATE's searches,
    are accepted and not read. No party's labels are counted."""

    method: Literal["virtual_summary", "recursive_query"] = "virtual_summary"
    sample_bins: PositiveInt = 100
    max_iter: Annotated[int, msgspec.Meta(ge=1, le=100)] = 100
    secure_aggregation_param: SecureAggregationParam = SecureAggregationParam()

    def __post_init__(self) -> None:
        if self.transform_param.transform_type == "woe":
            raise ValueError(
                "transform_param.transform_type woe needs counts of labels, which horizontal "
                "binning does not make; use bin_num, or null"
            )
        if self.secure_aggregation_param.method == "ckks":
            raise ValueError(
                "secure_aggregation_param.method ckks adds numbers up with an error; rows are "
                "counted exactly: take masks"
            )


@codec.wire_struct
class HomoBinsOutline(msgspec.Struct, frozen=True):
    """What the guest tells the arbiter: numbers of columns."""

    n_ranked: int
    n_category: int


@codec.wire_struct
class HomoBinsTotals(msgspec.Struct, frozen=True):
    """What the arbiter tells of all rows. count_bits: of their number. gaps, empty: (k,) of the
    columns that are binned, whether any row lacks a value, and whether all do."""

    count_bits: int
    gaps: NDArray[np.bool_]
    empty: NDArray[np.bool_]


class Category(msgspec.Struct, frozen=True, array_like=True):
    """One value of one column, as it is encrypted."""

    column: int
    value: float


class Wire:
    """All that leaves a party."""

    header = Message[list[bytes]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="whether the receiver has the guest's column names and bins the same columns",
    )
    outline = Message[HomoBinsOutline](
        {GUEST}, {ARBITER}, kind="plain", reveals="how many columns are binned"
    )
    totals = Message[HomoBinsTotals](
        {ARBITER},
        CLIENTS,
        kind="plain",
        reveals="the number of all parties' rows up to the next power of two; which columns have "
        "missing values at any party, and which no value at all",
    )
    query = homo_quantiles.Wire.query
    cuts = homo_quantiles.Wire.cuts
    keys = secure_aggregation.Wire.keys
    shares = secure_aggregation.Wire.shares
    heard = secure_aggregation.Wire.heard
    roster = secure_aggregation.Wire.roster
    masked = secure_aggregation.Wire.masked
    survivors = secure_aggregation.Wire.survivors
    opening = secure_aggregation.Wire.opening
    channel = sealed_union.Wire.channel
    secret = sealed_union.Wire.secret
    sealed = sealed_union.Wire.sealed
    union = sealed_union.Wire.union


@register("HomoFeatureBinning")
class HomoFeatureBinning(Component[HomoBinningParams]):
    Params = HomoBinningParams
    Model = BinningModel
    agrees: ClassVar[tuple[str, ...]] = ("method", "bin_num", "error", "secure_aggregation_param")

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return self._fit(ctx, inputs)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return self._fit(ctx, inputs)

    def fit_arbiter(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (it has no data)
        p, outline = self.params, ctx.get(Wire.outline)  # (2)
        server = Server(ctx, roll_call.terms(ctx, p.secure_aggregation_param, ctx.name))
        totals = server.collect_words().astype(np.int64)  # (3)
        k = outline.n_ranked + outline.n_category
        if min(outline.n_ranked, outline.n_category) < 0 or totals.shape != (k + 1,):
            raise ProtocolViolation(
                ctx.guest, Wire.outline.name, f"{k} columns, and {len(totals)} sums of clients"
            )
        n_rows, missing = int(totals[0]), totals[1:]
        told = HomoBinsTotals(n_rows.bit_length(), missing > 0, missing == n_rows)
        ctx.remote(Wire.totals, told)  # (4)
        if told.empty.any():
            return Outputs()  # the parties with data say which columns
        if outline.n_ranked:
            shape = (n_rows, outline.n_ranked)
            homo_quantiles.ask(ctx, server, shape, p.bin_num, p.error, told.count_bits)  # (5)
        if outline.n_category:
            sealed_union.server(ctx)  # (6)
        security = secure_aggregation.describe(server.terms)
        lost = [str(party) for party in sorted(server.lost)]
        ctx.report.summary({"security": security, "lost_parties": lost})
        return Outputs(model=BinningModel(meta=BinningMeta(), param=BinningParam()))

    def transform_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return self._transformed(ctx, inputs)

    def transform_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        return self._transformed(ctx, inputs)

    def transform_arbiter(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (nothing to do)
        return Outputs()

    def _fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadParameters for columns that are not there, BadData for those without bins and
        where clients' columns differ."""
        p, frame = self.params, binning_side.frame_of(inputs, ctx.name)
        chosen = _chosen(ctx, frame, p)
        missing = _missing(frame, chosen.which, ctx.name)
        _compare_columns(ctx, frame, chosen)
        n_category = len(chosen.category)
        if ctx.role == GUEST:
            outline = HomoBinsOutline(len(chosen.which) - n_category, n_category)
            ctx.remote(Wire.outline, outline)  # (2)
        client = Client(ctx, roll_call.terms(ctx, p.secure_aggregation_param, ctx.name))
        client.submit_words(np.array([frame.n_rows, *missing], dtype=np.uint64))  # (3)
        totals = _checked_totals(ctx, frame, chosen)
        ctx.report.progress(0.1)
        points = self._quantiles(ctx, frame, chosen, client, totals)
        if chosen.category:
            points |= _categories(ctx, frame, chosen)
        ctx.report.progress(0.9)
        found = [points[j] for j in chosen.which]
        binned = binning.binned(frame.x, chosen.which, found, cores=ctx.cores)
        own = Own(frame, chosen.which, chosen.category, binned)
        result = _result(own, totals.gaps.tolist())
        security = {"security": secure_aggregation.describe(client.terms)}
        shown = {name: column.split_points for name, column in result.binning_result.items()}
        ctx.report.summary({"split_points": shown, **security})
        return Outputs(
            data=[binning_side.transformed(own, p, result, ctx.name)],
            model=self._model(ctx, own, result),
        )

    def _quantiles(
        self, ctx: Ctx, frame: Frame, chosen: Choice, client: Client, totals: HomoBinsTotals
    ) -> dict[int, Points]:
        """Split points, by number of the column, of those that are cut at quantiles."""
        ranked = [j for j in chosen.which if j not in chosen.category]
        if not ranked:
            return {}
        x = frame.x if len(ranked) == frame.n_features else frame.x[:, ranked]
        bins = homo_quantiles.answer(  # (5)
            ctx, client, x, self.params.bin_num, totals.count_bits, cores=ctx.cores
        )
        return dict(zip(ranked, bins.cuts.upper, strict=True))

    def _model(self, ctx: Ctx, own: Own, result: PartyResult) -> BinningModel:
        """The same at every client but for what names the party."""
        p, schema = self.params, own.frame.schema
        meta = binning_side.meta(own, p, ctx.name, method=p.method)
        result.role, result.party_id = ctx.role.value, ctx.me.party_id
        anonymous = schema.anonymous_header or anonymous_header(ctx.me, own.frame.n_features)
        param = BinningParam(
            binning_result=result,
            header=list(schema.header),
            header_anonymous=list(anonymous),
            multi_class_result=binning_model.multi_class([result], [], [], []),
        )
        return BinningModel(meta=meta, param=param)

    def _transformed(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        p, model = self.params, inputs.model
        if not isinstance(model, BinningModel) or not model.param.binning_result.binning_result:
            raise BadModel(f"{ctx.name} needs a model of HomoFeatureBinning")
        frame = binning_side.frame_of(inputs, ctx.name)
        own = binning_side.known(frame, model, p, ctx.name, ctx.cores)
        result = model.param.binning_result
        return Outputs(data=[binning_side.transformed(own, p, result, ctx.name)], model=model)


def _chosen(ctx: Ctx, frame: Frame, p: HomoBinningParams) -> Choice:
    """The columns to bin. Raises BadParameters where there are none, BadData for twins."""
    found = binning_side.choice(frame, p, ctx.name)
    if not found.which:
        raise BadParameters(
            f"{ctx.name}: no column is to be binned; name some with bin_indexes or bin_names, or "
            "give -1 for all"
        )
    naming.refuse_twins(frame.schema, found.which, ctx.name)
    return found


def _missing(frame: Frame, which: Sequence[int], name: str) -> list[int]:
    """How many values of each column are missing. Raises BadData for infinite ones."""
    missing, infinite = [], []
    for j, column in zip(which, binning.columns(frame.x, which), strict=True):
        missing.append(int(np.isnan(column.values).sum()))
        if np.isinf(column.values).any():
            infinite.append(j)
    if infinite:
        raise BadData(
            f"{name}: infinite values in {naming.named(frame.schema, infinite, name)}; replace "
            "them upstream, or leave these columns out with bin_indexes"
        )
    return missing


def _compare_columns(ctx: Ctx, frame: Frame, chosen: Choice) -> None:
    """Raises BadData unless this host has the guest's columns and bins the same of them."""
    header = frame.schema.header
    mine = [
        *homo_side.column_digests(frame),
        homo_side.digest([header[j] for j in chosen.which]),
        homo_side.digest([header[j] for j in sorted(chosen.category)]),
    ]
    if ctx.role == GUEST:
        ctx.remote(Wire.header, mine)  # (1)
        return
    theirs = ctx.get(Wire.header)  # (1)
    homo_side.check_columns(ctx.name, theirs[:2], mine[:2])
    if theirs != mine:
        raise BadData(
            f"{ctx.name}: bin_indexes, bin_names, category_indexes or category_names mean other "
            "columns here than at the guest; give them in component_parameters.common"
        )


def _checked_totals(ctx: Ctx, frame: Frame, chosen: Choice) -> HomoBinsTotals:
    """What the arbiter tells of all rows. Raises BadData for columns without any value,
    ProtocolViolation for other columns."""
    told, k = ctx.get(Wire.totals), len(chosen.which)  # (4)
    holds_own = frame.n_rows.bit_length() <= told.count_bits < 64
    if told.gaps.shape != (k,) or told.empty.shape != (k,) or not holds_own:
        problem = f"not totals of {k} columns and this party's rows beside others"
        raise ProtocolViolation(arbiter_of(ctx), Wire.totals.name, problem)
    if told.empty.any():
        at = [chosen.which[i] for i in np.flatnonzero(told.empty)]
        raise BadData(
            f"{ctx.name}: no party has a value of {naming.named(frame.schema, at, ctx.name)}; fill "
            "them upstream, or leave these columns out with bin_indexes"
        )
    if not told.count_bits:
        raise ProtocolViolation(arbiter_of(ctx), Wire.totals.name, "no rows, and yet values")
    return told


def _categories(ctx: Ctx, frame: Frame, chosen: Choice) -> dict[int, Points]:
    """Split points of the category columns: the values of all clients.

    Raises BadData where there are too many of them.
    """
    which = sorted(chosen.category)
    entries = [
        msgspec.msgpack.encode(Category(i, value))
        for i, column in enumerate(binning.columns(frame.x, which))
        for value in binning.category_points(column).tolist()
    ]
    found: dict[int, set[float]] = {i: set() for i in range(len(which))}
    for body in sealed_union.client(ctx, entries):  # (6)
        try:
            entry = msgspec.msgpack.decode(body, type=Category)
            found[entry.column].add(_finite(entry.value))
        except (msgspec.DecodeError, KeyError, ValueError):
            who = ", ".join(map(str, ctx.of_role(GUEST, HOST)))
            problem = "no value of a column"
            raise ProtocolViolation(f"one of {who}", Wire.sealed.name, problem) from None
    if many := [which[i] for i, values in found.items() if len(values) > MAX_BINS]:
        raise BadData(
            f"{ctx.name}: more than {MAX_BINS} categories in "
            f"{naming.named(frame.schema, many, ctx.name)}; cut at quantiles instead: leave these "
            "columns out of category_indexes and category_names"
        )
    return _ascending(which, found)


def _finite(value: float) -> float:
    """Raises ValueError for another: it has no place among bins."""
    if not math.isfinite(value):
        raise ValueError
    return value


def _ascending(which: Sequence[int], found: Mapping[int, set[float]]) -> dict[int, Points]:
    return {which[i]: np.array(sorted(values), dtype=np.float64) for i, values in found.items()}


def _result(own: Own, gaps: Sequence[bool]) -> PartyResult:
    """gaps: of each column whether any client's rows lack a value; then it has a bin for them."""
    columns = {
        name: binning_model.column(points, len(points) + gap, None)
        for name, points, gap in zip(own.names, own.binned.points, gaps, strict=True)
    }
    return PartyResult(binning_result=columns)
