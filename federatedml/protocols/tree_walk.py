"""Prediction with vertical trees, level by level: in which leaf of every tree a row ends.

Parties  guest: features X_g, its own questions; hosts: features X_h, their own questions.
         All know the shape of the trees and who asks at which node.
Round    for each batch of rows, one overlapping the others
         (1) guest            moves every row through its own nodes, in all trees at once
         (2) guest -> hosts   to each host at whose nodes rows wait: which rows, at which nodes
         (3) hosts -> guest   for each of them the exit that is reached by the host's own questions
             until all rows are in leaves; at the end
         (4) guest -> hosts   that nothing more will be asked
Cost     at most one round trip per level of the deepest tree, for all trees and hosts together: a
         party asks all its consecutive questions in one go. While hosts have one batch, the guest
         has another. A node takes a bit for each row of the batch, or 4 bytes for each row that
         waits there if that is less; an answer as many bits as it takes to tell the exits apart,
         mostly one.
Trusts   everyone to follow the protocol (semi-honest); what each party learns:
         docs/security/tree_prediction.md.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.boosting_model import SharedTree
from federatedml.errors import BadModel
from federatedml.maths import walks
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.walks import Forest, Nodes, Sparse, Waiting
from federatedml.protocols.tree_growth import site
from federation import GUEST, HOST, Context, Message, Party, codec
from federation.errors import ProtocolViolation

POSITIONS = 2_000_000
"""Rows x trees of a batch: questions of 250 kB for every node at which many rows wait."""


@codec.wire_struct
class Question(msgspec.Struct, frozen=True):
    """Where do these rows go? Of rows first to first + n_rows - 1, those that ``Waiting`` lists
    at each of the nodes. No nodes: nothing more will be asked.

    model: fingerprint of the trees. tree, node (k,): of the receiver, in rising order.
    """

    model: bytes
    first: int
    n_rows: int
    tree: NDArray[np.uint32]
    node: NDArray[np.uint32]
    counts: NDArray[np.uint32]
    bits: NDArray[np.uint8]
    rows: NDArray[np.uint32]

    def __describe__(self) -> str:
        return f"Question[{len(self.node)} nodes, {self.n_rows} rows]"


class Wire:
    """All that leaves a party. Both messages show readable values to the receiver."""

    question = Message[Question](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which rows come to each of the receiver's own nodes: what all questions above "
        "one, of whichever party, have in common for a row",
    )
    exits = Message[NDArray[np.uint8]](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="which way each row goes at the sender's nodes that it comes to",
    )


def leaves_at_guest(ctx: Context, trees: Sequence[SharedTree], x: Matrix) -> NDArray[np.int32]:
    """(n, T) the leaf of every row in every tree.

    x: (n, k) of the guest, dense or csr; nan where a value is missing.
    Raises BadModel for trees that do not fit this party, and ProtocolViolation.
    """
    forest, n_trees = forest_of(ctx, trees, x), len(trees)
    at = np.tile(forest.first[:-1], x.shape[0])
    prints = {host: fingerprint(trees, [host]) for host in ctx.hosts}
    walk = Walk(ctx, forest, walks.readable(x), at, prints)
    size = max(1, POSITIONS // max(1, n_trees))
    batches = [slice(i, min(i + size, x.shape[0])) for i in range(0, x.shape[0], size)]
    asked = deque((rows, walk.ask(rows)) for rows in batches)
    while asked:
        rows, parts = asked.popleft()
        if parts:
            walk.move(rows, parts)
            asked.append((rows, walk.ask(rows)))
    for host in ctx.hosts:
        ctx.remote(Wire.question, _END, to=host)  # (4)
    found = at.reshape(x.shape[0], n_trees)
    found -= forest.first[:-1]
    return found


def answer_at_host(ctx: Context, trees: Sequence[SharedTree], x: Matrix) -> None:
    """Answer the guest's questions about this party's nodes until there are no more.

    x: as of ``leaves_at_guest``, of this party. Raises BadModel for trees that do not fit this
    party, and ProtocolViolation for questions that are not about its own nodes.
    """
    forest, model = forest_of(ctx, trees, x), fingerprint(trees, [ctx.me])
    read, cores = walks.readable(x), getattr(ctx, "cores", 1)
    while (question := ctx.get(Wire.question)).model:  # (2)
        if question.model != model:
            problem = "it asks about other trees than this party has: predict with one model"
            raise ProtocolViolation(ctx.guest, Wire.question.name, problem)
        try:
            asked = _asked(question, forest, ctx.parties.index(ctx.me), x.shape[0])
            rows = asked.listed()
        except ValueError as error:
            raise ProtocolViolation(ctx.guest, Wire.question.name, str(error)) from error
        at, rows = np.repeat(asked.nodes, asked.counts), rows + np.int32(question.first)
        walks.walk(forest, read, rows, at, cores=cores)
        codes = forest.rank[at] - np.repeat(forest.entry[asked.nodes], asked.counts)
        ctx.remote(Wire.exits, _planes(codes, _width(forest, asked.nodes)))  # (3)


def forest_of(ctx: Context, trees: Sequence[SharedTree], x: Matrix) -> Forest:
    """This party's trees as flat arrays. Raises BadModel."""
    number = {site(p): i for i, p in enumerate(ctx.parties)} | {"": walks.NOBODY}
    askers = []
    for t, shared in enumerate(trees):
        if unknown := set(shared.sites) - set(number):
            raise BadModel(
                f"tree {t} has questions of {min(unknown)}, which takes no part in this job: "
                "predict with the parties of the training"
            )
        askers.append(np.array([number[site] for site in shared.sites], dtype=np.int32))
    try:
        me = ctx.parties.index(ctx.me)
        return walks.forest([s.tree for s in trees], askers, me, x.shape[1])
    except ValueError as error:
        raise BadModel(str(error)) from error


