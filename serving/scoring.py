"""Between requests and plans: rows in, answers out, at the guest and at a host."""

from __future__ import annotations

import hashlib
import logging
import math
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import msgspec

from federatedml.kept_rows import KeptRows
from serving.calls import Answer, HostAnswer, Part, Row, RowAnswer
from serving.codes import CannotLoad, Code, ServingFault, of_host
from serving.model import PartyModel
from serving.plans import parts as forms
from serving.plans import selftest
from serving.plans.compiling import compile as compile_plan
from serving.plans.faults import BadPart, CannotServe, NeedsKey, Problem
from serving.plans.plan import Plan, State
from serving.registry import Binding, Loaded, ModelKey, Policy, Remote

_log = logging.getLogger(__name__)

LONG_CELLS = 200_000
"""Numbers of a host's rows from which they are computed beside the event loop."""

DATATYPES = {"number": "FP64", "whole": "INT64", "text": "BYTES"}


class NeedsSetup(ServingFault):
    """A host lacks what a guest sends once for a model whose weights stay encrypted."""

    def __init__(self) -> None:
        super().__init__(Code.BAD_PARAMETER, "the guest's key for this model has to be sent first")


def storable(model: PartyModel) -> bytes:
    """A model as the store keeps it."""
    return msgspec.json.encode(model)


