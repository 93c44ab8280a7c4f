"""Correlations between the columns of two parties, which both learn, and nothing else.

Parties  two of guest and hosts; whoever has fewer columns encrypts (the guest, if as many).
Maths    Columns of unit length; entries in fixed point, SEALED_BITS and PLAIN_BITS after the point.
         Inner products are exact integers modulo 2^128 (``crypto.lattice_columns``), of which one
         party gets the sum with a uniform mask, the other the mask: two shares. Each cuts its own
         (``rings.truncate``), so that what is opened has OPENED_BITS after the point.
Round    (1) encrypter -> other   its public key, and its columns encrypted
         (2) other -> encrypter   inner products, masked
         (3) each -> other        its share of the rounded correlations
Trusts   everyone to follow the protocol (semi-honest): docs/security/hetero_pearson.md.
Source   crypto.lattice; Mohassel and Zhang 2017 (SecureML), section 4.1, for the rounding.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from federatedml.component import Ctx
from federatedml.crypto import lattice, lattice_columns, rings, sampling
from federatedml.crypto.errors import BadCiphertext, ForeignKey
from federatedml.crypto.lattice_columns import Layout, Sums
from federatedml.crypto.lattice_wire import Products, PublicKey, SealedVector
from federatedml.crypto.rings import Words
from federatedml.maths.correlation import Columns
from federatedml.maths.glm import Floats
from federation import GUEST, HOST, Message, Party
from federation.errors import ProtocolViolation

BOTH = {GUEST, HOST}
BITS: rings.WordBits = 128

SEALED_BITS, PLAIN_BITS, OPENED_BITS = 44, 36, 40
"""Fraction bits. Errors: below sqrt(n) 2^-45; about 2^-37, for entries are rounded by lot; 2^-40.
A share's truncation fails with a chance of 2^(44 + 36 + 1 - 128) for each correlation, and then the
result is far beyond 1 and refused."""

BEYOND = 1 + 2.0**-20
"""No correlation is larger, its error included."""


class Wire:
    """All that leaves a party for correlations with another."""

    key = Message[PublicKey](BOTH, BOTH, kind="plain", reveals="nothing")
    columns = Message[SealedVector](
        BOTH, BOTH, kind="ciphertext", reveals="number of rows and of columns that vary"
    )
    products = Message[Products](
        BOTH, BOTH, kind="masked", reveals="nothing: uniform words to who decrypts it"
    )
    opened = Message[NDArray[np.uint64]](
        BOTH,
        BOTH,
        kind="share",
        reveals="correlations of the guest's columns with the host's, to 2^-40",
    )


class Crossing:
    """One party's part of one conversation: ``begin``, then ``finish``; begin them all first.

    columns: this party's. at: which of them vary, at least one. theirs: how many of the peer's do.
    """

    def __init__(
        self, ctx: Ctx, peer: Party, columns: Columns, at: Sequence[int], theirs: int
    ) -> None:
        self._ctx, self._peer, self._columns, self._at = ctx, peer, columns, list(at)
        mine, rows = len(self._at), columns.x.shape[0]
        self._seals = mine < theirs or (mine == theirs and ctx.role == GUEST)
        sides = (mine, theirs) if self._seals else (theirs, mine)
        self._layout: Layout = lattice_columns.laid_out(rows, *sides)
        self._secret = lattice.keygen(self._layout.params) if self._seals else None

    def begin(self) -> None:
        """Send what the peer needs, without waiting."""
        if self._secret is None:
            return
        layout, ctx = self._layout, self._ctx
        ctx.remote(Wire.key, self._secret.public, to=self._peer)  # (1)
        for _ in layout.strips:
            for part in layout.parts:
                x = self._columns.unit(part.start, part.stop, self._at)
                for group in layout.groups:
                    own = x[:, group.start : group.stop]
                    words = rings.encode(own, SEALED_BITS, BITS)
                    vector = lattice_columns.sealed(self._secret, words, layout, cores=ctx.cores)
                    ctx.remote(Wire.columns, vector, to=self._peer)  # (1)

    def finish(self) -> Floats:
        """(mine, theirs) the correlations.

        Raises ProtocolViolation for what does not belong to the conversation, and in the end for a
        correlation beyond 1.
        """
        share = self._answered() if self._secret is None else self._decrypted(self._secret)
        surplus = SEALED_BITS + PLAIN_BITS - OPENED_BITS
        share = rings.truncate(share, surplus, 1 if self._secret is None else 0, BITS)
        self._ctx.remote(Wire.opened, share, to=self._peer)  # (3)
        theirs = self._ctx.get(Wire.opened, source=self._peer)
        if theirs.shape != share.shape:
            problem = f"shape {theirs.shape} in place of {share.shape}"
            raise ProtocolViolation(self._peer, Wire.opened.name, problem)
        found = rings.decode(rings.add(share, theirs, BITS), OPENED_BITS, BITS)
        if not (np.abs(found) <= BEYOND).all():
            problem = "a correlation is beyond 1: its columns are not of unit length; run again"
            raise ProtocolViolation(self._peer, Wire.opened.name, problem)
        clipped = np.clip(found, -1.0, 1.0)
        return clipped if self._secret is not None else clipped.T

    def _decrypted(self, secret: lattice.SecretKey) -> Words:
        """(sealed, plain, 2) the encrypter's share."""
        layout, strips = self._layout, []
        for strip in layout.strips:
            groups = []
            for group in layout.groups:
                product = self._ctx.get(Wire.products, source=self._peer)
                sizes = len(strip), len(group)
                try:
                    words = lattice_columns.opened(
                        secret, product, layout, *sizes, cores=self._ctx.cores
                    )
                except (ForeignKey, BadCiphertext) as error:
                    raise ProtocolViolation(self._peer, Wire.products.name, str(error)) from None
                groups.append(words)
            strips.append(np.concatenate(groups))
        return np.concatenate(strips, axis=1)

    def _answered(self) -> Words:
        """(sealed, plain, 2) the other's share, once the masked products are sent."""
        layout, ctx, strips = self._layout, self._ctx, []
        key = ctx.get(Wire.key, source=self._peer)
        if key.params != layout.params:
            problem = f"no key for {layout.params.describe()}"
            raise ProtocolViolation(self._peer, Wire.key.name, problem)
        for strip in layout.strips:
            sums = Sums(key, layout, len(strip), cores=ctx.cores)
            for part in layout.parts:
                vectors = [ctx.get(Wire.columns, source=self._peer) for _ in layout.groups]
                try:
                    sums.add(vectors, self._whole(part, strip))
                except (ForeignKey, BadCiphertext) as error:
                    raise ProtocolViolation(self._peer, Wire.columns.name, str(error)) from None
            products, masks = sums.returned()
            for product in products:
                ctx.remote(Wire.products, product, to=self._peer)  # (2)
            strips.append(rings.neg(masks, BITS))
        return np.concatenate(strips, axis=1)

    def _whole(self, part: range, strip: range) -> Floats:
        """(columns, rows) of this party as whole numbers, rounded up or down by lot.

        Rounding to the nearest would err alike wherever a column has the same value, so that the
        errors of a column with few values would add up.
        """
        x = self._columns.unit(part.start, part.stop, [self._at[i] for i in strip])
        turned = np.ascontiguousarray(np.ldexp(x, PLAIN_BITS).T)
        lots = sampling.secret_stream().words(turned.size).reshape(turned.shape)
        whole: Floats = np.floor(turned + np.ldexp((lots >> np.uint64(11)).astype(np.float64), -53))
        return whole
