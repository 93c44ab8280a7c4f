"""Products of a matrix of one party with a secret vector of the other, as two additive shares.

Guest and host each hold a lattice key. The owner of a vector sends it encrypted under its own
key; the other multiplies its matrix with it, hides the result under a uniform mask, which is its
share, and sends it back; what the owner of the vector decrypts is the other share. Everything is
exact, modulo 2^128. No ciphertext shares randomness with another, and a returned one is flooded:
``crypto.lattice``. (FATE 1.x reused one obfuscation for a whole vector, which gives away the
differences of its entries: docs/security/sshe.md.)
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from federatedml.component import Ctx
from federatedml.crypto import lattice, rings
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.lattice_wire import PublicKey, SealedProduct, SealedVector
from federatedml.crypto.rings import Integers, Words
from federatedml.errors import BadData
from federation import GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation

BITS: rings.WordBits = 128
LIMB_BITS = 22
"""Bits of a digit of a word."""

LIMBS = rings.limb_count(LIMB_BITS, BITS)

NORM_BITS = 36.0
"""log2 of the L2 norm that a column may have at most; of digits, that of 2^28 rows."""

LEAST_NORM_BITS = 32.0
"""What it may have in any matrix."""

ENTRY_BITS = 30
"""log2 of the root mean square of a column's entries, in between, if no more columns than rows."""

BUDGET = 1 << 30
"""Bytes of transforms of matrices that are multiplied again and again."""


class Wire:
    """All that leaves a party for products."""

    key = Message[PublicKey]({GUEST, HOST}, {GUEST, HOST}, kind="plain", reveals="nothing")
    vector = Message[SealedVector](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="ciphertext",
        reveals="its length, and how many columns the receiver has",
    )
    product = Message[SealedProduct](
        {GUEST, HOST},
        {GUEST, HOST},
        kind="masked",
        reveals="nothing: uniform words to who decrypts it",
    )


@dataclass(frozen=True)
class Link:
    """One party's end. theirs: the peer's public key."""

    params: lattice.Parameters
    secret: lattice.SecretKey
    theirs: PublicKey

    @property
    def security(self) -> str:
        """A line for the log and the summary: scheme, sizes, bits of security, assumption."""
        return self.params.describe()


def peer(ctx: Ctx) -> Party:
    return ctx.hosts[0] if ctx.role == GUEST else ctx.guest


def linked(ctx: Ctx) -> Link:
    """Fresh keys of both parties. Reveals nothing.

    Raises ProtocolViolation for a key of another parameter set.
    """
    params = lattice.parameters(word_bits=BITS)
    secret = lattice.keygen(params)
    ctx.remote(Wire.key, secret.public)
    theirs = ctx.get(Wire.key)
    if theirs.params != params:
        raise ProtocolViolation(peer(ctx), Wire.key.name, f"no key for {params.describe()}")
    return Link(params, secret, theirs)


def columns(link: Link, matrix: Integers, name: str, budget: int = 0) -> lattice.Ready:
    """A matrix (inner, outputs) of integers, ready to be multiplied.

    budget: bytes that its transforms may take, where it will be multiplied again.
    Raises BadData where a column is longer than ``norm_bits`` allows.
    """
    try:
        return lattice.prepare(link.params, _tile(link, *matrix.shape), matrix, budget=budget)
    except PlaintextOutOfRange:
        raise BadData(
            f"{name}: features are too large for training on shares; scale them (FeatureScale)"
        ) from None


def _tile(link: Link, inner: int, outputs: int) -> lattice.Tile:
    return lattice.tile(link.params, inner, outputs, norm_bits(inner, outputs))


def norm_bits(inner: int, outputs: int) -> float:
    """log2 of the L2 norm that a column of an (inner, outputs) matrix may have, by sizes alone.

    Many short columns may not be as long as a few of many rows: so they share a ciphertext.
    """
    entry = ENTRY_BITS if outputs <= inner else LIMB_BITS
    return min(NORM_BITS, max(LEAST_NORM_BITS, entry + math.log2(inner) / 2))


def digits(link: Link, words: Words, name: str, budget: int = 0) -> lattice.Ready:
    """A matrix of words (inner, c) as LIMBS columns of digits for each of its own."""
    cut = rings.limbs(words, BITS, LIMB_BITS)
    return columns(link, cut.reshape(len(cut), -1), name, budget)


def joined(products: Words) -> Words:
    """(c,) products with words from those with their digits, (c * LIMBS,)."""
    return rings.from_limbs(products.reshape(-1, LIMBS, 2), BITS, LIMB_BITS)


def offer(ctx: Ctx, link: Link, vector: Words, *outputs: int) -> None:
    """Send a vector (n,) for matrices of the peer's, (n, outputs) each.

    A ciphertext depends on how its vector is cut, and often that is alike for all of them: then
    it is sent once.
    """
    for cut in _distinct([_tile(link, len(vector), number) for number in outputs]):
        ctx.remote(Wire.vector, link.secret.encrypt(vector, cut, cores=ctx.cores))


def _distinct(tiles: Sequence[lattice.Tile]) -> list[lattice.Tile]:
    """The first of those that cut a vector alike."""
    return list({cut.inner_block: cut for cut in reversed(tiles)}.values())[::-1]


def answered(ctx: Ctx, link: Link, *matrices: lattice.Ready) -> list[Words]:
    """(outputs,) this party's shares of its matrices times the next vector that the peer offers.

    Raises ProtocolViolation for a vector that does not fit, or of another key.
    """
    sealed: dict[int, SealedVector] = {}
    for cut in _distinct([matrix.tile for matrix in matrices]):
        vector = ctx.get(Wire.vector)
        if vector.tile != cut:
            raise ProtocolViolation(peer(ctx), Wire.vector.name, "it does not fit the matrix")
        _refuse_foreign(ctx, Wire.vector.name, vector, link.theirs)
        sealed[cut.inner_block] = vector
    shares = []
    for matrix in matrices:
        vector = replace(sealed[matrix.tile.inner_block], tile=matrix.tile)
        product, mask = link.theirs.multiply([(vector, matrix)], cores=ctx.cores)
        ctx.remote(Wire.product, product)
        shares.append(rings.neg(mask, BITS))
    return shares


def opened(ctx: Ctx, link: Link, inner: int, outputs: int) -> Words:
    """(outputs,) this party's share of the product that it offered a vector (inner,) for.

    Raises ProtocolViolation for a product of other sizes, parameters or another key.
    """
    product, own = ctx.get(Wire.product), link.secret.public
    cut = _tile(link, inner, outputs)
    if product.tile != cut:
        found = f"a product {_sizes(product.tile)} in place of {_sizes(cut)}"
        raise ProtocolViolation(peer(ctx), Wire.product.name, found)
    _refuse_foreign(ctx, Wire.product.name, product, own)
    return link.secret.open(product, cores=ctx.cores)


def _sizes(cut: lattice.Tile) -> str:
    return f"of {cut.inner} rows and {cut.outputs} columns of norm 2^{cut.norm_bits:g}"


def _refuse_foreign(
    ctx: Ctx, name: str, found: SealedVector | SealedProduct, key: PublicKey
) -> None:
    """Raises ProtocolViolation for a ciphertext of another key or parameter set."""
    if found.params != key.params or found.key != key.fingerprint:
        raise ProtocolViolation(peer(ctx), name, "it was made under another key")
