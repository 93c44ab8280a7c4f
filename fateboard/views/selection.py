"""Feature selection: which filter removed which column, of each party."""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Combo,
    ComboSeries,
    KeyValues,
    Option,
    Path,
    choice,
    msg,
)
from fateboard.views.cells import Marked, item, mapping, names, sequence, tabulate, text
from fateboard.views.context import Context, Page


class Step(msgspec.Struct, frozen=True):
    """What one filter did to one party's columns. ran: it looked at this party's columns."""

    name: str
    rule: list[Any]
    values: dict[str, Any]
    before: list[str]
    removed: frozenset[str]
    ran: bool


class Side(msgspec.Struct, frozen=True):
    """names: of all columns. kept: those that stay."""

    party: str
    names: list[str]
    anonymous: dict[str, str]
    steps: list[Step]
    kept: frozenset[str]


def selection(context: Context, path: Path) -> list[Block]:
    sides = [side for side in (_own(context), *_hosts(context)) if side.names]
    if not sides:
        return []
    if len(sides) == 1:
        return _shown(sides[0])
    by_id = {f"{i}_{side.party}": side for i, side in enumerate(sides)}
    options = [Option(id=id, label=side.party) for id, side in by_id.items()]

    def shown(id: str) -> list[Block]:
        return _shown(by_id[id])

    return [choice("party", msg("data.party"), options, shown, path)]


def _own(context: Context) -> Side:
    model = context.model
    final = mapping(model.get("finalLeftCols"))
    header = names(model.get("header")) or names(final.get("originalCols"))
    header = list(dict.fromkeys(header or names(model.get("colNames"))))
    results = [mapping(result) for result in sequence(model.get("results"))]
    steps = _steps(
        context,
        header,
        [(mapping(r.get("featureValues")), mapping(r.get("leftCols"))) for r in results],
    )
    removed = frozenset().union(*(step.removed for step in steps))
    kept = _left(final) if final else frozenset(header) - removed
    anonymous = {
        text(name): text(of) for name, of in mapping(model.get("colNameToAnonymDict")).items()
    }
    return Side(
        party=f"{context.role} {context.party_id}".strip(),
        names=header,
        anonymous=anonymous if context.role == "host" else {},
        steps=steps,
        kept=kept,
    )


def _hosts(context: Context) -> list[Side]:
    """What the guest filtered of its hosts' columns. A host's model lists the host itself."""
    if context.role == "host":
        return []
    results = [mapping(result) for result in sequence(context.model.get("results"))]
    hosts = [mapping(entry) for entry in sequence(context.model.get("hostColNames"))]
    sides = []
    for host in hosts:
        header = list(dict.fromkeys(names(host.get("colNames"))))
        known = set(header)
        told = []
        for result in results:
            values = _of_host(result.get("hostFeatureValues"), "featureValues", known)
            left = _of_host(result.get("hostLeftCols"), "originalCols", known)
            told.append((mapping(values.get("featureValues")), left))
        steps = _steps(context, header, told)
        removed = frozenset().union(*(step.removed for step in steps))
        sides.append(
            Side(
                party=f"host {text(host.get('partyId'))}".strip(),
                names=header,
                anonymous={},
                steps=steps,
                kept=frozenset(header) - removed,
            )
        )
    return sides


def _of_host(entries: Any, key: str, known: set[str]) -> dict[str, Any]:
    """Of a filter's entries that of the host whose columns are ``known``. The filter may have left
    out hosts, so the place among them says nothing."""
    for entry in map(mapping, sequence(entries)):
        listed = set(names(entry.get(key))) | {text(name) for name in mapping(entry.get(key))}
        if listed and listed <= known:
            return entry
    return {}


