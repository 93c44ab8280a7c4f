"""Horizontal logistic regression: parties with the same columns and rows of their own.

Parties  guest and hosts, the clients: features X_p, labels y_p of 0 and 1, maybe weights of the
         rows; W_p their sum, else the number of rows. Arbiter: adds up. More than two classes:
         one model for each class.
Maths    each client minimises the mean log-loss of its own rows plus the penalty, from the same
         weights; after every aggregate_iters epochs w = sum of W_p w_p / sum of W_p. With one step
         between two sums (all rows as one batch) that is gradient descent on the pooled rows.
Round    (1) host -> guest         its distinct labels
         (2) guest -> hosts        all distinct labels; seed of the first weights; digests of its
                                   column names; what has to be equal in the parameters
         (3) guest -> arbiter      number of classes, and the same of the parameters
         (4) clients -> arbiter    W_p and number of rows, by secure aggregation; back comes a
                                   power of two above the sum of W_p
         for each class
         (5) guest -> others       epochs done before (a warm start)
         every aggregate_iters epochs, and after the last one
         (6) clients -> arbiter    W_p w_p, W_p loss_p and W_p, by secure aggregation
         (7) arbiter -> clients    w, and whether training has converged
         Prediction is local: every client has the whole model.
         with secure_aggregation_param.method ckks, clients open the sums and the arbiter does not:
         (8) clients -> arbiter -> clients   the numbers of (4) and (6), and their sums, encrypted
         (9) guest -> others       whether training has converged
Trusts   everyone to follow the protocol (semi-honest), and fewer clients than the threshold to
         collude with the arbiter (with ckks: none). All clients, and the arbiter but with ckks,
         learn w of every sum; docs/security/secure_aggregation.md.
Source   McMahan et al. 2017, arXiv:1602.05629 (averaging); Bonawitz et al. 2017 (secure sums);
         parameters and models are FATE 1.x's, differences: docs/compat/homo_lr.md.
"""

from __future__ import annotations

import logging
import secrets
from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml import glm_watch, homo_side, lr_model
from federatedml.component import Ctx, Trainer, register
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.homo_lr_params import HomoLRParams
from federatedml.homo_side import Learner, Means
from federatedml.lr_model import Label, LRMeta, LRModel, SingleModel
from federatedml.maths import glm
from federatedml.params_shared import TRAINING
from federatedml.protocols import cipher_aggregation, roll_call, secure_aggregation
from federatedml.protocols.cipher_aggregation import CipherClient, CipherServer
from federatedml.protocols.convergence import Convergence
from federatedml.protocols.roll_call import Terms
from federatedml.protocols.secure_aggregation import Client, Server
from federation import ARBITER, GUEST, HOST, Message, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

COUNT_BITS = 16
"""Fractional bits of summed row counts and weights: they may add up to 2^46."""


@codec.wire_struct
class HomoEqual(msgspec.Struct, frozen=True):
    """Parameters that steer the conversation: the same at every party, or it would break."""

    max_iter: int
    aggregate_iters: int
    fit_intercept: bool
    method: str


@codec.wire_struct
class HomoOpening(msgspec.Struct, frozen=True):
    """What the guest tells hosts. columns: digests of its names in order, and of them sorted."""

    classes: list[Label]
    seed: int
    columns: list[bytes]
    equal: HomoEqual


@codec.wire_struct
class HomoOutline(msgspec.Struct, frozen=True):
    """What the guest tells the arbiter."""

    n_classes: int
    equal: HomoEqual


