"""Common bins of parties with rows of their own: quantiles of all rows, by secure sums of counts.

Parties  clients: guest and hosts, who hold the rows; server: the arbiter.
Maths    federatedml.maths.rank_search: the float line is divided into intervals, again and again,
         where a quantile lies or where values may differ.
Round    until there is nothing to divide
         (1) arbiter -> clients    intervals of features, and into how many parts to divide each
         (2) clients -> arbiter    rows in each part, by secure aggregation
         at the end
         (3) arbiter -> clients    no intervals any more; the cuts of all features
Trusts   as secure_aggregation. No party's value, minimum, maximum, or count is sent. Everybody
         learns the intervals that are divided, so where all parties' quantiles lie, and the values
         of features that have no more than bin_num of them, if two rows share one; the arbiter
         also how many rows of all parties lie in each part.
Source   the role is that of FATE 1.x's recursive query; the search is on the bits of floats, so
         that no range has to be known.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from federatedml.crypto import summable, threads
from federatedml.crypto.masking import Words
from federatedml.maths import quantiles, rank_search
from federatedml.maths.glm import Matrix
from federatedml.maths.quantiles import Codes, Cuts
from federatedml.maths.rank_search import Intervals, Search
from federatedml.protocols import secure_aggregation
from federatedml.protocols.roll_call import CLIENTS, arbiter_of
from federatedml.protocols.secure_aggregation import Client, Server
from federation import ARBITER, Context, Message, codec
from federation.errors import ProtocolViolation

MAX_CELLS = 1 << 24
"""More counts than this are not answered at once."""


@codec.wire_struct
class CountQuery(msgspec.Struct, frozen=True):
    """See ``rank_search.Intervals``: feature, low (a,), bits, width."""

    feature: NDArray[np.int32]
    low: NDArray[np.uint64]
    bits: int
    width: int

    def __describe__(self) -> str:
        return f"CountQuery[{len(self.feature)}]"


@codec.wire_struct
class CommonCuts(msgspec.Struct, frozen=True):
    """n_cuts (k,): bins of each feature. upper: all features' cuts, one after the other. gaps (k,):
    whether any party's rows lack a value of the feature."""

    n_cuts: NDArray[np.int32]
    upper: NDArray[np.float64]
    gaps: NDArray[np.bool_]

    def __describe__(self) -> str:
        return f"CommonCuts[{len(self.n_cuts)}]"


class Wire:
    """All that leaves a party beside the secure sums."""

    query = Message[CountQuery](
        {ARBITER},
        CLIENTS,
        kind="plain",
        reveals="between which values the quantiles of all parties' rows lie; of a feature with no "
        "more values than bins, those that rows share",
    )
    cuts = Message[CommonCuts](
        {ARBITER}, CLIENTS, kind="plain", reveals="the cuts; which features have missing values"
    )
    keys = secure_aggregation.Wire.keys
    shares = secure_aggregation.Wire.shares
    heard = secure_aggregation.Wire.heard
    roster = secure_aggregation.Wire.roster
    masked = secure_aggregation.Wire.masked
    survivors = secure_aggregation.Wire.survivors
    opening = secure_aggregation.Wire.opening


@dataclass(frozen=True)
class Bins:
    """What all parties know of the bins. used (k, b + 1): those that can hold a row, the last one
    that of missing values."""

    cuts: Cuts
    used: NDArray[np.bool_]


def answer(
    ctx: Context, client: Client, x: Matrix, n_bins: int, count_bits: int, *, cores: int = 1
) -> Bins:
    """A client's side. x: (n, k) its rows, nan for a missing value. count_bits: sums of counts
    stay below 2^count_bits.

    Cost: sorting every column; a message of about 8 * 32,768 * count_bits / 64 bytes a round, ten
    rounds or so. Raises ProtocolViolation, PartiesLost.
    """
    by_column = _by_column(x)
    columns = threads.each(lambda j: _images(by_column, j), range(x.shape[1]), cores)
    while len(asked := _checked(ctx, ctx.get(Wire.query), x.shape[1])):  # (1)
        counts = rank_search.counted(columns, asked)
        client.submit_words(summable.packed(counts.ravel(), count_bits))  # (2)
    told = ctx.get(Wire.cuts)  # (3)
    if not _fit(told, x.shape[1], n_bins):
        raise ProtocolViolation(arbiter_of(ctx), Wire.cuts.name, "not the cuts of these features")
    upper = np.split(told.upper, np.cumsum(told.n_cuts)[:-1])
    return _bins(Cuts(list(upper), n_bins), told.gaps)


