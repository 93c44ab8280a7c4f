"""What a component holds of the federation: its own party, its peers, and two verbs.

``remote`` sends a declared message, ``get`` waits for one. The n-th send of a message from one
party to another meets the n-th receive: order is counted per message and pair, so a protocol
needs no tags. Every send is checked against the declaration, encoded by the closed codec, and
offered to the recorder, which is how tests see a transcript.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol, TypeVar

from federation import codec
from federation.envelope import Envelope
from federation.errors import ProtocolViolation, RoleMayNotSend, UndeclaredType
from federation.message import Message, conforms
from federation.party import ARBITER, GUEST, HOST, Party, Role

__all__ = ["Context", "Envelope", "Recorder", "Transport"]

T = TypeVar("T")


class Transport(Protocol):
    """How bytes move. Implementations: ``transport.inproc`` and ``transport.local`` (gateway)."""

    def send(self, envelope: Envelope, payload: bytes) -> None:
        """Take a message for delivery; returns once it is durable, before it is delivered.

        Raises DuplicateMessage if the identity was sent before with other bytes.
        """

    def receive(self, envelope: Envelope, within_s: float | None = None) -> bytes:
        """Wait for the payload of this identity (kind, reveals and shape are not looked at).

        within_s: the longest wait; None: as long as the peer gives signs of life.
        Raises PeerFailed, Cancelled, PeerSilent or PeerLate instead of waiting for ever.
        """


Recorder = Callable[[Envelope, Any], None]


class Context:
    """The federation as one party sees it during one component.

    >>> ctx.remote(Wire.score, scores)            # to every party of the declared roles
    >>> for host, score in ctx.gather(Wire.score).items(): ...
    """

    def __init__(
        self,
        me: Party,
        parties: Sequence[Party],
        transport: Transport,
        *,
        job_id: str = "job",
        component: str = "component",
        version: int = 0,
        recorder: Recorder | None = None,
    ) -> None:
        self.me, self.parties = me, tuple(parties)
        self.job_id, self.component, self.version = job_id, component, version
        self._transport, self._recorder = transport, recorder
        self._sent: Counter[tuple[str, Party]] = Counter()
        self._received: Counter[tuple[str, Party]] = Counter()

    @property
    def role(self) -> Role:
        return self.me.role

    def of_role(self, *roles: Role) -> tuple[Party, ...]:
        """Parties of these roles in the order of the job's configuration."""
        return tuple(p for p in self.parties if p.role in roles)

    @property
    def guest(self) -> Party:
        return self.of_role(GUEST)[0]

    @property
    def hosts(self) -> tuple[Party, ...]:
        return self.of_role(HOST)

    @property
    def arbiter(self) -> Party | None:
        return next(iter(self.of_role(ARBITER)), None)

    def remote(self, message: Message[T], value: T, *, to: Party | None = None) -> None:
        """Send to one party, or to every other party of the declared destination roles.

        Raises RoleMayNotSend for an undeclared sender or receiver, UndeclaredType for a value
        whose type is not the declared one or not registered with the codec.
        """
        if self.me.role not in message.src:
            raise RoleMayNotSend(self.me, message.name, "send", sorted(message.src))
        targets = (to,) if to else tuple(p for p in self.of_role(*message.dst) if p != self.me)
        if not conforms(value, message.type):
            raise UndeclaredType(f"{message.name} declares {message.type}", type(value))
        payload = codec.encode(value, message.name)
        for target in targets:
            if target.role not in message.dst:
                raise RoleMayNotSend(target, message.name, "receive", sorted(message.dst))
            envelope = self._envelope(message, self.me, target, self._sent, codec.describe(value))
            if self._recorder:
                self._recorder(envelope, value)
            self._transport.send(envelope, payload)

    def get(
        self, message: Message[T], *, source: Party | None = None, within_s: float | None = None
    ) -> T:
        """Wait for the next message from the only party that sends it, or from ``source``.

        within_s: the longest wait in seconds, after which PeerLate is raised and the message, if
        it still comes, is passed over; None: as long as the peer gives signs of life.
        """
        senders = (source,) if source else self._senders(message)
        if len(senders) != 1:
            raise ValueError(f"{message.name} has {len(senders)} senders: use gather, or source=")
        return self._next(message, senders[0], within_s)

    def gather(self, message: Message[T]) -> dict[Party, T]:
        """The next message of every party that sends it, keyed in configuration order."""
        return dict(self.each(message))

    def each(self, message: Message[T]) -> Iterator[tuple[Party, T]]:
        """As ``gather``, one by one, so that work on the first overlaps waiting for the rest."""
        for sender in self._senders(message):
            yield sender, self._next(message, sender)

    def _senders(self, message: Message[T]) -> tuple[Party, ...]:
        return tuple(p for p in self.of_role(*message.src) if p != self.me)

    def _next(self, message: Message[T], sender: Party, within_s: float | None = None) -> T:
        if self.me.role not in message.dst:
            raise RoleMayNotSend(self.me, message.name, "receive", sorted(message.dst))
        envelope = self._envelope(message, sender, self.me, self._received, "")
        payload = self._transport.receive(envelope, within_s)
        try:
            value = codec.decode(payload)
        except codec.Malformed as error:
            raise ProtocolViolation(sender, message.name, str(error)) from error
        if not conforms(value, message.type):
            raise ProtocolViolation(
                sender, message.name, f"{codec.describe(value)} is not {message.type}"
            )
        return value  # type: ignore[no-any-return]

    def _envelope(
        self,
        message: Message[T],
        src: Party,
        dst: Party,
        counter: Counter[tuple[str, Party]],
        shape: str,
    ) -> Envelope:
        peer = dst if src == self.me else src
        number = counter[message.name, peer]
        counter[message.name, peer] += 1
        return Envelope(
            self.job_id,
            self.component,
            self.version,
            message.name,
            number,
            src,
            dst,
            message.kind,
            message.reveals,
            shape,
        )
