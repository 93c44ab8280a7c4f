"""Boosted trees: the forest, what the splits ask for most, and names of a host's columns."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import (
    Block,
    Column,
    Forest,
    Item,
    KeyValues,
    Paragraph,
    Path,
    Tab,
    Tabs,
    TreeEntry,
    msg,
)
from fateboard.views import losses, trees
from fateboard.views.cells import finite, item, mapping, names, natural, sequence, tabulate, text
from fateboard.views.context import Context, Page

Weighed = tuple[str, str, float | None]
"""A column, its party, what it counts."""


def model(context: Context, _path: Path) -> list[Block]:
    """How the model was trained, and its trees."""
    if not context.model:
        return []
    facts = _facts(context)
    blocks: list[Block] = [KeyValues(id="model", items=facts, export_name="model_summary")]
    stored = sequence(context.model.get("trees"))
    if not stored:
        blocks.append(Paragraph(id="forest", text=msg("forest.none")))
        return blocks
    return [*blocks, forest(context)]


def forest(context: Context) -> Forest:
    """All trees, each by the class it belongs to where a round has one per class."""
    stored = sequence(context.model.get("trees"))
    dimension = trees.per_round(context)
    classes = names(context.model.get("classes"))
    labels = []
    if dimension > 1:
        labels = [classes[at] if at < len(classes) else str(at) for at in range(dimension)]
    listed = []
    parties: dict[str, None] = {trees.me(context): None}
    guest = trees.guest(context)
    for index, one in enumerate(stored):
        nodes = trees.splits(one)
        whose = trees.planned(context, index, guest)
        parties.update({trees.owner(context, n.site): None for n in nodes.values() if not n.leaf})
        parties[whose] = None
        listed.append(
            TreeEntry(
                index=index,
                round=index // dimension,
                size=len(nodes),
                depth=trees.depth(nodes),
                label=labels[index % dimension] if labels else "",
                owner="" if whose == trees.me(context) else whose,
            )
        )
    return Forest(
        id="forest",
        trees=listed,
        labels=labels,
        parties=[party for party in parties if party],
        title=msg("forest.title"),
    )


def _facts(context: Context) -> list[Item]:
    model, meta = context.model, context.meta
    rounds = len(sequence(model.get("trees"))) // trees.per_round(context)
    facts = [item(msg("boosting.rounds"), rounds, "integer")]
    best = finite(model.get("bestIteration"))
    if best is not None and best >= 0:
        facts.append(item(msg("linear.best"), best, "integer"))
    strategy = text(meta.get("boostingStrategy") or meta.get("workMode"))
    objective = text(mapping(meta.get("objectiveMeta")).get("objective"))
    rate = finite(meta.get("learningRate"))
    if strategy:
        facts.append(item(msg("boosting.strategy"), strategy))
    if objective:
        facts.append(item(msg("boosting.objective"), objective))
    if rate:
        facts.append(item(msg("boosting.learning_rate"), rate, "number"))
    return facts


def importance(context: Context, _path: Path) -> list[Block]:
    """How often, and with what gain, each column splits."""
    entries = [mapping(entry) for entry in sequence(context.model.get("featureImportances"))]
    if not entries:
        return []
    applied = text(entries[0].get("main")) or "split"
    by_kind: dict[str, list[Weighed]] = {"split": [], "gain": []}
    for entry in entries:
        main, other = ("gain", "split") if entry.get("main") == "gain" else ("split", "gain")
        name = text(entry.get("fullname"))
        party = trees.spoken(trees.owner(context, text(entry.get("sitename"))))
        by_kind[main].append((name, party, finite(entry.get("importance"))))
        by_kind[other].append((name, party, finite(entry.get("importance2"))))
    labels = {
        "split": msg("importance.split") if applied == "gain" else msg("importance.split_applied"),
        "gain": msg("importance.gain_applied") if applied == "gain" else msg("importance.gain"),
    }
    known = ["split", "gain"] if any(value for _, _, value in by_kind["gain"]) else ["split"]
    tabs = [
        Tab(id=kind, label=labels[kind], blocks=[_importance(kind, by_kind[kind])])
        for kind in known
    ]
    return [Tabs(id="importance", items=tabs, title=msg("importance.title"))]


def _importance(kind: str, found: list[Weighed]) -> Block:
    ranked = sorted(found, key=lambda one: (-(one[2] or 0.0), natural(one[0])))
    columns = [
        Column(id="feature", label=msg("model.variable"), frozen=True),
        Column(id="party", label=msg("importance.party")),
        Column(id="value", label=msg("importance.value"), format="bar"),
    ]
    made = tabulate(
        f"importance.{kind}",
        columns,
        ranked,
        help=msg("importance.count", count=len(ranked)),
        export_name=f"feature_importance_{kind}",
    )
    several = len({party for _, party, _ in found}) > 1
    return msgspec.structs.replace(made, facets=["party"]) if several else made


def mapping_of_names(context: Context, _path: Path) -> list[Block]:
    """By which names other parties know this party's columns."""
    found: dict[str, Any] = mapping(context.model.get("anonymousNameMapping"))
    if not found:
        return []
    rows = sorted(((text(name), text(shown)) for shown, name in found.items()), key=_by_name)
    columns = [
        Column(id="variable", label=msg("model.variable"), frozen=True),
        Column(id="anonymous", label=msg("stepwise.anonymous")),
    ]
    title = msg("boosting.mapping")
    return [tabulate("mapping", columns, rows, title=title, export_name="feature_mapping")]


def _by_name(row: tuple[str, str]) -> list[tuple[int, int, str]]:
    return natural(row[0])


_PAGE = Page(
    builders=[model, losses.losses, importance, mapping_of_names],
    metrics=frozenset({"LOSS"}),
    needs=frozenset({"model", "siblings"}),
    tree=trees.tree,
)

PAGES: dict[str, Page] = dict.fromkeys(
    ("HeteroSecureBoost", "HomoSecureBoost", "HeteroFastSecureBoost"), _PAGE
)
