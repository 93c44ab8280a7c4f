"""Sums of a guest's secret row statistics over all sides that a host's features can cut.

Parties  guest: words of each row (n, s), whole numbers; which rows are in which node of a tree.
         Hosts: m candidates each, ways to send a row left or right (``maths.candidates``).
Maths    for each of p nodes, candidate and statistic: the sum over the node's rows that go left.
Round    once
         (1) guest -> hosts  the public half of a fresh key
         for each tree
         (2) host -> guest   how many candidates it has for this tree
         for each level, one message each way, with the lattice scheme
         (3) guest -> host   for each node and statistic the words of all rows, zero at rows outside
                             the node, encrypted; none at all: the tree is finished
         (4) host -> guest   for each of these vectors the encrypted sums
         with Paillier or Okamoto-Uchiyama
         (5) guest -> hosts  once for the tree: which rows count, and their words, encrypted
         (6) guest -> hosts  which of these rows are in which node; no node: the tree is finished
         (7) host -> guest   the encrypted sums, several to a ciphertext
Trusts   everyone to follow the protocol (semi-honest).
Source   Cheng et al. 2021, SecureBoost, arXiv:1901.08755; packing: Chen et al. 2021,
         arXiv:2110.10927. What each side learns, and what could be read from the sums:
         docs/security/secureboost.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import lattice, lattice_sums, packed_sums, strength
from federatedml.crypto.bigcipher import CipherVector, SecretKey
from federatedml.crypto.lattice_wire import PublicKey as LatticeKey
from federatedml.crypto.lattice_wire import SealedProduct, SealedVector
from federatedml.crypto.wire import PublicKey as IntegerKey
from federatedml.maths.candidates import Candidates
from federatedml.maths.quantiles import Codes
from federatedml.params_shared import EncryptParam
from federatedml.protocols import sum_keys
from federatedml.protocols.sum_keys import blaming
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

Rows = NDArray[np.int64]
Words = NDArray[np.int64]

MAX_CANDIDATES = 1 << 26
MAX_NODES = 1 << 16


@codec.wire_struct
class CountedRows(msgspec.Struct, frozen=True):
    """words: of each row that counts, one vector for each group of statistics that fit together.
    at: (m,) which rows these are; n_words: statistics of a row."""

    at: NDArray[np.int64]
    words: list[CipherVector]
    n_words: int

    def __describe__(self) -> str:
        return f"CountedRows[{len(self.at)},{len(self.words)}]"


@codec.wire_struct
class NodesAsked(msgspec.Struct, frozen=True):
    """node: (m,) of each row that counts the node asked about, from 1; 0: none of them."""

    node: NDArray[np.uint16]
    n_nodes: int

    def __describe__(self) -> str:
        return f"NodesAsked[{len(self.node)},{self.n_nodes}]"


class Wire:
    """All that leaves a party for the sums."""

    lattice_key = Message[LatticeKey](
        {GUEST}, {HOST}, kind="plain", reveals="how many bits sums have (fewer with gradient_bits)"
    )
    integer_key = Message[IntegerKey]({GUEST}, {HOST}, kind="plain", reveals="nothing")
    n_candidates = Message[int](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="in how many ways the host's features can cut the rows (bins of all features)",
    )
    masked_words = Message[list[SealedVector]](
        {GUEST},
        {HOST},
        kind="ciphertext",
        reveals="how many nodes of the level are asked about, and how many statistics a row has; "
        "not which rows the nodes have",
    )
    sealed_sums = Message[list[SealedProduct]](
        {HOST},
        {GUEST},
        kind="ciphertext",
        reveals="for each node asked about, by candidates in an order that is drawn anew for each "
        "tree: the sums of g and h (and the number, if min_leaf_node > 1) of its rows on the left",
    )
    counted_rows = Message[CountedRows](
        {GUEST},
        {HOST},
        kind="ciphertext",
        reveals="which rows a tree is grown on (with run_goss a sample), number of statistics",
    )
    nodes_asked = Message[NodesAsked](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which rows are in which nodes of the level, whoever splits them",
    )
    packed_sums = Message[list[CipherVector]](
        {HOST}, {GUEST}, kind="ciphertext", reveals="as sealed_sums"
    )


class GuestSums(Protocol):
    """The guest's end of one training. budget: log2 of what sums of words may reach."""

    budget: int
    security: str

    def begin(self, words: Words, rows: Rows, hosts: Sequence[Party]) -> None:
        """A tree. words: (n, s), zero at all rows but ``rows``, which count."""

    def ask(self, nodes: Sequence[Rows]) -> dict[Party, Words]:
        """(p, m, s) sums over the rows of each node that go left, by host; nodes must be known
        to have rows that count only."""

    def end(self) -> None:
        """The tree is finished."""


