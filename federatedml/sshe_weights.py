"""A party's weights in training without an arbiter: its own in the clear, or both parties' shared.

Both kinds turn a batch into the residual's shares, and shares of the gradient into a step.
Fixed point as in ``protocols.sshe_steps``. Shapes: n rows, m of a batch, k own columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from federatedml import lr_model, sshe_model
from federatedml.component import Ctx
from federatedml.crypto import rings
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.rings import Integers, Words
from federatedml.crypto.shared_descent import BITS, FRACTION_BITS, SharedDescent
from federatedml.errors import BadData, BadModel
from federatedml.hetero_sshe_params import SSHEParams
from federatedml.lr_model import SingleModel
from federatedml.maths import glm, optim
from federatedml.maths.descent import Descent
from federatedml.maths.glm import Floats
from federatedml.protocols import sshe_products, sshe_steps
from federatedml.protocols.sshe_products import Link
from federatedml.protocols.sshe_steps import (
    FEATURE_BITS,
    LOSS_BITS,
    WEIGHT_BITS,
    Part,
    Shape,
    Slopes,
)
from federation import GUEST, HOST

MAX_LOSS = 2.0**50
"""Of sums of squares of residuals, and of either party's part of them: words wrap at 2^59."""

MAX_WEIGHT = 2.0**40

NORM_BITS = int(sshe_products.LEAST_NORM_BITS)
"""log2 of the L2 norm of a column whose scale is free."""


@dataclass(frozen=True)
class Line:
    """A linear model's residual and loss: d = z / 2^shift - target, constant + factor mean d^2."""

    shift: int
    factor: float
    constant: float


LOGISTIC = Line(2, 2.0, glm.LOG2 - 0.5)
"""The log-loss's Taylor polynomial (``glm.taylor_residual``); targets are -1/2 and 1/2."""
GAUSSIAN = Line(0, 0.5, 0.0)


@dataclass(frozen=True)
class Rows:
    """What a party trains on. x: (n, k), with the column of ones if there is an intercept.

    y: (n,) the guest's targets. weight: (n,) the guest's, with the sum n, or None.
    """

    x: Floats
    header: list[str]
    has_intercept: bool
    y: Floats | None = None
    weight: Floats | None = None

    @property
    def names(self) -> list[str]:
        return sshe_model.own_names(self.header, has_intercept=self.has_intercept)

    def weighted(self, rows: slice) -> Floats:
        """(m, k) the features times the rows' weights."""
        return self.x[rows] if self.weight is None else self.x[rows] * self.weight[rows, None]

    def weight_words(self, rows: slice) -> Words | None:
        """(m,) the rows' weights with WEIGHT_BITS fraction bits."""
        return None if self.weight is None else rings.encode(self.weight[rows], WEIGHT_BITS, BITS)

    def first_weights(self, params: SSHEParams, begun: SingleModel | None) -> Floats:
        """(k,) the start of training. Raises BadModel for weights that this party cannot see."""
        if begun is None:
            init = params.init_param
            k = self.x.shape[1]
            return glm.initial_weights(init.init_method, init.init_const, k, init.random_seed)
        return lr_model.weights(begun, has_intercept=self.has_intercept)

    def single(self, w: Floats, iters: int) -> SingleModel:
        return lr_model.single(self.header, w, has_intercept=self.has_intercept, iters=iters)


class Weights(Protocol):
    def part(self, rows: slice, budget: int) -> Part:
        """The batch made ready. Raises BadData where features are too large.

        budget: bytes that transforms of its features may take.
        """

    def residual(self, rows: slice, part: Part) -> tuple[Words, Words]:
        """This party's shares of d, (m,), and of the penalty's loss times m / factor, (1,) with
        LOSS_BITS."""

    def move(self, part: Part, found: Slopes, t: int) -> None:
        """One step of iteration t."""

    def mark(self) -> None:
        """Remember the weights, for ``change``."""

    def change(self) -> float:
        """Squared length of the way of all weights since ``mark``; 0 at the host, who must not
        know it."""

    def model(self, iters: int) -> SingleModel:
        """The model as it is between iterations."""

    def final(self, iters: int) -> SingleModel:
        """The model when training is over: here each party learns what it may."""


