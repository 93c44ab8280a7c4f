"""What an evaluation says in numbers: scores, also by round of training, and quantiles."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from fateboard.blocks import (
    Axis,
    Block,
    ByAxis,
    Cell,
    Column,
    Curve,
    Label,
    Path,
    Series,
    Shown,
    Tab,
    Table,
    Tabs,
    msg,
)
from fateboard.views.cells import cell, finite, real, sequence, tabulate, text
from fateboard.views.context import Context, Group, Metric
from fateboard.views.curves import Point, thin
from fateboard.views.datasets import DataSet, dataset

_NAMES: dict[str, Label] = {
    "auc": msg("score.auc"),
    "ks": msg("score.ks"),
    "accuracy": msg("score.accuracy"),
    "precision": msg("score.precision"),
    "recall": msg("score.recall"),
    "explained_variance": msg("score.explained_variance"),
    "mean_absolute_error": msg("score.mean_absolute_error"),
    "mean_squared_error": msg("score.mean_squared_error"),
    "mean_squared_log_error": msg("score.mean_squared_log_error"),
    "median_absolute_error": msg("score.median_absolute_error"),
    "r2_score": msg("score.r2"),
    "root_mean_squared_error": msg("score.root_mean_squared_error"),
    "jaccard_similarity_score": msg("score.jaccard"),
    "fowlkes_mallows_score": msg("score.fowlkes_mallows"),
    "adjusted_rand_score": msg("score.adjusted_rand"),
    "davies_bouldin_index": msg("axis.dbi"),
}
_STORED_FOR_INFINITY = -9999999

Scored = tuple[DataSet, dict[str, Any]]
"""A data set and its scores by name."""


def scores(context: Context, _path: Path) -> list[Block]:
    """Scores of data sets, those of training rounds as curves and a table of their own."""
    found = _read(context.of_type("EVALUATION_SUMMARY"))
    ended = [scored for scored in found if scored[0].round < 0]
    rounds = [scored for scored in found if scored[0].round >= 0]
    quantiles = {
        (metric.namespace, text(metric.name).removesuffix("_quantile_pr")): metric
        for metric in context.of_type("QUANTILE_PR")
    }
    blocks: list[Block] = []
    if quantiles:
        blocks.append(_by_quantile(context, quantiles))
    elif ended:
        blocks.append(table("scores", msg("scores.title"), "evaluation_scores", ended))
    if len({scored[0].round for scored in rounds}) > 1:
        blocks.append(_curves(rounds))
    if rounds:
        blocks.append(_rounds(rounds))
    return blocks


GROUPS: list[Group] = [(frozenset({"EVALUATION_SUMMARY", "QUANTILE_PR"}), scores)]


def table(id: str, title: Label, export_name: str, found: list[Scored]) -> Block:
    """A row per data set, a column per score that any of them has."""
    names = _names(found)
    columns = [*place_columns(), *(_column(name) for name in names)]
    rows = [[one.model, one.part, *(values.get(n) for n in names)] for one, values in found]
    made = tabulate(id, columns, rows, title=title, export_name=export_name)
    return faceted(made, found)


def faceted(made: Table, found: list[Scored]) -> Table:
    """Filtered by the part of the data, where there is more than one."""
    several = len({one.namespace for one, _ in found}) > 1
    return msgspec.structs.replace(made, facets=["dataset"]) if several else made


def place_columns() -> list[Column]:
    """Whose row it is: the model, and which part of the data."""
    return [
        Column(id="model", label=msg("scores.model"), frozen=True),
        Column(id="dataset", label=msg("scores.dataset")),
    ]


def label(name: str) -> Label:
    return _NAMES.get(name, name)


def _read(metrics: list[Metric]) -> list[Scored]:
    found = []
    for metric in metrics:
        values = {text(key): _value(value) for key, value in metric.data}
        found.append((dataset(metric.namespace, metric.name), values))
    return found


def _value(value: Any) -> Any:
    """FATE stores an infinite score as -9999999."""
    return math.inf if real(value) == _STORED_FOR_INFINITY else value


def _names(found: list[Scored]) -> list[str]:
    return list(dict.fromkeys(name for _, values in found for name in values))


def _column(name: str) -> Column:
    return Column(id=f"score.{name}", label=label(name), format="number")


def _by_quantile(context: Context, quantiles: dict[tuple[str, str], Metric]) -> Block:
    """Scores beside precision and recall at a quantile of the predicted scores."""
    summaries = {
        (metric.namespace, metric.name): metric for metric in context.of_type("EVALUATION_SUMMARY")
    }
    keys = [*summaries, *(key for key in quantiles if key not in summaries)]
    keys = [key for key in keys if dataset(*key).round < 0]
    found = _read([summaries.get(key) or quantiles[key] for key in keys])
    names = _names(found)
    lists = [quantiles[key].meta if key in quantiles else {} for key in keys]
    count = max((len(sequence(meta.get("p_scores"))) for meta in lists), default=0)
    rows: list[list[Shown]] = []
    for one, values in found:
        numbers = [cell(values.get(name), "number")[0] for name in names]
        rows.append([one.model, one.part, *numbers, None, None])
    return ByAxis(
        id="scores",
        axis=msg("scores.quantile"),
        positions=[round(at / max(count - 1, 1), 6) for at in range(count)],
        selected=count // 2,
        columns=[
            *place_columns(),
            *(_column(name) for name in names),
            Column(id="precision", label=msg("score.precision"), format="number"),
            Column(id="recall", label=msg("score.recall"), format="number"),
        ],
        rows=rows,
        cells={
            "precision": [_positive(meta.get("p_scores"), count) for meta in lists],
            "recall": [_positive(meta.get("r_scores"), count) for meta in lists],
        },
        title=msg("scores.title"),
        help=msg("scores.quantile_help"),
        export_name="evaluation_scores",
    )


def _positive(pairs: Any, count: int) -> list[Cell]:
    """Of (negative, positive) pairs the second, padded to ``count``."""
    values: list[Cell] = [
        finite(pair[1]) if isinstance(pair, list) and len(pair) == 2 else None
        for pair in sequence(pairs)
    ]
    return values + [None] * (count - len(values))


def _rounds(found: list[Scored]) -> Block:
    names = _names(found)
    columns = [
        Column(id="round", label=msg("axis.iteration"), format="integer", frozen=True),
        *place_columns()[0 if any(one.name for one, _ in found) else 1 :],
        *(_column(name) for name in names),
    ]
    rows = []
    for one, values in sorted(found, key=lambda scored: scored[0].round):
        place: list[Shown] = [one.round, one.model, one.part]
        if len(columns) == len(names) + 2:
            del place[1]
        rows.append([*place, *(values.get(name) for name in names)])
    title = msg("scores.rounds")
    made = tabulate("scores_by_round", columns, rows, title=title, export_name="performance_scores")
    return faceted(made, found)


def _curves(found: list[Scored]) -> Block:
    """One chart per score, one curve per data set."""
    tabs = []
    for name in _names(found):
        lines: dict[tuple[str, str], tuple[DataSet, list[Point]]] = {}
        for one, values in sorted(found, key=lambda scored: scored[0].round):
            if name in values:
                point = (float(one.round), finite(values[name]))
                lines.setdefault((one.namespace, one.name), (one, []))[1].append(point)
        series = [
            Series(
                id=f"{name}/{namespace}/{model}",
                label=msg("dataset.joined", first=one.model, second=one.part)
                if model
                else one.part,
                points=[line[index] for index in thin(line)],
            )
            for (namespace, model), (one, line) in lines.items()
        ]
        curve = Curve(
            id=f"rounds.{name}",
            x=Axis(label=msg("axis.iteration"), integer=True),
            y=Axis(label=label(name)),
            series=series,
            export_name=f"{name}_by_round",
        )
        tabs.append(Tab(id=name, label=label(name), blocks=[curve]))
    return Tabs(id="rounds", items=tabs, title=msg("scores.by_round"))
