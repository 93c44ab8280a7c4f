"""Selection of columns by adding and removing one at a time (AIC or BIC)."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import Block, Column, Item, KeyValues, Option, Path, choice, msg
from fateboard.views.cells import finite, item, mapping, names, sequence, tabulate, text
from fateboard.views.context import Context, Group, Metric

_PARTIES = ("guest", "host")


class Step(msgspec.Struct, frozen=True, kw_only=True):
    """number: counts from 0. used: by anonymous name, whether the column is in the model.
    known: our own names of anonymous ones. score: AIC or BIC, which the arbiter computes."""

    number: int
    meta: dict[str, Any]
    used: dict[str, bool]
    known: dict[str, str]
    score: float | None
    loss: float | None


def steps(context: Context, path: Path) -> list[Block]:
    """What was there to begin with, each step, and all of them in one table."""
    found = _read(context)
    if not found:
        return []
    options = [Option(id=str(at), label=str(step.number)) for at, step in enumerate(found)]

    def of(id: str) -> list[Block]:
        return _step(found, int(id))

    first = found[0].meta
    facts = KeyValues(
        id="stepwise.data",
        items=[
            item(msg("stepwise.samples"), first.get("n_count"), "integer"),
            item(msg("stepwise.direction"), first.get("direction")),
            item(msg("stepwise.criterion"), _criterion(first)),
            item(msg("stepwise.intercept"), first.get("fit_intercept"), "yes_no"),
        ],
        title=msg("stepwise.title"),
    )
    last = str(len(found) - 1)
    return [
        facts,
        _summary(found),
        choice("step", msg("stepwise.step"), options, of, path, selected=last),
    ]


def _criterion(meta: dict[str, Any]) -> str:
    return text(meta.get("score_name")).upper()


def _read(context: Context) -> list[Step]:
    lent = {
        metric.name: metric
        for sibling in context.siblings
        if sibling.role == "arbiter"
        for metric in sibling.metrics
        if metric.type == "STEPWISE"
    }
    found = [
        _one(metric, lent.get(metric.name), context.role) for metric in context.of_type("STEPWISE")
    ]
    return sorted(found, key=lambda step: step.number)


def _one(metric: Metric, arbiters: Metric | None, role: str) -> Step:
    """arbiters: the same step as the arbiter logged it, who alone learns loss and score."""
    meta = metric.meta
    used: dict[str, bool] = {}
    known: dict[str, str] = {}
    for party in _PARTIES:
        anonymous = names(meta.get(f"{party}_features_anonym"))
        mask = sequence(meta.get(f"{party}_mask"))
        used.update({name: bool(on) for name, on in zip(anonymous, mask, strict=False)})
        if party == role:
            known.update(zip(anonymous, names(meta.get("all_features")), strict=False))
    number = finite(metric.data[0][1]) if metric.data else None
    score, loss = (_first(key, meta, arbiters) for key in ("current_ic_val", "loss"))
    return Step(number=int(number or 0), meta=meta, used=used, known=known, score=score, loss=loss)


def _first(key: str, meta: dict[str, Any], arbiters: Metric | None) -> float | None:
    own = finite(meta.get(key))
    return own if own is not None or arbiters is None else finite(arbiters.meta.get(key))


def _changes(found: list[Step], at: int) -> list[tuple[str, bool]]:
    """Columns that this step entered (True) or removed."""
    if at == 0:
        return []
    before = found[at - 1].used
    now = found[at].used
    return [(name, on) for name, on in now.items() if before.get(name) != on]


def _summary(found: list[Step]) -> Block:
    rows: list[list[Any]] = []
    for at, step in enumerate(found):
        number_in = step.meta.get("number_in")
        changes: list[tuple[str, bool | None]] = [*_changes(found, at)] or [("", None)]
        for name, entered in changes:
            shown = step.known.get(name, "")
            rows.append([step.number, shown, name, entered, number_in, step.score, step.loss])
    columns = [
        Column(id="step", label=msg("stepwise.step"), format="integer", frozen=True),
        _effect(),
        _anonymous(),
        _change(),
        Column(id="number_in", label=msg("stepwise.number_in"), format="integer"),
        Column(id="score", label=_criterion(found[0].meta) or "AIC", format="number"),
        Column(id="loss", label=msg("axis.loss"), format="number"),
    ]
    title = msg("stepwise.summary")
    return tabulate("stepwise.summary", columns, rows, title=title, export_name="stepwise")


def _effect() -> Column:
    return Column(id="effect", label=msg("stepwise.effect"))


def _anonymous() -> Column:
    return Column(id="anonymous", label=msg("stepwise.anonymous"))


def _change() -> Column:
    return Column(
        id="change",
        label=msg("stepwise.change"),
        format="yes_no",
        help=msg("stepwise.change_help"),
    )


def _step(found: list[Step], at: int) -> list[Block]:
    step = found[at]
    fit: list[Item] = [item(msg("stepwise.number_in"), step.meta.get("number_in"), "integer")]
    if step.score is not None:
        fit.append(item(_criterion(step.meta), step.score, "number"))
    if step.loss is not None:
        fit.append(item(msg("axis.loss"), step.loss, "number"))
    blocks: list[Block] = [
        KeyValues(id="stepwise.fit", items=fit, title=msg("stepwise.fit")),
        tabulate(
            "stepwise.effects",
            [
                _effect(),
                _anonymous(),
                _change(),
            ],
            [[step.known.get(name, ""), name, on] for name, on in _changes(found, at)],
            title=msg("stepwise.effects"),
            page_size=0,
        ),
    ]
    return [*blocks, *_estimates(step)]


def _estimates(step: Step) -> list[Block]:
    """Of our own columns: the weights of those in the model, and those that may still enter."""
    if "header" not in step.meta:
        return []
    anonymous = {name: hidden for hidden, name in step.known.items()}
    weights = mapping(step.meta.get("weight"))
    header = names(step.meta.get("header"))
    rows: list[list[Any]] = [
        [name, anonymous.get(name, ""), 1, weights.get(name)] for name in header
    ]
    if step.meta.get("fit_intercept") and finite(step.meta.get("intercept")):
        rows.append([msg("model.intercept"), "", 1, step.meta.get("intercept")])
    freedom = Column(id="df", label=msg("stepwise.df"), format="integer")
    estimate = Column(id="estimate", label=msg("stepwise.estimate"), format="bar")
    entering = names(step.meta.get("to_enter"))
    return [
        tabulate(
            "stepwise.estimates",
            [_effect(), _anonymous(), freedom, estimate],
            rows,
            title=msg("stepwise.estimates"),
        ),
        tabulate(
            "stepwise.eligible",
            [_effect(), _anonymous(), freedom],
            [[name, anonymous.get(name, ""), 1] for name in entering],
            title=msg("stepwise.eligible"),
            page_size=0,
        ),
    ]


GROUPS: list[Group] = [(frozenset({"STEPWISE"}), steps)]
