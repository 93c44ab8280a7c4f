"""Stepwise selection of features over guest and host, decided by the arbiter.

Parties  guest, one host, arbiter.
Maths    a model is trained for each of the neighbours of the best one so far (a feature less, a
         feature more); the least AIC or BIC wins (``maths.selection``), until none is better.
Round    (1) guest, host -> all   the anonymous names of their features; the number of rows
         (2) arbiter -> guest, host  train on these features: a whole training, by ``hetero_glm``
         (3) arbiter -> guest, host  the best features of a step; at last, that it is over
Trusts   as the training; the arbiter learns the loss of every model that is tried.
Source   FATE 1.x's stepwise; criteria: Akaike 1974, Schwarz 1978.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

import msgspec
import numpy as np

from federatedml.component import Ctx
from federatedml.data.frame import Frame
from federatedml.errors import BadData
from federatedml.glm_side import Agreed, GuestRows, intercept_alone
from federatedml.glm_watch import Watch
from federatedml.lr_model import SingleModel, anonymous_names
from federatedml.maths import selection
from federatedml.maths.selection import Mask, Search
from federation import ARBITER, GUEST, HOST, Message, codec
from federation.errors import ProtocolViolation

if TYPE_CHECKING:
    from federatedml.hetero_glm import HeteroGlm

    Learner = HeteroGlm[Any]


@codec.wire_struct
class Order(msgspec.Struct, frozen=True):
    """host, guest: which of their features are in. train: learn this model; step: it is the best
    of a step; end: it is the result."""

    what: Literal["train", "step", "end"]
    host: list[bool]
    guest: list[bool]


class Wire:
    columns = Message[list[str]](
        {GUEST, HOST},
        {GUEST, HOST, ARBITER},
        kind="plain",
        reveals="anonymous names of the sender's features",
    )
    n_rows = Message[int]({GUEST}, {ARBITER}, kind="plain", reveals="number of rows")
    order = Message[Order](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="which features of either party make better models, as far as tried",
    )


@dataclass
class Selection:
    """What a party keeps: all names, the models trained by now, and how many steps were taken.

    intercept_alone: at the guest, of the model without features that is shown where going forward
    begins; it is not trained.
    """

    learner: Learner
    ctx: Ctx
    agreed: Agreed
    host_names: list[str]
    guest_names: list[str]
    n_rows: int
    parts: dict[Mask, SingleModel] = field(default_factory=dict)
    step: int = 0
    intercept_alone: float = 0.0

    def unwatched(self) -> Watch:
        """The watch of one model of many: no metrics of its own."""
        learner, ctx = self.learner, self.ctx
        return Watch(
            None,
            ctx,
            lambda part: learner.model_of(ctx, [part], []),
            max_iter=learner.params.max_iter,
            shows_loss=False,
            shows_progress=False,
        )

    def split(self, mask: Mask) -> tuple[list[bool], list[bool]]:
        """The host's and the guest's bits."""
        at = len(self.host_names)
        return list(mask[:at]), list(mask[at:])

    def metas(self, mask: Mask) -> dict[str, Any]:
        """What every party's metric of a step shows."""
        host, guest = self.split(mask)
        wanted = self.learner.params.stepwise_param
        return {
            "host_mask": host,
            "guest_mask": guest,
            "score_name": wanted.score_name.lower(),
            "number_in": sum(mask),
            "direction": wanted.direction,
            "n_count": self.n_rows,
            "host_features_anonym": self.host_names,
            "guest_features_anonym": self.guest_names,
            "fit_intercept": self.learner.params.init_param.fit_intercept,
        }

    def report(self, metas: dict[str, Any], summary: dict[str, Any]) -> None:
        """A step is done."""
        name = f"stepwise_{self.step}"
        self.ctx.report.metric("train", name, "STEPWISE", [(name, self.step)], **metas)
        self.ctx.report.summary({f"step_{self.step}": summary})
        self.step += 1
        self.ctx.report.progress(self.step / (self.learner.params.stepwise_param.max_step + 1))


def guest(learner: Learner, ctx: Ctx, agreed: Agreed, rows: GuestRows) -> SingleModel:
    """The guest's side of the selected model."""
    _check(ctx)
    mine = anonymous_names(rows.frame)
    ctx.remote(Wire.columns, mine)  # (1)
    ctx.remote(Wire.n_rows, rows.frame.n_rows)
    theirs = ctx.get(Wire.columns, source=ctx.hosts[0])
    known = Selection(learner, ctx, agreed, theirs, mine, rows.frame.n_rows)
    if learner.params.init_param.fit_intercept:
        known.intercept_alone = intercept_alone(learner.family, rows)

    def learn(order: Order) -> SingleModel:
        some = replace(rows, frame=_columns(rows.frame, order.guest))
        return learner.learn_guest(ctx, agreed.renewed(), some, None, known.unwatched())

    return _followed(known, rows.frame, learn)


def host(learner: Learner, ctx: Ctx, agreed: Agreed, train: Frame) -> SingleModel:
    """The host's side of the selected model."""
    _check(ctx)
    mine = anonymous_names(train)
    ctx.remote(Wire.columns, mine)  # (1)
    theirs = ctx.get(Wire.columns, source=ctx.guest)
    known = Selection(learner, ctx, agreed, mine, theirs, train.n_rows)

    def learn(order: Order) -> SingleModel:
        some = _columns(train, order.host)
        return learner.learn_host(ctx, agreed.renewed(), some, None, known.unwatched())

    return _followed(known, train, learn)


