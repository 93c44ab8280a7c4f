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

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from federatedml.crypto import double_mask, masking
from federatedml.crypto.double_mask import BadKeys, Book, PublicBook, Vault
from federatedml.crypto.masking import SCALE_BITS, Floats, Words
from federatedml.crypto.shamir import BadShares
from federatedml.protocols.roll_call import CLIENTS, Roll, Terms, arbiter_of, arrivals
from federation import ARBITER, Context, Message, Party
from federation.errors import ProtocolViolation

T = TypeVar("T")

ROUNDS = 64
"""Sums for which keys are exchanged at once: 4 kB to everybody, 8 kB to each other client."""


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


def describe(terms: Terms) -> str:
    """One line for the log and the record."""
    return (
        "secure aggregation with double masks (X25519, HKDF-SHA256, ChaCha20, Shamir's shares "
        f"{terms.threshold} of {len(terms.clients)}), about 128 bits: the arbiter learns sums over "
        f"at least {terms.threshold} parties; against parties who follow the protocol"
    )


class Client:
    """A guest's or host's side: ``submit`` once for each sum that the arbiter ``collects``."""

    def __init__(self, ctx: Context, agreed: Terms) -> None:
        self.terms, self.roll = agreed, Roll(ctx, agreed)
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
        clients = self.roll.alive
        peers = {c: self._books[c] for c in clients if c != self._me}
        double_mask.hide(words, self._book, at, self._me, peers, self._purpose())
        self._rounds += 1
        self._ctx.remote(Wire.masked, words)  # (5)
        self.roll.take(self._ctx.get(Wire.survivors), Wire.survivors)  # (6)
        opening = self._vault.open(at, clients, self.roll.alive)
        self._ctx.remote(Wire.opening, opening)  # (7)

    def _exchange_books(self) -> None:
        """Steps (1) to (4)."""
        ctx, agreed, purpose = self._ctx, self.terms, self._purpose()
        book = double_mask.draw(ROUNDS)
        own = double_mask.public(book)
        others = [agreed.party(c) for c in self.roll.alive if c != self._me]
        for peer in [*others, arbiter_of(ctx)]:
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
        self.roll.take(ctx.get(Wire.roster), Wire.roster)  # (4)
        self._book, self._books, self._vault = book, books, Vault(ROUNDS, held)

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
        survivors = self.terms.enough([self.terms.number(peer) for peer in came], self.lost)
        for peer in asked:
            self._ctx.remote(Wire.survivors, survivors, to=peer)  # (6)
        parts = {
            self.terms.number(peer): part
            for peer, part in arrivals(
                self._ctx, Wire.opening, came, self.terms.time_limit_s, self.lost
            )
        }
        self.terms.enough(list(parts), self.lost)
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
        self.terms.enough(roster, self.lost)
        for peer in asked:
            ctx.remote(Wire.roster, roster, to=peer)  # (4)
        self._books = {
            c: _published(ctx.get(Wire.keys, source=agreed.party(c)), agreed.party(c))
            for c in roster
        }
        self._alive = roster


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
