"""Getting through to another party's gateway: TCP, TLS, certificate, greeting, and what failed.

``reach`` looks before gRPC does, because gRPC does not say why it cannot connect.
"""

from __future__ import annotations

import asyncio
import hashlib
import ipaddress
import os
import ssl
import time
from pathlib import Path
from typing import Any

import grpc
import msgspec

from federation import certificate, route
from federation.certificate import Identity
from federation.errors import FederationError, Unreachable
from federation.route import Endpoint
from federation.transport import frames
from federation.transport import gateway_pb2 as pb

PATIENCE_S = 5.0
"""For each of: name and TCP and TLS together; the greeting."""

Calls = grpc.aio.StreamStreamCall[pb.Frame, pb.Frame]


class NoWay(FederationError, ConnectionError):
    """One endpoint failed, and why. Never leaves this package: Unreachable lists them."""


class Reached(msgspec.Struct, frozen=True):
    """What ``reach`` saw. certificate: PEM, b"" in plaintext. seconds: until TLS stood."""

    certificate: bytes
    seconds: float


def is_loopback(host: str) -> bool:
    """Whether only this machine is reached at the address or name."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


async def reach(endpoint: Endpoint, party_id: str, own: Identity | None, certs: Path) -> Reached:
    """Connect once and look at the certificate. Raises NoWay saying what failed."""
    if own is None and not is_loopback(endpoint.ip):
        raise NoWay(f"{endpoint}: this site has no certificate, and plaintext stays on loopback")
    started = time.monotonic()
    context = await asyncio.to_thread(_tls, own, certs) if own else None
    name = certificate.host_name(party_id) if own else None
    try:
        _, writer = await asyncio.wait_for(
            asyncio.open_connection(endpoint.ip, endpoint.port, ssl=context, server_hostname=name),
            PATIENCE_S,
        )
    except (TimeoutError, asyncio.TimeoutError):
        raise NoWay(f"{endpoint}: no answer within {PATIENCE_S:.0f} s") from None
    except ssl.SSLCertVerificationError as error:
        raise NoWay(f"{endpoint}: its certificate: {error.verify_message}") from error
    except ssl.SSLError as error:
        raise NoWay(f"{endpoint}: no TLS: {error.reason or error}") from error
    except OSError as error:
        number = error.errno or 0
        raise NoWay(f"{endpoint}: {os.strerror(number) if number > 0 else error}") from error
    found = b""
    if own is not None:
        der = writer.get_extra_info("ssl_object").getpeercert(binary_form=True)
        found = ssl.DER_cert_to_PEM_cert(der).encode()
        seen = hashlib.sha256(der).hexdigest()
        if endpoint.pin and seen != endpoint.pin:
            writer.transport.abort()
            raise NoWay(f"{endpoint}: its certificate is {seen[:16]}..., not the pinned one")
    seconds = time.monotonic() - started
    writer.transport.abort()  # an orderly end of TLS would wait for the other side's
    return Reached(found, seconds)


def channel(
    endpoint: Endpoint, party_id: str, own: Identity | None, reached: Reached
) -> grpc.aio.Channel:
    """A gRPC channel that accepts only the party's certificate (only the pinned one, if pinned:
    it is then the sole root)."""
    target, settings = f"{endpoint.ip}:{endpoint.port}", frames.options(server=False)
    if ":" in endpoint.ip:
        target = f"[{endpoint.ip}]:{endpoint.port}"
    if own is None:
        return grpc.aio.insecure_channel(target, options=settings)
    roots = reached.certificate if endpoint.pin else own.ca
    credentials = grpc.ssl_channel_credentials(roots, own.key, own.certificate)
    named = ("grpc.ssl_target_name_override", certificate.host_name(party_id))
    return grpc.aio.secure_channel(target, credentials, options=[*settings, named])


async def greet(way: grpc.aio.Channel, where: str, own_party: str, party_id: str) -> Calls:
    """A stream on which both sides have said who they are. Raises NoWay naming ``where``."""
    exchange: Any = way.stream_stream(
        frames.METHOD,
        request_serializer=pb.Frame.SerializeToString,
        response_deserializer=pb.Frame.FromString,
    )
    call: Calls = exchange(wait_for_ready=False)
    hello = pb.Hello(protocol=frames.PROTOCOL, party=own_party, to=party_id)
    try:
        await asyncio.wait_for(call.write(pb.Frame(hello=hello)), PATIENCE_S)
        answer = await asyncio.wait_for(call.read(), PATIENCE_S)
    except (TimeoutError, asyncio.TimeoutError):
        call.cancel()
        raise NoWay(f"{where}: no greeting within {PATIENCE_S:.0f} s") from None
    except (grpc.aio.AioRpcError, asyncio.InvalidStateError) as error:
        raise NoWay(f"{where}: {await _why(call, error)}") from error
    if not isinstance(answer, pb.Frame):
        raise NoWay(f"{where}: {await _why(call, None)}")
    if answer.hello.party not in ("", party_id):
        call.cancel()
        raise NoWay(f"{where}: it is the gateway of party {answer.hello.party}")
    return call


async def _why(call: Calls, error: BaseException | None) -> str:
    if isinstance(error, grpc.aio.AioRpcError):
        return f"{error.code().name}: {error.details()}"
    code = await call.code()
    return f"{code.name}: {await call.details()}"


def _tls(own: Identity, certs: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cadata=own.ca.decode())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certs / "party.pem", certs / "party.key")
    context.set_alpn_protocols(["h2"])
    return context


class Tried(msgspec.Struct, frozen=True):
    """An endpoint as ``distaff routes test`` saw it. problem: "" if a gateway greeted us."""

    endpoint: str
    problem: str = ""
    ms: float = 0.0
    party: str = ""
    not_after: str = ""


async def try_route(home: Path, party_id: str) -> list[Tried]:
    """Dial every endpoint of a party from this site's home. Raises RouteFault, CertificateFault,
    and Unreachable if there is no route."""
    certs, table = home / "certs", route.load(home / route.FILE)
    own = certificate.identity(certs)
    endpoints = table.lookup(party_id)
    if not endpoints:
        raise Unreachable(party_id, f"nothing: {table.missing(party_id)}")
    return [await _try(endpoint, party_id, own, certs) for endpoint in endpoints]


async def _try(endpoint: Endpoint, party_id: str, own: Identity | None, certs: Path) -> Tried:
    try:
        reached = await reach(endpoint, party_id, own, certs)
        way = channel(endpoint, party_id, own, reached)
        try:
            (await greet(way, str(endpoint), own.party if own else "test", party_id)).cancel()
        finally:
            await way.close(None)
    except NoWay as error:
        return Tried(str(endpoint), str(error).removeprefix(f"{endpoint}: "))
    ms = round(reached.seconds * 1000, 1)
    if not reached.certificate:
        return Tried(str(endpoint), ms=ms, party="(plaintext)")
    shown = certificate.describe(reached.certificate)
    return Tried(str(endpoint), ms=ms, party=shown.party, not_after=shown.not_after)
