"""The local socket, seen from the gateway: workers and fateflow of this site come in here.

Requests are served in the event loop, in order, without a task of their own: a small message from
worker to worker costs two writes of a small file and no switch but that of the processes.
"""

from __future__ import annotations

import asyncio
import hashlib
import logging
import secrets
from typing import Any, Protocol

from federation import token
from federation.audit import AuditLog
from federation.errors import (
    Cancelled,
    DuplicateMessage,
    FederationError,
    GatewayRefused,
    PeerFailed,
)
from federation.transport import wire
from federation.transport.mailbox import Mailbox, Waiter
from federation.transport.spool import Kept, Record

_log = logging.getLogger(__name__)


class Site(Protocol):
    """What the door needs of its gateway."""

    mailbox: Mailbox
    audit: AuditLog
    secret: str

    async def call(self, party_id: str, name: str, body: bytes, timeout_s: float) -> bytes: ...

    def status(self) -> dict[str, Any]: ...


class LocalDoor(asyncio.Protocol):
    """One connection."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._frames = wire.Frames()
        self._nonce = secrets.token_bytes(32)
        self._job_id: str | None = None
        self._task: wire.Task | None = None
        self._waiter: Waiter | None = None
        self._calls: set[asyncio.Task[None]] = set()
        self._transport: asyncio.WriteTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]
        self._reply(wire.Challenge(self._nonce, str(self._site.mailbox.spool.drafts)))

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002 (asyncio's name)
        self._transport = None
        if self._waiter is not None:
            self._site.mailbox.give_up(self._waiter)
        if self._task is not None:
            self._site.mailbox.left(self._task)
        for call in self._calls:
            call.cancel()

    def data_received(self, data: bytes) -> None:
        self._frames.feed(data)
        try:
            while (found := self._frames.next()) is not None:
                self._serve(wire.to_gateway(found[0]), found[1])
        except wire.Broken as error:
            _log.warning("local socket: %s; the connection is closed", error)
            self._close()

    def _serve(self, request: wire.ToGateway, payload: bytes) -> None:
        try:
            reply = self._handle(request, payload)
        except wire.Broken:
            raise
        except FederationError as error:
            reply = wire.failed(error)
        except OSError as error:
            what = type(request).__name__
            _log.exception("local socket: %s failed", what)
            where = f": {error.filename}" if error.filename else ""
            reply = wire.failed(GatewayRefused(what, f"{error.strerror or error}{where}"))
        if reply is not None:
            self._reply(reply)

    def _handle(self, request: wire.ToGateway, payload: bytes) -> wire.FromGateway | None:
        if isinstance(request, wire.Hello):
            return self._greet(request)
        if self._job_id is None:
            raise wire.Broken(f"{type(request).__name__} before Hello")
        if isinstance(request, wire.Send):
            return self._send(request, payload)
        if isinstance(request, wire.Get):
            self._get(request)
            return None
        if isinstance(request, wire.Taken):
            self._taken(request)
            return None
        if isinstance(request, wire.Here):
            return self._here(request)
        if self._job_id != "":
            raise GatewayRefused(type(request).__name__, "only this site's fateflow may ask that")
        return self._control(request, payload)

    def _greet(self, hello: wire.Hello) -> wire.FromGateway:
        mailbox = self._site.mailbox
        secret = mailbox.greet(hello.job_id) if hello.job_id else self._site.secret
        if not token.same(hello.proof, token.greeting_mac(secret, self._nonce)):
            what = f"a worker of job {hello.job_id}" if hello.job_id else "a control connection"
            mailbox.counts["refused"] += 1
            self._site.audit.write(
                what="refusal", job=hello.job_id, hop="local", result=f"{what}: wrong secret"
            )
            raise GatewayRefused(what, "it does not prove the secret")
        self._job_id = hello.job_id
        return wire.Done()

    def _here(self, here: wire.Here) -> wire.FromGateway:
        if here.task.job_id != self._job_id or self._task is not None:
            raise GatewayRefused("a task", "a connection is one task's, of the job it greeted for")
        self._task = here.task
        self._site.mailbox.came(here.task)
        return wire.Done()

    def _send(self, send: wire.Send, payload: bytes) -> wire.FromGateway:
        mailbox, envelope = self._site.mailbox, send.envelope
        try:
            job = self._admit(send, payload)
            if mailbox.find(job, envelope, send.sha256) is not None:
                return wire.Done()
        except (GatewayRefused, DuplicateMessage) as error:
            mailbox.counts["refused"] += 1
            self._site.audit.message(
                "out", envelope, send.size, send.sha256, what="refusal", result=str(error)
            )
            raise
        if (why := job.failed.get(envelope.dst.party_id)) is not None:
            raise PeerFailed(envelope.dst, why)
        record = Record(envelope, send.size, send.sha256, send.mac)
        within = mailbox.hosts(envelope.dst.party_id)
        if send.file:
            kept = self._adopt(record, send.file, within)
        else:
            kept = mailbox.spool.keep(record, payload, "in" if within else "out")
        if within:
            told = {"hop": "local", "result": "delivered"}
            self._site.audit.message("out", envelope, send.size, send.sha256, **told)
            told["result"] = "received"
            self._site.audit.message("in", envelope, send.size, send.sha256, **told)
        mailbox.put(job, kept)
        return wire.Done()

    def _admit(self, send: wire.Send, payload: bytes) -> Any:
        mailbox, envelope = self._site.mailbox, send.envelope
        if envelope.job_id != self._job_id:
            raise GatewayRefused(f"a message of job {envelope.job_id}", "greeted for another job")
        if not mailbox.hosts(envelope.src.party_id):
            raise GatewayRefused(envelope.message, f"{envelope.src} is not a party of this site")
        if not send.file and (
            len(payload) != send.size or hashlib.sha256(payload).digest() != send.sha256
        ):
            raise GatewayRefused(envelope.message, "its bytes are not those of its digest")
        job = mailbox.admit(envelope, send.sha256, send.mac)
        if job.over(envelope):
            raise Cancelled(job.job_id, job.cancelled or "the task is over")
        return job

    def _adopt(self, record: Record, file: str, within: bool) -> Kept:
        spool = self._site.mailbox.spool
        if not file.isalnum():
            raise GatewayRefused(record.envelope.message, "its file is not one of the drafts")
        try:
            return spool.adopt(record, spool.drafts / file, "in" if within else "out")
        except (FileNotFoundError, ValueError) as error:
            raise GatewayRefused(record.envelope.message, f"its file: {error}") from error

    def _get(self, get: wire.Get) -> None:
        if get.envelope.job_id != self._job_id:
            raise GatewayRefused(f"job {get.envelope.job_id}", "greeted for another job")
        if not self._site.mailbox.hosts(get.envelope.dst.party_id):
            raise GatewayRefused(
                get.envelope.message, f"{get.envelope.dst} is not a party of this site"
            )
        self._waiter = self._site.mailbox.wait(
            get.envelope, get.idle_timeout_s, self._deliver, get.within_s
        )

    def _deliver(self, found: Kept | FederationError) -> None:
        self._waiter = None
        if isinstance(found, FederationError):
            self._reply(wire.failed(found))
        elif found.record.size <= wire.INLINE:
            self._reply(*self._read(found))
        else:
            self._reply(wire.Payload(found.record.size, found.path))

    def _read(self, kept: Kept) -> tuple[wire.FromGateway, bytes]:
        """A small payload; what cannot be read is said to its receiver, not to its sender."""
        try:
            payload = self._site.mailbox.spool.read(kept)
        except OSError as error:
            about = kept.record.envelope.message
            return wire.failed(GatewayRefused(about, f"{error.strerror or error}")), b""
        return wire.Payload(len(payload)), payload

    def _taken(self, taken: wire.Taken) -> None:
        mailbox = self._site.mailbox
        job = mailbox.jobs.get(self._job_id or "")
        kept = job.messages.get(token.identity_key(taken.envelope)) if job else None
        if kept is not None and kept.state == "in":
            try:
                mailbox.spool.release(kept, wire.INLINE)
            except OSError:  # nobody waits for a reply; an answer would be taken for the next one's
                _log.exception("local socket: a message that was taken is not freed")

    def _control(self, request: wire.ToGateway, payload: bytes) -> wire.FromGateway | None:
        mailbox = self._site.mailbox
        if isinstance(request, wire.Register):
            mailbox.register(request.job_id, request.token, request.parties)
        elif isinstance(request, wire.Cancel):
            mailbox.cancel(request.job_id, request.reason)
        elif isinstance(request, wire.End):
            mailbox.end(request.job_id)
        elif isinstance(request, wire.DropTask):
            mailbox.drop_task(request.job_id, request.component, request.version)
        elif isinstance(request, wire.AskStatus):
            return wire.Status(self._site.status())
        elif isinstance(request, wire.PartyCall):
            call = asyncio.get_running_loop().create_task(self._call(request, payload))
            self._calls.add(call)
            call.add_done_callback(self._calls.discard)
            return None
        return wire.Done()

    async def _call(self, call: wire.PartyCall, body: bytes) -> None:
        try:
            answer = await self._site.call(call.party_id, call.name, body, call.timeout_s)
        except FederationError as error:
            self._reply(wire.failed(error))
        else:
            self._reply(wire.Payload(len(answer)), answer)

    def _reply(self, reply: wire.FromGateway, payload: bytes = b"") -> None:
        if self._transport is not None:
            self._transport.write(wire.frame(reply, payload))

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
