"""Columns in an error: everybody reads it, so it has their anonymous names alone."""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Sequence

from federatedml.data.frame import FrameSchema
from federatedml.errors import BadData

LOG = logging.getLogger(__name__)

N_NAMED = 10
"""Of columns at fault so many are named."""


def shown(schema: FrameSchema) -> list[str]:
    """(k,) what other parties may see of the names; numbers where a table has none."""
    names = schema.anonymous_header
    return list(names) if names else [f"column {i}" for i in range(len(schema.header))]


def named(schema: FrameSchema, at: Sequence[int], component: str) -> str:
    """These columns for an error's text; this party's log says what it calls them itself."""
    names, first = shown(schema), list(at)[:N_NAMED]
    for i in first:
        LOG.error("%s: %s is %r", component, names[i], schema.header[i])
    more = f", ... ({len(at)})" if len(at) > len(first) else ""
    return ", ".join(names[i] for i in first) + more


def refuse_twins(schema: FrameSchema, at: Sequence[int], component: str) -> None:
    """Raises BadData if two of these columns have one name: models know columns by their names."""
    names = [schema.header[i] for i in at]
    counts = Counter(names)
    if twins := [i for i, name in zip(at, names, strict=True) if counts[name] > 1]:
        raise BadData(
            f"{component}: {named(schema, twins, component)} have the same name as others of them; "
            "rename columns upstream"
        )
