"""Live events: one poller for each thing that anybody watches, whoever watches it.

A topic is "jobs" or "job:<job>/<role>/<party>". Its events are numbered, over all topics, and the
last 500 are kept, so that a stream that broke off goes on where it was. Numbers begin at the
clock's, so that those of an earlier process are older than all of this one.
"""

from __future__ import annotations

import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from typing import Any, Protocol

import msgspec

from fateboard.errors import Refused
from fateboard.shapes import Event, FlowState

log = logging.getLogger(__name__)

KEPT_EVENTS = 500
LINGER_S = 10.0
"""A poller outlives its last watcher by this much: a page that is loaded again finds it."""
MOST_TOPICS = 64
MOST_STREAMS = 64
COMMENT_S = 15.0
LOOK_S = 1.0
"""How often a waiting stream looks whether its reader is still there."""
LONGEST_PAUSE_S = 5.0
_PASSING = frozenset({"ended"})
"""Kinds that tell of a moment; the others tell a state, of which the latest counts."""


class Poller(Protocol):
    """Asks fateflow about one topic."""

    def step(self) -> Iterator[tuple[str, str, Any]]:
        """What is new as (kind, which one of the kind, body). Raises Refused."""

    def pause_s(self) -> float:
        """How long to wait until the next step."""


class Topic:
    """What is known of one topic, and the thread that asks for more."""

    def __init__(self, name: str, poller: Poller) -> None:
        self.name, self.poller = name, poller
        self.events: deque[Event] = deque(maxlen=KEPT_EVENTS)
        self.state: dict[tuple[str, str], Event] = {}
        self.watchers = 0
        self.watched_at = time.monotonic()
        self.wake = threading.Event()


