"""The closed codec of everything between parties: registered types only, never a pickle.

Format ``d1``: MessagePack, in which four things are extensions: numpy arrays of allowed dtypes,
integers beyond 64 bits, tuples and sets, and instances of registered types (as their fields).
An unknown type is refused at the sender; unknown, oversized or malformed input is refused at the
receiver with ``Malformed``, before any memory is taken for it.
"""

from __future__ import annotations

import typing
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec
import numpy as np
import pyarrow as pa
from scipy import sparse

from federation.errors import FederationError, UndeclaredType
from federation.message import conforms

C = TypeVar("C")

MAX_DEPTH = 32
_ARRAY, _BIGINT, _TUPLE, _SET, _STRUCT, _ARROW, _CSR = range(1, 8)
_DTYPES = frozenset(["|b1", "|i1", "|u1", "<i2", "<u2", "<i4", "<u4", "<i8", "<u8", "<f4", "<f8"])


_FAULTS = (
    msgspec.DecodeError,
    pa.ArrowException,
    ArithmeticError,
    AttributeError,
    LookupError,
    OSError,  # Arrow's word for a stream that is none
    RecursionError,
    TypeError,
    ValueError,
)
"""What bytes that ``encode`` did not produce can set off."""


class Malformed(FederationError, ValueError):
    def __init__(self, problem: str) -> None:
        super().__init__(f"malformed payload: {problem}")


@dataclass(frozen=True)
class _Registered:
    type_id: str
    cls: type
    fields: Callable[[Any], Any]
    build: Callable[[Any], Any]


_BY_CLASS: dict[type, _Registered] = {}
_BY_ID: dict[str, _Registered] = {}


def register(
    type_id: str, cls: type[C], fields: Callable[[C], Any], build: Callable[[Any], C]
) -> None:
    """Let instances of ``cls`` cross a border, as ``fields(value)`` under ``type_id``.

    ``build`` must check what it gets: its input comes from another party.
    """
    taken = _BY_ID[type_id].cls if type_id in _BY_ID else cls
    if (taken.__module__, taken.__qualname__) != (cls.__module__, cls.__qualname__):
        raise ValueError(f"codec type id {type_id!r} is taken by {taken}")
    entry = _Registered(type_id, cls, fields, build)
    _BY_CLASS[cls] = _BY_ID[type_id] = entry


def wire_struct(cls: type[C]) -> type[C]:
    """Class decorator: a ``msgspec.Struct`` that may cross a border, validated on arrival."""
    names = cls.__struct_fields__  # type: ignore[attr-defined]
    declared: dict[str, Any] = {}

    def build(values: Any) -> C:
        if not isinstance(values, list) or len(values) != len(names):
            raise Malformed(f"{cls.__name__} takes {len(names)} fields")
        if not declared:  # now that the module of the class is whole
            declared.update(typing.get_type_hints(cls, include_extras=True))
        for name, value in zip(names, values, strict=True):
            if not conforms(value, declared[name]):
                raise Malformed(f"{cls.__name__}.{name}: {describe(value)} is not what it holds")
        return cls(*values)

    register(cls.__name__, cls, lambda value: [getattr(value, name) for name in names], build)
    return cls


def encode(value: object, where: str = "payload") -> bytes:
    """Bytes of a value. Raises UndeclaredType naming ``where`` for anything not registered."""
    return _ENCODER.encode(_pack(value, where, 0))


def decode(payload: bytes | memoryview) -> Any:
    """The value back. Raises Malformed on anything that ``encode`` does not produce."""
    try:
        return _DECODER.decode(payload)
    except Malformed:
        raise
    except _FAULTS as e:
        raise Malformed(str(e)) from e


def describe(value: object) -> str:
    """Type and shape for transcripts and the audit log; never a value."""
    if isinstance(value, np.ndarray):
        return f"{value.dtype.name}[{','.join(map(str, value.shape))}]"
    if isinstance(value, (str, bytes)):
        return f"{type(value).__name__}[{len(value)}]"
    if isinstance(value, (list, tuple, set, frozenset, dict)):
        return f"{type(value).__name__}[{len(value)}]"
    shown = getattr(value, "__describe__", None)
    return str(shown()) if shown else type(value).__name__


_ENCODER = msgspec.msgpack.Encoder()


def _pack(value: Any, where: str, depth: int) -> Any:  # noqa: C901, PLR0911 (one dispatch)
    if depth > MAX_DEPTH:
        raise Malformed(f"{where}: nested deeper than {MAX_DEPTH}")
    if value is None or isinstance(value, (bool, float, str, bytes)):
        return value
    if isinstance(value, int):
        return value if -(2**63) <= value < 2**63 else _ext(_BIGINT, _int_bytes(value))
    if isinstance(value, np.generic):
        return _pack(value.item(), where, depth)
    if isinstance(value, np.ndarray):
        return _pack_array(value, where)
    if isinstance(value, list):
        return [_pack(item, where, depth + 1) for item in value]
    if isinstance(value, dict):
        return {_key(k, where): _pack(v, where, depth + 1) for k, v in value.items()}
    if type(value) is tuple:
        return _ext(_TUPLE, _ENCODER.encode([_pack(v, where, depth + 1) for v in value]))
    if isinstance(value, (set, frozenset)):
        items = sorted(value, key=repr)
        return _ext(_SET, _ENCODER.encode([_pack(v, where, depth + 1) for v in items]))
    if (entry := _BY_CLASS.get(type(value))) is not None:
        body = [entry.type_id, _pack(entry.fields(value), where, depth + 1)]
        return _ext(_STRUCT, _ENCODER.encode(body))
    if isinstance(value, (pa.RecordBatch, pa.Table)):
        return _ext(_ARROW, _arrow_bytes(value))
    if isinstance(value, sparse.csr_matrix):
        parts = [list(value.shape), value.indptr, value.indices, value.data]
        return _ext(_CSR, _ENCODER.encode([_pack(p, where, depth + 1) for p in parts]))
    raise UndeclaredType(where, type(value))


