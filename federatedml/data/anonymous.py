"""Names of columns that other parties may see: they tell whose column it is and which, no more."""

from __future__ import annotations

from federation import Party


def anonymous_header(party: Party, n_features: int) -> list[str]:
    """``guest_9999_x0``, ``guest_9999_x1``, ... Source: FATE 1.x, docs/compat/data.md."""
    return [anonymous_name(party, i) for i in range(n_features)]


def anonymous_name(party: Party, column: int) -> str:
    """Of one column."""
    return f"{party.role}_{party.party_id}_x{column}"


def anonymous_label(party: Party) -> str:
    """The name under which other parties may know a party's label."""
    return f"{party.role}_{party.party_id}_y"
