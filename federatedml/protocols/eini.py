"""Prediction with vertical trees in one round, in which nobody learns a leaf: Fed-EINI.

Parties  guest: features X_g, its own questions, leaf weights, a fresh key; hosts: features X_h and
         their own questions. All know the shape of the trees and who asks at which node.
Maths    a leaf is reached if the conditions of all parties on its path are met, so a row's score is
         start + sum over leaves of weight * [met at guest] * [met at host 1] * ...
Round    (0) guest -> hosts     its public key; which score each tree adds to
         for each batch of rows             [.] is encrypted under the guest's key
         (1) guest -> host 1    [weight * met at guest] of every leaf; leaves that no host tells
                                apart are one entry, those that no host asks about are all in one
         (2) host i -> host i+1 what is left of it where host i's own conditions are met; entries
                                that no later host tells apart are added up; refreshed
         (3) last host -> guest the scores: all entries left are added up; packed, refreshed
Cost     per row and tree an encryption for each leaf that hosts tell apart, at most 2^depth; one
         round trip for each batch, the guest encrypting the next one meanwhile.
Trusts   everyone to follow the protocol (semi-honest); what each party learns:
         docs/security/tree_prediction.md.
Source   Chen et al. 2021, "Fed-EINI", arXiv:2105.09540; entries are put together by us.

Hosts that ask nothing in any tree take no part; where no host does, the guest predicts alone.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml.boosting_model import SharedTree
from federatedml.crypto import ou, paillier, selected_sums
from federatedml.crypto.bigcipher import SecretKey
from federatedml.crypto.errors import DecryptedOutOfRange
from federatedml.crypto.selected_sums import Slots
from federatedml.crypto.wire import CipherVector, PublicKey
from federatedml.errors import BadModel
from federatedml.maths import leaf_columns, walks
from federatedml.maths.glm import Floats, Matrix
from federatedml.maths.leaf_columns import Leaves, Step
from federatedml.maths.walks import Forest, Nodes, Sparse
from federatedml.params_shared import EncryptParam
from federatedml.protocols import cipher_sum, keygen, tree_walk
from federation import GUEST, HOST, Context, Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

CELLS = 1 << 16
"""Ciphertexts of a batch at most: 32 MB of Paillier with 2048 bits."""

LEAST_SUMS = 10**9
"""With EINI_complexity_check, a score must be one of so many sums at least, for all that the
guest knows."""


ALL = -1
"""In place of a score's number: a tree whose leaves have a weight for every score."""

MAX_COUNT, MAX_SCORES = 1 << 30, 1 << 16


@codec.wire_struct
class Setup(msgspec.Struct, frozen=True):
    """model: fingerprint of the trees with questions of hosts. scores (T,): the one that each
    tree adds to, or ALL. n_scores: of a row. is_masked: whether the last host multiplies scores
    by a secret factor. batch: rows sent at a time."""

    model: bytes
    key: PublicKey
    scores: NDArray[np.int32]
    n_scores: int
    is_masked: bool
    batch: int

    def __describe__(self) -> str:
        return f"Setup[{len(self.scores)} trees, {self.n_scores} scores]"


class Wire:
    """All that leaves a party."""

    setup = Message[Setup](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="the guest's public key; how many scores a row has, and which of them each tree "
        "adds to",
    )
    entries = Message[CipherVector](
        {GUEST, HOST}, {HOST}, kind="ciphertext", reveals="nothing beside the number of rows"
    )
    scores = Message[CipherVector](
        {HOST},
        {GUEST},
        kind="ciphertext",
        reveals="the scores of every row, with EINI_random_mask all times one secret factor from "
        "1 to 2; no leaf, where a score does not give away which leaves add up to it",
    )


@dataclass(frozen=True)
class Layout:
    """How scores are put together, the same at all parties: n_lanes lanes of ``size`` scores each,
    the entries of the guest, and what each host of the chain makes of them."""

    n_lanes: int
    size: int
    leaves: Leaves
    steps: list[Step]

    @property
    def n_entries(self) -> int:
        """Of a row, as the guest sends them."""
        return self.steps[0].n_columns if self.steps else self.n_lanes


