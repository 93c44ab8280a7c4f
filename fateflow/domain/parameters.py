"""Whose configuration a component takes, at one party.

A component that only applies a model made by another component of the same module (a transform
or prediction inside a training job) runs with the parameters of the one that made it: the chain
is followed to its start. A component of a predict job takes those that its model was trained
with, overlaid with what the predict job's own configuration says.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any

from fateflow.domain import conf as confs
from fateflow.domain.conf import BadConf, Conf
from fateflow.domain.dsl import Dag

Lookup = Callable[[str], dict[str, Any]]
"""A component's own configured parameters, at one party."""


@dataclass(frozen=True)
class Resolved:
    """parameters: as configured, merged. source: the component whose configuration it is.
    need_run: whether the component runs, or hands its inputs on."""

    parameters: Mapping[str, Any]
    source: str
    need_run: bool


def source(dag: Dag, name: str) -> str:
    """The component whose configuration this one takes; mostly itself."""
    node = dag.components[name]
    if not node.model or node.data.get("train_data"):
        return name
    ref = node.model[0]
    if ref.pipeline:
        return ref.component
    maker = dag.components[ref.component]
    return source(dag, maker.name) if maker.module.lower() == node.module.lower() else name


def resolve(dag: Dag, own: Lookup) -> dict[str, Resolved]:
    """Every component's parameters at one party.

    own: what the configuration says of a component at that party.
    """
    found = {}
    for name, node in dag.components.items():
        origin = source(dag, name)
        parameters = own(origin)
        if origin != name and node.model[0].pipeline:
            parameters = confs.merged(parameters, own(name))
        found[name] = Resolved(parameters, origin, parameters.get("need_run", True) is not False)
    return found


def of_train(conf: Conf, role: str, index: int) -> Lookup:
    """Parameters of a training job for the index-th party of a role."""
    return lambda component: confs.component_parameters(conf, component, role, index)


def of_predict(conf: Conf, trained: Conf, role: str, index: int) -> Lookup:
    """Parameters of a predict job: the party's own of the training, overlaid with the new ones.

    Positions may differ between the two jobs; the party is found by its id.
    Raises BadConf if it took no part in the training in this role.
    """
    party = conf.roles[role][index]
    before = trained.roles.get(role, ())
    if party not in before:
        raise BadConf([f"{role} {party} was no {role} of the training ({', '.join(before)})"])
    trained_index = before.index(party)

    def own(component: str) -> dict[str, Any]:
        return confs.merged(
            confs.component_parameters(trained, component, role, trained_index),
            confs.component_parameters(conf, component, role, index),
        )

    return own


def without_idle_arbiter(conf: Conf, trained: Conf) -> Conf:
    """A predict job's configuration without an arbiter if the training had none.

    FATE's own examples of training without one name one to predict, where nothing runs at it.
    """
    if "arbiter" in trained.roles or conf.initiator[0] == "arbiter":
        return conf
    return replace(conf, roles={r: ids for r, ids in conf.roles.items() if r != "arbiter"})


def strangers(conf: Conf, trained: Conf) -> list[str]:
    """Faults of a predict job's parties, one sentence each: they must have been in the training."""
    faults = []
    for role, _, party in conf.parties:
        before = trained.roles.get(role, ())
        if party not in before:
            there = ", ".join(before) or "nobody"
            faults.append(
                f"role.{role}: {party} took no part in the training; there {role} was {there}"
            )
    return faults
