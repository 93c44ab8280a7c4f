"""Which rows make a batch, and what the hosts learn of it.

The guest draws the batches. With ``masked_rate`` r a host is told, in place of the batch of b
rows, a random superset of min(n, (1 + r) b) rows; for the rows that are not in the batch it will
receive encryptions of zero, so it cannot tell which rows are. Draws come from a stream keyed by
what only the guest has, its labels and features (``guest_key``): a seed from the configuration
would be known to the hosts, and with it the batches. The same data and settings give the same
batches and decoys, so a run can be repeated bit for bit, and a host that sees the same job twice
learns nothing from comparing supersets, as it would if the decoys were drawn anew.

A batch of no more rows than a host has features would let that host solve its gradient for the
residual, which tells the label, of every row. Hosts therefore say how many rows they need. Where
only the rest of the rows, the last batch, is too small, it joins the batch before it; where
batches are too small themselves, such a training is refused. A mask over drawn
batches is widened to that number instead, with a warning: it hides which rows are in the batch,
but a host can look for the solution with the most zeros. Over batches in the order of the rows
(without shuffle) a mask hides nothing, because the host can count.
"""

from __future__ import annotations

import hashlib
import logging
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.data.frame import Matrix
from federatedml.errors import BadData
from federation import Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

SAFE_RATIO = 3
"""Rows of a batch for each number that a host learns of its residuals. An exact sum of k numbers
of 30 bits fixes 22-bit residuals of up to about 2 k rows: lattice reduction finds them
(docs/security/hetero_lr.md)."""

Rows = NDArray[np.int64]


@codec.wire_struct
class BatchPlan(msgspec.Struct, frozen=True):
    """What a host is told once. sizes: rows in each batch of an iteration.

    renewed: whether batches change every iteration.
    """

    n_rows: int
    sizes: list[int]
    renewed: bool
    first_iteration: int

    @property
    def partial(self) -> bool:
        """Whether a batch is less than all rows, so that the host must be told which."""
        return self.sizes != [self.n_rows]

    def followed(self, n_rows: int, component: str) -> list[Rows]:
        """The rows of each batch before the guest tells any. Raises BadData for other data."""
        if n_rows != self.n_rows:
            raise BadData(
                f"{component}: guest and host hold different numbers of rows; train on the "
                "output of Intersection"
            )
        return [np.arange(n_rows, dtype=np.int64) for _ in self.sizes]


@codec.wire_struct
class Rounds(msgspec.Struct, frozen=True):
    """What the arbiter is told once. sizes: rows in each batch of an iteration."""

    sizes: list[int]
    first_iteration: int


@dataclass(frozen=True)
class Batch:
    """rows: (b,) of the batch. shown: (s,) sorted rows that hosts are shown, a superset.
    at: (b,) where in ``shown`` the rows are."""

    rows: Rows
    shown: Rows
    at: Rows