def fingerprint(trees: Sequence[SharedTree], hosts: Sequence[Party]) -> bytes:
    """16 bytes that name the shape of all trees in which one of the hosts asks something."""
    sites, digest = {site(host) for host in hosts}, hashlib.blake2b(digest_size=16)
    for t, shared in enumerate(trees):
        if sites & set(shared.sites):
            digest.update(f"{t} {shared.sites}".encode())
            digest.update(np.stack([shared.tree.left, shared.tree.right]).astype("<i4").tobytes())
    return digest.digest()


def asked_hosts(ctx: Context, trees: Sequence[SharedTree]) -> list[Party]:
    """The hosts that ask something in any tree."""
    asking = {name for shared in trees for name in shared.sites}
    return [host for host in ctx.hosts if site(host) in asking]


@dataclass(frozen=True)
class Walk:
    """The guest's end. at (n * T,): where every row is in every tree. prints: of the hosts'
    trees."""

    ctx: Context
    forest: Forest
    x: Floats | Sparse
    at: Nodes
    prints: Mapping[Party, bytes]

    def ask(self, rows: slice) -> dict[Party, Waiting]:
        """Walk rows as far as the guest can, ask the hosts at whose nodes they then wait, and say
        what was asked."""
        at, numbers = self._of(rows), np.arange(rows.start, rows.stop, dtype=np.int32)
        cores, asked = getattr(self.ctx, "cores", 1), {}
        walks.walk(self.forest, self.x, numbers, at, cores=cores)  # (1)
        counts = walks.waiting(self.forest, at)
        for host in self.ctx.hosts if counts.any() else ():
            party = self.ctx.parties.index(host)
            part = walks.by_node(self.forest, at, len(numbers), party, counts)
            if len(part.nodes):
                question = _question(self.forest, part, self.prints[host], rows.start)
                self.ctx.remote(Wire.question, question, to=host)  # (2)
                asked[host] = part
        return asked

    def move(self, rows: slice, asked: Mapping[Party, Waiting]) -> None:
        """Move rows as the hosts answer. Raises ProtocolViolation."""
        codes = [_codes(self.ctx, host, part, self.forest) for host, part in asked.items()]
        wrong = walks.move(self.forest, self._of(rows), list(asked.values()), codes)
        if wrong >= 0:
            host, problem = self.forest.asker[wrong], "no exit of the node asked for"
            raise ProtocolViolation(self.ctx.parties[host], Wire.exits.name, problem)

    def _of(self, rows: slice) -> Nodes:
        n_trees = self.forest.n_trees
        return self.at[rows.start * n_trees : rows.stop * n_trees]


