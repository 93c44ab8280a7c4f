"""FATE-Serving's return codes, and what they are over HTTP for clients of the open protocol."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum

FROM_PROXY = 500
"""Added to the code of a failure that happened on the way, in the answer to a party."""


class Code(IntEnum):
    """Numbers as FATE-Serving's clients know them."""

    OK = 0
    BAD_PARAMETER = 100
    FEATURE = 102
    NO_MODEL = 104
    NETWORK = 105
    GUEST_ROUTE = 106
    LOAD = 107
    MERGE = 108
    BIND = 109
    SYSTEM = 110
    STOPPING = 111
    NO_FEATURES = 113
    ADAPTER = 116
    ADMIN_PARAMETER = 120
    ROLE = 121
    NO_SERVICE = 122
    MODEL_INIT = 123
    OVERLOAD = 124
    COMMAND = 125
    UNREGISTER = 126
    TOKEN = 127
    NO_ROUTE = 128
    AUTHENTICATION = 129
    SYNCHRONISE = 130
    FILL_RATE = 131
    ROUTE_LOAD = 132
    ROUTE_UPDATE = 133
    PROXY_PARAMETER = 134
    BAD_ANSWER = 135
    TREE_DATA = 136


_KNOWN = frozenset(Code)
LARGEST = 9999
"""Of the codes that another party may answer."""


def of_host(code: int) -> int:
    """A host's failure as its guest reports it: the host's code behind a 2."""
    return int(f"2{code}")


ABSENT = frozenset(
    (
        Code.NETWORK,
        Code.GUEST_ROUTE,
        Code.OVERLOAD,
        *(of_host(code) for code in (Code.NO_MODEL, Code.STOPPING, Code.OVERLOAD, Code.NETWORK)),
        *(
            of_host(code + FROM_PROXY)
            for code in (Code.STOPPING, Code.OVERLOAD, Code.NETWORK, Code.NO_ROUTE)
        ),
    )
)
"""Failures of a host as a whole, for which a service's fallback may stand in."""


def label(code: int) -> str:
    """A code as the label of a counter: what another party made up must not become one each."""
    text = str(code)
    of = int(text[1:]) if len(text) > 3 and text[0] == "2" else code
    return text if of in _KNOWN or of - FROM_PROXY in _KNOWN else "other"


_HTTP = {
    Code.OK: 200,
    Code.BAD_PARAMETER: 400,
    Code.ADMIN_PARAMETER: 400,
    Code.SYSTEM: 500,
    Code.MODEL_INIT: 422,
    Code.BIND: 409,
    Code.LOAD: 422,
    Code.UNREGISTER: 404,
    Code.FEATURE: 422,
    Code.NO_FEATURES: 422,
    Code.FILL_RATE: 422,
    Code.NO_MODEL: 404,
    Code.NO_SERVICE: 404,
    Code.TOKEN: 401,
    Code.AUTHENTICATION: 401,
    Code.OVERLOAD: 429,
    Code.NETWORK: 504,
    Code.NO_ROUTE: 502,
    Code.ADAPTER: 502,
    Code.STOPPING: 503,
}


def http_status(code: int) -> int:
    """The status of an answer whose code is this, where clients expect one."""
    if 2000 <= code < 3000:
        return 502
    return _HTTP.get(Code(code), 500) if code in _KNOWN else 500


class ServingFault(Exception):
    """A request cannot be answered: the code, and words for whoever asked. hosts: where a model
    has several and one failed, the retcode and retmsg of each."""

    def __init__(
        self, code: int, message: str, hosts: Mapping[str, Mapping[str, object]] | None = None
    ) -> None:
        super().__init__(message)
        self.code = int(code)
        self.hosts = dict(hosts or {})


class CannotLoad(ServingFault):
    """A model is refused when it is loaded, naming what cannot be served and why."""

    def __init__(self, message: str) -> None:
        super().__init__(Code.MODEL_INIT, f"model initialization error, {message}")
