"""Vertical Poisson regression of counts, with a coordinating arbiter and one host.

Parties  guest: features X_g, counts y, maybe exposures and weights s of the rows; one host:
         features X_h; arbiter: sees the loss.
Maths    mean = exposure e^(X_g w_g + b) e^(X_h w_h);  d = s (mean - y);  gradient X^T d / n plus
         the penalty's;  loss = mean of s (mean - y log mean) plus the penalty, log y! left out.
Round    the training of ``federatedml.hetero_glm``
Trusts   the arbiter not to collude; everyone to follow the protocol (semi-honest).
Source   parameters and models are FATE 1.x's; docs/compat/hetero_poisson.md.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import replace
from typing import ClassVar

import msgspec
import numpy as np
from scipy import sparse

from federatedml import glm_watch, lr_model
from federatedml.component import Ctx, register
from federatedml.data.frame import Frame
from federatedml.errors import BadData
from federatedml.glm_models import PoissonMeta, PoissonModel, numeric_label
from federatedml.glm_side import GuestRows, Targets
from federatedml.hetero_glm import HeteroGlm
from federatedml.hetero_glm_params import HeteroPoissonParams
from federatedml.lr_model import Label, LinearModel, SingleModel
from federatedml.maths.family import Family, Poisson
from federatedml.maths.glm import Floats
from federation import GUEST, HOST

LOG = logging.getLogger(__name__)


class HeteroPoissonModel(PoissonModel, kw_only=True):
    meta_name: ClassVar[str] = "HeteroPoissonRegressionMeta"
    param_name: ClassVar[str] = "HeteroPoissonRegressionParam"


@register("HeteroPoisson")
class HeteroPoisson(HeteroGlm[HeteroPoissonParams]):
    Params = HeteroPoissonParams
    Model = HeteroPoissonModel
    family: ClassVar[Family] = Poisson()

    def targets(self, ctx: Ctx, train: Frame, validate: Frame | None) -> Targets:
        y = numeric_label(train, ctx.name)
        if (y < 0).any():
            raise BadData(f"{ctx.name}: labels must be counts; some are below 0")
        weight = lr_model.row_weights(train, ctx.name)
        rest, offset = exposed(train, self.params.exposure_colname, ctx.name)
        return Targets([], [GuestRows(rest, y, weight, offset)], [[train, validate]])

    def own_score(self, ctx: Ctx, model: LinearModel, data: Frame) -> Floats:
        assert isinstance(model, PoissonModel)
        own = glm_watch.score(model, data, ctx.name)
        _, offset = exposed(data, model.meta.exposure_colname or None, ctx.name)
        return own if offset is None else own + offset[:, None]

    def model_of(
        self,
        ctx: Ctx,
        parts: Sequence[SingleModel],
        names: Sequence[Label],  # noqa: ARG002 (there are none)
    ) -> HeteroPoissonModel:
        p = self.params
        meta = lr_model.meta_of(
            PoissonMeta,
            p,
            fit_intercept=p.init_param.fit_intercept and ctx.role != HOST,
            exposure_colname=(p.exposure_colname or "") if ctx.role == GUEST else "",
        )
        return HeteroPoissonModel(meta=meta, param=parts[0])


def exposed(frame: Frame, name: str | None, component: str) -> tuple[Frame, Floats | None]:
    """The frame without its column of exposures, and their logarithms (n,), None without one.

    A name that no column has counts as no exposure, as in FATE, with a warning.
    Raises BadData for exposures that are not positive numbers.
    """
    if name is None:
        return frame, None
    header = frame.schema.header
    if name not in header:
        LOG.warning(
            "exposure_colname %s: the guest's data has no such column; every exposure is 1", name
        )
        return frame, None
    at = header.index(name)
    column = frame.x[:, [at]]
    exposure = np.asarray(column.toarray() if sparse.issparse(column) else column).ravel()
    if not (np.isfinite(exposure).all() and (exposure > 0).all()):
        raise BadData(
            f"{component}: exposures (exposure_colname {name}) must be numbers above 0; drop or "
            "fill the others"
        )
    rest = [i for i in range(len(header)) if i != at]
    anonymous = frame.schema.anonymous_header
    schema = msgspec.structs.replace(
        frame.schema,
        header=[header[i] for i in rest],
        anonymous_header=[anonymous[i] for i in rest] if anonymous else [],
    )
    return replace(frame, x=frame.x[:, rest], schema=schema), np.log(exposure)
