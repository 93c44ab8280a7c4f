"""The gateway of a site: every byte between parties passes here, and is written in its audit log.

    python -m federation.transport.gateway --home DIR [--party ID] [--host H] [--port 9370]
        [--flow-url http://127.0.0.1:9380] [--allow-call NAME ...]

It listens on ``<home>/run/gateway.sock`` for the site's own workers and fateflow, and on a gRPC
port for other gateways (mTLS with ``<home>/certs/``). Without ``--party`` it hosts every party and
delivers to itself. Calls that peers may make of fateflow are those of ``--allow-call`` and of the
list in ``<home>/run/control_calls.json``; without either, none.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import grpc

from federation import certificate, route, token
from federation.audit import AuditLog
from federation.errors import FederationError
from federation.route import Endpoint, Routes
from federation.transport import dial, frames, wire
from federation.transport.forward import Forwarder
from federation.transport.inbound import Inbound
from federation.transport.local_door import LocalDoor
from federation.transport.mailbox import Mailbox
from federation.transport.outbound import Link
from federation.transport.spool import Kept, Spool

_WATCH_S = 1.0
_LONGEST_SOCKET_PATH = 107

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Options:
    """What a gateway is told. party: "" hosts every party. port: 0 takes a free one."""

    home: Path
    party: str = ""
    host: str = "127.0.0.1"
    port: int = 9370
    flow_url: str = "http://127.0.0.1:9380"
    allowed_calls: frozenset[str] = frozenset()

    @property
    def certs(self) -> Path:
        return self.home / "certs"

    @property
    def socket(self) -> Path:
        return self.home / "run" / "gateway.sock"


class AlreadyRunning(RuntimeError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"another gateway answers at {path}: end it first, or use another --home")


class Gateway:
    """One site's gateway, in an event loop: ``start``, then ``stop``.

    Raises CertificateFault if the certificates cannot be used, RouteFault if the table cannot.
    """

    def __init__(self, options: Options) -> None:
        self.options, home = options, options.home
        self.identity = certificate.identity(options.certs)
        if self.identity and options.party not in ("", self.identity.party):
            raise certificate.CertificateFault(
                f"{options.certs / 'party.pem'} is of party {self.identity.party}; "
                f"this gateway was started for party {options.party}"
            )
        self.own_party = options.party or (self.identity.party if self.identity else "")
        self.certified = self.identity is not None
        self.secret = token.site_secret(home / "run" / "gateway.secret")
        self.routes = Routes(home / route.FILE)
        self.audit = AuditLog(home)
        self.port = 0
        self.forwarder = Forwarder(
            options.flow_url, self.secret, options.allowed_calls, home / "run/control_calls.json"
        )
        spool = Spool(home / "gateway" / "spool")
        self.mailbox = Mailbox(home / "gateway" / "jobs", spool, self.hosts, self._deliver)
        self._links: dict[tuple[str, str], Link] = {}
        self._local: asyncio.Server | None = None
        self._server: grpc.aio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    def hosts(self, party_id: str) -> bool:
        return self.options.party in ("", party_id)

    async def start(self) -> None:
        """Returns when both doors are open. Raises AlreadyRunning, or OSError if one is taken."""
        path = self.options.socket
        _clear_socket(path)
        self.mailbox.load()
        await self._open_port()
        loop = asyncio.get_running_loop()
        self._local = await loop.create_unix_server(lambda: LocalDoor(self), str(path))
        path.chmod(0o600)
        self._watch = loop.create_task(self._watch_waiters())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._local is not None:
            self._local.close()
        for link in self._links.values():
            await link.close()
        if self._server is not None:
            await self._server.stop(0.2)
        self.forwarder.close()
        self.options.socket.unlink(missing_ok=True)
        self.audit.close()

    async def call(self, party_id: str, name: str, body: bytes, timeout_s: float) -> bytes:
        """Ask a party's fateflow; our own, if the party is here."""
        if not self.hosts(party_id):
            return await self._link(party_id, route.DEFAULT).call(name, body, timeout_s)
        return await self.forwarder.call(self.own_party or party_id, name, body, timeout_s)

    async def dial(self, endpoint: Endpoint, party_id: str) -> tuple[grpc.aio.Channel, dial.Calls]:
        """A connection to a party's gateway, and a greeted stream on it. Raises NoWay."""
        reached = await dial.reach(endpoint, party_id, self.identity, self.options.certs)
        channel = dial.channel(endpoint, party_id, self.identity, reached)
        try:
            return channel, await dial.greet(channel, str(endpoint), self.own_party, party_id)
        except BaseException:
            await channel.close(None)
            raise

    def status(self) -> dict[str, Any]:
        """What ``GatewayControl.status`` shows."""
        return {
            "party": self.options.party,
            "pid": os.getpid(),
            "port": self.port,
            "tls": self.certified,
            "jobs": len(self.mailbox.jobs),
            "waiting": sum(1 for _ in self.mailbox.waiters()),
            "counts": dict(self.mailbox.counts),
            "route_fault": self.routes.fault,
            "peers": {
                party: {"at": link.connected, "trouble": link.trouble, "queued": link.waiting()}
                for (party, _), link in self._links.items()
            },
        }

    async def _open_port(self) -> None:
        host = self.options.host
        if self.identity is None and not dial.is_loopback(host):
            _log.warning(
                "no certificates in %s: other gateways are served on 127.0.0.1 only, not on %s; "
                "distaff cert issue makes certificates",
                self.options.certs,
                host,
            )
            host = "127.0.0.1"
        elif self.identity is None and self.options.party:
            _log.warning(
                "no certificates in %s: plaintext on loopback, where every program of this "
                "machine can speak as any party",
                self.options.certs,
            )
        self._server = grpc.aio.server(options=frames.options(server=True))
        self._server.add_generic_rpc_handlers((frames.handler(Inbound(self)),))
        where = f"[{host}]:{self.options.port}" if ":" in host else f"{host}:{self.options.port}"
        try:
            if self.identity is None:
                self.port = self._server.add_insecure_port(where)
            else:
                pair = (self.identity.key, self.identity.certificate)
                self.port = self._server.add_secure_port(
                    where, grpc.ssl_server_credentials([pair], self.identity.ca, True)
                )
        except RuntimeError as error:
            raise OSError(f"cannot listen on {where}: is it taken? ({error})") from None
        await self._server.start()

    def _deliver(self, kept: Kept) -> None:
        dst = kept.record.envelope.dst
        self._link(dst.party_id, dst.role.value).take(kept)

    def _link(self, party_id: str, role: str) -> Link:
        """One per party, and per role that the route table sends elsewhere."""
        table = self.routes.table
        roles = table.parties.get(party_id) or table.parties.get(route.DEFAULT) or {}
        key = (party_id, role if role in roles else route.DEFAULT)
        if key not in self._links:
            self._links[key] = Link(self, *key)
        return self._links[key]

    async def _watch_waiters(self) -> None:
        """News of tasks, idle time-outs, changed routes: messages wake their own waiters."""
        while True:
            await asyncio.sleep(_WATCH_S)
            try:
                self._look_at_waiters()
            except Exception:  # noqa: BLE001 (one bad round must not end all watching)
                _log.exception("looking after those who wait failed")

    def _look_at_waiters(self) -> None:
        asked: dict[Link, list[wire.Task]] = {}
        for peer in {w.peer for w in self.mailbox.waiters()}:
            if self.hosts(peer.party_id):
                self.mailbox.heard(peer, self.mailbox.state_of(peer))
            else:
                asked.setdefault(self._link(peer.party_id, peer.role), []).append(peer)
        for link, tasks in asked.items():
            link.ask(tasks)
        for link in self._links.values():
            link.follow_route()
        self.mailbox.expire()


