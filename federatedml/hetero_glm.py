"""Training of a vertical generalised linear model with a coordinating arbiter.

Parties  guest: features X_g, labels y, maybe weights of the rows; hosts: features X_h; arbiter.
Maths    eta_p = X_p w_p (the guest's with intercept and offset); d, linear in what the hosts
         hold, is the slope of the loss in the sum of all eta (``maths.family``); gradient
         X^T d / n plus the penalty's; loss: the mean over the rows plus the penalty.
Round    (1) host -> guest        how many rows a batch should have
         (2) guest -> all         sizes of batches
         (3) guest -> hosts       which rows the batch is shown as, where it is not all rows
         for each batch
         (4) all                  the exchange: each party gets X_p^T d, the arbiter the loss
         with the sqn optimiser
         (5) guest, hosts -> arbiter  inner products, padded: only their sums can be read
         (6) arbiter -> guest, hosts  from the sums, the direction; and now and then
         (7) guest -> hosts       a sample of rows on which curvature is measured, by (4) again
         for each iteration
         (8) guest, hosts -> arbiter  squared step, padded, for early_stop weight_diff
         (9) arbiter -> all       whether to stop
         to predict
         (10) host -> guest       X_h w_h; of several hosts only the sum can be read
Trusts   the arbiter not to collude; everyone to follow the protocol (semi-honest).
Source   FATE 1.x's parameters and models. docs/compat and docs/security: hetero_lr.md and others.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, TypeVar

import numpy as np
from numpy.typing import NDArray

from federatedml import glm_watch, stepwise
from federatedml.component import Ctx, Trainer
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.errors import BadData
from federatedml.glm_side import (
    Agreed,
    GuestRows,
    Side,
    Targets,
    checked_features,
    explained,
    host_sizes,
    slice_of,
)
from federatedml.glm_watch import Watch
from federatedml.hetero_glm_params import AGREED, HeteroGlmParams
from federatedml.lr_model import Label, LinearModel, SingleModel, started
from federatedml.maths import optim
from federatedml.maths.family import Family
from federatedml.maths.glm import Floats
from federatedml.protocols import exchanges, secure_sum
from federatedml.protocols.batches import Batch, Batches, BatchPlan, Rounds, Rows, checked_rows
from federatedml.protocols.convergence import Convergence
from federation import ARBITER, GUEST, HOST, Message
from federation.errors import ProtocolViolation

P = TypeVar("P", bound=HeteroGlmParams)


class Wire:
    """All that leaves a party beside exchange, callbacks, stepwise and cross-validation."""

    least_rows = Message[int](
        {HOST}, {GUEST}, kind="plain", reveals="the host's number of features, plus 1"
    )
    plan = Message[BatchPlan](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="number of rows, sizes of batches, whether they change, iterations done before",
    )
    rounds = Message[Rounds](
        {GUEST}, {ARBITER}, kind="plain", reveals="sizes of batches, iterations done before"
    )
    rows = Message[NDArray[np.int64]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="a superset of the batch's rows (the batch if unmasked)",
    )
    sample = Message[NDArray[np.int64]](
        {GUEST}, {HOST}, kind="plain", reveals="sqn: random rows on which curvature is measured"
    )
    pad_key = Message[bytes]({GUEST, HOST}, {GUEST, HOST}, kind="plain", reveals="nothing")
    products = Message[NDArray[np.uint64]](
        {GUEST, HOST},
        {ARBITER},
        kind="masked",
        reveals="sqn: inner products of the whole gradient and the whole curvature vectors",
    )
    direction = Message[NDArray[np.float64]](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="sqn: coefficients of the direction in gradient and curvature vectors",
    )
    change = Message[NDArray[np.uint64]](
        {GUEST, HOST},
        {ARBITER},
        kind="masked",
        reveals="squared length of the iteration's step of all weights together",
    )
    is_converged = Message[bool](
        {ARBITER}, {GUEST, HOST}, kind="plain", reveals="whether training has converged"
    )
    only_score = Message[NDArray[np.float64]](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="the only host's X_h w_h of every row predicted or validated",
    )
    host_key = Message[bytes]({HOST}, {HOST}, kind="plain", reveals="nothing")
    masked_score = Message[NDArray[np.uint64]](
        {HOST},
        {GUEST},
        kind="masked",
        reveals="the sum over all hosts of X_h w_h of every row predicted or validated",
    )


class HeteroGlm(Trainer[P]):
    """One model of a family; a component says which labels it takes and how its model looks."""

    family: ClassVar[Family]
    aligned = True
    agrees = AGREED

    def targets(self, ctx: Ctx, train: Frame, validate: Frame | None) -> Targets:
        """At the guest: what to learn, the labels checked. Raises BadData."""
        raise NotImplementedError

    def names(self, ctx: Ctx) -> list[Label]:  # noqa: ARG002 (LR is told how many)
        """At the others: what they call the classes, of which there are as many."""
        return []

    def model_of(
        self, ctx: Ctx, parts: Sequence[SingleModel], names: Sequence[Label]
    ) -> LinearModel:
        """The component's model at this party."""
        raise NotImplementedError

    # One fit: a model, or one for each of more than two classes.

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LinearModel | None
    ) -> Any:
        targets = self.targets(ctx, train, validate)
        begun, selects = self._begun(ctx, targets.names, validate, start)
        weighted = any(rows.weight is not None for rows in targets.rows)
        agreed = self.agree(ctx, train, has_factor=weighted or self.masks(train.n_rows))
        learn, parts = self.select_guest if selects else self.learn_guest, []
        for i, (rows, seen) in enumerate(zip(targets.rows, targets.seen, strict=True)):
            watch = self._watch(ctx, seen, i, targets.names, begun[i])
            parts.append(learn(ctx, agreed.renewed(), rows, begun[i], watch))
        return self._told(ctx, agreed, parts, targets.names)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LinearModel | None
    ) -> Any:
        names = self.names(ctx)
        begun, selects = self._begun(ctx, names, validate, start)
        agreed = self.agree(ctx, train)
        learn, parts = self.select_host if selects else self.learn_host, []
        for i, one in enumerate(begun):
            watch = self._watch(ctx, [train, validate], i, names, one)
            parts.append(learn(ctx, agreed.renewed(), train, one, watch))
        return self._told(ctx, agreed, parts, names)

    def fit_arbiter(
        self,
        ctx: Ctx,
        train: None,  # noqa: ARG002 (the arbiter has no rows)
        validate: None,
        start: LinearModel | None,
    ) -> Any:
        names = self.names(ctx)
        begun, selects = self._begun(ctx, names, validate, start)
        agreed = self.agree(ctx, None)
        learn, parts = self.select_arbiter if selects else self.learn_arbiter, []
        for i, one in enumerate(begun):
            watch = self._watch(ctx, [None, None], i, names, one)
            parts.append(learn(ctx, agreed.renewed(), one, watch))
        return self._told(ctx, agreed, parts, names)

    def _begun(
        self,
        ctx: Ctx,
        names: Sequence[Label],
        validate: Frame | None,
        start: LinearModel | None,
    ) -> tuple[list[SingleModel | None], bool]:
        """Where each model's training goes on, and whether features are to be selected.

        Raises BadModel, and BadData for what does not go with selection.
        """
        n_models = len(names) if len(names) > 2 else 1
        begun, wanted = started(start, n_models, ctx.name), self.params.stepwise_param
        if wanted.need_stepwise and (validate is not None or start is not None):
            raise BadData(
                f"{ctx.name}: stepwise selection takes train_data only; leave validate_data and "
                "the model input out"
            )
        if wanted.need_stepwise and n_models > 1:
            raise BadData(
                f"{ctx.name}: stepwise selection takes two classes, not {n_models}; set "
                "stepwise_param.need_stepwise to false"
            )
        return begun, wanted.need_stepwise

    def masks(self, n_rows: int) -> bool:  # noqa: ARG002 (LR does)
        """Whether hosts are shown more rows than are in a batch."""
        return False

    def agree(self, ctx: Ctx, train: Frame | None, *, has_factor: bool = False) -> Agreed:
        """Keys and pads for a fit. Raises BadData for data or parties that cannot be."""
        if train is not None:
            checked_features(train, ctx)
        if not self.family.additive and len(ctx.hosts) != 1:
            raise BadData(f"{ctx.name}: {self.module} trains with one host, not {len(ctx.hosts)}")
        p = self.params
        precision = p.floating_point_precision
        exchange = exchanges.opened(
            ctx, p.encrypt_param, self.family, precision, has_factor=has_factor
        )
        needs_pads = self._is_sqn or p.early_stop == "weight_diff"
        pads = secure_sum.agreed(ctx, Wire.pad_key) if needs_pads and ctx.role != ARBITER else None
        return Agreed(exchange, pads)

    # Training of many models, to select features.

    def select_guest(
        self, ctx: Ctx, agreed: Agreed, rows: GuestRows, _begun: SingleModel | None, _watch: Watch
    ) -> SingleModel:
        return stepwise.guest(self, ctx, agreed, rows)

    def select_host(
        self, ctx: Ctx, agreed: Agreed, train: Frame, _begun: SingleModel | None, _watch: Watch
    ) -> SingleModel:
        return stepwise.host(self, ctx, agreed, train)

    def select_arbiter(
        self, ctx: Ctx, agreed: Agreed, _begun: SingleModel | None, _watch: Watch
    ) -> SingleModel:
        return stepwise.arbiter(self, ctx, agreed)

    # Training of one model.

    @explained
    def learn_guest(
        self, ctx: Ctx, agreed: Agreed, rows: GuestRows, begun: SingleModel | None, watch: Watch
    ) -> SingleModel:
        fits, name = self.params.init_param.fit_intercept, ctx.name
        side = Side(
            self.params,
            self.family,
            rows.frame,
            name,
            begun,
            has_intercept=fits,
            offset=rows.offset,
        )
        least = max(ctx.gather(Wire.least_rows).values())  # (1)
        batches = self.batches(side, rows.y, least)
        ctx.remote(Wire.plan, batches.plan(side.iters))  # (2)
        ctx.remote(Wire.rounds, batches.rounds(side.iters))
        for t in range(side.iters, self.params.max_iter):
            side.descent.mark()
            for i, batch in enumerate(batches.iteration()):
                if batches.renewed or (side.is_fresh and not batches.whole):
                    ctx.remote(Wire.rows, batch.shown)  # (3)
                number = None if batches.renewed else i
                self._batch_guest(ctx, agreed, side, rows, batch, number, t)
            self._changed(ctx, agreed, side)
            side.finish(t, is_converged=ctx.get(Wire.is_converged))  # (9)
            if watch.stops(t, side.model()):
                break
        return watch.best(side.model())

    @explained
    def learn_host(
        self, ctx: Ctx, agreed: Agreed, train: Frame, begun: SingleModel | None, watch: Watch
    ) -> SingleModel:
        side = Side(self.params, self.family, train, ctx.name, begun)
        ctx.remote(Wire.least_rows, train.n_features + 1)  # (1)
        plan = ctx.get(Wire.plan)  # (2)
        shown = plan.followed(side.n_rows, ctx.name)
        for t in range(plan.first_iteration, self.params.max_iter):
            side.descent.mark()
            for i, size in enumerate(plan.sizes):
                if plan.renewed or (side.is_fresh and plan.partial):
                    told = ctx.get(Wire.rows)  # (3)
                    shown[i] = checked_rows(told, side.n_rows, ctx.guest, Wire.rows)
                number = None if plan.renewed else i
                self._batch_host(ctx, agreed, side, shown[i], size, number, t)
            self._changed(ctx, agreed, side)
            side.finish(t, is_converged=ctx.get(Wire.is_converged))  # (9)
            if watch.stops(t, side.model()):
                break
        return watch.best(side.model())

    @explained
    def learn_arbiter(
        self, ctx: Ctx, agreed: Agreed, begun: SingleModel | None, watch: Watch
    ) -> SingleModel:
        told = ctx.get(Wire.rounds)  # (2)
        past = list(begun.loss_history) if begun else []
        rule = Convergence(self.params.early_stop, self.params.tol, past)
        part = SingleModel(iters=told.first_iteration, loss_history=rule.losses)
        sqn = getattr(self.params, "sqn_param", None)
        clock = optim.PairClock(sqn.update_interval_L if sqn else 1)
        for t in range(told.first_iteration, self.params.max_iter):
            losses = [self._batch_arbiter(ctx, agreed, size, clock) for size in told.sizes]
            step = 0.0
            if self.params.early_stop == "weight_diff":
                step = float(secure_sum.wide_sum(ctx, Wire.change, 1)[0])  # (8)
            part.iters, loss = t + 1, float(np.mean(losses))
            part.is_converged = rule.is_reached(loss, step)
            watch.loss(t, loss)
            ctx.remote(Wire.is_converged, part.is_converged)  # (9)
            if watch.stops(t, part):
                break
        return watch.best(part)

    # One batch.

    def _batch_guest(
        self,
        ctx: Ctx,
        agreed: Agreed,
        side: Side,
        rows: GuestRows,
        batch: Batch,
        number: int | None,
        t: int,
    ) -> None:
        n, n_shown = len(batch.rows), len(batch.shown)
        share, own, sizes = rows.share(self.family, side.eta(), side.descent.penalty_loss())
        x = side.x if n == side.n_rows else side.x[batch.rows]
        part = slice_of(x, n_shown, sizes, None if n == n_shown else batch.at, number)
        loss = float(own[batch.rows].sum())
        total = agreed.exchange.guest(ctx, part, share.at(batch.rows), loss)  # (4)
        s = self._moved(ctx, agreed, side, total, n, t)
        if s is not None:
            chosen = self._sample(side.n_rows)
            ctx.remote(Wire.sample, chosen)  # (7)
            share, sizes = rows.curvature(self.family, np.asarray(side.x @ s))
            part = slice_of(side.x[chosen], len(chosen), sizes)
            total = agreed.exchange.guest(ctx, part, share.at(chosen), None)
            self._remembered(side, s, total, len(chosen))

    def _batch_host(
        self,
        ctx: Ctx,
        agreed: Agreed,
        side: Side,
        shown: Rows,
        size: int,
        number: int | None,
        t: int,
    ) -> None:
        eta, penalty = side.eta(), side.descent.penalty_loss()
        v = self.family.host_part(eta)
        x = side.x if len(shown) == side.n_rows else side.x[shown]
        sizes = host_sizes(self.family, eta, v, penalty)
        part = slice_of(x, len(shown), sizes, number=number)
        total = agreed.exchange.host(ctx, part, eta[shown], v[shown], size * penalty)  # (4)
        s = self._moved(ctx, agreed, side, total, size, t)
        if s is not None:
            told = ctx.get(Wire.sample)  # (7)
            chosen = checked_rows(told, side.n_rows, ctx.guest, Wire.sample)
            change = np.asarray(side.x @ s)
            v = self.family.host_part(change)
            sizes = host_sizes(self.family, change, v, 0.0)
            part = slice_of(side.x[chosen], len(chosen), sizes)
            total = agreed.exchange.host(ctx, part, change[chosen], v[chosen], None)
            self._remembered(side, s, total, len(told))

    def _batch_arbiter(self, ctx: Ctx, agreed: Agreed, size: int, clock: optim.PairClock) -> float:
        """The mean loss of the batch."""
        loss = agreed.exchange.arbiter(ctx, with_loss=True) / size  # (4)
        if self._is_sqn:
            memory: int = self.params.sqn_param.memory_M  # type: ignore[attr-defined]
            if pairs := clock.pairs(memory):
                width = 2 * pairs + 1
                sums = secure_sum.wide_sum(ctx, Wire.products, width * width)  # (5)
                found = optim.coefficients(sums.reshape(width, width))
                ctx.remote(Wire.direction, found)  # (6)
            if clock.tick():
                agreed.exchange.arbiter(ctx, with_loss=False)
        return loss

    def _moved(
        self, ctx: Ctx, agreed: Agreed, side: Side, total: Floats, n_rows: int, t: int
    ) -> Floats | None:
        """One step of guest or host; the s of a curvature pair if one is due."""
        gradient = side.descent.gradient(total[: len(side.descent.w)], n_rows)
        if side.quasi.pairs:
            assert agreed.pads is not None
            own = side.quasi.products(gradient).ravel()
            ctx.remote(Wire.products, agreed.pads.wide(own))  # (5)
            gradient = side.quasi.combined(ctx.get(Wire.direction), gradient)  # (6)
        side.descent.move(gradient, t)
        return side.quasi.moved(side.descent.w) if self._is_sqn else None

    def _remembered(self, side: Side, s: Floats, total: Floats, n_rows: int) -> None:
        side.quasi.remember(s, total[: len(s)] / n_rows + side.descent.penalised(s))

    def _changed(self, ctx: Ctx, agreed: Agreed, side: Side) -> None:
        if self.params.early_stop == "weight_diff":
            assert agreed.pads is not None
            own = np.array([side.descent.change()])
            ctx.remote(Wire.change, agreed.pads.wide(own))  # (8)

    # Prediction. The arbiter takes no part.

    @explained
    def predict_guest(self, ctx: Ctx, model: LinearModel, data: Frame) -> Predictions:
        own = self.own_score(ctx, model, data)
        if len(ctx.hosts) == 1:
            theirs = ctx.get(Wire.only_score)  # (10)
        else:
            theirs = secure_sum.guest_sums(ctx, Wire.masked_score, own.shape)  # (10)
        if theirs.shape != own.shape:
            raise ProtocolViolation(
                ctx.hosts[0], Wire.only_score.name, f"scores {theirs.shape}, not {own.shape}"
            )
        return self.said(model, data, self.family.mean(own + theirs))

    @explained
    def predict_host(self, ctx: Ctx, model: LinearModel, data: Frame) -> None:
        own = glm_watch.score(model, data, ctx.name)
        if len(ctx.hosts) == 1:
            ctx.remote(Wire.only_score, own)  # (10)
        else:
            ctx.remote(Wire.masked_score, secure_sum.host_masks(ctx, Wire.host_key, own))  # (10)

    def own_score(self, ctx: Ctx, model: LinearModel, data: Frame) -> Floats:
        """(n, c) the guest's part of the score of every model."""
        return glm_watch.score(model, data, ctx.name)

    def said(self, model: LinearModel, data: Frame, means: Floats) -> Predictions:  # noqa: ARG002
        """The predictions that these means (n, c) stand for."""
        return predictions(data, means)

    # What stays inside the party.

    @property
    def _is_sqn(self) -> bool:
        return self.params.optimizer == "sqn"

    def batches(self, side: Side, y: Floats, least: int) -> Batches:  # noqa: ARG002 (LR's use it)
        """The guest's batches. least: as in ``Batches``."""
        return Batches(len(y), self.params.batch_size, shuffle=False, least=least)

    def _sample(self, n_rows: int) -> Rows:
        sqn: Any = self.params.sqn_param  # type: ignore[attr-defined]
        order = np.random.default_rng(sqn.random_seed).permutation(n_rows)
        return np.sort(order[: sqn.sample_size]).astype(np.int64)

    def _watch(
        self,
        ctx: Ctx,
        seen: Sequence[Frame | None],
        which: int,
        names: Sequence[Label],
        begun: SingleModel | None,
    ) -> Watch:
        several = len(names) > 2
        of_one = [0, 1] if several else names

        def store(part: SingleModel) -> LinearModel:
            return self.model_of(ctx, [part], of_one)

        return glm_watch.watch(self, ctx, seen, which if several else None, begun, store)

    def _told(
        self, ctx: Ctx, agreed: Agreed, parts: Sequence[SingleModel], names: Sequence[Label]
    ) -> LinearModel:
        """The finished model, after telling the job's owner of it."""
        several = len(parts) > 1
        shown = [
            glm_watch.summary(part, one_of_several=several, of_arbiter=ctx.role == ARBITER)
            for part in parts
        ]
        by_class = {str(name): one for name, one in zip(names, shown, strict=False)}
        told = by_class if several else shown[0]
        ctx.report.summary({**told, "security": agreed.exchange.security})
        return self.model_of(ctx, parts, names)
