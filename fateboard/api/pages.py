"""The browser's files: pages, scripts, styles, compressed once and kept."""

from __future__ import annotations

import gzip
import threading
from pathlib import Path

import msgspec
from flask import Blueprint, Response, request
from werkzeug.security import safe_join

from fateboard.errors import Refused
from fateboard.guard import needs

blueprint = Blueprint("pages", __name__)

STATIC = Path(__file__).parent.parent / "static"
TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".ico": "image/x-icon",
    ".woff2": "font/woff2",
    ".txt": "text/plain; charset=utf-8",
    ".webmanifest": "application/manifest+json",
}
_PACKED = frozenset({".png", ".woff2", ".ico"})


class File(msgspec.Struct, frozen=True):
    """stamp: of the file on disk, so that a new version is seen without a restart."""

    stamp: tuple[int, int]
    plain: bytes
    packed: bytes | None
    kind: str


_FILES: dict[str, File] = {}
_LOCK = threading.Lock()


@blueprint.get("/")
@blueprint.get("/<path:name>")
@needs("file")
def page(name: str = "index.html") -> Response:
    found = _file(name)
    gzipped = found.packed is not None and request.accept_encodings["gzip"] > 0
    content = found.packed if gzipped and found.packed else found.plain
    response = Response(content, content_type=found.kind)
    response.headers["Vary"] = "Accept-Encoding"
    if gzipped:
        response.headers["Content-Encoding"] = "gzip"
    response.set_etag(f"{found.stamp[0]:x}-{found.stamp[1]:x}{'-gz' if gzipped else ''}")
    response.headers["Cache-Control"] = "no-cache"
    return response


def _file(name: str) -> File:
    """Raises Refused for what is no file of ours."""
    path = safe_join(str(STATIC), name)
    kind = TYPES.get(Path(name).suffix)
    if path is None or kind is None:
        raise Refused(404, "no_page")
    try:
        status = Path(path).stat()
        stamp = (status.st_mtime_ns, status.st_size)
        kept = _FILES.get(path)
        if kept and kept.stamp == stamp:
            return kept
        plain = Path(path).read_bytes()
    except (OSError, ValueError):
        raise Refused(404, "no_page") from None
    packed = None if Path(name).suffix in _PACKED else gzip.compress(plain, 9, mtime=0)
    found = File(stamp, plain, packed, kind)
    with _LOCK:
        _FILES[path] = found  # not by its name: a file has many, ``./x`` and ``y/../x``
    return found
