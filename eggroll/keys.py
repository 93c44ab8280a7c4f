"""Row keys as bytes, encoding ``k1``: equal on every machine, Python version and engine.

A type tag and an order-preserving payload: str as UTF-8, int as length-prefixed big-endian,
float as IEEE bits, bytes raw, None, bool, and tuples of these. So ``1`` and ``numpy.int64(1)`` are
one key, ``"1"`` is another, and byte order is value order within a type. No length limit.
"""

from __future__ import annotations

import struct
from typing import Any

import numpy as np
import pyarrow as pa

from eggroll.errors import EggrollError

_NONE, _FALSE, _TRUE, _INT, _FLOAT, _STR, _BYTES, _TUPLE = range(8)
_MIDDLE = 0x80
_MAX_INT_BYTES = 126


class BadKey(EggrollError, TypeError):
    def __init__(self, found: type) -> None:
        super().__init__(
            f"a row key cannot be a {found.__name__}: use str, int, float, bytes, bool, None or a "
            "tuple of these"
        )


def encode(key: Any) -> bytes:
    """The key as bytes; ``decode`` is its inverse. Raises BadKey for other types.

    >>> encode(2) < encode(10) < encode(300), encode("1") == encode(1)
    (True, False)
    """
    if isinstance(key, np.generic):
        key = key.item()
    if isinstance(key, str):
        return bytes([_STR]) + key.encode("utf-8", "surrogatepass")
    if key is None or isinstance(key, bool):
        return bytes([_NONE if key is None else _TRUE if key else _FALSE])
    if isinstance(key, int):
        return bytes([_INT]) + _int_payload(key)
    if isinstance(key, float):
        return bytes([_FLOAT]) + _float_payload(key)
    if isinstance(key, bytes):
        return bytes([_BYTES]) + key
    if isinstance(key, tuple):
        return bytes([_TUPLE]) + b"".join(_escaped(encode(item)) for item in key)
    raise BadKey(type(key))


def decode(encoded: bytes) -> Any:
    """The key back."""
    tag, payload = encoded[0], encoded[1:]
    if tag == _STR:
        return payload.decode("utf-8", "surrogatepass")
    if tag == _INT:
        return _int_value(payload)
    if tag == _FLOAT:
        return _float_value(payload)
    if tag == _BYTES:
        return payload
    if tag == _TUPLE:
        return tuple(decode(part) for part in _unescaped(payload))
    return {_NONE: None, _FALSE: False, _TRUE: True}[tag]


def encode_texts(texts: pa.Array) -> pa.Array:
    """Keys of a text column at once, as (n,) binary."""
    tagged = pa.compute.binary_join_element_wise(
        pa.scalar(bytes([_STR]), pa.large_binary()),
        texts.cast(pa.large_binary()),
        pa.scalar(b"", pa.large_binary()),
    )
    return tagged.combine_chunks() if isinstance(tagged, pa.ChunkedArray) else tagged


def _int_payload(value: int) -> bytes:
    """Length beyond the middle for positive, below it for negative numbers, then the digits."""
    n_bytes = (abs(value).bit_length() + 7) // 8
    if n_bytes > _MAX_INT_BYTES:
        raise BadKey(int)
    if value >= 0:
        return bytes([_MIDDLE + n_bytes]) + value.to_bytes(n_bytes, "big")
    return bytes([_MIDDLE - n_bytes]) + (value + (1 << 8 * n_bytes)).to_bytes(n_bytes + 1, "big")


def _int_value(payload: bytes) -> int:
    digits = int.from_bytes(payload[1:], "big")
    n_bytes = payload[0] - _MIDDLE
    return digits if n_bytes >= 0 else digits - (1 << 8 * -n_bytes)


def _float_payload(value: float) -> bytes:
    (bits,) = struct.unpack(">Q", struct.pack(">d", value + 0.0 if value else 0.0))
    flipped = bits ^ (0xFFFFFFFFFFFFFFFF if bits >> 63 else 0x8000000000000000)
    return struct.pack(">Q", flipped)


def _float_value(payload: bytes) -> float:
    (bits,) = struct.unpack(">Q", payload)
    bits ^= 0x8000000000000000 if bits >> 63 else 0xFFFFFFFFFFFFFFFF
    (value,) = struct.unpack(">d", struct.pack(">Q", bits))
    return float(value)


def _escaped(part: bytes) -> bytes:
    """Zero-terminated, inner zeros escaped: keeps the order of tuples item by item."""
    return part.replace(b"\0", b"\0\xff") + b"\0\0"


def _unescaped(payload: bytes) -> list[bytes]:
    parts, at = [], 0
    while at < len(payload):
        end = at
        while payload[end : end + 2] != b"\0\0":
            end += 2 if payload[end] == 0 else 1
        parts.append(payload[at:end].replace(b"\0\xff", b"\0"))
        at = end + 2
    return parts
