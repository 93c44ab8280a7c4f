"""Horizontal boosted trees: parties with the same columns and rows of their own.

Parties  guest and hosts, the clients: features, labels, maybe weights of the rows. Arbiter: adds
         up and finds the splits.
Maths    gradient boosting with second derivatives on common bins. Derivatives are rounded to
         multiples of a power of two and summed exactly, so the trees are those of the pooled rows.
Round    (1) host -> guest         its distinct labels
         (2) guest -> hosts        all distinct labels; digests of its column names and of the model
                                   that a warm start goes on from
         (3) guest -> arbiter      numbers of classes, of columns, and of boosting rounds before
         (4) clients -> arbiter    number of rows, by secure aggregation; back comes the number of
                                   its bits
         (5) clients <-> arbiter   the common bins: protocols.homo_quantiles
         for each boosting round, and once after the last
         (6) clients -> arbiter    loss, weight of the rows, magnitudes of the derivatives, by
                                   secure aggregation
         (7) arbiter -> clients    whether training is over, else the features that may be asked,
                                   and the derivatives' scale
         for each level of the trees of a round (one, or one for each class)
         (8) clients -> arbiter    sums of derivatives and rows by node, feature and bin, by secure
                                   aggregation: of the root, then of one child of each node
         (9) arbiter -> clients    the splits, or at the end the weights of the leaves
         Prediction is local: every client has the whole model.
Trusts   everyone to follow the protocol (semi-honest), and fewer clients than the threshold to
         collude with the arbiter, who learns the pooled sums; docs/security/homo_secureboost.md.
Source   Chen and Guestrin 2016 (XGBoost); Bonawitz et al. 2017 (secure sums); parameters and models
         are FATE 1.x's, differences: docs/compat/homo_secureboost.md.
"""

from __future__ import annotations

import logging
import math
from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml import boosting_side, homo_boosting, homo_side
from federatedml.boosting_model import BoostingModel
from federatedml.boosting_params import HomoBoostingParams
from federatedml.callbacks import Callbacks
from federatedml.component import Ctx, Model, Trainer, register
from federatedml.crypto import summable
from federatedml.crypto.errors import PlaintextOutOfRange
from federatedml.crypto.masking import Words
from federatedml.data.frame import Frame, Predictions
from federatedml.errors import BadData, BadModel
from federatedml.homo_boosting import HomoBoostingModel, Learner
from federatedml.homo_trees import (
    BinnedRows,
    HomoSplits,
    HomoTurn,
    Planner,
    packing,
    scale_bits,
)
from federatedml.lr_model import Label
from federatedml.maths.glm import Floats
from federatedml.protocols import homo_quantiles, roll_call, secure_aggregation
from federatedml.protocols.homo_quantiles import Bins
from federatedml.protocols.secure_aggregation import Client, Server
from federation import ARBITER, GUEST, HOST, Message, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

N_TOTALS = 4
"""Numbers that are added up before each round; see ``Learner.totals``."""


@codec.wire_struct
class HomoTreesOpening(msgspec.Struct, frozen=True):
    """What the guest tells hosts. columns: digests of its names in order, and of them sorted.
    begun: digest of the model that a warm start goes on from."""

    classes: list[Label]
    columns: list[bytes]
    begun: bytes


@codec.wire_struct
class HomoTreesOutline(msgspec.Struct, frozen=True):
    """What the guest tells the arbiter. n_classes: 0 for a regression."""

    n_classes: int
    n_features: int
    rounds_before: int


class Wire:
    """All that leaves a party."""

    labels = Message[list[int | float | str]](
        {HOST}, {GUEST}, kind="plain", reveals="which labels the host's rows have"
    )
    opening = Message[HomoTreesOpening](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which labels there are at all parties together; digests of column names, model",
    )
    outline = Message[HomoTreesOutline](
        {GUEST}, {ARBITER}, kind="plain", reveals="number of classes, of columns, of trees before"
    )
    size = Message[int](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="the number of all parties' rows up to the next power of two",
    )
    turn = Message[HomoTurn](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="whether training is over; drawn features; magnitudes of the pooled derivatives",
    )
    splits = Message[HomoSplits](
        {ARBITER},
        {GUEST, HOST},
        kind="plain",
        reveals="the trees, their gains, and which child of a node has fewer rows of all parties",
    )
    query = homo_quantiles.Wire.query
    cuts = homo_quantiles.Wire.cuts
    keys = secure_aggregation.Wire.keys
    shares = secure_aggregation.Wire.shares
    heard = secure_aggregation.Wire.heard
    roster = secure_aggregation.Wire.roster
    masked = secure_aggregation.Wire.masked
    survivors = secure_aggregation.Wire.survivors
    shares_opened = secure_aggregation.Wire.opening


