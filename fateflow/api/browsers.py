"""No page in a browser gives this server orders.

It has no pages of its own, so whatever a browser sends on behalf of one comes from elsewhere: a
page of the web that found this port on its reader's machine, where no key is asked for. Browsers
say so with an ``Origin``, and clients of FATE never have one.
"""

from __future__ import annotations

from flask import Blueprint, request

from fateflow.errors import FlowError

blueprint = Blueprint("browsers", __name__)


@blueprint.before_app_request
def check() -> None:
    elsewhere = request.headers.get("Sec-Fetch-Site", "none") not in ("none", "same-origin")
    if elsewhere or "Origin" in request.headers:
        raise FlowError(
            "refused: this request comes from a page in a browser; use the flow command, its "
            "Python client, or the board"
        )
