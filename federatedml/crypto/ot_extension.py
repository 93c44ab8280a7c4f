"""Millions of oblivious transfers from 128: random strings, and products of secret words.

After 128 base transfers with the roles reversed, one message of 16 bytes a transfer gives the
receiver the rows t_i and the sender q_i = t_i xor r_i s (r_i the receiver's choice, s the
sender's secret of 128 bits). Hashed, they are random strings: H(q_i) and H(q_i xor s) with the
sender, and the one of them that it chose with the receiver.

    product     x y = sum_j y_j 2^j x, y_j chosen by the receiver: it gets H + y_j x, the sender
                keeps -H, and the sums over j are shares of x y (Gilboa)

Against parties who follow the protocol: the receiver's choices are hidden by its pads (ChaCha20),
the strings it did not choose by s in H(i, x) = P(P(x) xor i) xor P(x), P = AES-128 under a fixed
key: tweakable correlation robust in the ideal-permutation model, 128 bits.

Source: Ishai, Kilian, Nissim and Petrank 2003, section 3; Guo, Katz, Wang and Yu 2020, section
7.4 (the hash); Gilboa 1999, section 4.1.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterator
from typing import Any

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numba import types
from numpy.typing import NDArray

from federatedml.compiled import compiled
from federatedml.crypto import bit_planes, rings
from federatedml.crypto.bit_planes import LANES
from federatedml.crypto.ring_kernels import OUT_2, READ_2, frozen
from federatedml.crypto.rings import WordBits

Words = NDArray[np.uint64]
Bytes2D = NDArray[np.uint8]

SECURITY = 128
"""Base transfers, bits of the sender's secret, and bits of a row."""

BLOCK = 256
"""Words of a plane that are worked on at a time: half a megabyte, which stays in the cache."""

SEND = types.void(READ_2, READ_2, READ_2, OUT_2, OUT_2)
RECEIVE = types.void(READ_2, READ_2, READ_2, OUT_2)

_FIXED_KEY = hashlib.sha256(b"distaff ot extension: correlation robust hash").digest()[:16]


class Sender:
    """choices: the secret s, (128,) bits with which the base transfers were received.
    keys: (128, 32), those that were chosen there."""

    def __init__(self, choices: NDArray[np.bool_], keys: Bytes2D) -> None:
        self._choices = choices.astype(np.uint64)
        self._secret = bit_planes.packed(choices)
        self._streams = [_stream(key) for key in keys]
        self._done = 0

    def strings(self, correction: Words) -> tuple[Words, Words]:
        """Both random strings of every transfer, (n, 2) words each.

        correction: (128, n / 64), from the receiver.
        """
        words = correction.shape[1]
        zero, one = (np.empty((words * LANES, 2), dtype=np.uint64) for _ in range(2))
        for part, rows in _blocks(words):
            pads = _pads(self._streams, part.stop - part.start)
            pads ^= correction[:, part] * self._choices[:, None]
            q = bit_planes.rows(pads, rows.stop - rows.start)
            zero[rows] = hashed(q, self._done + rows.start)
            one[rows] = hashed(q ^ self._secret, self._done + rows.start)
        self._done += words * LANES
        return zero, one


class Receiver:
    """keys: (128, 2, 32), both keys of the base transfers that this party sent."""

    def __init__(self, keys: NDArray[np.uint8]) -> None:
        self._zero, self._one = ([_stream(key) for key in keys[:, c]] for c in (0, 1))
        self._done = 0

    def strings(self, choices: Words) -> tuple[Words, Words]:
        """The correction (128, n / 64) for the sender, and the chosen strings, (n, 2) words.

        choices: (n / 64,), a plane of n bits. n is a multiple of 64.
        """
        words = len(choices)
        correction = np.empty((SECURITY, words), dtype=np.uint64)
        chosen = np.empty((words * LANES, 2), dtype=np.uint64)
        for part, rows in _blocks(words):
            pads = _pads(self._zero, part.stop - part.start)
            correction[:, part] = pads ^ _pads(self._one, part.stop - part.start) ^ choices[part]
            t = bit_planes.rows(pads, rows.stop - rows.start)
            chosen[rows] = hashed(t, self._done + rows.start)
        self._done += words * LANES
        return correction, chosen


