"""FederatedSample: fewer rows, or more, drawn at random, by label, or by weight.

Parties  task_type hetero: the guest draws, hosts follow; all hold the same rows in the same order.
         homo: every party draws from its own rows.
Maths    ``federatedml.maths.sampling``: downsample without, upsample with replacement.
Round    (1) guest -> hosts   to compare rows (``federatedml.agreement``)
         (2) guest -> hosts   numbers of the rows of the sample, in its order
         Nothing leaves a party of a homo task.
Trusts   everyone to follow the protocol. Which rows were drawn, or how often, tells hosts something
         of labels and weights where these decide: docs/security/sampling_and_splitting.md.
Source   FATE 1.x behaviour and what we do otherwise: docs/compat/sampling_and_splitting.md.
"""

from __future__ import annotations

import math
import secrets
from dataclasses import dataclass, replace
from typing import Any, Literal

import msgspec
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from federatedml import agreement
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import labels, rows
from federatedml.data.frame import Frame, RawTable
from federatedml.data.labels import Coded
from federatedml.data_split import Seed
from federatedml.errors import BadData
from federatedml.maths import sampling
from federatedml.maths.sampling import Chance, Rows, Seeded
from federatedml.params import Params
from federatedml.protocols.batches import Draws, guest_key
from federatedml.runner import KINDS
from federation import GUEST, HOST, Message, codec
from federation.errors import ProtocolViolation

DEFAULT_FRACTION = 0.1
"""Source: FATE 1.x."""

MAX_ROWS = 1 << 30
"""A sample of more rows is not drawn."""

Fraction = int | float
Label = int | float | str


class SampleParam(Params, frozen=True, kw_only=True):
    """fractions: of all rows, or of a stratified sample a list of [label, fraction] that names
    every label; None is 0.1. task_type: whether the guest draws for all, or each party for itself.
    """

    mode: Literal["random", "stratified", "exact_by_weight"] = "random"
    method: Literal["downsample", "upsample"] = "downsample"
    fractions: Fraction | list[list[Label]] | None = None
    random_state: Seed | None = None
    task_type: Literal["hetero", "homo"] = "hetero"
    need_run: bool = True

    def __post_init__(self) -> None:
        if self.mode == "exact_by_weight" or self.fractions is None:
            return
        if isinstance(self.fractions, list) != (self.mode == "stratified"):
            wanted = "a list of [label, fraction]" if self.mode == "stratified" else "one number"
            raise ValueError(f"fractions of mode {self.mode} must be {wanted}")
        if not isinstance(self.fractions, list):
            self._check(self.fractions, "fractions")
            return
        for i, pair in enumerate(self.fractions):
            if len(pair) != 2 or isinstance(pair[1], str):
                raise ValueError(f"fractions[{i}] must be [label, fraction]")
            self._check(pair[1], f"fractions[{i}]")
        if len(self.by_label) < len(self.fractions):
            raise ValueError("fractions name a label twice")

    def _check(self, fraction: Fraction, where: str) -> None:
        if not 0 < fraction <= (1 if self.method == "downsample" else math.inf):
            most = " and at most 1" if self.method == "downsample" else ""
            raise ValueError(f"{where}: must be above 0{most} to {self.method}")
        if math.isinf(fraction):
            raise ValueError(f"{where}: must be finite")

    @property
    def by_label(self) -> dict[str, float]:
        """Fractions of a stratified sample by the label's text."""
        pairs = self.fractions if isinstance(self.fractions, list) else []
        return {str(label): float(fraction) for label, fraction in pairs}


@codec.wire_struct
class Sample(msgspec.Struct, frozen=True):
    """rows: (k,) their numbers, in the order of the sample. renumbered: whether rows may come
    twice, so that 0, 1, ... become their ids."""

    rows: NDArray[np.int64]
    renumbered: bool


class Wire:
    """All that leaves a party."""

    rows = agreement.Wire.rows
    sample = Message[Sample](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which common rows are in the sample, and how often; if by label or by weight, "
        "what follows from that of labels and weights (a row that was drawn often, or rows of one "
        "label that were drawn more than others)",
    )


@dataclass(frozen=True)
class Drawn:
    """A sample; original and sample: rows of each label, of a stratified one."""

    told: Sample
    original: dict[Label, int] | None = None
    sample: dict[Label, int] | None = None


