"""A compiled model: one party's side of a pipeline as vectorised steps over a fixed set of columns.

    guest   state = plan.local(plan.parse(rows)); scores = plan.merge(state, {host: answer})
    host    part = plan.part(plan.parse(rows))

All of it is pure, for n rows at once; one row is a batch of one and takes the same path. A plan
is shared by threads: nothing in it changes but the keys of ``sealed``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from serving.codes import Code
from serving.plans import outcomes, parts, predictors
from serving.plans.faults import BadPart, NeedsKey, Problem
from serving.plans.outcomes import Reading, Scores
from serving.plans.parsing import Column, Frame, Missing, Reader
from serving.plans.parts import Expected, HostPart, Received
from serving.plans.predictors import KeyHolder, KeyOwner, Own, Predictor
from serving.plans.sources import Source
from serving.plans.transforms import Run


@dataclass(frozen=True)
class Input:
    """A DataTransform: its columns start at ``first`` in a frame."""

    source: Source
    first: int


@dataclass(frozen=True)
class Stage:
    """A table made of the table of number ``of``; run None: it is the same."""

    of: int
    run: Run


@dataclass(frozen=True)
class Placed:
    """A component's predictor, and the number of the table it reads. is_shared: a host's part of a
    model that has others; else this party knows all of it."""

    component: str
    predictor: Predictor
    table: int
    reading: Reading
    is_shared: bool


@dataclass
class State:
    """What a party knows of n rows from its own columns, by component."""

    n_rows: int
    own: dict[str, Own]
    problems: dict[int, Problem]
    strict: bool


class Plan:
    """columns: raw features that rows need. components: whose scores it knows, the main one
    first. ignored: components that do nothing online, by name and module."""

    def __init__(
        self,
        role: str,
        inputs: Sequence[Input],
        stages: Sequence[Stage],
        placed: Sequence[Placed],
        ignored: Mapping[str, str],
    ) -> None:
        self.role, self.ignored = role, dict(ignored)
        self._inputs, self._stages = tuple(inputs), tuple(stages)
        self._placed = tuple(placed)
        self._by_name = {one.component: one for one in placed}
        self._reader = Reader([c for one in inputs for c in one.source.columns])
        self._holds_keys = any(isinstance(one.predictor, KeyHolder) for one in placed)
        self.is_sealed = self._holds_keys or any(
            isinstance(one.predictor, KeyOwner) for one in placed
        )
        """Whether rows cost encryption or decryption."""
        self._expected: dict[str, dict[str, Expected]] = {}
        for one in placed:
            for host in one.predictor.hosts:
                wanted = self._expected.setdefault(host, {})
                wanted[one.component] = one.predictor.expected(host)

    @property
    def columns(self) -> tuple[Column, ...]:
        return self._reader.columns

    @property
    def components(self) -> tuple[str, ...]:
        return tuple(one.component for one in self._placed)

    @property
    def hosts(self) -> tuple[str, ...]:
        """Party ids of the hosts that a guest's scores need; others are not to be asked."""
        return tuple(self._expected)

    @property
    def classes(self) -> Sequence[Any]:
        """Labels of the main component's classes, none for a regression."""
        return self._placed[0].reading.labels or () if self._placed else ()

    def trained_label(self, label: Any, component: str = "") -> Any:
        """A label as it was at training, where LabelTransform gives clients another."""
        one = self._by_name[component] if component else self._placed[0]
        told, trained = one.reading.labels or (), one.predictor.outcome.classes
        return trained[list(told).index(label)]

    def fingerprints(self, host: str) -> dict[str, str]:
        """By component the shape of its trees at a host. A guest's must be its host's: compare
        them when a model is bound."""
        found = {}
        for one in self._placed:
            named = getattr(one.predictor, "fingerprint", None)
            if named is not None and (self.role == "host" or host in one.predictor.hosts):
                found[one.component] = named(host)
        return found

    def parse(
        self,
        rows: Sequence[Mapping[str, Any]],
        missing: Missing = "offline",
        least_hits: float = 0.0,
    ) -> Frame:
        """rows: feature name to number, numeric text, text or None. missing: what a feature that a
        row lacks does: ``offline``, it is an empty cell as in training's predict (a linear model
        without imputation counts it as 0); ``error``, the row has a problem; ``threshold``, it has
        one if it has less than this share of the features. What is wrong with a row is in
        ``problems``; no other row suffers."""
        return self._reader.frame(rows, missing, least_hits)

    def _run(self, frame: Frame) -> dict[str, Own]:
        tables = [one.source.read(frame, one.first) for one in self._inputs]
        for stage in self._stages:
            tables.append(stage.run(tables[stage.of]))
        return {one.component: one.predictor.own(tables[one.table]) for one in self._placed}

    def local(self, frame: Frame) -> State:
        """This party's own part of all components."""
        own = self._run(frame)
        problems = dict(frame.problems)
        for name, part in own.items():
            if part.status.any():
                _note(problems, name, part, strict=frame.strict)
        return State(frame.n_rows, own, problems, frame.strict)

    # At a host.

    def part(self, frame: Frame, key: str = "") -> HostPart:
        """This host's contributions. key: the fingerprint that a guest's request names, if its
        model keeps weights encrypted. Raises NeedsKey: the guest must send its ``setup`` first."""
        state = self.local(frame)
        found: dict[str, parts.Contribution] = {}
        for one in self._placed:
            predictor, own = one.predictor, state.own[one.component]
            if isinstance(predictor, KeyHolder):
                if predictor.knows(key):
                    found[one.component] = predictor.sealed(own, key)
            elif one.is_shared:
                found[one.component] = predictor.told(own)
        if self._holds_keys and not any(isinstance(of, parts.Sealed) for of in found.values()):
            raise NeedsKey(key)
        return HostPart(state.n_rows, found, state.problems)

    def take(self, setup: Mapping[str, bytes]) -> str:
        """Keep what a guest sends once; see ``setup``. Gives the key to name in requests, "" if
        none is needed. Raises BadPart."""
        key = ""
        for one in self._placed:
            if isinstance(one.predictor, KeyHolder):
                content = setup.get(one.component)
                key = key if content is None else one.predictor.take(content)
        return key

    # At the guest.

    def setup(self, host: str) -> tuple[str, dict[str, bytes]]:
        """The key to name in requests to a host, and what to send it once before (again after it
        raised NeedsKey). Nothing for most models."""
        key, found = "", dict[str, bytes]()
        for one in self._placed:
            if isinstance(one.predictor, KeyOwner) and host in one.predictor.hosts:
                key, found[one.component] = one.predictor.setup()
        return key, found

    def read_rows(self, host: str, rows: Sequence[Mapping[str, Any] | None]) -> dict[str, Received]:
        """A host's answer, ``{component: contribution}`` for each row, of either level; None for a
        row that the host could not answer. Raises BadPart."""
        return parts.read_rows(self._expected.get(host, {}), rows)

    def read_columns(
        self, host: str, answer: Mapping[str, Any], n_rows: int
    ) -> dict[str, Received]:
        """A host's answer for a batch as columns of level 1. Raises BadPart."""
        return parts.read_columns(self._expected.get(host, {}), answer, n_rows)

    def constant(self, host: str, n_rows: int, value: float) -> dict[str, Received]:
        """A constant in place of a host's part of a score. Raises BadPart for models where none
        can be."""
        return parts.constant(self._expected.get(host, {}), n_rows, value)

    def merge(
        self,
        state: State,
        answers: Mapping[str, Mapping[str, Received]] | None = None,
        problems: Mapping[int, Problem] | None = None,
        component: str = "",
    ) -> Scores:
        """The scores of the main component, or of the one that is named. answers: of every host in
        ``hosts``. problems: rows that a host could not answer. Raises BadPart."""
        if not self._placed:
            raise BadPart("model", "this party's side of it gives no scores")
        if component and component not in self._by_name:
            raise BadPart(component, "this plan gives no scores of it")
        one = self._by_name[component] if component else self._placed[0]
        given = {}
        for host in one.predictor.hosts:
            told = (answers or {}).get(host)
            if told is None or one.component not in told:
                raise BadPart(one.component, f"no answer of host {host}")
            given[host] = told[one.component]
        raw = np.array(one.predictor.merged(state.own[one.component], given))
        found = dict(problems or {})
        found.update(state.problems)
        lost = np.flatnonzero(np.isnan(raw).any(axis=1)).tolist()
        for i in lost:
            found.setdefault(
                i,
                Problem(Code.TREE_DATA, f"{one.component}: the hosts' answers leave no one leaf"),
            )
        if found:
            raw[list(found)] = np.nan
        scores = outcomes.told(one.reading, raw)
        scores.problems = found
        return scores


def _note(problems: dict[int, Problem], name: str, part: Own, *, strict: bool) -> None:
    for i in np.flatnonzero(part.status).tolist():
        told = predictors.problem(name, int(part.status[i]), strict=strict)
        if told is not None:
            problems.setdefault(i, told)
