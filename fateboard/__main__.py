"""The board: ``python -m fateboard --home DIR [--host H] [--port P] [--flow-url URL]``."""

from __future__ import annotations

import argparse
import logging
import signal
import sys
from pathlib import Path
from typing import Any

import waitress.server
from flask import Flask

from fateboard import app, settings
from fateboard.accounts import AccountError, Accounts
from fateboard.settings import SettingsError

THREADS = 96
"""Each open stream holds one; the rest answer requests."""

CONNECTIONS = 1_000
"""A browser opens six, of which idle ones cost no thread."""

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
    for name in ("httpx", "waitress"):
        logging.getLogger(name).setLevel(logging.ERROR)
    try:
        serve(settings.read({**given, "home": given["home"].absolute()}, properties=properties))
    except (SettingsError, AccountError) as error:
        sys.exit(f"fateboard: {error}")


def check_reach(chosen: settings.Settings, accounts: Accounts) -> None:
    """Others than this machine's own users are served only where somebody has an account.
    Raises SettingsError."""
    known = accounts.all()
    safe = known.keys() - ({chosen.username} if accounts.default_password else set())
    if not chosen.loopback and not safe:
        where = f"{chosen.host} behind a proxy" if chosen.trusted_proxy else chosen.host
        raise SettingsError(
            f"no user may sign in, so the board does not listen on {where}; add one with "
            f"`distaff board user add NAME --access admin --home {chosen.home}`, or listen on "
            "127.0.0.1 without a proxy"
        )


def serve(chosen: settings.Settings) -> None:
    """Raises SettingsError, AccountError."""
    check_reach(chosen, Accounts(chosen))
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: sys.exit(0))
    server = listening(app.build(chosen), chosen)
    log.info("the board listens on http://%s:%s", chosen.host, server.effective_port)
    server.run()


def listening(made: Flask, chosen: settings.Settings) -> Any:
    """A bound server; ``run()`` serves until ``close()``."""
    return waitress.server.create_server(
        made,
        host=chosen.host,
        port=chosen.port,
        threads=THREADS,
        ident=None,
        connection_limit=CONNECTIONS,
        asyncore_use_poll=True,
        max_request_body_size=app.LARGEST_BODY,
        channel_request_lookahead=1,  # else a stream does not notice that its reader is gone
        **_behind_proxy(chosen),
    )


def _behind_proxy(chosen: settings.Settings) -> dict[str, object]:
    if not chosen.trusted_proxy:
        return {"clear_untrusted_proxy_headers": False}  # they tell the guard of a proxy
    return {
        "trusted_proxy": chosen.trusted_proxy,
        "trusted_proxy_count": 1,
        "trusted_proxy_headers": {"x-forwarded-for", "x-forwarded-proto", "x-forwarded-host"},
        "clear_untrusted_proxy_headers": True,
    }


if __name__ == "__main__":
    main()
