"""OneHotEncoder: a column of categories becomes a column of 0 and 1 for each category.

Parties: guest, host, each for itself. Maths: ``federatedml.onehot``.
Round: none; nothing leaves a party. Others know new columns as ``<anonymous name>_<number>``.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/onehot.md.
"""

from __future__ import annotations

from federatedml import instances, onehot
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming
from federatedml.errors import BadModel
from federatedml.onehot import ColumnParam, EncodingModel


class OneHotEncoderParam(ColumnParam, frozen=True, kw_only=True):
    """See ``ColumnParam``."""


class Wire:
    """Nothing leaves a party."""


@register("OneHotEncoder")
class OneHotEncoder(Component[OneHotEncoderParam]):
    Params = OneHotEncoderParam
    Model = EncodingModel

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadParameters for columns that are not there, BadData for what is no category."""
        data, p = instances.only(ctx, inputs), self.params
        naming.refuse_twins(data.schema, range(data.n_features), ctx.name)
        at = columns.chosen(data.schema, p.transform_col_indexes, p.transform_col_names, ctx.name)
        found = onehot.categories(data, at, ctx.name)
        onehot.refuse_empty(data.schema, found, ctx.name)
        meta, param = onehot.mapped(data.schema, found, ctx.name)
        model = EncodingModel(meta=meta, param=param)
        ctx.report.summary(
            {
                "original_dimension": data.n_features,
                "transferred_dimension": len(param.result_header),
            }
        )
        return Outputs(data=[onehot.encoded(data, model, ctx.name)], model=model)

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Categories that were not in training are 0 in all their columns; the log counts them."""
        model = inputs.model
        if not isinstance(model, EncodingModel):
            raise BadModel(f"{ctx.name} needs a model of OneHotEncoder")
        data = instances.only(ctx, inputs)
        ctx.report.summary({"transferred_dimension": len(model.param.result_header)})
        return Outputs(data=[onehot.encoded(data, model, ctx.name)], model=model)
