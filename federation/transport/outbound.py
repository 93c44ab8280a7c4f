"""Links to other parties' gateways: what this site sends, in order, until it is taken.

A link keeps one stream for small messages, calls and heartbeats; each large message has a stream of
its own on the same connection, at most ``_BULK_AT_ONCE`` together. What is not acknowledged when a
connection breaks is sent again over the next; large messages go on where the receiver's bytes end.
"""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import logging
import random
from collections import deque
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Protocol

import grpc

from federation.audit import AuditLog
from federation.errors import FederationError, GatewayRefused, Unreachable
from federation.route import Endpoint, Routes
from federation.transport import dial, frames, wire
from federation.transport import gateway_pb2 as pb
from federation.transport.bulk import Gone, send_large
from federation.transport.mailbox import Mailbox
from federation.transport.spool import Kept

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.25, 10.0
_RESTART_S = 5.0
"""How long a call waits for a gateway that was there before: it may be restarting."""
_BULK_AT_ONCE = 3
_IN_FLIGHT = 256

_log = logging.getLogger(__name__)


class Site(Protocol):
    """What a link needs of its gateway."""

    mailbox: Mailbox
    audit: AuditLog
    routes: Routes
    own_party: str

    async def dial(self, endpoint: Endpoint, party_id: str) -> tuple[grpc.aio.Channel, Any]: ...


@dataclass(eq=False)
class PendingCall:
    name: str
    body: bytes
    timeout_s: float
    answer: asyncio.Future[pb.Answer]
    asked: float


