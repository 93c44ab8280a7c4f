"""What all requests share, and how they answer."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from flask import Response, current_app, request

from fateboard import messages
from fateboard.accounts import Accounts
from fateboard.blocks import Text
from fateboard.flow_client import Flow
from fateboard.live import Hub
from fateboard.sessions import Sessions, Throttle
from fateboard.settings import Settings


@dataclass
class Board:
    """What requests share."""

    settings: Settings
    flow: Flow
    hub: Hub
    accounts: Accounts
    sessions: Sessions
    throttle: Throttle = field(default_factory=Throttle)
    texts: dict[str, messages.Catalogue] = field(default_factory=messages.catalogues)


def board() -> Board:
    """Of the request that is being answered."""
    return cast("Board", current_app.extensions["board"])


def answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type="application/json")


def words(code: str, args: Mapping[str, str | int | float | Text]) -> str:
    """A message of the board in the reader's language. An EventSource sends no header of the
    page's own: its ``lang`` says the same."""
    accepted = request.args.get("lang") or request.headers.get("Accept-Language", "")
    texts = board().texts[messages.language_of(accepted)]
    return messages.filled(texts, code, args)