def _question(forest: Forest, asked: Waiting, model: bytes, first: int) -> Question:
    tree = forest.tree_of(asked.nodes)
    node = asked.nodes - forest.first[tree]
    return Question(
        model,
        first,
        asked.n_rows,
        tree.astype(np.uint32),
        node.astype(np.uint32),
        asked.counts,
        asked.bits,
        asked.rows,
    )


_NONE, _NO_BITS = np.empty(0, np.uint32), np.empty(0, np.uint8)
_END = Question(b"", 0, 0, _NONE, _NONE, _NONE, _NO_BITS, _NONE)


def _asked(question: Question, forest: Forest, me: int, n_rows: int) -> Waiting:
    """The question in this party's numbers. n_rows: this party has.

    Raises ValueError, saying what is wrong with it.
    """
    q = question
    if not 0 <= q.first < q.first + q.n_rows <= n_rows:
        raise ValueError(f"rows that are not among the {n_rows} of this party")
    if any(a.ndim != 1 for a in (q.tree, q.node, q.counts, q.bits, q.rows)):
        raise ValueError("not the arrays of a question")
    if not len(q.tree) == len(q.node) == len(q.counts):
        raise ValueError("not one tree, node and count each")
    tree, node = q.tree.astype(np.int64), q.node.astype(np.int64)
    if len(tree) == 0 or tree.max() >= forest.n_trees:
        raise ValueError(f"a tree that is not among {forest.n_trees}")
    nodes = forest.first[tree] + node
    if (nodes >= forest.first[tree + 1]).any() or (forest.asker[nodes] != me).any():
        raise ValueError("a node that is not one of this party's")
    if (np.diff(nodes) <= 0).any():
        raise ValueError("nodes that do not rise")
    counts = q.counts.astype(np.int64)
    if counts.min() < 1 or np.bincount(tree, counts).max() > q.n_rows:
        raise ValueError("a node without rows, or more rows in a tree than there are")
    return Waiting(q.n_rows, nodes.astype(np.int32), q.counts, q.bits, q.rows)


def _codes(
    ctx: Context, host: Party, asked: Waiting, forest: Forest
) -> NDArray[np.unsignedinteger]:
    """Step (3): a host's answers. Raises ProtocolViolation for too few or too many."""
    planes = ctx.get(Wire.exits, source=host)
    n_answers, width = int(asked.counts.sum(dtype=np.int64)), _width(forest, asked.nodes)
    if planes.shape != (width, (n_answers + 7) // 8):
        problem = f"{codec.describe(planes)} for {n_answers} answers of {width} bits"
        raise ProtocolViolation(host, Wire.exits.name, problem)
    codes = np.zeros(n_answers, dtype=_dtype(width))
    for bit in range(width):
        plane = np.unpackbits(planes[bit], count=n_answers, bitorder="little")
        codes |= plane.astype(codes.dtype) << codes.dtype.type(bit)
    return codes


def _planes(codes: Nodes, width: int) -> NDArray[np.uint8]:
    """(width, ceil(n / 8)) the lowest bits of all codes, then the next ones."""
    small = codes.astype(_dtype(width))
    return np.stack([np.packbits(small >> bit & 1, bitorder="little") for bit in range(width)])


def _width(forest: Forest, nodes: Nodes) -> int:
    """Bits of an answer: as many as the node with the most exits takes."""
    return int(forest.ends[nodes].max() - 1).bit_length()


def _dtype(width: int) -> type[np.unsignedinteger]:
    return np.uint8 if width <= 8 else np.uint32
