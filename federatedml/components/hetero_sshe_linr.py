"""Vertical linear regression between a guest and one host, without an arbiter.

Parties  guest: features X_g, labels y, maybe weights s of the rows; host: features X_h.
Maths    d = X_g w_g + b + X_h w_h - y;  gradient X^T s d / n plus the penalty's;
         loss = sum of s d^2 / 2n plus the penalty. All numbers are shared: guest's share +
         host's share modulo 2^128, fixed point.
Round    the training and prediction of ``federatedml.sshe``
Trusts   both parties to follow the protocol (semi-honest).
Source   Chen et al. 2021, arXiv:2008.08753 (CAESAR); parameters and models are FATE 1.x's. What
         is different from FATE, and who learns what: docs/compat, docs/security (sshe.md).
"""

from __future__ import annotations

from typing import ClassVar

from federatedml import glm_watch, lr_model, sshe
from federatedml.component import Ctx, Trainer, register
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.glm_models import LinRMeta, LinRModel, numeric_label
from federatedml.hetero_sshe_params import AGREED, HeteroSSHELinRParams
from federatedml.lr_model import SingleModel
from federatedml.maths.glm import Floats
from federatedml.sshe_weights import GAUSSIAN
from federation import HOST


class HeteroSSHELinRModel(LinRModel, kw_only=True):
    meta_name: ClassVar[str] = "HeteroLinearRegressionMeta"
    param_name: ClassVar[str] = "HeteroLinearRegressionParam"


@register("HeteroSSHELinR")
class HeteroSSHELinR(Trainer[HeteroSSHELinRParams]):
    Params = HeteroSSHELinRParams
    aligned, agrees = True, AGREED
    Model = HeteroSSHELinRModel

    def fit_guest(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LinRModel | None
    ) -> HeteroSSHELinRModel:
        y = numeric_label(train, ctx.name)
        weight = lr_model.row_weights(train, ctx.name, signed=True)
        return self._fit(ctx, train, validate, start, y, weight)

    def fit_host(
        self, ctx: Ctx, train: Frame, validate: Frame | None, start: LinRModel | None
    ) -> HeteroSSHELinRModel:
        return self._fit(ctx, train, validate, start)

    def _fit(
        self,
        ctx: Ctx,
        train: Frame,
        validate: Frame | None,
        start: LinRModel | None,
        y: Floats | None = None,
        weight: Floats | None = None,
    ) -> HeteroSSHELinRModel:
        link = sshe.opened(ctx, self.params, train)
        begun = start.param if start else None
        watch = glm_watch.watch(
            self, ctx, [train, validate], None, begun, lambda part: self._model(ctx, part)
        )
        rows = sshe.rows_of(train, self.params, begun, ctx.name, y, weight)
        part = sshe.learn(ctx, link, self.params, GAUSSIAN, rows, begun, watch)
        shown = sshe.summary(part, one_of_several=False)
        ctx.report.summary({**shown, "security": link.security})
        return self._model(ctx, part)

    def predict_guest(self, ctx: Ctx, model: LinRModel, data: Frame) -> Predictions:
        return predictions(data, sshe.scores_guest(ctx, model, data))

    def predict_host(self, ctx: Ctx, model: LinRModel, data: Frame) -> None:
        sshe.scores_host(ctx, model, data)

    def _model(self, ctx: Ctx, part: SingleModel) -> HeteroSSHELinRModel:
        """The component's model at this party."""
        p = self.params
        meta = lr_model.meta_of(
            LinRMeta,
            p,
            fit_intercept=p.init_param.fit_intercept and ctx.role != HOST,
            reveal_strategy=p.reveal_strategy,
        )
        return HeteroSSHELinRModel(meta=meta, param=part)
