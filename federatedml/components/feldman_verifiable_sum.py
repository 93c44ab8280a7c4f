"""FeldmanVerifiableSum: row by row the sum of all parties' columns, for the guest alone.

Parties  guest and k hosts: the same rows and columns, each with values of its own.
Maths    federatedml.crypto.verifiable_sharing: polynomials of degree k modulo the order of
         ristretto255, with commitments to their coefficients. Values are rounded to q_n decimals.
Round    (1) guest -> hosts      a digest of the names of its columns
         for each block of rows
         (2) all -> all others   commitments to the own polynomials
         (3) all -> all others   the receiver's share of the own values, who checks it by (2)
         (4) host -> guest       the sum of the shares that it has, and digests of the commitments
                                 that it was told; the guest checks both, and opens the sum
Trusts   for secrecy: that not all parties but one collude; the guest, and what the sum itself
         tells, included. For correctness: nobody; a share or a sum that is not what was committed
         to is found and its sender named, as logarithms in ristretto255 are hard to take.
         docs/security/feldman_verifiable_sum.md
Source   Feldman 1987; Pedersen 1991 (commitments that hide). Parameters FATE 1.x's, differences:
         docs/compat/feldman_verifiable_sum.md.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Annotated

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml import homo_side
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.crypto import verifiable_sharing as sharing
from federatedml.crypto.ristretto import WIDTH
from federatedml.crypto.verifiable_sharing import BadSharing, Share
from federatedml.data import columns, naming
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Floats, Frame
from federatedml.errors import BadData
from federatedml.params import NonNegativeInt, Params
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

BOTH = {GUEST, HOST}

BLOCK = 4096
"""Values that are committed to together, or a row if it has more."""

VALUE_BITS = 62
"""A rounded value is below 2^62 in magnitude."""

Bytes2D = NDArray[np.uint8]


class FeldmanParam(Params, frozen=True, kw_only=True):
    """sum_cols: numbers of columns, or names; none for all. q_n: decimals that are kept."""

    sum_cols: list[NonNegativeInt | str] | None = None
    q_n: Annotated[int, msgspec.Meta(ge=0, le=16)] = 6
    need_run: bool = True


@codec.wire_struct
class SumShare(msgspec.Struct, frozen=True):
    """share (m + 1, 32): see ``verifiable_sharing.Share``. heard: of each party in sorted order a
    digest of its commitments."""

    share: NDArray[np.uint8]
    heard: list[bytes]

    def __describe__(self) -> str:
        return f"SumShare[{len(self.share)},{len(self.heard)}]"


class Wire:
    """All that leaves a party."""

    header = Message[bytes](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="whether the receiver's columns have the names of the guest's",
    )
    commitments = Message[NDArray[np.uint8]](
        BOTH, BOTH, kind="masked", reveals="nothing: a random number hides what is committed to"
    )
    share = Message[NDArray[np.uint8]](
        BOTH,
        BOTH,
        kind="share",
        reveals="nothing, unless all other parties put theirs together",
    )
    sums = Message[SumShare](
        {HOST},
        {GUEST},
        kind="share",
        reveals="together: the sum of all parties' values, rounded; of two parties so the other's",
    )


@dataclass(frozen=True)
class Parties:
    """Who takes part. numbers: of each party the point of its shares, from 1 in sorted order."""

    me: Party
    numbers: Mapping[Party, int]

    @property
    def others(self) -> list[Party]:
        return [party for party in self.numbers if party != self.me]

    @property
    def degree(self) -> int:
        """Of the polynomials: all parties' shares are needed."""
        return len(self.numbers) - 1


