"""Who may ask for what, before any request is answered."""

from __future__ import annotations

import ipaddress
import time
from collections.abc import Callable
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from flask import Response, current_app, g, request

from fateboard import audit, share_links
from fateboard.accounts import AccountError
from fateboard.blocks import Notice, msg
from fateboard.board import board
from fateboard.errors import Refused, no_job
from fateboard.sessions import Record
from fateboard.shapes import Access, JobKey, Session

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors {ancestors}"
)
RANKS = {"viewer": 0, "operator": 1, "admin": 2}
READING = frozenset({"GET", "HEAD", "OPTIONS"})
STILL_SIGNED_IN_S = 15.0
_OF_PROXIES = ("Forwarded", "X-Forwarded-For", "X-Forwarded-Host", "X-Real-Ip", "Via")

View = TypeVar("View", bound=Callable[..., Any])


def needs(access: str) -> Callable[[View], View]:
    """Mark a view with who may call it: "open" to all, else at least viewer, operator, admin.
    A view without a mark is for viewers. "file": a part of the page, which is the same for all,
    also where nobody may sign in yet: the page then says why."""

    def marked(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return marked


def check() -> None:
    """Before every request. Raises Refused."""
    view = current_app.view_functions.get(request.endpoint or "")
    access = getattr(view, "access", "viewer")
    if access == "file":
        return
    if is_local():
        _check_host()
        _check_nearby()
    if request.method not in READING:
        _check_origin()
    g.session = session()
    if access == "open" or view is None:
        return
    if g.session is None:
        raise Refused(401, "sign_in")
    if RANKS[g.session.access] < RANKS[access]:
        raise Refused(403, "not_allowed", access=access)
    if request.view_args and "job" in request.view_args:
        given = request.view_args
        check_job(JobKey(job_id=given["job"], role=given["role"], party_id=given["party"]))


def is_local() -> bool:
    """Whether nobody has to sign in: there are no accounts, and only this machine reaches us."""
    if _accounts():
        return False
    if not board().settings.loopback:
        raise Refused(503, "no_account")
    return True


def session() -> Session | None:
    """Of the request's cookie; everything on this machine without accounts."""
    if is_local():
        return Session(user="local", access="admin", local=True)
    record = _record(touch=True)
    return shown(record) if record else None


def shown(record: Record) -> Session:
    expires_ms = int(board().sessions.expires(record) * 1000)
    if record.job:
        return Session(user="", access="viewer", job=record.job, expires_ms=expires_ms)
    notices = []
    if board().accounts.default_password:
        notices.append(Notice(level="warn", text=msg("session.default_password")))
    access: Access = _accounts()[record.user].access
    return Session(user=record.user, access=access, expires_ms=expires_ms, notices=notices)


def cookie() -> str:
    """Cookies know no ports: two boards of one machine must not share a name."""
    return f"distaff_board_{board().settings.port}"


def check_job(key: JobKey) -> None:
    """Another job than the one a share link shows looks like one that is not there."""
    only = me().job
    if only and only != f"{key.job_id}/{key.role}/{key.party_id}":
        raise no_job()


def check_all_jobs() -> None:
    """For what shows more than one job. Raises Refused (404)."""
    if me().job:
        raise no_job()


def me() -> Session:
    """Who asks. For views that are not open."""
    return cast("Session", g.session)


def record(act: str, about: str = "", *, user: str | None = None) -> None:
    """A line of the audit log about this request."""
    who = g.session.user or "(share link)" if user is None and g.session else user or ""
    audit.record(board().settings.folder, who, request.remote_addr or "", act, about)


def reader_gone() -> Callable[[], bool]:
    """Whether this request's stream has lost its reader, or its session has ended."""
    disconnected = request.environ.get("waitress.client_disconnected", lambda: False)
    asked_at = time.monotonic()

    def gone() -> bool:
        nonlocal asked_at
        if disconnected():
            return True
        if time.monotonic() - asked_at < STILL_SIGNED_IN_S:
            return False
        asked_at = time.monotonic()
        return not is_local() and _record(touch=False) is None

    return gone


def secured(response: Response) -> Response:
    """Headers of every answer."""
    ancestors = board().settings.frame_ancestors
    headers = response.headers
    headers.setdefault("Content-Security-Policy", POLICY.format(ancestors=ancestors))
    headers["X-Content-Type-Options"] = "nosniff"
    headers["Referrer-Policy"] = "no-referrer"
    headers["Cross-Origin-Opener-Policy"] = "same-origin"
    headers["Cross-Origin-Resource-Policy"] = "same-origin"
    headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=()"
    if ancestors == "'none'":
        headers["X-Frame-Options"] = "DENY"
    if request.path.startswith("/api/"):
        headers.setdefault("Cache-Control", "no-store")
    return response


def _accounts() -> dict[str, Any]:
    try:
        return board().accounts.all()
    except AccountError as error:
        raise Refused(503, "accounts_broken", why=str(error)) from None


def _record(*, touch: bool) -> Record | None:
    """The cookie's session, if its account, or the secret of links, is as it was then."""
    token = request.cookies.get(cookie(), "")
    found = board().sessions.find(token, touch=touch) if token else None
    if found is None:
        return None
    if found.job:
        return found if found.mark == share_links.mark(board().settings.folder) else None
    account = _accounts().get(found.user)
    return found if account and account.mark == found.mark else None


def _check_host() -> None:
    """Without a sign-in a page of the web could reach us by a name of its own that leads to this
    machine: only names of this machine are answered."""
    name = urlsplit(f"//{request.host}").hostname or ""
    try:
        ours = ipaddress.ip_address(name).is_loopback
    except ValueError:
        ours = name == "localhost" or name.endswith(".localhost")
    if not ours:
        raise Refused(403, "wrong_host", host=name)


def _check_nearby() -> None:
    """A proxy on this machine would let in whoever reaches it."""
    if any(name in request.headers for name in _OF_PROXIES):
        raise Refused(403, "through_proxy")


def _check_origin() -> None:
    """What changes something comes from our own page, or from no page at all."""
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site not in (None, "same-origin") or (
        origin is not None and urlsplit(origin).netloc != request.host
    ):
        raise Refused(403, "wrong_origin")
    empty = request.blueprint == "facade" and not request.content_length  # axios: no type then
    if request.mimetype != "application/json" and not (empty and not request.mimetype):
        raise Refused(415, "not_json")
