"""Vertical gradient-boosted trees: guest and hosts hold columns of the same rows.

Parties  guest: columns X_g, labels y, maybe weights of the rows; hosts: columns X_h. No arbiter.
Maths    rounds of Newton boosting: trees on first and second derivatives g, h of a loss
         (``maths.boosted_losses``), split where G_l^2/(H_l + l2) + G_r^2/(H_r + l2) - G^2/(H + l2)
         is largest over the quantile bins of all columns; a leaf's weight is -G/(H + l2).
Round    (1) guest -> hosts  how many trees a round has, rounds done before (a warm start)
         (2) ``split_sums``: the key under which g and h are encrypted
         for each tree of a round
         (3) ``tree_growth``: sums by candidate, the nodes that a host splits, their rows
         after each round
         (4) guest -> hosts  whether training has converged
         (5) where the callbacks ask for it ``tree_walk``: validation rows through the new trees
         at the end
         (6) host -> guest   how often it asked each of its columns, under anonymous names
         to predict
         (7) guest -> hosts  whether by ``tree_walk`` or, with EINI_inference, by ``eini``
Modes    which columns may split where: std all; mix whole trees by turns the guest's and each
         host's; layered the host's above, the guest's below; with complete_secure the first
         rounds the guest's alone. A job without hosts trains local trees.
Trusts   everyone to follow the protocol (semi-honest); docs/security/secureboost.md.
Source   Cheng et al. 2021, SecureBoost, arXiv:1901.08755; Chen et al. 2021, SecureBoost+,
         arXiv:2110.10927; parameters and models are FATE 1.x's: docs/compat/secureboost.md.
"""

from __future__ import annotations

from typing import ClassVar

import msgspec
import numpy as np
from numpy.typing import NDArray

from federatedml import boosting_model, boosting_rounds, boosting_side
from federatedml.boosting_model import BoostingMeta, BoostingModel, BoostingParam, Importance
from federatedml.boosting_params import HeteroBoostingParams, HeteroFastBoostingParams
from federatedml.boosting_rounds import Forest, GuestRounds, plan_name, plan_of, subsampled
from federatedml.boosting_side import Target
from federatedml.callbacks import Callbacks
from federatedml.component import Ctx, Model, Trainer, register
from federatedml.data.anonymous import anonymous_header, anonymous_name
from federatedml.data.frame import Frame, Predictions
from federatedml.errors import BadModel
from federatedml.maths.glm import Floats
from federatedml.params_shared import VALIDATION
from federatedml.protocols import eini, split_sums, tree_growth, tree_growth_host, tree_walk
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation


@codec.wire_struct
class Outline(msgspec.Struct, frozen=True):
    """n_trees: of a round. begun: rounds of the model that the guest starts from."""

    n_trees: int
    begun: int


@codec.wire_struct
class Usage(msgspec.Struct, frozen=True):
    """column, n_splits (u,): how many nodes ask each column. asked: the column of each node of
    the sender's in turn, where importance is a sum of gains; else empty."""

    column: NDArray[np.int32]
    n_splits: NDArray[np.int64]
    asked: NDArray[np.int32]


class Wire:
    """All that leaves a party beside the protocols that the module names."""

    outline = Message[Outline](
        {GUEST}, {HOST}, kind="plain", reveals="number of classes (1 for two, or a regression)"
    )
    is_converged = Message[bool](
        {GUEST}, {HOST}, kind="plain", reveals="whether the loss has come to rest"
    )
    usage = Message[Usage](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="how often each column of the host's is asked, by its number; with "
        "feature_importance_type gain also at which nodes",
    )
    uses_eini = Message[bool](
        {GUEST}, {HOST}, kind="plain", reveals="how the rows are to be predicted"
    )


class HeteroBoostingModel(BoostingModel, kw_only=True):
    """The guest's: all but the hosts' questions."""

    meta_name: ClassVar[str] = "HeteroSecureBoostingTreeGuestMeta"
    param_name: ClassVar[str] = "HeteroSecureBoostingTreeGuestParam"


class HeteroBoostingHostModel(HeteroBoostingModel, kw_only=True):
    """A host's: its own questions, and who asks the others."""

    meta_name: ClassVar[str] = "HeteroSecureBoostingTreeHostMeta"
    param_name: ClassVar[str] = "HeteroSecureBoostingTreeHostParam"


