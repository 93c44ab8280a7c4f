"""What a table engine must do: eight primitives over partitions of blocks.

``Table`` is written once on these; an engine (embedded today, a cluster later) implements them
and passes ``tests/conformance/test_engine.py``. Results do not depend on the engine, nor on how
many workers it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, Protocol

from eggroll.blocks import Block, Rows

Kernel = Callable[[int, list[Block]], list[Block]]
"""(partition index, its blocks) to new blocks. Pure; may run in another process."""

ZipKernel = Callable[[int, Block, Block, Rows, Rows], list[Block]]
"""(partition, left, right, left rows, right rows) with keys merged to row numbers; -1: none."""

How = Literal["inner", "left", "outer", "anti"]
Duplicates = Literal["last", "error"]


@dataclass(frozen=True)
class Handle:
    """A table as the driver sees it: opaque partitions, and what is known of them.

    partitioned: rows lie where partitioner h1 puts their keys. If not, joins shuffle first.
    """

    partitions: tuple[Any, ...]
    counts: tuple[int, ...]
    partitioned: bool = True

    @property
    def count(self) -> int:
        return sum(self.counts)


class Engine(Protocol):
    name: str

    def put(self, blocks: Iterable[Block], n_partitions: int, duplicates: Duplicates) -> Handle:
        """Spread rows over partitions by key, sorted; of equal keys the last wins, or an error."""

    def get(self, handle: Handle, partition: int) -> Iterator[Block]:
        """A partition's blocks on the driver, keys ascending."""

    def drop(self, handle: Handle) -> None:
        """Free what the partitions hold."""

    def map_blocks(self, handle: Handle, kernel: Kernel, *, keeps_keys: bool) -> Handle:
        """Every partition through a kernel, in parallel where it pays."""

    def shuffle(self, handle: Handle, n_partitions: int, duplicates: Duplicates) -> Handle:
        """Rows to the partitions of their keys; duplicates in (partition, row) order."""

    def zip_sorted(self, left: Handle, right: Handle, kernel: ZipKernel, how: How) -> Handle:
        """Merge co-partitioned tables on their keys; the smaller is shuffled if need be."""

    def aggregate(
        self, handle: Handle, kernel: Callable[[int, list[Block]], Any], merge: Callable[..., Any]
    ) -> Any:
        """Fold the kernel's results of non-empty partitions in partition order; None if none."""

    def broadcast(self, value: Any) -> str:
        """Make a value known to every worker once; kernels fetch it by the returned digest."""

    def fetch(self, digest: str) -> Any:
        """A broadcast value, on whichever side of the engine this runs."""

    def stats(self) -> dict[str, int]:
        """Kernels run inline and in the pool, bytes parked."""

    def close(self) -> None:
        """End the workers and remove the session's files."""
