"""The instances that a component works on, their columns of text, and those of a model."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from typing import Any

from federatedml.component import Ctx, Inputs
from federatedml.data import naming
from federatedml.data.frame import Frame, FrameSchema
from federatedml.errors import BadData, BadModel

LOG = logging.getLogger(__name__)

KINDS = ("data", "train_data", "validate_data", "eval_data", "test_data")


def only(ctx: Ctx, inputs: Inputs) -> Frame:
    """The table of a run that has one, whatever its kind. Raises BadData."""
    data = inputs.one(*KINDS)
    if not isinstance(data, Frame):
        raise BadData(f"{ctx.name} takes instances, as DataTransform gives them")
    return data


def texts(data: Frame) -> dict[int, Any]:
    """The columns of text, by number."""
    if data.texts is None:
        return {}
    names, header = set(data.texts.column_names), data.schema.header
    return {j: data.texts.column(name) for j, name in enumerate(header) if name in names}


def places(schema: FrameSchema, wanted: Sequence[str], component: str) -> list[int]:
    """Where a model's columns stand in the data.

    Raises BadModel if some are not there; this party's log names them. Raises BadData for a name
    that the data has twice.
    """
    header = schema.header
    at = {column: j for j, column in enumerate(header)}
    if missing := [column for column in wanted if column not in at]:
        LOG.error("%s: there is no %s", component, ", ".join(map(repr, missing)))
        raise BadModel(
            f"{component}: the data lacks {len(missing)} of the {len(wanted)} columns that the "
            "model knows; its names must be those of the training data"
        )
    if len(at) < len(header):
        known = set(wanted)
        naming.refuse_twins(schema, [j for j, c in enumerate(header) if c in known], component)
    return [at[column] for column in wanted]
