"""Links that show one job to whoever holds them, until they expire."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from pathlib import Path

import msgspec
from itsdangerous import BadData, URLSafeSerializer

from fateboard.accounts import write_private
from fateboard.errors import Refused
from fateboard.shapes import JobKey

MOST_DAYS = 90
DAY_S = 86_400


class Link(msgspec.Struct, frozen=True):
    """until: seconds since 1970."""

    job: JobKey
    until: float


def made(folder: Path, key: JobKey, days: int) -> tuple[str, float]:
    """The token, and when it expires. Raises Refused (400)."""
    if not 1 <= days <= MOST_DAYS:
        raise Refused(400, "number", name="days", least=1, most=MOST_DAYS)
    until = float(int(time.time()) + days * DAY_S)
    content = msgspec.to_builtins(Link(key, until))
    return str(_serializer(folder).dumps(content)), until


def opened(folder: Path, token: str) -> Link:
    """Raises Refused (404) for a link that is forged, damaged or out of date."""
    try:
        link = msgspec.convert(_serializer(folder).loads(token), Link)
    except (BadData, msgspec.ValidationError):
        raise Refused(404, "no_link") from None
    if time.time() >= link.until:
        raise Refused(404, "no_link")
    return link


def mark(folder: Path) -> str:
    """Changes with the secret, which ends the sessions that links have begun, too."""
    return hashlib.sha256(b"mark" + _secret(folder)).hexdigest()[:16]


def _serializer(folder: Path) -> URLSafeSerializer:
    return URLSafeSerializer(_secret(folder), salt="share")


def _secret(folder: Path) -> bytes:
    """Made once, whole before it has its name; whoever removes the file ends all links."""
    path = folder / "secret"
    if not path.exists():
        draft = folder / f".secret.{secrets.token_hex(8)}"
        write_private(draft, secrets.token_hex(32).encode())
        with contextlib.suppress(FileExistsError):
            os.link(draft, path)
        draft.unlink()
    return path.read_bytes()
