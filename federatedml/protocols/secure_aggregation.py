"""Sums of all clients' numbers for an arbiter who learns nothing else, even if some drop out.

Parties  clients: guest and hosts, numbered from 1 in sorted order; server: the arbiter.
Maths    double masks in the integers mod 2^64: federatedml.crypto.double_mask.
Round    once for every ROUNDS sums
         (1) client -> all         a public key for messages, and for each sum a public key for pair
                                   masks and the digest of a seed; straight from client to client,
                                   so that the arbiter cannot put itself between two of them
         (2) client -> client      shares of the secret half of all that, readable to the receiver
         (3) client -> arbiter     from whom it has (1) and (2)
         (4) arbiter -> clients    who takes part: those whom all others of them have heard
         for each sum
         (5) client -> arbiter     its numbers under both masks
         (6) arbiter -> clients    whose numbers came
         (7) client -> arbiter     a share of the seed of each whose numbers came, and of the pair
                                   key of each whose did not; the arbiter takes the masks off
         A client whose message does not come in time is lost: the others go on while as many as
         the threshold are left, else the task ends with PartiesLost.
Trusts   everyone to follow the protocol (semi-honest); fewer than ``threshold`` clients to
         collude with the arbiter. With two clients each can take its own numbers off the sum.
Source   Bonawitz et al. 2017, Practical secure aggregation for privacy-preserving machine
         learning, figure 4 without the parts for active adversaries.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import double_mask, masking
from federatedml.crypto.double_mask import BadKeys, Book, PublicBook, Vault
from federatedml.crypto.masking import SCALE_BITS, Floats, Words
from federatedml.crypto.shamir import BadShares
from federatedml.errors import BadParameters, PartiesLost
from federatedml.params import Params, PositiveFloat, PositiveInt
from federation import ARBITER, GUEST, HOST, Context, Message, Party
from federation.errors import PeerFailed, PeerLate, PeerSilent, ProtocolViolation

LOG = logging.getLogger(__name__)

T = TypeVar("T")

ROUNDS = 64
"""Sums for which keys are exchanged at once: 4 kB to everybody, 8 kB to each other client."""

CLIENTS = {GUEST, HOST}


class Wire:
    keys = Message[NDArray[np.uint8]](CLIENTS, {*CLIENTS, ARBITER}, kind="plain", reveals="nothing")
    shares = Message[bytes](CLIENTS, CLIENTS, kind="ciphertext", reveals="nothing")
    heard = Message[list[int]](
        CLIENTS, {ARBITER}, kind="plain", reveals="from which other clients the sender has heard"
    )
    roster = Message[list[int]](
        {ARBITER}, CLIENTS, kind="plain", reveals="which clients take part from now on"
    )
    masked = Message[NDArray[np.uint64]](
        CLIENTS,
        {ARBITER},
        kind="masked",
        reveals="how many numbers; with what clients open, their sum over all whose came",
    )
    survivors = Message[list[int]](
        {ARBITER}, CLIENTS, kind="plain", reveals="whose numbers are in the sum"
    )
    opening = Message[NDArray[np.uint32]](
        CLIENTS,
        {ARBITER},
        kind="share",
        reveals="together: the own mask of who is in the sum, the pair masks of who is not",
    )


class SecureAggregationParam(Params, frozen=True, kw_only=True):
    """threshold: so many clients must stay for a sum to be opened, and so many would have to
    collude with the arbiter to open a single one's numbers; null: more than half of them.
    time_limit: seconds that a client may take for its message, its training between two sums
    included, before the others go on without it; null: as long as its task gives signs of life.
    """

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

    def describe(self) -> str:
        """One line for the log and the record."""
        return (
            "secure aggregation with double masks (X25519, HKDF-SHA256, ChaCha20, Shamir's shares "
            f"{self.threshold} of {len(self.clients)}), about 128 bits: the arbiter learns sums "
            f"over at least {self.threshold} parties; against parties who follow the protocol"
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


class Client:
    """A guest's or host's side: ``submit`` once for each sum that the arbiter ``collects``."""

    def __init__(self, ctx: Context, agreed: Terms) -> None:
        self.terms = agreed
        self.alive = list(range(1, len(agreed.clients) + 1))
        self._ctx, self._me = ctx, agreed.number(ctx.me)
        self._rounds, self._books = 0, dict[int, PublicBook]()
        self._book: Book | None = None
        self._vault = Vault(0, {})

    def submit(self, values: Floats, scale_bits: int = SCALE_BITS) -> None:
        """(m,) numbers for the next sum, rounded to multiples of 2^-scale_bits.

        Raises PlaintextOutOfRange if the sum could leave the ring, PartiesLost if the others went
        on without this party.
        """
        self.submit_words(masking.to_ring(values, len(self.terms.clients), scale_bits))

    def submit_words(self, words: Words) -> None:
        """(m,) integers mod 2^64 for the next sum; the array is overwritten with their masked form.

        Cost: a pad for each client (about 4 GB/s), 8 m bytes to the arbiter.
        """
        at = self._rounds % ROUNDS
        if at == 0:
            self._exchange_books()
        assert self._book is not None
        peers = {c: self._books[c] for c in self.alive if c != self._me}
        double_mask.hide(words, self._book, at, self._me, peers, self._purpose())
        self._rounds += 1
        self._ctx.remote(Wire.masked, words)  # (5)
        survivors = self._survivors(self._ctx.get(Wire.survivors), Wire.survivors)  # (6)
        self._ctx.remote(Wire.opening, self._vault.open(at, self.alive, survivors))  # (7)
        self.alive = survivors

    def _exchange_books(self) -> None:
        """Steps (1) to (4)."""
        ctx, agreed, purpose = self._ctx, self.terms, self._purpose()
        book = double_mask.draw(ROUNDS)
        own = double_mask.public(book)
        others = [agreed.party(c) for c in self.alive if c != self._me]
        for peer in [*others, _arbiter(ctx)]:
            ctx.remote(Wire.keys, own.rows(), to=peer)  # (1)
        books, lost = {self._me: own}, dict[Party, str]()
        for peer, rows in arrivals(ctx, Wire.keys, others, agreed.time_limit_s, lost):
            books[agreed.number(peer)] = _published(rows, peer)
        mine = double_mask.shares(book, len(agreed.clients), agreed.threshold)
        heard = [peer for peer in others if peer not in lost]
        for peer in heard:
            to = agreed.number(peer)
            about = _direction(purpose, self._me, to)
            with _blaming(peer, Wire.keys):
                sealed = double_mask.seal(book, books[to], mine[to - 1], about)
            ctx.remote(Wire.shares, sealed, to=peer)  # (2)
        held = {self._me: mine[self._me - 1]}
        for peer, sealed in arrivals(ctx, Wire.shares, heard, agreed.time_limit_s, lost):
            c = agreed.number(peer)
            about = _direction(purpose, c, self._me)
            with _blaming(peer, Wire.shares):
                held[c] = double_mask.unseal(book, books[c], sealed, about)
        ctx.remote(Wire.heard, sorted(held))  # (3)
        self.alive = self._survivors(ctx.get(Wire.roster), Wire.roster)  # (4)
        self._book, self._books, self._vault = book, books, Vault(ROUNDS, held)

    def _survivors(self, told: list[int], message: Message[list[int]]) -> list[int]:
        """The clients that the arbiter names, checked. Raises ProtocolViolation, PartiesLost."""
        agreed, arbiter = self.terms, _arbiter(self._ctx)
        if told != sorted(set(told)) or not set(told) <= set(self.alive):
            raise ProtocolViolation(arbiter, message.name, "not clients who were there before")
        if self._me not in told:
            raise PartiesLost(
                f"{agreed.component}: the others went on without {self._ctx.me}, whose message "
                "came too late or not at all; raise secure_aggregation_param.time_limit"
            )
        if len(told) < agreed.threshold:
            raise ProtocolViolation(arbiter, message.name, "fewer clients than the threshold")
        for c in sorted(set(self.alive) - set(told)):
            LOG.warning("%s is lost: the sums go on without it", agreed.party(c))
        return told

    def _purpose(self) -> bytes:
        return _purpose(self._ctx, self._rounds)


class Server:
    """The arbiter's side."""

    def __init__(self, ctx: Context, agreed: Terms) -> None:
        self.terms = agreed
        self.lost = dict[Party, str]()
        self._ctx, self._rounds = ctx, 0
        self._alive = list(range(1, len(agreed.clients) + 1))
        self._books = dict[int, PublicBook]()

    def collect(self, scale_bits: int = SCALE_BITS) -> Floats:
        """(m,) the sum of what the clients submit. Raises PartiesLost, ProtocolViolation."""
        return masking.from_ring(self.collect_words(), scale_bits)

    def collect_words(self) -> Words:
        """(m,) the sum mod 2^64.

        Cost: a pad for each client, and one more for each pair of a lost and a surviving one.
        """
        at, purpose = self._rounds % ROUNDS, _purpose(self._ctx, self._rounds)
        if at == 0:
            self._exchange_books()
        self._rounds += 1
        asked = [self.terms.party(c) for c in self._alive]
        total, came = self._sum(asked)
        survivors = self._left([self.terms.number(peer) for peer in came])
        for peer in asked:
            self._ctx.remote(Wire.survivors, survivors, to=peer)  # (6)
        parts = {
            self.terms.number(peer): part
            for peer, part in arrivals(
                self._ctx, Wire.opening, came, self.terms.time_limit_s, self.lost
            )
        }
        self._left(list(parts))
        try:
            opened = double_mask.together(parts, self._alive)
            double_mask.reveal(total, opened, at, self._books, survivors, purpose)
        except (BadKeys, BadShares) as error:
            who = ", ".join(str(self.terms.party(c)) for c in parts)
            raise ProtocolViolation(f"one of {who}", Wire.opening.name, str(error)) from None
        self._alive = survivors
        return total

    def _sum(self, asked: Sequence[Party]) -> tuple[Words, list[Party]]:
        """The sum of the masked words that come, and whose they are."""
        total, came = np.empty(0, dtype=np.uint64), list[Party]()
        there = [peer for peer in asked if peer not in self.lost]
        for peer, words in arrivals(
            self._ctx, Wire.masked, there, self.terms.time_limit_s, self.lost
        ):
            if words.ndim != 1 or (came and len(words) != len(total)):
                problem = f"{list(words.shape)} numbers where others have {len(total)}"
                raise ProtocolViolation(peer, Wire.masked.name, problem)
            if came:
                total += words
            else:
                total = words.copy()
            came.append(peer)
        return total, came

    def _exchange_books(self) -> None:
        """Steps (1), (3) and (4)."""
        ctx, agreed = self._ctx, self.terms
        asked = [agreed.party(c) for c in self._alive]
        there = [peer for peer in asked if peer not in self.lost]
        # Clients wait for one another twice before they answer.
        limit = None if agreed.time_limit_s is None else 3 * agreed.time_limit_s
        heard = {
            agreed.number(peer): set(numbers)
            for peer, numbers in arrivals(ctx, Wire.heard, there, limit, self.lost)  # (3)
        }
        roster = connected(heard)
        for c in set(heard) - set(roster):
            self.lost[agreed.party(c)] = "it and others did not hear of one another in time"
        self._left(roster)
        for peer in asked:
            ctx.remote(Wire.roster, roster, to=peer)  # (4)
        self._books = {
            c: _published(ctx.get(Wire.keys, source=agreed.party(c)), agreed.party(c))
            for c in roster
        }
        self._alive = roster

    def _left(self, numbers: list[int]) -> list[int]:
        """The same numbers, sorted. Raises PartiesLost if they are too few."""
        if len(numbers) >= self.terms.threshold:
            return sorted(numbers)
        missing = "; ".join(f"{peer} ({why})" for peer, why in sorted(self.lost.items()))
        raise PartiesLost(
            f"{self.terms.component}: {len(numbers)} of {len(self.terms.clients)} parties are left "
            f"and secure aggregation needs {self.terms.threshold}; missing: {missing}"
        )


