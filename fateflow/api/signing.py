"""Client authentication: requests signed with a shared key, as FATE's clients do it.

On when ``<home>/client_keys.json`` holds {"app_key": ..., "secret_key": ...}; the file is read at
each request, so keys change without a restart. Signed are time, a nonce, the key's name, the path
as sent, and the body. A nonce counts once, and no older than a minute. The header APP_KEY itself
is not looked at (waitress drops names with an underscore): the signature holds for one key only.

Calls of workers and of the gateway carry tokens of their own and are not signed; neither is
``version/get``, which tells nothing and by which the node sees that this server is well.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import threading
import time
import urllib.parse
from pathlib import Path

import msgspec
from flask import Blueprint, request

from fateflow.api.envelope import site
from fateflow.errors import FlowError, RetCode

blueprint = Blueprint("signing", __name__)

FILE = "client_keys.json"
VALID_S = 60.0
_HEADERS = ("TIMESTAMP", "NONCE", "SIGNATURE")
_UNSIGNED = ("/v1/worker/", "/v1/party/", "/v1/version/get")
_EMPTY = (b"", b"{}", b"null")
_UPLOAD = "/v1/data/upload"


class Keys(msgspec.Struct, frozen=True):
    app_key: str
    secret_key: str

    def __repr__(self) -> str:
        return f"Keys(app_key={self.app_key!r})"


class Nonces:
    """Which nonces were used of late. Thread-safe."""

    def __init__(self) -> None:
        self._seen: dict[str, float] = {}
        self._lock = threading.Lock()

    def fresh(self, nonce: str, now: float) -> bool:
        """Whether it is new; from now on it is not."""
        with self._lock:
            self._seen = {n: t for n, t in self._seen.items() if now - t <= 2 * VALID_S}
            if nonce in self._seen:
                return False
            self._seen[nonce] = now
            return True


_NONCES = Nonces()


@blueprint.before_app_request
def check() -> None:
    """Refuse (109) what is not signed as it must be. Nothing is checked without keys."""
    keys = _keys(site().settings.root)
    if keys is None or request.path.startswith(_UNSIGNED):
        return
    given = {name: request.headers.get(name, "") for name in _HEADERS}
    missing = [name for name, value in given.items() if not value]
    if missing:
        raise _refused(f"headers are missing: {', '.join(missing)}")
    now = time.time()
    try:
        age_s = abs(now - int(given["TIMESTAMP"]) / 1000)
    except ValueError:
        raise _refused("TIMESTAMP is no number of milliseconds") from None
    if age_s > VALID_S:
        raise _refused(f"TIMESTAMP is {age_s:.0f} s off, at most {VALID_S:.0f} s are allowed")
    head = (given["TIMESTAMP"], given["NONCE"], keys.app_key)
    wanted = [_signature(keys, head, body) for body in _bodies()]
    if not any(hmac.compare_digest(given["SIGNATURE"].encode(), w) for w in wanted):
        raise _refused("SIGNATURE fits neither this request nor this server's app key")
    if not _NONCES.fresh(given["NONCE"], now):
        raise _refused("NONCE was used before")


def _keys(root: Path) -> Keys | None:
    try:
        return msgspec.json.decode((root / FILE).read_bytes(), type=Keys)
    except FileNotFoundError:
        return None


def _bodies() -> list[bytes]:
    """What the client may have signed as body: an empty object counts as nothing, too."""
    raw = b"" if request.mimetype.startswith("multipart/") else request.get_data()
    return list(_EMPTY) if raw.strip() in _EMPTY else [raw]


def _signature(keys: Keys, head: tuple[str, str, str], body: bytes) -> bytes:
    path = str(request.environ.get("REQUEST_URI") or request.full_path).removesuffix("?")
    form = b""
    if request.mimetype.startswith("multipart/") and request.path.rstrip("/") != _UPLOAD:
        fields = sorted(request.form.to_dict().items())
        form = urllib.parse.urlencode(fields, quote_via=urllib.parse.quote, safe="-._~").encode()
    message = b"\n".join([*(part.encode() for part in head), path.encode(), body, form])
    digest = hmac.new(keys.secret_key.encode(), message, hashlib.sha1).digest()
    return base64.b64encode(digest)


def _refused(why: str) -> FlowError:
    return FlowError(f"signature refused: {why}", retcode=RetCode.AUTHENTICATION_ERROR)
