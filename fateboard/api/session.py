"""``/api/v1/session`` and share links: sign in, who am I, sign out, show a job to others."""

from __future__ import annotations

from typing import TypeVar

import msgspec
from flask import Blueprint, Response, g, redirect, request
from werkzeug.wrappers import Response as AnyResponse

from fateboard import asked, guard, share_links
from fateboard.board import answer, board
from fateboard.errors import Refused
from fateboard.guard import needs
from fateboard.jobs import check_here
from fateboard.shapes import JobKey, Share

blueprint = Blueprint("session", __name__)

Answer = TypeVar("Answer", bound=AnyResponse)


class SignIn(msgspec.Struct, frozen=True):
    username: str
    password: str

    def __repr__(self) -> str:
        return "SignIn()"


@blueprint.get("/api/v1/session")
@needs("open")
def who() -> Response:
    if g.session is None:
        raise Refused(401, "sign_in")
    return answer(g.session)


@blueprint.post("/api/v1/session")
@needs("open")
def sign_in() -> Response:
    """A wrong name and a wrong password are answered alike, and as fast."""
    if guard.is_local():
        return answer(g.session)
    given = asked.body(SignIn)
    token = begin(given.username, [given.password])
    record = board().sessions.find(token)
    return with_cookie(answer(guard.shown(record) if record else None), token)


def begin(username: str, passwords: list[str]) -> str:
    """The token of a new session of who has one of the passwords. Raises Refused (401, 429)."""
    address = request.remote_addr or ""
    board().throttle.attempt(username, address)
    tried = (board().accounts.signed_in(username, password) for password in passwords)
    account = next((found for found in tried if found), None)
    if account is None:
        known = username in board().accounts.all()
        guard.record("sign in failed", user=username if known else "(unknown)")
        raise Refused(401, "wrong_password")
    board().throttle.succeeded(username, address)
    guard.record("signed in", user=account.name)
    board().sessions.end(request.cookies.get(guard.cookie(), ""))
    return board().sessions.begin(account.name, account.mark)


def with_cookie(response: Answer, token: str) -> Answer:
    response.set_cookie(
        guard.cookie(), token, path="/", httponly=True, samesite="Lax", secure=request.is_secure
    )
    return response


@blueprint.delete("/api/v1/session")
@needs("open")
def sign_out() -> Response:
    token = request.cookies.get(guard.cookie(), "")
    if g.session and token:
        guard.record("signed out")
        board().sessions.end(token)
    response = Response(status=204)
    response.delete_cookie(guard.cookie(), path="/", httponly=True, samesite="Lax")
    return response


class ToShare(JobKey, frozen=True, kw_only=True):
    days: int


@blueprint.post("/api/v1/share")
@needs("operator")
def share() -> Response:
    given = asked.body(ToShare)
    key = JobKey(job_id=given.job_id, role=given.role, party_id=given.party_id)
    check_here(board().flow, key)
    token, until = share_links.made(board().settings.folder, key, given.days)
    guard.record("shared", f"{_path(key)} for {given.days} days")
    return answer(Share(url=f"{request.host_url}share/{token}", expires_ms=int(until * 1000)))


@blueprint.get("/share/<token>")
@needs("open")
def shared(token: str) -> AnyResponse:
    """Whoever may see more than the link shows keeps the session they have."""
    link = share_links.opened(board().settings.folder, token)
    key = link.job
    page = f"/index.html#/dashboard?job_id={key.job_id}&role={key.role}&party_id={key.party_id}"
    response = redirect(page, 303)
    response.headers["Cache-Control"] = "no-store"
    if g.session is not None and not g.session.job:
        return response
    guard.record("opened a share link", _path(key), user="(share link)")
    mark = share_links.mark(board().settings.folder)
    return with_cookie(response, board().sessions.begin("", mark, job=_path(key), until=link.until))


def _path(key: JobKey) -> str:
    return f"{key.job_id}/{key.role}/{key.party_id}"
