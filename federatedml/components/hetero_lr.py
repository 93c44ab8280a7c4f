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

from federatedml import lr_model
from federatedml.component import Ctx, register
from federatedml.data.frame import Frame, Predictions
from federatedml.data.predicting import predictions
from federatedml.glm_side import GuestRows, Side, Targets
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

    def targets(self, ctx: Ctx, train: Frame, validate: Frame | None) -> Targets:
        """One model for two classes, else one for each class against the rest."""
        classes = lr_model.label_classes(train, ctx.name)
        wanted = classes[1:] if len(classes) == 2 else classes
        ctx.remote(Wire.n_models, len(wanted))  # (1)
        weight = lr_model.row_weights(train, ctx.name)
        rows = [
            GuestRows(train, np.where(lr_model.is_class(train, one), 1.0, -1.0), weight)
            for one in wanted
        ]
        seen = [[lr_model.binary(f, one, classes) for f in (train, validate)] for one in wanted]
        return Targets(classes, rows, seen)

    def names(self, ctx: Ctx) -> list[Label]:
        return list(range(max(2, ctx.get(Wire.n_models))))  # (1)

    # Batches.

    def batches(self, side: Side, y: Floats, least: int) -> Batches:
        p = self.params
        if not 0 < p.batch_size < len(y):
            return Batches(len(y), -1, least=least)
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
            least=least,
            key=guest_key(side.x, y, side.iters, least, *settings, *more),
        )

    def masks(self, n_rows: int) -> bool:
        return self.params.masked_rate > 0 and 0 < self.params.batch_size < n_rows

    # Predictions and models.

    def said(self, model: LinearModel, data: Frame, means: Floats) -> Predictions:
        assert isinstance(model, LRModel)
        classes = lr_model.classes_of(model.param)
        return predictions(data, means, classes, self.params.predict_param.threshold)

    def model_of(
        self, ctx: Ctx, parts: Sequence[SingleModel], names: Sequence[Label]
    ) -> HeteroLRModel:
        p, several = self.params, len(parts) > 1
        meta = lr_model.meta_of(
            LRMeta,
            p,
            fit_intercept=p.init_param.fit_intercept and (several or ctx.role != HOST),
            need_one_vs_rest=several,
        )
        return HeteroLRModel(meta=meta, param=lr_model.as_param(parts, names or [0, 1]))
