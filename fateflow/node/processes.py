"""The processes of a site: how each is started, and how one sees that it is well."""

from __future__ import annotations

import http.client
import json
import os
import secrets
import socket
import sys
from dataclasses import dataclass
from pathlib import Path

import msgspec

from fateflow.settings import Settings
from fateflow.wire.control import CALLS
from fateflow.worker import spec


@dataclass(frozen=True)
class Process:
    """A child of the supervisor. ``module`` is run with ``arguments``."""

    name: str
    module: str
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        return [sys.executable, "-m", self.module, *self.arguments]


def processes(settings: Settings) -> list[Process]:
    """In the order of starting."""
    home = str(settings.root)
    party = ("--party", settings.party) if settings.party else ()
    gateway = ("--host", settings.host, "--port", str(settings.gateway_port))
    flow_url = ("--flow-url", settings.url)
    board = ("--host", settings.host, "--port", str(settings.board_port))
    return [
        Process("zygote", "fateflow.worker.zygote", ("--socket", str(settings.zygote_socket))),
        Process(
            "gateway",
            "federation.transport.gateway",
            ("--home", home, *party, *gateway, *flow_url),
        ),
        Process("fateflow", "fateflow.app", ("--home", home)),
        *(
            [Process("board", "fateboard", ("--home", home, *board, *flow_url))]
            if settings.board
            else []
        ),
        *([_serving(settings)] if settings.serving else []),
    ]


def _serving(settings: Settings) -> Process:
    ports = {
        "--port": settings.serving_port,
        "--grpc-port": settings.serving_grpc_port,
        "--party-port": settings.serving_party_port,
    }
    party = ("--party", settings.party) if settings.party else ()
    where = ("--home", str(settings.root), "--host", settings.host, *party)
    given = (text for option, port in ports.items() for text in (option, str(port)))
    return Process(
        "serving",
        "serving",
        (*where, *given, "--transfer-url", f"{settings.url}/v1/model/transfer"),
    )


def prepare(settings: Settings) -> None:
    """Make the home's folders, its settings file and the secret of its inner border.

    Data, models, logs and tokens are for the site's own user alone.
    """
    for folder in (
        settings.tables,
        settings.jobs,
        settings.logs,
        settings.models,
        settings.run,
        settings.gateway,
    ):
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
    _write_private(
        settings.root / "settings.json",
        msgspec.json.format(msgspec.json.encode(settings), indent=2),
    )
    # SQLite gives its journal files the mode of the database; it holds the tokens of jobs.
    for database in settings.root.glob("fateflow.db*"):
        database.chmod(0o600)
    os.close(os.open(settings.root / "fateflow.db", os.O_CREAT | os.O_RDWR, 0o600))
    (settings.run / "control_calls.json").write_text(json.dumps(sorted(CALLS)))
    secret = settings.run / "gateway.secret"
    if not secret.exists():
        descriptor = os.open(secret, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(secrets.token_hex(32))


def _write_private(path: Path, content: bytes) -> None:
    """Replace a file in one step, readable by its owner alone: it may hold a password."""
    draft = path.with_name(f".{path.name}")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
    draft.rename(path)


def health(settings: Settings) -> dict[str, str]:
    """For each process "ok", or what is wrong with it, in words."""
    host = settings.reachable_host
    found = {
        "zygote": _zygote_health(settings.zygote_socket),
        "gateway": _socket_health(settings.gateway_socket),
        "fateflow": _http_health(host, settings.port, "POST", "/v1/version/get"),
    }
    if settings.board:
        found["board"] = board_health(settings)
    if settings.serving:
        found["serving"] = _http_health(host, settings.serving_port, "GET", "/v2/health/ready")
    return found


def is_well(settings: Settings) -> bool:
    """Whether all that jobs need answers. Cost: up to 3 s for each process that does not."""
    return all(state == "ok" for name, state in health(settings).items() if name != "board")


def board_health(settings: Settings) -> str:
    """ "ok", or what is wrong. A board that wants an account first (503) is well."""
    return _http_health(
        settings.reachable_host, settings.board_port, "GET", "/healthz", well=(200, 503)
    )


def _zygote_health(path: Path) -> str:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(3)
            connection.connect(str(path))
            connection.sendall(msgspec.json.encode(spec.ListWorkers()) + b"\n")
            return "ok" if connection.recv(1) else f"closed the connection at {path}"
    except OSError as error:
        return f"no answer at {path}: {error.strerror or error}"


def _socket_health(path: Path) -> str:
    try:
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
            connection.settimeout(3)
            connection.connect(str(path))
    except OSError as error:
        return f"no answer at {path}: {error.strerror or error}"
    return "ok"


def _http_health(
    host: str, port: int, method: str, path: str, well: tuple[int, ...] = (200,)
) -> str:
    connection = http.client.HTTPConnection(host, port, timeout=3)
    try:
        connection.request(method, path)
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return f"no answer at {host}:{port}: {error}"
    finally:
        connection.close()
    return "ok" if status in well else f"HTTP {status}"
