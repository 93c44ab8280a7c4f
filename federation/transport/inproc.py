"""Parties as threads of one process, for tests: everything is still encoded and decoded."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from federation.context import Context, Envelope
from federation.errors import Cancelled, DuplicateMessage, PeerFailed, PeerLate, PeerSilent
from federation.party import Party


class Sent(NamedTuple):
    """A line of a transcript: what left a party."""

    message: str
    src: Party
    dst: Party
    value: Any
    envelope: Envelope


class Hub:
    """A transport shared by all parties of one process."""

    def __init__(self, timeout_s: float = 60.0) -> None:
        self.timeout_s = timeout_s
        self._boxes: dict[tuple[Any, ...], bytes] = {}
        self._arrived = threading.Condition()
        self._stopped = False
        self._gone = set[Party]()

    def send(self, envelope: Envelope, payload: bytes) -> None:
        with self._arrived:
            if self._boxes.setdefault(envelope.identity, payload) != payload:
                raise DuplicateMessage(envelope.identity)
            self._arrived.notify_all()

    def receive(self, envelope: Envelope, within_s: float | None = None) -> bytes:
        limit = self.timeout_s if within_s is None else within_s
        with self._arrived:
            there = self._arrived.wait_for(
                lambda: (
                    self._stopped or envelope.identity in self._boxes or envelope.src in self._gone
                ),
                limit,
            )
            if envelope.identity in self._boxes:
                return self._boxes[envelope.identity]
            if self._stopped:
                raise Cancelled(envelope.job_id)
            if there:
                cause = f"its task ended without sending {envelope.message}"
                raise PeerFailed(envelope.src, cause)
            error = PeerSilent if within_s is None else PeerLate
            raise error(envelope.src, envelope.message, limit)

    def leave(self, party: Party) -> None:
        """The party's task is over: whoever waits for more of it gets PeerFailed."""
        with self._arrived:
            self._gone.add(party)
            self._arrived.notify_all()

    def stop(self) -> None:
        """Wake every waiting ``receive`` with Cancelled."""
        with self._arrived:
            self._stopped = True
            self._arrived.notify_all()


def run(
    parties: Mapping[Party, Callable[[Context], Any]],
    make_context: Callable[..., Context] = Context,
    timeout_s: float = 60.0,
) -> tuple[dict[Party, Any], list[Sent]]:
    """Run every party's function in a thread; results by party, and the transcript.

    Raises the first error of any party, after stopping the others.
    """
    hub, transcript, lock = Hub(timeout_s), list[Sent](), threading.Lock()
    results: dict[Party, Any] = {}
    errors: list[BaseException] = []

    def record(envelope: Envelope, value: Any) -> None:
        with lock:
            transcript.append(Sent(envelope.message, envelope.src, envelope.dst, value, envelope))

    def call(party: Party, function: Callable[[Context], Any]) -> None:
        try:
            results[party] = function(make_context(party, list(parties), hub, recorder=record))
            hub.leave(party)
        except BaseException as error:  # noqa: BLE001 (re-raised below)
            errors.append(error)
            hub.stop()

    threads = [
        threading.Thread(target=call, args=item, daemon=True, name=str(item[0]))
        for item in parties.items()
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout_s * 2)
    if errors:
        raise next((e for e in errors if not isinstance(e, Cancelled)), errors[0])
    return results, transcript
