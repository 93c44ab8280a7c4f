"""Tables at rest: a folder each, with one Arrow IPC file and its metadata as JSON.

``<root>/<namespace digest>/<name digest>/{data.arrow,meta.json}``. Digests keep any text usable
as a name and no name able to leave the root. A table is written beside its place and renamed
into it, so a reader sees all of it or nothing; opening maps the file and copies nothing.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shutil
import uuid
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pyarrow as pa

from eggroll.errors import StorageFull, TableExists, TableNotFound


class TableMeta(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a stored table without opening it.

    kind: what the columns mean: "raw" (text as uploaded), "instances", "predictions", "values".
    schema: free JSON of that kind (header, label name, ...), written by whoever made the table.
    """

    namespace: str
    name: str
    kind: str = "raw"
    count: int = 0
    partitions: int = 1
    schema: dict[str, Any] = {}


class StoredTable:
    """A table on disk, opened. Immutable; reading is zero-copy from the page cache."""

    def __init__(self, folder: Path, meta: TableMeta) -> None:
        self.folder, self.meta = folder, meta

    @property
    def count(self) -> int:
        return self.meta.count

    def arrow(self) -> pa.Table:
        """All rows, memory-mapped."""
        with pa.memory_map(str(self.folder / "data.arrow")) as source:
            return pa.ipc.open_file(source).read_all()

    def batches(self) -> Iterator[pa.RecordBatch]:
        """Record batches in stored order, one mapped at a time."""
        with pa.memory_map(str(self.folder / "data.arrow")) as source:
            reader = pa.ipc.open_file(source)
            for i in range(reader.num_record_batches):
                yield reader.get_batch(i)


class Storage:
    """The stored tables of one site."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def exists(self, namespace: str, name: str) -> bool:
        return (self._folder(namespace, name) / "meta.json").exists()

    def open(self, namespace: str, name: str) -> StoredTable:
        """Raises TableNotFound."""
        folder = self._folder(namespace, name)
        try:
            meta = msgspec.json.decode((folder / "meta.json").read_bytes(), type=TableMeta)
        except FileNotFoundError:
            raise TableNotFound(namespace, name) from None
        return StoredTable(folder, meta)

    def write(
        self,
        meta: TableMeta,
        schema: pa.Schema,
        batches: Iterable[pa.RecordBatch],
        *,
        replace: bool = False,
    ) -> StoredTable:
        """Store a stream of batches under ``meta``'s name; ``count`` is filled in.

        Raises TableExists unless ``replace``, StorageFull when the disk is full. Whatever is
        raised, also by ``batches``, nothing is left behind and an older table stays.
        """
        folder = self._folder(meta.namespace, meta.name)
        if not replace and self.exists(meta.namespace, meta.name):
            raise TableExists(meta.namespace, meta.name)
        draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        draft.mkdir(parents=True)
        try:
            count = 0
            with (
                pa.OSFile(str(draft / "data.arrow"), "wb") as sink,
                pa.ipc.new_file(sink, schema) as writer,
            ):
                for batch in batches:
                    writer.write_batch(batch)
                    count += batch.num_rows
            meta = msgspec.structs.replace(meta, count=count)
            (draft / "meta.json").write_bytes(msgspec.json.encode(meta))
            self._publish(draft, folder)
        except OSError as error:
            shutil.rmtree(draft, ignore_errors=True)
            if error.errno in (errno.ENOSPC, errno.EDQUOT):
                raise StorageFull(self.root) from error
            raise
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return StoredTable(folder, meta)

    def link(self, source: StoredTable, namespace: str, name: str) -> StoredTable:
        """The same rows under another name, without copying them."""
        folder = self._folder(namespace, name)
        meta = msgspec.structs.replace(source.meta, namespace=namespace, name=name)
        draft = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        draft.mkdir(parents=True)
        os.link(source.folder / "data.arrow", draft / "data.arrow")
        (draft / "meta.json").write_bytes(msgspec.json.encode(meta))
        self._publish(draft, folder)
        return StoredTable(folder, meta)

    def delete(self, namespace: str, name: str) -> bool:
        """Remove a table; whether there was one. Tables linked to it keep their rows."""
        folder = self._folder(namespace, name)
        if not folder.exists():
            return False
        grave = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
        folder.rename(grave)
        shutil.rmtree(grave, ignore_errors=True)
        return True

    def _folder(self, namespace: str, name: str) -> Path:
        return self.root / _digest(namespace) / _digest(name)

    def _publish(self, draft: Path, folder: Path) -> None:
        if folder.exists():
            grave = folder.with_name(f".{folder.name}.{uuid.uuid4().hex}")
            folder.rename(grave)
            draft.rename(folder)
            shutil.rmtree(grave, ignore_errors=True)
        else:
            draft.rename(folder)


def _digest(text: str) -> str:
    return hashlib.blake2b(text.encode(), digest_size=16).hexdigest()
