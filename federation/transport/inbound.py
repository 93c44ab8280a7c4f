"""The gRPC door: what other parties' gateways send to this site.

Whoever comes in says its party in the first frame; under mTLS it must be the one in its
certificate, and the sender in every envelope must be that party. A message that is not admitted
leaves no trace but a line in the audit log.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import os
from collections.abc import Coroutine
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import grpc

from federation import certificate
from federation.audit import AuditLog
from federation.envelope import Envelope
from federation.errors import (
    Cancelled,
    DuplicateMessage,
    GatewayRefused,
    Unreachable,
)
from federation.transport import frames
from federation.transport import gateway_pb2 as pb
from federation.transport.forward import Forwarder
from federation.transport.mailbox import Job, Mailbox
from federation.transport.spool import Record

_CALLS_AT_ONCE = 32

_EOF: Any = grpc.aio.EOF  # type: ignore[attr-defined]
_log = logging.getLogger(__name__)


class Site(Protocol):
    """What the door needs of its gateway. certified: whether peers show certificates."""

    mailbox: Mailbox
    audit: AuditLog
    forwarder: Forwarder
    own_party: str
    certified: bool

    def hosts(self, party_id: str) -> bool: ...


@dataclass(eq=False)
class Arrival:
    """A large message, part of which is here. Bounded memory: the bytes are in its file."""

    record: Record
    job: Job
    path: Path
    handle: int
    offset: int
    digest: Any
    owner: Stream
    acked: int = 0


class Inbound:
    """The gRPC service of one gateway."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.arrivals: dict[Path, Arrival] = {}

    async def exchange(self, _: object, context: grpc.aio.ServicerContext[bytes, pb.Frame]) -> None:
        stream = Stream(self, context)
        try:
            await stream.serve()
        except frames.Malformed as error:
            stream.audit_refusal(str(error))
            await context.abort(grpc.StatusCode.INVALID_ARGUMENT, str(error))
        finally:
            stream.leave()


