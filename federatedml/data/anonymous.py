"""Names of columns that other parties may see: they tell whose column it is and which, no more."""

from __future__ import annotations

from collections.abc import Sequence

from federation import Party


def anonymous_header(party: Party, n_features: int) -> list[str]:
    """``guest_9999_x0``, ``guest_9999_x1``, ... Source: FATE 1.x, docs/compat/data.md."""
    return [anonymous_name(party, i) for i in range(n_features)]


def expanded_header(party: Party, header: Sequence[str], expanded: Sequence[str]) -> list[str]:
    """As ``anonymous_header``, where columns of ColumnExpand are ``guest_9999_exp_0``, ..."""
    own = [name for name in header if name not in set(expanded)]
    added = [name for name in header if name in set(expanded)]
    names = dict(zip(own, anonymous_header(party, len(own)), strict=True))
    names |= {name: f"{party.role}_{party.party_id}_exp_{i}" for i, name in enumerate(added)}
    return [names[name] for name in header]


def anonymous_name(party: Party, column: int) -> str:
    """Of one column."""
    return f"{party.role}_{party.party_id}_x{column}"


def anonymous_label(party: Party) -> str:
    """The name under which other parties may know a party's label."""
    return f"{party.role}_{party.party_id}_y"
