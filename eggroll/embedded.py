"""The embedded engine: partitions in this process, big work in a warm pool beside it.

Small tables never leave the driver (the inline rule): most tables of a protocol's iterations are
a few rows, and a process hop would cost more than the work. Arrow, dense and csr partitions above
a threshold are parked as Arrow IPC files in the session's folder and mapped back by whoever works
on them; Python objects stay in memory. Closing the engine removes the folder.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import cloudpickle
import numpy as np

from eggroll import merging
from eggroll.blocks import Block, concatenated, park, unpark
from eggroll.engine import Duplicates, Handle, How, Kernel, ZipKernel
from eggroll.errors import EggrollError
from eggroll.partition import partitions

INLINE_ROWS = 2_000
INLINE_BYTES = 1 << 20
PARK_BYTES = 1 << 20
PARKABLE = frozenset({"arrow", "dense", "csr"})


class EngineClosed(EggrollError, RuntimeError):
    def __init__(self) -> None:
        super().__init__("this session's engine is closed")


@dataclass(frozen=True)
class Held:
    """A partition in memory."""

    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Parked:
    """A partition in a file of the session's folder."""

    path: str


Partition = Held | Parked


class Embedded:
    """The default engine. ``workers``: size of the pool; 0 runs everything inline."""

    name = "embedded"

    def __init__(self, folder: Path | None = None, workers: int | None = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="eggroll-", dir=folder))
        self.workers = (os.cpu_count() or 1) if workers is None else workers
        self._pool: ProcessPoolExecutor | None = None
        self._closed = False
        self._inline = self._pooled = self._parked = 0

    def put(
        self, blocks: Iterable[Block], n_partitions: int, duplicates: Duplicates = "last"
    ) -> Handle:
        return self._spread(list(blocks), n_partitions, duplicates)

    def get(self, handle: Handle, partition: int) -> Iterator[Block]:
        yield from _blocks(handle.partitions[partition])

    def drop(self, handle: Handle) -> None:
        for held in handle.partitions:
            if isinstance(held, Parked):
                Path(held.path).unlink(missing_ok=True)

    def map_blocks(self, handle: Handle, kernel: Kernel, *, keeps_keys: bool) -> Handle:
        results = self._run(handle, partial(_map_one, kernel))
        return self._handle(results, handle.partitioned and keeps_keys)

    def shuffle(self, handle: Handle, n_partitions: int, duplicates: Duplicates = "last") -> Handle:
        blocks = [block for held in handle.partitions for block in _blocks(held)]
        return self._spread(blocks, n_partitions, duplicates)

    def zip_sorted(
        self, left: Handle, right: Handle, kernel: ZipKernel, how: How = "inner"
    ) -> Handle:
        left, right = self._aligned(left, right)
        pairs = [
            (_one_block(a), _one_block(b))
            for a, b in zip(left.partitions, right.partitions, strict=True)
        ]
        size = sum(a.nbytes + b.nbytes for a, b in pairs)
        work = partial(_zip_one, kernel, how)
        results = self._each(work, list(enumerate(pairs)), left.count + right.count, size)
        return self._handle(results, partitioned=True)

    def aggregate(
        self, handle: Handle, kernel: Callable[[int, list[Block]], Any], merge: Callable[..., Any]
    ) -> Any:
        filled = [i for i, n in enumerate(handle.counts) if n]
        results = self._run(handle, partial(_apply_one, kernel), filled)
        folded = None
        for i, result in enumerate(results):
            folded = result if i == 0 else merge(folded, result)
        return folded

    def broadcast(self, value: Any) -> str:
        content = cloudpickle.dumps(value)
        digest = hashlib.blake2b(content, digest_size=16).hexdigest()
        _BROADCAST[str(self.folder / digest)] = value
        path = self.folder / f"{digest}.broadcast"
        if not path.exists():
            path.write_bytes(content)
        return str(self.folder / digest)

    def fetch(self, digest: str) -> Any:
        return fetch(digest)

    def stats(self) -> dict[str, int]:
        return {"inline": self._inline, "pooled": self._pooled, "parked_bytes": self._parked}

    def close(self) -> None:
        self._closed = True
        if self._pool:
            self._pool.shutdown(cancel_futures=True)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _run(self, handle: Handle, work: Any, chosen: list[int] | None = None) -> list[Any]:
        indices = range(len(handle.partitions)) if chosen is None else chosen
        items = [(i, handle.partitions[i]) for i in indices]
        size = sum(_nbytes(held) for _, held in items)
        return self._each(work, items, handle.count, size)

    def _each(self, work: Any, items: list[Any], rows: int, size: int) -> list[Any]:
        """Work on each item: here if small, else in the pool; results in order either way."""
        if self._closed:
            raise EngineClosed
        small = rows < INLINE_ROWS and size < INLINE_BYTES
        if small or self.workers == 0 or len(items) < 2:
            self._inline += len(items)
            return [work(item) for item in items]
        self._pooled += len(items)
        content = cloudpickle.dumps(work)
        futures = [self._executor().submit(_in_worker, content, item) for item in items]
        return [future.result() for future in futures]

    def _executor(self) -> ProcessPoolExecutor:
        if self._pool is None:
            context = get_context("forkserver")
            context.set_forkserver_preload(["eggroll.embedded"])
            self._pool = ProcessPoolExecutor(self.workers, mp_context=context)
        return self._pool

    def _spread(self, blocks: list[Block], n_partitions: int, duplicates: Duplicates) -> Handle:
        """Hash, split, and sort: the shuffle, also of data that comes in."""
        split: list[list[Block]] = [[] for _ in range(n_partitions)]
        for block in blocks:
            target = partitions(block.keys, n_partitions)
            for p in np.unique(target):
                rows = np.flatnonzero(target == p)
                split[p].append(block if len(rows) == len(block) else block.take(rows))
        sorted_ = [merging.sorted_block(part, duplicates) for part in split]
        return self._handle([[b] if len(b) else [] for b in sorted_], partitioned=True)

    def _aligned(self, left: Handle, right: Handle) -> tuple[Handle, Handle]:
        """Both by partitioner h1 with one P: that of the table with more bytes."""
        if not left.partitioned:
            left = self.shuffle(left, len(left.partitions))
        if not right.partitioned:
            right = self.shuffle(right, len(right.partitions))
        if len(left.partitions) == len(right.partitions):
            return left, right
        weights = [sum(map(_nbytes, handle.partitions)) for handle in (left, right)]
        if weights[0] >= weights[1]:
            return left, self.shuffle(right, len(left.partitions))
        return self.shuffle(left, len(right.partitions)), right

    def _handle(self, results: list[list[Block]], partitioned: bool) -> Handle:
        counts = tuple(sum(map(len, blocks)) for blocks in results)
        return Handle(tuple(self._kept(blocks) for blocks in results), counts, partitioned)

    def _kept(self, blocks: list[Block]) -> Partition:
        size = sum(block.nbytes for block in blocks)
        parkable = {block.kind for block in blocks} <= PARKABLE
        if size < PARK_BYTES or not parkable or not _one_schema(blocks):
            return Held(tuple(blocks))
        path = self.folder / f"{uuid.uuid4().hex}.arrow"
        park(path, blocks)
        self._parked += size
        return Parked(str(path))


