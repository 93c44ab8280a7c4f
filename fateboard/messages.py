"""The catalogues: what the board says, by code and language.

Each ``static/messages/<area>.json`` is {code: {"en": template, "zh-CN": template}}.
"""

from __future__ import annotations

import re
from pathlib import Path

import msgspec

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


def filled(template: str, args: dict[str, str | float]) -> str:
    return re.sub(r"\{(\w+)\}", lambda m: str(args.get(m[1], m[0])), template)
