"""``/v1/model/homo/convert`` and ``/v1/component/hetero/merge``: models for other libraries."""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response

from fateflow.api import asked
from fateflow.api.envelope import answer, body, site
from fateflow.scheduler import model_conversion

blueprint = Blueprint("model_export", __name__, url_prefix="/v1")


class Convert(asked.OfPartyModel, frozen=True, kw_only=True):
    """``framework_name``: each component's own if left out. ``component_name``: this one alone."""

    framework_name: str | None = None
    component_name: str | None = None


class Merge(asked.OfModel, frozen=True, kw_only=True):
    """``include_guest_coef``: of a linear model; the guest's columns are in unless it is false."""

    guest_party_id: str
    host_party_ids: Any
    component_name: str
    model_type: str
    output_format: str
    target_name: str | None = None
    host_rename: bool | None = None
    include_guest_coef: bool | None = None


@blueprint.post("/model/homo/convert")
def convert() -> Response:
    wanted = body(Convert)
    done = model_conversion.convert(
        site(),
        wanted.model_id,
        wanted.model_version,
        (wanted.role, wanted.party_id),
        framework=wanted.framework_name,
        component=wanted.component_name,
    )
    text = "converted; `flow model export` downloads the model with the converted files"
    return answer(done, retmsg=text)


@blueprint.post("/component/hetero/merge")
def merge() -> Response:
    wanted = body(Merge)
    text, before = model_conversion.merge(
        site(),
        wanted.model_id,
        wanted.model_version,
        (wanted.guest_party_id, wanted.host_party_ids),
        wanted.component_name,
        (wanted.model_type, wanted.output_format),
        target_name=wanted.target_name,
        host_rename=wanted.host_rename,
        include_guest_coef=wanted.include_guest_coef,
    )
    note = f"success; rows first go through {', '.join(before)}" if before else "success"
    return answer(text, retmsg=note)
