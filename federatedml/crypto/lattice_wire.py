"""How keys and ciphertexts of the lattice scheme cross a border: packed residues, checked.

Import this module where a ``Wire`` declares them. The check sum finds damage, not malice: a
sender may encrypt what it likes anyway, and mutual TLS says who the sender is.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Any

import numpy as np
import xxhash
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto.errors import BadCiphertext, CryptoError
from federatedml.crypto.lattice import PublicKey, SealedProduct, SealedVector
from federatedml.crypto.lattice_columns import Products
from federatedml.crypto.lattice_params import Parameters, Tile, named, tile
from federatedml.crypto.sampling import SEED_BYTES, uniform
from federatedml.crypto.threads import each
from federation import codec

Floats = NDArray[np.float64]

FINGERPRINT_BYTES = 16
MAX_THREADS, WORTH_BYTES = 4, 1 << 19
MAX_SIDE = 1 << 32
"""Rows or outputs of a matrix, at most."""

_BYTES = types.Array(types.uint8, 1, "C", readonly=True)


@compiled(types.void(types.float64[::1], types.int64, types.int64, types.uint8[::1]))
def _pack(residues: Any, p: Any, bits: Any, out: Any) -> None:
    """Centred residues as numbers of ``bits`` bits, low bits first."""
    held, have, at = np.uint64(0), 0, 0
    for x in residues:
        value = np.int64(x)
        value += p if value < 0 else 0
        held |= np.uint64(value) << np.uint64(have)
        have += bits
        while have >= 8:
            out[at] = np.uint8(held & np.uint64(255))
            held >>= np.uint64(8)
            have -= 8
            at += 1
    if have:
        out[at] = np.uint8(held)


@compiled(types.boolean(_BYTES, types.int64, types.int64, types.float64[::1]))
def _unpack(body: Any, p: Any, bits: Any, out: Any) -> Any:
    """Undoes ``_pack``; False if a number is no residue."""
    held, have, at = np.uint64(0), 0, 0
    mask, sound = (np.uint64(1) << np.uint64(bits)) - np.uint64(1), True
    for j in range(out.size):
        while have < bits:
            held |= np.uint64(body[at]) << np.uint64(have)
            have += 8
            at += 1
        value = np.int64(held & mask)
        held >>= np.uint64(bits)
        have -= bits
        sound &= value < p
        out[j] = value - p if 2 * value > p else value
    return sound and held == 0


def _packed(residues: Floats, primes: Sequence[int]) -> bytes:
    """residues: (.., primes, n)."""
    rows = residues.reshape(-1, len(primes), residues.shape[-1])
    starts = _starts(len(rows), rows.shape[-1], primes)
    body = np.empty(starts[-1], dtype=np.uint8)

    def block(i: int) -> None:
        x, p = rows[divmod(i, len(primes))], primes[i % len(primes)]
        _pack(np.ascontiguousarray(x), p, p.bit_length(), body[starts[i] : starts[i + 1]])

    each(block, range(len(starts) - 1), _cores(len(body)))
    return body.tobytes()


def _size(n: int, p: int) -> int:
    return -(-n * p.bit_length() // 8)


def _starts(count: int, n: int, primes: Sequence[int]) -> list[int]:
    """Where each polynomial of ``count`` blocks begins, and the end."""
    return list(accumulate((_size(n, p) for p in [*primes] * count), initial=0))


def _cores(n_bytes: int) -> int:
    """How many threads so many bytes are worth: a codec is not told what a task may use."""
    return min(MAX_THREADS, os.cpu_count() or 1, 1 + n_bytes // WORTH_BYTES)


def _unpacked(body: bytes, primes: Sequence[int], shape: tuple[int, int]) -> Floats:
    """Residues (count, primes, n); shape: (count, n). Raises BadCiphertext."""
    count, n = shape
    if len(body) != count * sum(_size(n, p) for p in primes):
        raise BadCiphertext("its length does not fit its shape")
    found, raw = np.empty((count, len(primes), n)), np.frombuffer(body, dtype=np.uint8)
    starts = _starts(count, n, primes)

    def block(i: int) -> bool:
        x, p = found[divmod(i, len(primes))], primes[i % len(primes)]
        return bool(_unpack(raw[starts[i] : starts[i + 1]], p, p.bit_length(), x))

    if not all(each(block, range(len(starts) - 1), _cores(len(body)))):
        raise BadCiphertext("a residue is not below its prime")
    return found


def _check(head: bytes, *parts: bytes) -> bytes:
    """Over everything: ``head`` (see ``_head``), and the fields that are bytes."""
    found = xxhash.xxh3_128(head + repr([len(part) for part in parts]).encode())
    for part in parts:
        found.update(part)
    return found.digest()


def _head(kind: str, p: Parameters, cut: Tile | None = None) -> bytes:
    """What a check sum says of fields that are not bytes: with the primes that they stand for."""
    shape = None if cut is None else (*_tile_fields(cut), cut.inner_block, cut.output_block)
    return repr((kind, p.degree, p.word_bits, p.kept, p.dropped, shape)).encode()


def _bytes(*parts: Any) -> None:
    if not all(isinstance(part, bytes) for part in parts):
        raise BadCiphertext("its fields are not bytes")


def _sound(check: bytes, head: bytes, *parts: bytes) -> None:
    if _check(head, *parts) != check:
        raise BadCiphertext("its check sum is wrong")


def _params_fields(p: Parameters) -> list[int]:
    return [p.degree, p.word_bits]


def _params(fields: Any) -> Parameters:
    degree, word_bits = _items(fields, 2)
    if type(degree) is not int or type(word_bits) is not int:
        raise BadCiphertext("its lattice parameters are not numbers")
    return named(degree, word_bits)


def _items(fields: Any, count: int) -> Sequence[Any]:
    if not isinstance(fields, (list, tuple)) or len(fields) != count:
        raise BadCiphertext(f"{count} numbers belong where it has something else")
    return fields


def _tile_fields(cut: Tile) -> list[Any]:
    return [cut.inner, cut.outputs, float(cut.norm_bits)]


def _tile(params: Parameters, fields: Any) -> Tile:
    """The cut that these sides have; a peer cannot choose another one."""
    inner, outputs, norm_bits = _items(fields, 3)
    sides = type(inner) is int and type(outputs) is int
    if not sides or not (0 < inner <= MAX_SIDE and 0 < outputs <= MAX_SIDE):
        raise BadCiphertext("its rows and outputs are impossible")
    if type(norm_bits) not in (int, float) or not 0 <= norm_bits < 64:
        raise BadCiphertext("its norm is impossible")
    try:
        return tile(params, inner, outputs, float(norm_bits))
    except CryptoError:
        raise BadCiphertext("no lattice holds its norm") from None


def _key_fields(key: PublicKey) -> list[Any]:
    body = _packed(key.values[0], key.params.primes)
    check = _check(_head("key", key.params), key.seed, body)
    return [_params_fields(key.params), key.seed, check, body]


def _build_key(fields: Any) -> PublicKey:
    params, seed, check, body = fields
    _bytes(seed, check, body)
    p = _params(params)
    _sound(check, _head("key", p), seed, body)
    return _key(p, seed, body)


@lru_cache(maxsize=8)
def _key(params: Parameters, seed: bytes, body: bytes) -> PublicKey:
    """One object per key and process, so that its random half is drawn once."""
    _seeded(seed)
    halves = np.empty((2, len(params.primes), params.degree))
    halves[0] = _unpacked(body, params.primes, (1, params.degree))[0]
    halves[1] = uniform(seed, 0, params.primes, params.degree)
    return PublicKey(params, seed, halves)


def _seeded(seed: bytes) -> None:
    if len(seed) != SEED_BYTES:
        raise BadCiphertext(f"its seed has {len(seed)} bytes, not {SEED_BYTES}")


def _fingerprint(key: bytes) -> None:
    if len(key) != FINGERPRINT_BYTES:
        raise BadCiphertext("it names no key")


def _vector_fields(v: SealedVector) -> list[Any]:
    body = _packed(v.values, v.params.primes)
    head = [_params_fields(v.params), _tile_fields(v.tile), v.key, v.seed]
    check = _check(_head("vector", v.params, v.tile), v.key, v.seed, body)
    return [*head, check, body]


def _build_vector(fields: Any) -> SealedVector:
    params, cut, key, seed, check, body = fields
    _bytes(key, seed, check, body)
    p = _params(params)
    shape = _tile(p, cut)
    _sound(check, _head("vector", p, shape), key, seed, body)
    _seeded(seed)
    _fingerprint(key)
    found = _unpacked(body, p.primes, (shape.vector_blocks, p.degree))
    return SealedVector(p, shape, key, seed, found)


def _product_fields(c: SealedProduct) -> list[Any]:
    first, second = _packed(c.c0, c.params.kept), _packed(c.c1, c.params.kept)
    head = [_params_fields(c.params), _tile_fields(c.tile), c.key]
    check = _check(_head("product", c.params, c.tile), c.key, first, second)
    return [*head, check, first, second]


def _build_product(fields: Any) -> SealedProduct:
    params, cut, key, check, first, second = fields
    _bytes(key, check, first, second)
    p = _params(params)
    shape = _tile(p, cut)
    _sound(check, _head("product", p, shape), key, first, second)
    _fingerprint(key)
    c0 = _unpacked(first, p.kept, (1, shape.outputs))[0]
    c1 = _unpacked(second, p.kept, (shape.result_blocks, p.degree))
    return SealedProduct(p, shape, key, c0, c1)


def _products_fields(c: Products) -> list[Any]:
    first, second = _packed(c.c0, c.params.kept), _packed(c.c1, c.params.kept)
    sizes = [len(c.c1), c.c0.shape[1]]
    check = _check(_products_head(c.params, sizes), c.key, first, second)
    return [_params_fields(c.params), sizes, c.key, check, first, second]


def _products_head(p: Parameters, sizes: Sequence[Any]) -> bytes:
    return _head("products", p) + repr(tuple(sizes)).encode()


def _build_products(fields: Any) -> Products:
    params, sizes, key, check, first, second = fields
    _bytes(key, check, first, second)
    p = _params(params)
    plain, outputs = _items(sizes, 2)
    if not all(type(n) is int and 0 < n <= MAX_SIDE for n in (plain, outputs)):
        raise BadCiphertext("its columns are impossible")
    _sound(check, _products_head(p, (plain, outputs)), key, first, second)
    _fingerprint(key)
    c0 = _unpacked(first, p.kept, (1, outputs))[0]
    return Products(p, key, c0, _unpacked(second, p.kept, (plain, p.degree)))


def wire_bytes(params: Parameters, cut: Tile) -> tuple[int, int]:
    """Bytes of a sealed vector and of a product, but for a hundred of headers."""
    vector = cut.vector_blocks * sum(_size(params.degree, p) for p in params.primes)
    product = cut.result_blocks * sum(_size(params.degree, p) for p in params.kept)
    return vector, product + sum(_size(cut.outputs, p) for p in params.kept)


codec.register("LatticeKey", PublicKey, _key_fields, _build_key)
codec.register("LatticeVector", SealedVector, _vector_fields, _build_vector)
codec.register("LatticeProduct", SealedProduct, _product_fields, _build_product)
codec.register("LatticeProducts", Products, _products_fields, _build_products)

__all__ = ["Products", "PublicKey", "SealedProduct", "SealedVector", "wire_bytes"]
