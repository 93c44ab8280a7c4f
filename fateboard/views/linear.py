"""Linear models: weights of this party's columns, one model per class where there are several."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Curve,
    KeyValues,
    Option,
    Paragraph,
    Path,
    Series,
    choice,
    msg,
)
from fateboard.views import losses, stepwise
from fateboard.views.cells import finite, item, mapping, names, numbers, sequence, tabulate
from fateboard.views.context import Context, Page
from fateboard.views.curves import Point, thin

_HOMOGENEOUS = "homolr"


def model(context: Context, path: Path) -> list[Block]:
    """The weights that this party holds, and where the others are."""
    if not context.model:
        return []
    hints: list[Block] = []
    if context.role == "arbiter":
        hints.append(Paragraph(id="hint", text=msg("linear.arbiter")))
    if not context.model.get("needOneVsRest"):
        return [*_single(context, context.model), *hints]
    result = mapping(context.model.get("oneVsRestResult"))
    models = [mapping(one) for one in sequence(result.get("completedModels"))]
    classes = names(result.get("oneVsRestClasses"))
    classes += [str(at) for at in range(len(classes), len(models))]
    options = [Option(id=str(at), label=classes[at]) for at in range(len(models))]

    def of(id: str) -> list[Block]:
        return _single(context, models[int(id)])

    picked = choice("class", msg("linear.class"), options, of, path, title=msg("linear.ovr"))
    return [picked, *hints]


def _single(context: Context, model: dict[str, Any]) -> list[Block]:
    facts = [
        item(msg("linear.iterations"), model.get("iters"), "integer"),
        item(msg("linear.converged"), model.get("isConverged"), "yes_no"),
    ]
    best = finite(model.get("bestIteration"))
    if best is not None and best >= 0:
        facts.append(item(msg("linear.best"), best, "integer"))
    blocks: list[Block] = [KeyValues(id="model", items=facts, export_name="model_summary")]
    if context.role != "arbiter":
        blocks += _weights(context, model)
    past = numbers(model.get("lossHistory"))
    if past and not context.of_type("LOSS"):
        blocks.append(history(past))
    return blocks


def _weights(context: Context, model: dict[str, Any]) -> list[Block]:
    weights = mapping(model.get("weight"))
    encrypted = mapping(model.get("encryptedWeight"))
    header = names(model.get("header"))
    shown = list(dict.fromkeys([*header, *weights]))
    rows: list[list[Any]] = [[name, weights.get(name)] for name in shown]
    if context.role != "host" or context.module.casefold() == _HOMOGENEOUS:
        rows.append([msg("model.intercept"), model.get("intercept")])
    blocks: list[Block] = []
    if encrypted:
        text = msg("linear.encrypted", count=len(encrypted))
        blocks.append(Paragraph(id="encrypted", text=text))
    if shown:
        columns = [
            Column(id="variable", label=msg("model.variable"), frozen=True),
            Column(id="weight", label=msg("linear.weight"), format="bar"),
        ]
        title = msg("linear.weights")
        blocks.append(tabulate("weights", columns, rows, title=title, export_name="model_summary"))
    return blocks


def history(past: list[float | None]) -> Curve:
    """From the model, where the loss was not logged by class."""
    line: list[Point] = [(float(at), value) for at, value in enumerate(past)]
    return Curve(
        id="loss_history",
        x=Axis(label=msg("axis.iteration"), integer=True),
        y=Axis(label=msg("axis.loss")),
        series=[Series(id="loss", label=msg("axis.loss"), points=[line[at] for at in thin(line)])],
        title=msg("loss.title"),
        export_name="loss",
    )


def loss_of_others(context: Context, path: Path) -> list[Block]:
    """The loss, and a word on who learns it where nobody on this site does."""
    blocks = losses.losses(context, path)
    here = {context.role, *(sibling.role for sibling in context.siblings)}
    learners = losses.LEARNERS.get(context.module.casefold(), ())
    if not blocks and context.model and not here.intersection(learners):
        blocks.append(Paragraph(id="loss", text=msg("loss.elsewhere", role=learners[0])))
    return blocks


_PAGE = Page(
    builders=[model, loss_of_others, stepwise.steps],
    metrics=frozenset({"LOSS", "STEPWISE"}),
    needs=frozenset({"model", "siblings"}),
)

PAGES: dict[str, Page] = {
    **dict.fromkeys(
        ("HeteroLR", "HomoLR", "HeteroLinR", "HeteroPoisson", "HeteroSSHELR", "HeteroSSHELinR"),
        _PAGE,
    ),
    "LocalBaseline": msgspec.structs.replace(_PAGE, builders=[model]),
}
