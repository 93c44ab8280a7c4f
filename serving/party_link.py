"""The way to one other party: a channel, a retry elsewhere, and a breaker that stops waiting.

After ``FAILURES`` failures in a row the breaker opens: calls fail at once while the party is probed
every ``PROBE_S`` over a fresh connection (an old one may hang in retransmissions long after the
network is back). Any answer to the probe closes it: one that does not know health checks is alive.
"""

from __future__ import annotations

import asyncio
import logging
import time
from typing import Any

import grpc

from federation import certificate
from federation.certificate import Identity
from federation.fate_serving import proxy_pb2 as pb
from serving.codes import Code, ServingFault
from serving.packets import LARGEST, METHOD
from serving.routes import Endpoint
from serving.url_way import UrlChannel

_log = logging.getLogger(__name__)

FAILURES = 5
PATIENCE_S = 0.25
PROBE_S = 0.5
PROBE_LIMIT_S = 0.5
CALLS_END_S = 10.0
_HEALTH = "/grpc.health.v1.Health/Check"
OPTIONS = (
    ("grpc.max_send_message_length", LARGEST),
    ("grpc.max_receive_message_length", LARGEST),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 5_000),
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 1000),
    ("grpc.use_local_subchannel_pool", 1),
)
"""Of a channel to a serving: packets of any size, and soon connected again."""
_LOST = (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED)


class Way:
    """One endpoint: its channel and its breaker."""

    def __init__(self, endpoint: Endpoint, party_id: str, identity: Identity | None) -> None:
        self.endpoint, self.party_id, self.identity = endpoint, party_id, identity
        self.failures = 0
        self._is_closed = False
        self._open()
        self._probing: asyncio.Task[None] | None = None
        self._closing: set[asyncio.Task[None]] = set()

    @property
    def is_open(self) -> bool:
        """Whether calls are not tried at present."""
        return self._probing is not None

    async def call(self, packet: pb.Packet, timeout_s: float) -> pb.Packet:
        """Raises grpc.aio.AioRpcError."""
        try:
            answer: pb.Packet = await self._method(packet, timeout=timeout_s)
        except grpc.aio.AioRpcError as error:
            late = error.code() is grpc.StatusCode.DEADLINE_EXCEEDED
            # A call that had hardly any time left says nothing about the party.
            if error.code() in _LOST and not (late and timeout_s < PATIENCE_S):
                self._failed()
            raise
        self.failures = 0
        return answer

    async def close(self, grace_s: float) -> None:
        self._is_closed = True
        if self._probing is not None:
            self._probing.cancel()
        await self._channel.close(grace_s or None)

    def _failed(self) -> None:
        self.failures += 1
        if self.failures >= FAILURES and self._probing is None and not self._is_closed:
            _log.warning("party %s at %s does not answer", self.party_id, self.endpoint)
            self._probing = asyncio.ensure_future(self._probe())

    async def _probe(self) -> None:
        try:
            self._replace(CALLS_END_S)
            while not await self._alive():
                await asyncio.sleep(PROBE_S)
                self._replace(0)
        finally:
            self._probing = None
        self.failures = 0
        _log.warning("party %s at %s answers again", self.party_id, self.endpoint)

    def _replace(self, grace_s: float) -> None:
        """A fresh channel; calls that wait on the old one may end within the grace."""
        closing = asyncio.ensure_future(self._channel.close(grace_s))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        self._open()

    async def _alive(self) -> bool:
        try:
            if self.endpoint.url:
                await self._by_url.probe(PROBE_LIMIT_S)
            else:
                check: Any = self._channel.unary_unary(_HEALTH, bytes, bytes)
                await check(b"", timeout=PROBE_LIMIT_S)
        except grpc.aio.AioRpcError as error:
            return error.code() not in (*_LOST, grpc.StatusCode.CANCELLED)
        return True

    def _open(self) -> None:
        if self.endpoint.url:
            self._by_url = UrlChannel(self.endpoint.url)
            self._channel: Any = self._by_url
            self._method: Any = self._by_url.call
            return
        target = self.endpoint.target
        if not self.endpoint.secure:
            self._channel = grpc.aio.insecure_channel(target, options=OPTIONS)
        else:
            own = self.identity
            if own is None:
                raise ServingFault(
                    Code.NETWORK,
                    f"the route to party {self.party_id} is secure, and this site has no "
                    "certificate: make one with `distaff cert`",
                )
            name = ("grpc.ssl_target_name_override", certificate.host_name(self.party_id))
            credentials = grpc.ssl_channel_credentials(own.ca, own.key, own.certificate)
            self._channel = grpc.aio.secure_channel(target, credentials, options=[*OPTIONS, name])
        self._method = self._channel.unary_unary(
            METHOD,
            request_serializer=pb.Packet.SerializeToString,
            response_deserializer=pb.Packet.FromString,
        )


class PartyLink:
    """A party and all its endpoints. most: calls under way together."""

    def __init__(
        self, party_id: str, found: tuple[Endpoint, ...], identity: Identity | None, most: int
    ) -> None:
        self.party_id, self.addresses, self.identity = party_id, found, identity
        self.endpoints = [Way(endpoint, party_id, identity) for endpoint in found]
        self.most, self.under_way = most, 0
        self.last_s = 0.0

    @property
    def is_up(self) -> bool:
        return any(not endpoint.is_open for endpoint in self.endpoints)

    async def call(self, packet: pb.Packet, timeout_s: float) -> pb.Packet:
        """The party's answer: from the first endpoint that is not known to be down, and once more
        from the next one if the connection could not be made.

        Raises ServingFault: 105 with the reason, 124 if too many calls are under way.
        """
        if self.under_way >= self.most:
            raise ServingFault(
                Code.OVERLOAD, f"overload: {self.most} calls to party {self.party_id} are under way"
            )
        ways = [endpoint for endpoint in self.endpoints if not endpoint.is_open]
        if not ways:
            raise self._fault("its breaker is open: it did not answer, and is probed")
        deadline = time.monotonic() + timeout_s
        self.under_way += 1
        try:
            return await self._tried(packet, deadline, ways)
        finally:
            self.under_way -= 1
            self.last_s = time.monotonic() - (deadline - timeout_s)

    async def close(self, grace_s: float = 0.0) -> None:
        """grace_s: in which calls under way may end."""
        closing = (endpoint.close(grace_s) for endpoint in self.endpoints)
        await asyncio.gather(*closing, return_exceptions=True)

    async def _tried(self, packet: pb.Packet, deadline: float, ways: list[Way]) -> pb.Packet:
        for attempt, way in enumerate((ways[0], ways[1 % len(ways)])):
            left = deadline - time.monotonic()
            if left <= 0:
                break
            try:
                return await way.call(packet, left)
            except grpc.aio.AioRpcError as error:
                refused = error.code() is grpc.StatusCode.UNAVAILABLE
                if not refused or attempt or way.is_open:
                    raise self._fault(_why(error)) from None
        raise self._fault("no answer in time")

    def _fault(self, why: str) -> ServingFault:
        return ServingFault(Code.NETWORK, f"host {self.party_id} remote error : {why}")


def _why(error: grpc.aio.AioRpcError) -> str:
    if error.code() is grpc.StatusCode.DEADLINE_EXCEEDED:
        return "no answer in time"
    if error.code() is grpc.StatusCode.UNAVAILABLE:
        return "it cannot be reached"
    return f"{error.code().name}: {(error.details() or '')[:200]}"
