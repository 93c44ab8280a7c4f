"""The board as a web application: what it is made of, and one mapping of errors to answers."""

from __future__ import annotations

import gzip
import importlib
import logging
import pkgutil
from pathlib import Path

from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException

from fateboard import api, guard, pollers
from fateboard.accounts import Accounts
from fateboard.board import Board, answer, words
from fateboard.errors import Refused
from fateboard.flow_client import Flow, Signer, SiteKeys
from fateboard.live import Hub
from fateboard.names import NameConverter
from fateboard.sessions import Sessions
from fateboard.settings import Settings
from fateboard.shapes import Fault

log = logging.getLogger(__name__)

LARGEST_BODY = 1 << 20
LEAST_PACKED = 2_000


def build(settings: Settings, flow: Flow | None = None) -> Flask:
    """The application. flow: in place of the one that ``settings`` name, in tests."""
    settings.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    app = Flask("fateboard", static_folder=None)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.converters["name"] = NameConverter
    app.extensions["board"] = _board(settings, flow or _flow(settings))
    app.before_request(guard.check)
    app.after_request(_tagged)
    app.after_request(guard.secured)
    for found in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{found.name}")
        if hasattr(module, "blueprint"):
            app.register_blueprint(module.blueprint)
    app.register_error_handler(Refused, _refused)
    app.register_error_handler(HTTPException, _unknown)
    app.register_error_handler(Exception, _unexpected)
    return app


def fault(status: int, code: str, args: dict[str, str | float], retry_after_s: float) -> Response:
    """An error in the reader's language."""
    told = Fault(
        code=code,
        message=words(f"fault.{code}", args) or code,
        hint=words(f"fault.{code}.hint", args),
        retry_after_s=retry_after_s,
    )
    response = answer({"error": told}, status)
    if retry_after_s:
        response.headers["Retry-After"] = str(max(1, round(retry_after_s)))
    return response


def _board(settings: Settings, flow: Flow) -> Board:
    return Board(
        settings=settings,
        flow=flow,
        hub=Hub(lambda name: pollers.poller_of(flow, name)),
        accounts=Accounts(settings),
        sessions=Sessions(settings.folder, settings.session_s),
    )


def _flow(settings: Settings) -> Flow:
    own = Path(settings.home) / "client_keys.json"
    signer = Signer(settings.app_key, settings.secret_key) if settings.app_key else SiteKeys(own)
    return Flow(
        settings.flows,
        signer=signer,
        connect_s=settings.connect_timeout_ms / 1000,
        read_s=settings.read_timeout_ms / 1000,
    )


def _tagged(response: Response) -> Response:
    """ETag and 304 for every GET whose content is known before it is sent."""
    if request.method == "GET" and response.status_code == 200 and not response.is_streamed:
        if not response.headers.get("ETag"):
            response.add_etag(weak=True)  # the same content, compressed or not
        response.headers.setdefault("Cache-Control", "no-cache, private")
        response.make_conditional(request.environ)
        _pack(response)
    return response


def _pack(response: Response) -> None:
    """Compress what is worth it, for readers far away."""
    wanted = request.accept_encodings["gzip"] > 0 and "Content-Encoding" not in response.headers
    if response.mimetype == "application/json" and response.status_code == 200:
        response.headers["Vary"] = "Accept-Encoding, Accept-Language"
        if wanted and (response.content_length or 0) > LEAST_PACKED:
            response.set_data(gzip.compress(response.get_data(), 1))
            response.headers["Content-Encoding"] = "gzip"


def _refused(error: Refused) -> Response:
    return fault(error.status, error.code, error.args_shown, error.retry_after_s)


def _unknown(error: HTTPException) -> Response:
    code = {404: "no_page", 405: "wrong_method"}.get(error.code or 500, "bad_request")
    args: dict[str, str | float] = {"method": request.method, "why": error.name}
    return fault(error.code or 500, code, args, 0.0)


def _unexpected(error: Exception) -> Response:
    log.exception("%s %r failed: %s", request.method, request.path, type(error).__name__)
    return fault(500, "internal", {}, 0.0)
