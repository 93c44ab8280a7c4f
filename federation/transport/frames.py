"""Protobuf frames between gateways, and what they are inside: checked on the way in.

Whatever a peer sends becomes an Envelope or raises Malformed; limits are explicit and small, for a
peer is another organisation.
"""

from __future__ import annotations

import zlib

import grpc
from google.protobuf.message import DecodeError

from federation.envelope import Envelope
from federation.errors import FederationError
from federation.party import Party, Role
from federation.transport import gateway_pb2 as pb
from federation.transport import wire
from federation.transport.mailbox import TaskState
from federation.transport.spool import Record

PROTOCOL = 1
METHOD = "/distaff.gateway.v1.Gateway/Exchange"
CHUNK = 1 << 20
"""Bytes of payload in a chunk."""
LARGEST_CHUNK = 4 << 20
WINDOW = 64 << 20
"""How many bytes of one message may be under way without being acknowledged."""
ACK_EACH = 16 << 20
LARGEST_PAYLOAD = 1 << 40
LARGEST_FRAME = 8 << 20
LARGEST_ASK = 1000

_TEXT = 512
_STATES: list[TaskState] = ["unknown", "alive", "gone", "stopped"]


class Malformed(FederationError, ValueError):
    """A frame that no gateway of ours sends."""


def options(*, server: bool) -> list[tuple[str, int]]:
    """gRPC settings of both sides: frame limit, and keep-alive that finds a dead peer in 20 s."""
    common = [
        ("grpc.max_receive_message_length", LARGEST_FRAME),
        ("grpc.max_send_message_length", LARGEST_FRAME),
        ("grpc.keepalive_time_ms", 10_000),
        ("grpc.keepalive_timeout_ms", 10_000),
        ("grpc.http2.max_pings_without_data", 0),
        ("grpc.enable_http_proxy", 0),
    ]
    if server:
        return [
            *common,
            ("grpc.http2.min_recv_ping_interval_without_data_ms", 5_000),
            ("grpc.so_reuseport", 0),
        ]
    return [*common, ("grpc.keepalive_permit_without_calls", 1)]


def parse(data: bytes) -> pb.Frame:
    """Raises Malformed."""
    try:
        return pb.Frame.FromString(data)
    except DecodeError as error:
        raise Malformed(f"not a frame: {error}") from None


def handler(servicer: object) -> grpc.GenericRpcHandler:
    """The service, without generated stubs. Frames arrive as bytes, so that we decode them."""
    method = grpc.stream_stream_rpc_method_handler(
        servicer.exchange,  # type: ignore[attr-defined]
        request_deserializer=None,
        response_serializer=pb.Frame.SerializeToString,
    )
    service, name = METHOD.strip("/").split("/")
    return grpc.method_handlers_generic_handler(service, {name: method})


def to_envelope(found: pb.Envelope) -> Envelope:
    """Raises Malformed for missing, overlong or impossible parts."""
    texts = (found.job_id, found.component, found.message, found.kind, found.shape)
    if not (found.job_id and found.component and found.message):
        raise Malformed("an envelope without job, component or message")
    if any(len(text) > _TEXT for text in texts) or len(found.reveals) > 8 * _TEXT:
        raise Malformed(f"an envelope with a text longer than {_TEXT} characters")
    return Envelope(
        found.job_id,
        found.component,
        found.version,
        found.message,
        found.number,
        to_party(found.src),
        to_party(found.dst),
        found.kind,
        found.reveals,
        found.shape,
    )


def from_envelope(envelope: Envelope) -> pb.Envelope:
    return pb.Envelope(
        job_id=envelope.job_id,
        component=envelope.component,
        version=envelope.version,
        message=envelope.message,
        number=envelope.number,
        src=from_party(envelope.src.role.value, envelope.src.party_id),
        dst=from_party(envelope.dst.role.value, envelope.dst.party_id),
        kind=envelope.kind,
        reveals=envelope.reveals,
        shape=envelope.shape,
    )


def to_party(found: pb.Party) -> Party:
    """A peer's party, checked. Raises Malformed."""
    try:
        role = Role(found.role)
    except ValueError:
        raise Malformed("a party with an unknown role") from None
    if not found.party_id or len(found.party_id) > _TEXT:
        raise Malformed("a party without an id")
    return Party(role, found.party_id)


def from_party(role: str, party_id: str) -> pb.Party:
    return pb.Party(role=role, party_id=party_id)


def to_task(found: pb.Task) -> wire.Task:
    party = to_party(found.party)
    return wire.Task(found.job_id, found.component, found.version, party.role.value, party.party_id)


def from_task(task: wire.Task) -> pb.Task:
    return pb.Task(
        job_id=task.job_id,
        component=task.component,
        version=task.version,
        party=from_party(task.role, task.party_id),
    )


def to_state(number: int) -> TaskState:
    """A peer's number as a state; one that is not known here is "unknown"."""
    return _STATES[number] if 0 <= number < len(_STATES) else "unknown"


def from_state(state: TaskState) -> int:
    return _STATES.index(state)


def open_message(number: int, record: Record, payload: bytes = b"") -> pb.Open:
    return pb.Open(
        id=number,
        envelope=from_envelope(record.envelope),
        size=record.size,
        sha256=record.sha256,
        mac=record.mac,
        payload=payload,
    )


def check_open(found: pb.Open) -> None:
    """Raises Malformed if sizes or digest cannot be."""
    if found.size > LARGEST_PAYLOAD:
        raise Malformed(f"a message of {found.size} bytes; at most {LARGEST_PAYLOAD}")
    if len(found.sha256) != 32 or len(found.mac) != 32:
        raise Malformed("a message without digest or proof")
    if found.payload and (len(found.payload) != found.size or found.size > wire.INLINE):
        raise Malformed("a payload whose size is not the announced one")


def chunk(number: int, offset: int, data: bytes) -> pb.Frame:
    """A piece of a large message with its CRC32. offset: bytes before it."""
    return pb.Frame(chunk=pb.Chunk(id=number, offset=offset, data=data, crc32=zlib.crc32(data)))


def check_chunk(found: pb.Chunk, due: int, size: int) -> None:
    """Raises Malformed if it was changed, replayed, left out, or is more than announced."""
    if found.offset != due:
        raise Malformed(f"a chunk at offset {found.offset} where {due} is due")
    if not 0 < len(found.data) <= LARGEST_CHUNK or due + len(found.data) > size:
        raise Malformed(f"a chunk of {len(found.data)} bytes at {due} of {size}")
    if zlib.crc32(found.data) != found.crc32:
        raise Malformed(f"the chunk at offset {due} does not have its checksum")
