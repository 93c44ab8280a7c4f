"""What a client may be told. Every class chooses FATE's ``retcode`` and, rarely, an HTTP status.

FlowError
├── ArgumentError         something missing or malformed in the request        101
├── NotThere              no such job, table, task, model, tag                 100-102
├── Refused               understood, but not allowed now                      103
├── PeerError             another party refused or failed                      104
├── PeerUnreachable       no way to another party; names the route tried       105
└── DownloadError         for file answers, where HTTP 200 would be the file   210, 4xx
"""

from __future__ import annotations

import enum
from typing import Any


class RetCode(enum.IntEnum):
    SUCCESS = 0
    NOT_EFFECTIVE = 10
    EXCEPTION_ERROR = 100
    ARGUMENT_ERROR = 101
    DATA_ERROR = 102
    OPERATING_ERROR = 103
    FEDERATED_ERROR = 104
    CONNECTION_ERROR = 105
    RUNNING = 106
    PERMISSION_ERROR = 108
    AUTHENTICATION_ERROR = 109
    SERVER_ERROR = 500


class FlowError(Exception):
    """Base of every error a client may see. ``data`` is put beside the message if given."""

    retcode: int = RetCode.EXCEPTION_ERROR
    http_status: int = 200

    def __init__(
        self, message: str, *, retcode: int | None = None, data: Any = None, job_id: str = ""
    ) -> None:
        super().__init__(message)
        self.data, self.job_id = data, job_id
        if retcode is not None:
            self.retcode = retcode


class ArgumentError(FlowError):
    retcode = RetCode.ARGUMENT_ERROR


class NotThere(FlowError):
    retcode = RetCode.DATA_ERROR


class Refused(FlowError):
    retcode = RetCode.OPERATING_ERROR


class PeerError(FlowError):
    retcode = RetCode.FEDERATED_ERROR


class PeerUnreachable(FlowError):
    retcode = RetCode.CONNECTION_ERROR


class DownloadError(FlowError):
    """``retcode`` and HTTP status are equal: 210 (FATE's own), 400, 404, 409."""

    def __init__(self, message: str, *, status: int = 210, data: Any = None) -> None:
        super().__init__(message, retcode=status, data=data)
        self.http_status = status
