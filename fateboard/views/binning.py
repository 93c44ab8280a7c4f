"""Feature binning: bins of each column, and at the guest IV and WOE of all parties' columns.

A page is built for one party and one column at a time: the summary table lists all columns, the
bins and charts are those of the column that was chosen.
"""

from __future__ import annotations

from typing import Any

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    Column,
    Combo,
    ComboSeries,
    Option,
    Paragraph,
    Path,
    Range,
    Tab,
    Tabs,
    choice,
    msg,
)
from fateboard.views.cells import mapping, names, natural, numbers, sequence, tabulate, text, whole
from fateboard.views.context import Context, Page

MAX_BINS = 10_000
MISSING = "missing_value"
"""What FATE calls the bin of missing values."""


class Look(msgspec.Struct, frozen=True):
    """How one set of results is shown. counted: whether there may be IV and counts. header,
    anonymous: of this party's columns, by name. metric: what optimal binning went by."""

    counted: bool
    header: list[str]
    anonymous: dict[str, str]
    metric: str
    prefix: str


class Side(msgspec.Struct, frozen=True):
    """One party's columns. mine: their split points are known."""

    name: str
    columns: dict[str, Any]
    mine: bool


def binning(context: Context, path: Path) -> list[Block]:
    """Both of the hetero and the homo kind."""
    model = context.model
    train = _results(
        model.get("binningResult"), model.get("hostResults"), model.get("multiClassResult"), context
    )
    predict = _results(
        model.get("transformBinningResult"),
        model.get("transformHostResults"),
        model.get("transformMultiClassResult"),
        context,
    )
    if not train and not predict:
        return []
    blocks = _explained(context, [*train.values(), *predict.values()])
    if not predict:
        return blocks + _labels(context, train, path, "")
    tabs = [
        Tab(
            id="predict",
            label=msg("data.predicting"),
            blocks=_labels(context, predict, path, "predict_"),
        ),
        Tab(id="train", label=msg("data.training"), blocks=_labels(context, train, path, "train_")),
    ]
    return [*blocks, Tabs(id="runs", items=tabs)]


def _results(own: Any, hosts: Any, several: Any, context: Context) -> dict[str, list[Side]]:
    """The parties' columns by label. Of two classes there is one result, under ""; of more one
    for each label, and the hosts' are listed label by label for each host in turn."""
    of = mapping(several)
    labels, results = names(of.get("labels")), sequence(of.get("results"))
    if len(results) < 2 or len(labels) != len(results):
        sides = [_side(own, context, True), *(_side(h, context, False) for h in sequence(hosts))]
        sides = [side for side in sides if side.columns]
        return {"": sides} if sides else {}
    found = {}
    n = len(labels)
    for i, label in enumerate(labels):
        theirs = sequence(of.get("hostResults"))[i::n]
        sides = [_side(results[i], context, True), *(_side(h, context, False) for h in theirs)]
        found[label] = [side for side in sides if side.columns]
    return found if any(found.values()) else {}


def _side(result: Any, context: Context, mine: bool) -> Side:
    of = mapping(result)
    role = context.role if mine else text(of.get("role")) or "host"
    party = context.party_id if mine else text(of.get("partyId"))
    return Side(name=f"{role} {party}".strip(), columns=mapping(of.get("binningResult")), mine=mine)


def _explained(context: Context, results: list[list[Side]]) -> list[Block]:
    if context.meta.get("skipStatic") is True:
        return [Paragraph(id="skipped", text=msg("data.skip_static"))]
    if _counted(context, results):
        return []
    if context.role == "host" and not _is_homo(context):
        return [Paragraph(id="at_guest", text=msg("data.iv_at_guest"))]
    return []


def _is_homo(context: Context) -> bool:
    return context.module.casefold().startswith("homo")


def _counted(context: Context, results: list[list[Side]]) -> bool:
    """Whether IV is in the results; a guest's page has its columns in any case."""
    if context.role == "guest" and not _is_homo(context):
        return True
    return any(
        sequence(mapping(column).get("ivArray"))
        for sides in results
        for side in sides
        for column in side.columns.values()
    )


