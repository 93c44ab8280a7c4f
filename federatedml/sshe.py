"""Training and prediction of a linear model between a guest and a host, without an arbiter.

Parties  guest: features X_g, targets y, maybe weights s of the rows; host: features X_h.
Maths    d = s (X_g w_g + X_h w_h) 2^-shift - s y;  gradient X^T d / n plus the penalty's; the
         loss from the sum of d^2 / s. A number that no party may know is shared: guest's share
         + host's share modulo 2^128, fixed point (``protocols.sshe_steps``).
Round    (1) each -> other        its lattice key, once for all models
         (2) each -> other        how many rows and columns it has
         (3) each -> other        a share of its first weights
         for each batch           [.] is encrypted under the key of who sends it
         (4) each -> other        [its share of the other's weights]; back: products with the
                                  receiver's rows, masked: both have shares of z, so of d
         (5) guest -> host        at once, with L2 [its share of all weights]; back, masked: both
                                  have shares of the squared norm
         (6) each -> other        [its share of d]; back: products with the receiver's columns,
                                  masked: both have shares of the gradient and of the loss, and
                                  move their shares of the weights
         for each iteration
         (7) host -> guest        its share of the loss; and, for early_stop weight_diff, of the
                                  squared step, found as in (5)
         (8) guest -> host        whether to stop
         at the end
         (9) each -> other        its share of the other's weights; with
                                  encrypted_reveal_in_host from the host to the guest only
         with reveal_every_iter each party has its own weights in the clear: no (3) to (5), (9)
         (10) each -> other       after (6) its share of the other's gradient
         to predict
         (11) host -> guest       X_h w_h; if w_h is shared, the guest sends [its share of w_h]
                                  first, and adds up two shares of X_h w_h
Trusts   both parties to follow the protocol (semi-honest).
Source   Chen et al. 2021, arXiv:2008.08753 (CAESAR); FATE 1.x's parameters, models and modes.
         What is different from FATE, and who learns what: docs/compat, docs/security (sshe.md).

What HeteroSSHELR and HeteroSSHELinR share; ``sshe_weights`` holds what differs between training
on shared weights and with ``reveal_every_iter``.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from federatedml import glm_watch, lr_model, sshe_model
from federatedml.component import Ctx
from federatedml.crypto import rings
from federatedml.crypto.rings import Words
from federatedml.crypto.shared_descent import BITS, FRACTION_BITS
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel
from federatedml.glm_side import checked_features
from federatedml.glm_watch import Watch
from federatedml.hetero_sshe_params import SSHEParams
from federatedml.lr_model import LinearModel, SingleModel
from federatedml.maths import glm
from federatedml.maths.glm import Floats
from federatedml.protocols import sshe_products, sshe_steps
from federatedml.protocols.batches import SAFE_RATIO
from federatedml.protocols.convergence import Convergence
from federatedml.protocols.sshe_products import Link
from federatedml.protocols.sshe_steps import FEATURE_BITS, LOSS_BITS, Part, Shape
from federatedml.sshe_weights import (
    MAX_LOSS,
    Line,
    OpenWeights,
    Rows,
    SharedWeights,
    Weights,
    diverged,
)
from federation import GUEST, HOST, Message
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

CHUNK = 1 << 16
"""Rows that are predicted at a time where the host's weights are shared."""


class Wire:
    """All that leaves a party to predict, beside products."""

    host_score = Message[NDArray[np.float64]](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="the host's X_h w_h of every row predicted or validated",
    )
    score_share = Message[Words](
        {HOST},
        {GUEST},
        kind="share",
        reveals="with weights that stay shared: the host's X_h w_h of every row predicted",
    )


def opened(ctx: Ctx, params: SSHEParams, train: Frame) -> Link:
    """Keys for a fit. Raises BadData for parties or data that cannot be."""
    if len(ctx.hosts) != 1:
        raise BadData(
            f"{ctx.name}: trains without an arbiter between one guest and one host, not "
            f"{len(ctx.hosts)} hosts; use HeteroLR or HeteroLinR"
        )
    checked_features(train, ctx)
    if params.encrypt_param.scheme != "Lattice":
        LOG.warning(
            "%s: encrypt_param.method %s: training on shares uses Lattice in its place",
            ctx.name,
            params.encrypt_param.method,
        )
    link = sshe_products.linked(ctx)  # (1)
    LOG.info("%s: %s", ctx.name, link.security)
    return link


def rows_of(
    frame: Frame,
    params: SSHEParams,
    begun: SingleModel | None,
    component: str,
    y: Floats | None = None,
    weight: Floats | None = None,
) -> Rows:
    """A party's training rows; the guest's have targets y (n,), and maybe weights."""
    header = list(begun.header if begun else frame.schema.header)
    x = _dense(frame, component, header)
    has_intercept = y is not None and params.init_param.fit_intercept
    if has_intercept:
        x = np.asarray(glm.with_intercept(x))
    if y is not None and not float(np.abs(y).max()) ** 2 * len(y) < MAX_LOSS / 4:
        raise BadData(
            f"{component}: labels are too large for training on shares; scale them, so that "
            "the sum of their squares stays below 2^48"
        )
    return Rows(x, header, has_intercept, y, weight)


