"""Names of the features of several parties side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from federatedml.errors import BadModel


def merged_names(
    guest: Sequence[str], hosts: Mapping[str, Sequence[str]], *, rename: bool | None
) -> list[str]:
    """The guest's names, then each host's, all different.

    rename: True, every host's name gets ``host_<party>_`` before it; None, those that another
    party uses too; False, none. Raises BadModel if names are then the same.

    >>> merged_names(["age"], {"10000": ["age", "income"]}, rename=None)
    ['age', 'host_10000_age', 'income']
    """
    everyone = [*guest, *(name for names in hosts.values() for name in names)]
    found = list(guest)
    for party, names in hosts.items():
        for name in names:
            is_new = rename or (rename is None and everyone.count(name) > 1)
            found.append(f"host_{party}_{name}" if is_new else name)
    if len(set(found)) < len(found):
        twice = next(name for name in found if found.count(name) > 1)
        raise BadModel(
            f"several parties have a feature {twice!r}: allow other names (--host-rename)"
        )
    return found
