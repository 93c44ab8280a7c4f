"""Vertical feature selection: filter after filter, columns stay or go, each party's by itself or,
by what the guest's labels say of them, all parties' together.

Parties  guest: columns, and models that tell of all parties' columns; hosts: columns.
Maths    rules over a value a column: ``federatedml.maths.filters``. The values come from models of
         components before this one (``federatedml.selection_values``).
Round    for each filter by IV or correlation that is federated; others send nothing
         (1) host -> guest  anonymous names of its columns that the filter is for
         (2) host -> guest  with correlation_filter: which of them correlate with one another
         (3) guest -> host  which of them stay
Trusts   everyone to follow the protocol (semi-honest). docs/security/hetero_feature_selection.md
Source   FATE 1.x's filters, parameters and models. What is different:
         docs/compat/hetero_feature_selection.md.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from federatedml import selection_model, selection_params
from federatedml.component import Component, Ctx, Inputs, Outputs, register
from federatedml.data import columns, naming
from federatedml.data.anonymous import anonymous_header
from federatedml.data.frame import Frame
from federatedml.errors import BadData, BadModel, BadParameters
from federatedml.maths import filters
from federatedml.maths.filters import Bools
from federatedml.maths.glm import Floats
from federatedml.selection_model import Funnel, HostPart, SelectionModel
from federatedml.selection_params import IV, MANUALLY, PEARSON, Names, SelectionParams, Step
from federatedml.selection_values import Sources
from federation import GUEST, HOST, Message, Party, codec
from federation.errors import ProtocolViolation

LOG = logging.getLogger(__name__)

KINDS = ("data", "train_data", "validate_data", "eval_data", "test_data")


@codec.wire_struct
class Candidates(msgspec.Struct, frozen=True):
    """names: of a host's columns, anonymous. needs_one: whether it would have no column at all if
    none of them stayed."""

    names: list[str]
    needs_one: bool


class Wire:
    """All that leaves a party."""

    candidates = Message[Candidates](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="anonymous names of the host's columns that a filter by IV or correlation is for, "
        "and so which of them the filters before it left; whether it has other columns",
    )
    links = Message[NDArray[np.bool_]](
        {HOST},
        {GUEST},
        kind="plain",
        reveals="with correlation_filter: which of these columns of the host's correlate with one "
        "another by more than the threshold",
    )
    kept = Message[NDArray[np.bool_]](
        {GUEST},
        {HOST},
        kind="plain",
        reveals="which of its columns stay: roughly, which tell much of the guest's labels, or do "
        "not correlate with others that tell more",
    )


@register("HeteroFeatureSelection")
class HeteroFeatureSelection(Component[SelectionParams]):
    Params = SelectionParams
    Model = SelectionModel
    agrees = ("federated_filters",)

    # Training.

    def fit_guest(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        frame, funnel, sources = self._started(ctx, inputs)
        for step in self.params.steps:
            if step.federated:
                self._decide(ctx, step, frame, funnel, sources)
            else:
                self._alone(ctx, step, frame, funnel, sources)
        return self._outputs(ctx, frame, funnel)

    def fit_host(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        frame, funnel, sources = self._started(ctx, inputs)
        for step in self.params.steps:
            if step.federated:
                self._be_told(ctx, step, frame, funnel, sources)
            elif _goes_by_iv(step):
                funnel.narrow(step, np.ones(len(funnel.candidates), dtype=np.bool_))
            else:
                self._alone(ctx, step, frame, funnel, sources)
        return self._outputs(ctx, frame, funnel)

    # Later data: the same columns.

    def transform(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Raises BadData for a table without one of the columns that stay."""
        frame, model = _frame(ctx, inputs), inputs.model
        if not isinstance(model, SelectionModel):
            raise BadModel(f"{ctx.name}: the model is none of HeteroFeatureSelection")
        places = {name: i for i, name in enumerate(frame.schema.header)}
        lacking = [name for name in model.left if name not in places]
        if lacking:
            known = model.param.col_name_to_anonym_dict
            shown = [known.get(name, "a column") for name in lacking[: naming.N_NAMED]]
            for name, other in zip(lacking, shown, strict=False):
                LOG.error("%s: %s is %r", ctx.name, other, name)
            raise BadData(
                f"{ctx.name}: the table lacks {', '.join(shown)}, which the selection left; give "
                "it the columns of the training"
            )
        naming.refuse_twins(frame.schema, range(frame.n_features), ctx.name)
        at = [places[name] for name in model.left]
        return Outputs(data=[_with_columns(frame, at)], model=model)

    # Parts.

    def _started(self, ctx: Ctx, inputs: Inputs) -> tuple[Frame, Funnel, Sources]:
        """All that can be refused before anybody waits for this party is refused here."""
        p, frame = self.params, _frame(ctx, inputs)
        naming.refuse_twins(frame.schema, range(frame.n_features), ctx.name)
        own = _own_names(p, p.select_names, frame, ctx)
        chosen = columns.chosen(frame.schema, p.select_col_indexes, own, ctx.name)
        funnel = Funnel(list(frame.schema.header), _anonymous(ctx, frame), chosen)
        sources = Sources(inputs.isometric, ctx.me, ctx.name)
        for step in p.steps:
            runs = step.federated or (chosen and not _idle(step, ctx))
            if runs and _goes_by_iv(step) and ctx.role == GUEST:
                sources.need(IV, step.method)
            if runs and step.model not in ("", IV):
                sources.need(step.model, step.method)
            if step.model == PEARSON and step.federated and _n_hosts(ctx) != 1:
                raise BadParameters(
                    f"{ctx.name}: correlation_filter takes a guest and one host, whose columns "
                    f"were correlated with one another; here are {_n_hosts(ctx)} hosts: give "
                    "correlation_param.select_federated false"
                )
            if ctx.role == GUEST:
                selection_params.thresholds_of(step, len(ctx.hosts), ctx.name)
        return frame, funnel, sources

    def _alone(self, ctx: Ctx, step: Step, frame: Frame, funnel: Funnel, sources: Sources) -> None:
        """A filter that this party runs for its own columns."""
        at = funnel.candidates
        if step.method == MANUALLY:
            funnel.narrow(step, self._by_hand(ctx, frame, funnel))
            return
        if not at:
            funnel.narrow(step, np.empty(0, dtype=np.bool_))
            return
        if step.method == "percentage_value":
            counts = _mode_counts(frame, at)
            values = counts / max(1, frame.n_rows)
            most = math.ceil(frame.n_rows * step.rule.threshold - filters.ROUNDING)
            kept = counts <= most
        elif step.method == "correlation_filter":
            scores = sources.values(_by_iv(step), frame.schema, at)
            corr = sources.correlations(frame.schema, at)
            links = np.abs(corr) > step.rule.threshold
            kept, values = _unlinked(scores, corr, links)
            self._narrow(ctx, step, funnel, kept, values, scores=scores)
            return
        else:
            values = sources.values(step, frame.schema, at)
            kept = step.rule.kept(values)
        self._narrow(ctx, step, funnel, kept, values)

    def _by_hand(self, ctx: Ctx, frame: Frame, funnel: Funnel) -> Bools:
        """(k,) of the candidates. Raises BadParameters if no column is left."""
        p, given = self.params, self.params.manually_param
        indexes = given.left_col_indexes if given.leaves else given.filter_out_indexes
        names = given.left_col_names if given.leaves else given.filter_out_names
        own = _own_names(p, names, frame, ctx)
        named = columns.chosen(frame.schema, indexes, own, ctx.name)
        if beside := sorted(set(named) - set(funnel.chosen)):
            LOG.warning(
                "%s: manually is not for columns that are not selected: %s",
                ctx.name,
                ", ".join(funnel.names(beside)),
            )
        kept = np.isin(funnel.candidates, named) == given.leaves
        if len(kept) and not kept.any() and funnel.needs_one:
            raise BadParameters(
                f"{ctx.name}: manually_param leaves no column of {ctx.me}; leave at least one"
            )
        return np.asarray(kept, dtype=np.bool_)

    def _decide(self, ctx: Ctx, step: Step, frame: Frame, funnel: Funnel, sources: Sources) -> None:
        """The guest's side of a filter for all parties."""
        told = {host: _checked_names(ctx, host) for host in ctx.hosts}  # (1)
        at, iv = funnel.candidates, _by_iv(step)
        mine = sources.values(iv, frame.schema, at)
        theirs = [sources.iv_of_host(iv.merge, host, of.names) for host, of in told.items()]
        scores = [mine, *theirs]
        if step.model == PEARSON:
            (host,) = ctx.hosts
            links = _checked_links(ctx, host, len(told[host].names))  # (2)
            corr = _pooled(frame, at, told[host].names, sources)
            linked = np.abs(corr) > step.rule.threshold
            linked[len(at) :, len(at) :] = links
            together, why = _unlinked(np.concatenate(scores), corr, linked)
            kept, values = _split(together, len(at)), _split(why, len(at))
        else:
            thresholds = selection_params.thresholds_of(step, len(ctx.hosts), ctx.name)
            kept = filters.kept_by_parties(step.rule, scores, [None, *thresholds])
            values = scores
        parts = []
        for i, (host, of) in enumerate(told.items(), 1):
            left = kept[i]
            if of.needs_one and len(left) and not left.any():
                left = filters.with_one(left, scores[i], iv.rule.take_high)
                LOG.warning("%s: %s keeps one column for %s", ctx.name, step.name, host)
            ctx.remote(Wire.kept, left, to=host)  # (3)
            parts.append(HostPart(host, of.names, values[i], left))
        self._narrow(ctx, step, funnel, kept[0], values[0], parts, mine)

    def _be_told(
        self, ctx: Ctx, step: Step, frame: Frame, funnel: Funnel, sources: Sources
    ) -> None:
        """A host's side of a filter for all parties."""
        at = funnel.candidates
        names = [funnel.anonymous[i] for i in at]
        links = None
        if step.model == PEARSON:
            links = np.abs(sources.correlations(frame.schema, at)) > step.rule.threshold
        ctx.remote(Wire.candidates, Candidates(names, funnel.needs_one))  # (1)
        if links is not None:
            ctx.remote(Wire.links, links)  # (2)
        kept = ctx.get(Wire.kept)  # (3)
        if kept.shape != (len(at),):
            raise ProtocolViolation(ctx.guest, Wire.kept.name, "not one entry for each column")
        if len(at) and funnel.needs_one and not kept.any():
            raise ProtocolViolation(ctx.guest, Wire.kept.name, "no column of this party stays")
        funnel.narrow(step, kept)

    def _narrow(
        self,
        ctx: Ctx,
        step: Step,
        funnel: Funnel,
        kept: Bools,
        values: Floats,
        hosts: Sequence[HostPart] = (),
        scores: Floats | None = None,
    ) -> None:
        """Leave what is kept, or else the best column. values: to show. scores: where they are
        others, by which the best is known."""
        if funnel.needs_one and len(kept) and not kept.any():
            high = _by_iv(step).rule.take_high
            kept = filters.with_one(kept, values if scores is None else scores, high)
            (best,) = np.flatnonzero(kept)
            LOG.warning(
                "%s: no column passes %s; the one nearest to it stays: %r",
                ctx.name,
                step.name,
                funnel.header[funnel.candidates[best]],
            )
        funnel.narrow(step, kept, values, hosts)

    def _outputs(self, ctx: Ctx, frame: Frame, funnel: Funnel) -> Outputs:
        methods, is_host = self.params.filter_methods, ctx.role == HOST
        model = funnel.model(list(methods), ctx.me, is_host=is_host)
        ctx.report.summary(selection_model.summary(model.param))
        return Outputs(data=[_with_columns(frame, funnel.left)], model=model)


