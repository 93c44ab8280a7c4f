"""The serving process: its parts put together, its doors opened, its orderly end.

    python -m serving --home DIR

One asyncio process answers everything: REST and the open protocol on one port, models and inference
over gRPC for this site on a second, other parties on a third.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import time
from pathlib import Path

import grpc

from serving import adapters, grpc_doors, grpc_gate, http_server
from serving.access_log import AccessLog
from serving.certificates import Certificates
from serving.grpc_gate import Gate
from serving.guest_calls import GuestCalls
from serving.host_desk import HostDesk
from serving.inference import Inference
from serving.limits import Limits
from serving.managers import Managers
from serving.measures import Measures
from serving.model_life import ModelLife
from serving.packets import LARGEST
from serving.party_auth import Signer
from serving.party_auth import read as read_auth
from serving.peers import Peers
from serving.registry import Registry
from serving.routes import Endpoint, RouteFile, Routes
from serving.settings import Settings
from serving.store import Store
from serving.web import Web

_log = logging.getLogger(__name__)

FILES_EVERY_S = 5.0
BACKLOG = 1024
_LOOPBACK = ("127.0.0.1", "::1", "localhost")
_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 (what not to dial)
_OPTIONS = (
    ("grpc.max_send_message_length", LARGEST),
    ("grpc.so_reuseport", 0),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
)


class CannotStart(Exception):
    """A port, a certificate or an option stands in the way: which, and what to do."""


class Serving:
    """All parts of one process."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        root = settings.root
        root.mkdir(parents=True, exist_ok=True, mode=0o700)
        _write_token(root / "admin.token")
        self.routes_path = Path(settings.route_table or root / "route_table.json")
        self.certificates = Certificates(Path(settings.home) / "certs")
        identity = self.certificates.identity
        self.routes = RouteFile(self.routes_path, _own_routes(settings))
        self.limits = Limits(settings.in_flight)
        self.desk_limits = Limits(settings.in_flight)
        self.measures, self.registry = Measures(), Registry()
        secrets_path = Path(settings.auth_file) if settings.auth_file else None
        signer = Signer(read_auth(secrets_path), required=settings.auth, path=secrets_path)
        self._watched = (self.routes.refresh, self.certificates.refresh, signer.refresh)
        self.peers = Peers(settings, self.routes, self.certificates, self.measures, signer)
        self.life = ModelLife(
            settings, self.registry, Store(root), self.peers, self.limits, self.measures
        )
        self.inference = Inference(
            self.registry, self.peers, self.limits, self.measures, settings.kept_answers
        )
        self.adapter = (
            adapters.build(settings.adapter, settings.adapter_options, demo=settings.demo)
            if settings.adapter
            else None
        )
        self.access = AccessLog(
            root / "logs", inputs=settings.print_input, outputs=settings.print_output
        )
        self.desk = HostDesk(
            settings,
            self.registry,
            self.routes,
            signer,
            self.desk_limits,
            self.adapter,
            GuestCalls(self.limits, self.measures, self.access),
            proof=identity is not None,
        )
        unary_allowed = signer.required or (identity is None and settings.host in _LOOPBACK)
        self.web = Web(
            settings,
            self.inference,
            self.limits,
            self.measures,
            self.life,
            self.desk,
            self.access,
            unary_allowed=unary_allowed,
        )

    async def run(self) -> None:
        """Serve until SIGTERM or SIGINT, then finish what is under way. Raises CannotStart."""
        stop = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, stop.set)
        servers = [self._site_server(), self._party_server()]
        http = self._http_server()
        answering = asyncio.ensure_future(http.serve())
        watching = asyncio.ensure_future(self._watch_files())
        await self.life.restore()
        self.web.fate.starting = False
        for server in servers:  # not before: other parties would hear that nothing is loaded
            await server.start()
        _log.info(
            "serving: REST http://%s:%s, models %s, parties %s",
            self.settings.host,
            self.settings.http_port,
            self.settings.grpc_port,
            self.settings.party_port,
        )
        stopping = asyncio.ensure_future(stop.wait())
        await asyncio.wait({stopping, answering}, return_when=asyncio.FIRST_COMPLETED)
        if answering.done() and not stop.is_set():
            with contextlib.suppress(SystemExit, Exception):
                answering.result()
            raise CannotStart(
                f"port {self.settings.http_port} on {self.settings.host} cannot be used; choose "
                "another with --port, or end what uses it"
            )
        await self._drain()
        http.stop()
        for server in servers:
            await server.stop(1.0)
        watching.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.gather(answering, watching, return_exceptions=True)
        await self.peers.close()
        if self.adapter is not None:
            await self.adapter.close()
        self.access.close()

    async def _drain(self) -> None:
        """Not ready from now on, but answering for the lame-duck time: who balances load must see
        it first. Then nothing new is taken, and what is under way ends."""
        self.web.stopping = True
        await asyncio.sleep(self.settings.lame_duck_ms / 1000)
        self.web.stop()
        until = time.monotonic() + self.settings.batch_ms / 1000
        while (self.limits.in_flight or self.desk_limits.in_flight) and time.monotonic() < until:
            await asyncio.sleep(0.02)

    def _http_server(self) -> http_server.Server:
        return http_server.server(self.web, self.settings.host, self.settings.http_port, BACKLOG)

    def _site_server(self) -> grpc.aio.Server:
        """For this site's own fateflow and clients."""
        server, gate = self._grpc_server()
        managers = Managers(self.settings.managers)
        server.add_generic_rpc_handlers(
            (
                grpc_doors.inference_service(
                    self.settings, self.inference, self.limits, self.access, gate
                ),
                grpc_doors.model_service(self.life, managers),
                grpc_doors.common_service(
                    self.settings, self.life, self.measures, int(time.time() * 1000), managers
                ),
                grpc_doors.router_service(self.routes, self.routes_path, managers),
                grpc_doors.health_service(lambda: self.web.is_ready),
            )
        )
        _bind(server, self.settings.host, self.settings.grpc_port, None, "--grpc-port")
        return server

    def _party_server(self) -> grpc.aio.Server:
        """For other parties: with certificates, or in plaintext on loopback alone."""
        server, gate = self._grpc_server()
        server.add_generic_rpc_handlers(
            (
                grpc_doors.party_service(self.desk, gate),
                grpc_doors.health_service(lambda: self.web.is_ready),
            )
        )
        host = self.settings.party_host or self.settings.host
        credentials = self.certificates.credentials()
        if credentials is None and host not in _LOOPBACK and not self.settings.auth:
            raise CannotStart(
                f"other parties would reach port {self.settings.party_port} on {host} in plaintext "
                "and unknown: make certificates with `distaff cert`, or set auth and auth_file"
            )
        _bind(server, host, self.settings.party_port, credentials, "--party-port")
        return server

    def _grpc_server(self) -> tuple[grpc.aio.Server, Gate]:
        options = (
            *_OPTIONS,
            *grpc_gate.OPTIONS,
            ("grpc.max_receive_message_length", self.settings.most_bytes),
        )
        server, gate = grpc.aio.server(options=options), Gate()
        gate.watch()
        server.add_generic_rpc_handlers((gate,))
        return server, gate

    async def _watch_files(self) -> None:
        """Routes, certificate and secrets, which operators change under way."""
        while True:
            for look in self._watched:
                try:
                    await asyncio.to_thread(look)
                except Exception:  # noqa: BLE001 (it must not be the last look)
                    _log.exception("a changed file cannot be read")
            self.measures.certificate_ends.set(self.certificates.ends)
            await asyncio.sleep(FILES_EVERY_S)


def _bind(
    server: grpc.aio.Server,
    host: str,
    port: int,
    credentials: grpc.ServerCredentials | None,
    option: str,
) -> None:
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


def _own_routes(settings: Settings) -> Routes:
    """Without a route table a standalone site is every party itself."""
    if settings.party:
        return Routes()
    host = settings.party_host or settings.host
    reachable = "127.0.0.1" if host in _ANYWHERE else host
    return Routes({"default": (Endpoint(reachable, settings.party_port),)})


def _write_token(path: Path) -> None:
    """A random token for whoever manages the serving, readable by the site's user alone."""
    if path.exists() and path.stat().st_size:
        return
    draft = path.with_suffix(".draft")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(secrets.token_urlsafe(32))
    draft.rename(path)