@register("HomoSecureBoost")
class HomoSecureBoost(Trainer[HomoBoostingParams]):
    Params = HomoBoostingParams
    Model = HomoBoostingModel
    agrees: ClassVar[tuple[str, ...]] = (
        "task_type", "objective_param", "learning_rate", "num_trees", "subsample_feature_rate",
        "n_iter_no_change", "tol", "bin_num", "binning_error", "tree_param", "use_missing",
        "zero_as_missing", "multi_mode", "random_seed", "cv_param", "secure_aggregation_param",
    )  # fmt: skip

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: BoostingModel | None
    ) -> HomoBoostingModel:
        own = homo_boosting.own_labels(train, self.params, ctx.name)
        found, classes = ctx.gather(Wire.labels), list[Label]()  # (1)
        if self.params.task_type == "classification":
            classes = homo_side.united_labels([own, *found.values()], ctx.name)
        begun, columns = homo_boosting.begun_digest(start), homo_side.column_digests(train)
        learner = self._learner(ctx, train, validate, classes, start)
        ctx.remote(Wire.opening, HomoTreesOpening(classes, columns, begun))  # (2)
        rounds = len(learner.model.param.trees) // self._trees_a_round(len(classes))
        ctx.remote(Wire.outline, HomoTreesOutline(len(classes), train.n_features, rounds))  # (3)
        return self._learn(ctx, train, validate, learner)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: BoostingModel | None
    ) -> HomoBoostingModel:
        own = homo_boosting.own_labels(train, self.params, ctx.name)
        ctx.remote(Wire.labels, own)  # (1)
        told = ctx.get(Wire.opening)  # (2)
        homo_side.check_columns(ctx.name, told.columns, homo_side.column_digests(train))
        if told.begun != homo_boosting.begun_digest(start):
            raise BadModel(
                f"{ctx.name}: the model to start from is not the guest's; start all parties from "
                "models of one job, or none of them"
            )
        learner = self._learner(ctx, train, validate, told.classes, start)
        return self._learn(ctx, train, validate, learner)

    def fit_arbiter(
        self,
        ctx: Ctx,
        train: None,  # noqa: ARG002 (the arbiter has no rows)
        validate: None,  # noqa: ARG002 (nor any to validate)
        start: None,  # noqa: ARG002 (and keeps no model)
    ) -> None:
        outline = ctx.get(Wire.outline)  # (3)
        agreed, p = (
            roll_call.terms(ctx, self.params.secure_aggregation_param, ctx.name),
            self.params,
        )
        security = secure_aggregation.describe(agreed)
        LOG.info("%s", security)
        server = Server(ctx, agreed)
        n_rows = int(_collected(ctx, server, 1)[0])  # (4)
        _check_rows(ctx.name, outline.n_classes, n_rows)
        ctx.remote(Wire.size, n_rows.bit_length())
        shape = (n_rows, outline.n_features)
        bins = homo_quantiles.ask(  # (5)
            ctx, server, shape, p.bin_num, p.binning_error, n_rows.bit_length()
        )
        losses = self._boost(ctx, server, bins, outline, n_rows.bit_length())
        lost = [str(party) for party in sorted(server.lost)]
        ctx.report.summary({"loss_history": losses, "security": security, "lost_parties": lost})

    # A client.

    def _learner(
        self,
        ctx: Ctx,
        train: Frame,
        validate: Frame | None,
        classes: list[Label],
        start: BoostingModel | None,
    ) -> Learner:
        p = self.params
        target = boosting_side.target(train, p, ctx.name, classes)
        model = homo_boosting.empty_model(p, train.schema.header, target)
        model = homo_boosting.begun(start, model, p, ctx.name)
        return Learner(p, train, validate, target, model, ctx.role.value, ctx.name)

    def _learn(
        self, ctx: Ctx, train: Frame, validate: Frame | None, learner: Learner
    ) -> HomoBoostingModel:
        p, model = self.params, learner.model
        agreed = roll_call.terms(ctx, p.secure_aggregation_param, ctx.name)
        client = Client(ctx, agreed)
        client.submit_words(np.array([train.n_rows], dtype=np.uint64))  # (4)
        count_bits = ctx.get(Wire.size)
        bins = homo_quantiles.answer(  # (5)
            ctx, client, learner.x, p.bin_num, count_bits, cores=ctx.cores
        )
        rows = BinnedRows(homo_quantiles.codes(learner.x, bins), bins, count_bits)
        callbacks = self._callbacks(ctx, train, validate, learner)
        at = first = len(model.param.trees) // self._trees_a_round(len(learner.target.classes))
        while True:
            try:
                client.submit_words(learner.totals())  # (6)
            except PlaintextOutOfRange:
                raise BadData(
                    f"{ctx.name}: the loss or its derivatives are too large to be added up: scale "
                    "the labels or the weights, or lower learning_rate"
                ) from None
            turn = self._checked(ctx, ctx.get(Wire.turn), learner)  # (7)
            if turn.is_over:
                break
            self._grow(ctx, client, learner, rows, turn)
            ctx.report.progress((at + 1 - first) / p.num_trees)
            if callbacks:
                callbacks.after_epoch(at, learner.snapshot())
            at += 1
        ctx.report.summary(
            {**homo_boosting.summary(model), "security": secure_aggregation.describe(agreed)}
        )
        return model

    def _grow(
        self, ctx: Ctx, client: Client, learner: Learner, rows: BinnedRows, turn: HomoTurn
    ) -> None:
        """The trees of a round. Raises ProtocolViolation for trees that cannot be."""
        grown = learner.grown(rows, turn, ctx.cores)
        packed = packing(rows.bins, turn, grown.trees[0].n_outputs, rows.count_bits)
        is_finished = False
        while not is_finished:
            client.submit_words(packed.words(*grown.histograms()))  # (8)
            told = ctx.get(Wire.splits)  # (9)
            try:
                is_finished = grown.take(told)
            except ValueError as error:
                raise _violation(ctx, Wire.splits.name, str(error)) from None
        learner.take(grown)

    def _checked(self, ctx: Ctx, turn: HomoTurn, learner: Learner) -> HomoTurn:
        """Raises ProtocolViolation for columns that there are not, or another number of trees."""
        n_trees, drawn = self._trees_a_round(len(learner.target.classes)), turn.features
        if len(drawn) != n_trees or not drawn.shape[1] or not turn.fits(learner.x.shape[1]):
            raise _violation(ctx, Wire.turn.name, "not the columns of these trees")
        return turn

    def _callbacks(
        self, ctx: Ctx, train: Frame, validate: Frame | None, learner: Learner
    ) -> Callbacks | None:
        """What happens after each round; scores are those that the learner keeps."""
        asked = self.params.callbacks()
        if not asked.callbacks:
            return None

        def predict(_: Ctx, model: Model, frame: Frame | None) -> Predictions | None:
            assert isinstance(model, HomoBoostingModel)
            return None if frame is None else self._said(model, frame, learner.score_of(frame))

        return Callbacks(asked, self, ctx, train, validate, predict=predict)

    def predict_guest(self, ctx: Ctx, model: HomoBoostingModel, data: Frame) -> Predictions:
        return self._predicted(ctx, model, data)

    def predict_host(self, ctx: Ctx, model: HomoBoostingModel, data: Frame) -> Predictions:
        return self._predicted(ctx, model, data)

    def _predicted(self, ctx: Ctx, model: HomoBoostingModel, data: Frame) -> Predictions:
        x = homo_boosting.matrix(model, data, ctx.name)
        return self._said(model, data, homo_boosting.scores(model, x))

    def _said(self, model: HomoBoostingModel, data: Frame, score: Floats) -> Predictions:
        return boosting_side.said(model, data, score, self.params.predict_param.threshold)

    # The arbiter.

    def _boost(
        self, ctx: Ctx, server: Server, bins: Bins, outline: HomoTreesOutline, count_bits: int
    ) -> list[float]:
        """All rounds; the mean loss after each. The loss after a round comes with the next one."""
        p, first, losses = self.params, outline.rounds_before, list[float]()
        is_over, t, before = False, first, math.inf
        while not is_over:
            words = _collected(ctx, server, N_TOTALS * summable.LIMBS)  # (6)
            total_loss, weight, *sizes = summable.from_wide(words).tolist()
            loss = total_loss / weight
            if t > first:
                losses.append(loss)
                is_flat = p.n_iter_no_change and abs(loss - before) < p.tol
                is_over = is_flat or t == first + p.num_trees
                _show_loss(ctx, t - 1, losses, is_over=is_over)
            before = loss if t else math.inf
            turn = HomoTurn(is_over, scale_bits(np.array(sizes)), self._drawn(outline, t))
            ctx.remote(Wire.turn, turn)  # (7)
            if not is_over:
                self._plan(ctx, server, bins, turn, outline.n_classes, count_bits)
                t += 1
                ctx.report.progress((t - first) / p.num_trees)
        return losses

    def _plan(
        self,
        ctx: Ctx,
        server: Server,
        bins: Bins,
        turn: HomoTurn,
        n_classes: int,
        count_bits: int,
    ) -> None:
        """The splits of the trees of a round. If a party is lost they end where they are: the next
        level's sums would be of fewer rows than those above, and to sum the same anew would show
        what the lost party had added."""
        p, n_outputs = self.params, self._n_outputs(n_classes)
        planner = Planner(bins, p.rules, p.tree_param.max_depth, turn, n_outputs)
        packed, is_finished = packing(bins, turn, n_outputs, count_bits), False
        while not is_finished:
            n_lost = len(server.lost)
            words = server.collect_words()  # (8)
            if planner.depth and len(server.lost) > n_lost:
                ctx.remote(Wire.splits, planner.finish())
                return
            try:
                sums, counts = packed.unpack([t for t, _ in planner.summed], words)
            except ValueError as error:
                raise _violation(ctx, Wire.masked.name, str(error)) from None
            told = planner.take(sums, counts)
            ctx.remote(Wire.splits, told)  # (9)
            is_finished = bool(len(told.weights))

    def _drawn(self, outline: HomoTreesOutline, t: int) -> NDArray[np.int32]:
        """(trees, k') the columns that each tree of round t may ask about, ascending."""
        p, k = self.params, outline.n_features
        count = max(1, round(p.subsample_feature_rate * k))
        draw = np.random.default_rng([p.random_seed % (1 << 32), t])
        trees = range(self._trees_a_round(outline.n_classes))
        found = [np.sort(draw.choice(k, count, replace=False)) for _ in trees]
        return np.array(found, dtype=np.int32)

    # What both sides know.

    def _trees_a_round(self, n_classes: int) -> int:
        return n_classes if n_classes > 2 and self.params.multi_mode == "single_output" else 1

    def _n_outputs(self, n_classes: int) -> int:
        """Of a tree."""
        return n_classes if n_classes > 2 and self.params.multi_mode == "multi_output" else 1


def _collected(ctx: Ctx, server: Server, n: int) -> Words:
    """The sum of n words of each client. Raises ProtocolViolation for another number."""
    words = server.collect_words()
    if len(words) != n:
        raise _violation(ctx, Wire.masked.name, f"{len(words)} numbers in place of {n}")
    return words


def _check_rows(component: str, n_classes: int, n_rows: int) -> None:
    if n_rows < 2:
        raise BadData(f"{component}: all parties together have {n_rows} row; trees need two")
    if n_classes:
        homo_side.check_classes(component, n_classes, n_rows)


def _show_loss(ctx: Ctx, t: int, losses: list[float], *, is_over: bool) -> None:
    best = {"Best": min(losses)} if is_over else {}
    ctx.report.metric(
        "train", "loss", "LOSS", [(t, losses[-1])], unit_name="iters", curve_name="loss", **best
    )


def _violation(ctx: Ctx, message: str, problem: str) -> ProtocolViolation:
    return ProtocolViolation(ctx.arbiter if ctx.role != ARBITER else "a client", message, problem)
