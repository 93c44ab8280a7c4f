"""Hashes of columns of text: fixed-width digests, and uniform bytes stretched from them.

The caller's hash (FATE's ``hash_method`` with its ``salt``) comes first, so both parties must
name the same; SHAKE-256 then stretches its digest to the width that a group or modulus needs.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Bytes2D = NDArray[np.uint8]

METHODS = ("none", "md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sm3")
BLOCK = 8192
"""Rows that are Python objects at one time."""
LABEL = 32
"""Bytes of what ``shortened`` returns: enough to compare for equality."""


def digest_size(method: str) -> int:
    """Bytes of a digest of this method."""
    return int(_start(method).digest_size)


def is_available(method: str) -> bool:
    """Whether this machine's OpenSSL has the hash; only sm3 is ever missing."""
    try:
        _start(method)
    except ValueError:
        return False
    return True


def digests(texts: pa.Array, method: str, salt: str = "") -> Bytes2D:
    """Row by row, hash(text + salt), both UTF-8.

    texts: (n,) text without nulls. method: one of METHODS; "none" (no hash of FATE's own) is
    SHA-256 too, because what follows needs a fixed width.
    Returns (n, digest_size(method)).
    """
    width, tail, start = digest_size(method), salt.encode(), _start(method)
    parts = []
    for block in _blocks(texts):
        rows = []
        for text in block:
            state = start.copy()
            state.update(text + tail)
            rows.append(state.digest())
        parts.append(b"".join(rows))
    return np.frombuffer(b"".join(parts), dtype=np.uint8).reshape(-1, width)


def stretched(seeds: Bytes2D, width: int, domain: bytes) -> Bytes2D:
    """Row by row, SHAKE-256(domain || seed): indistinguishable from uniform bytes.

    seeds: (n, w). width: bytes wanted. domain: separates uses of one seed.
    Returns (n, width).
    """
    return _per_row(seeds, width, lambda row: hashlib.shake_256(domain + row).digest(width))


def finals(values: Bytes2D, seeds: Bytes2D, method: str) -> Bytes2D:
    """Row by row, hash(value || seed): the last step of an oblivious function.

    values: (n, w); seeds: (n, v). Returns (n, digest_size(method)).
    """
    start = _start(method)

    def final(row: bytes) -> bytes:
        state = start.copy()
        state.update(row)
        return bytes(state.digest())

    return _per_row(np.hstack((values, seeds)), digest_size(method), final)


def shortened(rows: Bytes2D) -> Bytes2D:
    """Rows of at most LABEL bytes as they are, longer ones as their SHA-256: for comparison only.

    rows: (n, w) with w >= LABEL. Returns (n, LABEL).
    """
    if rows.shape[1] == LABEL:
        return rows
    return _per_row(rows, LABEL, lambda row: hashlib.sha256(row).digest())


def _start(method: str) -> Any:
    if method not in METHODS:
        raise ValueError(f"unknown hash {method!r}; there are: {', '.join(METHODS)}")
    return hashlib.new("sha256" if method == "none" else method, usedforsecurity=False)


def _blocks(texts: pa.Array) -> Iterator[list[bytes]]:
    for at in range(0, len(texts), BLOCK):
        yield texts.slice(at, BLOCK).cast(pa.binary()).to_pylist()


def _per_row(rows: Bytes2D, width: int, make: Any) -> Bytes2D:
    size, raw = rows.shape[1], np.ascontiguousarray(rows).tobytes()
    made = b"".join(make(raw[at : at + size]) for at in range(0, len(raw), size)) if size else b""
    return np.frombuffer(made, dtype=np.uint8).reshape(-1, width)
