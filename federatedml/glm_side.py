"""What a party of a coordinated linear model keeps while it trains. No messages in here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import wraps
from typing import Concatenate, ParamSpec, TypeVar

import numpy as np
from numpy.typing import NDArray

from federatedml import lr_model
from federatedml.component import Ctx
from federatedml.crypto.errors import CryptoError
from federatedml.data.frame import Frame
from federatedml.errors import BadData
from federatedml.hetero_glm_params import HeteroGlmParams
from federatedml.lr_model import Label, SingleModel
from federatedml.maths import glm, optim
from federatedml.maths.descent import Descent
from federatedml.maths.family import Family, Share
from federatedml.maths.glm import Floats, Matrix
from federatedml.params_shared import SqnParam
from federatedml.protocols.exchange import Exchange, Sizes, Slice
from federatedml.protocols.secure_sum import Pads

MAX_SCORE = 2.0**30
"""Of X w: what every scheme can hold with room for labels and sums."""

MAX_EXPONENT = 20.0
"""Of X w where the model's mean is e^(X w): e^20 < 2^29."""

Rows = NDArray[np.int64]

S = TypeVar("S")
R = TypeVar("R")
Q = ParamSpec("Q")


@dataclass(frozen=True)
class Agreed:
    """What the parties agreed on at the start of a fit. pads: of guest and hosts, if needed."""

    exchange: Exchange
    pads: Pads | None

    def renewed(self) -> Agreed:
        """For the next model."""
        return Agreed(self.exchange.renewed(), self.pads)


@dataclass(frozen=True)
class GuestRows:
    """The guest's training data for one model: y (n,), weight (n,) with the sum n or None.

    offset: (n,) what is added to every row's X w (the logarithm of an exposure), or None.
    """

    frame: Frame
    y: Floats
    weight: Floats | None
    offset: Floats | None = None

    def share(self, family: Family, eta: Floats, penalty: float) -> tuple[Share, Floats, Sizes]:
        """The guest's share of the residual of all rows, its own part of each row's loss with
        what the penalty adds to it, and their sizes. eta: (n,)."""
        share = family.share(eta, self.y, self.weight)
        own = family.own_loss(eta, self.y, self.weight) + penalty
        return share, own, replace(guest_sizes(share), own=largest(own))

    def curvature(self, family: Family, change: Floats) -> tuple[Share, Sizes]:
        """The guest's share of the residual's change if eta changes so much. change: (n,)."""
        share = family.share(change, np.zeros(len(self.y)), self.weight)
        return share, guest_sizes(share)


@dataclass(frozen=True)
class Targets:
    """What the guest is to learn: for each model its rows, and the train and validate frames as
    labelled for it. names: of the classes; none where labels are numbers."""

    names: list[Label]
    rows: list[GuestRows]
    seen: list[list[Frame | None]]


def largest(values: Floats) -> float:
    """The largest size; 0 of nothing."""
    return float(np.max(np.abs(values), initial=0.0))


def guest_sizes(share: Share) -> Sizes:
    """What scales of the guest's vectors go by. Without a factor it is 1, in masked batches."""
    factor = 1.0 if share.factor is None else largest(share.factor)
    return Sizes((largest(share.constant), factor))


def host_sizes(family: Family, eta: Floats, v: Floats, penalty: float) -> Sizes:
    """What scales of a host's vector, and of its part of the loss, go by. eta, v: (n,)."""
    return Sizes((largest(v),), penalty, largest(eta), largest(family.squared(v)))


def intercept_alone(family: Family, rows: GuestRows) -> float:
    """The intercept of the model that has nothing else; without weights."""
    y = rows.y
    if family.name == "gaussian":
        return float(y.mean())
    if family.name == "poisson":
        exposure = len(y) if rows.offset is None else float(np.exp(rows.offset).sum())
        return float(np.log(max(y.sum(), 1e-9) / exposure))
    share = float((y > 0).mean())
    return float(np.log(share / (1.0 - share)))


