"""Vertical logistic regression between a guest and one host, without an arbiter.

Parties  guest: features X_g, labels y of -1 and +1, maybe weights s of the rows; host: features
         X_h. More than two classes: one model for each class.
Maths    z = X_g w_g + b + X_h w_h;  d = z/4 - y/2, the slope of the log-loss's second-order
         Taylor polynomial;  gradient X^T s d / n plus the penalty's; loss = log 2 - 1/2 +
         2 sum of s d^2 / n plus the penalty. All numbers are shared: guest's share + host's
         share modulo 2^128, fixed point.
Round    (1) guest -> host        how many models
         for each of them the training of ``federatedml.sshe``; prediction is there, too
Trusts   both parties to follow the protocol (semi-honest).
Source   Chen et al. 2021, arXiv:2008.08753 (CAESAR); parameters and models are FATE 1.x's. What
         is different from FATE, and who learns what: docs/compat, docs/security (sshe.md).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import numpy as np

from federatedml import glm_watch, lr_model, sshe
from federatedml.component import Ctx, Trainer, register
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.glm_watch import Watch
from federatedml.hetero_sshe_params import AGREED, HeteroSSHELRParams
from federatedml.lr_model import Label, LRMeta, LRModel, SingleModel
from federatedml.maths import glm
from federatedml.maths.glm import Floats
from federatedml.protocols.sshe_products import Link
from federatedml.sshe_weights import LOGISTIC
from federation import GUEST, HOST, Message


class Wire:
    """All that leaves a party beside ``sshe``, its products and steps."""

    n_models = Message[int]({GUEST}, {HOST}, kind="plain", reveals="number of classes, 1 for two")


class HeteroSSHELRModel(LRModel, kw_only=True):
    meta_name: ClassVar[str] = "HeteroLogisticRegressionMeta"
    param_name: ClassVar[str] = "HeteroLogisticRegressionParam"


@register("HeteroSSHELR")
class HeteroSSHELR(Trainer[HeteroSSHELRParams]):
    Params = HeteroSSHELRParams
    aligned, agrees = True, AGREED
    Model = HeteroSSHELRModel

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LRModel | None
    ) -> HeteroSSHELRModel:
        classes = lr_model.label_classes(train, ctx.name)
        targets = classes[1:] if len(classes) == 2 else classes
        weight = lr_model.row_weights(train, ctx.name)
        link = sshe.opened(ctx, self.params, train)
        ctx.remote(Wire.n_models, len(targets))  # (1)
        begun, parts = lr_model.started(start, len(targets), ctx.name), []
        for i, target in enumerate(targets):
            y = np.where(lr_model.is_class(train, target), 0.5, -0.5)
            seen = [lr_model.binary(frame, target, classes) for frame in (train, validate)]
            watch = self._watch(ctx, seen, i, classes, begun[i])
            parts.append(self._learnt(ctx, link, train, begun[i], watch, y, weight))
        return self._told(ctx, link, parts, classes)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LRModel | None
    ) -> HeteroSSHELRModel:
        link = sshe.opened(ctx, self.params, train)
        n_models = ctx.get(Wire.n_models)  # (1)
        classes: list[Label] = list(range(max(2, n_models)))
        begun, parts = lr_model.started(start, n_models, ctx.name), []
        for i in range(n_models):
            watch = self._watch(ctx, [train, validate], i, classes, begun[i])
            parts.append(self._learnt(ctx, link, train, begun[i], watch))
        return self._told(ctx, link, parts, classes)

    def _learnt(
        self,
        ctx: Ctx,
        link: Link,
        train: Frame,
        begun: SingleModel | None,
        watch: Watch,
        y: Floats | None = None,
        weight: Floats | None = None,
    ) -> SingleModel:
        """One binary model."""
        rows = sshe.rows_of(train, self.params, begun, ctx.name, y, weight)
        return sshe.learn(ctx, link, self.params, LOGISTIC, rows, begun, watch)

    def predict_guest(self, ctx: Ctx, model: LRModel, data: Frame) -> Predictions:
        chances = glm.sigmoid(sshe.scores_guest(ctx, model, data))
        classes = lr_model.classes_of(model.param)
        return predictions(data, chances, classes, self.params.predict_param.threshold)

    def predict_host(self, ctx: Ctx, model: LRModel, data: Frame) -> None:
        sshe.scores_host(ctx, model, data)

    # What stays inside the party.

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
    ) -> HeteroSSHELRModel:
        """The component's model at this party."""
        p, several = self.params, len(parts) > 1
        meta = lr_model.meta_of(
            LRMeta,
            p,
            fit_intercept=p.init_param.fit_intercept and (several or ctx.role != HOST),
            need_one_vs_rest=several,
            reveal_strategy=p.reveal_strategy,
        )
        return HeteroSSHELRModel(meta=meta, param=lr_model.as_param(parts, classes))

    def _told(
        self, ctx: Ctx, link: Link, parts: Sequence[SingleModel], classes: Sequence[Label]
    ) -> HeteroSSHELRModel:
        """The finished model, after telling the job's owner of it."""
        several = len(parts) > 1
        shown = [sshe.summary(part, one_of_several=several) for part in parts]
        by_class = {str(c): one for c, one in zip(classes, shown, strict=False)}
        ctx.report.summary({**(by_class if several else shown[0]), "security": link.security})
        return self._model(ctx, parts, classes)
