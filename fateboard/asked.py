"""Query members and JSON bodies, read with an error that says what is allowed."""

from __future__ import annotations

from typing import TypeVar
from urllib.parse import unquote

import msgspec
from flask import request

from fateboard.blocks import Path
from fateboard.errors import Refused

T = TypeVar("T")


def number(name: str, default: int, least: int, most: int) -> int:
    """Raises Refused (400)."""
    given = request.args.get(name)
    if given in (None, ""):
        return default
    try:
        value = int(str(given))
    except ValueError:
        value = least - 1
    if not least <= value <= most:
        raise Refused(400, "number", name=name, least=least, most=most)
    return value


def optional_number(name: str, least: int, most: int) -> int | None:
    return number(name, least, least, most) if request.args.get(name) else None


def words(name: str) -> list[str]:
    """A list separated by commas."""
    return [word for word in request.args.get(name, "").split(",") if word]


def body(kind: type[T]) -> T:
    """Raises Refused (400)."""
    try:
        return msgspec.json.decode(request.get_data() or b"{}", type=kind)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise Refused(400, "bad_request", why=str(error)) from None
    except RecursionError:
        raise Refused(400, "bad_request", why="nested too deeply") from None


def view_path() -> Path:
    """Which options of a view are shown."""
    return pairs("path")


def pairs(name: str) -> dict[str, str]:
    """``<name>=a:b,...`` with both parts encoded once more, so that they may hold any character."""
    found = (part.partition(":") for part in words(name))
    return {unquote(first): unquote(second) for first, _, second in found}
