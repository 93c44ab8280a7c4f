"""The serving process: models, and the doors to them.

    python -m serving --home DIR

One asyncio process answers everything: REST and the open protocol on one port, models and inference
over gRPC for this site on a second, other parties on a third. In the role ``server`` a proxy
(``serving.proxy``, or FATE-Serving's) stands between it and other parties: it takes their packets
from that one, at the second port, and sends its own there.
"""

from __future__ import annotations

import os
import secrets
import time
from pathlib import Path

import grpc

from serving import adapters, grpc_doors
from serving.access_log import AccessLog
from serving.guest_calls import GuestCalls
from serving.host_desk import HostDesk
from serving.inference import Inference
from serving.limits import Limits
from serving.managers import Managers
from serving.model_life import ModelLife
from serving.process import LOOPBACK, Process, listen
from serving.registry import Registry
from serving.routes import Endpoint, Routes, address
from serving.settings import Settings
from serving.store import Store
from serving.web import Web

_ANYWHERE = ("0.0.0.0", "::")  # noqa: S104 (what not to dial)


class Serving(Process):
    """All parts of one process of the roles ``all`` and ``server``."""

    def __init__(self, settings: Settings) -> None:
        super().__init__(settings, _own_routes(settings))
        root = settings.root
        _write_token(root / "admin.token")
        self.is_behind = settings.role == "server"
        identified = self.certificates.identity is not None
        self.limits = Limits(settings.in_flight)
        self.desk_limits = Limits(settings.in_flight)
        self.registry = Registry()
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
            self.signer,
            self.desk_limits,
            self.adapter,
            GuestCalls(self.limits, self.measures, self.access),
            proof=identified and not self.is_behind,
        )
        unsigned = not identified and settings.host in LOOPBACK and not self.is_behind
        self.web = self.door = Web(
            settings,
            self.inference,
            self.limits,
            self.measures,
            self.life,
            self.desk,
            self.access,
            unary_allowed=self.signer.required or unsigned,
        )

    def servers(self) -> list[grpc.aio.Server]:
        return (
            [self._site_server()] if self.is_behind else [self._site_server(), self._for_parties()]
        )

    async def prepare(self) -> None:
        """Other parties would hear that nothing is loaded, if they were answered before."""
        await self.life.restore()
        self.web.fate.starting = False

    def end(self, *, ready: bool) -> None:
        self.web.stopping = True
        if not ready:
            self.web.stop()

    @property
    def is_busy(self) -> bool:
        return bool(self.limits.in_flight or self.desk_limits.in_flight)

    async def close(self) -> None:
        await super().close()
        if self.adapter is not None:
            await self.adapter.close()
        self.access.close()

    def _site_server(self) -> grpc.aio.Server:
        """For this site's own fateflow, clients and, in the role ``server``, its proxy."""
        settings, (server, gate) = self.settings, self.grpc_server()
        managers = Managers(settings.managers)
        handlers = [
            grpc_doors.inference_service(settings, self.inference, self.limits, self.access, gate),
            grpc_doors.model_service(self.life, managers),
            grpc_doors.common_service(
                settings, self.life, self.measures, int(time.time() * 1000), managers
            ),
            grpc_doors.router_service(self.routes, self.routes_path, managers),
            grpc_doors.health_service(lambda: self.web.is_ready),
        ]
        if self.is_behind:
            handlers.append(grpc_doors.party_service(self.desk.answer, gate, managers))
        server.add_generic_rpc_handlers(tuple(handlers))
        listen(server, settings.host, settings.grpc_port, None, "--grpc-port")
        return server

    def _for_parties(self) -> grpc.aio.Server:
        server, gate = self.grpc_server()
        server.add_generic_rpc_handlers(
            (
                grpc_doors.party_service(self.desk.answer, gate),
                grpc_doors.health_service(lambda: self.web.is_ready),
            )
        )
        return self.party_port(server)


def _own_routes(settings: Settings) -> Routes:
    """Without a route table: behind a proxy all ways lead there; a standalone site is every party
    itself."""
    if settings.role == "server":
        return Routes({"default": (address(settings.proxy, "proxy"),)})
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
