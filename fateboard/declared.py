"""What components and servers of a site declare in English, in the reader's language.

Messages say what they reveal, schemes how strong they are, a queue why a job waits: in English,
for logs and for other programs. ``static/messages/declared.json`` has each such sentence, or its
pattern with named gaps, as its own code. What is not there is a user's or another party's text
and stays as it is.
"""

from __future__ import annotations

import functools
import re

import msgspec

from fateboard.blocks import Label, Text
from fateboard.messages import FOLDER

LONGEST = 600
"""Longer texts are nobody's declaration; patterns are not tried on them."""
_GAP = re.compile(r"\{(\w+)\}")
_SENTENCES = ("scheme", "why")
"""Gaps that may hold a sentence; others hold a word or a number."""


@functools.lru_cache(maxsize=4096)
def label(text: str) -> Label:
    """The sentence as a message, if it is declared; also what fills its gaps."""
    if len(text) > LONGEST:
        return text
    known, patterns = _catalogue()
    if text in known:
        return Text(text)
    for code, pattern in patterns:
        found = pattern.fullmatch(text)
        if found:
            gaps: dict[str, str | int | float | Text] = {
                name: label(filled) for name, filled in found.groupdict().items()
            }
            return Text(code, gaps)
    return text


@functools.cache
def _catalogue() -> tuple[frozenset[str], list[tuple[str, re.Pattern[str]]]]:
    """Whole sentences, and patterns with the longest wording first: the most particular."""
    path = FOLDER / "declared.json"
    codes = list(msgspec.json.decode(path.read_bytes(), type=dict[str, dict[str, str]]))
    gapped = sorted((code for code in codes if _GAP.search(code)), key=_wording, reverse=True)
    return frozenset(codes) - set(gapped), [(code, _pattern(code)) for code in gapped]


def _wording(code: str) -> int:
    return len(_GAP.sub("", code))


def _pattern(code: str) -> re.Pattern[str]:
    """Gaps are bounded, so that no text makes the search long."""
    parts = _GAP.split(code)
    plain, names = parts[::2], parts[1::2]
    kinds = (".{1,400}?" if name in _SENTENCES else "[^:;]{1,80}?" for name in names)
    gaps = [*(f"(?P<{name}>{kind})" for name, kind in zip(names, kinds, strict=True)), ""]
    return re.compile("".join(re.escape(said) + gap for said, gap in zip(plain, gaps, strict=True)))
