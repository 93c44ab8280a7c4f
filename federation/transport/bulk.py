"""One large message over a stream of its own: chunks within the credit window, resumed at the
receiver's offset. Memory: one chunk here, what gRPC holds under way, one chunk there."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from federation.errors import FederationError
from federation.transport import dial, frames
from federation.transport import gateway_pb2 as pb
from federation.transport.spool import Kept


class Gone(FederationError):
    """The message was dropped here while it was under way. Never leaves this package."""

    def __init__(self, offset: int) -> None:
        super().__init__(f"dropped at offset {offset}")
        self.offset = offset


@dataclass
class Outcome:
    """complete: the receiver has it. why: it refused, for this reason. Neither: it dropped it."""

    complete: bool = False
    refused: int = -1
    why: str = ""


class _Credit:
    """What the receiver has said so far."""

    def __init__(self) -> None:
        self.acked = -1
        self.outcome: Outcome | None = None
        self.news = asyncio.Event()


async def send_large(stream: Any, kept: Kept, wanted: Callable[[], bool]) -> Outcome:
    """Send a message whose payload is in its file; returns when the receiver has decided.

    stream: greeted. wanted: false once the job or task is over here; then Gone is raised. Raises
    NoWay or AioRpcError when the stream breaks; sent again later, it goes on where it was.
    """
    credit = _Credit()
    await stream.write(pb.Frame(open=frames.open_message(1, kept.record)))
    reading = asyncio.get_running_loop().create_task(_read(stream, credit))
    try:
        await _until(credit, reading, lambda: credit.acked >= 0)
        offset = credit.acked
        with Path(kept.path).open("rb") as file:
            file.seek(max(offset, 0))
            while credit.outcome is None and offset < kept.record.size:
                if not wanted():
                    raise Gone(offset)
                if offset - credit.acked >= frames.WINDOW:
                    await _until(credit, reading, _room(credit, offset))
                    continue
                data = file.read(min(frames.CHUNK, kept.record.size - offset))
                await stream.write(frames.chunk(1, offset, data))
                offset += len(data)
        await _until(credit, reading, lambda: False)
    except FileNotFoundError:
        raise Gone(max(credit.acked, 0)) from None
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    assert credit.outcome is not None
    return credit.outcome


def _room(credit: _Credit, offset: int) -> Callable[[], bool]:
    return lambda: offset - credit.acked < frames.WINDOW


async def _until(credit: _Credit, reading: asyncio.Task[None], ready: Callable[[], bool]) -> None:
    """Wait for the receiver until ``ready``, or until it has decided."""
    while not ready() and credit.outcome is None:
        if reading.done():
            await reading
            raise dial.NoWay("the stream ended before the message was taken")
        credit.news.clear()
        waiting = asyncio.get_running_loop().create_task(credit.news.wait())
        await asyncio.wait({waiting, reading}, return_when=asyncio.FIRST_COMPLETED)
        waiting.cancel()


async def _read(stream: Any, credit: _Credit) -> None:
    while isinstance(frame := await stream.read(), pb.Frame):
        if frame.WhichOneof("kind") == "refused":
            credit.outcome = Outcome(refused=frame.refused.reason, why=frame.refused.why)
        elif frame.ack.state == pb.Ack.MORE:
            credit.acked = max(credit.acked, frame.ack.offset)
        else:
            credit.outcome = Outcome(complete=frame.ack.state == pb.Ack.COMPLETE)
        credit.news.set()
        if credit.outcome is not None:
            return
