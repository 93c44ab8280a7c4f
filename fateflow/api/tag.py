"""``/v1/model/tag`` and ``/v1/model/model_tag``: names for models."""

from __future__ import annotations

import msgspec
from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, given, site
from fateflow.scheduler import model_tags

blueprint = Blueprint("tag", __name__, url_prefix="/v1/model")


class Tag(msgspec.Struct, frozen=True, kw_only=True):
    tag_name: str
    tag_desc: str | None = None
    with_model: bool = False
    new_tag_name: str | None = None
    new_tag_desc: str | None = None


class ModelTag(asked.OfJob, frozen=True, kw_only=True):
    tag_name: str


@blueprint.post("/tag/create")
def create() -> Response:
    wanted = body(Tag)
    return answer(retmsg=model_tags.create(site(), wanted.tag_name, wanted.tag_desc))


@blueprint.post("/tag/list")
def listed() -> Response:
    return answer(model_tags.listed(site(), asked.number(given(), "limit", 10)))


@blueprint.post("/tag/retrieve")
def retrieve() -> Response:
    wanted = body(Tag)
    return answer(model_tags.retrieve(site(), wanted.tag_name, wanted.with_model))


@blueprint.post("/tag/update")
def update() -> Response:
    wanted = body(Tag)
    return answer(
        retmsg=model_tags.update(site(), wanted.tag_name, wanted.new_tag_name, wanted.new_tag_desc)
    )


@blueprint.post("/tag/destroy")
def destroy() -> Response:
    return answer(retmsg=model_tags.destroy(site(), body(Tag).tag_name))


@blueprint.post("/model_tag/create")
def add_to_model() -> Response:
    wanted = body(ModelTag)
    return answer(retmsg=model_tags.add_to_model(site(), wanted.job_id, wanted.tag_name))


@blueprint.post("/model_tag/remove")
def remove_from_model() -> Response:
    wanted = body(ModelTag)
    return answer(retmsg=model_tags.remove_from_model(site(), wanted.job_id, wanted.tag_name))


@blueprint.post("/model_tag/retrieve")
def of_model() -> Response:
    return answer(model_tags.of_model(site(), body(asked.OfJob).job_id))
