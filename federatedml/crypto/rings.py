"""The rings of integers modulo 2^64 and 2^128 over arrays of *words*, and fixed point in them.

A ring element of 64 bits is a uint64; one of 128 bits is two of them, low word first, on a last
axis of length 2. An array of shape (n, k) of elements is thus (n, k) or (n, k, 2); shapes below
are those of the elements. Every operation wraps, as the ring does. Two shares of a number add up
to it, and each alone is uniform whatever the number. Words cross a border as they are.

>>> x = encode(np.array([1.5, -2.0]), 20, 128)
>>> a, b = split(x, 128)
>>> decode(add(a, b, 128), 20, 128)
array([ 1.5, -2. ])
"""

from __future__ import annotations

import math
import secrets
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import masking, ring_kernels
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.ring_kernels import frozen

Words = NDArray[np.uint64]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]
WordBits = Literal[64, 128]
Shape = tuple[int, ...]

WORK = 1 << 16
"""Products of words that are worth a thread of their own."""


def words_shape(shape: Shape, word_bits: WordBits) -> Shape:
    """Shape of the uint64 array that holds elements of this shape."""
    return shape if word_bits == 64 else (*shape, 2)


def fits(words: Words, shape: Shape, word_bits: WordBits) -> bool:
    """Whether an array that came from elsewhere holds elements of this shape."""
    return words.dtype == np.uint64 and words.shape == words_shape(shape, word_bits)


def zeros(shape: Shape, word_bits: WordBits) -> Words:
    return np.zeros(words_shape(shape, word_bits), dtype=np.uint64)


def random(shape: Shape, word_bits: WordBits) -> Words:
    """Uniform elements: ChaCha20 under a fresh key of the operating system's generator."""
    return expand(secrets.token_bytes(32), shape, word_bits)


def expand(seed: bytes, shape: Shape, word_bits: WordBits) -> Words:
    """Elements that only who has the seed (32 bytes, for this one array) can tell from uniform."""
    return masking.pad(seed, words_shape(shape, word_bits))


def split(words: Words, word_bits: WordBits) -> tuple[Words, Words]:
    """Two shares, the first uniform."""
    shape = words.shape if word_bits == 64 else words.shape[:-1]
    mask = random(shape, word_bits)
    return mask, sub(words, mask, word_bits)


def encode(x: Floats, fraction_bits: int, word_bits: WordBits) -> Words:
    """The nearest multiples of 2^-fraction_bits, negative ones as their complement.

    Raises PlaintextOutOfRange unless every |x| < 2^(word_bits - 1 - fraction_bits); so it does
    for what is no number. Error: at most 2^-(fraction_bits + 1), and none of float64 is added.
    """
    scaled = np.rint(np.ldexp(np.asarray(x, dtype=np.float64), fraction_bits))
    if not (np.abs(scaled) < 2.0 ** (word_bits - 1)).all():
        raise PlaintextOutOfRange("a number", word_bits + 1 - fraction_bits, word_bits - 1)
    if word_bits == 64:
        return scaled.astype(np.int64).view(np.uint64)
    out = zeros(scaled.shape, 128)
    ring_kernels.from_floats(frozen(scaled.reshape(-1)), out.reshape(-1, 2))
    return out


def decode(words: Words, fraction_bits: int, word_bits: WordBits) -> Floats:
    """The numbers that elements stand for, to the precision of a float64."""
    if word_bits == 64:
        return np.ldexp(words.view(np.int64).astype(np.float64), -fraction_bits)
    out = np.empty(words.shape[:-1])
    ring_kernels.to_floats(frozen(words.reshape(-1, 2)), 2.0**-fraction_bits, out.reshape(-1))
    return out


def from_integers(x: Integers, word_bits: WordBits) -> Words:
    """Elements of signed integers."""
    low = np.asarray(x, dtype=np.int64)
    if word_bits == 64:
        return low.view(np.uint64)
    return np.stack([low, low >> 63], axis=-1).view(np.uint64)


def add(a: Words, b: Words, word_bits: WordBits) -> Words:
    """a + b; shapes broadcast."""
    return a + b if word_bits == 64 else _elementwise(ring_kernels.add, a, b)