@register("FeldmanVerifiableSum")
class FeldmanVerifiableSum(Component[FeldmanParam]):
    Params = FeldmanParam
    aligned = True
    agrees = ("sum_cols", "q_n")

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for what cannot be added up, ProtocolViolation for a share that is not
        what its sender committed to."""
        frame, which, scale = self._brought(ctx, inputs)
        header = frame.schema.header
        ctx.remote(Wire.header, homo_side.digest([header[j] for j in which]))  # (1)
        parties = _parties(ctx)
        blocks: list[Floats] = [np.empty((0, len(which)))]
        for whole in self._blocks(ctx, frame, which):
            mine, commitments = _shared(ctx, parties, whole)  # (2), (3)
            opened = _opened(ctx, parties, mine, commitments)  # (4)
            sums = np.array([value / scale for value in opened], dtype=np.float64)
            blocks.append(sums.reshape(whole.shape))
        ctx.report.summary({"parties": len(parties.numbers), "rows": frame.n_rows})
        return Outputs(data=[_output(ctx, frame, which, np.concatenate(blocks))])

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        frame, which, _ = self._brought(ctx, inputs)
        header = frame.schema.header
        if ctx.get(Wire.header) != homo_side.digest([header[j] for j in which]):  # (1)
            raise BadData(
                f"{ctx.name}: the columns to add up are not named as those of the guest, or stand "
                "in another order; give all parties the same columns"
            )
        parties = _parties(ctx)
        for whole in self._blocks(ctx, frame, which):
            mine, commitments = _shared(ctx, parties, whole)  # (2), (3)
            ctx.remote(Wire.sums, SumShare(mine.rows(), _heard(commitments)))  # (4)
        ctx.report.summary({"parties": len(parties.numbers), "rows": frame.n_rows})
        return Outputs(data=[None])

    def _brought(self, ctx: Ctx, inputs: Inputs) -> tuple[Frame, list[int], int]:
        """The instances, numbers of the columns to add up, and units in 1."""
        p, data = self.params, inputs.one("data", "train_data", "test_data")
        if not isinstance(data, Frame):
            raise BadData(f"{ctx.name}: takes instances as data, as DataTransform gives them")
        numbers = [j for j in p.sum_cols or [] if isinstance(j, int)]
        names = [name for name in p.sum_cols or [] if isinstance(name, str)]
        which = columns.chosen(data.schema, numbers if p.sum_cols else -1, names, ctx.name)
        if not which:
            raise BadData(f"{ctx.name}: the data has no columns to add up")
        naming.refuse_twins(data.schema, which, ctx.name)
        texts = set(data.texts.column_names) if data.texts is not None else set()
        if at_fault := [j for j in which if data.schema.header[j] in texts]:
            raise BadData(
                f"{ctx.name}: {naming.named(data.schema, at_fault, ctx.name)} hold text, which "
                "cannot be added up; choose others with sum_cols"
            )
        return data, which, 10**p.q_n

    def _blocks(self, ctx: Ctx, frame: Frame, which: list[int]) -> Iterator[NDArray[np.int64]]:
        """(r, k) rounded values of the rows, block by block. Raises BadData."""
        for values in _values(frame, which):
            size, limit = np.abs(values).max(axis=0), 2.0**VALUE_BITS / 10.0**self.params.q_n
            if wild := [which[j] for j in np.flatnonzero(~(size < limit))]:
                raise BadData(
                    f"{ctx.name}: missing, infinite or too large values in "
                    f"{naming.named(frame.schema, wild, ctx.name)}: fill or scale them upstream, "
                    "or lower q_n"
                )
        done = 0
        for values in _values(frame, which):
            yield np.rint(values * 10.0**self.params.q_n).astype(np.int64)
            done += len(values)
            ctx.report.progress(done / frame.n_rows)


def _values(frame: Frame, which: list[int]) -> Iterator[Floats]:
    """(r, k) values of the columns, block by block."""
    step = max(1, BLOCK // len(which))
    x = frame.x.tocsr() if sparse.issparse(frame.x) else frame.x
    for at in range(0, frame.n_rows, step):
        rows = x[at : at + step]
        yield (rows.toarray() if sparse.issparse(rows) else rows)[:, which]


def _parties(ctx: Ctx) -> Parties:
    everybody = sorted(ctx.of_role(GUEST, HOST))
    if len(everybody) == 2:
        LOG.warning("%s: the sum of two tells the guest the host's values", ctx.name)
    return Parties(ctx.me, {party: i for i, party in enumerate(everybody, 1)})


def _shared(
    ctx: Ctx, parties: Parties, whole: NDArray[np.int64]
) -> tuple[Share, dict[Party, Bytes2D]]:
    """Deal a block's values to all, take what the others deal; this party's share of the sum, and
    all parties' commitments. Raises ProtocolViolation, naming who dealt a wrong share."""
    numbers, m = parties.numbers, whole.size
    shares, own = sharing.dealt(
        whole.ravel().tolist(), parties.degree, len(numbers), cores=ctx.cores
    )
    for peer in parties.others:
        ctx.remote(Wire.commitments, own, to=peer)  # (2)
        ctx.remote(Wire.share, shares[numbers[peer] - 1].rows(), to=peer)  # (3)
    mine, commitments = shares[numbers[ctx.me] - 1], {ctx.me: own}
    for peer in parties.others:
        commitments[peer] = ctx.get(Wire.commitments, source=peer)
        rows = ctx.get(Wire.share, source=peer)
        if commitments[peer].shape != (parties.degree + 1, WIDTH):
            raise ProtocolViolation(peer, Wire.commitments.name, "not one for each coefficient")
        theirs = _checked(peer, Wire.share.name, rows, numbers[ctx.me], commitments[peer], m, ctx)
        mine = mine + theirs
    return mine, {party: commitments[party] for party in numbers}


