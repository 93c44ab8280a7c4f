"""The fateflow process: put together here, and served by waitress.

``python -m fateflow.app --home DIR`` reads ``<home>/settings.json``.
"""

from __future__ import annotations

import argparse
import contextlib
import datetime
import importlib
import json
import logging
import os
import pkgutil
import signal
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import waitress.server
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from fateflow import api
from fateflow.api.envelope import answer
from fateflow.errors import DownloadError, FlowError, RetCode
from fateflow.receiving import Channel, bodies_kept_in
from fateflow.scheduler import planning, recovery
from fateflow.scheduler.launcher import Zygote
from fateflow.scheduler.loop import Scheduler
from fateflow.scheduler.parties import Parties
from fateflow.settings import Settings
from fateflow.site import Gateway, Launcher, Site
from fateflow.store.database import Database, now_ms
from federation.transport.control import GatewayControl

log = logging.getLogger(__name__)

THREADS = 64
BACKLOG = 256
RETRY_S = 1.0


def build(
    settings: Settings, *, launcher: Launcher | None = None, gateway: Gateway | None = None
) -> tuple[Site, Flask]:
    """A site and its web application, with nothing running yet.

    launcher, gateway: in place of this site's zygote and gateway, in tests.
    """
    for folder in (settings.run, settings.jobs, settings.logs, settings.models, settings.tables):
        folder.mkdir(parents=True, exist_ok=True)
    database = Database(settings.database)
    database.create()
    site = Site(
        settings=settings,
        database=database,
        launcher=launcher or Zygote(settings.zygote_socket, settings.tables),
        gateway=gateway or _gateway(settings),
    )
    site.parties = Parties(site)
    site.scheduler = Scheduler(site)
    return site, application(site)


def application(site: Site) -> Flask:
    """The web application: every blueprint of ``fateflow.api``, and one mapping of errors."""
    app = Flask("fateflow", static_folder=None)
    app.url_map.strict_slashes = False
    app.extensions["site"] = site
    for found in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{found.name}")
        if hasattr(module, "blueprint"):
            app.register_blueprint(module.blueprint)
    app.register_error_handler(FlowError, _refused)
    app.register_error_handler(HTTPException, _unknown)
    app.register_error_handler(Exception, _unexpected)
    return app


def start(site: Site) -> None:
    """Take up what was left, then decide and listen."""
    started = now_ms()
    site.launcher.on_watch(lambda: recovery.check_workers(site))
    site.launcher.on_exit(site.scheduler.saw_exit)
    while True:
        try:
            recovery.recover(site, started)
            planning.catalog(site)
            break
        except (OSError, RuntimeError) as error:
            log.warning("not ready to schedule yet, trying again: %s", error)
            time.sleep(RETRY_S)
    site.scheduler.start()


@contextlib.contextmanager
def running(settings: Settings) -> Iterator[tuple[Site, Any]]:
    """A started site and its bound server (``server.run()`` serves until ``server.close()``).

    Port 0 is any free one; ``<home>/run/fateflow.port`` says which.
    """
    listening = _listen(settings)
    settings = msgspec.structs.replace(settings, port=listening.getsockname()[1])
    site, app = build(settings)
    server = waitress.server.create_server(
        app, sockets=[listening], threads=THREADS, ident=None, max_request_body_size=1 << 44
    )
    server.channel_class = Channel
    _write(settings.run / "fateflow.pid", str(os.getpid()))
    _write(settings.run / "fateflow.port", str(settings.port))
    threading.Thread(target=start, args=(site,), name="start", daemon=True).start()
    try:
        yield site, server
    finally:
        site.scheduler.close()
        site.parties.close()
        server.close()
        for name in ("fateflow.pid", "fateflow.port"):
            (settings.run / name).unlink(missing_ok=True)


def read_settings(home: Path, **given: Any) -> Settings:
    """Defaults, then ``<home>/settings.json``, then ``DISTAFF_*``, then what is given here."""
    known = {field.name: field.type for field in msgspec.structs.fields(Settings)}
    values: dict[str, Any] = {}
    path = home / "settings.json"
    if path.exists():
        found = msgspec.json.decode(path.read_bytes())
        values.update({name: value for name, value in found.items() if name in known})
    for name in known:
        text = os.environ.get(f"DISTAFF_{name.upper()}")
        if text is not None:
            values[name] = text
    values.update({name: value for name, value in given.items() if value is not None})
    values["home"] = str(home)
    return msgspec.convert(values, Settings, strict=False)


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m fateflow.app", description=__doc__)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--party")
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    given = parser.parse_args()
    settings = read_settings(
        given.home.resolve(), party=given.party, host=given.host, port=given.port
    )
    _open_log(settings.log_level)
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    with bodies_kept_in(settings.run), running(settings) as (_, server):
        log.info("fateflow listens on %s:%s", settings.host, server.effective_port)
        server.run()


def _gateway(settings: Settings) -> Gateway | None:
    """This site's gateway. Without its secret there is none: the site then speaks to itself."""
    secret = settings.run / "gateway.secret"
    if not secret.exists():
        return None
    return GatewayControl(settings.gateway_socket, secret.read_text().strip())


def _refused(error: FlowError) -> Response:
    status = error.http_status if isinstance(error, DownloadError) else 200
    return answer(
        error.data,
        retcode=int(error.retcode),
        retmsg=str(error),
        job_id=error.job_id,
        status=status,
    )


def _unknown(error: HTTPException) -> Response:
    """An unknown address or method, or a body cut short: FATE's words for it, HTTP 200."""
    told = f"<{type(error).__name__} '{error.code}: {error.name}'>"
    return answer(retcode=int(RetCode.EXCEPTION_ERROR), retmsg=told)


def _unexpected(error: Exception) -> Response:
    """What nobody foresaw: one line for the client, the trace for our log."""
    log.exception("%s %s failed", request.method, request.path)
    told = f"{type(error).__name__}: {error}".splitlines()[0]
    return answer(retcode=int(RetCode.EXCEPTION_ERROR), retmsg=f"internal error: {told}")


def _listen(settings: Settings) -> socket.socket:
    listening = socket.socket(socket.AF_INET6 if ":" in settings.host else socket.AF_INET)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listening.bind((settings.host, settings.port))
    listening.listen(BACKLOG)
    settings.run.mkdir(parents=True, exist_ok=True)
    return listening


def _write(path: Path, text: str) -> None:
    draft = path.with_name(f".{path.name}")
    draft.write_text(text)
    draft.rename(path)


class JsonLines(logging.Formatter):
    """One JSON object a line."""

    def format(self, record: logging.LogRecord) -> str:
        time = datetime.datetime.fromtimestamp(record.created, datetime.timezone.utc)
        told = {
            "time": time.isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if record.exc_info:
            told["trace"] = self.formatException(record.exc_info)
        return json.dumps(told)


def _open_log(level: str) -> None:
    handler = logging.StreamHandler()
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    for name in ("waitress.queue", "alembic"):
        logging.getLogger(name).setLevel(logging.ERROR)


if __name__ == "__main__":
    main()
