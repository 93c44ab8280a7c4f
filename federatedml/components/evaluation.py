"""Evaluation: how good predictions or clusters are.

Parties: every party looks at what it has itself: the guest at predictions of vertical models,
each party at those of horizontal ones, the arbiter at the clusters it formed. A party that was
given neither, or no labels, has nothing to do. No data and no model comes out.
Maths: ``federatedml.maths.curves``, ``metrics``, ``clustering_metrics``.
Round: none; nothing leaves a party.
Trusts: nobody. Metrics go to this party's own job record.
Source: FATE 1.x behaviour and what we do otherwise: docs/compat/evaluation.md.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import msgspec

from federatedml import cluster_scoring, scoring
from federatedml.component import Component, Ctx, Inputs, NamedData, Outputs, register
from federatedml.data.frame import Predictions, Values
from federatedml.errors import BadData
from federatedml.params import Params
from federation import ARBITER, GUEST, HOST

LOG = logging.getLogger(__name__)

EvalType = Literal["binary", "multi", "regression", "clustering"]

_OF_A_FOLD = re.compile(r"#fold\d+#(train|validate)$")


def _shown_metrics() -> dict[str, list[str]]:
    return {kind: list(names) for kind, names in scoring.DEFAULT.items()}


class EvaluateParam(Params, frozen=True, kw_only=True):
    """metrics: None means all of the type; their aliases are understood (docs/compat).

    pos_label: the class that counts as positive. run_clustering_arbiter_metric is accepted: the
    arbiter evaluates whenever it is given clusters. allowed_metrics and default_metrics are what
    FATE shows among the parameters; nothing reads them.
    """

    eval_type: EvalType = "binary"
    pos_label: int | float | str = 1
    need_run: bool = True
    metrics: list[str] | None = None
    run_clustering_arbiter_metric: bool = False
    unfold_multi_result: bool = False
    allowed_metrics: dict[str, list[str]] = msgspec.field(default_factory=_shown_metrics)
    default_metrics: dict[str, list[str]] = msgspec.field(default_factory=_shown_metrics)

    def __post_init__(self) -> None:
        allowed = scoring.ALLOWED[self.eval_type]
        for metric in self.metrics or ():
            if scoring.canonical(metric) not in allowed:
                raise ValueError(
                    f"metrics: {metric!r} is no metric of eval_type {self.eval_type}; "
                    f"there are: {', '.join(allowed)}"
                )

    @property
    def names(self) -> list[str]:
        """The metrics to compute, in FATE's order."""
        return scoring.wanted(
            self.metrics or scoring.DEFAULT[self.eval_type], scoring.ALLOWED[self.eval_type]
        )


class Wire:
    """Nothing leaves a party."""


@register("Evaluation")
class Evaluation(Component[EvaluateParam]):
    Params = EvaluateParam
    ROLES = frozenset({GUEST, HOST, ARBITER})

    def fit(self, ctx: Ctx, inputs: Inputs) -> Outputs:
        """Score every input under the name of the component it comes from."""
        summary: dict[str, Any] = {}
        given = _keyed([named for kind in inputs.data for named in inputs.data[kind]])
        for key, tables in given.items():
            found = self._scored(ctx, key, tables)
            if found:
                summary[key] = found
        if summary:
            ctx.report.summary(summary)
        return Outputs()

    def _scored(
        self, ctx: Ctx, key: str, tables: Sequence[NamedData]
    ) -> Mapping[str, Mapping[str, float]]:
        """stage -> metric -> value of one upstream component."""
        if self.params.eval_type == "clustering":
            clusters = [named.data for named in tables if isinstance(named.data, Values)]
            return cluster_scoring.score(ctx.report, clusters, key, self.params.names)
        data = tables[0].data
        if not isinstance(data, Predictions):
            if ctx.role != GUEST:
                return {}
            raise BadData(
                f"{ctx.name}: {tables[0].key} holds no predictions; evaluation of type "
                f"{self.params.eval_type} takes the data output of a component that predicts"
            )
        if data.n_rows and _OF_A_FOLD.search(data.ids[0].as_py()):
            raise BadData(
                f"{ctx.name}: {tables[0].key} is the history of a cross-validation, which has "
                "been evaluated fold by fold; evaluate a component without cv_param.need_cv"
            )
        if data.label is None:
            LOG.warning("%s: predictions without labels, nothing to evaluate", key)
            return {}
        return self._predictions(ctx, key, data)

    def _predictions(
        self, ctx: Ctx, key: str, data: Predictions
    ) -> Mapping[str, Mapping[str, float]]:
        sets, kind = scoring.by_stage(data), self.params.eval_type
        found = scoring.score(ctx.report, sets, key, kind, self.params.names, self.params.pos_label)
        if self.params.unfold_multi_result and kind == "multi":
            for stage, of in sets.items():
                scoring.one_against_rest(ctx.report, of, stage, key)
        return found


def _keyed(given: Sequence[NamedData]) -> dict[str, list[NamedData]]:
    """Inputs by data key: the component's name, and for further predictions of one component
    its name and output. Several tables of clusters of one component belong together."""
    keyed: dict[str, list[NamedData]] = {}
    for named in given:
        taken = keyed.get(named.component)
        if taken is None or isinstance(named.data, Values):
            keyed.setdefault(named.component, []).append(named)
        else:
            keyed[named.key] = [named]
    return keyed
