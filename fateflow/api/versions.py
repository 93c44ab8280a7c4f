"""``/v1/version`` and ``/v1/server/version``: which release of FATE's this server stands in for."""

from __future__ import annotations

import importlib.metadata
import platform

import msgspec
from flask import Blueprint, Response

from fateflow.api.envelope import answer, body
from fateflow.errors import DownloadError

blueprint = Blueprint("versions", __name__, url_prefix="/v1")

FATE, FATE_FLOW = "1.11.4", "1.11.2"


class Which(msgspec.Struct, frozen=True, kw_only=True):
    module: str | None = None


def known() -> dict[str, str]:
    """Versions as FATE's clients ask for them: of the release whose contract is served, and of
    what really runs (PYTHON, DISTAFF)."""
    return {
        "API": "v1",
        "FATE": FATE,
        "FATEFlow": FATE_FLOW,
        "FATEBoard": FATE_FLOW,
        "EGGROLL": "2.5.3",
        "CENTOS": "7.2",
        "UBUNTU": "16.04",
        "PYTHON": platform.python_version(),
        "MAVEN": "3.6.3",
        "JDK": "8",
        "SPARK": "3.4.0",
        "DISTAFF": importlib.metadata.version("distaff"),
    }


@blueprint.post("/server/version/get")
def server_versions() -> Response:
    wanted = body(Which).module
    return answer(_only(wanted) if wanted else known())


@blueprint.post("/version/get", endpoint="version")
@blueprint.route("/info/version", methods=["GET", "POST"], endpoint="info_version")
def version() -> Response:
    return answer({**_only(body(Which).module or "FATE"), "API": "v1"})


def _only(module: str) -> dict[str, str]:
    if module not in known():
        raise DownloadError(f"unknown module; there are {', '.join(known())}", status=404)
    return {module: known()[module]}
