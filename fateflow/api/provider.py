"""``/v1/provider`` and ``/v1/component``: which modules there are."""

from __future__ import annotations

from typing import Any

import msgspec
from flask import Blueprint, Response

from fateflow.api.envelope import answer, body, site
from fateflow.api.versions import FATE, FATE_FLOW
from fateflow.errors import FlowError, NotThere
from fateflow.scheduler import planning
from fateflow.wire.rows import FLOW_MODULES

blueprint = Blueprint("provider", __name__, url_prefix="/v1")

_VERSIONS = {"fate": FATE, "fate_flow": FATE_FLOW}
_PATHS = {"fate": "federatedml", "fate_flow": "fateflow"}


@blueprint.post("/provider/get")
def providers() -> Response:
    return answer(_providers())


@blueprint.post("/provider/<name>/get")
def provider(name: str) -> Response:
    found = _providers().get(name)
    if not found:
        raise NotThere(f"no provider '{name}'; there are {', '.join(_VERSIONS)}")
    return answer({name: found})


@blueprint.post("/provider/register", endpoint="register")
@blueprint.post("/provider/update", endpoint="update")
def register() -> Response:
    """FATE lets a client name a folder of code to run. Here modules come with the package."""
    raise FlowError(
        "providers cannot be registered: components are part of the installed package; "
        "see docs/howto/add-an-algorithm.md"
    )


@blueprint.post("/component/get")
def components() -> Response:
    """Every module: its provider, roles and versions."""
    return answer(
        {entry["module"]: _component(entry) for entry in planning.catalog(site()).values()}
    )


@blueprint.post("/component/<name>/get")
def component(name: str) -> Response:
    entry = planning.catalog(site()).get(name.lower())
    if not entry:
        raise NotThere(f"no module '{name}'; `flow provider list-components` shows all")
    return answer({**_component(entry), "schema": entry.get("schema", {})})


class Validate(msgspec.Struct, frozen=True, kw_only=True):
    """``where``: the component's name, for messages."""

    module: str
    parameters: dict[str, Any] = {}
    where: str = "component_0"


@blueprint.post("/component/validate")
def validate() -> Response:
    """All parameters with defaults, or an error that says which one is wrong."""
    wanted = body(Validate)
    item = {
        "where": f"{wanted.module}#{wanted.where}",
        "module": wanted.module,
        "parameters": wanted.parameters,
    }
    (found,) = site().launcher.call("validate", items=[item])
    if "error" in found:
        raise FlowError(found["error"], retcode=101)
    return answer(found["parameters"])


def _providers() -> dict[str, dict[str, Any]]:
    modules = {entry["module"].lower() for entry in planning.catalog(site()).values()}
    listed = {"fate": modules - FLOW_MODULES, "fate_flow": modules & FLOW_MODULES}
    return {
        name: {
            "default": {"version": version},
            version: {
                "path": _PATHS[name],
                "python": "",
                "class_path": {"interface": "federatedml.component.Component"},
                "components": sorted(listed[name]),
            },
        }
        for name, version in _VERSIONS.items()
    }


def _component(entry: dict[str, Any]) -> dict[str, Any]:
    name = "fate_flow" if entry["module"].lower() in FLOW_MODULES else "fate"
    return {
        "default_provider": name,
        "support_provider": [name],
        "versions": [_VERSIONS[name]],
        "roles": entry.get("roles", []),
    }
