"""The exchange of a coordinated linear model in which every party encrypts under its own key.

Parties  guest: features X_g, and of the residual d = c + f v the constant c and maybe a factor f;
         hosts: features X_h and v; arbiter: adds up the loss, and has no key.
Maths    X_h^T d = X_h^T c + (diag(v) X_h)^T f  and  X_g^T d = X_g^T c + (diag(f) X_g)^T v: each
         term is one party's matrix times another's vector. So is the loss, own + c.eta_h +
         f.squared(v), and eta_j.v_k for hosts j < k. Integers modulo 2^64 (``crypto.scaling``).
Round    once                               [.] is a vector under the key of who owns it
         (0) each -> the others   the public half of a fresh key; number of features
         for each batch
         (1) guest -> hosts       [c], and [f] if there is one; each host -> all others  [v]
         (2) each -> the owner    X^T u + r, r uniform and known to the owner of X alone; a host's
                                  X has one more entry, for the loss
         (3) each -> owner of X   X^T u + r without the loss's entry; where several parties answer
                                  for one X, plus pads that cancel in their sum
         (4) each -> arbiter      its part of the loss modulo 2^64, uniform but for the sum
Trusts   everyone to follow the protocol (semi-honest), the arbiter not to collude.
Source   the product is ``crypto.lattice``'s. What each party learns, and why it is no more than
         under an arbiter's key: docs/security/exchange_own_keys.md.

A factor with several hosts is not bilinear: such a training needs the other exchange.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace

import msgspec
import numpy as np
from scipy import sparse

from federatedml.component import Ctx
from federatedml.crypto import lattice, scaling
from federatedml.crypto.lattice_wire import PublicKey, SealedProduct, SealedVector
from federatedml.crypto.scaling import Words
from federatedml.errors import BadData
from federatedml.maths.family import Family, Share
from federatedml.maths.glm import Floats, Matrix
from federatedml.protocols import secure_sum
from federatedml.protocols.exchange import Rows, Slice
from federatedml.protocols.own_columns import Columns, Term
from federatedml.protocols.secure_sum import Pads
from federation import ARBITER, GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

SUM_BITS = 62
"""The terms of the loss are below 2^62 together, as whole numbers."""

MAX_COLUMNS, MAX_ROOM = 1 << 20, 1 << 12


@codec.wire_struct
class Vectors(msgspec.Struct, frozen=True):
    """What a party contributes to the residual, under its own key.

    sealed: the guest's constant and maybe factor; a host's v. bits: their fraction bits.
    room: the fraction bits that the loss may have for the sender's own part of it, and at a host
    those that the columns eta and squared(v) may have; empty where no loss is wanted.
    """

    sealed: list[SealedVector]
    bits: list[int]
    room: list[int]

    def __describe__(self) -> str:
        return f"Vectors[{', '.join(map(codec.describe, self.sealed))}]"


@codec.wire_struct
class LossPart(msgspec.Struct, frozen=True):
    """word: (1,) a share modulo 2^64 of a number with ``bits`` fraction bits."""

    word: Words
    bits: int


class Wire:
    """All that leaves a party, beside what the trainer declares."""

    key = Message[PublicKey]({GUEST, HOST}, {GUEST, HOST}, kind="plain", reveals="nothing")
    pad_key = Message[bytes]({GUEST, HOST}, {GUEST, HOST}, kind="plain", reveals="nothing")
    n_columns = Message[int](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="plain",
        reveals="the sender's number of features, with its intercept",
    )
    vectors = Message[Vectors](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="ciphertext",
        reveals="in steps of 2^4 the largest sizes over all the sender's training rows: of its "
        "vectors, of its part of a row's loss, of a host's scores; of the guest whether rows are "
        "weighted or masked",
    )
    product = Message[SealedProduct]({GUEST, HOST}, {GUEST, HOST}, kind="masked", reveals="nothing")
    opened = Message[Words](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="masked",
        reveals="the receiver's gradient over the batch",
    )
    loss = Message[LossPart](
        {GUEST, HOST},
        {ARBITER},
        kind="share",
        reveals="the loss of the batch, its size in steps of 2^4",
    )


@dataclass(frozen=True)
class Keys:
    """Of one fit: this party's secret key, the others' public ones, and keys of pads."""

    secret: lattice.SecretKey
    public: Mapping[Party, PublicKey]
    pads: Mapping[Party, Pads]


def opened(ctx: Ctx, family: Family) -> OwnKeys:
    """Step (0): fresh keys for one fit.

    Cost: a public key to each other guest or host. Raises ProtocolViolation for a key of another
    parameter set.
    """
    params = lattice.parameters(word_bits=64)
    if ctx.role == ARBITER:
        return OwnKeys(family, params, None, Columns(params, ctx.cores))
    secret = lattice.keygen(params)
    ctx.remote(Wire.key, secret.public)
    public = ctx.gather(Wire.key)
    for party, key in public.items():
        if key.params != params:
            raise ProtocolViolation(party, Wire.key.name, f"no key for {params.describe()}")
    return OwnKeys(family, params, Keys(secret, public, _pads(ctx)), Columns(params, ctx.cores))


def _pads(ctx: Ctx) -> dict[Party, Pads]:
    """By owner of a matrix: what this party's answers to it are hidden with. None with one host,
    where nobody else answers."""
    if len(ctx.hosts) == 1:
        return {}
    agreed = secure_sum.agreed(ctx, Wire.pad_key).keys
    return {
        owner: Pads(
            ctx.me,
            {
                peer: hashlib.blake2b(str(owner).encode(), key=key, digest_size=32).digest()
                for peer, key in agreed.items()
                if peer != owner
            },
        )
        for owner in agreed
    }


def spread(share: Share, part: Slice) -> list[Floats]:
    """[constant] of the shown rows, or [constant, factor], both zero where a row is a decoy."""
    if part.at is None:
        return [share.constant] if share.factor is None else [share.constant, share.factor]
    constant, factor = np.zeros(part.n_shown), np.zeros(part.n_shown)
    constant[part.at] = share.constant
    factor[part.at] = 1.0 if share.factor is None else share.factor
    return [constant, factor]


def at_rows(x: Matrix, at: Rows, n_rows: int) -> Matrix:
    """(n_rows, k) x's rows at these places, which rise, and zeros elsewhere."""
    if isinstance(x, np.ndarray):
        out = np.zeros((n_rows, x.shape[1]))
        out[at] = x
        return out
    sizes = np.zeros(n_rows + 1, dtype=x.indptr.dtype)
    sizes[at + 1] = np.diff(x.indptr)
    return sparse.csr_matrix((x.data, x.indices, np.cumsum(sizes)), shape=(n_rows, x.shape[1]))


