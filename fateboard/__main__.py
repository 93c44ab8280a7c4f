"""The board: ``python -m fateboard --home DIR [--host H] [--port P] [--flow-url URL]``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path

import waitress.server

from fateboard import app, settings

THREADS = 96
"""Each open stream holds one; the rest answer requests."""

log = logging.getLogger("fateboard")


def main() -> None:
    """Serve until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m fateboard", description=__doc__)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--host")
    parser.add_argument("--port", type=int)
    parser.add_argument("--flow-url")
    parser.add_argument("--properties", type=Path, help="an application.properties of FATE-Board")
    given = vars(parser.parse_args())
    properties = given.pop("properties")
    logging.basicConfig(level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    for name in ("httpx", "waitress.queue"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        serve(settings.read({**given, "home": given["home"].absolute()}, properties=properties))
    except settings.SettingsError as error:
        sys.exit(f"fateboard: {error}")


def serve(chosen: settings.Settings) -> None:
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server = waitress.server.create_server(
        app.build(chosen),
        host=chosen.host,
        port=chosen.port,
        threads=THREADS,
        ident=None,
        channel_request_lookahead=1,
    )
    log.info("the board listens on http://%s:%s", chosen.host, server.effective_port)
    server.run()


if __name__ == "__main__":
    main()
