"""Which columns a component works on: FATE's pair of parameters, by index and by name.

An error is read by every party, so it names what the configuration asks for and no column that
the table has; those go to the log of the party whose table it is.
"""

from __future__ import annotations

import difflib
import logging
from collections.abc import Sequence

from federatedml.data.frame import FrameSchema
from federatedml.errors import BadData, BadParameters

LOG = logging.getLogger(__name__)

N_NAMED = 10
"""Of a table's columns so many are named in the log."""


def chosen(
    schema: FrameSchema,
    indexes: int | Sequence[int] | None,
    names: Sequence[str] | None,
    component: str,
) -> list[int]:
    """Numbers of the columns that indexes or names (or both) mean, each once, in table order.

    indexes: -1 means all columns, None or an empty list none. component: its name, for errors.
    Raises BadParameters for an index or a name that the table does not have, BadData for a name
    that it has twice.

    >>> chosen(FrameSchema(header=["age", "income", "debt"]), [2], ["age"], "scale_0")
    [0, 2]
    """
    header = schema.header
    if indexes == -1:
        found = set(range(len(header)))
    elif isinstance(indexes, int):
        raise BadParameters(f"{component}: column index {indexes}; give a list, or -1 for all")
    else:
        found = {_known_index(index, header, component) for index in indexes or ()}
    found |= {index_of(name, header, component) for name in names or ()}
    return sorted(found)


def index_of(name: str, header: Sequence[str], component: str) -> int:
    """The number of the column of this name. Raises as ``chosen``."""
    count = list(header).count(name)
    if not count:
        near = difflib.get_close_matches(name, header, 1)
        hint = f"did you mean {near[0]!r}?" if near else f"there are: {_listed(header)}"
        LOG.error("%s: there is no column %r; %s", component, name, hint)
        raise BadParameters(
            f"{component}: there is no column {name!r} among the {len(header)} of this party's "
            "table; its log says which there are"
        )
    if count > 1:
        raise BadData(
            f"{component}: {count} columns are named {name!r}; rename them, or choose by index"
        )
    return list(header).index(name)


def _known_index(index: int, header: Sequence[str], component: str) -> int:
    if not 0 <= index < len(header):
        have = f"columns 0 to {len(header) - 1}" if header else "no columns"
        raise BadParameters(f"{component}: there is no column {index}; the table has {have}")
    return index


def _listed(header: Sequence[str]) -> str:
    shown = ", ".join(header[:N_NAMED])
    return f"{shown}, ... ({len(header)})" if len(header) > N_NAMED else shown or "none"
