"""DataStatistics, and how far the distribution of columns moved (PSI)."""

from __future__ import annotations

from typing import Any

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Combo,
    ComboSeries,
    Format,
    Option,
    Path,
    choice,
    msg,
)
from fateboard.views.cells import mapping, names, numbers, sequence, tabulate, text
from fateboard.views.context import Context, Page

_COUNTS = {"count", "missing_count"}
_SHARES = {"missing_ratio"}


def statistics(context: Context, _path: Path) -> list[Block]:
    """A row for each column, a column for each statistic in the order they were asked for."""
    values: dict[str, dict[str, Any]] = {}
    seen: dict[str, None] = {}
    for result in sequence(mapping(context.model.get("selfValues")).get("results")):
        of = mapping(result)
        found = names(of.get("colNames"))
        seen |= dict.fromkeys(found)
        kind = values.setdefault(text(of.get("valueName")), {})
        kind |= zip(found, sequence(of.get("values")), strict=False)
    if not values:
        return []
    order = [name for name in names(context.meta.get("statistics")) if name in values]
    order = list(dict.fromkeys([*order, *values]))
    header = [name for name in names(context.meta.get("staticColumns")) if name in seen]
    header = list(dict.fromkeys([*header, *seen]))
    columns = [Column(id="variable", label=msg("data.variable"), frozen=True)]
    columns += [Column(id=f"s_{name}", label=name, format=_format(name)) for name in order]
    rows = [[name, *(values[kind].get(name) for kind in order)] for name in header]
    title = msg("data.columns")
    return [tabulate("statistics", columns, rows, title=title, export_name="statistic_detail")]


def _format(statistic: str) -> Format:
    if statistic in _COUNTS:
        return "integer"
    return "percent" if statistic in _SHARES else "number"


def psi(context: Context, path: Path) -> list[Block]:
    """The PSI of each column, and of a chosen one its bins."""
    features = {
        text(of["featureName"]): of
        for entry in sequence(context.model.get("featurePsi"))
        if "featureName" in (of := mapping(entry))
    }
    totals = {text(name): of for name, of in mapping(context.model.get("totalScore")).items()}
    known = list(dict.fromkeys([*features, *totals]))
    if not known:
        return []
    columns = [
        Column(id="variable", label=msg("data.variable"), frozen=True),
        Column(id="psi", label="PSI", format="number", help=msg("data.psi_help")),
    ]
    rows = [[name, totals.get(name)] for name in known]
    options = [Option(id=name, label=name) for name in features]

    def shown(name: str) -> list[Block]:
        return _bins(name, features[name])

    title = msg("data.columns")
    return [
        tabulate("psi", columns, rows, title=title, export_name="psi", page_size=10),
        choice("variable", msg("data.variable"), options, shown, path),
    ]


def _bins(name: str, of: dict[str, Any]) -> list[Block]:
    intervals = [interval(bin, name) for bin in names(of.get("interval"))]
    expected, actual, scores = (numbers(of.get(key)) for key in ("expectPerc", "actualPerc", "psi"))
    n = len(intervals)
    parts = [(part + [None] * n)[:n] for part in (expected, actual, scores)]
    columns = [
        Column(id="bin", label=msg("data.bin"), frozen=True),
        Column(id="expected", label=msg("data.expected"), format="percent"),
        Column(id="actual", label=msg("data.actual"), format="percent"),
        Column(id="psi", label="PSI", format="number"),
    ]
    rows = list(zip(intervals, *parts, strict=True))
    chart = Combo(
        id="psi_chart",
        title=msg("data.moved"),
        categories=intervals,
        axes=[Axis(label=msg("data.share_of_rows"), percent=True), Axis(label="PSI")],
        series=[
            ComboSeries(label=msg("data.expected"), type="bar", values=parts[0]),
            ComboSeries(label=msg("data.actual"), type="bar", values=parts[1]),
            ComboSeries(label="PSI", type="line", values=parts[2], axis=1),
        ],
        x=name,
    )
    title = msg("data.bins")
    return [chart, tabulate("psi_bins", columns, rows, title=title, export_name="psi_detail")]


def interval(bin: str, name: str) -> str:
    """``a<x<=b`` as ``(a, b]``; anything else, as the bin of missing values, stays."""
    low, high = f"{name}<=", f"<{name}"
    if bin.startswith(low):
        return f"(-inf, {bin[len(low) :]}]"
    if bin.endswith(high):
        return f"({bin[: -len(high)]}, +inf)"
    left, found, right = bin.partition(f"<{name}<=")
    return f"({left}, {right}]" if found else bin


PAGES: dict[str, Page] = {
    "DataStatistics": Page(builders=[statistics]),
    "PSI": Page(builders=[psi]),
}