def _labels(
    context: Context, results: dict[str, list[Side]], path: Path, prefix: str
) -> list[Block]:
    header, anonymous = (names(context.model.get(key)) for key in ("header", "headerAnonymous"))
    look = Look(
        counted=_counted(context, list(results.values())),
        header=header,
        anonymous=dict(zip(header, anonymous, strict=False)) if context.role != "guest" else {},
        metric=text(context.meta.get("optimalMetricMethod")),
        prefix=prefix,
    )
    if set(results) == {""}:
        return _parties(results[""], look, path)
    options = [Option(id=label, label=label) for label in results]

    def shown(label: str) -> list[Block]:
        return _parties(results[label], look, path)

    return [choice(f"{prefix}label", msg("data.one_label"), options, shown, path)]


def _parties(sides: list[Side], look: Look, path: Path) -> list[Block]:
    if not sides:
        return []
    if len(sides) == 1:
        return _columns(sides[0], look, path)
    by_id = {f"{i}_{side.name}": side for i, side in enumerate(sides)}
    options = [Option(id=id, label=side.name) for id, side in by_id.items()]

    def shown(id: str) -> list[Block]:
        return _columns(by_id[id], look, path)

    return [choice(f"{look.prefix}party", msg("data.party"), options, shown, path)]


def _columns(side: Side, look: Look, path: Path) -> list[Block]:
    """The summary of all columns of a party, and the bins of one."""
    found = {text(name): mapping(column) for name, column in side.columns.items()}
    known = [name for name in look.header if name in found]
    known += sorted(found.keys() - set(known), key=natural)
    found = {name: found[name] for name in known}
    options = [Option(id=name, label=name) for name in found]

    def shown(name: str) -> list[Block]:
        return _bins(name, found[name], side, look)

    variable = choice(f"{look.prefix}variable", msg("data.variable"), options, shown, path)
    return [_summary(found, look), variable]


def _summary(found: dict[str, dict[str, Any]], look: Look) -> Block:
    columns = [Column(id="variable", label=msg("data.variable"), frozen=True)]
    if look.anonymous:
        columns.append(Column(id="anonym", label=msg("data.anonym")))
    columns.append(Column(id="bins", label=msg("data.bin_count"), format="integer"))
    if look.counted:
        columns += [
            Column(id="iv", label="IV", format="bar", help=msg("data.iv_help")),
            Column(id="monotonic", label=msg("data.monotonic"), format="yes_no"),
        ]
    rows: list[list[Any]] = []
    for name, of in found.items():
        row: list[Any] = [name]
        row += [look.anonymous.get(name)] if look.anonymous else []
        row.append(of.get("binNums"))
        if look.counted:
            known = bool(sequence(of.get("ivArray")))
            row += [of.get("iv"), of.get("isWoeMonotonic")] if known else [None, None]
        rows.append(row)
    export = f"{look.prefix}feature_summary"
    title = msg("data.columns")
    return tabulate("summary", columns, rows, title=title, export_name=export, page_size=10)


class Bins(msgspec.Struct, frozen=True):
    """One column's bins; lists are as long as ``labels``."""

    labels: list[str]
    intervals: list[str]
    anonymous: list[str]
    iv: list[float | None]
    woe: list[float | None]
    event: list[int | None]
    non_event: list[int | None]
    event_share: list[float | None]
    non_event_share: list[float | None]
    metric: list[float | None]


def read_bins(name: str, of: dict[str, Any], *, mine: bool) -> Bins:
    """Counts are text in the model. There is a bin of missing values where there are fewer split
    points than bins; another party's split points are not known, so its bins have numbers."""
    points = [point for point in numbers(of.get("splitPoints")) if point is not None]
    arrays = {key: sequence(of.get(key)) for key in ("ivArray", "woeArray", "eventCountArray")}
    n = max(len(values) for values in arrays.values()) or whole(of.get("binNums")) or 0
    n = min(max(n, len(points) if mine else 0), MAX_BINS)
    labels, intervals = [], []
    for i in range(n):
        label, interval = _named(name, points, i) if mine and points else (f"bin_{i}", f"bin_{i}")
        labels.append(label)
        intervals.append(interval)

    def floats(key: str) -> list[float | None]:
        return (numbers(of.get(key)) + [None] * n)[:n]

    def counts(key: str) -> list[int | None]:
        return ([whole(value) for value in sequence(of.get(key))] + [None] * n)[:n]

    return Bins(
        labels=labels,
        intervals=intervals,
        anonymous=(names(of.get("binAnonymous")) + [""] * n)[:n],
        iv=floats("ivArray"),
        woe=floats("woeArray"),
        event=counts("eventCountArray"),
        non_event=counts("nonEventCountArray"),
        event_share=floats("eventRateArray"),
        non_event_share=floats("nonEventRateArray"),
        metric=floats("optimalMetricArray"),
    )


