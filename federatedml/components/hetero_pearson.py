"""HeteroPearson: correlations of a party's columns with each other and with the other parties'.

Parties: guest, hosts. Each host's columns meet the guest's; hosts' do not meet each other.
Maths: ``federatedml.maths.correlation``. Variance inflation is of a party's own columns.
Round:
    (1) guest -> each host, host -> guest   anonymous names of the chosen columns, which of them
                                            vary; with the guest's, a digest of its rows
    (2) guest <-> each host                 products of columns, one side encrypted, and the
                                            correlations opened: ``protocols.cross_products``
    none if cross_parties is false.
Trusts: everyone to follow the protocol (semi-honest); docs/security/hetero_pearson.md says what
correlations tell.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/hetero_pearson.md.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal

import msgspec
import numpy as np
from scipy import sparse

from federatedml import agreement, pearson_model
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Frame, Matrix
from federatedml.errors import BadData, BadParameters
from federatedml.maths import correlation
from federatedml.maths.correlation import Columns
from federatedml.maths.glm import Floats
from federatedml.params import NonNegativeInt, Params
from federatedml.pearson_model import Names, PearsonModel, PearsonModelMeta, PearsonModelParam
from federatedml.protocols.cross_products import Crossing
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

KINDS = ("train_data", "data")

LARGEST = 1e100
"""Squares of larger numbers leave what a float64 holds."""


class PearsonParam(Params, frozen=True, kw_only=True):
    """column_names, column_indexes: together their union; -1: all columns. use_mix_rand and
    fixpoint_bit_length have no effect: there are no re-used random numbers and no Paillier keys."""

    column_names: list[str] | None = None
    column_indexes: Literal[-1] | list[NonNegativeInt] | None = None
    cross_parties: bool = True
    need_run: bool = True
    use_mix_rand: bool = False
    calc_local_vif: bool = True
    fixpoint_bit_length: Annotated[int, msgspec.Meta(ge=1024)] = 2048

    def __post_init__(self) -> None:
        if self.cross_parties and not self.need_run:
            raise ValueError("cross_parties needs need_run at all parties")


@codec.wire_struct
class Chosen(msgspec.Struct, frozen=True):
    """names: anonymous, of a party's chosen columns. varies: which of them do. salt, rows: of the
    guest's ids, see ``agreement.digest``; a host's are empty."""

    names: list[str]
    varies: list[bool]
    salt: bytes = b""
    rows: bytes = b""


class Wire:
    """All that leaves a party, with what ``cross_products`` sends."""

    chosen = Message[Chosen](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="plain",
        reveals="anonymous names and number of the chosen columns, which of them are constant; of "
        "the guest also whether its rows are the receiver's, in order",
    )


@dataclass(frozen=True)
class Local:
    """A party's own columns: what they are called here and elsewhere, and what they are."""

    frame: Frame
    names: list[str]
    anonymous: list[str]
    columns: Columns

    @property
    def at(self) -> list[int]:
        """Which columns vary."""
        found: list[int] = np.flatnonzero(self.columns.varies).tolist()
        return found

    def told(self, salt: bytes = b"") -> Chosen:
        rows = agreement.digest(self.frame.ids, salt) if salt else b""
        return Chosen(self.anonymous, self.columns.varies.tolist(), salt, rows)


@dataclass(frozen=True)
class Other:
    """Another party's columns. at: which of them vary. corr: (guest's, host's) columns."""

    party: Party
    names: list[str]
    at: list[int]
    corr: Floats


@register("HeteroPearson")
class HeteroPearson(Component[PearsonParam]):
    Params = PearsonParam
    Model = PearsonModel

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for text, missing and infinite values; BadParameters for columns that are
        not there."""
        local, others = self._local(ctx, inputs), []
        if self.params.cross_parties:
            told = local.told(secrets.token_bytes(agreement.SALT_BYTES))
            for host in ctx.hosts:
                ctx.remote(Wire.chosen, told, to=host)  # (1)
            others = self._crossed(ctx, local, ctx.hosts)
        return self._outputs(ctx, local, others)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises as ``fit_guest``, and BadData if the guest's rows are others."""
        local, others = self._local(ctx, inputs), []
        if self.params.cross_parties:
            ctx.remote(Wire.chosen, local.told(), to=ctx.guest)  # (1)
            others = self._crossed(ctx, local, [ctx.guest])
        return self._outputs(ctx, local, others)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:  # noqa: ARG002 (the contract)
        """Rows to predict change nothing: correlations are of the training rows."""
        return Outputs(data=[None])

    def _local(self, ctx: Ctx, inputs: Inputs) -> Local:
        data = inputs.one(*KINDS)
        if not isinstance(data, Frame):
            raise BadData(f"{ctx.name} takes instances, as DataTransform gives them")
        p, schema = self.params, data.schema
        at = columns.chosen(schema, p.column_indexes, p.column_names, ctx.name)
        if not at:
            raise BadParameters(
                f"{ctx.name}: no columns; give column_indexes (-1: all columns), column_names, or "
                "both, and a table that has some"
            )
        naming.refuse_twins(schema, at, ctx.name)
        x = data.x if len(at) == data.n_features else data.x[:, at]
        _check(data, x, at, ctx.name)
        found = correlation.measured(x)
        others = schema.anonymous_header or anonymous_header(ctx.me, data.n_features)
        names = [schema.header[i] for i in at]
        if constant := [name for name, v in zip(names, found.varies, strict=True) if not v]:
            LOG.warning(
                "%s: constant columns have no correlations: %s", ctx.name, ", ".join(constant)
            )
        return Local(data, names, [others[i] for i in at], found)

    def _crossed(self, ctx: Ctx, local: Local, peers: Sequence[Party]) -> list[Other]:
        """Of each peer, with whom conversations overlap."""
        told = [(peer, _told(ctx, local, peer)) for peer in peers]  # (1)
        at, crossings = local.at, {}
        for peer, theirs in told:
            if at and any(theirs.varies):
                n_varying = sum(theirs.varies)
                _warn_if_few(ctx, local.frame.n_rows, n_varying, peer)
                crossings[peer] = Crossing(ctx, peer, local.columns, at, n_varying)  # (2)
                crossings[peer].begin()
        others = []
        for done, (peer, theirs) in enumerate(told, 1):
            whole = np.full((len(local.names), len(theirs.names)), np.nan)
            their_at = [i for i, v in enumerate(theirs.varies) if v]
            if peer in crossings:
                whole[np.ix_(at, their_at)] = crossings[peer].finish()
            corr = whole if ctx.role == GUEST else whole.T
            others.append(Other(peer, theirs.names, their_at, corr))
            ctx.report.progress(done / len(told))
        return others

    def _outputs(self, ctx: Ctx, local: Local, others: Sequence[Other]) -> Outputs:
        own = correlation.correlations(local.columns)
        vif = correlation.variance_inflation(own) if self.params.calc_local_vif else np.empty(0)
        if dependent := [n for n, v in zip(local.names, vif, strict=False) if v < 1 - 1e-6]:
            LOG.warning(
                "%s: columns that are combinations of others, so that their variance inflation is "
                "without bound (the value below 1 is FATE's): %s",
                ctx.name,
                ", ".join(dependent),
            )
        model = PearsonModel(meta=PearsonModelMeta(), param=_param(ctx, local, others, own, vif))
        ctx.report.metric("statistic", "correlation", "CORRELATION_GRAPH", name="pearson")
        ctx.report.summary(_summary(local, others, own))
        return Outputs(data=[None], model=model)


