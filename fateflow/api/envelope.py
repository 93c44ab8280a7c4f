"""The border of the REST API: typed body in, FATE's envelope out, one mapping of errors."""

from __future__ import annotations

import re
import urllib.parse
from typing import Any, TypeVar

import msgspec
from flask import Response, current_app, request

from fateflow.errors import ArgumentError
from fateflow.site import Site

T = TypeVar("T")

LONGEST_JSON = 1 << 26
"""Bytes of a JSON body; it is held in memory, unlike an upload."""

_AT_BYTE = re.compile(r"\(byte (\d+)\)")
_SORTED = msgspec.json.Encoder(order="sorted")


def site() -> Site:
    """The site that this server speaks for."""
    return current_app.extensions["site"]  # type: ignore[no-any-return]


def shown_host() -> str:
    """This server's address as clients may use it, also where it listens on every one."""
    return site().settings.reachable_host


def body(as_: type[T]) -> T:
    """The request as a struct, whatever its content type says; unknown keys are ignored.

    Raises ArgumentError with the path of the fault; missing keys are all listed as FATE does.
    """
    return convert(given(), as_)


def given() -> dict[str, Any]:
    """The request's JSON object as it is; no body and null count as an empty one."""
    if (request.content_length or 0) > LONGEST_JSON:
        raise ArgumentError(
            f"the request body has {request.content_length} bytes, at most {LONGEST_JSON} are taken"
        )
    raw = request.get_data() or b"{}"
    try:
        found = msgspec.json.decode(raw)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ArgumentError(f"the request body is not JSON: {_why(raw, str(error))}") from None
    except RecursionError:
        raise ArgumentError("the request body is JSON nested too deeply") from None
    if found is not None and not isinstance(found, dict):
        raise ArgumentError(f"expected a JSON object, got {type(found).__name__}")
    return found or {}


def _why(raw: bytes, problem: str) -> str:
    """The parser's words, and what they mean where it stopped at a NaN or Infinity, which
    Python's ``json`` writes."""
    at = _AT_BYTE.search(problem)
    if at and raw[int(at.group(1)) :].startswith((b"NaN", b"Infinity")):
        return f"{problem}; NaN and Infinity are not JSON numbers: send null, or leave it out"
    return problem


def convert(found: Any, as_: type[T]) -> T:
    """A struct from JSON builtins, lenient as FATE's clients need: "9999" and 9999 are one."""
    if not isinstance(found, dict):
        raise ArgumentError(f"expected a JSON object, got {type(found).__name__}")
    present = {k: v for k, v in found.items() if v is not None}
    missing = [
        f.encode_name
        for f in msgspec.structs.fields(as_)  # type: ignore[arg-type]
        if f.required and f.encode_name not in present
    ]
    if missing:
        raise ArgumentError(f"required argument are missing: {','.join(missing)};")
    texts = {
        f.encode_name
        for f in msgspec.structs.fields(as_)  # type: ignore[arg-type]
        if f.type is str or f.type == str | None
    }
    for name in texts & present.keys():
        if isinstance(present[name], int):
            present[name] = str(present[name])
    try:
        return msgspec.convert(present, as_, strict=False)
    except msgspec.ValidationError as error:
        raise ArgumentError(f"bad request: {error}") from None


def query_json() -> dict[str, Any]:
    """The JSON object that FATE's client puts, percent-encoded, into the query of an upload.

    ``+`` stays a plus, for the client leaves ``: , / & = +`` as they are. What is no JSON counts
    as ordinary ``key=value`` arguments.
    """
    text = urllib.parse.unquote(request.query_string.decode("utf-8", "replace"))
    try:
        found = msgspec.json.decode(text)
    except msgspec.DecodeError:
        found = request.args.to_dict()
    if not isinstance(found, dict):
        raise ArgumentError("the upload's query must be a JSON object")
    return found


def answer(
    data: Any = None,
    *,
    retcode: int = 0,
    retmsg: str = "success",
    job_id: str = "",
    meta: Any = None,
    status: int = 200,
) -> Response:
    """FATE's envelope: null keys are left out, keys sorted, HTTP 200 whatever happened."""
    shown = {"retcode": int(retcode), "retmsg": retmsg}
    optional = {"data": data, "jobId": job_id or None, "meta": meta}
    shown.update({k: v for k, v in optional.items() if v is not None})
    return Response(_SORTED.encode(shown), status=status, mimetype="application/json")


def attachment(content: bytes, filename: str, mimetype: str) -> Response:
    """A file answer. The name is unquoted and last in its header: FATE's client wants it so."""
    headers = {"Content-Disposition": f"attachment; filename={filename}"}
    return Response(content, mimetype=mimetype, headers=headers)
