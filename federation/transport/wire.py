"""What the local socket ``<home>/run/gateway.sock`` carries, between a site's processes.

A frame is ``<header length u32><payload length u64><header><payload>``, little-endian; the header
is MessagePack of one of the structs below, the payload is raw bytes. Payloads above ``INLINE`` do
not cross the socket: they are files of the spool, named in the header. The gateway speaks first
(Challenge); a client answers Hello, then sends requests one at a time and reads one reply to each
(none to Taken).
"""

from __future__ import annotations

import struct
from typing import Any

import msgspec

from federation.envelope import Envelope
from federation.errors import (
    Cancelled,
    DuplicateMessage,
    FederationError,
    GatewayRefused,
    PeerFailed,
    PeerLate,
    PeerSilent,
    Unreachable,
)

INLINE = 256 * 1024
"""Largest payload of a message, in bytes, that crosses the socket or shares a gRPC frame."""
LARGEST_HEADER = 1 << 20
LARGEST_BODY = 4 << 20
"""Largest body of a control call, in bytes."""

_LENGTHS = struct.Struct("<IQ")


class Challenge(msgspec.Struct, frozen=True, tag="challenge"):
    """nonce: to be answered with ``token.greeting_mac``. drafts: where large payloads are put."""

    nonce: bytes
    drafts: str


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """job_id: "" for fateflow, which proves the site's secret; else a worker of that job."""

    job_id: str
    proof: bytes


class Task(msgspec.Struct, frozen=True, tag="task"):
    """Who runs a task: what a peer that waits for its messages asks about."""

    job_id: str
    component: str
    version: int
    role: str
    party_id: str


class Here(msgspec.Struct, frozen=True, tag="here"):
    """This connection lives as long as the worker of the task does. Reply: Done."""

    task: Task


class Send(msgspec.Struct, frozen=True, tag="send"):
    """Take a message. file: a file name in ``drafts``, when the payload is not inline."""

    envelope: Envelope
    size: int
    sha256: bytes
    mac: bytes
    file: str = ""


class Get(msgspec.Struct, frozen=True, tag="get"):
    """Wait for a message. Reply: Payload, as soon as it is there.

    within_s: the longest wait, whatever is heard of the peer's task; None: no such limit.
    """

    envelope: Envelope
    idle_timeout_s: float
    within_s: float | None = None


class Taken(msgspec.Struct, frozen=True, tag="taken"):
    """The large payload was read: its file may go. No reply."""

    envelope: Envelope


class Register(msgspec.Struct, frozen=True, tag="register"):
    job_id: str
    token: str
    parties: list[tuple[str, str]]


class Cancel(msgspec.Struct, frozen=True, tag="cancel"):
    job_id: str
    reason: str


class End(msgspec.Struct, frozen=True, tag="end"):
    job_id: str


class DropTask(msgspec.Struct, frozen=True, tag="drop_task"):
    job_id: str
    component: str
    version: int


class PartyCall(msgspec.Struct, frozen=True, tag="party_call"):
    """Ask another site's fateflow; the payload is the body. Reply: Payload."""

    party_id: str
    name: str
    timeout_s: float


class AskStatus(msgspec.Struct, frozen=True, tag="status"):
    """Reply: Status."""


class Done(msgspec.Struct, frozen=True, tag="done"):
    pass


class Payload(msgspec.Struct, frozen=True, tag="payload"):
    """file: absolute path whose first ``size`` bytes are the payload, when it is not inline."""

    size: int
    file: str = ""


class Status(msgspec.Struct, frozen=True, tag="status_is"):
    values: dict[str, Any]


class Failed(msgspec.Struct, frozen=True, tag="failed"):
    """error: a class of ``federation.errors``; message: its text."""

    error: str
    message: str


ToGateway = (
    Hello | Here | Send | Get | Taken | Register | Cancel | End | DropTask | PartyCall | AskStatus
)
FromGateway = Challenge | Done | Payload | Status | Failed

_ENCODER = msgspec.msgpack.Encoder()
_TO_GATEWAY = msgspec.msgpack.Decoder(ToGateway)
_FROM_GATEWAY = msgspec.msgpack.Decoder(FromGateway)


class Broken(FederationError, ConnectionError):
    """Bytes that are no frame: the connection is closed."""


class Frames:
    """Bytes in, whole frames out. Holds at most one frame and what follows it in one read."""

    def __init__(self) -> None:
        self._held = bytearray()

    def feed(self, data: bytes) -> None:
        self._held += data

    def next(self) -> tuple[bytes, bytes] | None:
        """The next (header, payload), or None until more is fed. Raises Broken on absurd sizes."""
        if len(self._held) < _LENGTHS.size:
            return None
        header_size, payload_size = _LENGTHS.unpack_from(self._held)
        if header_size > LARGEST_HEADER or payload_size > LARGEST_BODY:
            raise Broken(f"a frame of {header_size} + {payload_size} bytes")
        start, end = _LENGTHS.size + header_size, _LENGTHS.size + header_size + payload_size
        if len(self._held) < end:
            return None
        with memoryview(self._held) as view:
            header, payload = bytes(view[_LENGTHS.size : start]), bytes(view[start:end])
        del self._held[:end]
        return header, payload


def frame(message: ToGateway | FromGateway, payload: bytes = b"") -> bytes:
    """A message and its payload as bytes: two lengths, the header, the payload."""
    header = _ENCODER.encode(message)
    return _LENGTHS.pack(len(header), len(payload)) + header + payload


def to_gateway(header: bytes) -> ToGateway:
    """Raises Broken if it is no request."""
    try:
        request: ToGateway = _TO_GATEWAY.decode(header)
    except msgspec.DecodeError as error:
        raise Broken(f"not a request: {error}") from None
    return request


def from_gateway(header: bytes) -> FromGateway:
    """Raises Broken if it is no reply."""
    try:
        reply: FromGateway = _FROM_GATEWAY.decode(header)
    except msgspec.DecodeError as error:
        raise Broken(f"not a reply: {error}") from None
    return reply


_ERRORS: dict[str, type[FederationError]] = {
    cls.__name__: cls
    for cls in (
        Cancelled,
        DuplicateMessage,
        GatewayRefused,
        PeerFailed,
        PeerLate,
        PeerSilent,
        Unreachable,
    )
}


def failed(error: FederationError) -> Failed:
    """An error as it is told; what a worker does not know by name is a GatewayRefused."""
    name = type(error).__name__
    return Failed(name if name in _ERRORS else "GatewayRefused", str(error))


def raised(failure: Failed) -> FederationError:
    """The error that a Failed stands for: the same class, the same text."""
    cls = _ERRORS.get(failure.error, FederationError)
    error = cls.__new__(cls)
    Exception.__init__(error, failure.message)
    return error