@register("HeteroSecureBoost")
class HeteroSecureBoost(Trainer[HeteroBoostingParams]):
    Params = HeteroBoostingParams
    Model = HeteroBoostingModel
    aligned = True
    agrees = ("num_trees", "encryption", "cv_param", *VALIDATION)

    # Training.

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: BoostingModel | None
    ) -> BoostingModel:
        p = self.params
        own = boosting_side.binned(train, p, ctx.name)
        target = boosting_side.target(train, p, ctx.name)
        forest = Forest(self._empty(ctx, train, target), start, own.header, ctx.name)
        n_trees = 1 if p.multi_mode == "multi_output" else target.n_outputs
        begun = len(forest) // n_trees
        if ctx.hosts:
            ctx.remote(Wire.outline, Outline(n_trees, begun))  # (1)
        sums = None
        if ctx.hosts:
            n_words = 2 * target.n_outputs // n_trees + (p.tree_param.min_leaf_node > 1)
            sums = split_sums.opened_at_guest(
                ctx, p.encrypt_param, train.n_rows, n_words, p.gradient_bits
            )  # (2)
        score = np.tile(target.start(), (train.n_rows, 1))
        if begun:
            score = forest.scores(tree_walk.leaves_at_guest(ctx, forest.trees, own.x))
        rounds = GuestRounds(ctx, p, own, target, sums, score)
        watch = _Watch(self, ctx, forest, rounds, train, validate)
        for t in range(begun, begun + p.num_trees):
            forest.add(rounds.grown(t, plan_of(ctx, p, t), n_trees), plan_name(ctx, p, t))  # (3)
            loss = rounds.loss()
            forest.model.param.losses.append(loss)
            ctx.report.metric(
                "train", "loss", "LOSS", [(t, loss)], unit_name="iters", curve_name="loss"
            )
            ctx.report.progress((t + 1 - begun) / p.num_trees)
            if ctx.hosts:
                ctx.remote(Wire.is_converged, rounds.is_converged)  # (4)
            if watch.stops(t) or rounds.is_converged:
                break
        self._told(ctx, forest, begun * n_trees, rounds, sums.security if sums else "")
        return watch.best()

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: BoostingModel | None
    ) -> BoostingModel:
        p = self.params
        own = boosting_side.binned(train, p, ctx.name)
        outline = self._outline(ctx)  # (1)
        forest = Forest(self._empty(ctx, train, None), start, own.header, ctx.name)
        if len(forest) != outline.begun * outline.n_trees:
            raise BadModel(
                f"{ctx.name}: the model to start from has {len(forest)} trees, the guest's "
                f"{outline.begun * outline.n_trees}; start all parties from models of one job"
            )
        most = boosting_rounds.most_words(p)
        sums = split_sums.opened_at_host(
            ctx, p.encrypt_param, train.n_rows, most, p.gradient_bits, p.tree_param.min_leaf_node
        )  # (2)
        if outline.begun:
            tree_walk.answer_at_host(ctx, forest.trees, own.x)
        watch = _Watch(self, ctx, forest, None, train, validate)
        for t in range(outline.begun, outline.begun + p.num_trees):
            trees, limits = [], boosting_rounds.limits_of(ctx, p, t)
            for i in range(outline.n_trees):
                used = subsampled(p, own, t * outline.n_trees + i)
                columns = tree_growth.Columns(own.codes, own.cuts, used)
                grown = tree_growth_host.grow_at_host(
                    ctx, columns, sums, limits, use_missing=p.misses
                )
                trees.append(grown)  # (3)
            forest.add(trees, plan_name(ctx, p, t))
            ctx.report.progress((t + 1 - outline.begun) / p.num_trees)
            is_converged = ctx.get(Wire.is_converged)  # (4)
            if watch.stops(t) or is_converged:
                break
        self._tell_usage(ctx, forest, outline.begun * outline.n_trees)
        ctx.report.summary({"best_iteration": -1, "is_converged": is_converged})
        ctx.report.summary({"security": sums.security})
        return watch.best()

    def _outline(self, ctx: Ctx) -> Outline:
        found = ctx.get(Wire.outline)
        if not (1 <= found.n_trees <= 1 << 16 and 0 <= found.begun <= 1 << 20):
            raise ProtocolViolation(ctx.guest, Wire.outline.name, "impossible numbers of trees")
        return found

    # Importance of columns.

    def _tell_usage(self, ctx: Ctx, forest: Forest, first: int) -> None:
        """A host's side of (6). first: trees of the model that training started from."""
        asked = forest.asked_by(tree_growth.site(ctx.me), first)
        column, n_splits = np.unique(asked, return_counts=True)
        by_node = asked if self.params.tree_param.feature_importance_type == "gain" else asked[:0]
        ctx.remote(Wire.usage, Usage(column.astype(np.int32), n_splits, by_node))  # (6)
        names = forest.model.param.feature_name_fid_mapping
        for j, count in zip(column.tolist(), n_splits.tolist(), strict=True):
            forest.important(
                Importance(sitename="hostLocal", fid=j, importance=count, fullname=names[j])
            )

    def _told(
        self, ctx: Ctx, forest: Forest, first: int, rounds: GuestRounds, security: str
    ) -> None:
        """The guest's side of (6), and what the job's owner sees."""
        kind, me = self.params.tree_param.feature_importance_type, tree_growth.site(ctx.me)
        for one in forest.importance_of(me, first, rounds.gains, kind):
            forest.important(one)
        for host in ctx.hosts:
            n_asked = len(forest.asked_by(tree_growth.site(host), first))
            usage = _checked_usage(ctx.get(Wire.usage, source=host), host, n_asked, kind)  # (6)
            gain = forest.gain_by_column(tree_growth.site(host), first, rounds.gains, usage.asked)
            for j, count in zip(usage.column.tolist(), usage.n_splits.tolist(), strict=True):
                forest.important(
                    Importance(
                        sitename=tree_growth.site(host), fid=j, main=kind,
                        fullname=anonymous_name(host, j),
                        importance=gain.get(j, 0.0) if kind == "gain" else count,
                        importance2=count if kind == "gain" else 0.0,
                    )
                )  # fmt: skip
        param = forest.model.param
        losses = param.losses
        ctx.report.metric(
            "train", "loss", "LOSS", [], unit_name="iters", curve_name="loss", Best=min(losses)
        )
        ctx.report.summary(
            {
                "loss_history": losses,
                "best_iteration": param.best_iteration,
                "is_converged": rounds.is_converged,
                "feature_importance": {
                    o.fullname: int(o.importance) if kind == "split" else o.importance
                    for o in param.feature_importances
                },
                **({"security": security} if security else {}),
            }
        )

    # Prediction.

    def predict_guest(self, ctx: Ctx, model: BoostingModel, data: Frame) -> Predictions:
        p, forest = self.params, Forest(model, None, [], ctx.name)
        x = forest.matrix(data, ctx.name)
        if ctx.hosts:
            ctx.remote(Wire.uses_eini, p.EINI_inference)  # (7)
        if p.EINI_inference and ctx.hosts:
            score = eini.scores_at_guest(
                ctx, forest.trees, forest.outputs, x, model.meta.learning_rate,
                np.array(model.param.init_score), p.encrypt_param, n_outputs=forest.n_outputs,
                mask=p.EINI_random_mask, check_complexity=p.EINI_complexity_check,
            )  # fmt: skip
        else:
            score = forest.scores(tree_walk.leaves_at_guest(ctx, forest.trees, x))
        return boosting_side.said(model, data, score, float(p.predict_param.threshold))

    def predict_host(self, ctx: Ctx, model: BoostingModel, data: Frame) -> None:
        forest = Forest(model, None, [], ctx.name)
        x = forest.matrix(data, ctx.name)
        if ctx.get(Wire.uses_eini):  # (7)
            eini.answer_at_host(ctx, forest.trees, x, self.params.encrypt_param.key_length)
        else:
            tree_walk.answer_at_host(ctx, forest.trees, x)

    # The model.

    def _empty(self, ctx: Ctx, train: Frame, target: Target | None) -> BoostingModel:
        """A model without trees. target: at the guest alone."""
        p, header = self.params, train.schema.header
        names = dict(enumerate(header))
        kind = {"std": "hetero_sbt"}.get(p.strategy, f"hetero_fast_sbt_{p.strategy}")
        if target is None:
            anonymous = dict(zip(anonymous_header(ctx.me, len(header)), header, strict=True))
            param = BoostingParam(
                feature_name_fid_mapping=names, anonymous_name_mapping=anonymous, model_name=kind
            )
            return HeteroBoostingHostModel(meta=self._host_meta(), param=param)
        param = BoostingParam(
            init_score=target.start().tolist(),
            tree_dim=target.n_outputs,
            num_classes=len(target.classes),
            feature_name_fid_mapping=names,
            model_name=kind,
            **boosting_model.classes_shown(target.classes),
        )
        meta = boosting_model.meta_of(p, self.module, strategy=p.strategy)
        return HeteroBoostingModel(meta=meta, param=param)

    def _host_meta(self) -> BoostingMeta:
        """What a host's model says of the training: nothing of labels and losses."""
        whole = boosting_model.meta_of(self.params, self.module, strategy=self.params.strategy)
        return BoostingMeta(
            tree_meta=msgspec.structs.replace(
                whole.tree_meta, criterion_meta=boosting_model.CriterionMeta()
            ),
            learning_rate=0.0,
            num_trees=whole.num_trees,
            quantile_meta=whole.quantile_meta,
            use_missing=whole.use_missing,
            zero_as_missing=whole.zero_as_missing,
            module=whole.module,
            boosting_strategy=whole.boosting_strategy,
        )


