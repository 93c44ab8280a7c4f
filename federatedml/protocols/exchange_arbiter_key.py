"""X^T d and the loss under one key, the arbiter's: Paillier or OU.

Parties  guest, hosts, and the arbiter, who has the only secret key.
Maths    d = constant + factor * (sum of the hosts' v), as a vector of ciphertexts. Where v is
         linear in eta (v = c eta) and d too, the loss is, with ``own`` of the guest,
             own + sum_h d.eta_h / 2 + (d - constant).(constant / factor) / 2c;
         for one host of a multiplying family (Poisson, squared(v) = v) it is
             own + constant.eta_h + (d - constant).1.
Round    (1) host -> guest        [v_h], of the rows that the host is shown
         (2) guest -> hosts       [d], refreshed; [0] for shown rows that are not in the batch
         (3) each -> arbiter      [X_p^T d + r_p], r_p uniform and known to the sender alone
         (4) arbiter -> each      X_p^T d + r_p; the party takes r_p off
         if the loss is wanted
         (5) host -> guest        [eta_h], where the family multiplies
         (6) host -> guest -> arbiter  [loss]: shares of it, added up, refreshed
Trusts   the arbiter not to collude; everyone to follow the protocol (semi-honest).
Source   Hardy et al. 2017, arXiv:1711.10677; decision 40 for the blinding.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np

from federatedml.component import Ctx
from federatedml.crypto.bigcipher import SCALE_BITS, VALUE_BITS, SecretKey
from federatedml.crypto.wire import CipherVector, PublicKey
from federatedml.maths import glm
from federatedml.maths.family import Family, Share
from federatedml.maths.glm import Floats
from federatedml.params_shared import EncryptParam
from federatedml.protocols import cipher_sum, keygen
from federatedml.protocols.cipher_sum import received
from federatedml.protocols.exchange import Slice
from federation import ARBITER, GUEST, HOST, Message

LOG = logging.getLogger(__name__)

FACTOR_SCALE_BITS = 32
"""Fractional bits of what multiplies the hosts' parts: sample weights, means of counts."""

FACTOR_BITS = FACTOR_SCALE_BITS + 31
"""A factor is below 2^31: weights sum up to the number of rows."""

FULL_PRECISION = 48
"""Fractional bits of features where floating_point_precision is null."""

ENTRY_BITS = 32
"""Whole bits of what multiplies the residual: features (up to 1e8) and twice a part."""


class Wire:
    key = Message[PublicKey]({ARBITER}, {GUEST, HOST}, kind="plain", reveals="nothing")
    score = Message[CipherVector]({HOST}, {GUEST}, kind="ciphertext", reveals="nothing")
    residual = Message[CipherVector](
        {GUEST}, {HOST}, kind="ciphertext", reveals="whether rows are weighted"
    )
    gradient = Message[CipherVector](
        {GUEST, HOST},
        {ARBITER},
        kind="masked",
        reveals="roughly how many features the sender has; whether rows are weighted",
    )
    opened = Message[list[int]](
        {ARBITER}, {GUEST, HOST}, kind="masked", reveals="the receiver's gradient over the batch"
    )
    exponent = Message[CipherVector]({HOST}, {GUEST}, kind="ciphertext", reveals="nothing")
    loss_share = Message[CipherVector]({HOST}, {GUEST}, kind="ciphertext", reveals="nothing")
    loss = Message[CipherVector](
        {GUEST}, {ARBITER}, kind="ciphertext", reveals="the loss of the batch"
    )