def _check(data: Frame, x: Matrix, at: Sequence[int], name: str) -> None:
    """Raises BadData, with the anonymous names of columns at fault."""
    if not data.n_rows:
        raise BadData(
            f"{name}: there are no rows; if they come from Intersection, the parties have no id in "
            "common"
        )
    texts = set(data.texts.column_names) if data.texts is not None else set()
    if words := [i for i in at if data.schema.header[i] in texts]:
        raise BadData(
            f"{name}: {naming.named(data.schema, words, name)} is text and has no correlations; "
            "encode it (OneHotEncoder), or leave it out of column_indexes and column_names"
        )
    parts = [x.data[:, None]] if isinstance(x, sparse.csr_matrix) else correlation.blocks(x)
    if all(bool((np.abs(part) <= LARGEST).all()) for part in parts):
        return
    wrong = np.zeros(len(at), dtype=bool)
    for part in correlation.blocks(x):
        wrong |= ~(np.abs(part) <= LARGEST).all(axis=0)
    faulty = [i for i, is_wrong in zip(at, wrong, strict=True) if is_wrong]
    raise BadData(
        f"{name}: missing, infinite or too large values in "
        f"{naming.named(data.schema, faulty, name)}; fill or limit them upstream "
        "(FeatureImputation, missing_fill and outlier_replace of DataTransform)"
    )


def _warn_if_few(ctx: Ctx, n_rows: int, theirs: int, peer: Party) -> None:
    """A standardised column has n - 2 degrees of freedom; each of the peer's takes one of them."""
    if theirs >= n_rows - 2:
        LOG.warning(
            "%s: %d rows are too few for %d columns of %s: with so many correlations it can solve "
            "for this party's standardised columns; take more rows, or fewer columns",
            ctx.name,
            n_rows,
            theirs,
            peer,
        )


def _told(ctx: Ctx, local: Local, peer: Party) -> Chosen:
    """The peer's chosen columns. Raises ProtocolViolation; at a host BadData for other rows."""
    found = ctx.get(Wire.chosen, source=peer)
    k = len(found.names)
    if not k == len(found.varies) == len(set(found.names)) or not k:
        raise ProtocolViolation(peer, Wire.chosen.name, "no columns, or not a name for each")
    if ctx.role == HOST and found.rows != agreement.digest(local.frame.ids, found.salt):
        raise BadData(
            f"{ctx.name}: guest and host hold different rows, or in another order; give them the "
            "output of Intersection"
        )
    return found


def _param(
    ctx: Ctx, local: Local, others: Sequence[Other], own: Floats, vif: Floats
) -> PearsonModelParam:
    sides = [(ctx.me, local.names), *((other.party, other.names) for other in others)]
    if ctx.role == HOST:
        sides.reverse()
    corr = np.hstack([other.corr for other in others]) if others else np.empty(0)
    return PearsonModelParam(
        party=pearson_model.shown(ctx.me),
        parties=[pearson_model.shown(party) for party, _ in sides],
        shape=len(local.names),
        shapes=[len(names) for _, names in sides],
        names=local.names,
        corr=pearson_model.numbers(corr),
        local_corr=pearson_model.numbers(own),
        all_names=[Names(names=names) for _, names in sides],
        anonymous_map=pearson_model.named(local.names, local.anonymous),
        local_vif=pearson_model.numbers(vif),
    )


def _summary(local: Local, others: Sequence[Other], own: Floats) -> dict[str, Any]:
    told: dict[str, Any] = {"num_local_features": len(local.names), "local_corr": _rows(own)}
    if others:
        told["num_remote_features"] = sum(len(other.names) for other in others)
        told["corr"] = _rows(np.hstack([other.corr for other in others]))
    return told


def _rows(matrix: Floats) -> list[pearson_model.Numbers]:
    return [pearson_model.numbers(row) for row in matrix]