@register("HeteroFastSecureBoost")
class HeteroFastSecureBoost(HeteroSecureBoost):
    """The same under the name that FATE gives its fast modes, with mix for a default."""

    Params = HeteroFastBoostingParams


def _checked_usage(usage: Usage, host: Party, n_asked: int, kind: str) -> Usage:
    """n_asked: nodes that the host asks at. Raises ProtocolViolation."""
    column, counts = usage.column, usage.n_splits
    sound = (
        column.ndim == counts.ndim == usage.asked.ndim == 1
        and len(column) == len(counts)
        and column.min(initial=0) >= 0
        and bool((np.diff(column) > 0).all() and ((counts > 0) & (counts <= n_asked)).all())
        and int(counts.sum()) == n_asked
    )
    if sound and kind == "gain":
        found, times = np.unique(usage.asked, return_counts=True)
        sound = np.array_equal(found, column) and np.array_equal(times, counts)
    if not sound:
        raise ProtocolViolation(
            host, Wire.usage.name, f"no count of columns for the {n_asked} nodes that it splits"
        )
    return usage


class _Watch:
    """What happens between rounds: validation of the new trees alone, early stop, checkpoints."""

    def __init__(
        self,
        component: HeteroSecureBoost,
        ctx: Ctx,
        forest: Forest,
        rounds: GuestRounds | None,
        train: Frame,
        validate: Frame | None,
    ) -> None:
        self._ctx, self._forest, self._rounds, self._train = ctx, forest, rounds, train
        self._threshold = float(component.params.predict_param.threshold)
        self._seen, self._score = 0, np.zeros((0, 0))
        self._x = None if validate is None else forest.matrix(validate, ctx.name)
        self._callbacks = Callbacks(
            component.params.callbacks(), component, ctx, train, validate, predict=self._predict
        )

    def stops(self, t: int) -> bool:
        return self._callbacks.after_epoch(t, self._forest.model)

    def best(self) -> BoostingModel:
        """The model to keep: of the best validation where early stopping watched, else the last."""
        found = self._callbacks.best()
        if found is None:
            return self._forest.model
        epoch, model = found
        assert isinstance(model, BoostingModel)
        model.param.best_iteration = epoch
        model.param.feature_importances = self._forest.model.param.feature_importances
        self._ctx.report.summary({"best_iteration": epoch})
        return model

    def _predict(self, ctx: Ctx, model: Model, frame: Frame | None) -> Predictions | None:
        """Scores of training rows are known; validation rows go through the new trees."""
        if frame is None or model is not self._forest.model:
            return None
        if frame is self._train:
            return self._said(frame, self._rounds.score) if self._rounds else None
        assert self._x is not None
        new = self._forest.trees[self._seen :]
        if self._rounds is None:
            tree_walk.answer_at_host(ctx, new, self._x)  # (5)
            self._seen += len(new)
            return None
        if not self._seen:
            self._score = self._forest.before_trees(frame.n_rows)
        leaves = tree_walk.leaves_at_guest(ctx, new, self._x)  # (5)
        self._score = self._score + self._forest.parts(leaves, self._seen)
        self._seen += len(new)
        return self._said(frame, self._score)

    def _said(self, frame: Frame, score: Floats) -> Predictions:
        return boosting_side.said(self._forest.model, frame, score, self._threshold)