def _frame(ctx: Ctx, inputs: Inputs) -> Frame:
    data = inputs.one(*KINDS)
    if not isinstance(data, Frame):
        raise BadData(f"{ctx.name} takes instances, as DataTransform gives them")
    return data


def _anonymous(ctx: Ctx, frame: Frame) -> list[str]:
    names = frame.schema.anonymous_header
    return list(names) if names else anonymous_header(ctx.me, frame.n_features)


def _own_names(p: SelectionParams, given: Names, frame: Frame, ctx: Ctx) -> list[str]:
    """What this party calls these columns. Raises BadParameters for one that is not there."""
    if not (p.use_anonymous and given):
        return given or []
    anonymous = _anonymous(ctx, frame)
    return [frame.schema.header[columns.index_of(n, anonymous, ctx.name)] for n in given]


def _n_hosts(ctx: Ctx) -> int:
    return sum(party.role == HOST for party in ctx.parties)


def _goes_by_iv(step: Step) -> bool:
    return step.model == IV or step.method == "correlation_filter"


def _idle(step: Step, ctx: Ctx) -> bool:
    """Whether this party does nothing: a host, by itself, where there are labels to go by."""
    return ctx.role == HOST and _goes_by_iv(step)


def _by_iv(step: Step) -> Step:
    """The step, or of correlation_filter the one that orders its columns."""
    if step.method != "correlation_filter":
        return step
    return replace(step, model=IV, metric="iv", rule=replace(step.rule, take_high=True))


