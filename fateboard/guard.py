"""Who may ask for what, before any request is answered."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from flask import Response, request

from fateboard.board import board

POLICY = (
    "default-src 'self'; script-src 'self'; style-src 'self'; style-src-attr 'unsafe-inline'; "
    "img-src 'self' data: blob:; object-src 'none'; base-uri 'none'; form-action 'self'; "
    "frame-ancestors {ancestors}"
)


View = TypeVar("View", bound=Callable[..., Any])


def needs(access: str) -> Callable[[View], View]:
    """Mark a view with who may call it: "open" to all, else at least viewer, operator, admin."""

    def marked(view: View) -> View:
        view.access = access  # type: ignore[attr-defined]
        return view

    return marked


def check() -> None:
    """To come."""


def secured(response: Response) -> Response:
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
