"""Who takes part in sums of many parties, and what counts as lost on the way.

Clients are guest and hosts, numbered from 1 in sorted order; the arbiter adds up. A client is lost
when its task has ended, when nothing is heard of it, or when its message does not come in time: the
others go on while as many as the threshold are left.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, TypeVar

from federatedml.errors import BadParameters, PartiesLost
from federatedml.params import Params, PositiveFloat, PositiveInt
from federation import GUEST, HOST, Context, Message, Party
from federation.errors import PeerFailed, PeerLate, PeerSilent, ProtocolViolation

LOG = logging.getLogger(__name__)

T = TypeVar("T")

CLIENTS = {GUEST, HOST}


class SecureAggregationParam(Params, frozen=True, kw_only=True):
    """method: "masks" (secure_aggregation: the arbiter learns sums, and threshold - 1 clients may
    collude with it) or "ckks" (cipher_aggregation: it learns none, and no client may collude).
    threshold: so many clients must stay for a sum to be opened; null: more than half of them.
    time_limit: seconds that a client may take for its message, its training between two sums
    included, before the others go on without it; null: as long as its task gives signs of life.
    """

    method: Literal["masks", "ckks"] = "masks"
    threshold: PositiveInt | None = None
    time_limit: PositiveFloat | None = None


@dataclass(frozen=True)
class Terms:
    """What all parties know before. clients: in the order of their numbers, the first is 1."""

    clients: tuple[Party, ...]
    threshold: int
    time_limit_s: float | None
    component: str

    def number(self, party: Party) -> int:
        return self.clients.index(party) + 1

    def party(self, number: int) -> Party:
        return self.clients[number - 1]

    def enough(self, numbers: list[int], lost: Mapping[Party, str]) -> list[int]:
        """The same numbers, sorted. Raises PartiesLost if they are fewer than the threshold.

        lost: who is missing, and why.
        """
        if len(numbers) >= self.threshold:
            return sorted(numbers)
        missing = "; ".join(f"{peer} ({why})" for peer, why in sorted(lost.items()))
        raise PartiesLost(
            f"{self.component}: {len(numbers)} of {len(self.clients)} parties are left and secure "
            f"aggregation needs {self.threshold}; missing: {missing}"
        )


def terms(ctx: Context, param: SecureAggregationParam, component: str) -> Terms:
    """Raises BadParameters for fewer than two clients, or an impossible threshold."""
    clients = tuple(sorted(ctx.of_role(GUEST, HOST)))
    n, least = len(clients), max(len(clients) // 2 + 1, 2)
    threshold = least if param.threshold is None else param.threshold
    if n < 2:
        raise BadParameters(f"{component}: a secure sum needs at least two parties with data")
    if not least <= threshold <= n:
        raise BadParameters(
            f"{component}: secure_aggregation_param.threshold must be from {least} to {n} with {n} "
            f"parties, got {threshold}"
        )
    return Terms(clients, threshold, param.time_limit, component)


class Roll:
    """The clients that are left, as one of them knows it. alive: their numbers, sorted."""

    def __init__(self, ctx: Context, agreed: Terms) -> None:
        self.alive = list(range(1, len(agreed.clients) + 1))
        self._ctx, self._terms = ctx, agreed

    def take(self, told: list[int], message: Message[list[int]]) -> None:
        """Go on with those whom the arbiter names. Raises ProtocolViolation, PartiesLost."""
        agreed, arbiter = self._terms, arbiter_of(self._ctx)
        if told != sorted(set(told)) or not set(told) <= set(self.alive):
            raise ProtocolViolation(arbiter, message.name, "not clients who were there before")
        if agreed.number(self._ctx.me) not in told:
            raise PartiesLost(
                f"{agreed.component}: the others went on without {self._ctx.me}, whose message "
                "came too late or not at all; raise secure_aggregation_param.time_limit"
            )
        if len(told) < agreed.threshold:
            raise ProtocolViolation(arbiter, message.name, "fewer clients than the threshold")
        for c in sorted(set(self.alive) - set(told)):
            LOG.warning("%s is lost: the sums go on without it", agreed.party(c))
        self.alive = told


def arrivals(
    ctx: Context,
    message: Message[T],
    senders: Sequence[Party],
    within_s: float | None,
    lost: dict[Party, str],
) -> Iterator[tuple[Party, T]]:
    """The next message of each sender that comes in time; ``lost`` gets the others, and why.

    within_s: for all of them together.
    """
    end = None if within_s is None else time.monotonic() + within_s
    for sender in senders:
        left = None if end is None else max(end - time.monotonic(), 0.0)
        try:
            value = ctx.get(message, source=sender, within_s=left)
        except (PeerFailed, PeerLate, PeerSilent) as error:
            lost[sender] = str(error)
            LOG.warning("%s is lost: %s", sender, error)
            continue
        yield sender, value


def arbiter_of(ctx: Context) -> Party:
    if ctx.arbiter is None:
        raise BadParameters("a secure sum needs an arbiter: name one in the job's roles")
    return ctx.arbiter
