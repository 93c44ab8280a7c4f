"""A block: an immutable batch of rows, keys ascending, values of one kind.

arrow    a record batch: any columns
dense    (n, k) numbers
csr      (n, k) sparse numbers
cipher   (n, width) bytes: ciphertexts of one scheme under one key
pyobj    a list of Python objects, never leaving the process group: what row functions see
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from scipy import sparse

from eggroll import keys as encoding

Rows = NDArray[np.int64]


@dataclass(frozen=True)
class Ciphers:
    """(n, width) ciphertext bytes, with what says which key can open them."""

    scheme: str
    key_digest: str
    data: NDArray[np.uint8]


Values = Any
"""pa.RecordBatch, array, csr_matrix, Ciphers or list: pyarrow is untyped, so the union is too."""


@dataclass(frozen=True)
class Block:
    """keys: (n,) encoded keys (``eggroll.keys``), ascending; values: n rows of one kind."""

    keys: list[bytes]
    values: Values

    def __len__(self) -> int:
        return len(self.keys)

    @property
    def kind(self) -> str:
        return kind_of(self.values)

    @property
    def nbytes(self) -> int:
        """Roughly what the block takes; Python objects are counted as 200 bytes each."""
        values: Any = self.values
        if isinstance(values, list):
            return 200 * len(values)
        if isinstance(values, Ciphers):
            return int(values.data.nbytes)
        if isinstance(values, sparse.csr_matrix):
            return int(values.data.nbytes + values.indices.nbytes + values.indptr.nbytes)
        return int(values.nbytes)

    def take(self, rows: Rows) -> Block:
        return Block([self.keys[i] for i in rows], take(self.values, rows))

    def pairs(self) -> Iterator[tuple[Any, Any]]:
        """Rows as (key, value) Python objects: the slow path of row functions."""
        return zip(map(encoding.decode, self.keys), row_values(self.values), strict=True)

    def pairs_encoded(self) -> Iterator[tuple[bytes, Any]]:
        """Rows with their keys as stored."""
        return zip(self.keys, row_values(self.values), strict=True)


def kind_of(values: Values) -> str:
    """How a block holds its values: pyobj, cipher, arrow, csr or dense."""
    if isinstance(values, list):
        return "pyobj"
    if isinstance(values, Ciphers):
        return "cipher"
    if isinstance(values, pa.RecordBatch):
        return "arrow"
    return "csr" if isinstance(values, sparse.csr_matrix) else "dense"


def take(values: Values, rows: Rows) -> Values:
    """These rows of any kind, in this order."""
    if isinstance(values, list):
        return [values[i] for i in rows]
    if isinstance(values, Ciphers):
        return Ciphers(values.scheme, values.key_digest, values.data[rows])
    if isinstance(values, pa.RecordBatch):
        return values.take(pa.array(rows))
    return values[rows]


def row_values(values: Values) -> Iterator[Any]:
    """Each row's value: a dict of an arrow row, an array of a dense one, bytes of a cipher."""
    if isinstance(values, pa.RecordBatch):
        return iter(values.to_pylist())
    if isinstance(values, Ciphers):
        return iter([row.tobytes() for row in values.data])
    return iter(values)


def concatenated(blocks: Sequence[Block]) -> Block:
    """One block of all rows in order; blocks of different kinds become Python objects."""
    if len(blocks) == 1:
        return blocks[0]
    all_keys = [key for block in blocks for key in block.keys]
    kinds = {block.kind for block in blocks}
    parts: list[Any] = [block.values for block in blocks]
    if kinds == {"dense"}:
        return Block(all_keys, np.concatenate(parts))
    if kinds == {"csr"}:
        return Block(all_keys, sparse.csr_matrix(sparse.vstack(parts)))
    if kinds == {"arrow"} and len({part.schema for part in parts}) == 1:
        return Block(all_keys, pa.Table.from_batches(parts).combine_chunks().to_batches()[0])
    if kinds == {"cipher"} and len({(p.scheme, p.key_digest) for p in parts}) == 1:
        data = np.concatenate([part.data for part in parts])
        return Block(all_keys, Ciphers(parts[0].scheme, parts[0].key_digest, data))
    return Block(all_keys, [value for part in parts for value in row_values(part)])


def park(path: Path, blocks: Sequence[Block]) -> None:
    """Write arrow, dense or csr blocks as one Arrow IPC file, to be mapped back by ``unpark``."""
    with pa.OSFile(str(path), "wb") as sink:
        writer = None
        for block in blocks:
            batch = _as_batch(block)
            if writer is None:
                writer = pa.ipc.new_file(sink, batch.schema)
            writer.write_batch(batch)
        assert writer is not None, "an empty partition is never parked"
        writer.close()


def unpark(path: Path) -> list[Block]:
    """The blocks back; dense values are views of the mapped file."""
    with pa.memory_map(str(path)) as source:
        reader = pa.ipc.open_file(source)
        return [_from_batch(reader.get_batch(i)) for i in range(reader.num_record_batches)]


_KEY = "__key"


def _as_batch(block: Block) -> pa.RecordBatch:
    keys = pa.array(block.keys, pa.large_binary())
    values: Any = block.values
    if block.kind == "arrow":
        meta, columns, names = {"kind": "arrow"}, values.columns, values.schema.names
    elif block.kind == "dense":
        meta = {"kind": "dense", "shape": ",".join(map(str, values.shape[1:]))}
        width = int(np.prod(values.shape[1:], dtype=np.int64))
        flat = pa.array(np.ascontiguousarray(values).reshape(-1))
        columns, names = [pa.FixedSizeListArray.from_arrays(flat, width)], ["x"]
    else:
        meta = {"kind": "csr", "shape": str(values.shape[1])}
        offsets = pa.array(values.indptr.astype(np.int64))
        columns = [
            pa.LargeListArray.from_arrays(offsets, pa.array(values.indices)),
            pa.LargeListArray.from_arrays(offsets, pa.array(values.data)),
        ]
        names = ["indices", "data"]
    batch = pa.RecordBatch.from_arrays([keys, *columns], [_KEY, *names])
    return batch.replace_schema_metadata(meta)


def _from_batch(batch: pa.RecordBatch) -> Block:
    meta = {k.decode(): v.decode() for k, v in batch.schema.metadata.items()}
    keys = batch.column(0).to_pylist()
    if meta["kind"] == "arrow":
        return Block(keys, batch.select(batch.schema.names[1:]).replace_schema_metadata(None))
    if meta["kind"] == "dense":
        shape = tuple(int(n) for n in meta["shape"].split(",") if n)
        return Block(keys, batch.column(1).flatten().to_numpy().reshape(len(keys), *shape))
    indices, data = batch.column(1), batch.column(2)
    parts = (data.flatten().to_numpy(), indices.flatten().to_numpy(), indices.offsets.to_numpy())
    return Block(keys, sparse.csr_matrix(parts, shape=(len(keys), int(meta["shape"]))))