def digest(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def stored(content: bytes) -> PartyModel:
    """Raises CannotLoad."""
    try:
        return msgspec.json.decode(content, type=PartyModel)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CannotLoad(f"the stored model cannot be read: {error}") from None


def compiled(
    model: PartyModel,
    key: ModelKey,
    remotes: tuple[Remote, ...],
    rows: bytes,
    *,
    reveal_distances: bool = False,
) -> Loaded:
    """A plan that has passed its own test. Raises CannotLoad naming what cannot be served."""
    try:
        return _compiled(model, key, remotes, rows, reveal_distances)
    except CannotServe as error:
        raise CannotLoad(str(error)) from None
    except CannotLoad:
        raise
    except Exception as error:  # noqa: BLE001 (a model's numbers may be anyone's)
        _log.exception("model %s cannot be compiled", key)
        raise CannotLoad(f"its content makes no sense ({type(error).__name__})") from None


def _compiled(
    model: PartyModel,
    key: ModelKey,
    remotes: tuple[Remote, ...],
    rows: bytes,
    reveal_distances: bool,
) -> Loaded:
    plan = compile_plan(model, reveal_distances=reveal_distances)
    kept = _kept(rows)
    for host in plan.hosts:
        plan.setup(host)  # makes the key now rather than in the first request
    asked = tuple(
        remote for remote in remotes if model.role == "host" or remote.party_id in plan.hosts
    )
    lacking = set(plan.hosts) - {remote.party_id for remote in asked}
    if lacking:
        raise CannotLoad(f"the request names no model of host {', '.join(sorted(lacking))}")
    return Loaded(
        key=key,
        role=model.role,
        party_id=model.party_id,
        plan=plan,
        remotes=asked,
        loaded_ms=int(time.time() * 1000),
        sha256=model.sha256,
        tested=_tested(plan, kept),
        kept=kept,
        components=tuple(model.components),
    )


class Own(NamedTuple):
    """A guest's part. hits: which share of the model's features each row brought."""

    state: State
    hits: list[float]


def local(model: Loaded, rows: Sequence[Row], policy: Policy) -> Own:
    """The guest's own part. What is wrong with a row is told with it, in ``merged``."""
    plan: Plan = model.plan
    frame = plan.parse([row.features for row in rows], policy.missing, policy.least_hit_rate)
    return Own(plan.local(frame), frame.hits.tolist())


def merged(
    model: Loaded,
    binding: Binding,
    own: Own,
    rows: Sequence[Row],
    answers: Sequence[HostAnswer | None],
) -> Answer:
    """Scores of all rows. answers: of every remote, None for a host that failed and whose service
    allows to do without it."""
    plan: Plan = model.plan
    policy = binding.policy
    problems: dict[int, Problem] = {}
    fallback = ""
    given: dict[str, Mapping[str, Any]] = {}
    try:
        for remote, answer in zip(model.remotes, answers, strict=True):
            if answer is None:
                fallback = policy.fallback
                if fallback == "default":
                    return _defaults(policy, rows)
                given[remote.party_id] = plan.constant(
                    remote.party_id, len(rows), policy.host_constant
                )
                continue
            if answer.is_earlier:
                fallback = policy.fallback
            for i, part in enumerate(answer.rows):
                if part.is_ours:
                    problems[i] = Problem(part.code, part.message)
                elif part.code:
                    told = f"host return code {part.code} host msg :{part.message}"
                    if len(model.remotes) > 1:
                        told = f"{told} (of host {remote.party_id})"
                    problems[i] = Problem(of_host(part.code), told)
            given[remote.party_id] = read(plan, remote.party_id, answer)
        scores = plan.merge(own.state, given, problems)
    except BadPart as error:
        raise ServingFault(error.code, str(error)) from None
    found = []
    for i, row in enumerate(rows):
        problem = scores.problems.get(i)
        if problem is not None:
            found.append(RowAnswer(index=row.index, code=problem.code, message=problem.text))
        else:
            found.append(RowAnswer(index=row.index, data=scores.row(i)))
    return Answer(rows=found, fallback=fallback)


def read(plan: Plan, host: str, answer: HostAnswer) -> Mapping[str, Any]:
    """A host's answer as the plan takes it. Raises BadPart."""
    if answer.columns is not None:
        return plan.read_columns(host, answer.columns, len(answer.rows))
    return plan.read_rows(host, [None if part.code else part.data for part in answer.rows])


def is_quick(model: Loaded, n_rows: int, n_columns: int) -> bool:
    """Whether rows are computed on the event loop; else beside it, so that others are not held
    up. Encryption takes milliseconds a row."""
    plan: Plan = model.plan
    return not plan.is_sealed and n_rows * max(n_columns, 1) < LONG_CELLS


def contributions(
    model: Loaded,
    rows: Sequence[Mapping[str, Any]],
    *,
    capabilities: Sequence[str],
    key: str,
    setup: Mapping[str, bytes],
) -> HostAnswer:
    """What this host adds to rows of its features. Raises NeedsSetup, ServingFault (108)."""
    plan: Plan = model.plan
    try:
        if setup:
            key = plan.take(setup)
        part = plan.part(plan.parse(rows), key)
    except NeedsKey:
        raise NeedsSetup from None
    except BadPart as error:
        raise ServingFault(error.code, str(error)) from None
    found = [
        Part(code=problem.code, message=problem.text)
        if (problem := part.problems.get(i)) is not None
        else Part()
        for i in range(part.n_rows)
    ]
    if COLUMNS in capabilities:
        return HostAnswer(rows=found, columns=forms.columns(part))
    compact = forms.LEVEL_1 in capabilities
    for i, one in enumerate(found):
        if not one.code:
            one.data = forms.row(part, i, compact=compact)
    return HostAnswer(rows=found)


COLUMNS = "columns"
"""How a guest asks for a batch as columns: an entry of the request's ``x_cap``."""


def columns(model: Loaded) -> list[str]:
    """Features that the model reads from a request or an adapter."""
    return [column.name for column in model.plan.columns]


def datatypes(model: Loaded) -> dict[str, str]:
    """As the open protocol names them."""
    return {column.name: DATATYPES[column.kind] for column in model.plan.columns}


def difference(ours: RowAnswer, theirs: RowAnswer) -> float | None:
    """Of the scores of two versions, the largest of all classes; None if there is none."""
    a, b = (row.data.get("score") for row in (ours, theirs))
    pairs = list(zip(*(v if isinstance(v, list) else [v] for v in (a, b)), strict=False))
    gaps = [abs(x - y) for x, y in pairs if isinstance(x, float) and isinstance(y, float)]
    return max(gaps) if gaps and all(math.isfinite(gap) for gap in gaps) else None


def kept_part(model: Loaded, *, key: str, setup: Mapping[str, bytes]) -> dict[str, Any]:
    """What a guest compares when it is bound: the shapes of this host's trees, and its part of the
    kept rows if it kept some. Raises NeedsSetup, ServingFault (108)."""
    plan: Plan = model.plan
    told: dict[str, Any] = {FINGERPRINTS: plan.fingerprints(model.party_id)}
    if model.kept is None:
        return told
    try:
        if setup:
            key = plan.take(setup)
        return {**selftest.part(plan, model.kept, key), **told}
    except NeedsKey:
        raise NeedsSetup from None
    except (BadPart, selftest.SelfTestFailed) as error:
        raise ServingFault(Code.MERGE, str(error)) from None


def compared(model: Loaded, answers: Mapping[str, Mapping[str, Any] | None]) -> str:
    """What the comparison of a guest's kept rows with training's scores says, in words; "" if a
    party kept none. answers: of every host, None of one that is no process of ours.

    Raises ServingFault (109): trees of another training, other scores.
    """
    plan: Plan = model.plan
    there = {host: answer for host, answer in answers.items() if answer is not None}
    for host, answer in there.items():
        if answer.get(FINGERPRINTS) != plan.fingerprints(host):
            raise ServingFault(
                Code.BIND, f"host {host} has a model of another training; the old binding stays"
            )
    kept = [answer for answer in there.values() if "columns" in answer]
    if model.kept is None or not model.kept.detail or len(kept) < len(plan.hosts):
        return ""
    try:
        return selftest.compare(plan, model.kept, there)
    except selftest.SelfTestFailed as error:
        raise ServingFault(
            Code.BIND, f"self-test of {model.key}: {error}; the old binding stays"
        ) from None


FINGERPRINTS = "fingerprints"


def _defaults(policy: Policy, rows: Sequence[Row]) -> Answer:
    found = [RowAnswer(index=row.index, data={"score": policy.default_score}) for row in rows]
    return Answer(rows=found, fallback="default")


def _kept(rows: bytes) -> KeptRows | None:
    if not rows:
        return None
    try:
        return msgspec.json.decode(rows, type=KeptRows)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise CannotLoad(f"the rows kept with the model cannot be read: {error}") from None


def _tested(plan: Plan, kept: KeptRows | None) -> str:
    try:
        return selftest.selftest(plan, kept)
    except selftest.SelfTestFailed as error:
        raise CannotLoad(f"self-test: {error}") from None