class Side:
    """Features and weights of a guest or host, and how far training is.

    begun: the model that a warm start goes on from. offset: as in ``GuestRows``.
    """

    def __init__(
        self,
        params: HeteroGlmParams,
        family: Family,
        frame: Frame,
        component: str,
        begun: SingleModel | None,
        *,
        has_intercept: bool = False,
        offset: Floats | None = None,
    ) -> None:
        self.has_intercept, self.component, self.family = has_intercept, component, family
        self.header = list(begun.header if begun else frame.schema.header)
        x = lr_model.features(frame, component, self.header)
        self.x = glm.with_intercept(x) if has_intercept else x
        self.n_rows, self.offset = frame.n_rows, offset
        self.descent = Descent(
            self._first_weights(params, begun),
            has_intercept=has_intercept,
            schedule=optim.Schedule(params.learning_rate, params.decay, params.decay_sqrt),
            penalty=glm.Penalty(params.penalty, params.alpha),
            optimizer=optim.OPTIMIZERS.get(params.optimizer, optim.Sgd)(),
        )
        sqn: SqnParam = getattr(params, "sqn_param", SqnParam())
        self.quasi = optim.QuasiNewton(sqn.memory_M, optim.PairClock(sqn.update_interval_L))
        self.iters, self.is_converged, self.is_fresh = begun.iters if begun else 0, False, True

    def _first_weights(self, params: HeteroGlmParams, begun: SingleModel | None) -> Floats:
        if begun:
            return lr_model.weights(begun, has_intercept=self.has_intercept)
        init, n_weights = params.init_param, len(self.header) + self.has_intercept
        return glm.initial_weights(init.init_method, init.init_const, n_weights, init.random_seed)

    def eta(self) -> Floats:
        """(n,) this party's X w, with the offset.

        All rows at once even where a batch needs few: a row's last bits must not depend on
        which rows stand beside it, or two runs would differ.
        Raises BadData once training has diverged so far that encryption could not hold it.
        """
        eta = np.asarray(self.x @ self.descent.w)
        eta = eta if self.offset is None else eta + self.offset
        limit = MAX_SCORE if self.family.additive else MAX_EXPONENT
        if not (np.abs(eta) < MAX_SCORE).all() or not (eta < limit).all():
            raise BadData(
                f"{self.component}: scores beyond {limit:.0f}, training diverges: scale the "
                "features (FeatureScale) or lower learning_rate"
            )
        return eta

    def finish(self, t: int, *, is_converged: bool) -> None:
        """Iteration t is done."""
        self.iters, self.is_converged, self.is_fresh = t + 1, is_converged, False

    def model(self) -> SingleModel:
        w = self.descent.w
        part = lr_model.single(self.header, w, has_intercept=self.has_intercept, iters=self.iters)
        part.is_converged = self.is_converged
        return part


def checked_features(frame: Frame, ctx: Ctx) -> None:
    """Raises BadData where there is nothing to learn from at this party."""
    if not frame.n_features:
        raise BadData(
            f"{ctx.name}: this party's data has no features; leave the party out, or check what "
            "the components before this one select"
        )


def slice_of(
    x: Matrix, n_shown: int, sizes: Sizes, at: Rows | None = None, number: int | None = None
) -> Slice:
    """The rows as an exchange takes them: a party whose features stepwise has dropped shows a
    column of zeros, whose product is not used."""
    return Slice(x if x.shape[1] else np.zeros((x.shape[0], 1)), n_shown, sizes, at, number)


def explained(
    method: Callable[Concatenate[S, Ctx, Q], R],
) -> Callable[Concatenate[S, Ctx, Q], R]:
    """What ciphertexts refuse (numbers out of range) is told as the component's own error."""

    @wraps(method)
    def told(self: S, ctx: Ctx, /, *args: Q.args, **kwargs: Q.kwargs) -> R:
        try:
            return method(self, ctx, *args, **kwargs)
        except CryptoError as error:
            raise BadData(f"{ctx.name}: {error}") from error

    return told
