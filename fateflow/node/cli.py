"""``distaff``: run a site. The jobs themselves are ``flow``'s."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pkgutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import click
import msgspec

from fateflow.node import supervisor
from fateflow.node.federation_commands import audit, cert, home_option, routes
from fateflow.node.processes import board_health, health, is_well, prepare
from fateflow.settings import Settings

START_LIMIT_S, END_LIMIT_S, BOARD_LIMIT_S = 180.0, 30.0, 20.0
SLOW_START_S = 6.0
REFUSAL = "fateboard: "
"""How a line of the board's log begins that says why it ends."""
LONGEST_SOCKET_PATH = 107
"""Bytes that Linux allows for the address of a Unix socket."""

port_number = click.IntRange(1, 65535)


class Commands(click.Group):
    """With groups of other packages, which are imported when they are asked for: this package
    knows their names alone."""

    ELSEWHERE: ClassVar = {"board": "fateboard.cli:board"}

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted([*super().list_commands(ctx), *self.ELSEWHERE])

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        if name in self.ELSEWHERE:
            command: click.Command = pkgutil.resolve_name(self.ELSEWHERE[name])
            return command
        return super().get_command(ctx, name)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="distaff")
def main() -> None:
    """Run one site of Distaff: fateflow, its gateway and its workers."""


@main.command()
@home_option
@click.option("--party", help="The only party this site hosts; without it, any (standalone).")
@click.option("--host", help="Address to listen on.")
@click.option("--port", type=port_number, help="Port of the REST API.")
@click.option("--board-port", type=port_number, help="Port of the board.")
@click.option("--board/--no-board", default=None, help="Whether to run the board, the web page.")
@click.option("--gateway-port", type=port_number, help="Port for other parties.")
@click.option("--serving/--no-serving", default=None, help="Whether to run online inference.")
@click.option("--serving-port", type=port_number, help="Port of online inference; starts it.")
@click.option("--serving-grpc-port", type=port_number, help="Its port for models and gRPC.")
@click.option("--serving-party-port", type=port_number, help="Its port for other parties.")
@click.option("-d", "--detach", is_flag=True, help="Go to the background once all is well.")
def up(home: Path, detach: bool, **given: str | int | bool | None) -> None:
    """Start the site; in the foreground until Ctrl-C or SIGTERM."""
    if given["serving"] is None and given["serving_port"] is not None:
        given["serving"] = True
    settings = _settings(home.absolute(), {k: v for k, v in given.items() if v is not None})
    if (pid := _running(settings)) is not None:
        raise click.ClickException(f"{settings.home} is up already (pid {pid}); `distaff down`")
    _check_sockets(settings)
    with _writable(settings), _alone(settings) as lock:
        _check_ports(settings)
        prepare(settings)
        told = f"distaff serves {_hosted(settings)} at {settings.url}"
        if detach:
            logged = _size(_board_log(settings))
            child = _detached(settings, lock)
            _wait_until_well(settings, child)
            click.echo(f"{told} (pid {child.pid})")
            if settings.serving:
                click.echo(f"online inference: {settings.serving_url}")
            _tell_board(settings, logged)
        else:
            click.echo(f"{told}; Ctrl-C ends it")
            if settings.board:
                click.echo(f"board: {settings.board_url}")
            supervisor.run(settings)


@main.command()
@home_option
def down(home: Path) -> None:
    """End the site and all its workers."""
    settings = _load(home)
    pid = _running(settings)
    if pid is None:
        click.echo(f"{settings.home} is not up")
        return
    os.kill(pid, signal.SIGTERM)
    deadline = time.monotonic() + END_LIMIT_S
    while _running(settings) is not None:
        if time.monotonic() > deadline:
            raise click.ClickException(f"pid {pid} does not end; see {settings.logs}")
        time.sleep(0.05)
    click.echo("down")


@main.command()
@home_option
@click.option("--output", type=click.Choice(["text", "json"]), default="text")
def status(home: Path, output: str) -> None:
    """Health of each process; exit status 1 unless all are well."""
    settings = _load(home)
    pids = _pids(settings)
    states = health(settings) if _running(settings) is not None else {}
    rows = [
        {"process": name, "pid": pids.get(name), "rss_mb": _rss_mb(pids.get(name)), "state": state}
        for name, state in states.items()
    ]
    if output == "json":
        board = settings.board_url if settings.board else None
        told = {
            "up": bool(rows),
            "url": settings.url,
            "board": board,
            "serving": settings.serving_url if settings.serving else None,
            "processes": rows,
        }
        click.echo(json.dumps(told))
    elif not rows:
        click.echo(f"{settings.home} is not up; start it with `distaff up --home {home}`")
    else:
        board = f", board {settings.board_url}" if settings.board else ""
        click.echo(f"{_hosted(settings)} at {settings.url}, gateway {settings.gateway_port}{board}")
        for row in rows:
            click.echo("{process:10} pid {pid!s:>7}  {rss_mb!s:>5} MB  {state}".format(**row))
    if not rows or any(state != "ok" for state in states.values()):
        sys.exit(1)


for group in (cert, routes, audit):
    main.add_command(group)


def _settings(home: Path, given: dict[str, str | int | bool]) -> Settings:
    """Options over the home's file over the defaults."""
    path = home / "settings.json"
    try:
        kept = msgspec.json.decode(path.read_bytes(), type=dict) if path.exists() else {}
        return msgspec.convert({**kept, **given, "home": str(home)}, Settings)
    except (OSError, msgspec.MsgspecError) as error:
        raise click.ClickException(f"{path}: {error}; correct the file, or remove it") from None


