"""HeteroDataSplit: rows to train on, to validate and to test; the same at all parties.

Parties  guest: decides, by its labels if the split is stratified; hosts: follow. All hold the same
         rows in the same order.
Maths    ``federatedml.maths.sampling``; stratified, every part has the same share of every label.
Round    (1) guest -> hosts   to compare rows (``federatedml.agreement``)
         (2) guest -> hosts   the part of every row
Trusts   everyone to follow the protocol. A stratified split is drawn from a stream keyed by the
         guest's data, not by ``random_state`` alone, which hosts know and could undo:
         docs/security/sampling_and_splitting.md.
Source   FATE 1.x behaviour and what we do otherwise: docs/compat/sampling_and_splitting.md.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from federatedml import agreement, data_split
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import rows
from federatedml.data.frame import Frame, RawTable
from federatedml.data_split import DataSplitParam, Layers
from federatedml.maths.sampling import Rows, Seeded
from federatedml.protocols.batches import Draws, guest_key
from federation import GUEST, HOST, Message
from federation.errors import ProtocolViolation


class Wire:
    """All that leaves a party."""

    rows = agreement.Wire.rows
    parts = Message[NDArray[np.uint8]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which common rows are to train on, to validate and to test; if the split is "
        "stratified: that each part has the same share of every label",
    )


@register("HeteroDataSplit")
class HeteroDataSplit(Component[DataSplitParam]):
    """Outputs train_data, validate_data, test_data."""

    Params = DataSplitParam

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for missing labels, and for counts that are not the number of rows."""
        params, data = self.params, data_split.data_of(ctx, inputs)
        agreement.compare_ids(ctx, [rows.ids(data)])  # (1)
        layers = data_split.layers_of(data, params, ctx.name)
        order = self._order(data, layers)
        parts = data_split.parts_of(data, params, layers, order, ctx.name)
        ctx.remote(Wire.parts, parts)  # (2)
        data_split.tell(ctx, params, parts, layers)
        return data_split.outputs(data, parts)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData if the guest's rows are others."""
        data = data_split.data_of(ctx, inputs)
        agreement.compare_ids(ctx, [rows.ids(data)])  # (1)
        parts = ctx.get(Wire.parts)  # (2)
        if (
            parts.shape != (data.n_rows,)
            or not np.isin(parts, list(data_split.NAMES.values())).all()
        ):
            raise ProtocolViolation(ctx.guest, Wire.parts.name, f"no parts of {data.n_rows} rows")
        data_split.tell(ctx, self.params, parts, None)
        return data_split.outputs(data, parts)

    def _order(self, data: Frame | RawTable, layers: Layers | None) -> Callable[[int], Rows]:
        """Random orders. Hosts know the seed, and labels must not follow from it and the parts."""
        seed = self.params.random_state
        if layers is None or not isinstance(data, Frame):
            return lambda n: Seeded(seed).permutation(n)
        key = secrets.token_bytes(32)
        if seed is not None:
            key = guest_key(data.x, layers.coded.codes, "data_split", seed)
        return Draws(key).permutation
