"""The one rule for ids in addresses and queries: job, role, party, component, log type."""

from __future__ import annotations

import re

from werkzeug.routing import BaseConverter

PATTERN = r"[A-Za-z0-9_][A-Za-z0-9_.\-]{0,199}"
"""It cannot start with a dot, so that no name leads out of a folder."""


class NameConverter(BaseConverter):
    regex = PATTERN


def is_name(text: str) -> bool:
    return re.fullmatch(PATTERN, text) is not None
