"""A session: where a task's tables live, and how they begin."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from types import TracebackType
from typing import Any

import pyarrow as pa

from eggroll import keys, rowwise
from eggroll.blocks import Block
from eggroll.embedded import Embedded
from eggroll.engine import Engine
from eggroll.storage import StoredTable
from eggroll.table import Table


class Session:
    """Owns an engine; closing it frees every table made here.

    >>> with Session(workers=0) as session:
    ...     ages = session.parallelize([("ann", 41), ("bob", 7)])
    ...     dict(ages.map_values(lambda age: age + 1).collect())
    {'ann': 42, 'bob': 8}
    """

    def __init__(
        self,
        folder: Path | None = None,
        *,
        workers: int | None = None,
        engine: Engine | None = None,
    ) -> None:
        self.engine: Engine = engine or Embedded(folder, workers)

    def parallelize(
        self, data: Iterable[Any], partition: int = 2, include_key: bool = True
    ) -> Table[Any]:
        """A table of (key, value) rows, or of values under keys 0..n-1."""
        rows = data if include_key else enumerate(data)
        return Table(self.engine, self.engine.put([rowwise.block_of(rows)], partition, "last"))

    def load(self, stored: StoredTable, partition: int = 2) -> Table[Any]:
        """A stored table by its first column, a text key; the other columns are the value."""
        blocks = [_block(batch) for batch in stored.batches()]
        handle = self.engine.put(blocks, partition, "last")
        return Table(self.engine, handle, dict(stored.meta.schema))

    def close(self) -> None:
        self.engine.close()

    def __enter__(self) -> Session:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _block(batch: pa.RecordBatch) -> Block:
    encoded = keys.encode_texts(batch.column(0)).to_pylist()
    return Block(encoded, batch.select(batch.schema.names[1:]))