class Wire:
    """All that leaves a party."""

    labels = Message[list[int | float | str]](
        {HOST}, {GUEST}, kind="plain", reveals="which labels the host's rows have"
    )
    opening = Message[HomoOpening](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which labels there are at all parties together; a digest of the column names",
    )
    outline = Message[HomoOutline]({GUEST}, {ARBITER}, kind="plain", reveals="number of classes")
    magnitude = Message[int](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="the power of two next above the number (weight) of all parties' rows",
    )
    begun = Message[int](
        {GUEST}, {HOST, ARBITER}, kind="plain", reveals="epochs done before a warm start"
    )
    mean = Message[NDArray[np.float64]](
        {ARBITER}, {GUEST, HOST}, kind="plain", reveals="mean weights; of two parties: the other's"
    )
    is_converged = Message[bool](
        {ARBITER}, {GUEST, HOST}, kind="plain", reveals="whether training has converged"
    )
    verdict = Message[bool](
        {GUEST}, {HOST, ARBITER}, kind="plain", reveals="with ckks: whether training has converged"
    )
    keys = secure_aggregation.Wire.keys
    shares = secure_aggregation.Wire.shares
    heard = secure_aggregation.Wire.heard
    roster = secure_aggregation.Wire.roster
    masked = secure_aggregation.Wire.masked
    survivors = secure_aggregation.Wire.survivors
    shares_opened = secure_aggregation.Wire.opening
    channel = cipher_aggregation.Wire.channel
    secret = cipher_aggregation.Wire.secret
    public = cipher_aggregation.Wire.public
    sealed = cipher_aggregation.Wire.sealed
    came = cipher_aggregation.Wire.came
    total = cipher_aggregation.Wire.total


class HomoLRModel(LRModel, kw_only=True):
    meta_name: ClassVar[str] = "HomoLogisticRegressionMeta"
    param_name: ClassVar[str] = "HomoLogisticRegressionParam"


