"""What all requests share, and how they answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, cast

import msgspec
from flask import Response, current_app

from fateboard import messages
from fateboard.flow_client import Flow
from fateboard.settings import Settings


@dataclass
class Board:
    """What requests share."""

    settings: Settings
    flow: Flow
    texts: dict[str, messages.Catalogue] = field(default_factory=messages.catalogues)


def board() -> Board:
    """Of the request that is being answered."""
    return cast("Board", current_app.extensions["board"])


def answer(value: Any, status: int = 200) -> Response:
    return Response(msgspec.json.encode(value), status, content_type="application/json")