def _ext(code: int, data: bytes) -> msgspec.msgpack.Ext:
    return msgspec.msgpack.Ext(code, data)


def _key(key: object, where: str) -> object:
    if isinstance(key, (str, int)) and not isinstance(key, bool):
        return key
    raise UndeclaredType(f"{where} (dictionary key)", type(key))


def _int_bytes(value: int) -> bytes:
    return value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)


def _pack_array(value: np.ndarray, where: str) -> msgspec.msgpack.Ext:
    if value.dtype.byteorder == ">":
        value = value.astype(value.dtype.newbyteorder("<"))
    if value.dtype.str not in _DTYPES:
        raise UndeclaredType(f"{where} (array of {value.dtype})", type(value))
    head = _ENCODER.encode([value.dtype.str, list(value.shape)])
    raw = np.ascontiguousarray(value).tobytes()
    return _ext(_ARRAY, len(head).to_bytes(2, "little") + head + raw)


def _arrow_bytes(value: pa.RecordBatch | pa.Table) -> bytes:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, value.schema) as writer:
        writer.write(value)
    return bytes(sink.getvalue())


def _ext_hook(code: int, data: memoryview) -> Any:
    if code == _ARRAY:
        return _unpack_array(data)
    if code == _BIGINT:
        return int.from_bytes(data, "little", signed=True)
    if code == _TUPLE:
        return tuple(_DECODER.decode(data))
    if code == _SET:
        return set(_DECODER.decode(data))
    if code == _STRUCT:
        type_id, fields = _DECODER.decode(data)
        if type_id not in _BY_ID:
            raise Malformed(f"unknown type {type_id!r}")
        return _BY_ID[type_id].build(fields)
    if code == _ARROW:
        return _unpack_arrow(pa.py_buffer(data))
    if code == _CSR:
        return _unpack_csr(_DECODER.decode(data))
    raise Malformed(f"unknown extension {code}")


_DECODER = msgspec.msgpack.Decoder(ext_hook=_ext_hook)


def _unpack_array(data: memoryview) -> np.ndarray:
    size = int.from_bytes(data[:2], "little")
    dtype_name, shape = msgspec.msgpack.decode(data[2 : 2 + size], type=tuple[str, list[int]])
    if dtype_name not in _DTYPES or len(shape) > MAX_DEPTH or any(n < 0 for n in shape):
        raise Malformed("array header")
    dtype, raw, count = np.dtype(dtype_name), data[2 + size :], 1
    for n in shape:
        count *= n
    if count * dtype.itemsize != len(raw):
        raise Malformed("array size does not match its header")
    return np.frombuffer(raw, dtype=dtype).reshape(shape).copy()


def _unpack_arrow(data: pa.Buffer) -> pa.Table:
    """A table whose offsets and values were checked. Compressed ones, which take memory that
    their size does not show, are refused: ``encode`` makes none."""
    for message in pa.ipc.MessageReader.open_stream(data):
        if _is_compressed(memoryview(message.metadata)):
            raise Malformed("compressed table")
    table = pa.ipc.open_stream(data).read_all()
    table.validate(full=True)
    return table


def _is_compressed(message: memoryview) -> bool:
    """Whether the header of an Arrow message names a compression of its body.

    Source: Arrow format, Message.fbs: header type and header are fields 1 and 2 of a message, the
    record batch is field 1 of a dictionary batch (type 2), compression field 3 of a record batch
    (type 3).
    """
    table = int.from_bytes(message[:4], "little")
    kind_at, header = _field(message, table, 1), _field(message, table, 2)
    kind = message[kind_at] if kind_at else 0
    if not header or kind not in (2, 3):
        return False
    batch = _target(message, header)
    if kind == 2:
        batch = _target(message, _field(message, batch, 1))
    return bool(_field(message, batch, 3))


def _field(message: memoryview, table: int, number: int) -> int:
    """Where a field of a flatbuffer's table is; 0 if it is not there."""
    layout = table - int.from_bytes(message[table : table + 4], "little", signed=True)
    size, slot = int.from_bytes(message[layout : layout + 2], "little"), 4 + 2 * number
    if slot + 2 > size:
        return 0
    offset = int.from_bytes(message[layout + slot : layout + slot + 2], "little")
    return table + offset if offset else 0


def _target(message: memoryview, place: int) -> int:
    """Where the table is to which the flatbuffer's place points."""
    return place + int.from_bytes(message[place : place + 4], "little")


def _unpack_csr(parts: Any) -> sparse.csr_matrix:
    shape, indptr, indices, data = parts
    n_rows, n_columns = (int(n) for n in shape)
    sound = (
        indptr.ndim == indices.ndim == data.ndim == 1
        and len(indptr) == n_rows + 1
        and len(indices) == len(data) == int(indptr[-1])
        and (not len(indices) or 0 <= indices.min() <= indices.max() < n_columns)
        and bool(np.all(np.diff(indptr) >= 0))
    )
    if not sound:
        raise Malformed("sparse matrix")
    return sparse.csr_matrix((data, indices, indptr), shape=(n_rows, n_columns))