def _steps(
    context: Context, header: list[str], told: list[tuple[dict[str, Any], dict[str, Any]]]
) -> list[Step]:
    """told: by filter its values and its leftCols."""
    results = [mapping(result) for result in sequence(context.model.get("results"))]
    metas = [mapping(meta) for meta in sequence(context.meta.get("filterMetas"))]
    steps = []
    for i, (values, left) in enumerate(told):
        meta = metas[i] if i < len(metas) else {}
        rule = [
            text(meta.get("metrics")) or None,
            text(meta.get("filterType")) or None,
            meta.get("threshold") if text(meta.get("filterType")) else None,
        ]
        before = [name for name in names(left.get("originalCols")) if name]
        steps.append(
            Step(
                name=text(results[i].get("filterName")).lower() or f"filter {i + 1}",
                rule=rule,
                values={text(name): value for name, value in values.items()},
                before=before,
                removed=frozenset(before) & frozenset(header) - _left(left),
                ran=bool(before),
            )
        )
    return steps


def _left(left: dict[str, Any]) -> frozenset[str]:
    """Columns that are in leftCols and true: what was removed may be false, or absent."""
    return frozenset(
        text(name) for name, kept in mapping(left.get("leftCols")).items() if kept is True
    )


def _shown(side: Side) -> list[Block]:
    items = [
        item(msg("data.columns_before"), len(side.names), "integer"),
        item(msg("data.columns_kept"), sum(name in side.kept for name in side.names), "integer"),
    ]
    blocks: list[Block] = [KeyValues(id="counts", items=items)]
    if side.steps:
        blocks += _funnel(side)
    return [*blocks, _table(side)]


def _funnel(side: Side) -> list[Block]:
    """How many columns each filter left, as a table, and of several filters as a chart."""
    rows: list[list[Any]] = []
    left = len(side.names)
    for step in side.steps:
        gone = len(step.removed)
        left -= gone
        rows.append([step.name, left + gone if step.ran else None, gone, left, *step.rule])
    columns = [
        Column(id="filter", label=msg("data.filter"), frozen=True, sortable=False),
        Column(id="before", label=msg("data.before"), format="integer", sortable=False),
        Column(id="removed", label=msg("data.removed"), format="integer", sortable=False),
        Column(id="left", label=msg("data.left"), format="bar", sortable=False),
        Column(id="metric", label=msg("data.filter_metric"), sortable=False),
        Column(id="type", label=msg("data.filter_type"), sortable=False),
        Column(id="threshold", label=msg("data.threshold"), format="number", sortable=False),
    ]
    chart = Combo(
        id="funnel",
        title=msg("data.funnel"),
        categories=[str(row[0]) for row in rows],
        axes=[Axis(label=msg("data.n_columns"), integer=True)],
        series=[
            ComboSeries(
                label=msg("data.left"), type="bar", values=[row[3] for row in rows], stack="columns"
            ),
            ComboSeries(
                label=msg("data.removed"),
                type="bar",
                values=[row[2] for row in rows],
                stack="columns",
            ),
        ],
    )
    table = tabulate(
        "filters", columns, rows, title=msg("data.filters"), export_name="selection_funnel"
    )
    return [chart, table] if len(rows) > 1 else [table]


def _table(side: Side) -> Block:
    """A row for each column of the party: whether it stays, what removed it, each filter's value.
    The value by which a filter removed it is marked."""
    columns = [Column(id="variable", label=msg("data.variable"), frozen=True)]
    if side.anonymous:
        columns.append(Column(id="anonym", label=msg("data.anonym")))
    columns += [
        Column(id="kept", label=msg("data.kept"), format="yes_no"),
        Column(id="removed_by", label=msg("data.removed_by")),
    ]
    columns += [
        Column(id=f"filter_{i}", label=step.name, format="number")
        for i, step in enumerate(side.steps)
    ]
    rows = []
    for name in side.names:
        by = next((step.name for step in side.steps if name in step.removed), None)
        row: list[Any] = [name]
        row += [side.anonymous.get(name)] if side.anonymous else []
        row += [name in side.kept, by]
        for step in side.steps:
            value = step.values.get(name)
            row.append(Marked(value, "removed") if name in step.removed else value)
        rows.append(row)
    table = tabulate(
        "selection", columns, rows, title=msg("data.columns"), export_name="selection_detail"
    )
    table.facets.extend(["kept", "removed_by"])
    return table


PAGES: dict[str, Page] = {"HeteroFeatureSelection": Page(builders=[selection])}
