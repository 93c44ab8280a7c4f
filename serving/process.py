"""What the process of every role has: ports, files that it watches, a start and an orderly end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
import time
from pathlib import Path

import grpc

from serving import grpc_gate, http_server
from serving.certificates import Certificates
from serving.grpc_gate import Gate
from serving.measures import Measures
from serving.packets import LARGEST
from serving.party_auth import Signer
from serving.party_auth import read as read_auth
from serving.peers import Peers
from serving.routes import RouteFile, Routes
from serving.settings import Settings

_log = logging.getLogger(__name__)

FILES_EVERY_S = 5.0
BACKLOG = 1024
LOOPBACK = ("127.0.0.1", "::1", "localhost")
_OPTIONS = (
    ("grpc.max_send_message_length", LARGEST),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


class CannotStart(Exception):
    """A port, a certificate or an option stands in the way: which, and what to do."""


class Process:
    """A role gives it ``door``, ``servers`` and what it has to do before, while and after."""

    door: http_server.Door

    def __init__(self, settings: Settings, own_routes: Routes) -> None:
        """own_routes: without a route table."""
        self.settings = settings
        settings.root.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.routes_path = Path(settings.route_table or settings.root / "route_table.json")
        self.certificates = Certificates(Path(settings.home) / "certs")
        self.routes = RouteFile(self.routes_path, own_routes)
        self.measures = Measures()
        secrets_path = Path(settings.auth_file) if settings.auth_file else None
        self.signer = Signer(read_auth(secrets_path), required=settings.auth, path=secrets_path)
        self.peers = Peers(settings, self.routes, self.certificates, self.measures, self.signer)
        self._gates: list[Gate] = []
        waiting = self.measures.waiting
        waiting.labels("group").set_function(lambda: self.peers.waiting)
        waiting.labels("turn").set_function(lambda: sum(gate.waiting for gate in self._gates))

    def servers(self) -> list[grpc.aio.Server]:
        """Bound, not yet started. Raises CannotStart."""
        raise NotImplementedError

    async def prepare(self) -> None:
        """Before other parties and this site are answered."""

    def end(self, *, ready: bool) -> None:
        """ready: not ready any more; else nothing new is taken either."""
        raise NotImplementedError

    @property
    def is_busy(self) -> bool:
        raise NotImplementedError

    async def close(self) -> None:
        await self.peers.close()

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish what is under way. Raises CannotStart."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        settings = self.settings
        servers = self.servers()
        http = http_server.server(self.door, settings.host, settings.http_port, BACKLOG)
        answering = asyncio.ensure_future(http.serve())
        watching = asyncio.ensure_future(self._watch_files())
        await self.prepare()
        for server in servers:
            await server.start()
        _log.info(
            "serving as %s: REST http://%s:%s, models %s, parties %s",
            settings.role,
            settings.host,
            settings.http_port,
            settings.grpc_port,
            settings.party_port,
        )
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({stopping, answering}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done() and not stop.is_set():
            with contextlib.suppress(SystemExit, Exception):
                answering.result()
            raise CannotStart(
                f"port {settings.http_port} on {settings.host} cannot be used; choose "
                "another with --port, or end what uses it"
            )
        await self._drain()
        http.stop()
        for server in servers:
            await server.stop(1.0)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(answering, watching, return_exceptions=True)
        await self.close()

    def party_port(self, server: grpc.aio.Server) -> grpc.aio.Server:
        """For other parties: with certificates, or in plaintext on loopback alone."""
        settings = self.settings
        host = settings.party_host or settings.host
        credentials = self.certificates.credentials()
        if credentials is None and host not in LOOPBACK and not settings.auth:
            raise CannotStart(
                f"other parties would reach port {settings.party_port} on {host} in plaintext "
                "and unknown: make certificates with `distaff cert`, or set auth and auth_file"
            )
        listen(server, host, settings.party_port, credentials, "--party-port")
        return server

    def grpc_server(self) -> tuple[grpc.aio.Server, Gate]:
        options = (
            *_OPTIONS,
            *grpc_gate.OPTIONS,
            ("grpc.max_receive_message_length", self.settings.most_bytes),
        )
        server, gate = grpc.aio.server(options=options), Gate()
        gate.watch()
        self._gates.append(gate)
        server.add_generic_rpc_handlers((gate,))
        return server, gate

    async def _drain(self) -> None:
        """Not ready from now on, but answering for the lame-duck time: who balances load must see
        it first. Then nothing new is taken, and what is under way ends."""
        self.end(ready=True)
        await asyncio.sleep(self.settings.lame_duck_ms / 1000)
        self.end(ready=False)
        until = time.monotonic() + self.settings.batch_ms / 1000
        while self.is_busy and time.monotonic() < until:
            await asyncio.sleep(0.02)

    async def _watch_files(self) -> None:
        """Routes, certificate and secrets, which operators change under way."""
        while True:
            for look in (self.routes.refresh, self.certificates.refresh, self.signer.refresh):
                try:
                    await asyncio.to_thread(look)
                except Exception:  # noqa: BLE001 (it must not be the last look)
                    _log.exception("a changed file cannot be read")
            self.measures.certificate_ends.set(self.certificates.ends)
            await asyncio.sleep(FILES_EVERY_S)


def listen(
    server: grpc.aio.Server,
    host: str,
    port: int,
    credentials: grpc.ServerCredentials | None,
    option: str,
) -> None:
    """Raises CannotStart."""
    address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
    try:
        if credentials is None:
            server.add_insecure_port(address)
        else:
            server.add_secure_port(address, credentials)
    except RuntimeError:
        raise CannotStart(
            f"port {port} on {host} cannot be used; choose another with {option}, or end what "
            "uses it"
        ) from None