def _checked(
    peer: Party,
    message: str,
    rows: Bytes2D,
    point: int,
    commitments: Bytes2D,
    m: int,
    ctx: Ctx,
) -> Share:
    """A peer's share. Raises ProtocolViolation unless it is what was committed to."""
    try:
        share = sharing.share_of(rows, m)
        is_right = sharing.is_right(share, point, commitments, cores=ctx.cores)
    except BadSharing as error:
        raise ProtocolViolation(peer, message, str(error)) from None
    if not is_right:
        raise ProtocolViolation(peer, message, "the share is not what was committed to")
    return share


def _opened(
    ctx: Ctx, parties: Parties, mine: Share, commitments: dict[Party, Bytes2D]
) -> list[int]:
    """The guest's side: (m,) the sums. Raises ProtocolViolation, naming whose sum is wrong, or who
    may have told parties different things."""
    heard, total = _heard(commitments), sharing.added(list(commitments.values()))
    shares = {ctx.me: mine}
    for host in ctx.hosts:
        told = ctx.get(Wire.sums, source=host)
        if len(told.heard) != len(heard):
            raise ProtocolViolation(host, Wire.sums.name, "not a digest for each party")
        for dealer, here, there in zip(commitments, heard, told.heard, strict=True):
            if here != there:
                liar = f"{dealer} or {host}" if dealer not in (host, ctx.me) else host
                problem = f"commitments of {dealer} that differ between parties"
                raise ProtocolViolation(liar, Wire.commitments.name, problem)
        m, point = len(mine.values), parties.numbers[host]
        shares[host] = _checked(host, Wire.sums.name, told.share, point, total, m, ctx)
    points = [parties.numbers[party] for party in shares]
    return sharing.opened(list(shares.values()), points)


def _heard(commitments: Mapping[Party, Bytes2D]) -> list[bytes]:
    """A digest of each party's commitments."""
    return [hashlib.sha256(rows.tobytes()).digest() for rows in commitments.values()]


def _output(ctx: Ctx, frame: Frame, which: list[int], sums: Floats) -> Frame:
    """The guest's rows with the sums in place of its columns."""
    schema = frame.schema
    anonymous = schema.anonymous_header or anonymous_header(ctx.me, frame.n_features)
    shown = msgspec.structs.replace(
        schema,
        header=[schema.header[j] for j in which],
        anonymous_header=[anonymous[j] for j in which],
    )
    return replace(frame, x=sums, schema=shown, texts=None)