@dataclass
class OwnKeys:
    """One party's end. keys: None at the arbiter. n_columns: of every guest and host."""

    family: Family
    params: lattice.Parameters
    keys: Keys | None
    columns: Columns
    n_columns: dict[Party, int] = field(default_factory=dict)

    @property
    def security(self) -> str:
        return self.params.describe()

    def renewed(self) -> OwnKeys:
        return OwnKeys(self.family, self.params, self.keys, self.columns.renewed())

    def guest(self, ctx: Ctx, part: Slice, share: Share, own: float | None) -> Floats:
        vectors = spread(share, part)
        factor = vectors[1] if len(vectors) > 1 else None
        with _as_bad_data(ctx):
            bound = part.sizes.own * part.n_shown
            room = [] if own is None else [scaling.sum_room(bound, _term_bits(ctx))]
        sealed = self._exchanged(ctx, part, vectors, room)  # (1)
        if part.at is not None:
            part = replace(part, x=at_rows(part.x, part.at, part.n_shown), at=None, number=None)
        terms = {
            host: [Term(sealed[host].sealed[0], sealed[host].bits[0], rows=factor)]
            for host in ctx.hosts
        }
        local = np.asarray(part.x.T @ vectors[0])
        return local + self._multiplied(ctx, part, terms, agreed_loss(ctx, sealed, own))

    def host(self, ctx: Ctx, part: Slice, eta: Floats, v: Floats, own: float | None) -> Floats:
        assert self.keys is not None
        squared, sizes, room = self.family.squared(v), part.sizes, list[int]()
        with _as_bad_data(ctx):
            if own is not None:
                n, bits = part.n_shown, _term_bits(ctx)
                room = [scaling.sum_room((sizes.own + sizes.squared) * n, bits)]
                room += [scaling.column_room(s, n, bits) for s in (sizes.eta, sizes.squared)]
        sealed = self._exchanged(ctx, part, [v], room)  # (1)
        has_factor = len(sealed[ctx.guest].sealed) > 1
        if own is not None and not has_factor:
            own += float(squared.sum())
        loss, terms = agreed_loss(ctx, sealed, own), {}
        for owner in self.keys.public:
            is_wanted = loss.is_wanted and _has_entry(ctx, ctx.me, owner)
            theirs = sealed[owner]
            parts = zip(theirs.sealed, theirs.bits, (None, v), (eta, squared), strict=False)
            terms[owner] = [
                Term(u, bits, rows, column if is_wanted else None, loss.bits)
                for u, bits, rows, column in parts
            ]
        found = self._multiplied(ctx, part, terms, loss)
        return found if has_factor else found + np.asarray(part.x.T @ v)

    def arbiter(self, ctx: Ctx, *, with_loss: bool) -> float:
        if not with_loss:
            return 0.0
        parts = ctx.gather(Wire.loss)  # (4)
        bits = parts[ctx.guest].bits
        total = np.zeros(1, np.uint64)
        for party, part in parts.items():
            if not _are_ints([bits], 1) or part.bits != bits or not _is_words(part.word, 1):
                raise ProtocolViolation(party, Wire.loss.name, "no share of the guest's loss")
            total = total + part.word
        return float(scaling.reals(total, np.array([bits]))[0])

    def _exchanged(
        self, ctx: Ctx, part: Slice, vectors: Sequence[Floats], room: list[int]
    ) -> dict[Party, Vectors]:
        """Step (1): this party's vectors to all, and everyone's, its own among them."""
        assert self.keys is not None
        if not self.n_columns:
            self._compare_columns(ctx, part.x.shape[1])
        with _as_bad_data(ctx):
            bits = [scaling.fraction_bits(s) for s in part.sizes.vectors[: len(vectors)]]
        words = [scaling.words(u, f) for u, f in zip(vectors, bits, strict=True)]
        found = {ctx.me: Vectors([], bits, room)}
        for party in self.keys.public:
            cut = self._cut(ctx, party, ctx.me, part.n_shown, with_loss=bool(room))
            sealed = [self.keys.secret.encrypt(u, cut, cores=ctx.cores) for u in words]
            ctx.remote(Wire.vectors, Vectors(sealed, bits, room), to=party)
        for party, theirs in ctx.each(Wire.vectors):
            cut = self._cut(ctx, ctx.me, party, part.n_shown, with_loss=bool(room))
            key = self.keys.public[party]
            problem = _problem(ctx, party, theirs, cut, key, with_loss=bool(room))
            if problem:
                raise ProtocolViolation(party, Wire.vectors.name, problem)
            found[party] = theirs
        return found

    def _compare_columns(self, ctx: Ctx, n_columns: int) -> None:
        """Step (0), the rest: how many columns everyone's matrix has."""
        ctx.remote(Wire.n_columns, n_columns)
        self.n_columns[ctx.me] = n_columns
        for party, theirs in ctx.gather(Wire.n_columns).items():
            if not 0 < theirs <= MAX_COLUMNS:
                raise ProtocolViolation(party, Wire.n_columns.name, "no number of features")
            self.n_columns[party] = theirs

    def _cut(
        self, ctx: Ctx, matrix: Party, vector: Party, n_rows: int, *, with_loss: bool
    ) -> lattice.Tile:
        """How the product of these owners' matrix and vector is cut."""
        further = with_loss and _has_entry(ctx, matrix, vector)
        return lattice.tile(self.params, n_rows, self.n_columns[matrix] + further)

    def _multiplied(
        self, ctx: Ctx, part: Slice, terms: Mapping[Party, list[Term]], loss: Loss
    ) -> Floats:
        """Steps (2) to (4): (k,) the sum of this party's products with everyone's vectors."""
        assert self.keys is not None
        k = part.x.shape[1]
        with _as_bad_data(ctx):
            every = [term for of_owner in terms.values() for term in of_owner]
            exponents = self.columns.exponents(part.x, part.number, every)
        masks, total, entries = {}, np.zeros(k, np.uint64), []
        for owner, of_owner in terms.items():
            product, masks[owner] = self.columns.product(
                self.keys.public[owner], part.x, part.number, of_owner, exponents
            )
            ctx.remote(Wire.product, product, to=owner)  # (2)
        for party, product in ctx.each(Wire.product):
            cut = self._cut(ctx, party, ctx.me, part.n_shown, with_loss=loss.is_wanted)
            if product.tile != cut:
                raise ProtocolViolation(party, Wire.product.name, f"not {cut.outputs} numbers")
            if not _is_under(product, self.keys.secret.public):
                raise ProtocolViolation(party, Wire.product.name, "made under another key")
            words = self.keys.secret.open(product, cores=ctx.cores)
            answer, entry = np.split(words, [self.n_columns[party]])
            pads = self.keys.pads.get(party)
            ctx.remote(Wire.opened, answer if pads is None else pads.hide(answer), to=party)  # (3)
            entries.append(entry)
        for party, words in ctx.each(Wire.opened):
            if not _is_words(words, k):
                raise ProtocolViolation(party, Wire.opened.name, f"not {k} numbers")
            total = total + words - masks[party][:k]
            entries.append(-masks[party][k:])
        if loss.is_wanted:
            ctx.remote(Wire.loss, LossPart(loss.word(entries), loss.bits))  # (4)
        return scaling.reals(total, exponents)


