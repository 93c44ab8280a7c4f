"""Vertical linear regression (least squares) with a coordinating arbiter.

Parties  guest: features X_g, labels y, maybe weights s of the rows; hosts: features X_h; arbiter:
         sees the loss.
Maths    d = s (X_g w_g + b - y + sum of X_h w_h);  gradient X^T d / n plus the penalty's;
         loss = mean of d^2 / 2s plus the penalty.
Round    the training of ``federatedml.hetero_glm``
Trusts   the arbiter not to collude; everyone to follow the protocol (semi-honest).
Source   parameters and models are FATE 1.x's; docs/compat/hetero_linr.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from federatedml import lr_model
from federatedml.component import Ctx, register
from federatedml.data.frame import Frame
from federatedml.glm_models import LinRMeta, LinRModel, numeric_label
from federatedml.glm_side import GuestRows, Targets
from federatedml.hetero_glm import HeteroGlm
from federatedml.hetero_glm_params import HeteroLinRParams
from federatedml.lr_model import Label, SingleModel
from federatedml.maths.family import Family, Gaussian
from federation import HOST


class HeteroLinRModel(LinRModel, kw_only=True):
    meta_name: ClassVar[str] = "HeteroLinearRegressionMeta"
    param_name: ClassVar[str] = "HeteroLinearRegressionParam"


@register("HeteroLinR")
class HeteroLinR(HeteroGlm[HeteroLinRParams]):
    Params = HeteroLinRParams
    Model = HeteroLinRModel
    family: ClassVar[Family] = Gaussian()

    def targets(self, ctx: Ctx, train: Frame, validate: Frame | None) -> Targets:
        y = numeric_label(train, ctx.name)
        rows = GuestRows(train, y, lr_model.row_weights(train, ctx.name))
        return Targets([], [rows], [[train, validate]])

    def model_of(
        self,
        ctx: Ctx,
        parts: Sequence[SingleModel],
        names: Sequence[Label],  # noqa: ARG002 (there are none)
    ) -> HeteroLinRModel:
        p = self.params
        meta = lr_model.meta_of(
            LinRMeta,
            p,
            fit_intercept=p.init_param.fit_intercept and ctx.role != HOST,
        )
        return HeteroLinRModel(meta=meta, param=parts[0])
