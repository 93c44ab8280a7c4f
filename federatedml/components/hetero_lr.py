"""Vertical logistic regression with a coordinating arbiter.

Parties  guest: features X_g, labels y of -1 and +1, maybe weights s of the rows; hosts: features
         X_h; arbiter: sees the loss. More than two classes: one model for each class.
Maths    v_g = (X_g w_g + b)/4 - y/2,  v_h = X_h w_h / 4;  d = s (v_g + sum of v_h), the slope of
         the log-loss's second-order Taylor polynomial;  gradient X^T d / n plus the penalty's;
         loss = log 2 - 1/2 + 2 v.d / n, where v.d adds up over the parties.
Round    (1) guest -> all         how many models
         for each of them the training of ``federatedml.hetero_glm``, all else included
Trusts   the arbiter not to collude; everyone to follow the protocol (semi-honest).
Source   Hardy et al. 2017, arXiv:1711.10677; parameters and models are FATE 1.x's. What is
         different from FATE, and who learns what: docs/compat, docs/security (hetero_lr.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from federatedml import glm_watch, lr_model
from federatedml.component import Ctx, register
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.errors import BadData
from federatedml.glm_side import Agreed, GuestRows, Side
from federatedml.glm_watch import Watch
from federatedml.hetero_glm import HeteroGlm
from federatedml.hetero_glm_params import HeteroLRParams
from federatedml.lr_model import Label, LinearModel, LRMeta, LRModel, SingleModel
from federatedml.maths.family import Family, Logistic
from federatedml.maths.glm import Floats
from federatedml.protocols.batches import Batches, guest_key
from federation import ARBITER, GUEST, HOST, Message


class Wire:
    n_models = Message[int](
        {GUEST}, {HOST, ARBITER}, kind="plain", reveals="number of classes, 1 for two"
    )


class HeteroLRModel(LRModel, kw_only=True):
    meta_name: ClassVar[str] = "HeteroLogisticRegressionMeta"
    param_name: ClassVar[str] = "HeteroLogisticRegressionParam"


@register("HeteroLR")
class HeteroLR(HeteroGlm[HeteroLRParams]):
    Params = HeteroLRParams
    Model = HeteroLRModel
    family: ClassVar[Family] = Logistic()

    # Training: as many binary models as needed, one after the other.

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LinearModel | None
    ) -> HeteroLRModel:
        classes = lr_model.label_classes(train, ctx.name)
        targets = classes[1:] if len(classes) == 2 else classes
        ctx.remote(Wire.n_models, len(targets))  # (1)
        begun = lr_model.started(start, len(targets), ctx.name)
        weight = lr_model.row_weights(train, ctx.name)
        masked = self._masks(train.n_rows)
        agreed = self.agree(ctx, train, has_factor=weight is not None or masked)
        selects, parts = self._selects_two(ctx, len(targets), validate, start), []
        for i, target in enumerate(targets):
            y = np.where(lr_model.is_class(train, target), 1.0, -1.0)
            seen = [lr_model.binary(frame, target, classes) for frame in (train, validate)]
            watch = self._watch(ctx, seen, i, classes, begun[i])
            rows = GuestRows(train, y, weight)
            learn = self.select_guest if selects else self.learn_guest
            parts.append(learn(ctx, agreed.renewed(), rows, begun[i], watch))
        return self._told_all(ctx, agreed, parts, classes)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LinearModel | None
    ) -> HeteroLRModel:
        n_models = ctx.get(Wire.n_models)
        classes: list[Label] = list(range(max(2, n_models)))
        begun = lr_model.started(start, n_models, ctx.name)
        agreed = self.agree(ctx, train)
        selects, parts = self._selects_two(ctx, n_models, validate, start), []
        for i in range(n_models):
            watch = self._watch(ctx, [train, validate], i, classes, begun[i])
            learn = self.select_host if selects else self.learn_host
            parts.append(learn(ctx, agreed.renewed(), train, begun[i], watch))
        return self._told_all(ctx, agreed, parts, classes)

    def fit_arbiter(
        self,
        ctx: Ctx,
        train: None,  # noqa: ARG002 (the arbiter has no rows)
        validate: None,
        start: LinearModel | None,
    ) -> HeteroLRModel:
        n_models = ctx.get(Wire.n_models)
        classes: list[Label] = list(range(max(2, n_models)))
        begun = lr_model.started(start, n_models, ctx.name)
        agreed = self.agree(ctx, None)
        selects, parts = self._selects_two(ctx, n_models, validate, start), []
        for i in range(n_models):
            watch = self._watch(ctx, [None, None], i, classes, begun[i])
            learn = self.select_arbiter if selects else self.learn_arbiter
            parts.append(learn(ctx, agreed.renewed(), begun[i], watch))
        return self._told_all(ctx, agreed, parts, classes)

    def _selects_two(
        self, ctx: Ctx, n_models: int, validate: Frame | None, start: LinearModel | None
    ) -> bool:
        selects = self.selects(ctx, validate, start)
        if selects and n_models > 1:
            raise BadData(
                f"{ctx.name}: stepwise selection takes two classes, not {n_models}; set "
                "stepwise_param.need_stepwise to false"
            )
        return selects

    # Batches.

    def batches(self, side: Side, y: Floats, needed: int) -> Batches:
        p = self.params
        if not 0 < p.batch_size < len(y):
            return Batches(len(y), -1, needed=needed)
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

    def _masks(self, n_rows: int) -> bool:
        """Whether hosts are shown more rows than are in a batch."""
        return self.params.masked_rate > 0 and 0 < self.params.batch_size < n_rows

    # Predictions and models.

    def said(self, model: LinearModel, data: Frame, means: Floats) -> Predictions:
        assert isinstance(model, LRModel)
        classes = lr_model.classes_of(model.param)
        return predictions(data, means, classes, self.params.predict_param.threshold)

    def model_of(self, ctx: Ctx, part: SingleModel) -> HeteroLRModel:
        return self._model(ctx, [part], [0, 1])

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
        return glm_watch.watch(
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

    def _told_all(
        self, ctx: Ctx, agreed: Agreed, parts: Sequence[SingleModel], classes: Sequence[Label]
    ) -> HeteroLRModel:
        """The finished model, after telling the job's owner of it."""
        several = len(parts) > 1
        shown = [
            glm_watch.summary(part, one_of_several=several, of_arbiter=ctx.role == ARBITER)
            for part in parts
        ]
        by_class = {str(c): one for c, one in zip(classes, shown, strict=False)}
        told = by_class if several else shown[0]
        ctx.report.summary({**told, "security": agreed.exchange.security})
        return self._model(ctx, parts, classes)