def arbiter(learner: Learner, ctx: Ctx, agreed: Agreed) -> SingleModel:
    """The arbiter's side: it has trained models say their loss, and chooses."""
    _check(ctx)
    wanted = learner.params.stepwise_param
    names = {party: ctx.get(Wire.columns, source=party) for party in (*ctx.hosts, ctx.guest)}  # (1)
    theirs, guests = names[ctx.hosts[0]], names[ctx.guest]
    known = Selection(learner, ctx, agreed, theirs, guests, ctx.get(Wire.n_rows))
    search = Search(wanted.direction, wanted.nvmin, wanted.nvmax, len(theirs), len(guests))
    best = search.start()
    if any(best):
        _trained(known, best)
    _stepped(known, best)
    while known.step <= wanted.max_step:
        tried = list(search.neighbours(best))
        for mask in tried:
            _trained(known, mask)
        among = [mask for mask in (best, *tried) if mask in known.parts]
        found = min(among, key=lambda mask: _score(known, mask), default=best)
        if found == best:
            break
        best = found
        _stepped(known, best)
    if best not in known.parts:
        raise BadData(f"{ctx.name}: stepwise selection found no model; each party needs features")
    ctx.remote(Wire.order, Order("end", *known.split(best)))  # (3)
    return known.parts[best]


def _check(ctx: Ctx) -> None:
    if len(ctx.hosts) != 1:
        raise BadData(
            f"{ctx.name}: stepwise selection takes one host, not {len(ctx.hosts)}; set "
            "stepwise_param.need_stepwise to false"
        )


def _columns(frame: Frame, chosen: Sequence[bool]) -> Frame:
    """The frame with the chosen features only."""
    at = np.flatnonzero(chosen)
    schema = msgspec.structs.replace(
        frame.schema,
        header=[frame.schema.header[i] for i in at],
        anonymous_header=[anonymous_names(frame)[i] for i in at],
    )
    return replace(frame, x=frame.x[:, at], schema=schema)


def _followed(known: Selection, frame: Frame, learn: Any) -> SingleModel:
    """What guest and host do: train what the arbiter says, until it says which is the best."""
    ctx, judge = known.ctx, known.ctx.arbiter
    assert judge is not None
    n_host, n_guest = len(known.host_names), len(known.guest_names)
    while True:
        order = ctx.get(Wire.order)  # (2) (3)
        mask = (*order.host, *order.guest)
        if (len(order.host), len(order.guest)) != (n_host, n_guest):
            raise ProtocolViolation(judge, Wire.order.name, "a mask of other features")
        if order.what == "train":
            known.parts[mask] = learn(order)
            continue
        if any(mask) and mask not in known.parts:
            raise ProtocolViolation(judge, Wire.order.name, "a model that was never trained")
        if order.what == "end":
            return known.parts[mask]
        _told(known, frame, mask)


def _told(known: Selection, frame: Frame, mask: Mask) -> None:
    """The metric and summary of a step at guest or host."""
    host, guest = known.split(mask)
    own = guest if known.ctx.role == GUEST else host
    part = known.parts.get(mask, SingleModel(intercept=known.intercept_alone))
    names = frame.schema.header
    mine = {
        "loss": None,
        "current_ic_val": None,
        "all_features": list(names),
        "to_enter": [name for name, is_in in zip(names, own, strict=True) if not is_in],
        "intercept": part.intercept,
        "weight": part.weight,
        "header": part.header,
    }
    known.report({**known.metas(mask), **mine}, _features(known, mask))


def _features(known: Selection, mask: Mask) -> dict[str, list[str]]:
    host, guest = known.split(mask)
    return {
        "guest_features": [n for n, is_in in zip(known.guest_names, guest, strict=True) if is_in],
        "host_features": [n for n, is_in in zip(known.host_names, host, strict=True) if is_in],
    }


def _trained(known: Selection, mask: Mask) -> None:
    """A model of these features, unless there is one."""
    if mask in known.parts:
        return
    known.ctx.remote(Wire.order, Order("train", *known.split(mask)))  # (2)
    agreed = known.agreed.renewed()
    part = known.learner.learn_arbiter(known.ctx, agreed, None, known.unwatched())
    known.parts[mask] = part


def _score(known: Selection, mask: Mask) -> float:
    params = known.learner.params
    return selection.criterion(
        params.stepwise_param.score_name,
        known.parts[mask].loss_history[-1],
        known.n_rows,
        sum(mask) + params.init_param.fit_intercept,
        is_gaussian=known.learner.family.name == "gaussian",
    )


def _stepped(known: Selection, mask: Mask) -> None:
    """Tell of the best model of a step."""
    known.ctx.remote(Wire.order, Order("step", *known.split(mask)))  # (3)
    is_there = mask in known.parts
    loss = known.parts[mask].loss_history[-1] if is_there else None
    value = _score(known, mask) if is_there else None
    metas = {**known.metas(mask), "loss": loss, "current_ic_val": value}
    known.report(metas, {"loss": loss, "ic_val": value})
