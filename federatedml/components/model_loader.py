"""ModelLoader: a model of an earlier job, or a checkpoint of it, enters the job.

Parties: guest, host, arbiter; each loads its own part. Maths: none.
Round: none; nothing leaves a party.
Trusts: nobody. fateflow finds the file by the parameters; only this party's models are looked at.
Source: FATE 1.x behaviour.
"""

from __future__ import annotations

from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.errors import BadModel
from federatedml.params import NonNegativeInt, Params
from federation import ARBITER, GUEST, HOST


class ModelLoaderParam(Params, frozen=True, kw_only=True):
    """component_name, model_alias: which output of which component of the model version.

    step_index or step_name: take that checkpoint in place of the final model.
    """

    model_version: str
    component_name: str
    model_id: str | None = None
    model_alias: str | None = None
    step_index: NonNegativeInt | None = None
    step_name: str | None = None
    need_run: bool = True


@register("ModelLoader")
class ModelLoader(Component[ModelLoaderParam]):
    """Outputs the loaded model as it was kept, under the module that made it."""

    Params = ModelLoaderParam
    ROLES = frozenset({GUEST, HOST, ARBITER})

    def transform(self, _ctx: Ctx, inputs: Inputs) -> Outputs:
        return Outputs(model=inputs.model)

    def fit(self, ctx: Ctx, _inputs: Inputs) -> Outputs:
        """Raises BadModel: there is nothing to load at this party."""
        raise BadModel(f"{ctx.name}: no model was found to load at this party")