def connected(heard: Mapping[int, Collection[int]]) -> list[int]:
    """Clients who all have heard of one another: whoever misses most is left out first.

    >>> connected({1: {1, 2, 3}, 2: {1, 2}, 3: {1, 2, 3}})
    [1, 2]
    """
    left = set(heard)

    def gaps(c: int) -> int:
        return sum(c not in heard[d] for d in left) + sum(d not in heard[c] for d in left)

    while left:
        worst = max(sorted(left, reverse=True), key=gaps)
        if not gaps(worst):
            break
        left.remove(worst)
    return sorted(left)


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


def _arbiter(ctx: Context) -> Party:
    if ctx.arbiter is None:
        raise BadParameters("secure aggregation needs an arbiter: name one in the job's roles")
    return ctx.arbiter


def _published(rows: NDArray[np.uint8], peer: Party) -> PublicBook:
    with _blaming(peer, Wire.keys):
        return double_mask.published(rows, ROUNDS)


@contextmanager
def _blaming(peer: Party, message: Message[T]) -> Iterator[None]:
    """Bad keys in here are the peer's fault. Raises ProtocolViolation for them."""
    try:
        yield
    except BadKeys as error:
        raise ProtocolViolation(peer, message.name, str(error)) from None


def _purpose(ctx: Context, rounds: int) -> bytes:
    """What keys of this book are for, so that they fit no other task."""
    return f"{ctx.job_id}|{ctx.component}|{ctx.version}|{rounds // ROUNDS}".encode()


def _direction(purpose: bytes, sender: int, receiver: int) -> bytes:
    return b"%b|%d|%d" % (purpose, sender, receiver)