class HostSums(Protocol):
    """A host's end of one training."""

    security: str

    def begin(self, codes: Codes, n_bins: int, of: Candidates) -> None:
        """A tree; of: candidates in the order in which the guest is to see them."""

    def answers(self, most: int) -> bool:
        """Answer the guest's next question, about so many nodes at most; False if the tree is
        finished. Raises ProtocolViolation for a question that may not be asked."""


def opened_at_guest(
    ctx: Ctx, param: EncryptParam, n_rows: int, n_words: int, value_bits: int | None
) -> GuestSums:
    """A fresh key, its public half sent.

    n_words: statistics of a row. value_bits: size of a word where words are rounded to few bits;
    sums are then given no more room than they need, which hosts can see and count on.
    Raises BadParameters for a key that is too short for the statistics.
    """
    if param.scheme == "Lattice":
        found: GuestSums = _LatticeGuest(ctx, n_rows, value_bits)
    else:
        found = _IntegerGuest(ctx, sum_keys.drawn(ctx, param, n_words))
    LOG.info("encryption: %s", found.security)
    return found


def opened_at_host(
    ctx: Ctx,
    param: EncryptParam,
    n_rows: int,
    most_words: int,
    value_bits: int | None,
    least_rows: int,
) -> HostSums:
    """The guest's key. Raises ProtocolViolation for one that is weaker than this party asks for,
    or, with the lattice, one whose sums have room for more than this party's value_bits need.

    most_words: statistics that a row may have. least_rows: of a node, where this party is told
    which rows a node has: with Paillier and Okamoto-Uchiyama.
    """
    if param.scheme == "Lattice":
        found = _LatticeHost(ctx, ctx.get(Wire.lattice_key), n_rows, most_words)
        if found.word_bits > (most := _word_bits(n_rows, value_bits)):
            raise ProtocolViolation(
                ctx.guest,
                Wire.lattice_key.name,
                f"sums of {found.word_bits} bits; gradient_bits leaves {most} here: give it in "
                "component_parameters.common",
            )
        return found
    key = sum_keys.received(ctx, Wire.integer_key, param)
    return _IntegerHost(ctx, key, most_words, least_rows)


def _word_bits(n_rows: int, value_bits: int | None) -> int:
    """Bits of lattice sums: as many as there are, or as sums of so small words need."""
    bits = lattice_sums.BUDGET_BITS + 1
    if value_bits is None:
        return bits
    return min(bits, max(lattice_sums.MIN_WORD_BITS, value_bits + 1 + n_rows.bit_length()))


def _checked_counts(ctx: Ctx, hosts: Sequence[Party]) -> dict[Party, int]:
    """How many candidates each host has (2)."""
    found = {host: ctx.get(Wire.n_candidates, source=host) for host in hosts}
    for host, count in found.items():
        if not 0 <= count <= MAX_CANDIDATES:
            raise ProtocolViolation(host, Wire.n_candidates.name, f"{count} candidates")
    return found


class _LatticeGuest:
    """Own key; every vector is encrypted for one host, whose candidates decide its layout."""

    def __init__(self, ctx: Ctx, n_rows: int, value_bits: int | None) -> None:
        bits = _word_bits(n_rows, value_bits)
        self.budget, self._bits, self._ctx, self._n_rows = bits - 1, bits, ctx, n_rows
        params, _ = lattice_sums.shape(n_rows, 1, bits)
        self._secret = lattice.keygen(params)
        self.security = params.describe()
        ctx.remote(Wire.lattice_key, self._secret.public)  # (1)
        self._counts: dict[Party, int] = {}
        self._words: Words = np.empty((0, 0), dtype=np.int64)

    def begin(self, words: Words, rows: Rows, hosts: Sequence[Party]) -> None:  # noqa: ARG002
        self._counts, self._words = _checked_counts(self._ctx, hosts), words

    def ask(self, nodes: Sequence[Rows]) -> dict[Party, Words]:
        asked = {host: count for host, count in self._counts.items() if count}
        for host, count in asked.items():
            _, cut = lattice_sums.shape(self._n_rows, count, self._bits)
            vectors = [
                lattice_sums.sealed(self._secret, column, cut, self._ctx.cores)
                for rows in nodes
                for column in _only(self._words, rows).T
            ]
            self._ctx.remote(Wire.masked_words, vectors, to=host)  # (3)
        n_words = self._words.shape[1]
        found = {host: np.zeros((len(nodes), 0, n_words), dtype=np.int64) for host in self._counts}
        for host, count in asked.items():
            products = self._ctx.get(Wire.sealed_sums, source=host)  # (4)
            if len(products) != len(nodes) * n_words:
                raise ProtocolViolation(host, Wire.sealed_sums.name, f"{len(products)} vectors")
            columns = [self._read(host, product, count) for product in products]
            sums = np.array(columns).reshape(len(nodes), n_words, count)
            found[host] = sums.transpose(0, 2, 1)
        return found

    def _read(self, host: Party, product: SealedProduct, count: int) -> Words:
        if product.tile.outputs != count:
            problem = f"{product.tile.outputs} sums of {count} candidates"
            raise ProtocolViolation(host, Wire.sealed_sums.name, problem)
        with blaming(host, Wire.sealed_sums.name):
            return lattice_sums.opened(self._secret, product, self._ctx.cores)

    def end(self) -> None:
        for host, count in self._counts.items():
            if count:
                self._ctx.remote(Wire.masked_words, [], to=host)