class Link:
    """To one party (under one role of the route table). Lives as long as the gateway."""

    def __init__(self, site: Site, party_id: str, role: str) -> None:
        self._site, self.party_id, self.role = site, party_id, role
        self._small: deque[Kept] = deque()
        self._bulk: deque[Kept] = deque()
        self._calls: deque[PendingCall] = deque()
        self._asked: list[wire.Task] | None = None
        self._in_flight: dict[int, Kept] = {}
        self._answers: dict[int, PendingCall] = {}
        self._numbers = itertools.count(1)
        self._wake, self._bulk_wake = asyncio.Event(), asyncio.Event()
        self.connected, self.trouble = "", ""
        self._was_there = False
        self._endpoint: Endpoint | None = None
        self._moved = asyncio.Event()
        self._running = asyncio.get_running_loop().create_task(self._run())

    def take(self, kept: Kept) -> None:
        """Deliver a message, some time."""
        if kept.record.size <= wire.INLINE:
            self._small.append(kept)
            self._wake.set()
        else:
            self._bulk.append(kept)
            self._bulk_wake.set()
            self._wake.set()

    def ask(self, tasks: Iterable[wire.Task]) -> None:
        """Heartbeat: ask how these tasks do. The answers go to the mailbox."""
        self._asked = list(tasks)
        self._wake.set()

    async def call(self, name: str, body: bytes, timeout_s: float) -> bytes:
        """Raises Unreachable naming the route, or GatewayRefused."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[pb.Answer] = loop.create_future()
        pending = PendingCall(name, body, timeout_s, future, loop.time())
        self._calls.append(pending)
        self._wake.set()
        try:
            answer = await asyncio.wait_for(future, timeout_s + 2 * dial.PATIENCE_S)
        except (TimeoutError, asyncio.TimeoutError):
            where = self.connected or "its gateway"
            raise Unreachable(
                self.party_id, f"{where}: no answer to {name} within {timeout_s:.0f} s"
            ) from None
        finally:
            with contextlib.suppress(ValueError):
                self._calls.remove(pending)
        if answer.ok:
            return bytes(answer.body)
        if answer.refused:
            raise GatewayRefused(f"call {name!r} at party {self.party_id}", answer.error)
        raise Unreachable(self.party_id, f"{self.connected or 'its gateway'}: {answer.error}")

    def follow_route(self) -> None:
        """Leave an endpoint that the route table no longer names."""
        if self._endpoint is not None and self._endpoint not in self._endpoints():
            _log.info("party %s: the route table has left %s", self.party_id, self._endpoint)
            self._was_there = False
            self._moved.set()

    async def close(self) -> None:
        for _ in range(10):  # wait_for of Python 3.10 and 3.11 can swallow a cancellation
            self._running.cancel()
            if (await asyncio.wait({self._running}, timeout=0.5))[0]:
                return

    def waiting(self) -> int:
        return len(self._small) + len(self._bulk) + len(self._in_flight)

    async def _run(self) -> None:
        pause = _FIRST_PAUSE_S
        while True:
            await self._wake.wait()
            try:
                channel, stream, endpoint = await self._connect()
            except Unreachable as error:
                self._failed(error)
            except Exception as error:  # noqa: BLE001 (a key file is being replaced: try again)
                _log.exception("party %s cannot be dialled", self.party_id)
                self._failed(Unreachable(self.party_id, f"{type(error).__name__} while dialling"))
            else:
                pause, self.trouble = _FIRST_PAUSE_S, ""
                await self._session(channel, stream, endpoint)
            self._wake.clear()
            if self._calls:
                await asyncio.sleep(_FIRST_PAUSE_S)
            else:
                with contextlib.suppress(asyncio.TimeoutError, TimeoutError):
                    jitter = random.uniform(0.7, 1.3)  # noqa: S311 (no secret)
                    await asyncio.wait_for(self._hurry(), pause * jitter)
            pause = min(pause * 2, _LONGEST_PAUSE_S)
            if self._small or self._bulk or self._calls or self._asked is not None:
                self._wake.set()

    async def _hurry(self) -> None:
        """Somebody waits for an answer now: do not sleep the pause out."""
        while not self._calls:
            await self._wake.wait()
            if not self._calls:
                self._wake.clear()

    def _failed(self, error: Unreachable) -> None:
        if str(error) != self.trouble:
            _log.warning("%s", error)
        self.trouble = str(error)
        now = asyncio.get_running_loop().time()
        for pending in list(self._calls):
            if not self._was_there or now - pending.asked > min(_RESTART_S, pending.timeout_s):
                self._calls.remove(pending)
                _fail(pending, error)

    async def _connect(self) -> tuple[grpc.aio.Channel, Any, Endpoint]:
        """Try every endpoint of the route. Raises Unreachable with what was wrong at each."""
        endpoints = self._endpoints()
        if not endpoints:
            missing = self._site.routes.table.missing(self.party_id)
            raise Unreachable(self.party_id, f"nothing: {missing}")
        tried = []
        for endpoint in endpoints:
            try:
                channel, stream = await self._site.dial(endpoint, self.party_id)
            except dial.NoWay as error:
                tried.append(str(error))
            else:
                return channel, stream, endpoint
        raise Unreachable(self.party_id, "; ".join(tried))

    def _endpoints(self) -> tuple[Endpoint, ...]:
        return self._site.routes.table.lookup(self.party_id, self.role)

    async def _session(self, channel: grpc.aio.Channel, stream: Any, endpoint: Endpoint) -> None:
        self.connected, self._was_there = str(endpoint), True
        _log.info("party %s reached at %s", self.party_id, endpoint)
        self._endpoint = endpoint
        self._moved.clear()
        loop = asyncio.get_running_loop()
        work: list[asyncio.Task[Any]] = [
            loop.create_task(self._moved.wait()),
            loop.create_task(self._write_small(stream)),
            loop.create_task(self._read(stream)),
            *(loop.create_task(self._send_bulk(channel)) for _ in range(_BULK_AT_ONCE)),
        ]
        try:
            await asyncio.wait(work, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in work:
                task.cancel()
            ends = await asyncio.gather(*work, return_exceptions=True)
            with contextlib.suppress(Exception):
                await channel.close(None)
            self._disconnected(endpoint, ends)

    def _disconnected(self, endpoint: Endpoint, ends: list[Any]) -> None:
        causes = [e for e in ends if isinstance(e, Exception)]
        for cause in causes:
            if not isinstance(cause, (grpc.aio.AioRpcError, FederationError)):
                _log.error("link to party %s", self.party_id, exc_info=cause)
        why = _said(causes[0]) if causes else "left"
        _log.info("party %s at %s: connection lost: %s", self.party_id, endpoint, why)
        self.connected, self._endpoint = "", None
        self._small.extendleft(reversed(self._in_flight.values()))
        self._in_flight.clear()
        lost = Unreachable(
            self.party_id,
            f"{endpoint}: the connection was lost before the answer ({why}); "
            "the call may have been carried out",
        )
        for pending in self._answers.values():
            _fail(pending, lost)
        self._answers.clear()

    async def _write_small(self, stream: Any) -> None:
        while True:
            while (frame := self._next_frame()) is not None:
                await stream.write(frame)
            self._wake.clear()
            if self._calls or (self._small and len(self._in_flight) < _IN_FLIGHT):
                continue
            await self._wake.wait()

    def _next_frame(self) -> pb.Frame | None:
        """Calls first, then heartbeats, then messages in order."""
        if self._calls:
            return self._call_frame(self._calls.popleft())
        if self._asked is not None:
            asked, self._asked = self._asked, None
            return pb.Frame(
                ask=pb.Ask(tasks=[frames.from_task(t) for t in asked[: frames.LARGEST_ASK]])
            )
        while self._small and len(self._in_flight) < _IN_FLIGHT:
            kept = self._small.popleft()
            if not self._site.mailbox.holds(kept):
                continue
            number = next(self._numbers)
            self._in_flight[number] = kept
            self._audit_leaving(kept)
            return pb.Frame(
                open=frames.open_message(number, kept.record, self._site.mailbox.spool.read(kept))
            )
        return None

    def _call_frame(self, pending: PendingCall) -> pb.Frame:
        number = next(self._numbers)
        self._answers[number] = pending
        self._site.audit.write(
            what="call",
            direction="out",
            src=self._site.own_party,
            dst=self.party_id,
            message=pending.name,
            size=len(pending.body),
            hop=self.connected,
            result="sent",
        )
        return pb.Frame(
            call=pb.Call(
                id=number,
                name=pending.name,
                to=self.party_id,
                body=pending.body,
                timeout_ms=int(pending.timeout_s * 1000),
            )
        )

    async def _read(self, stream: Any) -> None:
        while isinstance(frame := await stream.read(), pb.Frame):
            kind = frame.WhichOneof("kind")
            if kind == "ack" and frame.ack.id in self._in_flight:
                outcome = "" if frame.ack.state == pb.Ack.COMPLETE else "dropped there"
                self._settled(self._in_flight.pop(frame.ack.id), outcome)
            elif kind == "refused" and frame.refused.id in self._in_flight:
                self._refused(self._in_flight.pop(frame.refused.id), frame.refused.why)
            elif kind == "answer":
                pending = self._answers.pop(frame.answer.id, None)
                if pending is not None and not pending.answer.done():
                    pending.answer.set_result(frame.answer)
            elif kind == "news":
                for task, state in zip(frame.news.tasks, frame.news.states, strict=False):
                    self._site.mailbox.heard(frames.to_task(task), frames.to_state(state))
            if self._small:
                self._wake.set()
        raise dial.NoWay(f"{await stream.code()}: {await stream.details()}")

    def _audit_leaving(self, kept: Kept) -> None:
        """Before its first byte goes. What a killed gateway had sent is written once more."""
        if not kept.audited:
            kept.audited = True
            self._audit(kept, "message", "sent after a restart" if kept.old else "sent")

    def _settled(self, kept: Kept, outcome: str = "") -> None:
        """outcome: "" if the receiver has it, which the log does not repeat."""
        if outcome:
            self._audit(kept, "outcome", outcome)
        if self._site.mailbox.holds(kept):
            self._site.mailbox.spool.release(kept, wire.INLINE)

    def _audit(self, kept: Kept, what: str, result: str) -> None:
        about = kept.record
        told = {"what": what, "hop": self.connected, "result": result}
        self._site.audit.message("out", about.envelope, about.size, about.sha256, **told)

    def _refused(self, kept: Kept, why: str) -> None:
        _log.error("party %s refused %s: %s", self.party_id, kept.record.envelope.message, why)
        self._site.mailbox.counts["refused there"] += 1
        self._settled(kept, f"refused there: {why}")
        self._site.mailbox.refused_there(kept, why)

    async def _send_bulk(self, channel: grpc.aio.Channel) -> None:
        while True:
            while not self._bulk:
                self._bulk_wake.clear()
                await self._bulk_wake.wait()
            kept = self._bulk.popleft()
            if not self._site.mailbox.holds(kept):
                continue
            settled = False
            try:
                await self._send_one(channel, kept)
                settled = True
            finally:
                if not settled:
                    self._bulk.appendleft(kept)

    async def _send_one(self, channel: grpc.aio.Channel, kept: Kept) -> None:
        site = self._site
        self._audit_leaving(kept)
        for attempt in (1, 2):
            stream = await dial.greet(channel, self.connected, site.own_party, self.party_id)
            try:
                outcome = await send_large(stream, kept, lambda: site.mailbox.holds(kept))
            except Gone as error:
                self._settled(
                    kept, f"abandoned after {error.offset} bytes: the job or task is over"
                )
                return
            finally:
                stream.cancel()
            if outcome.refused != pb.Refused.CORRUPT or attempt == 2:
                break
            _log.warning("party %s: %s; sent once more", self.party_id, outcome.why)
        if outcome.why:
            self._refused(kept, outcome.why)
        else:
            self._settled(kept, "" if outcome.complete else "dropped there")


def _fail(pending: PendingCall, error: FederationError) -> None:
    if not pending.answer.done():
        pending.answer.set_exception(error)


def _said(cause: Exception) -> str:
    if isinstance(cause, grpc.aio.AioRpcError):
        return f"{cause.code().name}: {cause.details()}"
    return str(cause)
