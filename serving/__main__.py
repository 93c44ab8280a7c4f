"""``python -m serving --home DIR``: serve until SIGTERM."""

from __future__ import annotations

import argparse
import logging
import sys
from pathlib import Path

import uvloop

from serving.adapters import AdapterFault
from serving.app import Serving
from serving.process import CannotStart, Process
from serving.proxy import Proxy
from serving.settings import read


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m serving", description=__doc__)
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--party", help="the party whose models are served; without it, any")
    parser.add_argument("--role", choices=("all", "server", "proxy"), help="all by default")
    parser.add_argument("--host", help="address for clients and this site")
    parser.add_argument("--port", type=int, dest="http_port", help="REST")
    parser.add_argument("--grpc-port", type=int, help="models and inference over gRPC")
    parser.add_argument("--party-host", help="address for other parties")
    parser.add_argument("--party-port", type=int, help="other parties")
    parser.add_argument("--transfer-url", help="where models are fetched from")
    given = vars(parser.parse_args())
    home = given.pop("home").resolve()
    logging.basicConfig(
        level="INFO", format="%(asctime)s %(levelname)s %(name)s: %(message)s", force=True
    )
    try:
        settings = read(home, given)
        process: Process = Proxy(settings) if settings.role == "proxy" else Serving(settings)
        uvloop.run(process.run())
    except (CannotStart, AdapterFault, ValueError) as error:
        print(f"serving cannot start: {error}", file=sys.stderr)  # noqa: T201
        sys.exit(1)


if __name__ == "__main__":
    main()