class Stream:
    """One stream of one peer."""

    def __init__(
        self, inbound: Inbound, context: grpc.aio.ServicerContext[bytes, pb.Frame]
    ) -> None:
        self._inbound, self._site, self._context = inbound, inbound.site, context
        self._arrivals: dict[int, Arrival] = {}
        self._closed: set[int] = set()
        self._calls: set[asyncio.Task[None]] = set()
        self._may_call = asyncio.Semaphore(_CALLS_AT_ONCE)
        self._writing = asyncio.Lock()
        self.hop, self.peer = context.peer(), ""

    async def serve(self) -> None:
        await self._greet()
        while (data := await self._context.read()) is not _EOF:
            frame = frames.parse(data)
            kind = frame.WhichOneof("kind")
            if kind == "open":
                await self._stored(self._open(frame.open), frame.open.id)
            elif kind == "chunk":
                await self._stored(self._chunk(frame.chunk), frame.chunk.id)
            elif kind == "call":
                await self._start_call(frame.call)
            elif kind == "ask":
                await self._tell_news(frame.ask)
            else:
                raise frames.Malformed(f"a frame of kind {kind} from a dialling gateway")

    def leave(self) -> None:
        """The stream is over: what arrived of large messages stays for the next one."""
        for call in self._calls:
            call.cancel()
        for arrival in self._arrivals.values():
            if arrival.owner is self:
                self._let_go(arrival)

    def audit_refusal(self, why: str, **more: object) -> None:
        _log.warning("refused from party %s at %s: %s", self.peer or "?", self.hop, why)
        self._site.mailbox.counts["refused"] += 1
        self._site.audit.write(
            what="refusal", direction="in", src=self.peer, hop=self.hop, result=why, **more
        )

    async def _greet(self) -> None:
        data = await self._context.read()
        hello = frames.parse(data).hello if data is not _EOF else pb.Hello()
        self.peer = hello.party
        problem = self._problem_of(hello)
        if problem:
            self.audit_refusal(problem)
            await self._context.abort(grpc.StatusCode.PERMISSION_DENIED, problem)
        await self._write(
            pb.Frame(
                hello=pb.Hello(protocol=frames.PROTOCOL, party=self._site.own_party, to=self.peer)
            )
        )

    def _problem_of(self, hello: pb.Hello) -> str:
        if hello.protocol != frames.PROTOCOL:
            return f"protocol version {hello.protocol}; {frames.PROTOCOL} is spoken here"
        if not hello.party:
            return "a gateway that does not say which party it is"
        if self._site.certified:
            shown = list(self._context.auth_context().get("x509_pem_cert", [b""]))
            named = certificate.party_of(shown[0])
            if named != hello.party:
                return f"says it is party {hello.party}, its certificate is of party {named!r}"
        if not self._site.hosts(hello.to):
            return f"party {hello.to} is not here: this is the gateway of {self._site.own_party}"
        return ""

    async def _open(self, found: pb.Open) -> None:
        frames.check_open(found)
        envelope = frames.to_envelope(found.envelope)
        mailbox = self._site.mailbox
        try:
            self._check_parties(envelope)
            job = mailbox.admit(envelope, found.sha256, found.mac)
            if job.over(envelope):
                raise Cancelled(job.job_id)
            kept = mailbox.find(job, envelope, found.sha256)
        except Cancelled:
            await self._drop(found.id, envelope, found.size, found.sha256)
            return
        except (GatewayRefused, DuplicateMessage) as error:
            duplicate = isinstance(error, DuplicateMessage)
            reason = pb.Refused.DUPLICATE if duplicate else pb.Refused.NOT_ADMITTED
            await self._refuse(found.id, reason, str(error), envelope)
            return
        if kept is not None:
            await self._ack(found.id, pb.Ack.COMPLETE, found.size)
            return
        record = Record(envelope, found.size, found.sha256, found.mac)
        if found.payload or not found.size:
            await self._take_small(found.id, job, record, found.payload)
            return
        arrival = await self._arrival(job, record)
        self._arrivals[found.id] = arrival
        if arrival.offset == record.size:
            await self._finish(found.id, arrival)
        else:
            await self._ack(found.id, pb.Ack.MORE, arrival.offset)

    async def _stored(self, work: Coroutine[Any, Any, None], number: int) -> None:
        """A disk that is full is said to the sender, whose job then fails with that cause."""
        try:
            await work
        except OSError as error:
            why = f"it cannot be stored here: {error.strerror or error}"
            if (arrival := self._arrivals.get(number)) is not None:
                self._discard(number, arrival)
            self._closed.add(number)
            self.audit_refusal(why)
            reason = pb.Refused.NOT_ADMITTED
            await self._write(pb.Frame(refused=pb.Refused(id=number, reason=reason, why=why)))

    def _check_parties(self, envelope: Envelope) -> None:
        if envelope.src.party_id != self.peer:
            raise GatewayRefused(
                f"message {envelope.message}",
                f"it says to be from {envelope.src}, and came from party {self.peer}",
            )
        if not self._site.hosts(envelope.dst.party_id):
            raise GatewayRefused(f"message {envelope.message}", f"{envelope.dst} is not here")

    async def _take_small(self, number: int, job: Job, record: Record, payload: bytes) -> None:
        if hashlib.sha256(payload).digest() != record.sha256:
            why = "its bytes are not those of its digest"
            await self._refuse(number, pb.Refused.CORRUPT, why, record.envelope)
            return
        kept = self._site.mailbox.spool.keep(record, payload, "in")
        self._audit(record.envelope, record.size, record.sha256, "received")
        self._site.mailbox.put(job, kept)
        await self._ack(number, pb.Ack.COMPLETE, record.size)

    async def _arrival(self, job: Job, record: Record) -> Arrival:
        """Go on where the bytes on disk end; a former stream of the same message loses it."""
        path = self._site.mailbox.spool.part(record)
        there, digest = -1, hashlib.sha256()
        while there != (path.stat().st_size if path.exists() else 0):
            if (former := self._inbound.arrivals.get(path)) is not None:
                former.owner._let_go(former)
            there, digest = path.stat().st_size if path.exists() else 0, hashlib.sha256()
            if there:
                await asyncio.to_thread(_hash_file, path, digest)
        if (former := self._inbound.arrivals.get(path)) is not None:
            former.owner._let_go(former)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        arrival = Arrival(record, job, path, handle, there, digest, self, there)
        self._inbound.arrivals[path] = arrival
        return arrival

    async def _chunk(self, found: pb.Chunk) -> None:
        arrival = self._arrivals.get(found.id)
        if arrival is None and found.id not in self._closed:
            raise frames.Malformed("a chunk of no open message")
        if arrival is None or arrival.handle < 0:
            return  # refused, or taken over by a newer stream, while this was under way
        record, mailbox = arrival.record, self._site.mailbox
        if mailbox.jobs.get(arrival.job.job_id) is not arrival.job or arrival.job.over(
            record.envelope
        ):
            self._discard(found.id, arrival)
            await self._drop(found.id, record.envelope, arrival.offset, record.sha256)
            return
        try:
            frames.check_chunk(found, arrival.offset, record.size)
        except frames.Malformed as error:
            self._discard(found.id, arrival)
            await self._refuse(found.id, pb.Refused.CORRUPT, str(error), record.envelope)
            return
        view = memoryview(found.data)
        while view:
            view = view[os.write(arrival.handle, view) :]
        arrival.digest.update(found.data)
        arrival.offset += len(found.data)
        mailbox.progress(record.envelope)
        if arrival.offset == record.size:
            await self._finish(found.id, arrival)
        elif arrival.offset - arrival.acked >= frames.ACK_EACH:
            arrival.acked = arrival.offset
            await self._ack(found.id, pb.Ack.MORE, arrival.offset)

    async def _finish(self, number: int, arrival: Arrival) -> None:
        record, mailbox = arrival.record, self._site.mailbox
        if arrival.digest.digest() != record.sha256:
            self._discard(number, arrival)
            why = "its bytes are not those of its digest"
            await self._refuse(number, pb.Refused.CORRUPT, why, record.envelope)
            return
        self._let_go(arrival)
        self._arrivals.pop(number, None)
        self._closed.add(number)
        kept = mailbox.spool.adopt(record, arrival.path, "in")
        self._audit(record.envelope, record.size, record.sha256, "received")
        mailbox.put(arrival.job, kept)
        await self._ack(number, pb.Ack.COMPLETE, record.size)

    def _let_go(self, arrival: Arrival) -> None:
        if arrival.handle >= 0:
            os.close(arrival.handle)
            arrival.handle = -1
        if self._inbound.arrivals.get(arrival.path) is arrival:
            del self._inbound.arrivals[arrival.path]

    def _discard(self, number: int, arrival: Arrival) -> None:
        self._let_go(arrival)
        self._arrivals.pop(number, None)
        self._closed.add(number)
        arrival.path.unlink(missing_ok=True)

    async def _drop(self, number: int, envelope: Envelope, size: int, digest: bytes) -> None:
        self._site.mailbox.counts["late"] += 1
        self._audit(envelope, size, digest, "dropped: the job or task is over here")
        await self._ack(number, pb.Ack.DROPPED, 0)

    def _audit(self, envelope: Envelope, size: int, digest: bytes, result: str) -> None:
        self._site.audit.message("in", envelope, size, digest, hop=self.hop, result=result)

    async def _refuse(self, number: int, reason: int, why: str, envelope: Envelope) -> None:
        self.audit_refusal(
            why,
            job=envelope.job_id,
            component=envelope.component,
            version=envelope.version,
            message=envelope.message,
            number=envelope.number,
            dst=str(envelope.dst),
        )
        await self._write(pb.Frame(refused=pb.Refused(id=number, reason=reason, why=why)))

    async def _ack(self, number: int, state: int, offset: int) -> None:
        await self._write(pb.Frame(ack=pb.Ack(id=number, state=state, offset=offset)))

    async def _start_call(self, call: pb.Call) -> None:
        await self._may_call.acquire()
        task = asyncio.get_running_loop().create_task(self._call(call))
        self._calls.add(task)
        task.add_done_callback(self._calls.discard)

    async def _call(self, call: pb.Call) -> None:
        told = {"what": "call", "direction": "in", "src": self.peer, "dst": call.to}
        told |= {"message": call.name[:64], "hop": self.hop}
        size, digest = len(call.body), hashlib.sha256(call.body).hexdigest()
        try:
            if not self._site.hosts(call.to):
                raise GatewayRefused(f"call {call.name[:64]!r}", f"party {call.to} is not here")
            self._site.audit.write(**told, size=size, sha256=digest, result="received")
            timeout_s = min(call.timeout_ms / 1000, 600.0)
            body = await self._site.forwarder.call(self.peer, call.name, call.body, timeout_s)
            answer = pb.Answer(id=call.id, ok=True, body=body)
        except GatewayRefused as error:
            self.audit_refusal(str(error), message=call.name[:64], dst=call.to)
            answer = pb.Answer(id=call.id, refused=True, error=str(error))
        except Unreachable as error:
            answer = pb.Answer(id=call.id, error=str(error))
        finally:
            self._may_call.release()
        await self._write(pb.Frame(answer=answer))

    async def _tell_news(self, ask: pb.Ask) -> None:
        news = pb.News()
        for asked in list(ask.tasks)[: frames.LARGEST_ASK]:
            task = frames.to_task(asked)
            job = self._site.mailbox.jobs.get(task.job_id)
            concerned = job is None or any(party == self.peer for _, party in job.parties)
            state = self._site.mailbox.state_of(task) if concerned else "unknown"
            news.tasks.append(asked)
            news.states.append(frames.from_state(state))
        await self._write(pb.Frame(news=news))

    async def _write(self, frame: pb.Frame) -> None:
        async with self._writing:
            await self._context.write(frame)


def _hash_file(path: Path, digest: Any) -> None:
    with path.open("rb") as file:
        while data := file.read(frames.CHUNK):
            digest.update(data)
