"""What a view is built from, read once from fateflow's answers.

Everything here may come from another party and be of any shape: reading never fails, and what
has an unexpected shape is left out or kept as a metric of no type, which is shown raw.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import msgspec

from fateboard.blocks import Block, Path, Tree
from fateboard.views.cells import mapping, sequence, text

Need = Literal["model", "summary", "data", "siblings"]


_STAGES = ("train", "validate", "predict")


class Metric(msgspec.Struct, frozen=True, kw_only=True):
    """One metric of metric/all. data: [key, value] pairs. type: its meta's metric_type."""

    namespace: str
    name: str
    type: str
    data: list[list[Any]]
    meta: dict[str, Any]


class Preview(msgspec.Struct, frozen=True, kw_only=True):
    """The first rows of one output table. total: rows that it has."""

    name: str
    header: list[str]
    rows: list[list[Any]]
    total: int


class Sibling(msgspec.Struct, frozen=True, kw_only=True):
    """The same component as another party of the same site sees it."""

    role: str
    party_id: str
    metrics: list[Metric]


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """All that a builder may look at. Members that a page does not need are empty.

    model: the component's *Param message as JSON. meta: its *Meta message. parameters:
    ComponentParam. status: of the task, as fateflow calls it.
    """

    component: str
    module: str
    role: str
    party_id: str
    metrics: list[Metric] = []
    model: dict[str, Any] = {}
    meta: dict[str, Any] = {}
    parameters: dict[str, Any] = {}
    summary: dict[str, Any] = {}
    data: list[Preview] = []
    siblings: list[Sibling] = []
    status: str = "success"

    def of_type(self, *types: str) -> list[Metric]:
        return [metric for metric in self.metrics if metric.type in types]


Builder = Callable[[Context, Path], list[Block]]
Group = tuple[frozenset[str], Builder]
"""Metric types, and what shows them: its context has metrics of these types only."""
Lister = Callable[[Context, int], Tree]


class Page(msgspec.Struct, frozen=True, kw_only=True):
    """What shows the components of one module.

    builders: each makes some blocks; one that raises costs only its own. metrics: types that
    these builders show, so that no other does. needs: what they look at beside metrics and
    parameters; unasked members of the context may be empty. tree: gives one tree of a forest.
    """

    builders: list[Builder] = []
    metrics: frozenset[str] = frozenset()
    needs: frozenset[Need] = frozenset({"model"})
    tree: Lister | None = None


def read(  # noqa: PLR0913 (one per answer of fateflow)
    *,
    component: str,
    module: str,
    role: str,
    party_id: str,
    metrics: Any = None,
    model: Any = None,
    model_meta: Any = None,
    parameters: Any = None,
    summary: Any = None,
    output: Any = None,
    output_meta: Any = None,
    siblings: list[tuple[str, str, Any]] | None = None,
    status: str = "success",
) -> Context:
    """A context from the ``data`` (and ``meta``) members of fateflow's answers.

    metrics: data of metric/all. model, model_meta: data and meta of output/model. parameters:
    data of tracking/component/parameters. output, output_meta: data and meta of output/data.
    siblings: (role, party id, data of metric/all).
    """
    meta = mapping(model_meta).get("meta_data")
    return Context(
        component=text(component),
        module=text(module),
        role=text(role),
        party_id=text(party_id),
        metrics=read_metrics(metrics),
        model=mapping(model),
        meta=mapping(meta),
        parameters=mapping(mapping(parameters).get("ComponentParam")),
        summary=mapping(summary),
        data=read_output(output, output_meta),
        siblings=[
            Sibling(role=text(role), party_id=text(party), metrics=read_metrics(metrics))
            for role, party, metrics in siblings or []
        ],
        status=text(status),
    )


def read_metrics(answer: Any) -> list[Metric]:
    """Every metric of metric/all, training first and predictions after validation."""
    found = []
    given = mapping(answer)
    for namespace in sorted(given, key=_stage):
        metrics = given[namespace]
        named = metrics if isinstance(metrics, dict) else {"": metrics}
        for name, metric in named.items():
            found.append(_metric(text(namespace), text(name), metric))
    return found


def _stage(namespace: str) -> int:
    return _STAGES.index(namespace) if namespace in _STAGES else len(_STAGES)


def _metric(namespace: str, name: str, value: Any) -> Metric:
    if not isinstance(value, dict):
        return Metric(namespace=namespace, name=name, type="", data=[], meta={"value": value})
    meta = mapping(value.get("meta"))
    data = [pair for pair in sequence(value.get("data")) if _is_pair(pair)]
    kind = meta.get("metric_type")
    return Metric(
        namespace=namespace,
        name=name,
        type=text(kind) if isinstance(kind, str) else "",
        data=data,
        meta={text(key): item for key, item in meta.items()},
    )


def read_output(answer: Any, meta: Any) -> list[Preview]:
    """The tables of output/data. Without a header the columns are numbered."""
    about = mapping(meta)
    names, headers, totals = (sequence(about.get(key)) for key in ("names", "header", "total"))
    tables = []
    for index, found in enumerate(sequence(answer)):
        rows = [row for row in sequence(found) if isinstance(row, list)]
        width = max((len(row) for row in rows), default=0)
        header = [text(name) for name in sequence(_at(headers, index))]
        header += [str(column) for column in range(len(header), width)]
        total = _at(totals, index)
        tables.append(
            Preview(
                name=text(_at(names, index) or f"data {index}"),
                header=header,
                rows=rows,
                total=total if type(total) is int else len(rows),
            )
        )
    return tables


def _at(values: list[Any], index: int) -> Any:
    return values[index] if index < len(values) else None


def _is_pair(value: Any) -> bool:
    return type(value) is list and len(value) == 2