def sub(a: Words, b: Words, word_bits: WordBits) -> Words:
    """a - b; shapes broadcast."""
    return a - b if word_bits == 64 else _elementwise(ring_kernels.sub, a, b)


def neg(a: Words, word_bits: WordBits) -> Words:
    """-a."""
    if word_bits == 64:
        return np.uint64(0) - a
    out: Words = np.empty(a.shape, dtype=np.uint64)
    ring_kernels.neg(frozen(a.reshape(-1, 2)), out.reshape(-1, 2))
    return out


def mul(a: Words, b: Words, word_bits: WordBits) -> Words:
    """a * b, element by element; shapes broadcast. Fraction bits add up."""
    return a * b if word_bits == 64 else _elementwise(ring_kernels.mul, a, b)


def scale(a: Words, factor: int, word_bits: WordBits) -> Words:
    """a * factor, any signed integer; a power of two shifts to the left."""
    wrapped = factor % (1 << word_bits)
    parts = [wrapped >> at & (1 << 64) - 1 for at in range(0, word_bits, 64)]
    constant = np.array(parts if word_bits == 128 else parts[0], dtype=np.uint64)
    return mul(a, constant, word_bits)


def total(a: Words, word_bits: WordBits, axis: int = 0) -> Words:
    """The sum along an axis (not negative) of the elements."""
    if word_bits == 64:
        summed: Words = a.sum(axis=axis, dtype=np.uint64)
        return summed
    moved = np.moveaxis(a, axis, 0)
    flat = moved.reshape(len(moved), math.prod(moved.shape[1:-1]), 2)
    return ring_kernels.total(frozen(flat)).reshape(moved.shape[1:])


def dot(a: Words, b: Words, word_bits: WordBits) -> Words:
    """The inner product of (n,) and (n,), shape ()."""
    product: Words = matmul(a[None], b[:, None], word_bits)[0, 0]
    return product


def truncate(share: Words, bits: int, party: int, word_bits: WordBits) -> Words:
    """A share of x / 2^bits from a share of x, without a message: party 0 shifts its share to the
    right, party 1 the complement of its own.

    Off by at most one in the last place, except with probability 2^(|x| bits + 1 - word_bits),
    in which case it is off by 2^(word_bits - bits): with 128-bit words and |x| < 2^70 below 2^-57.
    |x| counts the bits of the integer before truncation, fraction bits of both factors included.
    Source: Mohassel and Zhang 2017 (SecureML), theorem 1.
    """
    if party:
        return neg(shift_right(neg(share, word_bits), bits, word_bits), word_bits)
    return shift_right(share, bits, word_bits)


def shift_right(a: Words, bits: int, word_bits: WordBits) -> Words:
    """floor(a / 2^bits) of the elements as unsigned integers; 0 <= bits < word_bits."""
    if not 0 <= bits < word_bits:
        raise ValueError(
            f"cannot shift {word_bits} bits by {bits}: 0 to {word_bits - 1} is allowed"
        )
    if word_bits == 64 or bits == 0:
        return a >> np.uint64(bits)
    out: Words = np.empty(a.shape, dtype=np.uint64)
    ring_kernels.shift_right(frozen(a.reshape(-1, 2)), bits, out.reshape(-1, 2))
    return out