def secret_choices() -> NDArray[np.bool_]:
    """A sender's secret."""
    raw = np.frombuffer(secrets.token_bytes(SECURITY // 8), dtype=np.uint8)
    return np.unpackbits(raw).astype(np.bool_)


def hashed(rows: Words, start: int) -> Words:
    """H(start + i, rows[i]) = P(P(x) xor i) xor P(x), (n, 2) words.

    Cost: two blocks of AES a row.
    """
    inner = _permuted(rows)
    tweaked = inner.copy()
    tweaked[:, 0] ^= np.arange(start, start + len(rows), dtype=np.uint64)
    return _permuted(tweaked) ^ inner


def sent_products(x: Words, zero: Words, one: Words) -> tuple[Words, Words]:
    """The sender's side of x y: what the receiver needs, and the sender's share.

    x: (n, h) words of 64 h bits. zero, one: its strings, (n 64 h, 2), for bit j of element i at
    i 64 h + j. Returns the correction (n 64 h, h) and the share (n, h).
    """
    correction = np.empty((len(zero), x.shape[1]), dtype=np.uint64)
    share = np.zeros(x.shape, dtype=np.uint64)
    send = _send_128 if x.shape[1] == 2 else _send_64
    send(frozen(x), frozen(zero), frozen(one), correction, share)
    return correction, share


def received_products(y: Words, chosen: Words, correction: Words) -> Words:
    """The receiver's share of x y, (n, h).

    y: (n, h) words, whose bits were the choices. chosen: its strings, (n 64 h, 2).
    correction: (n 64 h, h), from the sender.
    """
    share = np.zeros(y.shape, dtype=np.uint64)
    receive = _receive_128 if y.shape[1] == 2 else _receive_64
    receive(frozen(y), frozen(chosen), frozen(correction), share)
    return share


def sent_choices(x: Words, zero: Words, one: Words, word_bits: WordBits) -> tuple[Words, Words]:
    """The sender's side of r x for a bit r of the receiver: what it needs, and a share.

    x: (n,) elements. zero, one: strings (n, 2).
    """
    kept = rings.neg(_elements(zero, word_bits), word_bits)
    other = rings.add(_elements(one, word_bits), kept, word_bits)
    return rings.sub(x, other, word_bits), kept


def received_choices(
    flags: NDArray[np.bool_], chosen: Words, correction: Words, word_bits: WordBits
) -> Words:
    """The receiver's share of r x, (n,). flags: (n,) the bits r. chosen: strings (n, 2)."""
    taken = flags if word_bits == 64 else flags[:, None]
    return rings.add(
        _elements(chosen, word_bits), np.where(taken, correction, np.uint64(0)), word_bits
    )


def _elements(strings: Words, word_bits: WordBits) -> Words:
    return strings if word_bits == 128 else np.ascontiguousarray(strings[:, 0])


def _stream(key: NDArray[np.uint8]) -> Any:
    return Cipher(algorithms.ChaCha20(key.tobytes(), bytes(16)), mode=None).encryptor()


def _blocks(words: int) -> Iterator[tuple[slice, slice]]:
    """Blocks of a plane's words, and the rows that they become."""
    for start in range(0, words, BLOCK):
        stop = min(start + BLOCK, words)
        yield slice(start, stop), slice(start * LANES, stop * LANES)


def _pads(streams: list[Any], words: int) -> Words:
    """The next words of every stream, (128, words)."""
    nothing = bytes(8 * words)
    raw = b"".join([stream.update(nothing) for stream in streams])
    return np.frombuffer(bytearray(raw), dtype=np.uint64).reshape(len(streams), words)


def _permuted(rows: Words) -> Words:
    # A public permutation of blocks, not the encryption of a message: no mode would help.
    blocks = Cipher(algorithms.AES(_FIXED_KEY), modes.ECB()).encryptor()  # noqa: S305
    return np.frombuffer(blocks.update(rows.tobytes()), dtype=np.uint64).reshape(rows.shape)


@compiled()
def _less(a0: Any, a1: Any, b0: Any, b1: Any) -> Any:
    return a0 - b0, a1 - b1 - (np.uint64(1) if a0 < b0 else np.uint64(0))


@compiled()
def _shifted(low: Any, high: Any, bits: Any) -> Any:
    if bits == 0:
        return low, high
    if bits >= 64:
        return np.uint64(0), low << np.uint64(bits - 64)
    return low << np.uint64(bits), high << np.uint64(bits) | low >> np.uint64(64 - bits)


@compiled(SEND)
def _send_64(x: Words, zero: Words, one: Words, correction: Words, share: Words) -> None:
    for i in range(len(x)):
        for j in range(64):
            at = 64 * i + j
            correction[at, 0] = zero[at, 0] - one[at, 0] + x[i, 0]
            share[i, 0] -= zero[at, 0] << np.uint64(j)


@compiled(RECEIVE)
def _receive_64(y: Words, chosen: Words, correction: Words, share: Words) -> None:
    for i in range(len(y)):
        for j in range(64):
            at = 64 * i + j
            taken = np.uint64(0) - (y[i, 0] >> np.uint64(j) & np.uint64(1))
            share[i, 0] += (chosen[at, 0] + (correction[at, 0] & taken)) << np.uint64(j)


@compiled(SEND)
def _send_128(x: Words, zero: Words, one: Words, correction: Words, share: Words) -> None:
    for i in range(len(x)):
        for j in range(128):
            at = 128 * i + j
            low, high = _less(zero[at, 0], zero[at, 1], one[at, 0], one[at, 1])
            sum_low = low + x[i, 0]
            carry = np.uint64(1) if sum_low < low else np.uint64(0)
            correction[at, 0], correction[at, 1] = sum_low, high + x[i, 1] + carry
            low, high = _shifted(zero[at, 0], zero[at, 1], j)
            share[i, 0], share[i, 1] = _less(share[i, 0], share[i, 1], low, high)


@compiled(RECEIVE)
def _receive_128(y: Words, chosen: Words, correction: Words, share: Words) -> None:
    for i in range(len(y)):
        for j in range(128):
            at = 128 * i + j
            taken = np.uint64(0) - (y[i, j >> 6] >> np.uint64(j & 63) & np.uint64(1))
            low = chosen[at, 0] + (correction[at, 0] & taken)
            carry = np.uint64(1) if low < chosen[at, 0] else np.uint64(0)
            high = chosen[at, 1] + (correction[at, 1] & taken) + carry
            low, high = _shifted(low, high, j)
            summed = share[i, 0] + low
            share[i, 1] += high + (np.uint64(1) if summed < low else np.uint64(0))
            share[i, 0] = summed