def codes(x: Matrix, bins: Bins) -> Codes:
    """(k, n) the bins of a client's rows."""
    return quantiles.binned(_by_column(x), bins.cuts)


def ask(
    ctx: Context,
    server: Server,
    shape: tuple[int, int],
    n_bins: int,
    error: float,
    count_bits: int,
) -> Bins:
    """The arbiter's side. shape: rows of all parties, features. error: the rank of a cut may be off
    by so many times the rows.

    What a client that is lost on the way has counted stays in: to ask the same anew would show it.
    """
    n_rows, k = shape
    search = Search(k, n_bins, error)
    while (asked := search.next()) is not None:
        ctx.remote(Wire.query, CountQuery(asked.feature, asked.low, asked.bits, asked.width))  # (1)
        words = server.collect_words()  # (2)
        cells = (len(asked), 1 << asked.width)
        search.take(asked, _counts(ctx, words, count_bits, cells))
    nothing = np.empty(0, dtype=np.int32)
    ctx.remote(Wire.query, CountQuery(nothing, nothing.astype(np.uint64), 0, 0))
    cuts, gaps = search.cuts(), search.known < n_rows
    n_cuts = np.array([len(upper) for upper in cuts.upper], dtype=np.int32)
    ctx.remote(Wire.cuts, CommonCuts(n_cuts, np.concatenate(cuts.upper), gaps))  # (3)
    return _bins(cuts, gaps)


def _fit(told: CommonCuts, k: int, n_bins: int) -> bool:
    """Whether these are ascending cuts of k features."""
    n_cuts, upper, gaps = told.n_cuts, told.upper, told.gaps
    types = [a.dtype.name for a in (n_cuts, upper, gaps)] == ["int32", "float64", "bool"]
    if not types or not n_cuts.shape == gaps.shape == (k,) or upper.ndim != 1:
        return False
    whole = (n_cuts >= 1).all() and (n_cuts <= n_bins).all() and n_cuts.sum() == len(upper)
    whole = whole and np.isfinite(upper).all()
    parts = np.split(upper, np.cumsum(n_cuts)[:-1]) if whole else []
    return bool(whole and all((part[1:] > part[:-1]).all() for part in parts))


def _bins(cuts: Cuts, gaps: NDArray[np.bool_]) -> Bins:
    n_cuts = np.array([len(upper) for upper in cuts.upper])
    used = np.arange(cuts.n_bins + 1) < n_cuts[:, None]
    used[:, -1] = gaps
    return Bins(cuts, used)


def _by_column(x: Matrix) -> Any:
    return x.tocsc() if sparse.issparse(x) else x


def _images(x: Matrix, j: int) -> NDArray[np.uint64]:
    """The values of a column, ascending."""
    column = x[:, [j]].toarray().ravel() if sparse.issparse(x) else x[:, j]
    return np.sort(rank_search.images(column[~np.isnan(column)]))


def _checked(ctx: Context, told: CountQuery, k: int) -> Intervals:
    """The intervals asked for. Raises ProtocolViolation for impossible ones."""
    feature, low, bits, width = told.feature, told.low, told.bits, told.width
    fits = feature.dtype == np.int32 and low.dtype == np.uint64 and feature.shape == low.shape
    fits = fits and feature.ndim == 1 and 0 <= width <= bits <= rank_search.BITS
    fits = fits and len(feature) << width <= MAX_CELLS
    fits = fits and bool((feature >= 0).all() and (feature < k).all())
    if not (fits and (feature[1:] >= feature[:-1]).all()):
        raise ProtocolViolation(arbiter_of(ctx), Wire.query.name, "not intervals of these features")
    return Intervals(feature, low, bits, width)


def _counts(
    ctx: Context, words: Words, count_bits: int, cells: tuple[int, int]
) -> NDArray[np.int64]:
    m = cells[0] * cells[1]
    if len(words) != summable.n_words(m, count_bits):
        problem = f"{len(words)} numbers for {m} counts"
        raise ProtocolViolation(ctx.guest, secure_aggregation.Wire.masked.name, problem)
    return summable.unpacked(words, count_bits, m).reshape(cells)
