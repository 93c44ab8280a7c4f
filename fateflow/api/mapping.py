"""Everything of the API on one Flask app: all blueprints of this package, and every error as an
envelope. ``fateflow.app`` calls ``attach``; there is no list of routes to keep."""

from __future__ import annotations

import importlib
import logging
import pkgutil

from flask import Blueprint, Flask, Response
from werkzeug.exceptions import HTTPException

from fateflow import api
from fateflow.api.envelope import answer
from fateflow.errors import FlowError, RetCode

log = logging.getLogger(__name__)


def attach(app: Flask) -> None:
    """Register what is in ``fateflow.api``; with and without a slash at the end is the same."""
    app.url_map.strict_slashes = False
    for found in pkgutil.iter_modules(api.__path__):
        module = importlib.import_module(f"{api.__name__}.{found.name}")
        blueprint = getattr(module, "blueprint", None)
        if isinstance(blueprint, Blueprint):
            app.register_blueprint(blueprint)
    app.register_error_handler(FlowError, refused)
    app.register_error_handler(HTTPException, unknown)
    app.register_error_handler(Exception, unexpected)


def refused(error: FlowError) -> Response:
    """HTTP 200 with a retcode; for downloads, whose client takes 200 for the file, not."""
    return answer(
        error.data,
        retcode=error.retcode,
        retmsg=str(error),
        job_id=error.job_id,
        status=error.http_status,
    )


def unknown(error: HTTPException) -> Response:
    """An unknown URL or method: HTTP 200 and FATE's text, ``<NotFound '404: Not Found'>``."""
    return answer(retcode=RetCode.EXCEPTION_ERROR, retmsg=repr(error))


def unexpected(error: Exception) -> Response:
    """A fault of ours: the type and text of the exception; the traceback goes to the log."""
    log.error("a request failed unexpectedly", exc_info=error)
    return answer(
        retcode=RetCode.EXCEPTION_ERROR,
        retmsg=f"internal error, see the server's log: {type(error).__name__}: {error}",
    )
