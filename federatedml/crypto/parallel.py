"""Big-integer work on several cores, by forking for the length of one call.

GMP holds the interpreter lock, so threads do not help. A forked child inherits the ciphertexts
without a copy, computes its share, writes the results to a pipe as fixed-width integers, and
ends at once; nothing is pickled and no pool outlives the call. A child touches only integers and
arrays: no logging, no sockets, no locks of other threads.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable
from itertools import pairwise
from typing import BinaryIO

import gmpy2
from gmpy2 import mpz

Work = Callable[[int, int], list[mpz]]


class WorkerLost(RuntimeError):
    """A forked helper ended before it gave its results (out of memory, or killed)."""

    def __init__(self) -> None:
        super().__init__("a helper process ended early: is there enough memory for its share?")


def spread(work: Work, n: int, *, cores: int, width: int, least: int) -> list[mpz]:
    """work(0, n), computed as work(start, stop) on several cores.

    work: gives stop - start integers of at most ``width`` bytes for any part of range(n).
    least: items that are worth a core. Raises WorkerLost.
    Cost: a fork (a few ms) for each core beyond the first.
    """
    shares = max(1, min(cores, os.cpu_count() or 1, n // max(1, least)))
    if shares == 1:
        return work(0, n)
    cuts = [n * i // shares for i in range(shares + 1)]
    children = [_fork(work, start, stop, width) for start, stop in pairwise(cuts[1:])]
    found: list[mpz] = []
    try:
        found += work(cuts[0], cuts[1])
    finally:
        theirs = [_collected(*child) for child in children]
    for (start, stop), raw in zip(pairwise(cuts[1:]), theirs, strict=True):
        if len(raw) != (stop - start) * width:
            raise WorkerLost
        found += [
            mpz(int.from_bytes(raw[i : i + width], "little")) for i in range(0, len(raw), width)
        ]
    return found


def _fork(work: Work, start: int, stop: int, width: int) -> tuple[int, BinaryIO]:
    reading, writing = os.pipe()
    with warnings.catch_warnings():
        # 3.12 warns where other threads run; see the module docstring for why it is safe here.
        warnings.simplefilter("ignore", DeprecationWarning)
        child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(reading)
            with os.fdopen(writing, "wb") as out:
                for value in work(start, stop):
                    out.write(int(value).to_bytes(width, "little"))
            code = 0
        finally:
            os._exit(code)
    os.close(writing)
    return child, os.fdopen(reading, "rb")


def _collected(child: int, reading: BinaryIO) -> bytes:
    with reading:
        raw = reading.read()
    os.waitpid(child, 0)
    return raw


def width_of(modulus: mpz) -> int:
    """Bytes of a number below the modulus."""
    return int(gmpy2.bit_length(modulus) + 7) // 8