class Batches:
    """The guest's batches.

    n_rows: of the training data. least: how many numbers a host learns of a batch's residuals,
    plus one (its features, plus one). masked_rate: None where the component has no masks.
    sizes: rows in each batch of an iteration. whole: whether there is one batch of all rows.
    key: of the draws (``guest_key``); without one they cannot be repeated.
    Raises BadData if a batch is too small and cannot be masked.
    """

    def __init__(
        self,
        n_rows: int,
        batch_size: int,
        *,
        strategy: Literal["full", "random"] = "full",
        shuffle: bool = True,
        masked_rate: float | None = None,
        least: int = 0,
        key: bytes = b"",
    ) -> None:
        self.n_rows, self.strategy = n_rows, strategy
        needed = SAFE_RATIO * least
        self._draw = Draws(key or secrets.token_bytes(32))
        size = n_rows if batch_size == -1 else min(n_rows, batch_size)
        self.sizes = [size] if strategy == "random" else _sizes(n_rows, size, needed)
        self.whole = self.sizes == [n_rows]
        self._shuffle = shuffle and not self.whole
        rate, largest = 0.0 if self.whole else masked_rate or 0.0, max(self.sizes)
        self._shown = min(n_rows, max(round((1 + rate) * largest), needed)) if rate else 0
        self._check(least - 1, needed, can_mask=masked_rate is not None)

    def _check(self, n_features: int, needed: int, *, can_mask: bool) -> None:
        smallest = min(self.sizes)
        if smallest >= needed:
            return
        if self.whole:
            LOG.warning(
                "a host has %d features or more and there are only %d rows: from its gradients "
                "it could work out labels",
                n_features,
                self.n_rows,
            )
            return
        hidden = bool(self._shown) and self._drawn
        there = self._shown if hidden else smallest
        if there < needed:
            usual = self.sizes[0]
            last = f" (the last batch has {smallest} rows)" if smallest < usual else ""
            ways = ["batch_size -1"]
            if self.n_rows >= needed:
                ways.append(f"a batch_size of at least {needed}")
                ways += ["masked_rate > 0 with shuffle"] if can_mask else []
            raise BadData(
                f"batches of {usual} rows{last}: a host with {n_features} features could work out "
                f"labels; use {' or '.join(ways)}"
            )
        LOG.warning(
            "a host has %d features or more and a batch has %d rows among %d that are shown: by "
            "looking for sparse solutions it could work out labels; use a batch_size of at least "
            "%d, or -1",
            n_features,
            smallest,
            there,
            needed,
        )

    @property
    def renewed(self) -> bool:
        """Whether batches differ from iteration to iteration."""
        return not self.whole and (self._drawn or bool(self._shown))

    @property
    def _drawn(self) -> bool:
        """Whether batches are drawn, not cut in the order of the rows."""
        return self._shuffle or self.strategy == "random"

    def rounds(self, first_iteration: int) -> Rounds:
        return Rounds(self.sizes, first_iteration)

    def plan(self, first_iteration: int) -> BatchPlan:
        return BatchPlan(self.n_rows, self.sizes, self.renewed, first_iteration)

    def iteration(self) -> Iterator[Batch]:
        """The batches of the next iteration."""
        everything = np.arange(self.n_rows, dtype=np.int64)
        if self.whole:
            yield Batch(everything, everything, everything)
            return
        order = self._draw.permutation(self.n_rows) if self._drawn else everything
        start = 0
        for size in self.sizes:
            rows = np.sort(order[start : start + size])
            start += size
            shown = self._superset(rows) if self._shown else rows
            yield Batch(rows, shown, np.searchsorted(shown, rows))

    def _superset(self, rows: Rows) -> Rows:
        others = np.setdiff1d(np.arange(self.n_rows, dtype=np.int64), rows)
        extra = others[self._draw.permutation(len(others))[: self._shown - len(rows)]]
        return np.sort(np.concatenate([rows, extra]))


def _sizes(n_rows: int, size: int, needed: int) -> list[int]:
    """Rows in each batch; a rest below ``needed`` joins the last batch if that helps."""
    full, rest = divmod(n_rows, size)
    if 0 < rest < needed <= size:
        return [size] * (full - 1) + [size + rest]
    return [size] * full + ([rest] if rest else [])


class Draws:
    """Random orders and numbers from SHAKE-256 keyed by ``key``: the same key gives the same.

    key: 16 bytes or more, secret: whoever has it has every draw.
    """

    def __init__(self, key: bytes) -> None:
        self._key, self._count = key, 0

    def permutation(self, n: int) -> Rows:
        """A random order of 0..n-1, by sorting 64-bit numbers of the stream.

        Two of n numbers are equal with probability below n^2 / 2^65; ties keep their order.
        """
        return np.argsort(self._numbers(n), kind="stable").astype(np.int64)

    def picks(self, n: int, size: int) -> Rows:
        """(size,) random numbers of 0..n-1, repeats allowed; none is likelier by more than
        n / 2^64."""
        return (self._numbers(size) % np.uint64(n)).astype(np.int64)

    def _numbers(self, n: int) -> NDArray[np.uint64]:
        self._count += 1
        stream = hashlib.shake_256(self._key + self._count.to_bytes(8, "big")).digest(8 * n)
        return np.frombuffer(stream, dtype="<u8")


def guest_key(x: Matrix, y: NDArray[Any], *settings: object) -> bytes:
    """A key for ``Draws`` that only who holds the rows can make: a digest of all of them.

    x: (n, k) features, y: (n,) labels. settings: whatever must give other draws when it changes.
    Returns 32 bytes, as hard to guess as the guest's data.
    """
    digest = hashlib.blake2b(repr(settings).encode(), digest_size=32)
    parts = [x] if isinstance(x, np.ndarray) else [x.indptr, x.indices, x.data]
    for part in (*parts, y):
        digest.update(np.ascontiguousarray(part).tobytes())
    return digest.digest()


def checked_rows(rows: Rows, n_rows: int, peer: Party, message: Message[Rows]) -> Rows:
    """Row numbers that a peer sent, if all are rows of ours. Raises ProtocolViolation."""
    if rows.ndim != 1 or not len(rows) or rows.min() < 0 or rows.max() >= n_rows:
        raise ProtocolViolation(peer, message.name, f"no rows of a table of {n_rows}")
    return rows
