"""A board on the fake fateflow, for tests: asked directly, or served by waitress on a free port."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import msgspec
from flask import Flask
from flask.testing import FlaskClient
from waitress import wasyncore

from fateboard import accounts, app, settings
from fateboard.__main__ import listening
from fateboard.testing.fake_flow import FakeFlow

JSON = {"content-type": "application/json"}


def build(home: Path, flow: FakeFlow | str, **given: Any) -> Flask:
    url = flow if isinstance(flow, str) else flow.url
    return app.build(settings.read({"home": home, "flow_url": url, **given}, environment={}))


def client(home: Path, flow: FakeFlow | str, **given: Any) -> FlaskClient:
    return build(home, flow, **given).test_client()


def signed_in(made: Flask, name: str, access: Any = "viewer") -> FlaskClient:
    """A browser of a user of its own."""
    folder = made.extensions["board"].settings.folder
    accounts.add(folder, name, access, f"{name}-password")
    browser = made.test_client()
    body = {"username": name, "password": f"{name}-password"}
    assert browser.post("/api/v1/session", json=body).status_code == 200
    return browser


@contextlib.contextmanager
def served(made: Flask) -> Iterator[httpx.Client]:
    """By the same server as in earnest."""
    chosen = msgspec.structs.replace(made.extensions["board"].settings, port=0)
    server = listening(made, chosen)
    ending = threading.Event()

    def serve() -> None:
        while not ending.is_set():
            wasyncore.loop(timeout=0.1, use_poll=True, map=server._map, count=1)

    loop = threading.Thread(target=serve, daemon=True)
    loop.start()
    limits = httpx.Limits(max_connections=200)
    try:
        url = f"http://127.0.0.1:{server.effective_port}"
        with httpx.Client(base_url=url, limits=limits, timeout=20) as browser:
            yield browser
    finally:
        made.extensions["board"].hub.close()
        # In this order nobody writes to or waits for a number of a file that has a new owner:
        # workers, then the loop, then the files.
        server.task_dispatcher.shutdown(timeout=60)
        ending.set()
        loop.join()
        wasyncore.close_all(server._map)
