"""Who takes part: a role played by a party. One party may play several roles in one job."""

from __future__ import annotations

import enum

import msgspec


class Role(str, enum.Enum):
    GUEST = "guest"
    HOST = "host"
    ARBITER = "arbiter"
    LOCAL = "local"

    def __str__(self) -> str:
        return self.value


GUEST, HOST, ARBITER, LOCAL = Role.GUEST, Role.HOST, Role.ARBITER, Role.LOCAL


class Party(msgspec.Struct, frozen=True, order=True):
    """A role at a site. ``party_id`` is text inside; FATE's integers stay at the edge."""

    role: Role
    party_id: str

    def __str__(self) -> str:
        return f"{self.role.value} {self.party_id}"
