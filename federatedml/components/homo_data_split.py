"""HomoDataSplit: rows to train on, to validate and to test; every party splits its own.

Parties: guest, host, each for itself. Maths: ``federatedml.maths.sampling``; stratified, every
part has the same share of every label.
Round: none; nothing leaves a party.
Trusts: nobody.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/sampling_and_splitting.md.
"""

from __future__ import annotations

from federatedml import data_split
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data_split import DataSplitParam
from federatedml.maths.sampling import Rows, Seeded


@register("HomoDataSplit")
class HomoDataSplit(Component[DataSplitParam]):
    """Outputs train_data, validate_data, test_data."""

    Params = DataSplitParam

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for missing labels, and for counts that are not the number of rows."""
        params, data = self.params, data_split.data_of(ctx, inputs)
        layers = data_split.layers_of(data, params, ctx.name)
        parts = data_split.parts_of(data, params, layers, self._order, ctx.name)
        data_split.tell(ctx, params, parts, layers)
        return data_split.outputs(data, parts)

    def _order(self, n: int) -> Rows:
        return Seeded(self.params.random_state).permutation(n)
