"""From a deployed model to a plan: every component becomes steps, or is known to do nothing online,
or the model is refused by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from typing import Any, TypeVar

import msgspec

from federatedml import lr_model, params
from federatedml.binning_model import BinningModel
from federatedml.boosting_model import BoostingModel
from federatedml.component import Model
from federatedml.components.column_expand import ColumnExpandModel
from federatedml.components.data_transform import DataTransformModel
from federatedml.components.feature_imputation import FeatureImputationModel
from federatedml.components.feature_scale import ScaleModel
from federatedml.components.label_transform import LabelTransformModel
from federatedml.components.scorecard import ScorecardParam
from federatedml.errors import ComponentError
from federatedml.glm_models import LinRModel, PoissonModel
from federatedml.kmeans_model import KmeansModel
from federatedml.local_model import LocalModel
from federatedml.lr_model import LinearModel, LRModel
from federatedml.maths.family import Family, Gaussian, Logistic, Poisson
from federatedml.onehot import EncodingModel
from federatedml.selection_model import SelectionModel
from serving.model import PartyModel
from serving.plans import transforms
from serving.plans.alone import Clusters, Local
from serving.plans.faults import CannotServe, Refused, Unservable
from serving.plans.linear import Linear
from serving.plans.outcomes import Reading, relabelled
from serving.plans.plan import Input, Placed, Plan, Stage
from serving.plans.predictors import Outcome, Predictor, threshold_of
from serving.plans.sources import source
from serving.plans.transforms import Step
from serving.plans.trees import Trees

M = TypeVar("M", bound=Model)

NO_OPS = frozenset({
    "reader", "upload", "download", "writer", "intersection", "evaluation", "datastatistics",
    "heteropearson", "psi", "federatedsample", "sampleweight", "heterodatasplit", "homodatasplit",
    "cacheloader", "modelloader", "positiveunlabeled", "secureinformationretrieval",
    "secureaddexample", "feldmanverifiablesum",
})  # fmt: skip
"""Modules that leave a row at prediction what it is, or only look at it."""

READS = ("test_data", "eval_data", "data", "train_data", "validate_data")
"""Which data input a component works on, the first that it has."""


@dataclass(frozen=True)
class Flow:
    """What flows out of a component.

    table: the number of the stage that makes it, ~i for input i. step: its columns, None before any
    DataTransform. expanded: columns put to the raw table. said: the predictor whose scores these
    are, "" for instances; "-" for rows that say nothing (a host's predictions).
    """

    table: int = 0
    step: Step | None = None
    expanded: Mapping[str, str] = field(default_factory=dict)
    said: str = ""


@dataclass
class _Building:
    model: PartyModel
    reveal_distances: bool
    inputs: list[Input] = field(default_factory=list)
    stages: list[Stage] = field(default_factory=list)
    placed: dict[str, Placed] = field(default_factory=dict)
    ignored: dict[str, str] = field(default_factory=dict)

    def staged(self, before: Flow, step: Step) -> Flow:
        """The flow behind a step."""
        if step.run is None:
            return Flow(before.table, step)
        self.stages.append(Stage(before.table, step.run))
        return Flow(len(self.stages) - 1, step)


@dataclass(frozen=True)
class _Component:
    name: str
    module: str
    node: Mapping[str, Any]
    parameters: Mapping[str, Any]
    building: _Building

    @property
    def role(self) -> str:
        return self.building.model.role

    def fitted(self, kind: type[M]) -> M:
        """The model that the component reads. Raises Refused."""
        for given in (self.node.get("input") or {}).get("model") or ():
            parts = str(given).split(".")
            kept = self.building.model.models.get(".".join(parts[-2:]))
            if kept is None:
                continue
            try:
                return msgspec.convert(
                    {"meta": kept.meta, "param": kept.param}, kind, str_keys=True
                )
            except msgspec.ValidationError as error:
                raise Refused(f"its model does not fit this version: {error}") from None
        raise Refused(
            "this party has no model of it; deploy it with the component that fitted it (a "
            "cross-validation keeps none)"
        )

    def placed(
        self, before: Flow, predictor: Predictor, *, alone: bool = False, clusters: bool = False
    ) -> Flow:
        building = self.building
        labels = list(predictor.outcome.classes) or None
        reading = Reading(predictor.outcome, labels, is_clusters=clusters)
        shared = self.role == "host" and not alone
        building.placed[self.name] = Placed(self.name, predictor, before.table, reading, shared)
        return Flow(said="-" if shared else self.name)


def compile(
    model: PartyModel, *, components: Sequence[str] = (), reveal_distances: bool = False
) -> Plan:
    """The plan of a deployed model. components: whose scores are wanted; else the main one's at a
    guest, all at a host. reveal_distances: k-means may be served, in which the guest
    learns how far every row is from each centroid in the host's columns (offline only the
    arbiter does, and only of all parties together).

    Raises CannotServe naming every component that cannot be served.
    """
    if model.role not in ("guest", "host"):
        raise CannotServe([Unservable(model.role, "only guests and hosts serve models")])
    building, flows = _Building(model, reveal_distances), dict[str, Flow]()
    faults: list[Unservable] = []
    failed: set[str] = set()
    for name in _ordered(model):
        node = model.components[name]
        component = _Component(
            name, str(node.get("module", "")), node, model.parameters(name), building
        )
        sources = _sources(node)
        if failed & set(sources):
            failed.add(name)  # what it lacks has been told
            continue
        try:
            flows[name] = _compiled(component, [flows[s] for s in sources if s in flows])
        except (Refused, ComponentError) as error:
            faults.append(Unservable(name, str(error)))
            failed.add(name)
    lacking = [name for name in components if name not in building.placed]
    faults += [Unservable(name, "it gives no scores") for name in lacking if name not in failed]
    if not faults and not building.placed:
        faults.append(Unservable("model", "it has no component that predicts"))
    if faults:
        raise CannotServe(faults)
    return _pruned(building, components)


def _ordered(model: PartyModel) -> list[str]:
    known = model.components
    graph = {name: [s for s in _sources(node) if s in known] for name, node in known.items()}
    try:
        return list(TopologicalSorter(graph).static_order())
    except CycleError as error:
        raise CannotServe([Unservable(str(error.args[1][0]), "it waits for itself")]) from None


def _sources(node: Mapping[str, Any]) -> list[str]:
    """The components whose data it works on."""
    data = (node.get("input") or {}).get("data") or {}
    kind = next((kind for kind in READS if data.get(kind)), None)
    return [str(ref).partition(".")[0] for ref in data[kind]] if kind else []


def _compiled(component: _Component, before: Sequence[Flow]) -> Flow:
    module = component.module.lower()
    first = before[0] if before else Flow()
    if component.parameters.get("need_run", True) is False:
        component.building.ignored[component.name] = f"{component.module} (need_run false)"
        return first
    if module in NO_OPS:
        component.building.ignored[component.name] = component.module
        return first
    maker = MAKERS.get(module)
    if maker is None:
        raise Refused(f"{component.module} cannot be served online")
    if len(before) > 1:
        raise Refused("it reads several tables at once; online there is one row from one place")
    return maker(component, first)


# Features.


def _data_transform(of: _Component, before: Flow) -> Flow:
    if before.step is not None or before.said:
        raise Refused("it does not read a table as it was uploaded")
    found = source(of.fitted(DataTransformModel), of.parameters, before.expanded)
    building = of.building
    building.inputs.append(Input(found, 0))
    return Flow(~(len(building.inputs) - 1), found.step)


def _column_expand(of: _Component, before: Flow) -> Flow:
    if before.step is not None or before.said:
        raise Refused("it stands behind DataTransform; put it between Reader and DataTransform")
    meta = of.fitted(ColumnExpandModel).meta
    own = dict(zip(meta.append_header, meta.fill_value, strict=True))
    return Flow(expanded={**before.expanded, **own})


def _transform(
    kind: type[M], make: Callable[[Step, M], Step]
) -> Callable[[_Component, Flow], Flow]:
    def maker(of: _Component, before: Flow) -> Flow:
        step = _instances(before)
        return of.building.staged(before, make(step, of.fitted(kind)))

    return maker


def _instances(before: Flow) -> Step:
    if before.step is None or before.said:
        raise Refused("it does not read instances, as DataTransform gives them")
    return before.step


# Models.


def _glm(family: Family, kind: type[LinearModel]) -> Callable[[_Component, Flow], Flow]:
    def maker(of: _Component, before: Flow) -> Flow:
        model, step = of.fitted(kind), _instances(before)
        outcome = _glm_outcome(of, model)
        exposure = model.meta.exposure_colname if isinstance(model, PoissonModel) else ""
        hosts = of.building.model.hosts if of.role == "guest" else ()
        return of.placed(before, Linear(model, step, family, outcome, hosts, exposure=exposure))

    return maker


def _sshe(family: Family, kind: type[LinearModel]) -> Callable[[_Component, Flow], Flow]:
    def maker(of: _Component, before: Flow) -> Flow:
        from serving.plans.sealed import SealedGuest, SealedHost, is_shared  # loads cryptography

        model, step = of.fitted(kind), _instances(before)
        outcome, hosts = _glm_outcome(of, model), of.building.model.hosts
        if not is_shared(model, of.role):
            own = hosts if of.role == "guest" else ()
            return of.placed(before, Linear(model, step, family, outcome, own))
        predictor: Predictor
        if of.role == "guest":
            predictor = SealedGuest(model, step, family, outcome, hosts[0], of.name)
        else:
            predictor = SealedHost(model, step, of.name)
        return of.placed(before, predictor)

    return maker


def _glm_outcome(of: _Component, model: LinearModel) -> Outcome:
    if not isinstance(model, LRModel) or of.role == "host":
        return Outcome()
    return Outcome(lr_model.classes_of(model.param), threshold_of(of.parameters))


def _hetero_trees(of: _Component, before: Flow) -> Flow:
    model, step = of.fitted(BoostingModel), _instances(before)
    me = f"{of.role}:{of.building.model.party_id}"
    predictor = Trees(model, step, me, of.name, threshold_of(of.parameters))
    return of.placed(before, predictor)


def _homo_trees(of: _Component, before: Flow) -> Flow:
    model, step = of.fitted(BoostingModel), _instances(before)
    predictor = Trees(model, step, "", of.name, threshold_of(of.parameters))
    return of.placed(before, predictor, alone=True)


def _homo_lr(of: _Component, before: Flow) -> Flow:
    model, step = of.fitted(LRModel), _instances(before)
    outcome = Outcome(lr_model.classes_of(model.param), threshold_of(of.parameters))
    return of.placed(before, Linear(model, step, Logistic(), outcome), alone=True)


def _local(of: _Component, before: Flow) -> Flow:
    model, step = of.fitted(LocalModel), _instances(before)
    predictor = Local(model, step, of.name, threshold_of(of.parameters))
    return of.placed(before, predictor, alone=True)


def _kmeans(of: _Component, before: Flow) -> Flow:
    if not of.building.reveal_distances:
        raise Refused(
            "online k-means tells the guest every row's distances to the centroids in the host's "
            "columns, which may give the columns away; serve it with reveal_distances if both "
            "parties agree to that"
        )
    hosts = of.building.model.hosts if of.role == "guest" else ()
    predictor = Clusters(of.fitted(KmeansModel), _instances(before), hosts, of.name)
    return of.placed(before, predictor, clusters=True)


# What comes after models.


def _scorecard(of: _Component, before: Flow) -> Flow:
    if before.said == "-":
        return before
    placed = of.building.placed.get(before.said)
    if placed is None or placed.reading.labels is None or len(placed.reading.labels) != 2:
        raise Refused("it needs the predictions of a classifier of two classes before it")
    given = {name: value for name, value in of.parameters.items() if name != "need_run"}
    card = params.parse(ScorecardParam, dict(given), f"Scorecard#{of.name}")
    _reread(of, placed, Reading(placed.reading.outcome, placed.reading.labels, card=card))
    return before


def _label_transform(of: _Component, before: Flow) -> Flow:
    placed = of.building.placed.get(before.said)
    if placed is None:  # rows online have no labels, and predictions of hosts none to change
        of.building.ignored[of.name] = of.module
        return before
    reading = placed.reading
    labels = relabelled(reading.labels, of.fitted(LabelTransformModel))
    _reread(of, placed, Reading(reading.outcome, labels, reading.is_clusters, reading.card))
    return before


def _reread(of: _Component, placed: Placed, reading: Reading) -> None:
    of.building.placed[placed.component] = Placed(
        placed.component, placed.predictor, placed.table, reading, placed.is_shared
    )


def _pruned(building: _Building, wanted: Sequence[str]) -> Plan:
    """A plan of what the wanted components need. The main component is the last one of the DSL
    that is no LocalBaseline; a guest gives scores of it alone, a host its part of all."""
    order = list(building.model.components)
    placed = sorted(building.placed.values(), key=lambda one: order.index(one.component))
    shared = [one for one in placed if not isinstance(one.predictor, Local)] or placed
    main = shared[-1]
    if wanted:
        placed = [building.placed[name] for name in wanted]
    elif building.model.role == "guest":
        placed = [main]
    else:
        placed = [main, *(one for one in placed if one is not main)]
    needed = {one.table for one in placed}
    kept = []
    for number in reversed(range(len(building.stages))):
        if number in needed:
            needed.add(building.stages[number].of)
            kept.append(number)
    inputs, places = list[Input](), dict[int, int]()
    for i, one in enumerate(building.inputs):
        if ~i in needed:
            places[~i] = len(inputs)
            first = sum(len(other.source.columns) for other in inputs)
            inputs.append(Input(one.source, first))
    stages = list[Stage]()
    for number in reversed(kept):
        places[number] = len(inputs) + len(stages)
        stage = building.stages[number]
        stages.append(Stage(places[stage.of], stage.run))
    moved = [
        Placed(one.component, one.predictor, places[one.table], one.reading, one.is_shared)
        for one in placed
    ]
    return Plan(building.model.role, inputs, stages, moved, building.ignored)


Maker = Callable[[_Component, Flow], Flow]

MAKERS: dict[str, Maker] = {
    "dataio": _data_transform,
    "datatransform": _data_transform,
    "columnexpand": _column_expand,
    "featureimputation": _transform(FeatureImputationModel, transforms.imputed),
    "featurescale": _transform(ScaleModel, transforms.scaled),
    "onehotencoder": _transform(EncodingModel, transforms.encoded),
    "homoonehotencoder": _transform(EncodingModel, transforms.encoded),
    "heterofeaturebinning": _transform(BinningModel, transforms.binned),
    "homofeaturebinning": _transform(BinningModel, transforms.binned),
    "heterofeatureselection": _transform(SelectionModel, transforms.selected),
    "heterolr": _glm(Logistic(), LRModel),
    "heterolinr": _glm(Gaussian(), LinRModel),
    "heteropoisson": _glm(Poisson(), PoissonModel),
    "heterosshelr": _sshe(Logistic(), LRModel),
    "heterosshelinr": _sshe(Gaussian(), LinRModel),
    "heterosecureboost": _hetero_trees,
    "heterofastsecureboost": _hetero_trees,
    "homolr": _homo_lr,
    "homosecureboost": _homo_trees,
    "localbaseline": _local,
    "heterokmeans": _kmeans,
    "scorecard": _scorecard,
    "labeltransform": _label_transform,
}
"""How each module is served; one that is neither here nor in NO_OPS is refused."""
