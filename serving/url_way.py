"""Routes that are URLs: packets as proto3 JSON over HTTP, for sites that let no gRPC out.

It looks like a gRPC channel to ``party_link``, its failures included. No certificate says who
calls, so the other side asks for signatures (``auth_file``).
"""

from __future__ import annotations

import asyncio

import grpc
import httpx
from google.protobuf import json_format

from federation.fate_serving import proxy_pb2 as pb
from serving.packets import LARGEST

_CONNECTIONS = httpx.Limits(max_connections=128, max_keepalive_connections=32)


class UrlChannel:
    """url: of a serving's (or a FATE-Serving proxy's) ``/unary``."""

    def __init__(self, url: str) -> None:
        self.url = url
        self._client = httpx.AsyncClient(trust_env=False, limits=_CONNECTIONS)

    async def call(self, packet: pb.Packet, timeout: float) -> pb.Packet:
        """Raises grpc.aio.AioRpcError."""
        content = bytearray()
        sent = json_format.MessageToJson(packet, preserving_proto_field_name=True, indent=None)
        try:
            async with (
                asyncio.timeout(timeout),
                self._client.stream(
                    "POST",
                    self.url,
                    content=sent,
                    timeout=timeout,
                    headers={"content-type": "application/json"},
                ) as reply,
            ):
                async for part in reply.aiter_bytes():
                    content += part
                    if len(content) > LARGEST:
                        raise _failure(grpc.StatusCode.RESOURCE_EXHAUSTED, "the answer is too long")
        except (TimeoutError, httpx.TimeoutException):
            raise _failure(grpc.StatusCode.DEADLINE_EXCEEDED, "") from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            raise _failure(grpc.StatusCode.UNAVAILABLE, type(error).__name__) from None
        if reply.status_code != 200:
            raise _failure(grpc.StatusCode.UNKNOWN, f"HTTP {reply.status_code}")
        try:
            return json_format.Parse(bytes(content), pb.Packet(), ignore_unknown_fields=True)
        except (json_format.ParseError, UnicodeDecodeError):
            raise _failure(grpc.StatusCode.UNKNOWN, "the answer is no packet") from None

    async def probe(self, timeout: float) -> None:
        """Any answer will do. Raises grpc.aio.AioRpcError."""
        await self.call(pb.Packet(), timeout)

    async def close(self, grace: float | None = None) -> None:
        del grace
        await self._client.aclose()


def _failure(code: grpc.StatusCode, told: str) -> grpc.aio.AioRpcError:
    return grpc.aio.AioRpcError(code, grpc.aio.Metadata(), grpc.aio.Metadata(), told, None)