def learn(
    ctx: Ctx,
    link: Link,
    params: SSHEParams,
    line: Line,
    rows: Rows,
    begun: SingleModel | None,
    watch: Watch,
) -> SingleModel:
    """One model. Cost per batch and direction: one encrypted vector of m rows, its product with
    the features, and with shared weights the same of the weights."""
    theirs = _met(ctx, params, rows, begun)  # (2)
    weights: Weights
    if params.reveal_every_iter:
        weights = OpenWeights(ctx, link, params, line, rows, begun)
    else:
        weights = SharedWeights(ctx, link, params, line, rows, begun, theirs)  # (3)
    training = _Training(ctx, link, line, weights, rows, theirs)
    cuts = _cuts(len(rows.x), params.batch_size)
    batches = [(cut, weights.part(cut, sshe_products.BUDGET // len(cuts))) for cut in cuts]
    rule = Convergence(params.early_stop, params.tol, list(begun.loss_history) if begun else [])
    iters, converged = begun.iters if begun else 0, False
    for t in range(iters, params.max_iter):
        loss, change = training.iteration(batches, t, weighs=params.early_stop == "weight_diff")
        if ctx.role == GUEST:
            watch.loss(t, loss)
            converged = rule.is_reached(loss, change)
            ctx.remote(sshe_steps.Wire.is_converged, converged)  # (8)
        else:
            converged = ctx.get(sshe_steps.Wire.is_converged)
        iters = t + 1
        if watch.stops(t, _noted(weights.model(iters), rule, converged)):
            break
    return watch.best(_noted(weights.final(iters), rule, converged))  # (9)


class _Training:
    """What stays the same over the iterations of one model."""

    def __init__(
        self, ctx: Ctx, link: Link, line: Line, weights: Weights, rows: Rows, theirs: Shape
    ) -> None:
        self._ctx, self._link, self._line, self._weights = ctx, link, line, weights
        self._n, self._n_theirs = len(rows.x), theirs.n_columns
        self._weighted = theirs.weighted or rows.weight is not None

    def iteration(
        self, batches: Sequence[tuple[slice, Part]], t: int, *, weighs: bool
    ) -> tuple[float, float]:
        """Loss and squared step of iteration t at the guest, zeros at the host."""
        self._weights.mark()
        loss = rings.zeros((1,), BITS)
        for cut, part in batches:
            d, penalty = self._weights.residual(cut, part)  # (4) (5)
            found = sshe_steps.slopes(  # (6)
                self._ctx, self._link, part, d, self._n_theirs, weighted=self._weighted
            )
            loss = rings.add(loss, rings.add(found.loss, penalty, BITS), BITS)
            self._weights.move(part, found, t)  # (10)
        return self._shown(loss), self._weights.change() if weighs else 0.0  # (7)

    def _shown(self, share: Words) -> float:
        """The loss at the guest. Raises BadData if it says that training has diverged."""
        if self._ctx.role == HOST:
            self._ctx.remote(sshe_steps.Wire.loss, share)
            return 0.0
        far = sshe_steps.received(self._ctx, sshe_steps.Wire.loss, 1)
        total = float(rings.decode(rings.add(share, far, BITS), LOSS_BITS, BITS)[0])
        if not abs(total) < MAX_LOSS:
            raise diverged(self._ctx)
        return self._line.constant + self._line.factor * total / self._n


def _noted(part: SingleModel, rule: Convergence, converged: bool) -> SingleModel:
    part.loss_history, part.is_converged = list(rule.losses), converged
    return part


def _met(ctx: Ctx, params: SSHEParams, rows: Rows, begun: SingleModel | None) -> Shape:
    """The peer's shape. Raises BadData and BadModel where the two sides do not fit."""
    peer = HOST if ctx.role == GUEST else GUEST
    mine = Shape(
        n_rows=len(rows.x),
        n_columns=rows.x.shape[1],
        has_intercept=rows.has_intercept,
        weighted=rows.weight is not None,
        iters=begun.iters if begun else 0,
        begun=sshe_model.begun(begun, rows.names, peer),
    )
    ctx.remote(sshe_steps.Wire.shape, mine)
    theirs = ctx.get(sshe_steps.Wire.shape)
    if theirs.n_rows != mine.n_rows:
        raise BadData(
            f"{ctx.name}: guest and host hold different numbers of rows; train on the output of "
            "Intersection"
        )
    if (theirs.iters, theirs.begun) != (mine.iters, mine.begun):
        raise BadModel(
            f"{ctx.name}: the models that guest and host start from are not of one training"
        )
    if theirs.n_columns < 1 or (theirs.weighted and ctx.role == GUEST):
        raise ProtocolViolation(
            sshe_products.peer(ctx), sshe_steps.Wire.shape.name, "no host's data is such"
        )
    # Gradients that are not seen still add up to the weights, which are.
    size = params.batch_size if params.reveal_every_iter else -1
    _check_sizes(ctx, mine.n_rows, size, max(mine.n_columns, theirs.n_columns))
    return theirs


def _check_sizes(ctx: Ctx, n_rows: int, batch_size: int, n_columns: int) -> None:
    """A gradient over few rows for its entries gives away the residual of each of them: see
    ``batches.SAFE_RATIO``.

    Raises BadData where smaller batches than needed were asked for.
    """
    cuts = _cuts(n_rows, batch_size)
    smallest, needed = min(cut.stop - cut.start for cut in cuts), SAFE_RATIO * (n_columns + 1)
    if smallest >= needed:
        return
    if len(cuts) == 1:
        LOG.warning(
            "%s: %d rows and %d columns: from its weights a party could work out residuals",
            ctx.name,
            n_rows,
            n_columns,
        )
        return
    raise BadData(
        f"{ctx.name}: batches of {smallest} rows with reveal_every_iter: a party with "
        f"{n_columns} columns could work out labels; use batch_size -1, a batch_size of at least "
        f"{needed} that leaves no smaller rest, or reveal_every_iter false"
    )


def _cuts(n_rows: int, batch_size: int) -> list[slice]:
    """The batches: rows in their order."""
    size = n_rows if batch_size == -1 else batch_size
    return [slice(at, min(at + size, n_rows)) for at in range(0, n_rows, size)]


def _dense(frame: Frame, component: str, header: Sequence[str]) -> Floats:
    x = lr_model.features(frame, component, header)
    return x if isinstance(x, np.ndarray) else np.asarray(x.toarray())


def summary(part: SingleModel, *, one_of_several: bool) -> dict[str, Any]:
    """A model as the component's summary shows it: no weights where some stay shared."""
    shown = glm_watch.summary(part, one_of_several=one_of_several, of_arbiter=False)
    if part.encrypted_weight:
        del shown["coef"], shown["intercept"]
    return shown


# Prediction.


def scores_guest(ctx: Ctx, model: LinearModel, data: Frame) -> Floats:
    """(n, c) the scores of both parties together, of every part of the model."""
    if any(sshe_model.begun(part, part.header, HOST) == "all" for part in model.parts):
        raise BadModel(
            f"{ctx.name}: this is a checkpoint of a training on shares: no party knows its "
            "weights; go on from it with train_data"
        )
    own = glm_watch.score(model, data, ctx.name)
    shared = [sshe_model.n_shared(part, HOST) for part in model.parts]
    if not any(shared):
        theirs = ctx.get(Wire.host_score)  # (11)
        if theirs.shape != own.shape:
            raise ProtocolViolation(
                ctx.hosts[0], Wire.host_score.name, f"scores {theirs.shape}, not {own.shape}"
            )
        return np.asarray(own + theirs)
    names = sshe_model.peer_names(HOST, shared[0])
    shares = [sshe_model.shares(part, names, ctx.name) for part in model.parts]
    link = sshe_products.linked(ctx)
    found = np.zeros_like(own)
    for cut in _cuts(data.n_rows, CHUNK):
        n_rows = cut.stop - cut.start
        for which, share in enumerate(shares):
            sshe_products.offer(ctx, link, share, n_rows)
            near = sshe_products.opened(ctx, link, len(share), n_rows)
            far = sshe_steps.received(ctx, Wire.score_share, n_rows)
            words = rings.add(near, far, BITS)
            found[cut, which] = rings.decode(words, FRACTION_BITS + FEATURE_BITS, BITS)
    return np.asarray(own + found)


def scores_host(ctx: Ctx, model: LinearModel, data: Frame) -> None:
    """The host's side of ``scores_guest``."""
    parts = model.parts
    if not any(part.encrypted_weight for part in parts):
        ctx.remote(Wire.host_score, glm_watch.score(model, data, ctx.name))
        return
    header = parts[0].header
    shares = [sshe_model.shares(part, header, ctx.name) for part in parts]
    x = _dense(data, ctx.name, header)
    whole = np.rint(np.ldexp(x, FEATURE_BITS)).astype(np.int64)
    link = sshe_products.linked(ctx)
    for cut in _cuts(data.n_rows, CHUNK):
        turned = np.ascontiguousarray(whole[cut].T)
        ready = sshe_products.columns(link, turned, ctx.name)
        for share in shares:
            (kept,) = sshe_products.answered(ctx, link, ready)
            own = rings.matmul_plain(whole[cut], share, BITS, ctx.cores)
            ctx.remote(Wire.score_share, rings.add(own, kept, BITS))
