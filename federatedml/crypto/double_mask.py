"""Two masks on every number of a client, for a sum that survives clients who drop out.

In a round client u adds to its words x_u (integers mod 2^64)

    y_u = x_u + PRG(b_u) + sum over v > u of PRG(k_uv) - sum over v < u of PRG(k_uv)

with a seed b_u of its own and keys k_uv that it agreed with each other client. In the sum of all
y_u the pair masks cancel. For a client whose y_u did not come, its pair key is put together from
shares of others and the masks it left behind are taken off; for one whose y_u did come, its seed
b_u is. Nobody ever gives both for one client and round, so a single x_u stays hidden. Keys and
seeds are of one round: what is opened in a round says nothing of another one.

Clients are numbered from 1. Pure: who sends what to whom is protocols.secure_aggregation.
Source: Bonawitz et al. 2017, Practical secure aggregation, section 5 and figure 4.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from numpy.typing import NDArray

from federatedml.crypto import masking, shamir
from federatedml.crypto.masking import Words
from federatedml.crypto.shamir import BadShares, Bytes2D, Shares

WIDTH = 32
"""Bytes of a key, a seed and a digest."""


class BadKeys(ValueError):
    """What a client published are no keys, or not those that its shares belong to."""


class SpentRound(ValueError):
    """Shares of a round were asked for twice."""


@dataclass(frozen=True)
class Book:
    """A client's secrets for some rounds. pair_keys, seeds: (rounds, 32)."""

    channel: X25519PrivateKey = field(repr=False)
    pair_keys: Bytes2D = field(repr=False)
    seeds: Bytes2D = field(repr=False)

    @property
    def rounds(self) -> int:
        return len(self.seeds)


@dataclass(frozen=True)
class PublicBook:
    """What everybody may know of a Book. channel: (32,); pair_keys, digests: (rounds, 32)."""

    channel: Bytes2D
    pair_keys: Bytes2D
    digests: Bytes2D

    def rows(self) -> Bytes2D:
        """(1 + 2 rounds, 32) as it travels."""
        return np.concatenate((self.channel[None], self.pair_keys, self.digests))


def draw(rounds: int) -> Book:
    """Fresh secrets. Cost: about 0.1 ms a round."""
    drawn = secrets.token_bytes(2 * rounds * WIDTH)
    pair_keys, seeds = np.frombuffer(drawn, dtype=np.uint8).reshape(2, rounds, WIDTH)
    return Book(X25519PrivateKey.generate(), pair_keys, seeds)


def public(book: Book) -> PublicBook:
    keys = [_public_bytes(_private(row)) for row in book.pair_keys]
    channel = book.channel.public_key().public_bytes_raw()
    return PublicBook(_rows([channel])[0], _rows(keys), _digests(book.seeds))


def published(rows: Bytes2D, rounds: int) -> PublicBook:
    """A public book as it came. Raises BadKeys for another shape."""
    if rows.dtype != np.uint8 or rows.shape != (1 + 2 * rounds, WIDTH):
        raise BadKeys(f"a book of {rows.dtype}{list(rows.shape)}")
    return PublicBook(rows[0], rows[1 : 1 + rounds], rows[1 + rounds :])


def shares(book: Book, n: int, threshold: int) -> Shares:
    """(n, 2 rounds, 16) shares of all pair keys and then of all seeds, one row per client."""
    return shamir.split(np.concatenate((book.pair_keys, book.seeds)), n, threshold)


def seal(book: Book, theirs: PublicBook, mine: Shares, purpose: bytes) -> bytes:
    """Shares for one other client, readable to it alone. purpose: differs for each direction."""
    key = _agreed(book.channel, theirs.channel, b"shares|" + purpose)
    body = np.ascontiguousarray(mine, dtype="<u4").tobytes()
    return ChaCha20Poly1305(key).encrypt(bytes(12), body, purpose)


