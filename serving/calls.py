"""What a request is inside the process, whichever door it came through, and what it becomes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any

import msgspec

from serving.codes import Code

REPLY_MARGIN_S = 0.02
"""Kept back of a deadline for merging and answering."""


class Row(msgspec.Struct, kw_only=True):
    """One thing to score. features: of the guest, which never leave it. remote: what every host
    gets to find its own features by. check: a row without features is an error of its own."""

    index: int
    features: dict[str, Any]
    remote: dict[str, Any]
    check: bool = False


class Call(msgspec.Struct, kw_only=True):
    """One request. deadline: on the event loop's clock. version: of a loaded model, which is taken
    notice of where the service's policy says so; exact: it alone may answer. size: of the request
    in bytes."""

    case_id: str
    service_id: str
    rows: list[Row]
    deadline: float
    apply_id: str = ""
    sequence: str = ""
    version: str = ""
    exact: bool = False
    size: int = 0


class RowAnswer(msgspec.Struct, kw_only=True):
    """data: ``{"score": ...}``, with ``"label"`` where there are classes; empty on an error."""

    index: int
    code: int = 0
    message: str = ""
    data: dict[str, Any] = {}


class Answer(msgspec.Struct, kw_only=True):
    """Of a whole call. model_id: the namespace. model_version: the table. loaded_ms: when this
    process loaded it. fallback: how a host was done without, "" if it was not. hosts: where a model
    has several and one failed, the retcode and retmsg of each."""

    rows: list[RowAnswer]
    code: int = int(Code.OK)
    message: str = ""
    model_id: str = ""
    model_version: str = ""
    loaded_ms: int = 0
    fallback: str = ""
    hosts: Mapping[str, Mapping[str, object]] = {}


class Part(msgspec.Struct, kw_only=True):
    """What a host answered for one row. data: {component name: its contribution}. is_ours: the code
    says what kept us from an answer, and is none of the host's."""

    code: int = 0
    message: str = ""
    data: dict[str, Any] = {}
    is_ours: bool = False


class HostAnswer(msgspec.Struct, kw_only=True):
    """A host's answer for a call. rows: one for each; where ``columns`` is given, their data is
    in there instead, for all rows at once. is_earlier: it is of an earlier call, as the host does
    not answer."""

    rows: list[Part]
    columns: dict[str, Any] | None = None
    is_earlier: bool = False


class Asking(msgspec.Struct, kw_only=True):
    """How another party's packet came. certified: the party in the connection's certificate, "" in
    plaintext. turn: returns when its work may begin. left_s: to the deadline of who asks, if it has
    one."""

    certified: str = ""
    turn: Callable[[], Awaitable[None]]
    left_s: float | None = None

    def limit_s(self, own_s: float) -> float:
        """What is left for whom we ask in turn, so that our own words are in time."""
        return own_s if self.left_s is None else max(min(own_s, self.left_s - REPLY_MARGIN_S), 0.0)
