"""Long columns of bytes between two parties: computed on several cores, sent while computing.

A column of n rows travels as ceil(n / CHUNK) messages of one kind, or more where rows are wide; the
receiver knows n and the width before, so that what arrives can be checked.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto.ristretto import InvalidElement
from federation import Message, Party
from federation.errors import ProtocolViolation

Bytes2D = NDArray[np.uint8]
Work = Callable[[slice], Bytes2D]

CHUNK = 65536
"""Rows of a message, at most."""
CHUNK_BYTES = 1 << 27
"""Bytes of a message, at most, if that is one row or more."""
PART = 2048
"""Rows that a thread computes at a time, at most. Its C calls release the interpreter lock."""


class Meter:
    """Tells a task's progress in rows done of rows to do."""

    def __init__(self, ctx: Ctx, total: int) -> None:
        self.ctx, self.total, self.done = ctx, max(total, 1), 0

    def add(self, rows: int) -> None:
        self.done += rows
        self.ctx.report.progress(min(self.done / self.total, 1.0))


def chunk_rows(width: int) -> int:
    """Rows of a message, if they are so wide. CHUNK of ids under any key."""
    return min(CHUNK, max(1, CHUNK_BYTES // max(1, width)))


def computed(work: Work, n: int, cores: int, rows: int | None = None) -> Iterator[Bytes2D]:
    """``work(part)`` for consecutive parts of ``range(n)``, in order, on ``cores`` threads.

    rows: of a chunk; None: CHUNK. Threads stay ahead of the consumer by about a chunk, so sending
    does not idle them.
    """
    ahead: deque[Future[Bytes2D]] = deque()
    pool = ThreadPoolExecutor(cores, thread_name_prefix="psi")
    # Small columns are cut finer, so that slow methods keep all cores busy to the end.
    chunk = CHUNK if rows is None else rows
    size = min(PART, max(-(-n // (4 * cores)), 1), max(-(-chunk // cores), 1))
    try:
        for at in range(0, n, size):
            ahead.append(pool.submit(work, slice(at, min(at + size, n))))
            if len(ahead) > cores + chunk // size:
                yield ahead.popleft().result()
        while ahead:
            yield ahead.popleft().result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def chunked(parts: Iterable[Bytes2D], rows: int | None = None) -> Iterator[Bytes2D]:
    """The same rows in chunks of so many, None: CHUNK (the last one maybe shorter)."""
    chunk = CHUNK if rows is None else rows
    held: list[Bytes2D] = []
    have = 0
    for part in parts:
        held.append(part)
        have += len(part)
        if have >= chunk:
            whole = np.concatenate(held)
            # Parts need not divide a chunk, and the receiver counts rows.
            cut = have - have % chunk
            yield from (whole[at : at + chunk] for at in range(0, cut, chunk))
            held, have = [whole[cut:]], have - cut
    if have:
        yield np.concatenate(held)


def send(
    ctx: Ctx,
    message: Message[Bytes2D],
    work: Work,
    n: int,
    *,
    to: Party,
    meter: Meter,
    width: int = 0,
) -> None:
    """Compute a column of n rows and send it chunk by chunk. width: of rows wider than ids."""
    rows = chunk_rows(width)
    for chunk in chunked(computed(work, n, ctx.cores, rows), rows):
        ctx.remote(message, chunk, to=to)
        meter.add(len(chunk))


def receive(
    ctx: Ctx, message: Message[Bytes2D], n: int, width: int, *, source: Party
) -> Iterator[Bytes2D]:
    """The chunks of a column of n rows. Raises ProtocolViolation for any other shape."""
    rows = chunk_rows(width)
    for at in range(0, n, rows):
        chunk, expected = ctx.get(message, source=source), (min(rows, n - at), width)
        if chunk.dtype != np.uint8 or chunk.shape != expected:
            raise ProtocolViolation(
                source, message.name, f"{chunk.dtype}{chunk.shape} came, not uint8{expected}"
            )
        yield chunk


def transformed(
    ctx: Ctx,
    message: Message[Bytes2D],
    change: Callable[[slice, Bytes2D], Bytes2D],
    n: int,
    width: int,
    *,
    source: Party,
    meter: Meter,
) -> Iterator[Bytes2D]:
    """The chunks of a received column after ``change(rows' place, rows)``, on all cores.

    Raises ProtocolViolation if a row is not a valid element.
    """
    at = 0
    for chunk in receive(ctx, message, n, width, source=source):

        def work(part: slice, chunk: Bytes2D = chunk, at: int = at) -> Bytes2D:
            return change(slice(at + part.start, at + part.stop), chunk[part])

        try:
            yield np.concatenate(list(computed(work, len(chunk), ctx.cores)))
        except InvalidElement as error:
            raise ProtocolViolation(source, message.name, str(error)) from None
        at += len(chunk)
        meter.add(len(chunk))


def gathered(chunks: Iterable[Bytes2D], width: int) -> Bytes2D:
    """All rows of a column, (n, width)."""
    return np.concatenate([np.empty((0, width), np.uint8), *chunks])
