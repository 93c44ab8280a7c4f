"""Loss by round, also a sibling's: in most algorithms one party alone learns it."""

from __future__ import annotations

import re

from fateboard.blocks import (
    Axis,
    Block,
    Curve,
    Item,
    KeyValues,
    Label,
    Paragraph,
    Path,
    Series,
    Tab,
    Tabs,
    msg,
)
from fateboard.views.cells import finite, item, text
from fateboard.views.context import Context, Group, Metric
from fateboard.views.curves import points, thin
from fateboard.views.datasets import fold, part

_UNITS: dict[str, Label] = {
    "iters": msg("axis.iteration"),
    "epochs": msg("axis.epoch"),
    "aggregate_round": msg("axis.aggregation"),
}

_FOLD = re.compile(r"loss\.(?P<fold>\d{1,9})(?:\.(?P<of_class>.+))?", re.ASCII | re.DOTALL)

Owned = tuple[str, Metric]
"""A metric and its party as "role:party", "" of ours."""


LEARNERS: dict[str, tuple[str, ...]] = {
    "heterolr": ("arbiter",),
    "heterolinr": ("arbiter",),
    "heteropoisson": ("arbiter",),
    "homosecureboost": ("arbiter",),
    "heterosshelr": ("guest",),
    "heterosshelinr": ("guest",),
    "heterosecureboost": ("guest",),
    "heterofastsecureboost": ("guest",),
    "heteronn": ("guest",),
    "ftl": ("guest",),
    "homolr": ("guest", "host", "arbiter"),
    "homonn": ("guest", "host", "arbiter"),
}
"""Who logs a module's loss: an empty chart awaits it while it runs."""


def losses(context: Context, _path: Path) -> list[Block]:
    """Training loss, ours and that of the same component's other parties on this site."""
    awaited = ("train", "loss")
    learners = LEARNERS.get(context.module.casefold(), ())
    found = _found(context, "LOSS", awaited, learners)
    return _curves(context, found, "loss", msg("loss.title"), msg("axis.loss"))


def dbi(context: Context, _path: Path) -> list[Block]:
    """Davies-Bouldin index of a clustering by iteration, which the arbiter learns."""
    found = _found(context, "DBI", ("train", "DBI"), ("arbiter",))
    return _curves(context, found, "dbi", msg("dbi.title"), msg("axis.dbi"))


def first_round(context: Context, _path: Path) -> list[Block]:
    """Where a warm start went on from."""
    items: list[Item] = []
    for metric in context.metrics:
        for _, value in metric.data[:1]:
            items.append(item(msg("warm_start.first"), value, "integer"))
    return [KeyValues(id="warm_start", items=items)] if items else []


GROUPS: list[Group] = [
    (frozenset({"LOSS"}), losses),
    (frozenset({"DBI"}), dbi),
    (frozenset({"init_iter"}), first_round),
]


def _found(
    context: Context, kind: str, awaited: tuple[str, str], learners: tuple[str, ...]
) -> list[Owned]:
    """Metrics of a type at all parties of this site; while the component runs also an empty one
    for a party that will log it. awaited: its namespace and name."""
    parties = [("", context.role, context.metrics)]
    for sibling in context.siblings:
        party = f"{sibling.role}:{sibling.party_id}"
        parties.append((party, sibling.role, sibling.metrics))
    found: list[Owned] = []
    for party, role, metrics in parties:
        logged = [metric for metric in metrics if metric.type == kind]
        if not logged and context.status == "running" and role in learners:
            namespace, name = awaited
            logged = [Metric(namespace=namespace, name=name, type=kind, data=[], meta={})]
        found += [(party, metric) for metric in logged]
    return found


def _curves(context: Context, found: list[Owned], id: str, title: Label, y: Label) -> list[Block]:
    live = context.status == "running"
    by_namespace: dict[str, list[Owned]] = {}
    for owned in found:
        by_namespace.setdefault(owned[1].namespace, []).append(owned)
    tabs = [
        Tab(
            id=namespace,
            label=part(namespace),
            blocks=[_curve(f"{id}.{namespace}", title, y, owned, live)],
        )
        for namespace, owned in by_namespace.items()
    ]
    if len(tabs) > 1:
        return [Tabs(id=id, items=tabs, title=title)]
    return tabs[0].blocks if tabs else []


def _curve(id: str, title: Label, y: Label, found: list[Owned], live: bool) -> Block:
    units = [text(metric.meta.get("unit_name") or "iters") for _, metric in found]
    series = [_series(owned) for owned in found]
    if not live and not any(one.points for one in series):
        return Paragraph(id=id, text=msg("loss.no_points"), title=title)
    best = None if live else _lowest(found, series)
    return Curve(
        id=id,
        x=Axis(label=_UNITS.get(units[0], units[0]), integer=True),
        y=Axis(label=y),
        series=series,
        live=[one.id for one in series],
        title=title,
        help=msg("loss.best", value=f"{best:.6g}") if best is not None else "",
        export_name=id.split(".", maxsplit=1)[0],
    )


def _lowest(found: list[Owned], series: list[Series]) -> float | None:
    """The best loss as it was logged, else of the points."""
    logged = [finite(metric.meta.get("Best")) for _, metric in found]
    drawn = [y for one in series for _, y in one.points]
    best = min((value for value in logged if value is not None), default=None)
    return best if best is not None else min((y for y in drawn if y is not None), default=None)


def curve_label(metric: Metric) -> Label:
    """Cross-validation logs ``loss.<fold>``, or ``loss.<fold>.<class>``."""
    of_fold = _FOLD.fullmatch(metric.name)
    if of_fold:
        return fold(int(of_fold["fold"]), of_fold["of_class"] or "")
    name = text(metric.meta.get("curve_name") or metric.name)
    return msg("axis.loss") if name == "loss" else name


def _series(owned: Owned) -> Series:
    party, metric = owned
    line = points(metric)
    name = f"{metric.namespace}/{metric.name}"
    return Series(
        id=f"{party}/{name}" if party else name,
        label=curve_label(metric),
        points=[line[index] for index in thin(line)],
        party=party.replace(":", " ", 1),
    )