@register("FederatedSample")
class FederatedSample(Component[SampleParam]):
    Params = SampleParam

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for labels or weights that are missing or that nothing is said of."""
        data = _data(ctx, inputs)
        if self.params.task_type == "homo":
            return self._alone(ctx, data)
        agreement.compare_ids(ctx, [rows.ids(data)])  # (1)
        drawn = self._drawn(ctx, data)
        ctx.remote(Wire.sample, drawn.told)  # (2)
        return self._given(ctx, data, drawn)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData if the guest's rows are others, or as the guest where it draws itself."""
        data = _data(ctx, inputs)
        if self.params.task_type == "homo":
            return self._alone(ctx, data)
        agreement.compare_ids(ctx, [rows.ids(data)])  # (1)
        told = ctx.get(Wire.sample)  # (2)
        if not _is_sample(told, data.n_rows):
            raise ProtocolViolation(ctx.guest, Wire.sample.name, f"no rows of {data.n_rows}")
        return self._given(ctx, data, Drawn(told))

    def _alone(self, ctx: Ctx, data: Frame | RawTable) -> Outputs:
        return self._given(ctx, data, self._drawn(ctx, data))

    def _drawn(self, ctx: Ctx, data: Frame | RawTable) -> Drawn:
        params, n = self.params, data.n_rows
        if not n:
            raise BadData(f"{ctx.name}: there are no rows to sample")
        if params.mode == "exact_by_weight":
            return Drawn(Sample(_by_weight(data, ctx.name), renumbered=True))
        if params.mode == "random":
            fraction = DEFAULT_FRACTION if params.fractions is None else params.fractions
            assert not isinstance(fraction, list)
            _check_size(fraction * n, ctx.name)
            draw = sampling.downsampled if self._is_down else sampling.upsampled
            drawn = draw(n, fraction, Seeded(params.random_state))
            return Drawn(Sample(drawn, renumbered=not self._is_down))
        if not isinstance(data, Frame):
            raise BadData(f"{ctx.name}: a stratified sample takes instances, of DataTransform")
        coded = labels.strata(data.label, ctx.name)
        fractions = self._fractions(coded, ctx.name)
        wanted = zip(fractions, coded.counts.tolist(), strict=True)
        _check_size(sum(fraction * count for fraction, count in wanted), ctx.name)
        by_class = sampling.downsampled_by_class if self._is_down else sampling.upsampled_by_class
        drawn = by_class(coded.codes, fractions, self._chance(data, coded))
        sampled = np.bincount(coded.codes[drawn], minlength=len(coded.classes))
        told = Sample(drawn, renumbered=not self._is_down)
        return Drawn(told, _by_label(coded, coded.counts), _by_label(coded, sampled))

    @property
    def _is_down(self) -> bool:
        return self.params.method == "downsample"

    def _fractions(self, coded: Coded, component: str) -> list[float]:
        """(c,) of every label. Raises BadData if the configuration names others."""
        named = self.params.by_label
        if not named:
            return [DEFAULT_FRACTION] * len(coded.classes)
        found = labels.found(coded.classes, named)
        unknown = labels.nothing_named(named, coded.classes)
        if unnamed := found.count(None):
            raise BadData(
                f"{component}: fractions say nothing of {unnamed} of the {len(coded.classes)} "
                "labels; name every label of the data"
            )
        if unknown:
            at = list(named).index(unknown[0])
            raise BadData(f"{component}: fractions[{at}] names a label that the data has not")
        return [fraction for fraction in found if fraction is not None]

    def _chance(self, data: Frame, coded: Coded) -> Chance:
        """Hosts know the seed, and labels must not follow from it and the rows of the sample."""
        seed = self.params.random_state
        if self.params.task_type == "homo":
            return Seeded(seed)
        if seed is None:
            return Draws(secrets.token_bytes(32))
        return Draws(guest_key(data.x, coded.codes, "sample", seed))

    def _given(self, ctx: Ctx, data: Frame | RawTable, drawn: Drawn) -> Outputs:
        sample = rows.picked(data, drawn.told.rows)
        if self.params.mode == "exact_by_weight" and isinstance(sample, Frame):
            schema = msgspec.structs.replace(sample.schema, weight_name=None)
            sample = replace(sample, weight=None, schema=schema)
        if drawn.told.renumbered:
            sample = rows.renamed(sample, pa.array(np.arange(sample.n_rows)).cast(pa.string()))
        _tell(ctx, self.params.mode, drawn)
        return Outputs(data=[sample])


def _is_sample(told: Sample, n_rows: int) -> bool:
    """Whether these are numbers of rows of a table, and none comes twice that would keep its id."""
    drawn = told.rows
    if drawn.ndim != 1 or drawn.dtype != np.int64 or not len(drawn):
        return False
    is_known = bool(drawn.min() >= 0 and drawn.max() < n_rows)
    return is_known and (told.renumbered or bool((np.diff(drawn) > 0).all()))


def _data(ctx: Ctx, inputs: Inputs) -> Frame | RawTable:
    data = inputs.one(*KINDS)
    if not isinstance(data, (Frame, RawTable)):
        raise BadData(f"{ctx.name}: takes instances or an uploaded table, got no such data")
    return data


def _by_weight(data: Frame | RawTable, component: str) -> Rows:
    weight = data.weight if isinstance(data, Frame) else None
    if weight is None:
        raise BadData(f"{component}: exact_by_weight takes rows with weights, of SampleWeight")
    if not (np.isfinite(weight).all() and (weight >= 0).all()):
        raise BadData(f"{component}: weights must be numbers of 0 and above")
    _check_size(float(np.ceil(np.minimum(weight, 2.0 * MAX_ROWS)).sum()), component)
    drawn = sampling.repeated(weight)
    if not len(drawn):
        raise BadData(f"{component}: all weights are 0: no row is left")
    return drawn


def _check_size(n_rows: float, component: str) -> None:
    """Raises BadData for a sample that no memory holds."""
    if not n_rows <= MAX_ROWS:
        raise BadData(
            f"{component}: the sample would have more than {MAX_ROWS} rows; give smaller fractions "
            "or weights"
        )


def _by_label(coded: Coded, counts: Rows) -> dict[Label, int]:
    return {label: int(n) for label, n in zip(coded.classes, counts, strict=True)}


def _tell(ctx: Ctx, mode: str, drawn: Drawn) -> None:
    """What the board draws. A host of a vertical task knows the sample's size only."""
    if drawn.sample is None or drawn.original is None:
        name, count = "random" if mode == "stratified" else mode, len(drawn.told.rows)
        ctx.report.metric("sample_count", name, "SAMPLE_TEXT", [("count", count)])
        ctx.report.summary({"sample_count": count})
        return
    summary: dict[str, Any] = {}
    for name, counts in (("sample_count", drawn.sample), ("original_count", drawn.original)):
        ctx.report.metric(name, mode, "SAMPLE_TABLE", list(counts.items()))
        summary[name] = {str(label): n for label, n in counts.items()}
    ctx.report.summary(summary)
