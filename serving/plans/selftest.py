"""Whether a plan says what training's predict said, by the rows that are kept with a model.

At load every party runs its own part of them; when the model is bound the guest asks each host for
its part (``part``), by the digest of their ids, and compares the scores.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from federatedml.kept_rows import KeptRows
from serving.plans.faults import BadPart
from serving.plans.parts import HostPart, Received, columns
from serving.plans.plan import Plan
from serving.plans.predictors import Own

TOLERANCE = 1e-6
SINGLES = 20
"""So many rows are also run one by one."""


class SelfTestFailed(Exception):
    """The plan does not say what training's predict said; how many rows, and by how much."""


def selftest(plan: Plan, rows: KeptRows | None) -> str:
    """What a party can test alone, in words: a row by itself gives the same bits as among others;
    kept rows have no problems; scores that need no host are those expected.

    Raises SelfTestFailed.
    """
    if not plan.components:
        raise SelfTestFailed("the plan predicts nothing")
    given = rows.rows() if rows is not None else _made_up(plan)
    frame = plan.parse(given)
    state = plan.local(frame)
    if rows is not None and frame.problems:
        raise SelfTestFailed(
            f"{len(frame.problems)} of {len(given)} kept rows cannot be read: "
            f"{next(iter(frame.problems.values())).text}"
        )
    for i in range(min(SINGLES, len(given))):
        one = plan.local(plan.parse([given[i]]))
        for name, own in state.own.items():
            if not _same(own, one.own[name], i):
                raise SelfTestFailed(
                    f"{name}: a row by itself gives another result than in a batch"
                )
    told = f"{len(given)} {'kept' if rows else 'made-up'} rows"
    if rows is None or not rows.detail or plan.hosts or not _is_scored(plan, rows):
        return f"{told}: this party's part computes, single = batch"
    return f"{told}: {compare(plan, rows, {})}"


def part(plan: Plan, rows: KeptRows, key: str = "") -> dict[str, Any]:
    """A host's part of its kept rows, for the guest's ``compare``: ``ids`` and ``columns`` of level
    1. Raises NeedsKey, SelfTestFailed."""
    found: HostPart = plan.part(plan.parse(rows.rows()), key)
    if found.problems:
        raise SelfTestFailed(
            f"{len(found.problems)} of {found.n_rows} kept rows of the host cannot be scored"
        )
    return {"ids": rows.ids_digest, "columns": columns(found)}


def compare(plan: Plan, rows: KeptRows, answers: Mapping[str, Mapping[str, Any]]) -> str:
    """The guest's scores of its kept rows against those expected, in words.

    answers: of each host, as ``part`` gave it. Raises SelfTestFailed.
    """
    if not _is_scored(plan, rows):
        return f"the kept rows are of {rows.component}, which is not what is served: not compared"
    n = len(rows.values)
    given: dict[str, Mapping[str, Received]] = {}
    for host in plan.hosts:
        answer = answers.get(host)
        if answer is None:
            raise SelfTestFailed(f"host {host} has not answered for the kept rows")
        if answer.get("ids") != rows.ids_digest:
            raise SelfTestFailed(f"host {host} kept other rows than this guest; deploy again")
        told = answer.get("columns")
        try:
            given[host] = plan.read_columns(host, told if isinstance(told, Mapping) else {}, n)
        except BadPart as error:
            raise SelfTestFailed(f"host {host}: {error}") from None
    try:
        scores = plan.merge(plan.local(plan.parse(rows.rows())), given, component=rows.component)
    except BadPart as error:
        raise SelfTestFailed(str(error)) from None
    if scores.problems:
        raise SelfTestFailed(f"{len(scores.problems)} of {n} kept rows cannot be scored")
    expected = np.array(rows.detail, dtype=np.float64)
    if expected.shape != scores.detail.shape:
        raise SelfTestFailed(f"scores {scores.detail.shape} where {expected.shape} are expected")
    gaps = np.abs(scores.detail - expected).max(axis=1) if n else np.zeros(0)
    wrong = int(np.count_nonzero(~(gaps <= TOLERANCE)))
    if wrong:
        raise SelfTestFailed(
            f"{wrong} of {n} kept rows score otherwise than at training, by up to {gaps.max():.3g}"
        )
    if rows.labels and scores.labels is not None:
        told = [plan.trained_label(label, rows.component) for label in scores.labels]
        others = sum(a != b for a, b in zip(rows.labels, told, strict=True))
        if others:
            raise SelfTestFailed(f"{others} of {n} kept rows get another label than at training")
    return f"scores are those of training, to {float(gaps.max(initial=0.0)):.1g}"


def _is_scored(plan: Plan, rows: KeptRows) -> bool:
    return not rows.component or rows.component in plan.components


def _made_up(plan: Plan) -> list[dict[str, Any]]:
    """Rows of random numbers, some missing, some absent."""
    rng = np.random.default_rng(0)
    found = []
    for _ in range(SINGLES):
        row: dict[str, Any] = {}
        for column in plan.columns:
            draw = rng.random()
            if draw < 0.1:
                continue
            if draw < 0.2:
                row[column.name] = None
            elif column.kind == "number":
                row[column.name] = float(rng.normal())
            else:
                row[column.name] = int(rng.integers(0, 5))
        found.append(row)
    return found


def _same(batch: Own, single: Own, i: int) -> bool:
    a, b = np.asarray(batch.values)[i], np.asarray(single.values)[0]
    equal = np.array_equal(a, b, equal_nan=a.dtype.kind == "f")
    return equal and batch.status[i] == single.status[0]
