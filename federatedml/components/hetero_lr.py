"""Vertical logistic regression with a coordinating arbiter.

Parties  guest: features X_g, labels y of -1 and +1, maybe weights s of the rows; hosts: features
         X_h; arbiter: the only secret key. More than two classes: one model for each class.
Maths    v_g = (X_g w_g + b)/4 - y/2,  v_h = X_h w_h / 4;  d = s (v_g + sum of v_h), the slope of
         the log-loss's second-order Taylor polynomial;  gradient X^T d / n plus the penalty's;
         loss = log 2 - 1/2 + 2 v.d / n, where v.d adds up over the parties.
Round    for each batch                                          [.] is a vector of ciphertexts
         (1) host -> guest        [v_h], of the rows that the host is shown
         (2) guest -> hosts       [d], refreshed; [0] for shown rows that are not in the batch
         (3) each -> arbiter      [X_p^T d + r_p], r_p uniform and known to the sender alone
         (4) arbiter -> each      X_p^T d + r_p; the party takes r_p off and moves its weights
         (5) host -> guest -> arbiter  [sum of v.d and penalties]: the loss
         with the sqn optimiser
         (6) host -> guest -> arbiter -> all  [inner products] and from them the direction
         for each iteration
         (7) host -> guest -> arbiter  [squared length of the step], for early_stop weight_diff
         (8) arbiter -> all       whether to stop
         to predict
         (9) host -> guest        X_h w_h; of several hosts only the sum can be read
Trusts   the arbiter not to collude; everyone to follow the protocol (semi-honest).
Source   Hardy et al. 2017, arXiv:1711.10677; parameters and models are FATE 1.x's. What is
         different from FATE, and who learns what: docs/compat, docs/security (hetero_lr.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from federatedml import lr_model, lr_side
from federatedml.component import Ctx, Trainer, register
from federatedml.crypto.paillier import SCALE_BITS, VALUE_BITS, SecretKey
from federatedml.crypto.wire import CipherVector, PublicKey
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.hetero_lr_params import HeteroLRParams
from federatedml.lr_model import Label, LRMeta, LRModel, SingleModel
from federatedml.lr_side import LabelledRows, Side, Watch, labelled
from federatedml.maths import glm, optim
from federatedml.maths.glm import Floats
from federatedml.protocols import cipher_sum, keygen, secure_sum
from federatedml.protocols.batches import (
    Batch,
    Batches,
    BatchPlan,
    Rounds,
    Rows,
    checked_rows,
    guest_key,
)
from federatedml.protocols.cipher_sum import received
from federatedml.protocols.convergence import Convergence
from federation import ARBITER, GUEST, HOST, Message
from federation.errors import ProtocolViolation

WEIGHT_BITS = 32
"""Fractional bits of sample weights, which sum up to the number of rows."""


class Wire:
    """All that leaves a party, beside what callbacks and cross-validation declare."""

    key = Message[PublicKey]({ARBITER}, {GUEST, HOST}, kind="plain", reveals="nothing")
    n_models = Message[int](
        {GUEST}, {HOST, ARBITER}, kind="plain", reveals="number of classes, 1 for two"
    )
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
    loss_share = Message[CipherVector]({HOST}, {GUEST}, kind="ciphertext", reveals="nothing")
    loss = Message[CipherVector](
        {GUEST}, {ARBITER}, kind="ciphertext", reveals="the loss of the batch"
    )
    products_share = Message[CipherVector]({HOST}, {GUEST}, kind="ciphertext", reveals="nothing")
    products = Message[CipherVector](
        {GUEST},
        {ARBITER},
        kind="ciphertext",
        reveals="sqn: inner products of the whole gradient and the whole curvature vectors",
    )
    direction = Message[NDArray[np.float64]](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="sqn: coefficients of the direction in gradient and curvature vectors",
    )
    change_share = Message[CipherVector]({HOST}, {GUEST}, kind="ciphertext", reveals="nothing")
    change = Message[CipherVector](
        {GUEST},
        {ARBITER},
        kind="ciphertext",
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
        {HOST}, {GUEST}, kind="masked", reveals="the sum over all hosts of X_h w_h of every row"
    )


class HeteroLRModel(LRModel, kw_only=True):
    meta_name: ClassVar[str] = "HeteroLogisticRegressionMeta"
    param_name: ClassVar[str] = "HeteroLogisticRegressionParam"


@register("HeteroLR")
class HeteroLR(Trainer[HeteroLRParams]):
    Params = HeteroLRParams
    Model = HeteroLRModel

    # Training: as many binary models as needed, one after the other.

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LRModel | None
    ) -> HeteroLRModel:
        key = keygen.received(ctx, Wire.key, self.params.encrypt_param)
        classes = lr_model.label_classes(train, ctx.name)
        targets = classes[1:] if len(classes) == 2 else classes
        ctx.remote(Wire.n_models, len(targets))
        begun, parts = lr_model.started(start, len(targets), ctx.name), []
        for i, target in enumerate(targets):
            rows = labelled(train, target, ctx.name)
            seen = [lr_model.binary(frame, target, classes) for frame in (train, validate)]
            watch = self._watch(ctx, seen, i, classes, begun[i])
            parts.append(self._learn_guest(ctx, key, rows, begun[i], watch))
        return self._told(ctx, parts, classes)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LRModel | None
    ) -> HeteroLRModel:
        key = keygen.received(ctx, Wire.key, self.params.encrypt_param)
        n_models = ctx.get(Wire.n_models)
        classes: list[Label] = list(range(max(2, n_models)))
        begun, parts = lr_model.started(start, n_models, ctx.name), []
        for i in range(n_models):
            watch = self._watch(ctx, [train, validate], i, classes, begun[i])
            parts.append(self._learn_host(ctx, key, train, begun[i], watch))
        return self._told(ctx, parts, classes)

    def fit_arbiter(
        self,
        ctx: Ctx,
        train: None,  # noqa: ARG002 (the arbiter has no rows)
        validate: None,  # noqa: ARG002 (nor any to validate)
        start: LRModel | None,
    ) -> HeteroLRModel:
        secret = keygen.arbiter_makes(ctx, Wire.key, self.params.encrypt_param)
        n_models = ctx.get(Wire.n_models)
        classes: list[Label] = list(range(max(2, n_models)))
        begun, parts = lr_model.started(start, n_models, ctx.name), []
        for i in range(n_models):
            watch = self._watch(ctx, [None, None], i, classes, begun[i])
            parts.append(self._learn_arbiter(ctx, secret, begun[i], watch))
        return self._told(ctx, parts, classes)

    # Training of one binary model.

    def _learn_guest(
        self, ctx: Ctx, key: PublicKey, rows: LabelledRows, begun: SingleModel | None, watch: Watch
    ) -> SingleModel:
        fits = self.params.init_param.fit_intercept
        side = Side(self.params, rows.frame, ctx.name, begun, has_intercept=fits)
        batches = self._batches(side, rows.y, max(ctx.gather(Wire.least_rows).values()))
        ctx.remote(Wire.plan, batches.plan(side.iters))
        ctx.remote(Wire.rounds, batches.rounds(side.iters))
        for t in range(side.iters, self.params.max_iter):
            side.descent.mark()
            for batch in batches.iteration():
                if batches.renewed or (side.is_fresh and not batches.whole):
                    ctx.remote(Wire.rows, batch.shown)
                self._batch_guest(ctx, key, side, rows, batch, t)
            if self.params.early_stop == "weight_diff":
                own = cipher_sum.sealed(key, np.array([side.descent.change()]))
                cipher_sum.total(ctx, key, (Wire.change_share, Wire.change), own)  # (7)
            side.finish(t, is_converged=ctx.get(Wire.is_converged))  # (8)
            if watch.stops(t, side.model()):
                break
        return watch.best(side.model())

    def _learn_host(
        self, ctx: Ctx, key: PublicKey, train: Frame, begun: SingleModel | None, watch: Watch
    ) -> SingleModel:
        side = Side(self.params, train, ctx.name, begun, has_intercept=False)
        ctx.remote(Wire.least_rows, train.n_features + 1)
        plan = ctx.get(Wire.plan)
        batches = plan.followed(side.n_rows, ctx.name)
        for t in range(plan.first_iteration, self.params.max_iter):
            side.descent.mark()
            for i, size in enumerate(plan.sizes):
                if plan.renewed or (side.is_fresh and plan.partial):
                    batches[i] = checked_rows(ctx.get(Wire.rows), side.n_rows, ctx.guest, Wire.rows)
                self._batch_host(ctx, key, side, batches[i], size, t)
            if self.params.early_stop == "weight_diff":
                own = cipher_sum.sealed(key, np.array([side.descent.change()]))
                cipher_sum.share(ctx, key, Wire.change_share, own)  # (7)
            side.finish(t, is_converged=ctx.get(Wire.is_converged))  # (8)
            if watch.stops(t, side.model()):
                break
        return watch.best(side.model())

    def _learn_arbiter(
        self, ctx: Ctx, secret: SecretKey, begun: SingleModel | None, watch: Watch
    ) -> SingleModel:
        told = ctx.get(Wire.rounds)
        past = list(begun.loss_history) if begun else []
        rule = Convergence(self.params.early_stop, self.params.tol, past)
        part = SingleModel(iters=told.first_iteration, loss_history=rule.losses)
        clock = optim.PairClock(self.params.sqn_param.update_interval_L)
        for t in range(told.first_iteration, self.params.max_iter):
            losses = [self._batch_arbiter(ctx, secret, size, clock) for size in told.sizes]
            step = 0.0
            if self.params.early_stop == "weight_diff":
                step = float(secret.decrypt(ctx.get(Wire.change))[0])  # (7)
            part.iters, loss = t + 1, float(np.mean(losses))
            part.is_converged = rule.is_reached(loss, step)
            watch.loss(t, loss)
            ctx.remote(Wire.is_converged, part.is_converged)  # (8)
            if watch.stops(t, part):
                break
        return watch.best(part)

    # One batch.

    def _batch_guest(
        self, ctx: Ctx, key: PublicKey, side: Side, rows: LabelledRows, batch: Batch, t: int
    ) -> None:
        v = side.part()[batch.rows] - 0.5 * rows.y[batch.rows]
        d = self._residual(ctx, key, v, rows.weight, batch)  # (1) (2)
        found = key.matvec(
            glm.append_column(side.x[batch.rows], 2.0 * v), d, side.precision, cores=ctx.cores
        )
        blinded, blinding = key.blind(found[:-1], bits=side.bound(d))
        ctx.remote(Wire.gradient, blinded)  # (3)
        n = len(batch.rows)
        constant = (glm.LOG2 - 0.5) * rows.total_weight(batch.rows)
        rest = np.array([constant + n * side.descent.penalty_loss()])
        loss = key.add(found[-1:], cipher_sum.sealed(key, rest, found.scale_bits))
        cipher_sum.total(ctx, key, (Wire.loss_share, Wire.loss), loss)  # (5)
        total = blinding.open(ctx.get(Wire.opened))  # (4)
        gradient = side.descent.gradient(total, n)
        if side.quasi.pairs:
            own = cipher_sum.sealed(key, side.quasi.products(gradient).ravel())
            cipher_sum.total(ctx, key, (Wire.products_share, Wire.products), own)  # (6)
            gradient = side.quasi.combined(ctx.get(Wire.direction), gradient)
        side.descent.move(gradient, t)
        if self._is_sqn and (s := side.quasi.moved(side.descent.w)) is not None:
            self._curvature_guest(ctx, key, side, rows, s)

    def _batch_host(
        self, ctx: Ctx, key: PublicKey, side: Side, shown: Rows, size: int, t: int
    ) -> None:
        v = side.part()[shown]
        ctx.remote(Wire.score, key.encrypt(v, cores=ctx.cores))  # (1)
        d = received(ctx.get(Wire.residual), key, len(v), ctx.guest, Wire.residual)  # (2)
        found = key.matvec(
            glm.append_column(side.x[shown], 2.0 * v), d, side.precision, cores=ctx.cores
        )
        blinded, blinding = key.blind(found[:-1], bits=side.bound(d))
        ctx.remote(Wire.gradient, blinded)  # (3)
        rest = np.array([size * side.descent.penalty_loss()])
        loss = key.add(found[-1:], cipher_sum.sealed(key, rest, found.scale_bits))
        cipher_sum.share(ctx, key, Wire.loss_share, loss)  # (5)
        total = blinding.open(ctx.get(Wire.opened))  # (4)
        gradient = side.descent.gradient(total, size)
        if side.quasi.pairs:
            own = cipher_sum.sealed(key, side.quasi.products(gradient).ravel())
            cipher_sum.share(ctx, key, Wire.products_share, own)  # (6)
            gradient = side.quasi.combined(ctx.get(Wire.direction), gradient)
        side.descent.move(gradient, t)
        if self._is_sqn and (s := side.quasi.moved(side.descent.w)) is not None:
            self._curvature_host(ctx, key, side, s)

    def _batch_arbiter(
        self, ctx: Ctx, secret: SecretKey, size: int, clock: optim.PairClock
    ) -> float:
        """The mean loss of the batch."""
        self._open(ctx, secret)  # (3) (4)
        loss = float(secret.decrypt(ctx.get(Wire.loss))[0]) / size  # (5)
        if self._is_sqn:
            if pairs := clock.pairs(self.params.sqn_param.memory_M):
                sums = secret.decrypt(ctx.get(Wire.products)).reshape(2 * pairs + 1, -1)
                ctx.remote(Wire.direction, optim.coefficients(sums))  # (6)
            if clock.tick():
                self._open(ctx, secret)
        return loss

    def _residual(
        self, ctx: Ctx, key: PublicKey, v: Floats, weight: Floats | None, batch: Batch
    ) -> CipherVector:
        """Steps (1) and (2) at the guest: [d] of the batch's rows.

        The fresh encryptions of its own part refresh the sum. Hosts drew the randomness of what
        they sent: unrefreshed, they could divide it out, and read the label.
        """
        scale, bits = SCALE_BITS, VALUE_BITS + len(ctx.hosts)
        if weight is not None:
            n_rows, weight = len(weight), weight[batch.rows]
            v = v * weight
            weight_bits = WEIGHT_BITS + n_rows.bit_length()
            scale, bits = scale + WEIGHT_BITS, bits + weight_bits
        own = np.zeros(len(batch.shown))
        own[batch.at] = v
        fresh = key.encrypt(own, scale_bits=scale, bits=bits, cores=ctx.cores)
        scores = [
            received(c, key, len(own), host, Wire.score)
            for host, c in ctx.each(Wire.score)  # (1)
        ]
        theirs = reduce(key.add, scores).take(batch.at)
        if weight is not None:
            theirs = key.mul_plain(theirs, weight, WEIGHT_BITS, weight_bits)
        d = key.add_at(fresh, batch.at, theirs)
        ctx.remote(Wire.residual, d)  # (2)
        return d.take(batch.at)

    @staticmethod
    def _open(ctx: Ctx, secret: SecretKey) -> None:
        """Steps (3) and (4) at the arbiter, who sees uniform numbers only."""
        for party, blinded in ctx.each(Wire.gradient):  # (3)
            ctx.remote(Wire.opened, secret.residues(blinded), to=party)  # (4)

    # The sqn optimiser: y = Hessian times s on a sample of rows, by steps (1) to (4) again.

    def _curvature_guest(
        self, ctx: Ctx, key: PublicKey, side: Side, rows: LabelledRows, s: Floats
    ) -> None:
        sqn = self.params.sqn_param
        rng = np.random.default_rng(sqn.random_seed)
        chosen = rng.permutation(side.n_rows)[: sqn.sample_size]
        sample = np.sort(chosen).astype(np.int64)
        ctx.remote(Wire.sample, sample)
        x = side.x[sample]
        batch = Batch(sample, sample, np.arange(len(sample)))
        h = self._residual(ctx, key, 0.25 * np.asarray(x @ s), rows.weight, batch)
        found = key.matvec(x, h, side.precision, cores=ctx.cores)
        blinded, blinding = key.blind(found, bits=side.bound(h))
        ctx.remote(Wire.gradient, blinded)
        total = blinding.open(ctx.get(Wire.opened))
        side.quasi.remember(s, total / len(sample) + side.descent.penalised(s))

    def _curvature_host(self, ctx: Ctx, key: PublicKey, side: Side, s: Floats) -> None:
        sample = ctx.get(Wire.sample)
        x = side.x[checked_rows(sample, side.n_rows, ctx.guest, Wire.sample)]
        ctx.remote(Wire.score, key.encrypt(0.25 * np.asarray(x @ s)))
        h = received(ctx.get(Wire.residual), key, len(sample), ctx.guest, Wire.residual)
        found = key.matvec(x, h, side.precision, cores=ctx.cores)
        blinded, blinding = key.blind(found, bits=side.bound(h))
        ctx.remote(Wire.gradient, blinded)
        total = blinding.open(ctx.get(Wire.opened))
        side.quasi.remember(s, total / len(sample) + side.descent.penalised(s))

    # Prediction. The arbiter takes no part.

    def predict_guest(self, ctx: Ctx, model: LRModel, data: Frame) -> Predictions:
        own = lr_side.score(model, data, ctx.name)
        if len(ctx.hosts) == 1:
            theirs = ctx.get(Wire.only_score)  # (9)
        else:
            theirs = secure_sum.guest_sums(ctx, Wire.masked_score, own.shape)  # (9)
        if theirs.shape != own.shape:
            raise ProtocolViolation(
                ctx.hosts[0], Wire.only_score.name, f"scores {theirs.shape}, not {own.shape}"
            )
        chances = glm.sigmoid(own + theirs)
        classes = lr_model.classes_of(model.param)
        return predictions(data, chances, classes, self.params.predict_param.threshold)

    def predict_host(self, ctx: Ctx, model: LRModel, data: Frame) -> None:
        own = lr_side.score(model, data, ctx.name)
        if len(ctx.hosts) == 1:
            ctx.remote(Wire.only_score, own)  # (9)
        else:
            ctx.remote(Wire.masked_score, secure_sum.host_masks(ctx, Wire.host_key, own))  # (9)

    # What stays inside the party.

    @property
    def _is_sqn(self) -> bool:
        return self.params.optimizer == "sqn"

    def _batches(self, side: Side, y: Floats, needed: int) -> Batches:
        p = self.params
        seed, version = p.init_param.random_seed, "batches 1"
        settings = (p.batch_size, p.batch_strategy, float(p.masked_rate), seed, version)
        # Else the decoys of a run in order would tell of the batches of a shuffled one.
        more = () if p.shuffle or p.batch_strategy == "random" else ("in order",)
        return Batches(
            len(y),
            p.batch_size,
            strategy=p.batch_strategy,
            shuffle=p.shuffle,
            masked_rate=p.masked_rate,
            needed=needed,
            key=guest_key(side.x, y, side.iters, needed, *settings, *more),
        )

    def _watch(
        self,
        ctx: Ctx,
        seen: Sequence[Frame | None],
        which: int,
        classes: Sequence[Label],
        begun: SingleModel | None,
    ) -> Watch:
        several = len(classes) > 2
        names = [0, 1] if several else list(classes)
        return lr_side.watch(
            self,
            ctx,
            seen,
            which if several else None,
            begun,
            lambda part: self._model(ctx, [part], names),
        )

    def _model(
        self, ctx: Ctx, parts: Sequence[SingleModel], classes: Sequence[Label]
    ) -> HeteroLRModel:
        """The component's model at this party."""
        p, several = self.params, len(parts) > 1
        meta = LRMeta(
            penalty=p.penalty or "NONE",
            tol=p.tol,
            alpha=p.alpha,
            optimizer=p.optimizer,
            batch_size=str(p.batch_size),
            learning_rate=p.learning_rate,
            max_iter=str(p.max_iter),
            early_stop=p.early_stop,
            fit_intercept=p.init_param.fit_intercept and (several or ctx.role != HOST),
            need_one_vs_rest=several,
        )
        return HeteroLRModel(meta=meta, param=lr_model.as_param(parts, classes))

    def _told(
        self, ctx: Ctx, parts: Sequence[SingleModel], classes: Sequence[Label]
    ) -> HeteroLRModel:
        """The finished model, after telling the job's owner of it."""
        several = len(parts) > 1
        shown = [
            lr_side.summary(part, one_of_several=several, of_arbiter=ctx.role == ARBITER)
            for part in parts
        ]
        by_class = {str(c): one for c, one in zip(classes, shown, strict=False)}
        ctx.report.summary(by_class if several else shown[0])
        return self._model(ctx, parts, classes)
