"""The catalogues: what the board says, by code and language.

Each ``static/messages/<area>.json`` is {code: {"en": template, "zh-CN": template}}.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

import msgspec

from fateboard.blocks import Text

LANGUAGES = ("en", "zh-CN")
FOLDER = Path(__file__).parent / "static" / "messages"
Catalogue = dict[str, str]


def catalogues(folder: Path = FOLDER) -> dict[str, Catalogue]:
    """{language: {code: template}}, of all areas; English where a translation is missing."""
    found: dict[str, Catalogue] = {language: {} for language in LANGUAGES}
    for path in sorted(folder.glob("*.json")):
        area = msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, str]])
        for code, by_language in area.items():
            for language, catalogue in found.items():
                catalogue[code] = by_language.get(language) or by_language.get("en", code)
    return found


def language_of(accepted: str) -> str:
    """Of an Accept-Language header: Chinese if it comes before English."""
    for entry in accepted.lower().split(","):
        if entry.strip().startswith("zh"):
            return "zh-CN"
        if entry.strip().startswith("en"):
            return "en"
    return "en"


def filled(texts: Catalogue, code: str, args: Mapping[str, str | int | float | Text]) -> str:
    """A message with its places filled, "" of a code that there is not."""

    def place(found: re.Match[str]) -> str:
        value = args.get(found[1], found[0])
        return filled(texts, value.code, value.args) if isinstance(value, Text) else str(value)

    return re.sub(r"\{(\w+)\}", place, texts.get(code, ""))
