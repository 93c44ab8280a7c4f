"""``/api/v1/stream`` and ``/api/v1/events``: what happens, as it happens."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import msgspec
from flask import Blueprint, Response, request, stream_with_context

from fateboard import asked, guard, live
from fateboard.board import answer, board, words
from fateboard.errors import Refused
from fateboard.jobs import check_here
from fateboard.pollers import key_in
from fateboard.shapes import Event

blueprint = Blueprint("live", __name__, url_prefix="/api/v1")

MOST_AT_ONCE = 10
LARGEST = 1 << 53
FIRST_WAIT_S = 2.0


@blueprint.get("/stream")
def stream() -> Response:
    """Server-sent events. Last-Event-ID, which the browser sends when it connects again, resumes;
    ``since`` does not, since topics may have changed meanwhile."""
    names, hub = _topics(), board().hub
    told = request.headers.get("Last-Event-ID", "")
    resumed = told.isdecimal() and len(told) < 20 and int(told) < LARGEST
    since = int(told) if resumed else asked.number("since", 0, 0, LARGEST)
    resumed = resumed and since <= hub.last()  # else the clock was set back: all is new
    place = contextlib.ExitStack()
    place.enter_context(hub.streaming())
    gone = guard.reader_gone()
    events = live.stream(hub, names, since, resumed, gone)
    response = Response(stream_with_context(_lines(events)), content_type="text/event-stream")
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Accel-Buffering"] = "no"
    response.call_on_close(place.close)
    return response


@blueprint.get("/events")
def events() -> Response:
    """The same for a page whose stream fails: what is new since its last question."""
    names, hub = _topics(), board().hub
    since = asked.number("since", 0, 0, LARGEST)
    since = since if since <= hub.last() else 0
    known = hub.touch(names)
    if not known:
        hub.wait(names, since, FIRST_WAIT_S)
    reached = hub.last()
    found = hub.after(names, since) if since else None
    if found is None:
        found = hub.snapshot(names, since)
    last = max([reached, *(event.number for event in found)])
    return answer({"events": [live.told(event, words) for event in found], "last": last})


def _topics() -> list[str]:
    """Raises Refused (404) for a job that is not here or not this session's."""
    names = list(dict.fromkeys(asked.words("topics")))
    if not 0 < len(names) <= MOST_AT_ONCE:
        raise Refused(400, "topics", most=MOST_AT_ONCE)
    for name in names:
        if name == "jobs":
            guard.check_all_jobs()
        else:
            key = key_in(name)
            guard.check_job(key)
            check_here(board().flow, key)
    return names


def _lines(events: Iterator[Event | None]) -> Iterator[bytes]:
    yield b"retry: 2000\n\n"
    for event in events:
        if event is None:
            yield b": still here\n\n"
        else:
            content = msgspec.json.encode(live.told(event, words))
            yield b"id: %d\ndata: %s\n\n" % (event.number, content)