def _clear_socket(path: Path) -> None:
    if len(os.fsencode(path)) > _LONGEST_SOCKET_PATH:
        raise OSError(
            f"{path}: a socket's path has at most {_LONGEST_SOCKET_PATH} bytes; "
            "choose a shorter --home"
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.closing(socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)) as probe:
        try:
            probe.connect(str(path))
        except OSError:
            path.unlink(missing_ok=True)
        else:
            raise AlreadyRunning(path)


async def serve(options: Options) -> None:
    """Run until SIGTERM or SIGINT."""
    gateway, ended = Gateway(options), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    await gateway.start()
    _log.info(
        "gateway of %s ready: %s, port %d, %s",
        f"party {options.party}" if options.party else "every party",
        options.socket,
        gateway.port,
        "mTLS" if gateway.certified else "plaintext",
    )
    await ended.wait()
    await gateway.stop()


@click.command(help="Run the gateway of a site.")
@click.option("--home", type=click.Path(path_type=Path), required=True, help="the site's folder")
@click.option("--party", default="", help="the party hosted here; without it, every party")
@click.option("--host", default="127.0.0.1", show_default=True, help="listen to gateways on")
@click.option("--port", default=9370, show_default=True, help="0 takes a free one")
@click.option("--flow-url", default="http://127.0.0.1:9380", show_default=True)
@click.option("--allow-call", "allowed", multiple=True, help="a call that peers may make")
def main(
    home: Path, party: str, host: str, port: int, flow_url: str, allowed: tuple[str, ...]
) -> None:
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    options = Options(home, party, host, port, flow_url, frozenset(allowed))
    try:
        asyncio.run(serve(options))
    except (AlreadyRunning, FederationError, OSError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