def _named(name: str, points: list[float], i: int) -> tuple[str, str]:
    """Of a bin: what the table calls it, and what fits below a chart."""
    last = len(points) - 1
    if i > last:
        return MISSING, MISSING
    if i == 0:
        return f"{name} <= {points[0]:.8g}", f"<= {points[0]:.8g}"
    if i == last:
        return f"{name} > {points[i - 1]:.8g}", f"> {points[i - 1]:.8g}"
    low, high = f"{points[i - 1]:.8g}", f"{points[i]:.8g}"
    return f"{low} < {name} <= {high}", f"({low}, {high}]"


def _bins(name: str, of: dict[str, Any], side: Side, look: Look) -> list[Block]:
    bins = read_bins(name, of, mine=side.mine)
    blocks: list[Block] = []
    if any(count is not None for count in bins.event):
        blocks += [_distribution(name, bins, look), _woe(name, bins, look)]
    return [*blocks, _table(bins, side, look)]


def _table(bins: Bins, side: Side, look: Look) -> Block:
    columns = [Column(id="bin", label=msg("data.bin"), frozen=True)]
    values: list[list[Any]] = [list(bins.labels)]
    if side.mine and look.anonymous:
        columns.append(Column(id="anonym", label=msg("data.anonym")))
        values.append(list(bins.anonymous))
    if any(value is not None for value in bins.metric):
        said = msg("data.optimal_metric", metric=look.metric or "-")
        columns.append(Column(id="metric", label=said, format="number"))
        values.append(list(bins.metric))
    if look.counted:
        columns += [
            Column(id="iv", label="IV", format="number"),
            Column(id="woe", label="WOE", format="number"),
            Column(id="event", label=msg("data.event_count"), format="integer"),
            Column(id="event_ratio", label=msg("data.event_ratio"), format="percent"),
            Column(id="non_event", label=msg("data.non_event_count"), format="integer"),
            Column(id="non_event_ratio", label=msg("data.non_event_ratio"), format="percent"),
        ]
        values += [
            list(bins.iv), list(bins.woe), list(bins.event), list(bins.event_share),
            list(bins.non_event), list(bins.non_event_share),
        ]  # fmt: skip
    export = f"{look.prefix}feature_binning_detail"
    rows = zip(*values, strict=True)
    table = tabulate("bins", columns, rows, title=msg("data.bins"), export_name=export)
    known = [woe for woe in bins.woe if woe is not None]
    if look.counted and len(set(known)) > 1:
        table.ranges.append(Range(column="woe", min=min(known), max=max(known), step=0.001))
    return table


def _distribution(name: str, bins: Bins, look: Look) -> Block:
    """Rows with and without the event in each bin, and how many of the bin's have it."""
    pairs = list(zip(bins.event, bins.non_event, strict=True))
    rates = [
        event / (event + other)
        if event is not None and other is not None and event + other
        else None
        for event, other in pairs
    ]
    return Combo(
        id="distribution",
        title=msg("data.distribution"),
        categories=bins.intervals,
        x=name,
        axes=[
            Axis(label=msg("data.rows"), integer=True),
            Axis(label=msg("data.bin_event_rate"), percent=True),
        ],
        series=[
            ComboSeries(
                label=msg("data.event_count"), type="bar", values=list(bins.event), stack="rows"
            ),
            ComboSeries(
                label=msg("data.non_event_count"),
                type="bar",
                values=list(bins.non_event),
                stack="rows",
            ),
            ComboSeries(label=msg("data.bin_event_rate"), type="line", values=rates, axis=1),
        ],
        export_name=f"{look.prefix}instance_distribution",
    )


def _woe(name: str, bins: Bins, look: Look) -> Block:
    return Combo(
        id="woe",
        title="WOE",
        help=msg("data.woe_help"),
        categories=bins.intervals,
        x=name,
        axes=[Axis(label="WOE")],
        series=[
            ComboSeries(label="WOE", type="bar", values=list(bins.woe)),
            ComboSeries(label=msg("data.woe_trend"), type="line", values=list(bins.woe)),
        ],
        export_name=f"{look.prefix}woe",
    )


PAGES: dict[str, Page] = {
    "HeteroFeatureBinning": Page(builders=[binning]),
    "HomoFeatureBinning": Page(builders=[binning]),
}