class OpenWeights:
    """Own weights in the clear, the peer's unknown; gradients are opened to who moves by them.

    Columns have scales of their own, which the peer does not learn: features of any size do.
    """

    def __init__(
        self,
        ctx: Ctx,
        link: Link,
        params: SSHEParams,
        line: Line,
        rows: Rows,
        begun: SingleModel | None,
    ) -> None:
        self._ctx, self._link, self._line, self._rows = ctx, link, line, rows
        if begun is not None and begun.encrypted_weight:
            raise BadModel(
                f"{ctx.name}: the model to start from hides weights that reveal_every_iter "
                "would show; set it to false"
            )
        self._descent = Descent(
            rows.first_weights(params, begun),
            has_intercept=rows.has_intercept,
            schedule=optim.Schedule(params.learning_rate, params.decay, params.decay_sqrt),
            penalty=glm.Penalty(params.penalty, params.alpha),
            optimizer=optim.OPTIMIZERS[params.optimizer](),
        )
        self._scales = _scales(rows.weighted(slice(None)))

    def part(self, rows: slice, budget: int) -> Part:
        x = _integers(self._rows.weighted(rows), self._scales)
        slopes = sshe_products.columns(self._link, x, self._ctx.name, budget)
        return Part(x, slopes, weight=self._rows.weight_words(rows))

    def residual(self, rows: slice, part: Part) -> tuple[Words, Words]:
        v = np.ldexp(self._rows.x[rows] @ self._descent.w, -self._line.shift)
        v = v if self._rows.y is None else v - self._rows.y[rows]
        if not np.abs(v).max() ** 2 * part.n_rows < MAX_LOSS:
            raise diverged(self._ctx)
        return rings.encode(v, FRACTION_BITS, BITS), self._penalty(part.n_rows)

    def move(self, part: Part, found: Slopes, t: int) -> None:
        wire = sshe_steps.Wire.gradient
        words = sshe_steps.revealed(self._ctx, wire, found.own, found.theirs)
        scales = self._scales + (FRACTION_BITS + found.own_more)
        total = np.ldexp(rings.decode(words, 0, BITS), -scales)
        self._descent.move(self._descent.gradient(total, part.n_rows), t)

    def _penalty(self, n_rows: int) -> Words:
        own = self._descent.penalty_loss() * n_rows / self._line.factor
        if not own < MAX_LOSS:
            raise diverged(self._ctx)
        return rings.encode(np.array([own]), LOSS_BITS, BITS)

    def mark(self) -> None:
        self._descent.mark()

    def change(self) -> float:
        own = self._descent.change()
        if self._ctx.role == HOST:
            self._ctx.remote(sshe_steps.Wire.own_change, own)
            return 0.0
        return own + self._ctx.get(sshe_steps.Wire.own_change)

    def model(self, iters: int) -> SingleModel:
        return self._rows.single(self._descent.w, iters)

    def final(self, iters: int) -> SingleModel:
        return self.model(iters)