@dataclass(frozen=True)
class Loss:
    """own: this party's own part of the batch's loss; None where no loss is wanted.
    bits: fraction bits of the loss."""

    own: float | None
    bits: int

    @property
    def is_wanted(self) -> bool:
        return self.own is not None

    def word(self, entries: Sequence[Words]) -> Words:
        """(1,) this party's share. entries: (1,) or (0,) words of the products it has part in."""
        assert self.own is not None
        whole = np.concatenate([scaling.word(self.own, self.bits), *entries])
        return np.asarray(whole.sum(dtype=np.uint64, keepdims=True))


def agreed_loss(ctx: Ctx, sealed: Mapping[Party, Vectors], own: float | None) -> Loss:
    """At the most fraction bits that everyone's room allows; all parties find the same."""
    if own is None:
        return Loss(None, 0)
    bits = [vectors.room[0] for vectors in sealed.values()]
    for host in ctx.hosts:
        for owner, vectors in sealed.items():
            if _has_entry(ctx, host, owner):
                columns = sealed[host].room[1:]
                bits += [f + room for f, room in zip(vectors.bits, columns, strict=False)]
    return Loss(own, min(bits))


def _has_entry(ctx: Ctx, matrix: Party, vector: Party) -> bool:
    """Whether the product of these owners' matrix and vector has an entry for the loss: every
    host's with the guest's, and of two hosts the first one's."""
    order = (*ctx.hosts, ctx.guest)
    return order.index(matrix) < order.index(vector)


