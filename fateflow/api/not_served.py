"""Rare operations of FATE-Flow that this server does not have: a clear refusal for each, with what
to do instead, rather than an unknown URL. ``docs/compat/rest.md`` has the reasons."""

from __future__ import annotations

from flask import Blueprint, Response, request

from fateflow.errors import FlowError

blueprint = Blueprint("not_served", __name__, url_prefix="/v1")

_MOVE = "use model/export and model/import to move models between sites"
_BINNING = "each party keeps its own binning"
_TRUST = (
    "who may call is decided by certificates and routes: see `distaff cert` and `distaff routes`"
)
INSTEAD = {
    "model/store": _MOVE,
    "model/restore": _MOVE,
    "model/migrate": _MOVE,
    "model/homo/deploy": "serve models with `distaff up --serving-port`",
    "component/woe_array/extract": _BINNING,
    "component/woe_array/merge": _BINNING,
    "permission/grant": _TRUST,
    "permission/delete": _TRUST,
    "permission/query": _TRUST,
    "key/public/save": _TRUST,
    "key/public/delete": _TRUST,
    "key/query": _TRUST,
}


def refuse() -> Response:
    path = request.path.strip("/").removeprefix("v1/")
    raise FlowError(f"{path} is not served here; {INSTEAD[path]}")


for _path in INSTEAD:
    blueprint.add_url_rule(f"/{_path}", _path.replace("/", "_"), refuse, methods=["POST"])