@dataclass(frozen=True)
class ArbiterKey:
    """An ``Exchange`` under the arbiter's key. precision: fractional bits of features."""

    family: Family
    precision: int
    security: str
    key: PublicKey
    secret: SecretKey | None = None

    def renewed(self) -> ArbiterKey:
        return self

    def guest(self, ctx: Ctx, part: Slice, share: Share, own: float | None) -> Floats:
        d = self._residual(ctx, part, share)  # (1) (2)
        if own is None:
            return self._opened(ctx, part, d)
        column, at_zero = self._loss_column(share)
        found = self._product(ctx, replace(part, x=glm.append_column(part.x, column)), d)
        loss = found[-1:]
        if not self.family.additive:
            loss = self.key.add(loss, self._exponent_part(ctx, part, share))  # (5)
        rest = np.array([own - at_zero])
        loss = self.key.add(loss, cipher_sum.sealed(self.key, rest, loss.scale_bits))
        blinded, blinding = self.key.blind(found[:-1], bits=self._bound(d))
        ctx.remote(Wire.gradient, blinded)  # (3)
        cipher_sum.total(ctx, self.key, (Wire.loss_share, Wire.loss), loss)  # (6)
        return blinding.open(ctx.get(Wire.opened))  # (4)

    def host(self, ctx: Ctx, part: Slice, eta: Floats, v: Floats, own: float | None) -> Floats:
        ctx.remote(Wire.score, self.key.encrypt(v, cores=ctx.cores))  # (1)
        if own is not None and not self.family.additive:
            ctx.remote(Wire.exponent, self._sealed_exponent(ctx, eta))  # (5)
        d = received(ctx.get(Wire.residual), self.key, len(v), ctx.guest, Wire.residual)  # (2)
        if own is None:
            return self._opened(ctx, part, d)
        column = 0.5 * eta if self.family.additive else np.zeros_like(eta)
        found = self._product(ctx, replace(part, x=glm.append_column(part.x, column)), d)
        blinded, blinding = self.key.blind(found[:-1], bits=self._bound(d))
        ctx.remote(Wire.gradient, blinded)  # (3)
        rest = cipher_sum.sealed(self.key, np.array([own]), found.scale_bits)
        loss = self.key.add(found[-1:], rest)
        cipher_sum.share(ctx, self.key, Wire.loss_share, loss)  # (6)
        return blinding.open(ctx.get(Wire.opened))  # (4)

    def arbiter(self, ctx: Ctx, *, with_loss: bool) -> float:
        """The arbiter sees uniform numbers, and the loss if it is wanted."""
        assert self.secret is not None
        for party, blinded in ctx.each(Wire.gradient):  # (3)
            ctx.remote(Wire.opened, self.secret.residues(blinded), to=party)  # (4)
        if not with_loss:
            return 0.0
        return float(self.secret.decrypt(ctx.get(Wire.loss))[0])  # (6)

    def _residual(self, ctx: Ctx, part: Slice, share: Share) -> CipherVector:
        """Steps (1) and (2) at the guest: [d] of the batch's rows.

        The fresh encryptions of its own part refresh the sum. Hosts drew the randomness of what
        they sent: unrefreshed, they could divide it out, and read the label.
        """
        key, factor = self.key, share.factor
        scale, bits = SCALE_BITS, VALUE_BITS + len(ctx.hosts)
        if factor is not None:
            scale, bits = scale + FACTOR_SCALE_BITS, bits + FACTOR_BITS
        at = np.arange(part.n_shown, dtype=np.int64) if part.at is None else part.at
        own = np.zeros(part.n_shown)
        own[at] = share.constant
        fresh = key.encrypt(own, scale_bits=scale, bits=bits, cores=ctx.cores)
        scores = [
            received(c, key, len(own), host, Wire.score)
            for host, c in ctx.each(Wire.score)  # (1)
        ]
        theirs = reduce(key.add, scores).take(at)
        if factor is not None:
            theirs = key.mul_plain(theirs, factor, FACTOR_SCALE_BITS, FACTOR_BITS)
        d = key.add_at(fresh, at, theirs)
        ctx.remote(Wire.residual, d)  # (2)
        return d.take(at)

    def _loss_column(self, share: Share) -> tuple[Floats, float]:
        """(b,) what to multiply with d for the loss, and the product's part without hosts."""
        constant, factor = share.constant, share.factor
        if not self.family.additive:
            return np.ones_like(constant), float(constant.sum())
        slope = float(self.family.host_part(np.ones(1))[0])  # v = slope * eta
        ratio = constant / (2.0 * slope)
        if factor is not None:
            ratio = np.divide(ratio, factor, out=np.zeros_like(ratio), where=factor > 0)
        return ratio, float(ratio @ constant)

    def _sealed_exponent(self, ctx: Ctx, eta: Floats) -> CipherVector:
        scale, bits = SCALE_BITS + FACTOR_SCALE_BITS, VALUE_BITS + FACTOR_BITS
        return self.key.encrypt(eta, scale_bits=scale, bits=bits, cores=ctx.cores)

    def _exponent_part(self, ctx: Ctx, part: Slice, share: Share) -> CipherVector:
        """Step (5) at the guest: [constant.eta_h], at the scale of a product with d."""
        c = received(ctx.get(Wire.exponent), self.key, part.n_shown, ctx.hosts[0], Wire.exponent)
        c = c if part.at is None else c.take(part.at)
        return self.key.matvec(share.constant[:, None], c, self.precision, cores=ctx.cores)

    def _product(self, ctx: Ctx, part: Slice, d: CipherVector) -> CipherVector:
        return self.key.matvec(part.x, d, self.precision, cores=ctx.cores)

    def _opened(self, ctx: Ctx, part: Slice, d: CipherVector) -> Floats:
        """Steps (3) and (4) where no loss is wanted."""
        blinded, blinding = self.key.blind(self._product(ctx, part, d), bits=self._bound(d))
        ctx.remote(Wire.gradient, blinded)  # (3)
        return blinding.open(ctx.get(Wire.opened))  # (4)

    def _bound(self, d: CipherVector) -> int:
        """Bits that X^T d can need, whatever the features are."""
        return (d.bits or 0) + self.precision + ENTRY_BITS + len(d).bit_length()


def opened(ctx: Ctx, param: EncryptParam, family: Family, precision: int | None) -> ArbiterKey:
    """This party's end, after the arbiter has made a key and sent its public half."""
    bits = FULL_PRECISION if precision is None else precision
    if ctx.role == ARBITER:
        _warn_of_double_role(ctx)
        secret = keygen.arbiter_makes(ctx, Wire.key, param)
        return ArbiterKey(family, bits, secret.public.describe(), secret.public, secret)
    key = keygen.received(ctx, Wire.key, param)
    return ArbiterKey(family, bits, key.describe(), key)


def _warn_of_double_role(ctx: Ctx) -> None:
    """Where one site is the arbiter and another party, the protocol hides nothing from it."""
    same = [str(p) for p in ctx.of_role(GUEST, HOST) if p.party_id == ctx.me.party_id]
    if same:
        LOG.warning(
            "the site of %s is also %s: it has the secret key and what the others send under it, "
            "residuals (as host) or the hosts' scores (as guest), and could read them, and from "
            "residuals the labels; take an arbiter at another site, or leave encrypt_param.method "
            "out (docs/security/hetero_lr.md)",
            ctx.me,
            " and ".join(same),
        )