def _term_bits(ctx: Ctx) -> int:
    """A bound of a term of the loss: own parts, the guest's two vectors, and pairs of hosts."""
    h = len(ctx.hosts)
    return SUM_BITS - (1 + 3 * h + h * (h - 1) // 2).bit_length()


def _problem(
    ctx: Ctx,
    party: Party,
    theirs: Vectors,
    cut: lattice.Tile,
    key: PublicKey,
    *,
    with_loss: bool,
) -> str | None:
    """What is wrong with a peer's vectors."""
    counts = (1, 2) if party == ctx.guest and len(ctx.hosts) == 1 else (1,)
    if not isinstance(theirs.sealed, list) or len(theirs.sealed) not in counts:
        return f"not {' or '.join(map(str, counts))} vectors"
    if not all(isinstance(u, SealedVector) and u.tile == cut for u in theirs.sealed):
        return f"no vectors of {cut.inner} rows"
    if not all(_is_under(u, key) for u in theirs.sealed):
        return "encrypted under another key"
    if not _are_ints(theirs.bits, len(theirs.sealed)) or not set(theirs.bits) <= set(
        scaling.LADDER
    ):
        return "fraction bits that are not of the ladder"
    wanted = 0 if not with_loss else 1 if party == ctx.guest else 3
    sound = _are_ints(theirs.room, wanted) and all(abs(r) <= MAX_ROOM for r in theirs.room)
    return None if sound else "no scales for the loss"


def _is_under(found: SealedVector | SealedProduct, key: PublicKey) -> bool:
    """Whether a ciphertext is of this key and its parameters."""
    return found.params == key.params and found.key == key.fingerprint


def _are_ints(found: object, length: int) -> bool:
    return (
        isinstance(found, list)
        and len(found) == length
        and all(isinstance(one, int) for one in found)
    )


def _is_words(found: object, length: int) -> bool:
    return isinstance(found, np.ndarray) and found.dtype == np.uint64 and found.shape == (length,)


@contextmanager
def _as_bad_data(ctx: Ctx) -> Iterator[None]:
    """What the scaling refuses is the data's fault."""
    try:
        yield
    except ValueError as error:
        raise BadData(f"{ctx.name}: {error}") from error