def unseal(book: Book, theirs: PublicBook, sealed: bytes, purpose: bytes) -> Shares:
    """(2 rounds, 16) the shares that another client made for this one. Raises BadKeys."""
    key = _agreed(book.channel, theirs.channel, b"shares|" + purpose)
    try:
        body = ChaCha20Poly1305(key).decrypt(bytes(12), sealed, purpose)
        found = np.frombuffer(body, dtype="<u4").reshape(2 * book.rounds, WIDTH // 2)
    except (InvalidTag, ValueError):
        raise BadKeys("shares that were not made for this client") from None
    return found.astype(np.uint32)


def hide(
    words: Words,
    book: Book,
    at: int,
    me: int,
    peers: Mapping[int, PublicBook],
    purpose: bytes,
) -> None:
    """Put both masks of round ``at`` on this client's words, in place.

    peers: of every other client of the round, by number.
    """
    masking.add_pad(words, book.seeds[at].tobytes())
    mine = _private(book.pair_keys[at])
    for number, theirs in peers.items():
        key = _pair_key(mine, theirs, at, (me, number), purpose)
        masking.add_pad(words, key, subtract=number < me)


def reveal(
    total: Words,
    opened: Mapping[int, Bytes2D],
    at: int,
    books: Mapping[int, PublicBook],
    survivors: Sequence[int],
    purpose: bytes,
) -> None:
    """Take all masks off the sum of the survivors' words, in place.

    opened: (32,) of every client of the round: the seed of a survivor, the pair key of one whose
    words did not come. books: the public books of all of them. Raises BadKeys for a secret that is
    not the one its client published.
    """
    for number, secret in opened.items():
        if number in survivors:
            if not np.array_equal(_digests(secret[None])[0], books[number].digests[at]):
                raise BadKeys(f"shares of the seed of client {number} do not fit")
            masking.add_pad(total, secret.tobytes(), subtract=True)
            continue
        lost = _private(secret)
        if _public_bytes(lost) != books[number].pair_keys[at].tobytes():
            raise BadKeys(f"shares of the key of client {number} do not fit")
        for other in survivors:
            key = _pair_key(lost, books[other], at, (number, other), purpose)
            # The survivor added it where the lost client's number is the greater one.
            masking.add_pad(total, key, subtract=number > other)


class Vault:
    """The shares that a client keeps of all clients' secrets, itself included.

    Of one round it gives, once, one share of each client: of its seed or of its pair key, never
    of both; what it did not give is forgotten.
    """

    def __init__(self, rounds: int, held: Mapping[int, Shares]) -> None:
        self._rounds = rounds
        self._held = {number: rows.copy() for number, rows in held.items()}
        self._spent: set[int] = set()

    def open(self, at: int, clients: Iterable[int], survivors: Iterable[int]) -> Shares:
        """(clients, 16) a share of each client's seed if it survived, else of its pair key.

        Raises SpentRound if the round was opened before.
        """
        if at in self._spent:
            raise SpentRound(f"shares of round {at} were given already")
        self._spent.add(at)
        kept = set(survivors)
        rows = [self._held[c][self._rounds + at if c in kept else at].copy() for c in clients]
        for held in self._held.values():
            held[[at, self._rounds + at]] = 0
        return np.array(rows, dtype=np.uint32)


def together(parts: Mapping[int, Shares], clients: Sequence[int]) -> dict[int, Bytes2D]:
    """The secrets that Vaults opened. parts: (clients, 16) by the number of who gave them.

    Raises BadShares.
    """
    shape = (len(clients), WIDTH // 2)
    if any(part.shape != shape for part in parts.values()):
        raise BadShares("shares of another number of clients")
    found = shamir.join(np.stack(list(parts.values())), list(parts))
    return dict(zip(clients, found, strict=True))


def _pair_key(
    mine: X25519PrivateKey, theirs: PublicBook, at: int, pair: tuple[int, int], purpose: bytes
) -> bytes:
    low, high = sorted(pair)
    about = b"pair|%b|%d|%d|%d" % (purpose, at, low, high)
    return _agreed(mine, theirs.pair_keys[at], about)


def _agreed(mine: X25519PrivateKey, theirs: Bytes2D, purpose: bytes) -> bytes:
    try:
        return masking.shared_key(mine, theirs.tobytes(), purpose)
    except ValueError:
        raise BadKeys("not a public key") from None


def _private(row: NDArray[np.uint8]) -> X25519PrivateKey:
    return X25519PrivateKey.from_private_bytes(row.tobytes())


def _public_bytes(key: X25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def _digests(seeds: Bytes2D) -> Bytes2D:
    return _rows([hashlib.sha256(b"seed|" + seed.tobytes()).digest() for seed in seeds])


def _rows(values: list[bytes]) -> Bytes2D:
    return np.frombuffer(b"".join(values), dtype=np.uint8).reshape(len(values), WIDTH)
