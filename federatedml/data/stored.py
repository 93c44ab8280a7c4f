"""Data to and from the site's stored tables, and the two forms in which users see them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eggroll.storage import Storage, StoredTable, TableMeta
from federatedml.data import layout, shown
from federatedml.data.frame import Data, RawTable


def save(
    tables: Storage,
    namespace: str,
    name: str,
    data: Data,
    *,
    replace: bool = False,
    partitions: int = 1,
) -> StoredTable:
    """Store data under a name; nothing is left behind if it fails.

    Raises eggroll's TableExists unless ``replace``, StorageFull when the disk is full.
    Cost: one sequential write of the columns as they lie in memory.
    """
    table = layout.to_arrow(data)
    meta = TableMeta(
        namespace=namespace,
        name=name,
        kind=layout.kind(data),
        partitions=partitions,
        schema=layout.schema_shown(data),
    )
    whole = table if isinstance(data, RawTable) else table.combine_chunks()
    return tables.write(meta, table.schema, whole.to_batches(), replace=replace)


def load(tables: Storage, namespace: str, name: str) -> Data:
    """The data of a stored table. Raises eggroll's TableNotFound."""
    return opened(tables.open(namespace, name))


def opened(stored: StoredTable) -> Data:
    """The data of an opened table; matrices and columns are views of the mapped file."""
    return layout.from_arrow(stored.arrow())


def preview(stored: StoredTable, limit: int = 100) -> dict[str, Any]:
    """``{"header": [...], "rows": [[...]]}`` of the first rows, as ``output/data`` shows them."""
    data = layout.from_arrow(stored.arrow().slice(0, max(limit, 0)))
    return {"header": shown.header(data), "rows": shown.rows(data)}


def export_csv(
    stored: StoredTable,
    path: Path | str,
    *,
    limit: int = -1,
    delimiter: str = ",",
    head: bool = True,
) -> int:
    """Write a table as CSV; returns how many rows. limit: -1 means all.

    Cells are joined as they are, without quoting: FATE's clients split at every delimiter.
    Cost: a few hundred nanoseconds a cell, memory of one block of rows.
    """
    table = stored.arrow()
    wanted = len(table) if limit < 0 else min(limit, len(table))
    empty = layout.from_arrow(table.slice(0, 0))
    step = shown.block_rows(empty)
    with Path(path).open("wb") as out:
        if head:
            out.write((delimiter.join(shown.header(empty)) + "\n").encode())
        for start in range(0, wanted, step):
            rows = table.slice(start, min(step, wanted - start))
            out.write(shown.csv_lines(layout.from_arrow(rows), delimiter))
    return wanted
