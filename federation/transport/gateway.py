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

from federation import token
from federation.audit import AuditLog
from federation.errors import Unreachable
from federation.transport.local_door import LocalDoor
from federation.transport.mailbox import Mailbox
from federation.transport.spool import Kept, Spool

_WATCH_S = 1.0

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
    def socket(self) -> Path:
        return self.home / "run" / "gateway.sock"


class AlreadyRunning(RuntimeError):
    def __init__(self, path: Path) -> None:
        super().__init__(f"another gateway answers at {path}: end it first, or use another --home")


class Gateway:
    """One site's gateway, in an event loop: ``start``, then ``stop``."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.secret = token.site_secret(options.home / "run" / "gateway.secret")
        self.audit = AuditLog(options.home)
        self.port = 0
        spool = Spool(options.home / "gateway" / "spool")
        self.mailbox = Mailbox(options.home / "gateway" / "jobs", spool, self.hosts, self._deliver)
        self._local: asyncio.Server | None = None
        self._watch: asyncio.Task[None] | None = None

    def hosts(self, party_id: str) -> bool:
        return self.options.party in ("", party_id)

    async def start(self) -> None:
        """Returns when both doors are open. Raises AlreadyRunning, or OSError if one is taken."""
        path = self.options.socket
        _clear_socket(path)
        self.mailbox.load()
        loop = asyncio.get_running_loop()
        self._local = await loop.create_unix_server(lambda: LocalDoor(self), str(path))
        path.chmod(0o600)
        self._watch = loop.create_task(self._watch_waiters())

    async def stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
        if self._local is not None:
            self._local.close()
        self.options.socket.unlink(missing_ok=True)
        self.audit.close()

    async def call(self, party_id: str, name: str, body: bytes, timeout_s: float) -> bytes:
        raise Unreachable(party_id, "nothing: no route")

    def status(self) -> dict[str, Any]:
        """What ``GatewayControl.status`` shows."""
        return {
            "party": self.options.party,
            "pid": os.getpid(),
            "port": self.port,
            "jobs": len(self.mailbox.jobs),
            "waiting": sum(1 for _ in self.mailbox.waiters()),
            "counts": dict(self.mailbox.counts),
        }

    def _deliver(self, kept: Kept) -> None:
        raise Unreachable(kept.record.envelope.dst.party_id, "nothing: no route")

    async def _watch_waiters(self) -> None:
        """Once a second, only news of tasks and idle time-outs: messages wake their own waiters."""
        while True:
            await asyncio.sleep(_WATCH_S)
            for peer in {w.peer for w in self.mailbox.waiters()}:
                if self.hosts(peer.party_id):
                    self.mailbox.heard(peer, self.mailbox.state_of(peer))
            self.mailbox.expire()


def _clear_socket(path: Path) -> None:
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
    _log.info("gateway of %s ready: %s", options.party or "every party", options.socket)
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
    except (AlreadyRunning, OSError) as error:
        raise click.ClickException(str(error)) from error


if __name__ == "__main__":
    main()
