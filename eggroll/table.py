"""The table that programs hold: immutable, partitioned, sorted by key, with EggRoll's verbs.

Row functions see Python objects, one row at a time; algorithms that care about speed use
``map_blocks`` instead. Chains of ``map_values`` and ``filter`` are recorded and run in one pass
at the next verb that needs rows.

Order is defined: partitions in turn, in each by encoded key; the same for every engine.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain, islice, pairwise
from typing import Any, Generic, TypeVar

import numpy as np

from eggroll import rowwise
from eggroll.blocks import Block, concatenated
from eggroll.engine import Duplicates, Engine, Handle, Kernel
from eggroll.errors import EggrollError

V = TypeVar("V")
U = TypeVar("U")
W = TypeVar("W")


class EmptyTable(EggrollError, RuntimeError):
    def __init__(self, verb: str) -> None:
        super().__init__(f"{verb}: the table has no rows")


@dataclass(frozen=True)
class Table(Generic[V]):
    """Rows of (key, value). ``schema`` is a free dictionary that value-preserving verbs keep."""

    engine: Engine
    handle: Handle
    schema: dict[str, Any] = field(default_factory=dict)
    pending: tuple[rowwise.Step, ...] = ()

    @property
    def partitions(self) -> int:
        return len(self.handle.partitions)

    def map_values(self, function: Callable[[V], W]) -> Table[W]:
        """Each value replaced; keys, partitions and order stay."""
        step = rowwise.Step("map_values", function)
        return Table(self.engine, self.handle, {}, (*self.pending, step))

    def filter(self, keep: Callable[[Any, V], bool]) -> Table[V]:
        """Rows for which ``keep(key, value)``."""
        return replace(self, pending=(*self.pending, rowwise.Step("filter", keep)))

    def map(self, function: Callable[[Any, V], tuple[Any, W]]) -> Table[W]:
        """Each row to one row, placed by its new key. Of equal new keys the last wins."""
        return self._rekeyed(partial(rowwise.map_rows, function))

    def flat_map(self, function: Callable[[Any, V], Iterable[tuple[Any, W]]]) -> Table[W]:
        """Each row to any number of rows. Of equal new keys the last wins."""
        return self._rekeyed(partial(rowwise.flat_map_rows, function))

    def map_partitions(
        self,
        function: Callable[[Iterator[tuple[Any, V]]], Any],
        use_previous_behavior: bool = True,
        preserves_partitioning: bool = False,
    ) -> Table[Any]:
        """A partition's rows to new rows; by default FATE's older meaning, `apply_partitions`.

        preserves_partitioning: rows stay where they are even if their keys changed; a later
        join notices and shuffles.
        """
        if use_previous_behavior:
            return self.apply_partitions(function)
        kernel = partial(rowwise.map_partition, function)
        if preserves_partitioning:
            return self._mapped(kernel, keeps_keys=False)
        return self._rekeyed(kernel)

    def map_partitions_with_index(
        self,
        function: Callable[[int, Iterator[tuple[Any, V]]], Iterable[tuple[Any, W]]],
        preserves_partitioning: bool = False,
    ) -> Table[W]:
        """Any rows from each partition as a whole, the function also given its number from 0."""
        kernel = partial(rowwise.map_partition_with_index, function)
        if preserves_partitioning:
            return self._mapped(kernel, keeps_keys=False)
        return self._rekeyed(kernel)

    def map_reduce_partitions(
        self,
        mapper: Callable[[Iterator[tuple[Any, V]]], Iterable[tuple[Any, W]]],
        reducer: Callable[[W, W], W],
    ) -> Table[W]:
        """Rows that the mapper gives for each partition, values of one key merged."""
        local = self._mapped(partial(rowwise.map_reduce, mapper, reducer), keeps_keys=False)
        merged = rowwise.merged(local.collect(), reducer)
        return self._like(merged, self.partitions)

    def apply_partitions(self, function: Callable[[Iterator[tuple[Any, V]]], W]) -> Table[W]:
        """One row per non-empty partition: its greatest key, and what the function returns."""
        return self._mapped(partial(rowwise.apply_partition, function), keeps_keys=True)

    def glom(self) -> Table[list[tuple[Any, V]]]:
        """One row per non-empty partition: its rows as a list."""
        return self.apply_partitions(list)

    def join(self, other: Table[U], combine: Callable[[V, U], W]) -> Table[W]:
        """Rows whose key is in both, valued ``combine(mine, theirs)``."""
        joined = self._zipped(other, partial(rowwise.join_rows, combine), "inner")
        return replace(joined, schema=self.schema)

    def left_join(self, other: Table[U], combine: Callable[[V, U | None], W]) -> Table[W]:
        """All my rows; ``combine(mine, None)`` where the other has none."""
        return self._zipped(other, partial(rowwise.join_rows, combine), "left")

    def union(self, other: Table[V], combine: Callable[[V, V], V] | None = None) -> Table[V]:
        """All keys of both; of a key in both ``combine(mine, theirs)``, by default mine."""
        united = self._zipped(other, partial(rowwise.union_rows, combine), "outer")
        return replace(united, schema=self.schema if self.schema == other.schema else {})

    def subtract_by_key(self, other: Table[Any]) -> Table[V]:
        """My rows whose key the other does not have, values untouched."""
        return replace(self._zipped(other, rowwise.left_rows, "anti"), schema=self.schema)

    def reduce(self, function: Callable[[V, V], V]) -> V | None:
        """Values folded in order; the function must be associative. None if there are no rows.

        Partitions are folded in order, so float sums are the same on every run.
        """
        done = self._done()
        kernel = partial(rowwise.reduce_partition, function)
        return done.engine.aggregate(done.handle, kernel, function)  # type: ignore[no-any-return]

    def collect(self) -> Iterator[tuple[Any, V]]:
        """All rows in order."""
        done = self._done()
        return chain.from_iterable(
            block.pairs() for p in range(done.partitions) for block in done._blocks(p)
        )

    def take(self, n: int = 1) -> list[tuple[Any, V]]:
        """The first rows of ``collect``, up to n >= 1."""
        if n <= 0:
            raise ValueError(f"take: n must be at least 1, got {n}")
        return list(islice(self.collect(), n))

    def first(self) -> tuple[Any, V]:
        """Raises EmptyTable if there is none."""
        found = next(self.collect(), None)
        if found is None:
            raise EmptyTable("first")
        return found

    def count(self) -> int:
        return self._done().handle.count

    def sample(
        self,
        *,
        fraction: float | None = None,
        num: int | None = None,
        seed: int | None = None,
    ) -> Table[V]:
        """Rows at random: each with probability ``fraction``, or exactly ``num`` of them.

        The draw depends on the seed and the rows' order only. Raises ValueError if neither or
        more rows than there are is asked for.
        """
        done, generator = self._done(), np.random.default_rng(seed)
        total = done.handle.count
        if num is not None:
            if not 0 <= num <= total:
                raise ValueError(f"sample: num must be 0 to {total}, got {num}")
            chosen = np.zeros(total, bool)
            chosen[generator.choice(total, num, replace=False)] = True
        elif fraction is not None:
            chosen = generator.random(total) < fraction
        else:
            raise ValueError("sample: give fraction or num")
        return replace(done._picked(chosen), schema=self.schema)

    def copy(self) -> Table[V]:
        """The same rows: tables are immutable, so nothing is copied."""
        return replace(self)

    def map_blocks(self, kernel: Kernel, *, keeps_keys: bool = True) -> Table[Any]:
        """The fast way: a pure function from a partition's blocks to blocks."""
        return self._mapped(kernel, keeps_keys=keeps_keys)

    def blocks(self, partition: int) -> Block:
        """A partition as one block on the driver."""
        done = self._done()
        found = list(done._blocks(partition))
        return concatenated(found) if found else Block([], [])

    def destroy(self) -> None:
        self.engine.drop(self.handle)

    def _done(self) -> Table[V]:
        """This table with its recorded steps run, in one pass."""
        if not self.pending:
            return self
        kernel = partial(rowwise.run_steps, self.pending)
        handle = self.engine.map_blocks(self.handle, kernel, keeps_keys=True)
        return Table(self.engine, handle, self.schema)

    def _blocks(self, partition: int) -> Iterator[Block]:
        return self.engine.get(self.handle, partition)

    def _mapped(self, kernel: Kernel, *, keeps_keys: bool) -> Table[Any]:
        done = self._done()
        return Table(
            done.engine, done.engine.map_blocks(done.handle, kernel, keeps_keys=keeps_keys)
        )

    def _rekeyed(self, kernel: Kernel, duplicates: Duplicates = "last") -> Table[Any]:
        moved = self._mapped(kernel, keeps_keys=False)
        handle = self.engine.shuffle(moved.handle, self.partitions, duplicates)
        return Table(self.engine, handle)

    def _zipped(self, other: Table[Any], kernel: Any, how: Any) -> Table[Any]:
        left, right = self._done(), other._done()
        return Table(self.engine, self.engine.zip_sorted(left.handle, right.handle, kernel, how))

    def _picked(self, chosen: np.ndarray) -> Table[V]:
        starts = np.concatenate([[0], np.cumsum(self.handle.counts)])
        wanted = [np.flatnonzero(chosen[a:b]) for a, b in pairwise(starts)]
        kernel = partial(rowwise.pick_rows, wanted)
        return Table(self.engine, self.engine.map_blocks(self.handle, kernel, keeps_keys=True))

    def _like(self, rows: Iterable[tuple[Any, Any]], partitions: int) -> Table[Any]:
        block = rowwise.block_of(rows)
        return Table(self.engine, self.engine.put([block], partitions, "last"))