class SharedWeights:
    """Shares of all weights of both parties, the guest's first.

    theirs: what the peer said of its side.
    """

    def __init__(
        self,
        ctx: Ctx,
        link: Link,
        params: SSHEParams,
        line: Line,
        rows: Rows,
        begun: SingleModel | None,
        theirs: Shape,
    ) -> None:
        self._ctx, self._link, self._line, self._rows = ctx, link, line, rows
        self._party, self._hides_host = sshe_steps.party(ctx), params.hides_host
        self._peer = HOST if ctx.role == GUEST else GUEST
        self._n_theirs = theirs.n_columns
        own = self._first_own(params, begun, theirs.begun)
        far = self._first_theirs(begun, theirs.begun)
        free = (rows.has_intercept, theirs.has_intercept)
        kept = [
            _penalised(len(one), is_free) for one, is_free in zip((own, far), free, strict=True)
        ]
        self._descent = SharedDescent(
            self._joined(own, far),
            penalised=np.concatenate(kept[:: 1 if ctx.role == GUEST else -1]),
            alpha=params.alpha if params.penalty == "L2" else 0.0,
            schedule=optim.Schedule(params.learning_rate, params.decay, params.decay_sqrt),
            momentum=params.optimizer == "nesterov_momentum_sgd",
            party=self._party,
        )

    def _first_own(self, params: SSHEParams, begun: SingleModel | None, kind: str) -> Words:
        if begun is not None and (kind == "all" or (kind == "host" and self._party)):
            return sshe_model.shares(begun, self._rows.names, self._ctx.name)
        try:
            first = rings.encode(self._rows.first_weights(params, begun), FRACTION_BITS, BITS)
        except PlaintextOutOfRange:
            raise diverged(self._ctx) from None
        return sshe_steps.dealt(self._ctx, first)

    def _first_theirs(self, begun: SingleModel | None, kind: str) -> Words:
        if begun is not None and (kind == "all" or (kind == "host" and not self._party)):
            names = sshe_model.peer_names(self._peer, self._n_theirs)
            return sshe_model.shares(begun, names, self._ctx.name)
        return sshe_steps.received(self._ctx, sshe_steps.Wire.first, self._n_theirs)

    def _joined(self, own: Words, theirs: Words) -> Words:
        return np.concatenate([theirs, own] if self._party else [own, theirs])

    def _split(self, words: Words) -> tuple[Words, Words]:
        """Own and the peer's part."""
        if self._party:
            return words[self._n_theirs :], words[: self._n_theirs]
        n_own = len(words) - self._n_theirs
        return words[:n_own], words[n_own:]

    def part(self, rows: slice, budget: int) -> Part:
        plain = _integers(self._rows.x[rows], FEATURE_BITS)
        x = plain
        if self._rows.weight is not None:
            x = _integers(self._rows.weighted(rows), FEATURE_BITS)
        name, half = self._ctx.name, budget // 2
        slopes = sshe_products.columns(self._link, x, name, half)
        scores = sshe_products.columns(self._link, np.ascontiguousarray(plain.T), name, half)
        return Part(x, slopes, scores, plain, self._rows.weight_words(rows))

    def residual(self, rows: slice, part: Part) -> tuple[Words, Words]:
        own, theirs = self._split(self._descent.w)
        drawn = self._descent.drawn() if self._descent.alpha else None
        z, length = sshe_steps.scores(self._ctx, self._link, part, own, theirs, drawn)
        d = rings.truncate(z, FEATURE_BITS + self._line.shift, self._party, BITS)
        if self._rows.y is not None:
            d = rings.sub(d, rings.encode(self._rows.y[rows], FRACTION_BITS, BITS), BITS)
        factor = self._descent.alpha * part.n_rows / (2 * self._line.factor)
        return d, rings.scale(length, round(factor * 2**WEIGHT_BITS), BITS)

    def move(self, part: Part, found: Slopes, t: int) -> None:
        cut = [
            rings.truncate(of, FEATURE_BITS + more, self._party, BITS)
            for of, more in ((found.own, found.own_more), (found.theirs, found.theirs_more))
        ]
        self._descent.move(self._joined(*cut), part.n_rows, t)

    def mark(self) -> None:
        self._descent.mark()

    def change(self) -> float:
        share = sshe_steps.squared(self._ctx, self._link, self._descent.way())
        if self._party:
            self._ctx.remote(sshe_steps.Wire.change, share)
            return 0.0
        far = sshe_steps.received(self._ctx, sshe_steps.Wire.change, 1)
        return float(rings.decode(rings.add(share, far, BITS), 2 * FRACTION_BITS, BITS)[0])

    def model(self, iters: int) -> SingleModel:
        own, theirs = self._split(self._descent.w)
        shown = sshe_model.texts(self._rows.names, own)
        shown |= sshe_model.texts(sshe_model.peer_names(self._peer, self._n_theirs), theirs)
        return SingleModel(iters=iters, header=self._rows.header, encrypted_weight=shown)

    def final(self, iters: int) -> SingleModel:
        wire, (own, theirs) = sshe_steps.Wire.weights, self._split(self._descent.w)
        if not self._hides_host:
            return self._seen(sshe_steps.revealed(self._ctx, wire, own, theirs), iters)
        if self._party:
            self._ctx.remote(wire, theirs)
            hidden = sshe_model.texts(self._rows.names, own)
            return SingleModel(iters=iters, header=self._rows.header, encrypted_weight=hidden)
        far = sshe_steps.received(self._ctx, wire, len(own))
        part = self._seen(rings.add(own, far, BITS), iters)
        names = sshe_model.peer_names(self._peer, self._n_theirs)
        part.encrypted_weight = sshe_model.texts(names, theirs)
        return part

    def _seen(self, own: Words, iters: int) -> SingleModel:
        w = rings.decode(own, FRACTION_BITS, BITS)
        if not (np.abs(w) < MAX_WEIGHT).all():
            raise diverged(self._ctx)
        return self._rows.single(w, iters)


def diverged(ctx: Ctx) -> BadData:
    return BadData(
        f"{ctx.name}: numbers grow beyond what fixed point holds, training diverges: scale "
        "features and labels (FeatureScale) or lower learning_rate"
    )


def _penalised(n: int, has_intercept: bool) -> NDArray[np.bool_]:
    return np.arange(n) < n - has_intercept


def _scales(x: Floats) -> Integers:
    """(k,) fraction bits with which each column has a norm of 2^NORM_BITS at most."""
    norms = np.sqrt(np.einsum("ij,ij->j", x, x))
    bits = NORM_BITS - np.ceil(np.log2(np.where(norms > 0, norms, 1.0)))
    return np.asarray(bits, dtype=np.int64)


def _integers(x: Floats, bits: Integers | int) -> Integers:
    return np.rint(np.ldexp(x, bits)).astype(np.int64)
