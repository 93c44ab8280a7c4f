"""Models in the database: trained and deployed versions, what serves them, and their tags.

Functions take the session, so that a use case is one transaction.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from fateflow.store.database import now_ms
from fateflow.store.orm import ModelRow, ModelServiceRow, ModelTagRow, TagRow


def one(session: Session, role: str, party_id: str, model_id: str, version: str) -> ModelRow | None:
    """A party's record of a model's version."""
    return session.get(ModelRow, (role, str(party_id), model_id, str(version)))


def find(session: Session, **columns: Any) -> Sequence[ModelRow]:
    """Models by column values, oldest first; a None does not filter."""
    given = {name: value for name, value in columns.items() if value is not None}
    wanted = select(ModelRow).filter_by(**given)
    return session.scalars(wanted.order_by(ModelRow.create_time, ModelRow.model_version)).all()


def deployed_versions(session: Session, model_id: str, role: str, party_id: str) -> list[str]:
    """Versions of a model that a party can predict with, oldest first."""
    found = find(session, model_id=model_id, role=role, party_id=party_id, parent=False)
    return [row.model_version for row in found]


def put(session: Session, row: ModelRow) -> None:
    """Record a model; told twice, the second time replaces the first."""
    session.merge(row)


def serve(session: Session, row: ModelServiceRow) -> None:
    """Record what was loaded or bound; a service id has one model per party."""
    session.merge(row)


def forget_service(
    session: Session, role: str, party_id: str, model_id: str, version: str, service_id: str
) -> None:
    """Drop the record of a bind, or with service_id "" all of a version's."""
    wanted = delete(ModelServiceRow).filter_by(
        role=role, party_id=party_id, model_id=model_id, model_version=version
    )
    if service_id:
        wanted = wanted.filter_by(service_id=service_id)
    session.execute(wanted)


def served(session: Session, **columns: Any) -> Sequence[ModelServiceRow]:
    """Load and bind records by column values, the newest first."""
    wanted = select(ModelServiceRow).filter_by(**columns)
    return session.scalars(wanted.order_by(ModelServiceRow.update_time.desc())).all()


def tag(session: Session, name: str) -> TagRow | None:
    """A tag by its name."""
    return session.get(TagRow, name)


def add_tag(session: Session, name: str, description: str | None = None) -> None:
    """Make a tag; models are given it separately."""
    now = now_ms()
    session.add(TagRow(name=name, description=description, create_time=now, update_time=now))


def tags(session: Session, limit: int = 0, containing: str = "") -> list[tuple[TagRow, int]]:
    """Tags and the number of their models, oldest first. limit: 0 for all."""
    wanted = (
        select(TagRow, func.count(ModelRow.role))
        .outerjoin(ModelTagRow, ModelTagRow.tag_name == TagRow.name)
        .outerjoin(ModelRow, ModelRow.job_id == ModelTagRow.job_id)
        .group_by(TagRow.name)
        .order_by(TagRow.create_time, TagRow.name)
    )
    if containing:
        wanted = wanted.where(TagRow.name.contains(containing, autoescape=True))
    if limit > 0:
        wanted = wanted.limit(limit)
    return [(row, int(count)) for row, count in session.execute(wanted)]


def rename_tag(session: Session, row: TagRow, name: str) -> None:
    """Give a tag another name; its models keep it."""
    session.add(
        TagRow(
            name=name,
            description=row.description,
            create_time=row.create_time,
            update_time=now_ms(),
        )
    )
    for link in session.scalars(select(ModelTagRow).where(ModelTagRow.tag_name == row.name)):
        session.add(ModelTagRow(job_id=link.job_id, tag_name=name))
        session.delete(link)
    session.delete(row)


def delete_tag(session: Session, row: TagRow) -> None:
    """Take a tag away, from its models too."""
    session.execute(delete(ModelTagRow).where(ModelTagRow.tag_name == row.name))
    session.delete(row)


def tags_of(session: Session, job_id: str) -> Sequence[TagRow]:
    """Tags of the models of a training job."""
    wanted = (
        select(TagRow)
        .join(ModelTagRow, ModelTagRow.tag_name == TagRow.name)
        .where(ModelTagRow.job_id == job_id)
    )
    return session.scalars(wanted.order_by(TagRow.create_time, TagRow.name)).all()


def tagged(session: Session, name: str) -> Sequence[ModelRow]:
    """Models that carry a tag."""
    wanted = (
        select(ModelRow)
        .join(ModelTagRow, ModelTagRow.job_id == ModelRow.job_id)
        .where(ModelTagRow.tag_name == name)
    )
    return session.scalars(wanted.order_by(ModelRow.create_time)).all()


def link_tag(session: Session, job_id: str, name: str) -> bool:
    """Tag the models of a job; False if they have that tag."""
    if session.get(ModelTagRow, (job_id, name)) is not None:
        return False
    session.add(ModelTagRow(job_id=job_id, tag_name=name))
    return True


def unlink_tag(session: Session, job_id: str, name: str) -> bool:
    """Take a tag from the models of a job; False if they have it not."""
    link = session.get(ModelTagRow, (job_id, name))
    if link is not None:
        session.delete(link)
    return link is not None
