"""From a training DSL to the DSL of prediction: what `model deploy` and `job dsl` deduce."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from fateflow.domain.dsl import BadDsl, Dag, Node, Ref

READER = "reader"
_KINDS = (
    ("data", "data"),
    ("train_data", "test_data"),
    ("validate_data", "test_data"),
    ("test_data", "test_data"),
)
"""Which data input survives, the first that is there, and what it is called in prediction."""

_CONSUMED = ("train_data", "eval_data", "test_data", "data")
"""What stands for a component that is left out: the first of these that it read."""

_BY_ROLE = ("hetero", "homo", "secure", "ftl")


def predict_dsl(train: Dag, kept: Sequence[str] | None = None) -> dict[str, Any]:
    """The DSL that predicts with the models of a training, {"components": {...}} without CodePath.

    kept: the components to keep; None keeps all. A component that only applied another one's
    model (no model output of its own) gets that model from the pipeline; FATE drops it.

    Raises BadDsl if a name is not in the training DSL, or none is kept.
    """
    names = list(train.components) if kept is None else list(kept)
    unknown = [name for name in names if name not in train.components]
    if unknown:
        known = ", ".join(train.components)
        raise BadDsl(
            [f"the trained job has no component {', '.join(map(repr, unknown))}; it has: {known}"]
        )
    if not names:
        raise BadDsl(["no component is left to deploy"])
    chosen = set(names)
    components = {
        name: _component(node, train, chosen)
        for name, node in train.components.items()
        if name in chosen
    }
    return {"components": components}


def with_code_paths(
    dsl: Mapping[str, Any], role: str, catalog: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """One party's copy of an inference DSL: components that its role runs name their class.

    catalog: modules by lower-case name, see ``Site.catalog``.
    """
    components = {}
    for name, given in dsl["components"].items():
        entry = catalog.get(str(given.get("module", "")).lower())
        plain = {k: v for k, v in given.items() if k != "CodePath"}
        if entry is not None and role in entry.get("roles", (role,)):
            plain["CodePath"] = code_path(entry, role)
        components[name] = plain
    return {**dsl, "components": components}


def code_path(entry: Mapping[str, Any], role: str) -> str:
    """The class name by which FATE-Serving finds a component's model at a role.

    >>> code_path({"module": "HeteroLR", "code_path": {}}, "guest")
    'HeteroLRGuest'
    >>> code_path({"module": "Reader", "code_path": {}}, "guest")
    'Reader'
    """
    declared = (entry.get("code_path") or {}).get(role)
    if declared:
        return str(declared)
    module = str(entry["module"])
    if module.lower().startswith(_BY_ROLE):
        return f"{module}{role.capitalize()}"
    return module


def predict_conf(
    train_conf: Mapping[str, Any], dsl: Mapping[str, Any], model_version: str
) -> dict[str, Any]:
    """The configuration of a predict job with gaps: each guest and host fills in its tables.

    train_conf: as completed for the training job. dsl: the deployed inference DSL.
    """
    readers = [
        name
        for name, given in dsl["components"].items()
        if str(given.get("module", "")).lower() == READER
    ]
    gaps = {
        name: {
            "table": {
                "name": f"name_to_be_filled_{index}",
                "namespace": f"namespace_to_be_filled_{index}",
            }
        }
        for index, name in enumerate(readers)
    }
    roles = train_conf["role"]
    common = {
        **train_conf["job_parameters"]["common"],
        "job_type": "predict",
        "model_version": model_version,
    }
    return {
        "dsl_version": 2,
        "role": roles,
        "initiator": train_conf["initiator"],
        "job_parameters": {"common": common},
        "component_parameters": {
            "role": {
                role: {str(index): gaps for index in range(len(roles[role]))}
                for role in ("guest", "host")
                if role in roles
            }
        },
    }


def pipeline_models(dag: Dag) -> dict[str, tuple[Ref, ...]]:
    """Which stored models each component of an inference DSL reads."""
    found = {
        name: tuple(ref for ref in (*node.model, *node.isometric) if ref.pipeline)
        for name, node in dag.components.items()
    }
    return {name: refs for name, refs in found.items() if refs}


def deployable(dag: Dag, train: Dag) -> list[str]:
    """Faults of an inference DSL given by hand: stored models that the training never made."""
    return [
        f"component {name!r}: the trained job has no model {str(ref)!r}"
        for name, refs in pipeline_models(dag).items()
        for ref in refs
        if ref.component not in train.components
        or ref.output not in train.components[ref.component].model_outputs
    ]


def _component(node: Node, train: Dag, kept: set[str]) -> dict[str, Any]:
    result: dict[str, Any] = {"module": node.module}
    inputs: dict[str, Any] = {}
    models = _models(node)
    if models:
        inputs["model"] = [str(ref) for ref in models]
    data = _data(node, train, kept)
    if data:
        inputs["data"] = data
    caches = [str(ref) for ref in node.cache if ref.component in kept]
    if caches:
        inputs["cache"] = caches
    if inputs:
        result["input"] = inputs
    outputs = {kind: list(node.outputs(kind)) for kind in ("data", "cache") if node.outputs(kind)}
    if outputs:
        result["output"] = outputs
    return result


def _models(node: Node) -> list[Ref]:
    if node.model_outputs:
        return [Ref(node.name, alias, pipeline=True) for alias in node.model_outputs]
    return [Ref(ref.component, ref.output, pipeline=True) for ref in node.model]


def _data(node: Node, train: Dag, kept: set[str]) -> dict[str, list[str]]:
    found = next(((kind, named) for kind, named in _KINDS if node.data.get(kind)), None)
    if found is None:
        return {}
    kind, named = found
    refs = [_producer(ref, train, kept) for ref in node.data[kind]]
    texts = list(dict.fromkeys(str(ref) for ref in refs if ref.component in kept))
    return {named: texts} if texts else {}


def _producer(ref: Ref, train: Dag, kept: set[str]) -> Ref:
    """Where a kept component's data comes from, once the components left out are gone."""
    while ref.component not in kept:
        node = train.components[ref.component]
        read = next((node.data[kind] for kind in _CONSUMED if node.data.get(kind)), None)
        if node.module.lower() == READER or not read:
            break
        ref = read[0]
    return ref