def _pooled(frame: Frame, at: Sequence[int], names: Sequence[str], sources: Sources) -> Floats:
    """(k + m, k + m) correlations of the guest's columns and the host's; the guest does not know
    those of the host's columns with one another: nan."""
    across = sources.correlations_with_host(frame.schema, at, names)
    own = sources.correlations(frame.schema, at)
    return np.block([[own, across], [across.T, np.full((len(names), len(names)), np.nan)]])


def _unlinked(scores: Floats, corr: Floats, linked: Bools) -> tuple[Bools, Floats]:
    """Which columns are linked to no better one that stays; of the others the correlation with
    the best such one, of those that stay 0. Source of the zero: FATE 1.x."""
    because = filters.uncorrelated(filters.ranked(scores), linked)
    stays = because < 0
    return stays, np.where(stays, 0.0, corr[np.arange(len(scores)), because])


def _split(of: NDArray[Any], k: int) -> list[NDArray[Any]]:
    """What is the guest's, and what is the host's."""
    return [of[:k], of[k:]]


def _checked_names(ctx: Ctx, host: Party) -> Candidates:
    """Raises ProtocolViolation for a name that is there twice."""
    told = ctx.get(Wire.candidates, source=host)
    if len(set(told.names)) != len(told.names):
        raise ProtocolViolation(host, Wire.candidates.name, "a column is there twice")
    return told


