"""The DSL of a job, version 2: which components there are, and what flows between them.

``parse`` turns the JSON into a ``Dag`` whose components stand in topological order (those that
are free to run keep the writer's order), or raises ``BadDsl`` with every fault at once.
"""

from __future__ import annotations

import heapq
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from fateflow.errors import Refused

DATA_KINDS = ("data", "train_data", "validate_data", "test_data", "eval_data")
INPUT_KINDS = ("data", "model", "isometric_model", "cache")
OUTPUT_KINDS = ("data", "model", "cache")

_NAME = re.compile(r"[A-Za-z0-9_-]{1,100}")  # names become names of folders


class BadDsl(Refused):
    """``faults``: one sentence each, naming the place and what is allowed."""

    def __init__(self, faults: list[str]) -> None:
        super().__init__("; ".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Ref:
    """One output of a component, written ``component.output``.

    pipeline: written ``pipeline.component.output``: the fitted model of that name that the
    deployed model holds, not an output of this job. Only inference DSLs have them.
    """

    component: str
    output: str
    pipeline: bool = False

    def __str__(self) -> str:
        return f"{'pipeline.' if self.pipeline else ''}{self.component}.{self.output}"


@dataclass(frozen=True)
class Node:
    """A component. ``data``: refs by kind (``DATA_KINDS``), in the order they were written.
    The k-th name of an ``*_outputs`` names the component's k-th output of that kind."""

    name: str
    module: str
    data: Mapping[str, tuple[Ref, ...]] = field(default_factory=dict)
    model: tuple[Ref, ...] = ()
    isometric: tuple[Ref, ...] = ()
    cache: tuple[Ref, ...] = ()
    data_outputs: tuple[str, ...] = ()
    model_outputs: tuple[str, ...] = ()
    cache_outputs: tuple[str, ...] = ()
    position: int = 0

    @property
    def inputs(self) -> Iterator[tuple[str, str, Ref]]:
        """(type that the board shows, kind of the producer's output, ref), models first.
        Models that come out of a stored pipeline are not among them."""
        for ref in (*self.model, *self.isometric):
            if not ref.pipeline:
                yield "model", "model", ref
        for kind, refs in self.data.items():
            for ref in refs:
                if not ref.pipeline:
                    yield kind, "data", ref
        for ref in self.cache:
            if not ref.pipeline:
                yield "cache", "cache", ref

    @property
    def parents(self) -> tuple[str, ...]:
        """Names of the components that this one reads, each once."""
        return tuple(dict.fromkeys(ref.component for _, _, ref in self.inputs))

    def outputs(self, kind: str) -> tuple[str, ...]:
        """Output names of a kind (``OUTPUT_KINDS``)."""
        return {
            "data": self.data_outputs,
            "model": self.model_outputs,
            "cache": self.cache_outputs,
        }[kind]


@dataclass(frozen=True)
class Dag:
    """Components in topological order. ``warnings``: what was ignored, one sentence each."""

    components: Mapping[str, Node]
    warnings: tuple[str, ...] = ()

    def parents(self, name: str) -> tuple[str, ...]:
        return self.components[name].parents

    def upstream(self, name: str) -> set[str]:
        """Every component whose result reaches this one, itself left out."""
        found: set[str] = set()
        for node in reversed(list(self.components.values())):
            if node.name == name or node.name in found:
                found.update(node.parents)
        return found

    def downstream(self, name: str) -> set[str]:
        """Every component that this one's result reaches, itself left out."""
        found = {name}
        for node in self.components.values():
            if found.intersection(node.parents):
                found.add(node.name)
        return found - {name}

    @property
    def dependencies(self) -> dict[str, list[dict[str, Any]]]:
        """What each component reads, as the board draws it; components without input are absent."""
        return {
            name: [self._dependency(*read) for read in node.inputs]
            for name, node in self.components.items()
            if node.parents
        }

    def _dependency(self, shown: str, kind: str, ref: Ref) -> dict[str, Any]:
        index = self.components[ref.component].outputs(kind).index(ref.output)
        return {
            "component_name": ref.component,
            "type": shown,
            "up_output_info": [kind, index],
        }


def parse(dsl: Any, *, pipeline_refs: bool = True) -> Dag:
    """The Dag of a DSL's JSON.

    pipeline_refs: whether models of a stored pipeline may be read (inference DSLs); a training
    DSL has none.

    Raises BadDsl with every fault: components missing, an illegal name, a module missing, wrong
    types, an input that nothing puts out, a circle.
    """
    components = dsl.get("components") if isinstance(dsl, dict) else None
    if not isinstance(components, dict) or not components:
        raise BadDsl(
            ["the DSL has no components: expected {'components': {name: {'module': ...}}}"]
        )
    faults: list[str] = []
    warnings: list[str] = []
    nodes = {}
    for name, given in components.items():
        node = _node(name, given, faults, warnings)
        if node:
            nodes[name] = node
    for node in nodes.values():
        _check_inputs(node, nodes, set(components), pipeline_refs, faults)
    ordered, circle = _ordered(nodes)
    if circle:
        faults.append(f"the components form a circle: {' -> '.join(circle)}")
    if faults:
        raise BadDsl(faults)
    placed = {
        name: Node(**{**vars(nodes[name]), "position": position})
        for position, name in enumerate(ordered)
    }
    return Dag(placed, tuple(warnings))


def without_providers(dsl: dict[str, Any]) -> dict[str, Any]:
    """The DSL as it is stored and shown: who provides a module is not part of it."""
    components = {
        name: {k: v for k, v in given.items() if k != "provider"}
        for name, given in dsl["components"].items()
    }
    return {**{k: v for k, v in dsl.items() if k != "provider"}, "components": components}


def _node(name: str, given: Any, faults: list[str], warnings: list[str]) -> Node | None:
    """One component, read as far as it can be; None if it is no component at all."""
    where = f"component {name!r}"
    if not _NAME.fullmatch(name):
        faults.append(f"{where}: a component name has only letters, digits, '_', '-', at most 100")
    if not isinstance(given, dict):
        faults.append(f"{where}: expected an object with a 'module', got {_kind_of(given)}")
        return None
    module = given.get("module")
    if not isinstance(module, str) or not module:
        faults.append(
            f"{where}: 'module' is missing"
            if module is None
            else f"{where}: 'module' must be a text, got {_kind_of(module)}"
        )
        module = ""
    inputs = _object(given, "input", INPUT_KINDS, where, faults)
    outputs = _object(given, "output", OUTPUT_KINDS, where, faults)
    data = _object(inputs, "data", None, f"{where}, input", faults)
    odd = [kind for kind in data if kind not in DATA_KINDS]
    if odd:
        warnings.append(
            f"{where}: input data {', '.join(map(repr, odd))} is none of "
            f"{', '.join(DATA_KINDS)} and is not read"
        )
    return Node(
        name=name,
        module=module,
        data={k: _refs(data, k, f"{where}, input.data", faults) for k in data if k not in odd},
        model=_refs(inputs, "model", f"{where}, input", faults),
        isometric=_refs(inputs, "isometric_model", f"{where}, input", faults),
        cache=_refs(inputs, "cache", f"{where}, input", faults),
        data_outputs=_names(outputs, "data", f"{where}, output", faults),
        model_outputs=_names(outputs, "model", f"{where}, output", faults),
        cache_outputs=_names(outputs, "cache", f"{where}, output", faults),
    )


def _object(
    given: Mapping[str, Any], key: str, known: tuple[str, ...] | None, where: str, faults: list[str]
) -> dict[str, Any]:
    found = given.get(key)
    if found is None:
        return {}
    if not isinstance(found, dict):
        faults.append(f"{where}: {key!r} must be an object, got {_kind_of(found)}")
        return {}
    odd = [name for name in found if known and name not in known]
    if odd:
        allowed = ", ".join(known or ())
        faults.append(f"{where}: {key!r} has {', '.join(map(repr, odd))}; allowed: {allowed}")
    return found


def _texts(given: Mapping[str, Any], key: str, where: str, faults: list[str]) -> list[str]:
    found = given.get(key)
    if found is None:
        return []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        got = _kind_of(found) if not isinstance(found, list) else "a list of other things"
        faults.append(f"{where}: {key!r} must be a list of texts, got {got}")
        return []
    return found


def _names(given: Mapping[str, Any], key: str, where: str, faults: list[str]) -> tuple[str, ...]:
    names = _texts(given, key, where, faults)
    faults.extend(
        f"{where}: {name!r} in {key!r} may have only letters, digits, '_' and '-', at most 100"
        for name in names
        if not _NAME.fullmatch(name)
    )
    if len(set(names)) < len(names):
        faults.append(f"{where}: {key!r} has a name twice")
    return tuple(names)


def _refs(given: Mapping[str, Any], key: str, where: str, faults: list[str]) -> tuple[Ref, ...]:
    refs = []
    for text in _texts(given, key, where, faults):
        parts = text.split(".")
        if len(parts) == 2 and all(parts):
            refs.append(Ref(parts[0], parts[1]))
        elif len(parts) == 3 and parts[0] == "pipeline" and all(map(_NAME.fullmatch, parts)):
            refs.append(Ref(parts[1], parts[2], pipeline=True))
        else:
            faults.append(f"{where}: {text!r} in {key!r} is not '<component>.<output>'")
    return tuple(refs)


def _check_inputs(
    node: Node, nodes: Mapping[str, Node], names: set[str], pipeline_refs: bool, faults: list[str]
) -> None:
    where = f"component {node.name!r}"
    faults.extend(
        f"{where}: {str(ref)!r} is a model of a deployed pipeline, which only a predict job has"
        for ref in (*node.model, *node.isometric)
        if ref.pipeline and not pipeline_refs
    )
    faults.extend(
        f"{where}: {str(ref)!r}: a deployed pipeline holds models only"
        for ref in (*(r for refs in node.data.values() for r in refs), *node.cache)
        if ref.pipeline
    )
    for _, kind, ref in node.inputs:
        producer = nodes.get(ref.component)
        if ref.component not in names:
            faults.append(f"{where}: input {str(ref)!r} names no component of this DSL")
        elif producer and ref.output not in producer.outputs(kind):
            declared = ", ".join(producer.outputs(kind)) or "none"
            faults.append(
                f"{where}: input {str(ref)!r}: {ref.component!r} declares no {kind} output "
                f"{ref.output!r} (declared: {declared})"
            )


def _ordered(nodes: Mapping[str, Node]) -> tuple[list[str], list[str]]:
    """(names in topological order, a circle if there is one). Of the components that could come
    next, the one written first does. Cost: edges + nodes * log(nodes)."""
    rank = {name: index for index, name in enumerate(nodes)}
    names = list(nodes)
    missing = {n: sum(p in nodes for p in node.parents) for n, node in nodes.items()}
    children: dict[str, list[str]] = {name: [] for name in nodes}
    for name, node in nodes.items():
        for parent in node.parents:
            if parent in nodes:
                children[parent].append(name)
    free = [rank[name] for name, count in missing.items() if not count]
    ordered: list[str] = []
    while free:
        name = names[heapq.heappop(free)]
        ordered.append(name)
        for child in children[name]:
            missing[child] -= 1
            if not missing[child]:
                heapq.heappush(free, rank[child])
    return ordered, _circle(nodes, set(nodes) - set(ordered))


def _circle(nodes: Mapping[str, Node], stuck: set[str]) -> list[str]:
    """A circle among components that never became free: each has a parent among them."""
    if not stuck:
        return []
    walk = [next(name for name in nodes if name in stuck)]
    while True:
        parent = next(p for p in nodes[walk[-1]].parents if p in stuck)
        if parent in walk:
            return [parent, *reversed(walk[walk.index(parent) :])]
        walk.append(parent)


def _kind_of(value: Any) -> str:
    """The JSON type of a value, as people call it."""
    names = {dict: "an object", list: "a list", str: "a text", bool: "true/false", int: "a number"}
    return names.get(type(value), "null" if value is None else "a number")