def _check_sockets(settings: Settings) -> None:
    """Refuse a home whose sockets would have addresses too long for the system."""
    for path in (settings.zygote_socket, settings.gateway_socket):
        excess = len(os.fsencode(path)) - LONGEST_SOCKET_PATH
        if excess > 0:
            raise click.ClickException(
                f"the path of --home is {excess} bytes too long: {path} is a socket, whose path "
                f"may have {LONGEST_SOCKET_PATH} bytes; choose a shorter home, or a symbolic link"
            )


@contextlib.contextmanager
def _writable(settings: Settings) -> Iterator[None]:
    """Say in a line what the system does not let us do in the home."""
    try:
        yield
    except OSError as error:
        where = error.filename or settings.home
        raise click.ClickException(f"{where}: {error.strerror or error}") from None


@contextlib.contextmanager
def _alone(settings: Settings) -> Iterator[int]:
    """Hold the home's lock, so that of two `up` at once one starts the site. The system frees it
    when the last process that has it open ends: the supervisor, however that happens."""
    settings.run.mkdir(parents=True, exist_ok=True)
    lock = os.open(settings.run / "lock", os.O_RDWR | os.O_CREAT, 0o600)
    try:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise click.ClickException(
                f"another `distaff up` is starting {settings.home}"
            ) from None
        yield lock
    finally:
        os.close(lock)


def _detached(settings: Settings, lock: int) -> subprocess.Popen[bytes]:
    """The supervisor as a process of its own, which keeps the home's lock."""
    with (settings.logs / "supervisor.log").open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "fateflow.node.supervisor", "--home", settings.home],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
            pass_fds=(lock,),
        )


def _load(home: Path) -> Settings:
    if not (home / "settings.json").exists():
        raise click.ClickException(f"{home} is no home of a site; `distaff up --home {home}`")
    return _settings(home.absolute(), {})


def _running(settings: Settings) -> int | None:
    """The supervisor's pid if it lives."""
    try:
        pid = int((settings.run / "supervisor.pid").read_text())
        os.kill(pid, 0)
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    ours = b"distaff" in command or b"supervisor" in command
    return pid if ours else None


def _pids(settings: Settings) -> dict[str, int]:
    try:
        return json.loads((settings.run / "processes.json").read_text())  # type: ignore[no-any-return]
    except (OSError, ValueError):
        return {}


def _rss_mb(pid: int | None) -> int | None:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError, ValueError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def _check_ports(settings: Settings) -> None:
    """Refuse ports that something else listens on, or that are given twice."""
    ports = {"--port": settings.port, "--gateway-port": settings.gateway_port}
    if settings.board:
        ports["--board-port"] = settings.board_port
    if settings.serving:
        ports["--serving-port"] = settings.serving_port
        ports["--serving-grpc-port"] = settings.serving_grpc_port
        ports["--serving-party-port"] = settings.serving_party_port
    taken: dict[int, str] = {}
    for option, port in ports.items():
        if port in taken:
            raise click.ClickException(f"{taken[port]} and {option} are both {port}")
        taken[port] = option
        _check_free(settings.host, port, option)


def _check_free(host: str, port: int, option: str) -> None:
    otherwise = ", start without it (--no-board)" if option == "--board-port" else ""
    with socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise click.ClickException(
                f"port {port} on {host}: {error.strerror}; choose another with "
                f"{option}{otherwise}, or end what uses it"
            ) from None


def _tell_board(settings: Settings, log_size: int) -> None:
    """Say where the board is, or why there is none: jobs run without it."""
    if not settings.board:
        return
    deadline = time.monotonic() + BOARD_LIMIT_S
    while (state := board_health(settings)) != "ok" and time.monotonic() < deadline:
        if said := _refusal(_board_log(settings), log_size):
            state = said
            break
        time.sleep(0.05)
    if state == "ok":
        click.echo(f"board: {settings.board_url}")
        return
    log = _board_log(settings)
    click.echo(
        f"no board yet: {state}\njobs run without it; it is tried again; see {log}", err=True
    )


def _board_log(settings: Settings) -> Path:
    return settings.logs / "fate_flow" / "board.log"


def _refusal(log: Path, start: int) -> str:
    """Why the board ended by itself, in its own words, from what it logged since ``start``."""
    with contextlib.suppress(OSError), log.open("rb") as file:
        file.seek(start)
        for line in file.read(1 << 16).decode("utf-8", "replace").splitlines():
            if line.startswith(REFUSAL):
                return line.removeprefix(REFUSAL)
    return ""


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _wait_until_well(settings: Settings, child: subprocess.Popen[bytes]) -> None:
    start, told = time.monotonic(), False
    while not is_well(settings):
        waited = time.monotonic() - start
        if waited > SLOW_START_S and not told:
            click.echo(
                "still starting; the first start compiles kernels for this machine, up to a minute"
            )
            told = True
        if child.poll() is not None or waited > START_LIMIT_S:
            states = "; ".join(f"{k}: {v}" for k, v in health(settings).items() if v != "ok")
            if child.poll() is None:  # half a site must not stay behind
                child.terminate()
                child.wait()
            raise click.ClickException(f"the site did not start ({states}); see {settings.logs}")
        time.sleep(0.05)


def _hosted(settings: Settings) -> str:
    return f"party {settings.party}" if settings.party else "any party (standalone)"


if __name__ == "__main__":
    main()