@register("HomoLR")
class HomoLR(Trainer[HomoLRParams]):
    Params = HomoLRParams
    agrees = TRAINING
    Model = HomoLRModel

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LRModel | None
    ) -> HomoLRModel:
        own = homo_side.distinct_labels(train, ctx.name)
        found = ctx.gather(Wire.labels)  # (1)
        classes = homo_side.united_labels([own, *found.values()], ctx.name)
        given = self.params.init_param.random_seed
        seed = secrets.randbelow(1 << 32) if given is None else given
        ctx.remote(
            Wire.opening, HomoOpening(classes, seed, homo_side.column_digests(train), self._equal)
        )  # (2)
        ctx.remote(Wire.outline, HomoOutline(len(classes), self._equal))  # (3)
        begun = lr_model.started(start, _n_models(len(classes)), ctx.name)
        return self._learn(ctx, [train, validate], classes, seed, begun)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LRModel | None
    ) -> HomoLRModel:
        ctx.remote(Wire.labels, homo_side.distinct_labels(train, ctx.name))  # (1)
        told = ctx.get(Wire.opening)  # (2)
        self._check_equal(ctx, told.equal)
        homo_side.check_columns(ctx.name, told.columns, homo_side.column_digests(train))
        begun = lr_model.started(start, _n_models(len(told.classes)), ctx.name)
        return self._learn(ctx, [train, validate], told.classes, told.seed, begun)

    def fit_arbiter(
        self,
        ctx: Ctx,
        train: None,  # noqa: ARG002 (the arbiter has no rows)
        validate: None,  # noqa: ARG002 (nor any to validate)
        start: None,  # noqa: ARG002 (and keeps no model)
    ) -> None:
        outline = ctx.get(Wire.outline)  # (3)
        self._check_equal(ctx, outline.equal)
        agreed, security = self._agreed(ctx)
        server: Server | CipherServer
        if self._is_sealed:
            server = CipherServer(ctx, agreed)
            server.add_up()  # (8)
        else:
            server = Server(ctx, agreed)
            weight, n_rows = server.collect(COUNT_BITS)  # (4)
            homo_side.check_classes(ctx.name, outline.n_classes, n_rows)
            ctx.remote(Wire.magnitude, int(np.frexp(weight)[1]))
        n_models, shown = _n_models(outline.n_classes), {}
        for i in range(n_models):
            shown[str(i)] = self._add_up(ctx, server, several=n_models > 1)
        told = shown if n_models > 1 else shown["0"]
        lost = [str(party) for party in sorted(server.lost)]
        ctx.report.summary({**told, "security": security, "lost_parties": lost})

    # A client.

    def _learn(
        self,
        ctx: Ctx,
        seen: Sequence[Frame | None],
        classes: list[Label],
        seed: int,
        begun: Sequence[SingleModel | None],
    ) -> HomoLRModel:
        """All binary models, one after the other. seen: train and validate rows."""
        train = seen[0]
        assert train is not None
        ctx.report.summary({"validation_metrics": {}})
        weight = homo_side.total_weight(train, ctx.name)
        agreed, security = self._agreed(ctx)
        counts = np.array([weight, float(train.n_rows)])
        client: Client | CipherClient
        if self._is_sealed:
            client = CipherClient(ctx, agreed)
            counted = client.total(counts)  # (8)
            homo_side.check_classes(ctx.name, len(classes), counted[1])
            magnitude = int(np.frexp(counted[0])[1])
        else:
            client = Client(ctx, agreed)
            client.submit(counts, COUNT_BITS)  # (4)
            magnitude = ctx.get(Wire.magnitude)
        share = float(np.ldexp(weight, -magnitude))
        targets, parts = classes[1:] if len(classes) == 2 else classes, []
        several = len(targets) > 1
        for i, target in enumerate(targets):
            learner = Learner(self.params, train, target, ctx.name, begun[i], seed)
            watch = glm_watch.watch(
                self,
                ctx,
                [lr_model.binary(frame, target, classes) for frame in seen],
                i if several else None,
                begun[i],
                lambda part: self._model([part], [0, 1] if several else classes),
            )
            parts.append(self._train(ctx, client, learner, share, watch, several=several))
        shown = [_summary(part, one_of_several=several) for part in parts]
        by_class = {str(c): one for c, one in zip(classes, shown, strict=False)}
        told = by_class if several else shown[0]
        ctx.report.summary({**told, "security": security})
        return self._model(parts, classes)

    def _train(
        self,
        ctx: Ctx,
        client: Client | CipherClient,
        learner: Learner,
        share: float,
        watch: glm_watch.Watch,
        *,
        several: bool,
    ) -> SingleModel:
        """One binary model, maybe of several. share: what this party's rows count."""
        self._begin(ctx, learner)
        means = self._means()
        for t in range(learner.iters, self.params.max_iter):
            due = self._is_due(t)
            loss = learner.epoch(is_aggregated=due)
            if not several:
                _show_loss(ctx, t, loss, "epochs")
            if due:
                terms = share * np.array([*learner.w, loss, 1.0])
                try:
                    w, learner.is_converged = self._mean(ctx, client, terms, means)
                except PlaintextOutOfRange:
                    raise BadData(
                        f"{ctx.name}: weights or loss are too large to be added up, training "
                        "diverges: scale the features (FeatureScale) or lower learning_rate"
                    ) from None
                learner.take(w)
            if watch.stops(t, learner.model()):
                break
        return learner.model()

    def _mean(
        self, ctx: Ctx, client: Client | CipherClient, terms: glm.Floats, means: Means
    ) -> tuple[glm.Floats, bool]:
        """The mean weights of all parties, and whether training has converged."""
        if isinstance(client, Client):
            client.submit(terms)  # (6)
            return _checked_mean(ctx, len(terms) - 2), ctx.get(Wire.is_converged)  # (7)
        w, is_converged = means.of(client.total(terms))  # (8)
        if ctx.role != GUEST:  # numbers may differ in their last bits from party to party
            return w, ctx.get(Wire.verdict)  # (9)
        ctx.remote(Wire.verdict, is_converged)
        return w, is_converged

    def _begin(self, ctx: Ctx, learner: Learner) -> None:
        """Step (5). Raises BadModel if parties start from different models."""
        if ctx.role == GUEST:
            ctx.remote(Wire.begun, learner.iters)  # (5)
        elif ctx.get(Wire.begun) != learner.iters:
            raise BadModel(
                f"{ctx.name}: the model to start from was trained for other epochs than the "
                "guest's; start all parties from models of one job"
            )

    def predict_guest(self, ctx: Ctx, model: LRModel, data: Frame) -> Predictions:
        return self._said(ctx, model, data)

    def predict_host(self, ctx: Ctx, model: LRModel, data: Frame) -> Predictions:
        return self._said(ctx, model, data)

    def _said(self, ctx: Ctx, model: LRModel, data: Frame) -> Predictions:
        chances = glm.sigmoid(glm_watch.score(model, data, ctx.name))
        classes = lr_model.classes_of(model.param)
        return predictions(data, chances, classes, self.params.predict_param.threshold)

    # The arbiter.

    def _add_up(
        self, ctx: Ctx, server: Server | CipherServer, *, several: bool
    ) -> dict[str, object]:
        """One binary model; its summary."""
        means, is_converged = self._means(), False
        for t in range(ctx.get(Wire.begun), self.params.max_iter):
            if not self._is_due(t):
                continue
            if isinstance(server, CipherServer):
                server.add_up()  # (8)
                is_converged = ctx.get(Wire.verdict)  # (9)
            else:
                w, is_converged = means.of(server.collect())  # (6)
                losses = means.rule.losses
                if not several:
                    _show_loss(ctx, len(losses) - 1, losses[-1], "aggregate_round")
                ctx.remote(Wire.mean, w)  # (7)
                ctx.remote(Wire.is_converged, is_converged)
            ctx.report.progress((t + 1) / self.params.max_iter)
            if is_converged:
                break
        return {"loss_history": means.rule.losses, "is_converged": is_converged}

    # What both sides know.

    def _is_due(self, t: int) -> bool:
        """Whether parties' weights become one after epoch t: always after the last."""
        return (t + 1) % self.params.aggregate_iters == 0 or t + 1 == self.params.max_iter

    @property
    def _equal(self) -> HomoEqual:
        p = self.params
        method = p.secure_aggregation_param.method
        return HomoEqual(p.max_iter, p.aggregate_iters, p.init_param.fit_intercept, method)

    def _check_equal(self, ctx: Ctx, told: HomoEqual) -> None:
        if told != self._equal:
            raise BadParameters(
                f"{ctx.name}: max_iter, aggregate_iters, init_param.fit_intercept and "
                "secure_aggregation_param.method must be the same at all parties; give them in "
                "component_parameters.common"
            )

    @property
    def _is_sealed(self) -> bool:
        return self.params.secure_aggregation_param.method == "ckks"

    def _means(self) -> Means:
        return Means(Convergence(self.params.early_stop, self.params.tol))

    def _agreed(self, ctx: Ctx) -> tuple[Terms, str]:
        """The terms of all sums, and how they are kept secret, which is logged."""
        agreed = roll_call.terms(ctx, self.params.secure_aggregation_param, ctx.name)
        how = cipher_aggregation if self._is_sealed else secure_aggregation
        security = how.describe(agreed)
        LOG.info("%s", security)
        return agreed, security

    def _model(self, parts: Sequence[SingleModel], classes: Sequence[Label]) -> HomoLRModel:
        """The component's model, the same at every client but for the loss history."""
        p = self.params
        meta = lr_model.meta_of(
            LRMeta,
            p,
            fit_intercept=p.init_param.fit_intercept,
            need_one_vs_rest=len(parts) > 1,
            module="HomoLR",
        )
        return HomoLRModel(meta=meta, param=lr_model.as_param(parts, classes))


def _show_loss(ctx: Ctx, at: int, loss: float, unit: str) -> None:
    ctx.report.metric("train", "loss", "LOSS", [(at, loss)], unit_name=unit, curve_name="loss")


def _checked_mean(ctx: Ctx, n_weights: int) -> glm.Floats:
    """The mean weights as they come. Raises ProtocolViolation for another number of them."""
    w = ctx.get(Wire.mean)
    if w.shape != (n_weights,):
        arbiter = ctx.arbiter or "the arbiter"
        raise ProtocolViolation(arbiter, Wire.mean.name, f"{w.shape} weights, not {n_weights}")
    return w


def _n_models(n_classes: int) -> int:
    return 1 if n_classes == 2 else n_classes


def _summary(part: SingleModel, *, one_of_several: bool) -> dict[str, object]:
    shown = glm_watch.summary(part, one_of_several=one_of_several, of_arbiter=False)
    return {**shown, "local_loss_history": part.loss_history}