def _checked_links(ctx: Ctx, host: Party, k: int) -> Bools:
    """(k, k). Raises ProtocolViolation for another shape."""
    links = ctx.get(Wire.links, source=host)
    if links.shape != (k, k):
        raise ProtocolViolation(host, Wire.links.name, "not one entry for each pair of columns")
    return links


def _mode_counts(frame: Frame, at: Sequence[int]) -> NDArray[np.int64]:
    """How many rows have the most frequent value of each column, of text too."""
    found = filters.most_frequent(frame.x, at)
    for place, i in enumerate(at):
        name = frame.schema.header[i]
        if frame.texts is not None and name in frame.texts.column_names and frame.n_rows:
            counts = pc.value_counts(frame.texts.column(name)).field("counts")
            found[place] = pc.max(counts).as_py()
    return found


def _with_columns(frame: Frame, at: Sequence[int]) -> Frame:
    """These columns, in this order."""
    schema = frame.schema
    if list(at) == list(range(frame.n_features)):
        return frame
    names = [schema.header[i] for i in at]
    anonymous = schema.anonymous_header
    texts = frame.texts
    if texts is not None:
        texts = texts.select([name for name in texts.column_names if name in names])
    return replace(
        frame,
        x=frame.x[:, list(at)],
        schema=msgspec.structs.replace(
            schema,
            header=names,
            anonymous_header=[anonymous[i] for i in at] if anonymous else [],
        ),
        texts=texts if texts is not None and texts.num_columns else None,
    )
