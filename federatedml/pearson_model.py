"""What HeteroPearson keeps: FATE's PearsonModelMeta and PearsonModelParam."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

import msgspec
import numpy as np

from federatedml.component import Model
from federatedml.maths.glm import Floats
from federation import Party

Numbers = list[float | None]
"""Row by row; null where one of the two columns is constant."""


class PearsonModelMeta(msgspec.Struct, rename="camel", kw_only=True):
    shapes: list[int] = []


class Names(msgspec.Struct, kw_only=True):
    names: list[str] = []


class AnonymousName(msgspec.Struct, kw_only=True):
    anonymous: str
    name: str


class PearsonModelParam(msgspec.Struct, rename="camel", kw_only=True):
    """party: whose model this is, "(guest,9999)". parties: whose columns are in it, the guest
    first; with each their number (shapes) and names (all_names), others' anonymous.

    corr: the guest's columns by those of all hosts in it, in the order of parties, at every party.
    local_corr: this party's by this party's; local_vif: of each. names: this party's columns.
    """

    party: str
    parties: list[str]
    shape: int
    shapes: list[int]
    names: list[str]
    corr: Numbers = []
    local_corr: Numbers = []
    all_names: list[Names] = []
    anonymous_map: list[AnonymousName] = []
    model_name: str = "HeteroPearson"
    local_vif: Numbers = []


class PearsonModel(Model, kw_only=True):
    meta_name: ClassVar[str] = "HeteroPearsonModelMeta"
    param_name: ClassVar[str] = "HeteroPearsonModelParam"

    meta: PearsonModelMeta
    param: PearsonModelParam

    @property
    def corr(self) -> Floats:
        """(guest's columns, all hosts' columns in the model); nan for constant columns."""
        shapes = self.param.shapes
        return _floats(self.param.corr).reshape(shapes[0], sum(shapes[1:]))

    @property
    def local_corr(self) -> Floats:
        """(k, k) of this party's columns; nan for constant ones."""
        return _floats(self.param.local_corr).reshape(self.param.shape, self.param.shape)

    @property
    def local_vif(self) -> Floats:
        """(k,) of this party's columns, nan for constant ones; empty if it was not asked for."""
        return _floats(self.param.local_vif)


def numbers(values: Floats) -> Numbers:
    """Row by row, as a model has them."""
    return [None if np.isnan(v) else v for v in values.ravel().tolist()]


def shown(party: Party) -> str:
    """A party's name in a model."""
    return f"({party.role},{party.party_id})"


def named(names: Sequence[str], anonymous: Sequence[str]) -> list[AnonymousName]:
    pairs = zip(names, anonymous, strict=True)
    return [AnonymousName(name=name, anonymous=other) for name, other in pairs]


def _floats(values: Numbers) -> Floats:
    return np.array(values, dtype=np.float64)