def limb_count(bits: int, word_bits: WordBits) -> int:
    """How many limbs of this size an element has."""
    return -(-word_bits // bits)


def limbs(a: Words, word_bits: WordBits, bits: int = 32) -> Integers:
    """Elements cut into digits of ``bits`` bits, lowest first, on a new last axis.

    A matrix product with encrypted vectors takes small entries only: multiply the digits, then
    put the products (or shares of them) together with ``from_limbs``.
    bits: 1 .. 32. Returns digits in 0 .. 2^bits - 1.
    """
    mask = np.uint64((1 << bits) - 1)
    digits = [
        shift_right(a, at, word_bits)[(..., 0) if word_bits == 128 else ...] & mask
        for at in range(0, word_bits, bits)
    ]
    return np.stack(digits, axis=-1).view(np.int64)


def from_limbs(products: Words, word_bits: WordBits, bits: int = 32) -> Words:
    """sum_j products[..., j] 2^(bits j): the inverse of ``limbs``, linear in every digit."""
    summed = zeros(products.shape[:-1] if word_bits == 64 else products.shape[:-2], word_bits)
    for j in range(limb_count(bits, word_bits)):
        digit = products[..., j] if word_bits == 64 else products[..., j, :]
        summed = add(summed, scale(digit, 1 << bits * j, word_bits), word_bits)
    return summed


def matmul_plain(x: Integers, words: Words, word_bits: WordBits, cores: int = 1) -> Words:
    """x @ words, for a matrix (m, k) of signed integers that this party knows.

    words: (k,) or (k, c) elements. Give ``x.T`` for a transposed product; nothing is copied.
    Cost: about 1 ns an entry and column; row parts in ``cores`` threads.
    """
    if x.ndim != 2 or x.dtype != np.int64 or words.shape[0] != x.shape[1]:
        raise ValueError(f"cannot multiply {x.dtype}{x.shape} with words {words.shape}")
    vector = words.ndim == (1 if word_bits == 64 else 2)
    columns = words[:, None] if vector else words
    if x.flags.c_contiguous or not x.flags.f_contiguous:
        out = _by_rows(_PLAIN[word_bits], x, columns, word_bits, cores)
    else:
        out = _by_inner(_TRANSPOSED[word_bits], x.T, columns, word_bits, cores)
    return out[:, 0] if vector else out


def matmul(a: Words, b: Words, word_bits: WordBits, cores: int = 1) -> Words:
    """a @ b of elements (m, k) and (k, c)."""
    if a.shape[1] != b.shape[0]:
        raise ValueError(f"cannot multiply words {a.shape} with words {b.shape}")
    return _by_rows(_SHARED[word_bits], a, b, word_bits, cores)


Kernel = Callable[[NDArray, Words, Words], None]

_PLAIN: dict[int, Kernel] = {64: ring_kernels.plain_64, 128: ring_kernels.plain_128}
_TRANSPOSED: dict[int, Kernel] = {64: ring_kernels.turned_64, 128: ring_kernels.turned_128}
_SHARED: dict[int, Kernel] = {64: ring_kernels.matmul_64, 128: ring_kernels.matmul_128}


def _parts(n: int, work: int, cores: int) -> list[tuple[int, int]]:
    shares = max(1, min(cores, n, work // WORK))
    return list(pairwise(n * i // shares for i in range(shares + 1)))


def _by_rows(kernel: Kernel, x: NDArray, b: Words, word_bits: WordBits, cores: int) -> Words:
    """Each thread computes some rows of the result."""
    x, b, out = frozen(x), frozen(b), zeros((x.shape[0], b.shape[1]), word_bits)
    parts = _parts(len(x), x.size * b.shape[1], cores)
    _spread([lambda s=s, e=e: kernel(x[s:e], b, out[s:e]) for s, e in parts])  # type: ignore[misc]
    return out


def _by_inner(kernel: Kernel, x: NDArray, b: Words, word_bits: WordBits, cores: int) -> Words:
    """Each thread sums over some rows of x, (k, m), for a result of its own."""
    x, b = frozen(x), frozen(b)
    parts = _parts(len(x), x.size * b.shape[1], cores)
    outs = [zeros((x.shape[1], b.shape[1]), word_bits) for _ in parts]
    _spread(
        [
            lambda s=s, e=e, out=out: kernel(x[s:e], b[s:e], out)  # type: ignore[misc]
            for (s, e), out in zip(parts, outs, strict=True)
        ]
    )
    return total(np.stack(outs), word_bits)


def _spread(tasks: list[Callable[[], None]]) -> None:
    if len(tasks) == 1:
        tasks[0]()
        return
    with ThreadPoolExecutor(len(tasks), thread_name_prefix="rings") as pool:
        for done in [pool.submit(task) for task in tasks]:
            done.result()


def _elementwise(kernel: Callable[..., None], a: Words, b: Words) -> Words:
    """A kernel over the flat pairs of two broadcast arrays of 128-bit elements."""
    shape = np.broadcast_shapes(a.shape, b.shape)
    out: Words = np.empty(shape, dtype=np.uint64)
    flat = [frozen(np.broadcast_to(v, shape)).reshape(-1, 2) for v in (a, b)]
    kernel(flat[0], flat[1], out.reshape(-1, 2))
    return out