def _only(words: Words, rows: Rows) -> Words:
    """The words of these rows, zeros elsewhere."""
    found = np.zeros_like(words)
    found[rows] = words[rows]
    return found


class _LatticeHost:
    def __init__(self, ctx: Ctx, key: LatticeKey, n_rows: int, most_words: int) -> None:
        self._ctx, self._key, self._n_rows = ctx, key, n_rows
        self._most_words = most_words
        self.word_bits = key.params.word_bits
        try:
            wanted, _ = lattice_sums.shape(n_rows, 1, self.word_bits)
        except ValueError as error:
            raise ProtocolViolation(ctx.guest, Wire.lattice_key.name, str(error)) from None
        if key.params != wanted:
            raise ProtocolViolation(ctx.guest, Wire.lattice_key.name, "a key of other parameters")
        self.security = key.params.describe()
        self._of: lattice_sums.Indicators | None = None
        self._codes: Codes = np.empty((0, 0), dtype=np.uint8)

    def begin(self, codes: Codes, n_bins: int, of: Candidates) -> None:
        self._ctx.remote(Wire.n_candidates, len(of))  # (2)
        if not len(of):
            self._of = None
        elif self._of and codes is self._codes and self._of.tile.outputs == len(of):
            self._of.reorder(of)  # in memory that is there: first touching it costs more
        else:
            params, cut = lattice_sums.shape(self._n_rows, len(of), self._key.params.word_bits)
            self._of = lattice_sums.Indicators(params, cut, codes, n_bins, of)
            self._codes = codes

    def answers(self, most: int) -> bool:
        if self._of is None:
            return False
        vectors = self._ctx.get(Wire.masked_words)  # (3)
        if not vectors:
            return False
        if most == 1 and len(vectors) <= self._most_words:
            # A tree's first question is about one node; so this is what rows of this training have.
            self._most_words = len(vectors)
        if len(vectors) > most * self._most_words:
            raise ProtocolViolation(
                self._ctx.guest,
                Wire.masked_words.name,
                f"{len(vectors)} vectors where this party's tree_param and multi_mode allow "
                f"{most * self._most_words}: a tree may not be deeper here than max_depth of this "
                "party; give both in component_parameters.common",
            )
        with blaming(self._ctx.guest, Wire.masked_words.name):
            sums = lattice_sums.sums(self._key, vectors, self._of, cores=self._ctx.cores)
        self._ctx.remote(Wire.sealed_sums, sums)  # (4)
        return True


class _IntegerGuest:
    """Paillier or Okamoto-Uchiyama."""

    budget = packed_sums.BUDGET_BITS

    def __init__(self, ctx: Ctx, secret: SecretKey) -> None:
        self._ctx, self._secret = ctx, secret
        self.security = secret.public.describe()
        strength.warn_if_weak(secret.public.level, self.security)
        ctx.remote(Wire.integer_key, secret.public)  # (1)
        self._counts: dict[Party, int] = {}
        self._rows: Rows = np.empty(0, dtype=np.int64)
        self._n_rows = self._n_words = 0

    def begin(self, words: Words, rows: Rows, hosts: Sequence[Party]) -> None:
        self._counts, self._rows = _checked_counts(self._ctx, hosts), rows
        self._n_rows, self._n_words = words.shape
        asked = [host for host, count in self._counts.items() if count]
        if not asked:
            return
        sealed = packed_sums.encrypted(self._secret.public, words[rows], cores=self._ctx.cores)
        for host in asked:
            counted = CountedRows(rows, sealed, self._n_words)
            self._ctx.remote(Wire.counted_rows, counted, to=host)  # (5)

    def ask(self, nodes: Sequence[Rows]) -> dict[Party, Words]:
        node = np.zeros(self._n_rows, dtype=np.uint16)
        for number, rows in enumerate(nodes, 1):
            node[rows] = number
        question = NodesAsked(node[self._rows], len(nodes))
        asked = [host for host, count in self._counts.items() if count]
        for host in asked:
            self._ctx.remote(Wire.nodes_asked, question, to=host)  # (6)
        found = {
            host: np.zeros((len(nodes), 0, self._n_words), dtype=np.int64) for host in self._counts
        }
        for host in asked:
            packed = self._ctx.get(Wire.packed_sums, source=host)  # (7)
            with blaming(host, Wire.packed_sums.name):
                found[host] = packed_sums.opened(
                    self._secret, packed, len(nodes), self._counts[host], self._n_words,
                    cores=self._ctx.cores,
                )  # fmt: skip
        return found

    def end(self) -> None:
        for host, count in self._counts.items():
            if count:
                over = NodesAsked(np.empty(0, dtype=np.uint16), 0)
                self._ctx.remote(Wire.nodes_asked, over, to=host)


