"""Tags, and the models that carry them: `flow tag` and `flow model tag-...`.

Texts are FATE's, spelling included: clients show and compare them.
"""

from __future__ import annotations

from typing import Any

from fateflow.errors import ArgumentError, FlowError
from fateflow.site import Site
from fateflow.store import models
from fateflow.store.orm import TagRow


def create(site: Site, tag_name: str, tag_desc: str | None = None) -> str:
    """Make a tag; the retmsg. Raises FlowError (100) if there is one of this name."""
    _check(tag_name)
    with site.database.write() as session:
        if models.tag(session, tag_name) is not None:
            raise FlowError(f"'{tag_name}' has already exists in database.")
        models.add_tag(session, tag_name, tag_desc)
    return f"'{tag_name}' tag has been created successfully."


def listed(site: Site, limit: int = 10) -> dict[str, Any]:
    """Tags with the number of their models."""
    with site.database.read() as session:
        return {
            "tags": [
                {**_shown(row), "model_count": count} for row, count in models.tags(session, limit)
            ]
        }


def retrieve(site: Site, tag_name: str, with_model: bool = False) -> dict[str, Any]:
    """Tags whose name contains a text; with_model: the models of the tag of that very name.

    Raises FlowError (100) if there is none.
    """
    with site.database.read() as session:
        if not with_model:
            found = [_shown(row) for row, _ in models.tags(session, containing=tag_name)]
            if not found:
                raise FlowError("No tags found.")
            return {"tags": found}
        if models.tag(session, tag_name) is None:
            raise FlowError("No tags found.")
        carriers = [
            {
                "model_id": row.model_id,
                "model_version": row.model_version,
                "model_size": -(-row.size // 1024),
                "role": row.role,
                "party_id": row.party_id,
            }
            for row in models.tagged(session, tag_name)
        ]
    return {"models": carriers, "count": len(carriers)}


def update(
    site: Site, tag_name: str, new_tag_name: str | None = None, new_tag_desc: str | None = None
) -> str:
    """Rename or describe a tag anew; the retmsg. Raises FlowError (100)."""
    if new_tag_name:
        _check(new_tag_name)
    with site.database.write() as session:
        row = _tag(session, tag_name)
        renamed = bool(new_tag_name) and new_tag_name != tag_name
        described = new_tag_desc is not None and new_tag_desc != row.description
        if not renamed and not described:
            raise FlowError("Nothing to be updated.")
        if renamed and models.tag(session, str(new_tag_name)) is not None:
            raise FlowError(f"'{new_tag_name}' already exists.")
        if described:
            row.description = new_tag_desc
        if renamed:
            models.rename_tag(session, row, str(new_tag_name))
    return f"Infomation of '{tag_name}' tag has been updated successfully."


def destroy(site: Site, tag_name: str) -> str:
    """Take a tag away, from its models too; the retmsg. Raises FlowError (100)."""
    with site.database.write() as session:
        models.delete_tag(session, _tag(session, tag_name))
    return f"'{tag_name}' tag has been deleted successfully."


def add_to_model(site: Site, job_id: str, tag_name: str) -> str:
    """Tag the models of a training job, making the tag if need be; the retmsg.

    Raises FlowError (100) for an unknown job or a tag that the models have.
    """
    _check(tag_name)
    with site.database.write() as session:
        if not models.find(session, job_id=job_id):
            raise FlowError(f"Can not found model by job id: {job_id}.")
        if models.tag(session, tag_name) is None:
            models.add_tag(session, tag_name)
            session.flush()
        if not models.link_tag(session, job_id, tag_name):
            raise FlowError(f"Model with job id {job_id} has tag {tag_name} already.")
    return f"Adding {tag_name} tag for model with job id: {job_id} successfully."


def remove_from_model(site: Site, job_id: str, tag_name: str) -> str:
    """Take a tag from the models of a training job; the retmsg. Raises FlowError (100)."""
    with site.database.write() as session:
        if not models.unlink_tag(session, job_id, tag_name):
            raise FlowError(f"Model with job id {job_id} has no tag {tag_name}.")
    return f"Removing {tag_name} tag for model with job id: {job_id} successfully."


def of_model(site: Site, job_id: str) -> dict[str, Any]:
    """Tags of the models of a training job. Raises FlowError (100) for an unknown job."""
    with site.database.read() as session:
        if not models.find(session, job_id=job_id):
            raise FlowError(f"Can not found model by job id: {job_id}.")
        found = [
            {"name": row.name, "description": row.description}
            for row in models.tags_of(session, job_id)
        ]
    return {"tags": found, "count": len(found)}


def _shown(row: TagRow) -> dict[str, Any]:
    return {"name": row.name, "description": row.description}


def _tag(session: Any, name: str) -> TagRow:
    found = models.tag(session, name)
    if found is None:
        raise FlowError(f"Can not found '{name}' tag.")
    return found


def _check(name: str) -> None:
    if not name or len(name) > 128:
        raise ArgumentError("a tag's name has 1 to 128 characters")