class Hub:
    """All topics. ``poller_of``: how to ask about a topic."""

    def __init__(self, poller_of: Callable[[str], Poller]) -> None:
        self._poller_of = poller_of
        self._topics: dict[str, Topic] = {}
        self._number = int(time.time() * 1000)
        self._changed = threading.Condition()
        self._streams = threading.BoundedSemaphore(MOST_STREAMS)
        self._closed = False

    @contextlib.contextmanager
    def streaming(self) -> Iterator[None]:
        """A place among the streams. Raises Refused when all are taken: the page then polls."""
        if not self._streams.acquire(blocking=False):
            raise Refused(503, "streams_taken", retry_after_s=30.0, most=MOST_STREAMS)
        try:
            yield
        finally:
            self._streams.release()

    @contextlib.contextmanager
    def watching(self, names: list[str]) -> Iterator[None]:
        """Have these topics asked for meanwhile."""
        topics = self._watch(names, 1)
        try:
            yield
        finally:
            with self._changed:
                for topic in topics:
                    topic.watchers -= 1
                    topic.watched_at = time.monotonic()

    def touch(self, names: list[str]) -> bool:
        """The same for a page that asks now and then; whether all were being asked already."""
        with self._changed:
            known = all(name in self._topics for name in names)
        self._watch(names, 0)
        return known

    def snapshot(self, names: list[str], since: int) -> list[Event]:
        """The latest of each kind, and what passed after ``since`` if that is known."""
        with self._changed:
            topics = [self._topics[name] for name in names if name in self._topics]
            found = [event for topic in topics for event in topic.state.values()]
            if since:
                passed = (e for t in topics for e in t.events if e.kind in _PASSING)
                found += [event for event in passed if event.number > since]
        return sorted(found, key=lambda event: event.number)

    def after(self, names: list[str], since: int) -> list[Event] | None:
        """Events after ``since``; None if some of them are no longer kept."""
        with self._changed:
            topics = [self._topics[name] for name in names if name in self._topics]
            for topic in topics:
                full = len(topic.events) == KEPT_EVENTS
                if full and topic.events[0].number > since + 1:
                    return None
            return self._newer(topics, since)

    def wait(self, names: list[str], since: int, seconds: float) -> list[Event]:
        """The same as soon as there are some; none after ``seconds``."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while True:
                topics = [self._topics[name] for name in names if name in self._topics]
                found = self._newer(topics, since)
                left = deadline - time.monotonic()
                if found or left <= 0 or self._closed:
                    return found
                self._changed.wait(left)

    def last(self) -> int:
        with self._changed:
            return self._number

    def poller(self, name: str) -> Poller | None:
        """Of a topic that is watched now."""
        with self._changed:
            topic = self._topics.get(name)
        return topic.poller if topic else None

    def poke(self, job_id: str) -> None:
        """Something was done to a job: ask now, not after the pause."""
        with self._changed:
            for name, topic in self._topics.items():
                if name == "jobs" or name.startswith(f"job:{job_id}/"):
                    topic.wake.set()

    @property
    def closed(self) -> bool:
        return self._closed

    def close(self) -> None:
        with self._changed:
            self._closed = True
            for topic in self._topics.values():
                topic.wake.set()
            self._changed.notify_all()

    def _watch(self, names: list[str], watchers: int) -> list[Topic]:
        with self._changed:
            new = [name for name in names if name not in self._topics]
            if len(self._topics) + len(new) > MOST_TOPICS:
                raise Refused(503, "topics_taken", retry_after_s=LINGER_S, most=MOST_TOPICS)
            for name in new:
                topic = self._topics[name] = Topic(name, self._poller_of(name))
                threading.Thread(
                    target=self._run, args=(topic,), name=f"poll {name}", daemon=True
                ).start()
            topics = [self._topics[name] for name in names]
            for topic in topics:
                topic.watchers += watchers
                topic.watched_at = time.monotonic()
            return topics

    def _run(self, topic: Topic) -> None:
        """Ask until nobody watches. A fateflow that is down is asked more seldom, and told of."""
        failures = 0
        while self._wanted(topic):
            try:
                for kind, which, body in topic.poller.step():
                    self._tell(topic, kind, which, body)
                failures = 0
                self._tell(topic, "flow", "", FlowState(up=True, problem=""))
            except Refused as error:
                failures += 1
                if error.status >= 500:  # else fateflow is up, and the job is gone
                    self._tell(topic, "flow", "", FlowState(up=False, problem=problem(error)))
            except Exception as error:  # the thread's border: a topic without one is asked no more
                failures += 1
                log.exception("asking about %.300r failed: %s", topic.name, type(error).__name__)
            pause_s = min(LONGEST_PAUSE_S, 2.0**failures) if failures else topic.poller.pause_s()
            topic.wake.wait(pause_s)
            topic.wake.clear()

    def _wanted(self, topic: Topic) -> bool:
        with self._changed:
            idle_s = time.monotonic() - topic.watched_at
            if self._closed or (not topic.watchers and idle_s > LINGER_S):
                self._topics.pop(topic.name, None)
                return False
            return True

    def _tell(self, topic: Topic, kind: str, which: str, body: Any) -> None:
        """Number and keep an event, unless it tells what is known."""
        with self._changed:
            known = topic.state.get((kind, which))
            if known is not None and known.body == body:
                return
            self._number += 1
            event = Event(number=self._number, topic=topic.name, kind=kind, body=body)
            topic.events.append(event)
            if kind not in _PASSING:
                topic.state[kind, which] = event
            self._changed.notify_all()

    def _newer(self, topics: list[Topic], since: int) -> list[Event]:
        found = []
        for topic in topics:
            for event in reversed(topic.events):
                if event.number <= since:
                    break
                found.append(event)
        return sorted(found, key=lambda event: event.number)


def problem(error: Refused) -> str:
    """A failure as an event carries it: its code and the address, put into words for each
    reader by ``told``."""
    return msgspec.json.encode([error.code, error.args_shown]).decode()


def told(event: Event, words: Callable[[str, dict[str, Any]], str]) -> Event:
    """The event in a reader's language."""
    if event.kind != "flow" or event.body.up:
        return event
    code, args = msgspec.json.decode(event.body.problem)
    return msgspec.structs.replace(event, body=FlowState(up=False, problem=words(code, args)))


def stream(
    hub: Hub, names: list[str], since: int, resumed: bool, gone: Callable[[], bool]
) -> Iterator[Event | None]:
    """Events as they come, None now and then in between. ``resumed``: a stream that broke off
    goes on; else it begins with how things stand."""
    with hub.watching(names):
        first = hub.after(names, since) if resumed else None
        reached = since if resumed else hub.last()  # what passed before is no news
        events = hub.snapshot(names, since) if first is None else first
        reached = max([reached, *(event.number for event in events)])
        yield from events
        quiet_since = time.monotonic()
        while not hub.closed and not gone():
            events = hub.wait(names, reached, LOOK_S)
            for event in events:
                reached = max(reached, event.number)
                yield event
            if events:
                quiet_since = time.monotonic()
            elif time.monotonic() - quiet_since > COMMENT_S:
                quiet_since = time.monotonic()
                yield None