class _IntegerHost:
    def __init__(self, ctx: Ctx, key: IntegerKey, most_words: int, least_rows: int) -> None:
        self._ctx, self._key = ctx, key
        self._most_words, self._least_rows = most_words, least_rows
        self._cells: Rows = np.empty(0, dtype=np.int64)
        self.security = key.describe()
        self._codes: Codes = np.empty((0, 0), dtype=np.uint8)
        self._n_bins, self._of = 0, Candidates(*(np.empty(0, dtype=t) for t in "iib"))
        self._counted: CountedRows | None = None

    def begin(self, codes: Codes, n_bins: int, of: Candidates) -> None:
        self._ctx.remote(Wire.n_candidates, len(of))  # (2)
        self._counted = None
        if not len(of):
            return
        self._counted = self._checked(self._ctx.get(Wire.counted_rows), codes.shape[1])  # (5)
        self._codes, self._n_bins, self._of = codes[:, self._counted.at], n_bins, of
        self._cells = np.full(len(self._counted.at), -1)

    def _checked(self, counted: CountedRows, n_rows: int) -> CountedRows:
        at, problem = counted.at, ""
        if at.ndim != 1 or (len(at) and not 0 <= at.min() <= at.max() < n_rows):
            problem = "rows that this party does not have"
        elif len(np.unique(at)) != len(at):
            problem = "a row more than once"
        elif any(vector.key != self._key or len(vector) != len(at) for vector in counted.words):
            problem = "ciphertexts of another key, or more or fewer than rows"
        elif not 1 <= counted.n_words <= self._most_words:
            problem = f"{counted.n_words} statistics of a row; {self._most_words} at most"
        elif [packed_sums.held(v) for v in counted.words] != packed_sums.groups(
            self._key, counted.n_words
        ):
            problem = f"ciphertexts that do not hold {counted.n_words} statistics"
        if problem:
            raise ProtocolViolation(self._ctx.guest, Wire.counted_rows.name, problem)
        return counted

    def answers(self, most: int) -> bool:
        if self._counted is None:
            return False
        asked = self._ctx.get(Wire.nodes_asked)  # (6)
        if not asked.n_nodes:
            return False
        node, n_rows = asked.node, len(self._counted.at)
        if node.shape != (n_rows,) or not (
            node.max(initial=0) <= asked.n_nodes <= min(most, MAX_NODES)
        ):
            raise ProtocolViolation(
                self._ctx.guest,
                Wire.nodes_asked.name,
                f"{asked.n_nodes} nodes of {len(node)} rows where this party's tree_param allows "
                f"{most} of {n_rows}: give it in component_parameters.common",
            )
        self._divide_cells(node, asked.n_nodes)
        nodes = [np.flatnonzero(node == number) for number in range(1, asked.n_nodes + 1)]
        with blaming(self._ctx.guest, Wire.counted_rows.name):
            sums = packed_sums.sums(
                self._key, self._counted.words, self._codes, self._n_bins, self._of, nodes,
                cores=self._ctx.cores,
            )  # fmt: skip
        self._ctx.remote(Wire.packed_sums, sums)  # (7)
        return True

    def _divide_cells(self, node: NDArray[np.uint16], n_nodes: int) -> None:
        """Whether the nodes are the whole, then parts of the nodes before, one part of each.

        Otherwise differences of sums would be sums over fewer rows than a node may have.
        """
        pairs = self._cells * (n_nodes + 1) + node
        if (self._cells < 0).all():
            sound = bool((node == 1).all())
        else:
            cell, part = np.divmod(np.unique(pairs[node > 0]), n_nodes + 1)
            size = np.bincount(node, minlength=n_nodes + 1)[part]
            sound = (
                len(np.unique(cell)) == len(np.unique(part)) == len(part) == n_nodes
                and size.min() >= self._least_rows
                and (np.bincount(self._cells)[cell] - size).min() >= self._least_rows
            )
        if not sound:
            raise ProtocolViolation(
                self._ctx.guest,
                Wire.nodes_asked.name,
                "nodes that are no parts of those before, or of fewer rows than "
                f"tree_param.min_leaf_node of this party, {self._least_rows}; give it in "
                "component_parameters.common",
            )
        self._cells = np.unique(pairs, return_inverse=True)[1]
