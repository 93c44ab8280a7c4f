"""Request bodies that several resources share, and how they are completed."""

from __future__ import annotations

from typing import Any

import msgspec

from fateflow.errors import ArgumentError, NotThere
from fateflow.site import Site
from fateflow.store import queries
from fateflow.store.orm import JobRow

LARGEST = (1 << 31) - 1
"""A page times a limit still fits an integer of the database."""


class OfJob(msgspec.Struct, frozen=True, kw_only=True):
    """A job, perhaps as one (role, party) sees it."""

    job_id: str
    role: str | None = None
    party_id: str | None = None


class OfComponent(OfJob, frozen=True, kw_only=True):
    component_name: str


class OfModel(msgspec.Struct, frozen=True, kw_only=True):
    model_id: str
    model_version: str


class OfPartyModel(OfModel, frozen=True, kw_only=True):
    role: str
    party_id: str


def job(site: Site, wanted: OfJob) -> JobRow:
    """The job's row at the named (role, party), else at the initiator's.

    Raises NotThere (102).
    """
    if wanted.role or wanted.party_id:
        named = {"job_id": wanted.job_id, "role": wanted.role, "party_id": wanted.party_id}
        rows = queries.jobs(site.database, named)
        found = rows[0] if rows else None
    else:
        found = queries.initiators(site.database, wanted.job_id)
    if not found:
        raise NotThere("can not found job")
    return found


def component(site: Site, wanted: OfComponent) -> queries.At:
    """Where to look for the component; a missing role or party is the initiator's.

    Raises NotThere (102) if no role was named and the job is not here.
    """
    role, party_id = wanted.role, wanted.party_id
    if role is None or party_id is None:
        row = queries.initiators(site.database, wanted.job_id)
        if not row:
            raise NotThere("can not found job")
        role = role or row.initiator_role
        party_id = party_id or row.initiator_party_id
    return queries.At(wanted.job_id, role, party_id, wanted.component_name)


def number(
    found: dict[str, Any], name: str, default: int, *, least: int = 0, most: int = LARGEST
) -> int:
    """An integer of a request that may come as text. Raises ArgumentError."""
    value = found.get(name)
    if value is None:
        return default
    try:
        result = int(value)
    except (TypeError, ValueError, OverflowError):
        raise ArgumentError(f"'{name}' must be an integer, at least {least}") from None
    if not least <= result <= most:
        raise ArgumentError(f"'{name}' must be an integer from {least} to {most}")
    return result