@dataclass(frozen=True)
class Entries:
    """The guest's end. weights (L, n_lanes, size): of leaves. start (n_lanes, size)."""

    forest: Forest
    x: Floats | Sparse
    layout: Layout
    weights: Floats
    start: Floats
    cores: int

    def met(self, rows: Nodes) -> NDArray[np.bool_]:
        """(r, L) whether the guest's conditions of the leaves are met."""
        conditions = self.layout.leaves.conditions
        return leaf_columns.met(self.forest, self.x, rows, conditions, cores=self.cores)

    def of(self, rows: Nodes) -> Floats:
        """(r, C, size) the entries."""
        met, layout = self.met(rows), self.layout
        out = np.zeros((len(met), layout.n_entries, layout.size))
        out[:, : layout.n_lanes] = self.start
        for i, columns in enumerate(layout.leaves.columns):
            for column, lane in columns:
                out[:, column] += met[:, i, None] * self.weights[i, lane]
        return out

    def check_complexity(self, n_rows: int) -> None:
        """Raises BadModel where a row's scores are one of too few sums. Of a tree all leaves
        count whose conditions at the guest are met: the hosts choose among those."""
        tree = self.layout.leaves.tree
        first = np.flatnonzero(np.diff(tree, prepend=-1))
        too_few = 0
        for rows in _batches(n_rows, max(1, CELLS // max(1, len(tree)))):
            open_leaves = np.add.reduceat(self.met(rows), first, axis=1, dtype=np.int64)
            too_few += int((np.log(open_leaves).sum(axis=1) < np.log(LEAST_SUMS)).sum())
        if too_few:
            raise BadModel(
                f"EINI_complexity_check: {too_few} of {n_rows} rows have scores that are one of "
                f"fewer than {LEAST_SUMS:.0e} sums, from which the guest could tell the hosts' "
                "answers: train more or deeper trees, let hosts ask more of the questions, or "
                "predict without EINI_complexity_check"
            )


def scores_at_guest(  # noqa: PLR0913 (what a model has to say of its scores)
    ctx: Context,
    trees: Sequence[SharedTree],
    tree_class: NDArray[np.integer],
    x: Matrix,
    learning_rate: float,
    init: Floats,
    param: EncryptParam,
    *,
    n_outputs: int,
    mask: bool,
    check_complexity: bool,
) -> Floats:
    """(n, c) init plus learning_rate times the weights of the leaves; with mask, all of it times
    a factor that only the last host knows.

    tree_class: (T,) the score that a tree adds to, unless its leaves have n_outputs = c weights.
    x: as of ``tree_walk.leaves_at_guest``. init: (c,). param: Paillier, unless OU is asked for.
    Raises BadModel for trees that do not fit, for scores that may be 2^31 or more, and with
    check_complexity for those that are sums of too few; KeyTooShort; ProtocolViolation.
    """
    forest, chain = tree_walk.forest_of(ctx, trees, x), tree_walk.asked_hosts(ctx, trees)
    several = [1 < n_outputs == shared.tree.weight.shape[1] for shared in trees]
    scores = np.where(several, ALL, np.asarray(tree_class, np.int32)).astype(np.int32)
    _check_size(trees, learning_rate, init)
    if not chain:
        LOG.info("EINI: no host asks anything in these trees, so the guest predicts alone")
        layout = _layout(ctx, forest, [], scores, n_outputs, 1)
        entries = _entries(ctx, forest, x, layout, trees, scores, learning_rate, init)
        return entries.of(np.arange(x.shape[0], dtype=np.int32))[:, :, 0]
    secret = (ou if param.scheme == ou.SCHEME else paillier).keygen(param.key_length)[1]
    keygen.tell(secret.public)
    slots = _slots(secret.public, scores, n_outputs, is_masked=mask)
    layout = _layout(ctx, forest, chain, scores, n_outputs, slots.size)
    entries = _entries(ctx, forest, x, layout, trees, scores, learning_rate, init)
    if check_complexity:
        entries.check_complexity(x.shape[0])
    model, batch = tree_walk.fingerprint(trees, chain), max(1, CELLS // layout.n_entries)
    setup = Setup(model, secret.public, scores, n_outputs, mask, batch)
    for host in chain:
        ctx.remote(Wire.setup, setup, to=host)  # (0)
    whole = _asked(ctx, entries, secret, slots, chain, list(_batches(x.shape[0], batch)))
    found = selected_sums.reals(whole, slots).reshape(x.shape[0], layout.n_lanes * slots.size)
    return np.ascontiguousarray(found[:, :n_outputs])


def answer_at_host(
    ctx: Context, trees: Sequence[SharedTree], x: Matrix, least_bits: int = 0
) -> None:
    """A host's part, for all of the guest's rows. x: (n, k) of this party.

    least_bits: length of key that this party asks for.
    Raises BadModel for trees that do not fit this party, ProtocolViolation, KeyTooShort.
    """
    forest, chain = tree_walk.forest_of(ctx, trees, x), tree_walk.asked_hosts(ctx, trees)
    if ctx.me not in chain:
        return
    setup = ctx.get(Wire.setup)  # (0)
    problem = _problem(setup, trees, tree_walk.fingerprint(trees, chain))
    if not problem and setup.key.key_bits < least_bits:
        problem = f"a key of {setup.key.key_bits} bits; encrypt_param asks here for {least_bits}"
    if problem:
        raise ProtocolViolation(ctx.guest, Wire.setup.name, problem)
    keygen.tell(setup.key)
    slots = _slots(setup.key, setup.scores, setup.n_scores, is_masked=setup.is_masked)
    layout = _layout(ctx, forest, chain, setup.scores, setup.n_scores, slots.size)
    place, read, cores = chain.index(ctx.me), walks.readable(x), getattr(ctx, "cores", 1)
    before, step, is_last = [ctx.guest, *chain][place], layout.steps[place], ctx.me == chain[-1]
    factor = selected_sums.factor() if setup.is_masked else None
    for rows in _batches(x.shape[0], setup.batch):
        c = ctx.get(Wire.entries, source=before)
        size = len(rows) * len(step.conditions)
        _check_vector(c, slots, (size, slots.bits), before, Wire.entries)
        met = leaf_columns.met(forest, read, rows, step.conditions, cores=cores)
        left = selected_sums.kept(c, met, step.sources, veils=not is_last, cores=cores)
        if is_last:
            ctx.remote(Wire.scores, selected_sums.closed(left, slots, factor, cores=cores))  # (3)
        else:
            ctx.remote(Wire.entries, left, to=chain[place + 1])  # (2)


def _problem(setup: Setup, trees: Sequence[SharedTree], model: bytes) -> str | None:
    """What is wrong with what the guest says of the prediction."""
    if setup.model != model:
        return "it predicts with other trees than this party has: predict with one model"
    scores = setup.scores
    if not (0 < setup.n_scores <= MAX_SCORES and 0 < setup.batch <= MAX_COUNT):
        return "no number of scores and rows"
    if scores.shape != (len(trees),) or ((scores < ALL) | (scores >= setup.n_scores)).any():
        return f"not one of {setup.n_scores} scores for each of {len(trees)} trees"
    return None


def _slots(key: PublicKey, scores: NDArray[np.int32], n_scores: int, *, is_masked: bool) -> Slots:
    """Scores that every leaf has a weight for travel together, others each on its own."""
    together = n_scores if (scores == ALL).any() else 1
    return selected_sums.slots(key, together, is_masked=is_masked)


def _layout(
    ctx: Context,
    forest: Forest,
    chain: Sequence[Party],
    scores: NDArray[np.int32],
    n_scores: int,
    size: int,
) -> Layout:
    n_lanes = -(-n_scores // size)
    lanes = [range(n_lanes) if s == ALL else (s // size,) for s in scores.tolist()]
    numbers = [ctx.parties.index(host) for host in chain]
    guest = ctx.parties.index(ctx.guest)
    return Layout(n_lanes, size, *leaf_columns.plan(forest, guest, numbers, lanes, n_lanes))


def _entries(
    ctx: Context,
    forest: Forest,
    x: Matrix,
    layout: Layout,
    trees: Sequence[SharedTree],
    scores: NDArray[np.int32],
    learning_rate: float,
    init: Floats,
) -> Entries:
    leaves, shape = layout.leaves, (layout.n_lanes, layout.size)
    weights = np.zeros((len(leaves.nodes), layout.n_lanes * layout.size))
    for t, shared in enumerate(trees):
        of_tree = np.flatnonzero(leaves.tree == t)
        weight = learning_rate * shared.tree.weight[leaves.nodes[of_tree] - forest.first[t]]
        first = max(0, int(scores[t]))
        weights[of_tree, first : first + weight.shape[1]] = weight
    start = np.zeros(layout.n_lanes * layout.size)
    start[: len(init)] = init
    cores = getattr(ctx, "cores", 1)
    split = weights.reshape(-1, *shape)
    return Entries(forest, walks.readable(x), layout, split, start.reshape(shape), cores)


def _check_size(trees: Sequence[SharedTree], learning_rate: float, init: Floats) -> None:
    """Raises BadModel for scores that do not fit what is encrypted."""
    largest = [float(np.abs(shared.tree.weight).max(initial=0.0)) for shared in trees]
    total = learning_rate * sum(largest) + float(np.abs(init).max(initial=0.0))
    if not total < 2.0**selected_sums.WHOLE_BITS:
        raise BadModel(
            f"the leaf weights of {len(trees)} trees may add up to 2^{selected_sums.WHOLE_BITS} or "
            "more, which EINI does not encrypt: scale the label, or predict without EINI_inference"
        )


def _batches(n_rows: int, size: int) -> Iterator[Nodes]:
    """The numbers of all rows, ``size`` at a time."""
    starts = range(0, n_rows, size)
    return (np.arange(i, min(i + size, n_rows), dtype=np.int32) for i in starts)


def _asked(
    ctx: Context,
    entries: Entries,
    secret: SecretKey,
    slots: Slots,
    chain: Sequence[Party],
    batches: Sequence[Nodes],
) -> list[int]:
    """Steps (1) and (3) for all rows: the scores as whole numbers. While the hosts have one batch,
    the next one is encrypted."""
    found: list[int] = []
    for i, rows in enumerate(batches):
        table = selected_sums.sealed(entries.of(rows), slots, cores=entries.cores)
        ctx.remote(Wire.entries, table, to=chain[0])  # (1)
        if i:
            found += _opened(ctx, entries, secret, slots, chain[-1], len(batches[i - 1]))
    if batches:
        found += _opened(ctx, entries, secret, slots, chain[-1], len(batches[-1]))
    return found


def _opened(
    ctx: Context, entries: Entries, secret: SecretKey, slots: Slots, host: Party, n_rows: int
) -> list[int]:
    """The scores of a batch. Raises ProtocolViolation."""
    c, n_cells = ctx.get(Wire.scores, source=host), n_rows * entries.layout.n_lanes
    _check_vector(
        c, slots, (selected_sums.n_texts(n_cells, slots), slots.text_bits), host, Wire.scores
    )
    try:
        return selected_sums.opened(secret, c, n_cells, slots, cores=entries.cores)
    except DecryptedOutOfRange as error:
        raise ProtocolViolation(host, Wire.scores.name, str(error)) from error


def _check_vector(
    c: CipherVector,
    slots: Slots,
    expected: tuple[int, int],
    peer: Party,
    message: Message[CipherVector],
) -> None:
    """expected: length and bits. Raises ProtocolViolation."""
    cipher_sum.received(c, slots.key, expected[0], peer, message)
    if (c.bits, c.scale_bits) != (expected[1], 0):
        raise ProtocolViolation(peer, message.name, f"not whole numbers of {expected[1]} bits")
