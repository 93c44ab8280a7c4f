"""The contract between a component and whatever runs it.

A component is a class with ``@register("Module")``. What it can do is told by its methods,
named ``<stage>_<role>`` (or ``<stage>`` if all its roles do the same):

    fit_R(ctx, inputs) -> Outputs            plain components: data in, data and/or model out
    transform_R(ctx, inputs) -> Outputs      the same with a fitted model in ``inputs.model``

A *trainer* (``class X(Trainer[...])``) has these instead, and the runner composes
training, prediction of train and validation data, cross-validation and warm start from them:

    fit_R(ctx, train, validate, start) -> Model
    predict_R(ctx, model, data) -> Predictions | None
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic, Protocol, TypeVar

import msgspec

from eggroll.storage import Storage, StoredTable
from federatedml.data.frame import Data
from federatedml.params import Params
from federation import Context, Role

P = TypeVar("P", bound=Params)
C = TypeVar("C", bound=type)

Points = Sequence[tuple[Any, Any]]


class Report(Protocol):
    """Where a running component tells the job's owner something. Never row data or labels."""

    def metric(
        self, namespace: str, name: str, metric_type: str, points: Points = (), /, **meta: Any
    ) -> None:
        """Append points to a metric; ``meta`` is shown flat beside name and metric_type."""

    def summary(self, values: Mapping[str, Any]) -> None:
        """Merge into the component's summary."""

    def progress(self, done: float) -> None:
        """Fraction of the work done, 0..1."""

    def checkpoint(self, step_index: int, step_name: str, model: Model) -> None:
        """Keep a model from which a later run can go on."""

    def table_stored(self, table: StoredTable, options: dict[str, Any]) -> None:
        """A table under a name of the user's came to be; ``options`` are those of its upload."""

    def table_read(self, namespace: str, name: str) -> None:
        """A user's table was read."""


class Silent:
    """A Report that keeps what it is told: for tests and notebooks."""

    def __init__(self) -> None:
        self.metrics: dict[tuple[str, str], tuple[str, list[tuple[Any, Any]], dict[str, Any]]] = {}
        self.told: dict[str, Any] = {}
        self.done = 0.0
        self.checkpoints: list[tuple[int, str, Model]] = []
        self.tables_stored: list[tuple[StoredTable, dict[str, Any]]] = []
        self.tables_read: list[tuple[str, str]] = []

    def metric(
        self, namespace: str, name: str, metric_type: str, points: Points = (), /, **meta: Any
    ) -> None:
        _, kept, metas = self.metrics.setdefault((namespace, name), (metric_type, [], {}))
        kept.extend(points)
        metas.update(meta)

    def summary(self, values: Mapping[str, Any]) -> None:
        self.told.update(values)

    def progress(self, done: float) -> None:
        self.done = done

    def checkpoint(self, step_index: int, step_name: str, model: Model) -> None:
        self.checkpoints.append((step_index, step_name, model))

    def table_stored(self, table: StoredTable, options: dict[str, Any]) -> None:
        self.tables_stored.append((table, options))

    def table_read(self, namespace: str, name: str) -> None:
        self.tables_read.append((namespace, name))


class Ctx(Context):
    """A component's surroundings: the federation, and what else a task may touch.

    name: the component's name in the DSL ("hetero_lr_0"), used as data key of metrics.
    report: metrics, summary, progress. tables: this party's stored tables.
    folder: scratch space of the task. cores: how many this task may keep busy.
    job: job parameters as submitted (job_type, task_cores, ...).
    """

    name: str = "component_0"
    module: str = ""
    report: Report
    tables: Storage
    folder: Path
    cores: int = 1
    job: Mapping[str, Any]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.report = Silent()
        self.job = {}


class Model(msgspec.Struct, kw_only=True):
    """A fitted component: what FATE keeps as a Meta and a Param protobuf, as two structs.

    Subclasses declare ``meta`` and ``param`` (structs with ``rename="camel"``, so that the JSON
    is FATE's; int64 fields are texts there, see ``Int64``) and the two buffer names.
    Only what a party may keep for itself belongs in its model.
    """

    meta_name: ClassVar[str] = ""
    param_name: ClassVar[str] = ""


Int64 = str
"""protobuf's JSON shows int64 as text: ``str(value)`` goes in, ``int(text)`` comes out."""


@dataclass(frozen=True)
class NamedData:
    """Input data and where it came from, e.g. component "hetero_lr_0", output "data"."""

    component: str
    output: str
    data: Data

    @property
    def key(self) -> str:
        return f"{self.component}.{self.output}"


@dataclass(frozen=True)
class Inputs:
    """What a task gets. ``data`` by DSL kind: data, train_data, validate_data, test_data,
    eval_data; each a list in DSL order. ``model`` is the component's own fitted model (warm
    start, transform, predict); ``isometric`` are models of other components, by their name;
    ``caches`` are folders written by an earlier task, by (component, output name)."""

    data: Mapping[str, Sequence[NamedData]] = field(default_factory=dict)
    model: Model | None = None
    isometric: Mapping[str, Model] = field(default_factory=dict)
    caches: Mapping[str, Path] = field(default_factory=dict)

    def one(self, *kinds: str) -> Data | None:
        """The first data set of the first of these kinds that is there."""
        found = next((self.data[k] for k in kinds if self.data.get(k)), None)
        return found[0].data if found else None


@dataclass
class Outputs:
    """What a task gives. ``data``: one entry per declared output, None for an empty one; a
    StoredTable is linked under the output's name instead of being written again.
    ``cache``: a folder under ``ctx.folder`` to keep as the cache output."""

    data: list[Data | StoredTable | None] = field(default_factory=list)
    model: Model | None = None
    cache: Path | None = None


class Component(Generic[P]):
    """Base of every component; holds its parameters and nothing else."""

    Params: ClassVar[type[Params]]
    Model: ClassVar[type[Model] | None] = None
    module: ClassVar[str] = ""
    code_path: ClassVar[Mapping[str, str]] = {}
    """Class name that FATE's inference DSL shows per role; default: module + Role."""

    agrees: ClassVar[tuple[str, ...]] = ()
    """Parameters that steer the conversation: training starts if all parties have the same."""

    aligned: ClassVar[bool] = False
    """Whether guest and hosts must hold the same rows in the same order."""

    def __init__(self, params: P) -> None:
        self.params = params

    @classmethod
    def roles(cls) -> frozenset[Role]:
        """The roles that run this component, told by its methods."""
        names = {n for n in dir(cls) if n.startswith(("fit", "transform", "predict"))}
        if names & {"fit", "transform", "predict"}:
            return frozenset(getattr(cls, "ROLES", {Role.GUEST, Role.HOST}))
        return frozenset(r for r in Role if any(n.endswith(f"_{r.value}") for n in names))

    def stage(self, name: str, role: Role) -> Any:
        """The method ``<name>_<role>``, else ``<name>``, else None."""
        return getattr(self, f"{name}_{role.value}", None) or getattr(self, name, None)


class Trainer(Component[P]):
    """A component that learns from rows and predicts rows; see the module docstring."""


_CATALOG: dict[str, type[Component[Any]]] = {}


def register(*names: str) -> Any:
    """Class decorator: the component's DSL module name, and aliases."""

    def note(cls: C) -> C:
        cls.module = names[0]  # type: ignore[attr-defined]
        for name in names:
            _CATALOG[name.lower()] = cls
        return cls

    return note