_BROADCAST: dict[str, Any] = {}


def fetch(digest: str) -> Any:
    """A broadcast value by what ``broadcast`` returned; read once per process."""
    if digest not in _BROADCAST:
        _BROADCAST[digest] = cloudpickle.loads(Path(f"{digest}.broadcast").read_bytes())
    return _BROADCAST[digest]


def _in_worker(content: bytes, item: Any) -> Any:
    return cloudpickle.loads(content)(item)


def _map_one(kernel: Kernel, item: tuple[int, Partition]) -> list[Block]:
    index, held = item
    return [block for block in kernel(index, _blocks(held)) if len(block)]


def _apply_one(kernel: Callable[[int, list[Block]], Any], item: tuple[int, Partition]) -> Any:
    return kernel(item[0], _blocks(item[1]))


def _zip_one(kernel: ZipKernel, how: How, item: tuple[int, tuple[Block, Block]]) -> list[Block]:
    index, (left, right) = item
    left_rows, right_rows = merging.matches(left.keys, right.keys, how)
    if not len(left_rows):
        return []
    return [block for block in kernel(index, left, right, left_rows, right_rows) if len(block)]


def _blocks(held: Partition) -> list[Block]:
    return list(held.blocks) if isinstance(held, Held) else unpark(Path(held.path))


def _one_block(held: Partition) -> Block:
    blocks = _blocks(held)
    return concatenated(blocks) if blocks else Block([], [])


def _nbytes(held: Partition) -> int:
    if isinstance(held, Parked):
        return Path(held.path).stat().st_size
    return sum(block.nbytes for block in held.blocks)


def _one_schema(blocks: list[Block]) -> bool:
    """Whether the blocks fit one Arrow file."""
    shapes = {
        (b.kind, str(b.values.schema) if b.kind == "arrow" else str(b.values.dtype)) for b in blocks
    }
    return len(shapes) == 1
