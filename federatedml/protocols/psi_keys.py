"""What is intersected: the sample ids, or the match ids where several samples may share one.

After an intersection of match ids the parties still hold different samples under one match id;
one party, the *generator*, tells the others its sample ids, and they take them over.

Parties  generator (guest, or the only host); the others.
Round    (1) generator -> others   its sample ids with the number of their match id among those
                                   in common; with a left join also its other samples
Trusts   nobody; the receivers know the match ids in common already.
Source   FATE 1.x, match id and sample_id_generator.
"""

from __future__ import annotations

import logging
import uuid
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from federatedml.component import Ctx
from federatedml.data import rows as data_rows
from federatedml.data.frame import Frame, RawTable
from federatedml.errors import BadData
from federatedml.protocols import psi
from federatedml.protocols.psi import BOTH, Rows
from federation import Message, Party
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

SAMPLES = pa.schema([("sample_id", pa.string()), ("number", pa.int64())])


class Wire:
    samples = Message[pa.Table](
        BOTH,
        BOTH,
        kind="plain",
        reveals="the generator's sample ids of the match ids in common; with left_join those of "
        "all its rows (opaque ones with new_sample_id)",
    )


@dataclass(frozen=True)
class Keys:
    """texts: (n,) distinct keys. by_key, starts: rows of key i are by_key[starts[i]:starts[i+1]],
    ascending by sample id. matched: the keys are match ids."""

    texts: pa.Array
    by_key: Rows
    starts: Rows
    matched: bool

    @classmethod
    def of(cls, data: Frame | RawTable, name: str) -> Keys:
        """Raises BadData for missing keys, and for sample ids that repeat."""
        match_ids = data.match_ids if isinstance(data, Frame) else None
        matched = match_ids is not None
        column: Any = match_ids if matched else data_rows.ids(data)
        if column.null_count:
            raise BadData(f"{name}: {column.null_count} rows have no id to match by")
        if not matched:
            if pc.count_distinct(column).as_py() != len(column):
                raise BadData(f"{name}: sample ids repeat; declare them as match ids instead")
            every = np.arange(len(column) + 1, dtype=np.int64)
            return cls(column, every[:-1], every, False)
        coded = column.dictionary_encode()
        codes = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        by_sample = psi.ascending(data_rows.ids(data), np.arange(len(codes), dtype=np.int64))
        by_key = by_sample[np.argsort(codes[by_sample], kind="stable")]
        counts = np.bincount(codes, minlength=len(coded.dictionary))
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return cls(coded.dictionary, by_key, starts, True)

    def take(self, rows: Rows) -> Keys:
        """Fewer keys. rows: (m,) of texts."""
        kept = self.texts.take(pa.array(rows))
        counts = self.counts[rows]
        starts = np.concatenate(([0], np.cumsum(counts))).astype(np.int64)
        return Keys(kept, self.samples(rows), starts, self.matched)

    @property
    def counts(self) -> Rows:
        """(n,) rows of each key."""
        return np.diff(self.starts)

    def samples(self, rows: Rows) -> Rows:
        """Rows of the data that have these keys, key after key."""
        counts = self.counts[rows]
        ends = np.cumsum(counts)
        within = np.arange(counts.sum()) - np.repeat(ends - counts, counts)
        chosen: Rows = self.by_key[np.repeat(self.starts[rows], counts) + within]
        return chosen


def own(data: Any, keys: Keys, common: Rows) -> Any:
    """This party's rows of the common keys, ascending by sample id."""
    rows = keys.samples(common)
    return data_rows.picked(data, psi.ascending(data_rows.ids(data), rows))


def generate(ctx: Ctx, frame: Frame, keys: Keys, common: Rows, *, left: bool, fresh: bool) -> Frame:
    """The generator's rows, and their sample ids sent to the others.

    common: (m,) keys in common, in the shared order. left: all rows, not only those in common.
    fresh: give the rows new sample ids.
    """
    rows = keys.samples(common)
    numbers = np.repeat(np.arange(len(common)), keys.counts[common])
    if left:
        rest = np.setdiff1d(np.arange(frame.n_rows), rows)
        rows = np.concatenate((rows, rest))
        numbers = np.concatenate((numbers, np.full(len(rest), -1)))
    names = _fresh(len(rows)) if fresh else frame.ids.take(pa.array(rows))
    table = pa.table({"sample_id": names.cast(pa.string()), "number": numbers}, schema=SAMPLES)
    peers = ctx.hosts if ctx.me == ctx.guest else (ctx.guest,)
    for peer in peers:
        ctx.remote(Wire.samples, table, to=peer)  # (1)
    order = psi.ascending(names, np.arange(len(rows), dtype=np.int64))
    return data_rows.renamed(frame.take(rows[order]), names.take(pa.array(order)))  # type: ignore[no-any-return]


def adopt(ctx: Ctx, frame: Frame, keys: Keys, common: Rows, generator: Party) -> Frame:
    """This party's rows under the generator's sample ids, in the shared order.

    Where this party has several rows of one match id, the first by sample id stands for all.
    Raises ProtocolViolation.
    """
    table = ctx.get(Wire.samples, source=generator)  # (1)
    numbers = _checked(table, len(common), generator)
    first = keys.by_key[keys.starts[common]]
    if repeated := int((keys.counts[common] > 1).sum()):
        LOG.warning("%d match ids have several rows here; the first is used", repeated)
    names = table.column("sample_id").combine_chunks()
    order = psi.ascending(names, np.arange(len(names), dtype=np.int64))
    rows = np.where(numbers < 0, -1, np.append(first, -1)[numbers])[order]
    return data_rows.renamed(data_rows.padded(frame, rows), names.take(pa.array(order)))  # type: ignore[no-any-return]


def _checked(table: pa.Table, n: int, generator: Party) -> Rows:
    name = Wire.samples.name
    if table.schema != SAMPLES or any(c.null_count for c in table.columns):
        raise ProtocolViolation(generator, name, "not sample ids with numbers")
    numbers: Rows = table.column("number").to_numpy().astype(np.int64)
    if len(numbers) and not (numbers.min() >= -1 and numbers.max() < n):
        raise ProtocolViolation(generator, name, "numbers out of range")
    if pc.count_distinct(table.column("sample_id")).as_py() != len(numbers):
        raise ProtocolViolation(generator, name, "sample ids repeat")
    return numbers


def _fresh(n: int) -> pa.Array:
    return pa.array([uuid.uuid4().hex for _ in range(n)], pa.string())
